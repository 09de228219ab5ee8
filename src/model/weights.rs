//! Weights by name from a safetensors file: shape, type and finiteness are checked, and nothing may be left over.
//!
//! A matrix is float, or 8-bit with one scale a row in a second tensor named `…_scale`, and perhaps a third named `…_wide`: columns whose
//! inputs are far larger than the others.

use std::cell::RefCell;
use std::collections::BTreeSet;

use candle_core::{Device, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::error::{Error, Result};

/// A matrix `[rows][columns]`.
#[derive(Debug, Clone, PartialEq)]
pub enum Matrix {
    /// Float weights.
    Float(Vec<f32>),
    /// `values[r][c] · scales[r]`.
    Int8 {
        /// Rows one after the other.
        values: Vec<i8>,
        /// One scale a row.
        scales: Vec<f32>,
        /// Columns whose inputs are far larger than the others.
        wide: Vec<usize>,
    },
}

impl Matrix {
    /// The matrix as floats.
    pub fn to_float(&self, columns: usize) -> Vec<f32> {
        match self {
            Self::Float(values) => values.clone(),
            Self::Int8 { values, scales, .. } => values
                .chunks_exact(columns)
                .zip(scales)
                .flat_map(|(row, scale)| row.iter().map(move |v| f32::from(*v) * scale))
                .collect(),
        }
    }

    /// Rows of `self`, then rows of `other`, which have the same inputs; float if either is.
    #[must_use]
    pub fn stack(self, other: Self, columns: usize) -> Self {
        match (self, other) {
            (
                Self::Int8 {
                    mut values,
                    mut scales,
                    mut wide,
                },
                Self::Int8 {
                    values: more,
                    scales: more_scales,
                    wide: more_wide,
                },
            ) => {
                values.extend(more);
                scales.extend(more_scales);
                wide.extend(more_wide);
                wide.sort_unstable();
                wide.dedup();
                Self::Int8 {
                    values,
                    scales,
                    wide,
                }
            }
            (a, b) => {
                let mut values = a.to_float(columns);
                values.extend(b.to_float(columns));
                Self::Float(values)
            }
        }
    }
}

/// An open weights file.
pub struct Weights<'a> {
    tensors: SafeTensors<'a>,
    taken: RefCell<BTreeSet<String>>,
}

impl<'a> Weights<'a> {
    /// Opens `bytes`.
    ///
    /// # Errors
    /// [`Error::Model`] when they are no safetensors file.
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        let tensors = SafeTensors::deserialize(bytes)
            .map_err(|e| Error::Model(format!("the weights are no valid safetensors file: {e}")))?;
        Ok(Self {
            tensors,
            taken: RefCell::default(),
        })
    }

    /// A float tensor of exactly `shape`, flat.
    ///
    /// # Errors
    /// [`Error::Model`] when it is missing, of another type or shape, or not finite.
    pub fn float(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let view = self.take(name, shape)?;
        let half = |dtype| -> Result<Vec<f32>> {
            let halves = Tensor::from_raw_buffer(view.data(), dtype, shape, &Device::Cpu)?;
            Ok(halves
                .to_dtype(candle_core::DType::F32)?
                .flatten_all()?
                .to_vec1()?)
        };
        let values: Vec<f32> = match view.dtype() {
            Dtype::F32 => view
                .data()
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
            Dtype::F16 => half(candle_core::DType::F16)?,
            Dtype::BF16 => half(candle_core::DType::BF16)?,
            other => {
                return Err(wrong(
                    name,
                    format!("its type is {other:?}; F32, F16 and BF16 can be read"),
                ));
            }
        };
        match values.iter().find(|v| !v.is_finite()) {
            Some(value) => Err(wrong(name, format!("it holds {value}"))),
            None => Ok(values),
        }
    }

    /// Names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.names().into_iter()
    }

    /// Whether there is a tensor of that name.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.tensor(name).is_ok()
    }

    /// The bits of a tensor of exactly `shape`, flat, if they are of bfloat16.
    ///
    /// # Errors
    /// As [`Weights::float`].
    pub fn halves(&self, name: &str, shape: &[usize]) -> Result<Option<Vec<u16>>> {
        let view = self.take(name, shape)?;
        if view.dtype() != Dtype::BF16 {
            return Ok(None);
        }
        let bits = view.data().chunks_exact(2);
        let bits: Vec<u16> = bits.map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
        match bits.iter().any(|bits| bits & 0x7f80 == 0x7f80) {
            true => Err(wrong(name, "it holds what is no number".to_owned())),
            false => Ok(Some(bits)),
        }
    }

    /// A matrix of exactly `rows` by `columns`.
    ///
    /// # Errors
    /// As [`Weights::float`].
    pub fn matrix(&self, name: &str, rows: usize, columns: usize) -> Result<Matrix> {
        if self.take(name, &[rows, columns])?.dtype() != Dtype::I8 {
            return self.float(name, &[rows, columns]).map(Matrix::Float);
        }
        let view = self.take(name, &[rows, columns])?;
        Ok(Matrix::Int8 {
            values: view.data().iter().map(|b| b.cast_signed()).collect(),
            scales: self.float(&format!("{name}_scale"), &[rows])?,
            wide: self.wide(&format!("{name}_wide"), columns)?,
        })
    }

    /// Numbers of columns below `columns`; none where there is no such tensor.
    fn wide(&self, name: &str, columns: usize) -> Result<Vec<usize>> {
        let Ok(view) = self.tensors.tensor(name) else {
            return Ok(Vec::new());
        };
        if view.dtype() != Dtype::I32 {
            return Err(wrong(
                name,
                format!("its type is {:?}, not I32", view.dtype()),
            ));
        }
        self.taken.borrow_mut().insert(name.to_owned());
        let numbers = view.data().chunks_exact(4);
        let numbers = numbers.map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        numbers
            .map(|n| match usize::try_from(n) {
                Ok(column) if column < columns => Ok(column),
                _ => Err(wrong(name, format!("it names column {n} of {columns}"))),
            })
            .collect()
    }

    /// A float tensor of exactly `shape`, for candle.
    ///
    /// # Errors
    /// As [`Weights::float`].
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let values = self.float(name, shape)?;
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
    }

    /// Says what nobody asked for, but for names that hold one of `idle`: the file is then not the model that its configuration
    /// describes.
    ///
    /// # Errors
    /// [`Error::Model`] that names up to five tensors.
    pub fn finish(&self, idle: &[&str]) -> Result<()> {
        let taken = self.taken.borrow();
        let idle = |name: &str| idle.iter().any(|part| name.contains(part));
        let mut left: Vec<&str> = self
            .tensors
            .names()
            .into_iter()
            .filter(|name| !taken.contains(*name) && !idle(name))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        left.sort_unstable();
        left.truncate(5);
        Err(Error::Model(format!(
            "the weights hold tensors that the configuration does not know: {}",
            left.join(", ")
        )))
    }

    fn take(&self, name: &str, shape: &[usize]) -> Result<TensorView<'_>> {
        let view = self
            .tensors
            .tensor(name)
            .map_err(|_| Error::Model(format!("the weights lack the tensor `{name}`")))?;
        if view.shape() != shape {
            return Err(wrong(
                name,
                format!(
                    "its shape is {:?}, the configuration says {shape:?}",
                    view.shape()
                ),
            ));
        }
        self.taken.borrow_mut().insert(name.to_owned());
        Ok(view)
    }
}

