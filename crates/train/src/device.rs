//! Which device computes, and whether it really does.
//!
//! Burn chooses among the backends that are *compiled in*, not among those that work on this machine. Here a device is
//! only taken after one gradient step on it gave the right numbers.
//!
//! Parts of Burn ask for `Device::default()`, which the environment variable `BURN_DEVICE` decides. A process cannot set
//! it safely for itself once it runs; start the program with `BURN_DEVICE=flex` where a build with GPU backends must not
//! touch them.

use crate::{Error, Result};
use burn::tensor::{DType, Device, Tensor, TensorData};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    thread,
    time::Duration,
};

/// Enough for a driver to start and for the first kernels to be compiled and tuned.
const PROBE_LIMIT: Duration = Duration::from_secs(120);
/// Compilers of kernels recurse deeply.
const PROBE_STACK_BYTES: usize = 16 << 20;
/// The probe's numbers are short binary fractions: even a device that multiplies in reduced precision gets them right.
const PROBE_TOLERANCE: f64 = 1e-5;

/// A device that passed the probe.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The device, without automatic differentiation.
    pub device: Device,
    /// As it can be asked for, with the name of the hardware where it is known: `cuda:0 (NVIDIA H100)`.
    pub name: String,
    /// Why this one.
    pub reason: String,
}

/// What became of one device, or of one backend without devices.
#[derive(Clone, Debug)]
pub struct DeviceReport {
    /// As in [`Selected::name`].
    pub name: String,
    /// Whether it passed the probe.
    pub works: bool,
    /// Why not.
    pub why_not: Option<String>,
    /// Types of numbers that it computes with, of f32, f16, bf16 and f64.
    pub dtypes: Vec<&'static str>,
}

/// The backends in the order in which `auto` tries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Cuda,
    Vulkan,
    Wgpu,
    Flex,
    NdArray,
}

struct Candidate {
    device: Device,
    /// `cuda:0`.
    name: String,
    /// A GPU imitated on the CPU, which the CPU backends do better.
    software: bool,
}

/// Chooses a device: `auto`, `cpu`, `flex`, `ndarray`, `cuda`, `cuda:N`, `wgpu`, `wgpu:N`, `vulkan` or `vulkan:N`.
///
/// `auto` takes the first GPU that passes the probe, else the CPU, and says why; `cpu` is flex where it is compiled in,
/// else ndarray. `N` counts as in [`doctor`]. The probe creates tensors, which fixes the device's default types of
/// numbers for the life of the process (Burn's `Device::configure`).
///
/// # Errors
/// [`Error::UnknownDevice`] for any other text, [`Error::NotCompiled`], [`Error::DeviceAbsent`] and [`Error::NoBackend`]
/// where the device is not there; nothing is ever taken in place of a device that was named.
pub fn select(request: &str) -> Result<Selected> {
    let text = request.trim().to_ascii_lowercase();
    if compiled().next().is_none() {
        return Err(Error::NoBackend);
    }
    if text == "auto" {
        return select_first(&Kind::ALL);
    }
    if text == "cpu" {
        return select_first(&[Kind::Flex, Kind::NdArray]);
    }
    let unknown = || Error::UnknownDevice {
        request: request.to_string(),
    };
    let (name, index) = match text.split_once(':') {
        None => (text.as_str(), None),
        Some((name, index)) => (name, Some(index.parse::<usize>().map_err(|_| unknown())?)),
    };
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| kind.name() == name)
        .ok_or_else(unknown)?;
    if kind.is_cpu() && index.is_some() {
        return Err(unknown());
    }
    select_named(request, kind, index)
}

/// Probes every device of every compiled backend.
pub fn doctor() -> Vec<DeviceReport> {
    let mut reports = Vec::new();
    let failed = |name, why: String| DeviceReport {
        name,
        works: false,
        why_not: Some(why),
        dtypes: Vec::new(),
    };
    for kind in Kind::ALL.into_iter().filter(|kind| kind.compiled()) {
        match kind.candidates() {
            Err(why) => reports.push(failed(kind.name().to_string(), why)),
            Ok(found) => {
                reports.extend(found.into_iter().map(|candidate| match candidate.probe() {
                    Err(why) => failed(candidate.name, why),
                    Ok(()) => DeviceReport {
                        dtypes: candidate.dtypes(),
                        name: candidate.full_name(),
                        works: true,
                        why_not: None,
                    },
                }))
            }
        }
    }
    reports
}

/// The names of the backends in this build.
pub fn compiled() -> impl Iterator<Item = &'static str> {
    Kind::ALL
        .into_iter()
        .filter(|kind| kind.compiled())
        .map(Kind::name)
}

