//! Every operation against its reference: one list of checks, one file of operations per family.
//!
//! The checks run on every device that is compiled in and works.
#![cfg(feature = "flex")]

mod checks;
mod convolution;
mod fft;
mod modules;
mod normalization;
mod sum;
mod switch;
