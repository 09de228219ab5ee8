//! What both loaders take from a file: layers, tables of words that may be there under several names, activations by their names.

use super::network::FeedForward;
use crate::error::{Error, Result};
use crate::kernel::Activation;
use crate::model::config::File;
use crate::model::decoder::{Linear, Matrix, Tensors};

/// Tensors, as the parts that they make up.
pub struct Parts<'t, 'a>(pub &'t Tensors<'a>);

impl Parts<'_, '_> {
    /// A layer with its weights and perhaps its bias.
    pub fn linear(&self, name: &str, inputs: usize, outputs: usize, bias: bool) -> Result<Linear> {
        let weight = self.0.matrix(&format!("{name}.weight"), outputs, inputs)?;
        let bias = match bias {
            true => Some(self.0.vector(&format!("{name}.bias"), outputs)?),
            false => None,
        };
        Ok(Linear::new(weight, bias, inputs, outputs))
    }

    /// A feed-forward part with biases and without a gate.
    pub fn feed_forward(
        &self,
        [up, down]: [&str; 2],
        width: usize,
        inner: usize,
        activation: Activation,
    ) -> Result<FeedForward> {
        Ok(FeedForward {
            up: self.linear(up, width, inner, true)?,
            activation,
            gated: None,
            down: self.linear(down, inner, width, true)?,
        })
    }

    /// Numbers in rows.
    pub fn table(&self, name: &str, rows: usize, columns: usize) -> Result<Vec<f32>> {
        let table = self.0.matrix(name, rows, columns)?;
        let table = Linear::new(table, None, columns, rows);
        table.rows(&(0..rows as u32).collect::<Vec<u32>>())
    }
}

/// The table of words, and what tells the next one if that is another.
pub struct Tables {
    pub words: Linear,
    pub output: Option<Linear>,
}

/// Looks the table of words up under its names, of which a file may hold some, and the output's, which may be the table if they are `tied`. As
/// transformers does, what a file holds counts: an output that is there and differs from the table is not the table.
pub fn tables(
    tensors: &Tensors<'_>,
    names: [&str; 3],
    output: &str,
    tied: bool,
    (words, width): (usize, usize),
) -> Result<Tables> {
    let mut held = names.into_iter().filter(|name| tensors.has(name));
    let first = match (held.next(), tied && tensors.has(output)) {
        (Some(name), _) => name,
        (None, true) => output,
        (None, false) => names[0],
    };
    let table = tensors.matrix(first, words, width)?;
    for other in held {
        if !alike(&table, &tensors.matrix(other, words, width)?) {
            return Err(Error::Model(format!(
                "the tensors `{first}` and `{other}` differ: encoder and decoder with tables of words of their own are not computed"
            )));
        }
    }
    let own = match !tied || tensors.has(output) {
        true => Some(tensors.matrix(output, words, width)?),
        false => None,
    };
    let own = own.filter(|own| !alike(own, &table));
    let linear = |matrix| Linear::new(matrix, None, width, words);
    Ok(Tables {
        output: own.map(linear),
        words: linear(table),
    })
}

fn alike(a: &Matrix, b: &Matrix) -> bool {
    match (a, b) {
        (Matrix::Float(a), Matrix::Float(b)) => a == b,
        (Matrix::Bf16(a), Matrix::Bf16(b)) => a == b,
        _ => false,
    }
}

/// An activation by the name that transformers gives it, which stands at `key`.
pub fn activation(file: &File<'_>, key: &str, name: &str) -> Result<Activation> {
    Ok(match name {
        "relu" => Activation::Relu,
        "gelu" => Activation::Gelu,
        "gelu_new" | "gelu_pytorch_tanh" => Activation::GeluTanh,
        "silu" | "swish" => Activation::Silu,
        other => {
            return file.fail(format!(
                "{key} is `{other}`; the activations that are computed are relu, gelu, gelu_new, gelu_pytorch_tanh and silu"
            ));
        }
    })
}
