//! The ptychographic iterative engine and relaxed averaged alternating reflections.

use std::{f64::consts::TAU, sync::Arc};

use burn::tensor::{Device, Tensor, TensorData};
use cupel_data::Stream;
use cupel_kernels::ssim;
use cupel_prism::{
    Exposures, Geometry, InMemory, Knowledge, Noise, Optics, Pie, PieConfig, PieRule, Plane, Raar, RaarConfig,
};
use cupel_train::{Advance, Checkpoint, Position, Stamp};
use num_complex::Complex;

type C = Complex<f64>;

fn uniform(what: &str, count: usize) -> Vec<f64> {
    let mut values = vec![0.0f32; count];
    Stream::new(7, what).fill_uniform(&mut values);
    values.into_iter().map(f64::from).collect()
}

fn normal(what: &str, count: usize) -> Vec<f64> {
    let mut values = vec![0.0; count];
    Stream::new(7, what).fill_normal_f64(&mut values);
    values
}

/// Intensities of 0 to 1 with the statistics of a photograph: craters of all sizes on a rough slope.
fn craters(side: usize) -> Vec<f64> {
    let n = side as f64;
    let mut values = vec![0.0; side * side];
    let waves = uniform("waves", 4 * 400);
    for wave in waves.chunks_exact(4) {
        let frequency = 0.5 * n * wave[0].powi(3) + 0.5;
        let (sine, cosine) = (TAU * wave[1]).sin_cos();
        for (place, value) in values.iter_mut().enumerate() {
            let (y, x) = ((place / side) as f64 / n, (place % side) as f64 / n);
            *value += 0.05 * frequency.powf(-0.6) * (TAU * (frequency * (sine * y + cosine * x) + wave[2])).cos();
        }
    }
    for crater in uniform("craters", 3 * 60).chunks_exact(3) {
        let radius = (1.2 / (crater[0] + 1e-3).powf(0.6)).min(14.0);
        for (place, value) in values.iter_mut().enumerate() {
            let (y, x) = ((place / side) as f64 - n * crater[1], (place % side) as f64 - n * crater[2]);
            let distance = y.hypot(x);
            *value += 0.15 * (-((distance - radius) / (0.5 * radius).max(0.8)).powi(2)).exp()
                - 0.2 * (-(distance / (0.7 * radius)).powi(2)).exp();
        }
    }
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    values.iter().map(|value| (value - low) / (high - low)).collect()
}

fn disc(window: usize, radius: f64) -> Plane {
    let middle = (window / 2) as f64;
    Plane::from_fn(window, window, |row, column| {
        let inside = (row as f64 - middle).hypot(column as f64 - middle) <= radius;
        C::new(f64::from(u8::from(inside)), 0.0)
    })
}

/// Golden angles, integer places.
fn fermat(count: usize, reach: f64) -> Vec<[f64; 2]> {
    let golden = std::f64::consts::PI * (3.0 - 5f64.sqrt());
    (0..count)
        .map(|k| {
            let radius = reach * (k as f64 / (count - 1) as f64).sqrt();
            let (sine, cosine) = (golden * k as f64).sin_cos();
            [(radius * sine).round(), (radius * cosine).round()]
        })
        .collect()
}

/// `values` transformed over `n x n` places, orthonormal, from and to the first place.
fn transformed(values: &[C], n: usize, inverse: bool) -> Vec<C> {
    let mut planner = rustfft::FftPlanner::new();
    let fft = if inverse { planner.plan_fft_inverse(n) } else { planner.plan_fft_forward(n) };
    let transposed = |values: &[C]| (0..n * n).map(|p| values[p % n * n + p / n]).collect::<Vec<_>>();
    let mut rows = values.to_vec();
    fft.process(&mut rows);
    let mut columns = transposed(&rows);
    fft.process(&mut columns);
    transposed(&columns).into_iter().map(|value| value / n as f64).collect()
}

/// What the plain programs below know of where windows lie.
struct Plain {
    n: usize,
    window: usize,
    detector: usize,
    geometry: Geometry,
}

