//! Constrained least squares: optimality, agreement with another solver, and what each convention is invariant to.

use cupel_data::Stream;
use cupel_unmixing::{Abundances, Convention, Endmembers, Pixels, dirichlet, mix};

use super::samples::{brightened, rough_endmembers, uniform};

const BANDS: usize = 30;
const PIXELS: usize = 120;

/// Pixels far from any mixture, so that constraints are active in most of them.
fn scattered(endmembers: usize, seed: u64) -> (Pixels, Endmembers) {
    let stream = Stream::new(seed, "abundance laws");
    let values =
        uniform(stream.child(1), PIXELS * BANDS).into_iter().map(|u| (2.0 * u - 0.3) as f32).collect::<Vec<_>>();
    (Pixels::new(values.into(), BANDS).unwrap(), rough_endmembers(endmembers, BANDS, stream.child(0)))
}

/// `E y - E E^T a`: minus the gradient of half the squared error.
fn descent(endmembers: &Endmembers, spectrum: &[f32], weights: &[f64]) -> Vec<f64> {
    let fit = |band: usize| endmembers.spectra().zip(weights).map(|(e, w)| w * e[band]).sum::<f64>();
    let residual: Vec<f64> = spectrum.iter().enumerate().map(|(band, &y)| f64::from(y) - fit(band)).collect();
    endmembers.spectra().map(|e| e.iter().zip(&residual).map(|(e, r)| e * r).sum()).collect()
}

/// Gradients are sums over bands of numbers of order one: this many roundings and some.
const GRADIENT_TOLERANCE: f64 = 1e-9;

#[test]
fn nnls_meets_the_conditions_of_karush_kuhn_and_tucker() {
    for count in 1..=8 {
        let (pixels, endmembers) = scattered(count, count as u64);
        let solved = Abundances::solve(&pixels, &endmembers, Convention::Nnls).unwrap();
        for (spectrum, weights) in pixels.spectra().zip(solved.rows()) {
            for (weight, descent) in weights.iter().zip(descent(&endmembers, spectrum, weights)) {
                assert!(*weight >= 0.0);
                if *weight > 0.0 {
                    assert!(
                        descent.abs() < GRADIENT_TOLERANCE,
                        "{count}: free weight {weight} could move by {descent}"
                    );
                } else {
                    assert!(descent < GRADIENT_TOLERANCE, "{count}: a zero weight should grow by {descent}");
                }
            }
        }
    }
}

#[test]
fn fcls_meets_the_conditions_of_karush_kuhn_and_tucker() {
    for count in 1..=8 {
        let (pixels, endmembers) = scattered(count, 10 + count as u64);
        let solved = Abundances::solve(&pixels, &endmembers, Convention::Fcls).unwrap();
        let mut at_a_bound = 0;
        for (spectrum, weights) in pixels.spectra().zip(solved.rows()) {
            assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{weights:?}");
            let descents = descent(&endmembers, spectrum, weights);
            let multiplier = weights.iter().zip(&descents).map(|(w, d)| w * d).sum::<f64>();
            for (weight, descent) in weights.iter().zip(descents) {
                assert!(*weight >= 0.0);
                if *weight > 0.0 {
                    assert!((descent - multiplier).abs() < GRADIENT_TOLERANCE, "{count}: {descent} {multiplier}");
                } else {
                    at_a_bound += 1;
                    assert!(descent - multiplier < GRADIENT_TOLERANCE, "{count}: {descent} {multiplier}");
                }
            }
        }
        assert!(count < 3 || at_a_bound > PIXELS / 4, "the constraints were hardly tried: {at_a_bound}");
    }
}

/// The nearest point of the unit simplex (W. Wang, M. A. Carreira-Perpinan, arXiv 1309.1541).
fn onto_simplex(point: &mut [f64]) {
    let mut descending = point.to_vec();
    descending.sort_by(|a, b| b.total_cmp(a));
    let (mut sum, mut shift) = (0.0, 0.0);
    for (i, value) in descending.iter().enumerate() {
        sum += value;
        let candidate = (1.0 - sum) / (i + 1) as f64;
        if value + candidate > 0.0 {
            shift = candidate;
        }
    }
    point.iter_mut().for_each(|p| *p = (*p + shift).max(0.0));
}

#[test]
fn agrees_with_projected_gradients() {
    for (count, convention) in
        [(3, Convention::Fcls), (6, Convention::Fcls), (3, Convention::Nnls), (6, Convention::Nnls)]
    {
        let (pixels, endmembers) = scattered(count, 20 + count as u64);
        let solved = Abundances::solve(&pixels, &endmembers, convention).unwrap();
        // the trace bounds the largest eigenvalue, so this step always descends
        let step = 1.0 / (0..count).map(|k| endmembers.gram()[k * count + k]).sum::<f64>();
        for (spectrum, exact) in pixels.spectra().zip(solved.rows()).take(40) {
            let mut weights = vec![1.0 / count as f64; count];
            for _ in 0..4000 {
                let descent = descent(&endmembers, spectrum, &weights);
                weights.iter_mut().zip(descent).for_each(|(w, d)| *w += step * d);
                match convention {
                    Convention::Fcls => onto_simplex(&mut weights),
                    _ => weights.iter_mut().for_each(|w| *w = w.max(0.0)),
                }
            }
            for (got, expected) in exact.iter().zip(&weights) {
                assert!((got - expected).abs() < 1e-8, "{}: {exact:?} {weights:?}", convention.name());
            }
        }
    }
}

