//! The type of numbers that a model computes with.
//!
//! Weights, optimiser state, losses, normalisation and reductions stay f32; only what is multiplied in bulk is cast down
//! (P. Micikevicius et al., "Mixed Precision Training", ICLR 2018, arXiv 1710.03740). The cast is part of the model: every
//! parameter keeps its f32 base, which the optimiser updates, and hands out a cast copy.

use crate::{Error, Result, device};
use burn::{
    module::{Module, ModuleVisitor, Param, ParamId, Reparameterization, Reparameterizer},
    tensor::{DType, Device, FloatDType, Tensor},
};
use cupel_settings::choices;
use std::{borrow::Cow, collections::HashSet};

choices! {
    /// The type of numbers asked for.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Precision {
        /// What the device has and the size of the work repays; f32 on every CPU.
        Auto = "auto" | "true",
        /// 32-bit floats throughout.
        F32 = "f32" | "fp32" | "float32" | "false" | "no",
        /// bfloat16 where it is safe: the range of f32 with 8 bits of precision.
        Bf16 = "bf16" | "bfloat16",
        /// Half floats where it is safe, with a loss scaler: 11 bits of precision, a narrow range.
        Fp16 = "fp16" | "f16" | "float16" | "half",
    }
}

/// How large the work is, for [`Precision::Auto`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Values in the largest tensor of one step.
    pub elements: usize,
    /// From how many on reduced precision is faster for this kind of model.
    pub reduced_precision_pays_from: usize,
}

/// A precision that the device has.
#[derive(Clone, Debug, PartialEq)]
pub struct Casting {
    compute: FloatDType,
    reason: Cow<'static, str>,
}

impl Precision {
    /// Decides what `device` computes with.
    ///
    /// # Errors
    /// [`Error::PrecisionAbsent`] where the device does not compute with what was asked for.
    pub fn resolve(self, device: &Device, work: Work) -> Result<Casting> {
        let has = |dtype: FloatDType| device.supports_dtype(dtype);
        let (compute, reason) = match self {
            Self::F32 => (FloatDType::F32, Cow::Borrowed("asked for")),
            Self::Bf16 | Self::Fp16 => {
                let dtype = if self == Self::Bf16 { FloatDType::BF16 } else { FloatDType::F16 };
                if !has(dtype) {
                    let names = [(FloatDType::F32, "f32"), (FloatDType::BF16, "bf16"), (FloatDType::F16, "fp16")];
                    let there: Vec<&str> = names.into_iter().filter(|(d, _)| has(*d)).map(|(_, name)| name).collect();
                    return Err(Error::PrecisionAbsent { asked: self.name(), there: there.join(", ") });
                }
                (dtype, Cow::Borrowed("asked for"))
            }
            Self::Auto if device::is_cpu(device) => {
                (FloatDType::F32, Cow::Borrowed("auto: a CPU gains nothing from fewer bits"))
            }
            Self::Auto if work.elements < work.reduced_precision_pays_from => {
                let Work { elements, reduced_precision_pays_from: from } = work;
                let reason = format!("auto: {elements} values a tensor, fewer bits pay from {from}");
                (FloatDType::F32, Cow::Owned(reason))
            }
            Self::Auto if has(FloatDType::BF16) => {
                (FloatDType::BF16, Cow::Borrowed("auto: the work is large and the device has bf16"))
            }
            Self::Auto => (FloatDType::F32, Cow::Borrowed("auto: the device has no bf16")),
        };
        Ok(Casting { compute, reason })
    }
}

impl Casting {
    /// Everything in f32.
    pub fn f32() -> Self {
        Self { compute: FloatDType::F32, reason: Cow::Borrowed("default") }
    }

    /// The type that the bulk of the work is done in.
    pub fn compute(&self) -> FloatDType {
        self.compute
    }

    /// `f32`, `bf16` or `fp16`.
    pub fn name(&self) -> &'static str {
        match self.compute {
            FloatDType::BF16 => "bf16",
            FloatDType::F16 => "fp16",
            _ => "f32",
        }
    }

    /// Why this one.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether gradients need a [`LossScaler`](crate::LossScaler).
    pub fn needs_scaling(&self) -> bool {
        self.compute == FloatDType::F16
    }

    /// Makes the parameters of `model` hand out cast copies, but for those of normalisation layers.
    ///
    /// A layer normalises where its type is named `*Norm`, as all of Burn's are. The forward pass runs such a layer
    /// through [`full`].
    pub fn prepare<M: Module>(&self, model: M) -> M {
        if self.compute == FloatDType::F32 {
            return model;
        }
        let mut norms = NormParameters::default();
        model.visit(&mut norms);
        model.apply_reparameterization(CastDown { to: Target(self.compute), except: norms.found })
    }

    /// Casts an input of the model.
    pub fn low<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        if x.dtype() == DType::from(self.compute) { x } else { x.cast(self.compute) }
    }
}

