//! The terminal that the program was started from, and questions whose answer is not shown.
//!
//! It is opened by name: standard input may be a file of decisions, and standard output a pipe.

use crate::exit::Refused;
use anyhow::{Context, Result, bail};
use rustix::process::{Signal, kill_current_process_group};
use rustix::termios::{InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use rustix::termios::{tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{Read, Write};
use zeroize::Zeroizing;

/// Bytes of a line that are kept; a passphrase may be as long and not longer.
const LINE_BYTES: usize = 1024;

/// The terminal of this process.
pub struct Terminal(File);

impl Terminal {
    /// The terminal, unless there is none.
    pub fn open() -> Option<Self> {
        File::options().read(true).write(true).open("/dev/tty").ok().map(Terminal)
    }

    /// Asks, and reads a line that is not shown as it is typed.
    pub fn ask_hidden(&self, question: &str) -> Result<Zeroizing<String>> {
        let hidden =
            Hidden::begin(&self.0).context("the terminal cannot be kept from showing what is typed")?;
        (&self.0).write_all(question.as_bytes())?;
        let answer = read_line(&self.0, hidden.interrupt());
        drop(hidden);
        if !matches!(answer, Ok(Some(_))) {
            // The line that the question stands on has not been ended.
            writeln!(&self.0)?;
        }
        let Some(line) = answer? else {
            // The key did not reach whoever else would have been stopped by it, such as the script that runs this.
            kill_current_process_group(Signal::INT)?;
            return Err(Refused::error("interrupted"));
        };
        let text = str::from_utf8(&line).context("what was typed is no UTF-8")?;
        if text.chars().any(char::is_control) {
            bail!("a control character was typed, and hardly meant");
        }
        Ok(Zeroizing::new(text.to_owned()))
    }
}

/// The terminal while it shows nothing. It is set back when this is dropped, and what was typed ahead is dropped too: it
/// may belong to the secret.
struct Hidden<'t> {
    terminal: &'t File,
    before: Termios,
}

impl<'t> Hidden<'t> {
    fn begin(terminal: &'t File) -> rustix::io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let hidden = Hidden { terminal, before };
        let mut modes = hidden.before.clone();
        modes.input_modes |= InputModes::ICRNL;
        // Without signals, so that the interrupt key cannot end the program before the terminal is set back: here that
        // key ends the line instead.
        modes.local_modes -= LocalModes::ECHO | LocalModes::ISIG;
        modes.local_modes |= LocalModes::ICANON | LocalModes::ECHONL;
        modes.special_codes[SpecialCodeIndex::VEOL] = hidden.interrupt();
        tcsetattr(terminal, OptionalActions::Flush, &modes)?;
        Ok(hidden)
    }

    /// The byte that the interrupt key sends; zero when there is no such key.
    fn interrupt(&self) -> u8 {
        self.before.special_codes[SpecialCodeIndex::VINTR]
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        // There is nobody to tell, and no other way to set it back.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// Reads a line without its end; `None` when the interrupt key ended it.
fn read_line(mut terminal: &File, interrupt: u8) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(LINE_BYTES));
    let mut byte = Zeroizing::new([0]);
    loop {
        match terminal.read(&mut *byte) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).context("the terminal cannot be read"),
            Ok(0) if line.is_empty() => bail!("nothing was typed"),
            Ok(0) => return Ok(Some(line)),
            Ok(_) => {}
        }
        match *byte {
            [b'\n'] => return Ok(Some(line)),
            [end] if end == interrupt && end != 0 => return Ok(None),
            _ if line.len() == LINE_BYTES => bail!("what was typed is longer than {LINE_BYTES} bytes"),
            [typed] => line.push(typed),
        }
    }
}
