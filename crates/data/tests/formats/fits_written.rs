//! FITS images that are written: read back here, and by astropy where it is installed.

use super::samples::{assert_contains, fixture, message, sample};
use cupel_data::{
    Array, Axes, Axis, AxisKind, Celestial, CelestialFrame, Cube, ElementType, FitsBeam, FitsCards, convert, open,
    write_fits, write_npy,
};
use std::process::Command;

/// A sky of 3 channels, 4 rows and 5 columns.
fn sky(frequencies_mhz: &[f64]) -> Cube<f32> {
    let channels = Axis::new(AxisKind::Frequency, frequencies_mhz.len());
    let channels = channels.with_coordinates(frequencies_mhz.to_vec(), "MHz").unwrap();
    let (rows, columns) = (Axis::new(AxisKind::Declination, 4), Axis::new(AxisKind::RightAscension, 5));
    let axes = Axes::new(vec![channels, rows, columns]).unwrap();
    Cube::new((0..axes.value_count()).map(|n| n as f32 / 3.0).collect(), axes).unwrap()
}

fn cards(celestial: Celestial) -> FitsCards {
    let beam = FitsBeam { major_deg: 0.1, minor_deg: 1e-7, angle_deg: -12.5 };
    FitsCards { unit: Some("mK".into()), celestial: Some(celestial), beam: Some(beam) }
}

#[test]
fn a_sky_is_read_back_with_unit_beam_and_every_coordinate() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sky.fits");
    let turned = Celestial {
        frame: CelestialFrame::Galactic,
        projection: "SIN".into(),
        reference_deg: [-30.0, 280.125],
        reference_pixel: [-3.25, 1e3],
        pixel_matrix_deg: [[0.1, 0.01], [-0.02, -0.3]],
    };
    let centred = Celestial::centred(CelestialFrame::Equatorial, "TAN", [89.5, 1.0 / 3.0], [0.1, -0.1], [4, 5]);
    let plain = Celestial::centred(CelestialFrame::Equatorial, "", [1.0, 2.0], [0.5, 0.5], [4, 5]);
    for celestial in [centred, turned, plain.clone()] {
        for frequencies in [&[100.0, 100.1, 100.2][..], &[600.0, 599.609375, 599.21875], &[1420.405751768]] {
            let cube = sky(frequencies);
            let cards = cards(celestial.clone());
            write_fits(&path, &cube, &cards).unwrap();
            let file = open(&path).unwrap();
            assert_eq!(file.fits_header(None).unwrap().unwrap().cards().unwrap(), cards);
            let back = file.cube::<f32>(None).unwrap();
            assert_eq!(back.values(), cube.values());
            let mhz = back.axis(AxisKind::Frequency).unwrap().coordinates_in("MHz").unwrap();
            assert!(mhz.iter().zip(frequencies).all(|(got, given)| (got / given - 1.0).abs() < 1e-15), "{mhz:?}");
        }
    }
    // Without a projection the axes have coordinates.
    let file = open(&path).unwrap();
    let places = file.axes(None).unwrap().axis(AxisKind::Declination).unwrap().coordinates_in("deg").unwrap().to_vec();
    assert_eq!(places, [0.25, 0.75, 1.25, 1.75]);
}

#[test]
fn angles_of_a_flat_sky_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sky.fits");
    let axis = |kind, places: &[f64]| Axis::new(kind, places.len()).with_coordinates(places.to_vec(), "deg").unwrap();
    let rows = axis(AxisKind::Declination, &[-10.0, -9.875, -9.75]);
    let columns = axis(AxisKind::RightAscension, &[5.0, 4.5]);
    let stokes = Axis::new(AxisKind::Polarisation, 2).with_coordinates(vec![-5.0, -6.0], "").unwrap();
    let axes = Axes::new(vec![columns, stokes, rows]).unwrap();
    let cube = Cube::new((0..12).map(f64::from).collect(), axes).unwrap();
    write_fits(&path, &cube, &FitsCards::default()).unwrap();
    assert_eq!(open(&path).unwrap().cube::<f64>(None).unwrap(), cube);
}

#[test]
fn every_type_is_converted_and_found_whole() {
    use ElementType::{F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("a.npy"), folder.path().join("a.fits"));
    for element in [U8, I8, U16, I16, U32, I32, U64, I64, F16, F32, F64] {
        for shape in [&[7][..], &[3, 600], &[2, 3, 4, 1]] {
            let array = match element {
                U8 | I8 if shape == [3, 600] => continue,
                _ => sample(element, shape),
            };
            write_npy(&from, &array).unwrap();
            convert(&from, &to, None, true).unwrap();
            let expected = if element == F16 { sample(F32, shape) } else { array };
            assert_eq!(open(&to).unwrap().array(None).unwrap(), expected, "{element} {shape:?}");
            let bytes = std::fs::read(&to).unwrap();
            assert_eq!(bytes.len() % 2880, 0);
            // Every number is under the sums: the last one, where the padding begins.
            let end = 2880 + expected.values().len() * expected.element_type().size_bytes();
            let mut damaged = bytes.clone();
            damaged[end - 1] ^= 1;
            assert_contains(&super::samples::message_of(&damaged), &["the data add up to"]);
            write_npy(&from, &expected).unwrap();
            convert(&to, &from, None, true).unwrap();
            convert(&from, &to, None, true).unwrap();
            assert_eq!(std::fs::read(&to).unwrap(), bytes, "equal arrays give equal files");
        }
    }
    // From FITS to FITS everything that the header says goes along.
    convert(&fixture("sky.fits"), &to, None, true).unwrap();
    let (given, made) = (open(fixture("sky.fits")).unwrap(), open(&to).unwrap());
    let header = |file: &cupel_data::Dataset| file.fits_header(None).unwrap().unwrap().cards().unwrap();
    assert_eq!(header(&made), header(&given));
    let of = |file: &cupel_data::Dataset| file.cube::<f32>(None).unwrap();
    assert_eq!((of(&made).axes(), &of(&made).values()[1..]), (of(&given).axes(), &of(&given).values()[1..]));
}

