//! How positions turn a head's numbers (Su et al. 2021, arXiv 2104.09864): a frequency for each pair of them, and a scale, as transformers'
//! `modeling_rope_utils.py` and llama.cpp have them.

use serde_json::Value;

use super::gguf::Gguf;
use super::values::Values;
use crate::error::{Error, Result};
use crate::model::config::File;
use crate::model::manifest::Architecture;

/// Turns of the first numbers of a head.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotary {
    /// What positions turn each pair by.
    pub frequencies: Vec<f32>,
    /// What turned numbers are multiplied by.
    pub scale: f32,
    /// Tokens that a text may have before other frequencies would hold for all of it.
    pub limit: Option<usize>,
}

impl Rotary {
    /// The turns of `width` numbers by powers of `theta`.
    pub fn plain(theta: f64, width: usize) -> Self {
        let power = |i: usize| theta.powf(-2.0 * i as f64 / width as f64);
        Self {
            frequencies: (0..width / 2).map(|i| power(i) as f32).collect(),
            scale: 1.0,
            limit: None,
        }
    }

    /// What `settings` of a `config.json` say of heads of `width`; `theta` where they name none.
    ///
    /// # Errors
    /// [`Error::Model`] that names the setting.
    pub fn read(
        file: &File<'_>,
        settings: Option<&Value>,
        theta: f64,
        width: usize,
        architecture: Architecture,
    ) -> Result<Self> {
        let is_phi = architecture == Architecture::Phi3;
        let part = |key: &str| {
            let value = settings.and_then(|settings| settings.get(key));
            value.filter(|value| !value.is_null())
        };
        let number = |key: &str| match part(key).and_then(Value::as_f64) {
            Some(v) if v.is_finite() && v > 0.0 => Ok(v),
            _ => file.fail(format!("the rotary setting {key} is no number above 0")),
        };
        let number_or = |key: &str, usual: f64| match part(key) {
            Some(_) => number(key),
            None => Ok(usual),
        };
        let share = match part("partial_rotary_factor") {
            Some(_) => number("partial_rotary_factor")?,
            None => file.float_or("partial_rotary_factor", 1.0)?,
        };
        if share != 1.0 && !is_phi {
            return file.fail(
                "partial_rotary_factor: only heads that are turned as a whole are computed"
                    .to_owned(),
            );
        }
        let turned = (width as f64 * share) as usize;
        if turned < 2 || turned > width || !turned.is_multiple_of(2) {
            return file.fail(format!(
                "partial_rotary_factor {share} turns {turned} of a head's {width} numbers: it has to be an even number of them"
            ));
        }
        let theta = number_or("rope_theta", theta)?;
        if theta <= 1.0 {
            return file.fail(format!("rope_theta is {theta}; it has to be above 1"));
        }
        let mut rotary = Self::plain(theta, turned);
        let kind = part("rope_type").or(part("type"));
        match kind.map_or(Some("default"), Value::as_str) {
            Some("default") => {}
            // As if positions lay closer together.
            Some("linear") => {
                let factor = number("factor")? as f32;
                rotary.frequencies.iter_mut().for_each(|f| *f /= factor);
            }
            // Llama 3.1 and later: slow turns are slowed further, fast ones kept, and those between in between.
            Some("llama3") => {
                let factor = number("factor")?;
                let (low, high) = (number("low_freq_factor")?, number("high_freq_factor")?);
                let trained = number("original_max_position_embeddings")?;
                if high <= low {
                    return file
                        .fail("high_freq_factor has to be above low_freq_factor".to_owned());
                }
                for frequency in &mut rotary.frequencies {
                    let turns = trained * f64::from(*frequency) / std::f64::consts::TAU;
                    let kept = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                    let scaled = f64::from(*frequency) * (kept + (1.0 - kept) / factor);
                    *frequency = scaled as f32;
                }
            }
            // Ding et al. 2024, arXiv 2402.13753; Phi-3's first files call it so. Texts of up to the original length have frequencies of
            // their own, longer ones others, for all of their tokens: a cache would have to be made anew on the way. We stop there.
            Some("longrope" | "su" | "yarn") if is_phi => {
                let key = "original_max_position_embeddings";
                let original = file.count_or(key, 4096, 2)?;
                if part(key).is_some_and(|said| said.as_u64() != Some(original as u64)) {
                    return file.fail(format!(
                        "{key} is {original}, but among the rotary settings another"
                    ));
                }
                let factors = |key: &str| {
                    let list = part(key).and_then(Value::as_array);
                    let numbers = list.into_iter().flatten().map_while(Value::as_f64);
                    let numbers: Vec<f64> = numbers.filter(|v| *v > 0.0).collect();
                    let count = list.map_or(0, Vec::len);
                    match numbers.len() == count && count == turned / 2 {
                        true => Ok(numbers),
                        false => file.fail(format!(
                            "the rotary setting {key} is no list of {} numbers above 0",
                            turned / 2
                        )),
                    }
                };
                factors("long_factor")?;
                let short = factors("short_factor")?;
                let context = file.count_or("max_position_embeddings", 4096, 1)?;
                let stretch = number_or("factor", context as f64 / original as f64)?;
                let usual = (1.0 + stretch.max(1.0).ln() / (original as f64).ln()).sqrt();
                for (frequency, factor) in rotary.frequencies.iter_mut().zip(short) {
                    *frequency = (f64::from(*frequency) / factor) as f32;
                }
                rotary.scale = number_or("attention_factor", usual)? as f32;
                rotary.limit = Some(original);
            }
            other => {
                return file.fail(format!(
                    "the rotary scaling is `{}`; default, linear and llama3 are computed, and Phi-3's longrope",
                    other.unwrap_or_default()
                ));
            }
        }
        Ok(rotary)
    }

