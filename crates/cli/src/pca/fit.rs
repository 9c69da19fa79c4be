//! `cupel pca fit`: components of files of any size.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Result, anyhow, bail};
use clap::Args;
use cupel::{
    cosmology::{ObservationChunks, Observations, ReadConfig, holds_visibilities, read_visibilities},
    data::AxisKind,
    pca::{Chunks, Components, Files, Grouping, Modes, Stored, StreamedFit, group_count},
    report::{LineChart, Report},
    settings::{Range, choices},
    train::Policy,
};
use serde::Serialize;

use super::input::{Array, Observed, lengths_m, modes};
use crate::{
    Command, Session, choice, number,
    shared::{Output, RunFolder, Shared, Threads},
};

/// Eigenvalues that the printed result shows.
const SHOWN: usize = 12;

choices! {
    /// Bases of complex numbers.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Numbers {
        /// One real basis for real and imaginary parts
        Real = "real",
        /// A complex basis, of the Hermitian covariance
        Hermitian = "hermitian" | "complex",
    }
}

/// Fit principal components along one axis, exactly, on files of any size
#[derive(Args)]
pub struct Arguments {
    /// Files with the samples: NPY, NPZ, HDF5, FITS, ENVI, MATLAB
    #[arg(value_name = "FILE", conflicts_with = "cosmopath")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    array: Array,

    /// For each file one with a weight for each value; 0 leaves it out
    #[arg(long, value_name = "FILE", value_delimiter = ',', help_heading = "Input")]
    weights: Vec<PathBuf>,

    #[command(flatten)]
    observed: Observed,

    /// Observations that are fitted on
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = number::<usize>(Range::at_least(1.0).at_most(1e9)), help_heading = "Observations")]
    num_samples: usize,

    /// How many: a number, a fraction of the variance such as 0.999, auto (eigen-gap) or marchenko-pastur [default: auto; 7 for observations]
    #[arg(long, value_name = "K|RULE", value_parser = modes, help_heading = "Components")]
    modes: Option<Modes>,

    /// Basis of complex numbers
    #[arg(long, value_name = "BASIS", default_value_t = Numbers::Real, value_parser = choice::<Numbers>(), help_heading = "Components")]
    basis: Numbers,

    /// Axis whose positions have components in groups: baseline
    #[arg(long, value_name = "AXIS", help_heading = "Components")]
    group_by: Option<AxisKind>,

    /// Groups, by rising length of the baselines [default: as many as have 16 samples per channel]
    #[arg(long, value_name = "N", requires = "group_by", value_parser = number::<usize>(Range::at_least(1.0).at_most(1e6)), help_heading = "Components")]
    groups: Option<usize>,

    /// Vectors or lengths of the baselines in metres, where the file has none
    #[arg(long, value_name = "FILE", requires = "group_by", help_heading = "Components")]
    baselines: Option<PathBuf>,

    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    run: RunFolder,
    #[command(flatten)]
    output: Output,
}

/// What is fitted on.
#[derive(Serialize)]
pub struct Plan {
    files: usize,
    channels: usize,
    axis: String,
    modes: String,
    components: PathBuf,
    #[serde(skip)]
    source: Source,
    #[serde(skip)]
    grouping: Option<Grouping>,
}

/// Where samples come from.
enum Source {
    Files(Box<Files>),
    Observations(Box<ObservationChunks>),
}

/// What was found.
#[derive(Serialize)]
pub struct Fitted {
    samples: u64,
    channels: usize,
    modes: usize,
    rule: String,
    axis: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<usize>,
    eigenvalues: Vec<f64>,
    floor: f64,
    out: PathBuf,
    seconds: f64,
}

