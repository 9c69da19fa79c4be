//! Sweeps of the ptychographic iterative engine.

use crate::checks::{close, cpu, devices, normal, own_kernels_stay, panics, values, without_own_kernels};
use burn::tensor::{DType, Device, Tensor, TensorData};
use cupel_data::Stream;
use cupel_kernels::{Direction, Measured, PieSweep, PieSwept, SubApertures, pie_sweep, reference};
use num_complex::Complex;

/// Everything that a sweep needs, in f64.
#[derive(Clone)]
struct Case {
    size: [usize; 2],
    window: [usize; 2],
    apertures: SubApertures,
    modes: usize,
    plane: Vec<Complex<f64>>,
    /// Pupils one after the other.
    pupils: Vec<Complex<f64>>,
    data: Vec<f64>,
    weight: Option<Vec<f64>>,
    flux: Vec<f64>,
    background: Vec<f64>,
    sweep: PieSweep,
}

fn complex(what: &str, count: usize) -> Vec<Complex<f64>> {
    let values = normal(Stream::new(9, what), 2 * count);
    values.chunks_exact(2).map(|z| Complex::new(z[0], z[1])).collect()
}

fn case(
    size: [usize; 2],
    window: [usize; 2],
    detector: usize,
    centres: &[[isize; 2]],
    transform: Direction,
    (modes, own): (usize, bool),
) -> Case {
    let (exposures, pixels) = (centres.len(), detector * detector);
    let pupils = if own { modes * exposures } else { modes };
    let positive = |what: &str, count: usize| -> Vec<f64> {
        normal(Stream::new(8, what), count).iter().map(|value| value.abs() + 0.2).collect()
    };
    let scale = if transform == Direction::Inverse { 2.0 * detector as f64 } else { 1.5 / detector as f64 };
    Case {
        size,
        window,
        apertures: SubApertures { centres: centres.to_vec(), detector, scale, transform },
        modes,
        plane: complex("plane", size[0] * size[1]),
        pupils: complex("pupils", pupils * window[0] * window[1]),
        data: positive("data", exposures * pixels),
        weight: None,
        flux: positive("flux", exposures),
        background: positive("background", exposures).iter().map(|b| 0.1 * b).collect(),
        sweep: PieSweep {
            order: (0..exposures).rev().collect(),
            plane_step: 0.9,
            pupil_step: Some(0.3),
            regularisation: [1.0, 1.0],
        },
    }
}

fn cases() -> Vec<Case> {
    use Direction::{Forward, Inverse};
    let image = case([12, 9], [5, 4], 7, &[[0, 0], [3, -4], [-6, 2], [5, 8]], Inverse, (1, false));
    let mut known = image.clone();
    known.sweep = PieSweep { order: vec![2, 0], plane_step: 1.0, pupil_step: None, regularisation: [0.2, 1.0] };
    let mut probe = case([16, 20], [9, 9], 18, &[[0, 0], [2, 3], [-1, 4]], Forward, (2, false));
    probe.sweep.regularisation = [0.1, 0.4];
    probe.weight = Some((0..18 * 18).map(|i| if i % 5 == 2 { 0.0 } else { 0.5 + (i % 3) as f64 }).collect());
    let mut own = case([16, 16], [6, 7], 10, &[[0, 0], [2, 3], [-1, 4]], Forward, (2, true));
    own.weight = Some((0..3 * 100).map(|i| f64::from(i % 4 != 1)).collect());
    own.flux[1] = 0.0;
    vec![image, known, probe, own]
}

type Sweep = fn(
    (Tensor<2>, Tensor<2>),
    (Tensor<3>, Tensor<3>),
    &Measured,
    (Tensor<1>, Tensor<1>),
    &SubApertures,
    &PieSweep,
) -> PieSwept;

