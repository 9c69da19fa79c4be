//! A [`NetworkEstimator`] as a folder: `base.npz` (the linear estimator), `network-0.safetensors` and so on (f32 weights by their paths), and
//! `estimator.json`, written last, with everything else and the BLAKE3 hashes of the others.

use std::{collections::BTreeMap, fs, path::Path};

use burn::tensor::Device;
use cupel_train::{export_safetensors, import_safetensors};
use serde::{Deserialize, Serialize};

use super::network_estimator::{Made, NetworkEstimator};
use crate::{
    Error, Result,
    estimators::{LinearEstimator, SignalEstimator},
};

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;
const HEADER: &str = "estimator.json";
const BASE: &str = "base.npz";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    /// Names and hashes.
    files: BTreeMap<String, String>,
    made: Made,
}

fn weights(member: usize) -> String {
    format!("network-{member}.safetensors")
}

impl NetworkEstimator {
    /// Writes it to a folder, which is made where there is none.
    ///
    /// # Errors
    /// What writing reports.
    pub fn save(&self, folder: impl AsRef<Path>) -> Result<()> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(cupel_data::Error::io("create the folder", folder))?;
        let header = folder.join(HEADER);
        // without its header a folder is no estimator, so that half of a new one is never taken for whole
        match fs::remove_file(&header) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(cupel_data::Error::io("replace", &header)(error).into());
            }
            _ => {}
        }
        self.base.save(folder.join(BASE))?;
        let mut names = vec![BASE.to_owned()];
        for (number, member) in self.members.iter().enumerate() {
            names.push(weights(number));
            export_safetensors(&folder.join(weights(number)), member)?;
        }
        let files =
            names.into_iter().map(|name| Ok((name.clone(), hash(&folder.join(name))?))).collect::<Result<_>>()?;
        let text = serde_json::to_vec_pretty(&Header { version: VERSION, files, made: self.made.clone() })
            .map_err(|error| wrong(&header, format!("cannot be written: {error}")))?;
        let write =
            |file: &mut dyn std::io::Write| file.write_all(&text).map_err(cupel_data::Error::io("write", &header));
        Ok(cupel_data::write_atomic(&header, |file| write(file))?)
    }

    /// Reads one from a folder, onto a device.
    ///
    /// # Errors
    /// [`Error::Stored`] for another version and files that are missing, changed or of another network; what reading reports.
    pub fn load(folder: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let folder = folder.as_ref();
        let header = folder.join(HEADER);
        let text = fs::read(&header).map_err(cupel_data::Error::io("read", &header))?;
        let value: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| wrong(&header, format!("it is no JSON text: {error}")))?;
        if value["version"] != VERSION {
            return Err(wrong(&header, format!("version {}, this program reads {VERSION}", value["version"])));
        }
        let Header { files, made, .. } =
            serde_json::from_value(value).map_err(|error| wrong(&header, format!("it is damaged: {error}")))?;
        for (name, expected) in &files {
            let path = folder.join(name);
            if hash(&path)? != *expected {
                return Err(wrong(&path, "it is not the file that was written with the others".to_owned()));
            }
        }
        let base = LinearEstimator::load(folder.join(BASE))?;
        made.config.check_for(base.frequencies_mhz().len())?;
        let model = made.config.model();
        let inputs = &made.normalisation.inputs;
        if inputs.len() != model.inputs || inputs.iter().any(|rms| rms.len() != base.frequencies_mhz().len()) {
            return Err(wrong(&header, "it has numbers for other inputs or channels than its network".to_owned()));
        }
        let count = (0..).take_while(|member| files.contains_key(&weights(*member))).count();
        let member = |number: usize| Ok(import_safetensors(&folder.join(weights(number)), model.init(device)?)?);
        let members = (0..count).map(member).collect::<Result<_>>()?;
        Ok(Self { base, made, members, device: device.clone() })
    }
}

fn hash(path: &Path) -> Result<String> {
    let bytes = fs::read(path).map_err(cupel_data::Error::io("read", path))?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

fn wrong(path: &Path, problem: String) -> Error {
    Error::Stored { path: path.into(), problem }
}
