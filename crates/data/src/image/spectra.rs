//! Spectra of a text table: columns beside one of wavelengths, or rows under wavelengths.

use super::{
    centre_names::{centres_called, is_good, is_width},
    centres::BandCentres,
};
use crate::{
    axes::AxisKind,
    error::Result,
    file::{Class, Dataset, Format},
    spectral_unit::Said,
    table::{Column, MISSING},
};

/// Spectra of a text table.
pub(super) struct SpectraTable {
    pub(super) names: Vec<String>,
    pub(super) nanometres: Vec<f64>,
    pub(super) widths_nm: Vec<f64>,
    pub(super) good: Vec<bool>,
    /// Spectrum after spectrum.
    pub(super) values: Vec<f64>,
    pub(super) how: String,
}

/// The columns of a table of which some are numbers.
struct Columns {
    headings: Vec<String>,
    /// NaN for missing ones; nothing for a column of words.
    numbers: Vec<Option<Vec<f64>>>,
    /// Of a column of words.
    words: Vec<Option<Vec<String>>>,
}

impl Columns {
    fn of(dataset: &Dataset, headings: &[String]) -> Result<Self> {
        let headings = headings.to_vec();
        if dataset.variables().iter().all(|variable| matches!(variable.class(), Class::Number(_))) {
            let values = dataset.cube::<f64>(None)?.into_values();
            let count = headings.len();
            let numbers = (0..count).map(|n| Some(values.iter().skip(n).step_by(count).copied().collect())).collect();
            return Ok(Self { words: vec![None; count], headings, numbers });
        }
        let table = dataset.table()?;
        let (mut numbers, mut words) = (Vec::new(), Vec::new());
        for (_, column) in table.iter() {
            let (number, word) = match column {
                Column::Number { values, present } => {
                    let missing = dataset.missing();
                    let value = |(&value, &is_known): (&f64, &bool)| {
                        if is_known && !missing.contains(&value) { value } else { f64::NAN }
                    };
                    (Some(values.iter().zip(present).map(value).collect()), None)
                }
                Column::Category { codes, names } => {
                    let word = |&code: &u32| if code == MISSING { String::new() } else { names[code as usize].clone() };
                    (None, Some(codes.iter().map(word).collect()))
                }
                Column::Many { .. } => (None, None),
            };
            numbers.push(number);
            words.push(word);
        }
        Ok(Self { headings, numbers, words })
    }

    /// Spectra in columns beside one of wavelengths.
    fn beside_wavelengths(&self) -> Option<SpectraTable> {
        let (axis, unit) = (0..self.headings.len()).find_map(|n| Some((n, centres_called(&self.headings[n])?)))?;
        let list = |is: &dyn Fn(&str) -> bool| {
            let n = (0..self.headings.len()).find(|&n| n != axis && is(&self.headings[n]))?;
            self.numbers[n].clone()
        };
        let (widths, good) = (list(&is_width), list(&is_good));
        let centres = self.numbers[axis].as_ref()?;
        let (nanometres, widths_nm) = Said::of(unit).bands(centres, widths.as_deref().unwrap_or_default())?;
        let is_spectrum = |&n: &usize| {
            n != axis && self.numbers[n].is_some() && !is_width(&self.headings[n]) && !is_good(&self.headings[n])
        };
        let others: Vec<usize> = (0..self.headings.len()).filter(is_spectrum).collect();
        (nanometres.len() > 1).then(|| SpectraTable {
            names: others.iter().map(|&n| self.headings[n].clone()).collect(),
            values: others.iter().filter_map(|&n| self.numbers[n].as_ref()).flatten().copied().collect(),
            nanometres,
            widths_nm,
            good: good.unwrap_or_default().into_iter().map(|value| value != 0.0).collect(),
            how: "spectra as columns, by its column of wavelengths".to_owned(),
        })
    }

    /// Spectra in rows under wavelengths, with their names in a column of words.
    fn under_wavelengths(&self) -> Option<SpectraTable> {
        let is_band = |&n: &usize| self.headings[n].chars().any(|c| c.is_ascii_digit()) && self.numbers[n].is_some();
        let bands: Vec<usize> = (0..self.headings.len()).filter(is_band).collect();
        let others: Vec<usize> = (0..self.headings.len()).filter(|n| !bands.contains(n)).collect();
        let centres = BandCentres::of_headings(&bands.iter().map(|&n| &self.headings[n]).collect::<Vec<_>>())?;
        // Columns of places make an image of it.
        let has = |kind: AxisKind| others.iter().any(|&n| AxisKind::called(&self.headings[n]) == Some(kind));
        if bands.len() < others.len() || (has(AxisKind::Row) && has(AxisKind::Column)) {
            return None;
        }
        let names = others.iter().find_map(|&n| self.words[n].clone()).unwrap_or_default();
        let columns: Vec<&Vec<f64>> = bands.iter().filter_map(|&n| self.numbers[n].as_ref()).collect();
        let rows = columns.first().map_or(0, |column| column.len());
        let aside: Vec<String> = others.iter().map(|&n| format!("`{}`", self.headings[n])).collect();
        let aside = if aside.is_empty() { String::new() } else { format!(", without its column {}", aside.join(", ")) };
        Some(SpectraTable {
            names,
            values: (0..rows).flat_map(|row| columns.iter().map(move |column| column[row])).collect(),
            nanometres: centres.nanometres,
            widths_nm: Vec::new(),
            good: Vec::new(),
            how: format!("spectra as rows under their wavelengths{aside}"),
        })
    }
}

/// The spectra of a text table with headings; nothing for other tables.
///
/// # Errors
/// A table that cannot be read.
pub(super) fn table(dataset: &Dataset) -> Result<Option<SpectraTable>> {
    let (Format::Delimited, Some(headings)) = (dataset.format(), dataset.column_names()) else { return Ok(None) };
    let may_be = |heading: &String| centres_called(heading).is_some() || heading.chars().any(|c| c.is_ascii_digit());
    if headings.len() < 2 || !headings.iter().any(may_be) {
        return Ok(None);
    }
    // What is wrong with its cells is said where they are wanted.
    let Ok(columns) = Columns::of(dataset, headings) else { return Ok(None) };
    Ok(columns.beside_wavelengths().or_else(|| columns.under_wavelengths()))
}
