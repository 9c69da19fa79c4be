//! `cupel unmix run`: one method on one scene, with everything a scientist wants to see.

use std::{fmt, path::Path};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use cupel::{
    burn::tensor::Device,
    train::{Casting, Precision, Run, Work, device},
    unmixing::{AbundanceRmse, Agreement, LargeScene, Method, Row, Summary, Unmixed, Unmixing, UnmixingConfig, save},
};
use serde::Serialize;

use super::{
    large::run_large,
    scene::{Abundance, SceneArguments, Task},
};
use crate::{
    Ending,
    folder::{Earlier, Opened, close_run, open_run, run_dir, write_json},
    options::Options,
    output::Output,
};

/// Values in a scene from which on networks take fewer bits with `--precision auto`, where the device has them.
const FEWER_BITS_FROM: usize = 1 << 26;

/// Unmix a scene into endmembers and abundances
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    pub scene: SceneArguments,

    /// How endmembers are found
    #[arg(long, value_enum, default_value_t = Extractor::Auto)]
    pub method: Extractor,

    /// Runs with the seeds that follow; the numbers are means over them
    #[arg(long, value_name = "R", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub runs: u64,

    /// Leave a table and a Chrome trace of where the time went in the run folder
    #[arg(long)]
    pub profile: bool,

    #[command(flatten)]
    pub options: Options,
}

/// How endmembers are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Extractor {
    /// All extractors; the best candidate is chosen without the truth
    Auto,
    /// Entropic descent archetypal analysis
    Edaa,
    /// Vertex component analysis
    Vca,
    /// N-FINDR
    Nfindr,
    /// Successive projection algorithm
    Spa,
    /// Probabilistic mixture model, with intervals of the abundances
    Pmm,
    /// Autoencoder of single pixels with a linear decoder
    LinearAe,
    /// Convolutional autoencoder of patches
    Cnnaeu,
    /// Untrained convolutional network with a prior of small simplexes
    Misicnet,
    /// Convolutional encoder with a transformer
    Deeptrans,
    /// Sparse regression against a library (--library), or against near-pure spectra of the scene
    Sunsal,
}

impl From<Extractor> for Method {
    fn from(extractor: Extractor) -> Self {
        match extractor {
            Extractor::Auto => Self::Auto,
            Extractor::Edaa => Self::Edaa,
            Extractor::Vca => Self::Vca,
            Extractor::Nfindr => Self::Nfindr,
            Extractor::Spa => Self::Spa,
            Extractor::Pmm => Self::Pmm,
            Extractor::LinearAe => Self::LinearAe,
            Extractor::Cnnaeu => Self::Cnnaeu,
            Extractor::Misicnet => Self::Misicnet,
            Extractor::Deeptrans => Self::Deeptrans,
            Extractor::Sunsal => Self::Sunsal,
        }
    }
}

/// Everything that decides a run, as `config.toml` keeps it.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    pub command: &'static str,
    pub scene: SceneArguments,
    pub methods: Vec<Extractor>,
    pub runs: u64,
    #[serde(skip)]
    pub profile: bool,
    pub options: Options,
}

impl Arguments {
    /// Unmixes.
    ///
    /// # Errors
    /// Bad input before anything is written; a run that fails.
    pub fn run(self) -> Result<Ending> {
        self.options.apply()?;
        let output = Output::new(&self.options);
        // Other methods than extractors need the whole scene at once.
        let large = match Method::EXTRACTORS.contains(&self.method.into()) {
            true => LargeScene::open(&self.scene.file)?,
            false => None,
        };
        let settings = Settings {
            command: "unmix run",
            scene: self.scene,
            methods: vec![self.method],
            runs: self.runs,
            profile: self.profile,
            options: self.options,
        };
        let completed = match large {
            Some(scene) => run_large(&settings, &scene, output)?,
            None => {
                let task = settings.scene.task(settings.options.seed, output)?;
                run_scene(&settings, &task, output)?
            }
        };
        match completed {
            None => Ok(Ending::Done),
            Some(Completed::Earlier(earlier)) => {
                output.result(&earlier)?;
                Ok(Ending::Done)
            }
            Some(Completed::Done(result)) => {
                output.result(&result)?;
                Ok(Ending::Done)
            }
        }
    }
}

