//! The arrays that a run leaves behind.

use std::path::Path;

use cupel_data::{Array, Values, write_mat, write_npy};

use crate::{Endmembers, Error, Posterior, Result, RunBands, Scene, Unmixed};

/// Writes `endmembers.npy` (endmembers x bands, in the units of the file), `abundances.npy` (rows x columns x endmembers),
/// `brightness.npy` and `reconstruction_error.npy` (rows x columns), those of a posterior, and all of them in `result.mat`; where the scene
/// says where it lies, the maps are in `maps` too, in its format and at its place. `names` are those of the endmembers.
pub(crate) fn save(dir: &Path, unmixed: &Unmixed, names: &[String], scene: &Scene) -> Result<()> {
    let (rows, columns) = scene.image_size();
    let (count, bands) = (unmixed.endmembers.count(), unmixed.endmembers.bands());
    let array = |shape: &[usize], values: &[f64]| Array::new(shape.to_vec(), Values::F64(values.to_vec()));
    // NaN where a pixel was left out
    let of_pixels = |shape: &[usize], values: &[f64]| {
        let width = shape.get(2).copied().unwrap_or(1);
        Array::new(shape.to_vec(), Values::F64(scene.usable.scattered(values, width, f64::NAN)))
    };
    let (image, maps, spectra) = ([rows, columns], [rows, columns, count], [count, bands]);
    let in_units = |values: &[f64]| values.iter().map(|value| value * scene.scale).collect::<Vec<f64>>();
    let mut named = vec![
        ("endmembers", array(&spectra, &in_units(unmixed.endmembers.values()))?),
        ("abundances", of_pixels(&maps, unmixed.own_abundances().values())?),
        ("brightness", of_pixels(&image, &unmixed.brightness)?),
        ("reconstruction_error", of_pixels(&image, &unmixed.errors)?),
    ];
    if let Some(Posterior { abundances, deviations, lower, upper, endmember_errors, .. }) = &unmixed.posterior {
        named.extend([
            ("posterior_mean", of_pixels(&maps, abundances.values())?),
            ("posterior_deviation", of_pixels(&maps, deviations)?),
            ("interval_lower", of_pixels(&maps, lower)?),
            ("interval_upper", of_pixels(&maps, upper)?),
            ("endmember_errors", array(&spectra, &in_units(endmember_errors))?),
        ]);
    }
    if let Some(samples) = &unmixed.samples {
        let draws: Vec<f32> = samples
            .chunks_exact(scene.usable.count() * count)
            .flat_map(|draw| scene.usable.scattered(draw, count, f32::NAN))
            .collect();
        let shape = vec![draws.len() / (rows * columns * count), rows, columns, count];
        named.push(("abundance_samples", Array::new(shape, Values::F32(draws))?));
    }
    if let Some(place) = &scene.georeference {
        let dir = dir.join("maps");
        std::fs::create_dir_all(&dir).map_err(cupel_data::Error::io("make", &dir))?;
        for (name, array) in named.iter().filter(|(_, array)| array.shape().starts_with(&image)) {
            let names = if array.shape().len() == 3 { names.to_vec() } else { vec![(*name).to_owned()] };
            place.write_maps(&dir.join(name), &as_f32(array)?, &names)?;
        }
    }
    save_bands(dir, &RunBands::of(scene.bands()))?;
    for (name, array) in &named {
        write_npy(&dir.join(format!("{name}.npy")), array)?;
    }
    write_mat(&dir.join("result.mat"), &named.iter().map(|(name, array)| (*name, array)).collect::<Vec<_>>())?;
    Ok(())
}

/// The same numbers as f32, which is enough for a map.
fn as_f32(array: &Array) -> Result<Array> {
    let cube = array.clone().into_cube::<f32>()?;
    Ok(Array::new(array.shape().to_vec(), Values::F32(cube.into_values()))?)
}

/// Says which bands the endmembers of a run have.
pub(crate) fn save_bands(dir: &Path, bands: &RunBands) -> Result<()> {
    let path = dir.join(RunBands::FILE);
    let text = serde_json::to_vec_pretty(bands).map_err(|error| Error::setting("bands", error, "numbers"))?;
    Ok(cupel_data::write_atomic(&path, |file| file.write_all(&text).map_err(cupel_data::Error::io("write", &path)))?)
}

/// Writes the endmembers alone.
pub(crate) fn save_endmembers(dir: &Path, endmembers: &Endmembers) -> Result<()> {
    let shape = vec![endmembers.count(), endmembers.bands()];
    Ok(write_npy(&dir.join("endmembers.npy"), &Array::new(shape, Values::F64(endmembers.values().to_vec()))?)?)
}
