//! What stands between the two products of a feed-forward part, alone or as a gate of another's numbers (Shazeer 2020, arXiv 2002.05202).

use multiversion::multiversion;
use rayon::prelude::*;

use super::float::{gelu, sigmoid};

/// Numbers of a task.
const PART: usize = 1 << 14;

/// What is made of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// What is above 0.
    Relu,
    /// By the error function.
    Gelu,
    /// The approximation of GELU by the hyperbolic tangent.
    GeluTanh,
    /// `x · sigmoid(x)`.
    Silu,
}

/// The activation of each number, in place.
pub fn activate(x: &mut [f32], activation: Activation) {
    x.par_chunks_mut(PART).for_each(|x| part(x, activation));
}

/// `activation(gate) · up`, into `gate`.
pub fn gated(gate: &mut [f32], up: &[f32], activation: Activation) {
    gate.par_chunks_mut(PART)
        .zip(up.par_chunks(PART))
        .for_each(|(gate, up)| {
            part(gate, activation);
            for (gate, up) in gate.iter_mut().zip(up) {
                *gate *= up;
            }
        });
}

fn part(x: &mut [f32], activation: Activation) {
    match activation {
        Activation::Relu => relu(x),
        Activation::Gelu => gelu(x),
        Activation::GeluTanh => gelu_tanh(x),
        Activation::Silu => silu(x),
    }
}

fn relu(x: &mut [f32]) {
    for x in x {
        // Not `max`, which would make a number of NaN.
        *x = if *x < 0.0 { 0.0 } else { *x };
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn gelu_tanh(x: &mut [f32]) {
    // 2 · √(2 / π): half of one plus a hyperbolic tangent is a sigmoid of twice as much.
    const SLOPE: f32 = 1.595_769;
    for x in x {
        *x *= sigmoid(SLOPE * (*x + 0.044_715 * *x * *x * *x));
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn silu(x: &mut [f32]) {
    for x in x {
        *x *= sigmoid(*x);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::near;
    use super::*;

    #[test]
    fn activations_are_what_tables_say_and_keep_what_is_no_number() {
        for (activation, wanted) in [
            (Activation::Relu, [0.0, 0.0, 1.0, 3.0]),
            (
                Activation::Gelu,
                [-0.045_500_264, 0.0, 0.841_344_7, 2.995_950_3],
            ),
            (
                Activation::GeluTanh,
                [-0.045_402_3, 0.0, 0.841_192, 2.996_362_6],
            ),
            (
                Activation::Silu,
                [-0.238_405_85, 0.0, 0.731_058_6, 2.857_722_3],
            ),
        ] {
            let mut x = [-2.0, 0.0, 1.0, 3.0];
            activate(&mut x, activation);
            near(&x, &wanted);
            let mut odd = [f32::NAN, f32::INFINITY];
            activate(&mut odd, activation);
            assert!(odd.iter().all(|x| !x.is_finite()), "{activation:?}");
        }
    }

    #[test]
    fn gates_are_those_of_pytorch() {
        for (function, expected) in [
            (Activation::Silu, [0.0, -0.537_883, 0.0, 1.462_117, 200.0]),
            (
                Activation::GeluTanh,
                [0.0, -0.317_616, 0.0, 1.682_384, 200.0],
            ),
        ] {
            let mut gate = [-100.0, -1.0, 0.0, 1.0, 100.0];
            gated(&mut gate, &[2.0; 5], function);
            for (found, wanted) in gate.iter().zip(expected) {
                assert!((found - wanted).abs() < 1e-5, "{found} {wanted}");
            }
        }
    }
}
