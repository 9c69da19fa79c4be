//! Delay spectra of visibilities.

use std::f64::consts::{PI, TAU};

use cupel_cosmology::{
    Background,
    power::{Binning, Bins, DelayEstimator, Window},
};
use cupel_data::{Axes, Axis, AxisKind, Complex, Cube, Stream};

use super::skies::near;

const CHANNELS: usize = 64;
const TIMES: usize = 30;
const BASELINES_M: [[f64; 3]; 3] = [[14.6, 0.0, 0.0], [30.0, 40.0, 0.0], [0.0, 0.0, 0.0]];

fn frequencies_mhz() -> Vec<f64> {
    (0..CHANNELS).map(|channel| 500.0 + 100.0 / 64.0 * (channel as f64 + 0.5)).collect()
}

/// [baseline, frequency, time].
fn visibilities(value: impl Fn(usize, usize, usize) -> Complex<f64>) -> Cube<Complex<f32>> {
    let axes = [(AxisKind::Baseline, 3), (AxisKind::Frequency, CHANNELS), (AxisKind::RightAscension, TIMES)];
    let axes = Axes::new(axes.map(|(kind, len)| Axis::new(kind, len)).to_vec()).unwrap();
    let at = |i: usize| value(i / (CHANNELS * TIMES), i / TIMES % CHANNELS, i % TIMES);
    let single = |value: Complex<f64>| Complex::new(value.re as f32, value.im as f32);
    Cube::new((0..axes.value_count()).map(|i| single(at(i))).collect(), axes).unwrap()
}

fn noise(seed: u64) -> Cube<Complex<f32>> {
    let mut draws = vec![0.0; 2 * 3 * CHANNELS * TIMES];
    Stream::new(seed, "visibility noise").fill_normal_f64(&mut draws);
    visibilities(|b, f, t| {
        let i = (b * CHANNELS + f) * TIMES + t;
        Complex::new(draws[2 * i], draws[2 * i + 1])
    })
}

fn estimator() -> DelayEstimator {
    DelayEstimator::new(&frequencies_mhz(), &BASELINES_M, &Background::default()).unwrap()
}

#[test]
fn a_pure_tone_is_at_its_delay_and_in_its_baseline() {
    let frequencies = frequencies_mhz();
    for delay_bin in [-31_i32, -5, 0, 7, 31] {
        let delay_us = f64::from(delay_bin) / 100.0;
        let tone = visibilities(|b, f, t| {
            if b == 1 {
                Complex::from_polar(2.0, TAU * frequencies[f] * delay_us + t as f64)
            } else {
                Complex::default()
            }
        });
        for (window, main_lobe) in [(Window::None, 0), (Window::BlackmanHarris, 4)] {
            let spectrum = estimator().with_window(window).power(&tone).unwrap();
            let line = &spectrum.lines[1];
            let peak = (0..CHANNELS).max_by(|a, b| line.power[*a].total_cmp(&line.power[*b])).unwrap();
            assert!((spectrum.delays_us[peak] - delay_us).abs() < 1e-9, "{delay_bin}: {}", spectrum.delays_us[peak]);
            // |V|^2 times the coherent bandwidth, (sum w)^2 / sum w^2 channels of it
            let taper = window.weights(CHANNELS);
            let coherent = taper.iter().sum::<f64>().powi(2) / taper.iter().map(|w| w * w).sum::<f64>();
            near(line.power[peak], 4.0 * coherent * 100.0 / 64.0, 1e-5, "peak");
            near(
                line.power.iter().sum::<f64>(),
                4.0 * 100.0,
                1e-5,
                "the power of all delays is |V|^2 times the bandwidth",
            );
            let distance = |i: usize| i.abs_diff(peak).min(CHANNELS - i.abs_diff(peak));
            let far = (0..CHANNELS).filter(|i| distance(*i) > main_lobe).map(|i| line.power[i]).sum::<f64>();
            assert!(far <= 1e-6 * line.power[peak], "{window} {far}");
            assert!(spectrum.lines[0].power.iter().all(|power| *power == 0.0));
        }
        let falling: Vec<f64> = frequencies.iter().rev().copied().collect();
        let reversed = visibilities(|b, f, t| {
            let value = tone.values()[(b * CHANNELS + CHANNELS - 1 - f) * TIMES + t];
            Complex::new(value.re.into(), value.im.into())
        });
        let falling = DelayEstimator::new(&falling, &BASELINES_M, &Background::default()).unwrap();
        let (a, b) = (falling.power(&reversed).unwrap(), estimator().power(&tone).unwrap());
        assert_eq!(a.delays_us, b.delays_us);
        for (a, b) in a.lines[1].power.iter().zip(&b.lines[1].power) {
            assert!((a - b).abs() < 1e-5 * 400.0, "frequencies that go down give the same delays: {a} {b}");
        }
    }
}

