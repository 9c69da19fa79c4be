//! The projection as a layer: records, devices, gradients.

use burn::{
    module::Module,
    store::ModuleRecord,
    tensor::{DType, Device, FloatDType, Tensor, TensorData},
};
use cupel_data::{AxisKind, Field, Stream};
use cupel_kernels::{Noise, Projection, Transform, philox_normal};
use cupel_pca::{Error, Modes, Pca, PcaLayer, Projector, Share, SpectralFilter, apply_precomputed_pca_fast};
use cupel_train::{
    Casting, Context, Fit, Loss, Precision, Work,
    checks::{self, Subject},
    parameters,
};

use super::samples::{band, complex_sky, difference, parts, sky, wide};

const CHANNELS: usize = 32;

fn tensor(values: &[f32], shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), (device, DType::F32))
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.cast(FloatDType::F64).into_data().try_to_vec::<f64>().unwrap()
}

fn projector(modes: usize, seed: u64) -> (Projector, Vec<f32>) {
    let sky = sky(300, CHANNELS, seed);
    let components = Pca::new(Modes::Count(modes)).fit(&sky, AxisKind::Frequency).unwrap();
    (Projector::new(&components), sky.into_values())
}

#[test]
fn a_layer_is_the_projector_along_any_axis_and_in_any_order() {
    let (projector, x) = projector(4, 51);
    let device = Device::flex();
    let cube = sky(300, CHANNELS, 51);
    let expected = wide(projector.apply(&cube).unwrap().values());
    let x = tensor(&x, [300, CHANNELS], &device);
    let layer = PcaLayer::new(&projector, &device).unwrap();
    assert_eq!(layer.channels(), Some(CHANNELS));
    let along_last = values(layer.forward(x.clone(), 1).unwrap());
    assert!(difference(&along_last, &expected) < 1e-6);
    let along_first = values(layer.forward(x.clone().transpose(), 0).unwrap().transpose());
    assert!(difference(&along_first, &expected) < 1e-6);
    let how = Projection { order: [1, 0], scale: 3.0, transform: Transform::Arcsinh, ..Projection::along(1) };
    let turned = values(layer.project(x.clone(), how).unwrap().transpose());
    let transformed: Vec<f64> = expected.iter().map(|v| (3.0 * v).asinh()).collect();
    assert!(difference(&turned, &transformed) < 1e-6);
    let fast = values(apply_precomputed_pca_fast(x.clone(), &projector, 1).unwrap());
    assert_eq!(fast, along_last);
    let field = Field::new(x, cube.axes().clone()).unwrap();
    assert_eq!(values(projector.apply_field(field.clone()).unwrap().tensor), along_last);
    // the field knows its axis, a tensor only its length
    let renamed = Field::new(
        field.tensor.clone(),
        cube.rename(&[AxisKind::Sample, AxisKind::Wavelength]).unwrap().axes().clone(),
    );
    assert!(projector.apply_field(renamed.unwrap()).is_err());
    let error = layer.forward(field.tensor, 0).unwrap_err().to_string();
    assert!(error.starts_with("axis 0 of the tensor has 300 values, the components have 32 channels"), "{error}");
    assert!(matches!(layer.forward(Tensor::<1>::zeros([CHANNELS], &device), 1), Err(Error::Channels { .. })));
}

#[test]
fn a_hermitian_layer_is_its_projector() {
    let sky = complex_sky(300, CHANNELS, 52);
    let components = Pca::new(Modes::Count(5)).hermitian().fit(&sky, AxisKind::Frequency).unwrap();
    let projector = Projector::filtered(&components, SpectralFilter::Automatic).unwrap();
    let expected = parts(projector.apply(&sky).unwrap().values());
    let flat: Vec<f32> = sky.values().iter().flat_map(|v| [v.re, v.im]).collect();
    let x = Tensor::<3>::from_data(TensorData::new(flat, [300, CHANNELS, 2]), &Device::flex());
    let layer = PcaLayer::new(&projector, &Device::flex()).unwrap();
    assert!(difference(&values(layer.forward(x.clone(), 1).unwrap()), &expected) < 1e-6);
    assert!(matches!(layer.forward(x.swap_dims(1, 2), 2), Err(Error::NeedsComplex)));
}