/// How [`run_scene`] ended.
pub enum Completed {
    Done(Box<Printed>),
    /// By an earlier process.
    Earlier(Earlier),
}

/// What `run` prints: means over the runs, and each run where there are several.
#[derive(Serialize)]
pub struct Printed {
    #[serde(flatten)]
    pub summary: Summary,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Summary>,
    #[serde(skip)]
    names: Vec<String>,
}

impl Printed {
    /// Of a single run without names.
    pub fn of(summary: Summary) -> Self {
        Self { summary, runs: Vec::new(), names: Vec::new() }
    }
}

/// Unmixes a scene in a run folder of its own; nothing with `--dry-run`.
///
/// # Errors
/// A device that is not there, a folder that may not be used, a run that fails.
pub fn run_scene(settings: &Settings, task: &Task, output: Output) -> Result<Option<Completed>> {
    let options = &settings.options;
    let (device, casting) = select_device(settings, task.scene.cube.values().len(), output)?;
    let dir = run_dir(options, &settings.scene.file, "unmix")?;
    if options.dry_run {
        output.note(format_args!(
            "{}: {} endmembers would be looked for; results would go to {}",
            task.scene.name,
            task.endmembers,
            dir.display()
        ));
        return Ok(None);
    }
    let mut run = match open_run(&dir, settings, (options, settings.profile), (&device, &casting), output)? {
        Opened::Earlier(earlier) => return Ok(Some(Completed::Earlier(earlier))),
        Opened::Run(run) => run,
    };
    let mut results: Vec<(Unmixed, Summary)> = Vec::new();
    for seed in seeds(options.seed, settings.runs) {
        let unmixed = fit(settings, task, settings.methods[0], seed, (&device.device, &casting), &mut run)?;
        results.push(matched(unmixed, task, &dir)?);
    }
    let runs: Vec<Summary> = results.iter().map(|(_, summary)| summary.clone()).collect();
    let Some((first, _)) = results.first() else { bail!("no run was made") };
    let summary = mean(&runs);
    write_json(&dir.join("metrics.json"), &summary)?;
    let suggestion = task.suggestion.as_ref();
    run.monitor().phase("figures and tables", || save(&dir, first, &task.scene, &runs, suggestion))?;
    close_run(&mut run, settings.profile, &summary, output)?;
    let names = task.scene.truth.as_ref().map_or_else(Vec::new, |t| t.names.clone());
    let runs = if runs.len() > 1 { runs } else { Vec::new() };
    Ok(Some(Completed::Done(Box::new(Printed { summary, runs, names }))))
}

/// The device and the precision asked for, for a scene of so many values, told to the user.
///
/// # Errors
/// A device that was named and is not there; a precision that no method here has; abundances that a method does not give.
pub fn select_device(settings: &Settings, values: usize, output: Output) -> Result<(device::Selected, Casting)> {
    let options = &settings.options;
    let methods = || settings.methods.iter().map(|method| Method::from(*method));
    if settings.scene.abundance == Abundance::Own
        && let Some(method) = methods().find(|method| !method.has_own_abundances())
    {
        bail!("--abundance own: {} gives no abundances of its own; choose another convention", method.name());
    }
    if settings.scene.library.is_some() && !methods().any(|method| method == Method::Sunsal) {
        bail!("--library: only --method sunsal takes one; leave it out");
    }
    settings.scene.mixture.check(methods().any(|method| method == Method::Pmm))?;
    let device = options.select_device()?;
    let asked = options.precision();
    if methods().any(Method::uses_device) {
        let work = Work { elements: values, reduced_precision_pays_from: FEWER_BITS_FROM };
        let casting = asked.resolve(&device.device, work)?;
        output.note(format_args!(
            "device: {} ({}), {} ({})",
            device.name,
            device.reason,
            casting.name(),
            casting.reason()
        ));
        return Ok((device, casting));
    }
    if !matches!(asked, Precision::Auto | Precision::F32) {
        bail!("--precision {asked}: extraction and abundances are classical and have f32 only; leave it out");
    }
    let casting = Casting::f32();
    if settings.scene.mixture.is_variational() {
        output.note(format_args!(
            "device: {} ({}); variational inference runs there, in f32",
            device.name, device.reason
        ));
        return Ok((device, casting));
    }
    output.note(format_args!(
        "device: {} ({}); extraction and abundances are classical and run on the CPU in f32 with any device",
        device.name, device.reason
    ));
    Ok((device, casting))
}

