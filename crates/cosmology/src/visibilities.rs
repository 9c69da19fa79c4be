//! [`Visibilities`]: what an interferometer measured, with unit, weights, frequencies and baselines, checked once when it is made.

use std::path::Path;

use cupel_data::{Array, AxisKind, Complex, Cube, write_npy};

use crate::{
    Conversion, Result, Unit,
    sky::{checked, shown},
};

/// What an interferometer measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Visibilities {
    values: Cube<Complex<f32>>,
    unit: Unit,
    weights: Option<Cube<f32>>,
    baselines_m: Vec<[f64; 3]>,
}

impl Visibilities {
    /// Visibilities, whose axes are baseline, frequency with coordinates in MHz, time or right ascension, and polarisation if there are
    /// several, in any order; with a weight for each where some are left out, and the vectors of the baselines in metres where they are
    /// known (an empty list where not).
    ///
    /// They are kept as `[baseline, frequency, time or right ascension, polarisation]`. Where the weight is 0, values that are not
    /// finite become 0.
    ///
    /// # Errors
    /// As [`Sky::new`](crate::Sky::new), and [`cupel_data::Error::Count`] unless there are no vectors or one per baseline.
    pub fn new(
        values: Cube<Complex<f32>>,
        unit: Unit,
        weights: Option<Cube<f32>>,
        baselines_m: Vec<[f64; 3]>,
    ) -> Result<Self> {
        values.axis(AxisKind::Frequency)?.coordinates_in("MHz")?;
        Self::unlabelled(values, unit, weights, baselines_m)
    }

    /// The same where the frequencies may be known by their index only.
    pub(crate) fn unlabelled(
        values: Cube<Complex<f32>>,
        unit: Unit,
        weights: Option<Cube<f32>>,
        baselines_m: Vec<[f64; 3]>,
    ) -> Result<Self> {
        let (values, weights) = checked(values, weights)?;
        let order = visibility_order(&values)?;
        let weights = weights.map(|weights| weights.permuted(&order)).transpose()?;
        let values = values.permuted(&order)?;
        let baselines = values.shape()[0];
        if !baselines_m.is_empty() && baselines_m.len() != baselines {
            let (doing, what) = ("naming the baselines of visibilities", "vectors");
            return Err(cupel_data::Error::Count { doing, what, expected: baselines, got: baselines_m.len() }.into());
        }
        Ok(Self { values, unit, weights, baselines_m })
    }

    /// The values, `[baseline, frequency, time or right ascension]`, and polarisation last where there is that axis.
    pub fn values(&self) -> &Cube<Complex<f32>> {
        &self.values
    }

    /// What they are measured in.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// A weight for each value, of the shape of the values; 0 leaves it out. Nothing where all values count the same.
    pub fn weights(&self) -> Option<&Cube<f32>> {
        self.weights.as_ref()
    }

    /// Vectors of the baselines in metres, east, north and up or as the file has them; empty where they are not known.
    pub fn baselines_m(&self) -> &[[f64; 3]] {
        &self.baselines_m
    }

    /// Centres of the channels in MHz, going up or going down.
    ///
    /// # Errors
    /// Never, for visibilities that were made by [`Visibilities::new`].
    pub fn frequencies_mhz(&self) -> Result<&[f64]> {
        Ok(self.values.axis(AxisKind::Frequency)?.coordinates_in("MHz")?)
    }

