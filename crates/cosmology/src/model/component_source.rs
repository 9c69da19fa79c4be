//! [`ComponentSource`]: where the components of a training on visibilities come from, in four ways.

use std::path::PathBuf;

use cupel_data::Axis;
use cupel_pca::{Basis, Components, Modes};

use crate::{Error, ObservationsConfig, Result};

/// Where components come from.
#[derive(Clone, Debug, PartialEq)]
pub enum ComponentSource {
    /// A file, which was named or lies in the folder of the model.
    File(PathBuf, Box<Components>),
    /// They are fitted on the files for training.
    Fitted(Modes),
    /// Each batch has its own.
    OnTheFly(usize),
}

impl ComponentSource {
    /// The file that is named; else that in the folder of the model; else those that are to be fitted. `notes` get what the user should know:
    /// a file that is missing, a fit, and the cost of components found in each batch.
    ///
    /// # Errors
    /// A file that holds no components, or those of other channels, of groups, or of complex numbers; more components than channels.
    pub fn find(
        config: &ObservationsConfig,
        on_the_fly: bool,
        channels: &Axis,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let modes = config.n_fg;
        if modes >= channels.len() {
            let expected = format!("fewer than the {} channels", channels.len());
            return Err(cupel_settings::Problem::value("n-fg", modes, expected).into());
        }
        if on_the_fly {
            notes.push(format!(
                "warning: --pca-on-the-fly finds {modes} components in every batch anew, as it was done before they were precomputed: each batch \
                 then has its own basis, which takes off more of the signal, and a step takes longer"
            ));
            return Ok(Self::OnTheFly(modes));
        }
        if let Some(path) = &config.pca_components_path {
            let path = PathBuf::from(path);
            if path.exists() {
                return Self::file(path, modes, channels, notes);
            }
            notes.push(format!("warning: {}: there are no components", path.display()));
        }
        let in_the_folder = ObservationsConfig { pca_components_path: None, ..config.clone() };
        // without a name of the model there is no folder to look into
        if let Ok(path) = in_the_folder.components_path() {
            if path.exists() {
                return Self::file(path, modes, channels, notes);
            }
            notes.push(format!("{}: not there yet", path.display()));
        }
        notes.push(format!("{modes} components are fitted on the files for training alone"));
        Ok(Self::Fitted(Modes::Count(modes)))
    }

    fn file(path: PathBuf, modes: usize, channels: &Axis, notes: &mut Vec<String>) -> Result<Self> {
        let refuse = |problem: String, fix| {
            let name = path.display().to_string();
            Err(Error::Estimator { name: format!("unet with the components of {name}"), problem, fix })
        };
        let found = Components::load(&path)?;
        if found.channels() != channels.len() {
            let problem = format!("they have {} channels, the files {}", found.channels(), channels.len());
            return refuse(problem, "fit components of these files with pca fit, or leave --pca-components-path out");
        }
        if matches!(found.basis(), Basis::Hermitian(_)) {
            let problem = "their basis is complex, and real and imaginary parts are cleaned alike".to_owned();
            return refuse(problem, "fit a real basis, with pca fit --basis real");
        }
        // those of the original, and of files that say no frequencies, know their channels by their numbers
        let known = found.axis().coordinates().is_some() && channels.coordinates().is_some();
        let found = if known {
            found.check_axis(channels)?;
            found
        } else {
            found.with_axis(channels.clone())?
        };
        notes.push(format!("{} components of {}", found.count(), path.display()));
        if found.count() != modes {
            notes.push(format!("warning: --n-fg says {modes} components, and the file has {}", found.count()));
        }
        Ok(Self::File(path, Box::new(found)))
    }
}
