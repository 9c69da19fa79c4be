//! [`LeftOut`]: what of the frames does not count.

use std::fmt;

use serde::Serialize;

use crate::{Exposures, Result};

/// What of the frames does not count, and so says nothing of the object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Pixels of the detector that count in no exposure: masked, dead or hot ones.
    pub pixels: usize,
    /// Values of single exposures, as saturated ones.
    pub values: usize,
    /// Exposures with any of those values.
    pub in_exposures: usize,
    /// Exposures of which nothing counts, as those without light.
    pub exposures: usize,
}

impl LeftOut {
    /// Looks at all frames once.
    ///
    /// # Errors
    /// Frames that cannot be read.
    pub fn of(exposures: &Exposures) -> Result<Self> {
        let counts = |place: usize| exposures.good.as_ref().is_none_or(|good| good[place]);
        let pixels = exposures.good.iter().flatten().filter(|good| !**good).count();
        let mut left_out = Self { pixels, ..Self::default() };
        for index in 0..exposures.centres.len() {
            let frame = exposures.frames.frame(index)?;
            let infinite = |(place, value): &(usize, &f32)| **value == f32::INFINITY && counts(*place);
            match frame.iter().enumerate().filter(infinite).count() {
                0 => {}
                all if all + pixels >= frame.len() => left_out.exposures += 1,
                some => {
                    left_out.values += some;
                    left_out.in_exposures += 1;
                }
            }
        }
        Ok(left_out)
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pixels, values, in_exposures, exposures } = *self;
        let said: Vec<String> = [
            (values, format!("{values} saturated values in {in_exposures} exposures, there alone")),
            (pixels, format!("{pixels} dead, hot or masked pixels in all exposures")),
            (exposures, format!("{exposures} exposures without light")),
        ]
        .into_iter()
        .filter_map(|(number, words)| (number > 0).then_some(words))
        .collect();
        if said.is_empty() { f.write_str("nothing was left out") } else { write!(f, "left out: {}", said.join("; ")) }
    }
}
