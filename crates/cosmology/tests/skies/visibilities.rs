//! Visibilities: the original's HDF5, UVH5, and arrays.

use cupel_cosmology::{Unit, Visibilities, holds_visibilities, read_visibilities};
use cupel_data::{Array, AxisKind, Complex, write_npy};

use crate::common::{config, fixture, refusal, visibility};

const RECORDS: [AxisKind; 3] = [AxisKind::Baseline, AxisKind::Frequency, AxisKind::RightAscension];

/// The places of the antennas of `make.py`, and what the vector of a pair is in the half plane.
const VECTORS: [([usize; 2], [f64; 3]); 4] =
    [([0, 0], [0.0, 0.0, 0.0]), ([0, 1], [14.0, 0.0, 1.0]), ([0, 2], [7.0, -12.0, 0.0]), ([1, 2], [21.0, -12.0, 1.0])];
/// The pairs of which the file has the reverse of that.
const REVERSED: [[usize; 2]; 2] = [[0, 2], [1, 2]];

/// What has to be in the cube for a pair of antennas.
fn expected([first, second]: [usize; 2], channel: usize, time: usize, feed: usize) -> Complex<f32> {
    let reversed = REVERSED.contains(&[first, second]);
    let own = match (reversed, feed) {
        (true, 7) => 8,
        (true, 8) => 7,
        _ => feed,
    };
    let value = visibility(10 * first + second, channel, time, own);
    if reversed { value.conj() } else { value }
}

fn at<T: Copy>(values: &[T], shape: &[usize], place: &[usize]) -> T {
    values[place.iter().zip(shape).fold(0, |offset, (i, len)| offset * len + i)]
}

fn check_records(read: &Visibilities, bins: usize) {
    assert_eq!((read.values().axes().kinds(), read.values().shape()), (RECORDS.to_vec(), vec![3, 4, bins]));
    for baseline in 0..3 {
        for channel in 0..4 {
            for bin in 0..bins {
                let value = at(read.values().values(), &[3, 4, bins], &[baseline, channel, bin]);
                assert_eq!(value, visibility(baseline, channel, bin, 0));
            }
        }
    }
    assert_eq!(read.baselines_m(), [[7.0, 0.0, 0.0], [14.0, 7.0, 0.0], [0.0, 21.0, 0.0]]);
}

#[test]
fn the_layout_of_the_original_is_read_with_what_is_said_of_it() {
    let read = read_visibilities(fixture("vis.h5"), &config(&[("unit", "K"), ("frequencies", "500:504:4")])).unwrap();
    check_records(&read, 6);
    assert_eq!(read.frequencies_mhz().unwrap(), [500.5, 501.5, 502.5, 503.5]);
    assert!(read.weights().is_none());
    let refused = refusal(read_visibilities(fixture("vis.h5"), &config(&[("unit", "K")])));
    assert!(
        refused.contains("vis.h5: there are no frequencies in the file; give them with --frequencies"),
        "{refused}"
    );
    let refused = refusal(read_visibilities(fixture("vis.h5"), &config(&[("frequencies", "500:504:4")])));
    assert!(refused.contains("vis.h5: the file names no unit; give it with --unit"), "{refused}");
}

#[test]
fn labels_weights_and_flags_of_the_file_are_taken() {
    let read = read_visibilities(fixture("vis_labelled.h5"), &config(&[])).unwrap();
    check_records(&read, 6);
    assert_eq!((read.unit(), read.frequencies_mhz().unwrap()), (Unit::Kelvin, &[500.5, 501.5, 502.5, 503.5][..]));
    let angles = read.values().axis(AxisKind::RightAscension).unwrap().coordinates_in("deg").unwrap();
    assert_eq!(angles, [0.0, 0.25, 0.5, 0.75, 1.0, 1.25]);
    let weights = read.weights().unwrap().values();
    let left_out: Vec<usize> = (0..72).filter(|&i| weights[i] == 0.0).collect();
    assert_eq!(left_out, [8, 2 * 24 + 3 * 6 + 1]);
    // the first bins only, from a compressed file in chunks
    let mut first = config(&[]);
    first.ra_bins = Some(3);
    let read = read_visibilities(fixture("vis_labelled.h5"), &first).unwrap();
    check_records(&read, 3);
    assert_eq!(read.weights().unwrap().values().iter().filter(|weight| **weight == 0.0).count(), 2);
    first.ra_bins = Some(7);
    let refused = refusal(read_visibilities(fixture("vis_labelled.h5"), &first));
    assert!(refused.contains("it has 6 bins in right ascension, 7 are to be taken"), "{refused}");
}

