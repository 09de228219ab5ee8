//! Neighbours settle what a block alone cannot: lists of other stories end where the story goes on, captions stand by their credits,
//! and nothing but furniture follows the last paragraph.

use super::block::Block;
use super::doubt::{self, Cohesion};
use super::ending;
use super::furniture::Kind;
use super::lists;
use super::opening;
use super::vocabulary::{self, SECTION, UI};
use super::writers;

/// Most words of a teaser's blurb.
const BLURB: usize = 45;

/// The blocks of a page with what is known of each.
pub(super) struct Page<'a> {
    blocks: &'a [Block],
    kinds: &'a mut [Kind],
    /// What each block was by its own words.
    first: Vec<Kind>,
}

impl<'a> Page<'a> {
    pub(super) fn new(blocks: &'a [Block], kinds: &'a mut [Kind]) -> Self {
        let first = kinds.to_vec();
        Self {
            blocks,
            kinds,
            first,
        }
    }

    fn kind(&self, i: usize) -> Option<Kind> {
        self.kinds.get(i).copied()
    }

    fn drop(&mut self, i: usize) {
        if let Some(kind) = self.kinds.get_mut(i)
            && !kind.is_furniture()
        {
            *kind = Kind::Junk;
        }
    }

    fn len(&self, i: usize) -> usize {
        self.blocks.get(i).map_or(0, Block::len)
    }

    fn truncated(&self, i: usize) -> bool {
        self.blocks.get(i).is_some_and(Block::truncated)
    }

    /// Settles every block: afterwards what is `Prose` or `Line` is the article's.
    pub(super) fn settle(&mut self) {
        opening::settle(self.blocks, self.kinds);
        self.breadcrumbs();
        self.kickers();
        self.lists();
        self.blurbs();
        doubt::settle(self.blocks, self.kinds);
        self.lists();
        self.between();
        ending::settle(self.blocks, self.kinds);
        self.between();
        self.tail();
        opening::settle(self.blocks, self.kinds);
        opening::headline(self.blocks, self.kinds);
    }

    /// Drops lines that end with the beginning of a line soon after: "Home World Talks to resume in..." above "Talks to resume in Doha".
    fn breadcrumbs(&mut self) {
        for i in 0..self.blocks.len() {
            let Some(block) = self.blocks.get(i).filter(|b| b.len() <= 30) else {
                continue;
            };
            if self.kind(i) != Some(Kind::Line) && !block.truncated() {
                continue;
            }
            let copied = self.blocks.iter().skip(i + 1).take(6).any(|next| {
                (0..block.len()).any(|from| {
                    let n = block.len() - from;
                    let same = n >= 3
                        && n <= next.len()
                        && (0..n).all(|k| block.word(from + k) == next.word(k));
                    let trail =
                        (0..from).any(|k| vocabulary::kinds(block.word(k)) & (UI | SECTION) != 0);
                    same && (block.truncated() || from > 0 && trail && n == next.len())
                })
            });
            if copied {
                self.drop(i);
            }
        }
    }

    /// Between two paragraphs, a word or two and then the headline of another story: "Explainer", "What the treaty says about grain".
    fn kickers(&mut self) {
        let n = self.kinds.len();
        let first = self.kinds.iter().position(|k| *k == Kind::Prose);
        for i in first.unwrap_or(n)..n {
            if self.kind(i) == Some(Kind::Line) && self.blocks.get(i).is_some_and(lists::format) {
                self.drop(i);
            }
        }
        for i in 1..n.saturating_sub(2) {
            let line = |j: usize| self.kind(j) == Some(Kind::Line);
            if self.kind(i - 1) != Some(Kind::Prose) || !line(i) || !line(i + 1) {
                continue;
            }
            let end = (i + 1..n).find(|&j| !line(j)).unwrap_or(n);
            let plain = |b: &Block| {
                !b.terminal()
                    && !super::paragraphs::bullet(&b.text)
                    && !b
                        .text
                        .contains(|c: char| c.is_ascii_digit() || matches!(c, '"' | '“' | ':'))
            };
            let kicker = self
                .blocks
                .get(i)
                .is_some_and(|b| b.len() <= 3 && plain(b) && b.words.iter().any(|w| w.capital));
            let teasers = (i + 1..end).all(|j| {
                self.blocks.get(j).is_some_and(|b| {
                    (4..=16).contains(&b.len()) && (plain(b) || b.text.ends_with('?'))
                })
            });
            if kicker && teasers && end - i <= 5 && self.kind(end) == Some(Kind::Prose) {
                (i..end).for_each(|j| self.drop(j));
            }
        }
    }