impl Plain {
    fn places(&self, centre: [f64; 2]) -> Vec<usize> {
        let place = |centre: f64, at: usize| {
            (self.n as i64 / 2 + centre as i64 - self.window as i64 / 2 + at as i64).rem_euclid(self.n as i64) as usize
        };
        (0..self.window * self.window)
            .map(|w| place(centre[0], w / self.window) * self.n + place(centre[1], w % self.window))
            .collect()
    }

    /// The grid of the detector's transform with a window in its middle, which is its first place.
    fn target(&self, w: usize) -> usize {
        let along = |at: usize| (at + self.detector - self.window / 2) % self.detector;
        along(w / self.window) * self.detector + along(w % self.window)
    }

    /// What is seen of a window.
    fn seen(&self, window: &[C]) -> Vec<C> {
        let d = self.detector;
        let mut grid = vec![C::new(0.0, 0.0); d * d];
        window.iter().enumerate().for_each(|(w, value)| grid[self.target(w)] = *value);
        match self.geometry {
            Geometry::Spectrum => {
                transformed(&grid, d, true).into_iter().map(|z| z * (d as f64 / self.n as f64)).collect()
            }
            // the frequency nought in the middle
            Geometry::Object => {
                let seen = transformed(&grid, d, false);
                (0..d * d).map(|p| seen[(p / d + d - d / 2) % d * d + (p % d + d - d / 2) % d]).collect()
            }
        }
    }

    /// Back to the window.
    fn sent_back(&self, image: &[C]) -> Vec<C> {
        let d = self.detector;
        let grid = match self.geometry {
            Geometry::Spectrum => {
                let scaled: Vec<C> = image.iter().map(|z| z * (self.n as f64 / d as f64)).collect();
                transformed(&scaled, d, false)
            }
            Geometry::Object => {
                let first: Vec<C> = (0..d * d).map(|p| image[(p / d + d / 2) % d * d + (p % d + d / 2) % d]).collect();
                transformed(&first, d, true)
            }
        };
        (0..self.window * self.window).map(|w| grid[self.target(w)]).collect()
    }

    /// The plane of an object, its frequency nought in the middle.
    fn plane(&self, object: &[C]) -> Vec<C> {
        let n = self.n;
        match self.geometry {
            Geometry::Object => object.to_vec(),
            Geometry::Spectrum => {
                let first = transformed(object, n, false);
                (0..n * n).map(|p| first[(p / n + n - n / 2) % n * n + (p % n + n - n / 2) % n]).collect()
            }
        }
    }

    fn object(&self, plane: &[C]) -> Vec<C> {
        let n = self.n;
        match self.geometry {
            Geometry::Object => plane.to_vec(),
            Geometry::Spectrum => {
                let first: Vec<C> = (0..n * n).map(|p| plane[(p / n + n / 2) % n * n + (p % n + n / 2) % n]).collect();
                transformed(&first, n, true)
            }
        }
    }
}

/// Exposures of an object behind one pupil with centres at whole places.
fn exposures(
    object: &Plane,
    pupil: Plane,
    detector: usize,
    geometry: Geometry,
    centres: &[[f64; 2]],
    known: Knowledge,
) -> Exposures {
    let plain = Plain { n: object.rows(), window: pupil.rows(), detector, geometry };
    let plane = plain.plane(object.values());
    let seen = |centre: &[f64; 2]| {
        let window: Vec<C> =
            plain.places(*centre).iter().zip(pupil.values()).map(|(place, p)| plane[*place] * p).collect();
        plain.seen(&window).into_iter().map(|z| z.norm_sqr() as f32).collect::<Vec<_>>()
    };
    let values = centres.iter().flat_map(seen).collect();
    Exposures {
        optics: Optics {
            geometry,
            size: [object.rows(), object.columns()],
            pupils: vec![pupil],
            detector,
            pixel_size: None,
            wavelength: None,
        },
        centres: centres.to_vec(),
        frames: Arc::new(InMemory { pixels: detector * detector, values }),
        noise: Noise::None,
        good: None,
        known,
        lights: None,
    }
}

