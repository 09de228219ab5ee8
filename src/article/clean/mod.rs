//! Cleaning of text that was scraped without its HTML: what belongs to the page and not to the article goes.
//!
//! The one idea: a page is cut into blocks (`characters`, `markdown`, `paragraphs`, `glued`); each is judged first by its own words
//! (`furniture`, which asks `speech`, `lists` and `credits`; `trim` cuts a paragraph that holds both), then by its neighbours and by
//! what the whole page shows (`sections`, `doubt`); second copies go last (`duplicates`). Nothing is fitted to one site: the signs are
//! how furniture speaks to its reader, how lists and forms are built, and what they are called in some thirty languages
//! (`vocabulary.txt`).

mod block;
mod characters;
mod credits;
mod date;
mod doubt;
mod duplicates;
mod ending;
mod furniture;
mod glued;
mod headline;
mod lists;
mod markdown;
mod opening;
mod paragraphs;
mod sections;
mod speech;
mod stamps;
#[cfg(test)]
mod tests;
mod trim;
mod vocabulary;
mod writers;

use std::borrow::Cow;

use super::Cleaned;
use block::Block;
use furniture::Kind;

/// Lines from the top among which an article's headline stands.
const MOST_ABOVE: usize = 300;
/// Lines that make the head of a page; a single "Advertisement" or "Share" makes none.
const HEAD: usize = 2;

/// Bytes of a body beyond which one pass must do.
const LONGEST: usize = 2_000_000;

/// Title, body and date of the article in a text that may hold a page's furniture too.
///
/// Text that is clean already comes back as it is, spaces aside: cleaning twice is cleaning once.
pub fn clean(text: &str) -> Cleaned {
    let mut cleaned = once(text);
    // What one pass takes away changes who stands beside whom; two or three passes settle it. A text too long to be an article is
    // refused later anyway.
    let passes = if cleaned.body.len() > LONGEST { 0 } else { 3 };
    let mut before = Cow::Borrowed(text);
    for _ in 0..passes {
        let after = joined(&cleaned);
        // Nothing was taken away: another pass would see what this one saw.
        if after == before {
            break;
        }
        let again = once(&after);
        if again.title == cleaned.title && again.body == cleaned.body {
            break;
        }
        before = Cow::Owned(after);
        cleaned = Cleaned {
            date: cleaned.date.take().or(again.date),
            title: again.title,
            body: again.body,
        };
    }
    cleaned
}

