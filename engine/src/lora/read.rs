//! One pass over an adapter: config, header, fit, then every value, tensor by tensor in the order of the file. The upload
//! check looks at the tensors and lets them go; a runner's loader keeps them. Both refuse the same files.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use super::{codes, fit, header, peft_config::PeftConfig, report::AdapterReport, values::Values};
pub(crate) use super::{fit::PlacedTensor, header::FloatType, names::Side, peft_config::MAX_CONFIG_BYTES};
use crate::{
    error::{AdapterRejection, EngineError},
    model::ModelConfig,
};

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

/// Checks an adapter against the base model in a folder, of which only the configuration is read: no server, no weights.
///
/// # Errors
/// [`EngineError::BaseModel`]: the folder holds no base model that can be served. [`EngineError::Adapter`]: the first thing
/// that is wrong, with a code of [`super::codes`].
pub fn check_offline(
    base: &Path,
    config: &[u8],
    weights: &Path,
    max_rank: usize,
) -> Result<AdapterReport, EngineError> {
    let model = ModelConfig::read_any(base)?;
    let mut report = check(config, weights, &model, max_rank)?;
    let name =
        base.canonicalize().ok().and_then(|base| Some(base.file_name()?.to_string_lossy().into_owned()));
    if let Some(name) = name {
        report.compare_base(&name);
    }
    Ok(report)
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
        let mut values = Values::default();
        let mut buffer = Vec::new();
        for (tensor, info) in tensors.iter().zip(&header) {
            buffer.resize(info.bytes() as usize, 0);
            file.read_exact(&mut buffer).map_err(|e| unreadable("adapter_model.safetensors", &e))?;
            values.take(tensor, &buffer)?;
            sink(tensor, &buffer)?;
        }
        AdapterReport::new(config, (&tensors, &values), bytes)
    }
}
