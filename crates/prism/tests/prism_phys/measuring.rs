use std::collections::HashMap;

use burn::tensor::Device;
use cupel_data::{Complex, Stream};
use cupel_prism::{
    ApertureType, Image, MeasurementSystem, Plane, Propagation, Telescope, TelescopeConfig, observe,
    sampling::{fermat, rounded},
};
use rand::RngExt;

use super::samples::{furthest, object, telescope};

/// Setting, version of the image, centre in halves and exposure.
type Asked = (usize, [u64; 2], [i64; 2], u64);

#[test]
fn measurements_are_those_of_the_full_grid_and_of_observe() {
    let config = TelescopeConfig { n_pixels: 128, aperture_radius_pixels: 7.5, ..TelescopeConfig::default() };
    let full = Telescope::new(TelescopeConfig { detector: Some(128), ..config.clone() }).unwrap();
    let own = Telescope::new(config).unwrap();
    let object = object(64, 1);
    let centres = [[0.0, 0.0], [12.0, -30.0], [-3.3, 7.75]];
    let mut system = MeasurementSystem::new(own.clone(), 64).unwrap();
    let measurement = system.measure(&Image::new(object.clone()), None, &centres).unwrap();
    let (small, large) = (
        observe(&object, &own, &centres, &Default::default(), 0).unwrap(),
        observe(&object, &full, &centres, &Default::default(), 0).unwrap(),
    );
    let side = own.detector();
    let step = 128 / side;
    for index in 0..3 {
        assert_eq!(measurement.intensity(index).to_vec(), small.frames.frame(index).unwrap());
        let large = large.frames.frame(index).unwrap();
        for (place, value) in measurement.intensity(index).iter().enumerate() {
            let same = large[place / side * step * 128 + place % side * step];
            assert!((value.sqrt() - same.sqrt()).abs() < 1e-6, "{value} {same}");
        }
    }
    let exposures = measurement.exposures().unwrap();
    exposures.check().unwrap();
    assert_eq!(exposures.frames.frame(1).unwrap(), small.frames.frame(1).unwrap());
    let amplitudes = measurement.amplitudes(&Device::flex());
    assert_eq!(amplitudes.dims(), [3, side, side]);
    assert!(measurement.previous(&Device::flex()).is_none());
}

#[test]
fn a_pattern_measured_five_times_is_mostly_known() {
    // Defect 5 of the original: its cache is asked once for each centre and knows none.
    let image = Image::new(object(64, 2));
    let mut system = MeasurementSystem::new(telescope(128, 10.0), 64).unwrap();
    let centres = rounded(&fermat(48, 53.0));
    for _ in 0..5 {
        for centre in &centres {
            system.measure(&image, None, &[*centre]).unwrap();
        }
    }
    let stats = system.cache_stats();
    assert_eq!((stats.hits, stats.misses, stats.cache_size, stats.evictions), (192, 48, 48, 0));
    assert!((stats.hit_rate - 0.8).abs() < 1e-12 && stats == system.get_cache_stats());
    let (first, again) =
        (system.measure(&image, None, &centres).unwrap(), system.measure(&image, None, &centres).unwrap());
    assert!(std::sync::Arc::ptr_eq(first.intensity(7), again.intensity(7)), "entries are shared, not copied");
    system.clear_cache();
    let stats = system.cache_stats();
    assert_eq!((stats.hits, stats.misses, stats.cache_size, stats.bytes), (0, 0, 0, 0));
}

#[test]
fn nothing_stale_is_ever_known() {
    // Defects 3 and 4 of the original: keys without the aperture, and pixels hashed at every call.
    let mut image = Image::new(object(32, 3));
    let mut system = MeasurementSystem::new(telescope(64, 5.0), 32).unwrap();
    let centre = [[4.0, -2.0]];
    let first = system.measure(&image, None, &centre).unwrap();
    system.set_telescope(telescope(64, 9.0)).unwrap();
    let wider = system.measure(&image, None, &centre).unwrap();
    assert_ne!(first.intensity(0), wider.intensity(0));
    let copy = image.clone();
    image.plane_mut().values_mut()[100] += 0.5;
    let changed = system.measure(&image, None, &centre).unwrap();
    assert_ne!(wider.intensity(0), changed.intensity(0));
    assert_eq!(system.measure(&copy, None, &centre).unwrap().intensity(0), wider.intensity(0));
    assert_eq!(system.cache_stats().hits, 1, "a copy has the same pixels");
    let (mut left, mut right) = (image.clone(), image.clone());
    left.plane_mut().values_mut()[0] += 1.0;
    right.plane_mut().values_mut()[0] += 2.0;
    let (left, right) = (system.measure(&left, None, &centre).unwrap(), system.measure(&right, None, &centre).unwrap());
    assert_ne!(left.intensity(0), right.intensity(0), "two copies that change are two images");
    system.set_telescope(telescope(64, 5.0)).unwrap();
    assert_eq!(system.measure(&copy, None, &centre).unwrap().intensity(0), first.intensity(0));
    assert_eq!(system.cache_stats().hits, 2, "the old telescope's measurements are still its own");
}

