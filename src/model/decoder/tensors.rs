//! A decoder's weights by name, whatever file they are in: safetensors, whole or in shards, or GGUF; and products with them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::gguf::Gguf;
use crate::error::{Error, Result};
use crate::kernel::{self, Bf16, Packed, Weights as Numbers};
use crate::model::weights::Weights;

/// A matrix `[outputs][inputs]` in the type that it is multiplied in.
pub enum Matrix {
    /// 32 bits.
    Float(Vec<f32>),
    /// 16 bits.
    Bf16(Vec<Bf16>),
    /// Blocks.
    Blocks(Packed),
}

/// Where the weights are.
pub enum Tensors<'a> {
    /// Files of safetensors, of which each tensor is in one.
    Safe(Vec<Weights<'a>>),
    /// A GGUF file.
    Gguf(Gguf<'a>),
}

/// Files of the shards that an index (`model.safetensors.index.json`) names, in order.
///
/// # Errors
/// [`Error::Model`] when it is no index, or names what is no plain file.
pub fn shards(index: &[u8]) -> Result<Vec<String>> {
    let fail = |what: &str| {
        Err(Error::Model(format!(
            "model.safetensors.index.json: {what}"
        )))
    };
    let parsed: Option<Map<String, Value>> = serde_json::from_slice(index).ok();
    let map = parsed.and_then(|mut index| match index.remove("weight_map") {
        Some(Value::Object(map)) => Some(map),
        _ => None,
    });
    let Some(map) = map else {
        return fail("it has no weight_map");
    };
    let mut names = BTreeSet::new();
    for name in map.values() {
        match name.as_str().filter(|name| is_shard(name)) {
            Some(name) => names.insert(name.to_owned()),
            None => return fail(&format!("{name} is no plain name of a safetensors file")),
        };
    }
    if names.is_empty() || names.len() > MOST_SHARDS {
        return fail(&format!("it names {} files", names.len()));
    }
    Ok(names.into_iter().collect())
}

/// Files that a model may be cut into.
const MOST_SHARDS: usize = 1024;

fn is_shard(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    name.ends_with(".safetensors") && !name.starts_with('.') && name.chars().all(plain)
}

impl<'a> Tensors<'a> {
    /// The tensors of one or more files.
    ///
    /// # Errors
    /// [`Error::Model`] when one of them cannot be read, or two have the same tensor.
    pub fn safe(files: &[&'a [u8]]) -> Result<Self> {
        let files: Vec<Weights<'a>> = files
            .iter()
            .map(|f| Weights::new(f))
            .collect::<Result<_>>()?;
        let mut names = BTreeSet::new();
        for name in files.iter().flat_map(Weights::names) {
            if !names.insert(name) {
                return Err(Error::Model(format!(
                    "the tensor `{name}` is in two of the weights' files"
                )));
            }
        }
        Ok(Self::Safe(files))
    }

    /// Whether there is a tensor of that name.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::Safe(files) => files.iter().any(|file| file.has(name)),
            Self::Gguf(file) => file.has(name),
        }
    }

    /// A matrix of exactly `rows` by `columns`.
    ///
    /// # Errors
    /// [`Error::Model`] when it is missing, of another type or shape, or not finite.
    pub fn matrix(&self, name: &str, rows: usize, columns: usize) -> Result<Matrix> {
        match self {
            Self::Safe(files) => {
                let file = holder(files, name);
                let shape = [rows, columns];
                match file.halves(name, &shape)? {
                    Some(halves) => Ok(Matrix::Bf16(halves.into_iter().map(Bf16).collect())),
                    None => file.float(name, &shape).map(Matrix::Float),
                }
            }
            Self::Gguf(file) => file.matrix(name, rows, columns),
        }
    }

    /// Numbers.
    ///
    /// # Errors
    /// As [`Tensors::matrix`].
    pub fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>> {
        match self {
            Self::Safe(files) => holder(files, name).float(name, &[length]),
            Self::Gguf(file) => file.vector(name, length),
        }
    }

    /// Says what nobody asked for, but for names that hold one of `idle`.
    ///
    /// # Errors
    /// [`Error::Model`] that names up to five tensors.
    pub fn finish(&self, idle: &[&str]) -> Result<()> {
        match self {
            Self::Safe(files) => files.iter().try_for_each(|file| file.finish(idle)),
            Self::Gguf(file) => file.finish(),
        }
    }
}