impl Command for Arguments {
    type Plan = Plan;
    type Outcome = Fitted;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).threads(&self.threads).run(&self.run)
    }

    fn unused(&self) -> Vec<(String, String)> {
        let observed = self.observed.cosmopath.is_some();
        let of_files = ["axis", "variable", "axes", "frequencies", "weights", "group-by", "basis"];
        let of_observations = ["num-samples", "num-train", "validation-fraction", "ra-bins", "seed"];
        let (names, because): (&[&str], _) = match observed {
            true => (&of_files, "observations have their own axes and weights"),
            false => (&of_observations, "no observations are fitted on (--cosmopath and --galpath)"),
        };
        names.iter().map(|name| ((*name).to_owned(), because.to_owned())).collect()
    }

    fn stem(&self) -> String {
        "components".to_owned()
    }

    fn folder(&self, out: Option<&Path>) -> Option<PathBuf> {
        let target = self.target(out)?;
        Some(if is_npz(&target) { target.with_extension("fit") } else { target })
    }

    fn plan(&self, session: &Session) -> Result<Plan> {
        let target = self.target(self.run.out.out.as_deref());
        let components = match target.filter(|target| is_npz(target)) {
            Some(file) if self.run.resume => file,
            Some(file) => {
                session.may_write(&file)?;
                file
            }
            None => session.out().unwrap_or(Path::new("")).join("components.npz"),
        };
        let modes = self.observed.modes(self.modes);
        let config = self.observed.config(modes);
        let (source, files) = match self.observed.parts(&config)? {
            Some(parts) => {
                let observations = Observations::training(parts.train, &config)?;
                let files = observations.files().cosmologies.len() + observations.files().foregrounds.len();
                (
                    Source::Observations(Box::new(ObservationChunks::new(observations, self.num_samples, &config)?)),
                    files,
                )
            }
            None => {
                let Some(first) = self.files.first() else {
                    bail!("nothing to fit on: name files, or --cosmopath and --galpath");
                };
                let choice = self.array.choice(first, &self.weights)?;
                let files =
                    Files::open(&self.files, self.array.along(), &choice).map_err(|error| match self.array.axis {
                        Some(_) => error.into(),
                        None => anyhow!("{error}; say which axis holds the channels with --axis"),
                    })?;
                (Source::Files(Box::new(files)), self.files.len())
            }
        };
        let grouping = match (&source, self.group_by) {
            (Source::Files(files), Some(kind)) => Some(self.grouping(files, kind)?),
            _ => None,
        };
        let axis = match &source {
            Source::Files(files) => files.axis(),
            Source::Observations(chunks) => chunks.axis(),
        };
        let (channels, axis) = (axis.len(), axis.kind().to_string());
        // known before anything is read or written
        if let (Modes::Count(asked), Source::Files(files)) = (modes, &source) {
            let rows = files.samples()? * self.parts(files);
            if asked > channels {
                return Err(cupel::pca::Error::ComponentCount { asked, channels }.into());
            }
            if asked > rows {
                return Err(cupel::pca::Error::TooFewSamples { needed: asked as u64, got: rows as u64 }.into());
            }
        }
        Ok(Plan { files, channels, axis, modes: modes.to_string(), components, source, grouping })
    }

    fn work(self, plan: Plan, session: &mut Session) -> Result<Fitted> {
        let modes = self.observed.modes(self.modes);
        let Plan { source, grouping, components, .. } = plan;
        let hermitian = self.basis == Numbers::Hermitian;
        match source {
            Source::Files(files) => self.fit(*files, hermitian, grouping, modes, components, session),
            Source::Observations(chunks) => self.fit(*chunks, false, None, modes, components, session),
        }
    }
}

impl Arguments {
    /// Where the components go: the file or folder that was named, or the file of the model.
    fn target(&self, out: Option<&Path>) -> Option<PathBuf> {
        let config = self.observed.config(self.observed.modes(self.modes));
        out.map(Path::to_path_buf).or_else(|| self.observed.components(&config))
    }

    /// Rows that a sample is: its real and its imaginary part, where both have one basis.
    fn parts(&self, files: &Files) -> usize {
        if files.is_complex() && self.basis == Numbers::Real { 2 } else { 1 }
    }

    /// Groups by the length of the baselines.
    fn grouping(&self, files: &Files, kind: AxisKind) -> Result<Grouping> {
        let positions = files.length(kind)?;
        let lengths = match &self.baselines {
            Some(path) => lengths_m(path)?,
            None => self.own_lengths_m(kind)?,
        };
        if lengths.len() != positions {
            bail!("{} lengths of baselines for {positions} positions of the {kind} axis", lengths.len());
        }
        let groups = match self.groups {
            Some(groups) => groups,
            None => {
                let samples = files.samples()?;
                group_count(positions, self.parts(files) * samples / positions.max(1), files.axis().len())
            }
        };
        Ok(Grouping::by_size(kind, &lengths, groups)?)
    }

    /// The lengths that the first file says.
    fn own_lengths_m(&self, kind: AxisKind) -> Result<Vec<f64>> {
        let Some(first) = self.files.first() else { return Ok(Vec::new()) };
        let beside = first.with_file_name("baselines_m.npy");
        if kind == AxisKind::Baseline && beside.is_file() {
            return lengths_m(&beside);
        }
        let config = ReadConfig { variable: self.array.variable.clone(), ..ReadConfig::default() };
        if kind == AxisKind::Baseline && holds_visibilities(first, &config)? {
            let own = read_visibilities(first, &config).map(|read| read.baselines_m().to_vec()).unwrap_or_default();
            if !own.is_empty() {
                return Ok(own.iter().map(|v| v.iter().map(|x| x * x).sum::<f64>().sqrt()).collect());
            }
        }
        bail!("{}: how long the baselines are is not known; give --baselines FILE", first.display())
    }

