//! The options that every command takes.

use std::{num::NonZeroU64, num::NonZeroUsize, path::PathBuf};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
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

    /// Number format of weights and activations where a method has any
    #[arg(long, value_enum, default_value_t = Precision::Auto)]
    pub precision: Precision,

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

    /// Check everything, say what would be done, and do nothing
    #[arg(long)]
    #[serde(skip)]
    pub dry_run: bool,

    /// Save the state of the run every N steps [default: chosen by the method]
    #[arg(long, value_name = "N")]
    pub checkpoint_every: Option<NonZeroU64>,

    /// Print the result as one JSON object and nothing else on standard output
    #[arg(long)]
    #[serde(skip)]
    pub json: bool,

    /// No progress and no remarks on standard error
    #[arg(long)]
    #[serde(skip)]
    pub quiet: bool,
}

/// Number format of the work on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// What the device and the size of the work allow
    Auto,
    /// 32-bit floating point
    F32,
    /// bfloat16
    Bf16,
    /// 16-bit floating point with loss scaling
    Fp16,
}

impl Options {
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
