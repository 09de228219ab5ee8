//! A GGUF file: named values, then named tensors, whole or in quantised blocks. Read in place, with every length checked before it is
//! used, because the file may come from anywhere.
//!
//! The format is that of llama.cpp's `gguf.md`, versions 2 and 3, in little-endian order.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use candle_core::quantized::GgmlDType;

use super::blocks;
use super::tensors::Matrix;
use crate::error::{Error, Result};
use crate::kernel::{Bf16, Blocks, Packed};

/// Values that a file may have, and tensors: the index of more would be no model's.
const MOST_VALUES: u64 = 4096;
const MOST_TENSORS: u64 = 1 << 16;
/// Bytes of a name.
const LONGEST_NAME: usize = 1 << 12;

/// A file, whose tensors are taken by name.
pub struct Gguf<'a> {
    values: BTreeMap<&'a str, Value<'a>>,
    tensors: BTreeMap<&'a str, Info<'a>>,
    taken: RefCell<BTreeSet<String>>,
}

/// A value of the file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// A whole number.
    Whole(i128),
    /// A number.
    Float(f64),
    /// Yes or no.
    Flag(bool),
    /// A text, in whatever bytes.
    Text(&'a [u8]),
    /// A list of values of one kind.
    List(List<'a>),
}

/// A list of values, read when it is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct List<'a> {
    kind: u32,
    count: usize,
    bytes: &'a [u8],
}

/// A tensor's description.
struct Info<'a> {
    /// As `[rows][columns]`, or one number.
    shape: Vec<usize>,
    kind: GgmlDType,
    data: &'a [u8],
}

/// What is left to read.
#[derive(Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        match self.0.split_at_checked(count) {
            Some((taken, rest)) => {
                self.0 = rest;
                Ok(taken)
            }
            None => fail("it ends too early"),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let taken = self.take(N)?;
        Ok(std::array::from_fn(|i| taken[i]))
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn length(&mut self) -> Result<usize> {
        usize::try_from(self.u64()?).or_else(|_| fail("a length is too large"))
    }

    fn text(&mut self) -> Result<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    fn name(&mut self) -> Result<&'a str> {
        match std::str::from_utf8(self.text()?) {
            Ok(name) if name.len() <= LONGEST_NAME => Ok(name),
            _ => fail("a name is no text of sensible length"),
        }
    }

    fn value(&mut self, kind: u32) -> Result<Value<'a>> {
        Ok(match kind {
            0 => Value::Whole(u8::from_le_bytes(self.array()?).into()),
            1 => Value::Whole(i8::from_le_bytes(self.array()?).into()),
            2 => Value::Whole(u16::from_le_bytes(self.array()?).into()),
            3 => Value::Whole(i16::from_le_bytes(self.array()?).into()),
            4 => Value::Whole(self.u32()?.into()),
            5 => Value::Whole(i32::from_le_bytes(self.array()?).into()),
            6 => Value::Float(f32::from_le_bytes(self.array()?).into()),
            7 => Value::Flag(self.array::<1>()? != [0]),
            8 => Value::Text(self.text()?),
            9 => {
                let kind = self.u32()?;
                let count = self.length()?;
                let start = self.0;
                match size_of_kind(kind) {
                    Some(size) => {
                        let bytes = count.saturating_mul(size);
                        self.take(bytes)?;
                    }
                    // Each takes bytes, so that a wrong count ends where the file does.
                    None if kind == 8 => {
                        for _ in 0..count {
                            self.text()?;
                        }
                    }
                    None => {
                        return fail(
                            "it has a list of lists, or of values of no kind that is known",
                        );
                    }
                }
                let bytes = &start[..start.len() - self.0.len()];
                Value::List(List { kind, count, bytes })
            }
            10 => Value::Whole(self.u64()?.into()),
            11 => Value::Whole(i64::from_le_bytes(self.array()?).into()),
            12 => Value::Float(f64::from_le_bytes(self.array()?)),
            _ => return fail("a value is of no kind that is known"),
        })
    }
}

/// Bytes of a value that has always as many.
fn size_of_kind(kind: u32) -> Option<usize> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

impl<'a> List<'a> {
    /// The values in order.
    pub fn values(self) -> impl Iterator<Item = Value<'a>> {
        let mut bytes = Bytes(self.bytes);
        (0..self.count).map_while(move |_| bytes.value(self.kind).ok())
    }
}

