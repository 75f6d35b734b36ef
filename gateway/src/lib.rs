//! The Tenora server: HTTP in, tokens out; the only crate that knows the web.
//!
//! The modules stand in the order of a reading from the outside in, and each imports only what stands below it:
//! the command line boots a server; a request meets the front, its route, the guard that proves who asks, the handler,
//! the gate, and then the engine.

pub mod cli;

pub mod doctor;

pub mod boot;
pub mod demo;
pub mod ops;
pub mod server;

pub mod front;
pub mod router;

pub mod openapi;

pub mod api;

pub mod guard;

pub mod push;

pub mod gauges;
pub mod live;

pub mod readiness;

pub mod app;

pub mod admission;
pub mod auth;
pub mod body;
pub mod metering;
pub mod wire;

pub mod error;
pub mod hub;
pub mod progress;
pub mod scope;
pub mod secrets;
pub mod telemetry;

pub mod config;

pub mod limits;

pub mod client_address;
pub mod cors;
