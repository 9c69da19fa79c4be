//! `cupel prism`: sharp images from a few small apertures.

mod evaluate;
mod observe;
mod plan;
mod reconstruct;
mod simulation;

use anyhow::Result;
use clap::Subcommand;

use crate::{Alias, Call, Condition};

/// Keys of settings files of the original, and the flags of today; those without one have no effect here.
const KEYS: [(&str, Option<&str>); 44] = [
    ("image.input", Some("object")),
    ("image.image_size", Some("n-pixels")),
    ("image.obj_size", Some("object-size")),
    ("image.crop", Some("crop")),
    ("image.invert", Some("invert")),
    ("telescope.n_samples", Some("samples")),
    ("telescope.sample_diameter", Some("sample-diameter")),
    ("telescope.sample_shape", Some("aperture-type")),
    ("telescope.sample_length", Some("line-length")),
    ("telescope.roi_diameter", Some("roi-diameter")),
    ("telescope.roi_shape", None),
    ("telescope.sample_sort", Some("sort")),
    ("telescope.n_angs", Some("angles")),
    ("telescope.pattern_fn", Some("pattern")),
    ("telescope.snr", Some("snr")),
    ("telescope.blur", None),
    ("telescope.propagator_method", Some("propagation")),
    ("telescope.samples_r_cutoff", None),
    ("telescope.line_angle", Some("line-angle")),
    ("telescope.radius", Some("aperture-radius")),
    ("model.use_bn", None),
    ("model.output_activation", Some("output-activation")),
    ("model.use_leaky", None),
    ("model.middle_activation", None),
    ("model.complex_data", None),
    ("training.n_epochs", Some("steps")),
    ("training.max_epochs", None),
    ("training.n_epochs_init", Some("init-steps")),
    ("training.max_epochs_init", None),
    ("training.initialization_target", None),
    ("training.loss_type", Some("loss")),
    ("training.lr", Some("learning-rate")),
    ("training.loss_threshold", None),
    ("training.new_weight", None),
    ("training.f_weight", None),
    ("physics.wavelength", Some("wavelength")),
    ("physics.dxf", None),
    ("physics.obj_diameter", None),
    ("physics.obj_distance", Some("distance")),
    ("physics.obj_name", None),
    ("point_source", None),
    ("mopie", None),
    ("log_dir", Some("out")),
    ("save_data", None),
];

/// Names that older settings files use.
pub fn aliases() -> impl Iterator<Item = Alias> {
    KEYS.iter().copied()
}

/// Settings of the original's training, which has only its decoder: here they are the solver's of that name; lines of a star, which its files have
/// whatever the pattern is.
pub fn conditions() -> impl Iterator<Item = Condition> {
    ["steps", "init-steps", "loss", "learning-rate", "output-activation"]
        .map(|flag| (flag, "solver", "decoder"))
        .into_iter()
        .chain([("angles", "pattern", "star")])
}

/// Rebuild sharp images from a few small apertures, with what they can be trusted for
#[derive(Subcommand)]
pub enum Commands {
    Plan(Box<plan::Arguments>),
    Observe(Box<observe::Arguments>),
    Reconstruct(Box<reconstruct::Arguments>),
    Evaluate(evaluate::Arguments),
}

impl Commands {
    /// Runs the subcommand.
    pub fn run(self, call: Call<'_>) -> Result<()> {
        match self {
            Self::Plan(command) => call.run(*command),
            Self::Observe(command) => call.run(*command),
            Self::Reconstruct(command) => call.run(*command),
            Self::Evaluate(command) => call.run(command),
        }
    }
}
