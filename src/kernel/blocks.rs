//! `y = x · Wᵀ` with weights in blocks of 4 or 8 bits, as GGUF files have them, never spread out: a row becomes bytes with a scale for each
//! block of 32, and a block of weights meets a block of the row in one exact integer sum, which the two scales make a float.
//!
//! Weights are packed once, in as many bytes as they were stored in, so that a register holds four inputs of 16 outputs. An element of `y` is
//! a sum over blocks from the first to the last, whatever stands beside it, on every instruction set.

mod quantise;
mod tiles;

use std::ops::Range;

use rayon::prelude::*;

use self::quantise::{Line, Rows};
#[cfg(target_arch = "x86_64")]
use self::tiles::x86;
use self::tiles::{Tile, portable};
use super::Isa;

/// Weights of a block.
const BLOCK: usize = 32;
/// Outputs of a tile: one 512-bit register of 32-bit sums.
const OUTPUTS: usize = 16;
/// Inputs that one dot-product instruction takes for each output.
const GROUP: usize = 4;
/// Rows that are multiplied at once, where there are as many.
const TILE_ROWS: usize = 8;
/// Rows of a task, where there are enough for several.
const TASK_ROWS: usize = 2 * TILE_ROWS;
/// Rows that are too few for that.
const FEW_ROWS: usize = 4 * TASK_ROWS;
/// Tasks of few rows for each thread.
const TASKS_A_THREAD: usize = 4;

/// Blocks of 32 weights, as GGUF files have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocks {
    /// A scale in half precision, and 4 bits each, from -8 on.
    Q4_0,
    /// A scale and a least value in half precision, and 4 bits each.
    Q4_1,
    /// A scale in half precision, and 8 bits each.
    Q8_0,
}

impl Blocks {
    /// Bytes of a block.
    pub fn bytes(self) -> usize {
        match self {
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q8_0 => 34,
        }
    }

    /// Whether scale and least value of a block are numbers.
    fn is_finite(self, block: &[u8]) -> bool {
        let halves = match self {
            Self::Q4_0 | Self::Q8_0 => 1,
            Self::Q4_1 => 2,
        };
        let mut halves = block.chunks_exact(2).take(halves);
        // All bits of the exponent are an infinity or no number.
        halves.all(|half| half[1] & 0x7c != 0x7c)
    }

    /// Those before the weights.
    fn head(self) -> usize {
        match self {
            Self::Q4_0 | Self::Q8_0 => 2,
            Self::Q4_1 => 4,
        }
    }
}

/// What sets one kind of blocks apart from another, where it is multiplied.
trait Format {
    /// Two weights in a byte, not one.
    const NIBBLES: bool;
    /// What the stored number 0 is below the weight 0.
    const OFFSET: i32;
    /// Whether a block has a least value beside its scale.
    const LEAST: bool;
    /// Bytes before the weights of a packed block: scales in half precision, then least values.
    const HEAD: usize = if Self::LEAST { 4 } else { 2 } * OUTPUTS;
    /// Bytes of a packed block.
    const BYTES: usize = Self::HEAD + if Self::NIBBLES { BLOCK / 2 } else { BLOCK } * OUTPUTS;

    /// The stored number of an output's input number `i`.
    fn weight(weights: &[[u8; GROUP * OUTPUTS]], output: usize, i: usize) -> i32 {
        let byte = |i: usize| weights[i / GROUP][output * GROUP + i % GROUP];
        i32::from(match (Self::NIBBLES, i < BLOCK / 2) {
            (false, _) => byte(i),
            (true, true) => byte(i) & 15,
            (true, false) => byte(i - BLOCK / 2) >> 4,
        })
    }
}

struct Q4_0;
struct Q4_1;
struct Q8_0;

impl Format for Q4_0 {
    const NIBBLES: bool = true;
    const OFFSET: i32 = 8;
    const LEAST: bool = false;
}

impl Format for Q4_1 {
    const NIBBLES: bool = true;
    const OFFSET: i32 = 0;
    const LEAST: bool = true;
}

impl Format for Q8_0 {
    const NIBBLES: bool = false;
    const OFFSET: i32 = 128;
    const LEAST: bool = false;
}

/// A matrix `[outputs][inputs]` in blocks.
#[derive(Debug, Clone)]
pub struct Packed {
    kind: Blocks,
    inputs: usize,
    outputs: usize,
    /// `[outputs / 16][inputs / 32]`, each 16 scales, perhaps 16 least values, and `[8 or 4][16][4]` weights; of 4 bits the second half is in the
    /// upper bits. Where the outputs do not divide, zeros.
    bytes: Vec<u8>,
    isa: Isa,
}