impl Case {
    /// Plane, pupils, residuals and amplitudes.
    fn swept(&self, sweep: Sweep, device: &Device, dtype: DType) -> [Vec<f64>; 6] {
        let of = |values: Vec<f64>| {
            let count = values.len();
            Tensor::<1>::from_data(TensorData::new(values, [count]), (device, DType::F64)).cast(dtype)
        };
        let parts = |values: &[Complex<f64>]| {
            (of(values.iter().map(|z| z.re).collect()), of(values.iter().map(|z| z.im).collect()))
        };
        let (d, [rows, columns]) = (self.apertures.detector, self.window);
        let (re, im) = parts(&self.plane);
        let plane = (re.reshape(self.size), im.reshape(self.size));
        let (re, im) = parts(&self.pupils);
        let count = self.pupils.len() / (rows * columns);
        let pupils = (re.reshape([count, rows, columns]), im.reshape([count, rows, columns]));
        let frames = |values: &[f64]| of(values.to_vec()).reshape([values.len() / (d * d), d, d]);
        let measured =
            Measured { data: frames(&self.data), weight: self.weight.as_deref().map(frames), modes: self.modes };
        let brightness = (of(self.flux.clone()), of(self.background.clone()));
        let PieSwept { plane, pupils, residuals, amplitudes } =
            sweep(plane, pupils, &measured, brightness, &self.apertures, &self.sweep);
        assert_eq!((plane.0.dtype(), residuals.dtype()), (dtype, dtype));
        [
            values(&plane.0),
            values(&plane.1),
            values(&pupils.0),
            values(&pupils.1),
            values(&residuals),
            values(&amplitudes),
        ]
    }

    /// The sweep as it was published, by sums over windows and pixels.
    fn plain(&self) -> [Vec<f64>; 6] {
        let (d, [rows, columns], modes) = (self.apertures.detector, self.window, self.modes);
        let (mut plane, mut pupils) = (self.plane.clone(), self.pupils.clone());
        let mut sums = [vec![0.0; self.flux.len()], vec![0.0; self.flux.len()]];
        let area = rows * columns;
        let (sign, shift, factor) = match self.apertures.transform {
            Direction::Inverse => (1.0, 0, self.apertures.scale / (d * d) as f64),
            Direction::Forward => (-1.0, d / 2, self.apertures.scale),
        };
        // the phase of a place of the window at a pixel, both from their origins
        let wave = |u: usize, v: usize, pixel: usize| {
            let centred = |index: usize, middle: usize| index as f64 - middle as f64;
            let along =
                centred(u, rows / 2) * centred(pixel / d, shift) + centred(v, columns / 2) * centred(pixel % d, shift);
            Complex::from_polar(1.0, sign * std::f64::consts::TAU * along / d as f64)
        };
        for &index in &self.sweep.order {
            let first = if pupils.len() == modes * area { 0 } else { index * modes };
            let [y, x] = self.apertures.centres[index];
            let place = |axis: usize, centre: isize, at: usize| {
                let first = (self.size[axis] / 2) as isize + centre - (self.window[axis] / 2) as isize;
                (first + at as isize).rem_euclid(self.size[axis] as isize) as usize
            };
            let places: Vec<usize> =
                (0..area).map(|w| place(0, y, w / columns) * self.size[1] + place(1, x, w % columns)).collect();
            let object: Vec<Complex<f64>> = places.iter().map(|place| plane[*place]).collect();
            let probes = pupils[first * area..(first + modes) * area].to_vec();
            let waves: Vec<Vec<Complex<f64>>> = (0..modes)
                .map(|mode| {
                    let exit: Vec<_> = (0..area).map(|w| probes[mode * area + w] * object[w]).collect();
                    (0..d * d)
                        .map(|p| {
                            (0..area).map(|w| exit[w] * wave(w / columns, w % columns, p)).sum::<Complex<f64>>()
                                * factor
                        })
                        .collect()
                })
                .collect();
            let mut lacking = vec![vec![Complex::new(0.0, 0.0); d * d]; modes];
            for p in 0..d * d {
                let weight = self.weight.as_ref().map_or(1.0, |weight| weight[(index * d * d + p) % weight.len()]);
                if weight == 0.0 {
                    continue;
                }
                let y = self.data[index * d * d + p];
                let light: f64 = waves.iter().map(|wave| wave[p].norm_sqr()).sum::<f64>() * self.flux[index];
                sums[0][index] += (y.sqrt() - (light + self.background[index]).sqrt()).abs();
                sums[1][index] += y.sqrt();
                if self.flux[index] > 0.0 {
                    let ratio = ((y - self.background[index]).max(0.0) / light).sqrt();
                    (0..modes).for_each(|mode| lacking[mode][p] = waves[mode][p] * (ratio - 1.0));
                }
            }
            let change: Vec<Vec<Complex<f64>>> = lacking
                .iter()
                .map(|lacking| {
                    let at = |w: usize| {
                        let sum: Complex<f64> =
                            (0..d * d).map(|p| lacking[p] * wave(w / columns, w % columns, p).conj()).sum();
                        sum / (factor * (d * d) as f64)
                    };
                    (0..area).map(at).collect()
                })
                .collect();
            let light = |w: usize| (0..modes).map(|mode| probes[mode * area + w].norm_sqr()).sum::<f64>();
            let brightest = (0..area).map(light).fold(0.0, f64::max);
            let largest = object.iter().map(|z| z.norm_sqr()).fold(0.0, f64::max);
            let [r, q] = self.sweep.regularisation;
            for w in 0..area {
                for mode in 0..modes {
                    let (probe, change) = (probes[mode * area + w], change[mode][w]);
                    plane[places[w]] +=
                        probe.conj() * change * self.sweep.plane_step / ((1.0 - r) * light(w) + r * brightest);
                    let divisor = (1.0 - q) * object[w].norm_sqr() + q * largest;
                    let step = self.sweep.pupil_step.unwrap_or(0.0);
                    pupils[(first + mode) * area + w] += object[w].conj() * change * step / divisor;
                }
            }
        }
        let [residuals, amplitudes] = sums;
        let part = |values: &[Complex<f64>], of: fn(&Complex<f64>) -> f64| values.iter().map(of).collect();
        [
            part(&plane, |z| z.re),
            part(&plane, |z| z.im),
            part(&pupils, |z| z.re),
            part(&pupils, |z| z.im),
            residuals,
            amplitudes,
        ]
    }
}

