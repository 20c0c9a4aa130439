//! A program that is run once: given its input, waited for, and ended with all that it started when its time is up.

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes of the standard output that are kept.
pub const OUTPUT_BYTES: usize = 64 * 1024;

/// Bytes at the end of the standard error that are kept.
const ERROR_BYTES: usize = 8 * 1024;

/// How long a killed program may take to be gone, and an output to end when its program has.
const GRACE: Duration = Duration::from_secs(2);

/// How a program is run.
#[derive(Debug, Clone, Copy)]
pub enum Leash {
    /// In a process group of its own, which is killed after this time, and also when the program ends earlier.
    Group(Duration),
    /// In the group of this program: whoever ends this one ends that one too.
    Ours,
}

/// What is kept of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The beginning.
    Head,
    /// The end.
    Tail,
}

/// How a program ended, and what it wrote.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub end: End,
    /// What is kept of its standard output.
    pub output: Vec<u8>,
    /// Whether more than that was written.
    pub more_output: bool,
    /// The end of what it wrote to its standard error.
    pub errors: Vec<u8>,
}

/// How a program ended.
#[derive(Debug)]
pub enum End {
    /// By itself, with a status.
    Exited(i32),
    /// By a signal that was not ours.
    Killed(i32),
    /// Its time was up, and it was killed.
    TimedOut,
    /// This cannot be told; it was killed.
    Lost(io::Error),
}

/// Runs a program. An error says that it could not be started.
pub fn run(mut command: Command, input: Vec<u8>, leash: Leash, keep: Keep) -> io::Result<Ended> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if matches!(leash, Leash::Group(_)) {
        command.process_group(0);
    }
    let mut child = command.spawn()?;
    // From here on it may have had effects: whatever goes wrong, it was started.
    Ok(match follow(&mut child, input, keep) {
        Ok(pipes) => finish(&mut child, &pipes, leash),
        Err(error) => {
            stop(&mut child, leash, false);
            let _ = child.wait();
            Ended { end: End::Lost(error), output: Vec::new(), more_output: false, errors: Vec::new() }
        }
    })
}

/// Waits for the end of a program, as long as its leash is, and takes what it wrote.
fn finish(child: &mut Child, pipes: &Pipes, leash: Leash) -> Ended {
    let in_time = match leash {
        Leash::Group(time) => pipes.exit.recv_timeout(time) != Err(RecvTimeoutError::Timeout),
        Leash::Ours => pipes.exit.recv().is_ok(),
    };
    stop(child, leash, in_time);
    // One that even then does not end hangs in the kernel, and is left to it.
    let gone = in_time || pipes.exit.recv_timeout(GRACE).is_ok();
    let status = gone.then(|| child.wait());
    let end = match status {
        Some(status) if in_time => status.map_or_else(End::Lost, End::of),
        _ => End::TimedOut,
    };
    let (output, more_output) = pipes.output.take();
    Ended { end, output, more_output, errors: pipes.errors.take().0 }
}

/// Kills a program that was not waited for yet: until then, its number and that of its group are no one else's.
fn stop(child: &mut Child, leash: Leash, has_ended: bool) {
    // What has ended meanwhile cannot be killed, and need not be.
    match (leash, pid(child)) {
        (Leash::Group(_), Some(pid)) => drop(kill_process_group(pid, Signal::KILL)),
        _ if !has_ended => drop(child.kill()),
        _ => {}
    }
}

fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

impl End {
    fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => End::Exited(code),
            (None, signal) => End::Killed(signal.unwrap_or_default()),
        }
    }
}

/// What comes from a program that runs.
struct Pipes {
    output: Output,
    errors: Output,
    /// Hears when it has ended, before it is waited for.
    exit: Receiver<()>,
}

/// Starts what feeds a program, reads it, and waits for its end: a thread each, for any of these can block.
fn follow(child: &mut Child, input: Vec<u8>, keep: Keep) -> io::Result<Pipes> {
    let (told, exit) = channel();
    if let Some(mut stdin) = child.stdin.take() {
        // A program need not read what it is given.
        thread::Builder::new().spawn(move || drop(stdin.write_all(&input)))?;
    }
    let output = Output::read(child.stdout.take(), keep, OUTPUT_BYTES)?;
    let errors = Output::read(child.stderr.take(), Keep::Tail, ERROR_BYTES)?;
    let pid = pid(child);
    thread::Builder::new().spawn(move || {
        tell_the_end(pid, &told);
    })?;
    Ok(Pipes { output, errors, exit })
}