fn select_first(kinds: &[Kind]) -> Result<Selected> {
    let mut reasons = Vec::new();
    for kind in kinds {
        if !kind.compiled() {
            reasons.push(format!("{}: built without this feature", kind.name()));
            continue;
        }
        match kind.candidates() {
            Err(why) => reasons.push(format!("{}: {why}", kind.name())),
            Ok(found) => {
                for candidate in found {
                    if candidate.software {
                        reasons.push(format!("{}: a GPU imitated on the CPU", candidate.name));
                        continue;
                    }
                    match candidate.probe() {
                        Err(why) => reasons.push(format!("{}: {why}", candidate.name)),
                        Ok(()) => {
                            let mut reason = "first device that passed the probe".to_string();
                            if !reasons.is_empty() {
                                reason += &format!(" ({})", reasons.join("; "));
                            }
                            return Ok(candidate.selected(reason));
                        }
                    }
                }
            }
        }
    }
    Err(Error::NoDevice {
        reasons: reasons.join("; "),
    })
}

fn select_named(request: &str, kind: Kind, index: Option<usize>) -> Result<Selected> {
    if !kind.compiled() {
        return Err(Error::NotCompiled {
            request: request.to_string(),
            kind: kind.name(),
            compiled: compiled().collect::<Vec<_>>().join(", "),
        });
    }
    let absent = |reason: String, found: &str| {
        let found = if found.is_empty() { "none" } else { found }.to_string();
        Error::DeviceAbsent {
            request: request.to_string(),
            reason,
            found,
        }
    };
    let mut candidates = kind.candidates().map_err(|why| absent(why, ""))?;
    let names: Vec<_> = candidates
        .iter()
        .map(|candidate| candidate.name.clone())
        .collect();
    let names = names.join(", ");
    let index = index.unwrap_or_else(|| {
        candidates
            .iter()
            .position(|candidate| !candidate.software)
            .unwrap_or(0)
    });
    if index >= candidates.len() {
        return Err(absent(
            "there is no device of this number".to_string(),
            &names,
        ));
    }
    let candidate = candidates.swap_remove(index);
    candidate.probe().map_err(|why| absent(why, &names))?;
    Ok(candidate.selected("asked for, and passed the probe".to_string()))
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Cuda,
        Self::Vulkan,
        Self::Wgpu,
        Self::Flex,
        Self::NdArray,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Vulkan => "vulkan",
            Self::Wgpu => "wgpu",
            Self::Flex => "flex",
            Self::NdArray => "ndarray",
        }
    }

    fn is_cpu(self) -> bool {
        matches!(self, Self::Flex | Self::NdArray)
    }

    fn compiled(self) -> bool {
        match self {
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Vulkan => cfg!(feature = "vulkan"),
            // Burn's vulkan feature brings wgpu along.
            Self::Wgpu => cfg!(any(feature = "wgpu", feature = "vulkan")),
            Self::Flex => cfg!(feature = "flex"),
            Self::NdArray => cfg!(feature = "ndarray"),
        }
    }

    /// The devices of this backend, or why there are none.
    fn candidates(self) -> std::result::Result<Vec<Candidate>, String> {
        let devices = guarded(PROBE_LIMIT, move || self.devices())?;
        let candidates: Vec<_> = devices
            .into_iter()
            .enumerate()
            .map(|(index, device)| Candidate {
                software: self.imitated(&device),
                name: match self.is_cpu() {
                    true => self.name().to_string(),
                    false => format!("{}:{index}", self.name()),
                },
                device,
            })
            .collect();
        if candidates.is_empty() {
            return Err(match self {
                Self::Cuda => "no NVIDIA driver or no NVIDIA GPU answered",
                _ => "no adapter answered",
            }
            .to_string());
        }
        // Burn's SPIR-V compiler, which the feature vulkan selects, ends the process on software renderers.
        if cfg!(feature = "vulkan") && candidates.iter().all(|candidate| candidate.software) {
            return Err("only a software renderer answered, which Burn's vulkan feature cannot use; build with wgpu instead".to_string());
        }
        Ok(candidates
            .into_iter()
            .filter(|candidate| !(cfg!(feature = "vulkan") && candidate.software))
            .collect())
    }

    fn devices(self) -> Vec<Device> {
        match self {
            #[cfg(feature = "cuda")]
            Self::Cuda => Device::enumerate(burn::tensor::DeviceType::Cuda).into_vec(),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Device::enumerate(burn::tensor::DeviceType::Vulkan).into_vec(),
            #[cfg(any(feature = "wgpu", feature = "vulkan"))]
            Self::Wgpu => Device::enumerate(burn::tensor::DeviceType::Wgpu).into_vec(),
            #[cfg(feature = "flex")]
            Self::Flex => vec![Device::flex()],
            #[cfg(feature = "ndarray")]
            #[allow(deprecated)] // Kept for as long as Burn ships it.
            Self::NdArray => vec![Device::ndarray()],
            #[allow(unreachable_patterns)] // With every feature on, nothing is left.
            _ => Vec::new(),
        }
    }

    #[cfg_attr(
        not(any(feature = "wgpu", feature = "vulkan")),
        allow(unused_variables)
    )]
    fn imitated(self, device: &Device) -> bool {
        match self {
            #[cfg(feature = "vulkan")]
            Self::Vulkan => *device == Device::vulkan(burn::tensor::DeviceKind::Cpu),
            #[cfg(any(feature = "wgpu", feature = "vulkan"))]
            Self::Wgpu => *device == Device::wgpu(burn::tensor::DeviceKind::Cpu),
            _ => false,
        }
    }
}

