//! What total variation promises: the minimum, as other solvers find it, and nothing where neighbours have nothing to say.

use cupel_data::Stream;
use rand::RngExt;

use super::{Iterate, Neighbours, TotalVariation, total_variation::NONE};
use crate::{Abundances, Convention, Endmembers, Image, Pixels, Usable, dirichlet, mix, patches, smooth_endmembers};

const BANDS: usize = 24;

fn scene(rows: usize, columns: usize, count: usize, seed: u64) -> (Pixels, Endmembers, Abundances) {
    let stream = Stream::new(seed, "laws of total variation");
    let endmembers = smooth_endmembers(count, BANDS, stream.child(0)).unwrap();
    let abundances = patches(rows, columns, count, 0.03, stream.child(1)).unwrap();
    let pixels = mix(&endmembers, &abundances, 15.0, stream.child(2)).unwrap();
    (pixels, endmembers, abundances)
}

fn problem(pixels: &Pixels, endmembers: &Endmembers, sum_to_one: bool) -> TotalVariation {
    TotalVariation::new(pixels, endmembers, &[true; BANDS], sum_to_one).unwrap()
}

/// The minimum to this part of the cost.
fn solved(problem: &TotalVariation, neighbours: &Neighbours, weight: f64, gap: f64) -> Iterate {
    let lambda = weight * problem.scale();
    let mut at = Iterate::new(problem.alone());
    for _ in 0..2000 {
        problem.iterate(neighbours, lambda, 20, &mut at);
        if problem.gap(neighbours, lambda, &at) <= gap {
            return at;
        }
    }
    panic!("the gap is still {}", problem.gap(neighbours, lambda, &at));
}

fn furthest(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// The cost by its definition, from spectra and an image of rows and columns with holes.
fn cost(pixels: &Pixels, endmembers: &Endmembers, usable: &Usable, lambda: f64, weights: &[f64]) -> f64 {
    let (count, columns) = (endmembers.count(), usable.columns());
    let mut number = vec![None; usable.rows() * columns];
    usable.places().enumerate().for_each(|(n, place)| number[place] = Some(n));
    let mut cost = 0.0;
    for (n, place) in usable.places().enumerate() {
        let own = &weights[n * count..][..count];
        for band in 0..BANDS {
            let model: f64 = endmembers.spectra().zip(own).map(|(e, w)| w * e[band]).sum();
            cost += 0.5 * (f64::from(pixels.spectrum(n)[band]) - model).powi(2);
        }
        let right = if place % columns + 1 < columns { number[place + 1] } else { None };
        let below = number.get(place + columns).copied().flatten();
        let differences = [right, below].into_iter().flatten().flat_map(|m| {
            weights[m * count..][..count].iter().zip(own).map(|(other, own)| other - own).collect::<Vec<_>>()
        });
        cost += lambda * differences.map(|d| d * d).sum::<f64>().sqrt();
    }
    cost
}

#[test]
fn without_weight_every_pixel_is_solved_as_it_is_alone() {
    let (pixels, endmembers, _) = scene(7, 9, 3, 1);
    for (convention, sum_to_one) in [(Convention::Fcls, true), (Convention::Nnls, false)] {
        let alone = Abundances::solve(&pixels, &endmembers, convention).unwrap();
        assert!(problem(&pixels, &endmembers, sum_to_one).alone() == alone.values(), "{convention}");
    }
}

#[test]
fn a_constant_scene_stays_whatever_the_weight() {
    let stream = Stream::new(2, "laws of total variation");
    let endmembers = smooth_endmembers(3, BANDS, stream.child(0)).unwrap();
    let one = mix(&endmembers, &dirichlet(1, 3, 1.0, stream.child(1)).unwrap(), 20.0, stream.child(2)).unwrap();
    let pixels = one.select(&[0; 30]);
    let neighbours = Neighbours::of(&Usable::all(5, 6));
    for (sum_to_one, weight) in [(true, 1e-3), (true, 10.0), (false, 1e-3), (false, 10.0)] {
        let problem = problem(&pixels, &endmembers, sum_to_one);
        let at = solved(&problem, &neighbours, weight, 1e-12);
        assert!(furthest(&at.weights, &problem.alone()) < 1e-9, "{weight}");
    }
}

#[test]
fn the_gap_falls_to_nothing_and_bounds_the_distance_to_the_minimum() {
    let usable = Usable::all(12, 10);
    let neighbours = Neighbours::of(&usable);
    for (count, sum_to_one) in [(2, true), (4, true), (3, false)] {
        let (pixels, endmembers, _) = scene(12, 10, count, 3 + count as u64);
        let problem = problem(&pixels, &endmembers, sum_to_one);
        let lambda = 0.02 * problem.scale();
        let least = {
            let best = solved(&problem, &neighbours, 0.02, 1e-8);
            cost(&pixels, &endmembers, &usable, lambda, &best.weights)
        };
        let mut at = Iterate::new(problem.alone());
        let mut gaps = Vec::new();
        for _ in 0..10 {
            problem.iterate(&neighbours, lambda, 20, &mut at);
            let (gap, cost) =
                (problem.gap(&neighbours, lambda, &at), cost(&pixels, &endmembers, &usable, lambda, &at.weights));
            assert!(gap >= -1e-12 && cost - least <= gap * cost + 1e-7 * least, "{gap} of {cost}, least {least}");
            gaps.push(gap);
        }
        assert!(gaps[9] < 0.05 * gaps[0], "{gaps:?}");
    }
}

/// The nearest point of the unit simplex, by bisection of what is taken off.
fn onto_simplex(point: &mut [f64]) {
    let (mut low, mut high) = (-10.0, 10.0);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        let sum: f64 = point.iter().map(|p| (p - middle).max(0.0)).sum();
        if sum > 1.0 { low = middle } else { high = middle }
    }
    point.iter_mut().for_each(|p| *p = (*p - low).max(0.0));
}

