//! What is no sentence: headings over lists and forms, labels, buttons, menus, figures of a widget.

use super::block::Block;
use super::furniture::Kind;
use super::stamps::stamp;
use super::vocabulary::{
    self, AUTHOR, ENDS, FIELD, FORM, LABEL, LISTING, OPENS, SECTION, SOFT, STARTS, UI,
};

/// Headings of lists, boxes and forms.
pub(super) fn heading(block: &Block) -> Option<Kind> {
    let n = block.len();
    if n > 16 {
        return None;
    }
    let first = block.matches.first().filter(|m| m.start == 0);
    let rest = |m: &vocabulary::Match| {
        (m.len..n)
            .filter(|&i| !block.word(i).chars().all(|c| c.is_numeric()))
            .count()
    };
    let kind = |kinds: u16| {
        if kinds & ENDS != 0 {
            Kind::Ends
        } else if kinds & AUTHOR != 0 {
            Kind::Author
        } else {
            Kind::Opens
        }
    };
    if let Some(m) = first.filter(|m| m.kinds & (OPENS | ENDS | AUTHOR) != 0) {
        let left = rest(m);
        if left == 0 {
            return Some(kind(m.kinds));
        }
        // "More from the Gulf", "Latest in markets".
        let last = block.word(m.len - 1);
        if m.kinds & OPENS != 0
            && matches!(last, "from" | "in" | "on" | "by" | "about" | "more")
            && left <= 4
            && !block.terminal()
            && !block.text.contains(':')
        {
            return Some(Kind::Opens);
        }
        let stop = block
            .after(m.len - 1)
            .is_some_and(|c| !c.is_alphanumeric() && !matches!(c, '’' | '\''));
        if m.kinds & ENDS != 0 && m.len >= 2 && (stop || !block.terminal() && n <= 14) {
            return Some(Kind::Ends);
        }
        if m.kinds & ENDS != 0 && m.len >= 3 && n <= 14 && !block.text.ends_with('?') {
            return Some(Kind::Ends);
        }
    }
    // "3 comments", "12 Comments so far".
    if block.word(0).chars().all(|c| c.is_ascii_digit())
        && (n <= 4 || n <= 14 && matches!(block.word(2), "to" | "on"))
        && matches!(
            block.word(1),
            "comments" | "comment" | "responses" | "replies" | "thoughts" | "reactions"
        )
    {
        return Some(Kind::Ends);
    }
    // "Top 5 stories this week".
    let core = block.iter().any(|w| {
        matches!(
            w,
            "popular"
                | "related"
                | "trending"
                | "recommended"
                | "latest"
                | "viewed"
                | "stories"
                | "articles"
                | "posts"
                | "headlines"
                | "picks"
                | "reads"
                | "top"
                | "news"
        )
    });
    if core && (2..=8).contains(&n) && !block.terminal() {
        let listing = block
            .iter()
            .filter(|w| {
                vocabulary::kinds(w) & LISTING != 0 || w.chars().all(|c| c.is_ascii_digit())
            })
            .count();
        if listing == n {
            return Some(Kind::Opens);
        }
    }
    None
}

/// `Label: …`, where the label is none of an article's.
pub(super) fn labelled(block: &Block) -> bool {
    // Pointers hang before labels: "« Older: …", ">> Related: …".
    if block.text.starts_with([
        '«', '»', '‹', '›', '>', '<', '→', '←', '▶', '►', '[', '-', '–', '—', '*',
    ]) {
        let bare = block
            .text
            .trim_start_matches(|c: char| !c.is_alphanumeric());
        return !bare.is_empty() && labelled(&Block::new(bare.to_owned()));
    }
    let Some((label, value)) = block
        .text
        .split_once([':', '|', '»', '›', '→', '▸', '▶'])
        .or_else(|| block.text.split_once(" — "))
        .or_else(|| block.text.split_once(" – "))
        .or_else(|| block.text.split_once(" - "))
    else {
        return false;
    };
    let colon = block
        .text
        .get(label.len()..)
        .is_some_and(|s| s.starts_with(':'));
    if label.len() > 60 || value.trim().is_empty() {
        return false;
    }
    let inside = block
        .words
        .iter()
        .take_while(|w| w.at < label.len())
        .filter(|w| {
            !block
                .text
                .get(w.at..)
                .is_some_and(|t| t.starts_with(|c: char| c.is_numeric()))
        })
        .count();
    let Some(m) = block.matches.first().filter(|m| m.start == 0) else {
        return false;
    };
    // "TagsGas, LNG": the label is glued to what it labels.
    let glued = block.words.get(m.len).is_some_and(|w| {
        w.capital
            && w.at
                == block
                    .words
                    .get(m.len - 1)
                    .map_or(0, |l| l.at + block.word(m.len - 1).len())
    });
    if glued && m.kinds & LABEL != 0 {
        return true;
    }
    let prefix = matches!(
        block.word(m.len - 1),
        "from" | "in" | "on" | "by" | "about" | "to"
    );
    let fits = m.len == inside || (prefix && inside <= m.len + 4 && m.len >= 2);
    if !fits {
        return false;
    }
    if m.kinds & (OPENS | ENDS | AUTHOR) != 0 && (m.len >= 2 || colon) {
        // "Video: …" may caption a story; "Latest: talks resume." may be one.
        return m.len >= 2 || m.kinds & FIELD == 0 || !block.terminal();
    }
    colon
        && (m.kinds & (LABEL | SOFT | STARTS | FORM) != 0
            || m.kinds & FIELD != 0 && (!block.terminal() || block.len() <= 5))
}

