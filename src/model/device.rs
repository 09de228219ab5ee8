//! Where to compute, and in what precision: what is asked for ([`Place`]), and the card that opens for it ([`Card`]).
//!
//! The CPU is no card: it has kernels of our own (`crate::kernel`). On a card a model is computed with candle's operations
//! ([`super::padded`]). Which kinds of card this program was built for is asked of candle, so that hardly anything needs a `cfg`.

use std::fmt;
use std::str::FromStr;
use std::time::Instant;

use candle_core::{DType, Device as Opened, Result as Computed, Tensor, utils};

use crate::error::{Error, Result};

/// Where to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Device {
    /// A GPU of the kind that this program was built for, if one opens; else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The NVIDIA GPU with this number.
    Cuda(usize),
    /// Apple's GPU.
    Metal,
}

/// The numbers to compute with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dtype {
    /// On the CPU as the engine has it, on an NVIDIA GPU `f16`, on Apple's `f32`.
    #[default]
    Auto,
    /// 32 bits, 24 of them digits.
    F32,
    /// 16 bits, 11 of them digits.
    F16,
    /// 16 bits, 8 of them digits: less precise, and never too large.
    Bf16,
}

/// Where to compute, and with what numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Where.
    pub device: Device,
    /// With what numbers.
    pub dtype: Dtype,
}

impl From<Device> for Place {
    fn from(device: Device) -> Self {
        Self {
            device,
            dtype: Dtype::Auto,
        }
    }
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            "metal" => Ok(Self::Metal),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|number| number.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| "one of auto, cpu, cuda, cuda:N (counted from 0), metal".to_owned()),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
            Self::Metal => f.write_str("metal"),
        }
    }
}

impl FromStr for Dtype {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "f32" => Ok(Self::F32),
            "f16" => Ok(Self::F16),
            "bf16" => Ok(Self::Bf16),
            _ => Err("one of auto, f32, f16, bf16".to_owned()),
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        })
    }
}

impl Place {
    /// The same for `what`, which only the CPU computes.
    ///
    /// # Errors
    /// [`Error::Usage`] when a card is asked for.
    pub(super) fn on_cpu(self, what: &str) -> Result<Self> {
        match self.device {
            Device::Auto | Device::Cpu => Ok(Self {
                device: Device::Cpu,
                ..self
            }),
            card => Err(Error::Usage(format!(
                "--device {card}: {what} is computed on the CPU only (--device cpu)"
            ))),
        }
    }

    /// Opens the card, with what there is to say about it; `None` is the CPU.
    ///
    /// # Errors
    /// [`Error::Device`] when what is asked for cannot be had, with what to do; [`Error::Usage`] for numbers that the CPU does not compute with.
    pub(super) fn open(self) -> Result<(Option<Card>, Option<String>)> {
        let wanted = match self.device {
            Device::Auto if utils::cuda_is_available() => Device::Cuda(0),
            Device::Auto if utils::metal_is_available() => Device::Metal,
            Device::Auto => Device::Cpu,
            device => device,
        };
        let opened = match wanted {
            Device::Auto | Device::Cpu => Ok(None),
            card => Card::open(card, self.dtype).map(Some),
        };
        let (card, note) = match (opened, self.device) {
            (Ok(Some(card)), _) => {
                let note = format!("computing on {}", card.name);
                (Some(card), Some(note))
            }
            (Ok(None), _) => (None, None),
            (Err(no), Device::Auto) => (None, Some(format!("computing on the CPU: {}", no.why))),
            (Err(no), _) => return Err(Error::Device(format!("{}: {}", no.why, no.advice))),
        };
        if card.is_none() && matches!(self.dtype, Dtype::F16 | Dtype::Bf16) {
            let note = note.map(|note| format!(" ({note})"));
            return Err(Error::Usage(format!(
                "--dtype {} is for GPUs; the CPU computes in 8 bits where the weights are, or in f32{}",
                self.dtype,
                note.unwrap_or_default()
            )));
        }
        Ok((card, note))
    }
}