fn tell_the_end(pid: Option<Pid>, told: &Sender<()>) {
    let Some(pid) = pid else { return };
    // It is not taken off the table here: its number must not become another's while it may still be killed.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
    // Nobody listens when its time was up long ago.
    let _ = told.send(());
}

/// An output that a thread reads to its end, so that its writer never blocks; some of it is kept.
struct Output {
    kept: Arc<Mutex<Kept>>,
    end: Receiver<()>,
}

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    more: bool,
}

impl Output {
    fn read(pipe: Option<impl Read + Send + 'static>, keep: Keep, limit: usize) -> io::Result<Self> {
        let (told, end) = channel();
        let kept = Arc::new(Mutex::new(Kept::default()));
        let ours = Arc::clone(&kept);
        thread::Builder::new().spawn(move || {
            if let Some(mut pipe) = pipe {
                read_all(&mut pipe, &ours, keep, limit);
            }
            let _ = told.send(());
        })?;
        Ok(Output { kept, end })
    }

    /// What was kept, and whether there was more. A process that outlived the program may hold the output open; it is not
    /// waited for.
    fn take(&self) -> (Vec<u8>, bool) {
        let _ = self.end.recv_timeout(GRACE);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut kept.bytes), kept.more)
    }
}

fn read_all(pipe: &mut impl Read, kept: &Mutex<Kept>, keep: Keep, limit: usize) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = match pipe.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => buffer.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes.extend_from_slice(read);
        let over = kept.bytes.len().saturating_sub(limit);
        kept.more |= over > 0;
        match keep {
            Keep::Head => kept.bytes.truncate(limit),
            Keep::Tail => drop(kept.bytes.drain(..over)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn sh(script: &str, input: &[u8], leash: Leash, keep: Keep) -> Ended {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(command, input.to_vec(), leash, keep).unwrap()
    }

    #[test]
    fn a_program_reads_and_writes() {
        let ended = sh("cat; echo no >&2; exit 3", b"hello", Leash::Group(LONG), Keep::Head);
        assert!(matches!(ended.end, End::Exited(3)), "{:?}", ended.end);
        assert_eq!((ended.output, ended.more_output), (b"hello".to_vec(), false));
        assert_eq!(ended.errors, b"no\n");
    }

    #[test]
    fn more_output_than_is_kept_does_not_block() {
        let script = "head -c 300000 /dev/zero; echo end";
        let head = sh(script, b"", Leash::Group(LONG), Keep::Head);
        assert_eq!((head.output.len(), head.more_output), (OUTPUT_BYTES, true));
        let tail = sh(script, b"", Leash::Ours, Keep::Tail);
        assert_eq!((tail.output.len(), tail.more_output), (OUTPUT_BYTES, true));
        assert!(tail.output.ends_with(b"\0end\n"));
    }

    #[test]
    fn an_input_that_nobody_reads_does_not_block() {
        let ended = sh("exit 0", &vec![b'x'; 1 << 20], Leash::Group(LONG), Keep::Head);
        assert!(matches!(ended.end, End::Exited(0)), "{:?}", ended.end);
    }

    #[test]
    fn a_signal_is_told() {
        let ended = sh("kill -9 $$", b"", Leash::Ours, Keep::Head);
        assert!(matches!(ended.end, End::Killed(9)), "{:?}", ended.end);
    }

    #[test]
    fn what_takes_too_long_is_killed_with_what_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        let script = format!("sleep 600 & echo $! > '{}'; echo begun; wait", pid.display());
        let ended = sh(&script, b"", Leash::Group(Duration::from_secs(3)), Keep::Head);
        assert!(matches!(ended.end, End::TimedOut), "{:?}", ended.end);
        assert_eq!(ended.output, b"begun\n");
        let pid = std::fs::read_to_string(pid).unwrap();
        // It dies soon, and is gone when whoever inherits orphans has waited for it.
        let stat = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        let lives = |stat: String| !stat.is_empty() && !stat.contains(") Z ") && !stat.contains(") X ");
        assert!((0..1000).any(|_| {
            thread::sleep(Duration::from_millis(10));
            !lives(stat())
        }));
    }

    #[test]
    fn what_a_program_leaves_running_is_ended_with_it() {
        let ended = sh("sleep 600 & echo done", b"", Leash::Group(LONG), Keep::Head);
        assert!(matches!(ended.end, End::Exited(0)), "{:?}", ended.end);
        assert_eq!(ended.output, b"done\n");
    }

    #[test]
    fn what_cannot_be_started_is_an_error() {
        let command = Command::new("/nonexistent/program");
        assert!(run(command, Vec::new(), Leash::Group(LONG), Keep::Head).is_err());
    }
}
