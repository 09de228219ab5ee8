//! A decoder where it computes: on the processor in integers and floats of our own kernels, or on a card.

use std::sync::MutexGuard;

use super::card::{self, OnCard};
use super::llama::{self, Llama};
use crate::decode::{Decoder, Row};
use crate::error::{Error, Result};
use crate::model::device::Card;

/// The decoder.
pub enum Placed {
    /// On the processor.
    Cpu(Llama),
    /// On a card.
    Card(OnCard),
}

/// What a row has read, where it was read.
#[derive(Debug, Clone)]
pub enum Cache {
    /// In memory.
    Cpu(llama::Cache),
    /// On the card.
    Card(card::Cache),
}

impl Placed {
    /// Leaves `decoder` where it is, or brings it onto the card.
    ///
    /// # Errors
    /// [`Error::Model`] when the card fails.
    pub fn new(decoder: Llama, card: Option<Card>) -> Result<Self> {
        match card {
            None => Ok(Self::Cpu(decoder)),
            Some(card) => Ok(Self::Card(OnCard::new(&decoder, card)?)),
        }
    }

    /// Tokens of the vocabulary.
    pub fn words(&self) -> usize {
        match self {
            Self::Cpu(decoder) => decoder.words(),
            Self::Card(decoder) => decoder.words(),
        }
    }

    /// Tokens that whoever keeps caches of all of them reads at once, at most: a card's memory holds less than a machine's.
    pub fn most(&self) -> usize {
        match self {
            Self::Cpu(_) => usize::MAX,
            Self::Card(_) => card::TOKENS,
        }
    }

    /// What a person should hear of how computing went; said once.
    pub fn warning(&self) -> Option<String> {
        match self {
            Self::Cpu(_) => None,
            Self::Card(decoder) => decoder.warning(),
        }
    }
}

impl Decoder for Placed {
    type Cache = Cache;

    fn context(&self) -> usize {
        match self {
            Self::Cpu(decoder) => decoder.context(),
            Self::Card(decoder) => decoder.context(),
        }
    }

    fn cache(&self) -> Cache {
        match self {
            Self::Cpu(decoder) => Cache::Cpu(decoder.cache()),
            Self::Card(decoder) => Cache::Card(decoder.cache()),
        }
    }

    fn length(&self, cache: &Cache) -> usize {
        match (self, cache) {
            (Self::Cpu(decoder), Cache::Cpu(cache)) => decoder.length(cache),
            (Self::Card(decoder), Cache::Card(cache)) => decoder.length(cache),
            _ => 0,
        }
    }

    fn truncate(&self, cache: &mut Cache, length: usize) {
        match (self, cache) {
            (Self::Cpu(decoder), Cache::Cpu(cache)) => decoder.truncate(cache, length),
            (Self::Card(decoder), Cache::Card(cache)) => decoder.truncate(cache, length),
            _ => {}
        }
    }

    fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        match self {
            Self::Cpu(decoder) => decoder.turn(),
            Self::Card(decoder) => decoder.turn(),
        }
    }

    fn forward(&self, rows: &mut [Row<'_, Cache>]) -> Result<Vec<Vec<f32>>> {
        match self {
            Self::Cpu(decoder) => decoder.forward(&mut own(rows, |cache| match cache {
                Cache::Cpu(cache) => Some(cache),
                Cache::Card(_) => None,
            })?),
            Self::Card(decoder) => decoder.forward(&mut own(rows, |cache| match cache {
                Cache::Card(cache) => Some(cache),
                Cache::Cpu(_) => None,
            })?),
        }
    }
}

/// The rows with the caches of where their decoder computes.
fn own<'r, C>(
    rows: &'r mut [Row<'_, Cache>],
    of: impl Fn(&mut Cache) -> Option<&mut C>,
) -> Result<Vec<Row<'r, C>>> {
    let rows = rows.iter_mut().map(|row| {
        let cache = of(row.cache)
            .ok_or_else(|| Error::Model("a cache is of a decoder elsewhere".to_owned()))?;
        Ok(Row {
            ids: row.ids,
            cache,
            asked: row.asked,
        })
    });
    rows.collect()
}
