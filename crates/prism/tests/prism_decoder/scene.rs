//! Exposures of objects of our own, computed in f64 by the definition.

use std::{f64::consts::PI, sync::Arc};

use cupel_data::Stream;
use cupel_prism::{Exposures, Geometry, InMemory, Knowledge, Noise, Optics, Plane};
use num_complex::Complex;
use rand_distr::{Distribution, Normal, Poisson};
use rustfft::{FftDirection, FftPlanner};

/// How an object is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// Rows, and columns, of the field.
    pub field: usize,
    /// Radius of the aperture in places.
    pub radius: f64,
    /// Exposures on a Fermat spiral.
    pub samples: usize,
    /// Radius of the spiral; `field / 2 - radius - 1` where it is nought.
    pub roi: f64,
    /// Rows of the detector.
    pub detector: usize,
    /// Photons of the brightest pixel; nought for no noise.
    pub photons: f64,
    /// Electrons of the read-out.
    pub read: f64,
    pub seed: u64,
}

impl Scene {
    /// Regime A of the peer.
    pub fn full() -> Self {
        Self { field: 128, radius: 10.0, samples: 48, roi: 0.0, detector: 128, photons: 0.0, read: 0.0, seed: 0 }
    }

    /// Whole places on a Fermat spiral.
    pub fn centres(&self) -> Vec<[f64; 2]> {
        let roi = if self.roi > 0.0 { self.roi } else { (self.field / 2) as f64 - self.radius - 1.0 };
        let golden = PI * (3.0 - 5.0f64.sqrt());
        let centre = |k: usize| {
            let r = roi * (k as f64 / (self.samples.max(2) - 1) as f64).sqrt();
            let angle = golden * k as f64;
            [(r * angle.sin()).round(), (r * angle.cos()).round()]
        };
        (0..self.samples).map(centre).collect()
    }

    /// Exposures of a real object with this amplitude, row by row, in the middle of the field.
    pub fn of(&self, amplitude: &[f64]) -> Exposures {
        let side = amplitude.len().isqrt();
        let (n, d) = (self.field, self.detector);
        let object = Plane::new(side, side, amplitude.iter().map(|a| Complex::new(*a, 0.0)).collect()).unwrap();
        let spectrum = transform(&object.padded(n, n).unwrap(), FftDirection::Forward);
        let half = self.radius.ceil() as isize;
        let window = (2 * half + 1) as usize;
        let pupil = Plane::from_fn(window, window, |row, column| {
            let (y, x) = (row as isize - half, column as isize - half);
            Complex::new(f64::from(u8::from(((y * y + x * x) as f64) <= self.radius * self.radius)), 0.0)
        });
        let centres = self.centres();
        let mut values = Vec::with_capacity(centres.len() * d * d);
        for centre in &centres {
            let mut seen = Plane::from_fn(d, d, |_, _| Complex::new(0.0, 0.0));
            for (at, light) in pupil.values().iter().enumerate() {
                let (u, v) = ((at / window) as isize - half, (at % window) as isize - half);
                let from = |c: f64, u: isize| (c as isize + u).rem_euclid(n as isize) as usize;
                let to = |u: isize| u.rem_euclid(d as isize) as usize;
                let value = spectrum.values()[from(centre[0], u) * n + from(centre[1], v)];
                seen.values_mut()[to(u) * d + to(v)] = value * light;
            }
            // both transforms orthonormal, and d / n for values that do not depend on the detector
            let scale = 1.0 / (n * n) as f64;
            values.extend(transform(&seen, FftDirection::Inverse).values().iter().map(|z| (z * scale).norm_sqr()));
        }
        let brightest = values.iter().copied().fold(0.0, f64::max);
        let noise =
            if self.photons > 0.0 { self.add_noise(&mut values, self.photons / brightest) } else { Noise::None };
        Exposures {
            optics: Optics {
                geometry: Geometry::Spectrum,
                size: [n, n],
                pupils: vec![pupil],
                detector: d,
                pixel_size: None,
                wavelength: None,
            },
            centres,
            frames: Arc::new(InMemory { pixels: d * d, values: values.into_iter().map(|v| v as f32).collect() }),
            noise,
            good: None,
            known: Knowledge { support: Some([side, side]), real: true, bounds: Some([0.0, 1.0]) },
            lights: None,
        }
    }

    fn add_noise(&self, values: &mut [f64], photons: f64) -> Noise {
        let mut rng = Stream::new(self.seed, "noise of a scene").rng();
        let read = Normal::new(0.0, self.read).unwrap();
        for value in values {
            let mean = *value * photons;
            let count = if mean > 0.0 { Poisson::new(mean).unwrap().sample(&mut rng) } else { 0.0 };
            *value = (count + read.sample(&mut rng)) / photons;
        }
        Noise::Counts { photons, read: self.read }
    }
}

/// The unshifted transform over both axes, not scaled.
pub fn transform(plane: &Plane, direction: FftDirection) -> Plane {
    let (rows, columns) = (plane.rows(), plane.columns());
    let mut planner = FftPlanner::new();
    let mut values = plane.values().to_vec();
    planner.plan_fft(columns, direction).process(&mut values);
    let mut turned: Vec<Complex<f64>> = (0..values.len()).map(|at| values[(at % rows) * columns + at / rows]).collect();
    planner.plan_fft(rows, direction).process(&mut turned);
    Plane::from_fn(rows, columns, |row, column| turned[column * rows + row])
}

/// A landscape of our own, amplitudes from 0 to 1: hills, craters and a few sharp edges.
pub fn landscape(side: usize, seed: u64) -> Vec<f64> {
    let stream = Stream::new(seed, "landscape");
    let mut draws = vec![0.0f32; 240];
    stream.fill_uniform(&mut draws);
    let draw = |k: usize| f64::from(draws[k]);
    let mut image: Vec<f64> = (0..side * side)
        .map(|at| {
            let (y, x) = ((at / side) as f64 / side as f64, (at % side) as f64 / side as f64);
            let waves: f64 = (0..10)
                .map(|k| {
                    let (fy, fx) = (6.0 * draw(3 * k) - 3.0, 6.0 * draw(3 * k + 1) - 3.0);
                    (2.0 * PI * (fy * y + fx * x + draw(3 * k + 2))).cos() / (1.0 + fy.hypot(fx))
                })
                .sum();
            let craters: f64 = (0..40)
                .map(|k| {
                    let place = |offset: usize| draw(30 + 4 * k + offset);
                    let (r, radius) = ((y - place(0)).hypot(x - place(1)), 0.02 + 0.08 * place(2) * place(2));
                    let rim = (-((r / radius - 1.0) / 0.3).powi(2)).exp();
                    place(3) * (rim - 0.7 * f64::from(u8::from(r < 0.8 * radius)))
                })
                .sum();
            0.6 * waves + craters
        })
        .collect();
    let (low, high) = image.iter().fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
    image.iter_mut().for_each(|value| *value = ((*value - low) / (high - low)).sqrt());
    image
}
