//! How furniture speaks: to its reader, of its own page, of what the site offers. News reports what others said and did.

use super::block::Block;
use super::credits::is_address;
use super::vocabulary::{
    self, AGENCY, AUTHOR, ENDS, FIELD, FORM, LABEL, NEWS, OBJECT, OPENS, SOFT, STARTS, UI, URGE,
};

/// Whether some sentence of a block may be furniture: a cheap look before the sentences are judged one by one.
pub(super) fn suspect(block: &Block) -> bool {
    let phrase = block.matches.iter().any(|m| {
        let first = block.words.get(m.start).is_some_and(|w| w.first);
        m.kinds & (FORM | SOFT) != 0
            || first
                && m.kinds & (STARTS | OPENS | ENDS | AUTHOR | LABEL | FIELD | UI | AGENCY | URGE)
                    != 0
    });
    phrase || block.text.contains(['@', '©', '#']) || addresses(block)
}

/// How much a block sounds like a page that speaks to its reader; 3 and more is furniture.
pub(super) fn score(block: &Block) -> f32 {
    let mut phrases = 0.0f32;
    let mut objects = 0.0f32;
    let mut news = 0.0f32;
    let mut urges = 0.0f32;
    for m in &block.matches {
        let Some(word) = block.words.get(m.start) else {
            continue;
        };
        if word.quoted {
            continue;
        }
        let colon = block.after(m.start + m.len - 1) == Some(':');
        let labels = m.kinds & (OPENS | LABEL | FIELD) != 0 && colon && word.first && m.start > 0;
        phrases += if m.kinds & FORM != 0 {
            3.0
        } else if m.kinds & SOFT != 0 || m.kinds & STARTS != 0 && word.first || labels {
            2.0
        } else if m.kinds & (OPENS | ENDS) != 0 && m.len >= 2 && word.first {
            1.0
        } else {
            0.0
        };
        if m.kinds & (OBJECT | SOFT) != 0 || m.kinds & OPENS != 0 && m.len >= 2 {
            objects += 1.0;
        }
        if m.kinds & NEWS != 0 {
            let verb = matches!(
                block.word(m.start),
                "said"
                    | "says"
                    | "told"
                    | "added"
                    | "announced"
                    | "according"
                    | "reported"
                    | "asked"
                    | "denied"
                    | "confirmed"
                    | "warned"
                    | "argued"
                    | "insisted"
                    | "claimed"
                    | "stated"
                    | "replied"
                    | "acknowledged"
            );
            news += if verb { 1.0 } else { 0.4 };
        }
        // "Pay and the retirement age": a noun.
        let noun = matches!(
            block.word(m.start + 1),
            "and"
                | "of"
                | "is"
                | "are"
                | "was"
                | "were"
                | "has"
                | "have"
                | "had"
                | "will"
                | "said"
                | "rose"
                | "fell"
                | "between"
        );
        if word.first && !noun && vocabulary::kinds(block.word(m.start)) & URGE != 0 {
            urges += 1.0;
        }
    }
    let mut you = 0.0f32;
    let mut we = 0.0f32;
    for (i, word) in block.words.iter().enumerate() {
        if word.quoted {
            continue;
        }
        match block.word(i) {
            "you" | "your" | "yours" | "you're" | "you've" | "you'll" | "you'd" => you += 1.0,
            "we" | "our" | "us" | "ours" | "we're" | "we've" | "we'll" | "my" => {
                // "US" is a country.
                let at = word.at;
                if block.text.get(at..at + 2) != Some("US") {
                    we += 1.0;
                }
            }
            _ => {}
        }
    }
    let n = block.len() as f32;
    let here = refers_to_itself(block);
    let quotes = block.words.iter().any(|w| w.quoted);
    // In a long sentence you, us and the things that sites have may meet by chance.
    let dense = (30.0 / n.max(1.0)).clamp(0.4, 1.0);
    let address = (you.min(2.0) * 0.75 + we.min(2.0) * 0.5) * dense;
    let objects = objects * dense;
    let mut sum = phrases.min(6.0);
    if urges > 0.0 && (objects > 0.0 || phrases > 0.0) {
        sum += 1.0 + (urges - 1.0).min(1.0) * 0.5;
    }
    // Every sentence is an order, or all but a short one.
    let sentences = block.words.iter().filter(|w| w.first).count();
    if urges >= 2.0 && urges as usize + 1 >= sentences && !quotes {
        sum += 2.25;
    }
    sum += here * dense;
    if address > 0.0 || urges > 0.0 || here > 0.0 {
        sum += objects.min(3.0) * 0.75;
    } else {
        sum += (objects - 1.0).clamp(0.0, 2.0) * 0.25;
    }
    sum += address;
    let direct = you > 0.0 && (we > 0.0 || block.len() <= 6);
    if direct || block.text.contains(" @") {
        sum += 0.5;
    }
    if block.text.contains('@') && block.text.split(' ').any(is_address) {
        sum += 1.0;
    }
    if block.text.contains('©') && n <= 60.0 {
        sum += 3.0;
    }
    if outlet(block) {
        sum += 0.5;
    }
    sum += price(&block.text) * if objects > 0.0 { 1.75 } else { 0.75 };
    // Cried in fragments: "One mail a week. The whole region. Free."
    let stops = block.text.matches(['.', '!']).count();
    if stops >= 3 && block.len() <= stops * 4 && !quotes {
        sum += if objects > 0.0 { 2.5 } else { 1.0 };
    }
    if block.text.ends_with(['!', '→', '»', '>', '›']) {
        sum += 0.5;
    }
    sum -= news.min(3.0) * 0.75;
    if quotes {
        sum -= 0.75;
    }
    sum - (n / 60.0 - 1.0).clamp(0.0, 2.0)
}

