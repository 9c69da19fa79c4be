//! What must hold of every sample: promises are kept on data that chose nothing, more coverage is never narrower, order means nothing.

use cupel_data::Stream;
use cupel_statistics::{
    Reliability, Spread,
    conformal::{
        class_thresholds, label_thresholds, margin, quantile_margin, reached, residual_margin, scaled_margin,
        threshold, with_absence,
    },
    interval, quantile,
};

/// Calibrations over which a promise is averaged.
const DRAWS: u64 = 400;
/// Rows that calibrate, and as many that only report.
const ROWS: usize = 60;

/// Errors of exchangeable rows; what each family of them looks like.
type Family = fn(f64, f64) -> f64;
const FAMILIES: [(&str, Family); 4] = [
    ("normal", |normal, _| normal),
    ("skewed", |normal, _| normal.exp()),
    ("heavy tails", |normal, uniform| normal / uniform.max(1e-3)),
    ("two modes", |normal, uniform| normal * 0.1 + if uniform < 0.3 { 4.0 } else { -1.0 }),
];

fn uniform(stream: Stream, n: usize) -> Vec<f64> {
    let mut out = vec![0.0; n];
    stream.fill_uniform(&mut out);
    out.into_iter().map(f64::from).collect()
}

/// Rows of a family: position, truth and scale of the error at that position.
fn rows(family: Family, draw: u64) -> [Vec<f64>; 3] {
    let stream = Stream::new(draw, "exchangeable rows");
    let mut normal = vec![0.0; 2 * ROWS];
    stream.child(0).fill_normal_f64(&mut normal);
    let (x, u) = (uniform(stream.child(1), 2 * ROWS), uniform(stream.child(2), 2 * ROWS));
    let scale: Vec<f64> = x.iter().map(|x| 0.2 + 2.0 * x).collect();
    let truth = (0..2 * ROWS).map(|i| x[i] + scale[i] * family(normal[i], u[i])).collect();
    [x, truth, scale]
}

#[test]
fn margins_hold_the_share_that_they_promise() {
    for (name, family) in FAMILIES {
        for coverage in [0.5, 0.8, 0.95] {
            let mut held = [0_usize; 3];
            for draw in 0..DRAWS {
                let [x, truth, scale] = rows(family, draw);
                let (low, high): (Vec<f64>, Vec<f64>) =
                    x.iter().zip(&scale).map(|(x, s)| (x - 0.3 * s, x + 0.7 * s)).unzip();
                let chosen = |of: &[f64]| of[..ROWS].to_vec();
                let margins = [
                    residual_margin(&chosen(&x), &chosen(&truth), coverage),
                    scaled_margin(&chosen(&x), &chosen(&scale), &chosen(&truth), coverage),
                    quantile_margin(&chosen(&low), &chosen(&high), &chosen(&truth), coverage),
                ];
                for i in ROWS..2 * ROWS {
                    let inside = |low: f64, high: f64| usize::from(low <= truth[i] && truth[i] <= high);
                    held[0] += inside(x[i] - margins[0], x[i] + margins[0]);
                    held[1] += inside(x[i] - margins[1] * scale[i], x[i] + margins[1] * scale[i]);
                    held[2] += inside(low[i] - margins[2], high[i] + margins[2]);
                }
            }
            // the promise itself, k / (n + 1) with k = ceil((n + 1) coverage)
            let exact = ((ROWS + 1) as f64 * coverage - 1e-9).ceil() / (ROWS + 1) as f64;
            // of one calibration the held share is Beta(k, n + 1 - k); the rows that report add a binomial
            let one = exact * (1.0 - exact) * (1.0 / (ROWS + 2) as f64 + 1.0 / ROWS as f64);
            let deviation = (one / DRAWS as f64).sqrt();
            for (way, held) in ["residual", "scaled", "quantile"].iter().zip(held) {
                let share = held as f64 / (DRAWS as usize * ROWS) as f64;
                assert!((share - exact).abs() < 4.0 * deviation, "{name} {way} {coverage}: {share} instead of {exact}");
            }
        }
    }
}

