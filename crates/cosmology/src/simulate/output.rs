//! A simulated sky as files: one folder for each, under the names that the field's scripts use.
//!
//! | file | what |
//! |---|---|
//! | `fg.npy`, `signal.npy` | foregrounds and signal as they are, in mK on [frequency, row, column], f32 |
//! | `signal_beam.npy` | the signal as the beam shows it: what an estimate from `obs.npy` is compared with |
//! | `noise.npy`, `obs.npy` | the noise, and all of it together |
//! | `freqs_mhz.npy` | middles of the channels |
//! | `weights.npy` | 0 where a sample is flagged, 1 elsewhere; where there are interference or gaps |
//! | `vis.npy`, `vis_signal.npy` | visibilities of all, and of the signal alone, complex64 on [baseline, frequency, time] |
//! | `baselines_m.npy`, `flags.npy` | baselines to the east, to the north and up; flags of the visibilities |
//! | `info.json` | what the sky is, written last |

use std::{fs, path::Path};

use cupel_data::{Array, Cube, Values, write_atomic, write_npy};
use num_complex::Complex;

use super::{Simulation, SkyInfo};
use crate::Result;

impl Simulation {
    /// Name of the folder of a sky: `sky_0003`.
    pub fn folder_name(index: u64) -> String {
        format!("sky_{index:04}")
    }

    /// Names of the files of a sky, the last one last.
    pub fn file_names(&self) -> Vec<&'static str> {
        let settings = self.config();
        let flagged = settings.instrument.rfi > 0.0 || settings.instrument.gaps > 0.0;
        let mut names = vec!["fg.npy", "signal.npy", "signal_beam.npy", "noise.npy", "obs.npy", "freqs_mhz.npy"];
        if flagged {
            names.push("weights.npy");
        }
        if settings.visibility.visibilities {
            names.extend(["vis.npy", "vis_signal.npy", "baselines_m.npy"]);
            if flagged {
                names.push("flags.npy");
            }
        }
        names.push("info.json");
        names
    }

    /// Simulates a sky and writes it into `folder`, which is made where it is not there.
    ///
    /// # Errors
    /// As [`sky`](Self::sky) and [`visibilities`](Self::visibilities); a folder or a file that cannot be written.
    pub fn write(&self, index: u64, folder: &Path) -> Result<SkyInfo> {
        let (sky, visibilities) = self.simulate(index)?;
        fs::create_dir_all(folder).map_err(cupel_data::Error::io("make the folder", folder))?;
        for (name, cube) in [
            ("fg.npy", &sky.foreground),
            ("signal.npy", &sky.signal),
            ("signal_beam.npy", &sky.signal_beam),
            ("noise.npy", &sky.noise),
            ("obs.npy", &sky.observed),
        ] {
            write_cube(&folder.join(name), cube)?;
        }
        let frequencies = self.frequencies_mhz();
        write_npy(
            &folder.join("freqs_mhz.npy"),
            &Array::new(vec![frequencies.len()], Values::F64(frequencies.to_vec()))?,
        )?;
        if let Some(weights) = sky.weights() {
            write_cube(&folder.join("weights.npy"), &weights)?;
        }
        if let Some(visibilities) = visibilities {
            write_complex(&folder.join("vis.npy"), &visibilities.observed)?;
            write_complex(&folder.join("vis_signal.npy"), &visibilities.signal)?;
            let baselines = &visibilities.baselines_m;
            let vectors = Values::F64(baselines.iter().flatten().copied().collect());
            write_npy(&folder.join("baselines_m.npy"), &Array::new(vec![baselines.len(), 3], vectors)?)?;
            if let Some(flags) = &visibilities.flags {
                let values = Values::Bool(flags.values().to_vec());
                write_npy(&folder.join("flags.npy"), &Array::new(flags.shape(), values)?)?;
            }
        }
        let path = folder.join("info.json");
        let text = serde_json::to_vec_pretty(&sky.info)
            .map_err(|error| cupel_data::Error::io("write", &path)(error.into()))?;
        write_atomic(&path, |file| file.write_all(&text).map_err(cupel_data::Error::io("write", &path)))?;
        Ok(sky.info)
    }
}

fn write_cube(path: &Path, cube: &Cube<f32>) -> Result<()> {
    Ok(write_npy(path, &Array::new(cube.shape(), Values::F32(cube.values().to_vec()))?)?)
}

fn write_complex(path: &Path, cube: &Cube<Complex<f32>>) -> Result<()> {
    Ok(write_npy(path, &Array::new(cube.shape(), Values::Complex64(cube.values().to_vec()))?)?)
}
