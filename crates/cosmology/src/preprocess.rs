//! [`Preprocess`]: from what a loader gives to what a network reads, on the device.
//!
//! ```text
//! x' = T(s (x + n - mu) (I - F)),   y' = T(s y), or T(s y) - x',
//! ```
//! with noise `n`, the foregrounds `F` taken out, a scale `s` and a transform `T`, and the axes in the order of the
//! network. Components that are precomputed make this one pass over `x` and one over `y`, each of which reads and
//! writes every value once; noise comes from the position of a value, not from a generator. A prediction is brought
//! back to the unit of the files by [`PreprocessConfig::restore`].

use burn::tensor::Tensor;
use cupel_data::Stream;
use cupel_kernels::{LowRank, Noise, Projection, Transform, project_low_rank};
use cupel_pca::PcaLayer;
use cupel_settings::{Problem, Range, Settings, choices, settings};
use serde::{Deserialize, Serialize};

use crate::Result;

choices! {
    /// What becomes of scaled values.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum TargetTransform {
        /// Nothing
        Linear = "linear",
        /// The inverse hyperbolic sine: linear about zero, a logarithm far from it
        Arcsinh = "arcsinh" | "asinh",
    }
}

choices! {
    /// The order of the axes that a network reads, behind sample and part.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum NetworkLayout {
        /// Right ascension, frequency, baseline
        RaFrequencyBaseline = "ra-frequency-baseline",
        /// Baseline, right ascension, frequency: that of the first version of the original
        BaselineRaFrequency = "baseline-ra-frequency",
    }
}

settings! {
    /// What happens to a batch before the network.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct PreprocessConfig in "preprocessing" {
        /// Factor of input and target
        pub scale: f64 = 1e5, in Range::above(0.0), "FACTOR";
        /// What becomes of the scaled values
        pub target_transform: TargetTransform = TargetTransform::Linear;
        /// Let the network predict what the projection leaves wrong, in place of the signal
        pub predict_residual: bool = false;
        /// The order of the axes
        pub layout: NetworkLayout = NetworkLayout::RaFrequencyBaseline;
    }
}

/// Input and target of a network.
#[derive(Clone, Debug)]
pub struct Prepared<const D: usize> {
    /// The input, cleaned.
    pub x: Tensor<D>,
    /// The target; without a truth none.
    pub y: Option<Tensor<D>>,
}

/// Makes batches ready for a network.
#[derive(Clone, Debug)]
#[doc(alias = "preprocess_data")]
pub struct Preprocess {
    layer: PcaLayer,
    noise: Option<f64>,
    config: PreprocessConfig,
}

impl NetworkLayout {
    /// Places of the axes of a chunk, `[chunk, part, right ascension, baseline, frequency]`, in the order of the network; it is its own inverse.
    pub(crate) fn order(self) -> [usize; 5] {
        match self {
            Self::RaFrequencyBaseline => [0, 1, 2, 4, 3],
            Self::BaselineRaFrequency => [0, 1, 3, 2, 4],
        }
    }
}

impl PreprocessConfig {
    fn transform(&self) -> Transform {
        match self.target_transform {
            TargetTransform::Linear => Transform::Linear,
            TargetTransform::Arcsinh => Transform::Arcsinh,
        }
    }

    /// A prediction in the unit of the files; `x` is the input that it was made from, which a residual is added to.
    pub fn restore<const D: usize>(&self, prediction: Tensor<D>, x: Tensor<D>) -> Tensor<D> {
        let whole = if self.predict_residual { prediction + x } else { prediction };
        self.transform().invert(whole) / self.scale
    }

    /// The input of a network in the unit of the files: what the projection leaves.
    pub fn cleaned<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.transform().invert(x) / self.scale
    }
}

