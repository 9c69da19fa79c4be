//! Every operation against its reference: one list of checks, one file of operations per family.
//!
//! The checks run on every device that is compiled in and works.
#![cfg(feature = "flex")]

mod adamw;
mod aperture;
mod checks;
mod convolution;
mod dropout;
mod embedding;
mod fft;
mod interactions;
mod likelihood;
mod linear;
mod low_rank;
mod mixture;
mod modules;
mod normalization;
mod philox;
mod pie;
mod project;
mod resample;
mod ssim;
mod sum;
mod switch;

/// Every operation here works in memory that was used before.
#[global_allocator]
static MEMORY: cupel_kernels::Recycling = cupel_kernels::Recycling::new();
