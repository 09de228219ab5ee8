//! An encoder that reads each window by itself, several at once: no padding, so no masks, and nothing that another window could change.

use candle_core::Tensor;
use rayon::prelude::*;

use super::{Encoder, Window};
use crate::error::Result;

/// A network that reads one window.
pub trait Network: Send + Sync {
    /// Hidden states `[tokens][width]` of `window`.
    ///
    /// # Errors
    /// candle's.
    fn states(&self, window: &Window) -> candle_core::Result<Tensor>;
}

/// Such a network as an encoder.
pub struct Alone<N>(pub N);

impl<N: Network> Encoder for Alone<N> {
    fn encode(&self, windows: &[&Window]) -> Result<Vec<f32>> {
        let states: Vec<Vec<f32>> = windows
            .par_iter()
            .map(|window| Ok(self.0.states(window)?.flatten_all()?.to_vec1()?))
            .collect::<Result<_>>()?;
        Ok(states.concat())
    }
}