fn real(side: usize) -> Knowledge {
    Knowledge { support: Some([side, side]), real: true, bounds: Some([0.0, 1.0]) }
}

/// The amplitudes of craters in the middle of a field.
fn scene(side: usize, n: usize) -> Plane {
    let values = craters(side).into_iter().map(|i| C::new(i.sqrt(), 0.0)).collect();
    Plane::new(side, side, values).unwrap().padded(n, n).unwrap()
}

fn drive(work: &mut impl Advance, from: u64, to: u64) {
    for update in from..to {
        work.advance(Position { update, ..Position::default() }).unwrap();
    }
}

fn all(exposures: &Exposures) -> Vec<usize> {
    (0..exposures.centres.len()).collect()
}

/// SSIM and PSNR of the amplitudes of the middle.
fn quality(object: &Plane, truth: &Plane, side: usize) -> (f64, f64) {
    let (object, truth) = (object.middle(side, side).unwrap(), truth.middle(side, side).unwrap());
    let tensor = |plane: &Plane| {
        let values: Vec<f32> = plane.values().iter().map(|z| z.re as f32).collect();
        Tensor::<4>::from_data(TensorData::new(values, [1, 1, side, side]), &Device::flex())
    };
    let similarity = ssim(tensor(&object), tensor(&truth), 1.0).into_scalar::<f32>();
    let squares: f64 = object.values().iter().zip(truth.values()).map(|(a, b)| (a.re - b.re).powi(2)).sum();
    (f64::from(similarity), -10.0 * (squares / (side * side) as f64).log10())
}

/// Sweeps as published, in f64 and by whole images, for each rule and geometry.
#[test]
fn sweeps_are_those_of_a_plain_program() {
    for (geometry, rule, pupil_from) in [
        (Geometry::Spectrum, PieRule::Epie, None),
        (Geometry::Spectrum, PieRule::Rpie, Some(1)),
        (Geometry::Object, PieRule::Epie, Some(0)),
    ] {
        let (n, window, detector, side) = (24, 7, 14, 12);
        let known = if geometry == Geometry::Spectrum { real(side) } else { Knowledge::default() };
        let object = match geometry {
            Geometry::Spectrum => scene(side, n),
            Geometry::Object => {
                let values = normal("phase", n * n);
                Plane::from_fn(n, n, |row, column| C::from_polar(1.0, 0.4 * values[row * n + column]))
            }
        };
        let pupil = disc(window, 3.2);
        let exposures = exposures(&object, pupil, detector, geometry, &fermat(8, 7.0), known);
        let sweeps = 3;
        let config = PieConfig { rule, sweeps, pupil_from, halving: Some(2.0), ..PieConfig::default() };
        let mut pie = Pie::new(&exposures, &all(&exposures), config, 5, &Device::flex()).unwrap();
        let start = pie.object().unwrap();
        drive(&mut pie, 0, sweeps);

        let plain = Plain { n, window, detector, geometry };
        let mut plane = plain.plane(start.values());
        let mut pupil = exposures.optics.pupils[0].values().to_vec();
        let open: Vec<bool> = pupil.iter().map(|p| p.norm_sqr() > 0.0 || geometry == Geometry::Object).collect();
        let regularisation = if rule == PieRule::Epie { 1.0 } else { config.regularisation };
        for sweep in 0..sweeps {
            let share = 1.0 / (1.0 + sweep as f64 / 2.0);
            for index in Stream::new(5, "order of exposures").at(0, sweep).permutation(8) {
                let places = plain.places(exposures.centres[index]);
                let before: Vec<C> = places.iter().map(|place| plane[*place]).collect();
                let exit: Vec<C> = before.iter().zip(&pupil).map(|(o, p)| o * p).collect();
                let frame = exposures.frames.frame(index).unwrap();
                let changed: Vec<C> = plain
                    .seen(&exit)
                    .iter()
                    .zip(frame)
                    .map(|(z, y)| z * (f64::from(y).sqrt() / z.norm() - 1.0))
                    .collect();
                let change = plain.sent_back(&changed);
                let most = |values: &[C]| values.iter().map(|z| z.norm_sqr()).fold(0.0, f64::max);
                let over = |value: C, most: f64| (1.0 - regularisation) * value.norm_sqr() + regularisation * most;
                let (brightest, largest) = (most(&pupil), most(&before));
                for w in 0..places.len() {
                    plane[places[w]] += share * pupil[w].conj() * change[w] / over(pupil[w], brightest);
                    if pupil_from.is_some_and(|from| sweep >= from) {
                        let step = share * config.pupil_step;
                        pupil[w] += step * before[w].conj() * change[w] / over(before[w], largest);
                    }
                }
            }
            if pupil_from.is_some_and(|from| sweep >= from) {
                pupil.iter_mut().zip(&open).filter(|(_, open)| !**open).for_each(|(p, _)| *p = C::new(0.0, 0.0));
            }
            if known.real {
                let mut object = plain.object(&plane);
                for (place, value) in object.iter_mut().enumerate() {
                    let inside = [place / n, place % n].iter().all(|at| (6..18).contains(at));
                    *value = C::new(if inside { value.re.clamp(0.0, 1.0) } else { 0.0 }, 0.0);
                }
                plane = plain.plane(&object);
            }
        }
        let expected = plain.object(&plane);
        let close = |what: &str, got: &[C], expected: &[C]| {
            let largest = expected.iter().map(|z| z.norm()).fold(0.0, f64::max);
            for (got, expected) in got.iter().zip(expected) {
                let error = (got - expected).norm() / largest;
                assert!(error < 2e-4, "{geometry:?}, {rule:?}: {what} {got}, expected {expected}");
            }
        };
        close("object", pie.object().unwrap().values(), &expected);
        close("pupil", pie.pupils().unwrap()[0].values(), &pupil);
    }
}

