//! The one pass over an adapter's files that everybody makes who loads it: hash, check, and hand each tensor over.

use std::{
    fs::File,
    io::{self, Read},
};

use sha2::{Digest, Sha256};

use super::{
    codes,
    read::{self, Sink},
};
use crate::{error::AdapterRejection, model::ModelConfig, request::AdapterFiles};

/// Reads both files once and hands the tensors to the sink. What it took may be used only when this returns well: then
/// the files are those of the digest.
pub(crate) fn read_verified(
    files: &AdapterFiles,
    (model, max_rank): (&ModelConfig, usize),
    sink: Sink<'_>,
) -> Result<(), AdapterRejection> {
    let config = read_config(files)?;
    let mut hash = Sha256::new();
    hash.update((config.len() as u64).to_le_bytes());
    hash.update(&config);
    let (file, bytes) = read::open(&files.weights)?;
    let mut file = HashingReader { file, hash };
    let outcome = read::Reader { model, max_rank }.read(&config, (&mut file, bytes), sink);
    // Damage on our disk must not be reported as the owner's mistake, so the digest is judged first.
    file.finish(&files.digest)?;
    outcome.map(drop)
}

fn read_config(files: &AdapterFiles) -> Result<Vec<u8>, AdapterRejection> {
    let mut config = Vec::new();
    File::open(&files.config)
        .and_then(|file| file.take(read::MAX_CONFIG_BYTES as u64 + 1).read_to_end(&mut config))
        .map_err(|e| read::unreadable("adapter_config.json", &e))?;
    Ok(config)
}

/// Hashes whatever is read through it.
struct HashingReader<R> {
    file: R,
    hash: Sha256,
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}

impl<R: Read> HashingReader<R> {
    /// Reads what is left, and compares.
    fn finish(mut self, digest: &[u8; 32]) -> Result<(), AdapterRejection> {
        io::copy(&mut self, &mut io::sink())
            .map_err(|e| read::unreadable("adapter_model.safetensors", &e))?;
        if self.hash.finalize().as_slice() == digest {
            return Ok(());
        }
        let message = "the stored files are not those that were uploaded; upload the adapter again";
        Err(AdapterRejection::whole(codes::DIGEST_MISMATCH, message))
    }
}
