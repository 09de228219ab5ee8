//! What is read while it is measured: the user's articles, or a few of our own that every build carries.

use std::io::Cursor;
use std::sync::Arc;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::article::read::{ReadOptions, Reader, Source};
use crate::article::{CleanOptions, Content, Raw};
use crate::error::{Error, Result};
use crate::model::Model;

/// Our own example articles, clean and noisy ones, 83 to 635 words. They are invented.
const OWN: [(&str, &str); 10] = {
    macro_rules! article {
        ($name:literal) => {
            ($name, include_str!(concat!("../../tests/data/", $name)))
        };
    }
    [
        article!("wire/ceasefire-wrapped.txt"),
        article!("noisy/bridge-blog.txt"),
        article!("wire/ferry-strike.txt"),
        article!("wire/goalkeeper.txt"),
        article!("noisy/market-square.txt"),
        article!("wire/grain-analysis.txt"),
        article!("wire/lighthouse.txt"),
        article!("noisy/twice-told.txt"),
        article!("wire/palace-denial.txt"),
        article!("wire/river-talks.txt"),
    ]
};

/// Articles for as many passes as are wanted, each pass the same.
#[derive(Clone)]
pub struct Texts {
    origin: Origin,
    /// Articles of a pass; the input goes around when it has fewer.
    count: usize,
}

#[derive(Clone)]
enum Origin {
    /// JSON Lines in memory.
    Lines(Arc<[u8]>),
    /// Files, read anew in every pass.
    Files(Vec<Source>, Box<ReadOptions>),
}

impl Texts {
    /// `count` of our own.
    pub fn own(count: usize) -> Self {
        let articles = OWN.map(|(id, text)| json!({ "id": id, "text": text }));
        Self::lines(&articles, count)
    }

    /// The first `count` articles of `sources`; fewer go around.
    ///
    /// # Errors
    /// [`Error::Usage`] when there is no article, or a source is standard input, which can be read only once.
    pub fn files(sources: Vec<Source>, options: ReadOptions, count: usize) -> Result<Self> {
        if sources.contains(&Source::Stdin) {
            return Err(Error::Usage(
                "standard input can be read only once, and each pass reads the articles anew: name files"
                    .to_owned(),
            ));
        }
        if Reader::new(sources.clone(), options.clone())
            .next()
            .is_none()
        {
            return Err(Error::Usage("no article to read was found".to_owned()));
        }
        Ok(Self {
            origin: Origin::Files(sources, Box::new(options)),
            count,
        })
    }

    /// These articles made as long as `tokens` tokens each: joined until they have as many, so that a run with
    /// [`truncate`](crate::Options::truncate) at `tokens` reads about that many of each.
    ///
    /// # Errors
    /// [`Error::Usage`] when no article can be read.
    pub fn of_length(&self, tokens: usize, clean: &CleanOptions, model: &Model) -> Result<Self> {
        let parts: Vec<(String, usize)> = self
            .articles()
            .filter_map(|raw| {
                let text = raw.clean(clean).ok()?.text();
                let ids = model.tokenizer().encode(&text).ok()?;
                Some((text, ids.len())).filter(|(_, tokens)| *tokens > 0)
            })
            .collect();
        if parts.is_empty() {
            return Err(Error::Usage("none of the articles can be read".to_owned()));
        }
        let mut next = parts.iter().cycle();
        let articles: Vec<serde_json::Value> = (0..self.count.min(parts.len()))
            .map(|number| {
                let (mut text, mut length) = (String::new(), 0);
                for (part, tokens_of_part) in next.by_ref() {
                    text.push_str(part);
                    text.push_str("\n\n");
                    length += tokens_of_part;
                    if length >= tokens {
                        break;
                    }
                }
                json!({ "id": format!("{tokens} tokens, {number}"), "title": "", "text": text })
            })
            .collect();
        Ok(Self::lines(&articles, self.count))
    }

    fn lines(articles: &[serde_json::Value], count: usize) -> Self {
        let lines: String = articles.iter().map(|a| format!("{a}\n")).collect();
        Self {
            origin: Origin::Lines(lines.into_bytes().into()),
            count,
        }
    }

    /// The articles of a pass, read as they come.
    pub fn articles(&self) -> impl Iterator<Item = Raw> + Send + 'static {
        let around = Around {
            reader: self.origin.reader(),
            origin: self.origin.clone(),
        };
        around.take(self.count)
    }

    /// SHA-256 of what the articles hold, whatever the files are called.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for raw in self.articles() {
            let content = match &raw.content {
                Ok(Content::Text(text) | Content::Html(text)) => text,
                Err(error) => &error.message,
            };
            for part in [raw.title.as_deref().unwrap_or_default(), content] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
        }
        hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }
}

impl Origin {
    fn reader(&self) -> Reader {
        match self {
            Self::Lines(lines) => {
                let input = Cursor::new(Arc::clone(lines));
                Reader::with_stdin(vec![Source::Stdin], ReadOptions::default(), Box::new(input))
            }
            Self::Files(sources, options) => Reader::new(sources.clone(), (**options).clone()),
        }
    }
}

/// The articles of an origin, over and over.
struct Around {
    origin: Origin,
    reader: Reader,
}

impl Iterator for Around {
    type Item = Raw;

    fn next(&mut self) -> Option<Raw> {
        self.reader.next().or_else(|| {
            self.reader = self.origin.reader();
            // Should the files be gone by now, that is the end.
            self.reader.next()
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::{Device, Engine, Files};

    fn cleaned(texts: &Texts) -> Vec<String> {
        let options = CleanOptions::default();
        let cleaned = texts.articles().map(|raw| raw.clean(&options));
        cleaned.map(|article| article.unwrap().text()).collect()
    }

    #[test]
    fn our_own_articles_can_all_be_read_and_go_around() {
        let all = cleaned(&Texts::own(12));
        assert_eq!(all.len(), 12);
        assert_eq!(all[0], all[10]);
        assert!(all.iter().all(|text| text.split_whitespace().count() > 70));
        assert_eq!(Texts::own(12).sha256(), Texts::own(12).sha256());
        assert_ne!(Texts::own(12).sha256(), Texts::own(11).sha256());
    }

    #[test]
    fn articles_are_made_as_long_as_is_asked() {
        let model = Model::load(
            &Files::open("stance-en-small").unwrap(),
            Device::Auto,
            Engine::Fake,
        )
        .unwrap();
        let long = Texts::own(12)
            .of_length(700, &CleanOptions::default(), &model)
            .unwrap();
        let all = cleaned(&long);
        assert_eq!(all.len(), 12);
        for text in all {
            assert!(model.tokenizer().encode(&text).unwrap().len() >= 600);
        }
    }

    #[test]
    fn what_can_be_read_only_once_is_refused() {
        let texts = Texts::files(vec![Source::Stdin], ReadOptions::default(), 3);
        assert!(matches!(texts, Err(Error::Usage(_))));
        let folder = tempfile::tempdir().unwrap();
        let empty = vec![Source::Path(folder.path().to_owned())];
        let texts = Texts::files(empty, ReadOptions::default(), 3);
        assert!(matches!(texts, Err(Error::Usage(_))));
    }
}
