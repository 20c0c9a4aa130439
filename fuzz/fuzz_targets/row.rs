//! A row that is accepted has exactly the bytes it was read from.
#![no_main]

use counterfoil_format::content::check_parts;
use counterfoil_format::part::PartTag;
use counterfoil_format::row::{Row, write_row};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(row) = Row::parse(bytes) {
        let mut again = Vec::new();
        let tags = PartTag::AUTHORED.into_iter().chain([PartTag::Rollback]);
        let slots = tags.filter_map(|tag| row.part(tag));
        write_row(row.landing_bytes, row.head_bytes, slots, &row.row_hash, &mut again);
        assert_eq!(again, bytes);
        if check_parts(&row).is_ok() {
            row.hashes(&mut Vec::new()).unwrap();
        }
    }
});
