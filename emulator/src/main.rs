//! The `emulator` program; see [`emulator::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    emulator::serve_main(std::env::args_os())
}
