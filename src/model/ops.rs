//! Layers over packed tokens `[tokens][width]` as candle operations: the CPU's kernels enter here, another device's would too.

use candle_core::{CpuStorage, CustomOp1, InplaceOp2, Layout, Result, Shape, Tensor};

use super::weights::Matrix;
use crate::kernel::{self, Int8Linear};

/// `x · Wᵀ + b`.
pub enum Linear {
    /// 8-bit weights and inputs, exact sums.
    Int8(Int8Linear),
    /// Float weights, transposed to `[inputs][outputs]`.
    Float {
        /// Transposed weights.
        weight: Tensor,
        /// Bias `[outputs]`.
        bias: Tensor,
    },
}

/// What follows a product at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// GELU by the error function.
    Gelu,
}

impl Linear {
    /// A layer from its weights `[outputs][inputs]` and bias.
    pub fn new(weight: Matrix, bias: Vec<f32>, inputs: usize) -> Result<Self> {
        let outputs = bias.len();
        match weight {
            Matrix::Int8 { values, scales } => {
                match Int8Linear::new(&values, scales, bias, inputs, outputs) {
                    Some(linear) => Ok(Self::Int8(linear)),
                    None => candle_core::bail!("8-bit layer of {inputs} by {outputs} does not fit"),
                }
            }
            Matrix::Float(values) => {
                let device = &candle_core::Device::Cpu;
                Ok(Self::Float {
                    weight: Tensor::from_vec(values, (outputs, inputs), device)?
                        .t()?
                        .contiguous()?,
                    bias: Tensor::from_vec(bias, outputs, device)?,
                })
            }
        }
    }

    /// Applies the layer to all windows; `lengths` are their token counts.
    pub fn forward(&self, x: &Tensor, lengths: &[usize], activation: Activation) -> Result<Tensor> {
        match self {
            Self::Int8(linear) => x.apply_op1_no_bwd(&Int8Op { linear, activation }),
            Self::Float { weight, bias } => {
                // Window by window: a float product may round differently when the row count changes.
                let mut start = 0;
                let mut pieces = Vec::with_capacity(lengths.len());
                for &length in lengths {
                    pieces.push(x.narrow(0, start, length)?.matmul(weight)?);
                    start += length;
                }
                let y = Tensor::cat(&pieces, 0)?.broadcast_add(bias)?;
                match activation {
                    Activation::None => Ok(y),
                    Activation::Gelu => y.gelu_erf(),
                }
            }
        }
    }
}

struct Int8Op<'a> {
    linear: &'a Int8Linear,
    activation: Activation,
}

impl CustomOp1 for Int8Op<'_> {
    fn name(&self) -> &'static str {
        "int8-linear"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = floats(storage, layout)?;
        let y = match self.activation {
            Activation::None => self.linear.forward(x, |_| ()),
            Activation::Gelu => self.linear.forward(x, kernel::gelu),
        };
        let rows = y.len() / self.linear.outputs();
        Ok((CpuStorage::F32(y), (rows, self.linear.outputs()).into()))
    }
}

/// Self-attention within each window: `qkv` is `[tokens][3 · width]`, the result `[tokens][width]`.
pub fn attention(qkv: &Tensor, lengths: &[usize], heads: usize) -> Result<Tensor> {
    qkv.apply_op1_no_bwd(&AttentionOp { lengths, heads })
}

struct AttentionOp<'a> {
    lengths: &'a [usize],
    heads: usize,
}

impl CustomOp1 for AttentionOp<'_> {
    fn name(&self) -> &'static str {
        "packed-attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (tokens, wide) = layout.shape().dims2()?;
        let qkv = floats(storage, layout)?;
        let y = kernel::attention(qkv, self.lengths, self.heads, wide / 3);
        Ok((CpuStorage::F32(y), (tokens, wide / 3).into()))
    }
}

/// Layer normalisation with its learned scale and shift.
pub struct LayerNorm {
    /// Scale.
    pub gamma: Vec<f32>,
    /// Shift.
    pub beta: Vec<f32>,
    /// Added to the variance.
    pub eps: f32,
}

impl LayerNorm {
    /// Normalises `x + residual`, in the memory of `x`.
    pub fn add(&self, x: Tensor, residual: &Tensor) -> Result<Tensor> {
        x.inplace_op2(residual, self)?;
        Ok(x)
    }
}

impl InplaceOp2 for LayerNorm {
    fn name(&self) -> &'static str {
        "add-layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &mut CpuStorage,
        layout: &Layout,
        residual: &CpuStorage,
        other: &Layout,
    ) -> Result<()> {
        let residual = floats(residual, other)?;
        let (CpuStorage::F32(x), Some((from, to))) = (x, layout.contiguous_offsets()) else {
            candle_core::bail!("add-layer-norm takes contiguous f32");
        };
        kernel::add_layer_norm(
            &mut x[from..to],
            residual,
            &self.gamma,
            &self.beta,
            self.eps,
        );
        Ok(())
    }
}

fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((from, to))) => Ok(&values[from..to]),
        _ => candle_core::bail!("packed layers take contiguous f32"),
    }
}
