//! A sky and a trained model: `cosmology clean --model`, and what `cosmology null` reads.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Result, bail};
use cupel::{
    cosmology::{
        Error, Sky,
        estimators::Detection,
        model::{Cleaned, Model, ObservedVisibilities, VisibilityModel},
        read_sky,
    },
    data::{Array, write_npy},
    report::Report,
};
use serde::Serialize;

use super::input::Input;
use crate::Session;

/// What was found.
#[derive(Serialize)]
pub struct Found {
    method: String,
    shape: Vec<usize>,
    unit: String,
    mismatch: f64,
    refused: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    detection: Option<Detection>,
    out: PathBuf,
    seconds: f64,
}

/// Reads a sky for a model. What neither file nor user say, unit and size, is taken to be as in the training, and the user is told; the model
/// refuses a sky in another unit as unlike its own.
pub fn read(input: &Input, path: &Path, model: &Model, session: &Session) -> Result<Sky> {
    let mut config = input.config();
    let mut sky = match read_sky(path, &config) {
        Err(error) if config.unit.is_none() => {
            config.unit = Some(model.unit());
            let Ok(sky) = read_sky(path, &config) else { return Err(error.into()) };
            session.note(format_args!(
                "{}: nobody names its unit, it is read as {}, that of the model; another one is given with --unit",
                path.display(),
                model.unit()
            ));
            sky
        }
        other => other?,
    };
    if let Err(Error::Missing { .. }) = sky.geometry() {
        let [rows, columns] = model.about().side_deg;
        session.note(format_args!(
            "{}: nobody says how large the patch is, it is read as {rows} by {columns} degrees, that of the model; another size is given with \
             --side-deg",
            path.display()
        ));
        sky = sky.with_sides([rows, columns])?;
    }
    if sky.unit() != model.unit() {
        sky = sky.in_unit(model.unit())?;
    }
    model.check(&sky)?;
    Ok(sky)
}

/// Takes the foregrounds off by a model, into a folder.
pub fn clean(sky: &Sky, path: &Path, model: &Model, draws: usize, out: &Path, session: &Session) -> Result<Found> {
    let start = Instant::now();
    let cleaned = model.clean(sky, draws, 0)?;
    if cleaned.mismatch.refused && !session.force() {
        bail!(
            "{}: the sky is unlike those that the model was trained on, by {:.2} of what is let pass (1 is the most), so that the estimate or its \
             error would be wrong; train on skies like it, or take it all the same with --force",
            path.display(),
            cleaned.mismatch.score
        );
    }
    let found = Found {
        method: model.estimator().name().to_owned(),
        shape: sky.cube().shape(),
        unit: sky.unit().to_string(),
        mismatch: cleaned.mismatch.score,
        refused: cleaned.mismatch.refused,
        detection: cleaned.detection,
        out: out.to_path_buf(),
        seconds: start.elapsed().as_secs_f64(),
    };
    write(sky, path, &cleaned, &found, out)?;
    Ok(found)
}

/// Signal, error and power, and the page.
fn write(sky: &Sky, path: &Path, cleaned: &Cleaned, found: &Found, out: &Path) -> Result<()> {
    let fits =
        path.extension().is_some_and(|own| ["fits", "fit", "fts"].iter().any(|fits| own.eq_ignore_ascii_case(fits)));
    let named = |name: &str| out.join(format!("{name}.{}", if fits { "fits" } else { "npy" }));
    let mut report = Report::new(out, "A sky without its foregrounds");
    report.summary(format!("{} was cleaned by the {}.", path.display(), found.method));
    report.numbers(found)?;
    cleaned.show(sky, None, &mut report)?;
    report.save()?;
    let signal = &cleaned.estimate.signal;
    let sigma = signal.with_cube(cleaned.estimate.sigma.clone(), signal.weights().cloned())?;
    cleaned.write_power(&out.join("power.json"))?;
    sigma.write(&named("sigma"))?;
    signal.write_frequencies(out)?;
    Ok(signal.write(&named("signal"))?)
}

/// Reads visibilities for a model; what neither file nor user say is as in the training, and the user is told.
pub fn read_visibilities(
    input: &Input,
    path: &Path,
    model: &VisibilityModel,
    session: &Session,
) -> Result<ObservedVisibilities> {
    let mut notes = Vec::new();
    let observed = model.read(path, &input.config(), &mut notes)?;
    notes.iter().for_each(|note| session.note(note));
    Ok(observed)
}

/// Takes the foregrounds off visibilities by a model, into a folder.
pub fn clean_visibilities(
    observed: &ObservedVisibilities,
    path: &Path,
    model: &VisibilityModel,
    out: &Path,
    session: &Session,
) -> Result<Found> {
    let start = Instant::now();
    let cleaned = model.clean(observed)?;
    if cleaned.refused && !session.force() {
        bail!(
            "{}: the visibilities are unlike those that the model was trained on: the power that its components leave is off by {:.2} of what is \
             let pass (1 is the most); train on files like it, or take it all the same with --force",
            path.display(),
            cleaned.mismatch
        );
    }
    let found = Found {
        method: "unet".to_owned(),
        shape: observed.shape(),
        unit: model.about().unit.clone().unwrap_or_default(),
        mismatch: cleaned.mismatch,
        refused: cleaned.refused,
        detection: None,
        out: out.to_path_buf(),
        seconds: start.elapsed().as_secs_f64(),
    };
    let mut report = Report::new(out, "Visibilities without their foregrounds");
    report.summary(format!("{} was cleaned by a model of visibilities.", path.display()));
    report.numbers(&found)?;
    report.save()?;
    write_npy(&out.join("sigma.npy"), &Array::from(&cleaned.sigma))?;
    write_npy(&out.join("signal.npy"), &Array::from(&cleaned.signal))?;
    Ok(found)
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, shape, unit, mismatch, refused, detection, out, seconds } = self;
        // neither the file nor those of the training may have named one
        let unit = if unit.is_empty() { "the unit of the file" } else { unit };
        writeln!(f, "{shape:?} in {unit} by the {method} in {seconds:.1} s: {}", out.display())?;
        if let Some(detection) = detection {
            writeln!(f, "{detection}")?;
        }
        write!(f, "mismatch {mismatch:.2}; from 1 on a sky is unlike those of the training")?;
        if *refused {
            write!(f, "\nwarning: it is: estimate or error may be wrong")?;
        }
        Ok(())
    }
}