    fn fit<C: Chunks>(
        &self,
        chunks: C,
        hermitian: bool,
        grouping: Option<Grouping>,
        modes: Modes,
        path: PathBuf,
        session: &mut Session,
    ) -> Result<Fitted> {
        let mut fit = StreamedFit::new(chunks, hermitian, grouping)?;
        let driven = session.run().drive(&mut fit, &Policy::default())?;
        let stored = fit.components(modes)?;
        stored.save(&path)?;
        let all: Vec<&Components> = match &stored {
            Stored::Single(components) => vec![components],
            Stored::Grouped(groups) => groups.groups().iter().collect(),
            _ => Vec::new(),
        };
        let Some(first) = all.first() else { bail!("no components were found") };
        let most = all.iter().max_by_key(|components| components.count()).unwrap_or(first);
        let fitted = Fitted {
            samples: fit.samples(),
            channels: first.channels(),
            modes: most.count(),
            rule: first.rule().to_owned(),
            axis: first.axis().kind().to_string(),
            groups: (all.len() > 1).then_some(all.len()),
            eigenvalues: first.eigenvalues().to_vec(),
            floor: all.iter().map(|components| components.quantisation_floor()).fold(0.0, f64::max),
            out: path,
            seconds: driven.seconds,
        };
        report(&all, &fitted, session)?;
        Ok(fitted)
    }
}

/// The spectrum and the modes, drawn.
fn report(all: &[&Components], fitted: &Fitted, session: &Session) -> Result<()> {
    let mut report = Report::new(session.dir()?, "Principal components");
    report.finding(fitted.to_string());
    report.numbers(fitted)?;
    let numbers = |count: usize| (1..=count).map(|i| i as f64).collect::<Vec<_>>();
    report.figure("eigenvalues", "Variance of each mode.", move || {
        let mut chart = LineChart::new("Eigenvalues", "mode", "variance").log_y();
        for (group, components) in all.iter().enumerate() {
            let label = if all.len() > 1 { format!("group {}", group + 1) } else { String::new() };
            let values: Vec<f64> =
                components.eigenvalues().iter().map(|v| if *v > 0.0 { *v } else { f64::NAN }).collect();
            chart = chart.line(label, &numbers(values.len()), &values);
        }
        chart.figure()
    });
    if let Some(vectors) = all[0].vectors().filter(|vectors| !vectors.is_empty()) {
        let axis = all[0].axis().clone();
        report.figure(
            "modes",
            "The modes that were kept, along their axis; of the first group where there are several.",
            move || {
                let coordinates = axis.coordinates().map_or_else(|| numbers(axis.len()), <[f64]>::to_vec);
                let label =
                    axis.unit().map_or_else(|| axis.kind().to_string(), |unit| format!("{} [{unit}]", axis.kind()));
                let chart = LineChart::new("Modes", label, "unit vector");
                let lines = vectors.iter().take(SHOWN).enumerate();
                lines.fold(chart, |chart, (i, vector)| chart.line(format!("{}", i + 1), &coordinates, vector)).figure()
            },
        );
    }
    report.save()?;
    Ok(())
}

fn is_npz(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npz"))
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { files, channels, axis, modes, components, .. } = self;
        write!(
            f,
            "components of {files} files along {axis}, {channels} channels, modes by {modes}, would go to {}",
            components.display()
        )
    }
}

impl fmt::Display for Fitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { samples, channels, modes, rule, axis, groups, eigenvalues, floor, out, .. } = self;
        let groups = groups.map_or_else(String::new, |groups| format!(" in each of {groups} groups, at most"));
        writeln!(f, "{modes} modes of {channels} along {axis}{groups}, by {rule}, from {samples} samples")?;
        let shown: Vec<String> = eigenvalues.iter().take(SHOWN).map(|value| format!("{value:.4e}")).collect();
        writeln!(f, "variances: {}{}", shown.join(" "), if eigenvalues.len() > SHOWN { " ..." } else { "" })?;
        writeln!(f, "rounding of f32 is {:.1e} of what is left", floor)?;
        write!(f, "{}", out.display())
    }
}