#[test]
fn random_settings_images_and_centres_never_meet() {
    // Few settings and small fields, so that what could be confused often is asked for; every answer is compared with one computed afresh.
    let mut rng = Stream::new(11, "settings").rng();
    let mut configs = Vec::new();
    for aperture_radius_pixels in [2.0, 2.5, 3.0] {
        for aperture_type in [ApertureType::Circular, ApertureType::Hexagonal] {
            for snr in [None, Some(20.0), Some(40.0)] {
                for detector in [None, Some(16)] {
                    configs.push(TelescopeConfig {
                        n_pixels: 16,
                        aperture_radius_pixels,
                        aperture_type,
                        snr,
                        detector,
                        ..TelescopeConfig::default()
                    });
                }
            }
        }
    }
    let telescopes: Vec<Telescope> = configs.into_iter().map(|config| Telescope::new(config).unwrap()).collect();
    let mut images: Vec<Image> = (0..4).map(|seed| Image::new(object(8, seed))).collect();
    // Small enough to lose entries on the way.
    let mut system = MeasurementSystem::new(telescopes[0].clone(), 8).unwrap().with_cache_bytes(8_000_000);
    let mut fresh: HashMap<Asked, Vec<f32>> = HashMap::new();
    let (mut setting, mut exposure) = (0, 0);
    for turn in 0..100_000 {
        if turn % 7 == 0 {
            setting = rng.random_range(0..telescopes.len());
            system.set_telescope(telescopes[setting].clone()).unwrap();
        }
        if turn % 11 == 0 {
            exposure = rng.random_range(0..2);
            system.set_exposure(exposure);
        }
        let which = rng.random_range(0..images.len());
        if turn % 5_000 == 4_999 {
            images[which].plane_mut().values_mut()[turn % 64] += Complex::new(0.25, 0.0);
        }
        let halves = [rng.random_range(-4..=4), rng.random_range(-4..=4)];
        let centre = halves.map(|half: i64| half as f64 / 2.0);
        let own = system.measure(&images[which], None, &[centre]).unwrap();
        let key = (setting, images[which].version(), halves, exposure);
        let wanted = fresh.entry(key).or_insert_with(|| {
            let mut alone = MeasurementSystem::new(telescopes[setting].clone(), 8).unwrap().with_cache_bytes(0);
            alone.set_exposure(exposure);
            alone.measure(&images[which], None, &[centre]).unwrap().intensity(0).to_vec()
        });
        assert_eq!(own.intensity(0).to_vec(), *wanted, "turn {turn}");
    }
    let stats = system.cache_stats();
    assert!(stats.hits > 5_000 && stats.evictions > 1_000 && stats.bytes <= 8_000_000, "{stats:?}");
    assert_eq!(stats.hits + stats.misses, 100_000);
}

#[test]
fn noise_does_not_depend_on_order_or_memory() {
    let noisy =
        TelescopeConfig { n_pixels: 64, aperture_radius_pixels: 6.0, snr: Some(25.0), ..TelescopeConfig::default() };
    let image = Image::new(object(32, 5));
    let system = |bytes, seed| {
        let telescope = Telescope::new(noisy.clone()).unwrap();
        MeasurementSystem::new(telescope, 32).unwrap().with_cache_bytes(bytes).with_seed(seed)
    };
    let (mut kept, mut forgotten, mut other) = (system(1 << 20, 3), system(0, 3), system(1 << 20, 4));
    let centres = [[1.0, 2.0], [0.0, 0.0], [-7.0, 5.0]];
    let all = kept.measure(&image, None, &centres).unwrap();
    for index in [2, 0, 1, 0] {
        let one = forgotten.measure(&image, None, &[centres[index]]).unwrap();
        assert_eq!(one.intensity(0), all.intensity(index));
    }
    assert_eq!(forgotten.cache_stats().cache_size, 0);
    assert_ne!(other.measure(&image, None, &centres).unwrap().intensity(0), all.intensity(0));
    kept.set_exposure(1);
    assert_ne!(kept.measure(&image, None, &centres).unwrap().intensity(0), all.intensity(0), "another exposure");
}

