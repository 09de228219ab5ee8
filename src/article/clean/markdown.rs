//! Markdown marks go, the words stay; front matter gives title and date.

/// What a front matter says.
#[derive(Debug, Default)]
pub(super) struct FrontMatter {
    pub title: Option<String>,
    pub date: Option<String>,
}

/// Takes a front matter (`---`, `key: value` lines, `---`) off the top.
pub(super) fn front_matter(text: &str) -> (FrontMatter, &str) {
    let mut front = FrontMatter::default();
    let body = text.trim_start();
    let Some(rest) = body.strip_prefix("---\n") else {
        return (front, text);
    };
    let mut at = 0;
    for (i, line) in rest.split_inclusive('\n').enumerate() {
        at += line.len();
        let line = line.trim();
        if (line == "---" || line == "...") && i > 0 {
            return (front, rest.get(at..).unwrap_or(""));
        }
        let pair = line.split_once(':');
        let indented = line.starts_with(['-', '#']) || line.is_empty();
        match pair {
            Some((key, value)) if !key.contains(' ') => {
                let value = value.trim().trim_matches(['"', '\'']).trim();
                let slot = match key.to_ascii_lowercase().as_str() {
                    "title" => &mut front.title,
                    "date" | "published" | "pubdate" => &mut front.date,
                    _ => continue,
                };
                if slot.is_none() && !value.is_empty() {
                    *slot = Some(value.to_owned());
                }
            }
            _ if indented => {}
            // No front matter after all: a rule and then text.
            _ => break,
        }
        if i > 100 {
            break;
        }
    }
    (FrontMatter::default(), text)
}

/// One line without marks, and whether it was a heading. A line of nothing but marks comes back empty.
pub(super) fn plain(line: &str) -> (String, bool) {
    let mut line = line.trim();
    if is_rule(line) {
        return (String::new(), false);
    }
    while let Some(rest) = line.strip_prefix("> ") {
        line = rest.trim_start();
    }
    let mut heading = false;
    let hashes = line.bytes().take_while(|&b| b == b'#').count();
    if (1..=6).contains(&hashes) {
        let rest = line.get(hashes..).unwrap_or("");
        if rest.starts_with(' ') {
            heading = true;
            line = rest.trim().trim_end_matches('#').trim_end();
        }
    }
    let mut out = if line.contains("](") {
        links(line)
    } else {
        line.to_owned()
    };
    let marked = out.contains(['*', '_', '`']);
    for mark in ["***", "**", "__", "*", "_", "`"] {
        if marked && out.contains(mark) {
            out = emphasis(&out, mark);
        }
    }
    (out, heading)
}

/// Three or more of one of `-*_=~` and nothing else.
pub(super) fn is_rule(line: &str) -> bool {
    let mut chars = line.chars().filter(|c| *c != ' ');
    let Some(first) = chars.next() else {
        return false;
    };
    matches!(first, '-' | '*' | '_' | '=' | '~' | '–' | '—')
        && chars.clone().count() >= 2
        && chars.all(|c| c == first)
}

/// `[text](url)` becomes `text`; `![text](url)` goes.
fn links(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut open: Vec<usize> = Vec::new();
    let mut cut: Vec<usize> = Vec::new();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or("");
        match c {
            '[' => {
                open.push(out.len());
                out.push('[');
            }
            ']' => match (open.pop(), rest.strip_prefix('(').and_then(target)) {
                (Some(at), Some(after)) => {
                    if out.get(..at).is_some_and(|before| before.ends_with('!')) {
                        out.truncate(at - 1);
                        while cut.last().is_some_and(|&c| c >= out.len()) {
                            cut.pop();
                        }
                    } else {
                        cut.push(at);
                    }
                    rest = after;
                }
                _ => out.push(']'),
            },
            _ => out.push(c),
        }
    }
    without(&out, &mut cut, 1)
}

/// `text` without the `width` bytes at each place in `cut`.
fn without(text: &str, cut: &mut [usize], width: usize) -> String {
    cut.sort_unstable();
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for &mut at in cut {
        out.push_str(text.get(from..at).unwrap_or(""));
        from = at + width;
    }
    out.push_str(text.get(from..).unwrap_or(""));
    out
}

/// What follows a link's target, which is short and looks like an address.
fn target(text: &str) -> Option<&str> {
    let end = text
        .char_indices()
        .take(500)
        .take_while(|(_, c)| !matches!(c, '[' | ']'))
        .find(|(_, c)| *c == ')')
        .map(|(at, _)| at)?;
    let address = text.get(..end)?.split(' ').next().unwrap_or("");
    let known = address.contains("://")
        || address.starts_with(['/', '#', '.'])
        || address.starts_with("mailto:")
        || address.contains('.')
        || address.is_empty();
    if known { text.get(end + 1..) } else { None }
}

/// Drops pairs of `mark` that hug their words: an opening one after a space, a closing one before a space or a stop.
fn emphasis(text: &str, mark: &str) -> String {
    let mut cut: Vec<usize> = Vec::new();
    let mut open: Option<usize> = None;
    let sign = mark.chars().next();
    for (at, _) in text.match_indices(mark) {
        let before = text.get(..at).and_then(|head| head.chars().next_back());
        let next = text
            .get(at + mark.len()..)
            .and_then(|rest| rest.chars().next());
        // Part of a longer row of the same sign.
        if before == sign || next == sign {
            continue;
        }
        let glued = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '/');
        let blank = |c: Option<char>| c.is_none_or(char::is_whitespace);
        match open {
            Some(start) if at > start + mark.len() && !blank(before) && !glued(next) => {
                cut.extend([start, at]);
                open = None;
            }
            None if !glued(before) && !blank(next) => open = Some(at),
            _ => {}
        }
    }
    without(text, &mut cut, mark.len())
}

#[cfg(test)]
mod tests {
    use super::{front_matter, plain};

    #[test]
    fn marks_go_and_words_stay() {
        assert_eq!(
            plain("## Talks *resume* on **Monday** ##"),
            ("Talks resume on Monday".to_owned(), true)
        );
        assert_eq!(
            plain("See [the text](https://example.org/a) now").0,
            "See the text now"
        );
        assert_eq!(plain("![a bridge](b.jpg) It stood.").0, " It stood.");
        assert_eq!(plain("> quoted `word`").0, "quoted word");
        assert_eq!(plain("* * *").0, "");
    }

    #[test]
    fn what_only_looks_like_a_mark_stays() {
        for line in [
            "4 * 5 * 6",
            "a file_name_here",
            "f**k and s**t",
            "[sic] (he said)",
            "#ceasefire",
            "3 < 4",
        ] {
            assert_eq!(plain(line).0, line);
        }
    }

    #[test]
    fn front_matter_is_read_and_a_rule_is_not_taken_for_one() {
        let (front, rest) = front_matter("---\ntitle: \"Dam opens\"\ndate: 2025-03-04\n---\nBody.");
        assert_eq!(
            (front.title.as_deref(), front.date.as_deref(), rest),
            (Some("Dam opens"), Some("2025-03-04"), "Body.")
        );
        let text = "---\nThe dam opened.\n---\nIt closed.";
        assert_eq!(front_matter(text).1, text);
    }
}
