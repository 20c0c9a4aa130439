//! What goes wrong on demand.

/// The most of them that one `--fail` asks for.
const MOST: usize = 10_000;

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 503, and nothing was done.
    Fail,
    /// 429, and nothing was done.
    Busy,
    /// 422, and nothing was done.
    Refuse,
    /// It takes effect, and the answer is 500.
    UnknownAfter,
    /// No answer ever, and nothing was done.
    Hang,
    /// It takes effect, and no answer ever.
    HangAfter,
    /// The connection is closed without an answer, and nothing was done.
    DropBefore,
    /// It takes effect, and the connection is closed without an answer.
    DropAfter,
}

const ALL: &[(&str, Fault)] = &[
    ("fail", Fault::Fail),
    ("busy", Fault::Busy),
    ("refuse", Fault::Refuse),
    ("unknown-after", Fault::UnknownAfter),
    ("hang", Fault::Hang),
    ("hang-after", Fault::HangAfter),
    ("drop-before", Fault::DropBefore),
    ("drop-after", Fault::DropAfter),
];

/// Reads such as `fail:2,drop-after:1`: the next two calls fail, and the connection of the third is dropped.
pub fn parse_faults(text: &str) -> Result<Vec<Fault>, String> {
    let mut faults = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, number) = part.split_once(':').unwrap_or((part, "1"));
        let Some((_, fault)) = ALL.iter().find(|(known, _)| *known == name) else {
            let known: Vec<_> = ALL.iter().map(|(known, _)| *known).collect();
            return Err(format!("`{name}` cannot go wrong; what can: {}", known.join(", ")));
        };
        let number = number.parse().ok().filter(|number| *number <= MOST.saturating_sub(faults.len()));
        let number =
            number.ok_or_else(|| format!("behind the colon of `{part}` stands a number up to {MOST}"))?;
        faults.extend(std::iter::repeat_n(*fault, number));
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_names_and_numbers() {
        let expected = vec![Fault::Fail, Fault::Fail, Fault::DropAfter, Fault::Hang];
        assert_eq!(parse_faults("fail:2, drop-after,hang:1"), Ok(expected));
        assert_eq!(parse_faults(""), Ok(Vec::new()));
        assert!(parse_faults("explode:1").unwrap_err().contains("drop-after"));
        for text in ["fail:", "fail:-1", "fail:10001", "fail:9999,fail:2"] {
            assert!(parse_faults(text).unwrap_err().contains("a number"), "{text}");
        }
    }
}
