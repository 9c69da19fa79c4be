//! HEALPix maps, cut to patches; the golden numbers are those of astropy's projection and healpy's interpolation, by `make.py healpix`.

use cupel_cosmology::{Ordering, Unit, read_maps, read_sky};
use cupel_data::{AxisKind, CelestialFrame};

use crate::common::{config, fixture, refusal};

const PATCH: [(&str, &str); 3] = [("patch-centre", "30,60"), ("patch-side", "40"), ("patch-pixels", "4")];

fn with(more: &[(&str, &str)]) -> cupel_cosmology::ReadConfig {
    config(&[&PATCH[..], more].concat())
}

#[test]
fn a_column_per_frequency_is_cut_to_the_patch_that_astropy_and_healpy_cut() {
    let frequencies = ("frequencies", "100,110");
    let cut = read_sky(fixture("ring.fits"), &with(&[frequencies])).unwrap();
    assert_eq!((cut.unit(), cut.cube().shape()), (Unit::Millikelvin, vec![2, 4, 4]));
    let golden = [
        23.938885092923314,
        21.85583246340479,
        21.287416891128778,
        23.160249145171743,
        15.223283143435392,
        12.532976440835066,
        11.970021398774199,
        17.335558949121527,
        8.584149179484903,
        5.762964209400561,
        5.822186874120519,
        12.185915255206375,
        4.012150087472304,
        1.689641159172847,
        2.738067750567434,
        7.845295557639731,
    ];
    for (i, expected) in golden.into_iter().enumerate() {
        let [first, second] = [i, 16 + i].map(|place| f64::from(cut.cube().values()[place]));
        assert!(
            (first - expected).abs() < 1e-4 && (second - expected - 1000.0).abs() < 1e-3,
            "{i}: {first} {expected}"
        );
    }
    let nearest = read_sky(fixture("ring.fits"), &with(&[frequencies, ("patch-interpolation", "nearest")])).unwrap();
    let golden = [26.0, 25.0, 12.0, 24.0, 13.0, 13.0, 12.0, 12.0, 5.0, 4.0, 4.0, 23.0, 5.0, 0.0, 4.0, 11.0];
    assert_eq!(nearest.cube().values()[..16], golden);
    let place = nearest.celestial().unwrap();
    assert_eq!(
        (place.frame, place.reference_deg, place.pixel_deg()),
        (CelestialFrame::Galactic, [60.0, 30.0], [10.0; 2])
    );
    assert_eq!(nearest.geometry().unwrap().side_deg, [40.0, 40.0]);
}

#[test]
fn a_patch_that_is_written_lies_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("patch.fits");
    let cut = read_sky(fixture("ring.fits"), &with(&[("frequencies", "100,110")])).unwrap();
    cut.write(&path).unwrap();
    assert_eq!(read_sky(&path, &config(&[])).unwrap(), cut);
}

#[test]
fn nested_maps_and_maps_along_rings_are_told_apart() {
    let near = ("patch-interpolation", "nearest");
    let ring = read_sky(fixture("ring.fits"), &with(&[("variable", "F100"), ("frequencies", "100"), near])).unwrap();
    let nested = read_sky(fixture("nested.fits"), &with(&[("frequencies", "100"), near])).unwrap();
    assert_eq!(nested.cube().axes().kinds()[1..], [AxisKind::Declination, AxisKind::RightAscension]);
    let map = cupel_cosmology::Healpix::new(4).unwrap();
    for (ring, nested) in ring.cube().values().iter().zip(nested.cube().values()) {
        assert_eq!(map.nested_of_ring(*ring as u64), *nested as u64);
    }
}

