//! A page to look at: one HTML file that needs no network and runs no script but its own.
//!
//! The page is written as records come: first its head, then each record as compact JSON in a `<script type="application/json">`, last what
//! only the end knows (names that records share, the articles' texts) and the script. So it takes the memory of those names and of the
//! articles' ids, however long the records are.
//!
//! What an article says can neither leave the JSON (`<`, `>`, `&` and the two line separators are escaped) nor run (a content security
//! policy admits the one script and the one style by their hashes; the script sets text only), and characters that steer others are
//! replaced here, one for one, so that offsets stay true.

mod row;

use std::collections::HashMap;
use std::io::{self, Write};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use self::row::{Row, tamed};
use super::{Outcome, Record, Sink};
use crate::error::ArticleErrorKind;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Characters that are kept of an article's text.
const TEXT: usize = 20_000;

/// Writes a page; [`Page::finish`] ends it.
pub struct Page<W: Write> {
    out: W,
    begun: bool,
    separator: &'static str,
    names: Names,
    /// By id, in the order of the input: one id may have several.
    articles: HashMap<String, Vec<Asked>>,
    answered: usize,
    /// Whether a text was written.
    texts: bool,
    skipped: u64,
    cut_short: bool,
}

/// An article that records are about.
struct Asked {
    /// `None`: its language was not read, so that it has an error for an answer.
    number: Option<usize>,
    claims: Vec<usize>,
    has_text: bool,
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
            separator: "",
            names: Names::default(),
            articles: HashMap::new(),
            answered: 0,
            texts: false,
            skipped: 0,
            cut_short: false,
        }
    }

    /// The page says that so many lines of the input were no records.
    pub fn skipped(&mut self, lines: u64) {
        self.skipped = lines;
    }

    /// The page says that the run did not come to the end of its input.
    pub fn cut_short(&mut self) {
        self.cut_short = true;
    }

    /// Whether a text of this id is still awaited.
    pub fn awaits(&self, id: &str) -> bool {
        let asked = self.articles.get(id);
        asked.is_some_and(|asked| asked.iter().any(|article| !article.has_text))
    }

    /// Adds the text of an article, after the last record: as [`crate::article::Article::text`] gives it. A text that belongs to no record
    /// is passed over.
    ///
    /// # Errors
    /// The writer's.
    pub fn text(&mut self, id: &str, text: &str) -> io::Result<()> {
        let mut asked = self.articles.get_mut(id).into_iter().flatten();
        let Some(article) = asked.find(|article| !article.has_text) else {
            return Ok(());
        };
        article.has_text = true;
        let Some(number) = article.number else {
            return Ok(());
        };
        if !self.texts {
            self.texts = true;
            self.out.write_all(b"],\n\"texts\":[")?;
            self.separator = "\n";
        }
        self.json(&(number, tamed(text, TEXT)))
    }

    /// Answered articles whose text is still awaited.
    pub fn awaited(&self) -> usize {
        let asked = self.articles.values().flatten();
        asked
            .filter(|article| article.number.is_some() && !article.has_text)
            .count()
    }

    /// Ends the page; nothing may come after it.
    ///
    /// # Errors
    /// The writer's.
    pub fn finish(&mut self) -> io::Result<()> {
        self.begin()?;
        self.out.write_all(b"],\n\"names\":")?;
        self.separator = "";
        let names = serde_json::json!({
            "claims": self.names.claims.in_order(),
            "sources": self.names.sources.in_order(),
            "models": self.names.models.in_order(),
            "skipped": self.skipped,
            "cut_short": self.cut_short,
            "longest_text": TEXT,
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

    /// The number of the article that an answer is about: the first of its id that was not asked this claim before.
    fn article(&mut self, id: &str, claim: usize) -> usize {
        let asked = match self.articles.get_mut(id) {
            Some(asked) => asked,
            None => self.articles.entry(id.to_owned()).or_default(),
        };
        let known = asked
            .iter_mut()
            .find(|article| article.number.is_some() && !article.claims.contains(&claim));
        if let Some(Asked {
            number: Some(number),
            claims,
            ..
        }) = known
        {
            claims.push(claim);
            return *number;
        }
        let number = self.answered;
        self.answered += 1;
        asked.push(Asked {
            number: Some(number),
            claims: vec![claim],
            has_text: false,
        });
        number
    }

    /// An article in another language has a text that can be read, and keeps its place among those of its id.
    fn foreign(&mut self, id: &str) {
        let asked = self.articles.entry(id.to_owned()).or_default();
        asked.push(Asked {
            number: None,
            claims: Vec::new(),
            has_text: false,
        });
    }
}

impl<W: Write> Sink for Page<W> {
    fn write(&mut self, record: &Record) -> io::Result<()> {
        self.begin()?;
        let article = match &record.outcome {
            Outcome::Answer(answer) => {
                let claim = self.names.claims.number(&answer.claim);
                Some(self.article(&record.id, claim))
            }
            Outcome::Error { error } => {
                if error.kind == ArticleErrorKind::Language {
                    self.foreign(&record.id);
                }
                None
            }
        };
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
    use crate::error::ArticleError;

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
            for claim in ["x", "y"] {
                page.write(&answer("one", claim)).unwrap();
            }
            // The same id again, and the same claim: another article.
            page.write(&answer("one", "x")).unwrap();
            page.write(&answer("two", "x")).unwrap();
            // Another run over the same articles.
            page.write(&answer("one", "z")).unwrap();
            page.write(&answer("one", "z")).unwrap();
            // An article in another language comes before one of the same id.
            let foreign = ArticleError::new(ArticleErrorKind::Language, "it is German");
            page.write(&Record::error("three".to_owned(), foreign))
                .unwrap();
            page.write(&answer("three", "x")).unwrap();
            page.text("none", "nobody's").unwrap();
            assert!(page.awaits("one") && !page.awaits("none"));
            page.text("one", "first").unwrap();
            page.text("one", "second").unwrap();
            page.text("one", "one too many").unwrap();
            assert!(!page.awaits("one"));
            page.text("three", "Deutsch").unwrap();
            page.text("three", "English").unwrap();
            assert_eq!(page.awaited(), 1);
            page.skipped(3);
        });
        let data = data(&page);
        let rows = data["rows"].as_array().unwrap();
        let articles: Vec<Option<u64>> = rows.iter().map(|row| row["article"].as_u64()).collect();
        let numbers = [0, 0, 1, 2, 0, 1].map(Some).into_iter();
        assert_eq!(articles, numbers.chain([None, Some(3)]).collect::<Vec<_>>());
        assert_eq!(
            data["texts"],
            serde_json::json!([[0, "first"], [1, "second"], [3, "English"]])
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
