//! A writer that is another process: it lands what is left beside it, and `kill -9` loses nothing of it.

use crate::{Fate, LONG, check_intact, founded, pull};
use counterfoil_ledger::Log;
use counterfoil_tests::appender::{Appender, Moment, Orders};
use counterfoil_tests::journal::Journal;
use counterfoil_tests::rng::Rng;
use counterfoil_tests::shop::{FOUNDING, Shop, switch_id};
use std::time::Duration;

const APPENDER: &str = env!("CARGO_BIN_EXE_appender");

#[test]
fn a_busy_process_lands_what_is_left_and_a_kill_loses_none_of_it() {
    let mut rng = Rng::of_this_run();
    let dir = tempfile::tempdir().unwrap();
    let path = founded(dir.path());
    let mut journal = Journal::default();
    let mut waited = 0;
    for round in 0..20u64 {
        let orders = Orders::crowded(&path, journal.next(), rng.number());
        let appender = Appender::start(APPENDER, &orders);
        let busy = Moment { rows: 100, then: Duration::from_micros(rng.below(2000)) };
        appender.wait_for(busy, &mut journal);
        let posted = pull(&path, round, round.is_multiple_of(2));
        if round % 4 < 2 {
            let fate = posted.wait(&Log::open(&path).unwrap(), LONG).unwrap();
            assert!(matches!(fate, Fate::Landed(_)), "{fate:?}");
        } else {
            std::thread::sleep(Duration::from_micros(rng.below(20_000)));
        }
        appender.kill(&mut journal);
        waited += u64::from(posted.path().exists());

        let shop = Shop::open(&path).unwrap();
        let log = shop.ledger.log();
        let row = log.find_id(&switch_id(round)).unwrap().expect("it has landed");
        assert_eq!(posted.fate(log).unwrap(), Fate::Landed(row..row + 1));
        assert_eq!(shop.ledger.governance().in_force.switch.engaged, round.is_multiple_of(2));
        assert!(!posted.path().exists());
        let refused = path.join("quarantine").join(posted.path().file_name().unwrap());
        assert!(!refused.exists());
    }
    println!("{waited} of 20 posts were still there when the process was killed");
    let size = Log::open(&path).unwrap().head().size;
    assert!(size >= FOUNDING + 20);
    check_intact(&path, size);
}
