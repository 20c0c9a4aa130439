//! An ext4 file system in a file, whose power can be cut: the kernel shuts it down, and what it had not handed to the
//! disk is gone. It needs root, a loop device, e2fsprogs and python3.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// Waits for a line, then shuts the file system down: `EXT4_IOC_SHUTDOWN` without a flush of the journal.
const CUT: &str = "
import fcntl, os, struct, sys
mount = os.open(sys.argv[1], os.O_RDONLY)
print('ready', flush=True)
sys.stdin.readline()
fcntl.ioctl(mount, 0x8004587d, struct.pack('I', 2))
";

/// A mounted file system. It is unmounted and removed when this is dropped.
pub struct Image {
    dir: TempDir,
}

impl Image {
    /// Makes a file system, mounts it and cuts its power once. An error says why it cannot be done here.
    pub fn make(mebibytes: u64) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let image = Image { dir };
        std::fs::create_dir(image.mounted()).map_err(|error| error.to_string())?;
        let size = format!("{mebibytes}M");
        run(Command::new("mkfs.ext4").args(["-q", "-b", "4096"]).arg(image.file()).arg(size))?;
        image.mount()?;
        image.power()?.cut()?;
        image.restore()?;
        Ok(image)
    }

    /// Where it is mounted.
    pub fn mounted(&self) -> PathBuf {
        self.dir.path().join("mounted")
    }

    /// Gets ready to cut the power.
    pub fn power(&self) -> Result<Power, String> {
        let mut python = Command::new("python3");
        python.args(["-c", CUT]).arg(self.mounted()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = python.spawn().map_err(|error| format!("python3: {error}"))?;
        let mut ready = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut ready).map_err(|error| error.to_string())?;
        let stdin = child.stdin.take().unwrap();
        Ok(Power { child, stdin })
    }

    /// Unmounts it and mounts it again, when no process uses it any more.
    pub fn restore(&self) -> Result<(), String> {
        unmount(&self.mounted())?;
        self.mount()
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    fn mount(&self) -> Result<(), String> {
        let mut mount = Command::new("mount");
        run(mount.args(["-t", "ext4", "-o", "loop"]).arg(self.file()).arg(self.mounted()))
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if unmount(&self.mounted()).is_err() {
            let _ = run(Command::new("umount").arg("--lazy").arg(self.mounted()));
        }
    }
}

/// The hand at the switch.
pub struct Power {
    child: Child,
    stdin: ChildStdin,
}

impl Power {
    /// Cuts the power.
    pub fn cut(mut self) -> Result<(), String> {
        // Where it did not get ready, it has ended and said why.
        let _ = self.stdin.write_all(b"\n");
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("EXT4_IOC_SHUTDOWN: {status}")) }
    }
}

/// Unmounts. Whoever looks at every new disk may keep it busy for a moment.
fn unmount(dir: &Path) -> Result<(), String> {
    for _ in 0..20 {
        match run(Command::new("umount").arg(dir)) {
            Err(reason) if reason.contains("busy") => thread::sleep(Duration::from_millis(100)),
            result => return result,
        }
    }
    run(Command::new("umount").arg(dir))
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().display().to_string();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