/// The peer's regime A on an object of our own: `prism_peer.py --n-pixels 128 --obj-size 64 --radius 10 --samples 48 --no-decoder --object
/// FILE`, the file being what this test writes where `CUPEL_PRISM_OBJECT` says. The peer visits exposures in the order of their radii.
#[test]
fn sixty_sweeps_are_as_good_as_the_peers() {
    let (n, side) = (128, 64);
    if let Some(path) = std::env::var_os("CUPEL_PRISM_OBJECT") {
        let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({side}, {side}), }}");
        header.push_str(&" ".repeat((64 - (11 + header.len()) % 64) % 64));
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend(((header.len() + 1) as u16).to_le_bytes());
        file.extend(header.bytes().chain([b'\n']));
        file.extend(craters(side).into_iter().flat_map(|value| (value as f32).to_le_bytes()));
        std::fs::write(path, file).unwrap();
    }
    let truth = scene(side, n);
    let exposures = exposures(&truth, disc(21, 10.0), n, Geometry::Spectrum, &fermat(48, 53.0), real(side));
    let mut pie = Pie::new(&exposures, &all(&exposures), PieConfig::default(), 0, &Device::flex()).unwrap();
    let began = std::time::Instant::now();
    drive(&mut pie, 0, 60);
    let seconds = began.elapsed().as_secs_f64();
    let (similarity, psnr) = quality(&pie.object().unwrap(), &truth, side);
    println!("SSIM {similarity:.4}, PSNR {psnr:.2} dB in {seconds:.2} s, R {:?}", pie.r_factors().last());
    assert!(
        similarity > PEER.0 - 0.002 && psnr > PEER.1 - 1.0,
        "SSIM {similarity}, PSNR {psnr}, the peer has {PEER:?}"
    );
    let r = pie.r_factors();
    assert!(r.len() == 60 && r[59] < 0.1 * r[0]);
}

/// SSIM and PSNR of the peer's ePIE.
const PEER: (f64, f64) = (0.9882, 41.92);

