//! The encoder's kernels on one 8 × 256 batch of the embedded model's shape, one thread.
//!
//! `cargo bench --bench kernels`

use criterion::{Criterion, criterion_group, criterion_main};
use tidings::kernel::{Int8Linear, Isa, add_layer_norm, attention, gelu};

const TOKENS: usize = 2048;
const WIDTH: usize = 384;
const INNER: usize = 1536;

/// Numbers in [-1, 1) without a pattern.
fn numbers(n: usize) -> Vec<f32> {
    (0..n as u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 23) as f32 - 1.0)
        .collect()
}

fn kernels(c: &mut Criterion) {
    // Should a pool exist already, the figures are of its size; nothing here makes one.
    rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build_global()
        .ok();
    let x = numbers(TOKENS * WIDTH);
    let weight: Vec<i8> = numbers(WIDTH * INNER)
        .iter()
        .map(|v| (v * 127.0) as i8)
        .collect();
    for isa in Isa::available() {
        let (scales, bias) = (vec![0.01; INNER], vec![0.0; INNER]);
        let mut y = vec![0.0; TOKENS * INNER];
        let size = (WIDTH, INNER);
        if let Some(layer) = Int8Linear::with_isa(&weight, scales, bias, &[1, 2, 3, 4], size, isa) {
            c.bench_function(&format!("int8 {TOKENS}x{WIDTH}x{INNER} {isa:?}"), |b| {
                b.iter(|| layer.forward(&x, &mut y, |_, _| ()));
            });
        }
    }
    let qkv = numbers(TOKENS * 3 * WIDTH);
    let mut attended = vec![0.0; TOKENS * WIDTH];
    c.bench_function("attention 8x256", |b| {
        b.iter(|| attention(&qkv, &[256; 8], 12, &mut attended))
    });
    let mut inner = numbers(TOKENS * INNER);
    c.bench_function("gelu 2048x1536", |b| b.iter(|| gelu(&mut inner)));
    let (mut y, ones) = (numbers(TOKENS * WIDTH), vec![1.0; WIDTH]);
    c.bench_function("add layer norm 2048x384", |b| {
        b.iter(|| add_layer_norm(&mut y, &x, &ones, &ones, 1e-12));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = kernels
}
criterion_main!(benches);
