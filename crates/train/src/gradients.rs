//! Operations on all gradients of a module: their norm, clipping, scaling, and whether they are finite.
//!
//! Parameters are taken in the order of the module's fields, never by their ids, which differ from process to process.

use burn::{
    module::{Module, ModuleVisitor, Param},
    optim::GradientsParams,
    tensor::Tensor,
};

/// From this many values on, Burn's CPU sum splits the work as threads are free, so that its rounding varies.
const FIXED_ORDER_FROM: usize = 1 << 20;
const ROW: usize = 1024;

/// The sum of all values, in an order that does not depend on threads.
pub fn fixed_order_sum<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let count = x.shape().num_elements();
    if count < FIXED_ORDER_FROM {
        return x.sum();
    }
    let flat = x.reshape([count]);
    let rows = count / ROW;
    let sum = fixed_order_sum(flat.clone().narrow(0, 0, rows * ROW).reshape([rows, ROW]).sum_dim(1));
    if rows * ROW == count { sum } else { sum + flat.narrow(0, rows * ROW, count - rows * ROW).sum() }
}

/// What [`measure`] computes of each gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// The sum: finite where all values are, and cheap.
    Sum,
    /// The sum of squares.
    Squares,
}

/// One number of every gradient of `module` as one tensor, with the paths of their parameters.
pub(crate) fn measure<M: Module>(module: &M, gradients: &GradientsParams, measure: Measure) -> Measured {
    let mut visitor = Measuring { gradients, measure, path: Vec::new(), paths: Vec::new(), values: Vec::new() };
    module.visit(&mut visitor);
    Measured { paths: visitor.paths, values: visitor.values }
}

/// The result of [`measure`], still on the device.
pub(crate) struct Measured {
    pub(crate) paths: Vec<String>,
    values: Vec<Tensor<1>>,
}

impl Measured {
    /// Their sum; `None` where no parameter has a gradient.
    pub(crate) fn total(&self) -> Option<Tensor<1>> {
        (!self.values.is_empty()).then(|| Tensor::cat(self.values.clone(), 0).sum())
    }

    /// Path of the first parameter whose gradient is not finite.
    pub(crate) fn first_not_finite(&self) -> Option<&str> {
        self.finite().iter().position(|finite| !finite).map(|at| self.paths[at].as_str())
    }

    /// Path of the last one: the backward pass comes by it first, so that its module is where the trouble began.
    pub(crate) fn last_not_finite(&self) -> Option<&str> {
        self.finite().iter().rposition(|finite| !finite).map(|at| self.paths[at].as_str())
    }

    fn finite(&self) -> Vec<bool> {
        if self.values.is_empty() {
            return Vec::new();
        }
        // a device that cannot be read has no finite values to offer
        match Tensor::cat(self.values.clone(), 0).try_into_data() {
            Ok(values) => values.iter::<f32>().map(f32::is_finite).collect(),
            Err(_) => vec![false; self.values.len()],
        }
    }
}

struct Measuring<'a> {
    gradients: &'a GradientsParams,
    measure: Measure,
    path: Vec<String>,
    paths: Vec<String>,
    values: Vec<Tensor<1>>,
}

impl ModuleVisitor for Measuring<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = self.gradients.get::<D>(param.id) else {
            return;
        };
        let values = match self.measure {
            Measure::Sum => gradient,
            Measure::Squares => gradient.clone() * gradient,
        };
        self.values.push(fixed_order_sum(values));
        self.paths.push(self.path.join("."));
    }
}

/// Multiplies all gradients by one factor that is on the device.
pub(crate) fn scale_by<M: Module>(module: &M, gradients: GradientsParams, factor: Tensor<1>) -> GradientsParams {
    let mut visitor = Mapping { gradients, map: Map::ScaleBy(Box::new(factor)) };
    module.visit(&mut visitor);
    visitor.gradients
}

/// Multiplies all gradients by a number; 1 changes no bit.
pub(crate) fn scale<M: Module>(module: &M, gradients: GradientsParams, factor: f64) -> GradientsParams {
    if factor == 1.0 {
        return gradients;
    }
    let mut visitor = Mapping { gradients, map: Map::Scale(factor) };
    module.visit(&mut visitor);
    visitor.gradients
}

/// Limits every value to `-most..=most`.
pub(crate) fn clip_values<M: Module>(module: &M, gradients: GradientsParams, most: f64) -> GradientsParams {
    let mut visitor = Mapping { gradients, map: Map::Clamp(most) };
    module.visit(&mut visitor);
    visitor.gradients
}

/// Scales all gradients down where their joint Euclidean norm, the root of `squares`, exceeds `most`
/// (R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks", ICML 2013).
pub(crate) fn clip_norm<M: Module>(
    module: &M,
    gradients: GradientsParams,
    squares: Tensor<1>,
    most: f64,
) -> GradientsParams {
    let factor = squares.sqrt().div_scalar(most).clamp_min(1.0).recip();
    scale_by(module, gradients, factor)
}

enum Map {
    Scale(f64),
    ScaleBy(Box<Tensor<1>>),
    Clamp(f64),
}

struct Mapping {
    gradients: GradientsParams,
    map: Map,
}

impl ModuleVisitor for Mapping {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else {
            return;
        };
        let gradient = match &self.map {
            Map::Scale(factor) => gradient.mul_scalar(*factor),
            Map::ScaleBy(factor) => gradient * (**factor).clone().reshape([1; D]),
            Map::Clamp(most) => gradient.clamp(-most, *most),
        };
        self.gradients.register(param.id, gradient);
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn long_sums_are_the_same_every_time_and_right() {
        let count = (1 << 22) + 1234;
        let mut values = vec![0.0f32; count];
        cupel_data::Stream::new(1, "sum").fill_uniform(&mut values);
        let exact: f64 = values.iter().map(|v| f64::from(*v)).sum();
        let x = Tensor::<1>::from_data(TensorData::new(values, [count]), &Device::flex());
        let sums: Vec<f32> = (0..20).map(|_| fixed_order_sum(x.clone()).into_scalar()).collect();
        assert!(sums.iter().all(|sum| sum.to_bits() == sums[0].to_bits()), "{sums:?}");
        assert!((f64::from(sums[0]) / exact - 1.0).abs() < 1e-5);
        let square = x.clone().narrow(0, 0, 1 << 22).reshape([1 << 11, 1 << 11]);
        assert!((fixed_order_sum(square).into_scalar::<f64>() - exact).abs() < 1000.0);
    }
}
