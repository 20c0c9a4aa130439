//! A watch: a thread that does something again and again until it is called off.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// A watch. When it is dropped its thread ends, and what it is doing then is waited for.
pub(crate) struct Watch {
    call_off: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins one. Fails when there is no thread to be had.
    pub fn begin(name: &str, every: Duration, mut look: impl FnMut() + Send + 'static) -> io::Result<Self> {
        let (call_off, called_off) = sync_channel::<()>(0);
        let watch = move || {
            while called_off.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                look();
            }
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(watch)?;
        Ok(Watch { call_off: Some(call_off), thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.call_off = None;
        if let Some(thread) = self.thread.take() {
            // One that has panicked has told those whom it concerns.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn it_looks_again_and_again_until_it_is_called_off() {
        let (said, heard) = channel();
        let watch = Watch::begin("test", Duration::from_millis(1), move || said.send(()).unwrap()).unwrap();
        (0..3).for_each(|_| heard.recv().unwrap());
        drop(watch);
        // What it looked with is gone with it.
        while heard.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) {}
        // One that hardly ever looks is called off at once.
        drop(Watch::begin("test", Duration::from_secs(3600), || {}).unwrap());
        // One that has panicked holds nobody.
        let panics = || std::panic::resume_unwind(Box::new("looking"));
        drop(Watch::begin("test", Duration::ZERO, panics).unwrap());
    }
}
