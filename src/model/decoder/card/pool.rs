//! Keys and values of all texts on a card, in slots of one pool a layer.
//!
//! A pass gets slots side by side, and a row's cache is the list of those of its tokens: copying or cutting one moves nothing on the card.
//! Slots are not given back one by one, but all anew when no cache has any; so that this comes to pass, callers take turns
//! ([`Decoder::turn`](crate::decode::Decoder::turn)).

use std::ops::Range;
use std::sync::Arc;

use candle_core::{Result as Computed, Tensor, bail};

use crate::kernel::Heads;
use crate::model::device::Card;

/// Slots of the first pool.
pub(super) const SLOTS: usize = 4096;

/// Keys and values.
#[derive(Default)]
pub(super) struct Pool {
    /// Of each layer, `[slots][heads of keys · width]`.
    pub(super) layers: Vec<[Tensor; 2]>,
    /// Slots that there are, and that have been given out.
    pub(super) slots: usize,
    pub(super) given: usize,
    /// Held by every cache that has slots.
    used: Arc<()>,
}

/// A row's slots, in the order of its tokens.
#[derive(Debug, Clone, Default)]
pub struct Cache {
    pub(super) slots: Vec<u32>,
    used: Option<Arc<()>>,
}

impl Pool {
    /// Makes room for `count` more tokens in each of `layers`, and says where it begins; all anew where no cache has any.
    pub(super) fn room(
        &mut self,
        count: usize,
        layers: usize,
        heads: Heads,
        card: &Card,
    ) -> Computed<usize> {
        if Arc::strong_count(&self.used) == 1 {
            self.given = 0;
        }
        let needed = self.given + count;
        if needed <= self.slots {
            return Ok(self.given);
        }
        if self.given == 0 {
            // Nothing is kept, so that the old need not stand beside the new.
            (self.layers, self.slots) = (Vec::new(), 0);
        }
        let slots = needed.max(2 * self.slots).max(SLOTS);
        let width = heads.keys * heads.width;
        if slots * width > u32::MAX as usize {
            bail!("out of memory: {slots} tokens have more keys than candle's kernels count");
        }
        let grown = |old: Option<&Tensor>| -> Computed<Tensor> {
            let new = Tensor::zeros((slots, width), card.dtype, &card.device)?;
            if let Some(old) = old {
                new.slice_set(&old.narrow(0, 0, self.given)?, 0, 0)?;
            }
            Ok(new)
        };
        // A layer after the other: larger ones do no harm where a later one fails.
        for i in 0..layers {
            let old = self.layers.get(i);
            let layer = [
                grown(old.map(|[keys, _]| keys))?,
                grown(old.map(|[_, values]| values))?,
            ];
            match self.layers.get_mut(i) {
                Some(place) => *place = layer,
                None => self.layers.push(layer),
            }
        }
        self.slots = slots;
        Ok(self.given)
    }

    /// Gives `cache` the slots that its new tokens were written to.
    pub(super) fn give(&mut self, slots: Range<usize>, cache: &mut Cache) {
        self.given = self.given.max(slots.end);
        cache.used.get_or_insert_with(|| self.used.clone());
        cache.slots.extend(slots.start as u32..slots.end as u32);
    }
}
