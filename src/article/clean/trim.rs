//! Furniture that hangs on a paragraph's end or stands before its first sentence.

use super::block::Block;
use super::credits;
use super::furniture::{self, Kind};
use super::speech;

/// Bytes beyond which a paragraph is no page's furniture and no article's either: it is kept unread.
pub(super) const LONGEST: usize = 200_000;

/// Judges a paragraph, and cuts it where the article's sentences meet furniture.
pub(super) fn paragraph(text: String) -> Vec<(Block, Kind)> {
    if text.len() > LONGEST && text.contains(char::is_alphanumeric) {
        return vec![(Block::unread(text), Kind::Prose)];
    }
    split(Block::new(text))
}

fn split(block: Block) -> Vec<(Block, Kind)> {
    if let Some((story, credits)) = credited(&block) {
        let mut out = split(Block::new(story));
        out.push((Block::new(credits), Kind::Junk));
        return out;
    }
    let kind = furniture::judge(&block);
    if !matches!(kind, Kind::Junk | Kind::Prose | Kind::Line)
        || block.len() < 6
        || !speech::suspect(&block)
    {
        return vec![(block, kind)];
    }
    let sentences: Vec<(Block, Kind)> = sentences(&block.text)
        .into_iter()
        .map(|sentence| {
            let block = Block::new(sentence.to_owned());
            let kind = furniture::judge(&block);
            (block, kind)
        })
        .collect();
    if sentences.len() < 2 || !sentences.iter().any(|(_, kind)| strong(*kind)) {
        return vec![(block, kind)];
    }
    let story = |(block, kind): &(Block, Kind)| {
        *kind == Kind::Prose
            && block.len() >= 6
            && speech::score(block) < 0.75
            && !speech::addresses(block)
    };
    let (Some(first), Some(last)) = (
        sentences.iter().position(story),
        sentences.iter().rposition(story),
    ) else {
        return vec![(block, kind)];
    };
    // A run of sentences that all are the article's; what stands before and after it begins and ends with furniture.
    let inner = sentences.get(first..=last).is_some_and(|run| {
        kind == Kind::Prose
            || run
                .iter()
                .all(|sentence| story(sentence) || sentence.1 == Kind::Line)
    });
    let before = first > 0
        && sentences
            .iter()
            .take(first)
            .all(|(_, kind)| kind.is_furniture());
    let after = sentences
        .get(last + 1)
        .is_some_and(|(_, kind)| strong(*kind));
    // One sentence and a credit: a caption.
    let caption = last == 0
        && sentences
            .first()
            .is_some_and(|(block, _)| block.len() <= 30)
        && sentences
            .get(1)
            .is_some_and(|(block, _)| credits::credit(block) || credits::pictured(block));
    if caption {
        return vec![(block, Kind::Junk)];
    }
    if !inner || !(before || after) || (first > 0 && !before && kind == Kind::Junk) {
        return vec![(block, kind)];
    }
    let start = if before { first } else { 0 };
    let end = if after { last + 1 } else { sentences.len() };
    let mut out = Vec::new();
    let text = |run: &[(Block, Kind)]| {
        let texts: Vec<&str> = run.iter().map(|(block, _)| block.text.as_str()).collect();
        texts.join(" ")
    };
    if let Some(run) = sentences.get(start..end) {
        if start > 0 {
            out.extend(sentences.iter().take(start).cloned());
        }
        let body = Block::new(text(run));
        let kind = furniture::judge(&body);
        out.push((
            body,
            if kind.is_furniture() {
                Kind::Prose
            } else {
                kind
            },
        ));
    }
    out.extend(sentences.into_iter().skip(end).map(|(block, kind)| {
        (
            block,
            if kind.is_furniture() {
                kind
            } else {
                Kind::Junk
            },
        )
    }));
    out
}