/// One fit within `run`, with its numbers logged.
pub fn fit(
    settings: &Settings,
    task: &Task,
    method: Extractor,
    seed: u64,
    (device, casting): (&Device, &Casting),
    run: &mut Run,
) -> Result<Unmixed> {
    let config = UnmixingConfig {
        method: method.into(),
        abundance: settings.scene.abundance.into(),
        restarts: settings.scene.restarts,
        mixture: (&settings.scene.mixture).into(),
        steps: settings.scene.steps,
        seed,
        ..UnmixingConfig::new(task.endmembers)
    };
    let mut unmixing = Unmixing::new(config).on(device, casting.clone());
    if let Some(library) = &task.library {
        unmixing = unmixing.with_library(library.clone());
    }
    Ok(unmixing.fit(&task.scene.cube, run, &settings.options.saving())?)
}

/// Brings the endmembers into the order of the truth, and measures them.
pub fn matched(unmixed: Unmixed, task: &Task, dir: &Path) -> Result<(Unmixed, Summary)> {
    let truth = task.scene.truth.as_ref();
    let unmixed = match truth {
        Some(truth) => {
            let mut order = Agreement::of(&unmixed.endmembers, &truth.endmembers)?.order;
            let others: Vec<usize> = (0..unmixed.endmembers.count()).filter(|k| !order.contains(k)).collect();
            order.extend(others);
            unmixed.reordered(&order)
        }
        None => unmixed,
    };
    let mut summary = Summary::of(&unmixed, truth)?;
    summary.run_dir = Some(dir.display().to_string());
    Ok((unmixed, summary))
}

/// `count` seeds from the first.
pub fn seeds(first: u64, count: u64) -> impl Iterator<Item = u64> {
    (0..count).map(move |i| first.wrapping_add(i))
}

/// The runs as one: means of all numbers, the seed of the first.
fn mean(runs: &[Summary]) -> Summary {
    let mut mean = runs[0].clone();
    let row = Row::of(&mean.method, runs);
    mean.seconds = row.seconds.map_or(mean.seconds, |s| s.mean);
    mean.reconstruction_rmse = row.reconstruction_rmse.map_or(mean.reconstruction_rmse, |s| s.mean);
    mean.mean_sad_rad = row.mean_sad_rad.map(|s| s.mean);
    mean.sad_rad = mean.sad_rad.as_ref().map(|first| {
        let of = |k: usize| runs.iter().filter_map(|r| r.sad_rad.as_ref()?.get(k).copied()).sum::<f64>();
        (0..first.len()).map(|k| of(k) / runs.len() as f64).collect()
    });
    mean.coverage_90 = row.coverage_90.map(|s| s.mean);
    let error = |name: &str| row.abundance_rmse.get(name).map(|s| s.mean);
    mean.abundance_rmse = (|| {
        Some(AbundanceRmse {
            native: error("native")?,
            fcls: error("fcls")?,
            unit_max: error("unit_max")?,
            rescaled: error("rescaled")?,
        })
    })();
    mean
}

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = &self.summary;
        writeln!(f, "{} endmembers by {} in {:.2} s", s.endmembers, s.method, s.seconds)?;
        writeln!(f, "reconstruction RMSE   {:.5}", s.reconstruction_rmse)?;
        if let (Some(mean), Some(each)) = (s.mean_sad_rad, &s.sad_rad) {
            writeln!(f, "mean SAD              {mean:.4} rad")?;
            for (k, sad) in each.iter().enumerate() {
                let name = self.names.get(k).map_or("endmember", String::as_str);
                writeln!(f, "  {name:<20}{sad:.4} rad")?;
            }
        }
        if let Some(e) = s.abundance_rmse {
            writeln!(
                f,
                "abundance RMSE        fcls {:.4}  unit-max {:.4}  rescaled {:.4}",
                e.fcls, e.unit_max, e.rescaled
            )?;
        }
        if let Some(coverage) = s.coverage_90 {
            writeln!(f, "90 % intervals hold   {:.1} % of the true abundances", 100.0 * coverage)?;
        }
        if let Some(dir) = &s.run_dir {
            writeln!(f, "report                {}", Path::new(dir).join("report.html").display())?;
        }
        Ok(())
    }
}
