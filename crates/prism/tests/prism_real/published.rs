//! The blood smear that was published with Zheng's code, where `CUPEL_DATA` or `../shared/data` has it.

use std::path::{Path, PathBuf};

use cupel_prism::{Instrument, read_exposures};

fn blood_smear() -> Option<PathBuf> {
    let beside = || PathBuf::from("../../../shared/data");
    let folder = std::env::var_os("CUPEL_DATA").map_or_else(beside, PathBuf::from);
    let path = folder.join("prism/fpm_bloodsmear_green.mat");
    if path.is_file() {
        return Some(path);
    }
    eprintln!("SKIPPED: no {}; set CUPEL_DATA to the folder that holds prism/", path.display());
    None
}

// Golden numbers of data/prism/fpm_check.json (numpy, own code).
#[test]
fn the_blood_smear_has_the_geometry_of_the_reference_and_holds_amplitudes() {
    let Some(path) = blood_smear() else { return };
    let example = Path::new("examples/blood_smear.toml");
    let own = read_exposures(&path, &Instrument::read(example).unwrap()).unwrap();
    let told = own.found.join("\n");
    assert!(told.contains("taken as amplitudes"), "{told}");
    let (optics, lights) = (&own.exposures.optics, own.exposures.lights.as_ref().unwrap());
    assert_eq!((optics.size, optics.detector, own.exposures.frames.count()), ([512, 512], 128, 225));
    let widest = lights.array.numerical_apertures(lights.pose).into_iter().fold(0.0, f64::max);
    assert!((widest - 0.399_243_390_251_781_3).abs() < 1e-12);
    let area = optics.pupils[0].values().iter().filter(|value| value.norm() > 0.0).count() as f64;
    assert!((area / (std::f64::consts::PI * 44.390_977_f64.powi(2)) - 1.0).abs() < 0.01, "{area}");
    // Bright in the middle and dark at the edge; the file has roots.
    let mean = |frame| own.exposures.frames.frame(frame).unwrap().iter().sum::<f32>() / 16384.0;
    assert!(mean(0) > 1.5 && mean(224) < 1e-3, "{} {}", mean(0), mean(224));
}