impl Packed {
    /// Packs blocks in the order of a GGUF file for the best instruction set.
    ///
    /// Returns `None` when there are not as many of them as `inputs` and `outputs` say.
    pub fn new(kind: Blocks, blocks: &[u8], (inputs, outputs): (usize, usize)) -> Option<Self> {
        Self::with_isa(kind, blocks, (inputs, outputs), Isa::best())
    }

    /// As [`Packed::new`], for one instruction set, which must be [`Isa::available`].
    pub fn with_isa(
        kind: Blocks,
        blocks: &[u8],
        (inputs, outputs): (usize, usize),
        isa: Isa,
    ) -> Option<Self> {
        let each = inputs / BLOCK;
        let length = each.checked_mul(outputs)?.checked_mul(kind.bytes())?;
        let fits = inputs.is_multiple_of(BLOCK)
            && length > 0
            && blocks.len() == length
            && Isa::available().contains(&isa)
            && blocks
                .par_chunks_exact(kind.bytes())
                .all(|block| kind.is_finite(block));
        if !fits {
            return None;
        }
        let size = kind.bytes() * OUTPUTS;
        let mut bytes = vec![0u8; outputs.div_ceil(OUTPUTS) * each * size];
        bytes
            .par_chunks_mut(each * size)
            .zip(blocks.par_chunks(OUTPUTS * each * kind.bytes()))
            .for_each(|(packed, rows)| {
                for (output, row) in rows.chunks_exact(each * kind.bytes()).enumerate() {
                    let row = row.chunks_exact(kind.bytes());
                    for (packed, block) in packed.chunks_exact_mut(size).zip(row) {
                        pack(kind, output, block, packed);
                    }
                }
            });
        Some(Self {
            kind,
            inputs,
            outputs,
            bytes,
            isa,
        })
    }

    /// Width of an input row.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Width of an output row.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Row number `output` of the matrix, as floats.
    pub fn row(&self, output: usize) -> Vec<f32> {
        match self.kind {
            Blocks::Q4_0 => self.spread::<Q4_0>(output),
            Blocks::Q4_1 => self.spread::<Q4_1>(output),
            Blocks::Q8_0 => self.spread::<Q8_0>(output),
        }
    }

    fn spread<F: Format>(&self, output: usize) -> Vec<f32> {
        let (tile, output) = (self.tile(output / OUTPUTS), output % OUTPUTS);
        let mut row = Vec::with_capacity(self.inputs);
        for block in tile.chunks_exact(F::BYTES) {
            let weights = block[F::HEAD..].as_chunks().0;
            let scale = half(block, 2 * output);
            let least = match F::LEAST {
                true => half(block, 2 * (OUTPUTS + output)),
                false => 0.0,
            };
            let weight = |i| (F::weight(weights, output, i) - F::OFFSET) as f32;
            row.extend((0..BLOCK).map(|i| weight(i) * scale + least));
        }
        row
    }

    /// Tiles of 16 outputs.
    fn tiles(&self) -> usize {
        self.outputs.div_ceil(OUTPUTS)
    }

    fn tile(&self, tile: usize) -> &[u8] {
        let size = self.inputs / BLOCK * self.kind.bytes() * OUTPUTS;
        &self.bytes[tile * size..][..size]
    }