    /// What a GGUF file says of `width` numbers of a head.
    ///
    /// # Errors
    /// [`Error::Model`] that names the value.
    pub fn of_gguf(values: &Values<'_>, width: usize) -> Result<Self> {
        let file = values.file;
        let mut rotary = Self::plain(values.float("rope.freq_base", Some(10_000.0))?, width);
        rotary.scale = values.float("rope.scaling.attn_factor", Some(1.0))? as f32;
        let scaling = values.text("rope.scaling.type")?;
        match scaling.as_deref().unwrap_or("none") {
            "none" => {}
            "linear" => {
                let factor = values.float("rope.scaling.factor", None)? as f32;
                rotary.frequencies.iter_mut().for_each(|f| *f /= factor);
            }
            "longrope" if file.has(SHORT) => {}
            other => {
                return Err(Error::Model(format!(
                    "the GGUF file: rope.scaling.type is `{other}`; none and linear are computed, and longrope with its factors"
                )));
            }
        }
        // Llama 3's long contexts, as what each frequency is divided by.
        if file.has(FACTORS) {
            rotary.divide(file, FACTORS)?;
        }
        // Phi-3's: see above.
        if file.has(SHORT) || file.has(LONG) {
            file.vector(LONG, width / 2)?;
            rotary.divide(file, SHORT)?;
            rotary.limit = Some(values.count("rope.scaling.original_context_length", None)?);
        }
        Ok(rotary)
    }

    fn divide(&mut self, file: &Gguf<'_>, factors: &str) -> Result<()> {
        let factors = file.vector(factors, self.frequencies.len())?;
        for (frequency, factor) in self.frequencies.iter_mut().zip(factors) {
            *frequency /= factor;
        }
        Ok(())
    }

    /// Whether it can turn heads of `width`.
    pub fn fits(&self, width: usize) -> bool {
        let finite = |v: &f32| v.is_finite();
        let pairs = self.frequencies.len();
        (1..=width / 2).contains(&pairs)
            && self.frequencies.iter().all(finite)
            && self.scale.is_finite()
            && self.scale > 0.0
    }
}

/// What frequencies are divided by: of all texts, and of short ones and long.
const FACTORS: &str = "rope_freqs.weight";
const SHORT: &str = "rope_factors_short.weight";
const LONG: &str = "rope_factors_long.weight";
