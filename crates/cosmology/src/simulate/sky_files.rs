//! [`SkyFiles`]: skies written one after the other, which can be stopped and gone on with.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use cupel_data::write_atomic;
use cupel_train::{Advance, Computing, Metrics, Position, Progress, SetReader, SetWriter, fingerprint};
use serde::{Deserialize, Serialize};

use super::{SimulateConfig, Simulation};
use crate::Result;

/// Name of the table of all skies.
const TRUTH: &str = "truth.csv";

/// A sky that was written, and how strong its parts are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenSky {
    /// Number of the sky.
    pub sky: u64,
    /// Standard deviations in mK, as in [`SkyInfo::rms`](super::SkyInfo).
    pub rms: BTreeMap<String, f64>,
}

/// Writes the skies of a simulation into folders `sky_0000`, `sky_0001`, ...; driven by [`Run::drive`](cupel_train::Run::drive).
pub struct SkyFiles {
    simulation: Simulation,
    folder: PathBuf,
    written: Vec<WrittenSky>,
}

impl SkyFiles {
    /// Skies that are not written yet, into folders of `folder`.
    pub fn new(simulation: Simulation, folder: &Path) -> Self {
        Self { simulation, folder: folder.into(), written: Vec::new() }
    }

    /// Skies written so far.
    pub fn skies(&self) -> &[WrittenSky] {
        &self.written
    }

    /// Writes `truth.csv` for who evaluates estimates of the skies: where the truth, what was observed and their weights lie, and how strong
    /// each part is; gives its path.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write_truth_table(&self) -> Result<PathBuf> {
        let flagged = self.simulation.file_names().contains(&"weights.npy");
        let SimulateConfig { family, signal, .. } = self.simulation.config();
        let mut text =
            "sky,family,signal,truth,observed,weights,rms_foreground_mk,rms_signal_mk,rms_signal_beam_mk,rms_noise_mk\n".to_owned();
        for WrittenSky { sky, rms } in &self.written {
            let folder = Simulation::folder_name(*sky);
            let rms =
                ["fg", "signal", "signal_beam", "noise"].map(|name| rms.get(name).copied().unwrap_or(0.0).to_string());
            let weights = if flagged { format!("{folder}/weights.npy") } else { String::new() };
            text += &format!(
                "{sky},{family},{signal},{folder}/signal_beam.npy,{folder}/obs.npy,{weights},{}\n",
                rms.join(",")
            );
        }
        let path = self.folder.join(TRUTH);
        write_atomic(&path, |file| file.write_all(text.as_bytes()).map_err(cupel_data::Error::io("write", &path)))?;
        Ok(path)
    }
}

impl Advance for SkyFiles {
    fn advance(&mut self, _: Position) -> cupel_train::Result<Progress> {
        let (next, total) = (self.written.len() as u64, self.simulation.config().skies);
        let mut metrics = Metrics::default();
        if next < total {
            let folder = self.folder.join(Simulation::folder_name(next));
            let info = self.simulation.write(next, &folder).map_err(cupel_train::Error::work)?;
            metrics = Metrics::from([("rms_signal_mk", info.rms.get("signal").copied().unwrap_or(0.0))]);
            self.written.push(WrittenSky { sky: next, rms: info.rms });
        }
        let done = (self.written.len() as u64 >= total).then_some("all skies written");
        Ok(Progress { metrics, done })
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        set.json("written", &self.written)
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        self.written = set.json("written")?;
        Ok(())
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        // a sky does not depend on how many there are
        fingerprint(&("skies", SimulateConfig { skies: 0, ..self.simulation.config().clone() }))
    }

    fn has_more(&self) -> bool {
        (self.written.len() as u64) < self.simulation.config().skies
    }

    fn name(&self) -> &str {
        "skies"
    }

    fn total(&self) -> Option<u64> {
        Some(self.simulation.config().skies)
    }

    fn computing(&self) -> Option<Computing> {
        Some(Computing::on_host("f64", self.simulation.config().seed))
    }
}