#[test]
fn white_visibilities_have_the_power_of_their_bandwidth_whatever_is_flagged() {
    let level = 2.0 * 100.0 / 64.0;
    let noise = noise(1);
    let axes = noise.axes().clone();
    let flagged = |i: usize| i / (CHANNELS * TIMES) == 2 || i / TIMES % CHANNELS % 9 < 2 || i % TIMES == 4;
    let weights: Vec<f32> = (0..noise.len()).map(|i| if flagged(i) { 0.0 } else { 1.0 }).collect();
    let mut hidden = noise.values().to_vec();
    hidden.iter_mut().zip(&weights).filter(|(_, w)| **w == 0.0).for_each(|(v, _)| *v = Complex::new(f32::NAN, 1e30));
    let hidden = Cube::new(hidden, axes.clone()).unwrap();
    let weights = Cube::new(weights, axes).unwrap();
    for window in [Window::None, Window::BlackmanHarris] {
        let spectrum = estimator().with_window(window).with_weights(weights.clone()).power(&hidden).unwrap();
        for line in &spectrum.lines[..2] {
            assert_eq!(line.samples, TIMES - 1);
            let mean = line.power.iter().sum::<f64>() / CHANNELS as f64;
            near(mean, level, 0.08, "level");
            let chi: f64 = line.power.iter().zip(&line.sigma).map(|(p, s)| ((p - level) / s).powi(2)).sum();
            assert!((0.5..2.0).contains(&(chi / CHANNELS as f64)), "{chi}");
        }
        assert!(spectrum.lines[2].samples == 0 && spectrum.lines[2].power.iter().all(|power| power.is_nan()));
        let plain = estimator().with_window(window).with_weights(weights.clone()).power(&noise).unwrap();
        assert_eq!(format!("{plain:?}"), format!("{spectrum:?}"), "what is flagged counts for nothing");
    }
    let refused = estimator().power(&hidden).unwrap_err().to_string();
    assert!(refused.contains("finite visibilities"), "{refused}");
}

#[test]
fn even_and_odd_times_have_no_noise_in_common() {
    let sky = |f: usize, t: usize| Complex::from_polar(3.0, TAU * 8.0 * f as f64 / 64.0 + t as f64);
    let with = |seed: u64| {
        let noise = noise(seed);
        visibilities(|b, f, t| {
            let value = noise.values()[(b * CHANNELS + f) * TIMES + t];
            Complex::new(f64::from(value.re), f64::from(value.im)) + if b == 0 { sky(f, t) } else { Complex::default() }
        })
    };
    let spectrum = estimator().cross(&with(3), &with(4)).unwrap();
    let line = &spectrum.lines[0];
    near(line.power[32 + 8], 9.0 * 100.0, 0.03, "the sky");
    let noise: Vec<f64> = (0..CHANNELS).filter(|i| *i != 40).map(|i| line.power[i] / line.sigma[i]).collect();
    let mean = noise.iter().sum::<f64>() / noise.len() as f64;
    let scatter = noise.iter().map(|x| x * x).sum::<f64>() / noise.len() as f64;
    assert!(mean.abs() < 0.5 && (0.5..2.0).contains(&scatter), "{mean} {scatter}");
}