impl Candidate {
    fn probe(&self) -> std::result::Result<(), String> {
        let device = self.device.clone();
        guarded(PROBE_LIMIT, move || gradient_step(&device))?
    }

    fn dtypes(&self) -> Vec<&'static str> {
        let device = self.device.clone();
        let asked = move || {
            [
                ("f32", DType::F32),
                ("f16", DType::F16),
                ("bf16", DType::BF16),
                ("f64", DType::F64),
            ]
            .into_iter()
            .filter(|(_, dtype)| device.supports_dtype(*dtype))
            .map(|(name, _)| name)
            .collect()
        };
        guarded(PROBE_LIMIT, asked).unwrap_or_default()
    }

    fn full_name(&self) -> String {
        #[cfg(any(feature = "cuda", feature = "wgpu", feature = "vulkan"))]
        {
            let device = self.device.clone();
            if let Ok(Some(identity)) = guarded(PROBE_LIMIT, move || device.identity()) {
                return format!("{} ({})", self.name, identity.name);
            }
        }
        self.name.clone()
    }

    fn selected(self, reason: String) -> Selected {
        Selected {
            name: self.full_name(),
            device: self.device,
            reason,
        }
    }
}

/// One step down the gradient of a linear regression, against the closed form.
fn gradient_step(device: &Device) -> std::result::Result<(), String> {
    const SAMPLES: usize = 4;
    const INPUTS: [[f32; 2]; SAMPLES] = [[1.0, 2.0], [2.0, -1.0], [-1.0, 0.5], [0.5, 1.0]];
    const TARGETS: [f32; SAMPLES] = [1.0, 0.0, -1.0, 2.0];
    const WEIGHTS: [f32; 2] = [0.5, -0.5];
    const RATE: f32 = 0.25;

    // mean (X w - y)^2 has the gradient 2/n X^T (X w - y).
    let mut expected = WEIGHTS.map(f64::from);
    for (input, target) in INPUTS.iter().zip(TARGETS) {
        let product: f64 = input
            .iter()
            .zip(WEIGHTS)
            .map(|(x, w)| f64::from(x * w))
            .sum();
        let residual = product - f64::from(target);
        for (weight, x) in expected.iter_mut().zip(input) {
            *weight -= f64::from(RATE) * 2.0 / SAMPLES as f64 * f64::from(*x) * residual;
        }
    }

    let device = device.clone().autodiff();
    let tensor = |values: Vec<f32>, shape: [usize; 2]| {
        Tensor::<2>::from_data(TensorData::new(values, shape), (&device, DType::F32))
    };
    let inputs = tensor(INPUTS.concat(), [SAMPLES, 2]);
    let targets = tensor(TARGETS.to_vec(), [SAMPLES, 1]);
    let weights = tensor(WEIGHTS.to_vec(), [2, 1]).require_grad();
    let residuals = inputs.matmul(weights.clone()) - targets;
    let gradients = (residuals.clone() * residuals).mean().backward();
    let gradient = weights.grad(&gradients).ok_or("it computed no gradient")?;
    let stepped = weights.inner() - gradient.mul_scalar(RATE);
    let got = stepped
        .into_data()
        .try_to_vec::<f32>()
        .map_err(|error| error.to_string())?;
    compare(&got, &expected)
}

fn compare(got: &[f32], expected: &[f64]) -> std::result::Result<(), String> {
    let close = |(got, expected): (&f32, &f64)| {
        // A comparison that is false for values that are not numbers.
        (f64::from(*got) - expected).abs() <= PROBE_TOLERANCE
    };
    if got.len() == expected.len() && got.iter().zip(expected).all(close) {
        return Ok(());
    }
    Err(format!(
        "it computes wrong numbers: a gradient step gave {got:?}, expected {expected:?}"
    ))
}

