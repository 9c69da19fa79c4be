//! [`Meaning`]: what the stored numbers of an array stand for.

use crate::{
    array::Array,
    element::{Element, ElementType, Values},
    error::Result,
    file::Attribute,
};
use std::{collections::BTreeMap, ops::Range};

/// Names of attributes that hold the number of missing values, in lower case and without separators: those of the CF conventions
/// (`_FillValue`, `missing_value`), of GDAL and of airborne observatories (`Data_Ignore_Value`, `NoData`, `Fill_Value`).
const MISSING: [&str; 8] =
    ["fillvalue", "missingvalue", "dataignorevalue", "ignorevalue", "nodata", "nodatavalue", "missing", "nullvalue"];

/// What the stored numbers of an array stand for: which of them stand for a missing value, and how the others become measured
/// ones.
///
/// A measured value is the stored number times its gain, plus its offset. Gains and offsets are one for each position of the last axis,
/// or one for all.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Meaning {
    /// Stored numbers that stand for missing values.
    pub missing: Vec<f64>,
    /// The smallest stored number that is valid.
    pub valid_min: Option<f64>,
    /// The largest stored number that is valid.
    pub valid_max: Option<f64>,
    /// What stored numbers are multiplied by; 1 where there is none.
    pub gains: Vec<f64>,
    /// What is added to the products; 0 where there is none.
    pub offsets: Vec<f64>,
}

impl Meaning {
    /// What attributes say by the CF conventions (`_FillValue`, `missing_value`, `valid_min`, `valid_max`, `valid_range`, `scale_factor`,
    /// `add_offset`), and by the names that airborne observatories use; of theirs, `Scale_Factor` is what reflectances were multiplied by.
    pub(crate) fn of_attributes(attributes: &BTreeMap<String, Attribute>) -> Self {
        let numbers = |attribute: &Attribute| match attribute {
            Attribute::Texts(texts) => texts.iter().filter_map(|text| text.trim().parse().ok()).collect(),
            other => other.numbers::<f64>().unwrap_or_default(),
        };
        let one = |name: &str| attributes.get(name).map(numbers).and_then(|values| values.first().copied());
        let named = |name: &str| -> String {
            name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
        };
        let missing = attributes.iter().filter(|(name, _)| MISSING.contains(&named(name).as_str()));
        let range = attributes.get("valid_range").map(numbers).unwrap_or_default();
        let observatory = one("Scale_Factor").filter(|&factor| factor != 0.0).map(f64::recip);
        Self {
            missing: missing.flat_map(|(_, attribute)| numbers(attribute)).filter(|value| !value.is_nan()).collect(),
            valid_min: one("valid_min").or(range.first().copied()),
            valid_max: one("valid_max").or(range.get(1).copied()),
            gains: one("scale_factor").or(observatory).into_iter().collect(),
            offsets: one("add_offset").into_iter().collect(),
        }
    }

    /// Whether stored numbers are the measured values, but for the missing ones.
    pub fn is_unscaled(&self) -> bool {
        self.gains.iter().all(|&gain| gain == 1.0) && self.offsets.iter().all(|&offset| offset == 0.0)
    }

    /// The measured value of a stored number, where all positions have the same scale.
    pub fn measured_value(&self, stored: f64) -> Option<f64> {
        let one = |values: &[f64], otherwise: f64| match values {
            [] => Some(otherwise),
            &[one] => Some(one),
            _ => None,
        };
        Some(stored * one(&self.gains, 1.0)? + one(&self.offsets, 0.0)?)
    }

