//! Where the article begins. What stands above its headline is the page's, even in full sentences: notices, captions of other pictures,
//! a line on the writer. The headline is the line that shares most words with the article.

use super::block::Block;
use super::credits;
use super::doubt::Cohesion;
use super::ending::{narrates, reports};
use super::furniture::Kind;
use super::stamps;
use super::writers::about_writer;

/// Drops sentences above the headline, or above the first that has to do with the article, that are none of it.
pub(super) fn settle(blocks: &[Block], kinds: &mut [Kind]) {
    let cohesion = Cohesion::new(blocks, kinds);
    let shared = |i: usize, kind: Kind| blocks.get(i).map_or(0, |b| cohesion.shared(b, kind));
    let Some(last) = kinds.iter().rposition(|k| *k == Kind::Prose) else {
        return;
    };
    let headline = (0..last)
        .filter(|&i| kinds.get(i) == Some(&Kind::Line))
        .map(|i| (shared(i, Kind::Line), i))
        .filter(|&(n, _)| n >= 2)
        .max_by_key(|&(n, i)| (n, std::cmp::Reverse(i)))
        .map(|(_, i)| i);
    let mut i = 0;
    while i < last {
        if kinds.get(i) != Some(&Kind::Prose) {
            i += 1;
            continue;
        }
        let furniture = |j: Option<usize>| {
            j.and_then(|j| kinds.get(j))
                .is_some_and(|k| k.is_furniture())
        };
        let beside = furniture(i.checked_sub(1)) || furniture(Some(i + 1));
        let labelled = i.checked_sub(1).is_some_and(|j| {
            kinds.get(j) == Some(&Kind::Line) && blocks.get(j).is_some_and(|b| b.len() <= 4)
        });
        let Some(block) = blocks.get(i) else { break };
        let n = shared(i, Kind::Prose);
        // Its own headline stands right above it.
        let titled = (0..i)
            .rev()
            .find(|&j| kinds.get(j) != Some(&Kind::Stamp))
            .is_some_and(|j| {
                kinds.get(j) == Some(&Kind::Line)
                    && shared(j, Kind::Line) >= 1
                    && blocks.get(j).is_some_and(|b| b.len() >= 4)
            });
        let above = headline.is_some_and(|h| i < h) && n <= 1 && !titled && !reports(block);
        let strange = n == 0 && !titled && !narrates(block) && furniture(Some(i + 1));
        // Blurbs of other stories, which come later, are shorter than the article's paragraphs.
        let longer = (i + 1..=last).any(|j| {
            kinds.get(j) == Some(&Kind::Prose)
                && blocks.get(j).is_some_and(|b| b.len() >= block.len())
        });
        let foreign = beside && longer && block.len() <= 60 && (above || strange);
        if !(foreign || (beside || labelled) && longer && about_writer(blocks, i, &cohesion)) {
            break;
        }
        drop(kinds, i);
        i += 1;
    }
}

fn drop(kinds: &mut [Kind], i: usize) {
    if let Some(kind) = kinds.get_mut(i)
        && !kind.is_furniture()
    {
        *kind = Kind::Junk;
    }
}

/// Finds the headline among the lines above the first paragraph, and drops names, labels and menus around it.
pub(super) fn headline(blocks: &[Block], kinds: &mut [Kind]) {
    let Some(first) = kinds.iter().position(|k| *k == Kind::Prose) else {
        return;
    };
    for j in 0..first {
        if blocks.get(j).is_some_and(stamps::date_only) {
            drop(kinds, j);
        }
    }
    let lines: Vec<usize> = (0..first)
        .filter(|&j| kinds.get(j).copied() == Some(Kind::Line))
        .collect();
    let cohesion = Cohesion::new(blocks, kinds);
    let shared: Vec<usize> = lines
        .iter()
        .map(|&j| blocks.get(j).map_or(0, |b| cohesion.shared(b, Kind::Line)))
        .collect();
    let best = shared.iter().copied().max().unwrap_or(0);
    let named = |j: usize| {
        blocks
            .get(j)
            .is_some_and(|b| credits::names(b) || credits::slogan(b))
    };
    let beside = |kinds: &[Kind], j: usize| {
        j.checked_sub(1)
            .and_then(|b| kinds.get(b).copied())
            .is_some_and(Kind::is_furniture)
            || kinds.get(j + 1).copied().is_some_and(Kind::is_furniture)
    };
    // The first line that shares about as many words with the article as any.
    let close = lines
        .iter()
        .zip(&shared)
        .find(|&(&j, &n)| blocks.get(j).map_or(0, Block::len) >= 3 && best > 0 && n * 2 >= best)
        .map(|(&j, _)| j);
    let Some(headline) = close.or_else(|| {
        lines
            .iter()
            .copied()
            .rev()
            .find(|&j| blocks.get(j).map_or(0, Block::len) >= 4 && !named(j))
    }) else {
        // No headline: what is left of menus and forms goes.
        let alone = lines.len() == 1 && lines.first().is_some_and(|&j| j + 1 == first);
        for &j in lines.iter().filter(|_| !alone) {
            if beside(kinds, j) || lines.len() >= 3 {
                drop(kinds, j);
            }
        }
        return;
    };
    for (&j, &n) in lines.iter().zip(&shared) {
        let beside = beside(kinds, j);
        let names = n <= 1 && named(j);
        let weak = best > 0 && n == 0 || blocks.get(j).map_or(0, Block::len) < 4 || names;
        // Above furniture that stands above the headline: the site's name and what it says of itself.
        let apart = j < headline
            && n * 2 < best
            && (j..headline).any(|k| kinds.get(k).copied().is_some_and(Kind::is_furniture));
        if apart || weak && (j < headline || j > headline && beside) {
            drop(kinds, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::article::clean::clean;

    const TITLE: &str = "Ferry crews and owners sit down again";
    const STORY: &str = "Crews and owners of the ferries sat down on Monday for the first time in a month, the mediator said, in a room above the harbour office.\n\nThe crews want night shifts to end at two. The owners have offered three.";

    #[test]
    fn sentences_above_the_headline_are_not_the_article() {
        for head in [
            "Accept\nStorage of this kind is needed for the basic functions of any page.\nDeny",
            "Ola Brandt is a reporter covering the coast.\nFollow",
            "Coast Dispatch – News from both shores\nMenu\nLatest Politics Culture Letters Jobs",
            "Serving the outer islands since 1884\nMenu",
        ] {
            let cleaned = clean(&format!("{head}\n\n{TITLE}\n\n{STORY}"));
            assert_eq!(cleaned.title.as_deref(), Some(TITLE), "{head}");
            assert_eq!(cleaned.body, STORY, "{head}");
        }
    }
}
