//! Skies and visibilities as files have them, read through the doors of the crate.
//!
//! The files in `fixtures` were made by h5py and astropy, by `fixtures/make.py`, which says which value is where.

#[path = "skies/common.rs"]
mod common;
#[path = "skies/images.rs"]
mod images;
#[path = "skies/maps.rs"]
mod maps;
#[path = "skies/memory.rs"]
mod memory;
#[path = "skies/mutants.rs"]
mod mutants;
#[path = "skies/published.rs"]
mod published;
#[path = "skies/refusals.rs"]
mod refusals;
#[path = "skies/visibilities.rs"]
mod visibilities;