/// As [`clean`], for a text whose title is known from elsewhere.
///
/// Lines between a page's head and the first paragraph are then most likely headlines of other stories, or more furniture: the article's
/// own stands elsewhere. Where less than two lines stood above them, bylines and dates aside, they may be its kicker or its points, and stay.
pub fn titled(text: &str, title: &str) -> Cleaned {
    let cleaned = clean(text);
    let mut body: &str = &cleaned.body;
    let Some(top) = cleaned.title.as_deref().or(body.split("\n\n").next()) else {
        return cleaned;
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<&str> = lines.take(MOST_ABOVE).collect();
    let kind = |line: &str| furniture::judge(&Block::new(line.to_owned()));
    let is_top = |line: &&str| same_line(line, top) || one_line(line).starts_with(top);
    // A top that no one line holds was put together from several: what stood above it is not known.
    let above = lines.iter().position(is_top).unwrap_or(0);
    let head = lines.iter().take(above);
    let head = head.filter(|line| kind(line) != Kind::Stamp).count();
    if head < HEAD || lines.iter().any(|line| same_line(line, title)) {
        return cleaned;
    }
    while let Some((line, rest)) = body.split_once("\n\n")
        && kind(line) == Kind::Line
    {
        body = rest;
    }
    Cleaned {
        title: None,
        body: body.to_owned(),
        date: cleaned.date,
    }
}

/// The day that a date field tells, as `YYYY-MM-DD`; `None` where there is none, or day and month could change places.
pub fn day(date: &str) -> Option<String> {
    date::find(date)
}

fn joined(cleaned: &Cleaned) -> String {
    match &cleaned.title {
        Some(title) => format!("{title}\n\n{}", cleaned.body),
        None => cleaned.body.clone(),
    }
}

fn once(text: &str) -> Cleaned {
    let text = characters::normalise(text);
    let (front, text) = markdown::front_matter(&text);
    let mut paragraphs = paragraphs::split(text);
    glued::unglue(&mut paragraphs);
    let (blocks, mut kinds): (Vec<Block>, Vec<Kind>) = paragraphs
        .into_iter()
        .flat_map(|paragraph| trim::paragraph(paragraph.text))
        .unzip();
    sections::Page::new(&blocks, &mut kinds).settle();
    let kept: Vec<bool> = kinds.iter().map(|kind| !kind.is_furniture()).collect();
    let repeated = duplicates::repeated(&blocks, &kept);
    let date = front
        .date
        .as_deref()
        .and_then(date::find)
        .or_else(|| stated_date(&blocks, &kinds));
    let mut article: Vec<(&Block, Kind)> = Vec::new();
    for ((block, kind), (keep, again)) in blocks.iter().zip(&kinds).zip(kept.iter().zip(&repeated))
    {
        if *keep && !*again {
            article.push((block, *kind));
        }
    }
    let title = front.title.or_else(|| take_title(&mut article, &blocks));
    let body: Vec<&str> = article
        .iter()
        .map(|(block, _)| block.text.as_str())
        .collect();
    Cleaned {
        title,
        body: body.join("\n\n"),
        date,
    }
}

/// Takes the headline out of the article: its first line, or one that the page doubles right after a lead.
fn take_title(article: &mut Vec<(&Block, Kind)>, page: &[Block]) -> Option<String> {
    let prose = article.iter().any(|(_, kind)| *kind == Kind::Prose);
    let doubled = |block: &Block| {
        page.iter()
            .filter(|other| headline::same(&other.text, &block.text))
            .take(2)
            .count()
            == 2
    };
    let at = match article.as_slice() {
        [(_, Kind::Line), ..] if prose => 0,
        // A headline that asks.
        [(first, _), (next, _), ..]
            if first.text.ends_with(['?', '!'])
                && first.len() <= 18
                && next.len() > first.len()
                && !first.words.iter().all(|w| w.quoted) =>
        {
            0
        }
        [(_, Kind::Prose), (second, Kind::Line), ..] if second.len() >= 4 && doubled(second) => 1,
        _ => return None,
    };
    let (block, _) = article.remove(at);
    Some(headline::trimmed(&block.text).to_owned())
}

/// The date of a line that says when the article was published, or of a dateline.
fn stated_date(blocks: &[Block], kinds: &[Kind]) -> Option<String> {
    let first = kinds
        .iter()
        .position(|kind| *kind == Kind::Prose)
        .unwrap_or(kinds.len());
    blocks
        .iter()
        .zip(kinds)
        .take(first + 1)
        .find_map(|(block, kind)| {
            let labelled = block.iter().any(|w| {
                matches!(
                    w,
                    "published" | "updated" | "posted" | "by" | "modified" | "date"
                )
            });
            if *kind == Kind::Prose {
                // "MOSCOW, November 12, 2024 – …".
                let line: String = block.text.chars().take(60).collect();
                let (dateline, _) = line
                    .split_once(['–', '—'])
                    .or_else(|| line.split_once(" - "))?;
                date::find(dateline)
            } else if block.len() <= 20 && (labelled || block.word(0).len() <= 2) {
                date::find(&block.text)
            } else {
                None
            }
        })
}

/// Whether a line by itself is a byline, a date, a share row or other furniture.
pub fn is_furniture(line: &str) -> bool {
    furniture::judge(&Block::new(line.to_owned())).is_furniture()
}

/// `text` as one line: spaces folded, controls and direction marks dropped.
pub fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        let start = out.len();
        if start > 0 {
            out.push(' ');
        }
        let word_start = out.len();
        out.extend(word.chars().filter(|c| !characters::dropped(*c)));
        if out.len() == word_start {
            out.truncate(start);
        }
    }
    out
}

/// Whether two lines are equal up to case, spaces, punctuation and a site's name at the end ("… | The Example Times").
pub fn same_line(a: &str, b: &str) -> bool {
    headline::same(a, b)
}
