//! `tidings models`: what is at hand, and whether it is whole.

use std::io::{self, Write};

use tidings::model::store::EMBEDDED;
use tidings::{Device, Engine, Error, Files, Model, Result};

use super::Outcome;
use super::args::Models;

/// Runs the command.
pub fn run(args: &Models) -> Result<Outcome> {
    let text = match args {
        Models::List => list()?,
        Models::Show { model } => show(&Files::open(model)?),
        Models::Verify { model } => {
            let files = Files::open(model)?;
            files.verify()?;
            Model::load(&files, Device::Auto, Engine::Native)?;
            format!(
                "{}: files match the manifest, and the model loads\n",
                files.manifest.id()
            )
        }
    };
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(Error::Output)?;
    Ok(Outcome::Done)
}

fn list() -> Result<String> {
    let mut text = String::new();
    if cfg!(feature = "embedded") {
        let files = Files::open(EMBEDDED)?;
        let manifest = &files.manifest;
        text = format!(
            "{}  embedded  {:.1} MB  {}  {}\n",
            manifest.name,
            files.weights.len() as f64 / 1e6,
            manifest.languages.join(","),
            manifest.license,
        );
    }
    Ok(text + "any folder with a manifest.toml works too: --model FOLDER\n")
}

fn show(files: &Files) -> String {
    let manifest = &files.manifest;
    let labels: Vec<&str> = manifest.labels.iter().map(|l| l.name()).collect();
    let folder = files.folder.as_ref().map(|f| f.display().to_string());
    let input = manifest.input;
    let rows = [
        ("name", format!("{} {}", manifest.name, manifest.version)),
        ("id", manifest.id()),
        (
            "where",
            folder.unwrap_or_else(|| "inside the program".to_owned()),
        ),
        (
            "task",
            format!("{:?}, labels {}", manifest.task, labels.join(", ")),
        ),
        (
            "network",
            format!("{:?}, from {}", manifest.architecture, manifest.base),
        ),
        ("languages", manifest.languages.join(", ")),
        ("licence", manifest.license.clone()),
        (
            "weights",
            format!(
                "{:.1} MB, sha256 {}",
                files.weights.len() as f64 / 1e6,
                manifest.weights_sha256
            ),
        ),
        ("tokenizer", format!("sha256 {}", manifest.tokenizer_sha256)),
        (
            "input",
            format!(
                "windows of {} tokens, claim up to {}, title up to {}",
                input.window, input.claim, input.title
            ),
        ),
    ];
    rows.iter()
        .map(|(name, value)| format!("{name:<10} {value}\n"))
        .collect()
}