impl Preprocess {
    /// With the foregrounds of `layer` and white noise of this standard deviation in each part, in the unit of the
    /// files.
    ///
    /// # Errors
    /// [`crate::Error::Settings`] for settings out of their range, or a noise that is negative or not finite.
    pub fn new(layer: PcaLayer, noise: Option<f64>, config: PreprocessConfig) -> Result<Self> {
        config.check()?;
        if let Some(noise) = noise.filter(|noise| !(noise.is_finite() && *noise >= 0.0)) {
            return Err(Problem::value("noiseamp", noise, "a finite number of at least 0".to_owned()).into());
        }
        Ok(Self { layer, noise: noise.filter(|noise| *noise > 0.0), config })
    }

    /// The settings.
    pub fn config(&self) -> &PreprocessConfig {
        &self.config
    }

    /// Chunks as [`Observations`](crate::Observations) gives them.
    ///
    /// # Shapes
    /// `x` and `y` `[chunk, part, right ascension, baseline, frequency]`; the result `[chunk, part, ..]` in the order
    /// of [`layout`](PreprocessConfig::layout).
    ///
    /// # Errors
    /// As [`PcaLayer::project`].
    pub fn chunks(&self, x: Tensor<5>, y: Option<Tensor<5>>, stream: Stream) -> Result<Prepared<5>> {
        self.pass(x, y, 4, self.config.layout.order(), stream)
    }

    /// Visibilities as they lie in a file, divided into `split` chunks in right ascension in the same pass.
    ///
    /// # Shapes
    /// `x` and `y` `[sky, baseline, frequency, right ascension, part]`; the result `[sky * split, part, ..]` as of
    /// [`chunks`](Self::chunks).
    ///
    /// # Errors
    /// As [`PcaLayer::project`]; a `split` that does not divide the bins in right ascension.
    pub fn visibilities(
        &self,
        x: Tensor<5>,
        y: Option<Tensor<5>>,
        split: usize,
        stream: Stream,
    ) -> Result<Prepared<5>> {
        let [skies, baselines, channels, bins, parts] = x.dims();
        if split == 0 || !bins.is_multiple_of(split) {
            return Err(
                Problem::value("split", split, format!("a divisor of the {bins} bins in right ascension")).into()
            );
        }
        let chunked = |t: Tensor<5>| t.reshape([skies, baselines, channels, split, bins / split, parts]);
        // [sky, chunk, part, ..] of [sky, baseline, frequency, chunk, right ascension, part]
        let order = match self.config.layout {
            NetworkLayout::RaFrequencyBaseline => [0, 3, 5, 4, 2, 1],
            NetworkLayout::BaselineRaFrequency => [0, 3, 5, 1, 4, 2],
        };
        let Prepared { x, y } = self.pass(chunked(x), y.map(chunked), 2, order, stream)?;
        let joined = |t: Tensor<6>| {
            let [skies, split, parts, a, b, c] = t.dims();
            t.reshape([skies * split, parts, a, b, c])
        };
        Ok(Prepared { x: joined(x), y: y.map(joined) })
    }

    /// Cubes of the sky.
    ///
    /// # Shapes
    /// `x` and `y` `[sky, frequency, row, column]`; the result `[sky, 1, row, column, frequency]`.
    ///
    /// # Errors
    /// As [`PcaLayer::project`].
    pub fn skies(&self, x: Tensor<4>, y: Option<Tensor<4>>, stream: Stream) -> Result<Prepared<5>> {
        let Prepared { x, y } = self.pass(x, y, 1, [0, 2, 3, 1], stream)?;
        Ok(Prepared { x: x.unsqueeze_dim(1), y: y.map(|y| y.unsqueeze_dim(1)) })
    }