#[derive(Module, Debug)]
struct Model {
    pca: PcaLayer,
    linear: burn::nn::Linear,
}

fn model(pca: PcaLayer, device: &Device) -> Model {
    Model { pca, linear: burn::nn::LinearConfig::new(CHANNELS, 2).init(device) }
}

#[test]
fn components_are_saved_with_a_model_and_not_trained() {
    let (projector, x) = projector(4, 53);
    let device = Device::flex();
    let trained = device.clone().autodiff();
    let model = model(PcaLayer::new(&projector, &trained).unwrap(), &trained);
    let listed = parameters(&model);
    let by_name = |name: &str| listed.iter().find(|p| p.path == name).unwrap_or_else(|| panic!("{name}: {listed:?}"));
    assert!(!by_name("pca.mean").trained && !by_name("pca.modes").trained && by_name("linear.weight").trained);
    let x_tracked = tensor(&x, [300, CHANNELS], &trained);
    let cleaned = model.pca.forward(x_tracked, 1).unwrap();
    let gradients = model.linear.forward(cleaned.clone()).sum().backward();
    assert!(model.linear.weight.val().grad(&gradients).is_some());
    let expected = values(cleaned.inner());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    model.clone().into_record().save(&path).unwrap();
    let fresh = self::model(PcaLayer::empty(4, CHANNELS, &device), &device);
    let loaded = fresh.load_record(ModuleRecord::load(&path).unwrap());
    let x = tensor(&x, [300, CHANNELS], &device);
    assert_eq!(values(loaded.pca.forward(x.clone(), 1).unwrap()), expected);
    // moved, and out of training
    assert_eq!(values(model.valid().to_device(&device).pca.forward(x.clone(), 1).unwrap()), expected);
    // a model that computes in fewer bits leaves them alone
    let casting = Precision::Bf16.resolve(&device, Work { elements: 1, reduced_precision_pays_from: 1 }).unwrap();
    assert_ne!(casting, Casting::f32());
    let low = casting.prepare(loaded);
    assert_eq!(low.linear.weight.val().dtype(), DType::BF16);
    assert_eq!(values(low.pca.forward(x.clone(), 1).unwrap()), expected);
    // and its data are refused in fewer bits
    let message = low.pca.forward(x.cast(FloatDType::BF16), 1).unwrap_err().to_string();
    assert!(message.starts_with("a tensor of bf16: foregrounds are 10^4 times the signal"), "{message}");
}

#[test]
fn a_model_without_modes_takes_the_mean_and_has_a_record() {
    let (_, x) = projector(1, 54);
    let components = Pca::new(Modes::Count(0)).fit(&sky(300, CHANNELS, 54), AxisKind::Frequency).unwrap();
    let device = Device::flex();
    let layer = PcaLayer::new(&Projector::new(&components), &device).unwrap();
    let folder = tempfile::tempdir().unwrap();
    layer.clone().into_record().save(folder.path().join("layer")).unwrap();
    let left = values(layer.forward(tensor(&x, [300, CHANNELS], &device), 1).unwrap());
    let mean: f64 = left.iter().step_by(CHANNELS).sum::<f64>() / 300.0;
    assert!(mean.abs() < 1e-3, "{mean}");
}

#[test]
fn noise_is_that_of_its_place() {
    let (projector, x) = projector(3, 55);
    let device = Device::flex();
    let x = tensor(&x, [300, CHANNELS], &device);
    let (key, counter) = Stream::new(9, "noise").philox();
    let how = Projection { noise: Some(Noise { amplitude: 0.5, key, counter }), order: [1, 0], ..Projection::along(1) };
    let numbers = philox_normal([300, CHANNELS], key, counter, &device);
    let plain = Projection { noise: None, ..how };
    for layer in [PcaLayer::new(&projector, &device).unwrap(), PcaLayer::on_the_fly(Share::Modes(3))] {
        let got = values(layer.project(x.clone(), how).unwrap());
        let expected = values(layer.project(x.clone() + numbers.clone() * 0.5, plain).unwrap());
        // where the noise is added in f64 the sum is not rounded
        assert!(difference(&got, &expected) < 2e-3, "{}", difference(&got, &expected));
    }
}

