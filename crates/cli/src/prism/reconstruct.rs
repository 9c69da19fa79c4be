//! `cupel prism reconstruct`: the object behind exposures, with what it can be trusted for.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use cupel::{
    prism::{
        DecoderConfig, Exposures, Instrument, LossAgg, ObjectConfig, Plane, ReconstructionConfig, Results,
        holds_exposures, open_exposures, page, read_exposures, reconstruct,
    },
    settings::Settings,
    train::{Casting, Work},
};
use serde::Serialize;

use super::simulation::Simulation;
use crate::{
    Command, Flags, Session,
    shared::{Computation, Shared},
};

/// Side of a field, squared, from which on decoders take fewer bits with `--precision auto`, where the device has them.
const FEWER_BITS_FROM: usize = 1 << 20;

/// Reconstruct an object from exposures, or from simulated ones of an object that is known
#[derive(Args)]
pub struct Arguments {
    /// Exposures: NPZ of `prism observe`; or with --instrument frames of an array of lights (.mat), .cxi, HDF5 of PtyLab or PtyPy, NPZ
    /// of data, scan and probe, or a stack of frames (NPY, TIFF) with a table of positions
    #[arg(value_name = "FILE", required_unless_present = "object", conflicts_with = "object")]
    file: Option<PathBuf>,

    /// In place of exposures: an image of intensities, whose exposures are simulated
    #[arg(long, value_name = "IMAGE", help_heading = "Object")]
    object: Option<PathBuf>,

    #[command(flatten)]
    made: Flags<ObjectConfig>,

    /// What the instrument was, as TOML: wavelength, objective or probe, array of lights, detector
    #[arg(long, value_name = "FILE.toml", requires = "file", help_heading = "Object")]
    instrument: Option<PathBuf>,

    #[command(flatten)]
    simulation: Simulation,
    #[command(flatten)]
    reconstruction: Flags<ReconstructionConfig>,
    #[command(flatten)]
    decoder: Flags<DecoderConfig>,
    #[command(flatten)]
    computation: Computation,
}

/// What was read, or is simulated.
#[derive(Serialize)]
pub struct Task {
    exposures: usize,
    detector: usize,
    field: [usize; 2],
    #[serde(skip)]
    measured: Exposures,
    #[serde(skip)]
    aside: Option<Exposures>,
    #[serde(skip)]
    truth: Option<Plane>,
    #[serde(skip)]
    name: String,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { exposures, detector, field: [rows, columns], .. } = self;
        write!(
            f,
            "an object in a field of {rows} x {columns} from {exposures} exposures of {detector} x {detector} pixels"
        )
    }
}

/// What is printed.
#[derive(Serialize)]
pub struct Found {
    #[serde(flatten)]
    results: Results,
    run_dir: PathBuf,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.results)?;
        writeln!(f, "{}", self.run_dir.join("report.html").display())
    }
}

impl Command for Arguments {
    type Plan = Task;
    type Outcome = Found;
    const GROWING: &'static [&'static str] = &["iterations"];

    fn shared(&self) -> Shared<'_> {
        self.computation.shared()
    }

    fn unused(&self) -> Vec<(String, String)> {
        let mut unused = self.simulation.unused();
        unused.extend(self.reconstruction.settings.unused());
        if self.object.is_none() {
            let all = self.made.settings.list().into_iter();
            unused.extend(all.map(|setting| (setting.name.to_owned(), "only --object has it".to_owned())));
        }
        if self.reconstruction.settings.solver.decodes() {
            unused.extend(self.decoder.settings.unused());
        } else {
            let all = self.decoder.settings.list().into_iter();
            unused.extend(
                all.map(|setting| (setting.name.to_owned(), "only the solvers decoder and best have it".to_owned())),
            );
        }
        unused
    }

    fn stem(&self) -> String {
        let path = self.file.as_deref().or(self.object.as_deref());
        path.and_then(Path::file_stem).map_or_else(|| "object".into(), |stem| stem.to_string_lossy().into_owned())
    }

    fn plan(&self, session: &Session) -> Result<Task> {
        self.reconstruction.settings.check()?;
        let (measured, truth) = match (&self.file, &self.object) {
            (Some(file), _) if !file.exists() => bail!("{}: there is no such file", file.display()),
            (Some(file), _) if holds_exposures(file)? => open_exposures(file)?,
            (Some(file), _) => {
                let instrument = self.instrument.as_deref().map(Instrument::read).transpose()?.unwrap_or_default();
                let recording = read_exposures(file, &instrument)?;
                recording.found.iter().for_each(|found| session.note(found));
                (recording.exposures, None)
            }
            (None, Some(object)) => {
                let truth = self.made.settings.open(object)?;
                (self.simulation.observe(&truth, session.seed(), &session.device()?.device)?, Some(truth))
            }
            (None, None) => bail!("name a file of exposures, or an image by --object"),
        };
        let (measured, aside) = self.reconstruction.settings.put_aside(&measured)?;
        if self.reconstruction.settings.solver.decodes() {
            let DecoderConfig { loss_weights, .. } = self.decoder.settings;
            let loss = LossAgg { loss_weights, ..LossAgg::new(self.decoder.settings.loss_type()) };
            loss.check(measured.optics.detector).map_err(cupel::prism::Error::from)?;
        }
        Ok(Task {
            exposures: measured.centres.len(),
            detector: measured.optics.detector,
            field: measured.optics.size,
            measured,
            aside,
            truth,
            name: self.stem(),
        })
    }

    fn work(self, task: Task, session: &mut Session) -> Result<Found> {
        let decoder = self.decoder.settings;
        let (config, seed) = (ReconstructionConfig { decoder, ..self.reconstruction.settings }, session.seed());
        let decodes = config.solver.decodes();
        let elements = if decodes { task.field[0] * task.field[1] } else { 0 };
        let casting = session.casting(Work { elements, reduced_precision_pays_from: FEWER_BITS_FROM })?;
        anyhow::ensure!(
            decodes || casting.name() == Casting::f32().name(),
            "--precision {}: only the solver decoder computes in fewer bits than f32; leave it out",
            casting.name()
        );
        let device = session.device()?.device.clone();
        let found = reconstruct(&task.measured, &config, seed, (&device, &casting), session.run())?;
        let run_dir = session.dir().context("a reconstruction has a folder")?;
        let mut results = Results::of(&found, &task.measured, task.truth.as_ref(), &device)?;
        results.test_r = task.aside.as_ref().map(|aside| found.foretold(aside, &device)).transpose()?;
        results.doubt.iter().for_each(|doubt| session.note(format_args!("warning: {doubt}")));
        page::save(&found, &results, &task.measured, task.truth.as_ref(), &task.name, &run_dir)?;
        Ok(Found { results, run_dir })
    }
}
