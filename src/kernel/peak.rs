//! What the instructions of the products can do at best: multiply-adds on registers alone, as many at once as hide their latency.
//!
//! No layer computes faster than this; `bench` measures how near ours come.

use std::hint::black_box;

use super::Isa;

/// Steps of every sum at a time: about 100 µs.
const ROUNDS: u32 = 1 << 14;

/// Computes 8-bit products by `isa` for a moment. Returns how many operations that were, a multiply-add being two.
pub fn int8(isa: Isa) -> u64 {
    match isa {
        // SAFETY (all three): each is asked for only where the processor has it.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni if Isa::available().contains(&isa) => unsafe { x86::avx512_vnni(ROUNDS) },
        #[cfg(target_arch = "x86_64")]
        Isa::AvxVnni if Isa::available().contains(&isa) => unsafe { x86::avx_vnni(ROUNDS) },
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 if Isa::available().contains(&isa) => unsafe { x86::avx2(ROUNDS) },
        _ => plain(
            ROUNDS,
            |sum: i32, a, b| sum.wrapping_add(i32::wrapping_mul(a, b)),
            [3, 5],
        ),
    }
}

/// Computes `f32` multiply-adds with the widest vectors there are for a moment. Returns how many operations that were.
pub fn float() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: checked above.
            return unsafe { x86::avx512_float(ROUNDS) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: checked above.
            return unsafe { x86::fma_float(ROUNDS) };
        }
    }
    plain(ROUNDS, |sum: f32, a, b| sum + a * b, [0.5, 0.25])
}

/// The same with what the compiler makes of plain Rust.
fn plain<T: Copy + Default>(rounds: u32, step: impl Fn(T, T, T) -> T, inputs: [T; 2]) -> u64 {
    const LANES: usize = 32;
    let (a, b) = (black_box([inputs[0]; LANES]), black_box([inputs[1]; LANES]));
    let mut sums = [T::default(); LANES];
    for _ in 0..rounds {
        for ((sum, a), b) in sums.iter_mut().zip(&a).zip(&b) {
            *sum = step(*sum, *a, *b);
        }
    }
    black_box(sums);
    u64::from(rounds) * LANES as u64 * 2
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::hint::black_box;

    /// Inputs that differ, so that no sum is another's copy.
    fn inputs<const N: usize>() -> [i32; N] {
        black_box(std::array::from_fn(|i| i as i32 + 1))
    }

    /// A loop over `ROWS × COLUMNS` sums of vectors, each step `operations` of them.
    macro_rules! peak {
        ($name:ident, $features:literal, $rows:literal, $columns:literal, $operations:literal, $zero:expr, $spread:expr, $step:expr) => {
            #[target_feature(enable = $features)]
            pub fn $name(rounds: u32) -> u64 {
                let a = inputs::<$rows>().map(|v| $spread(v));
                let b = inputs::<$columns>().map(|v| $spread(v));
                let mut sums = [[$zero; $columns]; $rows];
                for _ in 0..rounds {
                    // Hidden from the compiler, which would compute equal products once.
                    for (sums, a) in sums.iter_mut().zip(&black_box(a)) {
                        for (sum, b) in sums.iter_mut().zip(&b) {
                            *sum = $step(*sum, *a, *b);
                        }
                    }
                }
                black_box(sums);
                u64::from(rounds) * $rows * $columns * $operations
            }
        };
    }

    peak!(
        avx512_vnni,
        "avx512f,avx512bw,avx512vnni",
        4,
        4,
        128,
        _mm512_setzero_si512(),
        |v| _mm512_set1_epi32(v),
        |sum, a, b| _mm512_dpbusd_epi32(sum, a, b)
    );
    peak!(
        avx_vnni,
        "avx2,avxvnni",
        3,
        3,
        64,
        _mm256_setzero_si256(),
        |v| _mm256_set1_epi32(v),
        |sum, a, b| _mm256_dpbusd_avx_epi32(sum, a, b)
    );
    peak!(
        avx2,
        "avx2",
        3,
        3,
        32,
        _mm256_setzero_si256(),
        |v| _mm256_set1_epi32(v),
        |sum, a, b| _mm256_add_epi32(sum, _mm256_madd_epi16(a, b))
    );
    peak!(
        avx512_float,
        "avx512f",
        4,
        4,
        32,
        _mm512_setzero_ps(),
        |v| _mm512_set1_ps(v as f32),
        |sum, a, b| _mm512_fmadd_ps(a, b, sum)
    );
    peak!(
        fma_float,
        "avx2,fma",
        3,
        3,
        16,
        _mm256_setzero_ps(),
        |v| _mm256_set1_ps(v as f32),
        |sum, a, b| _mm256_fmadd_ps(a, b, sum)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_counts_its_operations() {
        for isa in Isa::available() {
            assert!(int8(isa) >= u64::from(ROUNDS) * 64, "{isa:?}");
        }
        assert!(float() >= u64::from(ROUNDS) * 64);
    }
}
