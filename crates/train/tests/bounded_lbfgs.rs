//! Minimisation within bounds: known minima, those of scipy, and resuming.

use cupel_train::{
    Advance, BoundedLbfgs, BoundedLbfgsSettings, Checkpoint, Objective, Policy, Position, Result, Run, Stamp,
    fingerprint,
};

/// `f` with gradient, within a range of all values.
struct Within<F> {
    f: F,
    low: Vec<f64>,
    high: Vec<f64>,
}

impl<F: Fn(&[f64], &mut [f64]) -> f64> Within<F> {
    fn new(count: usize, low: f64, high: f64, f: F) -> Self {
        Self { f, low: vec![low; count], high: vec![high; count] }
    }
}

impl<F: Fn(&[f64], &mut [f64]) -> f64> Objective for Within<F> {
    fn len(&self) -> usize {
        self.low.len()
    }

    fn bounds(&self) -> Option<(&[f64], &[f64])> {
        Some((&self.low, &self.high))
    }

    fn value_and_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64> {
        gradient.fill(0.0);
        assert!(x.iter().zip(&self.low).zip(&self.high).all(|((x, low), high)| low <= x && x <= high), "out of bounds");
        Ok((self.f)(x, gradient))
    }

    fn fingerprint(&self) -> Result<[u8; 32]> {
        fingerprint(&(&self.low, &self.high))
    }
}

fn minimum<F: Fn(&[f64], &mut [f64]) -> f64>(objective: Within<F>, start: Vec<f64>) -> BoundedLbfgs<Within<F>> {
    let settings = BoundedLbfgsSettings { steps: 2000, tolerance: 0.0, ..BoundedLbfgsSettings::default() };
    let mut work = BoundedLbfgs::new(objective, start, settings).unwrap();
    Run::in_memory().drive(&mut work, &Policy::default()).unwrap();
    work
}

/// The same numbers in Python, see the golden minima below.
fn numbers(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = (state * 1_103_515_245 + 12_345) % (1 << 31);
            state as f64 / (1u64 << 31) as f64 - 0.5
        })
        .collect()
}

#[test]
fn values_at_their_bounds_are_those_whose_own_minimum_lies_outside() {
    // a diagonal quadratic: the minimum is the nearest place within the bounds
    for seed in 0..5 {
        let (middle, weight) = (numbers(50, seed + 1), numbers(50, seed + 77));
        let f = |x: &[f64], gradient: &mut [f64]| {
            let each = x.iter().zip(gradient).zip(middle.iter().zip(&weight)).map(|((x, g), (m, w))| {
                let w = 10f64.powf(6.0 * w);
                *g = 2.0 * w * (x - m);
                w * (x - m).powi(2)
            });
            each.sum()
        };
        let found = minimum(Within::new(50, -0.2, 0.3, f), vec![0.0; 50]);
        // where the function is flat its rounding hides the last digits
        for ((x, middle), weight) in found.x().iter().zip(&middle).zip(&weight) {
            let nearest = middle.clamp(-0.2, 0.3);
            assert!(10f64.powf(6.0 * weight) * (x - nearest).powi(2) < 1e-9, "seed {seed}: {x} for {nearest}");
            assert!(nearest == *middle || *x == nearest, "seed {seed}: {x} is not at its bound {nearest}");
        }
    }
}

