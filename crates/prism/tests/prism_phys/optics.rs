use burn::tensor::Device;
use cupel_data::Complex;
use cupel_prism::{
    Aberration, Aperture, ApertureType, Grid, Incoherent, Microscope, MicroscopeConfig, Plane, Propagation, Propagator,
    Telescope, TelescopeConfig, noll, observe, zernike,
};

use super::samples::{energy, furthest, object, telescope, vectors};

#[test]
fn grids_are_those_of_fftfreq_and_are_computed_once() {
    let device = Device::flex();
    let grid = Grid::new(7, 8, 0.5, 520e-9).unwrap().to(&device);
    let of = |x: burn::tensor::Tensor<2>| x.into_data().try_to_vec::<f32>().unwrap();
    let shifted = |count: usize, step: f64| -> Vec<f32> {
        (0..count).map(|at| ((at as f64 - (count / 2) as f64) * step) as f32).collect()
    };
    for _ in 0..2 {
        assert_eq!(of(grid.x()), shifted(7, 0.5));
        assert_eq!(of(grid.y()), shifted(8, 0.5));
        assert_eq!(of(grid.kx()), shifted(7, 1.0 / 3.5));
        assert_eq!(of(grid.ky()), shifted(8, 0.25));
    }
    assert_eq!((grid.x().dims(), grid.y().dims()), ([1, 7], [8, 1]));
    if let Some(golden) = vectors() {
        for (count, name) in [(8, "fftfreq8"), (7, "fftfreq7")] {
            let mut golden: Vec<f32> =
                golden["fft"][name].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
            golden.rotate_left(count - count / 2);
            assert_eq!(of(Grid::new(count, 1, 1.0, 1.0).unwrap().to(&device).kx()), golden);
        }
    }
    assert!(Grid::new(0, 4, 1.0, 1.0).is_err() && Grid::new(4, 4, 0.0, 1.0).is_err());
    assert!(Grid::new(4, 4, 1.0, f64::NAN).is_err());
}

#[test]
fn apertures_have_their_areas_and_symmetries() {
    let r = 60.0_f64;
    let hexagon = 1.5 * 3.0_f64.sqrt() * r * r;
    for (aperture, area) in [
        (Aperture::Circle { radius: r }, std::f64::consts::PI * r * r),
        (Aperture::Hexagon { side: r }, hexagon),
        (
            Aperture::Obscured { radius: r, inner: 20.0, spiders: 4, spider_width: 3.0 },
            std::f64::consts::PI * (r * r - 400.0) - 4.0 * 3.0 * 40.0,
        ),
    ] {
        let counted = aperture.area() as f64;
        assert!((counted / area - 1.0).abs() < 0.01, "{aperture:?}: {counted} of {area}");
        let mask = aperture.mask([0.0; 2]);
        let turned = Plane::from_fn(mask.rows(), mask.columns(), |row, column| {
            mask.values()[(mask.rows() - 1 - row) * mask.columns() + mask.columns() - 1 - column]
        });
        assert_eq!(furthest(&mask, &turned), 0.0, "{aperture:?} is its own opposite");
        // moved by a fraction, it passes what it passes
        let moved = aperture.mask([0.3, -0.45]);
        let middle = (mask.rows() / 2) as f64;
        for (place, value) in moved.values().iter().enumerate() {
            let at = [(place / mask.columns()) as f64 - middle - 0.3, (place % mask.columns()) as f64 - middle + 0.45];
            assert_eq!(value.re > 0.0, aperture.passes(at));
        }
    }
    // the golden disc, whose edge belongs to it
    assert_eq!(Aperture::Circle { radius: 6.0 }.area(), 113);
    assert_eq!(Aperture::Hexagon { side: 1.0 }.area(), 3);
    for radius in [0.4, 1.0, 10.5, 10.999] {
        let circle = Aperture::Circle { radius };
        for offset in [-0.5, 0.5] {
            let counted = circle.mask([offset, 0.0]).values().iter().filter(|value| value.re > 0.0).count();
            let wide = |row: isize, column: isize| circle.passes([row as f64 - offset, column as f64]);
            let all = (-20..=20).flat_map(|row| (-20..=20).map(move |column| wide(row, column)));
            assert_eq!(
                counted,
                all.filter(|passes| *passes).count(),
                "the window holds a circle of {radius} wherever it is"
            );
        }
    }
}

