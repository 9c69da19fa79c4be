//! Each layout gives the same exposures.

use std::path::{Path, PathBuf};

use cupel_data::{Array, Values, write_mat, write_npy};
use cupel_prism::{Geometry, Instrument, LeftOut, Pose, Recording, read_exposures};

pub const FILES: [&str; 6] = ["scan.cxi", "ptylab.hdf5", "ptypy.ptyd", "scan.npz", "frames.npy", "frames.tif"];

pub fn fixture(name: &str) -> PathBuf {
    Path::new("tests/fixtures").join(name) // tests run in the folder of their crate
}

/// What the fixtures do not say of themselves.
pub fn optics() -> Instrument {
    let text = "wavelength = 5e-7\n[probe]\ndistance = 0.5\n[detector]\npixel_size = 1e-4\n";
    Instrument::parse(text, Path::new("optics.toml")).unwrap()
}

fn read(name: &str) -> Recording {
    read_exposures(&fixture(name), &optics()).unwrap()
}

#[test]
fn all_layouts_of_one_scan_have_the_same_frames_and_positions() {
    let first = read("frames.npy").exposures;
    assert_eq!(first.optics.geometry, Geometry::Object);
    // Columns 0, 3, 6 and rows 0, 3, about their middle.
    let expected = [-1.5, 1.5].into_iter().flat_map(|row| [-3.0, 0.0, 3.0].map(|column| [row, column]));
    let expected: Vec<[f64; 2]> = expected.collect();
    for name in FILES {
        let own = read(name);
        assert_eq!(own.exposures.frames.count(), 6, "{name}");
        for (place, expected) in own.exposures.centres.iter().zip(&expected) {
            assert!((0..2).all(|axis| (place[axis] - expected[axis]).abs() < 1e-4), "{name}: {place:?} {expected:?}");
        }
        for frame in 0..6 {
            assert_eq!(
                own.exposures.frames.frame(frame).unwrap(),
                first.frames.frame(frame).unwrap(),
                "{name} {frame}"
            );
        }
        assert!(!own.found.is_empty());
        own.exposures.check().unwrap();
    }
    // The zero frequency of the patterns is their brightest pixel.
    let frame = first.frames.frame(2).unwrap();
    let brightest = (0..256).max_by(|&a, &b| frame[a].total_cmp(&frame[b])).unwrap();
    assert_eq!(brightest, 8 * 16 + 8);
}

#[test]
fn what_is_found_is_told() {
    let told = |name: &str| read(name).found.join("\n");
    assert!(told("scan.npz").contains("corner"), "{}", told("scan.npz"));
    assert!(told("scan.npz").contains("taken as pixels"));
    assert!(told("frames.npy").contains("whole numbers"));
    assert!(told("scan.cxi").contains("left out: 1 pixels masked"), "{}", told("scan.cxi"));
    let good = read("scan.cxi").exposures.good.unwrap();
    assert!(!good[2 * 16 + 3] && good.iter().filter(|good| !**good).count() == 1);
}

#[test]
fn files_need_no_instrument_where_they_say_all() {
    for name in ["scan.cxi", "ptylab.hdf5", "ptypy.ptyd", "scan.npz"] {
        let own = read_exposures(&fixture(name), &Instrument::default()).unwrap();
        let wavelength = own.exposures.optics.wavelength;
        if name != "scan.npz" {
            assert!((wavelength.unwrap() / 5e-7 - 1.0).abs() < 1e-6, "{name}: {wavelength:?}");
            let pixel = own.exposures.optics.pixel_size.unwrap();
            assert!((pixel / (5e-7 * 0.5 / (16.0 * 1e-4)) - 1.0).abs() < 1e-6, "{name}: {pixel}");
        }
    }
}

/// Nine images of an array of lights, as MATLAB has them: `[rows, columns, frames]`.
fn lights(folder: &Path, numbers: &[(&str, f64)]) -> PathBuf {
    let path = folder.join("lights.mat");
    let values = (0..32 * 32 * 9).map(|i| 1.0 + ((i / 9) % 7) as f32 + (i % 9) as f32 / 16.0).collect();
    let frames = Array::new(vec![32, 32, 9], Values::F32(values)).unwrap();
    let singles: Vec<(&str, Array)> =
        numbers.iter().map(|(name, v)| (*name, Array::new(vec![], Values::F64(vec![*v])).unwrap())).collect();
    let all: Vec<(&str, &Array)> =
        std::iter::once(("imlow_HDR", &frames)).chain(singles.iter().map(|(name, array)| (*name, array))).collect();
    write_mat(&path, &all).unwrap();
    path
}

const MICROSCOPE: &str = "[objective]\nna = 0.1\npixel-size = 2e-6\n[array]\npitch = 4e-3\ndistance = 0.09\n";

