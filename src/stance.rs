//! Claim × article → stance, scores and evidence.
//!
//! An article is read whole, in windows of whole sentences, each opened by claim and title:
//!
//! ```text
//! [CLS] claim [SEP] title [SEP] sentence sentence … [SEP]
//! ```
//!
//! The title is judged as a sentence in the first window and is context in the others. A sentence longer than a window's room is
//! cut into pieces that are judged apart. How the windows' verdicts become one is the model's affair ([`crate::model`]), and
//! training does the same. A model that reads each input by itself gets pieces instead: see `pieces`.

mod pieces;

use std::collections::BTreeSet;
use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::article::{Article, sentences};
use crate::error::{ArticleError, ArticleErrorKind, Error, Result};
use crate::kernel;
use crate::model::manifest::Input;
use crate::model::{Layout, Model, Reading, Window};
use crate::words::{denied, stems};

/// The claim that is asked when no other is given.
pub const DEFAULT_CLAIM: &str = "Talks are imminent.";

/// Most sentences of evidence in a record.
const MOST_EVIDENCE: usize = 3;
/// Tokens that a window has for text, at least.
const LEAST_ROOM: usize = 8;
/// A sentence needs this score to be evidence, unless none has it: the best one then stands alone.
const LEAST_EVIDENCE: f32 = 0.5;

/// What an article, read as a whole, says about a claim.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Stance {
    /// It is so, or about to be.
    Supports,
    /// It is not so.
    Refutes,
    /// The article leaves it open.
    Discusses,
    /// The article is about something else.
    Unrelated,
}

impl Stance {
    /// All four, in the order of every list of scores and labels.
    pub const ALL: [Self; 4] = [
        Self::Supports,
        Self::Refutes,
        Self::Discusses,
        Self::Unrelated,
    ];

    /// The name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Supports => "supports",
            Self::Refutes => "refutes",
            Self::Discusses => "discusses",
            Self::Unrelated => "unrelated",
        }
    }

    /// The one of the largest score, which are in the order of [`Stance::ALL`]; of equals the first.
    pub(crate) fn likeliest(scores: &[f32; 4]) -> Self {
        Self::ALL
            .into_iter()
            .rev()
            .max_by(|a, b| scores[*a as usize].total_cmp(&scores[*b as usize]))
            .unwrap_or(Self::Unrelated)
    }
}

/// A sentence that decides the stance.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The sentence as it stands in the article.
    pub text: String,
    /// First code point in [`Article::text`].
    pub start: usize,
    /// Code point past the last.
    pub end: usize,
    /// How sure the model is that this sentence decides, 0 to 1.
    pub score: f32,
}

/// The answer for one article and claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The likeliest stance, or [`Stance::Discusses`] when the model abstained.
    pub stance: Stance,
    /// Probabilities in the order of [`Stance::ALL`].
    pub scores: [f32; 4],
    /// At most three sentences, best first; none for [`Stance::Unrelated`].
    pub evidence: Vec<Evidence>,
    /// Evidence logit of every sentence that was read, in the order of [`Tokens::sentences`]: what a summary chooses by.
    pub salience: Vec<f32>,
    /// Tokens of title and sentences that were read.
    pub tokens: usize,
    /// Windows that they were read in; what a classifier is asked besides, of single sentences or denied, is none.
    pub windows: usize,
    /// Whether sentences were left out on request.
    pub truncated: bool,
    /// Whether the best score was below what was asked for, and the stance left open for that reason.
    pub abstained: bool,
}

/// An article as tokens, ready for any claim.
#[derive(Debug, Clone)]
pub struct Tokens {
    text: String,
    title: Option<Sentence>,
    /// Whether the title fits a window whole and is judged as one sentence; else its sentences are in `body` too.
    title_fits: bool,
    body: Vec<Sentence>,
    truncated: bool,
}

