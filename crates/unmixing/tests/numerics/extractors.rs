//! Pixel pickers on scenes whose pure pixels are known.

use cupel_data::Stream;
use cupel_unmixing::{Agreement, Endmembers, Method, Pixels, mix, nfindr, spa, vca};

use super::samples::{Known, brightened, extract, pure_pixels, sorted, uniform, with_pure_pixels};

const BANDS: usize = 60;
const PIXELS: usize = 500;

fn scene(endmembers: usize) -> Known {
    with_pure_pixels(endmembers, BANDS, PIXELS, Stream::new(endmembers as u64, "extractor laws"))
}

/// The pixels whose spectra VCA hands over: it keeps no indices, so they are the nearest ones.
fn vca_pixels(pixels: &Pixels, count: usize, stream: Stream) -> Vec<usize> {
    let found = vca(pixels, count, stream).unwrap();
    sorted(found.spectra().map(|e| nearest(pixels, e)).collect())
}

fn nearest(pixels: &Pixels, spectrum: &[f64]) -> usize {
    let distance = |s: &[f32]| s.iter().zip(spectrum).map(|(&a, b)| (f64::from(a) - b).powi(2)).sum::<f64>();
    let distances: Vec<f64> = pixels.spectra().map(distance).collect();
    (0..distances.len()).min_by(|&a, &b| distances[a].total_cmp(&distances[b])).unwrap()
}

/// Every extractor's choice, each in ascending order.
fn choices(pixels: &Pixels, count: usize, stream: Stream) -> [Vec<usize>; 3] {
    [
        vca_pixels(pixels, count, stream),
        sorted(nfindr(pixels, count, 10, stream).unwrap()),
        sorted(spa(pixels, count).unwrap()),
    ]
}

#[test]
fn find_exactly_the_pure_pixels_of_noise_free_scenes() {
    for count in 2..=8 {
        let scene = scene(count);
        for seed in 0..5 {
            let stream = Stream::new(seed, "draws");
            for (name, chosen) in ["vca", "nfindr", "spa"].iter().zip(choices(&scene.pixels, count, stream)) {
                assert_eq!(chosen, pure_pixels(count), "{name}, {count} endmembers, seed {seed}");
            }
            let spectra = vca(&scene.pixels, count, stream).unwrap();
            let agreement = Agreement::of(&spectra, &scene.endmembers).unwrap();
            assert!(agreement.mean_sad_rad < 1e-5, "{count} endmembers: {agreement:?}");
        }
    }
}

#[test]
fn choose_the_same_pixels_in_any_order_of_the_scene() {
    for (count, snr_db) in [(3, f64::INFINITY), (5, f64::INFINITY), (3, 35.0), (5, 35.0)] {
        let scene = scene(count);
        let stream = Stream::new(17, "draws");
        let pixels = mix(&scene.endmembers, &scene.abundances, snr_db, stream.child(9)).unwrap();
        let order = stream.permutation(PIXELS);
        let shuffled = pixels.select(&order);
        let (straight, mixed) = (choices(&pixels, count, stream), choices(&shuffled, count, stream));
        for (straight, mixed) in straight.into_iter().zip(mixed) {
            assert_eq!(straight, sorted(mixed.into_iter().map(|n| order[n]).collect()), "{count} at {snr_db} dB");
        }
    }
}

#[test]
fn choose_the_same_pixels_at_any_scale() {
    for snr_db in [f64::INFINITY, 35.0, 10.0] {
        let scene = scene(4);
        let stream = Stream::new(23, "draws");
        let pixels = mix(&scene.endmembers, &scene.abundances, snr_db, stream.child(9)).unwrap();
        let expected = choices(&pixels, 4, stream);
        for scale in [1e-20, 1e-4, 0.37, 4096.0, 1e9, 1e18] {
            assert_eq!(choices(&brightened(&pixels, |_| scale), 4, stream), expected, "{snr_db} dB times {scale}");
        }
    }
}

#[test]
fn choose_the_same_pixels_at_any_scale_where_brightness_varies() {
    let scene = scene(4);
    let stream = Stream::new(24, "draws");
    let light = uniform(stream.child(1), PIXELS);
    let lit = brightened(&scene.pixels, |n| 0.05 + light[n]);
    // projected on the hyperplane through the mean, pixels lose their brightness
    assert_eq!(vca_pixels(&lit, 4, stream), pure_pixels(4));
    for scale in [1e-20, 1e-6, 1e9, 1e18] {
        assert_eq!(vca_pixels(&brightened(&lit, |_| scale), 4, stream), pure_pixels(4), "times {scale}");
    }
}

