//! The run is ended at every change to a file, and the output cut at every byte: going on always gives what an undisturbed run gives.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::cell::RefCell;

use tempfile::TempDir;

use super::*;
use crate::article::{Content, Raw};
use crate::error::ArticleError;
use crate::model::store::EMBEDDED;
use crate::{Device, Engine, Files, Model, Options};

/// Ends a run at one of its changes to a file.
#[derive(Clone, Copy)]
struct Fault {
    /// Changes before it.
    after: usize,
    /// Percent of the bytes that are still written.
    part: usize,
    /// Whether nothing works any more after it, as when the process is killed, or only this one change fails, as on a full disk.
    kill: bool,
}

thread_local! {
    static FAULT: RefCell<Option<Fault>> = const { RefCell::new(None) };
}

pub(super) fn fault(write: impl FnOnce(usize) -> io::Result<()>) -> io::Result<()> {
    FAULT.with_borrow_mut(|plan| {
        let Some(fault) = plan else { return Ok(()) };
        if fault.after > 0 {
            fault.after -= 1;
            return Ok(());
        }
        if fault.part > 0 {
            write(fault.part)?;
        }
        fault.part = 0;
        if !fault.kill {
            *plan = None;
        }
        Err(io::Error::from(io::ErrorKind::StorageFull))
    })
}

/// Runs `work` with `fault` ahead of it. What it gave, and whether the fault was met.
fn with_fault<T>(fault: Fault, work: impl FnOnce() -> T) -> (T, bool) {
    FAULT.set(Some(fault));
    let given = work();
    let met = FAULT.take().is_none_or(|left| left.kill && left.after == 0);
    (given, met)
}

/// Every change of `work` fails in every way; `check` after each failure.
fn at_every_change(mut work: impl FnMut() -> Result<()>, mut check: impl FnMut()) -> usize {
    let mut failures = 0;
    for (part, kill) in [(0, true), (30, true), (99, true), (0, false), (60, false)] {
        for after in 0.. {
            let (ended, met) = with_fault(Fault { after, part, kill }, &mut work);
            if !met || ended.is_ok() {
                ended.unwrap();
                break;
            }
            failures += 1;
            check();
        }
    }
    failures
}

fn article(id: usize, version: &str) -> Raw {
    let error = id % 7 == 3 && version == "broken";
    Raw {
        id: format!("article-{id}"),
        title: id
            .is_multiple_of(2)
            .then(|| format!("Round {id} of the river talks")),
        date: None,
        claim: (id % 5 == 4).then(|| "Talks on the ferry are imminent.".to_owned()),
        content: match error {
            true => Err(ArticleError::new(
                ArticleErrorKind::Unreadable,
                "gone for now",
            )),
            false => Ok(Content::Text(format!(
                "The envoys meet on day {id}. Nobody said more."
            ))),
        },
        fields: None,
        file: 0,
        ends_file: false,
    }
}

const ARTICLES: usize = 41;

