//! `cupel pca validate`: components that were computed once, beside those of every batch anew.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Result, bail};
use clap::Args;
use cupel::{
    cosmology::{ObservationChunks, Observations},
    data::Cube,
    pca::{Chunks, Components, Files, Modes, Number, Pca, Projector, Samples},
    report::{LineChart, Report},
    settings::Range,
};
use serde::Serialize;

use super::input::{Array, Observed};
use crate::{
    Command, Session, number,
    shared::{Out, Output, Shared, Threads},
};

/// Compare components that were computed once with those of every sample anew: angles, residuals and time
#[derive(Args)]
pub struct Arguments {
    /// Files with samples that were not fitted on
    #[arg(value_name = "FILE", conflicts_with = "cosmopath")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    array: Array,

    #[command(flatten)]
    observed: Observed,

    /// Components: a .npz, or a folder with components.npz [default: those of the model]
    #[arg(long, alias = "pca-components", value_name = "PATH", help_heading = "Components")]
    components: Option<PathBuf>,

    /// Modes of the components of the model
    #[arg(long, value_name = "K", value_parser = super::input::modes, help_heading = "Components")]
    modes: Option<Modes>,

    /// Observations, or chunks of files, that are compared
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = number::<usize>(Range::at_least(1.0).at_most(1e6)), help_heading = "Observations")]
    num_samples: usize,

    /// Draw figures, into --out [default: a folder beside the components]
    #[arg(long)]
    plot: bool,

    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    out: Out,
    #[command(flatten)]
    output: Output,
}

/// What is compared.
#[derive(Serialize)]
pub struct Plan {
    components: PathBuf,
    modes: usize,
    samples: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    figures: Option<PathBuf>,
    #[serde(skip)]
    source: Box<(Components, Box<dyn Chunks>)>,
}

/// One sample.
#[derive(Clone, Debug, Serialize)]
struct Compared {
    angle_rad: f64,
    rms_on_the_fly: f64,
    rms_precomputed: f64,
    seconds_on_the_fly: f64,
    seconds_precomputed: f64,
}

/// How the two compare, over all samples.
#[derive(Serialize)]
pub struct Validated {
    angle_rad: f64,
    residual_ratio: f64,
    seconds_on_the_fly: f64,
    seconds_precomputed: f64,
    speedup: f64,
    modes: usize,
    samples: Vec<Compared>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<PathBuf>,
}

impl Command for Arguments {
    type Plan = Plan;
    type Outcome = Validated;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).threads(&self.threads).out(&self.out)
    }

    fn plan(&self, session: &Session) -> Result<Plan> {
        if session.out().is_some() && !self.plot {
            bail!("--out is where --plot draws its figures; say --plot, or leave it out");
        }
        let config = self.observed.config(self.observed.modes(self.modes));
        let Some(path) = self.components.clone().or_else(|| self.observed.components(&config)) else {
            bail!("which components? name them with --components, or their model with --model-dir and --model-name");
        };
        let components = Components::load(&path)?;
        let figures =
            self.plot.then(|| session.out().map_or_else(|| path.with_extension("validation"), Path::to_path_buf));
        figures.as_ref().map_or(Ok(()), |figures| session.may_write(figures))?;
        let chunks: Box<dyn Chunks> = match self.observed.parts(&config)? {
            Some(parts) => {
                // samples that were not fitted on, where some were kept
                let observations = match parts.validation.cosmologies.is_empty() {
                    true => Observations::training(parts.train, &config)?,
                    false => Observations::validation(parts.validation, &config)?,
                };
                Box::new(ObservationChunks::new(observations, self.num_samples, &config)?)
            }
            None => {
                let Some(first) = self.files.first() else {
                    bail!("nothing to compare on: name files, or --cosmopath and --galpath");
                };
                let along = self.array.axis.unwrap_or(components.axis().kind());
                let array = Array { axis: Some(along), ..self.array.clone() };
                Box::new(Files::open(&self.files, along, &array.choice(first, &[])?)?)
            }
        };
        let components = super::input::along(components, chunks.axis())?;
        let samples = self.num_samples.min(chunks.count());
        Ok(Plan {
            components: path,
            modes: components.count(),
            samples,
            figures,
            source: Box::new((components, chunks)),
        })
    }

    fn work(self, plan: Plan, _: &mut Session) -> Result<Validated> {
        let (components, mut chunks) = *plan.source;
        let projector = Projector::new(&components);
        let mut samples = Vec::with_capacity(plan.samples);
        for number in 0..plan.samples {
            samples.push(match chunks.chunk(number)?.samples {
                Samples::F32(cube) => compare(&cube, &components, &projector)?,
                Samples::F64(cube) => compare(&cube, &components, &projector)?,
                Samples::Complex64(cube) => compare(&cube, &components, &projector)?,
                Samples::Complex128(cube) => compare(&cube, &components, &projector)?,
                _ => bail!("samples of another kind"),
            });
        }
        let sum = |of: &dyn Fn(&Compared) -> f64| samples.iter().map(of).sum::<f64>();
        let [on_the_fly, precomputed] = [sum(&|s| s.seconds_on_the_fly), sum(&|s| s.seconds_precomputed)];
        let power = |of: &dyn Fn(&Compared) -> f64| samples.iter().map(|s| of(s).powi(2)).sum::<f64>();
        let mut validated = Validated {
            angle_rad: samples.iter().map(|s| s.angle_rad).fold(0.0, f64::max),
            residual_ratio: (power(&|s| s.rms_precomputed) / power(&|s| s.rms_on_the_fly)).sqrt(),
            seconds_on_the_fly: on_the_fly / samples.len() as f64,
            seconds_precomputed: precomputed / samples.len() as f64,
            speedup: on_the_fly / precomputed,
            modes: components.count(),
            samples,
            report: None,
        };
        if let Some(figures) = plan.figures {
            validated.report = Some(draw(&validated, figures)?);
        }
        Ok(validated)
    }
}

