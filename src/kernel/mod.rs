//! Fast CPU paths over plain slices, chosen at run time; the crate's only `unsafe`.
//!
//! Two rules keep *alone = together*, byte for byte: a row's result never depends on which rows stand beside it or on the number
//! of threads, and float sums run in a fixed order (integer products are exact; the attention products are the `gemm` crate's, whose path
//! depends on their shape, which is the window's own). Float code is plain Rust that the compiler vectorises; only the 8-bit product needs intrinsics.

#![allow(unsafe_code)]

mod float;
mod int8;

pub use float::{add_layer_norm, attention, dense, embed, exp, gelu, sigmoid, softmax};
pub use int8::{Int8Linear, Isa};