#[test]
fn uvh5_becomes_a_cube_of_baselines_in_one_half_plane() {
    let read = read_visibilities(fixture("plain.uvh5"), &config(&[])).unwrap();
    let shape = [4, 3, 4, 4];
    let kinds = [AxisKind::Baseline, AxisKind::Frequency, AxisKind::Time, AxisKind::Polarisation];
    assert_eq!((read.values().axes().kinds(), read.values().shape()), (kinds.to_vec(), shape.to_vec()));
    assert_eq!((read.unit(), read.frequencies_mhz().unwrap()), (Unit::Jansky, &[100.0, 101.0, 102.0][..]));
    assert_eq!(read.baselines_m(), VECTORS.map(|(_, vector)| vector));
    let times = read.values().axis(AxisKind::Time).unwrap().coordinates_in("d").unwrap();
    assert_eq!(times, [0.0, 1.0, 2.0, 3.0].map(|time| 2_458_116.25 + time / 1024.0));
    let feeds = read.values().axis(AxisKind::Polarisation).unwrap().coordinates_in("").unwrap();
    assert_eq!(feeds, [-5.0, -6.0, -7.0, -8.0]);
    for (baseline, (pair, _)) in VECTORS.into_iter().enumerate() {
        for channel in 0..3 {
            for time in 0..4 {
                for feed in 0..4 {
                    let place = [baseline, channel, time, feed];
                    let value = at(read.values().values(), &shape, &place);
                    let weight = at(read.weights().unwrap().values(), &shape, &place);
                    if place == [1, 2, 0, 0] || place == [1, 0, 1, 1] {
                        assert_eq!((value, weight), (Complex::new(0.0, 0.0), 0.0), "{place:?}");
                    } else {
                        assert_eq!((value, weight), (expected(pair, channel, time, feed + 5), 2.0), "{place:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn baselines_of_any_direction_order_and_number_of_times_find_their_place() {
    let read = read_visibilities(fixture("ragged.uvh5"), &config(&[])).unwrap();
    let shape = [3, 3, 4, 4];
    assert_eq!(read.values().shape(), shape);
    let there: [&[usize]; 3] = [&[0, 1, 3], &[2], &[0, 3]];
    for (baseline, (pair, vector)) in VECTORS[1..].iter().enumerate() {
        assert_eq!(read.baselines_m()[baseline], *vector);
        for channel in 0..3 {
            for time in 0..4 {
                for feed in 0..4 {
                    let place = [baseline, channel, time, feed];
                    let value = at(read.values().values(), &shape, &place);
                    let weight = at(read.weights().unwrap().values(), &shape, &place);
                    let right = if there[baseline].contains(&time) {
                        (expected(*pair, channel, time, feed + 5), 2.0)
                    } else {
                        (Complex::new(0.0, 0.0), 0.0)
                    };
                    assert_eq!((value, weight), right, "{place:?}");
                }
            }
        }
    }
}

#[test]
fn uvh5_without_flags_has_no_weights_and_without_a_unit_needs_one() {
    let refused = refusal(read_visibilities(fixture("bare.uvh5"), &config(&[])));
    assert!(refused.contains("bare.uvh5: the file names no unit"), "{refused}");
    let read = read_visibilities(fixture("bare.uvh5"), &config(&[("unit", "count")])).unwrap();
    assert_eq!((read.weights(), read.values().shape()), (None, vec![4, 3, 1, 1]));
}

#[test]
fn visibilities_are_told_from_skies() {
    for (name, holds) in
        [("vis.h5", true), ("plain.uvh5", true), ("cube.fits", false), ("ring.fits", false), ("vis_labelled.h5", true)]
    {
        assert_eq!(holds_visibilities(fixture(name), &config(&[])).unwrap(), holds, "{name}");
    }
}

#[test]
fn what_is_written_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vis.npy");
    let read = read_visibilities(fixture("plain.uvh5"), &config(&[])).unwrap();
    read.write(&path).unwrap();
    // what was left out is no value
    let refused = refusal(read_visibilities(&path, &config(&[("unit", "Jy"), ("frequencies", "100,101,102")])));
    assert!(refused.contains("2 of 192 values are not finite and not flagged"), "{refused}");
    let weights = folder.path().join("weights.npy");
    write_npy(&weights, &Array::from(read.weights().unwrap())).unwrap();
    let mut with = config(&[("unit", "Jy"), ("frequencies", "100,101,102")]);
    with.weights = Some(weights);
    let again = read_visibilities(&path, &with).unwrap();
    assert_eq!(again.values().values(), read.values().values());
    assert_eq!(again.weights().unwrap().values(), read.weights().unwrap().values());
}