/// The file that has the tensor; the first, which then says that it lacks it, where none has.
fn holder<'f, 'a>(files: &'f [Weights<'a>], name: &str) -> &'f Weights<'a> {
    files
        .iter()
        .find(|file| file.has(name))
        .unwrap_or(&files[0])
}

/// `x · Wᵀ + b`, where a row's result does not depend on what rows stand beside it.
pub struct Linear {
    weight: Matrix,
    bias: Option<Vec<f32>>,
    inputs: usize,
    outputs: usize,
}

/// A layer in floats.
pub struct Spread {
    /// `[outputs][inputs]`.
    pub weight: Vec<f32>,
    /// One for each output.
    pub bias: Option<Vec<f32>>,
    /// Columns of the weights.
    pub inputs: usize,
}

impl Linear {
    /// A layer from its weights `[outputs][inputs]`.
    pub fn new(weight: Matrix, bias: Option<Vec<f32>>, inputs: usize, outputs: usize) -> Self {
        Self {
            weight,
            bias,
            inputs,
            outputs,
        }
    }

    /// The layer's outputs for each row of `x`.
    pub fn forward(&self, x: &[f32]) -> Vec<f32> {
        let [y] = Self::together([self], x);
        y
    }

    /// The outputs of several layers for each row of `x`, at once where they are of blocks.
    pub fn together<const N: usize>(layers: [&Self; N], x: &[f32]) -> [Vec<f32>; N] {
        let blocks: Vec<&Packed> = layers
            .iter()
            .filter_map(|layer| match &layer.weight {
                Matrix::Blocks(packed) => Some(packed),
                _ => None,
            })
            .collect();
        let mut products = kernel::block_products(x, &blocks).into_iter();
        let mut all = [const { Vec::new() }; N];
        for (layer, y) in layers.iter().zip(&mut all) {
            *y = match &layer.weight {
                Matrix::Float(weights) => kernel::product(x, Numbers::Float(weights), layer.inputs),
                Matrix::Bf16(weights) => kernel::product(x, Numbers::Bf16(weights), layer.inputs),
                Matrix::Blocks(_) => products.next().unwrap_or_default(),
            };
            layer.add_bias(y);
        }
        all
    }

    /// As [`Linear::forward`], each row by itself.
    pub fn rows_forward(&self, x: &[f32]) -> Vec<Vec<f32>> {
        let Matrix::Blocks(packed) = &self.weight else {
            let y = self.forward(x);
            return y.chunks_exact(self.outputs).map(<[f32]>::to_vec).collect();
        };
        // They are many, so that a copy would take its time.
        let mut rows = vec![vec![0f32; self.outputs]; x.len() / self.inputs];
        let places = rows.iter_mut().map(|row| &mut row[..]).collect();
        kernel::block_products_into(x, &[packed], vec![places]);
        rows.iter_mut().for_each(|row| self.add_bias(row));
        rows
    }

    /// The layer in floats.
    ///
    /// # Errors
    /// As [`Linear::rows`], which has none of all rows.
    pub fn spread(&self) -> Result<Spread> {
        let all: Vec<u32> = (0..self.outputs as u32).collect();
        Ok(Spread {
            weight: self.rows(&all)?,
            bias: self.bias.clone(),
            inputs: self.inputs,
        })
    }

    fn add_bias(&self, y: &mut [f32]) {
        if let Some(bias) = &self.bias {
            for row in y.chunks_exact_mut(self.outputs) {
                for (y, b) in row.iter_mut().zip(bias) {
                    *y += b;
                }
            }
        }
    }

    /// The rows of the weights that `ids` name: what a table of embeddings says of words.
    ///
    /// # Errors
    /// [`Error::Model`] when there is no such row.
    pub fn rows(&self, ids: &[u32]) -> Result<Vec<f32>> {
        if let Some(id) = ids.iter().find(|id| **id as usize >= self.outputs) {
            return Err(Error::Model(format!(
                "the token {id} is none of the model's {} words",
                self.outputs
            )));
        }
        let mut room = Vec::new();
        let mut rows = Vec::with_capacity(ids.len() * self.inputs);
        let mut spread = |weights: Numbers<'_>| {
            for id in ids {
                rows.extend(weights.rows(*id as usize, 1, self.inputs, &mut room));
            }
        };
        match &self.weight {
            Matrix::Float(weights) => spread(Numbers::Float(weights)),
            Matrix::Bf16(weights) => spread(Numbers::Bf16(weights)),
            Matrix::Blocks(packed) => {
                rows.extend(ids.iter().flat_map(|id| packed.row(*id as usize)))
            }
        }
        Ok(rows)
    }
}
