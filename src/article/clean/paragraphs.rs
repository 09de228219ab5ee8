//! Lines become paragraphs: a paragraph cut over several lines is joined, lines that stand for themselves stay apart.

use super::markdown;

/// One paragraph, heading or list item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paragraph {
    pub text: String,
    /// Marked as a heading.
    pub heading: bool,
}

/// Hard-wrapped text has lines of at most this many characters.
const WIDEST: usize = 110;

/// Cuts a text into paragraphs.
pub(super) fn split(text: &str) -> Vec<Paragraph> {
    let mut lines: Vec<Paragraph> = text
        .split('\n')
        .map(|line| {
            let (plain, heading) = markdown::plain(line);
            Paragraph {
                text: super::one_line(&plain),
                heading,
            }
        })
        .collect();
    let width = wrapped_at(&lines);
    let mut out: Vec<Paragraph> = Vec::new();
    let mut open = false;
    let mut last = 0;
    for i in 0..lines.len() {
        let joins = open && i > 0 && joins(&lines, i, last, width);
        let Some(line) = lines.get_mut(i) else { break };
        if line.text.is_empty() {
            open = false;
            continue;
        }
        last = line.text.chars().take(WIDEST + 1).count();
        let heading = line.heading;
        // The line itself is still looked at as the one before the next.
        match out.last_mut() {
            Some(paragraph) if joins => {
                paragraph.text.push(' ');
                paragraph.text.push_str(&line.text);
            }
            _ => out.push(line.clone()),
        }
        open = !heading;
    }
    out
}

/// Whether line `i` goes on in the paragraph of the line before it, which is `last` characters long.
fn joins(lines: &[Paragraph], i: usize, last: usize, width: Option<usize>) -> bool {
    let (Some(before), Some(line)) = (lines.get(i - 1), lines.get(i)) else {
        return false;
    };
    if line.heading || line.text.is_empty() || bullet(&line.text) {
        return false;
    }
    let mut words = line.text.split(' ');
    if words.next() == Some("by")
        && words
            .next()
            .is_some_and(|w| w.starts_with(char::is_uppercase))
    {
        return false;
    }
    let ended = ends(&before.text);
    let low = line.text.starts_with(char::is_lowercase);
    if !ended && low && (last >= 30 || width.is_some()) {
        return true;
    }
    // A name or a link on a line of its own inside a sentence: "told / Reuters / that talks".
    let next_low = lines
        .get(i + 1)
        .is_some_and(|next| next.text.starts_with(char::is_lowercase));
    if !ended && next_low && last >= 30 && line.text.len() < 40 && !ends(&line.text) {
        return true;
    }
    let first = line.text.split(' ').next().unwrap_or("").chars().count();
    width.is_some_and(|width| last + 1 + first > width && last <= WIDEST)
}

fn ends(line: &str) -> bool {
    line.trim_end_matches(['"', '\'', '”', '’', ')'])
        .ends_with(['.', '!', '?', '…', ':', ';', '|'])
}

/// Whether a line is an item of a list.
pub(super) fn bullet(line: &str) -> bool {
    let mut chars = line.chars();
    match chars.next() {
        Some('•' | '‣' | '◦' | '▪' | '●' | '■' | '–' | '—' | '*' | '-' | '+') => {
            chars.next() == Some(' ')
        }
        Some(c) if c.is_ascii_digit() => {
            let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
            rest.starts_with(". ") || rest.starts_with(") ")
        }
        _ => false,
    }
}

/// The width at which the text is hard-wrapped, if it is: lines that break in mid-sentence, all about as long as the widest.
fn wrapped_at(lines: &[Paragraph]) -> Option<usize> {
    let lengths: Vec<usize> = lines
        .iter()
        .map(|line| line.text.chars().take(WIDEST * 4).count())
        .collect();
    let mut sorted: Vec<usize> = lengths.iter().copied().filter(|&n| n >= 30).collect();
    if sorted.len() < 4 {
        return None;
    }
    sorted.sort_unstable();
    let widest = sorted.get(sorted.len() * 95 / 100).copied()?;
    if widest > WIDEST {
        return None;
    }
    let mut pairs = 0;
    let mut broken = 0;
    for (pair, length) in lines.windows(2).zip(&lengths) {
        if let [line, next] = pair
            && !line.text.is_empty()
            && !next.text.is_empty()
            && *length >= 30
        {
            pairs += 1;
            let full = length + 1 + next.text.split(' ').next().unwrap_or("").chars().count();
            if !ends(&line.text)
                && full + 4 > widest
                && next
                    .text
                    .starts_with(|c: char| c.is_lowercase() || c.is_ascii_digit())
            {
                broken += 1;
            }
        }
    }
    (broken >= 2 && broken * 4 >= pairs).then(|| widest.saturating_sub(5))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::split;

    fn texts(text: &str) -> Vec<String> {
        split(text).into_iter().map(|p| p.text).collect()
    }

    #[test]
    fn hard_wrapped_paragraphs_are_joined() {
        let text = "The harbour board said on Tuesday that it would reopen the\nsouthern basin before the winter storms, once the last of the\nwrecks has been lifted from the channel.\nPilots doubt it.\n\nA first ship of grain is expected in the week after, and the\nboard has promised the shippers that nobody will pay more than\nbefore.";
        let out = texts(text);
        assert_eq!(out.len(), 3, "a short line ends its paragraph: {out:?}");
        assert!(out[2].ends_with("nobody will pay more than before."));
    }

    #[test]
    fn lines_that_stand_for_themselves_stay_apart() {
        let text =
            "First we mend the roof.\nThen we mend the floor.\n- nails\n- boards\nWhat remains";
        assert_eq!(texts(text).len(), 5);
    }
}