impl<'a> Gguf<'a> {
    /// Whether `bytes` begin as such a file does.
    pub fn is(bytes: &[u8]) -> bool {
        bytes.starts_with(b"GGUF")
    }

    /// Reads the index of a file.
    ///
    /// # Errors
    /// [`Error::Model`] when it is none that can be read.
    pub fn read(file: &'a [u8]) -> Result<Self> {
        let mut bytes = Bytes(file);
        if bytes.array()? != *b"GGUF" {
            return fail("it does not begin with GGUF");
        }
        let version = bytes.u32()?;
        if !(2..=3).contains(&version) {
            return fail(&format!(
                "version {version} of the format; 2 and 3 can be read"
            ));
        }
        let (tensor_count, value_count) = (bytes.u64()?, bytes.u64()?);
        if tensor_count > MOST_TENSORS || value_count > MOST_VALUES {
            return fail(&format!(
                "it claims {tensor_count} tensors and {value_count} values, more than any model has"
            ));
        }
        let mut values = BTreeMap::new();
        for _ in 0..value_count {
            let name = bytes.name()?;
            let kind = bytes.u32()?;
            if values.insert(name, bytes.value(kind)?).is_some() {
                return fail(&format!("the value `{name}` is there twice"));
            }
        }
        let alignment = match values.get("general.alignment") {
            None => 32,
            Some(Value::Whole(n @ 1..=65536)) if n.count_ones() == 1 => *n as usize,
            Some(_) => return fail("general.alignment is no power of two"),
        };
        let mut found = Vec::new();
        for _ in 0..tensor_count {
            let name = bytes.name()?;
            let dimensions = bytes.u32()?;
            if !(1..=2).contains(&dimensions) {
                return fail(&format!(
                    "the tensor `{name}` has {dimensions} dimensions, those of a decoder one or two"
                ));
            }
            // The fastest one is the first.
            let mut shape = (0..dimensions)
                .map(|_| bytes.length())
                .collect::<Result<Vec<usize>>>()?;
            shape.reverse();
            found.push((name, shape, bytes.u32()?, bytes.u64()?));
        }
        let start = (file.len() - bytes.0.len()).next_multiple_of(alignment);
        let data = file.get(start..).unwrap_or_default();
        let mut tensors = BTreeMap::new();
        let mut bytes = 0usize;
        for (name, shape, kind, offset) in found {
            let info = Info::new(name, shape, kind, offset, alignment, data)?;
            // Each is unpacked: many that lie in one place would take many times its memory.
            bytes = bytes.saturating_add(info.data.len());
            if bytes > data.len() {
                return fail("its tensors lie one over the other");
            }
            if tensors.insert(name, info).is_some() {
                return fail(&format!("the tensor `{name}` is there twice"));
            }
        }
        Ok(Self {
            values,
            tensors,
            taken: RefCell::default(),
        })
    }