#[test]
fn every_method_gives_the_same_spectra_at_any_scale() {
    let scene = scene(3);
    let pixels = mix(&scene.endmembers, &scene.abundances, 35.0, Stream::new(1, "noise")).unwrap();
    for method in Method::EXTRACTORS {
        let expected = extract(&pixels, method, 3, 5).unwrap().endmembers;
        // powers of two change no rounding, the others do
        for (scale, tolerance_rad) in [(2f64.powi(-20), 1e-3), (2f64.powi(14), 1e-3), (1e-15, 0.02), (1e12, 0.02)] {
            let found = extract(&brightened(&pixels, |_| scale), method, 3, 5).unwrap().endmembers;
            let agreement = Agreement::of(&found, &expected).unwrap();
            assert!(agreement.mean_sad_rad < tolerance_rad, "{} times {scale}: {agreement:?}", method.name());
            let matched = found.reordered(&agreement.order);
            for (found, expected) in matched.norms().iter().zip(expected.norms()) {
                assert!((found / (scale * expected) - 1.0).abs() < 0.05, "{} times {scale}", method.name());
            }
        }
    }
}

#[test]
fn every_method_finds_pure_materials_under_little_noise() {
    for count in [2, 4, 6] {
        let scene = scene(count);
        let pixels = mix(&scene.endmembers, &scene.abundances, 50.0, Stream::new(2, "noise")).unwrap();
        for method in [Method::Vca, Method::Nfindr, Method::Spa] {
            let found = extract(&pixels, method, count, 3).unwrap().endmembers;
            let mean_sad_rad = Agreement::of(&found, &scene.endmembers).unwrap().mean_sad_rad;
            // the noise of one pixel at 50 dB is at an angle of 10^-2.5 to its spectrum
            assert!(mean_sad_rad < 2.0 * 10f64.powf(-2.5), "{} with {count}: {mean_sad_rad}", method.name());
        }
    }
}

#[test]
fn bands_of_nothing_but_noise_change_no_choice() {
    const SILENT: [usize; 3] = [7, 20, 41];
    let scene = scene(4);
    let stream = Stream::new(31, "silent bands");
    let pixels = mix(&scene.endmembers, &scene.abundances, 40.0, stream.child(0)).unwrap();
    let mut noise = vec![0.0f32; PIXELS * SILENT.len()];
    stream.child(1).fill_normal(&mut noise);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for (spectrum, noise) in pixels.spectra().zip(noise.chunks_exact(SILENT.len())) {
        let mut spectrum = spectrum.to_vec();
        SILENT.iter().zip(noise).for_each(|(&band, n)| spectrum[band] = 0.5 * n);
        without.extend((0..BANDS).filter(|band| !SILENT.contains(band)).map(|band| spectrum[band]));
        with.extend(spectrum);
    }
    let with = Pixels::new(with.into(), BANDS).unwrap();
    let without = Pixels::new(without.into(), BANDS - SILENT.len()).unwrap();
    for method in [Method::Nfindr, Method::Spa] {
        let found = extract(&with, method, 4, 3).unwrap().endmembers;
        let expected = extract(&without, method, 4, 3).unwrap().endmembers;
        assert!(found.spectra().all(|spectrum| SILENT.iter().all(|&band| spectrum[band] == 0.0)), "{method}");
        let others = |spectrum: &[f64]| -> Vec<f64> {
            (0..BANDS).filter(|band| !SILENT.contains(band)).map(|band| spectrum[band]).collect()
        };
        // in any order: the starts of N-FINDR end at the same pixels, and which of them is first is a matter of rounding
        let in_order = |mut spectra: Vec<Vec<f64>>| {
            spectra.sort_by(|a, b| a[0].total_cmp(&b[0]));
            spectra
        };
        let found = in_order(found.spectra().map(others).collect());
        assert!(found == in_order(expected.spectra().map(<[f64]>::to_vec).collect()), "{method} chooses another pixel");
    }
}

#[test]
fn successive_projections_begin_with_the_longest_spectrum() {
    let scene = scene(5);
    let norms = Endmembers::at_pixels(&scene.pixels, &(0..PIXELS).collect::<Vec<_>>()).norms();
    let longest = (0..PIXELS).max_by(|&a, &b| norms[a].total_cmp(&norms[b])).unwrap();
    let chosen = spa(&scene.pixels, 5).unwrap();
    assert_eq!(chosen[0], longest);
    for fewer in 1..5 {
        assert_eq!(spa(&scene.pixels, fewer).unwrap(), chosen[..fewer], "a shorter answer is a beginning of a longer");
    }
}
