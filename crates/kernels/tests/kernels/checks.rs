//! What holds for every operation, whatever it computes.
//!
//! An [`Operation`] is the public function and its reference as functions of flat tensors, so that one list of checks serves
//! inputs of any number and rank. The closures reshape what they get.

use burn::tensor::{DType, Device, Tensor, TensorData};
use cupel_data::Stream;
use cupel_kernels::set_own_kernels;
use cupel_train::device;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{PoisonError, RwLock, RwLockReadGuard},
};

/// A function of flat tensors.
pub type Function = Box<dyn Fn(&[Tensor<1>]) -> Vec<Tensor<1>> + Send + Sync>;

/// An operation on inputs of one shape.
pub struct Operation {
    name: String,
    inputs: Vec<Vec<f64>>,
    own: Function,
    reference: Function,
}

/// Largest error of an f32 result as a share of the largest value of the tensor.
const TOLERANCE: f64 = 2e-5;
/// The same in f16 and bf16, whose inputs and results are rounded: two roundings of the largest value.
const LOW_TOLERANCE: [(DType, f64); 2] = [(DType::F16, 2e-3), (DType::BF16, 1.6e-2)];
/// The same in f64, where bodies in f64 differ from the reference by the order of additions only.
const F64_TOLERANCE: f64 = 1e-12;
/// Largest error of a finite difference in f64 as a share of the largest derivative.
const DIFFERENCE_TOLERANCE: f64 = 1e-6;
/// Entries of an input whose derivative is checked.
const SAMPLED: usize = 24;

impl Operation {
    /// An operation on inputs of `lengths`, which are standard normal.
    pub fn new(
        name: impl Into<String>,
        lengths: &[usize],
        own: impl Fn(&[Tensor<1>]) -> Vec<Tensor<1>> + Send + Sync + 'static,
        reference: impl Fn(&[Tensor<1>]) -> Vec<Tensor<1>> + Send + Sync + 'static,
    ) -> Self {
        let name = name.into();
        let stream = Stream::new(0, &name);
        let inputs = lengths.iter().enumerate().map(|(i, &length)| normal(stream.child(i as u64), length)).collect();
        Self { name, inputs, own: Box::new(own), reference: Box::new(reference) }
    }

    /// Replaces input `index`, where normal numbers will not do.
    pub fn with_input(mut self, index: usize, values: Vec<f64>) -> Self {
        self.inputs[index] = values;
        self
    }

