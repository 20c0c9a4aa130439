//! What is said of a text that is no policy, or a doubtful one.
#![allow(clippy::panic, reason = "a test")]
#![allow(dead_code, reason = "each test file uses some of it")]

use counterfoil_policy::PolicyFile;

pub const RULE: &str = "[action.AD]\nlive = true\n";
pub const LIMIT: &str = "[[limit]]\naction = \"AD\"\nper = \"store\"\nwindow = \"24 h\"\n";

/// All that is said of a text that is refused, a line each.
pub fn refused(text: &str) -> Vec<String> {
    match PolicyFile::parse(text) {
        Ok(_) => panic!("not refused: {text}"),
        Err(errors) => errors.to_string().lines().map(str::to_owned).collect(),
    }
}

/// What is said of a text that has one fault.
pub fn fault(text: &str) -> String {
    let told = refused(text);
    assert_eq!(told.len(), 1, "{told:#?}");
    told.concat()
}

/// What is said of a line that stands third, in a rule.
pub fn rule(line: &str) -> String {
    fault(&format!("{RULE}{line}\n"))
}

/// What is said of lines that stand from the seventh on, in a limit.
pub fn limit(lines: &str) -> String {
    fault(&format!("{RULE}{LIMIT}{lines}\n"))
}

/// What is doubtful about a text that is taken, a line each.
pub fn warned(text: &str) -> Vec<String> {
    match PolicyFile::parse(text) {
        Ok(file) => file.warnings().iter().map(ToString::to_string).collect(),
        Err(errors) => panic!("{errors}\n{text}"),
    }
}
