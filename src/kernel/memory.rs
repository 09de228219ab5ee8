//! What a decoder remembers of a text in one layer, keys and values, and attention over it.
//!
//! Keys lie in blocks of 64 tokens, a head's numbers one after the other, so that a token is a lane: a query meets a block at once, and
//! several queries go by while it is in the processor's first cache. The sums of a token run over a head's numbers, then over tokens, from
//! the first to the last, whatever tokens are asked about beside it.

use std::ops::Range;

use rayon::prelude::*;

use super::attention::{Product, Strided, best_product};
use super::decoder::Heads;
use super::float::softmax;
use super::product::LANES;

/// Tokens of a block, and values of a token that lie side by side.
const BLOCK: usize = 4 * LANES;

/// Keys and values of the tokens of one text.
#[derive(Debug, Clone)]
pub struct Memory {
    heads: usize,
    width: usize,
    tokens: usize,
    /// Of 64 tokens each; of each head the keys `[width][64]`, then the values: of each 64 of a head's numbers (the last perhaps of fewer, in
    /// whole registers) `[64][64]`. Nothing moves when there are more.
    blocks: Vec<Vec<f32>>,
}

impl Memory {
    /// Of a text of no tokens yet.
    pub fn new(heads: Heads) -> Self {
        Self {
            heads: heads.keys,
            width: heads.width,
            tokens: 0,
            blocks: Vec::new(),
        }
    }

    /// How many tokens there are.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Adds tokens: `keys` and `values` are `[tokens][heads · width]`.
    pub fn push(&mut self, keys: &[f32], values: &[f32]) {
        let (width, line) = (self.width, self.heads * self.width);
        let size = self.size();
        for (keys, values) in keys.chunks_exact(line).zip(values.chunks_exact(line)) {
            let lane = self.tokens % BLOCK;
            if self.tokens / BLOCK == self.blocks.len() {
                self.blocks.push(vec![0.0; self.heads * size]);
            }
            let heads = keys.chunks_exact(width).zip(values.chunks_exact(width));
            let places = self.blocks[self.tokens / BLOCK].chunks_exact_mut(size);
            for (place, (keys, values)) in places.zip(heads) {
                let (own_keys, mut rest) = place.split_at_mut(width * BLOCK);
                for (place, key) in own_keys.iter_mut().skip(lane).step_by(BLOCK).zip(keys) {
                    *place = *key;
                }
                for part in parts(width) {
                    let (own, after) = rest.split_at_mut(BLOCK * part.lanes);
                    own[lane * part.lanes..][..part.length]
                        .copy_from_slice(&values[part.from..][..part.length]);
                    rest = after;
                }
            }
            self.tokens += 1;
        }
    }

    /// Forgets all but the first tokens.
    pub fn truncate(&mut self, tokens: usize) {
        self.tokens = self.tokens.min(tokens);
        self.blocks.truncate(self.tokens.div_ceil(BLOCK));
    }

    /// Numbers of a head in a block.
    fn size(&self) -> usize {
        BLOCK * (self.width + self.width.next_multiple_of(LANES))
    }

    /// A head's keys and values in a block.
    fn head(&self, block: usize, head: usize) -> (&[f32], &[f32]) {
        self.blocks[block][head * self.size()..][..self.size()].split_at(self.width * BLOCK)
    }
}

/// Some of a head's numbers.
#[derive(Clone, Copy)]
struct Part {
    from: usize,
    length: usize,
    /// That length in whole registers.
    lanes: usize,
}

fn parts(width: usize) -> impl Iterator<Item = Part> {
    (0..width).step_by(BLOCK).map(move |from| {
        let length = BLOCK.min(width - from);
        let lanes = length.next_multiple_of(LANES);
        Part {
            from,
            length,
            lanes,
        }
    })
}

/// What the last `rows` tokens of one text attend to: all its tokens, their own too.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// The text's tokens.
    pub memory: &'a Memory,
    /// Tokens at the end whose queries are asked.
    pub rows: usize,
}

/// Rows of one text that are asked about together.
const ROWS: usize = 8;
/// Multiplications below which it is not worth waking another thread.
const SMALL: usize = 1 << 18;

/// Some rows of one text, one after the other, and some of their heads.
struct Task<'a> {
    memory: &'a Memory,
    /// `[rows][heads.queries · width]`.
    queries: &'a [f32],
    out: &'a mut [f32],
    /// Tokens up to the first of the rows.
    tokens: usize,
    /// Heads of keys. Not all of them only for one row, whose queries and results are then cut as well.
    heads: Range<usize>,
}

