//! What `info.json` says of the arrays of a simulated sky in its folder.

use std::{fs, path::Path};

use cupel_data::Error;
use serde::Deserialize;

use super::fault;
use crate::Result;

/// The arrays that it speaks of.
const ARRAYS: [&str; 5] = ["obs.npy", "signal_beam.npy", "signal.npy", "fg.npy", "noise.npy"];

/// The part of it that arrays do not say of themselves.
#[derive(Debug, Deserialize)]
pub(super) struct Info {
    /// Channels, rows, columns.
    shape: Vec<usize>,
    pub(super) unit: String,
    pub(super) side_deg: f64,
}

/// What lies beside an array of this shape, where it is one of a simulated sky.
pub(super) fn beside(path: &Path, shape: &[usize]) -> Result<Option<Info>> {
    let info = path.with_file_name("info.json");
    let known = path.file_name().is_some_and(|name| ARRAYS.iter().any(|known| name == *known));
    if !known || !info.is_file() {
        return Ok(None);
    }
    let text = fs::read(&info).map_err(Error::io("read", &info))?;
    // another program's file of this name says other things
    let Ok(found) = serde_json::from_slice::<Info>(&text) else { return Ok(None) };
    if found.shape != shape {
        let problem = format!("it has shape {shape:?}, {} beside it says {:?}", info.display(), found.shape);
        return Err(fault(path, problem, "give unit and sides, in a folder without that file"));
    }
    Ok(Some(found))
}
