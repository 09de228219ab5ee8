//! Lines on who wrote the article: a name, a verb in the present, a writer's trade; often the only ones that name that person.

use super::block::Block;
use super::doubt::Cohesion;
use super::ending::reports;
use super::furniture::Kind;
use super::vocabulary::{self, WRITER};

/// Whether a paragraph says who its author is, by its own words or because nobody else speaks of the person whom it opens with.
pub(super) fn about_writer(blocks: &[Block], i: usize, cohesion: &Cohesion) -> bool {
    if biography(blocks, i) {
        return true;
    }
    let Some(block) = blocks.get(i) else {
        return false;
    };
    let n = block.words.iter().take_while(|w| w.capital).count();
    if !(2..=6).contains(&n) || block.len() > 80 || reports(block) {
        return false;
    }
    let name: String = (0..n).map(|j| block.word(j)).collect::<Vec<_>>().join(" ");
    let stranger = cohesion.shared(&Block::new(name), Kind::Prose) == 0;
    let verb = block.word(n);
    let pen = matches!(
        verb,
        "write"
            | "writes"
            | "cover"
            | "covers"
            | "reports"
            | "edits"
            | "blogs"
            | "teaches"
            | "lectures"
            | "researches"
            | "photographs"
    );
    let role = matches!(verb, "is" | "was" | "works")
        && block
            .matches
            .iter()
            .any(|m| m.kinds & WRITER != 0 && m.start > n)
        || matches!(verb, "is" | "was")
            && matches!(block.word(n + 1), "a" | "an" | "the" | "our")
            && block.iter().skip(n).take(12).any(|w| {
                matches!(
                    w,
                    "professor"
                        | "lecturer"
                        | "fellow"
                        | "scholar"
                        | "researcher"
                        | "director"
                        | "author"
                        | "founder"
                        | "student"
                        | "consultant"
                        | "writer"
                        | "editor"
                        | "reporter"
                        | "analyst"
                        | "expert"
                )
            });
    stranger && (pen || role)
}

/// Whether a paragraph says who its author is: a name, a verb in the present, a writer's trade.
pub(super) fn biography(blocks: &[Block], i: usize) -> bool {
    let Some(block) = blocks.get(i) else {
        return false;
    };
    let name = block.words.iter().take_while(|w| w.capital).count();
    // The name alone stands above: "Ana Reyes", "Ana is a reporter …".
    let above = name == 1
        && (i.saturating_sub(3)..i)
            .filter_map(|j| blocks.get(j))
            .any(|b| (2..=4).contains(&b.len()) && b.word(0) == block.word(0));
    let pronoun = above || matches!(block.word(0), "he" | "she" | "they");
    let role =
        matches!(block.word(0), "the" | "our") && vocabulary::kinds(block.word(1)) & WRITER != 0;
    let named = (2..=6).contains(&name)
        && !matches!(block.word(0), "the" | "a" | "an" | "in" | "on" | "at");
    if !(pronoun || role || named) || block.len() > 120 {
        return false;
    }
    let name = if role { 2 } else { name.max(1) };
    // "Our correspondent First Last has lived in …", "Ana joined the paper in 2018."
    if role && block.word(0) == "our" && block.words.get(2).is_some_and(|w| w.capital)
        || above && block.word(1) == "joined"
    {
        return !reports(block);
    }
    // "… has reported from …": how long and where.
    let career = block.word(name) == "has"
        && matches!(
            block.word(name + 1),
            "reported" | "covered" | "written" | "worked" | "been" | "edited" | "contributed"
        );
    let address = block
        .text
        .split(' ')
        .any(|t| t.contains('@') && t.contains('.'));
    if career
        && (address
            || (0..block.len()).any(|i| match block.word(i) {
                "since" => block.word(i + 1).starts_with(|c: char| c.is_ascii_digit()),
                w => matches!(w, "newspaper" | "newspapers" | "magazines"),
            }))
    {
        return true;
    }
    // "… covers the coast for the paper."
    let pen = matches!(block.word(name), "covers" | "writes" | "reports" | "edits")
        && block.iter().any(|w| {
            matches!(
                w,
                "paper" | "newspaper" | "magazine" | "joined" | "since" | "desk"
            )
        });
    if pen {
        return true;
    }
    let present = (name..name + 3).any(|j| {
        matches!(
            block.word(j),
            "is" | "are"
                | "writes"
                | "covers"
                | "reports"
                | "works"
                | "brings"
                | "holds"
                | "leads"
                | "edits"
                | "specialises"
                | "specializes"
                | "joined"
                | "lives"
                | "contributes"
                | "serves"
                | "teaches"
                | "studied"
                | "graduated"
                | "focuses"
                | "runs"
                | "heads"
                | "directs"
                | "researches"
        )
    });
    let trade = block
        .matches
        .iter()
        .filter(|m| m.kinds & WRITER != 0 && block.words.get(m.start).is_some_and(|w| !w.quoted))
        .count();
    let pen = block.iter().any(|w| {
        matches!(
            w,
            "covers"
                | "covering"
                | "writes"
                | "coverage"
                | "publications"
                | "newspapers"
                | "graduate"
                | "based"
                | "previously"
                | "bylines"
                | "columnist"
                | "freelance"
                | "author"
        )
    });
    present && (trade >= 2 || trade >= 1 && (pen || block.len() <= 30))
}

#[cfg(test)]
mod tests {
    use super::{Block, Cohesion, Kind, about_writer};

    fn written(texts: [&str; 2]) -> bool {
        let blocks = texts.map(|t| Block::new(t.to_owned()));
        about_writer(&blocks, 1, &Cohesion::new(&blocks, &[Kind::Prose; 2]))
    }

    #[test]
    fn a_stranger_who_writes_is_the_author_and_a_person_of_the_story_is_not() {
        let bio = "Ola Brandt writes on ports and fishing from Lumo.";
        assert!(written(["The ferries sailed again on Monday.", bio]));
        assert!(!written([
            "Brandt, a poet, was on the first ferry on Monday.",
            bio
        ]));
        assert!(!written([
            "The ferries sailed again on Monday.",
            "Saudi Arabia is the largest buyer of the ferries that the yard builds."
        ]));
    }
}