#[derive(Debug, Clone)]
struct Sentence {
    /// Byte range in the text.
    at: Range<usize>,
    ids: Vec<u32>,
    /// The ids where another sentence stands before it, if they differ.
    within: Option<Vec<u32>>,
    /// Its words that carry meaning, where an NLI head reads it.
    stems: BTreeSet<String>,
}

/// A claim as tokens.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The claim as given.
    pub text: String,
    ids: Vec<u32>,
    /// The claim denied, for a model that has to be asked that too.
    denial: Option<Vec<u32>>,
    /// Its words that carry meaning, where an NLI head is asked.
    stems: BTreeSet<String>,
}

/// An article laid out in windows for one claim.
#[derive(Debug, Clone)]
pub struct Pair {
    windows: Vec<Window>,
    /// Byte range in the text of each judged span, over all windows in order.
    spans: Vec<Range<usize>>,
}

impl Pair {
    /// The model's input.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// Tokens of all windows, claim and special ones included: what reading it costs.
    pub fn cost(&self) -> usize {
        self.windows.iter().map(|w| w.ids.len()).sum()
    }
}

impl Claim {
    /// Tokenises `text` for `model`.
    ///
    /// # Errors
    /// [`Error::Usage`] when it has no words or more tokens than the model takes; [`Error::Model`] when the tokenizer fails.
    pub fn new(text: &str, model: &Model) -> Result<Self> {
        if !text.contains(char::is_alphanumeric) {
            return Err(Error::Usage(format!(
                "the claim `{}` has no words",
                text.trim()
            )));
        }
        let ids = model.tokenizer().encode(text)?;
        let most = model.manifest().input.claim;
        let too_long = |what: String| {
            let start: String = text.chars().take(40).collect();
            Error::Usage(format!("the claim `{start}…` {what}: shorten it"))
        };
        if ids.len() > most {
            return Err(too_long(format!(
                "has {} tokens, the model takes {most}",
                ids.len()
            )));
        }
        let layout = model.layout();
        let denial = match layout {
            Layout::Pieces { denied: true, .. } => Some(model.tokenizer().encode(&denied(text))?),
            _ => None,
        };
        let claim = Self {
            text: text.to_owned(),
            ids,
            denial,
            stems: stems_for(layout, text),
        };
        // The manifest keeps room beside a claim; a denial is longer.
        if claim.room(model) < LEAST_ROOM {
            return Err(too_long(
                "leaves no room for a text when it is denied".to_owned(),
            ));
        }
        Ok(claim)
    }

    /// The claim that the record of `article` brought along, if it did; it replaces those of the run.
    ///
    /// # Errors
    /// [`ArticleErrorKind::Malformed`] where [`Claim::new`] would fail.
    pub fn own(
        article: &Article,
        model: &Model,
    ) -> std::result::Result<Option<Self>, ArticleError> {
        let claim = article.claim.as_ref().map(|text| Self::new(text, model));
        claim
            .transpose()
            .map_err(|e| ArticleError::new(ArticleErrorKind::Malformed, e.to_string()))
    }
}

