//! The `cupel` binary: arguments in, calls of the library, exit codes out.

use std::process::ExitCode;

use cupel_cli::Cupel;

/// Tensors come and go in large blocks, which are used again.
#[global_allocator]
static MEMORY: cupel::kernels::Recycling = cupel::kernels::Recycling::new();

fn main() -> ExitCode {
    cupel_cli::start::<Cupel>(cupel_cli::program())
}
