//! `tidings models`: what is at hand, and whether it is whole.

use tidings::model::store::EMBEDDED;
use tidings::{Device, Engine, Files, Model, Result};

use super::Outcome;
use super::args::Models;

/// Runs the command.
pub fn run(args: &Models) -> Result<Outcome> {
    match args {
        Models::List => {
            if cfg!(feature = "embedded") {
                let files = Files::open(EMBEDDED)?;
                let manifest = &files.manifest;
                println!(
                    "{}  embedded  {:.1} MB  {}  {}",
                    manifest.name,
                    files.weights.len() as f64 / 1e6,
                    manifest.languages.join(","),
                    manifest.license,
                );
            }
            println!("any folder with a manifest.toml works too: --model FOLDER");
        }
        Models::Show { model } => show(&Files::open(model)?),
        Models::Verify { model } => {
            let files = Files::open(model)?;
            files.verify()?;
            Model::load(&files, Device::Auto, Engine::Native)?;
            println!(
                "{}: files match the manifest, and the model loads",
                files.manifest.id()
            );
        }
    }
    Ok(Outcome::Done)
}

fn show(files: &Files) {
    let manifest = &files.manifest;
    let labels: Vec<&str> = manifest.labels.iter().map(|l| l.name()).collect();
    let place = files
        .folder
        .as_ref()
        .map_or("inside the program".to_owned(), |f| f.display().to_string());
    println!("name       {} {}", manifest.name, manifest.version);
    println!("id         {}", manifest.id());
    println!("where      {place}");
    println!(
        "task       {:?}, labels {}",
        manifest.task,
        labels.join(", ")
    );
    println!(
        "network    {:?}, from {}",
        manifest.architecture, manifest.base
    );
    println!("languages  {}", manifest.languages.join(", "));
    println!("licence    {}", manifest.license);
    println!(
        "weights    {:.1} MB, sha256 {}",
        files.weights.len() as f64 / 1e6,
        manifest.weights_sha256
    );
    println!("tokenizer  sha256 {}", manifest.tokenizer_sha256);
    println!(
        "input      windows of {} tokens, claim up to {}, title up to {}",
        manifest.input.window, manifest.input.claim, manifest.input.title
    );
}
