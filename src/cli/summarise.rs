//! `tidings summarise`: what one article says.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use tidings::article::read::Reader;
use tidings::article::{Article, CleanOptions, Raw};
use tidings::model::Rewriter;
use tidings::output::{Labels, Record, Source, SummaryRecord, plain};
use tidings::stance::{self, Claim, Tokens};
use tidings::summary::{self, Limits, Summary};
use tidings::{ArticleError, Error, Model, Result, Verdict};

use super::args::Summarise;
use super::{Outcome, inputs, say, warn};

/// Columns of the text where it goes to no terminal, and at most.
const WIDTH: usize = 80;
/// Tokens that the model reads at once.
const BATCH: usize = 2048;

/// Runs the command.
pub fn run(args: &Summarise) -> Result<Outcome> {
    let raw = one(args)?;
    let (files, model) = args.model.load(false)?;
    let rewriter = args.summary_style.rewriter(&args.model.place, false)?;
    let claim = args.claim.as_ref();
    let claim = claim.map(|claim| Claim::new(claim, &model)).transpose()?;
    let clean = CleanOptions {
        max_chars: args.input.max_chars,
        languages: match args.any_language {
            true => Vec::new(),
            false => files.manifest.languages.clone(),
        },
    };
    let id = raw.id.clone();
    let prepared = raw.clean(&clean).and_then(|article| {
        let tokens = Tokens::new(&article, &model, None)?;
        // As in `classify`: a record's own claim replaces that of the command line.
        let own = Claim::own(&article, &model)?;
        Ok((article, tokens, own.or(claim)))
    });
    match prepared {
        Ok((article, tokens, claim)) => {
            summarise(args, article, &tokens, claim, &model, rewriter.as_deref())
        }
        Err(error) => failed(args, id, error),
    }
}

/// The one article of the input.
fn one(args: &Summarise) -> Result<Raw> {
    let sources = inputs(args.path.as_slice(), "summarise")?;
    let mut articles = Reader::new(sources, args.input.read_options());
    match (articles.next(), articles.next()) {
        (Some(raw), None) => Ok(raw),
        (None, _) => Err(Error::Usage("there is no article".to_owned())),
        (Some(_), Some(_)) => Err(Error::Usage(
            "more than one article: `tidings classify --summary` summarises many".to_owned(),
        )),
    }
}

fn summarise(
    args: &Summarise,
    article: Article,
    tokens: &Tokens,
    claim: Option<Claim>,
    model: &Model,
    rewriter: Option<&Rewriter>,
) -> Result<Outcome> {
    let limits = args.summary_style.limits();
    let source = Source::from(article);
    let Some(claim) = claim else {
        let mut summary = news(tokens, limits, model)?;
        rewrite(&mut summary, rewriter)?;
        return match args.json {
            true => print(&News::new(source, summary, model.manifest().id())),
            false => wrapped(&summary),
        };
    };
    let verdict = ask(tokens, &claim, model)?;
    let mut summary = summary::answer(tokens, &claim.text, &verdict, limits);
    rewrite(&mut summary, rewriter)?;
    if !args.json {
        return wrapped(&summary);
    }
    let id = model.manifest().id();
    let record = Record::answer(source, claim.text, verdict, &Labels::default(), id);
    print(&record.with_summary(summary))
}

/// Says it shorter, if that is asked for.
fn rewrite(summary: &mut Summary, rewriter: Option<&Rewriter>) -> Result<()> {
    let Some(rewriter) = rewriter else {
        return Ok(());
    };
    summary::rewrite(&mut [summary], rewriter)?;
    warn(rewriter.warning());
    Ok(())
}

/// What the article is about, by the evidence for its own title.
fn news(tokens: &Tokens, limits: Limits, model: &Model) -> Result<Summary> {
    let title = summary::headline(tokens).map(|title| Claim::new(title, model));
    let verdict = match title {
        Some(Ok(title)) => Some(ask(tokens, &title, model)?),
        // A title that is too long for a claim, or has no words.
        Some(Err(_)) | None => None,
    };
    Ok(summary::news(tokens, verdict.as_ref(), limits))
}

fn ask(tokens: &Tokens, claim: &Claim, model: &Model) -> Result<Verdict> {
    let pair = tokens.pair(claim, model);
    let mut verdicts = stance::read(&[(tokens, pair)], BATCH, model, None)?;
    warn(model.warning());
    let none = || Error::Model("the program itself failed; please report it".to_owned());
    verdicts.pop().ok_or_else(none)
}

/// An article without an answer: a record on request, else a message.
fn failed(args: &Summarise, id: String, error: ArticleError) -> Result<Outcome> {
    if args.json {
        print(&Record::error(id, error))?;
    } else {
        say(&format!("{}: {}", plain(&id), plain(&error.message)));
    }
    Ok(Outcome::SomeFailed)
}

/// A record without a claim, and so without an answer to it.
#[derive(Serialize)]
struct News {
    schema: u32,
    id: String,
    title: Option<String>,
    date: Option<String>,
    language: Option<&'static str>,
    summary: SummaryRecord,
    model: String,
}

impl News {
    fn new(source: Source, summary: Summary, model: String) -> Self {
        Self {
            schema: 1,
            id: source.id,
            title: source.title,
            date: source.date,
            language: source.language,
            summary: summary.into(),
            model,
        }
    }
}

fn print(record: &impl Serialize) -> Result<Outcome> {
    let json = serde_json::to_string(record).map_err(|e| Error::Output(e.into()))?;
    line(&json)
}

fn wrapped(summary: &Summary) -> Result<Outcome> {
    let width = match io::stdout().is_terminal() {
        true => terminal_size::terminal_size().map_or(WIDTH, |(w, _)| usize::from(w.0).min(WIDTH)),
        false => WIDTH,
    };
    line(&textwrap::fill(&plain(&summary.text()), width))
}

fn line(text: &str) -> Result<Outcome> {
    writeln!(io::stdout().lock(), "{text}").map_err(Error::Output)?;
    Ok(Outcome::Done)
}