/// Three classes with probabilities that are right only where `sharpness` is 1.
fn class_rows(sharpness: f64, draw: u64, rows: usize) -> (Vec<f64>, Vec<usize>) {
    let stream = Stream::new(draw, "exchangeable classes");
    let mut z = vec![0.0; 3 * rows];
    stream.child(0).fill_normal_f64(&mut z);
    let softmax = |z: &[f64], by: f64| -> Vec<f64> {
        let e: Vec<f64> = z.iter().map(|z| (by * z).exp()).collect();
        e.iter().map(|one| one / e.iter().sum::<f64>()).collect()
    };
    let draws = uniform(stream.child(1), rows);
    let truth = z.chunks(3).zip(draws).map(|(z, u)| {
        let p = softmax(z, 1.0);
        if u < p[0] { 0 } else { 1 + usize::from(u >= p[0] + p[1]) }
    });
    let truth = truth.collect();
    (z.chunks(3).flat_map(|z| softmax(z, sharpness)).collect(), truth)
}

fn one_hot(classes: &[usize]) -> Vec<f64> {
    classes.iter().flat_map(|class| (0..3).map(move |k| f64::from(u8::from(k == *class)))).collect()
}

#[test]
fn sets_hold_the_share_of_each_class_that_they_promise_also_where_probabilities_are_wrong() {
    let half = 3 * ROWS;
    for (sharpness, labels) in [(1.0, false), (4.0, false), (0.3, false), (4.0, true)] {
        let (mut held, mut all) = ([0_usize; 6], [0_usize; 6]);
        for draw in 0..DRAWS {
            let (p, truth) = class_rows(sharpness, draw, 2 * half);
            let (chosen, y, weights) = (&p[..3 * half], one_hot(&truth), vec![1.0; half]);
            let of = if labels { label_thresholds } else { class_thresholds };
            let thresholds = of(chosen, &y[..3 * half], &weights, 3, 0.0, 0.9);
            for i in half..2 * half {
                let (p, y) = (&p[3 * i..][..3], &y[3 * i..][..3]);
                let (p, y) = if labels { (with_absence(p), with_absence(y)) } else { (p.to_vec(), y.to_vec()) };
                for (cell, inside) in
                    reached(&p, &thresholds).into_iter().enumerate().filter(|(cell, _)| y[*cell] > 0.0)
                {
                    held[cell] += usize::from(inside);
                    all[cell] += 1;
                }
            }
        }
        for (held, all) in held.iter().zip(all).filter(|(_, all)| *all > 0) {
            let share = *held as f64 / all as f64;
            // at least the promise, and at most 1 / (n + 1) more for a class of a third of the rows
            assert!((0.895..0.92).contains(&share), "sharpness {sharpness}, labels {labels}: {share}");
        }
    }
}

#[test]
fn a_class_with_few_rows_is_held_by_its_probabilities() {
    // class 1 never occurs; where probabilities are right, nine tenths of its rows would be those that say .5 of it
    let p: Vec<f64> = (0..200).flat_map(|i| if i % 10 == 0 { [0.5, 0.5] } else { [0.995, 0.005] }).collect();
    let y: Vec<f64> = (0..200).flat_map(|_| [1.0, 0.0]).collect();
    assert_eq!(class_thresholds(&p, &y, &[1.0; 200], 2, 100.0, 0.9), [0.995, 0.005]);
    // without belief nothing is known of it, and it is in every set
    assert_eq!(class_thresholds(&p, &y, &[1.0; 200], 2, 0.0, 0.9)[1], 0.0);
}

#[test]
fn more_coverage_is_never_narrower_and_the_order_of_rows_means_nothing() {
    let promises = [0.0, 0.1, 0.5, 0.75, 0.9, 0.95, 0.983, 0.984, 0.999];
    for draw in 0..20 {
        let [x, truth, scale] = rows(FAMILIES[draw as usize % 4].1, draw);
        let (p, classes) = class_rows(1.0, draw, ROWS);
        let (y, weights) = (one_hot(&classes), uniform(Stream::new(draw, "weights"), ROWS));
        let order = Stream::new(draw, "order").permutation(ROWS);
        let (mut widest, mut lowest) = (f64::NEG_INFINITY, vec![f64::INFINITY; 3]);
        for coverage in promises {
            let margin = scaled_margin(&x[..ROWS], &scale[..ROWS], &truth[..ROWS], coverage);
            assert!(margin >= widest, "{coverage}: {margin} after {widest}");
            widest = margin;
            let pick = |of: &[f64]| order.iter().map(|i| of[*i]).collect::<Vec<_>>();
            assert_eq!(scaled_margin(&pick(&x), &pick(&scale), &pick(&truth), coverage), margin);

            let thresholds = class_thresholds(&p, &y, &weights, 3, 20.0, coverage);
            assert!(thresholds.iter().zip(&lowest).all(|(now, before)| now <= before), "{coverage}: {thresholds:?}");
            let rows = |of: &[f64]| order.iter().flat_map(|i| of[3 * i..][..3].to_vec()).collect::<Vec<_>>();
            let again = class_thresholds(&rows(&p), &rows(&y), &pick(&weights), 3, 20.0, coverage);
            assert_eq!(again, thresholds);
            lowest = thresholds;
        }
        assert_eq!(widest, f64::INFINITY, "61 rows are too few for .999");
    }
}