#[test]
fn zernike_polynomials_are_nolls_and_orthonormal() {
    let orders = [(0, 0), (1, 1), (1, -1), (2, 0), (2, -2), (2, 2), (3, -1), (3, 1), (3, -3), (3, 3), (4, 0)];
    for (at, order) in orders.into_iter().enumerate() {
        assert_eq!(noll(at + 1), order);
    }
    assert!((zernike(4, 0.3, 0.4) - 3.0_f64.sqrt() * (2.0 * 0.25 - 1.0)).abs() < 1e-14);
    assert!((zernike(2, 0.3, 0.4) - 0.8).abs() < 1e-14 && (zernike(3, 0.3, 0.4) - 0.6).abs() < 1e-14);
    let side = 400;
    let place = |k: usize| (k as f64 + 0.5) / side as f64 * 2.0 - 1.0;
    for (a, b) in [(4, 4), (11, 11), (4, 11), (2, 8), (7, 7), (22, 22), (16, 37), (36, 36)] {
        let (mut sum, mut count) = (0.0, 0);
        for row in 0..side {
            for column in 0..side {
                let (y, x) = (place(row), place(column));
                if y * y + x * x <= 1.0 {
                    sum += zernike(a, y, x) * zernike(b, y, x);
                    count += 1;
                }
            }
        }
        let mean = sum / f64::from(count);
        assert!((mean - f64::from(u8::from(a == b))).abs() < 0.02, "{a} {b}: {mean}");
    }
    assert!(Aberration { coefficients: vec![(0, 1.0)] }.check().is_err());
    assert!(Aberration { coefficients: vec![(4, f64::NAN)] }.check().is_err());
}

#[test]
fn telescopes_know_their_limits() {
    let config =
        TelescopeConfig { n_pixels: 1024, aperture_radius_pixels: 20.0, snr: Some(40.0), ..TelescopeConfig::default() };
    let own = Telescope::new(config.clone()).unwrap();
    assert_eq!(own.detector(), 128, "2 W - 1 = 81 pixels");
    assert!((own.diameter() - 40.0 * 6.5e-6).abs() < 1e-12);
    assert!((own.rayleigh_limit() - 1.22 * 550e-9 / (40.0 * 6.5e-6)).abs() < 1e-12);
    // with a distance, places have a size: lambda z / (N dx)
    let far = Telescope::new(TelescopeConfig { distance: Some(1e3), pixel_size: 1e-3, ..config.clone() }).unwrap();
    assert!((far.diameter() - 40.0 * 550e-9 * 1e3 / (1024.0 * 1e-3)).abs() < 1e-12);
    let psf = telescope(64, 6.0).psf().unwrap();
    assert_eq!(psf.values()[32 * 64 + 32].re, 1.0);
    let ring = |x: usize| psf.values()[32 * 64 + 32 + x].re;
    // the first dark ring of Airy's disc, 1.22 N / (2 r) = 6.5 pixels from the middle
    assert!(ring(5) > 5.0 * ring(6) && ring(6) < 0.02 && ring(7) < 0.01, "{} {} {}", ring(5), ring(6), ring(7));
    for (wrong, words) in [
        (TelescopeConfig { aperture_radius_pixels: 0.0, ..config.clone() }, "aperture-radius = 0"),
        (TelescopeConfig { n_pixels: 32, ..config.clone() }, "within the field of 32"),
        (TelescopeConfig { detector: Some(64), ..config.clone() }, "2 W - 1 for a window of W = 41"),
        (TelescopeConfig { wavelength: f64::NAN, ..config.clone() }, "wavelength"),
        (TelescopeConfig { spiders: 4, ..config.clone() }, "only an obscured aperture"),
        (TelescopeConfig { distance: Some(1e3), aperture_diameter: Some(9.0), ..config.clone() }, "places of"),
    ] {
        let refusal = Telescope::new(wrong).unwrap_err().to_string();
        assert!(refusal.contains(words), "{refusal}");
    }
    let hexagonal = TelescopeConfig { aperture_type: ApertureType::Hexagonal, ..config };
    assert_eq!(*Telescope::new(hexagonal).unwrap().aperture(), Aperture::Hexagon { side: 20.0 });
}