/// Projected gradients with momentum (Y. Nesterov, 1983) of the cost with corners of a width that shrinks: slow, and like nothing in the solver.
fn slowly(pixels: &Pixels, endmembers: &Endmembers, usable: &Usable, lambda: f64, sum_to_one: bool) -> Vec<f64> {
    let (count, gram) = (endmembers.count(), endmembers.gram());
    let neighbours = Neighbours::of(usable);
    let along = |spectrum: &[f32], e: &[f64]| spectrum.iter().zip(e).map(|(y, e)| f64::from(*y) * e).sum::<f64>();
    let correlation: Vec<f64> = pixels.spectra().flat_map(|y| endmembers.spectra().map(move |e| along(y, e))).collect();
    let trace: f64 = (0..count).map(|k| gram[k * count + k]).sum();
    let mut weights = vec![1.0 / count as f64; pixels.count() * count];
    for (width, iterations) in [(1e-2, 4000), (1e-3, 10_000), (1e-4, 40_000)] {
        let step = 1.0 / (trace + 8.0 * lambda / width);
        let mut ahead = weights.clone();
        for iteration in 0..iterations {
            let mut gradient: Vec<f64> = (0..ahead.len())
                .map(|at| {
                    let (row, own) = (&gram[at % count * count..][..count], &ahead[at / count * count..][..count]);
                    row.iter().zip(own).map(|(g, w)| g * w).sum::<f64>() - correlation[at]
                })
                .collect();
            for (n, after) in neighbours.after.iter().enumerate() {
                let after = || after.iter().filter(|m| **m != NONE).flat_map(|m| (0..count).map(move |k| (*m, k)));
                let difference = |(m, k): (usize, usize)| ahead[m * count + k] - ahead[n * count + k];
                let norm = (after().map(|at| difference(at).powi(2)).sum::<f64>() + width * width).sqrt();
                for (m, k) in after() {
                    let pull = lambda * difference((m, k)) / norm;
                    gradient[m * count + k] += pull;
                    gradient[n * count + k] -= pull;
                }
            }
            let mut next: Vec<f64> = ahead.iter().zip(&gradient).map(|(w, g)| w - step * g).collect();
            for row in next.chunks_exact_mut(count) {
                if sum_to_one { onto_simplex(row) } else { row.iter_mut().for_each(|w| *w = w.max(0.0)) }
            }
            let momentum = iteration as f64 / (iteration + 3) as f64;
            ahead = next.iter().zip(&weights).map(|(next, before)| next + momentum * (next - before)).collect();
            weights = next;
        }
    }
    weights
}

#[test]
fn the_minimum_is_that_of_a_slow_solver_in_small_images_with_holes() {
    for (seed, count, sum_to_one) in [(11, 2, true), (12, 3, true), (13, 2, false)] {
        let (all, endmembers, _) = scene(3, 4, count, seed);
        let places = vec![0, 1, 2, 3, 4, 6, 7, 8, 9];
        let (usable, pixels) = (Usable::of(3, 4, places.clone()), all.select(&places));
        let (problem, neighbours) = (problem(&pixels, &endmembers, sum_to_one), Neighbours::of(&usable));
        for weight in [0.01, 0.1] {
            let lambda = weight * problem.scale();
            let fast = solved(&problem, &neighbours, weight, 1e-8).weights;
            let slow = slowly(&pixels, &endmembers, &usable, lambda, sum_to_one);
            let of = |weights: &[f64]| cost(&pixels, &endmembers, &usable, lambda, weights);
            let alone = of(&problem.alone());
            assert!(of(&fast) <= of(&slow) + 2e-8 * alone, "seed {seed}: {} {}", of(&fast), of(&slow));
            assert!(of(&slow) - of(&fast) < 1e-4 * alone, "seed {seed}: {} {}", of(&fast), of(&slow));
            assert!(furthest(&fast, &slow) < 0.02, "seed {seed}, {weight}: {fast:.4?} {slow:.4?}");
            assert!(alone > 1.0001 * of(&fast), "seed {seed}, {weight}: the prior did nothing");
        }
    }
}