#[test]
fn a_threshold_is_the_order_statistic_of_split_conformal_prediction() {
    let said = |n: usize| (0..n).rev().map(|i| (i as f64 / 100.0, 1.0)).collect::<Vec<_>>();
    // (19 + 1) / 10 = 2: the second smallest; (8 + 1) / 10 is not one whole row
    for (rows, expected) in [(19, 0.01), (8, 0.0), (9, 0.0), (29, 0.02), (0, 0.0)] {
        assert_eq!(threshold(said(rows), 0.9), expected);
    }
    assert_eq!(threshold(vec![(0.3, 1.0), (0.4, 2.0), (0.5, 6.0)], 0.7), 0.4, "weights are rows");
}

#[test]
fn too_few_rows_and_unknown_errors_promise_nothing() {
    assert_eq!(margin([], 0.5), f64::INFINITY);
    assert_eq!(margin([1.0; 8], 0.9), f64::INFINITY);
    assert_eq!(margin([1.0; 9], 0.9), 1.0);
    assert_eq!(residual_margin(&[0.0; 3], &[1.0, f64::NAN, 2.0], 0.75), f64::INFINITY);
    assert_eq!(quantile_margin(&[f64::NAN; 1], &[0.0; 1], &[0.0; 1], 0.5), f64::INFINITY);
    assert_eq!(quantile_margin(&[-2.0; 9], &[2.0; 9], &[0.0; 9], 0.9), -2.0, "quantiles that hold too much shrink");
}

#[test]
#[should_panic(expected = "6 probabilities and 4 truths for 3 rows of 2 classes")]
fn arrays_that_do_not_fit_are_a_fault_of_the_program() {
    class_thresholds(&[0.5; 6], &[1.0; 4], &[1.0; 3], 2, 0.0, 0.9);
}

#[test]
#[should_panic(expected = "a quantile of no values")]
fn nothing_has_no_quantile() {
    quantile(&[], 0.5);
}

#[test]
fn spreads_move_and_scale_with_their_values() {
    assert_eq!(Spread::of(&[]), None);
    assert_eq!(Spread::of(&[2.0]), Some(Spread { mean: 2.0, sd: 0.0 }));
    let values = [1.0, 2.0, 3.0, 4.0];
    let spread = Spread::of(&values).unwrap();
    assert!((spread.mean - 2.5).abs() < 1e-12 && (spread.sd - (5.0_f64 / 3.0).sqrt()).abs() < 1e-12);
    let moved = Spread::of(&values.map(|v| 8.0 - 2.0 * v)).unwrap();
    assert_eq!((moved.mean, moved.sd), (8.0 - 2.0 * spread.mean, 2.0 * spread.sd));
}

#[test]
fn groups_are_resampled_whole_and_the_same_on_any_number_of_threads() {
    let groups: Vec<u32> = (0..60).map(|row| row / 3).collect();
    let rows: Vec<usize> = (0..60).collect();
    let measure = |rows: &[usize]| {
        assert!(rows.chunks(3).all(|group| group[0] / 3 == group[2] / 3), "groups come whole");
        vec![Some(rows.iter().sum::<usize>() as f64), (rows[0] > 2).then_some(1.0)]
    };
    let found = interval(&rows, &groups, 200, 5, measure);
    assert!(found[0].is_some() && found[1].is_none(), "a measure that some resample does not have has no interval");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(pool.install(|| interval(&rows, &groups, 200, 5, measure)), found);
}

#[test]
fn what_comes_true_as_often_as_it_is_said_has_no_calibration_error() {
    let mut reliability = Reliability::default();
    assert_eq!((reliability.error(), reliability.adaptive_error()), (None, None));
    for (p, of) in [(0.25, 4), (0.75, 4), (1.0, 2)] {
        (0..of * 30).for_each(|i| reliability.push(p, f64::from(i % of) < p * f64::from(of)));
    }
    assert_eq!(reliability.error(), Some(0.0));
    assert_eq!(reliability.bins().iter().map(|bin| bin.rows).sum::<u64>(), 300);
}
