//! An encoder and a decoder over packed tokens: those of all rows stand in one `[tokens][width]`, without padding. All products are over
//! all tokens at once; attention is of each row over its own text. The decoder's cache holds, beside its own keys and values, those of the
//! text that the encoder read, so that beams over the same text share them.
//!
//! T5, BART and PEGASUS are this network with other norms, before each part or after it, other positions and other activations: what they
//! are is said where they are loaded, and computed here.

use std::sync::Arc;

use crate::decode::{Decoder, Row};
use crate::error::{Error, Result};
use crate::kernel::{self, Activation, Context, Distances, Seen};
use crate::model::decoder::Linear;
use crate::model::finite;

/// An encoder-decoder model.
pub struct Seq2Seq {
    /// The table of words.
    pub(super) words: Linear,
    /// Tokens of the vocabulary.
    pub(super) vocabulary: usize,
    /// Width of a token's state.
    pub(super) width: usize,
    /// What words are multiplied by when they are looked up.
    pub(super) embedding_scale: f32,
    /// Whether norms stand before the parts that they belong to; else after them, with what went by.
    pub(super) norm_first: bool,
    pub(super) encoder: Stack,
    pub(super) decoder: Stack,
    /// What states are multiplied by before the next word is told.
    pub(super) output_scale: f32,
    /// What tells the next word, where the table of words does not.
    pub(super) output: Option<Linear>,
    /// What is added to its logits.
    pub(super) output_bias: Option<Vec<f32>>,
    /// Tokens that an answer may have in all.
    pub(super) context: usize,
}

/// The layers of one side.
pub(super) struct Stack {
    pub(super) positions: Positions,
    /// Of words with their positions.
    pub(super) first_norm: Option<Norm>,
    pub(super) layers: Vec<Layer>,
    pub(super) last_norm: Option<Norm>,
}

/// How tokens know where they stand.
pub(super) enum Positions {
    /// By what is added to the word, `[positions][width]`.
    Table(Vec<f32>),
    /// By what is added to scores.
    Near(Near),
}

/// Buckets of distances, of which the far ones share some: Raffel et al. 2019, arXiv 1910.10683.
pub(super) struct Near {
    /// `[buckets][heads]`.
    pub(super) added: Vec<f32>,
    pub(super) heads: usize,
    pub(super) buckets: usize,
    /// Distances from here on are all the same.
    pub(super) furthest: usize,
}

pub(super) struct Layer {
    pub(super) attention: Attention,
    pub(super) attention_norm: Norm,
    /// Attention over the text; an encoder has none.
    pub(super) cross: Option<(Attention, Norm)>,
    pub(super) feed_forward: FeedForward,
    pub(super) norm: Norm,
}

pub(super) struct Attention {
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    pub(super) out: Linear,
    pub(super) heads: usize,
    /// Width of a head.
    pub(super) depth: usize,
    /// What scores are multiplied by.
    pub(super) scale: f32,
}

pub(super) struct FeedForward {
    /// What is activated.
    pub(super) up: Linear,
    pub(super) activation: Activation,
    /// What that is multiplied by, where there is a gate.
    pub(super) gated: Option<Linear>,
    pub(super) down: Linear,
}

/// A norm, with what is added to the variance.
pub(super) enum Norm {
    /// Zhang and Sennrich 2019, arXiv 1910.07467.
    Rms(Vec<f32>, f32),
    /// Ba et al. 2016, arXiv 1607.06450: scale and shift.
    Layer(Vec<f32>, Vec<f32>, f32),
}

/// Keys and values of what a row has said, and of the text that it answers.
#[derive(Debug, Clone)]
pub struct Cache {
    layers: Vec<Entries>,
    length: usize,
    /// The text's, layer by layer; none before one was read.
    text: Arc<[Entries]>,
}