#[test]
fn what_fits_cannot_hold_is_said_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fits");
    let write = |cube: &Cube<f32>, cards: &FitsCards| message(write_fits(&path, cube, cards));
    let none = FitsCards::default();
    assert_contains(&write(&sky(&[1.0, 2.0, 4.0]), &none), &["coordinate 1 of the frequency axis, 2", "not on a line"]);
    let unit = |unit: &str| FitsCards { unit: Some(unit.into()), ..FitsCards::default() };
    assert_contains(&write(&sky(&[1.0]), &unit("µK")), &["BUNIT is \"µK\"", "68 letters of ASCII"]);
    assert_contains(&write(&sky(&[1.0]), &unit(&"K".repeat(69))), &["68 letters"]);
    let mut celestial = Celestial::centred(CelestialFrame::Equatorial, "TAN", [0.0, 0.0], [0.1, 0.1], [4, 5]);
    let flat = Cube::new(vec![0.0_f32; 3], Axes::new(vec![Axis::new(AxisKind::Frequency, 3)]).unwrap()).unwrap();
    assert_contains(&write(&flat, &cards(celestial.clone())), &["the axes (frequency) has no place on the sky"]);
    celestial.reference_deg[1] = f64::NAN;
    assert_contains(&write(&sky(&[1.0]), &cards(celestial)), &["CRVAL1 is NaN"]);
    let empty = Cube::new(Vec::<f32>::new(), Axes::new(vec![Axis::new(AxisKind::Row, 0)]).unwrap()).unwrap();
    assert_contains(&write(&empty, &none), &["the shape [0]"]);
    let hertz = Axis::new(AxisKind::Frequency, 1).with_coordinates(vec![1e8], "Hz").unwrap();
    let hertz = Cube::new(vec![0.0_f32], Axes::new(vec![hertz]).unwrap()).unwrap();
    assert_contains(&write(&hertz, &none), &["the frequency axis is in Hz, expected MHz"]);
    let complex = Array::from(&flat.map(|&re| cupel_data::Complex::new(re, 0.0)));
    write_npy(&folder.path().join("a.npy"), &complex).unwrap();
    assert_contains(&message(convert(&folder.path().join("a.npy"), &path, None, false)), &["complex64", "both parts"]);
    assert!(!path.exists());
}

/// astropy reads the files, where it is installed.
#[test]
fn astropy_reads_what_is_written() {
    let found = Command::new("python3").args(["-c", "import astropy.wcs"]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: no python3 with astropy; .ci/run has one");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let celestial = Celestial {
        pixel_matrix_deg: [[0.1, 0.01], [-0.02, -0.3]],
        ..Celestial::centred(CelestialFrame::Equatorial, "TAN", [-30.0, 83.5], [0.1, -0.3], [4, 5])
    };
    write_fits(&folder.path().join("sky.fits"), &sky(&[100.0, 100.1, 100.2]), &cards(celestial)).unwrap();
    let script = r#"
import warnings
import numpy as np
from astropy import units
from astropy.io import fits
from astropy.wcs import WCS
warnings.simplefilter("error")
with fits.open("sky.fits", checksum=True) as file:
    file.verify("exception")
    header, data = file[0].header, file[0].data
    assert (data == (np.arange(60, dtype="f4") / np.float32(3)).reshape(3, 4, 5)).all() and data.dtype == ">f4"
    assert units.Unit(header["BUNIT"]) == units.mK and header["BMAJ"] == 0.1 and header["BMIN"] == 1e-7
    wcs = WCS(header)
    assert wcs.world_axis_physical_types == ["pos.eq.ra", "pos.eq.dec", "em.freq"], wcs
    right_ascension, declination, frequency = wcs.pixel_to_world_values(2.0, 1.5, np.arange(3))
    np.testing.assert_allclose(frequency, [1e8, 1.001e8, 1.002e8], rtol=1e-14)
    np.testing.assert_allclose([right_ascension[0], declination[0]], [83.5, -30.0], rtol=1e-14)
    np.testing.assert_allclose(wcs.celestial.pixel_scale_matrix, [[-0.3, -0.02], [0.01, 0.1]], rtol=1e-14)
"#;
    let output = Command::new("python3").args(["-c", script]).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