/// "Background: how the truce came about": a form of journalism and the headline of another piece.
pub(super) fn format(block: &Block) -> bool {
    let named = matches!(
        block.word(0),
        "background"
            | "analysis"
            | "explainer"
            | "explained"
            | "opinion"
            | "timeline"
            | "profile"
            | "factbox"
            | "comment"
            | "interview"
            | "review"
            | "breaking"
            | "live"
            | "exclusive"
            | "recap"
            | "editorial"
            | "column"
            | "feature"
            | "podcast"
            | "video"
            | "gallery"
            | "perspective"
            | "viewpoint"
            | "essay"
            | "obituary"
    );
    let colon = matches!(block.after(0), Some(':' | '|' | '>'));
    named && colon && (4..=18).contains(&block.len()) && !block.text.ends_with('.')
}

/// Figures of a weather or market box, and a trail of section names run together ("HomeNewsWorld…").
pub(super) fn gauge(block: &Block) -> bool {
    let n = block.len();
    let signs = block.text.matches(['▲', '▼', '°', '℃']).count()
        + block
            .text
            .split(' ')
            .map(|t| t.trim_matches(['(', ')', ',']))
            .filter(|t| t.starts_with(['+', '-', '−']) && t.ends_with('%'))
            .count();
    // "Crude Oil 78.74 −1.23", "EUR/USD 1.0856": a name and rates.
    let decimals = |t: &&str| {
        let bare = t.trim_start_matches(['+', '-', '−', '$', '€', '£']);
        bare.contains('.')
            && bare.starts_with(|c: char| c.is_ascii_digit())
            && bare.ends_with(|c: char| c.is_ascii_digit())
    };
    let tokens: Vec<&str> = block.text.split(' ').collect();
    let rates = tokens.iter().rev().take_while(|t| decimals(t)).count();
    let moved = tokens
        .last()
        .is_some_and(|t| t.starts_with(['+', '-', '−']));
    let pair = tokens
        .first()
        .and_then(|t| t.split_once('/'))
        .is_some_and(|(a, b)| a.len() >= 3 && b.len() >= 3);
    let priced = tokens.len() <= 3
        && tokens
            .last()
            .is_some_and(|t| t.starts_with(['$', '€', '£']));
    // "12.4 C London".
    let heat = tokens.len() <= 4
        && tokens.first().is_some_and(|t| t.parse::<f32>().is_ok())
        && matches!(tokens.get(1), Some(&("C" | "F")));
    if heat {
        return true;
    }
    if tokens.len() <= 6 && rates >= 1 && rates < tokens.len() && (moved || pair || priced) {
        return true;
    }
    if signs > 0 && n <= 40 && !block.terminal() && (n <= 8 || signs >= 2) {
        return true;
    }
    // "1.3K people are reading this", "12 shares".
    let counted = block.word(0).starts_with(|c: char| c.is_ascii_digit())
        && n <= 8
        && !block.terminal()
        && block.iter().any(|w| {
            matches!(
                w,
                "people"
                    | "readers"
                    | "users"
                    | "views"
                    | "shares"
                    | "reads"
                    | "likes"
                    | "watching"
                    | "reading"
            )
        })
        && block.iter().any(|w| {
            matches!(
                w,
                "this" | "views" | "shares" | "reads" | "likes" | "now" | "shared" | "watching"
            )
        });
    let times = block.word(0) == "read" && n <= 6 && block.word(n - 1) == "times";
    // "Click to enlarge", "Load tweet".
    let order = n <= 4
        && !block.terminal()
        && matches!(
            block.word(0),
            "back"
                | "click"
                | "tap"
                | "swipe"
                | "scroll"
                | "press"
                | "download"
                | "subscribe"
                | "load"
                | "install"
                | "refresh"
                | "log"
                | "zoom"
                | "expand"
        );
    if counted || times || order {
        return true;
    }
    let glued = block
        .words
        .windows(2)
        .enumerate()
        .take_while(|(i, pair)| {
            matches!(pair, [word, next] if next.capital && next.at == word.at + block.word(*i).len())
                && vocabulary::kinds(block.word(*i)) & (UI | SECTION) != 0
        })
        .count();
    // "Home News Asia" and whatever is glued to it.
    let trail = block.word(0) == "home"
        && n >= 3
        && !block.terminal()
        && (1..3).all(|i| {
            vocabulary::kinds(block.word(i)) & (UI | SECTION) != 0
                && block.words.get(i).is_some_and(|w| w.capital)
        });
    trail || glued >= 2 || glued == 1 && block.word(0) == "home"
}