#[test]
fn reflections_find_what_explains_all_exposures() {
    let (n, side) = (64, 32);
    let truth = scene(side, n);
    let exposures = exposures(&truth, disc(13, 6.0), n, Geometry::Spectrum, &fermat(30, 24.0), real(side));
    let config = RaarConfig { iterations: 150, ..RaarConfig::default() };
    let mut raar = Raar::new(&exposures, &all(&exposures), config, 0, &Device::flex()).unwrap();
    drive(&mut raar, 0, config.iterations);
    let (similarity, psnr) = quality(&raar.object().unwrap(), &truth, side);
    println!("SSIM {similarity:.4}, PSNR {psnr:.2} dB, R {:?}", raar.r_factors().last());
    assert!(similarity > 0.97 && raar.r_factors()[149] < 0.02);
}

/// One iteration without relaxation is a projection on both sets, in f64 and by whole images.
#[test]
fn an_iteration_is_that_of_a_plain_program() {
    let (n, window, detector, side) = (24, 7, 14, 12);
    let truth = scene(side, n);
    // an object without support would begin as one frequency, and most windows without a phase
    let known = Knowledge { support: Some([side, side]), ..Knowledge::default() };
    let exposures = exposures(&truth, disc(window, 3.2), detector, Geometry::Spectrum, &fermat(8, 7.0), known);
    let config = RaarConfig { iterations: 4, relaxation: 0.8 };
    let mut raar = Raar::new(&exposures, &all(&exposures), config, 0, &Device::flex()).unwrap();
    let pie = Pie::new(&exposures, &all(&exposures), PieConfig::default(), 0, &Device::flex()).unwrap();
    let plain = Plain { n, window, detector, geometry: Geometry::Spectrum };
    let pupil = exposures.optics.pupils[0].values();
    let mut plane = plain.plane(pie.object().unwrap().values());
    let seen = |plane: &[C], index: usize| {
        let places = plain.places(exposures.centres[index]);
        plain.seen(&places.iter().zip(pupil).map(|(place, p)| plane[*place] * p).collect::<Vec<_>>())
    };
    let mut images: Vec<Vec<C>> = (0..8).map(|index| seen(&plane, index)).collect();
    let measured = |images: &[Vec<C>]| -> Vec<Vec<C>> {
        let of = |index: usize| {
            let frame = exposures.frames.frame(index).unwrap();
            images[index].iter().zip(frame).map(|(z, y)| z * (f64::from(y).sqrt() / z.norm())).collect()
        };
        (0..8).map(of).collect()
    };
    let explained = |plane: &[C], images: &[Vec<C>]| {
        let (mut sum, mut light) = (vec![C::new(0.0, 0.0); n * n], vec![0.0; n * n]);
        for (index, image) in images.iter().enumerate() {
            for ((place, back), p) in
                plain.places(exposures.centres[index]).iter().zip(plain.sent_back(image)).zip(pupil)
            {
                sum[*place] += p.conj() * back;
                light[*place] += p.norm_sqr();
            }
        }
        let mean: Vec<C> = (0..n * n).map(|p| if light[p] > 0.0 { sum[p] / light[p] } else { plane[p] }).collect();
        let mut object = plain.object(&mean);
        for (place, value) in object.iter_mut().enumerate() {
            *value *= f64::from(u8::from([place / n, place % n].iter().all(|at| (6..18).contains(at))));
        }
        plain.plane(&object)
    };
    for _ in 0..4 {
        let m = measured(&images);
        let reflected: Vec<Vec<C>> =
            m.iter().zip(&images).map(|(m, z)| m.iter().zip(z).map(|(m, z)| 2.0 * m - z).collect()).collect();
        plane = explained(&plane, &reflected);
        for index in 0..8 {
            let s = seen(&plane, index);
            for p in 0..detector * detector {
                let both = 2.0 * s[p] - reflected[index][p] + images[index][p];
                images[index][p] = 0.4 * both + 0.2 * m[index][p];
            }
        }
    }
    let expected = plain.object(&explained(&plane, &measured(&images)));
    drive(&mut raar, 0, 4);
    let largest = expected.iter().map(|z| z.norm()).fold(0.0, f64::max);
    for (got, expected) in raar.object().unwrap().values().iter().zip(&expected) {
        assert!((got - expected).norm() < 5e-4 * largest, "{got}, expected {expected}");
    }
}

