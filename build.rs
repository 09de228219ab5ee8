//! Notes the commit that is built, for `tidings bench`; without git at hand it notes none.

use std::process::Command;

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn main() {
    // Not at every commit, which would compile everything again: what is noted is the commit when the sources last changed.
    for path in [
        "src",
        "models/stance-en-small/model.safetensors",
        "Cargo.toml",
        "Cargo.lock",
    ] {
        println!("cargo:rerun-if-changed={path}");
    }
    // The repository may be another one, around an unpacked package.
    let ours = git(&["ls-files", "--error-unmatch", "build.rs"]);
    let commit = ours.and_then(|_| git(&["rev-parse", "--short=12", "HEAD"]));
    let commit = commit.map(|commit| {
        let changed = git(&[
            "status",
            "--porcelain",
            "--",
            "src",
            "models",
            "Cargo.toml",
            "Cargo.lock",
        ]);
        match changed.is_some_and(|changed| !changed.is_empty()) {
            true => format!("{commit} with changes"),
            false => commit,
        }
    });
    let commit = commit.unwrap_or_else(|| "unknown: built without git".to_owned());
    println!("cargo:rustc-env=TIDINGS_COMMIT={commit}");
}
