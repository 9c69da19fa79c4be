//! [`Resampling`]: how spectra of some bands become those of others.

use super::{Image, centre_names::centres_called};
use crate::{
    array::Array,
    element::{ElementType, Values},
    error::{Error, Result},
    file::{Meaning, open},
    spectral_unit::Said,
};
use std::{ops::Range, path::Path};

/// So much of its width may the centre of a wanted band lie beyond the ends of what there is.
const BEYOND: f64 = 0.5;
/// The width of a band of which none is known is the distance to its neighbour, but no more than that of the bands that it is made of, or
/// this: bands of imaging spectrometers are about so wide.
const USUAL_NM: f64 = 10.0;
/// Fewer values within the half maximum of a band say no more than a line between two does.
const LEAST_WITHIN: usize = 3;
/// Bands with less of the weight do not make the sum a bad one.
const LITTLE: f64 = 1e-3;

/// The bands that spectra are wanted at.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Response {
    /// Centres in nanometres.
    pub nanometres: Vec<f64>,
    /// Full widths at half maximum in nanometres, one a band, or none: then the distance to the next band stands for it.
    pub widths: Vec<f64>,
    /// The names of the bands, one a band, or none.
    pub names: Vec<String>,
}

impl Response {
    /// Bands with these centres, of which the widths are not known.
    pub fn new(nanometres: Vec<f64>) -> Self {
        Self { nanometres, widths: Vec::new(), names: Vec::new() }
    }

    /// The bands of the image, the library or the list of wavelengths in a file.
    ///
    /// # Errors
    /// A file that cannot be read; [`Error::Wavelengths`] for one without wavelengths.
    pub fn read(path: &Path) -> Result<Self> {
        let dataset = open(path)?;
        let image = Image::open(&dataset, None, None);
        if let Ok(image) = &image
            && !image.info().wavelengths_nm.is_empty()
        {
            let info = image.info();
            let names = info.band_names.clone();
            return Ok(Self { nanometres: info.wavelengths_nm.clone(), widths: info.widths_nm.clone(), names });
        }
        if let [only] = dataset.band_centres("")?.as_slice() {
            return Ok(Self { nanometres: only.nanometres.clone(), widths: only.widths_nm.clone(), names: Vec::new() });
        }
        let none = |problem: String| Error::Wavelengths { path: path.into(), problem };
        let cube = dataset.cube::<f64>(None).map_err(|error| none(error.to_string()))?;
        let column = |number: usize, columns: usize| cube.values().iter().skip(number).step_by(columns).copied();
        let (centres, widths) = match *cube.shape().as_slice() {
            // Of a table the first column has the centres, and a second one the widths.
            [_, columns @ 2] => (column(0, columns).collect(), column(1, columns).collect()),
            [rows, columns] if rows > 1 && columns > 1 => (column(0, columns).collect(), Vec::new()),
            _ => (cube.values().to_vec(), Vec::new()),
        };
        let unit = dataset.column_names().and_then(|names| centres_called(names.first()?));
        let Some((nanometres, widths)) = Said::of(unit.unwrap_or_default()).bands(&centres, &widths) else {
            return Err(none("its numbers are no wavelengths".into()));
        };
        Ok(Self { nanometres, widths, names: Vec::new() })
    }

    /// The width of a band, where it is known.
    fn known_width(&self, band: usize) -> Option<f64> {
        self.widths.get(band).copied().filter(|width| *width > 0.0)
    }
}

/// The distance of a band to its nearest neighbour; 0 where there is none.
fn step(centres: &[f64], band: usize) -> f64 {
    let own = centres[band];
    let distances = centres.iter().enumerate().filter(|(other, _)| *other != band).map(|(_, nm)| (nm - own).abs());
    distances
        .filter(|distance| *distance > 0.0)
        .fold(None, |least: Option<f64>, d| Some(least.map_or(d, |l| l.min(d))))
        .unwrap_or(0.0)
}

/// What makes the value of a band: bands of the image with their weights.
type Weights = Vec<(usize, f64)>;

/// How spectra of some bands become those of others.
///
/// A band that is wider than those there are is the mean of these under a Gaussian of its width, less that of the bands themselves
/// where it is known; others lie on the line between two neighbours.
///
/// ```
/// use cupel_data::{Resampling, Response};
/// let to = Response::new(vec![410.0, 425.0]);
/// let resampling = Resampling::new(&[400.0, 410.0, 420.0, 430.0], &[], &to).unwrap();
/// assert_eq!(resampling.of(&[0.1, 0.2, 0.4, 0.6]), [0.2, 0.5]);
/// ```
#[derive(Clone, Debug)]
pub struct Resampling {
    /// For each wanted band.
    weights: Vec<Weights>,
}