/// Those of a layer, `[tokens][heads · width of a head]`.
#[derive(Debug, Clone, Default)]
struct Entries {
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Seq2Seq {
    /// Tokens of the vocabulary.
    pub fn words(&self) -> usize {
        self.vocabulary
    }

    /// The encoder's states `[tokens][width]` of all texts, one after the other. A text's states depend on that text alone.
    ///
    /// # Errors
    /// [`Error::Model`] when a text has no tokens or more than there are positions, or a token is none.
    pub fn encode(&self, texts: &[&[u32]]) -> Result<Vec<f32>> {
        let lengths: Vec<usize> = texts.iter().map(|text| text.len()).collect();
        let most = lengths.iter().copied().max().unwrap_or(0);
        if let Some(positions) = self.encoder.positions.count(self.width)
            && most > positions
        {
            return Err(Error::Model(format!(
                "a text of {most} tokens, but the encoder reads {positions} at most"
            )));
        }
        if lengths.contains(&0) {
            return Err(Error::Model("a text without tokens".to_owned()));
        }
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let positions = lengths.iter().flat_map(|length| 0..*length);
        let mut x = self.embed(&texts.concat(), positions, &self.encoder)?;
        let added = match &self.encoder.positions {
            Positions::Table(_) => None,
            Positions::Near(near) => Some(near.both_ways(most)),
        };
        for layer in &self.encoder.layers {
            self.part(&mut x, &layer.attention_norm, |x| {
                let distances = added.as_ref().map(|added| Distances { added, most });
                layer.attention.within(x, &lengths, distances)
            });
            self.part(&mut x, &layer.norm, |x| layer.feed_forward.forward(x));
        }
        if let Some(norm) = &self.encoder.last_norm {
            norm.apply(&mut x);
        }
        Ok(x)
    }

    /// The caches from which each of the texts is answered.
    ///
    /// # Errors
    /// As [`Seq2Seq::encode`].
    pub fn read(&self, texts: &[&[u32]]) -> Result<Vec<Cache>> {
        let states = self.encode(texts)?;
        let mut read: Vec<Vec<Entries>> = texts.iter().map(|_| Vec::new()).collect();
        for layer in &self.decoder.layers {
            let Some((cross, _)) = &layer.cross else {
                continue;
            };
            let line = cross.heads * cross.depth;
            let (keys, values) = (cross.key.forward(&states), cross.value.forward(&states));
            let mut at = 0;
            for (text, read) in texts.iter().zip(&mut read) {
                let own = at * line..(at + text.len()) * line;
                read.push(Entries {
                    keys: keys[own.clone()].to_vec(),
                    values: values[own].to_vec(),
                });
                at += text.len();
            }
        }
        let caches = read.into_iter().map(|text| Cache {
            text: text.into(),
            ..self.cache()
        });
        Ok(caches.collect())
    }

    /// Words with their positions.
    fn embed(
        &self,
        ids: &[u32],
        positions: impl Iterator<Item = usize>,
        stack: &Stack,
    ) -> Result<Vec<f32>> {
        let mut x = self.words.rows(ids)?;
        if self.embedding_scale != 1.0 {
            x.iter_mut().for_each(|x| *x *= self.embedding_scale);
        }
        if let Positions::Table(table) = &stack.positions {
            for (x, at) in x.chunks_exact_mut(self.width).zip(positions) {
                add(x, &table[at * self.width..][..self.width]);
            }
        }
        if let Some(norm) = &stack.first_norm {
            norm.apply(&mut x);
        }
        Ok(x)
    }

    /// `x` and what a part makes of it, normed before or after.
    fn part(&self, x: &mut [f32], norm: &Norm, part: impl FnOnce(&[f32]) -> Vec<f32>) {
        if self.norm_first {
            let mut normed = x.to_vec();
            norm.apply(&mut normed);
            add(x, &part(&normed));
        } else {
            let more = part(x);
            add(x, &more);
            norm.apply(x);
        }
    }

    /// The logits of the next word after states.
    fn tell(&self, mut states: Vec<f32>) -> Result<Vec<f32>> {
        if let Some(norm) = &self.decoder.last_norm {
            norm.apply(&mut states);
        }
        if self.output_scale != 1.0 {
            states.iter_mut().for_each(|x| *x *= self.output_scale);
        }
        let output = self.output.as_ref().unwrap_or(&self.words);
        let mut logits = output.forward(&states);
        if let Some(bias) = &self.output_bias {
            logits
                .chunks_exact_mut(self.vocabulary)
                .for_each(|logits| add(logits, bias));
        }
        finite(&logits)?;
        Ok(logits)
    }
}

impl Decoder for Seq2Seq {
    type Cache = Cache;

