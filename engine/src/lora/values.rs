//! What an adapter's numbers say, from the one pass over them: finite, of a size that the model's arithmetic can bear, and
//! of any effect at all.

use std::collections::BTreeMap;

use half::{bf16, f16};
use serde::Serialize;

use super::{codes, fit::PlacedTensor, header::FloatType, names::Side, targets::Place};
use crate::{error::AdapterRejection, model::Projection};

/// Largest number of a tensor: no adapter that is trained or kept in 16 bits has a larger one, since f16 holds none.
const MAX_NUMBER: f64 = 65_504.0;
/// Largest bound of what a pair of matrices multiplies its input by. A normalised input is about √hidden ≤ 100 long, so
/// gate and up stay below 10⁷, their product below 10¹⁴, and what `down_proj` makes of it below 10¹⁹: its square, which
/// the next norm sums up, is just within f32. Trained adapters have norms of 1 to some hundreds.
const MAX_NORM: f64 = 1e5;
/// Beyond this an adapter outweighs any base.
const LARGE_NORM: f64 = 1e3;
/// Beyond this the scale is rather a mistake in `lora_alpha`; usual ones are from 0.5 to 16.
const LARGE_SCALE: f64 = 32.0;
/// Modules that a warning names; it counts all.
const NAMED: usize = 3;
/// Sums that run side by side, so that one addition need not wait for the other.
const LANES: usize = 8;

/// How large an adapter's numbers are in one projection: each value is the largest over the layers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModuleNorm {
    /// The projection, such as `q_proj`.
    pub module: &'static str,
    /// Largest absolute value in A.
    pub largest_a: f64,
    /// Largest absolute value in B.
    pub largest_b: f64,
    /// `scale · ‖A‖ · ‖B‖` (Frobenius norms), which the norm of `scale · B · A` never exceeds.
    pub norm: f64,
}

/// Something odd about an adapter that is accepted nevertheless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Stable and machine-readable, such as `large_norm`.
    pub code: &'static str,
    /// What is odd, and what may be behind it.
    pub message: String,
}

/// The numbers of one tensor, summed up.
#[derive(Debug, Clone, Copy, Default)]
struct Measure {
    largest: f64,
    /// Sum of squares.
    squares: f64,
}

/// The two matrices of a module.
#[derive(Debug, Default)]
struct Pair {
    a: Measure,
    b: Measure,
    scale: f64,
}

impl Pair {
    /// `s·‖A‖·‖B‖`, which ‖s·B·A‖ never exceeds (Frobenius norms).
    fn norm(&self) -> f64 {
        self.scale * (self.a.squares * self.b.squares).sqrt()
    }
}

/// What is known of an adapter's numbers so far.
#[derive(Debug, Default)]
pub(super) struct Values(BTreeMap<Place, Pair>);

impl Values {
    /// Looks at every number of a tensor, once.
    pub(super) fn take(&mut self, tensor: &PlacedTensor, bytes: &[u8]) -> Result<(), AdapterRejection> {
        let measure = match tensor.dtype {
            FloatType::F32 => measure(bytes.as_chunks().0, f32::from_le_bytes),
            FloatType::F16 => measure(bytes.as_chunks().0, |b| f16::from_le_bytes(b).to_f32()),
            FloatType::Bf16 => measure(bytes.as_chunks().0, |b| bf16::from_le_bytes(b).to_f32()),
        };
        let name = &tensor.name;
        let measure = measure.map_err(|index| {
            let row = index / tensor.shape[1];
            let message =
                format!("tensor `{name}` has NaN or infinity in row {row}; train or export it again");
            AdapterRejection::new(codes::NOT_FINITE, name, message)
        })?;
        if measure.largest > MAX_NUMBER {
            let message = format!(
                "tensor `{name}` has a number of size {:.3e}, and {MAX_NUMBER} is the most; was its training unstable?",
                measure.largest
            );
            return Err(AdapterRejection::new(codes::VALUES_TOO_LARGE, name, message));
        }
        let pair = self.0.entry((tensor.layer, tensor.projection)).or_default();
        pair.scale = tensor.scale;
        *match tensor.side {
            Side::A => &mut pair.a,
            Side::B => &mut pair.b,
        } = measure;
        Ok(())
    }

    /// Judges the whole; the largest of each projection, and what its owner should know.
    pub(super) fn judge(&self) -> Result<(Vec<ModuleNorm>, Vec<Warning>), AdapterRejection> {
        if let Some((&(layer, projection), pair)) = self.0.iter().find(|(_, pair)| pair.norm() > MAX_NORM) {
            let module = projection.path(layer);
            let message = format!(
                "`{module}`: scale · ‖A‖ · ‖B‖ is {:.3e}, and {MAX_NORM:e} is the most that cannot make the model's \
                 numbers overflow; was its training unstable, or is `lora_alpha` wrong?",
                pair.norm()
            );
            return Err(AdapterRejection::new(codes::VALUES_TOO_LARGE, module, message));
        }
        let idle: Vec<Place> =
            self.0.iter().filter(|(_, pair)| pair.norm() == 0.0).map(|(place, _)| *place).collect();
        if idle.len() == self.0.len() {
            let message = "A or B is zero in every pair (every `lora_B`, as before training), so the adapter would \
                           answer like the base model; was it trained, and saved after that?";
            return Err(AdapterRejection::whole(codes::DOES_NOTHING, message));
        }
        let norms = self.norms();
        let warnings = [self.idle_modules(&idle), large_norm(&norms), self.large_scale()];
        Ok((norms, warnings.into_iter().flatten().collect()))
    }