#[test]
fn recovers_the_abundances_of_mixtures_exactly() {
    for count in 1..=8 {
        let stream = Stream::new(count as u64, "exact recovery");
        let endmembers = rough_endmembers(count, BANDS, stream.child(0));
        let truth = dirichlet(PIXELS, count, 0.5, stream.child(1)).unwrap();
        let pixels = mix(&endmembers, &truth, f64::INFINITY, stream).unwrap();
        for convention in [Convention::Fcls, Convention::Nnls] {
            let solved = Abundances::solve(&pixels, &endmembers, convention).unwrap();
            for (got, expected) in solved.values().iter().zip(truth.values()) {
                // pixels are f32
                assert!((got - expected).abs() < 1e-6, "{} of {count}: {got} {expected}", convention.name());
            }
        }
    }
}

#[test]
fn unit_max_does_not_depend_on_any_scale() {
    let (pixels, endmembers) = scattered(4, 31);
    let expected = Abundances::solve(&pixels, &endmembers, Convention::UnitMax).unwrap();
    let factors = [0.01, 3.0, 250.0, 1e-6];
    let scaled = Abundances::solve(&pixels, &endmembers.scaled(&factors), Convention::UnitMax).unwrap();
    assert_near(&expected, &scaled, 1e-9);
    for power in [1, 12] {
        let bright = brightened(&pixels, |n| 2f64.powi(power * (n as i32 % 7 - 3)));
        assert_near(&expected, &Abundances::solve(&bright, &endmembers, Convention::UnitMax).unwrap(), 1e-9);
    }
    let faint = brightened(&pixels, |_| 2f64.powi(-100));
    assert_near(&expected, &Abundances::solve(&faint, &endmembers, Convention::UnitMax).unwrap(), 1e-9);
}

#[test]
fn rescaled_does_not_depend_on_the_scale_of_endmembers() {
    let stream = Stream::new(32, "rescaled");
    let endmembers = rough_endmembers(4, BANDS, stream.child(0));
    let truth = dirichlet(800, 4, 0.3, stream.child(1)).unwrap();
    let pixels = mix(&endmembers, &truth, 40.0, stream.child(2)).unwrap();
    let expected = Abundances::solve(&pixels, &endmembers, Convention::Rescaled).unwrap();
    let scaled = endmembers.scaled(&[0.01, 3.0, 250.0, 1e-6]);
    assert_near(&expected, &Abundances::solve(&pixels, &scaled, Convention::Rescaled).unwrap(), 1e-9);
    // it finds the true brightness, which FCLS cannot do from these spectra
    let error = |a: &Abundances| {
        (a.values().iter().zip(truth.values()).map(|(a, t)| (a - t).powi(2)).sum::<f64>() / truth.values().len() as f64)
            .sqrt()
    };
    assert!(error(&expected) < 0.03, "{}", error(&expected));
    assert!(error(&Abundances::solve(&pixels, &scaled, Convention::Fcls).unwrap()) > 0.2);
}

#[test]
fn every_convention_has_a_name_of_its_own_and_keeps_its_constraints() {
    let names: std::collections::HashSet<&str> = Convention::OF_ENDMEMBERS.iter().map(|c| c.name()).collect();
    assert_eq!(names.len(), Convention::OF_ENDMEMBERS.len());
    let (pixels, endmembers) = scattered(5, 33);
    for convention in Convention::OF_ENDMEMBERS {
        let json = serde_json::to_string(&convention).unwrap();
        assert_eq!(json, format!("\"{}\"", convention.name()), "the command line and files use one name");
        let solved = Abundances::solve(&pixels, &endmembers, convention).unwrap();
        assert!(solved.values().iter().all(|a| *a >= 0.0));
        if convention != Convention::Nnls {
            assert!(solved.rows().all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-12), "{}", convention.name());
        }
    }
}

#[test]
fn abundances_follow_the_order_of_endmembers_and_of_pixels() {
    let (pixels, endmembers) = scattered(4, 34);
    let (turn, shuffle) = ([2, 0, 3, 1], Stream::new(1, "order").permutation(PIXELS));
    for convention in Convention::OF_ENDMEMBERS {
        let straight = Abundances::solve(&pixels, &endmembers, convention).unwrap();
        let turned = Abundances::solve(&pixels, &endmembers.reordered(&turn), convention).unwrap();
        assert_near(&straight.reordered(&turn), &turned, 1e-9);
        let shuffled = Abundances::solve(&pixels.select(&shuffle), &endmembers, convention).unwrap();
        let rows: Vec<&[f64]> = straight.rows().collect();
        for (row, &n) in shuffled.rows().zip(&shuffle) {
            assert!(row.iter().zip(rows[n]).all(|(a, b)| (a - b).abs() < 1e-12), "{}", convention.name());
        }
    }
}

fn assert_near(a: &Abundances, b: &Abundances, tolerance: f64) {
    assert_eq!((a.count(), a.endmembers()), (b.count(), b.endmembers()));
    for (a, b) in a.values().iter().zip(b.values()) {
        assert!((a - b).abs() < tolerance, "{a} {b}");
    }
}