    /// Multiplies some rows with a tile.
    fn multiply(&self, lines: &[Line<'_>], tile: usize, y: &mut [Tile]) {
        let weights = self.tile(tile);
        match self.kind {
            Blocks::Q4_0 => multiply::<Q4_0>(self.isa, lines, weights, y),
            Blocks::Q4_1 => multiply::<Q4_1>(self.isa, lines, weights, y),
            Blocks::Q8_0 => multiply::<Q8_0>(self.isa, lines, weights, y),
        }
    }
}

/// `y = x · Wᵀ` of rows `[inputs]` for each of several matrices that have as many inputs: `[rows][outputs]`.
pub fn block_products(x: &[f32], weights: &[&Packed]) -> Vec<Vec<f32>> {
    let rows = weights.first().map_or(0, |first| x.len() / first.inputs);
    let mut all: Vec<Vec<f32>> = weights
        .iter()
        .map(|weights| vec![0f32; rows * weights.outputs])
        .collect();
    let places = all.iter_mut().zip(weights);
    let places = places.map(|(y, weights)| y.chunks_exact_mut(weights.outputs).collect());
    block_products_into(x, weights, places.collect());
    all
}

/// The same, where each row of each matrix has a place of its own.
///
/// # Panics
/// When the sizes disagree.
pub fn block_products_into(x: &[f32], weights: &[&Packed], places: Vec<Vec<&mut [f32]>>) {
    let Some(inputs) = weights.first().map(|first| first.inputs) else {
        return;
    };
    let rows = x.len() / inputs;
    assert!(weights.len() == places.len());
    for (weights, places) in weights.iter().zip(&places) {
        assert!(weights.inputs == inputs && places.len() == rows);
        assert!(places.iter().all(|place| place.len() == weights.outputs));
    }
    let tasks = match rows < FEW_ROWS {
        true => by_columns(weights, places),
        false => by_rows(weights, places),
    };
    let whole = match rows < FEW_ROWS {
        true => Some(Rows::quantise(x, inputs)),
        false => None,
    };
    tasks.into_par_iter().for_each(|(first_row, pieces)| {
        let count = pieces.first().map_or(0, |piece| piece.places.len());
        let own;
        let rows = match &whole {
            Some(whole) => whole,
            None => {
                own = Rows::quantise(&x[first_row * inputs..][..count * inputs], inputs);
                &own
            }
        };
        let lines: Vec<Line<'_>> = (0..rows.count()).map(|row| rows.line(row)).collect();
        let mut room = vec![[0f32; OUTPUTS]; lines.len()];
        for mut piece in pieces {
            for tile in piece.tiles.clone() {
                piece.weights.multiply(&lines, tile, &mut room);
                let at = (tile - piece.tiles.start) * OUTPUTS;
                for (place, found) in piece.places.iter_mut().zip(&room) {
                    let place = &mut place[at..];
                    let width = OUTPUTS.min(place.len());
                    place[..width].copy_from_slice(&found[..width]);
                }
            }
        }
    });
}

/// Some tiles of a matrix, and where each row of a task has its results.
struct Piece<'a> {
    weights: &'a Packed,
    tiles: Range<usize>,
    places: Vec<&'a mut [f32]>,
}

/// What a task has to do, and its first row.
type Task<'a> = (usize, Vec<Piece<'a>>);

/// Each task has all rows and some tiles, so that the weights are read once.
fn by_columns<'a>(weights: &[&'a Packed], places: Vec<Vec<&'a mut [f32]>>) -> Vec<Task<'a>> {
    let tiles: usize = weights.iter().map(|weights| weights.tiles()).sum();
    let each = tiles.div_ceil(TASKS_A_THREAD * rayon::current_num_threads());
    let mut tasks = Vec::new();
    for (weights, mut rest) in weights.iter().zip(places) {
        for first in (0..weights.tiles()).step_by(each) {
            let tiles = first..(first + each).min(weights.tiles());
            let mut places = Vec::with_capacity(rest.len());
            for rest in &mut rest {
                let width = rest.len().min(tiles.len() * OUTPUTS);
                let (own, after) = std::mem::take(rest).split_at_mut(width);
                places.push(own);
                *rest = after;
            }
            let piece = Piece {
                weights,
                tiles,
                places,
            };
            tasks.push((0, vec![piece]));
        }
    }
    tasks
}

/// Each task has some rows and all tiles, so that its rows become bytes in the processor's cache.
fn by_rows<'a>(weights: &[&'a Packed], places: Vec<Vec<&'a mut [f32]>>) -> Vec<Task<'a>> {
    let mut all: Vec<_> = places.into_iter().map(Vec::into_iter).collect();
    let mut tasks = Vec::new();
    let mut first = 0;
    while all.iter().any(|rest| rest.len() > 0) {
        let pieces = weights.iter().zip(&mut all).map(|(weights, rest)| Piece {
            weights,
            tiles: 0..weights.tiles(),
            places: rest.take(TASK_ROWS).collect(),
        });
        tasks.push((first, pieces.collect()));
        first += TASK_ROWS;
    }
    tasks
}

