//! Layers over packed tokens `[tokens][width]` as candle operations: the CPU's kernels enter here, another device's would too.
//!
//! They write into `room`, memory of the result's shape that serves all layers: asking the system for more costs as much as a product.

use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, Tensor};

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

impl Linear {
    /// A layer from its weights `[outputs][inputs]` and bias.
    pub fn new(weight: Matrix, bias: Vec<f32>, inputs: usize) -> Result<Self> {
        let outputs = bias.len();
        match weight {
            Matrix::Int8 {
                values,
                scales,
                wide,
            } => match Int8Linear::new(&values, scales, bias, &wide, (inputs, outputs)) {
                Some(linear) => Ok(Self::Int8(linear)),
                None => candle_core::bail!("8-bit layer of {inputs} by {outputs} does not fit"),
            },
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

    /// Applies the layer to all windows, into `room` where it can; `lengths` are their token counts.
    pub fn forward(&self, x: &Tensor, lengths: &[usize], room: &Tensor) -> Result<Tensor> {
        match self {
            Self::Int8(linear) => {
                room.inplace_op2(x, &Int8Op(linear))?;
                Ok(room.clone())
            }
            Self::Float { weight, bias } => {
                // Window by window: a float product may round differently when the row count changes.
                let mut start = 0;
                let mut pieces = Vec::with_capacity(lengths.len());
                for &length in lengths {
                    pieces.push(x.narrow(0, start, length)?.matmul(weight)?);
                    start += length;
                }
                Tensor::cat(&pieces, 0)?.broadcast_add(bias)
            }
        }
    }

    /// `norm(self(x) + residual)`, otherwise as [`Linear::forward`].
    pub fn add_norm(
        &self,
        (x, residual): (&Tensor, &Tensor),
        norm: &LayerNorm,
        lengths: &[usize],
        room: &Tensor,
    ) -> Result<Tensor> {
        match self {
            Self::Int8(linear) => {
                room.inplace_op3(x, residual, &Int8AddNormOp { linear, norm })?;
                Ok(room.clone())
            }
            Self::Float { .. } => norm.add(self.forward(x, lengths, room)?, residual),
        }
    }
}

/// `norm(down(gelu(up(x))) + x)`, otherwise as [`Linear::forward`].
pub fn feed_forward(
    (up, down, norm): (&Linear, &Linear, &LayerNorm),
    x: &Tensor,
    lengths: &[usize],
    room: &Tensor,
) -> Result<Tensor> {
    if let (Linear::Int8(up), Linear::Int8(down)) = (up, down) {
        room.inplace_op2(x, &FeedForwardOp { up, down, norm })?;
        return Ok(room.clone());
    }
    let inner = up.forward(x, lengths, room)?.gelu_erf()?;
    norm.add(down.forward(&inner, lengths, room)?, x)
}

struct Int8Op<'a>(&'a Int8Linear);

impl InplaceOp2 for Int8Op<'_> {
    fn name(&self) -> &'static str {
        "int8-linear"
    }

    fn cpu_fwd(
        &self,
        y: &mut CpuStorage,
        y_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
    ) -> Result<()> {
        let y = floats_mut(y, y_layout)?;
        self.0.forward(floats(x, x_layout)?, y, |_, _| ());
        Ok(())
    }
}

struct Int8AddNormOp<'a> {
    linear: &'a Int8Linear,
    norm: &'a LayerNorm,
}

impl InplaceOp3 for Int8AddNormOp<'_> {
    fn name(&self) -> &'static str {
        "int8-linear-add-norm"
    }

    fn cpu_fwd(
        &self,
        y: &mut CpuStorage,
        y_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
    ) -> Result<()> {
        let residual = floats(residual, residual_layout)?;
        let y = floats_mut(y, y_layout)?;
        let tail = |first, y: &mut [f32]| self.norm.add_rows(first, y, residual);
        self.linear.forward(floats(x, x_layout)?, y, tail);
        Ok(())
    }
}

struct FeedForwardOp<'a> {
    up: &'a Int8Linear,
    down: &'a Int8Linear,
    norm: &'a LayerNorm,
}

impl InplaceOp2 for FeedForwardOp<'_> {
    fn name(&self) -> &'static str {
        "int8-feed-forward"
    }

    fn cpu_fwd(
        &self,
        y: &mut CpuStorage,
        y_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
    ) -> Result<()> {
        let (x, y) = (floats(x, x_layout)?, floats_mut(y, y_layout)?);
        let tail = |first, y: &mut [f32]| self.norm.add_rows(first, y, x);
        Int8Linear::feed_forward(self.up, self.down, x, y, tail);
        Ok(())
    }
}

/// Self-attention within each window, into `room`: `qkv` is `[tokens][3 · width]`, the result `[tokens][width]`.
pub fn attention(qkv: &Tensor, lengths: &[usize], heads: usize, room: &Tensor) -> Result<Tensor> {
    room.inplace_op2(qkv, &AttentionOp { lengths, heads })?;
    Ok(room.clone())
}

struct AttentionOp<'a> {
    lengths: &'a [usize],
    heads: usize,
}

impl InplaceOp2 for AttentionOp<'_> {
    fn name(&self) -> &'static str {
        "packed-attention"
    }

    fn cpu_fwd(
        &self,
        y: &mut CpuStorage,
        y_layout: &Layout,
        qkv: &CpuStorage,
        qkv_layout: &Layout,
    ) -> Result<()> {
        let (qkv, y) = (floats(qkv, qkv_layout)?, floats_mut(y, y_layout)?);
        kernel::attention(qkv, self.lengths, self.heads, y);
        Ok(())
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
    fn add(&self, x: Tensor, residual: &Tensor) -> Result<Tensor> {
        x.inplace_op2(residual, self)?;
        Ok(x)
    }

    /// The same for some rows, which are `residual`'s from row `first` on.
    fn add_rows(&self, first: usize, x: &mut [f32], residual: &[f32]) {
        let residual = &residual[first * self.gamma.len()..][..x.len()];
        kernel::add_layer_norm(x, residual, &self.gamma, &self.beta, self.eps);
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
        self.add_rows(0, floats_mut(x, layout)?, floats(residual, other)?);
        Ok(())
    }
}

fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((from, to))) => Ok(&values[from..to]),
        _ => candle_core::bail!("packed layers take contiguous f32"),
    }
}

fn floats_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((from, to))) => Ok(&mut values[from..to]),
        _ => candle_core::bail!("packed layers take contiguous f32"),
    }
}