    /// The same visibilities in another unit; between flux densities and temperatures with the solid angle of the primary beam in sr of
    /// each channel, or of all.
    ///
    /// # Errors
    /// [`Error::Convert`](crate::Error::Convert) where what is needed is not known.
    pub fn in_unit(&self, unit: Unit, primary_beam_sr: &[f64]) -> Result<Self> {
        if unit == self.unit {
            return Ok(self.clone());
        }
        let shape = self.values.shape();
        let (channels, inner) = (shape[1], shape[2..].iter().product::<usize>());
        let mut values = self.values.values().to_vec();
        let frequencies_mhz = self.frequencies_mhz()?;
        let solid_angle = |channel: usize| match primary_beam_sr {
            [one] => Some(*one),
            several => several.get(channel).copied(),
        };
        for (i, run) in values.chunks_exact_mut(inner.max(1)).enumerate() {
            let channel = i % channels;
            let beam_sr = solid_angle(channel);
            let known = Conversion { frequency_mhz: Some(frequencies_mhz[channel]), beam_sr, gathered_sr: beam_sr };
            let factor = known.factor(self.unit, unit)? as f32;
            run.iter_mut().for_each(|value| *value *= factor);
        }
        Ok(Self { values: Cube::new(values, self.values.axes().clone())?, unit, ..self.clone() })
    }

    /// The same with other values and weights, of the same axes.
    ///
    /// # Errors
    /// As [`Visibilities::new`].
    pub fn with_values(&self, values: Cube<Complex<f32>>, weights: Option<Cube<f32>>) -> Result<Self> {
        if values.axes() != self.values.axes() {
            let (expected, got) = (self.values.shape(), values.shape());
            return Err(cupel_data::Error::Shape { doing: "giving visibilities other values", expected, got }.into());
        }
        Self::unlabelled(values, self.unit, weights, self.baselines_m.clone())
    }

    /// Writes the values as NPY, NaN where the weight is 0.
    ///
    /// # Errors
    /// Those of [`write_npy`].
    pub fn write(&self, path: &Path) -> Result<()> {
        let values = shown(&self.values, self.weights.as_ref(), Complex::new(f32::NAN, f32::NAN))?;
        Ok(write_npy(path, &Array::from(&values))?)
    }
}

/// The axes of visibilities in the order in which they are kept.
fn visibility_order(values: &Cube<Complex<f32>>) -> Result<Vec<AxisKind>> {
    let kinds = values.axes().kinds();
    let time = if kinds.contains(&AxisKind::RightAscension) { AxisKind::RightAscension } else { AxisKind::Time };
    let mut order = vec![AxisKind::Baseline, AxisKind::Frequency, time];
    for &kind in &order {
        values.axis(kind)?;
    }
    if kinds.contains(&AxisKind::Polarisation) {
        order.push(AxisKind::Polarisation);
    }
    if kinds.len() != order.len() {
        let (doing, what) = ("reading visibilities", "axes (baseline, frequency, time, polarisation)");
        return Err(cupel_data::Error::Count { doing, what, expected: order.len(), got: kinds.len() }.into());
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, sky::tests::cube};

    #[test]
    fn visibilities_have_one_order_and_a_vector_per_baseline_or_none() {
        let kinds = [AxisKind::Polarisation, AxisKind::Time, AxisKind::Baseline, AxisKind::Frequency];
        let values = cube(&kinds, &[2, 3, 4, 5]).map(|&value| Complex::new(value, -value));
        let made = |vectors| Visibilities::new(values.clone(), Unit::Jansky, None, vectors);
        let visibilities = made(vec![[1.0, 2.0, 3.0]; 4]).unwrap();
        let order = [AxisKind::Baseline, AxisKind::Frequency, AxisKind::Time, AxisKind::Polarisation];
        assert_eq!(visibilities.values(), &values.permuted(&order).unwrap());
        assert!(made(Vec::new()).is_ok());
        assert_eq!(
            made(vec![[0.0; 3]; 3]).unwrap_err().to_string(),
            "naming the baselines of visibilities: expected 4 vectors, got 3"
        );
        let kelvin = visibilities.in_unit(Unit::Kelvin, &[0.02]).unwrap();
        let back = kelvin.in_unit(Unit::Jansky, &[0.02; 5]).unwrap();
        let near = |(a, b): (&Complex<f32>, &Complex<f32>)| (a - b).norm() <= 1e-6 * b.norm();
        assert!(back.values().values().iter().zip(visibilities.values().values()).all(near));
        assert!(matches!(visibilities.in_unit(Unit::Kelvin, &[]), Err(Error::Convert { .. })));
    }
}
