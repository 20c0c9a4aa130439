//! Words of a command that a person can paste into a shell.

use std::path::Path;

/// A word as a shell reads it back: as it is when nothing in it means something to a shell, else in quotes. One with control characters
/// is quoted as POSIX has done it since 2024, so that nothing of it moves the terminal.
pub fn quoted(word: &str) -> String {
    if word.chars().any(char::is_control) {
        let escaped = |c: char| match c {
            '\'' | '\\' => format!("\\{c}"),
            c if c.is_control() => c.to_string().bytes().map(|byte| format!("\\{byte:03o}")).collect(),
            c => c.to_string(),
        };
        return format!("$'{}'", word.chars().map(escaped).collect::<String>());
    }

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

/// An option with what it is set to. What begins with a hyphen is no other option.
pub fn quoted_option(name: &str, value: &str) -> String {
    let between = if value.starts_with('-') { '=' } else { ' ' };
    format!("--{name}{between}{}", quoted(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_a_quoted_word_back() {
        for word in [
            "plain/path-1.x",
            "with space",
            "it's",
            "$HOME",
            "",
            "a\nb",
            "it's\t1\\\u{9b}2",
            "*",
            "~",
            "\\",
            "\"x\"",
            "price/ä",
        ] {
            let script = format!("printf %s {}", quoted(word));
            let read = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(read.stdout).unwrap(), word, "{script}");
        }
        assert_eq!(quoted("shop/2026"), "shop/2026");
        assert_eq!(quoted_path(Path::new("-l")), "./-l");
        assert_eq!(quoted_option("reason", "-x y"), "--reason='-x y'");
        assert_eq!(quoted_option("reason", "x"), "--reason x");
    }
}
