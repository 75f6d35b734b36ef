//! The handlers: authenticate → parse → admit → resolve → act → respond, one step a line.

pub mod adapters;
pub mod aliases;
pub mod audit;
pub mod chat;
pub mod completions;
pub mod dashboard;
pub mod docs;
pub mod health;
pub mod keys;
pub mod limits;
pub mod live;
pub mod me;
pub mod models;
pub mod pushes;
pub mod servers;
pub mod session;
pub mod tenants;
pub mod uploads;
pub mod usage;
pub mod versions;

mod form;
mod generation;
mod named;
mod paging;
mod upload;
