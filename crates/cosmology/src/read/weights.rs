//! Weights and flags: of the file itself, and of files beside it.

use std::path::Path;

use cupel_data::{Axes, Cube, Dataset, open};

use super::{ReadConfig, has};
use crate::{Error, Result, sky::weights_of_flags};

/// Names of arrays with a weight for each value of another one.
const WEIGHTS: [&str; 6] = ["weights", "weight", "vis_weight", "vis_weights", "nsamples", "wgt"];
/// Names of arrays with a flag for each value of another one.
const FLAGS: [&str; 4] = ["flags", "flag", "mask", "vis_flags"];

/// Whether an array of this name says something about another one.
pub(super) fn is_name(name: &str) -> bool {
    WEIGHTS.contains(&name) || FLAGS.contains(&name)
}

/// All of them, with what they are.
pub(super) fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    WEIGHTS.into_iter().map(|name| (name, "weights")).chain(FLAGS.into_iter().map(|name| (name, "flags")))
}

/// The weights of an array with these axes, as the file has them: those of the file, times those of the files that were given.
///
/// In a file they have the shape of the array, but axes of length 1 may be there or not.
pub(super) fn read(file: &Dataset, axes: &Axes, config: &ReadConfig) -> Result<Option<Cube<f32>>> {
    let mut product = given(axes, config)?;
    for (name, what) in names().filter(|(name, _)| has(file, name)) {
        product = multiplied(product, fitted(file.cube::<f32>(Some(name))?, axes, what)?)?;
    }
    Ok(product)
}

/// The same of the files that were given only.
pub(super) fn given(axes: &Axes, config: &ReadConfig) -> Result<Option<Cube<f32>>> {
    let mut product = None;
    for (path, what) in [(&config.weights, "weights"), (&config.flags, "flags")] {
        if let Some(path) = path {
            let own = super::in_file(path, of_file(path).and_then(|own| fitted(own, axes, what)))?;
            product = multiplied(product, own)?;
        }
    }
    Ok(product)
}

fn of_file(path: &Path) -> Result<Cube<f32>> {
    Ok(open(path)?.cube::<f32>(None)?)
}

/// Weights under the axes of the values; of flags, their weights.
pub(super) fn fitted(own: Cube<f32>, axes: &Axes, what: &'static str) -> Result<Cube<f32>> {
    let plain = |shape: Vec<usize>| shape.into_iter().filter(|&len| len != 1).collect::<Vec<_>>();
    if plain(own.shape()) != plain(axes.shape()) {
        return Err(Error::WeightShape { what, expected: axes.shape(), got: own.shape() });
    }
    let own = Cube::new(own.into_values(), axes.clone())?;
    Ok(if what == "flags" { weights_of_flags(&own) } else { own })
}

/// Two weights of the same values.
pub(super) fn multiplied(a: Option<Cube<f32>>, b: Cube<f32>) -> Result<Option<Cube<f32>>> {
    let Some(a) = a else { return Ok(Some(b)) };
    let product = a.values().iter().zip(b.values()).map(|(a, b)| a * b).collect();
    Ok(Some(Cube::new(product, b.axes().clone())?))
}
