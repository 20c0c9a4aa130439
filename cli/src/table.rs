//! Aligned text for people.

use rustix::termios::tcgetwinsize;
use std::io::{self, IsTerminal, Write};

/// A count with what is counted.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Rows of cells, printed in columns. The last column is as wide as it likes.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
    right: Vec<usize>,
    /// How wide columns are at least.
    widths: Vec<usize>,
    /// How long a line may be, when the last column is cut to it.
    line: Option<usize>,
}

/// What is left of the last column, however narrow the terminal.
const LEAST: usize = 8;

impl Table {
    /// A table with a heading for each column.
    pub fn with_heading(heading: &[&str]) -> Self {
        let mut table = Table::default();
        table.push(heading.iter().copied());
        table
    }

    /// Aligns a column to the right.
    pub fn right(mut self, column: usize) -> Self {
        self.right.push(column);
        self
    }

    /// Cuts the last column so that lines fit the terminal, when there is one.
    pub fn fitting(mut self) -> Self {
        let out = io::stdout();
        self.line =
            out.is_terminal().then(|| tcgetwinsize(&out).ok()).flatten().map(|size| size.ws_col.into());
        self
    }

    /// Whether it has no rows, the heading included.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a row.
    pub fn push<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(|cell| printable(cell.as_ref())).collect());
    }

    /// Prints the rows and forgets them. Those that are added later keep to the same columns, and stand below them.
    pub fn print_on(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.widths = self.widths();
        self.print(0, out)?;
        self.rows.clear();
        Ok(())
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths = self.widths.clone();
        for row in &self.rows {
            for (column, cell) in row.iter().enumerate() {
                let width = cell.chars().count();
                match widths.get_mut(column) {
                    Some(widest) => *widest = width.max(*widest),
                    None => widths.push(width),
                }
            }
        }
        widths
    }

    /// Prints the table, each line behind this many spaces.
    pub fn print(&self, indent: usize, out: &mut dyn Write) -> io::Result<()> {
        let widths = self.widths();
        for row in &self.rows {
            let mut line = " ".repeat(indent);
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
                let (before, behind) = if self.right.contains(&column) {
                    (padding.as_str(), "")
                } else {
                    ("", padding.as_str())
                };
                let last = column + 1 == row.len();
                match self.line.filter(|_| last) {
                    Some(end) => line += &cut(cell, end.saturating_sub(line.chars().count()).max(LEAST)),
                    None => line.extend([before, cell, behind, "  "]),
                }
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Text with its control characters escaped, so that what a row says cannot move the cursor or change colours.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// Whether a terminal hides a character or obeys it.
pub fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text cut to this many characters, with an ellipsis when something is missing.
pub fn cut(text: &str, width: usize) -> String {
    let text = printable(text);
    match text.chars().count() > width {
        true => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_reaches_the_terminal_raw() {
        let mut table = Table::with_heading(&["SEQ", "WHAT"]).right(0);
        table.push(["7", "a\u{1b}[31mb\u{202e}"]);
        let mut out = Vec::new();
        table.print(1, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), " SEQ  WHAT\n   7  a\\u{1b}[31mb\\u{202e}\n");
        table.print_on(&mut Vec::new()).unwrap();
        table.push(["77", "c"]);
        let mut out = Vec::new();
        table.print_on(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), " 77  c\n");
        let mut narrow = Table { line: Some(16), ..Table::with_heading(&["SEQ", "WHAT"]) };
        narrow.push(["7", "as long as can be"]);
        let mut out = Vec::new();
        narrow.print(0, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "SEQ  WHAT\n7    as long as…\n");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
    }
}
