//! The program that ejabberd starts; all of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ejabberd_cloud::main(std::env::args_os())
}
