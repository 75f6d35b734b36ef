//! The `tenora` binary: arguments in, exit code out.

use std::{io::Write, process::ExitCode};

use clap::Parser;
use tenora_gateway::cli::Cli;

fn main() -> ExitCode {
    match actix_web::rt::System::new().block_on(Cli::parse().run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            _ = writeln!(std::io::stderr(), "tenora: {error:#}");
            ExitCode::FAILURE
        }
    }
}
