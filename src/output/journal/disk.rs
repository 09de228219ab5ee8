//! Every change to a file after it was made goes through here, so that tests can end a run at each of them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

pub(super) fn write(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    #[cfg(test)]
    super::tests::fault(|part| file.write_all(&bytes[..bytes.len() * part / 100]))?;
    file.write_all(bytes)
}

pub(super) fn cut(file: &File, length: u64) -> io::Result<()> {
    #[cfg(test)]
    super::tests::fault(|_| Ok(()))?;
    file.set_len(length)
}

pub(super) fn sync(file: &File) -> io::Result<()> {
    #[cfg(test)]
    super::tests::fault(|_| Ok(()))?;
    file.sync_data()
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(test)]
    super::tests::fault(|_| Ok(()))?;
    fs::rename(from, to)?;
    // A new name is safe once its folder is; where a folder cannot be opened, the system sees to it.
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
        folder.sync_all().ok();
    }
    Ok(())
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    #[cfg(test)]
    super::tests::fault(|_| Ok(()))?;
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
