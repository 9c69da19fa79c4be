//! The flags that commands share, in groups: a command takes the groups that it honours and shows no other.
#![allow(missing_docs, reason = "comments on flattened fields would become texts of the help")]

use std::path::PathBuf;

use clap::Args;
use cupel::{
    settings::Range,
    train::{MatmulPrecision, Precision},
};

use crate::flags::{choice, number};

/// Most threads: more than any machine has, fewer than any system refuses.
const MOST_THREADS: f64 = 1024.0;

/// What every command takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// TOML, JSON or YAML file with settings; their names are those of the flags, their sections the headings here
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Print all settings in a form that --config reads, and do nothing
    #[arg(long)]
    pub print_config: bool,

    /// Print the result as one JSON object and nothing else on standard output
    #[arg(long)]
    pub json: bool,

    /// Print nothing but errors, and with --json the object
    #[arg(long)]
    pub quiet: bool,
}

/// Of commands that draw random numbers.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Computing")]
pub struct Seed {
    /// Every random draw follows from this number
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub seed: u64,
}

/// Of commands that compute on several threads.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Computing")]
pub struct Threads {
    /// Threads on the CPU; results do not depend on it [default: one per core]
    #[arg(long, value_name = "N", value_parser = number::<usize>(Range::at_least(1.0).at_most(MOST_THREADS)))]
    pub threads: Option<usize>,
}

/// Of commands that compute with tensors.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Computing")]
pub struct Device {
    /// Where to compute: auto, cpu, or a compiled device such as cuda:0 or wgpu:1
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: String,

    /// Whether f32 matrix products may be rounded to TF32 on the way, where the device has it
    #[arg(long, value_name = "PRECISION", default_value_t, value_parser = choice::<MatmulPrecision>())]
    pub matmul_precision: MatmulPrecision,
}

/// Of commands whose models compute in more than one type of numbers.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Computing")]
pub struct Numbers {
    /// Numbers that networks compute with; auto for what the device and the size of the work repay
    #[arg(long, value_name = "PRECISION", default_value_t, value_parser = choice::<Precision>())]
    pub precision: Precision,

    /// true for --precision auto, false for f32
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", conflicts_with = "precision")]
    pub use_amp: Option<bool>,
}

impl Numbers {
    /// The precision asked for, by either name.
    pub fn asked(&self) -> Precision {
        match self.use_amp {
            Some(true) => Precision::Auto,
            Some(false) => Precision::F32,
            None => self.precision,
        }
    }
}

/// Of commands that write.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Results")]
pub struct Writing {
    /// Replace results that are already there, and nothing else
    #[arg(long)]
    pub force: bool,

    /// Check everything, say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Of commands whose results go to a place that the user names.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Results")]
pub struct Out {
    /// Where the results go
    #[arg(long, alias = "output", value_name = "PATH")]
    pub out: Option<PathBuf>,

    #[command(flatten)]
    pub writing: Writing,
}

/// Of commands that work in a run folder, which stop, save and go on.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Results")]
pub struct RunFolder {
    #[command(flatten)]
    pub out: Out,

    /// Go on with the stopped run in --out
    #[arg(long, conflicts_with = "force")]
    pub resume: bool,

    /// With --resume: a damaged checkpoint is an error, not a warning
    #[arg(long, requires = "resume")]
    pub strict: bool,

    /// Save the state every N steps [default: every 30 s of work, or seldom enough to cost less than 3 % of it]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub checkpoint_every: Option<u64>,

    /// Leave a table and a Chrome trace of where the time went in the run folder
    #[arg(long)]
    pub profile: bool,

    /// Burn's dashboard of charts instead of the line of progress, on a terminal
    #[cfg(feature = "tui")]
    #[arg(long, conflicts_with_all = ["json", "quiet"])]
    pub tui: bool,
}

/// The groups that a command takes, filled by the user.
#[derive(Clone, Copy, Debug)]
pub struct Shared<'a> {
    pub(crate) output: &'a Output,
    pub(crate) seed: Option<&'a Seed>,
    pub(crate) threads: Option<&'a Threads>,
    pub(crate) device: Option<&'a Device>,
    pub(crate) numbers: Option<&'a Numbers>,
    pub(crate) writing: Option<&'a Writing>,
    pub(crate) out: Option<&'a Out>,
    pub(crate) run: Option<&'a RunFolder>,
}

impl<'a> Shared<'a> {
    /// A command that only prints.
    pub fn new(output: &'a Output) -> Self {
        Self { output, seed: None, threads: None, device: None, numbers: None, writing: None, out: None, run: None }
    }

    /// It draws random numbers.
    #[must_use]
    pub fn seed(self, seed: &'a Seed) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// It computes on several threads.
    #[must_use]
    pub fn threads(self, threads: &'a Threads) -> Self {
        Self { threads: Some(threads), ..self }
    }

    /// It computes on a device.
    #[must_use]
    pub fn device(self, device: &'a Device) -> Self {
        Self { device: Some(device), ..self }
    }

    /// It computes in a precision that may be chosen.
    #[must_use]
    pub fn numbers(self, numbers: &'a Numbers) -> Self {
        Self { numbers: Some(numbers), ..self }
    }

    /// It writes.
    #[must_use]
    pub fn writing(self, writing: &'a Writing) -> Self {
        Self { writing: Some(writing), ..self }
    }

    /// It writes to a place that the user names.
    #[must_use]
    pub fn out(self, out: &'a Out) -> Self {
        Self { out: Some(out), ..self.writing(&out.writing) }
    }

    /// It works in a run folder.
    #[must_use]
    pub fn run(self, run: &'a RunFolder) -> Self {
        Self { run: Some(run), ..self.out(&run.out) }
    }
}

/// All groups of a run that trains or fits on a device.
#[derive(Args, Clone, Debug)]
pub struct Computation {
    #[command(flatten)]
    pub device: Device,
    #[command(flatten)]
    pub numbers: Numbers,
    #[command(flatten)]
    pub seed: Seed,
    #[command(flatten)]
    pub threads: Threads,
    #[command(flatten)]
    pub run: RunFolder,
    #[command(flatten)]
    pub output: Output,
}

impl Computation {
    /// Its groups.
    pub fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output)
            .device(&self.device)
            .numbers(&self.numbers)
            .seed(&self.seed)
            .threads(&self.threads)
            .run(&self.run)
    }
}
