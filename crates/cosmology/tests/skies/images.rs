//! FITS cubes and arrays of numbers.

use cupel_cosmology::{Sky, Unit, read_sky};
use cupel_data::{Array, Axes, Axis, AxisKind, Cube, Values, write_npy, write_npz};

use crate::common::{config, fixture, sky};

#[test]
fn a_fits_cube_comes_with_unit_frequencies_beam_and_place() {
    let cube = read_sky(fixture("cube.fits"), &config(&[])).unwrap();
    assert_eq!(cube.unit(), Unit::JanskyPerBeam);
    assert_eq!(cube.frequencies_mhz().unwrap(), [100.0, 100.5, 101.0]);
    let kinds = [AxisKind::Frequency, AxisKind::Declination, AxisKind::RightAscension];
    assert_eq!((cube.cube().axes().kinds(), cube.cube().shape()), (kinds.to_vec(), vec![3, 4, 5]));
    assert_eq!(cube.cube().values()[(2 * 4 + 1) * 5 + 3], sky(2, 1, 3));
    assert_eq!(cube.geometry().unwrap().side_deg, [1.0, 2.5]);
    let beam = cube.beam(2).unwrap();
    assert_eq!((beam.major_deg, beam.minor_deg, beam.angle_deg), (0.6, 0.5, 30.0));
    let place = cube.celestial().unwrap();
    assert_eq!((place.projection.as_str(), place.reference_deg), ("TAN", [-45.0, 30.0]));
    assert!(cube.in_unit(Unit::Millikelvin).is_ok());
}

#[test]
fn what_is_written_is_read_again_in_another_unit_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again.fits");
    let cube = read_sky(fixture("cube.fits"), &config(&[])).unwrap().in_unit(Unit::Millikelvin).unwrap();
    cube.write(&path).unwrap();
    assert_eq!(read_sky(&path, &config(&[])).unwrap(), cube);
}

#[test]
fn beams_of_each_channel_and_weights_of_a_file_beside_are_taken() {
    let mut with = config(&[]);
    with.weights = Some(fixture("weights.fits"));
    let cube = read_sky(fixture("beams.fits"), &with).unwrap();
    // longitude and latitude of the Milky Way, one polarisation, frequencies that go down
    assert_eq!(cube.cube().axes().kinds(), [AxisKind::Frequency, AxisKind::Row, AxisKind::Column]);
    assert_eq!(cube.frequencies_mhz().unwrap(), [100.0, 99.5, 99.0]);
    for (channel, width) in [1.0, 0.5, 0.25].into_iter().enumerate() {
        let beam = cube.beam(channel).unwrap();
        assert_eq!((beam.major_deg, beam.minor_deg), (width, width / 2.0));
    }
    let at = |cube: &Cube<f32>, place: [usize; 3]| cube.values()[(place[0] * 4 + place[1]) * 5 + place[2]];
    let weights = cube.weights().unwrap();
    assert_eq!([at(weights, [1, 2, 3]), at(weights, [0, 0, 0]), at(weights, [2, 0, 0])], [0.0, 0.5, 1.0]);
    // the blank that the weights leave out
    assert_eq!([at(cube.cube(), [1, 2, 3]), at(cube.cube(), [1, 2, 4])], [0.0, sky(1, 2, 4)]);
}

/// The sky of the fixtures as an array.
fn array() -> Array {
    let values = (0..60).map(|i| sky(i / 20, i / 5 % 4, i % 5)).collect();
    Array::new(vec![3, 4, 5], Values::F32(values)).unwrap()
}

#[test]
fn arrays_take_what_is_said_or_lies_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.npy");
    write_npy(&path, &array()).unwrap();
    let said = [("unit", "mK"), ("side-deg", "20"), ("frequencies", "350:380:3")];
    let cube = read_sky(&path, &config(&said)).unwrap();
    assert_eq!((cube.unit(), cube.frequencies_mhz().unwrap()), (Unit::Millikelvin, &[355.0, 365.0, 375.0][..]));
    assert_eq!(cube.geometry().unwrap().side_deg, [20.0, 20.0]);

    // the file of the peers' simulations
    let frequencies = Array::new(vec![3], Values::F64(vec![1.0e8, 1.1e8, 1.2e8])).unwrap();
    write_npy(&folder.path().join("freqs_mhz.npy"), &frequencies).unwrap();
    let cube = read_sky(&path, &config(&said[..2])).unwrap();
    assert_eq!(cube.frequencies_mhz().unwrap(), [100.0, 110.0, 120.0]);

    let path = folder.path().join("sky.npz");
    let mut flags = vec![false; 60];
    flags[7] = true;
    let flags = Array::new(vec![3, 4, 5], Values::Bool(flags)).unwrap();
    write_npz(&path, &[("sky", &array()), ("freqs_mhz", &frequencies), ("flags", &flags)]).unwrap();
    let cube = read_sky(&path, &config(&[("unit", "K")])).unwrap();
    assert_eq!(cube.weights().unwrap().values().iter().position(|weight| *weight == 0.0), Some(7));

    // another order of the axes, by their names
    let turned = Cube::new(
        (0..60).map(|i| sky(i % 3, i / 3 % 4, i / 12)).collect(),
        Axes::new(vec![
            Axis::new(AxisKind::Column, 5),
            Axis::new(AxisKind::Row, 4),
            Axis::new(AxisKind::Dimension(2), 3),
        ])
        .unwrap(),
    )
    .unwrap();
    let path = folder.path().join("turned.npy");
    write_npy(&path, &Array::from(&turned)).unwrap();
    let named = config(&[("unit", "K"), ("frequencies", "100,110,120"), ("axes", "column,row,frequency")]);
    let own = read_sky(&path, &named).unwrap();
    assert_eq!(own.cube(), cube.cube());
}

#[test]
fn a_sky_of_numbers_alone_writes_numbers_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (npy, fits) = (folder.path().join("sky.npy"), folder.path().join("sky.fits"));
    let axes = Axes::new(vec![
        cupel_cosmology::frequency_axis(vec![100.0, 101.0]).unwrap(),
        Axis::new(AxisKind::Row, 2),
        Axis::new(AxisKind::Column, 2),
    ]);
    let sky = Sky::new(Cube::new(vec![1.0; 8], axes.unwrap()).unwrap(), Unit::Kelvin, None).unwrap();
    sky.write(&npy).unwrap();
    sky.write(&fits).unwrap();
    assert_eq!(cupel_data::open(&npy).unwrap().cube::<f32>(None).unwrap().values(), [1.0; 8]);
    let dataset = cupel_data::open(&fits).unwrap();
    assert_eq!(dataset.fits_header(None).unwrap().unwrap().unit(), Some("K"));
}
