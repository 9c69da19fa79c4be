//! The likelihood of intensities behind sub-apertures.

use crate::checks::{Operation, close, cpu, normal, own_kernels_stay, panics, values};
use burn::tensor::{DType, Tensor, TensorData};
use cupel_data::Stream;
use cupel_kernels::{
    Direction, Likelihood, Measured, SubApertures, reference, sub_aperture_amplitudes, sub_aperture_likelihood,
};

type Planes = (Tensor<2>, Tensor<2>);
type Pupils = (Tensor<3>, Tensor<3>);

/// What stays the same from check to check.
#[derive(Clone)]
struct Case {
    size: [usize; 2],
    window: [usize; 2],
    apertures: SubApertures,
    /// Whether each exposure has pupils of its own.
    own: bool,
    modes: usize,
    /// How many planes of weights there are.
    weights: usize,
    likelihood: Likelihood,
}

impl Case {
    fn pupils(&self) -> usize {
        if self.own { self.modes * self.apertures.centres.len() } else { self.modes }
    }

    fn measured(&self, x: &Tensor<1>) -> Measured {
        let (exposures, d) = (self.apertures.centres.len(), self.apertures.detector);
        // numbers that each dtype holds, so that all compare with the same ones
        let of = |values: Vec<f64>, count: usize| {
            Tensor::<3>::from_data(TensorData::new(values, [count, d, d]), (&x.device(), DType::F64))
        };
        let squares = |what: &str, count: usize| -> Vec<f64> {
            normal(Stream::new(5, what), count * d * d)
                .iter()
                .map(|value| (value * value * 16.0).round() / 16.0)
                .collect()
        };
        let data = squares("data", exposures);
        // some below nought, as after a dark frame was taken off, and some that do not count
        let data = data.iter().enumerate().map(|(i, y)| if i % 11 == 3 { -0.125 } else { *y }).collect();
        let weight = squares("weight", self.weights);
        let weight = weight.iter().enumerate().map(|(i, w)| if i % 7 == 5 { 0.0 } else { *w }).collect();
        let weight = (self.weights > 0).then(|| of(weight, self.weights));
        Measured { data: of(data, exposures), weight, modes: self.modes }
    }

    fn parts(&self, x: &[Tensor<1>]) -> (Planes, Pupils, Tensor<1>, Tensor<1>) {
        let [rows, columns] = self.window;
        let plane = |index: usize| x[index].clone().reshape(self.size);
        let pupils = |index: usize| x[index].clone().reshape([self.pupils(), rows, columns]);
        ((plane(0), plane(1)), (pupils(2), pupils(3)), x[4].clone(), x[5].clone())
    }

    fn operation(self, name: &str) -> Operation {
        let (area, pupil) = (self.size[0] * self.size[1], self.pupils() * self.window[0] * self.window[1]);
        let exposures = self.apertures.centres.len();
        let positive = |what: &str, least: f64| -> Vec<f64> {
            normal(Stream::new(6, what), exposures).iter().map(|value| least + value.abs()).collect()
        };
        let (own, reference) = (self.clone(), self.clone());
        let name = format!("{name}: {:?} of {} modes", self.likelihood, self.modes);
        Operation::new(
            name,
            &[area, area, pupil, pupil, exposures, exposures],
            move |x| {
                let (plane, pupils, flux, background) = own.parts(x);
                let measured = own.measured(&x[0]);
                let (apertures, likelihood) = (&own.apertures, own.likelihood);
                vec![sub_aperture_likelihood(plane, pupils, &measured, flux, background, apertures, likelihood)]
            },
            move |x| {
                let (plane, pupils, flux, background) = reference.parts(x);
                let measured = reference.measured(&x[0]);
                let of = |part: Tensor<3>| part.cast(x[0].dtype());
                let measured =
                    Measured { data: of(measured.data), weight: measured.weight.map(of), modes: measured.modes };
                let (apertures, likelihood) = (&reference.apertures, reference.likelihood);
                vec![reference::sub_aperture_likelihood(
                    plane, pupils, &measured, flux, background, apertures, likelihood,
                )]
            },
        )
        .with_input(4, positive("flux", 0.3))
        .with_input(5, positive("background", 0.1))
    }
}