    /// A value.
    pub fn value(&self, name: &str) -> Option<Value<'a>> {
        self.values.get(name).copied()
    }

    /// Names of all values.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.values.keys().copied()
    }

    /// A text, if there is one of that name.
    ///
    /// # Errors
    /// [`Error::Model`] when it is something else.
    pub fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(String::from_utf8_lossy(text))),
            Some(_) => fail(&format!("{name} is no text")),
        }
    }

    /// Whether there is a tensor of that name.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Rows of a matrix.
    ///
    /// # Errors
    /// [`Error::Model`] when there is none of that name.
    pub fn rows(&self, name: &str) -> Result<usize> {
        match self.tensors.get(name).map(|info| &info.shape[..]) {
            Some([rows, _]) => Ok(*rows),
            _ => fail(&format!("it lacks the matrix `{name}`")),
        }
    }

    /// A matrix of exactly `rows` by `columns`, in the type that it is multiplied in.
    ///
    /// # Errors
    /// [`Error::Model`] when it is missing, of another shape, or not finite.
    pub fn matrix(&self, name: &str, rows: usize, columns: usize) -> Result<Matrix> {
        let info = self.take(name, &[rows, columns])?;
        let pack = |kind, blocks: &[u8]| match Packed::new(kind, blocks, (columns, rows)) {
            Some(packed) => Ok(Matrix::Blocks(packed)),
            None => fail(&format!(
                "the matrix `{name}` is empty, or holds what is no number"
            )),
        };
        Ok(match info.kind {
            GgmlDType::BF16 => Matrix::Bf16(halves(info.data).map(Bf16).collect()),
            GgmlDType::F32 | GgmlDType::F16 => Matrix::Float(info.floats()?),
            GgmlDType::Q4_0 => pack(Blocks::Q4_0, info.data)?,
            GgmlDType::Q4_1 => pack(Blocks::Q4_1, info.data)?,
            GgmlDType::Q8_0 => pack(Blocks::Q8_0, info.data)?,
            GgmlDType::Q4K => pack(Blocks::Q4_1, &blocks::of_q4_k(info.data))?,
            kind => pack(Blocks::Q8_0, &blocks::as_q8_0(kind, info.data, columns)?)?,
        })
    }

    /// Numbers.
    ///
    /// # Errors
    /// As [`Gguf::matrix`].
    pub fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>> {
        self.take(name, &[length])?.floats()
    }

    /// Says what nobody asked for.
    ///
    /// # Errors
    /// [`Error::Model`] that names up to five tensors.
    pub fn finish(&self) -> Result<()> {
        let taken = self.taken.borrow();
        let left = self.tensors.keys().filter(|name| !taken.contains(**name));
        let left: Vec<&str> = left.take(5).copied().collect();
        match left.is_empty() {
            true => Ok(()),
            false => fail(&format!(
                "it holds tensors that its architecture does not know: {}",
                left.join(", ")
            )),
        }
    }

    fn take(&self, name: &str, shape: &[usize]) -> Result<&Info<'a>> {
        let Some(info) = self.tensors.get(name) else {
            return fail(&format!("it lacks the tensor `{name}`"));
        };
        if info.shape != shape {
            return fail(&format!(
                "the shape of `{name}` is {:?}, its values say {shape:?}",
                info.shape
            ));
        }
        if !info.is_finite() {
            return fail(&format!("the tensor `{name}` holds what is no number"));
        }
        self.taken.borrow_mut().insert(name.to_owned());
        Ok(info)
    }
}

impl<'a> Info<'a> {
    fn new(
        name: &str,
        shape: Vec<usize>,
        kind: u32,
        offset: u64,
        alignment: usize,
        data: &'a [u8],
    ) -> Result<Self> {
        let kind = match kind {
            0 => GgmlDType::F32,
            1 => GgmlDType::F16,
            2 => GgmlDType::Q4_0,
            3 => GgmlDType::Q4_1,
            6 => GgmlDType::Q5_0,
            7 => GgmlDType::Q5_1,
            8 => GgmlDType::Q8_0,
            10 => GgmlDType::Q2K,
            11 => GgmlDType::Q3K,
            12 => GgmlDType::Q4K,
            13 => GgmlDType::Q5K,
            14 => GgmlDType::Q6K,
            30 => GgmlDType::BF16,
            other => {
                return fail(&format!(
                    "the tensor `{name}` is of kind {other}; F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 and Q2_K to Q6_K can be read"
                ));
            }
        };
        let columns = shape.last().copied().unwrap_or(0);
        if columns == 0 || !columns.is_multiple_of(kind.block_size()) {
            return fail(&format!(
                "a row of `{name}` has {columns} numbers, which is no whole number of blocks"
            ));
        }
        let place = || {
            let blocks =
                shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d))? / kind.block_size();
            let offset = usize::try_from(offset).ok()?;
            let end = offset.checked_add(blocks.checked_mul(kind.type_size())?)?;
            data.get(offset..end)
                .filter(|_| offset.is_multiple_of(alignment))
        };
        match place() {
            Some(data) => Ok(Self { shape, kind, data }),
            None => fail(&format!("the tensor `{name}` lies outside the file")),
        }
    }

    /// Whether no number is infinite or none; of a block its scales tell.
    fn is_finite(&self) -> bool {
        let is_half = |at: usize| {
            let block = self.data.chunks_exact(self.kind.type_size());
            block.into_iter().all(|block| {
                let bits = u16::from_le_bytes([block[at], block[at + 1]]);
                bits & 0x7c00 != 0x7c00
            })
        };
        let places: &[usize] = match self.kind {
            GgmlDType::F32 => {
                let mut floats = self.data.chunks_exact(4);
                return floats.all(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]).is_finite());
            }
            GgmlDType::BF16 => return halves(self.data).all(|bits| bits & 0x7f80 != 0x7f80),
            GgmlDType::F16 | GgmlDType::Q4_0 | GgmlDType::Q5_0 | GgmlDType::Q8_0 => &[0],
            GgmlDType::Q4_1 | GgmlDType::Q5_1 | GgmlDType::Q4K | GgmlDType::Q5K => &[0, 2],
            GgmlDType::Q2K => &[80, 82],
            GgmlDType::Q3K => &[108],
            GgmlDType::Q6K => &[208],
            // No such kind is let in.
            GgmlDType::Q8_1 | GgmlDType::Q8K => return false,
        };
        places.iter().all(|at| is_half(*at))
    }

    fn floats(&self) -> Result<Vec<f32>> {
        let floats = blocks::floats(self.kind, self.data, self.shape.clone())?;
        Ok(floats.flatten_all()?.to_vec1()?)
    }
}