/// Runs what a broken driver may crash or hang on a thread of its own.
///
/// A thread that hangs is left behind: nothing can end it, and it holds up nobody.
fn guarded<T: Send + 'static>(
    limit: Duration,
    job: impl FnOnce() -> T + Send + 'static,
) -> std::result::Result<T, String> {
    let (sender, receiver) = mpsc::channel();
    let run = move || {
        let result = catch_unwind(AssertUnwindSafe(job)).map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            let text = text
                .unwrap_or("without a message")
                .lines()
                .next()
                .unwrap_or_default();
            format!("it failed: {text}")
        });
        // Nobody listens any more once the limit has passed.
        let _ = sender.send(result);
    };
    thread::Builder::new()
        .name("device probe".to_string())
        .stack_size(PROBE_STACK_BYTES)
        .spawn(run)
        .map_err(|error| format!("no thread to probe it: {error}"))?;
    receiver.recv_timeout(limit).unwrap_or_else(|_| {
        Err(format!(
            "it did not answer within {} s",
            limit.as_secs_f64()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_compiled_cpu_backend_passes_the_probe() {
        let reports = doctor();
        for name in compiled().filter(|name| ["flex", "ndarray"].contains(name)) {
            let report = reports.iter().find(|report| report.name == name).unwrap();
            assert!(report.works, "{name}: {:?}", report.why_not);
            assert!(
                report.dtypes.contains(&"f32"),
                "{name}: {:?}",
                report.dtypes
            );
            assert_eq!(select(name).unwrap().name, name);
        }
    }

    #[test]
    fn every_device_works_or_says_why_not() {
        let reports = doctor();
        for name in compiled() {
            assert!(
                reports.iter().any(|report| report.name.starts_with(name)),
                "{name}"
            );
        }
        for report in reports {
            assert_eq!(report.works, report.why_not.is_none(), "{report:?}");
            assert_eq!(report.works, report.dtypes.contains(&"f32"), "{report:?}");
        }
    }

    #[cfg(any(feature = "flex", feature = "ndarray"))]
    #[test]
    fn auto_and_cpu_find_a_device_and_say_why() {
        let cpu = select("cpu").unwrap();
        assert_eq!(
            cpu.name,
            if cfg!(feature = "flex") {
                "flex"
            } else {
                "ndarray"
            }
        );
        let auto = select(" AUTO ").unwrap();
        if !cfg!(feature = "cuda") {
            assert!(
                auto.reason.contains("cuda: built without this feature"),
                "{}",
                auto.reason
            );
        }
        assert!(
            auto.reason
                .starts_with("first device that passed the probe")
        );
    }

    #[cfg(any(feature = "flex", feature = "ndarray"))]
    #[test]
    fn a_device_that_is_not_there_is_never_replaced() {
        for request in [
            "gpu", "", "cuda:", "cuda:-1", "cuda:x", "cuda:0:0", "flex:0", "cpu:1",
        ] {
            assert!(
                matches!(select(request), Err(Error::UnknownDevice { .. })),
                "{request}"
            );
        }
        for kind in Kind::ALL.into_iter().filter(|kind| !kind.compiled()) {
            let text = select(kind.name()).unwrap_err().to_string();
            assert!(
                text.contains(&format!("rebuild with --features {}", kind.name())),
                "{text}"
            );
        }
        for kind in Kind::ALL
            .into_iter()
            .filter(|kind| kind.compiled() && !kind.is_cpu())
        {
            let error = select(&format!("{}:4711", kind.name())).unwrap_err();
            assert!(matches!(error, Error::DeviceAbsent { .. }), "{error}");
        }
    }

    #[cfg(not(any(
        feature = "flex",
        feature = "ndarray",
        feature = "wgpu",
        feature = "vulkan",
        feature = "cuda"
    )))]
    #[test]
    fn a_build_without_backends_says_so() {
        for request in ["auto", "cpu", "cuda:0"] {
            assert!(
                matches!(select(request), Err(Error::NoBackend)),
                "{request}"
            );
        }
        assert!(doctor().is_empty());
    }

    #[test]
    fn wrong_numbers_do_not_pass() {
        compare(&[0.5, 1.0], &[0.5, 1.0]).unwrap();
        for wrong in [&[0.5, 1.001][..], &[0.5, f32::NAN], &[0.5], &[]] {
            assert!(
                compare(wrong, &[0.5, 1.0])
                    .unwrap_err()
                    .contains("wrong numbers")
            );
        }
    }

    #[test]
    fn a_driver_that_panics_or_hangs_is_survived() {
        let panics = guarded(PROBE_LIMIT, || panic!("no libcuda\nbacktrace"));
        assert_eq!(panics, Err::<(), _>("it failed: no libcuda".to_string()));
        let (_keep, never) = mpsc::channel::<()>();
        let hangs = guarded(Duration::from_millis(20), move || never.recv().is_ok());
        assert!(hangs.unwrap_err().contains("did not answer within 0.02 s"));
    }
}