#[test]
fn an_array_of_lights_is_placed_by_the_file_and_the_instrument() {
    let folder = tempfile::tempdir().unwrap();
    let path = lights(folder.path(), &[("wlength", 5e-7), ("z", 1e-5), ("xint", 0.5), ("yint", -0.25), ("theta", 2.0)]);
    let instrument = Instrument::parse(MICROSCOPE, Path::new("m.toml")).unwrap();
    let own = read_exposures(&path, &instrument).unwrap();
    assert_eq!(own.exposures.optics.geometry, Geometry::Spectrum);
    let lights = own.exposures.lights.as_ref().unwrap();
    assert_eq!(lights.pose, Pose { rotation: 2.0_f64.to_radians(), shift: [0.5e-3, -0.25e-3], distance: 0.0 });
    let array = &lights.array;
    assert_eq!(array.centres(lights.pose), own.exposures.centres);
    // A light on the +x side shows frequencies at negative columns, by sin / wavelength * width of the field.
    let width = 32.0 * 2e-6;
    let x = 4e-3 * 2.0_f64.to_radians().cos() + 0.5e-3;
    let y = 4e-3 * 2.0_f64.to_radians().sin() - 0.25e-3;
    let sine = x / (x * x + y * y + 0.09 * 0.09_f64).sqrt();
    assert!((own.exposures.centres[1][1] + sine / 5e-7 * width).abs() < 1e-9, "{:?}", own.exposures.centres[1]);
    // Frame k has k / 16 more than the first.
    let frame = |k| own.exposures.frames.frame(k).unwrap()[5].sqrt();
    let told = own.found.join(" ");
    if told.contains("taken as amplitudes") {
        assert!((frame(3) - frame(0) - 3.0 / 16.0).abs() < 1e-5);
    } else {
        assert!(told.contains("taken as intensities"), "{told}");
    }
    // Said kinds are taken as said.
    let squared = Instrument::parse(&format!("data = \"amplitude\"\n{MICROSCOPE}"), Path::new("m.toml")).unwrap();
    let squared = read_exposures(&path, &squared).unwrap().exposures.frames.frame(0).unwrap();
    let plain = Instrument::parse(&format!("data = \"intensity\"\n{MICROSCOPE}"), Path::new("m.toml")).unwrap();
    let plain = read_exposures(&path, &plain).unwrap().exposures.frames.frame(0).unwrap();
    assert!(squared.iter().zip(&plain).all(|(a, b)| (a - b * b).abs() < 1e-4));
}

#[test]
fn dark_frames_bad_and_saturated_pixels_are_taken_out_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut values: Vec<u16> = (0..6 * 256).map(|i| 100 + (i * 7919 % 50) as u16).collect();
    for frame in 0..6 {
        values[frame * 256 + 40] = 0; // dead
        values[frame * 256 + 77] = 60_000; // hot
    }
    values[3 * 256 + 90] = 4095;
    let path = folder.path().join("frames.npy");
    write_npy(&path, &Array::new(vec![6, 16, 16], Values::U16(values.clone())).unwrap()).unwrap();
    std::fs::copy(fixture("frames.csv"), folder.path().join("frames.csv")).unwrap();
    let plane = |name: &str, values: Vec<f32>| {
        write_npy(&folder.path().join(name), &Array::new(vec![16, 16], Values::F32(values)).unwrap()).unwrap();
    };
    plane("dark.npy", vec![5.0; 256]);
    plane("bad.npy", (0..256).map(|i| f32::from(u8::from(i == 200))).collect());
    let file = folder.path().join("instrument.toml");
    let text = "wavelength = 5e-7\n[probe]\ndistance = 0.5\n[detector]\npixel_size = 1e-4\nsaturation = 4000\n\
                dark-frame = \"dark.npy\"\nbad_pixels = \"bad.npy\"\ngain = 2\nread_noise = 3\nzero = \"middle\"\n";
    std::fs::write(&file, text).unwrap();
    let own = read_exposures(&path, &Instrument::read(&file).unwrap()).unwrap();
    let good = own.exposures.good.as_ref().unwrap();
    let out: Vec<usize> = (0..256).filter(|&pixel| !good[pixel]).collect();
    assert_eq!(out, [40, 200], "{:?}", own.found);
    // one is saturated always, the other in one exposure, where alone it does not count
    let frames: Vec<Vec<f32>> = (0..6).map(|index| own.exposures.frames.frame(index).unwrap()).collect();
    for (index, frame) in frames.iter().enumerate() {
        let infinite: Vec<usize> = (0..256).filter(|&pixel| frame[pixel] == f32::INFINITY).collect();
        assert_eq!(infinite, if index == 3 { vec![77, 90] } else { vec![77] }, "frame {index}");
    }
    assert!(own.found.iter().any(|line| line.contains("the dark is taken off")), "{:?}", own.found);
    let told: Vec<&String> = own.found.iter().filter(|line| line.starts_with("left out: ")).collect();
    assert_eq!(
        told,
        [
            "left out: 7 saturated values in 6 of 6 exposures, 1 dead pixels, 1 pixels masked by the file or the instrument"
        ]
    );
    let wanted = LeftOut { pixels: 2, values: 7, in_exposures: 6, exposures: 0 };
    assert_eq!(LeftOut::of(&own.exposures).unwrap(), wanted);
    assert_eq!(own.exposures.frames.frame(0).unwrap()[3], f32::from(values[3]) - 5.0);
    assert_eq!(own.exposures.noise, cupel_prism::Noise::Counts { photons: 2.0, read: 3.0 });
}
