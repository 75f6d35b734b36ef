//! The harness of the end-to-end suites: a real `tenora` process with a data folder of its own, clients in every role,
//! and adapters, good and bad.
//!
//! The suites run the binary that `make` has built; everything they see, they see as a client.

pub mod vllm;

mod bucket;
mod collector;
mod production;
mod server;

mod client;
mod stream;

mod adapter;

mod required;
mod tree;
mod wire;

#[path = "../../adapter-store/tests/contract/moto.rs"]
mod moto;
#[path = "../../adapter-store/tests/contract/proxy.rs"]
mod proxy;
#[path = "../../adapter-store/tests/contract/services.rs"]
mod services;

pub use adapter::Adapter;
pub use bucket::Bucket;
pub use client::{Client, Reply};
pub use collector::{Collector, Mood, Trace, hex};
pub use production::{ADMIN_KEY, Outage, Production};

pub use required::required;
pub use server::{Server, Settings, binary};
pub use stream::{Stream, chat};
pub use tree::repository;
pub use wire::BreakingWire;
