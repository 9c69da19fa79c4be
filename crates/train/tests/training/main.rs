//! Training as a domain sees it: every check on three stand-ins for the models to come, and the laws of the loop.
//!
//! The checks run on every device that is compiled in and works; the laws on the CPU.
#![cfg(any(feature = "flex", feature = "ndarray"))]

mod kills;
mod laws;
#[cfg(feature = "remote")]
mod remote;
mod stand_ins;
mod stored;
mod tables;

use burn::tensor::Device;
use cupel_train::{
    checks::{self, Subject},
    device,
};
use stand_ins::{Convolutional, SingleObject, Tabular};

fn cpu() -> Device {
    device::select("cpu").unwrap().device
}

fn passes<S: Subject>(subject: &S) {
    for backend in device::compiled() {
        match device::select(backend) {
            Ok(selected) => {
                let scratch = tempfile::tempdir().unwrap();
                println!("{} on {}", subject.name(), selected.name);
                checks::all(subject, &selected.device, scratch.path());
            }
            Err(error) => eprintln!("skipped: {error}"),
        }
    }
}

#[test]
fn the_convolutional_net_passes_every_check() {
    passes(&Convolutional);
}

#[test]
fn the_tabular_net_passes_every_check() {
    passes(&Tabular);
}

#[test]
fn the_single_object_decoder_passes_every_check() {
    passes(&SingleObject);
}
