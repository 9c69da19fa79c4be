//! World coordinates of FITS images, against astropy's of the same headers.

use super::samples::{assert_contains, bytes, fixture, message, message_of, replaced};
use cupel_data::{AxisKind, Celestial, CelestialFrame, Dataset, FitsBeam, open};

/// What `make_skies.py` asked astropy: in Hz and degrees.
fn golden(name: &str) -> Vec<f64> {
    open(fixture("wcs.npz")).unwrap().cube::<f64>(Some(name)).unwrap().into_values()
}

#[track_caller]
fn assert_near(got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{got} is not {expected}");
    }
}

fn celestial(file: &Dataset, name: &str) -> Option<Celestial> {
    file.fits_header(Some(name)).unwrap().unwrap().wcs().unwrap().celestial
}

#[test]
fn the_cube_of_an_interferometer_knows_its_axes_its_unit_and_its_beam() {
    let file = open(fixture("sky.fits")).unwrap();
    // The table of beams beside the one image needs no name.
    let cube = file.cube::<f32>(None).unwrap();
    let kinds = [AxisKind::Polarisation, AxisKind::Frequency, AxisKind::Declination, AxisKind::RightAscension];
    assert_eq!((cube.axes().kinds(), cube.shape()), (kinds.to_vec(), vec![2, 4, 5, 6]));
    assert!(cube.values()[0].is_nan() && cube.values()[239] == 237.0);
    let frequency = cube.axis(AxisKind::Frequency).unwrap();
    assert_eq!(frequency.coordinates_in("MHz").unwrap(), [150.0, 150.1953125, 150.390625, 150.5859375]);
    assert_eq!(cube.axis(AxisKind::Polarisation).unwrap().coordinates_in("").unwrap(), [1.0, 2.0]);
    // Not linear in the plane of the projection.
    assert_eq!(cube.axis(AxisKind::Declination).unwrap().coordinates(), None);
    let header = file.fits_header(None).unwrap().unwrap();
    assert_eq!((header.unit(), header.column(), header.text("TELESCOP")), (Some("Jy/beam"), None, Some("none")));
    let beam = FitsBeam { major_deg: 0.05, minor_deg: 0.04, angle_deg: 30.0 };
    assert_eq!(header.beam().unwrap(), Some(beam));
    let sky = header.wcs().unwrap().celestial.unwrap();
    assert_eq!((sky.frame, sky.projection.as_str()), (CelestialFrame::Equatorial, "SIN"));
    assert_eq!((sky.reference_deg, sky.reference_pixel), ([-27.25, 83.5], [2.0, 2.5]));
    assert_eq!((sky.pixel_matrix_deg, sky.pixel_deg()), ([[0.01, 0.0], [0.0, -0.02]], [0.01, 0.02]));
    let beams = file.fits_header(Some("BEAMS.BMAJ")).unwrap().unwrap();
    assert_eq!((beams.unit(), beams.column(), beams.wcs().unwrap().axes.len()), (Some("arcsec"), Some(1), 0));
    let tiles = file.tiles::<f32>(None, AxisKind::Frequency, 3).unwrap();
    let last = tiles.map(|tile| tile.unwrap()).last().unwrap();
    assert_eq!(last.axis(AxisKind::Frequency).unwrap().coordinates().unwrap(), [150.5859375]);
}

#[test]
fn frequencies_and_polarisations_are_those_of_astropy() {
    let file = open(fixture("wcs.fits")).unwrap();
    for name in ["GHZ", "KHZ", "BARE"] {
        let axes = file.axes(Some(name)).unwrap();
        let mhz: Vec<f64> = golden(&format!("{name}1")).iter().map(|hz| hz / 1e6).collect();
        assert_near(axes.axis(AxisKind::Frequency).unwrap().coordinates_in("MHz").unwrap(), &mhz);
    }
    let axes = file.axes(Some("STOKES")).unwrap();
    assert_near(axes.axis(AxisKind::Polarisation).unwrap().coordinates_in("").unwrap(), &golden("STOKES1"));
}

