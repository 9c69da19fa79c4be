//! Which device computes, and whether it really does.
//!
//! Burn chooses among the backends that are *compiled in*, not among those that work on this machine. Here a device is
//! only taken after one gradient step on it gave the right numbers.
//!
//! Parts of Burn ask for `Device::default()`, which the environment variable `BURN_DEVICE` decides. A process cannot set
//! it safely for itself once it runs; start the program with `BURN_DEVICE=flex` where a build with GPU backends must not
//! touch them.

use crate::{
    Error, Result,
    probe::{gradient_step, guarded},
};
use burn::tensor::{DType, Device};

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

/// Chooses a device: `auto`, `cpu`, `flex`, `ndarray`, `cuda`, `cuda:N`, `wgpu`, `wgpu:N`, `vulkan`, `vulkan:N`, or
/// `remote:ws://HOST:PORT` for the device that another machine serves.
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
    if let Some(url) = text.strip_prefix("remote:") {
        #[cfg(feature = "remote")]
        return crate::remote::select(request, url);
        #[cfg(not(feature = "remote"))]
        return Err(Error::NotCompiled {
            request: format!("remote:{url}"),
            kind: "remote",
            compiled: compiled().collect::<Vec<_>>().join(", "),
        });
    }
    if text == "cpu" {
        return select_first(&[Kind::Flex, Kind::NdArray]);
    }
    let unknown = || Error::UnknownDevice { request: request.to_string() };
    let (name, index) = match text.split_once(':') {
        None => (text.as_str(), None),
        Some((name, index)) => (name, Some(index.parse::<usize>().map_err(|_| unknown())?)),
    };
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(unknown)?;
    if kind.is_cpu() && index.is_some() {
        return Err(unknown());
    }
    select_named(request, kind, index)
}

/// Probes every device of every compiled backend.
pub fn doctor() -> Vec<DeviceReport> {
    let mut reports = Vec::new();
    let failed = |name, why: String| DeviceReport { name, works: false, why_not: Some(why), dtypes: Vec::new() };
    for kind in Kind::ALL.into_iter().filter(|kind| kind.compiled()) {
        match kind.candidates() {
            Err(why) => reports.push(failed(kind.name().to_string(), why)),
            Ok(found) => reports.extend(found.into_iter().map(|candidate| match candidate.probe() {
                Err(why) => failed(candidate.name, why),
                Ok(()) => {
                    DeviceReport { dtypes: candidate.dtypes(), name: candidate.full_name(), works: true, why_not: None }
                }
            })),
        }
    }
    reports
}

/// The name of a device, as it can be asked for where this build knows it.
pub(crate) fn name(device: &Device) -> String {
    let known =
        Kind::ALL.into_iter().filter(|kind| kind.compiled()).filter_map(|kind| kind.candidates().ok()).flatten();
    let found = known.into_iter().find(|candidate| candidate.device == *device);
    found.map_or_else(|| format!("{device:?}"), |candidate| candidate.full_name())
}

/// The names of the backends in this build.
pub fn compiled() -> impl Iterator<Item = &'static str> {
    Kind::ALL.into_iter().filter(|kind| kind.compiled()).map(Kind::name)
}

/// Whether `device` is the CPU, with or without automatic differentiation.
pub fn is_cpu(device: &Device) -> bool {
    let plain = device.clone().inner();
    Kind::ALL.into_iter().any(|kind| kind.is_cpu() && kind.compiled() && kind.devices().contains(&plain))
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
    Err(Error::NoDevice { reasons: reasons.join("; ") })
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
        Error::DeviceAbsent { request: request.to_string(), reason, found }
    };
    let mut candidates = kind.candidates().map_err(|why| absent(why, ""))?;
    let names: Vec<_> = candidates.iter().map(|candidate| candidate.name.clone()).collect();
    let names = names.join(", ");
    let index = index.unwrap_or_else(|| candidates.iter().position(|candidate| !candidate.software).unwrap_or(0));
    if index >= candidates.len() {
        return Err(absent("there is no device of this number".to_string(), &names));
    }
    let candidate = candidates.swap_remove(index);
    candidate.probe().map_err(|why| absent(why, &names))?;
    Ok(candidate.selected("asked for, and passed the probe".to_string()))
}