#[test]
fn sweeps_are_what_was_published() {
    let _on = own_kernels_stay();
    for (number, case) in cases().iter().enumerate() {
        let expected = case.plain();
        for (name, device) in devices() {
            for (dtype, tolerance) in [(DType::F64, 1e-11), (DType::F32, 2e-5), (DType::BF16, 4e-2)] {
                if device != cpu() && dtype != DType::F32 {
                    continue;
                }
                for (which, sweep) in [("own", pie_sweep as Sweep), ("reference", reference::pie_sweep)] {
                    if which == "reference" && dtype == DType::BF16 {
                        continue; // which the operation itself never gives it
                    }
                    for (part, (got, expected)) in case.swept(sweep, &device, dtype).iter().zip(&expected).enumerate() {
                        close(
                            &format!("case {number}, part {part}, {which}, {dtype:?}, {name}"),
                            got,
                            expected,
                            tolerance,
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn sweeps_are_their_reference_when_off() {
    for case in cases() {
        let off = without_own_kernels(|| case.swept(pie_sweep, &cpu(), DType::F32));
        assert!(off == case.swept(reference::pie_sweep, &cpu(), DType::F32), "something else than the reference ran");
    }
}

/// Where everything is explained nothing is corrected, and where no pixel counts neither.
#[test]
fn what_is_explained_stays() {
    let _on = own_kernels_stay();
    for mut case in cases() {
        let before = case.plain();
        case.weight = Some(vec![0.0; case.data.len()]);
        let unseen = case.swept(pie_sweep, &cpu(), DType::F64);
        let part = |of: fn(&Complex<f64>) -> f64| case.plane.iter().map(of).collect::<Vec<_>>();
        assert_eq!(unseen[0], part(|z| z.re));
        assert_eq!(unseen[1], part(|z| z.im));
        assert!(unseen[4].iter().chain(&unseen[5]).all(|sum| *sum == 0.0));
        assert_ne!(unseen[0], before[0]);
    }
}

#[test]
fn what_cannot_be_swept_is_named() {
    let sweep = |change: fn(&mut Case)| {
        let mut case = cases().remove(0);
        change(&mut case);
        case.swept(pie_sweep, &cpu(), DType::F32)
    };
    panics("pie_sweep: exposure 4 of 4", || sweep(|case| case.sweep.order.push(4)));
    panics("pie_sweep: regularisation must be above 0 and at most 1, got [0.0, 1.0]", || {
        sweep(|case| case.sweep.regularisation[0] = 0.0)
    });
    panics("pie_sweep: background of [3], but the others need [4]", || {
        sweep(|case| {
            case.background.pop();
        })
    });
}