/// Rows and columns of the matrices whose product shows what a card computes at best.
pub const PEAK_SIDE: usize = 8192;

/// A device that candle computes on.
#[derive(Debug, Clone)]
pub struct Card {
    /// The device.
    pub device: Opened,
    /// The numbers to compute with.
    pub dtype: DType,
    /// Its maker's name for it where it tells, ours, and the numbers.
    pub name: String,
}

/// Why a card does not open, and what to do.
struct NoCard {
    why: String,
    advice: String,
}

impl Card {
    /// Opens `device`.
    fn open(device: Device, dtype: Dtype) -> std::result::Result<Self, NoCard> {
        let (built, feature, kind) = match device {
            Device::Metal => (utils::metal_is_available(), "metal", "Apple's GPU"),
            _ => (utils::cuda_is_available(), "cuda", "NVIDIA GPUs"),
        };
        if !built {
            return Err(NoCard {
                why: format!("this program was not built for {kind}"),
                advice: format!(
                    "`cargo install --path . --features {feature}` makes the one that is (README.md, \"GPU\"); --device cpu computes without"
                ),
            });
        }
        let opened = match device {
            Device::Cuda(number) => Opened::new_cuda(number),
            _ => Opened::new_metal(0),
        };
        // A device may open and yet not run what was compiled for another generation.
        let opened = opened.and_then(|opened| {
            Tensor::ones(1, DType::F32, &opened)?
                .affine(2.0, 0.0)?
                .to_vec1::<f32>()?;
            Ok(opened)
        });
        let opened = opened.map_err(|e| {
            // A backtrace may follow.
            let error = e.to_string();
            let look = match device {
                Device::Metal => "",
                _ => "see that `nvidia-smi` lists it and that its driver is as new as the CUDA that this program was built with, or ",
            };
            NoCard {
                why: format!("{device} does not open ({})", error.lines().next().unwrap_or_default()),
                advice: format!("{look}compute on the CPU (--device cpu)"),
            }
        })?;
        let dtype = match (dtype, device) {
            (Dtype::F16, _) | (Dtype::Auto, Device::Cuda(_)) => DType::F16,
            (Dtype::Bf16, _) => DType::BF16,
            _ => DType::F32,
        };
        let name = match makers_name(&opened) {
            Some(name) => format!("{name} ({device}, {})", dtype.as_str()),
            None => format!("{device} ({})", dtype.as_str()),
        };
        Ok(Self {
            device: opened,
            dtype,
            name,
        })
    }

    /// Operations a second of a product of two matrices of `side`, and bytes a second that a copy reads and writes: the best of some trials.
    pub fn peaks(&self, side: usize) -> Computed<(f64, f64)> {
        const TRIALS: usize = 6;
        /// Between two waits for the device, each of which costs some microseconds.
        const AT_ONCE: usize = 8;
        // Not all alike: products of equal numbers need less power, and run faster than any that are meant.
        let matrix = Tensor::randn(0f32, 1f32, (side, side), &self.device)?.to_dtype(self.dtype)?;
        let fastest = |work: &dyn Fn() -> Computed<Tensor>| -> Computed<f64> {
            let mut best = f64::INFINITY;
            for _ in 0..TRIALS {
                self.device.synchronize()?;
                let begun = Instant::now();
                for _ in 0..AT_ONCE {
                    work()?;
                }
                self.device.synchronize()?;
                best = best.min(begun.elapsed().as_secs_f64() / AT_ONCE as f64);
            }
            Ok(best.max(1e-9))
        };
        let product = fastest(&|| matrix.matmul(&matrix))?;
        let copy = fastest(&|| matrix.copy())?;
        let cells = (side * side) as f64;
        let bytes = 2.0 * cells * self.dtype.size_in_bytes() as f64;
        Ok((2.0 * cells * side as f64 / product, bytes / copy))
    }
}

