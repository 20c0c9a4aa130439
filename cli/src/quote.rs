//! Words of a command that a person can paste into a shell.

use std::path::Path;

/// A word as a POSIX shell reads it back: as it is when nothing in it means something to a shell, else in quotes.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | ':' | ',' | '@' | '%' | '=')
    };
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A path as a word. One that begins with a hyphen is no option.
pub fn quoted_path(path: &Path) -> String {
    let path = path.to_string_lossy();
    match path.starts_with('-') {
        true => quoted(&format!("./{path}")),
        false => quoted(&path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_a_quoted_word_back() {
        for word in
            ["plain/path-1.x", "with space", "it's", "$HOME", "", "a\nb", "*", "~", "\\", "\"x\"", "price/ä"]
        {
            let script = format!("printf %s {}", quoted(word));
            let read = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(read.stdout).unwrap(), word, "{script}");
        }
        assert_eq!(quoted("shop/2026"), "shop/2026");
        assert_eq!(quoted_path(Path::new("-l")), "./-l");
    }
}
