//! Damaged files end in exposures whose values are numbers, or in one error, and never in a panic.

use std::fs;

use cupel_data::Stream;
use cupel_prism::read_exposures;

use crate::readers::{FILES, fixture, optics};

const MUTANTS: u64 = 600;

#[test]
fn of_each_layout() {
    let instrument = optics();
    for name in FILES {
        let bytes = fs::read(fixture(name)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::copy(fixture("frames.csv"), folder.path().join("frames.csv")).unwrap();
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
            match read_exposures(&path, &instrument) {
                Ok(own) => {
                    own.exposures.check().unwrap();
                    for frame in 0..own.exposures.frames.count().min(2) {
                        let values = own.exposures.frames.frame(frame).unwrap();
                        assert!(values.iter().all(|value| value.is_finite() && *value >= 0.0), "{name} {mutant}");
                    }
                    good += 1;
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
        assert!(good > 0 && good < MUTANTS, "{name}: {good} of {MUTANTS} mutants were read");
    }
}