impl Resampling {
    /// From bands with these centres in nanometres, in any order, and these full widths at half maximum, one a band or none; what is not
    /// above zero is not known.
    ///
    /// # Errors
    /// In words, with both ranges, where the bands do not reach the wanted ones: one lies further beyond their ends than half its width.
    pub fn new(own: &[f64], own_widths: &[f64], to: &Response) -> std::result::Result<Self, String> {
        if own.len() < 2 {
            return Err("the wavelengths of its bands are not known, so that they cannot be brought to others".into());
        }
        let mut order: Vec<usize> = (0..own.len()).collect();
        order.sort_by(|&a, &b| own[a].total_cmp(&own[b]));
        let sorted: Vec<f64> = order.iter().map(|&band| own[band]).collect();
        let known = |band: usize| own_widths.get(band).copied().filter(|width| *width > 0.0).unwrap_or(0.0);
        let sorted_widths: Vec<f64> = order.iter().map(|&band| known(band)).collect();
        let wanted = &to.nanometres;
        let (first, last) = (sorted[0], sorted[sorted.len() - 1]);
        let mut weights_of = Vec::with_capacity(wanted.len());
        for (band, &nm) in wanted.iter().enumerate() {
            let near = step(&sorted, if nm < 0.5 * (first + last) { 0 } else { sorted.len() - 1 });
            let usual = step(wanted, band).min(near.max(USUAL_NM));
            let slack = BEYOND * to.known_width(band).unwrap_or(usual);
            if nm < first - slack || nm > last + slack {
                return Err(format!(
                    "its {} bands from {} do not reach the wanted band at {nm:.0} nm, of {} from {}",
                    own.len(),
                    range(own),
                    wanted.len(),
                    range(wanted)
                ));
            }
            let width = to.known_width(band).unwrap_or_else(|| step(wanted, band));
            let found = weights(&sorted, &sorted_widths, nm, width).into_iter();
            weights_of.push(
                found.filter(|(_, weight)| *weight != 0.0).map(|(place, weight)| (order[place], weight)).collect(),
            );
        }
        Ok(Self { weights: weights_of })
    }

    /// A spectrum at the wanted bands; where a value that is needed is NaN, the band is.
    ///
    /// # Panics
    /// If the spectrum is shorter than the bands were.
    pub fn of(&self, spectrum: &[f64]) -> Vec<f64> {
        let value = |weights: &Weights| weights.iter().map(|&(band, weight)| weight * spectrum[band]).sum();
        self.weights.iter().map(value).collect()
    }
}

/// From the lowest to the highest.
fn range(centres: &[f64]) -> String {
    let (low, high) = centres.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), &nm| (low.min(nm), high.max(nm)));
    format!("{low:.0} to {high:.0} nm")
}

impl<'a> Image<'a> {
    /// The image at other bands (see [`Resampling`]), as measured values with NaN for missing ones: f64 where it has f64 or integers of more
    /// than 16 bits, else f32. Where a value that is needed is missing, the band is.
    ///
    /// # Errors
    /// [`Error::Wavelengths`] where the image has no wavelengths, or some that do not reach the wanted ones.
    pub fn resampled(self, to: &Response) -> Result<Self> {
        let info = &self.info;
        let refuse = |problem: String| Error::Wavelengths { path: info.path.clone(), problem };
        let resampling = Resampling::new(&info.wavelengths_nm, &info.widths_nm, to).map_err(refuse)?;
        let good = |weights: &Weights| weights.iter().all(|&(band, weight)| weight < LITTLE || info.good_bands[band]);
        let good_bands =
            if info.good_bands.is_empty() { Vec::new() } else { resampling.weights.iter().map(good).collect() };
        let element = match info.element {
            ElementType::U8 | ElementType::I8 | ElementType::U16 | ElementType::I16 => ElementType::F32,
            ElementType::F16 | ElementType::F32 | ElementType::Bool => ElementType::F32,
            ElementType::Complex64 | ElementType::Complex128 => {
                return Err(refuse("its numbers are complex".into()));
            }
            _ => ElementType::F64,
        };
        let (meaning, bands, rows) = (info.meaning.clone(), info.bands, self.rows);
        let others = info.with_bands(&[]).others;
        let info = super::ImageInfo {
            bands: to.nanometres.len(),
            element,
            wavelengths_nm: to.nanometres.clone(),
            widths_nm: to.widths.clone(),
            good_bands,
            band_names: to.names.clone(),
            meaning: Meaning { missing: vec![f64::NAN], ..Meaning::default() },
            others,
            ..self.info
        };
        let resampled = move |range: Range<usize>| {
            let part = rows(range)?;
            let shape = vec![part.shape()[0], part.shape()[1], resampling.weights.len()];
            let values = meaning.measured::<f64>(part)?;
            let values: Vec<f64> = values.chunks_exact(bands).flat_map(|spectrum| resampling.of(spectrum)).collect();
            Array::new(shape, in_type(values, element))
        };
        Ok(Self { info, rows: Box::new(resampled) })
    }
}

