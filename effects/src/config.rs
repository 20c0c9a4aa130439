//! Which adapters there are: a TOML file that names them.

use crate::adapter::{Adapter, MOST_RETRIES};
use crate::duration::{self, DurationError};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The largest file.
pub const FILE_BYTES: usize = 1 << 20;

/// The longest name, in bytes.
pub const NAME_BYTES: usize = 128;

/// A file with one adapter, as an example.
pub const EXAMPLE: &str = "\
[adapters.shop]
program = \"counterfoil-adapter-http\"
args = [\"--url\", \"http://127.0.0.1:8080/webhook\", \"--secret-env\", \"SHOP_SECRET\"]
";

const SETTINGS: &str = "program, args, timeout, retries, backoff and sandbox";

/// The adapters of a file, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapters {
    file: PathBuf,
    adapters: BTreeMap<String, Adapter>,
}

/// Why there are no adapters, or not that one.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no file.
    #[error(
        "{} does not exist.\nIt names the programs that carry out effects. Write one, such as\n\n{EXAMPLE}",
        .0.display()
    )]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("{} cannot be read: {error}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Something in it is wrong.
    #[error("{}:{line}: {fault}", .file.display())]
    Wrong {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong, and with which setting.
        fault: String,
    },
    /// It names no such adapter.
    #[error(
        "{} names no adapter `{name}`; it names {known}. Add [adapters.{name}] with a `program`",
        .file.display()
    )]
    NoSuchAdapter {
        /// The file.
        file: PathBuf,
        /// The name.
        name: String,
        /// Those that it names.
        known: String,
    },
}

impl Adapters {
    /// None, of a file that is not there.
    pub fn none(file: &Path) -> Self {
        Adapters { file: file.to_owned(), adapters: BTreeMap::new() }
    }

    /// Reads a file.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let unreadable = |error| ConfigError::Unreadable { file: file.to_owned(), error };
        let opened = match fs::File::open(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ConfigError::Missing(file.to_owned()));
            }
            opened => opened.map_err(unreadable)?,
        };
        let mut text = String::new();
        let limit = u64::try_from(FILE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        opened.take(limit).read_to_string(&mut text).map_err(unreadable)?;
        Adapters::parse(&text, file)
    }

    /// Reads the text of a file; relative programs are relative to where that file lies, and run there.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let wrong = |Fault { at, fault }| {
            let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            ConfigError::Wrong { file: file.to_owned(), line, fault }
        };
        if text.len() > FILE_BYTES {
            return Err(wrong(Fault::new(0, format!("the file has more than {FILE_BYTES} bytes"))));
        }
        let unreadable = |error| ConfigError::Unreadable { file: file.to_owned(), error };
        let file_path = std::path::absolute(file).map_err(unreadable)?;
        let dir = file_path.parent().unwrap_or(Path::new("/"));
        let document = DeTable::parse(text).map_err(|error| {
            let at = error.span().unwrap_or(0..0).start;
            wrong(Fault::new(at, format!("this is not TOML: {}", error.message())))
        })?;
        let adapters = read_document(document.get_ref(), dir).map_err(wrong)?;
        Ok(Adapters { file: file.to_owned(), adapters })
    }

    /// The adapter of a name.
    pub fn find(&self, name: &str) -> Result<&Adapter, ConfigError> {
        self.adapters.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.iter().map(|adapter| adapter.name.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            ConfigError::NoSuchAdapter { file: self.file.clone(), name: name.to_owned(), known }
        })
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Adapter> {
        self.adapters.values()
    }
}

/// What is wrong, and at which byte.
struct Fault {
    at: usize,
    fault: String,
}

impl Fault {
    fn new(at: usize, fault: impl Into<String>) -> Self {
        Fault { at, fault: fault.into() }
    }
}

/// A setting: the full name of its key, and its value.
struct Setting<'t> {
    name: String,
    value: &'t Spanned<DeValue<'t>>,
}

impl<'t> Setting<'t> {
    fn at(&self) -> usize {
        self.value.span().start
    }

    fn wrong(&self, wanted: &str) -> Fault {
        Fault::new(self.at(), format!("`{}` is {wanted}", self.name))
    }

    fn table(&self, wanted: &str) -> Result<&'t DeTable<'t>, Fault> {
        self.value.get_ref().as_table().ok_or_else(|| self.wrong(wanted))
    }