/// With noise, steps that fall end nearer to the truth than steps that stay.
#[test]
fn falling_steps_end_nearer_to_the_truth() {
    let (n, side) = (64, 32);
    let truth = scene(side, n);
    let mut exposures = exposures(&truth, disc(13, 6.0), n, Geometry::Spectrum, &fermat(30, 24.0), real(side));
    let clean: Vec<f32> = (0..30).flat_map(|index| exposures.frames.frame(index).unwrap()).collect();
    let photons = 300.0;
    let noise = normal("photons", clean.len());
    let values =
        clean.iter().zip(noise).map(|(i, z)| (f64::from(*i) + (f64::from(*i) / photons).sqrt() * z).max(0.0) as f32);
    exposures.frames = Arc::new(InMemory { pixels: n * n, values: values.collect() });
    exposures.noise = Noise::Counts { photons, read: 0.0 };
    let psnr = |halving: f64| {
        let config = PieConfig { sweeps: 40, halving: Some(halving), ..PieConfig::default() };
        let mut pie = Pie::new(&exposures, &all(&exposures), config, 1, &Device::flex()).unwrap();
        drive(&mut pie, 0, 40);
        quality(&pie.object().unwrap(), &truth, side).1
    };
    let (falling, constant) = (psnr(4.0), psnr(1e9));
    println!("PSNR {falling:.2} dB with falling steps, {constant:.2} dB with constant ones");
    assert!(falling > constant + 0.5);
}

/// A probe that is out of focus is found, and with it a better object; windows between places too.
#[test]
fn a_wrong_probe_is_corrected() {
    let (n, window) = (48, 16);
    let phases = normal("phases", n * n);
    let object = Plane::from_fn(n, n, |row, column| C::from_polar(0.8, 0.5 * phases[row * n + column]));
    let probe = |defocus: f64| {
        Plane::from_fn(window, window, |row, column| {
            let square = (row as f64 - 8.0).powi(2) + (column as f64 - 8.0).powi(2);
            C::from_polar((-square / 18.0).exp(), defocus * square)
        })
    };
    let centres: Vec<[f64; 2]> = (0..100).map(|i| [(i / 10 * 3) as f64 - 14.0, (i % 10 * 3) as f64 - 14.0]).collect();
    let truth = exposures(&object, probe(0.05), window, Geometry::Object, &centres, Knowledge::default());
    let r = |pupil_from: Option<u64>, shift: f64| {
        let mut guess = truth.clone();
        guess.optics.pupils = vec![probe(0.03)];
        // a common shift moves the object alone
        guess.centres.iter_mut().flatten().for_each(|c| *c += shift);
        let config = PieConfig { sweeps: 30, pupil_from, ..PieConfig::default() };
        let mut pie = Pie::new(&guess, &all(&guess), config, 1, &Device::flex()).unwrap();
        drive(&mut pie, 0, 30);
        *pie.r_factors().last().unwrap()
    };
    let (fixed, found, between) = (r(None, 0.0), r(Some(2), 0.0), r(Some(2), 0.25));
    println!("R {fixed:.4} with the wrong probe, {found:.4} with its correction, {between:.4} between places");
    assert!(found < 0.65 * fixed && between < 0.65 * fixed);
}

/// The same bits, whether stopped and saved or not.
#[test]
fn resuming_changes_nothing() {
    let (n, side) = (32, 16);
    let exposures = exposures(&scene(side, n), disc(9, 4.0), 18, Geometry::Spectrum, &fermat(12, 10.0), real(side));
    let config = PieConfig { sweeps: 7, pupil_from: Some(1), halving: Some(3.0), ..PieConfig::default() };
    let pie = || Pie::new(&exposures, &all(&exposures), config, 3, &Device::flex()).unwrap();
    let raar = || Raar::new(&exposures, &all(&exposures), RaarConfig::default(), 3, &Device::flex()).unwrap();
    fn halves<W: Advance>(new: impl Fn() -> W, result: impl Fn(&W) -> Vec<Plane>) {
        let mut whole = new();
        drive(&mut whole, 0, 7);
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("checkpoints");
        let mut first = new();
        drive(&mut first, 0, 3);
        let stamp = Stamp { at: Position::default(), fingerprint: String::new(), done: None, seconds: 0.0 };
        Checkpoint::write(&root, stamp, |set| first.save(set)).unwrap();
        let mut second = new();
        second.load(Checkpoint::newest(&root, true).unwrap().unwrap().reader()).unwrap();
        drive(&mut second, 3, 7);
        assert_eq!(result(&second), result(&whole));
        assert_eq!(new().fingerprint().unwrap(), whole.fingerprint().unwrap());
    }
    halves(pie, |pie| [pie.pupils().unwrap(), vec![pie.object().unwrap()]].concat());
    halves(raar, |raar| vec![raar.object().unwrap()]);
    let other = Pie::new(&exposures, &all(&exposures)[1..], config, 3, &Device::flex()).unwrap();
    assert_ne!(other.fingerprint().unwrap(), pie().fingerprint().unwrap());
}