#[test]
fn pixels_that_are_left_out_part_an_image() {
    let (rows, columns, gap) = (6, 9, 4);
    let (all, endmembers, _) = scene(rows, columns, 3, 21);
    let of = |wanted: &dyn Fn(usize) -> bool| -> Vec<usize> {
        (0..rows * columns).filter(|place| wanted(place % columns)).collect()
    };
    let weights = |usable: Usable, places: &[usize]| {
        let problem = problem(&all.select(places), &endmembers, true);
        solved(&problem, &Neighbours::of(&usable), 0.02, 1e-8).weights
    };
    let places = of(&|column| column != gap);
    let parted = weights(Usable::of(rows, columns, places.clone()), &places);
    let sides = [of(&|column| column < gap), of(&|column| column > gap)];
    for side in &sides {
        let alone = weights(Usable::all(rows, side.len() / rows), side);
        let row = |n: &usize| &parted[places.binary_search(n).unwrap() * 3..][..3];
        let together: Vec<f64> = side.iter().flat_map(row).copied().collect();
        assert!(furthest(&alone, &together) < 5e-3, "{}", furthest(&alone, &together));
    }
}

#[test]
fn turning_the_image_or_its_scale_or_the_order_of_materials_changes_nothing() {
    let (rows, columns) = (6, 8);
    let (pixels, endmembers, _) = scene(rows, columns, 3, 31);
    let straight = |pixels: &Pixels, endmembers: &Endmembers| {
        let neighbours = Neighbours::of(&Usable::all(rows, columns));
        solved(&problem(pixels, endmembers, true), &neighbours, 0.02, 1e-8).weights
    };
    let expected = straight(&pixels, &endmembers);
    let turned: Vec<usize> = (0..rows * columns).map(|n| n % rows * columns + n / rows).collect();
    let transposed = {
        let neighbours = Neighbours::of(&Usable::all(columns, rows));
        solved(&problem(&pixels.select(&turned), &endmembers, true), &neighbours, 0.02, 1e-8).weights
    };
    let back: Vec<f64> = turned.iter().flat_map(|n| &expected[3 * n..3 * n + 3]).copied().collect();
    assert!(furthest(&back, &transposed) < 5e-3);
    let brighter = Pixels::new(pixels.values().iter().map(|v| 512.0 * v).collect::<Vec<_>>().into(), BANDS).unwrap();
    assert!(furthest(&expected, &straight(&brighter, &endmembers.scaled(&[512.0; 3]))) < 5e-3);
    let order = [2, 0, 1];
    let other = straight(&pixels, &endmembers.reordered(&order));
    let again: Vec<f64> = expected.chunks_exact(3).flat_map(|row| order.map(|k| row[k])).collect();
    assert!(furthest(&again, &other) < 5e-3);
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let (pixels, endmembers, _) = scene(30, 40, 3, 41);
    let neighbours = Neighbours::of(Image::new(pixels.clone(), 30, 40).unwrap().usable());
    let of = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let problem = problem(&pixels, &endmembers, true);
            let mut at = Iterate::new(problem.alone());
            problem.iterate(&neighbours, 0.01 * problem.scale(), 10, &mut at);
            let gap = problem.gap(&neighbours, 0.01 * problem.scale(), &at);
            (at, gap.to_bits(), problem.error(&problem.alone()).to_bits())
        })
    };
    let one = of(1);
    assert!(of(2) == one && of(5) == one);
}

#[test]
fn steps_do_not_depend_on_where_the_minimum_is_sought_from() {
    let (pixels, endmembers, _) = scene(8, 8, 3, 51);
    let neighbours = Neighbours::of(&Usable::all(8, 8));
    let problem = problem(&pixels, &endmembers, true);
    let lambda = 0.02 * problem.scale();
    let mut rng = Stream::new(51, "start").rng();
    let start: Vec<f64> = (0..64)
        .flat_map(|_| {
            let k = rng.random_range(0..3);
            (0..3).map(move |j| f64::from(u8::from(j == k)))
        })
        .collect();
    let mut at = Iterate::new(start);
    while problem.gap(&neighbours, lambda, &at) > 1e-8 {
        problem.iterate(&neighbours, lambda, 20, &mut at);
    }
    assert!(furthest(&at.weights, &solved(&problem, &neighbours, 0.02, 1e-8).weights) < 5e-3);
}
