//! Tables and values of a TOML document, read by what they should be; what they are not is told with its place.

use crate::nearest::nearest;
use crate::number;
use crate::problem::{Hint, NameFault, NumberFault, Problem, Problems, QuantityFault};
use crate::source::shown;
use counterfoil_format::limits::NAME_BYTES;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A key and its value, or an item of a list with the key of the list.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'t> {
    pub key: &'t str,
    /// The byte where the key stands.
    pub key_at: usize,
    /// The byte where the value stands; that of a table is its header.
    pub at: usize,
    value: &'t DeValue<'t>,
}

/// The entries of a table.
pub(crate) fn entries<'t>(table: &'t DeTable<'t>) -> impl Iterator<Item = Entry<'t>> {
    table.iter().map(|(key, value)| Entry {
        key: key.get_ref(),
        key_at: key.span().start,
        at: value.span().start,
        value: value.get_ref(),
    })
}

impl<'t> Entry<'t> {
    fn wrong<T>(&self, wanted: &'static str, problems: &mut Problems<'_>) -> Option<T> {
        let found = match self.value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        problems.push(self.at, Problem::WrongType { setting: shown(self.key), wanted, found });
        None
    }

    pub fn is_text(&self, text: &str) -> bool {
        self.value.as_str() == Some(text)
    }

    pub fn is_table(&self) -> bool {
        self.value.is_table()
    }

    pub fn as_table(&self) -> Option<&'t DeTable<'t>> {
        self.value.as_table()
    }

    pub fn boolean(&self, problems: &mut Problems<'_>) -> Option<bool> {
        self.value.as_bool().or_else(|| self.wrong("true or false, without quotes", problems))
    }

    pub fn table(&self, wanted: &'static str, problems: &mut Problems<'_>) -> Option<&'t DeTable<'t>> {
        self.value.as_table().or_else(|| self.wrong(wanted, problems))
    }

    /// The items of a list.
    pub fn list(&self, wanted: &'static str, problems: &mut Problems<'_>) -> Option<Vec<Entry<'t>>> {
        let items = self.value.as_array().or_else(|| self.wrong(wanted, problems))?;
        let entry = |item: &'t Spanned<DeValue<'t>>| {
            let at = item.span().start;
            Entry { key: self.key, key_at: at, at, value: item.get_ref() }
        };
        Some(items.iter().map(entry).collect())
    }

    pub fn text(&self, wanted: &'static str, problems: &mut Problems<'_>) -> Option<&'t str> {
        self.value.as_str().or_else(|| self.wrong(wanted, problems))
    }

    /// One of some words.
    pub fn word<T: Copy>(
        &self,
        what: &'static str,
        all: &[T],
        name: impl Fn(T) -> &'static str,
        problems: &mut Problems<'_>,
    ) -> Option<T> {
        let word = self.text("a word in quotes", problems)?;
        find_word(what, word, all, name).map_err(|problem| problems.push(self.at, problem)).ok()
    }

    /// One of some words, as the key.
    pub fn key_word<T: Copy>(
        &self,
        what: &'static str,
        all: &[T],
        name: impl Fn(T) -> &'static str,
        problems: &mut Problems<'_>,
    ) -> Option<T> {
        find_word(what, self.key, all, name).map_err(|problem| problems.push(self.key_at, problem)).ok()
    }

    /// A number, by one of the readers of [`crate::number`].
    pub fn number<T>(
        &self,
        wanted: &'static str,
        read: impl Fn(&str) -> Result<T, NumberFault>,
        problems: &mut Problems<'_>,
    ) -> Option<T> {
        let (text, read) = match self.value {
            DeValue::Integer(integer) if integer.radix() == 10 => (integer.as_str(), read(integer.as_str())),
            DeValue::Integer(integer) => (integer.as_str(), Err(NumberFault::NotPlain)),
            DeValue::Float(float) => (float.as_str(), read(float.as_str())),
            _ => return self.wrong(wanted, problems),
        };
        let refused = |fault| Problem::Number { setting: shown(self.key), text: shown(text), fault };
        read.map_err(|fault| problems.push(self.at, refused(fault))).ok()
    }

    /// A score in parts per million.
    pub fn score(&self, problems: &mut Problems<'_>) -> Option<u32> {
        self.number("a number from 0 to 1, without quotes", number::score, problems)
    }

    /// A time or a size, by one of the readers of [`crate::quantity`].
    pub fn quantity<T>(
        &self,
        wanted: &'static str,
        read: impl Fn(&str) -> Result<T, QuantityFault>,
        problems: &mut Problems<'_>,
    ) -> Option<T> {
        let text = self.text(wanted, problems)?;
        let refused = |fault| Problem::Quantity { setting: shown(self.key), text: shown(text), fault };
        read(text).map_err(|fault| problems.push(self.at, refused(fault))).ok()
    }

    /// A name, as the format has them.
    pub fn name(&self, what: &'static str, problems: &mut Problems<'_>) -> Option<&'t str> {
        let text = self.text("a name in quotes", problems)?;
        name(what, text, self.at, problems).then_some(text)
    }

    /// A pattern of actions.
    pub fn pattern(&self, problems: &mut Problems<'_>) -> Option<&'t str> {
        let text = self.text("an action, or the beginning of actions and a *, in quotes", problems)?;
        pattern(text, self.at, problems).then_some(text)
    }

    /// Tells that there is no such setting in what has this name, but that a dot may belong to the name.
    pub fn dotted(&self, name: &str, of: &'static str, problems: &mut Problems<'_>) {
        let hint = Hint::Dotted(shown(&format!("{name}.{}", self.key)));
        problems.push(self.key_at, Problem::UnknownKey { of, key: shown(self.key), hint });
    }

    /// Tells that there is no such setting.
    pub fn unknown(&self, of: &'static str, known: &[&'static str], problems: &mut Problems<'_>) {
        let hint = hint(self.key, known.to_vec());
        problems.push(self.key_at, Problem::UnknownKey { of, key: shown(self.key), hint });
    }
}

fn find_word<T: Copy>(
    what: &'static str,
    word: &str,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, Problem> {
    let unknown = || {
        let hint = hint(word, all.iter().map(|one| name(*one)).collect());
        Problem::UnknownWord { what, word: shown(word), hint }
    };
    all.iter().copied().find(|one| name(*one) == word).ok_or_else(unknown)
}

fn hint(word: &str, known: Vec<&'static str>) -> Hint {
    match nearest(word, known.iter().copied()) {
        Some(near) => Hint::Nearest(near.to_owned()),
        None => Hint::OneOf(known),
    }
}

/// Whether a name is one that the format takes; else it is told.
pub(crate) fn name(what: &'static str, text: &str, at: usize, problems: &mut Problems<'_>) -> bool {
    let fault = match text {
        "" => NameFault::Empty,
        _ if text.len() > NAME_BYTES => NameFault::TooLong(text.len()),
        _ if text.bytes().any(|byte| byte.is_ascii_control()) => NameFault::Control,
        _ => return true,
    };
    problems.push(at, Problem::Name { what, fault });
    false
}

/// Whether a pattern is one that the format takes; else it is told.
pub(crate) fn pattern(text: &str, at: usize, problems: &mut Problems<'_>) -> bool {
    let starred = text.strip_suffix('*').unwrap_or(text).contains('*');
    if starred {
        problems.push(at, Problem::Star { pattern: shown(text) });
    }
    name("an action's name", text, at, problems) && !starred
}