    /// A text that can be passed to a program.
    fn text(&self, wanted: &str) -> Result<&'t str, Fault> {
        let text = self.value.get_ref().as_str().ok_or_else(|| self.wrong(wanted))?;
        if text.contains('\0') { Err(self.wrong("without the sign 0")) } else { Ok(text) }
    }

    fn texts(&self) -> Result<Vec<String>, Fault> {
        let wanted = "a list of texts, such as [\"--url\", \"http://...\"]";
        let items = self.value.get_ref().as_array().ok_or_else(|| self.wrong(wanted))?;
        let text = |item| Setting { name: self.name.clone(), value: item }.text(wanted).map(str::to_owned);
        items.iter().map(text).collect()
    }

    fn time(&self) -> Result<Duration, Fault> {
        let text = self.text("a time in quotes, such as \"10s\"")?;
        let fault = |fault: DurationError| {
            Fault::new(self.at(), format!("`{text}` cannot be taken for `{}`: {fault}", self.name))
        };
        duration::parse(text).map_err(fault)
    }

    fn retries(&self) -> Result<u32, Fault> {
        let number = self.value.get_ref().as_integer().filter(|number| number.radix() == 10);
        let number = number.and_then(|number| number.as_str().parse().ok());
        let wanted = format!("a whole number from 0 to {MOST_RETRIES}, without quotes");
        number.filter(|number| *number <= MOST_RETRIES).ok_or_else(|| self.wrong(&wanted))
    }

    fn boolean(&self) -> Result<bool, Fault> {
        self.value.get_ref().as_bool().ok_or_else(|| self.wrong("true or false, without quotes"))
    }

    /// A name without a slash is looked for in `PATH`; all else is a path.
    fn program(&self, dir: &Path) -> Result<PathBuf, Fault> {
        match self.text("a path, or a name to be found in PATH, in quotes")? {
            "" => Err(self.wrong("not empty: a path, or a name to be found in PATH")),
            path if path.contains('/') => Ok(dir.join(path)),
            name => Ok(PathBuf::from(name)),
        }
    }
}

fn read_document(document: &DeTable<'_>, dir: &Path) -> Result<BTreeMap<String, Adapter>, Fault> {
    let mut adapters = BTreeMap::new();
    for (key, value) in document {
        let name = key.get_ref().as_ref();
        if name != "adapters" {
            let fault = format!("`{}` is no setting; adapters are tables, [adapters.NAME]", shown(name));
            return Err(Fault::new(key.span().start, fault));
        }
        let wanted = "tables by name, [adapters.NAME]";
        for (key, value) in (Setting { name: name.to_owned(), value }).table(wanted)? {
            let name = key.get_ref().as_ref();
            if !(1..=NAME_BYTES).contains(&name.len()) || name.chars().any(char::is_control) {
                let fault = format!(
                    "the name `{}` of an adapter cannot be taken: a name has 1 to {NAME_BYTES} bytes, and no control \
                     characters",
                    shown(name)
                );
                return Err(Fault::new(key.span().start, fault));
            }
            let table = Setting { name: format!("adapters.{name}"), value };
            adapters.insert(name.to_owned(), read_adapter(name, &table, dir)?);
        }
    }
    Ok(adapters)
}

fn read_adapter(name: &str, table: &Setting<'_>, dir: &Path) -> Result<Adapter, Fault> {
    let mut adapter = Adapter { dir: Some(dir.to_owned()), ..Adapter::new(name, "") };
    for (key, value) in table.table("a table with a `program`")? {
        let setting = Setting { name: format!("{}.{}", table.name, shown(key.get_ref())), value };
        match key.get_ref().as_ref() {
            "program" => adapter.program = setting.program(dir)?,
            "args" => adapter.args = setting.texts()?,
            "timeout" => adapter.timeout = setting.time()?,
            "retries" => adapter.retries = setting.retries()?,
            "backoff" => adapter.backoff = setting.time()?,
            "sandbox" => adapter.sandbox = setting.boolean()?,
            _ => {
                let fault = format!("`{}` is no setting; an adapter has {SETTINGS}", setting.name);
                return Err(Fault::new(key.span().start, fault));
            }
        }
    }
    if adapter.program.as_os_str().is_empty() {
        let fault =
            format!("`{}` needs `program`, such as program = \"counterfoil-adapter-http\"", table.name);
        return Err(Fault::new(table.at(), fault));
    }
    Ok(adapter)
}

/// A key as messages show it: cut, and with nothing in it that a terminal obeys.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(64).collect();
    short.escape_debug().to_string()
}

#[cfg(test)]
mod tests;