#[test]
fn microscopes_cut_off_at_their_aperture_over_the_wavelength() {
    // Defect 11 of the original: NA holds the index of refraction already, and 0.61 lambda / NA is Rayleigh's limit, not Abbe's.
    let config = MicroscopeConfig {
        numerical_aperture: 0.1,
        wavelength: 532e-9,
        camera_pixel: 1.845e-6,
        magnification: 1.0,
        detector: 128,
        n_pixels: 512,
        ..MicroscopeConfig::default()
    };
    let own = Microscope::new(config.clone()).unwrap();
    assert!((own.cutoff() - 0.1 / 532e-9).abs() < 1e-3);
    // the blood smear's: 44.4 places of a 128-pixel frame at 1.845 um
    assert!((own.pupil_radius() - 44.39).abs() < 0.01, "{}", own.pupil_radius());
    assert!(
        (own.abbe_limit() - 0.5 * 532e-9 / 0.1).abs() < 1e-15
            && (own.rayleigh_limit() - 0.61 * 532e-9 / 0.1).abs() < 1e-15
    );
    assert!((own.optics().pixel_size.unwrap() - 1.845e-6 / 4.0).abs() < 1e-15);
    let centre = own.centre([0.2, -0.1]).unwrap();
    assert!((centre[0] - 2.0 * own.pupil_radius()).abs() < 1e-9 && (centre[1] + own.pupil_radius()).abs() < 1e-9);
    assert!(own.centre([0.6, 0.0]).is_err());
    own.optics().check().unwrap();
    let blurred = Microscope::new(MicroscopeConfig { defocus: 50e-6, ..config.clone() }).unwrap().optics();
    let (sharp, blurred) = (own.optics(), blurred);
    for (a, b) in sharp.pupils[0].values().iter().zip(blurred.pupils[0].values()) {
        assert!((a.norm() - b.norm()).abs() < 1e-12, "a defocus takes no light");
    }
    // pi z NA^2 / lambda at the pupil's edge, to first order
    let edge = own.pupil_radius().floor() as usize;
    let window = blurred.pupils[0].columns();
    let phase = -blurred.pupils[0].values()[window / 2 * window + window / 2 + edge].arg();
    let wanted = std::f64::consts::PI * 50e-6 * 0.01 / 532e-9 * (edge as f64 / own.pupil_radius()).powi(2);
    assert!(((phase - wanted + 3.0).rem_euclid(std::f64::consts::TAU) - 3.0).abs() < 0.02 * wanted, "{phase} {wanted}");
    assert!(Microscope::new(MicroscopeConfig { camera_pixel: 2.7e-6, ..config.clone() }).is_err(), "too coarse");
    assert!(Microscope::new(MicroscopeConfig { n_pixels: 64, ..config }).is_err());
}

#[test]
fn a_scene_that_shines_by_itself_does_not_depend_on_the_aperture_place() {
    // Defect 13 of the original.
    let n = 64;
    let own = Incoherent::new(telescope(n, 8.0)).unwrap();
    let scene = object(32, 5);
    let image = own.image(&scene, &[[0.0; 2]]).unwrap();
    let refusal = own.image(&scene, &[[0.0; 2], [3.0, 1.0]]).unwrap_err().to_string();
    assert!(refusal.contains("aperture 1") && refusal.contains("same everywhere"), "{refusal}");
    // light is neither made nor lost, and the transfer function ends at twice the radius
    let (before, after): (f64, f64) = (scene.values().iter().map(|v| v.re).sum(), image.iter().sum());
    assert!((before - after).abs() < 1e-9 * before && image.iter().all(|value| *value > -1e-9));
    let transfer = own.transfer_function().unwrap();
    let at = |row: usize, column: usize| transfer.values()[row * n + column].re;
    assert!((at(32, 32) - 1.0).abs() < 1e-12 && at(32, 32 + 17).abs() < 1e-12 && at(32, 32 + 15) > 1e-3);
    // as the autocorrelation of the disc
    let wanted = cupel_prism::sampling::disc_overlap(6.0, 8.0);
    assert!((at(32, 38) - wanted).abs() < 0.03, "{} {wanted}", at(32, 38));
    // an average of coherent images of point sources is the same image
    let spread =
        Plane::from_fn(n, n, |row, column| Complex::new(if (row, column) == (20, 40) { 1.0 } else { 0.0 }, 0.0));
    let whole = Telescope::new(TelescopeConfig {
        n_pixels: n,
        aperture_radius_pixels: 8.0,
        detector: Some(n),
        ..TelescopeConfig::default()
    });
    let exposures = observe(&spread, &whole.unwrap(), &[[5.0, -7.0]], &Default::default(), 0).unwrap();
    let coherent = exposures.frames.frame(0).unwrap();
    let incoherent = own.image(&spread, &[]).unwrap();
    let bright = coherent.iter().copied().fold(0.0, f32::max);
    let scale = incoherent.iter().copied().fold(0.0, f64::max) / f64::from(bright);
    for (a, b) in coherent.iter().zip(&incoherent) {
        assert!((f64::from(*a) * scale - b).abs() < 1e-6 * incoherent.iter().copied().fold(0.0, f64::max));
    }
}