    fn norms(&self) -> Vec<ModuleNorm> {
        let of = |projection: Projection| {
            let pairs = self.0.iter().filter(move |((_, own), _)| *own == projection);
            pairs
                .map(|(_, pair)| (pair.a.largest, pair.b.largest, pair.norm()))
                .reduce(|x, y| (x.0.max(y.0), x.1.max(y.1), x.2.max(y.2)))
        };
        let norm = |projection: Projection| {
            let (largest_a, largest_b, norm) = of(projection)?;
            Some(ModuleNorm { module: projection.name(), largest_a, largest_b, norm })
        };
        Projection::ALL.into_iter().filter_map(norm).collect()
    }

    fn idle_modules(&self, idle: &[Place]) -> Option<Warning> {
        let names: Vec<_> =
            idle.iter().take(NAMED).map(|(layer, projection)| projection.path(*layer)).collect();
        let more = if idle.len() > NAMED { ", …" } else { "" };
        (!idle.is_empty()).then(|| {
            let (idle, all, names) = (idle.len(), self.0.len(), names.join(", "));
            let message = format!(
                "A or B is zero in {idle} of {all} modules ({names}{more}): there the adapter changes nothing"
            );
            Warning { code: "modules_without_effect", message }
        })
    }

    fn large_scale(&self) -> Option<Warning> {
        let largest = self.0.values().map(|pair| pair.scale).fold(0.0, f64::max);
        (largest > LARGE_SCALE).then(|| {
            let message = format!(
                "the scale (`lora_alpha` over the rank, or over its root) is {largest:.1}, and usual ones are below \
                 {LARGE_SCALE}: is `lora_alpha` the one it was trained with?"
            );
            Warning { code: "large_scale", message }
        })
    }
}

fn large_norm(norms: &[ModuleNorm]) -> Option<Warning> {
    let largest =
        norms.iter().max_by(|a, b| a.norm.total_cmp(&b.norm)).filter(|own| own.norm > LARGE_NORM)?;
    let message = format!(
        "`{}` changes its input by a factor of up to {:.0}, and trained adapters rarely by more than some hundreds: was its training stable?",
        largest.module, largest.norm
    );
    Some(Warning { code: "large_norm", message })
}

/// Sums up the numbers, or tells where one is not finite.
fn measure<const N: usize>(words: &[[u8; N]], read: impl Fn([u8; N]) -> f32) -> Result<Measure, usize> {
    let (mut largest, mut squares, mut finite) = ([0f32; LANES], [0f64; LANES], true);
    for group in words.chunks(LANES) {
        for (lane, word) in group.iter().enumerate() {
            let number = read(*word);
            finite &= number.is_finite();
            largest[lane] = largest[lane].max(number.abs());
            squares[lane] += f64::from(number) * f64::from(number);
        }
    }
    if !finite {
        return Err(words.iter().position(|word| !read(*word).is_finite()).unwrap_or_default());
    }
    let largest = largest.into_iter().fold(0.0, f32::max);
    Ok(Measure { largest: f64::from(largest), squares: squares.into_iter().sum() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_summed_up_whatever_their_count() {
        for count in [1, 7, 8, 9, 100] {
            let words: Vec<[u8; 4]> = (1..=count).map(|n| (-(n as f32)).to_le_bytes()).collect();
            let found = measure(&words, f32::from_le_bytes).unwrap();
            let squares: u32 = (1..=count).map(|n| n * n).sum();
            assert_eq!((found.largest, found.squares), (f64::from(count), f64::from(squares)), "{count}");
        }
    }

    #[test]
    fn a_number_that_is_none_is_found() {
        for index in [0, 7, 8, 20] {
            let mut words = vec![1f32.to_le_bytes(); 21];
            words[index] = f32::NAN.to_le_bytes();
            assert_eq!(measure(&words, f32::from_le_bytes).map(|_| ()), Err(index));
            words[index] = f32::NEG_INFINITY.to_le_bytes();
            assert_eq!(measure(&words, f32::from_le_bytes).map(|_| ()), Err(index));
        }
    }

    #[test]
    fn a_norm_is_a_bound_of_what_the_pair_does() {
        let of = |numbers: &[f32]| {
            let words: Vec<_> = numbers.iter().map(|n| n.to_le_bytes()).collect();
            measure(&words, f32::from_le_bytes).unwrap()
        };
        // B A = [[3, 4], [6, 8]], of norm √125; ‖A‖ = 5 and ‖B‖ = √5: with rank one the bound is exact.
        let pair = Pair { a: of(&[3.0, 4.0]), b: of(&[1.0, 2.0]), scale: 2.0 };
        assert!((pair.norm() - 2.0 * 125f64.sqrt()).abs() < 1e-12);
    }
}