#[test]
fn the_old_term_is_the_previous_output_through_the_mask() {
    // Defects 7 and 8 of the original, kept for its rule and named for what they are.
    let device = Device::flex();
    let image = Image::new(object(32, 6));
    let guess = Image::new(object(32, 7));
    let mut system = MeasurementSystem::new(telescope(64, 6.0), 32).unwrap();
    assert!(
        system.measure(&image, Some(&guess), &[[0.0; 2]]).unwrap().previous(&device).is_none(),
        "nothing is old at first"
    );
    system.add_mask(&[[0.0, 0.0], [3.0, -4.0]]).unwrap();
    let measurement = system.measure(&image, Some(&guess), &[[9.0, 1.0]]).unwrap();
    assert_eq!(measurement.seen(), [[0.0, 0.0], [3.0, -4.0]]);
    let old = measurement.previous(&device).unwrap().into_data().try_to_vec::<f32>().unwrap();
    // of the guess and the mask alone: the truth has no part in it
    let mut spectrum = cupel_prism::Propagator::Fraunhofer.propagate(&guess.plane().padded(64, 64).unwrap()).unwrap();
    for (value, seen) in spectrum.values_mut().iter_mut().zip(system.mask()) {
        *value *= f64::from(u8::from(*seen));
    }
    let wanted = cupel_prism::Propagator::Fraunhofer.back(&spectrum).unwrap();
    assert!(old.iter().zip(wanted.values()).all(|(old, wanted)| (f64::from(*old) - wanted.norm()).abs() < 1e-6));
    assert!(system.add_mask(&[[30.0, 0.0]]).is_err());
}

#[test]
fn near_objects_are_propagated_wave_by_wave() {
    let config = TelescopeConfig {
        n_pixels: 64,
        aperture_radius_pixels: 20.0,
        pixel_size: 10e-6,
        wavelength: 500e-9,
        distance: Some(0.002),
        propagation: Propagation::Auto,
        ..TelescopeConfig::default()
    };
    let near = Telescope::new(config).unwrap();
    let object = object(32, 8);
    let mut system = MeasurementSystem::new(near, 32).unwrap();
    let measurement = system.measure(&Image::new(object.clone()), None, &[[0.0; 2]]).unwrap();
    // This near the light has hardly spread: an aperture over all of the object shows it.
    let seen = Plane::new(
        64,
        64,
        measurement.intensity(0).iter().map(|value| Complex::new(f64::from(value.sqrt()), 0.0)).collect(),
    );
    let seen = seen.unwrap().middle(16, 16).unwrap();
    assert!(
        furthest(&seen, &object.middle(16, 16).unwrap()) < 0.6,
        "{}",
        furthest(&seen, &object.middle(16, 16).unwrap())
    );
    assert!(measurement.exposures().is_err(), "no window of a spectrum");
    let again = system.measure(&Image::new(object), None, &[[5.0, 5.0]]).unwrap();
    assert_ne!(again.intensity(0), measurement.intensity(0));
}

#[test]
fn impossible_systems_are_refused() {
    assert!(
        MeasurementSystem::new(telescope(64, 5.0), 65).is_err()
            && MeasurementSystem::new(telescope(64, 5.0), 0).is_err()
    );
    let mut system = MeasurementSystem::new(telescope(64, 5.0), 32).unwrap();
    let large = system.measure(&Image::new(object(40, 1)), None, &[[0.0; 2]]).unwrap_err().to_string();
    assert!(large.contains("40 x 40") && large.contains("32 x 32"), "{large}");
    assert!(system.measure(&Image::new(object(32, 1)), None, &[]).is_err());
    assert_eq!(system.cache_stats().misses, 0);
}
