//! Which tokens of a pass are whose, as lists on the card: made once for all layers.

use candle_core::{Result as Computed, Tensor};

use super::pool::Cache;
use crate::decode::Row;
use crate::kernel::{self, Angles};
use crate::model::decoder::config::Config;
use crate::model::device::Card;

/// Tokens of a row with those before.
pub(super) fn length(row: &Row<'_, Cache>) -> usize {
    row.cache.slots.len() + row.ids.len()
}

/// The most new tokens of a row, and the most with those before.
pub(super) fn lengths(rows: &[Row<'_, Cache>]) -> (usize, usize) {
    let most = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
    (most, rows.iter().map(length).max().unwrap_or(0))
}

/// What all layers need to know of the rows of a pass.
pub(super) struct Batch {
    pub(super) rows: usize,
    /// New tokens of each row, padded, and all of its tokens, padded.
    pub(super) most: usize,
    pub(super) longest: usize,
    /// Where each row's new tokens stand among all, `[rows · most]`, and each of all in that; nothing where rows have equally many.
    pub(super) padded: Option<[Tensor; 2]>,
    /// The slots of each row's tokens, `[rows · longest]`.
    pub(super) slots: Tensor,
    /// What is added to the scores of each kind of layer, `[rows][1][most][longest]`.
    pub(super) masks: Vec<Tensor>,
    /// Cosines and sines of each kind of layer, `[tokens][pairs]`.
    pub(super) turns: Vec<Option<[Tensor; 2]>>,
}

impl Batch {
    /// The rows of a pass whose new tokens get the slots from `first` on.
    pub(super) fn new(
        rows: &[Row<'_, Cache>],
        first: usize,
        config: &Config,
        card: &Card,
    ) -> Computed<Self> {
        let (device, dtype) = (&card.device, card.dtype);
        let (most, longest) = lengths(rows);
        let cells = rows.len() * most;
        let (mut padded, mut packed) = (Vec::with_capacity(cells), Vec::new());
        let mut slots = Vec::with_capacity(rows.len() * longest);
        let mut positions = Vec::new();
        let mut token = 0;
        for (i, row) in rows.iter().enumerate() {
            let (before, new) = (row.cache.slots.len(), row.ids.len());
            let at = (first + token) as u32;
            slots.extend(&row.cache.slots);
            slots.extend(at..at + new as u32);
            // Padding reads any slot that has been written, and is masked.
            slots.resize((i + 1) * longest, first as u32);
            padded.extend(token as u32..(token + new) as u32);
            padded.resize((i + 1) * most, 0);
            packed.extend((i * most) as u32..(i * most + new) as u32);
            positions.extend(before..before + new);
            token += new;
        }
        let masks = config.kinds.iter().map(|kind| {
            let mut mask = vec![f32::NEG_INFINITY; cells * longest];
            for (row, mask) in rows.iter().zip(mask.chunks_exact_mut(most * longest)) {
                let before = row.cache.slots.len();
                for (i, line) in mask.chunks_exact_mut(longest).enumerate() {
                    // Padded queries see what the last one does: no line may be all −∞.
                    let last = i.min(row.ids.len().saturating_sub(1));
                    let end = (before + last + 1).min(longest);
                    let start = kind.window.map_or(0, |window| end.saturating_sub(window));
                    line[start..end].fill(0.0);
                }
            }
            let mask = Tensor::from_vec(mask, (rows.len(), 1, most, longest), device)?;
            mask.to_dtype(dtype)
        });
        let turns = config.kinds.iter().map(|kind| {
            let Some(rotary) = &kind.rotary else {
                return Ok(None);
            };
            let pairs = rotary.frequencies.len();
            let Angles { cos, sin, .. } =
                kernel::angles(&positions, &rotary.frequencies, rotary.scale);
            let tensor = |values| {
                Tensor::from_vec(values, (positions.len(), pairs), device)?.to_dtype(dtype)
            };
            Ok(Some([tensor(cos)?, tensor(sin)?]))
        });
        let (masks, turns) = (
            masks.collect::<Computed<_>>()?,
            turns.collect::<Computed<_>>()?,
        );
        Ok(Self {
            rows: rows.len(),
            most,
            longest,
            padded: match token == cells {
                true => None,
                false => Some([
                    Tensor::from_vec(padded, cells, device)?,
                    Tensor::from_vec(packed, token, device)?,
                ]),
            },
            slots: Tensor::from_vec(slots, rows.len() * longest, device)?,
            masks,
            turns,
        })
    }
}
