//! The limits of sampling parameters, whoever sends them.

use std::ops::RangeInclusive;

use super::{ResponseFormat, Sampling};
use crate::error::EngineError;

impl Sampling {
    /// Whether every parameter is within its limits.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] names the parameter and what is allowed.
    pub fn check(&self, vocab_size: usize) -> Result<(), EngineError> {
        within("temperature", self.temperature, 0.0..=2.0)?;
        within("top_p", self.top_p, f32::MIN_POSITIVE..=1.0)?;
        within("min_p", self.min_p, 0.0..=1.0)?;
        within("presence_penalty", self.presence_penalty, -2.0..=2.0)?;
        within("frequency_penalty", self.frequency_penalty, -2.0..=2.0)?;
        within("repetition_penalty", self.repetition_penalty, f32::MIN_POSITIVE..=2.0)?;
        if !(1..=Self::MAX_CHOICES).contains(&self.n) {
            return Err(invalid("n", format!("is {}, and must be from 1 to {}", self.n, Self::MAX_CHOICES)));
        }
        at_most("stop", self.stop.len(), Self::MAX_STOPS)?;
        at_most("logit_bias", self.logit_bias.len(), Self::MAX_LOGIT_BIAS)?;
        let logprobs = self.logprobs.unwrap_or(0);
        if logprobs > Self::MAX_LOGPROBS {
            let problem = format!("is {logprobs}, and must be from 0 to {}", Self::MAX_LOGPROBS);
            return Err(invalid("top_logprobs", problem));
        }
        if self.max_tokens == Some(0) {
            return Err(invalid("max_tokens", "must be at least 1"));
        }
        if self.stop.iter().any(|stop| stop.is_empty() || stop.len() > Self::MAX_STOP_BYTES) {
            return Err(invalid("stop", format!("each must have 1 to {} bytes", Self::MAX_STOP_BYTES)));
        }
        if self.ignore_eos && self.format != ResponseFormat::Text {
            let problem = "cannot be true with a `response_format`, which says where the answer ends";
            return Err(invalid("ignore_eos", problem));
        }
        for &(token, bias) in &self.logit_bias {
            if token as usize >= vocab_size {
                return Err(invalid(
                    "logit_bias",
                    format!("has token {token}, outside the vocabulary of {vocab_size}"),
                ));
            }
            within("logit_bias", bias, -100.0..=100.0)?;
        }
        Ok(())
    }
}

fn within(field: &'static str, value: f32, range: RangeInclusive<f32>) -> Result<(), EngineError> {
    if range.contains(&value) {
        return Ok(());
    }
    let (least, most) = (range.start(), range.end());
    let allowed = match *least {
        f32::MIN_POSITIVE => format!("more than 0 and at most {most}"),
        least => format!("from {least} to {most}"),
    };
    Err(invalid(field, format!("is {value}, and must be {allowed}")))
}

fn at_most(field: &'static str, value: usize, most: usize) -> Result<(), EngineError> {
    if value <= most {
        Ok(())
    } else {
        Err(invalid(field, format!("has {value} entries, and {most} are the most")))
    }
}

fn invalid(field: &'static str, problem: impl Into<String>) -> EngineError {
    EngineError::Invalid { field, problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(change: impl FnOnce(&mut Sampling)) -> Option<&'static str> {
        let mut sampling = Sampling::default();
        change(&mut sampling);
        match sampling.check(10) {
            Err(EngineError::Invalid { field, .. }) => Some(field),
            Err(other) => panic!("{other}"),
            Ok(()) => None,
        }
    }

    #[test]
    fn what_is_out_of_bounds_is_named() {
        assert_eq!(field(|_| ()), None);
        assert_eq!(field(|s| s.temperature = f32::NAN), Some("temperature"));
        assert_eq!(field(|s| s.temperature = 2.1), Some("temperature"));
        assert_eq!(field(|s| s.top_p = 0.0), Some("top_p"));
        assert_eq!(field(|s| s.min_p = -0.1), Some("min_p"));
        assert_eq!(field(|s| s.presence_penalty = 3.0), Some("presence_penalty"));
        assert_eq!(field(|s| s.repetition_penalty = 0.0), Some("repetition_penalty"));
        assert_eq!(field(|s| s.n = 0), Some("n"));
        assert_eq!(field(|s| s.n = 9), Some("n"));
        assert_eq!(field(|s| s.max_tokens = Some(0)), Some("max_tokens"));
        assert_eq!(field(|s| s.stop = vec![String::new()]), Some("stop"));
        assert_eq!(field(|s| s.stop = vec!["x".into(); 17]), Some("stop"));
        assert_eq!(field(|s| s.logit_bias = vec![(10, 0.0)]), Some("logit_bias"));
        assert_eq!(field(|s| s.logit_bias = vec![(1, 101.0)]), Some("logit_bias"));
        assert_eq!(field(|s| s.logprobs = Some(21)), Some("top_logprobs"));
        assert_eq!(
            field(|s| (s.ignore_eos, s.format) = (true, ResponseFormat::JsonObject)),
            Some("ignore_eos")
        );
    }
}