#[test]
fn places_on_the_sky_are_those_of_astropy() {
    let file = open(fixture("wcs.fits")).unwrap();
    for name in ["CD", "PC", "CROTA", "CAR", "ARCMIN", "TILTED", "GALACTIC"] {
        let sky = celestial(&file, name).unwrap();
        let [[up, right_up], [up_right, right]] = sky.pixel_matrix_deg;
        // There longitude is first.
        assert_near(&[right, up_right, right_up, up], &golden(&format!("{name}_matrix")));
        let scales = golden(&format!("{name}_scales"));
        assert_near(&sky.pixel_deg(), &[scales[1], scales[0]]);
    }
    for name in ["CAR", "ARCMIN", "GALACTIC"] {
        let axes = file.axes(Some(name)).unwrap();
        let kinds = match celestial(&file, name).unwrap().frame {
            CelestialFrame::Equatorial => [AxisKind::Declination, AxisKind::RightAscension],
            _ => [AxisKind::Row, AxisKind::Column],
        };
        assert_eq!(axes.kinds(), kinds);
        for (kind, number) in kinds.into_iter().zip([2, 1]) {
            let places = axes.axis(kind).unwrap().coordinates_in("deg").unwrap();
            assert_near(places, &golden(&format!("{name}{number}")));
        }
    }
    for name in ["CD", "PC", "CROTA", "TILTED"] {
        let axes = file.axes(Some(name)).unwrap();
        assert_eq!(axes.kinds(), [AxisKind::Declination, AxisKind::RightAscension]);
        assert!(axes.iter().all(|axis| axis.coordinates().is_none()), "{name}");
    }
    // Any order of axes.
    let axes = file.axes(Some("SWAPPED")).unwrap();
    assert_eq!(axes.kinds(), [AxisKind::RightAscension, AxisKind::Declination, AxisKind::Frequency]);
    assert_eq!(celestial(&file, "SWAPPED").unwrap().reference_deg, [5.0, 6.0]);
    assert_eq!(file.fits_header(Some("CAR")).unwrap().unwrap().unit(), Some("mK"));
}

#[test]
fn axes_that_are_not_read_stay_dimensions_and_say_why() {
    let file = open(fixture("wcs.fits")).unwrap();
    for (name, reason) in [
        ("VELOCITY", "velocities and redshifts are not read"),
        ("LOGARITHM", "a grid that is not linear"),
        ("HALF", "a longitude without its latitude"),
        ("OVER", "turned by more than 45 degrees"),
        ("COUPLED", "turned against another axis"),
    ] {
        let header = file.fits_header(Some(name)).unwrap().unwrap();
        let wcs = header.wcs().unwrap();
        let last = wcs.axes.last().unwrap();
        assert_contains(last.note.as_deref().unwrap_or("none"), &[reason]);
        assert!(matches!(last.axis.kind(), AxisKind::Dimension(_)), "{name}");
        assert!(!file.cube::<f32>(Some(name)).unwrap().is_empty() && wcs.celestial.is_none());
    }
    // A name alone is no grid.
    let axes = file.axes(Some("NAMED")).unwrap();
    let error = message(axes.axis(AxisKind::Frequency).unwrap().coordinates_in("MHz"));
    assert_contains(&error, &["the frequency axis is in no known unit, expected MHz"]);
}

#[test]
fn coordinates_that_cannot_be_are_refused_and_the_numbers_are_still_there() {
    // Without its sums, which would find the change first.
    let file = replaced(&replaced(&bytes("sky.fits"), "CHECKSUM", "CHECKED "), "DATASUM ", "DATA    ");
    let with = |from: &str, to: &str| message_of(&replaced(&file, from, to));
    let step = "CDELT3  =             195312.5";
    assert_contains(&with(step, "CDELT3  =                  0.0"), &["byte ", "the 4 positions of axis 3 are 0 apart"]);
    assert_contains(&with(step, "CDELT3  =               1.0E-9"), &["repeats the one before it", "mend the header"]);
    assert_contains(&with(step, "CDELT3  =              -1.0E99"), &["has a frequency of -", "MHz"]);
    assert_contains(&with(step, "CDELT3  =              1.0E999"), &["expected a number"]);
    assert_contains(&with(step, "CDELT3  =                  'x'"), &["CDELT3 is", "expected a number"]);
    assert_contains(
        &with("CDELT1  =                -0.02", "CDELT1  =                  0.0"),
        &["6 pixels of axis 1 are 0"],
    );
    assert_contains(
        &with("CRVAL3  =          150000000.0", "CRVAL3  =         -150000000.0"),
        &["a frequency of -150"],
    );
    assert_contains(&with("CUNIT3  = 'Hz      '", "CUNIT3  = 'furlong '"), &["\"furlong\"", "expected MHz"]);
    assert_contains(&with("CUNIT1  = 'deg     '", "CUNIT1  = 'Hz      '"), &["\"Hz\"", "axis 1", "expected deg"]);
    assert_contains(&with("'STOKES  '", "'FREQ    '"), &["two axes are called \"FREQ\""]);
    assert_contains(&with("'DEC--SIN'", "'DEC--TAN'"), &["are two projections"]);
    assert_contains(
        &with("CRVAL2  =               -27.25", "CRVAL2  =               -97.25"),
        &["a latitude of -97.25"],
    );
    assert_contains(&with("CRVAL4  =                  1.0", "CRVAL4  =                  1.5"), &["a polarisation 1.5"]);
    assert_contains(
        &with("BMAJ    =                 0.05", "BMAJ    =                -0.05"),
        &["a beam of -0.05 degrees"],
    );

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sky.fits");
    std::fs::write(&path, replaced(&file, step, "CDELT3  =                  0.0")).unwrap();
    let file = open(&path).unwrap();
    assert!(file.cube::<f32>(None).is_err() && file.tiles::<f32>(None, AxisKind::Declination, 1).is_err());
    assert_eq!(file.array(None).unwrap().shape(), [2, 4, 5, 6]);
}