impl Kind {
    const ALL: [Self; 5] = [Self::Cuda, Self::Vulkan, Self::Wgpu, Self::Flex, Self::NdArray];

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
        let devices = guarded(move || self.devices())?;
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
            return Err(
                "only a software renderer answered, which Burn's vulkan feature cannot use; build with wgpu instead"
                    .to_string(),
            );
        }
        Ok(candidates.into_iter().filter(|candidate| !(cfg!(feature = "vulkan") && candidate.software)).collect())
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

    #[cfg_attr(not(any(feature = "wgpu", feature = "vulkan")), allow(unused_variables))]
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
        guarded(move || gradient_step(&device))?
    }

    fn dtypes(&self) -> Vec<&'static str> {
        let device = self.device.clone();
        let asked = move || {
            [("f32", DType::F32), ("f16", DType::F16), ("bf16", DType::BF16), ("f64", DType::F64)]
                .into_iter()
                .filter(|(_, dtype)| device.supports_dtype(*dtype))
                .map(|(name, _)| name)
                .collect()
        };
        guarded(asked).unwrap_or_default()
    }

    fn full_name(&self) -> String {
        #[cfg(any(feature = "cuda", feature = "wgpu", feature = "vulkan"))]
        {
            let device = self.device.clone();
            if let Ok(Some(identity)) = guarded(move || device.identity()) {
                return format!("{} ({})", self.name, identity.name);
            }
        }
        self.name.clone()
    }

    fn selected(self, reason: String) -> Selected {
        Selected { name: self.full_name(), device: self.device, reason }
    }
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
            assert!(report.dtypes.contains(&"f32"), "{name}: {:?}", report.dtypes);
            assert_eq!(select(name).unwrap().name, name);
        }
    }

    #[test]
    fn every_device_works_or_says_why_not() {
        let reports = doctor();
        for name in compiled() {
            assert!(reports.iter().any(|report| report.name.starts_with(name)), "{name}");
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
        assert_eq!(cpu.name, if cfg!(feature = "flex") { "flex" } else { "ndarray" });
        let auto = select(" AUTO ").unwrap();
        if !cfg!(feature = "cuda") {
            assert!(auto.reason.contains("cuda: built without this feature"), "{}", auto.reason);
        }
        assert!(auto.reason.starts_with("first device that passed the probe"));
    }

    #[cfg(any(feature = "flex", feature = "ndarray"))]
    #[test]
    fn a_device_that_is_not_there_is_never_replaced() {
        for request in ["gpu", "", "cuda:", "cuda:-1", "cuda:x", "cuda:0:0", "flex:0", "cpu:1"] {
            assert!(matches!(select(request), Err(Error::UnknownDevice { .. })), "{request}");
        }
        for kind in Kind::ALL.into_iter().filter(|kind| !kind.compiled()) {
            let text = select(kind.name()).unwrap_err().to_string();
            assert!(text.contains(&format!("rebuild with --features {}", kind.name())), "{text}");
        }
        for kind in Kind::ALL.into_iter().filter(|kind| kind.compiled() && !kind.is_cpu()) {
            let error = select(&format!("{}:4711", kind.name())).unwrap_err();
            assert!(matches!(error, Error::DeviceAbsent { .. }), "{error}");
        }
    }

    #[cfg(not(any(feature = "flex", feature = "ndarray", feature = "wgpu", feature = "vulkan", feature = "cuda")))]
    #[test]
    fn a_build_without_backends_says_so() {
        for request in ["auto", "cpu", "cuda:0"] {
            assert!(matches!(select(request), Err(Error::NoBackend)), "{request}");
        }
        assert!(doctor().is_empty());
    }
}
