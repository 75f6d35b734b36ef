//! The JSON we speak: shapes only, as clients see them. Knows no store and no engine.

pub mod adapters;
pub mod audit;
pub mod chat;
pub mod completions;
pub mod generation;
pub mod health;
pub mod limits;
pub mod list;
pub mod live;
pub mod me;
pub mod models;
pub mod pushes;
pub mod response_format;
pub mod servers;
pub mod session;
pub mod tenants;
pub mod uploads;
pub mod usage;
