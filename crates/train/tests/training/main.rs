//! Training as a domain sees it: every check on three stand-ins for the models to come, and the laws of the loop.
#![cfg(feature = "flex")]

mod kills;
mod laws;
mod stand_ins;
mod stored;

use burn::tensor::Device;
use cupel_train::checks::{self, Subject};
use stand_ins::{Convolutional, SingleObject, Tabular};

fn passes<S: Subject>(subject: &S) {
    let scratch = tempfile::tempdir().unwrap();
    checks::all(subject, &Device::flex(), scratch.path());
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
