//! Standard output, which may have lost its reader.

use std::io::{self, BufWriter, StdoutLock, Write};

/// Standard output, written in blocks.
pub struct Output {
    blocks: BufWriter<Watched>,
}

/// Remembers that the reader has gone away.
struct Watched {
    inner: StdoutLock<'static>,
    gone: bool,
}

impl Output {
    /// Standard output, taken for as long as this lives.
    pub fn open() -> Self {
        Output { blocks: BufWriter::new(Watched { inner: io::stdout().lock(), gone: false }) }
    }

    /// Whether nobody reads any more, as with `counterfoil log | head`.
    pub fn is_gone(&self) -> bool {
        self.blocks.get_ref().gone
    }
}

impl Watched {
    fn watch<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        self.gone |= result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        result
    }
}

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.inner.write(bytes);
        self.watch(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.inner.flush();
        self.watch(result)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.blocks.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.blocks.flush()
    }
}