#[test]
fn wave_numbers_and_the_wedge_belong_to_baselines() {
    let spectrum = estimator().power(&noise(5)).unwrap();
    let background = Background::default();
    assert_eq!(spectrum.delays_us[32], 0.0);
    assert!(spectrum.delays_us.is_sorted() && (spectrum.delays_us[33] - 0.01).abs() < 1e-12);
    near(spectrum.lines[1].length_m, 50.0, 1e-12, "length");
    let horizon = spectrum.horizon(&background, 30.0);
    let wedge = spectrum.wedge(30.0, 0.0);
    for (line, wedge) in spectrum.lines.iter().zip(&wedge) {
        near(line.horizon_us, line.length_m / 299.792_458, 1e-12, "horizon");
        for ((k_par, delay), inside) in spectrum.k_par.iter().zip(&spectrum.delays_us).zip(wedge) {
            assert_eq!(*inside, delay.abs() <= line.horizon_us * (PI / 6.0).sin() + 1e-15);
            assert_eq!(*inside, horizon.holds(line.k_perp, *k_par) || *k_par == 0.0, "{delay}");
        }
    }
    assert_eq!(wedge[1].iter().filter(|inside| **inside).count(), 17, "50 m at 30 degrees are 0.083 us");
    // Jy^2 MHz to K^2 (Mpc/h)^3 at 550 MHz: (lambda^2 / 2 k_B)^2 X^2 Y / Omega, by hand
    let kelvin_sr = 1e-26 * (299.792_458_f64 / 550.0).powi(2) / (2.0 * 1.380649e-23);
    let (x, z) = (background.comoving_distance_mpc_h(1420.405751768 / 550.0 - 1.0), 1420.405751768 / 550.0);
    let y = 299_792.458 * z * z / (100.0 * background.expansion(z - 1.0) * 1420.405751768);
    near(spectrum.kelvin_factor(&background, 0.02), kelvin_sr.powi(2) * x * x * y / 0.02, 1e-9, "to kelvin");
}

#[test]
fn comparisons_of_visibilities_keep_the_identities() {
    let (t, n) = (noise(6), noise(7));
    let mixed = t.values().iter().zip(n.values()).map(|(t, n)| t * 0.6 + n * 0.3).collect();
    let e = Cube::new(mixed, t.axes().clone()).unwrap();
    for binning in [Binning::Parallel(Bins::Fundamental), Binning::Spherical(Bins::Linear(6))] {
        let bins = estimator().with_window(Window::BlackmanHarris).compare(&t, &e, &binning).unwrap();
        for bin in bins.iter().filter(|bin| bin.modes > 0) {
            near(bin.residual_ratio, bin.t * bin.t + 1.0 - 2.0 * bin.t_cross, 1e-6, "residual");
            assert!((bin.r - 0.894).abs() < 0.12 && (bin.t - 0.671).abs() < 0.1, "{bin:?}");
        }
        assert!(bins.iter().map(|bin| bin.modes).sum::<u64>() >= 2 * 3 * 60 * TIMES as u64);
    }
    let unknown = DelayEstimator::new(&frequencies_mhz(), &[], &Background::default()).unwrap();
    assert!(unknown.compare(&t, &e, &Binning::Spherical(Bins::Linear(6))).is_err());
    assert!(unknown.compare(&t, &e, &Binning::Parallel(Bins::Fundamental)).is_ok());
}

#[test]
fn other_axes_and_channels_are_refused() {
    let mut frequencies = frequencies_mhz();
    frequencies[10] += 0.1;
    let uneven = DelayEstimator::new(&frequencies, &BASELINES_M, &Background::default()).unwrap_err().to_string();
    assert!(uneven.contains("evenly spaced channels") && uneven.contains("channel 10"), "{uneven}");
    assert!(DelayEstimator::new(&[500.0], &BASELINES_M, &Background::default()).is_err());
    let transposed = noise(8).rename(&[AxisKind::Baseline, AxisKind::RightAscension, AxisKind::Frequency]).unwrap();
    let message = estimator().power(&transposed).unwrap_err().to_string();
    assert!(message.contains("[3, 64, 30]"), "right ascension is no frequency: {message}");
    let few = DelayEstimator::new(&frequencies_mhz(), &BASELINES_M[..2], &Background::default()).unwrap();
    assert!(few.power(&noise(9)).is_err());
}
