//! The `seaworthy` program: parses its arguments, runs, and leaves with the status.

use std::process::ExitCode;

fn main() -> ExitCode {
    seaworthy::cli::run()
}
