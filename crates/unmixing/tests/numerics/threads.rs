//! The number of threads changes no bit of any result.

use cupel_data::{Axes, Axis, AxisKind, Cube, Stream};
use cupel_train::{Casting, Policy, Run, checks::exclusive, device};
use cupel_unmixing::{
    Abundances, Convention, Endmembers, Inference, Method, MixtureConfig, Moments, Pixels, Unmixing, UnmixingConfig,
    mix, patches, smooth_endmembers, suggest,
};

use super::samples::{extract, with_threads};

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn every_extractor_gives_the_same_bits_on_1_2_and_5_threads() {
    let stream = Stream::new(4, "threads");
    let endmembers = smooth_endmembers(3, 40, stream.child(0)).unwrap();
    // more pixels than one block of any parallel loop
    let abundances = patches(40, 60, 3, 0.05, stream.child(1)).unwrap();
    let pixels = mix(&endmembers, &abundances, 30.0, stream.child(2)).unwrap();
    for method in Method::EXTRACTORS {
        let run = |threads: usize| {
            with_threads(threads, || {
                let extracted = extract(&pixels, method, 3, 6).unwrap();
                let maps: Vec<Vec<u64>> = Convention::OF_ENDMEMBERS
                    .iter()
                    .map(|c| bits(Abundances::solve(&pixels, &extracted.endmembers, *c).unwrap().values()))
                    .collect();
                (bits(extracted.endmembers.values()), maps, format!("{:?}", extracted.evidence))
            })
        };
        let one = run(1);
        for threads in [2, 5] {
            assert!(run(threads) == one, "{} on {threads} threads", method.name());
        }
    }
}

/// All that a method gives: endmembers, abundances under every convention, intervals and draws.
fn unmixed(pixels: &Pixels, config: UnmixingConfig) -> Vec<Vec<u64>> {
    let unmixed = Unmixing::new(config).on(&device::select("cpu").unwrap().device, Casting::f32()).fit(
        &Cube::new(pixels.values().to_vec(), axes(pixels)).unwrap(),
        &mut Run::in_memory(),
        &Policy::default(),
    );
    let unmixed = unmixed.unwrap();
    let mut found = vec![bits(unmixed.endmembers.values()), bits(&unmixed.brightness), bits(&unmixed.errors)];
    found.extend(unmixed.abundances.iter().map(|(_, abundances)| bits(abundances.values())));
    found.extend(unmixed.posterior.iter().flat_map(|p| [bits(&p.lower), bits(&p.upper), bits(&p.endmember_errors)]));
    found.extend(unmixed.samples.iter().map(|draws| draws.iter().map(|draw| u64::from(draw.to_bits())).collect()));
    found
}

fn axes(pixels: &Pixels) -> Axes {
    let axes = [(AxisKind::Row, 24), (AxisKind::Column, pixels.count() / 24), (AxisKind::Wavelength, pixels.bands())];
    Axes::new(axes.map(|(kind, length)| Axis::new(kind, length)).to_vec()).unwrap()
}

/// With more bands and spectra of a library than decompositions take in one block.
#[test]
fn every_method_unmixes_to_the_same_bits_on_1_2_and_3_threads() {
    let _one = exclusive();
    let stream = Stream::new(6, "threads");
    let endmembers = smooth_endmembers(4, 150, stream.child(0)).unwrap();
    let abundances = patches(24, 30, 4, 0.05, stream.child(1)).unwrap();
    let pixels = mix(&endmembers, &abundances, 30.0, stream.child(2)).unwrap();
    let svi = MixtureConfig {
        inference: Inference::Svi,
        save_samples: true,
        predictive_samples: 3,
        ..MixtureConfig::default()
    };
    let methods = Method::ALL.iter().map(|&method| (method, MixtureConfig::default()));
    for (method, mixture) in methods.chain([(Method::Pmm, svi)]) {
        let steps = (method.is_network() || mixture.is_variational()).then_some(3);
        let config = UnmixingConfig { method, mixture, steps, restarts: 3, seed: 2, ..UnmixingConfig::new(4) };
        let one = with_threads(1, || unmixed(&pixels, config));
        for threads in [2, 3] {
            assert!(with_threads(threads, || unmixed(&pixels, config)) == one, "{method} on {threads} threads");
        }
    }
}

#[test]
fn the_search_for_a_number_has_the_same_bits_on_any_number_of_threads() {
    let stream = Stream::new(7, "threads");
    let endmembers = smooth_endmembers(3, 60, stream.child(0)).unwrap();
    let abundances = patches(20, 20, 3, 0.05, stream.child(1)).unwrap();
    let pixels = mix(&endmembers, &abundances, 30.0, stream.child(2)).unwrap();
    let run = |threads| with_threads(threads, || format!("{:?}", suggest(&pixels, 4, 1).unwrap()));
    assert!(run(1) == run(2) && run(1) == run(3));
}

#[test]
fn moments_and_simulation_have_the_same_bits_on_any_number_of_threads() {
    let run = |threads: usize| {
        with_threads(threads, || {
            let stream = Stream::new(5, "threads");
            let endmembers: Endmembers = smooth_endmembers(4, 30, stream.child(0)).unwrap();
            let abundances = patches(120, 90, 4, 0.05, stream.child(1)).unwrap();
            let pixels = mix(&endmembers, &abundances, 20.0, stream.child(2)).unwrap();
            let moments = Moments::of(&pixels).unwrap();
            (pixels.values().to_vec(), bits(&moments.second), bits(&moments.about_mean.values))
        })
    };
    let one = run(1);
    assert!(run(2) == one && run(5) == one);
}