/// Puts a block of output number `output` of a tile among those of the others.
fn pack(kind: Blocks, output: usize, block: &[u8], packed: &mut [u8]) {
    let (head, weights) = block.split_at(kind.head());
    for (part, half) in head.chunks_exact(2).enumerate() {
        packed[2 * (part * OUTPUTS + output)..][..2].copy_from_slice(half);
    }
    let registers = packed[kind.head() * OUTPUTS..]
        .as_chunks_mut::<{ GROUP * OUTPUTS }>()
        .0;
    for (register, four) in registers.iter_mut().zip(weights.chunks_exact(GROUP)) {
        let place = &mut register[output * GROUP..][..GROUP];
        place.copy_from_slice(four);
        if kind == Blocks::Q8_0 {
            // From -128 on: the dot-product instructions multiply unsigned by signed.
            place.iter_mut().for_each(|byte| *byte ^= 0x80);
        }
    }
}

fn multiply<F: Format>(isa: Isa, lines: &[Line<'_>], weights: &[u8], y: &mut [Tile]) {
    match isa {
        // SAFETY (both): `with_isa` refuses a set that this processor lacks.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni => unsafe { x86::avx512::<F>(lines, weights, y) },
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 | Isa::AvxVnni => unsafe { x86::avx2::<F>(lines, weights, y) },
        _ => {
            for (line, y) in lines.iter().zip(y) {
                *y = portable::<F>(*line, weights);
            }
        }
    }
}

/// The number in half precision at `at`, which [`Blocks::is_finite`] has seen to be one.
#[inline(always)]
fn half(block: &[u8], at: usize) -> f32 {
    let bits = u16::from_le_bytes([block[at], block[at + 1]]);
    // Its exponent counts from 15, not from 127.
    let value = f32::from_bits(u32::from(bits & 0x7fff) << 13) * f32::from_bits(239 << 23);
    match bits >> 15 {
        0 => value,
        _ => -value,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const KINDS: [Blocks; 3] = [Blocks::Q4_0, Blocks::Q4_1, Blocks::Q8_0];

    /// Numbers without a pattern, below 2¹⁶.
    fn numbers(seed: u64) -> impl FnMut() -> u16 {
        let mut state = seed | 1;
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as u16
        }
    }

    /// Blocks of a matrix: scales of all sizes, and any bits.
    fn blocks(kind: Blocks, inputs: usize, outputs: usize, seed: u64) -> Vec<u8> {
        let mut next = numbers(seed);
        let block = |_| {
            let mut block: Vec<u8> = (0..kind.bytes()).map(|_| next() as u8).collect();
            for half in block[..kind.head()].chunks_exact_mut(2) {
                // Below 2, down to what has no leading bit.
                half[1] &= 0xbf;
            }
            block
        };
        (0..inputs / BLOCK * outputs).flat_map(block).collect()
    }

    fn rows(rows: usize, inputs: usize, seed: u64) -> Vec<f32> {
        let mut next = numbers(seed);
        let mut x: Vec<f32> = (0..rows * inputs)
            .map(|_| (f32::from(next()) / 32_768.0 - 1.0) * 3.0)
            .collect();
        x[..BLOCK].fill(0.0);
        x
    }

    /// The definition, written out from the blocks as they are stored.
    fn naive(kind: Blocks, blocks: &[u8], x: &[f32], inputs: usize) -> Vec<f32> {
        let each = inputs / BLOCK;
        let mut y = Vec::new();
        for x in x.chunks_exact(inputs) {
            for row in blocks.chunks_exact(each * kind.bytes()) {
                let mut sum = 0f32;
                for (block, x) in row.chunks_exact(kind.bytes()).zip(x.chunks_exact(BLOCK)) {
                    let top = x.iter().fold(0f32, |top, x| top.max(x.abs()));
                    let steps = if top > 1e-30 { 127.0 / top } else { 0.0 };
                    let x: Vec<i32> = x
                        .iter()
                        .map(|x| (x * steps).round_ties_even() as i32)
                        .collect();
                    let (head, weights) = block.split_at(kind.head());
                    let weight = |i: usize| match kind {
                        Blocks::Q8_0 => i32::from(weights[i].cast_signed()),
                        _ => {
                            let nibble = weights[i % 16] >> (i / 16 * 4) & 15;
                            i32::from(nibble) - if kind == Blocks::Q4_0 { 8 } else { 0 }
                        }
                    };
                    let scale = top / 127.0;
                    let product: i32 = x.iter().enumerate().map(|(i, x)| x * weight(i)).sum();
                    sum = (product as f32).mul_add(half(head, 0) * scale, sum);
                    if kind == Blocks::Q4_1 {
                        let total: i32 = x.iter().sum();
                        sum = half(head, 2).mul_add(scale * total as f32, sum);
                    }
                }
                y.push(sum);
            }
        }
        y
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn every_instruction_set_gives_the_bits_of_the_definition(
            count in 1usize..90, each in 1usize..5, outputs in 1usize..70, kind in 0usize..3, seed in any::<u64>(),
        ) {
            let (kind, inputs) = (KINDS[kind], each * BLOCK);
            let blocks = blocks(kind, inputs, outputs, seed);
            let x = rows(count, inputs, !seed);
            let expected = naive(kind, &blocks, &x, inputs);
            for isa in Isa::available() {
                let packed = Packed::with_isa(kind, &blocks, (inputs, outputs), isa).unwrap();
                prop_assert_eq!(&block_products(&x, &[&packed])[0], &expected, "{:?}", isa);
            }
        }
    }

    #[test]
    fn a_row_is_the_same_bits_alone_among_others_and_beside_other_matrices() {
        let (inputs, count) = (96, FEW_ROWS + TASK_ROWS + 3);
        let x = rows(count, inputs, 5);
        let matrices: Vec<Packed> = KINDS
            .into_iter()
            .zip([45, 64, 7])
            .map(|(kind, outputs)| {
                let blocks = blocks(kind, inputs, outputs, 6);
                Packed::new(kind, &blocks, (inputs, outputs)).unwrap()
            })
            .collect();
        let all: Vec<&Packed> = matrices.iter().collect();
        let together = block_products(&x, &all);
        let few = block_products(&x[..7 * inputs], &all);
        for ((packed, together), few) in matrices.iter().zip(&together).zip(&few) {
            assert_eq!(together.len(), count * packed.outputs());
            assert_eq!(few[..], together[..few.len()]);
            for (x, together) in x
                .chunks(inputs)
                .zip(together.chunks_exact(packed.outputs()))
            {
                assert_eq!(block_products(x, &[packed])[0], together);
            }
        }
    }

    #[test]
    fn a_row_of_infinities_and_nans_is_no_number() {
        for bad in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -f32::NAN] {
            for kind in KINDS {
                let blocks = blocks(kind, BLOCK, 3, 9);
                let mut x = [0.5; BLOCK];
                x[7] = bad;
                for isa in Isa::available() {
                    let packed = Packed::with_isa(kind, &blocks, (BLOCK, 3), isa).unwrap();
                    let y = block_products(&x, &[&packed]).remove(0);
                    assert!(y.iter().all(|y| !y.is_finite()), "{bad} {kind:?}: {y:?}");
                }
            }
        }
    }

    #[test]
    fn rows_of_the_matrix_are_what_was_packed() {
        let one = [0x00, 0x3c];
        let half = [0x00, 0xb8];
        let smallest = [0x01, 0x00];
        let row = |kind: Blocks, block: &[u8]| {
            let blank = vec![0; kind.bytes()];
            let blocks = [&blank, block].concat();
            Packed::new(kind, &blocks, (BLOCK, 2)).unwrap().row(1)
        };
        let four: Vec<u8> = (0..16).map(|i| i | (15 - i) << 4).collect();
        let found = row(Blocks::Q4_0, &[&one[..], &four].concat());
        let ends = (found[0], found[15], found[16], found[31]);
        assert_eq!(ends, (-8.0, 7.0, 7.0, -8.0));
        let found = row(Blocks::Q4_1, &[&half[..], &one, &four].concat());
        let ends = (found[0], found[2], found[16], found[31]);
        assert_eq!(ends, (1.0, 0.0, -6.5, 1.0));
        let eight: Vec<u8> = (0..32).map(|i: u8| i.wrapping_sub(16)).collect();
        let found = row(Blocks::Q8_0, &[&smallest[..], &eight].concat());
        assert_eq!(found[0], -16.0 * 2f32.powi(-24));
        assert_eq!(found[31], 15.0 * 2f32.powi(-24));
    }

    #[test]
    fn lengths_that_disagree_are_refused() {
        let new = |bytes: usize, size| Packed::new(Blocks::Q4_0, &vec![0; bytes], size).is_some();
        assert!(new(36, (32, 2)));
        assert!(!new(35, (32, 2)));
        assert!(!new(36, (33, 2)));
        assert!(!new(0, (0, 2)));
        assert!(!new(0, (32, 0)));
        assert!(!new(36, (usize::MAX / 32 * 32, 2)));
    }
}