    /// Drops what "Related posts", "About the author" or "Comments" opens.
    fn lists(&mut self) {
        let n = self.kinds.len();
        let mut i = 0;
        let mut story = false;
        let mut titled = false;
        let cohesion = Cohesion::new(self.blocks, self.kinds);
        let prose = |j: usize| self.kind(j) == Some(Kind::Prose);
        let last = (0..n).rev().find(|&j| prose(j)).unwrap_or(0);
        let solid = (0..n)
            .rev()
            .find(|&j| prose(j) && (self.len(j) > BLURB || prose(j + 1)))
            .unwrap_or(0);
        while i < n {
            match self.kind(i) {
                Some(Kind::Prose) => story = true,
                Some(Kind::Opens | Kind::Author | Kind::Ends) => {
                    let end = self.list(i, story, titled, last, solid);
                    i = end.max(i + 1);
                    continue;
                }
                Some(Kind::Line) if !story => {
                    titled |= self
                        .blocks
                        .get(i)
                        .is_some_and(|b| b.len() >= 4 && cohesion.shared(b, Kind::Line) >= 3);
                }
                _ => {}
            }
            i += 1;
        }
    }

    /// Drops one list and returns where the story goes on. `titled`: its headline has been seen.
    /// `last` and `solid`: the last paragraph of all, and the last that is no blurb.
    fn list(
        &mut self,
        marker: usize,
        story: bool,
        titled: bool,
        last: usize,
        solid: usize,
    ) -> usize {
        let n = self.kinds.len();
        let mut opened = self.kind(marker);
        let mut i = marker + 1;
        let mut pairs = 0;
        loop {
            let from = i;
            while i < n && self.kind(i) != Some(Kind::Prose) {
                i += 1;
            }
            let prose = i;
            while i < n && self.kind(i) == Some(Kind::Prose) {
                i += 1;
            }
            let lines = (from..prose)
                .filter(|&j| {
                    self.kind(j) == Some(Kind::Line) || self.first.get(j) == Some(&Kind::Line)
                })
                .count();
            // Blurbs that have gone already.
            pairs += (from..prose)
                .filter(|&j| self.first.get(j) == Some(&Kind::Prose) && self.len(j) <= BLURB)
                .count();
            if prose == n {
                if !story && pairs == 0 {
                    return n;
                }
                (from..n).for_each(|j| self.drop(j));
                return n;
            }
            let run = i - prose;
            opened = (from..prose)
                .rev()
                .filter_map(|j| self.kind(j))
                .find(|k| matches!(k, Kind::Opens | Kind::Author | Kind::Ends))
                .or(opened);
            let stamped = (from..prose).any(|j| self.kind(j) == Some(Kind::Stamp))
                || run == 1 && self.kind(i) == Some(Kind::Stamp);
            let last = last < i;
            let short = run == 1 && self.len(prose) <= BLURB;
            let cut = self.truncated(prose) && (lines > 0 || pairs > 0 || run == 1);
            let next_pair = || {
                let line = (i..n).find(|&j| {
                    self.kind(j) == Some(Kind::Prose) || self.kind(j) == Some(Kind::Line)
                });
                let Some(line) = line.filter(|&j| self.kind(j) == Some(Kind::Line)) else {
                    return false;
                };
                let Some(blurb) = (line..n).find(|&j| self.kind(j) == Some(Kind::Prose)) else {
                    return pairs > 0;
                };
                self.kind(blurb + 1) != Some(Kind::Prose) && self.len(blurb) <= BLURB
            };
            let author = opened == Some(Kind::Author) && run == 1 && self.writer(prose);
            let comment = opened == Some(Kind::Ends) && stamped && story;
            let pair = lines > 0 && short && (next_pair() || (pairs > 0 || stamped) && last);
            // Before the story has begun, a line and a short paragraph may be all of it.
            let other = story || solid >= i;
            if other && (cut || author || pair || comment && last) {
                (from..=prose).for_each(|j| self.drop(j));
                pairs += 1;
                i = prose + 1;
                continue;
            }
            // The story goes on here. Before it began, the line above it is its headline.
            let keep_from = if story || titled {
                prose
            } else {
                let after = (from..prose)
                    .rev()
                    .find(|&j| matches!(self.kind(j), Some(Kind::Junk)))
                    .map_or(from, |j| j + 1);
                let group = (after..prose)
                    .filter(|&j| self.kind(j) == Some(Kind::Line))
                    .count();
                let line = (from..prose)
                    .rev()
                    .find(|&j| self.kind(j) == Some(Kind::Line));
                match line {
                    Some(_) if after > from && group > 0 => after,
                    Some(line) => line,
                    None => prose,
                }
            };
            (from..keep_from).for_each(|j| self.drop(j));
            return keep_from;
        }
    }