fn halves(data: &[u8]) -> impl Iterator<Item = u16> {
    data.chunks_exact(2)
        .map(|b| u16::from_le_bytes([b[0], b[1]]))
}

fn fail<T>(what: &str) -> Result<T> {
    Err(Error::Model(format!("the GGUF file: {what}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn text(out: &mut Vec<u8>, text: &str) {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.as_bytes());
    }

    /// A file of one list and one matrix of 2 by 3.
    fn small() -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(3u32.to_le_bytes());
        file.extend(1u64.to_le_bytes());
        file.extend(1u64.to_le_bytes());
        text(&mut file, "words");
        file.extend(9u32.to_le_bytes());
        file.extend(8u32.to_le_bytes());
        file.extend(2u64.to_le_bytes());
        text(&mut file, "one");
        text(&mut file, "two");
        text(&mut file, "w");
        file.extend(2u32.to_le_bytes());
        file.extend(3u64.to_le_bytes());
        file.extend(2u64.to_le_bytes());
        file.extend(0u32.to_le_bytes());
        file.extend(0u64.to_le_bytes());
        file.resize(file.len().next_multiple_of(32), 0);
        file.extend(
            [1f32, 2.0, 3.0, 4.0, 5.0, 6.0]
                .iter()
                .flat_map(|v| v.to_le_bytes()),
        );
        file
    }

    #[test]
    fn values_and_tensors_are_read_by_name() {
        let file = small();
        let gguf = Gguf::read(&file).unwrap();
        let Some(Value::List(words)) = gguf.value("words") else {
            unreachable!();
        };
        let words: Vec<Value<'_>> = words.values().collect();
        assert_eq!(words, [Value::Text(b"one"), Value::Text(b"two")]);
        assert!(gguf.finish().unwrap_err().to_string().contains('w'));
        assert!(gguf.matrix("w", 3, 2).is_err());
        match gguf.matrix("w", 2, 3).unwrap() {
            Matrix::Float(values) => assert_eq!(values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            _ => unreachable!(),
        }
        gguf.finish().unwrap();
        // Wherever the file lies in memory.
        for shift in 0..4 {
            let moved = [&vec![0; shift][..], &file].concat();
            let gguf = Gguf::read(&moved[shift..]).unwrap();
            assert!(gguf.matrix("w", 2, 3).is_ok());
        }
    }

    #[test]
    fn a_file_that_is_cut_or_changed_anywhere_is_an_error_or_a_file() {
        let file = small();
        for end in 0..file.len() {
            let cut = Gguf::read(&file[..end]);
            assert!(cut.is_err(), "{end}");
        }
        for at in 0..file.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = file.clone();
                changed[at] = value;
                if let Ok(gguf) = Gguf::read(&changed) {
                    gguf.matrix("w", 2, 3).ok();
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let mut file = small();
        let at = file.len() - 4;
        file[at..].copy_from_slice(&f32::NAN.to_le_bytes());
        let error = Gguf::read(&file).unwrap().matrix("w", 2, 3);
        assert!(matches!(error, Err(e) if e.to_string().contains("no number")));
    }
}