fn wrong(name: &str, what: String) -> Error {
    Error::Model(format!("tensor `{name}`: {what}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// What a file says whose 2 × 3 matrix `w` has a `w_wide` of `dtype` over `bytes`.
    fn matrix(dtype: Dtype, bytes: &[u8]) -> Result<Matrix> {
        let scales = [1f32, 0.5].map(f32::to_le_bytes).concat();
        let view = |dtype, shape, data| TensorView::new(dtype, shape, data).unwrap();
        let tensors = [
            ("w", view(Dtype::I8, vec![2, 3], &[1, 2, 3, 4, 5, 6])),
            ("w_scale", view(Dtype::F32, vec![2], &scales)),
            ("w_wide", view(dtype, vec![bytes.len() / 4], bytes)),
        ];
        let file = safetensors::serialize(tensors, None).unwrap();
        let weights = Weights::new(&file)?;
        let matrix = weights.matrix("w", 2, 3)?;
        weights.finish(&[])?;
        Ok(matrix)
    }

    #[test]
    fn wide_columns_are_columns() {
        let columns =
            |numbers: &[i32]| -> Vec<u8> { numbers.iter().flat_map(|n| n.to_le_bytes()).collect() };
        match matrix(Dtype::I32, &columns(&[2, 0])).unwrap() {
            Matrix::Int8 { wide, .. } => assert_eq!(wide, [2, 0]),
            other => unreachable!("{other:?}"),
        }
        for (dtype, numbers, says) in [
            (Dtype::I32, [0, 3], "column 3 of 3"),
            (Dtype::I32, [0, -1], "column -1"),
            (Dtype::F32, [0, 1], "not I32"),
        ] {
            let error = matrix(dtype, &columns(&numbers)).unwrap_err().to_string();
            assert!(error.contains("w_wide") && error.contains(says), "{error}");
        }
    }

    #[test]
    fn layers_on_one_input_have_the_wide_columns_of_all() {
        let part = |wide: &[usize]| Matrix::Int8 {
            values: vec![1, 2, 3],
            scales: vec![1.0],
            wide: wide.to_vec(),
        };
        match part(&[0, 2]).stack(part(&[2, 1]), 3) {
            Matrix::Int8 { wide, scales, .. } => {
                assert_eq!((wide, scales.len()), (vec![0, 1, 2], 2))
            }
            other => unreachable!("{other:?}"),
        }
    }
}
