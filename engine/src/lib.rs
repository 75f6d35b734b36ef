//! engine

pub mod runner;

pub mod lora;

pub mod model;

pub mod batch;
pub mod kv_pool;
pub mod request;

pub mod config;
pub mod error;
