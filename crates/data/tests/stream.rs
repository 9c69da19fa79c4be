//! The random streams through their public face: right distributions, independence, and the same bits every time.

use cupel_data::Stream;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, Exp1};
use std::collections::{HashMap, HashSet};

const N: usize = 1 << 20;
/// Longer than what one thread fills at a time, and no multiple of a block.
const LONG: usize = (1 << 16) + 7;
/// Six standard deviations: a right generator fails one of these tests for one seed in a billion, and the seeds are fixed.
const SIGMAS: f64 = 6.0;

fn stream() -> Stream {
    Stream::new(11, "test")
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    values.sum::<f64>() / N as f64
}

/// Whether the mean of N draws of known variance is where it should be.
fn assert_mean(what: &str, values: impl Iterator<Item = f64>, expected: f64, variance: f64) {
    let (got, tolerance) = (mean(values), SIGMAS * (variance / N as f64).sqrt());
    assert!((got - expected).abs() < tolerance, "{what}: {got}, expected {expected} +- {tolerance}");
}

#[test]
fn normal_values_have_the_moments_tails_and_independence_of_a_normal() {
    let (mut single, mut double) = (vec![0.0_f32; N], vec![0.0_f64; N]);
    stream().fill_normal(&mut single);
    stream().fill_normal_f64(&mut double);
    for x in [single.iter().map(|&x| f64::from(x)).collect(), double] as [Vec<f64>; 2] {
        assert_mean("mean", x.iter().copied(), 0.0, 1.0);
        assert_mean("variance", x.iter().map(|x| x * x), 1.0, 2.0);
        assert_mean("third moment", x.iter().map(|x| x.powi(3)), 0.0, 15.0);
        assert_mean("fourth moment", x.iter().map(|x| x.powi(4)), 3.0, 96.0);
        for (limit, outside) in [(1.0, 0.317_310_507_9), (2.0, 0.045_500_263_9), (4.0, 6.334_248e-5)] {
            let beyond = x.iter().map(|x| f64::from(u8::from(x.abs() > limit)));
            assert_mean("tail", beyond, outside, outside * (1.0 - outside));
        }
        // Neighbours come from one Box-Muller pair: neither they nor their squares may be correlated.
        for lag in 1..=4 {
            let product = |i: usize| x[i] * x[(i + lag) % N];
            assert_mean("lag", (0..N).map(product), 0.0, 1.0);
            let squares = |i: usize| (x[i] * x[i] - 1.0) * (x[(i + lag) % N].powi(2) - 1.0);
            assert_mean("lag of squares", (0..N).map(squares), 0.0, 4.0);
        }
    }
}

#[test]
fn uniform_values_fill_the_unit_interval_evenly() {
    let mut x = vec![0.0; N];
    stream().fill_uniform(&mut x);
    assert!(x.iter().all(|x| (0.0..1.0).contains(x)));
    assert_mean("mean", x.iter().map(|&x| f64::from(x)), 0.5, 1.0 / 12.0);
    let mut bins = [0_u32; 64];
    x.iter().for_each(|x| bins[(x * 64.0) as usize] += 1);
    assert_chi_square(&bins, N as f64 / 64.0);
}

/// The chi-square statistic against equal counts lies within SIGMAS standard deviations of its mean.
fn assert_chi_square(counts: &[u32], expected: f64) {
    let statistic: f64 = counts.iter().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum();
    let freedom = (counts.len() - 1) as f64;
    assert!((statistic - freedom).abs() < SIGMAS * (2.0 * freedom).sqrt(), "chi-square {statistic} of {freedom}");
}

#[test]
fn children_steps_purposes_and_seeds_are_uncorrelated() {
    let root = stream();
    let family = [
        root,
        root.child(0),
        root.child(1),
        root.at(0, 0),
        root.at(0, 1),
        root.at(1, 0),
        root.at(0, 0).child(0),
        root.child(0).at(0, 0),
        Stream::new(12, "test"),
        Stream::new(11, "tests"),
    ];
    let draws = family.map(|stream| {
        let mut values = vec![0.0_f32; N / 8];
        stream.fill_normal(&mut values);
        values
    });
    for (i, a) in draws.iter().enumerate() {
        for (j, b) in draws[..i].iter().enumerate() {
            let sum: f64 = a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            let correlation = sum / a.len() as f64;
            assert!(correlation.abs() < SIGMAS / (a.len() as f64).sqrt(), "streams {i} and {j}: {correlation}");
        }
    }
}

