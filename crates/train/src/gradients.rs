//! Operations on all gradients of a module: their norm, clipping, scaling, and whether they are finite.
//!
//! Parameters are taken in the order of the module's fields, never by their ids, which differ from process to process.

use crate::device::is_cpu;
use burn::{
    module::{Module, ModuleVisitor, Param},
    optim::GradientsParams,
    tensor::Tensor,
};
use cupel_kernels::{sum_fixed, sum_squares_fixed};

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
        self.values.push(match self.measure {
            Measure::Sum => sum_fixed(gradient),
            Measure::Squares => sum_squares_fixed(gradient),
        });
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
    if !is_cpu(&factor.device()) {
        return scale_by(module, gradients, factor);
    }
    // reading a number costs nothing here, and mostly there is nothing to do
    scale(module, gradients, factor.into_scalar::<f64>())
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
