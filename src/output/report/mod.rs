//! A page to look at: one HTML file that needs no network and runs no script but its own.
//!
//! The page is written as records come: first its head, then each record as compact JSON in a `<script type="application/json">`, last what
//! only the end knows (names that records share, the articles' texts) and the script. So it takes the memory of those names, and with
//! [`Page::expect_texts`] of the articles' ids, however many records there are.
//!
//! What an article says can neither leave the JSON (`<`, `>`, `&` and the two line separators are escaped) nor run (a content security
//! policy admits the one script and the one style by their hashes; the script sets text only), and characters that steer others are
//! replaced here, one for one, so that offsets stay true.

mod row;

use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use self::row::{Row, tamed};
use super::{Outcome, Record, Sink};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Characters that are kept of an article's text.
const TEXT: usize = 20_000;

/// Writes a page; [`Page::finish`] ends it.
pub struct Page<W: Write> {
    out: W,
    begun: bool,
    finished: bool,
    separator: &'static str,
    names: Names,
    /// The id of the article that the last record was about, and the claims that its records were about.
    current: Option<(String, Vec<usize>)>,
    articles: usize,
    /// Articles without a text yet, by id: one id may have several.
    awaited: Option<HashMap<String, VecDeque<usize>>>,
    /// Whether a text was written.
    texts: bool,
    skipped: u64,
}

/// Strings that many records share, by number.
#[derive(Default)]
pub(super) struct Names {
    claims: Numbered,
    sources: Numbered,
    models: Numbered,
}

/// Strings in the order of their first use.
#[derive(Default)]
pub(super) struct Numbered(HashMap<String, usize>);

impl Numbered {
    fn number(&mut self, name: &str) -> usize {
        let next = self.0.len();
        match self.0.get(name) {
            Some(number) => *number,
            None => *self.0.entry(name.to_owned()).or_insert(next),
        }
    }

    fn in_order(&self) -> Vec<String> {
        let mut names: Vec<(&String, &usize)> = self.0.iter().collect();
        names.sort_unstable_by_key(|(_, number)| **number);
        names
            .into_iter()
            .map(|(name, _)| tamed(name, 1000))
            .collect()
    }
}

impl<W: Write> Page<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            begun: false,
            finished: false,
            separator: "",
            names: Names::default(),
            current: None,
            articles: 0,
            awaited: None,
            texts: false,
            skipped: 0,
        }
    }

    /// Remembers the articles' ids, for [`Page::text`]. To be called before the first record.
    pub fn expect_texts(&mut self) {
        self.awaited = Some(HashMap::new());
    }

    /// The page says that so many lines of the input were no records.
    pub fn skipped(&mut self, lines: u64) {
        self.skipped = lines;
    }

    /// Adds the text of an article, after the last record: as [`crate::article::Article::text`] gives it. A text that belongs to no record
    /// is passed over.
    ///
    /// # Errors
    /// The writer's.
    pub fn text(&mut self, id: &str, text: &str) -> io::Result<()> {
        let Some(ids) = &mut self.awaited else {
            return Ok(());
        };
        let Some(article) = ids.get_mut(id).and_then(VecDeque::pop_front) else {
            return Ok(());
        };
        self.begin()?;
        if !self.texts {
            self.texts = true;
            self.out.write_all(b"],\n\"texts\":[")?;
            self.separator = "\n";
        }
        self.json(&(article, tamed(text, TEXT)))
    }

    /// Answered articles whose text is still awaited.
    pub fn awaited(&self) -> usize {
        let ids = self.awaited.iter().flat_map(HashMap::values);
        ids.map(VecDeque::len).sum()
    }

    /// Ends the page.
    ///
    /// # Errors
    /// The writer's.
    pub fn finish(&mut self) -> io::Result<()> {
        if self.finished {
            return Ok(());
        }
        self.begin()?;
        self.finished = true;
        self.out.write_all(b"],\n\"names\":")?;
        self.separator = "";
        let names = serde_json::json!({
            "claims": self.names.claims.in_order(),
            "sources": self.names.sources.in_order(),
            "models": self.names.models.in_order(),
            "skipped": self.skipped,
        });
        self.json(&names)?;
        self.out.write_all(b"}")?;
        self.out.write_all(parts().1.as_bytes())?;
        self.out.flush()
    }

    fn begin(&mut self) -> io::Result<()> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        self.out.write_all(parts().0.as_bytes())?;
        self.out.write_all(b"{\"rows\":[")?;
        self.separator = "\n";
        Ok(())
    }

    fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.out.write_all(self.separator.as_bytes())?;
        if self.separator == "\n" {
            self.separator = ",\n";
        }
        self.out.write_all(escaped(value)?.as_bytes())
    }

    /// The number of the article that a record is about: it is another one when the id is, or the claim was asked before.
    fn article(&mut self, id: &str, claim: Option<usize>) -> usize {
        if let (Some((current, asked)), Some(claim)) = (&mut self.current, claim)
            && current == id
            && !asked.contains(&claim)
        {
            asked.push(claim);
            return self.articles - 1;
        }
        self.current = Some((id.to_owned(), claim.into_iter().collect()));
        self.articles += 1;
        let number = self.articles - 1;
        if let (Some(ids), Some(_)) = (&mut self.awaited, claim) {
            ids.entry(id.to_owned()).or_default().push_back(number);
        }
        number
    }
}

