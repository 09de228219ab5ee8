//! Fast CPU paths over plain slices, chosen at run time; the crate's only `unsafe`.
//!
//! Two rules keep *alone = together*, byte for byte: a row's result never depends on which rows stand beside it or on the number
//! of threads, and no path reassociates a float sum (integer products are exact; float reductions run in a fixed order of 16
//! lanes). Float code is plain Rust that the compiler vectorises; only the 8-bit product needs intrinsics.

#![allow(unsafe_code)]

mod float;
mod int8;

pub use float::{add_layer_norm, attention, dense, embed, gelu, sigmoid, softmax};
pub use int8::{Int8Linear, Isa};
