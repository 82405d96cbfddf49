//! Small files that hold one secret each: made once, whole or not at all, readable by their owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// No secret is longer than this, in bytes: a file that is must be something else.
const LONGEST: u64 = 4096;

/// Reads the secret in a file, without the white space around it. Where there is no such file, it makes one
/// with mode 0600 out of what `make` gives. Processes that do so at the same moment all get the same secret.
pub fn load_or_create(path: &Path, make: impl FnOnce() -> io::Result<String>) -> io::Result<String> {
    match load(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return found,
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let secret = make()?;
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    remove_if_there(&draft)?;
    let placed = write(&draft, &secret).and_then(|()| place(&draft, path));
    remove_if_there(&draft)?;
    placed?;
    load(path)
}

/// A random secret of so many bytes, as twice as many lower-case hexadecimal digits.
pub fn random_hex<const BYTES: usize>() -> io::Result<String> {
    let mut bytes = [0; BYTES];
    // Straight from the system: the library's generator takes 30 ms to seed itself, which a start would wait for.
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|d| char::from_digit(d.into(), 16))
        .collect())
}

/// Gives a finished file its name unless the name is taken. A file that is there already stays.
pub(crate) fn place(draft: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(draft, path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        // Some file systems know no hard links.
        Err(_) if !path.try_exists()? => fs::rename(draft, path)?,
        Err(error) => return Err(error),
    }
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Removes a file; it is no error that there is none.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn load(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST).read_to_string(&mut text)?;
    match text.trim() {
        "" => Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty")),
        secret => Ok(secret.to_owned()),
    }
}

fn write(path: &Path, secret: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{secret}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{load_or_create, random_hex};

    #[test]
    fn a_secret_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/admin.key");
        assert_eq!(load_or_create(&path, || Ok("first".to_owned())).unwrap(), "first");
        assert_eq!(load_or_create(&path, || Ok("second".to_owned())).unwrap(), "first");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(path.parent().unwrap().read_dir().unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn an_empty_file_is_reported_and_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.key");
        std::fs::write(&path, "\n").unwrap();
        assert_eq!(
            load_or_create(&path, || Ok("new".to_owned())).unwrap_err().to_string(),
            "the file is empty"
        );
        assert_eq!(std::fs::read(&path).unwrap(), b"\n");
    }

    #[test]
    fn racing_makers_agree() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.key");
        std::fs::write(&path, "theirs\n").unwrap();
        let draft = folder.path().join("draft");
        super::write(&draft, "ours").unwrap();
        super::place(&draft, &path).unwrap();
        assert_eq!(super::load(&path).unwrap(), "theirs");
    }

    #[test]
    fn random_secrets_are_hexadecimal_and_differ() {
        let (one, other) = (random_hex::<16>().unwrap(), random_hex::<16>().unwrap());
        assert_eq!(one.len(), 32);
        assert!(one.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(one, other);
    }
}