fn case(size: [usize; 2], window: [usize; 2], detector: usize, centres: &[[isize; 2]], transform: Direction) -> Case {
    let unit = if transform == Direction::Inverse { (detector * detector) as f64 } else { 1.0 };
    // small enough that sums stay within f16
    let scale = 2.0 * unit / (window[0] * detector) as f64;
    let apertures = SubApertures { centres: centres.to_vec(), detector, scale, transform };
    let likelihood = Likelihood::Amplitude { epsilon: 0.01 };
    Case { size, window, apertures, own: false, modes: 1, weights: 0, likelihood }
}

fn operations() -> Vec<Operation> {
    use Direction::{Forward, Inverse};
    let poisson = Likelihood::Poisson { variance: 0.25 };
    vec![
        case([1, 1], [1, 1], 1, &[[0, 0]], Inverse).operation("one place"),
        case([12, 9], [5, 4], 7, &[[0, 0], [3, -4], [-6, 2], [5, 8]], Inverse).operation("small"),
        Case { own: true, weights: 1, likelihood: poisson, ..case([16, 16], [5, 5], 9, &[[0, 0], [-2, 7]], Inverse) }
            .operation("a pupil each, some pixels"),
        Case { modes: 2, weights: 3, ..case([20, 21], [9, 8], 18, &[[0, 0], [4, 4], [-9, 2]], Forward) }
            .operation("modes of a probe, weights each"),
        Case { modes: 3, own: true, likelihood: poisson, ..case([20, 20], [6, 6], 10, &[[0, 1], [3, -3]], Forward) }
            .operation("modes each"),
        Case { likelihood: poisson, ..case([40, 36], [17, 17], 34, &[[1, -1], [11, 3], [25, -3]], Inverse) }
            .operation("several lanes"),
    ]
}

#[test]
fn likelihoods_pass_every_check() {
    operations().iter().for_each(Operation::passes);
}

#[test]
fn likelihoods_are_their_reference_when_off() {
    operations().iter().for_each(Operation::is_its_reference_when_off);
}

/// Counts of a million photons, and means that differ from them by a thousandth of their noise: half the sum of squares over
/// the counts, to six digits in f32.
#[test]
fn small_deviations_of_many_photons_are_not_lost() {
    let _on = own_kernels_stay();
    let d = 16;
    let device = cpu();
    let open = Tensor::<3>::ones([1, 1, 1], &device);
    let apertures =
        SubApertures { centres: vec![[0, 0]], detector: d, scale: (d * d) as f64, transform: Direction::Inverse };
    // a plane of ones: images of ones; the flux makes the counts
    let plane = (Tensor::<2>::ones([1, 1], &device), Tensor::<2>::zeros([1, 1], &device));
    let counts: Vec<f64> = normal(Stream::new(0, "counts"), d * d).iter().map(|z| (1e6 + 30.0 * z).round()).collect();
    let data = Tensor::<3>::from_data(TensorData::new(counts.clone(), [1, d, d]), (&device, DType::F32));
    let value = sub_aperture_likelihood(
        plane,
        (open.clone(), open * 0.0),
        &Measured { data, weight: None, modes: 1 },
        Tensor::from_floats([1e6], &device),
        Tensor::zeros([1], &device),
        &apertures,
        Likelihood::Poisson { variance: 0.0 },
    );
    let expected: f64 = counts.iter().map(|b| (1e6 - b) + b * (b / 1e6).ln()).sum();
    close("deviance", &values(&value), &[expected], 1e-6);
}

