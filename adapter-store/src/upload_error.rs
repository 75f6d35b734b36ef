//! What can be wrong with a resumable upload, by meaning. Every text is safe for the client.

use thiserror::Error;

use crate::ids::PartId;

/// Why a resumable upload does not go on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UploadError {
    /// Unknown, forgotten, or another tenant's: the three are never told apart.
    #[error("There is no such upload. Those that ended a week ago are forgotten; begin another.")]
    NotFound,
    /// What was asked for needs a pending upload.
    #[error("The upload is {status}, and only a pending one takes parts or can be completed. Begin another.")]
    NotPending {
        /// What it is.
        status: &'static str,
    },
    /// What was asked for needs a completed upload.
    #[error("The upload is {status}, and only a completed one can become an adapter version.")]
    NotCompleted {
        /// What it is.
        status: &'static str,
    },
    /// A version was made of it, and its own bytes are gone.
    #[error("The upload became an adapter version already, and its bytes went with it. Begin another.")]
    Used,
    /// Its time was over.
    #[error("The upload has expired, and its parts are gone. Begin another.")]
    Expired,
    /// The tenant has as many uploads as it may have at a time.
    #[error(
        "The tenant has {limit} uploads that are pending, or completed and not used yet. Complete, use or cancel one first."
    )]
    TooMany {
        /// How many it may have.
        limit: u64,
    },
    /// Too many parts of the tenant are being received.
    #[error("The server receives {limit} parts of this tenant already. Send fewer at a time.")]
    Busy {
        /// How many one server receives at a time.
        limit: usize,
    },
    /// A part is larger than a part may be.
    #[error("A part has at most {limit} bytes here. Send the file in smaller parts.")]
    PartTooLarge {
        /// The most bytes that this part may have.
        limit: u64,
    },
    /// A part has no bytes.
    #[error("A part has at least one byte.")]
    EmptyPart,
    /// There is no room for another part.
    #[error(
        "The upload takes at most {limit} {what}, those of abandoned parts included. Repeat a part under its number, or begin another upload."
    )]
    Full {
        /// More of what.
        what: &'static str,
        /// The most that it takes.
        limit: u64,
    },
    /// A part that is to be in the file is not there.
    #[error("The upload has no part {0}. List its parts, and send what is missing.")]
    PartNotFound(PartId),
    /// A part is named more than once.
    #[error("The part {0} is named more than once.")]
    PartRepeated(PartId),
    /// The parts do not have the declared size together.
    #[error(
        "The parts have {got} bytes together, and {declared} were declared. Name every part once, in order."
    )]
    WrongSize {
        /// What the upload was begun with.
        declared: u64,
        /// What the named parts have.
        got: u64,
    },
    /// The bytes are others than those whose digest was given.
    #[error(
        "The {which} of the bytes is {got}, and another was given. Check the parts' order, or send them again."
    )]
    WrongDigest {
        /// Which digest.
        which: &'static str,
        /// What it is, in hex digits.
        got: String,
    },
}
