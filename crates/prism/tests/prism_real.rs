//! Measured exposures: files as others write them, refusals, damage, and the laws of simulated scans.
//!
//! The files in `fixtures` were made by h5py and numpy, by `fixtures/make.py`, which says what is in them.

#[path = "prism_real/calibrations.rs"]
mod calibrations;
#[path = "prism_real/mutants.rs"]
mod mutants;
#[path = "prism_real/published.rs"]
mod published;
#[path = "prism_real/readers.rs"]
mod readers;
#[path = "prism_real/refusals.rs"]
mod refusals;
#[path = "prism_real/scans.rs"]
mod scans;