/// A dark pixel in which nothing was counted costs nothing and has a gradient of nought, not of no number.
#[test]
fn darkness_is_no_exception() {
    let _on = own_kernels_stay();
    for likelihood in [Likelihood::Amplitude { epsilon: 0.0 }, Likelihood::Poisson { variance: 0.0 }] {
        let device = cpu().autodiff();
        let plane = || Tensor::<2>::zeros([4, 4], &device).require_grad();
        let (re, im) = (plane(), plane());
        let pupil = Tensor::<3>::ones([1, 2, 2], &device);
        let apertures = SubApertures { centres: vec![[0, 0]], detector: 4, scale: 4.0, transform: Direction::Inverse };
        // measured on a device without differentiation
        let measured = Measured { data: Tensor::zeros([1, 4, 4], &cpu()), weight: None, modes: 1 };
        let value = sub_aperture_likelihood(
            (re.clone(), im.clone()),
            (pupil.clone(), pupil * 0.0),
            &measured,
            Tensor::ones([1], &device),
            Tensor::zeros([1], &device),
            &apertures,
            likelihood,
        );
        assert!(values(&value)[0].abs() < 1e-15, "{likelihood:?}: {:?}", values(&value));
        let gradients = value.backward();
        for part in [re, im] {
            assert!(values(&part.grad(&gradients).unwrap()).iter().all(|g| *g == 0.0), "{likelihood:?}");
        }
    }
}

/// The squares of amplitudes, compared with themselves.
#[test]
fn what_was_measured_without_noise_is_explained() {
    let _on = own_kernels_stay();
    let device = cpu();
    let part = |what: &str, count: usize| normal(Stream::new(3, what), count);
    let plane = |what: &str| Tensor::<2>::from_data(TensorData::new(part(what, 144), [12, 12]), (&device, DType::F64));
    let pupils = |what: &str| Tensor::<3>::from_data(TensorData::new(part(what, 25), [1, 5, 5]), (&device, DType::F64));
    let (plane, pupils) = ((plane("a"), plane("b")), (pupils("c"), pupils("d")));
    let apertures =
        SubApertures { centres: vec![[0, 0], [3, -2]], detector: 10, scale: 0.3, transform: Direction::Forward };
    let amplitudes = sub_aperture_amplitudes(plane.clone(), pupils.clone(), &apertures, 1e-12);
    let measured = Measured { data: amplitudes.square() * 2.0 + 0.5, weight: None, modes: 1 };
    for likelihood in [Likelihood::Amplitude { epsilon: 0.0 }, Likelihood::Poisson { variance: 1.0 }] {
        let flux = Tensor::full([2], 2.0, (&device, DType::F64));
        let background = Tensor::full([2], 0.5, (&device, DType::F64));
        let value =
            sub_aperture_likelihood(plane.clone(), pupils.clone(), &measured, flux, background, &apertures, likelihood);
        assert!(values(&value).iter().all(|value| (0.0..1e-20).contains(value)), "{:?}", values(&value));
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let evaluate = |data: [usize; 3], weight: Option<[usize; 3]>, flux: usize, likelihood: Likelihood| {
        let device = cpu();
        let ones = |shape: [usize; 3]| Tensor::<3>::ones(shape, &device);
        let apertures =
            SubApertures { centres: vec![[0, 0]; 2], detector: 4, scale: 1.0, transform: Direction::Inverse };
        let plane = Tensor::<2>::ones([8, 8], &device);
        sub_aperture_likelihood(
            (plane.clone(), plane),
            (ones([1, 3, 3]), ones([1, 3, 3])),
            &Measured { data: ones(data), weight: weight.map(ones), modes: 1 },
            Tensor::ones([flux], &device),
            Tensor::ones([2], &device),
            &apertures,
            likelihood,
        )
    };
    let amplitude = Likelihood::Amplitude { epsilon: 0.0 };
    panics("sub_aperture_likelihood: data of [3, 4, 4], but the others need [2, 4, 4]", || {
        evaluate([3, 4, 4], None, 2, amplitude)
    });
    panics("sub_aperture_likelihood: weight of [3, 4, 4], but the others need [2, 4, 4]", || {
        evaluate([2, 4, 4], Some([3, 4, 4]), 2, amplitude)
    });
    panics("sub_aperture_likelihood: flux of [1], but the others need [2]", || evaluate([2, 4, 4], None, 1, amplitude));
    panics("sub_aperture_likelihood: the variance must be finite and not negative, got -1", || {
        evaluate([2, 4, 4], None, 2, Likelihood::Poisson { variance: -1.0 })
    });
}