/// Whether `error` says that the device's memory is full: less at once may do.
pub fn out_of_memory(error: &candle_core::Error) -> bool {
    let text = error.to_string();
    // The driver's words, and cuBLAS's.
    ["OUT_OF_MEMORY", "out of memory", "ALLOC_FAILED"]
        .iter()
        .any(|words| text.contains(words))
}

#[cfg(feature = "cuda")]
fn makers_name(device: &Opened) -> Option<String> {
    let device = device.as_cuda_device().ok()?;
    device.cuda_stream().context().name().ok()
}

#[cfg(not(feature = "cuda"))]
fn makers_name(_: &Opened) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_device_is_what_it_is_called() {
        for device in [
            Device::Auto,
            Device::Cpu,
            Device::Cuda(0),
            Device::Cuda(3),
            Device::Metal,
        ] {
            assert_eq!(device.to_string().parse(), Ok(device));
        }
        assert_eq!("cuda".parse(), Ok(Device::Cuda(0)));
        for dtype in [Dtype::Auto, Dtype::F32, Dtype::F16, Dtype::Bf16] {
            assert_eq!(dtype.to_string().parse(), Ok(dtype));
        }
        for wrong in ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "CPU"] {
            let said = wrong.parse::<Device>().unwrap_err();
            assert!(said.contains("cuda:N"), "{said}");
        }
        assert!("float".parse::<Dtype>().is_err());
    }

    #[test]
    fn the_cpu_is_no_card_and_computes_in_its_own_numbers() {
        for dtype in [Dtype::Auto, Dtype::F32] {
            let place = Place {
                device: Device::Cpu,
                dtype,
            };
            let (card, note) = place.open().unwrap();
            assert!(card.is_none() && note.is_none());
        }
        for dtype in [Dtype::F16, Dtype::Bf16] {
            let place = Place {
                device: Device::Cpu,
                dtype,
            };
            let error = place.open().unwrap_err();
            assert!(matches!(error, Error::Usage(_)) && error.to_string().contains("for GPUs"));
        }
    }

    #[test]
    fn a_card_that_the_program_was_not_built_for_says_how_to_get_the_other_program() {
        let cards = [
            (
                Device::Cuda(0),
                utils::cuda_is_available(),
                "--features cuda",
            ),
            (
                Device::Metal,
                utils::metal_is_available(),
                "--features metal",
            ),
        ];
        for (device, built, says) in cards {
            if !built {
                let error = Place::from(device).open().unwrap_err();
                assert!(matches!(error, Error::Device(_)));
                assert!(error.to_string().contains(says), "{error}");
            }
        }
    }

    #[test]
    fn what_only_the_cpu_computes_is_refused_elsewhere() {
        let place = |device| Place::from(device).on_cpu("the float engine");
        assert_eq!(place(Device::Auto).unwrap().device, Device::Cpu);
        let error = place(Device::Cuda(1)).unwrap_err().to_string();
        assert!(
            error.contains("--device cuda:1: the float engine"),
            "{error}"
        );
    }

    #[test]
    fn a_full_memory_is_told_from_other_errors() {
        let error = |text: &str| candle_core::Error::Msg(text.to_owned());
        assert!(out_of_memory(&error(
            "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")"
        )));
        assert!(out_of_memory(&error(
            "CublasError(CUBLAS_STATUS_ALLOC_FAILED)"
        )));
        assert!(!out_of_memory(&error(
            "DriverError(CUDA_ERROR_LAUNCH_FAILED, \"unspecified launch failure\")"
        )));
    }

    #[test]
    fn peaks_are_rates() {
        let card = Card {
            device: Opened::Cpu,
            dtype: DType::F32,
            name: String::new(),
        };
        let (operations, bytes) = card.peaks(64).unwrap();
        assert!(operations > 1e6 && bytes > 1e6, "{operations} {bytes}");
    }
}
