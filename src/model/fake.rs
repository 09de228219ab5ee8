//! A stand-in for the model: instant, deterministic and meaningless. With it the runner's tests take milliseconds, and what the runner
//! itself costs can be measured. Its answers depend on claim and text alone, as the model's do.

use super::{Reading, Window};

/// Words of the stand-in's vocabulary; 0 and 1 are the separators.
const WORDS: u64 = 1 << 16;

/// One id for each word, from its letters.
pub(super) fn encode(text: &str) -> Vec<u32> {
    text.split_whitespace()
        .map(|word| (fnv1a(word.bytes()) % WORDS) as u32 + 2)
        .collect()
}

/// Logits drawn from the ids of an article's windows.
pub(super) fn read(windows: &[Window]) -> Reading {
    let ids = |ids: &[u32]| fnv1a(ids.iter().flat_map(|id| id.to_le_bytes()));
    let all = windows.iter().map(|w| ids(&w.ids));
    let all = fnv1a(all.flat_map(u64::to_le_bytes));
    Reading {
        stance: [0, 16, 32, 48].map(|at| logit(all >> at)),
        evidence: windows
            .iter()
            .flat_map(|w| w.spans.iter().map(|span| logit(ids(&w.ids[span.clone()]))))
            .collect(),
    }
}

/// −4 to 4, from the lowest 16 bits.
fn logit(bits: u64) -> f32 {
    f32::from(bits as u16) / f32::from(u16::MAX) * 8.0 - 4.0
}

/// Fowler, Noll and Vo's hash, 64 bits.
fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
