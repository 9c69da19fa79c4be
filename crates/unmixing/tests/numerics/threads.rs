//! The number of threads changes no bit of any result.

use cupel_data::Stream;
use cupel_unmixing::{Abundances, Convention, Endmembers, Method, Moments, mix, patches, smooth_endmembers};

use super::samples::{extract, with_threads};

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn every_method_gives_the_same_bits_on_1_2_and_5_threads() {
    let stream = Stream::new(4, "threads");
    let endmembers = smooth_endmembers(3, 40, stream.child(0)).unwrap();
    // more pixels than one block of any parallel loop
    let abundances = patches(40, 60, 3, 0.05, stream.child(1)).unwrap();
    let pixels = mix(&endmembers, &abundances, 30.0, stream.child(2)).unwrap();
    for method in Method::EXTRACTORS {
        let run = |threads: usize| {
            with_threads(threads, || {
                let extracted = extract(&pixels, method, 3, 6).unwrap();
                let maps: Vec<Vec<u64>> = Convention::ALL
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
