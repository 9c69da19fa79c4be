//! Laws of the descent, and its agreement with the same algorithm written plainly in f64.

use cupel_data::Stream;
use rand::RngExt;
use rayon::prelude::*;

use super::{Archetypes, Columns, Edaa, FLOOR};
use crate::simulate::{dirichlet, mix, smooth_endmembers};

/// Rows of `rank` coordinates: mixtures of `endmembers` positive spectra with some noise.
fn rows(count: usize, rank: usize, endmembers: usize, seed: u64) -> Vec<f32> {
    let stream = Stream::new(seed, "edaa laws");
    let spectra = smooth_endmembers(endmembers, rank, stream.child(0)).unwrap();
    let abundances = dirichlet(count, endmembers, 0.5, stream.child(1)).unwrap();
    mix(&spectra, &abundances, 30.0, stream.child(2)).unwrap().values().to_vec()
}

/// `B` and `A` in f64, `endmembers x pixels` each.
struct Plain {
    weights: Vec<Vec<f64>>,
    abundances: Vec<Vec<f64>>,
}

/// Algorithm 1 of the paper, one line an equation, with the draws and the floor of [`Edaa::restart`].
fn plain(settings: Edaa, rows: &[f32], rank: usize, stream: Stream) -> Plain {
    let Edaa { endmembers: k, alternations, steps } = settings;
    let x: Vec<Vec<f64>> = rows.chunks(rank).map(|row| row.iter().map(|&v| f64::from(v)).collect()).collect();
    let count = x.len();
    let mut rng = stream.rng();
    let mut weights: Vec<Vec<f64>> = (0..k)
        .map(|_| {
            let row: Vec<f64> = (0..count).map(|_| (0.1 * f64::from(rng.random::<f32>())).exp()).collect();
            let sum: f64 = row.iter().sum();
            row.iter().map(|w| w / sum).collect()
        })
        .collect();
    let mut abundances = vec![vec![1.0 / k as f64; count]; k];
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    // spectra weighted by each row of `w`
    let averages = |w: &[Vec<f64>]| -> Vec<Vec<f64>> {
        w.iter().map(|w| (0..rank).map(|r| (0..count).map(|n| w[n] * x[n][r]).sum()).collect()).collect()
    };
    let gram = |e: &[Vec<f64>]| -> Vec<Vec<f64>> { e.iter().map(|a| e.iter().map(|b| dot(a, b)).collect()).collect() };
    let mut endmembers = averages(&weights);
    let factor = 2f64.powi(rng.random_range(-1..4));
    let step_a = factor / largest_eigenvalue(&gram(&endmembers));
    let step_b = step_a * (k as f64 / count as f64).sqrt();
    for _ in 0..alternations {
        let inner = gram(&endmembers);
        for (n, spectrum) in x.iter().enumerate() {
            let correlation: Vec<f64> = endmembers.iter().map(|e| dot(e, spectrum)).collect();
            let mut a: Vec<f64> = abundances.iter().map(|row| row[n]).collect();
            for _ in 0..steps {
                let descent: Vec<f64> = (0..k).map(|i| step_a * (correlation[i] - dot(&inner[i], &a))).collect();
                multiply(&mut a, &descent);
            }
            abundances.iter_mut().zip(a).for_each(|(row, a)| row[n] = a);
        }
        let (target, inner) = (averages(&abundances), gram(&abundances));
        for _ in 0..steps {
            let fitted = |i: usize, r: usize| (0..k).map(|j| endmembers[j][r] * inner[j][i]).sum::<f64>();
            let direction: Vec<Vec<f64>> =
                (0..k).map(|i| (0..rank).map(|r| target[i][r] - fitted(i, r)).collect()).collect();
            for (row, direction) in weights.iter_mut().zip(&direction) {
                let descent: Vec<f64> = x.iter().map(|spectrum| step_b * dot(direction, spectrum)).collect();
                multiply(row, &descent);
            }
            endmembers = averages(&weights);
        }
    }
    Plain { weights, abundances }
}

/// `p <- p e^d / sum`, not below the floor.
fn multiply(point: &mut [f64], descent: &[f64]) {
    let largest = descent.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    point.iter_mut().zip(descent).for_each(|(p, d)| *p *= (d - largest).exp());
    let sum: f64 = point.iter().sum();
    point.iter_mut().for_each(|p| *p = (*p / sum).max(f64::from(FLOOR)));
}

fn largest_eigenvalue(matrix: &[Vec<f64>]) -> f64 {
    let flat: Vec<f64> = matrix.concat();
    cupel_pca::symmetric_eigen(&flat, matrix.len()).unwrap().values[0]
}