/// Whether a block speaks to its reader or of its own house, outside quotation marks.
pub(super) fn addresses(block: &Block) -> bool {
    block.words.iter().enumerate().any(|(i, word)| {
        let country = block.text.get(word.at..word.at + 2) == Some("US");
        !word.quoted
            && !country
            && matches!(
                block.word(i),
                "you"
                    | "your"
                    | "our"
                    | "us"
                    | "we"
                    | "we're"
                    | "we've"
                    | "we'll"
                    | "we'd"
                    | "you're"
                    | "you've"
                    | "you'll"
                    | "you'd"
                    | "yours"
            )
    })
}

/// How many things that a site offers or asks a block names, at most 2.
pub(super) fn offers(block: &Block) -> f32 {
    let count = block
        .matches
        .iter()
        .filter(|m| {
            m.kinds & (OBJECT | SOFT) != 0 && block.words.get(m.start).is_some_and(|w| !w.quoted)
        })
        .take(2)
        .count();
    if count == 2 {
        2.0
    } else if count == 1 {
        1.0
    } else {
        0.0
    }
}

/// How surely a block speaks of the page itself: "this article", "this site".
pub(super) fn refers_to_itself(block: &Block) -> f32 {
    block
        .words
        .iter()
        .enumerate()
        .filter(|(i, word)| !word.quoted && matches!(block.word(*i), "this" | "these"))
        .map(|(i, _)| match block.word(i + 1) {
            "article" | "page" | "post" | "site" | "website" | "content" | "newsletter"
            | "podcast" | "episode" | "newspaper" | "blog" | "topic" | "message" | "app"
            | "browser" | "device" | "ad" | "comment" | "feature" | "thread" | "pages"
            | "columns" | "piece" => 1.25,
            "story" | "report" | "video" | "audio" | "channel" | "column" | "photo" | "image"
            | "gallery" | "section" | "series" => 0.75,
            _ => 0.0,
        })
        .fold(0.0, f32::max)
}

/// Names a paper or a station: "The Example Gazette".
pub(super) fn outlet(block: &Block) -> bool {
    block.words.iter().enumerate().any(|(i, word)| {
        !word.quoted
            && i > 0
            && word.capital
            && block.words.get(i - 1).is_some_and(|w| w.capital)
            && super::headline::is_outlet(block.word(i))
    })
}

/// 1 where a price by the month, week or year is named.
pub(super) fn price(text: &str) -> f32 {
    // "5 $ a week" is the shortest of them.
    if text.len() < 8 {
        return 0.0;
    }
    let cents = [" cents ", " pence ", " euros ", " dollars "]
        .iter()
        .find_map(|unit| text.find(unit));
    let Some(at) = text.find(['$', '€', '£', '₹', '¥']).or(cents) else {
        return 0.0;
    };
    let near: String = text
        .get(at..)
        .unwrap_or("")
        .chars()
        .take(24)
        .collect::<String>()
        .to_lowercase();
    let regular = [
        "a month",
        "/month",
        "/mo",
        "a week",
        "/week",
        "per month",
        "per week",
        "a year",
        "/year",
        "per year",
        "monthly",
    ];
    f32::from(u8::from(regular.iter().any(|unit| near.contains(unit))))
}
