//! Damaged files end in a sky whose values are numbers, or in one error, and never in a panic.

use std::fs;

use cupel_cosmology::{read_sky, read_visibilities};
use cupel_data::Stream;

use crate::common::{config, fixture};

const MUTANTS: u64 = 600;

/// Reads copies of a file with some bytes changed, or cut short; says how many were still read.
fn mutate(name: &str, read: impl Fn(&std::path::Path) -> bool) -> usize {
    let bytes = fs::read(fixture(name)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let mut good = 0;
    for mutant in 0..MUTANTS {
        let mut rng = Stream::new(mutant, name).rng();
        let mut copy = bytes.clone();
        if mutant % 6 == 0 {
            copy.truncate(rng.below(bytes.len() as u64) as usize);
        } else {
            for _ in 0..=rng.below(4) {
                let place = rng.below(copy.len() as u64) as usize;
                copy[place] = match rng.below(3) {
                    0 => 0xff,
                    1 => copy[place] ^ (1 << rng.below(8)),
                    _ => rng.below(256) as u8,
                };
            }
        }
        fs::write(&path, copy).unwrap();
        good += usize::from(read(&path));
    }
    assert!(good > 0, "{name}: no mutant was read");
    assert!((good as u64) < MUTANTS, "{name}: every mutant was read");
    good
}

fn sky(name: &str, settings: &[(&str, &str)]) {
    let config = config(settings);
    mutate(name, |path| match read_sky(path, &config) {
        Ok(sky) => {
            assert!(sky.cube().values().iter().all(|value| value.is_finite()));
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    });
}

fn visibilities(name: &str, settings: &[(&str, &str)]) {
    let config = config(settings);
    mutate(name, |path| match read_visibilities(path, &config) {
        Ok(visibilities) => {
            assert!(visibilities.values().values().iter().all(|value| value.re.is_finite() && value.im.is_finite()));
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    });
}

#[test]
fn of_cubes() {
    sky("cube.fits", &[]);
}

#[test]
fn of_maps() {
    let patch = [("patch-centre", "30,60"), ("patch-side", "40"), ("patch-pixels", "4")];
    sky("ring.fits", &[&patch[..], &[("frequencies", "100,110")]].concat());
    sky(
        "partial.fits",
        &[&patch[..], &[("patch-centre", "0,90"), ("patch-side", "8"), ("frequencies", "100")]].concat(),
    );
}

#[test]
fn of_uvh5() {
    visibilities("plain.uvh5", &[]);
    visibilities("ragged.uvh5", &[]);
}

#[test]
fn of_the_layout_of_the_original() {
    visibilities("vis_labelled.h5", &[]);
}
