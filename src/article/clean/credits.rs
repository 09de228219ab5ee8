//! Short lines that come with an article and are none of it: credits, bylines, notices, addresses.

use super::block::Block;
use super::speech::refers_to_itself;
use super::stamps::{dated, year};
use super::vocabulary::{self, AGENCY, FIELD, FORM, LABEL, OPENS, SOFT, STARTS, UI, WRITER};

/// Credits of pictures and of people: "(Photo: …)", "… [AFP]", "Name/Agency".
pub(super) fn credit(block: &Block) -> bool {
    let text = block.text.trim_end_matches('.');
    let n = block.len();
    if n > 60 {
        return false;
    }
    let agency = |part: &str| {
        Block::new(part.to_owned())
            .matches
            .iter()
            .any(|m| m.kinds & AGENCY != 0)
    };
    // The whole block in brackets, with a word of credits in it.
    let bracketed = (text.starts_with('(') && text.ends_with(')'))
        || (text.starts_with('[') && text.ends_with(']'));
    if bracketed && n <= 40 {
        let inner = block.matches.iter().any(|m| {
            m.kinds & (AGENCY | SOFT | STARTS | FORM) != 0
                || m.kinds & (UI | OPENS | LABEL) != 0 && m.start == 0
        });
        if inner {
            return true;
        }
    }
    // A last pair of brackets with an agency in it: a caption.
    if let Some(open) = text.rfind(['(', '['])
        && text.ends_with([')', ']'])
        && open > 0
    {
        let reported = n > 30 || block.iter().any(|w| matches!(w, "said" | "told"));
        let inner = if reported {
            ""
        } else {
            text.get(open + 1..text.len() - 1).unwrap_or("")
        };
        let square = text.get(open..).is_some_and(|t| t.starts_with('['));
        let sentence = text
            .get(..open)
            .is_some_and(|t| t.trim_end().ends_with('.'));
        let slash = inner.contains('/') && (agency(inner) || sentence && source(inner));
        let said = [
            "photo", "image", "picture", "credit", "courtesy", "handout", "getty", "file",
        ]
        .iter()
        .any(|w| inner.to_lowercase().starts_with(w) || inner.to_lowercase().contains("photo by"));
        if !inner.is_empty() && inner.len() < 80 && (slash || said || square && agency(inner)) {
            return true;
        }
    }
    // "Name / Agency" at the end of a line that is no sentence.
    if !block.text.ends_with(['.', '!', '?', '"', '”']) || n <= 8 {
        for bar in ['/', '|', '©'] {
            if let Some((before, last)) = text.rsplit_once(bar)
                && last.split_whitespace().count() <= 4
                && agency(last)
                && (bar != '|' || n <= 12)
                && !before.contains(". ")
                && !before.trim_end().ends_with("http:")
            {
                return true;
            }
        }
        // Nothing but a credit: "Getty Images", "AP Photo".
        if n <= 5 {
            let covered: usize = block
                .matches
                .iter()
                .filter(|m| m.kinds & AGENCY != 0)
                .map(|m| m.len)
                .sum();
            if covered == n
                && !(n == 1 && block.matches.iter().all(|m| m.kinds & (UI | FIELD) != 0))
            {
                return true;
            }
        }
    }
    if n <= 7 && source(text) {
        return true;
    }
    let head = [
        "file - ",
        "file – ",
        "file — ",
        "file photo",
        "pictured:",
        "pictured above",
        "ap photo",
        "reuters/",
        "getty images",
    ];
    let start: String = block
        .text
        .chars()
        .take(16)
        .collect::<String>()
        .to_lowercase();
    let drawn = matches!(
        block.word(0),
        "map" | "chart" | "graph" | "graphic" | "infographic" | "diagram" | "photo" | "image"
    ) && matches!(
        block.word(1),
        "showing" | "illustrating" | "depicting" | "courtesy" | "via"
    );
    drawn && !block.terminal() || head.iter().any(|h| start.starts_with(h))
}

/// "First Last/Agency": names on both sides of a slash.
fn source(text: &str) -> bool {
    let Some((name, agency)) = text.split_once('/') else {
        return false;
    };
    let names = |part: &str, least: usize| {
        let words: Vec<&str> = part.split(' ').collect();
        (least..=4).contains(&words.len())
            && words.iter().all(|w| w.starts_with(char::is_uppercase))
    };
    names(name, 2) && names(agency, 1)
}

/// "Photo: …" and the like.
pub(super) fn pictured(block: &Block) -> bool {
    let word = block.word(0);
    ["photo", "image", "picture", "credit", "illustration"]
        .iter()
        .any(|name| word.starts_with(name))
}

