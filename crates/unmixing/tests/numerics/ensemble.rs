//! The ensemble against single extractors where brightness varies, as it does in every real scene.

use cupel_data::Stream;
use cupel_unmixing::{Agreement, Endmembers, Method, Pixels, mix, patches, smooth_endmembers};

use super::samples::{brightened, extract, uniform};

/// A scene of patches whose pixels are lit unevenly, from deep shade to full light.
fn unevenly_lit(endmembers: usize, snr_db: f64, seed: u64) -> (Pixels, Endmembers) {
    let stream = Stream::new(seed, "ensemble law");
    let spectra = smooth_endmembers(endmembers, 80, stream.child(0)).unwrap();
    let abundances = patches(40, 40, endmembers, 0.05, stream.child(1)).unwrap();
    let even = mix(&spectra, &abundances, f64::INFINITY, stream.child(2)).unwrap();
    let light = uniform(stream.child(3), even.count());
    let lit = brightened(&even, |n| 0.2 + 0.8 * light[n]);
    let power = lit.values().iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / lit.values().len() as f64;
    let sigma = (power / 10f64.powf(snr_db / 10.0)).sqrt() as f32;
    let mut noise = vec![0.0f32; lit.values().len()];
    stream.child(4).fill_normal(&mut noise);
    let values: Vec<f32> = lit.values().iter().zip(noise).map(|(v, n)| v + sigma * n).collect();
    (Pixels::new(values.into(), 80).unwrap(), spectra)
}

#[test]
fn the_ensemble_is_no_worse_than_the_median_extractor() {
    let single = [Method::Edaa, Method::Vca, Method::Nfindr, Method::Spa];
    for (endmembers, snr_db) in [(3, 40.0), (3, 25.0), (4, 30.0), (5, 40.0)] {
        let (mut ensemble, mut others) = (0.0, [0.0; 4]);
        let seeds = 1..=3;
        for seed in seeds.clone() {
            let (pixels, truth) = unevenly_lit(endmembers, snr_db, seed);
            let error = |method| {
                let found = extract(&pixels, method, endmembers, seed).unwrap().endmembers;
                Agreement::of(&found, &truth).unwrap().mean_sad_rad / seeds.clone().count() as f64
            };
            ensemble += error(Method::Auto);
            others.iter_mut().zip(single).for_each(|(sum, method)| *sum += error(method));
        }
        let mut ordered = others;
        ordered.sort_by(f64::total_cmp);
        let median = 0.5 * (ordered[1] + ordered[2]);
        println!(
            "{endmembers} endmembers at {snr_db} dB: ensemble {ensemble:.4}, edaa {:.4}, vca {:.4}, nfindr {:.4}, spa {:.4}",
            others[0], others[1], others[2], others[3]
        );
        assert!(ensemble <= median, "{endmembers} endmembers at {snr_db} dB: {ensemble} {others:?}");
    }
}
