//! The guide to training, whose example is compiled and run as a user's crate would be.
#![doc = include_str!("../../../docs/training.md")]
