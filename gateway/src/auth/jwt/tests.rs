//! The promises of this module: attacks by name, keys that rotate and fail, the issuers' file.

mod attacks;
mod claims;
mod file;
mod jwks_server;
mod kit;
mod rotation;
