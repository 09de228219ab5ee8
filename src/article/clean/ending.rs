//! Where the article ends. After its last solid stretch, what stands alone among furniture must earn its place: readers' comments, lines on
//! the writer, notes on forms and blurbs of other stories do not narrate, share no word with the article, or speak of "my" and "I".

use super::block::Block;
use super::doubt::Cohesion;
use super::furniture::Kind;
use super::vocabulary::{FIELD, FORM, OBJECT, UI};
use super::writers::about_writer;

/// Paragraphs and lines between two pieces of furniture.
pub(super) struct Stretch {
    pub from: usize,
    pub to: usize,
}

/// Drops what stands after the article's end and only looks like its paragraphs.
pub(super) fn settle(blocks: &[Block], kinds: &mut [Kind]) {
    let cohesion = Cohesion::new(blocks, kinds);
    let stretches = stretches(kinds);
    let prose = |s: &Stretch, kinds: &[Kind]| -> Vec<usize> {
        (s.from..s.to)
            .filter(|&i| kinds.get(i) == Some(&Kind::Prose))
            .collect()
    };
    let Some(first) = kinds.iter().position(|k| *k == Kind::Prose) else {
        return;
    };
    let confiding = {
        let all: Vec<&Block> = blocks
            .iter()
            .zip(kinds.iter())
            .filter(|(b, k)| **k == Kind::Prose && b.len() >= 25)
            .map(|(b, _)| b)
            .collect();
        all.iter().filter(|b| confides(b)).count() * 5 > all.len()
    };
    let solid = |s: &Stretch, kinds: &[Kind]| {
        let paragraphs = prose(s, kinds);
        let words: usize = paragraphs
            .iter()
            .filter_map(|&i| blocks.get(i))
            .map(Block::len)
            .sum();
        paragraphs.len() >= 3 || words >= 80
    };
    blurbs(kinds, blocks, first);
    // From the end upwards, until something is solid.
    for stretch in stretches.iter().rev() {
        let paragraphs = prose(stretch, kinds);
        if paragraphs.is_empty() {
            continue;
        }
        if paragraphs.first() == Some(&first) {
            // The article is its first stretch at the least; a line on its writer may still be glued to it.
            for &i in paragraphs.iter().skip(1).rev() {
                if !about_writer(blocks, i, &cohesion) {
                    break;
                }
                drop(kinds, i);
            }
            break;
        }
        let comments = after_comments(kinds, first, stretch.from);
        let above = (0..stretch.from)
            .rev()
            .find(|&i| kinds.get(i) == Some(&Kind::Prose))
            .unwrap_or(0);
        let keep = solid(stretch, kinds);
        for &i in paragraphs.iter().rev() {
            let Some(block) = blocks.get(i) else { continue };
            let shared = cohesion.shared(block, Kind::Prose);
            let written = about_writer(blocks, i, &cohesion);
            let far = comments || stretch.from.saturating_sub(above) > 5;
            let cried = block.text.ends_with('!') && !block.words.iter().any(|w| w.quoted);
            let alone = shared == 0 && (verbless(block) || cried || far && !narrates(block));
            let own = confides(block) && !confiding;
            let remark = comments && remarked(blocks, kinds, i);
            if written || !keep && (alone || own || asks(block) && shared <= 1) || remark {
                drop(kinds, i);
            } else if keep {
                break;
            }
        }
        if paragraphs
            .iter()
            .any(|&i| kinds.get(i) == Some(&Kind::Prose))
            && keep
        {
            break;
        }
    }
}

fn drop(kinds: &mut [Kind], i: usize) {
    if let Some(kind) = kinds.get_mut(i) {
        *kind = Kind::Junk;
    }
}

/// Drops pairs of a line and a blurb that are signed below, where more lines follow: lists of other stories sign theirs.
fn blurbs(kinds: &mut [Kind], blocks: &[Block], first: usize) {
    for i in (first + 1..kinds.len()).rev() {
        let kind = |j: usize| kinds.get(j).copied();
        let second_above = i.checked_sub(2).and_then(kind);
        let short = blocks.get(i).is_some_and(|b| b.len() <= 45);
        let signed = kind(i) == Some(Kind::Prose)
            && kind(i - 1) == Some(Kind::Line)
            && kind(i + 1) == Some(Kind::Stamp);
        // Of its own kind: the list goes on below, or a heading stands above.
        let listed = second_above == Some(Kind::Line)
            || matches!(kind(i + 2), Some(Kind::Line | Kind::Junk))
                && second_above == Some(Kind::Stamp);
        let last = !kinds.iter().skip(i + 1).any(|k| *k == Kind::Prose);
        if short && signed && listed && last {
            let above = (first + 1..i)
                .rev()
                .take(3)
                .take_while(|&j| kind(j) == Some(Kind::Line))
                .count();
            (i - above..=i).for_each(|j| drop(kinds, j));
        }
    }
}

fn stretches(kinds: &[Kind]) -> Vec<Stretch> {
    let mut out: Vec<Stretch> = Vec::new();
    let mut from = None;
    for (i, kind) in kinds.iter().enumerate() {
        match (kind.is_furniture(), from) {
            (true, Some(start)) => {
                out.push(Stretch { from: start, to: i });
                from = None;
            }
            (false, None) => from = Some(i),
            _ => {}
        }
    }
    if let Some(start) = from {
        out.push(Stretch {
            from: start,
            to: kinds.len(),
        });
    }
    out
}