/// Copyright lines and notes on the text itself.
pub(super) fn notice(block: &Block) -> bool {
    let n = block.len();
    let text = block.text.trim_start();
    // "-- Example Wire --", "(END)".
    if n <= 4 && text.starts_with(['-', '(']) && text.ends_with("--") {
        return true;
    }
    if n <= 60 && (text.starts_with('©') || text.starts_with("(c) ") || text.starts_with("(C) ")) {
        return true;
    }
    if n <= 40 && block.word(0) == "copyright" && block.iter().take(4).any(year) {
        return true;
    }
    // "Correction, 13 June: …".
    if matches!(
        block.word(0),
        "correction" | "clarification" | "update" | "updated"
    ) && let Some((label, _)) = block.text.split_once(':')
        && label.len() <= 40
        && block
            .words
            .iter()
            .enumerate()
            .skip(1)
            .take_while(|(_, w)| w.at < label.len())
            .all(|(i, _)| dated(block.word(i)))
    {
        return true;
    }
    // "LS/KM": initials.
    if n == 2
        && text.len() <= 7
        && text.contains('/')
        && text.chars().all(|c| c == '/' || c.is_ascii_uppercase())
    {
        return true;
    }
    // "This story was …": the page speaks of the text.
    let about = matches!(block.word(0), "this" | "the" | "our")
        && matches!(
            block.word(1),
            "article"
                | "story"
                | "report"
                | "post"
                | "piece"
                | "page"
                | "content"
                | "interview"
                | "column"
                | "essay"
                | "transcript"
                | "summary"
                | "translation"
                | "version"
                | "podcast"
                | "newsletter"
                | "website"
                | "site"
                | "material"
        );
    let made = block.iter().skip(2).take(5).any(|w| {
        matches!(
            w,
            "published"
                | "updated"
                | "corrected"
                | "amended"
                | "edited"
                | "based"
                | "appeared"
                | "appears"
                | "translated"
                | "republished"
                | "syndicated"
                | "generated"
                | "reproduced"
                | "produced"
                | "clarified"
                | "modified"
                | "revised"
                | "sponsored"
                | "adapted"
                | "excerpted"
                | "supported"
                | "funded"
                | "prepared"
                | "written"
                | "compiled"
                | "created"
                | "commissioned"
                | "automatically"
                | "co-published"
                | "copyrighted"
        )
    });
    let we = matches!(block.word(0), "we" | "we've")
        && block
            .iter()
            .take(4)
            .any(|w| matches!(w, "updated" | "corrected" | "amended" | "changed"));
    (block.word(0) == "this" && about && made || we && refers_to_itself(block) > 0.0) && n <= 60
}

/// Nothing but addresses, handles and the name that goes with them.
pub(super) fn address_only(block: &Block) -> bool {
    if block.len() > 14 || block.terminal() && block.text.contains(' ') && block.len() > 8 {
        return false;
    }
    // The foot of an embedded post: "— Name (@name) March 3, 2025".
    if block.text.contains("(@") && block.text.starts_with(['—', '–', '-']) {
        return true;
    }
    let mut others = 0;
    let mut addresses = 0;
    for token in block.text.split(' ') {
        if is_address(token) {
            addresses += 1;
        } else {
            others += 1;
        }
    }
    addresses > 0 && others <= 3
}

pub(super) fn is_address(token: &str) -> bool {
    token.contains("://")
        || token.contains(".com/")
        || token.starts_with("www.")
        || token.starts_with('@') && token.len() > 2
        || token.starts_with('#')
            && token.len() > 2
            && !token.chars().skip(1).all(|c| c.is_ascii_digit())
        || token
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
}

/// A writer's name and trade: "First Last, Diplomatic Correspondent".
pub(super) fn writer(block: &Block) -> bool {
    let trade = block
        .matches
        .iter()
        .any(|m| m.kinds & WRITER != 0 && m.start > 0);
    (2..=9).contains(&block.len())
        && !block.terminal()
        && trade
        && block.words.iter().filter(|w| !w.capital).count() <= 1
        && (block.text.contains([',', '|']) || block.len() <= 3)
        || block.len() <= 6 && block.text.contains(" | ") && block.words.iter().all(|w| w.capital)
}

/// Two people's names and nothing else: "First Last and First Last".
pub(super) fn names(block: &Block) -> bool {
    let Some(and) = block.iter().position(|w| w == "and") else {
        return false;
    };
    let rest = block.len() - and - 1;
    (2..=6).contains(&and)
        && (2..=3).contains(&rest)
        && !block.terminal()
        && block
            .words
            .iter()
            .enumerate()
            .all(|(i, w)| w.capital != (i == and))
}

/// What papers say of their age: "Serving the valley since 1884", "Est. 1901".
pub(super) fn slogan(block: &Block) -> bool {
    let opens = matches!(
        block.word(0),
        "serving" | "since" | "est" | "established" | "founded" | "printed" | "published"
    );
    // "Reporting the coast since 1998".
    let n = block.len();
    let done = n <= 10 && block.word(0).ends_with("ing") && n >= 2 && block.word(n - 2) == "since";
    (opens || done)
        && n <= 14
        && block
            .iter()
            .any(|w| year(w) || w.len() == 4 && w.starts_with("18"))
}

/// "By First Last", perhaps with a place, a role or a date.
pub(super) fn byline(block: &Block) -> bool {
    let n = block.len();
    if !(2..=16).contains(&n) || block.text.ends_with(['.', '?', '!']) && n > 6 {
        return false;
    }
    let by = match block.word(0) {
        "by" => 1,
        "written" | "reported" | "story" | "text" | "words" | "from" | "edited" | "posted"
        | "published" | "compiled" | "translated" | "produced" | "reviewed" | "curated"
        | "submitted" | "uploaded" | "authored" | "contributed" | "presented" | "hosted"
        | "narrated" | "photographed" | "illustrated" | "prepared" | "verified" | "filed"
            if block.word(1) == "by" =>
        {
            2
        }
        "fact" | "medically" | "originally" | "article" | "story" | "post" | "last" | "photos"
            if block.word(2) == "by" && n <= 8 =>
        {
            3
        }
        _ => return false,
    };
    let capital = block.words.get(by).is_some_and(|w| w.capital)
        || block.words.get(by + 1).is_some_and(|w| w.capital);
    let low = block
        .words
        .iter()
        .enumerate()
        .skip(by)
        .filter(|(i, w)| {
            !w.capital
                && !dated(block.word(*i))
                && vocabulary::kinds(block.word(*i)) & (WRITER | UI) == 0
        })
        .count();
    capital && low <= 2 && !matches!(block.word(by), "the" | "a")
}
