//! Fast CPU paths over plain slices, chosen at run time; the crate's only `unsafe`.
//!
//! Two rules keep *alone = together*, byte for byte: a row's result never depends on which rows stand beside it or on the number
//! of threads, and float sums run in a fixed order (integer products are exact). Float code is plain Rust that the compiler vectorises;
//! only three products, of the two kinds of few bits and attention's, need intrinsics. Every processor computes the same bytes: a fused multiply-add rounds
//! once, in hardware or not (so `fma` stands beside `avx2` wherever a function is compiled for it: without it each would be a call).

#![allow(unsafe_code)]

mod activation;
mod attention;
mod blocks;
mod decoder;
mod float;
mod int8;
mod memory;
pub mod peak;
mod product;
mod seq2seq;

pub use activation::{Activation, activate, gated};
pub use attention::{Distances, attention, relative_attention};
pub use blocks::{Blocks, Packed, block_products, block_products_into};
pub use decoder::{Angles, Heads, Pairs, angles, rms_norm, rms_norm_rows, rotate};
pub use float::{add_layer_norm, dense, embed, exp, gelu, sigmoid, softmax};
pub use int8::{Int8Linear, Isa};
pub use memory::{Memory, Past, causal_attention};
pub use product::{Bf16, Weights, product};
pub use seq2seq::{Context, Seen, decoder_attention, layer_norm};

#[cfg(test)]
mod testing {
    /// That no two numbers lie apart.
    pub(super) fn near(found: &[f32], wanted: &[f32]) {
        assert_eq!(found.len(), wanted.len());
        for (found, wanted) in found.iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-5, "{found} {wanted}");
        }
    }

    /// Numbers from -1 to 1 that look drawn, the same for the same seed.
    pub(super) fn values(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }
}