    fn context(&self) -> usize {
        self.context
    }

    /// A row that has read no text, which cannot go on: [`Seq2Seq::read`] makes those that can.
    fn cache(&self) -> Cache {
        Cache {
            layers: vec![Entries::default(); self.decoder.layers.len()],
            length: 0,
            text: Arc::new([]),
        }
    }

    fn length(&self, cache: &Cache) -> usize {
        cache.length
    }

    fn truncate(&self, cache: &mut Cache, length: usize) {
        for (entries, layer) in cache.layers.iter_mut().zip(&self.decoder.layers) {
            let line = layer.attention.heads * layer.attention.depth;
            entries.keys.truncate(length * line);
            entries.values.truncate(length * line);
        }
        cache.length = cache.length.min(length);
    }

    fn forward(&self, rows: &mut [Row<'_, Cache>]) -> Result<Vec<Vec<f32>>> {
        let mut positions = Vec::new();
        let mut ids = Vec::new();
        let mut most = 0;
        for row in rows.iter() {
            let after = row.cache.length + row.ids.len();
            if after > self.context {
                return Err(Error::Model(format!(
                    "an answer of {after} tokens, but the model writes {} at most",
                    self.context
                )));
            }
            if row.cache.text.is_empty() {
                return Err(Error::Model("an answer to no text".to_owned()));
            }
            positions.extend(row.cache.length..after);
            ids.extend(row.ids);
            most = most.max(after);
        }
        if ids.is_empty() {
            return Ok(vec![Vec::new(); rows.len()]);
        }
        let mut x = self.embed(&ids, positions.into_iter(), &self.decoder)?;
        let added = match &self.decoder.positions {
            Positions::Table(_) => None,
            Positions::Near(near) => Some(near.behind(most)),
        };
        let seen = added.as_ref().map_or(Seen::Before, |a| Seen::Near(a));
        for (i, layer) in self.decoder.layers.iter().enumerate() {
            self.part(&mut x, &layer.attention_norm, |x| {
                layer.attention.before(x, i, rows, seen)
            });
            if let Some((cross, norm)) = &layer.cross {
                self.part(&mut x, norm, |x| cross.over(x, i, rows));
            }
            self.part(&mut x, &layer.norm, |x| layer.feed_forward.forward(x));
        }
        // Words are told after the tokens that were asked about alone.
        let mut asked = Vec::new();
        let mut end = 0;
        for row in rows.iter_mut() {
            end += row.ids.len();
            row.cache.length += row.ids.len();
            let from = end - row.asked.min(row.ids.len());
            asked.extend(&x[from * self.width..end * self.width]);
        }
        if asked.is_empty() {
            return Ok(vec![Vec::new(); rows.len()]);
        }
        let logits = self.tell(asked)?;
        let mut rest = &logits[..];
        let each = rows.iter().map(|row| {
            let (logits, after) = rest.split_at(row.asked.min(row.ids.len()) * self.vocabulary);
            rest = after;
            logits.to_vec()
        });
        Ok(each.collect())
    }
}

impl Positions {
    /// How many there are, if not any number.
    fn count(&self, width: usize) -> Option<usize> {
        match self {
            Self::Table(table) => Some(table.len() / width),
            Self::Near(_) => None,
        }
    }
}

impl Near {
    /// `[heads][2 · most - 1]` for [`Distances`]: half of the buckets are for keys that stand after the query.
    fn both_ways(&self, most: usize) -> Vec<f32> {
        let half = self.buckets / 2;
        let ahead = (1..most).rev().map(|by| half + self.bucket(by, half));
        let behind = (0..most).map(|by| self.bucket(by, half));
        self.lines(ahead.chain(behind))
    }

    /// `[heads][most]` for [`Seen::Near`].
    fn behind(&self, most: usize) -> Vec<f32> {
        let behind = (0..most).rev();
        self.lines(behind.map(|by| self.bucket(by, self.buckets)))
    }

    fn lines(&self, buckets: impl Iterator<Item = usize>) -> Vec<f32> {
        let buckets: Vec<usize> = buckets.collect();
        let line = |head| {
            let of = move |bucket: &usize| self.added[bucket * self.heads + head];
            buckets.iter().map(of)
        };
        (0..self.heads).flat_map(line).collect()
    }