#[test]
fn on_the_fly_is_a_fit_of_the_batch_jointly_or_apart() {
    let device = Device::flex();
    let [first, second] = [56, 57].map(|seed| sky(300, CHANNELS, seed));
    let both = [first.values(), second.values()].concat();
    let x = Tensor::<3>::from_data(TensorData::new(both.clone(), [2, 300, CHANNELS]), &device);
    let apart = values(PcaLayer::on_the_fly(Share::Modes(4)).apart(0).forward(x.clone(), 2).unwrap());
    let expected: Vec<f64> = [&first, &second]
        .iter()
        .flat_map(|sky| {
            let components = Pca::new(Modes::Count(4)).fit(sky, AxisKind::Frequency).unwrap();
            wide(Projector::new(&components).apply(sky).unwrap().values())
        })
        .collect();
    assert!(difference(&apart, &expected) < 1e-5, "{}", difference(&apart, &expected));
    let axes = cupel_data::Axes::new(vec![cupel_data::Axis::new(AxisKind::Sample, 600), band(CHANNELS)]).unwrap();
    let joint = cupel_data::Cube::new(both, axes).unwrap();
    let components = Pca::new(Modes::Count(4)).fit(&joint, AxisKind::Frequency).unwrap();
    let expected = wide(Projector::new(&components).apply(&joint).unwrap().values());
    let got = values(PcaLayer::on_the_fly(Share::Modes(4)).forward(x.clone(), 2).unwrap());
    assert!(difference(&got, &expected) < 1e-5, "{}", difference(&got, &expected));
    let one = x.narrow(1, 0, 1).narrow(0, 0, 1);
    assert!(matches!(PcaLayer::on_the_fly(Share::Modes(1)).forward(one, 2), Err(Error::TooFewSamples { .. })));
}

/// A weighted sum of squares of what is left, so that every entry of the result counts differently.
fn loss(x: Tensor<2>, share: Share) -> Result<Tensor<1>, Error> {
    let cleaned = PcaLayer::differentiable(share).forward(x, 1)?;
    let [rows, channels] = cleaned.dims();
    let weight = |i: usize| 1.0 + (i as f64 * 0.7).sin();
    let weights = TensorData::new((0..rows * channels).map(weight).collect::<Vec<f64>>(), [rows, channels]);
    let weights = Tensor::<2>::from_data(weights, (&cleaned.device(), DType::F64));
    Ok((cleaned.clone() * cleaned * weights).sum())
}

fn input(rows: usize, scales: &[f64], seed: u64) -> Vec<f64> {
    let mut values = vec![0.0; rows * scales.len()];
    Stream::new(seed, "gradient").fill_normal_f64(&mut values);
    values.chunks_mut(scales.len()).for_each(|row| row.iter_mut().zip(scales).for_each(|(v, s)| *v = *v * s + 0.4));
    values
}

fn at(values: &[f64], rows: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [rows, values.len() / rows]), (device, DType::F64))
}

#[test]
fn gradients_through_the_fit_are_derivatives() {
    let (rows, scales) = (9, [3.0, 2.0, 1.0, 0.5, 0.3]);
    let x = input(rows, &scales, 1);
    let device = Device::flex();
    for share in
        [Share::Modes(0), Share::Modes(1), Share::Modes(2), Share::Modes(4), Share::Modes(5), Share::Threshold(0.8)]
    {
        let tracked = at(&x, rows, &device.clone().autodiff()).require_grad();
        let gradients = loss(tracked.clone(), share).unwrap().backward();
        let gradient = values(tracked.grad(&gradients).unwrap());
        let largest = gradient.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        for index in 0..x.len() {
            let shifted = |step: f64| {
                let mut moved = x.clone();
                moved[index] += step;
                values(loss(at(&moved, rows, &device), share).unwrap())[0]
            };
            let step = 1e-5;
            let expected = (shifted(step) - shifted(-step)) / (2.0 * step);
            let error = (gradient[index] - expected).abs();
            assert!(error <= 1e-6 * largest.max(1.0), "{share:?} {index}: {} {expected}", gradient[index]);
        }
    }
}

/// Rows `+-s e_i` have a diagonal covariance with equal entries where the scales are equal.
fn crossed(scales: &[f64]) -> Vec<f64> {
    let size = scales.len();
    let mut values = vec![0.0; 2 * size * size];
    for (i, scale) in scales.iter().enumerate() {
        values[2 * i * size + i] = *scale;
        values[(2 * i + 1) * size + i] = -scale;
    }
    values
}

