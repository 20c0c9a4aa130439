#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod crash;

use super::*;
use crate::passphrase::PassphraseError;
use age::secrecy::SecretString;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use tempfile::TempDir;

const WORDS: &str = "correct horse";

/// A key and the files that hold it, plain and encrypted with little work.
struct Scene {
    dir: TempDir,
    key: SecretKey,
}

impl Scene {
    fn open() -> Self {
        Scene { dir: tempfile::tempdir().unwrap(), key: SecretKey::generate().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn line(&self) -> String {
        line(&self.key).to_string()
    }

    /// A file with this content, which its owner alone may read.
    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn encrypted(&self, name: &str, plain: &str) -> PathBuf {
        self.file(name, passphrase::encrypt(plain.as_bytes(), &words(), 10, Path::new("")).unwrap())
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn words() -> Passphrase {
    Passphrase::new(WORDS).unwrap()
}

fn give<E>(text: &str) -> impl FnOnce() -> Result<Passphrase, E> {
    let passphrase = Passphrase::new(text).unwrap();
    || Ok(passphrase)
}

fn never<E>() -> Result<Passphrase, E> {
    panic!("a passphrase is asked for")
}

#[track_caller]
fn refused(path: &Path) -> SecretError {
    SecretKey::load_with(path, give(WORDS)).unwrap_err()
}

#[test]
fn a_plain_file_is_read_without_asking() {
    let scene = Scene::open();
    let path = scene.path("a.key");
    scene.key.save(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::read_to_string(&path).unwrap(), scene.line());
    assert_eq!(SecretKey::load(&path).unwrap().seed(), scene.key.seed());
    let loaded = SecretKey::load_with::<SecretError>(&path, never).unwrap();
    assert_eq!(loaded.seed(), scene.key.seed());
    let again = scene.key.save(&path).unwrap_err();
    assert!(
        matches!(&again, SecretError::Io { error, .. } if error.kind() == io::ErrorKind::AlreadyExists),
        "{again}"
    );
}

#[test]
fn an_encrypted_file_is_an_age_file_that_holds_the_line() {
    let scene = Scene::open();
    let path = scene.path("a.key");
    scene.key.save_encrypted(&path, &words()).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    let file = fs::read_to_string(&path).unwrap();
    assert!(file.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"), "{file}");
    assert!(file.ends_with("\n-----END AGE ENCRYPTED FILE-----\n"), "{file}");
    let identity = age::scrypt::Identity::new(SecretString::from(WORDS));
    assert_eq!(age::decrypt(&identity, file.as_bytes()).unwrap(), scene.line().as_bytes());

    assert!(matches!(SecretKey::load(&path), Err(SecretError::Encrypted(_))));
    assert_eq!(SecretKey::load_with(&path, give::<SecretError>(WORDS)).unwrap().seed(), scene.key.seed());
    let wrong = SecretKey::load_with(&path, give::<SecretError>("correct house"));
    assert!(matches!(wrong, Err(SecretError::WrongPassphrase(_))), "{wrong:?}");
    let again = scene.key.save_encrypted(&path, &words());
    assert!(matches!(again, Err(SecretError::Io { .. })), "{again:?}");
}

#[test]
fn a_file_that_age_wrote_is_read() {
    let scene = Scene::open();
    let mut recipient = age::scrypt::Recipient::new(SecretString::from(WORDS));
    recipient.set_work_factor(11);
    let bare = scene.file("a.key", age::encrypt(&recipient, scene.line().as_bytes()).unwrap());
    assert_eq!(SecretKey::load_with(&bare, give::<SecretError>(WORDS)).unwrap().seed(), scene.key.seed());

    let holder = age::x25519::Identity::generate();
    let sent = age::encrypt_and_armor(&holder.to_public(), scene.line().as_bytes()).unwrap();
    assert!(matches!(refused(&scene.file("b.key", sent)), SecretError::NoPassphrase(_)));
}

#[test]
fn a_file_that_others_may_read_is_refused_before_anything_is_asked() {
    let scene = Scene::open();
    for path in [scene.file("plain.key", scene.line()), scene.encrypted("sealed.key", &scene.line())] {
        for mode in [0o640, 0o604, 0o610, 0o620, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let results = [
                SecretKey::load_with(&path, never),
                SecretKey::protect(&path, never),
                SecretKey::unprotect(&path, never),
            ];
            for refused in results {
                assert!(
                    matches!(refused, Err(SecretError::Permissions { mode: told, .. }) if told == mode),
                    "{refused:?}"
                );
            }
        }
    }
}

#[test]
fn a_file_that_asks_for_much_work_is_refused_at_once() {
    let scene = Scene::open();
    let mut recipient = age::scrypt::Recipient::new(SecretString::from(WORDS));
    recipient.set_work_factor(10);
    let sound = age::encrypt(&recipient, scene.line().as_bytes()).unwrap();
    // The header is text up to its MAC, and the work factor ends the line of the recipient.
    let end = sound.windows(4).position(|bytes| bytes == b" 10\n").unwrap();
    for work in [21_u8, 30, 63] {
        let mut hostile = sound.clone();
        hostile.splice(end + 1..end + 3, work.to_string().bytes());
        let error = refused(&scene.file("a.key", hostile));
        assert!(
            matches!(error, SecretError::TooMuchWork { log_n, limit: 20, .. } if log_n == work),
            "{error}"
        );
    }
    for nonsense in ["0", "010", "-1", "64", "99999999999"] {
        let mut hostile = sound.clone();
        hostile.splice(end + 1..end + 3, nonsense.bytes());
        let error = refused(&scene.file("a.key", hostile));
        assert!(
            matches!(error, SecretError::Damaged(_) | SecretError::TooMuchWork { .. }),
            "{nonsense}: {error}"
        );
    }
}

#[test]
fn what_is_too_large_is_not_read() {
    let scene = Scene::open();
    let armour = "-----BEGIN AGE ENCRYPTED FILE-----\n";
    let large = scene.file("large.key", armour.to_owned() + &"A".repeat(4096));
    let endless = scene.file("endless.key", "");
    fs::File::options().write(true).open(&endless).unwrap().set_len(1 << 40).unwrap();
    for path in [&large, &endless] {
        let refused = SecretKey::load_with::<SecretError>(path, never);
        assert!(matches!(refused, Err(SecretError::Malformed(_))), "{refused:?}");
    }
    let inside = scene.encrypted("inside.key", &(scene.line() + &" ".repeat(1000)));
    assert!(matches!(refused(&inside), SecretError::Malformed(_)));
}

#[test]
fn what_is_no_key_file_is_refused() {
    let scene = Scene::open();
    let pipe = scene.path("pipe.key");
    assert!(std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&pipe).status().unwrap().success());
    let dir = scene.path("dir.key");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    let contents = ["", "garbage", "\u{ff}", "counterfoil-secret-key-v1 00", "counterfoil-secret-key-v2 00"];
    let others = (0..).zip(contents).map(|(at, content)| scene.file(&format!("{at}.key"), content));
    let others: Vec<_> = others.chain([pipe, dir, scene.file("bytes.key", [0xff; 90])]).collect();
    for path in &others {
        let refused = SecretKey::load_with::<SecretError>(path, never);
        assert!(matches!(refused, Err(SecretError::Malformed(_))), "{}: {refused:?}", path.display());
    }
    assert!(matches!(refused(&scene.encrypted("a.key", "garbage")), SecretError::Malformed(_)));
}

/// No byte of an encrypted file can be changed, and none can be cut off, without it being told.
#[test]
fn what_is_damaged_is_told() {
    let scene = Scene::open();
    let sound = fs::read(scene.encrypted("a.key", &scene.line())).unwrap();
    let beginning = "-----BEGIN AGE ENCRYPTED FILE-----".len();
    for at in (beginning..sound.len()).step_by(7) {
        let mut flipped = sound.clone();
        flipped[at] ^= 1;
        for bytes in [&flipped[..], &sound[..at]] {
            let error = refused(&scene.file("a.key", bytes));
            let told = matches!(
                error,
                SecretError::Damaged(_) | SecretError::WrongPassphrase(_) | SecretError::TooMuchWork { .. }
            );
            assert!(told, "at {at}: {error}");
        }
    }
}

#[test]
fn a_passphrase_has_bounds_and_is_not_shown() {
    assert_eq!(Passphrase::new("").unwrap_err(), PassphraseError::Empty);
    assert_eq!(Passphrase::new(&"x".repeat(1025)).unwrap_err(), PassphraseError::TooLong);
    assert!(Passphrase::new(&"x".repeat(1024)).is_ok());
    assert!(!format!("{:?}", words()).contains(WORDS));
    assert!(words().is_same(&words()) && !words().is_same(&Passphrase::new("correct house").unwrap()));
}

#[test]
fn a_file_is_encrypted_and_decrypted_in_place() {
    let scene = Scene::open();
    let path = scene.path("a.key");
    scene.key.save(&path).unwrap();
    let refused = SecretKey::unprotect::<SecretError>(&path, never);
    assert!(matches!(refused, Err(SecretError::NotEncrypted(_))), "{refused:?}");

    assert_eq!(SecretKey::protect(&path, give::<SecretError>(WORDS)).unwrap().seed(), scene.key.seed());
    assert!(matches!(SecretKey::load(&path), Err(SecretError::Encrypted(_))));
    let refused = SecretKey::protect::<SecretError>(&path, never);
    assert!(matches!(refused, Err(SecretError::AlreadyEncrypted(_))), "{refused:?}");
    let before = fs::read(&path).unwrap();
    let wrong = SecretKey::unprotect(&path, give::<SecretError>("x"));
    assert!(matches!(wrong, Err(SecretError::WrongPassphrase(_))), "{wrong:?}");
    assert_eq!(fs::read(&path).unwrap(), before);

    SecretKey::unprotect(&path, give::<SecretError>(WORDS)).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), scene.line());
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(scene.names(), ["a.key"]);
}

#[test]
fn whoever_asks_may_give_up() {
    let scene = Scene::open();
    let path = scene.file("a.key", scene.line());
    #[derive(Debug)]
    struct GaveUp;
    impl From<SecretError> for GaveUp {
        fn from(error: SecretError) -> Self {
            panic!("{error}")
        }
    }
    let given_up = SecretKey::protect(&path, || Err(GaveUp));
    assert!(given_up.is_err());
    assert_eq!((fs::read_to_string(&path).unwrap(), scene.names()), (scene.line(), vec!["a.key".to_owned()]));
}

/// A link that is replaced by the encrypted file would leave the plain one where it leads.
#[test]
fn a_link_is_followed() {
    let scene = Scene::open();
    let (stick, link) = (scene.path("stick"), scene.path("a.key"));
    fs::create_dir(&stick).unwrap();
    let kept = stick.join("kept.key");
    scene.key.save(&kept).unwrap();
    symlink(&kept, &link).unwrap();
    SecretKey::protect(&link, give::<SecretError>(WORDS)).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(matches!(SecretKey::load(&kept), Err(SecretError::Encrypted(_))));
}

#[test]
fn an_unfinished_file_is_not_written_over() {
    let scene = Scene::open();
    let path = scene.file("a.key", scene.line());
    let left = scene.file("a.key.unfinished", "half a k");
    let refused = SecretKey::protect(&path, give::<SecretError>(WORDS));
    assert!(matches!(&refused, Err(SecretError::Unfinished(told)) if *told == left), "{refused:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), scene.line());
    assert_eq!(fs::read_to_string(&left).unwrap(), "half a k");
}