/// Whether comments or a form have been opened between the article's first paragraph and `at`.
fn after_comments(kinds: &[Kind], first: usize, at: usize) -> bool {
    kinds
        .get(first..at)
        .is_some_and(|above| above.contains(&Kind::Ends))
}

/// Whether a paragraph stands as a reader's remark does: under a name with a date, or above "Reply".
fn remarked(blocks: &[Block], kinds: &[Kind], i: usize) -> bool {
    let dated = (i.saturating_sub(2)..i).any(|j| kinds.get(j) == Some(&Kind::Stamp));
    let answered = blocks.get(i + 1).is_some_and(|next| {
        next.len() <= 8
            && kinds.get(i + 1).is_some_and(|k| k.is_furniture())
            && next.iter().any(|w| {
                matches!(
                    w,
                    "reply" | "report" | "share" | "like" | "flag" | "upvote" | "edit"
                )
            })
    });
    dated || answered
}

/// Whether a block has a verb in the past or of what will be, as news has: it tells what happened.
pub(super) fn narrates(block: &Block) -> bool {
    block.iter().any(|w| {
        w.len() >= 5 && w.ends_with("ed")
            || matches!(
                w,
                "was"
                    | "were"
                    | "had"
                    | "did"
                    | "will"
                    | "would"
                    | "could"
                    | "might"
                    | "said"
                    | "says"
                    | "told"
                    | "went"
                    | "came"
                    | "took"
                    | "gave"
                    | "made"
                    | "left"
                    | "held"
                    | "met"
                    | "won"
                    | "lost"
                    | "fell"
                    | "rose"
                    | "began"
                    | "broke"
                    | "brought"
                    | "built"
                    | "bought"
                    | "caught"
                    | "chose"
                    | "found"
                    | "fought"
                    | "got"
                    | "grew"
                    | "heard"
                    | "kept"
                    | "knew"
                    | "led"
                    | "paid"
                    | "ran"
                    | "saw"
                    | "sent"
                    | "shot"
                    | "sold"
                    | "spoke"
                    | "spent"
                    | "stood"
                    | "struck"
                    | "thought"
                    | "threw"
                    | "wrote"
                    | "drew"
                    | "drove"
                    | "flew"
                    | "hit"
                    | "laid"
                    | "sat"
                    | "slept"
                    | "has"
                    | "have"
            )
    }) || block.words.iter().any(|w| w.quoted)
}

/// Whether a short block has nothing that could be a verb: "Analysis of the week, every Sunday."
pub(super) fn verbless(block: &Block) -> bool {
    let verb = block.iter().skip(1).any(|w| {
        w.ends_with('s') && !w.ends_with("'s")
            || matches!(
                w,
                "are" | "be" | "been" | "do" | "can" | "may" | "must" | "should" | "get" | "go"
            )
    });
    block.len() <= 12 && !verb && !narrates(block)
}

pub(super) fn reports(block: &Block) -> bool {
    block.words.iter().any(|w| w.quoted)
        || block
            .iter()
            .any(|w| matches!(w, "said" | "says" | "told" | "according" | "added"))
}

/// Whether a block speaks in the first person, outside quotation marks: no reporter does.
fn confides(block: &Block) -> bool {
    block.words.iter().enumerate().any(|(i, w)| {
        !w.quoted
            && matches!(block.word(i), "i" | "i'm" | "i'd" | "i've" | "i'll" | "my" | "me" | "mine" | "myself")
            // "Wilhelm I", "World War I".
            && !(block.word(i) == "i" && i > 0 && block.words.get(i - 1).is_some_and(|b| b.capital))
    })
}

/// Whether a block says what a form or a letter to the editor wants: names of fields, and that something should or may be.
fn asks(block: &Block) -> bool {
    let fields = block
        .matches
        .iter()
        .filter(|m| m.kinds & (FIELD | FORM | OBJECT | UI) != 0)
        .count();
    let modal = block.iter().any(|w| {
        matches!(
            w,
            "should" | "must" | "may" | "please" | "required" | "optional" | "can"
        )
    });
    block.len() <= 25 && fields >= 2 && modal && !reports(block)
}

#[cfg(test)]
mod tests {
    use crate::article::clean::clean;

    const STORY: &str = "Crews and owners of the ferries sat down on Monday for the first time in a month, the mediator said.\n\nThe crews want night shifts to end at two. The owners have offered three.\n\nA second session is planned for Thursday on the mainland.";

    #[test]
    fn remarks_and_lines_on_the_writer_are_not_the_article() {
        for tail in [
            "2 Comments\nseadog · 3 hours ago\nMy uncle sailed with them for years and nobody ever paid him a night.\nReply",
            "Share\nOla Brandt teaches maritime law at the University of Lumo and advises unions on disputes.",
            "Tags: ferries\nQuiet reading from the outer shore, every Sunday.\nSign up",
        ] {
            assert_eq!(clean(&format!("{STORY}\n\n{tail}")).body, STORY, "{tail}");
        }
    }

    #[test]
    fn a_last_paragraph_behind_furniture_stays() {
        let last = "Outpatients should come by bus.";
        let page = format!("{STORY}\n\nAdvertisement\n\n{last}\n\nTags: ferries");
        assert!(clean(&page).body.ends_with(last));
    }
}