#[test]
fn no_two_of_many_streams_are_equal() {
    let root = stream();
    let mut seen = HashSet::new();
    for epoch in 0..40 {
        for step in 0..40 {
            let here = root.at(epoch, step);
            assert!(seen.insert(here));
            for child in 0..10 {
                assert!(seen.insert(here.child(child)));
                assert!(seen.insert(root.child(child).at(epoch, step)));
            }
        }
    }
    for large in [u64::from(u32::MAX), u64::from(u32::MAX) + 1, u64::MAX] {
        for stream in [root.at(large, 0), root.at(0, large), root.child(large)] {
            assert!(seen.insert(stream));
        }
    }
}

#[test]
fn an_element_depends_on_its_index_alone() {
    let (mut long, mut long_f64) = (vec![0.0_f32; LONG], vec![0.0_f64; LONG]);
    stream().fill_normal(&mut long);
    stream().fill_normal_f64(&mut long_f64);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for len in [0, 1, 3, 16_383, 16_386, LONG] {
        let (mut short, mut short_f64) = (vec![0.0_f32; len], vec![0.0_f64; len]);
        pool.install(|| stream().fill_normal(&mut short));
        pool.install(|| stream().fill_normal_f64(&mut short_f64));
        assert_eq!(short, long[..len]);
        assert_eq!(short_f64, long_f64[..len]);
    }
}

#[test]
fn the_generator_reads_the_stream_and_serves_rand() {
    let mut rng = stream().rng();
    let first: Vec<u64> = (0..9).map(|_| rng.next_u64()).collect();
    assert_eq!(first, (0..9).map(|i| stream().u64(i)).collect::<Vec<_>>());
    let mut bytes = [0; 11];
    stream().rng().fill_bytes(&mut bytes);
    assert_eq!(bytes[..8], first[0].to_le_bytes());
    assert_eq!(bytes[8..], first[1].to_le_bytes()[..3]);
    let mut rng = stream().rng();
    assert_mean("uniform", (0..N).map(|_| rng.random::<f64>()), 0.5, 1.0 / 12.0);
    assert_mean("exponential", (0..N).map(|_| Exp1.sample(&mut rng)), 1.0, 1.0);
}

#[test]
fn every_order_of_four_is_equally_likely() {
    let mut counts = HashMap::new();
    let draws = 24_000;
    for i in 0..draws {
        *counts.entry(stream().child(i).permutation(4)).or_insert(0_u32) += 1;
    }
    assert_eq!(counts.len(), 24);
    assert_chi_square(&counts.into_values().collect::<Vec<_>>(), draws as f64 / 24.0);
}

#[test]
fn a_sample_is_the_start_of_a_permutation() {
    for (n, k) in [(0, 0), (1, 1), (10, 3), (10, 10), (1000, 0), (1000, 400)] {
        let order = stream().permutation(n);
        assert_eq!(stream().sample(n, k), order[..k]);
        let mut sorted = order;
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..n));
    }
    assert_eq!(stream().sample(usize::MAX, 5).len(), 5);
}

#[test]
#[should_panic(expected = "cannot sample 3 of 2 without replacement")]
fn a_sample_cannot_be_larger_than_its_source() {
    stream().sample(2, 3);
}

#[test]
fn numbers_below_a_bound_are_even_where_rejection_matters() {
    // Two thirds of 2^64: without rejection the lower half of the results would be twice as likely.
    let bound = (u64::MAX / 3) * 2;
    let mut rng = stream().rng();
    let lower = (0..N).map(|_| f64::from(u8::from(rng.below(bound) < bound / 2)));
    assert_mean("lower half", lower, 0.5, 0.25);
    assert_eq!((rng.below(1), rng.below(0)), (0, 0));
}

/// These values were made by this crate; they change only when every stored seed changes its meaning.
#[test]
fn the_streams_of_this_version_stay_as_they_are() {
    let stream = Stream::new(1, "frozen").at(2, 3).child(4);
    assert_eq!(
        ([0, 1, 1 << 40].map(|i| stream.u64(i)), stream.permutation(8)),
        (
            [4_098_666_455_860_634_208, 5_821_861_353_277_220_026, 18_190_105_750_358_643_153],
            vec![1, 3, 0, 2, 5, 6, 7, 4],
        )
    );
}