    /// One pass over `x`, one over `y`; both take the axes in the same order.
    fn pass<const D: usize>(
        &self,
        x: Tensor<D>,
        y: Option<Tensor<D>>,
        axis: usize,
        order: [usize; D],
        stream: Stream,
    ) -> Result<Prepared<D>> {
        let (key, counter) = stream.philox();
        let how = Projection {
            order,
            scale: self.config.scale,
            transform: self.config.transform(),
            noise: self.noise.map(|amplitude| Noise { amplitude, key, counter }),
            ..Projection::along(axis)
        };
        let channels = x.dims()[axis];
        let x = self.layer.project(x, how)?;
        let y = y.map(|y| {
            let y = project_low_rank(y, &LowRank::none(channels), Projection { noise: None, ..how });
            if self.config.predict_residual { y - x.clone() } else { y }
        });
        Ok(Prepared { x, y })
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use burn::tensor::{DType, Device, TensorData};
    use cupel_data::{AxisKind, Complex, Cube, open};
    use cupel_pca::{Components, Modes, Pca, Projector};

    use super::*;

    const KINDS: [AxisKind; 4] = [AxisKind::Sample, AxisKind::Baseline, AxisKind::Frequency, AxisKind::RightAscension];

    fn golden() -> Option<PathBuf> {
        let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
        let folder = std::env::var_os("CUPEL_DATA").map_or_else(beside, PathBuf::from).join("cosmology/golden");
        if folder.is_dir() {
            return Some(folder);
        }
        eprintln!("SKIPPED: there is no {}; set CUPEL_DATA to the folder that holds cosmology/", folder.display());
        None
    }

    fn read(folder: &Path, name: &str) -> Vec<f64> {
        open(folder.join(name)).unwrap().cube::<f64>(None).unwrap().into_values()
    }

    fn visibilities(folder: &Path, name: &str) -> Cube<Complex<f32>> {
        open(folder.join(name)).unwrap().cube::<Complex<f32>>(None).unwrap().rename(&KINDS).unwrap()
    }

    /// `[sky, baseline, frequency, right ascension, part]`.
    fn tensor(cube: &Cube<Complex<f32>>) -> Tensor<5> {
        let flat: Vec<f32> = cube.values().iter().flat_map(|v| [v.re, v.im]).collect();
        let shape = [cube.shape(), vec![2]].concat();
        Tensor::from_data(TensorData::new(flat, shape), (&Device::flex(), DType::F32))
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
        tensor.into_data().convert::<f64>().try_to_vec::<f64>().unwrap()
    }

    /// Largest difference as a share of the largest value.
    fn difference(got: &[f64], expected: &[f64]) -> f64 {
        assert_eq!(got.len(), expected.len());
        let most = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        got.iter().zip(expected).fold(0.0f64, |m, (a, b)| m.max((a - b).abs())) / most
    }

    fn stream() -> Stream {
        Stream::new(1, "preprocess")
    }

    fn config(transform: TargetTransform, residual: bool) -> PreprocessConfig {
        PreprocessConfig { target_transform: transform, predict_residual: residual, ..PreprocessConfig::default() }
    }

    fn preprocess(components: &Components, noise: Option<f64>, config: PreprocessConfig) -> Preprocess {
        let layer = PcaLayer::new(&Projector::new(components), &Device::flex()).unwrap();
        Preprocess::new(layer, noise, config).unwrap()
    }

    /// Foregrounds 10^6 times the signal: the reference projects in f32 and has 20 % of rounding in what is left, so
    /// that its `x` is compared at the size of what it took out, and with an f64 projection at 1e-5 of what is left.
    /// Its `y` has no such loss.
    #[test]
    fn a_batch_is_that_of_the_reference() {
        let Some(folder) = golden() else { return };
        let [x, y] = ["vis_x.npy", "vis_y.npy"].map(|name| visibilities(&folder, name));
        let components = Pca::new(Modes::Count(4)).fit(&x, AxisKind::Frequency).unwrap();
        let exact: Cube<Complex<f64>> = x.map(|v| Complex::new(v.re.into(), v.im.into()));
        let exact = Projector::new(&components).apply(&exact).unwrap();
        let foregrounds = x.values().iter().fold(0.0f64, |m, v| m.max(f64::from(v.norm()))) * 1e5;
        for (tag, transform, residual) in
            [("linear", TargetTransform::Linear, false), ("arcsinh_residual", TargetTransform::Arcsinh, true)]
        {
            let preprocess = preprocess(&components, None, config(transform, residual));
            let Prepared { x: got_x, y: got_y } =
                preprocess.visibilities(tensor(&x), Some(tensor(&y)), 2, stream()).unwrap();
            let got_y = got_y.unwrap();
            assert_eq!(got_x.dims(), [4, 2, 16, 32, 8]);
            assert_eq!(got_y.dims(), got_x.dims());
            let got: Vec<f64> = values(got_x.clone());
            let sinh = |v: f64| if transform == TargetTransform::Arcsinh { v.sinh() } else { v };
            let expected = read(&folder, &format!("prep_x_{tag}.npy"));
            let off = got.iter().zip(&expected).fold(0.0f64, |m, (a, b)| m.max((sinh(*a) - sinh(*b)).abs()));
            assert!(off <= 1e-5 * foregrounds, "{tag}: {off}");
            let layout: Vec<Complex<f64>> = exact
                .permuted(&[AxisKind::Sample, AxisKind::RightAscension, AxisKind::Frequency, AxisKind::Baseline])
                .unwrap()
                .into_values();
            // [sky, chunk, part, right ascension, frequency, baseline]
            let chunk = 16 * 32 * 8;
            let in_order =
                layout.chunks(chunk).flat_map(|chunk| chunk.iter().map(|v| v.re).chain(chunk.iter().map(|v| v.im)));
            let forward = |v: f64| if transform == TargetTransform::Arcsinh { (1e5 * v).asinh() } else { 1e5 * v };
            let in_f64: Vec<f64> = in_order.map(forward).collect();
            assert!(difference(&got, &in_f64) < 1e-5, "{tag}: {}", difference(&got, &in_f64));
            // what was added to a residual does not count
            let whole =
                |y: Vec<f64>, x: &[f64]| if residual { y.iter().zip(x).map(|(y, x)| y + x).collect() } else { y };
            let expected_y = whole(read(&folder, &format!("prep_y_{tag}.npy")), &expected);
            let got_whole = whole(values(got_y.clone()), &got);
            assert!(difference(&got_whole, &expected_y) < 1e-5, "{tag}: {}", difference(&got_whole, &expected_y));
            // and back to the unit of the files
            let restored = values(preprocess.config().restore(got_y, got_x));
            let signal = values(
                Preprocess::new(
                    PcaLayer::empty(1, 32, &Device::flex()),
                    None,
                    PreprocessConfig { scale: 1.0, ..PreprocessConfig::default() },
                )
                .unwrap()
                .visibilities(tensor(&y), None, 2, stream())
                .unwrap()
                .x,
            );
            assert!(difference(&restored, &signal) < 1e-5, "{tag}: {}", difference(&restored, &signal));
        }
    }

    /// Skies of power laws without any file: `[baseline, frequency, right ascension]` of two skies.
    fn made() -> Cube<Complex<f32>> {
        let shape = [2, 3, 16, 8];
        let mut draws = vec![0.0f32; 2 * shape.iter().product::<usize>()];
        Stream::new(2, "made").fill_normal(&mut draws);
        let axes = KINDS.iter().zip(shape).map(|(&kind, len)| cupel_data::Axis::new(kind, len)).collect();
        let value = |i: usize| {
            let channel = (i / 8 % 16) as f32;
            let slope = (1.0 + 0.05 * channel).powf(-2.7) * 100.0 * (1.0 + (i % 8) as f32);
            Complex::new(slope + draws[2 * i], 0.5 * slope + draws[2 * i + 1])
        };
        Cube::new((0..draws.len() / 2).map(value).collect(), cupel_data::Axes::new(axes).unwrap()).unwrap()
    }

    #[test]
    fn chunks_of_the_loader_and_whole_files_become_the_same_batch() {
        let cube = made();
        let components = Pca::new(Modes::Count(2)).fit(&cube, AxisKind::Frequency).unwrap();
        let (split, len) = (2, 4);
        let whole = tensor(&cube);
        // [sky * chunk, part, right ascension, baseline, frequency], as the loader has it
        let chunks =
            whole.clone().reshape([2, 3, 16, split, len, 2]).permute([0, 3, 5, 4, 1, 2]).reshape([4, 2, len, 3, 16]);
        for layout in [NetworkLayout::RaFrequencyBaseline, NetworkLayout::BaselineRaFrequency] {
            let preprocess =
                preprocess(&components, None, PreprocessConfig { layout, ..config(TargetTransform::Arcsinh, true) });
            let a = preprocess.visibilities(whole.clone(), Some(whole.clone()), split, stream()).unwrap();
            let b = preprocess.chunks(chunks.clone(), Some(chunks.clone()), stream()).unwrap();
            let shape =
                if layout == NetworkLayout::RaFrequencyBaseline { [4, 2, len, 16, 3] } else { [4, 2, 3, len, 16] };
            assert_eq!((a.x.dims(), b.x.dims()), (shape, shape));
            assert!(difference(&values(a.x), &values(b.x)) < 1e-6);
            assert!(difference(&values(a.y.unwrap()), &values(b.y.unwrap())) < 1e-6);
        }
        let preprocess = preprocess(&components, None, PreprocessConfig::default());
        let error = preprocess.visibilities(whole, None, 3, stream()).unwrap_err().to_string();
        assert_eq!(error, "split = 3: expected a divisor of the 8 bins in right ascension");
    }

    #[test]
    fn noise_goes_into_the_input_only_and_repeats_with_its_stream() {
        let cube = made();
        let components = Pca::new(Modes::Count(0)).fit(&cube, AxisKind::Frequency).unwrap();
        let linear = PreprocessConfig { scale: 1.0, ..PreprocessConfig::default() };
        let [quiet, noisy] = [None, Some(0.5)].map(|noise| preprocess(&components, noise, linear.clone()));
        let run = |preprocess: &Preprocess, stream| {
            preprocess.visibilities(tensor(&cube), Some(tensor(&cube)), 2, stream).unwrap()
        };
        let (a, b, c) = (run(&quiet, stream()), run(&noisy, stream()), run(&noisy, stream().child(1)));
        assert_eq!(values(run(&noisy, stream()).x), values(b.x.clone()));
        assert_eq!(values(a.y.unwrap()), values(b.y.unwrap()));
        let added: Vec<f64> = values(b.x.clone()).iter().zip(values(a.x)).map(|(b, a)| b - a).collect();
        let deviation = (added.iter().map(|v| v * v).sum::<f64>() / added.len() as f64).sqrt();
        assert!((deviation / 0.5 - 1.0).abs() < 0.1, "{deviation}");
        assert_ne!(values(c.x), values(b.x));
        for wrong in [-1.0, f64::NAN] {
            let layer = PcaLayer::empty(1, 16, &Device::flex());
            assert!(Preprocess::new(layer, Some(wrong), linear.clone()).is_err());
        }
    }

    #[test]
    fn skies_have_one_part_and_frequency_last() {
        let cube = made().map(|v| v.re);
        let components = Pca::new(Modes::Count(1)).fit(&cube, AxisKind::Frequency).unwrap();
        let preprocess = preprocess(&components, None, PreprocessConfig::default());
        let x = Tensor::<4>::from_data(TensorData::new(cube.values().to_vec(), [2 * 3, 16, 4, 2]), &Device::flex());
        let prepared = preprocess.skies(x.clone(), None, stream()).unwrap();
        assert_eq!(prepared.x.dims(), [6, 1, 4, 2, 16]);
        assert!(prepared.y.is_none());
        let order = [AxisKind::Sample, AxisKind::Baseline, AxisKind::RightAscension, AxisKind::Frequency];
        let expected = Projector::new(&components).apply(&cube).unwrap().permuted(&order).unwrap();
        let expected: Vec<f64> = expected.values().iter().map(|&v| 1e5 * f64::from(v)).collect();
        assert!(difference(&values(prepared.x), &expected) < 1e-5);
    }
}