/// Numbers in f64, or in f32.
pub(super) fn in_type(values: Vec<f64>, element: ElementType) -> Values {
    match element {
        ElementType::F32 => Values::F32(values.into_iter().map(|value| value as f32).collect()),
        _ => Values::F64(values),
    }
}

/// Which of the values at `x`, which go up and have these widths, make that of a band at `nm` of this full width at half maximum.
fn weights(x: &[f64], own: &[f64], nm: f64, width: f64) -> Weights {
    let within: Vec<usize> = (0..x.len()).filter(|&place| (x[place] - nm).abs() <= 0.5 * width).collect();
    if within.len() >= LEAST_WITHIN {
        let sigma_per_width = (8.0 * 2.0_f64.ln()).sqrt().recip();
        let nearest = within.iter().map(|&place| own[place]).fold(0.0_f64, f64::max);
        // What the bands have smoothed already.
        let narrower = (width * width - nearest * nearest).max(0.0).sqrt();
        let sigma = narrower * sigma_per_width;
        let area = |place: usize| {
            let left = if place > 0 { x[place] - x[place - 1] } else { x[1] - x[0] };
            let right = if place + 1 < x.len() { x[place + 1] - x[place] } else { left };
            left + right
        };
        let weight = |place: usize| (place, (-0.5 * ((x[place] - nm) / sigma).powi(2)).exp() * area(place));
        let wide: Weights = (0..x.len()).filter(|&place| (x[place] - nm).abs() <= 3.0 * sigma).map(weight).collect();
        let total: f64 = wide.iter().map(|(_, weight)| weight).sum();
        if wide.len() >= LEAST_WITHIN && total > 0.0 {
            return wide.into_iter().map(|(place, weight)| (place, weight / total)).collect();
        }
    }
    let right = x.partition_point(|&centre| centre < nm).clamp(1, x.len() - 1);
    let distance = x[right] - x[right - 1];
    let share = if distance > 0.0 { ((nm - x[right - 1]) / distance).clamp(0.0, 1.0) } else { 0.0 };
    vec![(right - 1, 1.0 - share), (right, share)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_band_is_a_mean_and_a_narrow_one_lies_on_a_line() {
        let x: Vec<f64> = (0..200).map(|n| 400.0 + f64::from(n)).collect();
        let none = vec![0.0; x.len()];
        let at = |weights: &Weights| weights.iter().map(|&(place, weight)| x[place] * weight).sum::<f64>();
        for (nm, width) in [(450.0, 20.0), (455.25, 0.5), (400.0, 0.2), (599.0, 1.0)] {
            let found = weights(&x, &none, nm, width);
            assert!((found.iter().map(|(_, weight)| weight).sum::<f64>() - 1.0).abs() < 1e-12);
            assert!((at(&found) - nm).abs() < 1e-9, "a line is kept: {nm} {}", at(&found));
        }
        let variance = |own: f64| {
            let own = vec![own; x.len()];
            weights(&x, &own, 500.0, 20.0).iter().map(|&(p, w)| w * (x[p] - 500.0).powi(2)).sum::<f64>()
        };
        let full = (variance(0.0) * 8.0 * 2.0_f64.ln()).sqrt();
        assert!((full - 20.0).abs() < 0.5, "{full}");
        let less = (variance(12.0) * 8.0 * 2.0_f64.ln()).sqrt();
        assert!((less - 16.0).abs() < 0.5, "12 of 20 were there already: {less}");
    }
}