/// Minima by scipy 1.17.1, `minimize(method="L-BFGS-B")` with `ftol=1e-16, gtol=1e-12`, of `x'(A'A + I/20)x / 2 - 8 b'x + sum x^4 / 4`.
#[test]
fn minima_are_those_of_scipy() {
    let golden = [
        (-9.427512440878754, 3, 8),
        (-7.528770224607895, 7, 5),
        (-7.6707816393094035, 4, 7),
        (-4.464079075784763, 4, 5),
    ];
    for (seed, (value, at_low, at_high)) in (1..).zip(golden) {
        let n = 12;
        let (a, b) = (numbers(n * n, seed), numbers(n, seed + 100));
        let f = |x: &[f64], gradient: &mut [f64]| {
            let product: Vec<f64> = a.chunks_exact(n).map(|row| row.iter().zip(x).map(|(a, x)| a * x).sum()).collect();
            let mut value = product.iter().map(|p| 0.5 * p * p).sum::<f64>();
            for (i, gradient) in gradient.iter_mut().enumerate() {
                let back: f64 = product.iter().enumerate().map(|(row, p)| a[row * n + i] * p).sum();
                *gradient = back + 0.05 * x[i] - 8.0 * b[i] + x[i].powi(3);
                value += 0.025 * x[i] * x[i] - 8.0 * b[i] * x[i] + 0.25 * x[i].powi(4);
            }
            value
        };
        let found = minimum(Within::new(n, -0.4, 0.3, f), vec![0.0; n]);
        let least = found.descent().value().unwrap();
        assert!((least - value).abs() < 1e-9, "problem {seed}: {least}, scipy has {value}");
        let at = |bound: f64| found.x().iter().filter(|x| **x == bound).count();
        assert_eq!((at(-0.4), at(0.3)), (at_low, at_high), "problem {seed}");
    }
}

fn rosenbrock(x: &[f64], gradient: &mut [f64]) -> f64 {
    let mut value = 0.0;
    for i in 0..x.len() - 1 {
        let (bend, rest) = (x[i + 1] - x[i] * x[i], 1.0 - x[i]);
        value += 100.0 * bend * bend + rest * rest;
        gradient[i] -= 400.0 * x[i] * bend + 2.0 * rest;
        gradient[i + 1] += 200.0 * bend;
    }
    value
}

#[test]
fn a_curved_valley_ends_where_scipy_ends() {
    let bounded = minimum(Within::new(10, -1.5, 0.5, rosenbrock), vec![-0.7; 10]);
    assert!((bounded.descent().value().unwrap() - 7.594812948946873).abs() < 1e-9);
    let free = minimum(Within::new(10, -1.5, 2.0, rosenbrock), vec![-0.7; 10]);
    assert!(free.x().iter().all(|x| (x - 1.0).abs() < 1e-5), "{:?}", free.x());
    // scipy needs 51 evaluations
    assert!(free.descent().evaluations() < 150, "{}", free.descent().evaluations());
}

#[test]
fn going_on_from_a_checkpoint_changes_no_bit() {
    let steps = |count| BoundedLbfgsSettings { steps: count, ..BoundedLbfgsSettings::default() };
    let fresh =
        |count| BoundedLbfgs::new(Within::new(10, -1.5, 0.5, rosenbrock), vec![-0.7; 10], steps(count)).unwrap();
    let mut whole = fresh(12);
    let mut at = Position::default();
    for _ in 0..12 {
        whole.advance(at).unwrap();
        at = at.following();
    }
    let folder = tempfile::tempdir().unwrap();
    let mut first = fresh(12);
    for step in 0..7 {
        first.advance(Position { update: step, ..Position::default() }).unwrap();
    }
    let root = folder.path().join("checkpoints");
    let stamp = Stamp { at: Position::default(), fingerprint: String::new(), done: None, seconds: 0.0 };
    Checkpoint::write(&root, stamp, |set| first.save(set)).unwrap();
    let mut second = fresh(12);
    second.load(Checkpoint::newest(&root, true).unwrap().unwrap().reader()).unwrap();
    assert_eq!(second.descent(), first.descent());
    for step in 7..12 {
        second.advance(Position { update: step, ..Position::default() }).unwrap();
    }
    assert_eq!(second.descent(), whole.descent());
}

#[test]
fn what_cannot_be_is_refused() {
    let new = |low, high, start, settings| {
        BoundedLbfgs::new(Within::new(2, low, high, rosenbrock), start, settings).map(|_| ()).unwrap_err().to_string()
    };
    let settings = BoundedLbfgsSettings::default;
    assert!(new(0.0, 1.0, vec![0.0], settings()).contains("start"));
    assert!(new(1.0, 0.0, vec![0.0; 2], settings()).contains("bounds"));
    assert!(new(0.0, 1.0, vec![0.0; 2], BoundedLbfgsSettings { memory: 0, ..settings() }).contains("memory"));
    assert!(new(0.0, 1.0, vec![f64::NAN; 2], settings()).contains("finite"));
}
