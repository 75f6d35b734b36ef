//! The harness of the end-to-end suites: a real `tenora` process with a data folder of its own, clients in every role,
//! and adapters, good and bad.
//!
//! The suites run the binary that `make` has built; everything they see, they see as a client.

mod server;

mod client;
mod stream;

mod adapter;

mod tree;

pub use adapter::Adapter;
pub use client::{Client, Reply};
pub use server::{Server, Settings, binary};
pub use stream::{Stream, chat};
pub use tree::repository;