    /// The one of `buckets` that a distance is in: half of them are for one each, the others grow with its logarithm. Computed in 32 bits as
    /// transformers does, because at the edge of a bucket it matters.
    fn bucket(&self, by: usize, buckets: usize) -> usize {
        let exact = buckets / 2;
        if by < exact {
            return by;
        }
        let all = (self.furthest as f64 / exact as f64).ln() as f32;
        let share = (by as f32 / exact as f32).ln() / all;
        let more = share * (buckets - exact) as f32;
        (exact + more as usize).min(buckets - 1)
    }
}

impl Attention {
    /// Each text over itself.
    fn within(&self, x: &[f32], lengths: &[usize], distances: Option<Distances<'_>>) -> Vec<f32> {
        let line = self.heads * self.depth;
        let parts = [&self.query, &self.key, &self.value];
        let [queries, keys, values] = Linear::together(parts, x);
        let mut qkv = Vec::with_capacity(3 * queries.len());
        let lines = queries.chunks_exact(line).zip(keys.chunks_exact(line));
        for ((query, key), value) in lines.zip(values.chunks_exact(line)) {
            qkv.extend([query, key, value].into_iter().flatten());
        }
        let mut attended = vec![0.0; queries.len()];
        match distances {
            Some(d) => {
                kernel::relative_attention(&qkv, lengths, self.heads, d, &mut attended);
            }
            None => kernel::attention(&qkv, lengths, self.heads, &mut attended),
        }
        self.out.forward(&attended)
    }

    /// Each row over what it has said; keys and values go into the rows' caches, into those of layer `i`.
    fn before(&self, x: &[f32], i: usize, rows: &mut [Row<'_, Cache>], seen: Seen<'_>) -> Vec<f32> {
        let line = self.heads * self.depth;
        let queries = self.query.forward(x);
        let (keys, values) = (self.key.forward(x), self.value.forward(x));
        let mut at = 0;
        for row in rows.iter_mut() {
            let own = at * line..(at + row.ids.len()) * line;
            let entries = &mut row.cache.layers[i];
            entries.keys.extend(&keys[own.clone()]);
            entries.values.extend(&values[own]);
            at += row.ids.len();
        }
        let texts = rows.iter();
        let texts = texts.map(|row| row.cache.layers[i].past(row.ids.len()));
        let texts: Vec<Context<'_>> = texts.collect();
        self.attend(&queries, &texts, seen)
    }

    /// Each row over its text.
    fn over(&self, x: &[f32], i: usize, rows: &[Row<'_, Cache>]) -> Vec<f32> {
        let queries = self.query.forward(x);
        let texts = rows.iter();
        let texts = texts.map(|row| row.cache.text[i].past(row.ids.len()));
        let texts: Vec<Context<'_>> = texts.collect();
        self.attend(&queries, &texts, Seen::All)
    }

    fn attend(&self, queries: &[f32], texts: &[Context<'_>], seen: Seen<'_>) -> Vec<f32> {
        let heads = (self.heads, self.depth);
        let attended = kernel::decoder_attention(queries, texts, heads, self.scale, seen);
        self.out.forward(&attended)
    }
}

impl Entries {
    fn past(&self, rows: usize) -> Context<'_> {
        Context {
            keys: &self.keys,
            values: &self.values,
            rows,
        }
    }
}

impl FeedForward {
    fn forward(&self, x: &[f32]) -> Vec<f32> {
        let mut inner = self.up.forward(x);
        match &self.gated {
            Some(gated) => kernel::gated(&mut inner, &gated.forward(x), self.activation),
            None => kernel::activate(&mut inner, self.activation),
        }
        self.down.forward(&inner)
    }
}

impl Norm {
    fn apply(&self, x: &mut [f32]) {
        match self {
            Self::Rms(gamma, eps) => kernel::rms_norm_rows(x, gamma, *eps),
            Self::Layer(gamma, beta, eps) => kernel::layer_norm(x, gamma, beta, *eps),
        }
    }
}

fn add(x: &mut [f32], more: &[f32]) {
    for (x, more) in x.iter_mut().zip(more) {
        *x += more;
    }
}