#[test]
fn visibilities_are_the_scene_transformed() {
    let own = Incoherent::new(telescope(64, 4.0)).unwrap();
    let scene = Plane::from_fn(64, 64, |row, column| {
        Complex::new(f64::from(u8::from([(32, 28), (32, 36)].contains(&(row, column)))), 0.0)
    });
    // a binary 8 pixels apart: cos(pi 8 b / 64), of any baseline
    for b in [0.0, 1.0, 2.5, 4.0, 8.0, -3.25] {
        let v = own.visibilities(&scene, &[[0.0, b]]).unwrap()[0];
        assert!((v - Complex::new((std::f64::consts::PI * 8.0 * b / 64.0).cos(), 0.0)).norm() < 1e-12, "{b}: {v}");
    }
    let both = own.visibilities(&object(40, 9), &[[3.0, 5.0], [-3.0, -5.0]]).unwrap();
    assert!((both[0] - both[1].conj()).norm() < 1e-12);
    let negative = Plane::from_fn(4, 4, |row, _| Complex::new(if row == 1 { -1.0 } else { 1.0 }, 0.0));
    assert!(own.visibilities(&negative, &[[0.0; 2]]).unwrap_err().to_string().contains("row 1, column 0"));
    assert!(own.visibilities(&scene, &[[40.0, 0.0]]).is_err());
}

#[test]
fn the_propagation_is_used_and_chosen_by_the_fresnel_number() {
    let config = |distance: f64, propagation| TelescopeConfig {
        n_pixels: 64,
        aperture_radius_pixels: 6.0,
        pixel_size: 10e-6,
        wavelength: 500e-9,
        distance: Some(distance),
        propagation,
        ..TelescopeConfig::default()
    };
    let frames = |config: TelescopeConfig| {
        let exposures =
            observe(&object(32, 6), &Telescope::new(config).unwrap(), &[[4.0, -3.0]], &Default::default(), 0);
        exposures.unwrap().frames.frame(0).unwrap()
    };
    let plain = frames(TelescopeConfig { distance: None, ..config(1.0, Propagation::Auto) });
    assert_eq!(plain, frames(config(1.0, Propagation::Fraunhofer)));
    // w = 160 um: F = 0.0512 at 1 m, 0.5 at 0.1 m, and sampled from N dx^2 / lambda = 12.8 mm on
    assert_eq!(plain, frames(config(1.0, Propagation::Auto)), "far away it is the spectrum");
    let kind = |distance| Telescope::new(config(distance, Propagation::Auto)).unwrap().propagator(32).unwrap();
    assert!(
        matches!(kind(0.1), Propagator::Fresnel { .. }) && matches!(kind(0.01), Propagator::AngularSpectrum { .. })
    );
    let fresnel = frames(config(0.1, Propagation::Auto));
    let change = |a: &[f32], b: &[f32]| {
        let apart: f32 = a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum();
        apart / b.iter().sum::<f32>()
    };
    assert!(change(&fresnel, &plain) > 0.05, "{}", change(&fresnel, &plain));
    // nearer to Fraunhofer the farther it is
    assert!(change(&frames(config(20.0, Propagation::Fresnel)), &plain) < 0.01);
    // the definition: propagate to the apertures, cut, propagate back
    let fresnel = |config: TelescopeConfig| {
        let telescope = Telescope::new(TelescopeConfig { detector: Some(64), ..config }).unwrap();
        let propagator = telescope.propagator(32).unwrap();
        let mut field = propagator.propagate(&object(32, 6).padded(64, 64).unwrap()).unwrap();
        for (place, value) in field.values_mut().iter_mut().enumerate() {
            if !telescope.aperture().passes([(place / 64) as f64 - 36.0, (place % 64) as f64 - 29.0]) {
                *value = Complex::new(0.0, 0.0);
            }
        }
        let image = propagator.back(&field).unwrap();
        let seen = observe(&object(32, 6), &telescope, &[[4.0, -3.0]], &Default::default(), 0).unwrap();
        assert!(!seen.known.real, "a curved phase makes the object complex");
        for (a, b) in seen.frames.frame(0).unwrap().iter().zip(image.values()) {
            assert!((f64::from(*a) - b.norm_sqr()).abs() < 1e-6);
        }
        energy(&image)
    };
    assert!(fresnel(config(0.1, Propagation::Auto)) > 0.0);
    let near = Telescope::new(config(0.01, Propagation::Auto)).unwrap();
    let refusal = observe(&object(32, 6), &near, &[[0.0; 2]], &Default::default(), 0).unwrap_err().to_string();
    assert!(refusal.contains("cuts no window") && refusal.contains("MeasurementSystem"), "{refusal}");
    let without = TelescopeConfig { distance: None, ..config(1.0, Propagation::Fresnel) };
    assert!(Telescope::new(without).unwrap().propagator(32).unwrap_err().to_string().contains("metres to the object"));
}