#[test]
fn bright_and_hazy_exposures_are_the_same_object() {
    let (n, side) = (32, 16);
    let plain = exposures(&scene(side, n), disc(9, 4.0), 18, Geometry::Spectrum, &fermat(12, 10.0), real(side));
    let flux: Vec<f64> = uniform("flux", 12).iter().map(|f| 0.5 + f).collect();
    let background: Vec<f64> = uniform("haze", 12).iter().map(|b| 0.01 * b).collect();
    let frames = (0..12).flat_map(|index| {
        let (flux, background) = (flux[index], background[index]);
        let frame = plain.frames.frame(index).unwrap();
        frame.into_iter().map(move |i| (flux * f64::from(i) + background) as f32)
    });
    let mut lit = plain.clone();
    lit.frames = Arc::new(InMemory { pixels: 18 * 18, values: frames.collect() });
    let config = PieConfig { sweeps: 5, ..PieConfig::default() };
    let start =
        Plane::from_fn(n, n, |row, column| C::new(f64::from(u8::from((8..24).contains(&row.min(column)))) * 0.5, 0.0));
    let result = |exposures: &Exposures, flux: &[f64], background: &[f64]| {
        let pie = Pie::new(exposures, &all(exposures), config, 3, &Device::flex()).unwrap();
        let mut pie = pie.from_object(&start).unwrap().with_brightness(flux, background).unwrap();
        drive(&mut pie, 0, 5);
        pie.object().unwrap()
    };
    let (one, other) = (result(&plain, &[1.0; 12], &[0.0; 12]), result(&lit, &flux, &background));
    for (one, other) in one.values().iter().zip(other.values()) {
        assert!((one - other).norm() < 1e-3, "{one} and {other}");
    }
}

#[test]
fn what_cannot_be_swept_is_refused() {
    let (n, side) = (32, 16);
    let exposures = exposures(&scene(side, n), disc(9, 4.0), 18, Geometry::Spectrum, &fermat(12, 10.0), real(side));
    let new = |which: &[usize], config: PieConfig| Pie::new(&exposures, which, config, 3, &Device::flex());
    let text = |which: &[usize], config: PieConfig| new(which, config).map(|_| ()).unwrap_err().to_string();
    assert!(text(&[], PieConfig::default()).contains("exposures to sweep"));
    assert!(text(&[12], PieConfig::default()).contains("each below 12"));
    assert!(text(&[0], PieConfig { object_step: 0.0, ..PieConfig::default() }).contains("step"));
    let pie = new(&[0, 3], PieConfig::default()).unwrap();
    assert!(pie.clone().with_brightness(&[1.0], &[0.0]).is_err());
    assert!(pie.from_object(&disc(9, 4.0)).is_err());
    let mut broken = exposures.clone();
    let mut values: Vec<f32> = (0..12).flat_map(|index| exposures.frames.frame(index).unwrap()).collect();
    values[3 * 324 + 20] = f32::NAN;
    broken.frames = Arc::new(InMemory { pixels: 324, values });
    let error = Pie::new(&broken, &all(&broken), PieConfig::default(), 3, &Device::flex()).unwrap_err().to_string();
    assert!(error.contains("frame 3, row 1, column 2"), "{error}");
}
