//! The options that every command takes.

use std::{num::NonZeroU64, num::NonZeroUsize, path::PathBuf};

use anyhow::{Context, Result};
use clap::{
    Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use cupel::train::{MatmulPrecision, Policy, Precision, device};
use serde::Serialize;

/// The heading under which `--help` lists them.
const HEADING: &str = "Options of every command";

/// What a user may say to every command; flags win over the file of `--config`, which wins over the defaults here.
#[derive(Args, Clone, Debug, Serialize)]
#[command(next_help_heading = HEADING)]
pub struct Options {
    /// TOML, JSON or YAML file whose keys are these options, without the dashes
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// Where to compute: auto, cpu, or a compiled device such as cuda:0 or wgpu:1
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: String,

    /// Numbers that networks compute with; auto for what the device and the size of the work repay
    #[arg(long, value_name = "PRECISION", default_value = "auto", value_parser = precisions())]
    pub precision: Precision,

    /// true for --precision auto, false for f32
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", conflicts_with = "precision")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_amp: Option<bool>,

    /// Whether f32 matrix products may be rounded to TF32 on the way, where the device has it
    #[arg(long, value_name = "PRECISION", default_value = "high", value_parser = matmul_precisions())]
    pub matmul_precision: MatmulPrecision,

    /// Every random draw follows from this number
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub seed: u64,

    /// Threads on the CPU [default: one per core]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,

    /// Where the results go: a folder, or a file where the result is one array
    #[arg(long, value_name = "PATH")]
    pub out: Option<PathBuf>,

    /// Replace results that are already there
    #[arg(long, conflicts_with = "resume")]
    #[serde(skip)]
    pub force: bool,

    /// Go on with the stopped run in --out
    #[arg(long)]
    #[serde(skip)]
    pub resume: bool,

    /// With --resume: a damaged checkpoint or a changed setting is an error, not a warning
    #[arg(long, requires = "resume")]
    #[serde(skip)]
    pub strict: bool,

    /// Check everything, say what would be done, and do nothing
    #[arg(long)]
    #[serde(skip)]
    pub dry_run: bool,

    /// Save the state of the run every N steps [default: after 30 s of work, later where that costs more than 3 %]
    #[arg(long, value_name = "N")]
    pub checkpoint_every: Option<NonZeroU64>,

    /// Print the result as one JSON object and nothing else on standard output
    #[arg(long)]
    #[serde(skip)]
    pub json: bool,

    /// Burn's dashboard of charts instead of the line of progress, on a terminal
    #[cfg(feature = "tui")]
    #[arg(long, conflicts_with_all = ["json", "quiet"])]
    #[serde(skip)]
    pub tui: bool,

    /// No progress and no remarks on standard error
    #[arg(long)]
    #[serde(skip)]
    pub quiet: bool,
}

fn precisions() -> impl TypedValueParser<Value = Precision> {
    PossibleValuesParser::new([
        PossibleValue::new("auto"),
        PossibleValue::new("f32").aliases(["fp32", "float32"]),
        PossibleValue::new("bf16").alias("bfloat16"),
        PossibleValue::new("fp16").aliases(["f16", "float16", "half"]),
    ])
    .try_map(|text| text.parse())
}

fn matmul_precisions() -> impl TypedValueParser<Value = MatmulPrecision> {
    PossibleValuesParser::new(["highest", "high"]).map(|text| match text.as_str() {
        "highest" => MatmulPrecision::Highest,
        _ => MatmulPrecision::High,
    })
}

impl Options {
    /// The device asked for.
    ///
    /// # Errors
    /// A device that was named and is not there, or that does not multiply as asked.
    pub fn select_device(&self) -> Result<device::Selected> {
        let device = device::select(&self.device)?;
        self.matmul_precision.check(&device)?;
        Ok(device)
    }

    /// How often to save.
    pub fn saving(&self) -> Policy {
        Policy { save_every: self.checkpoint_every.map(NonZeroU64::get), ..Policy::default() }
    }

    /// The precision asked for, by either name.
    pub fn precision(&self) -> Precision {
        match self.use_amp {
            Some(true) => Precision::Auto,
            Some(false) => Precision::F32,
            None => self.precision,
        }
    }

    /// Sets up what holds for the whole process; called once, before any work.
    ///
    /// # Errors
    /// When the operating system refuses the threads.
    pub fn apply(&self) -> Result<()> {
        if let Some(threads) = self.threads {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads.get())
                .build_global()
                .with_context(|| format!("starting {threads} threads (choose fewer with --threads)"))?;
        }
        Ok(())
    }
}
