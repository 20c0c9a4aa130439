//! Texts of others, cut to what is kept of them.

/// Bytes of a detail that are kept.
pub const DETAIL_BYTES: usize = 4096;

/// The beginning of a text, cut where a character ends.
pub fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

/// The last line of an output that says anything, cut.
pub fn last_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    cut(line, DETAIL_BYTES).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("", 3), "");
    }

    #[test]
    fn the_last_line_is_one_that_says_something() {
        assert_eq!(last_line(b"first\r\n second \n\n  \n"), "second");
        assert_eq!(last_line(b"\n\n"), "");
        assert_eq!(last_line(b"\xff!"), "\u{fffd}!");
        assert_eq!(last_line("é".repeat(3000).as_bytes()).len(), DETAIL_BYTES);
    }
}