/// `softmax(scale · q Kᵀ) V` of each token over itself and those before it in its own text, `window` tokens in all, if that is some:
/// `queries` are the rows of all texts, one after the other, `[rows][heads.queries · width]`, and so is what comes out.
pub fn causal_attention(
    queries: &[f32],
    texts: &[Past<'_>],
    heads: Heads,
    window: Option<usize>,
) -> Vec<f32> {
    let product = best_product();
    let line = heads.queries * heads.width;
    let mut out = vec![0f32; queries.len()];
    let mut tasks = Vec::new();
    let mut work = 0;
    let (mut queries, mut rest) = (queries, &mut out[..]);
    for text in texts {
        let end = text.memory.tokens;
        let mut at = end - text.rows;
        while at < end {
            let rows = ROWS.min(end - at);
            work += rows * line * at;
            let (own, after) = queries.split_at(rows * line);
            let (place, places) = std::mem::take(&mut rest).split_at_mut(rows * line);
            (queries, rest) = (after, places);
            let parts = if rows == 1 { heads.keys } else { 1 };
            let cut = own.chunks(own.len() / parts);
            for (head, (queries, out)) in cut.zip(place.chunks_mut(own.len() / parts)).enumerate() {
                tasks.push(Task {
                    memory: text.memory,
                    queries,
                    out,
                    tokens: at + 1,
                    heads: head * heads.keys / parts..(head + 1) * heads.keys / parts,
                });
            }
            at += rows;
        }
    }
    let each =
        |scratch: &mut Scratch, task: Task<'_>| attend(product, task, (heads, window), scratch);
    match work < SMALL {
        true => {
            let mut scratch = Scratch::default();
            tasks.into_iter().for_each(|task| each(&mut scratch, task));
        }
        false => tasks.into_par_iter().for_each_init(Scratch::default, each),
    }
    out
}

/// Memory of a thread, kept from task to task.
#[derive(Default)]
struct Scratch {
    /// `[rows · queries of a head][width]`.
    queries: Vec<f32>,
    /// `[rows · queries of a head][tokens]`.
    scores: Vec<f32>,
    /// `[rows · queries of a head][lanes]`.
    weighed: Vec<f32>,
}

fn attend(
    product: Product,
    task: Task<'_>,
    (heads, window): (Heads, Option<usize>),
    scratch: &mut Scratch,
) {
    let Scratch {
        queries,
        scores,
        weighed,
    } = scratch;
    let (memory, width, group) = (task.memory, heads.width, heads.queries / heads.keys);
    let line = task.heads.len() * group * width;
    let rows = task.queries.len() / line;
    let seen = |row: usize| {
        let tokens = task.tokens + row;
        window.map_or(0, |window| tokens.saturating_sub(window))..tokens
    };
    // Of each block the tokens that all rows see, if they see all of it, and otherwise what each sees.
    let (from, to) = (seen(0).start / BLOCK, seen(rows - 1).end.div_ceil(BLOCK));
    let length = (to - from) * BLOCK;
    let mut pieces = Vec::with_capacity(to - from + rows);
    for block in from..to {
        let (start, end) = (block * BLOCK, (block + 1) * BLOCK);
        match seen(rows - 1).start <= start && seen(0).end >= end {
            true => pieces.push((0..rows * group, start..end)),
            false => pieces.extend((0..rows).filter_map(|row| {
                let seen = seen(row).start.max(start)..seen(row).end.min(end);
                (!seen.is_empty()).then_some((row * group..(row + 1) * group, seen))
            })),
        }
    }
    let scale = heads.scale;
    for (number, head) in task.heads.clone().enumerate() {
        let at = number * group * width;
        queries.clear();
        for row in task.queries.chunks_exact(line) {
            queries.extend(row[at..at + group * width].iter().map(|q| q * scale));
        }
        scores.clear();
        scores.resize(rows * group * length, 0.0);
        for (asked, tokens) in &pieces {
            let block = tokens.start / BLOCK;
            let size = (asked.len(), width);
            let asked_queries = Strided::new(&queries[asked.start * width..], size, (width, 1));
            let (keys, _) = memory.head(block, head);
            let place = &mut scores[asked.start * length + (block - from) * BLOCK..];
            product(asked_queries, keys, BLOCK, place, length);
        }
        for (query, scores) in scores.chunks_exact_mut(length).enumerate() {
            let seen = seen(query / group);
            softmax(&mut scores[seen.start - from * BLOCK..seen.end - from * BLOCK]);
        }
        for part in parts(width) {
            let lanes = part.lanes;
            weighed.clear();
            weighed.resize(rows * group * lanes, 0.0);
            for (asked, tokens) in &pieces {
                let weights = &scores[asked.start * length + tokens.start - from * BLOCK..];
                let weights = Strided::new(weights, (asked.len(), length), (tokens.len(), 1));
                let (_, values) = memory.head(tokens.start / BLOCK, head);
                let values = &values[part.from * BLOCK + tokens.start % BLOCK * lanes..];
                let place = &mut weighed[asked.start * lanes..];
                product(weights, values, lanes, place, lanes);
            }
            for (query, weighed) in weighed.chunks_exact(lanes).enumerate() {
                let place = query / group * line + at + query % group * width + part.from;
                task.out[place..][..part.length].copy_from_slice(&weighed[..part.length]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::values;
    use super::*;

    fn past(memory: &Memory, rows: usize) -> Past<'_> {
        Past { memory, rows }
    }

    fn memory(heads: Heads, keys: &[f32], values: &[f32]) -> Memory {
        let mut memory = Memory::new(heads);
        memory.push(keys, values);
        memory
    }

    #[test]
    fn attention_weighs_what_came_before_and_no_more_than_the_window() {
        let heads = Heads {
            queries: 2,
            keys: 1,
            width: 2,
            scale: 1.0,
        };
        // Keys that are all alike: the values' mean.
        let values = [1.0, 10.0, 2.0, 20.0, 6.0, 60.0];
        let text = |tokens: usize| memory(heads, &[0.5; 6][..tokens * 2], &values[..tokens * 2]);
        let near = |found: &[f32], wanted: &[f32]| {
            assert_eq!(found.len(), wanted.len());
            for (found, wanted) in found.iter().zip(wanted) {
                assert!((found - wanted).abs() < 1e-5, "{found} {wanted}");
            }
        };
        let (two, three) = (text(2), text(3));
        let out = causal_attention(&[1.0; 16], &[past(&three, 3), past(&two, 1)], heads, None);
        let expected = [1.0, 10.0, 1.5, 15.0, 3.0, 30.0, 1.5, 15.0];
        let twice: Vec<f32> = expected.chunks(2).flat_map(|v| [v, v].concat()).collect();
        near(&out, &twice);
        let out = causal_attention(&[1.0; 4], &[past(&three, 1)], heads, Some(2));
        near(&out, &[4.0, 40.0, 4.0, 40.0]);
        // A key that stands out, the more so the larger the scale.
        let two = memory(heads, &[0.0, 0.0, 2.0, 0.0], &values[..4]);
        let sharp = |scale| {
            let heads = Heads { scale, ..heads };
            causal_attention(&[1.0; 4], &[past(&two, 1)], heads, None)[0]
        };
        let share = |logit: f32| 1.0 + logit.exp() / (1.0 + logit.exp());
        near(&[sharp(0.5), sharp(2.0)], &[share(1.0), share(4.0)]);
    }

    /// The definition, in double precision.
    fn naive(
        queries: &[f32],
        keys: &[f32],
        values: &[f32],
        heads: Heads,
        window: Option<usize>,
    ) -> Vec<f32> {
        let (width, line) = (heads.width, heads.keys * heads.width);
        let mut out = Vec::new();
        for (token, queries) in queries.chunks_exact(heads.queries * width).enumerate() {
            for (head, query) in queries.chunks_exact(width).enumerate() {
                let at = head / (heads.queries / heads.keys) * width;
                let first = window.map_or(0, |w| (token + 1).saturating_sub(w));
                let of =
                    |all: &[f32], token: usize, i: usize| f64::from(all[token * line + at + i]);
                let weights: Vec<f64> = (first..=token)
                    .map(|token| {
                        let dot: f64 = (0..width)
                            .map(|i| f64::from(query[i]) * of(keys, token, i))
                            .sum();
                        (dot * f64::from(heads.scale)).exp()
                    })
                    .collect();
                let sum: f64 = weights.iter().sum();
                out.extend((0..width).map(|i| {
                    let seen = weights.iter().zip(first..=token);
                    let value: f64 = seen.map(|(w, token)| w * of(values, token, i)).sum();
                    (value / sum) as f32
                }));
            }
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn a_token_is_the_same_bits_in_one_prompt_in_parts_alone_and_among_others(
            tokens in 1usize..200, keys in 1usize..4, group in 1usize..5, width in 1usize..90, window in prop::option::of(1usize..150),
            cut in 0usize..200, seed in any::<u32>(),
        ) {
            let heads = Heads { queries: keys * group, keys, width, scale: 1.0 / (width as f32).sqrt() };
            let (line, cut) = (heads.queries * width, cut % tokens);
            let queries = values(tokens * line, seed);
            let (keys, values) = (values(tokens * keys * width, !seed), values(tokens * keys * width, seed ^ 99));
            let whole = memory(heads, &keys, &values);
            let out = causal_attention(&queries, &[past(&whole, tokens)], heads, window);
            for (found, wanted) in out.iter().zip(naive(&queries, &keys, &values, heads, window)) {
                prop_assert!((found - wanted).abs() < 1e-5, "{} {}", found, wanted);
            }
            // Up to the cut; then something that is taken back; then the others, one by one.
            let each = heads.keys * width;
            let mut parts = memory(heads, &keys[..cut * each], &values[..cut * each]);
            let first = causal_attention(&queries[..cut * line], &[past(&parts, cut)], heads, window);
            prop_assert_eq!(&first[..], &out[..cut * line]);
            parts.push(&values, &keys);
            parts.truncate(cut);
            for token in cut..tokens {
                let at = token * each..(token + 1) * each;
                parts.push(&keys[at.clone()], &values[at]);
                let own = &queries[token * line..][..line];
                let two = causal_attention(&[own, &queries].concat(), &[past(&parts, 1), past(&whole, tokens)], heads, window);
                prop_assert_eq!(&two[..line], &out[token * line..][..line]);
                prop_assert_eq!(&two[line..], &out[..]);
            }
        }
    }
}
