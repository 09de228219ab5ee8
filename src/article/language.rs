//! The language of an article.
//!
//! One idea: losing an English article is the worse mistake, so English is looked for first, by its commonest words; only a text
//! that lacks them is handed to the trigrams of `whatlang`, which must be sure. Script alone decides where it can.

use whatlang::Lang;

/// Characters that are looked at: more would cost time and tell nothing new.
const SAMPLE: usize = 4_000;
/// Fewer Latin letters than this tell no language apart.
const FEWEST_LATIN: usize = 60;
/// Another script tells it with fewer.
const FEWEST_OTHER: usize = 20;
/// Share of words from [`ENGLISH`] from which a text is English. English articles have about 0.2, other languages 0.02 at most.
const ENGLISH_SHARE: f64 = 0.08;
/// Share of those words above which a text is not called foreign.
const FOREIGN_SHARE: f64 = 0.03;

/// Language of `text` as an ISO 639-1 code (639-3 for a language without one); `None` when the text is too short or too mixed
/// to tell. Looks at the first 4,000 characters only. An English text with foreign names, quotations or forms is English.
pub fn detect(text: &str) -> Option<&'static str> {
    let end = text
        .char_indices()
        .nth(SAMPLE)
        .map_or(text.len(), |(at, _)| at);
    let sample = text.get(..end).unwrap_or(text);
    let letters = sample.chars().filter(|c| c.is_alphabetic()).count();
    let latin = sample.chars().filter(|c| is_latin(*c)).count();
    let english = english_share(sample);
    if latin * 2 > letters {
        if latin < FEWEST_LATIN {
            return None;
        }
        if english >= ENGLISH_SHARE {
            return Some("en");
        }
        let guess = whatlang::detect(sample)?;
        let sure = guess.is_reliable() && english < FOREIGN_SHARE;
        return (sure || guess.lang() == Lang::Eng).then(|| code(guess.lang()));
    }
    // Too many Latin letters among the others leave it open.
    if letters < FEWEST_OTHER || latin * 3 > letters {
        return None;
    }
    whatlang::detect(sample).map(|guess| code(guess.lang()))
}

fn is_latin(c: char) -> bool {
    c.is_ascii_alphabetic()
        || matches!(c, '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}') && c.is_alphabetic()
}

/// Common words of English that other large languages of Latin script do not share.
#[rustfmt::skip]
const ENGLISH: [&str; 37] = [
    "the", "and", "that", "which", "with", "from", "they", "their", "been", "were", "would", "said",
    "says", "has", "its", "this", "will", "who", "after", "before", "about", "could", "when", "than",
    "between", "other", "into", "by", "his", "it", "of", "what", "there", "should", "not", "are",
    "you",
];

fn english_share(sample: &str) -> f64 {
    let (mut all, mut english) = (0u32, 0u32);
    for word in sample
        .split(|c: char| !c.is_alphabetic())
        .filter(|word| !word.is_empty())
    {
        all += 1;
        english += u32::from(ENGLISH.iter().any(|known| known.eq_ignore_ascii_case(word)));
    }
    if all == 0 {
        0.0
    } else {
        f64::from(english) / f64::from(all)
    }
}

/// ISO 639-1 code of `lang`, which `whatlang` names in ISO 639-3.
fn code(lang: Lang) -> &'static str {
    let mut words = CODES.split_ascii_whitespace();
    let known = words.by_ref().any(|word| word == lang.code());
    words
        .next()
        .filter(|_| known)
        .unwrap_or_else(|| lang.code())
}

/// Pairs of ISO 639-3 and ISO 639-1. No two-letter code is another language's three-letter one.
const CODES: &str = "epo eo  eng en  rus ru  cmn zh  spa es  por pt  ita it  ben bn  fra fr  deu de  ukr uk  kat ka  ara ar  hin hi
    jpn ja  heb he  yid yi  pol pl  amh am  jav jv  kor ko  nob no  dan da  swe sv  fin fi  tur tr  nld nl  hun hu
    ces cs  ell el  bul bg  bel be  mar mr  kan kn  ron ro  slv sl  hrv hr  srp sr  mkd mk  lit lt  lav lv  est et
    tam ta  vie vi  urd ur  tha th  guj gu  uzb uz  pan pa  aze az  ind id  tel te  pes fa  mal ml  ori or  mya my
    nep ne  sin si  khm km  tuk tk  aka ak  zul zu  sna sn  afr af  lat la  slk sk  cat ca  tgl tl  hye hy  cym cy";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ENGLISH_LEAD: &str = "ESKER - The two ministers will meet on Thursday, a spokeswoman for the government said. They want to talk about traffic at the border.";

    #[test]
    fn other_languages_are_told_by_name() {
        for line in include_str!("../../tests/data/languages.tsv").lines() {
            let (language, text) = line.split_once('\t').unwrap();
            assert_eq!(detect(text), Some(language), "{text}");
        }
    }

    /// An article that is wrongly called foreign is lost to the reader.
    #[test]
    fn english_stays_english_beside_other_languages() {
        let foreign: Vec<&str> = include_str!("../../tests/data/languages.tsv")
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .map(|(_, text)| text)
            .collect();
        for text in foreign {
            let quote: String = text.chars().take(90).collect();
            let mixed = format!(
                "{ENGLISH_LEAD} \"{quote}\", the envoy said. No paper will be signed before the end of the week, and no press conference is planned."
            );
            assert_eq!(detect(&mixed), Some("en"), "{mixed}");
        }
        assert_eq!(detect(ENGLISH_LEAD), Some("en"));
        assert_eq!(detect(&ENGLISH_LEAD.to_uppercase()), Some("en"));
    }

    #[test]
    fn too_little_text_is_left_open() {
        for text in [
            "",
            "…",
            "Orlan, Veld, Hoyle",
            "1,204 5,300 7.5 %",
            "Die Gespräche",
            "会谈",
            "Talks: Orlan – Veld",
            "\u{301}\u{301}",
        ] {
            assert_eq!(detect(text), None, "{text}");
        }
        assert_eq!(detect(&"a".repeat(1_000_000)), None);
    }
}
