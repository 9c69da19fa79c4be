use cupel_data::Complex;
use cupel_prism::{Plane, Propagator, propagation::fresnel_number};

use super::samples::{energy, furthest, lcg, noise, vectors};

const WAVELENGTH: f64 = 633e-9;

fn beam(side: usize, dx: f64, waist: f64) -> Plane {
    Plane::from_fn(side, side, |row, column| {
        let (y, x) = ((row as f64 - (side / 2) as f64) * dx, (column as f64 - (side / 2) as f64) * dx);
        Complex::new((-(y * y + x * x) / (waist * waist)).exp(), 0.0)
    })
}

#[test]
fn energy_is_kept_and_the_way_back_is_the_inverse() {
    for side in [32, 45] {
        let dx = 8e-6;
        let field = noise(side, side, 4);
        let far = [Propagator::Fraunhofer, Propagator::Fresnel { dx, wavelength: WAVELENGTH, distance: 0.3 }];
        for propagator in far {
            let there = propagator.propagate(&field).unwrap();
            assert!((energy(&there) / energy(&field) - 1.0).abs() < 1e-12, "{propagator:?}");
            assert!(furthest(&propagator.back(&there).unwrap(), &field) < 1e-12, "{propagator:?}");
        }
        // A beam that stays within the field loses nothing to its edges or to the band.
        let near = Propagator::AngularSpectrum { dx, wavelength: WAVELENGTH, distance: 1e-3 };
        let beam = beam(side, dx, 40e-6);
        let there = near.propagate(&beam).unwrap();
        assert!((energy(&there) / energy(&beam) - 1.0).abs() < 1e-6, "{}", energy(&there) / energy(&beam));
        assert!(furthest(&near.back(&there).unwrap(), &beam) < 1e-4);
    }
}

/// The first integral of Rayleigh and Sommerfeld, as a sum over the points of the field; without `exp(2 pi i z / lambda)`. Points hold its phase
/// where `z > 2 dx w / lambda` for a field of width `w`.
fn rayleigh_sommerfeld(field: &Plane, dx: f64, distance: f64) -> Plane {
    let side = field.rows();
    let k = std::f64::consts::TAU / WAVELENGTH;
    let offset = |at: usize, other: usize| (at as f64 - other as f64) * dx;
    Plane::from_fn(side, side, |row, column| {
        let terms = field.values().iter().enumerate().map(|(place, value)| {
            let (y, x) = (offset(row, place / side), offset(column, place % side));
            let far = (x * x + y * y + distance * distance).sqrt();
            let turn = Complex::cis(k * (x * x + y * y) / (far + distance));
            value * turn * Complex::new(1.0 / far, -k) * (distance / (std::f64::consts::TAU * far * far)) * dx * dx
        });
        terms.sum()
    })
}

#[test]
fn waves_add_up_as_rayleigh_and_sommerfeld_say() {
    for (side, dx, waist, distance) in
        [(48, 0.8e-6, 5e-6, 100e-6), (48, 0.8e-6, 4e-6, 120e-6), (40, 1e-6, 6e-6, 150e-6)]
    {
        let field = beam(side, dx, waist);
        let direct = rayleigh_sommerfeld(&field, dx, distance);
        let own = Propagator::AngularSpectrum { dx, wavelength: WAVELENGTH, distance }.propagate(&field).unwrap();
        let apart = Plane::from_fn(side, side, |row, column| {
            own.values()[row * side + column] - direct.values()[row * side + column]
        });
        let error = (energy(&apart) / energy(&direct)).sqrt();
        assert!(error < 2e-3, "{side} at {distance}: {error}");
    }
}

#[test]
fn a_gaussian_beam_widens_as_it_should() {
    let (side, dx, waist, distance) = (256, 4e-6, 60e-6, 40e-3_f64);
    let rayleigh = std::f64::consts::PI * waist * waist / WAVELENGTH;
    let wanted = waist * (1.0 + (distance / rayleigh).powi(2)).sqrt();
    let width = |field: &Plane, step: f64| {
        let second = field.values().iter().enumerate().map(|(place, value)| {
            let y = ((place / side) as f64 - (side / 2) as f64) * step;
            y * y * value.norm_sqr()
        });
        2.0 * (second.sum::<f64>() / energy(field)).sqrt()
    };
    let field = beam(side, dx, waist);
    let waves = Propagator::AngularSpectrum { dx, wavelength: WAVELENGTH, distance }.propagate(&field).unwrap();
    assert!((width(&waves, dx) / wanted - 1.0).abs() < 1e-3, "{} {wanted}", width(&waves, dx));
    let fresnel = Propagator::Fresnel { dx, wavelength: WAVELENGTH, distance }.propagate(&field).unwrap();
    let step = WAVELENGTH * distance / (side as f64 * dx);
    assert!((width(&fresnel, step) / wanted - 1.0).abs() < 1e-3, "{} {wanted}", width(&fresnel, step));
}