    /// Every check, on every device.
    ///
    /// # Panics
    /// Where one fails.
    pub fn passes(&self) {
        let _on = own_kernels_stay();
        for (name, device) in devices() {
            for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
                // SPIR-V's exponential, logarithm and root take 16 and 32 bits alone: f64 is for processors.
                if device.supports_dtype(dtype) && (dtype != DType::F64 || device::is_cpu(&device)) {
                    self.agrees(&name, &device, dtype);
                }
            }
            self.has_the_gradient_of_the_reference(&name, &device);
        }
        let cpu = cpu();
        self.has_the_derivative_as_gradient(&cpu);
        self.gives_the_same_bits_on_one_thread_and_two(&cpu);
    }

    fn tolerance(dtype: DType, device: &Device) -> f64 {
        // Burn's kernels of GPUs add in the dtype itself.
        let low = LOW_TOLERANCE.iter().find(|(low, _)| *low == dtype);
        let sums = if device::is_cpu(device) { 1.0 } else { 4.0 };
        match dtype {
            DType::F64 if *device == cpu() => F64_TOLERANCE,
            DType::F64 => TOLERANCE, // ndarray computes some functions of f64 in f32
            _ => low.map_or(TOLERANCE, |(_, tolerance)| sums * tolerance),
        }
    }

    fn tensors(&self, device: &Device, dtype: DType) -> Vec<Tensor<1>> {
        self.inputs.iter().map(|input| tensor(input, device, dtype)).collect()
    }

    /// The operation agrees with its reference in f64, of inputs that are rounded alike, and keeps the dtype.
    fn agrees(&self, name: &str, device: &Device, dtype: DType) {
        let inputs = self.tensors(device, dtype);
        let rounded: Vec<_> = inputs.iter().map(|x| tensor(&values(x), &cpu(), DType::F64)).collect();
        let expected = (self.reference)(&rounded);
        let got = (self.own)(&inputs);
        assert_eq!(got.len(), expected.len(), "{}: number of results", self.name);
        for (i, got) in got.iter().enumerate() {
            assert_eq!(got.dtype(), dtype, "{} on {name}: dtype of result {i}", self.name);
        }
        let [got, expected] = [got, expected].map(|results| results.iter().map(values).collect::<Vec<_>>());
        let what = |i| format!("{}: result {i} in {dtype:?} on {name}", self.name);
        all_close(what, &got, &expected, Self::tolerance(dtype, device));
    }

    /// The gradient of a random combination of the results in f32 is that of the reference in f64.
    fn has_the_gradient_of_the_reference(&self, name: &str, device: &Device) {
        let got = self.gradients(&self.own, device, DType::F32);
        let expected = self.gradients(&self.reference, &cpu(), DType::F64);
        all_close(|i| format!("{}: gradient of input {i} on {name}", self.name), &got, &expected, TOLERANCE);
    }

    /// The gradient of the reference in f64 is what finite differences say, and so is the operation's own in f64.
    fn has_the_derivative_as_gradient(&self, device: &Device) {
        let own = self.gradients(&self.own, device, DType::F64);
        let reference = self.gradients(&self.reference, device, DType::F64);
        all_close(|i| format!("{}: gradient of input {i} in F64", self.name), &own, &reference, F64_TOLERANCE);
        for (i, gradient) in reference.iter().enumerate() {
            let scale = gradient.iter().fold(0.0f64, |scale, g| scale.max(g.abs()));
            let count = self.inputs[i].len();
            if count == 0 {
                continue;
            }
            for entry in (0..count).step_by(count.div_ceil(SAMPLED)) {
                let step = 1e-5 * self.inputs[i][entry].abs().max(1.0);
                let moved = |by: f64| {
                    let mut inputs = self.inputs.clone();
                    inputs[i][entry] += by;
                    let inputs: Vec<_> = inputs.iter().map(|input| tensor(input, device, DType::F64)).collect();
                    self.combination(&(self.reference)(&inputs))
                };
                let difference = (moved(step) - moved(-step)) / (2.0 * step);
                assert!(
                    (difference - gradient[entry]).abs() <= DIFFERENCE_TOLERANCE * scale.max(1.0),
                    "{}: the gradient of input {i} at {entry} is {}, finite differences give {difference}",
                    self.name,
                    gradient[entry]
                );
            }
        }
    }

    fn gives_the_same_bits_on_one_thread_and_two(&self, device: &Device) {
        let bits = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let results = (self.own)(&self.tensors(device, DType::F32));
                let mut bits: Vec<Vec<f64>> = results.iter().map(values).collect();
                bits.extend(self.gradients(&self.own, device, DType::F32));
                bits
            })
        };
        let one = bits(1);
        for repetition in 0..3 {
            for (i, (one, two)) in one.iter().zip(bits(2)).enumerate() {
                let same = one.iter().zip(&two).all(|(one, two)| one.to_bits() == two.to_bits());
                assert!(same, "{}: tensor {i} differs at 2 threads, repetition {repetition}", self.name);
            }
        }
    }

    /// With own kernels off the operation is its reference to the last bit.
    ///
    /// # Panics
    /// Where it is not.
    pub fn is_its_reference_when_off(&self) {
        let inputs = self.tensors(&cpu(), DType::F32);
        for (got, expected) in without_own_kernels(|| (self.own)(&inputs)).iter().zip((self.reference)(&inputs)) {
            let (got, expected) = (values(got), values(&expected));
            let same = got.iter().zip(&expected).all(|(got, expected)| got.to_bits() == expected.to_bits());
            assert!(same && got.len() == expected.len(), "{}: something else than the reference ran", self.name);
        }
    }

    /// The random combination of results that gradients are taken of.
    fn combination(&self, results: &[Tensor<1>]) -> f64 {
        let weights = (0..).map(|i| normal(Stream::new(1, &self.name).child(i), results[i as usize].dims()[0]));
        let terms = results.iter().zip(weights).map(|(result, weights)| {
            values(result).iter().zip(weights).map(|(value, weight)| value * weight).sum::<f64>()
        });
        terms.sum()
    }

    fn gradients(&self, function: &Function, device: &Device, dtype: DType) -> Vec<Vec<f64>> {
        let device = device.clone().autodiff();
        let inputs: Vec<_> = self.tensors(&device, dtype).into_iter().map(Tensor::require_grad).collect();
        let results = function(&inputs);
        let mut loss = Tensor::<1>::zeros([1], (&device, dtype));
        for (i, result) in results.into_iter().enumerate() {
            let weights = normal(Stream::new(1, &self.name).child(i as u64), result.dims()[0]);
            loss = loss + (result * tensor(&weights, &device, dtype)).sum();
        }
        let gradients = loss.backward();
        let gradient = |(i, input): (usize, &Tensor<1>)| match input.grad(&gradients) {
            Some(gradient) => values(&gradient),
            None if self.inputs[i].is_empty() => Vec::new(),
            None => panic!("{}: input {i} has no gradient", self.name),
        };
        inputs.iter().enumerate().map(gradient).collect()
    }
}