/// Whether most words of a line are those of buttons and menus.
pub(super) fn buttons(block: &Block) -> bool {
    let n = block.len();
    if n > 40 {
        return false;
    }
    let mut covered = 0;
    let mut ui = 0;
    let mut seen = 0;
    for m in &block.matches {
        if m.kinds & (UI | SECTION | OPENS | ENDS | FORM | SOFT | STARTS | LABEL) == 0 {
            continue;
        }
        covered += m.len;
        seen += 1;
        if m.kinds & (UI | OPENS | ENDS | FORM | SOFT | STARTS) != 0 {
            ui += 1;
        }
    }
    let numbers = block
        .iter()
        .filter(|w| w.chars().all(char::is_numeric))
        .count();
    if seen == 0 {
        return false;
    }
    let words = n - numbers;
    if covered >= words {
        return words <= 2 || ui > 0 || seen >= 3;
    }
    if ui == 0 && seen < 4 {
        return false;
    }
    let left = words - covered;
    let share = covered as f32 / words as f32;
    let linked = block.iter().any(|w| {
        matches!(
            w,
            "to" | "of" | "in" | "for" | "as" | "after" | "over" | "is" | "are" | "with" | "at"
        )
    });
    if linked {
        share >= 0.75 && left <= 2 && ui >= 2
    } else {
        share >= 0.6 && (left <= 1 && words >= 3 || seen >= 3 && share >= 0.65)
    }
}

/// Several short pieces with bars, dots or arrows between them: a menu, a breadcrumb, a list of links on one line.
pub(super) fn menu(block: &Block) -> bool {
    const BARS: [char; 19] = [
        '|', '·', '•', '»', '›', '>', '→', '‖', '⋅', '◦', '▸', '►', '▶', '/', '●', '☰', '⟩', '❯',
        '➤',
    ];
    let barred = |c: char| BARS.contains(&c) || matches!(c, '—' | '–' | ':' | '/');
    if block.len() > 80 || !block.text.contains(barred) {
        return false;
    }
    let spaced = block
        .text
        .replace(" — ", "|")
        .replace(" – ", "|")
        .replace(" // ", "|")
        .replace(" :: ", "|");
    // "World / Europe / Negotiations", but not the lines of a verse.
    let trail = spaced.matches(" / ").count() >= 2
        && spaced.split(" / ").all(|p| p.split(' ').count() <= 3);
    let spaced = if trail {
        spaced.replace(" / ", "|")
    } else {
        spaced
    };
    let pieces: Vec<&str> = spaced
        .split(BARS)
        .map(str::trim)
        .filter(|piece| !piece.is_empty())
        .collect();
    let bars = spaced
        .chars()
        .filter(|c| BARS.contains(c) && *c != '/')
        .count();
    let numbers = pieces
        .iter()
        .filter(|p| {
            p.chars().any(|c| c.is_ascii_digit())
                && p.chars().filter(|c| c.is_alphabetic()).count() <= 3
        })
        .count();
    // Rows of tables stay undecided.
    if numbers * 2 >= pieces.len() && numbers > 1 {
        return false;
    }
    let short = pieces.iter().all(|p| p.split_whitespace().count() <= 10);
    bars >= 2 && pieces.len() >= 3 && short
        || bars >= 1
            && pieces.len() == 2
            && pieces.iter().any(|p| {
                let piece = Block::new((*p).to_owned());
                piece.len() <= 6 && (buttons(&piece) || stamp(&piece))
            })
}