impl<W: Write> Sink for Page<W> {
    fn write(&mut self, record: &Record) -> io::Result<()> {
        self.begin()?;
        let claim = match &record.outcome {
            Outcome::Answer(answer) => Some(self.names.claims.number(&answer.claim)),
            Outcome::Error { .. } => None,
        };
        let article = self.article(&record.id, claim);
        let row = Row::new(record, article, &mut self.names);
        self.json(&row)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// JSON that stays where it is put: no end tag, no comment, no line that JavaScript would end.
fn escaped(value: &impl Serialize) -> io::Result<String> {
    let json = serde_json::to_string(value)?;
    let mut out = String::with_capacity(json.len() + json.len() / 16);
    // These stand in strings only, where an escape means the same.
    for c in json.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    Ok(out)
}

/// The page before and after its data.
fn parts() -> (String, String) {
    let (head, foot) = PAGE.split_once("{{data}}").unwrap_or((PAGE, ""));
    let head = head
        .replace("{{script-hash}}", &hash(SCRIPT))
        .replace("{{style-hash}}", &hash(STYLE))
        .replace("{{style}}", STYLE);
    (head, foot.replace("{{script}}", SCRIPT))
}

/// What a content security policy calls a text by.
fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::error::{ArticleError, ArticleErrorKind};

    fn page(fill: impl FnOnce(&mut Page<&mut Vec<u8>>)) -> String {
        let mut out = Vec::new();
        let mut page = Page::new(&mut out);
        fill(&mut page);
        page.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    fn data(page: &str) -> serde_json::Value {
        let (_, rest) = page
            .split_once("<script type=\"application/json\" id=\"data\">")
            .unwrap();
        serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
    }

    fn error(id: &str, message: &str) -> Record {
        let error = ArticleError::new(ArticleErrorKind::Malformed, message);
        Record::error(id.to_owned(), error)
    }

    fn answer(id: &str, claim: &str) -> Record {
        let line = serde_json::json!({
            "schema": 1, "id": id, "title": null, "date": "3 Feb 2031", "language": "en", "claim": claim, "stance": "refutes",
            "label": "no", "scores": {"yes": 0.1, "no": 0.7, "open": 0.15, "other": 0.05},
            "evidence": [{"text": "No \u{202e}talks.", "start": 0, "end": 10, "score": 0.9}],
            "model": "m@1", "tokens": 3, "windows": 1, "truncated": false,
        });
        serde_json::from_value(line).unwrap()
    }

    #[test]
    fn the_policy_names_the_script_and_the_style_that_stand_in_the_page() {
        let page = page(|page| page.write(&error("a", "b")).unwrap());
        let between = |open: &str, close: &str| {
            let (_, rest) = page.rsplit_once(open).unwrap();
            rest.split_once(close).unwrap().0
        };
        for (open, close, directive) in [
            ("<script>", "</script>", "script-src"),
            ("<style>", "</style>", "style-src"),
        ] {
            let policy = format!("{directive} '{}'", hash(between(open, close)));
            assert!(page.contains(&policy), "{policy}");
        }
        assert!(page.contains("default-src 'none'"));
        assert!(!page.contains("{{"), "all placeholders are filled");
        for outside in [
            "src=",
            "href=",
            "url(",
            "@import",
            "fetch(",
            "innerHTML",
            "eval(",
        ] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn no_text_leaves_the_data() {
        let hostile = "</script><!--<script>alert(1)//\u{2028}\u{2029}&amp;]]>\u{1b}[2J\u{202e}";
        let page = page(|page| {
            page.write(&error(hostile, hostile)).unwrap();
            page.write(&answer(hostile, hostile)).unwrap();
        });
        assert_eq!(page.matches("</script>").count(), 2);
        assert_eq!(page.matches("<script").count(), 2);
        assert!(!page.contains("<!--"));
        assert!(!page.contains(['\u{2028}', '\u{2029}', '\u{202e}', '\u{1b}']));
        let tame = "</script><!--<script>alert(1)//\u{2028}\u{2029}&amp;]]>\u{fffd}[2J\u{fffd}";
        let data = data(&page);
        assert_eq!(data["rows"][0]["id"], tame);
        assert_eq!(data["rows"][0]["error"]["message"], tame);
        assert_eq!(data["names"]["claims"][0], tame);
        // One for one: the places of the evidence still hold.
        assert_eq!(data["rows"][1]["evidence"][0][0], "No \u{fffd}talks.");
    }

    #[test]
    fn a_text_belongs_to_all_records_of_its_article() {
        let page = page(|page| {
            page.expect_texts();
            for claim in ["x", "y"] {
                page.write(&answer("one", claim)).unwrap();
            }
            // The same id again, and the same claim: another article.
            page.write(&answer("one", "x")).unwrap();
            page.write(&answer("two", "x")).unwrap();
            page.text("none", "nobody's").unwrap();
            page.text("one", "first").unwrap();
            page.text("one", "second").unwrap();
            assert_eq!(page.awaited(), 1);
            page.skipped(3);
        });
        let data = data(&page);
        let articles: Vec<u64> = (0..4)
            .map(|row| data["rows"][row]["article"].as_u64().unwrap())
            .collect();
        assert_eq!(articles, [0, 0, 1, 2]);
        assert_eq!(
            data["texts"],
            serde_json::json!([[0, "first"], [1, "second"]])
        );
        assert_eq!(data["names"]["skipped"], 3);
        assert_eq!(data["rows"][0]["day"], "2031-02-03");
    }

    #[test]
    fn a_page_of_nothing_is_a_page() {
        let empty = page(|_| ());
        assert_eq!(data(&empty)["rows"], serde_json::json!([]));
    }
}
