//! One pass over an adapter: config, header, fit, then every value, tensor by tensor in the order of the file. The upload
//! check looks at the tensors and lets them go; a runner's loader keeps them. Both refuse the same files.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use super::{codes, fit, header, peft_config::PeftConfig, report::AdapterReport};
pub(crate) use super::{
    fit::{PlacedTensor, Side},
    header::FloatType,
    peft_config::MAX_CONFIG_BYTES,
};
use crate::{error::AdapterRejection, model::ModelConfig};

/// Checks an adapter completely, values included, against the base model. Blocks; holds one tensor at a time.
///
/// # Errors
/// The first thing that is wrong, with a code of [`super::codes`].
pub fn check(
    config: &[u8],
    weights: &Path,
    model: &ModelConfig,
    max_rank: usize,
) -> Result<AdapterReport, AdapterRejection> {
    let (mut file, bytes) = open(weights)?;
    Reader { model, max_rank }.read(config, (&mut file, bytes), &mut |_, _| Ok(()))
}

/// Opens a weights file and tells its length.
pub(crate) fn open(weights: &Path) -> Result<(BufReader<File>, u64), AdapterRejection> {
    let open = || {
        let file = File::open(weights)?;
        let bytes = file.metadata()?.len();
        Ok((BufReader::with_capacity(1 << 20, file), bytes))
    };
    open().map_err(|e: std::io::Error| unreadable("adapter_model.safetensors", &e))
}

/// A file that is there no more, or a disk that fails; says no path.
pub(crate) fn unreadable(file: &'static str, error: &std::io::Error) -> AdapterRejection {
    AdapterRejection::new(codes::UNREADABLE, file, format!("{file} could not be read: {}", error.kind()))
}

/// What takes the tensors, bytes little-endian as in the file.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(&PlacedTensor, &[u8]) -> Result<(), AdapterRejection>;

/// Reads adapters for one base model.
pub(crate) struct Reader<'a> {
    pub(crate) model: &'a ModelConfig,
    pub(crate) max_rank: usize,
}

impl Reader<'_> {
    /// Reads the whole file once, front to back, and hands every tensor that passed to the sink.
    pub(crate) fn read<R: Read>(
        &self,
        config: &[u8],
        (file, bytes): (&mut R, u64),
        sink: Sink<'_>,
    ) -> Result<AdapterReport, AdapterRejection> {
        let config = PeftConfig::parse(config)?;
        let header = header::read(file, bytes)?;
        let tensors = fit::place(&config, &header, self.model, self.max_rank)?;
        let mut does_something = false;
        let mut buffer = Vec::new();
        for (tensor, info) in tensors.iter().zip(&header) {
            buffer.resize(info.bytes() as usize, 0);
            file.read_exact(&mut buffer).map_err(|e| unreadable("adapter_model.safetensors", &e))?;
            let any = scan(tensor, &buffer)?;
            does_something |= any && tensor.side == Side::B;
            sink(tensor, &buffer)?;
        }
        if !does_something {
            let message =
                "every `lora_B` is zero, so the adapter would answer like the base model; was it trained?";
            return Err(AdapterRejection::whole(codes::DOES_NOTHING, message));
        }
        Ok(AdapterReport::new(&config, &tensors, bytes))
    }
}

/// Whether any number differs from zero; an error when one is NaN or infinite.
fn scan(tensor: &PlacedTensor, bytes: &[u8]) -> Result<bool, AdapterRejection> {
    let (finite, any) = match tensor.dtype {
        FloatType::F32 => scan_words(bytes.as_chunks().0.iter().map(|&b| u32::from_le_bytes(b)), 0x7f80_0000),
        FloatType::F16 => scan_words(half_words(bytes), 0x7c00),
        FloatType::Bf16 => scan_words(half_words(bytes), 0x7f80),
    };
    match finite {
        Ok(()) => Ok(any),
        Err(index) => {
            let (row, name) = (index / tensor.shape[1], &tensor.name);
            let message =
                format!("tensor `{name}` has NaN or infinity in row {row}; train or export it again");
            Err(AdapterRejection::new(codes::NOT_FINITE, name, message))
        }
    }
}

fn half_words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks().0.iter().map(|&b| u32::from(u16::from_le_bytes(b)))
}

/// Where the first number with a full exponent is, if any; and whether a number before it is not zero.
fn scan_words(words: impl Iterator<Item = u32>, exponent: u32) -> (Result<(), usize>, bool) {
    // Exponent and mantissa; shifting out the sign works for every width that `exponent` is the top of.
    let magnitude = exponent | ((exponent & exponent.wrapping_neg()) - 1);
    let mut any = false;
    for (index, word) in words.enumerate() {
        if word & exponent == exponent {
            return (Err(index), any);
        }
        any |= word & magnitude != 0;
    }
    (Ok(()), any)
}