/// A paragraph that ends with the credits of its writers in brackets: the paragraph and the credits.
fn credited(block: &Block) -> Option<(String, String)> {
    let text = block.text.trim_end_matches('.');
    let open = text.ends_with(')').then(|| text.rfind('('))??;
    let (story, credits) = (text.get(..open)?.trim_end(), text.get(open..)?);
    let low: String = credits.chars().take(40).collect::<String>().to_lowercase();
    let named = [
        "(reporting by",
        "(additional reporting",
        "(writing by",
        "(editing by",
        "(compiled by",
        "(by ",
        "(with inputs",
        "(edited by",
        "(with agency",
        "(with agencies",
    ]
    .iter()
    .any(|start| low.starts_with(start));
    let whole = story.ends_with(['.', '!', '?', '"', '”']) && story.split(' ').count() >= 5;
    (named && whole).then(|| (story.to_owned(), credits.to_owned()))
}

fn strong(kind: Kind) -> bool {
    kind.is_furniture() && kind != Kind::Stamp
}

/// Cuts a paragraph where a sentence clearly ends.
fn sentences(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    let mut previous = ' ';
    let mut word = 0;
    while let Some((at, c)) = chars.next() {
        if matches!(c, '.' | '!' | '?' | '…') {
            let mut end = at + c.len_utf8();
            while let Some(&(next, closing)) = chars.peek() {
                if !matches!(
                    closing,
                    '"' | '”' | '’' | '\'' | ')' | ']' | '.' | '!' | '?'
                ) {
                    break;
                }
                end = next + closing.len_utf8();
                chars.next();
            }
            let token = text.get(word..at).unwrap_or("");
            let abbreviated = c == '.'
                && (previous.is_uppercase() && token.chars().count() <= 3
                    || matches!(
                        token,
                        "Mr" | "Mrs"
                            | "Ms"
                            | "Dr"
                            | "St"
                            | "Gen"
                            | "Sen"
                            | "Rep"
                            | "Gov"
                            | "Lt"
                            | "Col"
                            | "Sgt"
                            | "Prof"
                            | "No"
                            | "vs"
                            | "Jan"
                            | "Feb"
                            | "Aug"
                            | "Sept"
                            | "Oct"
                            | "Nov"
                            | "Dec"
                    ));
            let mut rest = text.get(end..).unwrap_or("").chars();
            let space = rest.next() == Some(' ');
            let opens = rest.next().is_some_and(|c| {
                c.is_uppercase()
                    || c.is_ascii_digit()
                    || matches!(c, '"' | '“' | '‘' | '(' | '[' | '#' | '@' | '★')
            });
            if space && opens && !abbreviated {
                out.push(text.get(start..end).unwrap_or(""));
                start = end + 1;
            }
        }
        if c == ' ' {
            word = at + 1;
        }
        previous = c;
    }
    out.push(text.get(start..).unwrap_or(""));
    out.retain(|sentence| !sentence.trim().is_empty());
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::{Block, Kind, split};

    #[test]
    fn furniture_at_a_paragraphs_end_is_cut_off() {
        let parts = split(Block::new(
            "The inquiry will hear its last witness on Friday. Follow us on Facebook for more stories like this!".to_owned(),
        ));
        assert_eq!(
            parts[0].0.text,
            "The inquiry will hear its last witness on Friday."
        );
        assert_eq!(parts[0].1, Kind::Prose);
        assert!(parts[1..].iter().all(|(_, kind)| kind.is_furniture()));
    }

    #[test]
    fn writers_credits_do_not_take_the_paragraph_with_them() {
        let parts = split(Block::new(
            "The port stayed shut on Sunday, its owner said. (Reporting by A. Lind in Oslo; Editing by B. Roy)".to_owned(),
        ));
        assert_eq!(
            parts[0].0.text,
            "The port stayed shut on Sunday, its owner said."
        );
    }

    #[test]
    fn news_about_newsletters_is_news() {
        let text = "The minister told reporters that readers should subscribe to newsletters, share articles and delete cookies. \"Follow us on any app,\" he said.";
        let parts = split(Block::new(text.to_owned()));
        assert_eq!((parts.len(), parts[0].1), (1, Kind::Prose));
    }
}
