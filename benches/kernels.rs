//! The encoder's kernels on one 8 × 256 batch of the embedded model's shape, and the decoder's in SmolLM2-135M's, one thread.
//!
//! `cargo bench --bench kernels`

use criterion::{Criterion, criterion_group, criterion_main};
use tidings::kernel::{
    Blocks, Heads, Int8Linear, Isa, Memory, Packed, Past, add_layer_norm, attention,
    block_products, causal_attention, gelu,
};

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

fn decoder(c: &mut Criterion) {
    let (width, inner) = (576, 1536);
    for kind in [Blocks::Q4_0, Blocks::Q4_1, Blocks::Q8_0] {
        // Bits without a pattern, but for those that would make a scale infinite.
        let bytes = numbers(width / 32 * inner * kind.bytes());
        let bytes: Vec<u8> = bytes
            .iter()
            .map(|v| (v * 127.0) as i8 as u8 & 0xbf)
            .collect();
        for isa in Isa::available() {
            let Some(packed) = Packed::with_isa(kind, &bytes, (width, inner), isa) else {
                continue;
            };
            for rows in [1, 64] {
                let x = numbers(rows * width);
                let name = format!("blocks {kind:?} {rows}x{width}x{inner} {isa:?}");
                c.bench_function(&name, |b| b.iter(|| block_products(&x, &[&packed])));
            }
        }
    }
    let heads = Heads {
        queries: 9,
        keys: 3,
        width: 64,
        scale: 0.125,
    };
    let tokens = 512;
    let mut memory = Memory::new(heads);
    memory.push(&numbers(tokens * 192), &numbers(tokens * 192));
    for rows in [1, tokens] {
        let queries = numbers(rows * 576);
        let text = Past {
            memory: &memory,
            rows,
        };
        c.bench_function(&format!("causal attention {rows} of {tokens}"), |b| {
            b.iter(|| causal_attention(&queries, &[text], heads, None));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = kernels, decoder
}
criterion_main!(benches);