#[test]
fn equal_eigenvalues_inside_a_block_have_finite_gradients_and_across_the_cut_are_refused() {
    let device = Device::flex().autodiff();
    let scales = [2.0, 2.0, 1.0, 1.0];
    let x = crossed(&scales);
    for share in [Share::Modes(2), Share::Threshold(0.5)] {
        let tracked = at(&x, 8, &device).require_grad();
        let gradients = loss(tracked.clone(), share).unwrap().backward();
        let gradient = values(tracked.grad(&gradients).unwrap());
        assert!(
            gradient.iter().all(|v| v.is_finite()) && gradient.iter().any(|v| v.abs() > 1e-3),
            "{share:?} {gradient:?}"
        );
    }
    for modes in [1, 3] {
        let error = loss(at(&x, 8, &device).require_grad(), Share::Modes(modes)).unwrap_err();
        assert!(matches!(error, Error::Degenerate { .. }), "{error}");
        assert!(error.to_string().contains(&format!("the cut after {modes} modes")), "{error}");
    }
    // without a gradient there is nothing to refuse
    assert!(PcaLayer::on_the_fly(Share::Modes(1)).forward(at(&x, 8, &device), 1).is_ok());
}

#[test]
fn stored_components_hand_gradients_through_to_their_input() {
    let (projector, x) = projector(4, 58);
    let device = Device::flex().autodiff();
    let layer = PcaLayer::new(&projector, &device).unwrap();
    let tracked = tensor(&x, [300, CHANNELS], &device).require_grad();
    let numbers = philox_normal([300, CHANNELS], [1, 2], [3, 4], &device);
    let gradients = (layer.forward(tracked.clone(), 1).unwrap() * numbers.clone()).sum().backward();
    // of a linear map P, which is its own transpose: the gradient of <n, P x> is P n
    let none = vec![0.0f32; CHANNELS];
    let without_mean = layer.forward(numbers.inner(), 1).unwrap()
        - layer.forward(tensor(&none, [1, CHANNELS], &device).inner(), 1).unwrap();
    assert!(difference(&values(tracked.grad(&gradients).unwrap()), &values(without_mean)) < 1e-3);
}

/// A linear reading of what a stored projection leaves.
struct Reading(Projector);

impl Fit for Reading {
    type Model = Model;
    type Batch = (Tensor<2>, Tensor<2>);

    fn batch(&mut self, ctx: &Context<'_>) -> cupel_train::Result<Self::Batch> {
        let sky = sky(24, CHANNELS, ctx.stream.u64(0));
        let cleaned = wide(self.0.apply(&sky).map(|cube| cube.into_values()).unwrap_or_default().as_slice());
        let wanted = |row: &[f64]| [row[3] - row[9], row[20] + 0.5 * row[4]].map(|v| 5.0 * v as f32);
        let y: Vec<f32> = cleaned.chunks(CHANNELS).flat_map(wanted).collect();
        Ok((tensor(sky.values(), [24, CHANNELS], ctx.device), tensor(&y, [24, 2], ctx.device)))
    }

    fn loss(&self, model: &Model, (x, y): Self::Batch, ctx: &Context<'_>) -> Loss {
        // in f32, and only then in the precision of the model
        let cleaned = model.pca.forward(x, 1).unwrap() * 5.0;
        let read = model.linear.forward(ctx.casting.low(cleaned)).cast(FloatDType::F32);
        let mean = (read - y).powi_scalar(2).mean();
        Loss { mean, weight: 24.0, terms: Vec::new() }
    }

    fn steps_per_epoch(&self) -> u64 {
        5
    }
}

struct Read(Projector);

impl Subject for Read {
    type Fit = Reading;

    fn name(&self) -> &str {
        "pca-layer"
    }

    fn model(&self, device: &Device) -> Model {
        model(PcaLayer::new(&self.0, device).unwrap(), device)
    }

    fn fit(&self) -> Reading {
        Reading(self.0.clone())
    }
}

#[test]
fn a_model_with_the_layer_passes_the_checks_of_all_models() {
    let folder = tempfile::tempdir().unwrap();
    checks::all(&Read(projector(4, 60).0), &Device::flex(), folder.path());
}
