//! Rotary position embedding: the frequencies that `config.json` asks for.

use super::fields::Fields;
use crate::error::EngineError;

const DEFAULT_THETA: f64 = 10_000.0;

/// How positions turn into angles.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Base of the frequencies, `rope_theta`.
    pub theta: f64,
    /// How the frequencies are stretched for long contexts.
    pub scaling: RopeScaling,
}

/// A stretching of the frequencies.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// None.
    Default,
    /// Every frequency divided by a factor (position interpolation, arXiv:2306.15595).
    Linear {
        /// The divisor.
        factor: f64,
    },
    /// Llama 3.1's: only long wavelengths are divided, with a smooth passage.
    Llama3 {
        /// The divisor of long wavelengths.
        factor: f64,
        /// Wavelengths above `original_context / low_freq_factor` are divided.
        low_freq_factor: f64,
        /// Wavelengths below `original_context / high_freq_factor` stay.
        high_freq_factor: f64,
        /// The context length before stretching.
        original_context: f64,
    },
}

impl Default for Rope {
    fn default() -> Self {
        Self { theta: DEFAULT_THETA, scaling: RopeScaling::Default }
    }
}

impl Rope {
    /// Reads `rope_parameters` (transformers 5), else `rope_theta` and `rope_scaling`.
    pub(super) fn read(config: &Fields) -> Result<Self, EngineError> {
        let newer = config.object("rope_parameters")?;
        let (block, section) = match newer {
            Some(section) => ("rope_parameters", Some(section)),
            None => ("rope_scaling", config.object("rope_scaling")?),
        };
        let theta = match &section {
            Some(section) => section.optional_number("rope_theta")?,
            None => None,
        };
        let theta = match theta {
            Some(theta) => theta,
            None => config.optional_number("rope_theta")?.unwrap_or(DEFAULT_THETA),
        };
        for holder in [Some(config), section.as_ref()].into_iter().flatten() {
            if holder.optional_number("partial_rotary_factor")?.is_some_and(|f| f != 1.0) {
                return Err(config.problem("partial_rotary_factor", "other than 1 is not supported"));
            }
        }
        let scaling = match section {
            Some(section) => RopeScaling::read(&section, block)?,
            None => RopeScaling::Default,
        };
        Ok(Self { theta, scaling })
    }

    /// The angle per position of each pair of a head's dimensions, `[head_dim / 2]`.
    pub fn inverse_frequencies(&self, head_dim: usize) -> Vec<f32> {
        (0..head_dim / 2)
            .map(|i| {
                // transformers computes these in f32; following it keeps long positions equal.
                let exponent = (2 * i) as f32 / head_dim as f32;
                self.scaling.stretch(1.0 / (self.theta as f32).powf(exponent))
            })
            .collect()
    }
}

impl RopeScaling {
    fn read(section: &Fields, block: &str) -> Result<Self, EngineError> {
        if section.entries().any(|(_, v)| v.is_object()) {
            return Err(section.problem(block, "with one entry per layer type is not supported"));
        }
        let kind = match section.text("rope_type")? {
            Some(kind) => kind,
            None => section.text("type")?.unwrap_or("default"),
        };
        match kind {
            "default" => Ok(Self::Default),
            "linear" => Ok(Self::Linear { factor: section.number("factor")? }),
            "llama3" => {
                let scaling = Self::Llama3 {
                    factor: section.number("factor")?,
                    low_freq_factor: section.number("low_freq_factor")?,
                    high_freq_factor: section.number("high_freq_factor")?,
                    original_context: section.number("original_max_position_embeddings")?,
                };
                match scaling {
                    Self::Llama3 { low_freq_factor, high_freq_factor, .. }
                        if high_freq_factor <= low_freq_factor =>
                    {
                        Err(section.problem("high_freq_factor", "must be above `low_freq_factor`"))
                    }
                    fine => Ok(fine),
                }
            }
            other => Err(section.problem(
                "rope_type",
                &format!("`{other}` is not supported; `default`, `linear` and `llama3` are"),
            )),
        }
    }

    fn stretch(&self, frequency: f32) -> f32 {
        match *self {
            Self::Default => frequency,
            Self::Linear { factor } => frequency / factor as f32,
            Self::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => {
                let wavelength = std::f32::consts::TAU / frequency;
                let (low, high) = (low_freq_factor as f32, high_freq_factor as f32);
                let context = original_context as f32;
                if wavelength > context / low {
                    frequency / factor as f32
                } else if wavelength < context / high {
                    frequency
                } else {
                    let smooth = (context / wavelength - low) / (high - low);
                    (1.0 - smooth) * frequency / factor as f32 + smooth * frequency
                }
            }
        }
    }
}
