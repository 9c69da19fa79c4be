//! Parts a wanted signal from what hides it: deep learning, and the classical methods that must be beaten first.
//!
//! This crate is the front door; each module is a crate of its own. `cupel` computes on the devices of
//! [Burn](https://burn.dev): a `Device` is a value that the caller chooses, nothing here is generic over a backend.
//!
//! | feature | what it adds |
//! |---|---|
//! | `flex` (default) | the pure-Rust CPU backend |
//! | `ndarray` | the older CPU backend, which Burn deprecates |
//! | `wgpu` | GPUs through WebGPU |
//! | `vulkan` | GPUs through WebGPU with the SPIR-V compiler |
//! | `cuda` | NVIDIA GPUs |
//! | `remote` | devices of other machines |
//! | `tui` | Burn's terminal dashboard for runs |
//! | `cosmology` (default) | [`cosmology`]: the 21-cm signal under foregrounds thousands of times brighter |
//! | `pharmacogenomics` (default) | [`pharmacogenomics`]: what a drug does in a genotype, with the odds and an honest "unknown" |
//! | `prism` (default) | [`prism`]: a sharp image from a few small apertures, and how far to trust it |
//! | `unmixing` (default) | [`unmixing`]: hyperspectral scenes into materials and their abundances |
//!
//! Features only add. Of the backends, at least one is needed to compute.

/// The Burn that the other modules are built on.
pub use burn;
#[cfg(feature = "cosmology")]
pub use cupel_cosmology as cosmology;
pub use cupel_data as data;
pub use cupel_kernels as kernels;
pub use cupel_pca as pca;
#[cfg(feature = "pharmacogenomics")]
pub use cupel_pharmacogenomics as pharmacogenomics;
#[cfg(feature = "prism")]
pub use cupel_prism as prism;
pub use cupel_report as report;
pub use cupel_settings as settings;
pub use cupel_statistics as statistics;
pub use cupel_train as train;
pub use cupel_tune as tune;
#[cfg(feature = "unmixing")]
pub use cupel_unmixing as unmixing;

/// What a model of one's own needs: `use cupel::prelude::*;`.
///
/// With it `#[derive(Module)]` finds Burn, whose name its code says.
pub mod prelude {
    pub use burn::{
        self,
        module::{Module, Param},
        tensor::{Device, Tensor},
    };
    pub use cupel_data::Stream;
    pub use cupel_train::{
        Casting, Context, Description, EarlyStopping, Fit, Goal, History, Loss, Metrics, Next, Opened, Opening, Policy,
        Result, Run, StageConfig, Trainer, TrainerConfig, Watch, device,
    };
}
