//! Where something stands in a policy file, and how its text is shown.

use std::fmt;

/// Characters of a text from a file that a message shows.
const SHOWN: usize = 64;

/// A place in a policy file. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The lines of a text.
pub(crate) struct Lines<'t> {
    text: &'t [u8],
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub fn of(text: &'t str) -> Self {
        let behind = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Lines { text: text.as_bytes(), starts: std::iter::once(0).chain(behind).collect() }
    }

    /// The place of a byte. The byte behind the last one has a place too.
    pub fn place(&self, at: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= at);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start..at.min(self.text.len())).unwrap_or_default();
        // Every character has one byte that does not go on with another.
        let characters = before.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        Place { line, column: characters + 1 }
    }
}

/// A text from a file as messages show it: cut, and with nothing in it that a terminal hides or obeys.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::new();
    for (place, c) in text.chars().enumerate() {
        if place == SHOWN {
            out.push('…');
            break;
        }
        if is_hidden(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// Whether a terminal hides a character or obeys it.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let lines = Lines::of("a = 1\r\nü = \"é\"\n\nlast");
        let place = |at| lines.place(at).to_string();
        assert_eq!(place(0), "1:1");
        assert_eq!(place(4), "1:5");
        assert_eq!(place(7), "2:1");
        assert_eq!(place(9), "2:2");
        assert_eq!(place(17), "3:1");
        assert_eq!(place(18), "4:1");
        assert_eq!(place(22), "4:5");
        assert_eq!(place(99), "4:5");
        assert_eq!(Lines::of("").place(0).to_string(), "1:1");
    }

    #[test]
    fn what_is_shown_is_short_and_hides_nothing() {
        assert_eq!(shown("a\u{1b}[2J\u{202e}b é"), "a\\u{1b}[2J\\u{202e}b é");
        assert_eq!(shown(&"x".repeat(65)), format!("{}…", "x".repeat(64)));
    }
}