    /// Whether a paragraph in a box on the author is about them: it opens with a name or with "She".
    fn writer(&self, i: usize) -> bool {
        let opens = self.blocks.get(i).is_some_and(|b| {
            let name = b.words.iter().take_while(|w| w.capital).count();
            (2..=6).contains(&name) || matches!(b.word(0), "he" | "she" | "they")
        });
        let boxed = self.kind(i + 1).is_none_or(Kind::is_furniture);
        writers::biography(self.blocks, i) || opens && boxed
    }

    /// Drops a headline with a blurb that breaks off, and what comes with "Read more".
    fn blurbs(&mut self) {
        let first = self.kinds.iter().position(|k| *k == Kind::Prose);
        for i in 1..self.kinds.len() {
            if self.kind(i) == Some(Kind::Prose)
                && self.truncated(i)
                && self.kind(i - 1) == Some(Kind::Line)
                && first.is_some_and(|first| first < i)
            {
                self.drop(i - 1);
                self.drop(i);
            }
        }
    }

    /// Drops lines that stand in the midst of furniture, and bare figures beside it.
    fn between(&mut self) {
        let n = self.kinds.len();
        for i in 0..n {
            let figures = self.blocks.get(i).is_some_and(|b| {
                b.len() <= 4
                    && b.iter()
                        .all(|w| w.len() <= 4 && w.starts_with(|c: char| c.is_ascii_digit()))
            });
            let beside = i
                .checked_sub(1)
                .and_then(|j| self.kind(j))
                .is_some_and(Kind::is_furniture)
                || self.kind(i + 1).is_some_and(Kind::is_furniture);
            if figures && beside {
                self.drop(i);
            }
        }
        let mut i = 0;
        let mut story = false;
        while i < n {
            if self.kind(i) != Some(Kind::Line) {
                story |= self.kind(i) == Some(Kind::Prose);
                i += 1;
                continue;
            }
            let from = i;
            while i < n && self.kind(i) == Some(Kind::Line) {
                i += 1;
            }
            let before = from
                .checked_sub(1)
                .and_then(|j| self.kind(j))
                .is_some_and(Kind::is_furniture);
            let after = self.kind(i).is_some_and(Kind::is_furniture);
            if story && before && after {
                (from..i).for_each(|j| self.drop(j));
            }
        }
    }

    /// Drops what follows the last paragraph, where it is a list or stands among furniture.
    fn tail(&mut self) {
        let n = self.kinds.len();
        let Some(last) = self.kinds.iter().rposition(|k| *k == Kind::Prose) else {
            return;
        };
        let lines: Vec<usize> = (last + 1..n)
            .filter(|&j| self.kind(j) == Some(Kind::Line))
            .collect();
        let furniture = (last + 1..n).any(|j| self.kind(j).is_some_and(Kind::is_furniture));
        if furniture || lines.len() >= 3 {
            // Without any furniture, a list of items or of dates and figures is the article's.
            let listed = |j: &&usize| {
                self.blocks.get(**j).is_some_and(|b| {
                    super::paragraphs::bullet(&b.text)
                        || b.text.contains(|c: char| c.is_ascii_digit())
                })
            };
            if furniture || lines.iter().filter(listed).count() * 2 < lines.len() {
                lines.into_iter().for_each(|j| self.drop(j));
            }
        }
    }
}