#[test]
fn equals_the_plain_algorithm_in_f64() {
    // a few descents keep what rounding grows to far below the change that any mistake makes
    const ALTERNATIONS: usize = 3;
    const STEPS: usize = 4;
    // f32 sums over pixels, 16 lanes wide, and the exponential of step sizes up to 8 times the inverse curvature
    const TOLERANCE: f64 = 200.0 * f32::EPSILON as f64;
    for (count, rank, k, seed) in
        [(70, 6, 3, 1), (64, 9, 4, 2), (33, 5, 5, 3), (129, 12, 7, 4), (16, 3, 1, 5), (7, 4, 2, 6)]
    {
        let rows = rows(count, rank, k, seed);
        for draw in 0..6 {
            let settings = Edaa { endmembers: k, alternations: ALTERNATIONS, steps: STEPS };
            let stream = Stream::new(seed, "edaa draw").child(draw);
            let found = settings.restart(&Columns::new(&rows, rank), stream);
            let expected = plain(settings, &rows, rank, stream);
            let largest = |got: &[f32], expected: &[Vec<f64>]| {
                let scale = expected.iter().flatten().copied().fold(0.0, f64::max);
                let differences = got.iter().zip(expected.iter().flatten()).map(|(g, e)| (f64::from(*g) - e).abs());
                differences.fold(0.0, f64::max) / scale
            };
            let (b, a) = (largest(&found.weights, &expected.weights), largest(&found.abundances, &expected.abundances));
            assert!(
                b < TOLERANCE && a < TOLERANCE,
                "{count} x {rank}, {k} endmembers, draw {draw}: B {b:.1e} A {a:.1e}"
            );
        }
    }
}

#[test]
fn weights_and_abundances_stay_on_the_simplex() {
    for (count, rank, k) in [(200, 8, 3), (57, 20, 6), (17, 3, 2), (5, 4, 1)] {
        let rows = rows(count, rank, k, 7);
        let found = Edaa { endmembers: k, alternations: 20, steps: 10 }
            .restart(&Columns::new(&rows, rank), Stream::new(7, "edaa draw"));
        // a sum of `count` roundings
        let tolerance = count as f32 * f32::EPSILON;
        for row in found.weights.chunks(count) {
            assert!(row.iter().all(|w| *w >= FLOOR) && (row.iter().sum::<f32>() - 1.0).abs() < tolerance);
        }
        for n in 0..count {
            let column: Vec<f32> = (0..k).map(|i| found.abundances[i * count + n]).collect();
            assert!(
                column.iter().all(|a| *a >= FLOOR) && (column.iter().sum::<f32>() - 1.0).abs() < 1e-5,
                "{column:?}"
            );
        }
    }
}

#[test]
fn more_alternations_fit_better() {
    let rows = rows(400, 10, 4, 8);
    let columns = Columns::new(&rows, 10);
    let mean = |alternations: usize| {
        let residual = |draw: u64| {
            let settings = Edaa { endmembers: 4, alternations, steps: 10 };
            settings.restart(&columns, Stream::new(8, "edaa draw").child(draw)).residual(&columns)
        };
        (0..12).map(residual).sum::<f64>() / 12.0
    };
    let residuals: Vec<f64> = [1, 3, 10, 30, 100].into_iter().map(mean).collect();
    assert!(residuals.windows(2).all(|pair| pair[1] < pair[0]), "{residuals:?}");
}

#[test]
fn restarts_have_the_same_bits_on_1_and_2_threads() {
    let rows = rows(500, 8, 3, 9);
    let columns = Columns::new(&rows, 8);
    let run = |threads: usize| -> Vec<Archetypes> {
        let settings = Edaa { endmembers: 3, alternations: 10, steps: 10 };
        let restart = |draw: u32| settings.restart(&columns, Stream::new(9, "edaa draw").child(u64::from(draw)));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (0..8).into_par_iter().with_max_len(1).map(restart).collect())
    };
    assert!(run(1) == run(2));
}

#[test]
fn scale_by_powers_of_two_changes_no_bit_and_other_scales_little() {
    let rows = rows(300, 6, 3, 10);
    let settings = Edaa { endmembers: 3, alternations: 5, steps: 5 };
    let run = |scale: f32| {
        let scaled: Vec<f32> = rows.iter().map(|v| v * scale).collect();
        let columns = Columns::new(&scaled, 6);
        let found = settings.restart(&columns, Stream::new(10, "edaa draw"));
        let residual = found.residual(&columns);
        (found, residual)
    };
    let (expected, residual) = run(1.0);
    for power in [-110, -40, 20, 110] {
        let (found, scaled) = run(f32::powi(2.0, power));
        assert!(found == expected, "2^{power}");
        assert_eq!(scaled, residual * 2f64.powi(power));
    }
    for scale in [1e-30f32, 1e30] {
        let (found, _) = run(scale);
        assert!(found.weights.iter().zip(&expected.weights).all(|(a, b)| (a - b).abs() < 1e-3), "{scale}");
    }
}