impl Tokens {
    /// Splits `article` into sentences and tokenises them; whole sentences past `truncate` tokens are left out.
    ///
    /// # Errors
    /// Kind `empty` when nothing is left to read.
    pub fn new(
        article: &Article,
        model: &Model,
        truncate: Option<usize>,
    ) -> std::result::Result<Self, ArticleError> {
        let text = article.text();
        let layout = model.layout();
        let encode = |at: Range<usize>| -> std::result::Result<Option<Sentence>, ArticleError> {
            let text = &text[at.clone()];
            let encode = || -> Result<(Vec<u32>, Option<Vec<u32>>)> {
                let within = match layout {
                    Layout::Pieces { .. } => model.tokenizer().encode_within(text)?,
                    Layout::Windows => None,
                };
                Ok((model.tokenizer().encode(text)?, within))
            };
            let (ids, within) = encode()
                .map_err(|e| ArticleError::new(ArticleErrorKind::Malformed, e.to_string()))?;
            Ok(if ids.is_empty() {
                None
            } else {
                Some(Sentence {
                    stems: stems_for(layout, text),
                    at,
                    ids,
                    within,
                })
            })
        };
        let title_end = article.title.as_ref().map_or(0, String::len);
        let title = match title_end {
            0 => None,
            end => encode(0..end)?,
        };
        // A title too long for its place is cut there, and read whole as part of the body.
        let title_fits = title
            .as_ref()
            .is_some_and(|t| t.ids.len() <= model.manifest().input.title);
        let body_start = if title_fits { title_end } else { 0 };
        let mut tokens = title
            .as_ref()
            .filter(|_| title_fits)
            .map_or(0, |t| t.ids.len());
        let mut truncated = false;
        let mut body = Vec::new();
        for at in sentences::split(&text[body_start..]) {
            let Some(sentence) = encode(body_start + at.start..body_start + at.end)? else {
                continue;
            };
            tokens += sentence.ids.len();
            if truncate.is_some_and(|most| tokens > most) && !body.is_empty() {
                truncated = true;
                break;
            }
            body.push(sentence);
        }
        if title.is_none() && body.is_empty() {
            return Err(ArticleError::new(ArticleErrorKind::Empty, "no words found"));
        }
        Ok(Self {
            text,
            title,
            title_fits,
            body,
            truncated,
        })
    }

    /// Lays the article out for `claim`.
    pub fn pair(&self, claim: &Claim, model: &Model) -> Pair {
        match model.layout() {
            Layout::Windows => self.in_windows(claim, model),
            Layout::Pieces {
                text_first,
                sentences,
                ..
            } => self.in_pieces(claim, model, text_first, sentences),
        }
    }

    fn in_windows(&self, claim: &Claim, model: &Model) -> Pair {
        let Input {
            window: most,
            title: title_most,
            ..
        } = model.manifest().input;
        let marks = &model.tokenizer().pair;
        let (sep, end) = (&marks.between, &marks.close);
        let mut open = marks.open.clone();
        open.extend(&claim.ids);
        open.extend(sep);
        let claim_end = open.len();
        let title_start = open.len();
        if let Some(title) = &self.title {
            open.extend(title.ids.iter().take(title_most));
            open.extend(sep);
        }
        let room = most - open.len() - end.len();

        let mut spans = Vec::new();
        let mut windows = Vec::new();
        let blank = || Window {
            ids: open.clone(),
            first: claim_end,
            spans: Vec::new(),
            article: true,
            relevance: 0.0,
        };
        let mut window = blank();
        if let Some(title) = self.title.as_ref().filter(|_| self.title_fits) {
            window.spans.push(title_start..open.len() - sep.len());
            spans.push(title.at.clone());
        }
        for sentence in &self.body {
            for piece in sentence.ids.chunks(room) {
                if window.ids.len() + piece.len() + end.len() > most {
                    window.ids.extend(end);
                    windows.push(std::mem::replace(&mut window, blank()));
                }
                let start = window.ids.len();
                window.ids.extend(piece);
                window.spans.push(start..window.ids.len());
                spans.push(sentence.at.clone());
            }
        }
        // A title alone already ends with its separator.
        if window.ids.len() > open.len() || self.title.is_none() {
            window.ids.extend(end);
        }
        windows.push(window);
        Pair { windows, spans }
    }

    /// The article's text, as [`Article::text`] gives it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Byte range of the title in the text, unless there is none or it was too long to be judged as one sentence.
    pub fn title(&self) -> Option<Range<usize>> {
        let title = self.title.as_ref().filter(|_| self.title_fits);
        title.map(|title| title.at.clone())
    }

    /// Byte ranges in the text of the sentences that are read, in order: the title, unless [`Tokens::title`] is none, then the body's.
    pub fn sentences(&self) -> impl Iterator<Item = Range<usize>> {
        let title = self.title.iter().filter(|_| self.title_fits);
        title.chain(&self.body).map(|sentence| sentence.at.clone())
    }

