//! What engines behind the gateway do: what all of them must, and what a fleet does when its servers fail.

mod conformance;
mod faults;

mod asking;
