//! What cannot be is refused with one message that says what, where, and how to mend it.

use std::path::Path;

use cupel_data::{Array, Values, write_npy, write_npz};
use cupel_prism::{Instrument, read_exposures};

use crate::readers::{fixture, optics};

/// Frames of 16 x 16 and positions as an NPZ; what reading it says.
fn said(frames: &[f32], positions: &[f64], instrument: &Instrument) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scan.npz");
    let data = Array::new(vec![frames.len() / 256, 16, 16], Values::F32(frames.to_vec())).unwrap();
    let scan = Array::new(vec![positions.len() / 2, 2], Values::F64(positions.to_vec())).unwrap();
    write_npz(&path, &[("data", &data), ("scan", &scan)]).unwrap();
    match read_exposures(&path, instrument) {
        Ok(own) => {
            own.exposures.check().unwrap();
            String::new()
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("scan.npz"), "{text}");
            text
        }
    }
}

#[test]
fn frames_and_positions() {
    let instrument = Instrument::default();
    let bright = vec![3.0; 2 * 256];
    let places = [0.0, 0.0, 4.0, 5.0];
    assert_eq!(said(&bright, &places, &instrument), "");
    let says = |frames: &[f32], positions: &[f64], instrument: &Instrument, words: &[&str]| {
        let text = said(frames, positions, instrument);
        assert!(words.iter().all(|word| text.contains(word)), "{words:?}: {text}");
    };
    says(&bright, &[0.0, 0.0, 4.0, 5.0, 1.0, 1.0], &instrument, &["2 frames and 3 positions"]);
    says(&vec![0.0; 512], &places, &instrument, &["all 2 frames are dark"]);
    let mut bad = bright.clone();
    bad[256 + 16 * 3 + 4] = f32::NAN;
    says(&bad, &places, &instrument, &["frame 1", "row 3, column 4", "NaN"]);
    bad[256 + 16 * 3 + 4] = -2.0;
    says(&bad, &places, &instrument, &["frame 1", "row 3, column 4", "-2"]);
    // Metres without the numbers that make pixels of them, and units that cannot be.
    says(&bright, &[0.0, 0.0, 4e-6, 5e-6], &instrument, &["wavelength", "probe.distance", "detector.pixel-size"]);
    says(&bright, &[0.0, 0.0, 4e-9, 5e-9], &optics(), &["another unit"]);
    says(&bright, &[0.0, 0.0, 4e5, 5e5], &instrument, &["another unit"]);
    let metres = Instrument::parse(
        "wavelength = 5e-7\n[probe]\ndistance = 0.5\nunit = \"m\"\n[detector]\npixel-size = 1e-4",
        Path::new("m"),
    );
    says(&bright, &places, &metres.unwrap(), &["another unit"]);
    says(&bright, &[0.0, 0.0, 4.0, f64::NAN], &instrument, &["position 1", "NaN"]);
    let led = Instrument::parse("geometry = \"led-array\"", Path::new("m")).unwrap();
    says(&bright, &places, &led, &["led-array", "ptychography"]);
}

#[test]
fn a_stack_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images.npy");
    let values = (0..4 * 1024).map(|i| 1.0 + (i % 11) as f32).collect();
    write_npy(&path, &Array::new(vec![4, 32, 32], Values::F32(values)).unwrap()).unwrap();
    let says = |text: &str, words: &[&str]| {
        let instrument = Instrument::parse(text, Path::new("m.toml")).unwrap();
        let error = read_exposures(&path, &instrument).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{words:?}: {error}");
    };
    says("", &["where the light came from"]);
    says("geometry = \"ptychography\"", &["no positions"]);
    says("geometry = \"led-array\"", &["wavelength"]);
    says("geometry = \"led-array\"\nwavelength = 5e-7", &["objective.na"]);
    says("wavelength = 5e-7\n[objective]\nna = 0.1", &["objective.pixel-size"]);
    let all = "wavelength = 5e-7\n[objective]\nna = 0.1\npixel-size = 2e-6\n[array]\npitch = 4e-3\n";
    says(all, &["array.distance"]);
    says(&format!("{all}distance = 0.09\norder = \"raster\"\nrows = 3\ncolumns = 3\n"), &["4 frames and 9 lights"]);
    says(
        &all.replace("na = 0.1", "na = 0.3").replace("[array]", "[array]\ndistance = 0.09"),
        &["pixels of a frame", "pixel size"],
    );
    says(&all.replace("[array]", "upsampling = 1\n[array]\ndistance = 0.02"), &["upsampling has to be"]);
    let good = Instrument::parse(&format!("{all}distance = 0.09\norder = \"raster\"\n"), Path::new("m.toml")).unwrap();
    read_exposures(&path, &good).unwrap();
}

#[test]
fn files_of_something_else() {
    for name in ["frames.csv", "make.py"] {
        assert!(read_exposures(&fixture(name), &optics()).is_err(), "{name}");
    }
    assert!(read_exposures(Path::new("no such file"), &optics()).is_err());
}