    /// Bytes that this takes in memory, about.
    pub fn size(&self) -> usize {
        let sentences = self.title.iter().chain(&self.body);
        let sizes = sentences.map(|s| {
            let ids = s.ids.len() + s.within.as_ref().map_or(0, Vec::len);
            let stems = s.stems.iter().map(|stem| size_of::<String>() + stem.len());
            size_of::<Sentence>() + ids * size_of::<u32>() + stems.sum::<usize>()
        });
        self.text.len() + sizes.sum::<usize>()
    }

    fn tokens(&self) -> usize {
        let title = self.title.iter().filter(|_| self.title_fits);
        title.chain(&self.body).map(|s| s.ids.len()).sum()
    }
}

/// The words of `text` that carry meaning, where the model's answer depends on them.
fn stems_for(layout: Layout, text: &str) -> BTreeSet<String> {
    match layout {
        Layout::Pieces { nli: true, .. } => stems(text),
        _ => BTreeSet::new(),
    }
}

/// Reads a batch of articles laid out for their claims, with at most about `tokens` tokens in the encoder at once. An answer whose
/// best score is below `abstain_below` is left open.
///
/// # Errors
/// [`crate::Error::Model`] when the device fails.
pub fn read(
    batch: &[(&Tokens, Pair)],
    tokens: usize,
    model: &Model,
    abstain_below: Option<f32>,
) -> Result<Vec<Verdict>> {
    let windows: Vec<&[Window]> = batch.iter().map(|(_, pair)| &pair.windows[..]).collect();
    let readings = model.read(&windows, tokens)?;
    Ok(batch
        .iter()
        .zip(readings)
        .map(|((tokens, pair), reading)| verdict(tokens, pair, &reading, abstain_below))
        .collect())
}

fn verdict(tokens: &Tokens, pair: &Pair, reading: &Reading, abstain_below: Option<f32>) -> Verdict {
    let mut scores = reading.stance;
    kernel::softmax(&mut scores);
    let likeliest = Stance::likeliest(&scores);
    let abstained = abstain_below.is_some_and(|least| scores[likeliest as usize] < least);
    let stance = match abstained {
        true => Stance::Discusses,
        false => likeliest,
    };
    Verdict {
        stance,
        scores,
        evidence: match stance {
            Stance::Unrelated => Vec::new(),
            _ => evidence(tokens, pair, &reading.evidence),
        },
        salience: salience(pair, &reading.evidence),
        tokens: tokens.tokens(),
        windows: pair.windows.iter().filter(|w| w.article).count(),
        truncated: tokens.truncated,
        abstained,
    }
}

/// The logit of each sentence; of one cut into pieces, its best piece's.
fn salience(pair: &Pair, logits: &[f32]) -> Vec<f32> {
    let mut last = None;
    let mut best: Vec<f32> = Vec::new();
    for (at, logit) in pair.spans.iter().zip(logits) {
        match best.last_mut() {
            Some(best) if last == Some(at) => *best = best.max(*logit),
            _ => best.push(*logit),
        }
        last = Some(at);
    }
    best
}

/// The deciding sentences, best first. A sentence cut into pieces counts by its best piece, one that is repeated counts once.
fn evidence(tokens: &Tokens, pair: &Pair, logits: &[f32]) -> Vec<Evidence> {
    let mut ranked: Vec<(f32, &Range<usize>)> = logits.iter().copied().zip(&pair.spans).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.start.cmp(&b.1.start)));
    let mut found: Vec<Evidence> = Vec::new();
    for (logit, at) in ranked {
        let score = kernel::sigmoid(logit);
        if found.len() == MOST_EVIDENCE || (score < LEAST_EVIDENCE && !found.is_empty()) {
            break;
        }
        let text = &tokens.text[at.clone()];
        if found.iter().any(|e| e.text == text) {
            continue;
        }
        let start = tokens.text[..at.start].chars().count();
        found.push(Evidence {
            text: text.to_owned(),
            start,
            end: start + text.chars().count(),
            score,
        });
    }
    found
}