/// Runs `f` in f32 and returns in the type of `x`: for normalisation, softmax, FFT and sums.
pub fn full<const D: usize, const R: usize>(x: Tensor<D>, f: impl FnOnce(Tensor<D>) -> Tensor<R>) -> Tensor<R> {
    let dtype = x.dtype();
    if dtype == DType::F32 {
        return f(x);
    }
    f(x.cast(FloatDType::F32)).cast(dtype)
}

/// Finds the parameters of normalisation layers by the names of the types that hold them.
#[derive(Default)]
struct NormParameters {
    containers: Vec<bool>,
    found: HashSet<ParamId>,
}

impl ModuleVisitor for NormParameters {
    fn enter_module(&mut self, _: &str, container_type: &str) {
        self.containers.push(container_type.ends_with("Norm"));
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.containers.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.containers.iter().any(|norm| *norm) {
            self.found.insert(param.id);
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Target(FloatDType);

/// What a parameter of a prepared model carries.
#[derive(Module, Debug)]
struct Cast {
    #[module(skip)]
    to: Target,
}

impl Reparameterization for Cast {
    const NAME: &'static str = "cast";

    fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        base.cast(self.to.0)
    }
}

struct CastDown {
    to: Target,
    except: HashSet<ParamId>,
}

impl Reparameterizer for CastDown {
    type Reparam = Cast;

    fn reparameterize<const D: usize>(&mut self, _: &str, param: Param<Tensor<D>>) -> (Param<Tensor<D>>, Option<Cast>) {
        let cast = (!self.except.contains(&param.id)).then_some(Cast { to: self.to });
        (param, cast)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    const LARGE: Work = Work { elements: 1 << 30, reduced_precision_pays_from: 1 << 20 };

    #[test]
    fn auto_is_f32_on_a_cpu_and_says_why() {
        let casting = Precision::Auto.resolve(&Device::flex(), LARGE).unwrap();
        assert_eq!(casting.name(), "f32");
        assert!(casting.reason().contains("CPU"), "{}", casting.reason());
        assert!(!casting.needs_scaling());
    }

    #[test]
    fn what_was_asked_for_is_what_is_used() {
        for (precision, name) in [(Precision::F32, "f32"), (Precision::Bf16, "bf16"), (Precision::Fp16, "fp16")] {
            let casting = precision.resolve(&Device::flex().autodiff(), LARGE).unwrap();
            assert_eq!((casting.name(), casting.needs_scaling()), (name, name == "fp16"));
        }
        let none = Error::PrecisionAbsent { asked: "bf16", there: "f32, fp16".into() }.to_string();
        assert!(none.contains("precision bf16") && none.contains("it has: f32, fp16"), "{none}");
    }

    #[test]
    fn precisions_have_the_names_that_people_use() {
        for precision in [Precision::F32, Precision::Bf16, Precision::Fp16, Precision::Auto] {
            assert_eq!(precision.to_string().parse::<Precision>().unwrap(), precision);
        }
        assert_eq!("true".parse::<Precision>().unwrap(), Precision::Auto);
        assert_eq!("False".parse::<Precision>().unwrap(), Precision::F32);
        assert_eq!("half".parse::<Precision>().unwrap(), Precision::Fp16);
        assert!("f8".parse::<Precision>().unwrap_err().to_string().contains("auto, f32, bf16, fp16"));
    }

    #[test]
    fn only_normalisation_keeps_its_parameters_in_f32() {
        #[derive(Module, Debug)]
        struct Net {
            linear: burn::nn::Linear,
            norm: burn::nn::LayerNorm,
        }
        let device = Device::flex();
        let net = Net {
            linear: burn::nn::LinearConfig::new(3, 4).init(&device),
            norm: burn::nn::LayerNormConfig::new(4).init(&device),
        };
        let low = Precision::Bf16.resolve(&device, LARGE).unwrap();
        let net = low.prepare(net);
        assert_eq!(net.linear.weight.val().dtype(), DType::BF16);
        assert_eq!(net.linear.weight.base().dtype(), DType::F32);
        assert_eq!(net.norm.gamma.val().dtype(), DType::F32);
        let x = low.low(Tensor::<2>::ones([2, 3], &device));
        let y = full(net.linear.forward(x), |h| net.norm.forward(h));
        assert_eq!((y.dtype(), y.dims()), (DType::BF16, [2, 4]));
    }
}