    /// Whether no more has to be done than to mark missing numbers.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_unscaled() && self.valid_min.is_none() && self.valid_max.is_none()
    }

    /// The same without scales: what stored numbers are, where they are wanted as they are.
    pub(crate) fn stored(self) -> Self {
        Self { gains: Vec::new(), offsets: Vec::new(), ..self }
    }

    /// The same for a part of the last axis.
    pub(crate) fn part(&self, range: &Range<usize>) -> Self {
        let cut = |values: &[f64]| values.get(range.clone()).filter(|_| values.len() > 1).unwrap_or(values).to_vec();
        Self { gains: cut(&self.gains), offsets: cut(&self.offsets), ..self.clone() }
    }

    /// Makes the numbers that stand for missing values NaN where the type has it.
    pub(crate) fn mark<T: Element>(&self, values: &mut [T]) {
        let missing: Vec<T> = self.missing.iter().filter_map(|&value| T::from_f64(value)).collect();
        if let Some(nan) = T::from_f64(f64::NAN).filter(|_| !missing.is_empty()) {
            values.iter_mut().filter(|value| missing.contains(value)).for_each(|value| *value = nan);
        }
    }

    /// The measured values of stored numbers, in f64; missing ones are NaN. Complex numbers stay as they are.
    pub(crate) fn measured(&self, array: Array) -> Result<Array> {
        if matches!(array.element_type(), ElementType::Complex64 | ElementType::Complex128) {
            return Ok(array);
        }
        let (shape, last) = (array.shape().to_vec(), array.shape().last().copied().unwrap_or(1).max(1));
        // What stands for a missing value is rounded as the numbers of the file are.
        let single = matches!(array.element_type(), ElementType::F32);
        let rounded = |value: f64| if single { f64::from(value as f32) } else { value };
        let missing: Vec<f64> = self.missing.iter().map(|&value| rounded(value)).collect();
        let (min, max) = (self.valid_min.map(rounded), self.valid_max.map(rounded));
        let mut values = array.into_cube::<f64>()?.into_values();
        let at = |values: &[f64], position: usize, otherwise: f64| match values {
            [] => otherwise,
            &[one] => one,
            each => each.get(position).copied().unwrap_or(otherwise),
        };
        // Most files have one scale for all numbers, and nothing to look for.
        let alike = self.gains.len() <= 1 && self.offsets.len() <= 1;
        if alike && missing.is_empty() && min.is_none() && max.is_none() {
            let (gain, offset) = (at(&self.gains, 0, 1.0), at(&self.offsets, 0, 0.0));
            values.iter_mut().for_each(|value| *value = *value * gain + offset);
            return Array::new(shape, Values::F64(values));
        }
        for line in values.chunks_mut(last) {
            for (position, value) in line.iter_mut().enumerate() {
                let outside = min.is_some_and(|min| *value < min) || max.is_some_and(|max| *value > max);
                *value = match outside || missing.contains(value) {
                    true => f64::NAN,
                    false => *value * at(&self.gains, position, 1.0) + at(&self.offsets, position, 0.0),
                };
            }
        }
        Array::new(shape, Values::F64(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(given: &[(&str, f64)]) -> BTreeMap<String, Attribute> {
        let number = |value| Attribute::Numbers(Array::new(vec![], Values::F64(vec![value])).unwrap());
        given.iter().map(|&(name, value)| (name.to_owned(), number(value))).collect()
    }

    #[test]
    fn missing_values_have_many_names() {
        for name in ["_FillValue", "missing_value", "Data_Ignore_Value", "NoData", "no_data", "Fill_Value", "FillValue"]
        {
            let meaning = Meaning::of_attributes(&attributes(&[(name, -9999.0)]));
            let mut values = [1.0_f32, -9999.0, 0.0];
            meaning.mark(&mut values);
            assert!(values[1].is_nan() && values[0] == 1.0 && values[2] == 0.0, "{name}");
        }
        let range = Meaning::of_attributes(&attributes(&[("units", 3.0), ("valid_max", 2.0)]));
        let stored = Array::new(vec![3], Values::F64(vec![1.0, 2.0, 2.5])).unwrap();
        let values = range.measured(stored).unwrap().into_cube::<f64>().unwrap();
        assert!(values.values()[2].is_nan() && values.values()[..2] == [1.0, 2.0]);
        let fill = Meaning { missing: vec![3.0], ..Meaning::default() };
        let mut integers = [1_i16, 3];
        fill.mark(&mut integers);
        assert_eq!(integers, [1, 3], "integers have no number for a missing value");
    }

    #[test]
    fn measured_values_are_scaled_and_missing_ones_are_found_before() {
        let meaning =
            Meaning::of_attributes(&attributes(&[("_FillValue", -1.0), ("scale_factor", 0.5), ("add_offset", -1.0)]));
        let stored = Array::new(vec![3], Values::I16(vec![-1, 0, 4])).unwrap();
        let measured = meaning.measured(stored).unwrap().into_cube::<f64>().unwrap();
        assert!(measured.values()[0].is_nan(), "the stored number is missing, although -1 is measured elsewhere");
        assert_eq!(measured.values()[1..], [-1.0, 1.0]);
        let observatory = Meaning::of_attributes(&attributes(&[("Scale_Factor", 10_000.0)]));
        assert_eq!(observatory.gains, [1e-4]);
    }

    #[test]
    fn gains_belong_to_the_positions_of_the_last_axis() {
        let meaning = Meaning { gains: vec![1.0, 10.0, 100.0], offsets: vec![0.0, 0.0, 1.0], ..Meaning::default() };
        let stored = |count: usize| Array::new(vec![2, count], Values::F32(vec![1.0; 2 * count])).unwrap();
        let values = |array: Array| array.into_cube::<f64>().unwrap().into_values();
        assert_eq!(values(meaning.measured(stored(3)).unwrap()), [1.0, 10.0, 101.0, 1.0, 10.0, 101.0]);
        assert_eq!(values(meaning.part(&(1..3)).measured(stored(2)).unwrap()), [10.0, 101.0, 10.0, 101.0]);
    }
}
