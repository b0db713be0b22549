//! The program: hands its arguments to `cli`. Must never know more than that.

use std::process::ExitCode;

fn main() -> ExitCode {
    // First of all: this process may be the init of a cell.
    builder::exec::init_main();
    builder::exec::share_heap();
    builder::cli::main()
}