fn articles(version: &'static str) -> impl Iterator<Item = Raw> + Send + 'static {
    (0..ARTICLES).map(move |id| article(id, version))
}

fn settings(claims: &str) -> Map<String, Value> {
    Map::from_iter([("claims".to_owned(), Value::from(claims))])
}

struct Fixture {
    folder: TempDir,
    model: Model,
    options: Options,
}

impl Fixture {
    fn new() -> Self {
        let files = Files::open(EMBEDDED).unwrap();
        Self {
            folder: TempDir::new().unwrap(),
            model: Model::load(&files, Device::Cpu, Engine::Fake).unwrap(),
            options: Options {
                claims: vec!["Talks are imminent.".into(), "A treaty was signed.".into()],
                batch_size: 5,
                threads: 1,
                ..Options::default()
            },
        }
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("run.jsonl")
    }

    fn clear(&self) {
        for file in fs::read_dir(self.folder.path()).unwrap() {
            fs::remove_file(file.unwrap().path()).unwrap();
        }
    }

    fn run(
        &self,
        journal: Result<Journal>,
        raws: impl Iterator<Item = Raw> + Send + 'static,
    ) -> Result<()> {
        let mut journal = journal?;
        let totals = crate::run(raws, &self.model, &self.options, &mut journal, &mut |_| ())?;
        journal.finish(!totals.stopped)
    }

    fn anew(&self, version: &'static str) -> Result<()> {
        let journal = Journal::create(&self.place(), settings("two"));
        self.run(journal, articles(version))
    }

    fn resume(&self, version: &'static str) -> Result<()> {
        let journal = Journal::resume(&self.place(), settings("two"));
        self.run(journal, articles(version))
    }

    fn retry(&self, version: &'static str) -> Result<()> {
        let journal = Journal::retry(&self.place(), settings("two"), 2);
        self.run(journal, articles(version))
    }

    fn output(&self) -> Vec<u8> {
        fs::read(self.place()).unwrap()
    }

    /// The output of an undisturbed run, and its log.
    fn undisturbed(&self, version: &'static str) -> (Vec<u8>, Vec<u8>) {
        self.clear();
        self.anew(version).unwrap();
        let log = fs::read(Journal::log_of(&self.place())).unwrap();
        (self.output(), log)
    }

    fn is_prefix_of_whole_records(&self, whole: &[u8]) -> bool {
        let output = self.output();
        whole.starts_with(&output) && (output.is_empty() || output.ends_with(b"\n"))
    }
}

#[test]
fn a_run_that_ends_at_any_change_to_a_file_goes_on_to_the_same_bytes() {
    let fixture = Fixture::new();
    let (whole, _) = fixture.undisturbed("broken");
    let records = whole.iter().filter(|&&b| b == b'\n').count();
    assert!(records > ARTICLES);
    let failures = at_every_change(
        || {
            fixture.clear();
            fixture.anew("broken")
        },
        || {
            fixture.resume("broken").unwrap();
            assert_eq!(fixture.output(), whole);
        },
    );
    assert!(failures > 100, "{failures}");
}

#[test]
fn so_does_one_that_is_ended_while_it_goes_on() {
    let fixture = Fixture::new();
    let (whole, log) = fixture.undisturbed("broken");
    let failures = at_every_change(
        || {
            fs::write(fixture.place(), &whole[..whole.len() / 3]).unwrap();
            fs::write(Journal::log_of(&fixture.place()), &log).unwrap();
            fixture.resume("broken")
        },
        || {
            fixture.resume("broken").unwrap();
            assert_eq!(fixture.output(), whole);
        },
    );
    assert!(failures > 60, "{failures}");
}

#[test]
fn a_full_disk_leaves_whole_records() {
    let fixture = Fixture::new();
    let (whole, _) = fixture.undisturbed("broken");
    for after in 0.. {
        let fault = Fault {
            after,
            part: 60,
            kill: false,
        };
        fixture.clear();
        let (ended, met) = with_fault(fault, || fixture.anew("broken"));
        if !met {
            break;
        }
        assert!(matches!(ended, Err(Error::Output(_) | Error::Usage(_))));
        assert!(!fixture.place().exists() || fixture.is_prefix_of_whole_records(&whole));
    }
}

#[test]
fn an_output_cut_at_any_byte_goes_on_to_the_same_bytes() {
    let fixture = Fixture::new();
    let (whole, log) = fixture.undisturbed("broken");
    assert!(whole.len() > 4096);
    for cut in whole.len() - 4096..=whole.len() {
        fs::write(fixture.place(), &whole[..cut]).unwrap();
        fs::write(Journal::log_of(&fixture.place()), &log).unwrap();
        fixture.resume("broken").unwrap();
        assert_eq!(fixture.output(), whole, "cut at {cut}");
    }
    // The log itself may be torn as well, and a file may have its length and not its bytes.
    for cut in (log.iter().position(|&b| b == b'\n').unwrap() + 1)..=log.len() {
        let mut output = whole.clone();
        let end = output.len();
        output[end - 100..].fill(0);
        fs::write(fixture.place(), &output).unwrap();
        fs::write(Journal::log_of(&fixture.place()), &log[..cut]).unwrap();
        fixture.resume("broken").unwrap();
        assert_eq!(fixture.output(), whole, "log cut at {cut}");
    }
}

#[test]
fn a_page_of_zeros_in_the_middle_is_answered_again() {
    let fixture = Fixture::new();
    let (whole, log) = fixture.undisturbed("broken");
    for at in [0, 1, whole.len() / 2, whole.len() - 600] {
        let mut output = whole.clone();
        output[at..at + 500].fill(0);
        fs::write(fixture.place(), &output).unwrap();
        fs::write(Journal::log_of(&fixture.place()), &log).unwrap();
        fixture.resume("broken").unwrap();
        assert_eq!(fixture.output(), whole, "zeros at {at}");
    }
}

#[test]
fn a_log_that_a_second_try_left_is_not_taken_for_anothers() {
    let fixture = Fixture::new();
    let (_, stale) = fixture.undisturbed("mended");
    let (whole, _) = fixture.undisturbed("broken");
    let retry = fixture.folder.path().join("run.jsonl.retry.run");
    fs::write(&retry, &stale[..stale.len() / 2]).unwrap();
    fixture.resume("broken").unwrap();
    assert_eq!(fixture.output(), whole);
}

#[test]
fn errors_are_tried_again_and_nothing_else() {
    let fixture = Fixture::new();
    let (mended, _) = fixture.undisturbed("mended");
    let (broken, log) = fixture.undisturbed("broken");
    assert_ne!(mended, broken);
    fixture.retry("mended").unwrap();
    assert_eq!(fixture.output(), mended);
    // Nothing is left beside it, and the new log is as good as the old.
    assert_eq!(fs::read_dir(fixture.folder.path()).unwrap().count(), 2);
    fixture.resume("mended").unwrap();
    assert_eq!(fixture.output(), mended);

    // What was answered is taken over unread: a mark in it stays. What was not answered yet is answered.
    let first = broken.iter().position(|&b| b == b'\n').unwrap();
    let mut marked = broken.clone();
    marked[first - 1] = b'*';
    fs::write(fixture.place(), &marked[..broken.len() / 2]).unwrap();
    fs::write(Journal::log_of(&fixture.place()), &log).unwrap();
    fixture.retry("mended").unwrap();
    let output = fixture.output();
    assert_eq!(output[first - 1], b'*');
    assert_eq!(output[first..], mended[first..]);
}

#[test]
fn a_second_try_that_ends_anywhere_leaves_the_first_or_takes_its_place() {
    let fixture = Fixture::new();
    let (mended, _) = fixture.undisturbed("mended");
    let (broken, log) = fixture.undisturbed("broken");
    let failures = at_every_change(
        || {
            fixture.clear();
            fs::write(fixture.place(), &broken).unwrap();
            fs::write(Journal::log_of(&fixture.place()), &log).unwrap();
            fixture.retry("mended")
        },
        || {
            assert!(fixture.output() == broken || fixture.output() == mended);
            fixture.retry("mended").unwrap();
            assert_eq!(fixture.output(), mended);
        },
    );
    assert!(failures > 60, "{failures}");
}

#[test]
fn a_stopped_run_goes_on() {
    let mut fixture = Fixture::new();
    let (whole, _) = fixture.undisturbed("mended");
    fixture.clear();
    let stop = std::sync::Arc::clone(&fixture.options.stop);
    let mut journal = Journal::create(&fixture.place(), settings("two")).unwrap();
    // Asked to stop by the first batch.
    let mut watch = |_: &crate::Totals| stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let totals = crate::run(
        articles("mended"),
        &fixture.model,
        &fixture.options,
        &mut journal,
        &mut watch,
    );
    let totals = totals.unwrap();
    assert!(totals.stopped && totals.articles < ARTICLES);
    journal.finish(false).unwrap();
    assert!(fixture.is_prefix_of_whole_records(&whole));
    fixture.options.stop = std::sync::Arc::default();
    fixture.resume("mended").unwrap();
    assert_eq!(fixture.output(), whole);
}

#[test]
fn other_settings_and_other_inputs_are_refused_and_named() {
    let fixture = Fixture::new();
    let (whole, log) = fixture.undisturbed("mended");
    let half = &whole[..whole.len() / 2];
    fs::write(fixture.place(), half).unwrap();
    let message = |ended: Result<()>| match ended {
        Err(Error::Usage(message)) => message,
        other => panic!("{other:?}"),
    };
    let journal = Journal::resume(&fixture.place(), settings("three"));
    let said = message(journal.map(|_| ()));
    assert!(said.contains("claims was \"two\", is \"three\""), "{said}");

    let changed = || {
        articles("mended").map(|mut raw| {
            if raw.id == "article-2" {
                raw.content = Ok(Content::Text("The envoys were seen fishing.".into()));
            }
            raw
        })
    };
    let said = message(fixture.run(
        Journal::resume(&fixture.place(), settings("two")),
        changed(),
    ));
    assert!(said.contains("the input has changed: `article-"), "{said}");
    let said = message(fixture.run(
        Journal::retry(&fixture.place(), settings("two"), 2),
        changed(),
    ));
    assert!(said.contains("the input has changed"), "{said}");
    let said = message(fixture.run(
        Journal::resume(&fixture.place(), settings("two")),
        articles("mended").take(3),
    ));
    assert!(said.contains("the input has 3 articles"), "{said}");
    // Refused, and untouched.
    assert_eq!(fixture.output(), half);
    assert_eq!(fs::read(Journal::log_of(&fixture.place())).unwrap(), log);

    fs::remove_file(Journal::log_of(&fixture.place())).unwrap();
    let said = message(fixture.resume("mended"));
    assert!(said.contains("--force"), "{said}");
    fs::remove_file(fixture.place()).unwrap();
    fixture.resume("mended").unwrap();
    assert_eq!(fixture.output(), whole);
}

#[test]
fn two_runs_cannot_write_to_one_output() {
    let fixture = Fixture::new();
    let _first = Journal::create(&fixture.place(), settings("two")).unwrap();
    let second = Journal::resume(&fixture.place(), settings("two"));
    assert!(matches!(second, Err(Error::Usage(said)) if said.contains("another run")));
}