#[test]
fn one_file_per_frequency_is_a_cube() {
    let files = [fixture("blank.fits"), fixture("ring.fits")];
    let cut = read_maps(&files, &with(&[("frequencies", "100,110"), ("variable", "F110")]));
    assert!(refusal(cut).contains("there is no such map in it, the columns are TEMPERATURE"));
    let twice = [fixture("nested.fits"), fixture("nested.fits")];
    let cut = read_maps(&twice, &with(&[("frequencies", "100,110")])).unwrap();
    assert_eq!(cut.cube().values()[..16], cut.cube().values()[16..]);
    let refused = refusal(read_maps(&files, &with(&[("frequencies", "100,110")])));
    assert!(
        refused.contains("ring.fits: it holds 2 maps, and one file per frequency has one; name its column"),
        "{refused}"
    );
    let unlike = [fixture("nested.fits"), fixture("blank.fits")];
    let refused = refusal(read_maps(&unlike, &with(&[("frequencies", "100,110")])));
    assert!(refused.contains("its resolution, numbering, coordinates or unit are not those of"), "{refused}");
}

#[test]
fn pixels_that_were_not_seen_have_no_weight() {
    let map = cupel_cosmology::Healpix::new(4).unwrap();
    let [longitude, latitude] = map.centre_deg(87, Ordering::Ring);
    let centre = format!("{longitude},{latitude}");
    let around =
        [("patch-centre", centre.as_str()), ("patch-side", "60"), ("patch-pixels", "9"), ("frequencies", "100")];
    let bilinear = read_sky(fixture("blank.fits"), &config(&around)).unwrap();
    let nearest = [&around[..], &[("patch-interpolation", "nearest")]].concat();
    let nearest = read_sky(fixture("blank.fits"), &config(&nearest)).unwrap();
    let lost = |sky: &cupel_cosmology::Sky| {
        let weights = sky.weights().unwrap().values();
        assert_eq!((weights[40], weights[0]), (0.0, 1.0));
        assert!(sky.cube().values().iter().all(|value| value.abs() < 200.0));
        weights.iter().filter(|weight| **weight == 0.0).count()
    };
    assert!(lost(&bilinear) > lost(&nearest) && lost(&nearest) < 9);
}

#[test]
fn a_part_of_the_sphere_is_read_by_the_numbers_of_its_pixels() {
    let polar = config(&[
        ("patch-centre", "0,90"),
        ("patch-side", "8"),
        ("patch-pixels", "8"),
        ("frequencies", "100"),
        ("patch-interpolation", "nearest"),
    ]);
    let cut = read_sky(fixture("partial.fits"), &polar).unwrap();
    assert!(cut.weights().is_none() && cut.celestial().is_none());
    let map = cupel_cosmology::Healpix::new(64).unwrap();
    let patch = cupel_cosmology::Patch {
        centre_deg: [0.0, 90.0],
        side_deg: 8.0,
        pixels: 8,
        interpolation: cupel_cosmology::Interpolation::Nearest,
    };
    for (value, sources) in cut.cube().values().iter().zip(patch.sources(&map, Ordering::Ring)) {
        assert_eq!(f64::from(*value), sources[0].0 as f64 / 4.0);
    }
    let wider =
        config(&[("patch-centre", "0,90"), ("patch-side", "40"), ("patch-pixels", "8"), ("frequencies", "100")]);
    let cut = read_sky(fixture("partial.fits"), &wider).unwrap();
    assert!(cut.weights().unwrap().values().contains(&0.0) && cut.weights().unwrap().values().contains(&1.0));
}

#[test]
fn what_a_map_does_not_say_has_to_be_said() {
    let refused = refusal(read_sky(fixture("ring.fits"), &config(&[("frequencies", "100,110")])));
    assert!(refused.starts_with("patch-centre is not given; a map of the sphere is cut"), "{refused}");
    let refused = refusal(read_sky(fixture("ring.fits"), &with(&[])));
    assert!(
        refused.contains("ring.fits: there are no frequencies in the file; give them with --frequencies"),
        "{refused}"
    );
    let refused = refusal(read_sky(fixture("ring.fits"), &with(&[("frequencies", "100")])));
    assert!(refused.contains("1 frequencies are given, the file has 2 channels"), "{refused}");
    let refused = refusal(read_sky(fixture("ring.fits"), &with(&[("frequencies", "100,110"), ("unit", "K")])));
    assert!(refused.contains("the file is in mK, --unit says K"), "{refused}");
}