#[test]
fn evanescent_waves_and_those_beyond_the_band_are_left_out() {
    // points a fifth of a wavelength apart: most waves of a point do not travel
    let dx = WAVELENGTH / 5.0;
    let point = Plane::from_fn(32, 32, |row, column| Complex::new(f64::from(u8::from((row, column) == (16, 16))), 0.0));
    let own = Propagator::AngularSpectrum { dx, wavelength: WAVELENGTH, distance: 1e-9 }.propagate(&point).unwrap();
    let travelling = std::f64::consts::PI / 25.0;
    assert!((energy(&own) - travelling).abs() < 0.15 * travelling, "{} {travelling}", energy(&own));
    // far away the band is narrow, and nothing wraps around: less light, no ghosts
    let far =
        Propagator::AngularSpectrum { dx: 5e-6, wavelength: WAVELENGTH, distance: 0.1 }.propagate(&point).unwrap();
    assert!(energy(&far) < 0.05 && energy(&far) > 0.0);
}

#[test]
fn the_fresnel_number_chooses() {
    assert!((fresnel_number(1e-3, 500e-9, 2.0) - 1.0).abs() < 1e-12);
    let choose = |distance| Propagator::choose(512, 10e-6, 1e-3, 500e-9, distance);
    // F = 0.1 at 20 m, sampled from 0.1024 m on
    assert_eq!(choose(20.1), Propagator::Fraunhofer);
    assert!(matches!(choose(19.9), Propagator::Fresnel { .. }) && matches!(choose(0.103), Propagator::Fresnel { .. }));
    assert!(matches!(choose(0.102), Propagator::AngularSpectrum { .. }));
}

#[test]
fn transforms_are_the_golden_ones() {
    let Some(golden) = vectors() else { return };
    let values = |name: &str| -> Vec<Complex<f64>> {
        let pairs = golden["fft"][name].as_array().unwrap().iter();
        pairs.map(|pair| Complex::new(pair[0].as_f64().unwrap(), pair[1].as_f64().unwrap())).collect()
    };
    let f = Plane::new(8, 8, lcg(64, 1).into_iter().map(|value| Complex::new(value, 0.0)).collect()).unwrap();
    let own = Propagator::Fraunhofer.propagate(&f).unwrap();
    let centred = Plane::new(8, 8, values("centred_fft2_ortho_rowmajor_re_im")).unwrap();
    assert!(furthest(&own, &centred) < 1e-14);
    // without shifts: the middle moved to the first place before and after
    let rolled =
        |plane: &Plane| Plane::from_fn(8, 8, |row, column| plane.values()[(row + 4) % 8 * 8 + (column + 4) % 8]);
    let plain = rolled(&Propagator::Fraunhofer.propagate(&rolled(&f)).unwrap());
    assert!(furthest(&plain, &Plane::new(8, 8, values("fft2_ortho_unshifted_rowmajor_re_im")).unwrap()) < 1e-14);
    for name in ["parseval_sum_f2", "parseval_sum_F2"] {
        let wanted = golden["fft"][name].as_f64().unwrap();
        assert!((energy(&f) - wanted).abs() < 1e-12 && (energy(&own) - wanted).abs() < 1e-12);
    }
    // Twice is the image turned about its middle place, which no flip is: the original's images were off by one.
    let twice = Propagator::Fraunhofer.propagate(&own).unwrap();
    let turned = Plane::from_fn(8, 8, |row, column| f.values()[(8 - row) % 8 * 8 + (8 - column) % 8]);
    let flipped = Plane::from_fn(8, 8, |row, column| f.values()[(7 - row) * 8 + 7 - column]);
    assert!(furthest(&twice, &turned) < 1e-14 && furthest(&twice, &flipped) > 0.8);
}

#[test]
fn transforms_are_sums_at_any_size() {
    for (rows, columns) in [(4, 6), (5, 9), (8, 3), (1, 7), (9, 17)] {
        let field = noise(rows, columns, 6);
        let own = Propagator::Fraunhofer.propagate(&field).unwrap();
        for (row, column) in [(0, 0), (rows - 1, columns / 2), (rows / 2, columns - 1)] {
            let from_middle = |at: usize, count: usize| at as f64 - (count / 2) as f64;
            let (ky, kx) = (from_middle(row, rows) / rows as f64, from_middle(column, columns) / columns as f64);
            let terms = field.values().iter().enumerate().map(|(place, value)| {
                let (y, x) = (from_middle(place / columns, rows), from_middle(place % columns, columns));
                value * Complex::cis(-std::f64::consts::TAU * (ky * y + kx * x))
            });
            let sum = terms.sum::<Complex<f64>>() / ((rows * columns) as f64).sqrt();
            assert!((own.values()[row * columns + column] - sum).norm() < 1e-12, "{rows} x {columns}");
        }
    }
}