/// One sample, cleaned by its own components and by those that were computed before.
fn compare<T: Number>(cube: &Cube<T>, components: &Components, projector: &Projector) -> Result<Compared> {
    let start = Instant::now();
    let pca = Pca::new(Modes::Count(components.count()));
    let pca = if components.basis().is_hermitian() { pca.hermitian() } else { pca };
    let own = pca.fit(cube, components.axis().kind())?;
    let anew = Projector::new(&own).apply(cube)?;
    let seconds_on_the_fly = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let before = projector.apply(cube)?;
    let seconds_precomputed = start.elapsed().as_secs_f64();
    Ok(Compared {
        angle_rad: own.angle(components)?,
        rms_on_the_fly: rms(&anew),
        rms_precomputed: rms(&before),
        seconds_on_the_fly,
        seconds_precomputed,
    })
}

fn rms<T: Number>(cube: &Cube<T>) -> f64 {
    let square = |value: &T| value.parts().iter().map(|part| part * part).sum::<f64>();
    (cube.values().iter().map(square).sum::<f64>() / cube.len().max(1) as f64).sqrt()
}

fn draw(validated: &Validated, out: PathBuf) -> Result<PathBuf> {
    let mut report = Report::new(out, "Components computed once, beside those of every sample");
    report.finding(validated.to_string());
    report.numbers(validated)?;
    let samples = &validated.samples;
    let x: Vec<f64> = (1..=samples.len()).map(|i| i as f64).collect();
    let of = |value: &dyn Fn(&Compared) -> f64| samples.iter().map(value).collect::<Vec<f64>>();
    let (anew, before) = (of(&|s| s.rms_on_the_fly), of(&|s| s.rms_precomputed));
    let numbers = x.clone();
    report.figure("residuals", "Rms of what is left of each sample.", move || {
        let chart = LineChart::new("Residuals", "sample", "rms").include_y(0.0);
        chart.line("computed anew", &numbers, &anew).line("computed once", &numbers, &before).figure()
    });
    let angles = of(&|s| s.angle_rad);
    let numbers = x.clone();
    report.figure("angles", "Largest angle between the modes of a sample and those computed once.", move || {
        LineChart::new("Angles", "sample", "angle [rad]").include_y(0.0).line("", &numbers, &angles).figure()
    });
    let (anew, before) = (of(&|s| 1e3 * s.seconds_on_the_fly), of(&|s| 1e3 * s.seconds_precomputed));
    report.figure("time", "Time for each sample.", move || {
        let chart = LineChart::new("Time", "sample", "ms").log_y();
        chart.line("computed anew", &x, &anew).line("computed once", &x, &before).figure()
    });
    Ok(report.save()?)
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { components, modes, samples, .. } = self;
        write!(f, "{modes} modes of {} would be compared with those of {samples} samples", components.display())
    }
}

impl fmt::Display for Validated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            angle_rad, residual_ratio, seconds_on_the_fly, seconds_precomputed, speedup, modes, samples, ..
        } = self;
        writeln!(f, "{modes} modes, {} samples: at most {angle_rad:.3e} rad between the modes", samples.len())?;
        writeln!(f, "what is left is {residual_ratio:.4} times what components of each sample leave")?;
        write!(
            f,
            "{:.1} ms a sample computed anew, {:.2} ms computed once: {speedup:.1} times as fast",
            1e3 * seconds_on_the_fly,
            1e3 * seconds_precomputed
        )
    }
}
