//! The `cupel` binary.
fn main() {}