static SWITCH: RwLock<()> = RwLock::new(());

/// Own kernels stay on until the guard is dropped: the switch belongs to the whole process, and tests run side by side.
pub fn own_kernels_stay() -> RwLockReadGuard<'static, ()> {
    SWITCH.read().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `f` with own kernels off.
pub fn without_own_kernels<T>(f: impl FnOnce() -> T) -> T {
    let _alone = SWITCH.write().unwrap_or_else(PoisonError::into_inner);
    set_own_kernels(false);
    let result = catch_unwind(AssertUnwindSafe(f));
    set_own_kernels(true);
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Every compiled device that passes the probe.
pub fn devices() -> Vec<(String, Device)> {
    let select = |kind| match device::select(kind) {
        Ok(selected) => Some((selected.name, selected.device)),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    };
    device::compiled().filter_map(select).collect()
}

/// The CPU.
pub fn cpu() -> Device {
    device::select("cpu").unwrap().device
}

/// Standard normal values.
pub fn normal(stream: Stream, length: usize) -> Vec<f64> {
    let mut values = vec![0.0; length];
    stream.fill_normal_f64(&mut values);
    values
}

/// A flat tensor of `values`.
pub fn tensor(values: &[f64], device: &Device, dtype: DType) -> Tensor<1> {
    Tensor::<1>::from_data(TensorData::new(values.to_vec(), [values.len()]), (device, DType::F64)).cast(dtype)
}

/// The values of any tensor.
pub fn values<const D: usize>(x: &Tensor<D>) -> Vec<f64> {
    x.clone().into_data().convert::<f64>().try_to_vec().unwrap()
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| value.abs().max(largest))
}

/// Each tensor is close to the expected one; what is a thousand times smaller than another tensor counts as no larger.
fn all_close(what: impl Fn(usize) -> String, got: &[Vec<f64>], expected: &[Vec<f64>], tolerance: f64) {
    let floor = 1e-3 * expected.iter().map(|expected| largest(expected)).fold(0.0, f64::max);
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        within(&what(i), got, expected, tolerance, floor);
    }
}

/// Every value is within `tolerance` times the largest expected one.
///
/// # Panics
/// Where one is not.
pub fn close(what: &str, got: &[f64], expected: &[f64], tolerance: f64) {
    within(what, got, expected, tolerance, 0.0);
}

fn within(what: &str, got: &[f64], expected: &[f64], tolerance: f64, floor: f64) {
    assert_eq!(got.len(), expected.len(), "{what}: number of values");
    let scale = largest(expected).max(floor).max(f64::MIN_POSITIVE);
    let error = |(_, (got, expected)): &(usize, (&f64, &f64))| (*got - *expected).abs();
    let worst = got.iter().zip(expected).enumerate().max_by(|a, b| error(a).total_cmp(&error(b)));
    if let Some((index, (got, expected))) = worst {
        let share = (got - expected).abs() / scale;
        assert!(share <= tolerance, "{what}: {got} at {index}, expected {expected}: {share:.2e} of the largest value");
    }
}

/// `f` panics with this text.
///
/// # Panics
/// Where it does not.
pub fn panics<T>(text: &str, f: impl FnOnce() -> T) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(f)) else { panic!("expected the panic {text:?}") };
    let got = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    assert_eq!(got, Some(text));
}
