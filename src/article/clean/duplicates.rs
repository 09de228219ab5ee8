//! Second copies: lines and paragraphs that the text has had already.

use std::collections::HashSet;

use super::block::{Block, Plain};

/// Words of a run that is looked up.
const RUN: usize = 6;

/// For each block, whether the blocks before it hold it already; only blocks that `kept` holds count.
pub(super) fn repeated(blocks: &[Block], kept: &[bool]) -> Vec<bool> {
    let mut lines: HashSet<u64, Plain> = HashSet::default();
    let mut runs: HashSet<u64, Plain> = HashSet::default();
    let mut before: Option<u64> = None;
    let mut out = Vec::with_capacity(blocks.len());
    for (block, &keep) in blocks.iter().zip(kept) {
        if !keep {
            out.push(false);
            continue;
        }
        let n = block.len();
        let whole = hash(block, 0, n);
        // Short answers ("No.") may come twice in an interview; a doubled line right after itself may not.
        let line = n >= 4 && lines.contains(&whole) || n >= 2 && before == Some(whole);
        let hashes: Vec<u64> = (0..(n + 1).saturating_sub(RUN))
            .map(|i| hash(block, i, i + RUN))
            .collect();
        let known = hashes.iter().filter(|h| runs.contains(h)).count();
        // Nine runs in ten: the same paragraph with a word changed at most, or its beginning.
        let paragraph = n >= 2 * RUN && known * 10 >= hashes.len() * 9;
        let dropped = line || paragraph;
        if !dropped {
            lines.insert(whole);
            runs.extend(hashes);
        }
        before = Some(whole);
        out.push(dropped);
    }
    out
}

fn hash(block: &Block, from: usize, to: usize) -> u64 {
    block
        .words
        .get(from..to)
        .unwrap_or(&[])
        .iter()
        .fold(to as u64 - from as u64, |hash, word| {
            (hash.rotate_left(5) ^ word.hash).wrapping_mul(0x517c_c1b7_2722_0a95)
        })
}

#[cfg(test)]
mod tests {
    use super::{Block, repeated};

    #[test]
    fn second_copies_are_found_and_short_answers_are_not() {
        let texts = [
            "The bridge over the Lume will close for eleven weeks from Monday, the roads office said.",
            "No.",
            "What next?",
            "No.",
            "The bridge over the Lume will close for eleven weeks from Monday, the road office said.",
            "The bridge over the Lume will open again in spring, the roads office said.",
        ];
        let blocks: Vec<Block> = texts.iter().map(|t| Block::new((*t).to_owned())).collect();
        let again = repeated(&blocks, &[true; 6]);
        assert_eq!(
            again.iter().filter(|a| **a).count(),
            0,
            "a third of the runs differ: {again:?}"
        );
        let doubled: Vec<Block> = texts
            .iter()
            .chain(&texts[..1])
            .map(|t| Block::new((*t).to_owned()))
            .collect();
        assert_eq!(repeated(&doubled, &[true; 7]).last(), Some(&true));
    }
}
