//! [`Meaning`]: what the stored numbers of an array stand for.

use crate::{
    array::Array,
    element::{Element, ElementType},
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
        let Some(nan) = T::from_f64(f64::NAN) else { return };
        for missing in self.missing.iter().filter_map(|&value| T::from_f64(value)) {
            for value in values.iter_mut() {
                *value = if *value == missing { nan } else { *value };
            }
        }
    }

    /// The measured values of stored numbers; missing ones are NaN if `T` has NaN. Complex numbers stay as they are.
    ///
    /// The arithmetic is that of f64 whatever the numbers are stored and wanted as: each is rounded once, at the end.
    ///
    /// # Errors
    /// [`Error::Inexact`] when a measured value does not fit into `T`.
    pub(crate) fn measured<T: Element>(&self, array: Array) -> Result<Vec<T>> {
        if matches!(array.element_type(), ElementType::Complex64 | ElementType::Complex128) {
            return Ok(array.into_cube()?.into_values());
        }
        let (shape, last) = (array.shape().to_vec(), array.shape().last().copied().unwrap_or(1).max(1));
        // What stands for a missing value is rounded as the numbers of the file are.
        let single = matches!(array.element_type(), ElementType::F32);
        let rounded = |value: f64| if single { f64::from(value as f32) } else { value };
        let missing: Vec<f64> = self.missing.iter().map(|&value| rounded(value)).collect();
        let (min, max) = (self.valid_min.map(rounded), self.valid_max.map(rounded));
        let (gains, offsets) = (Scale::of(&self.gains, 1.0, last), Scale::of(&self.offsets, 0.0, last));
        // Lines of the last axis, which scales may go along.
        let piece = if gains.is_one() && offsets.is_one() { PIECE } else { PIECE.next_multiple_of(last) };
        array
            .into_values()
            .convert_by(piece, |values| {
                for &missing in &missing {
                    replace(values, |value| value == missing);
                }
                if let Some(min) = min {
                    replace(values, |value| value < min);
                }
                if let Some(max) = max {
                    replace(values, |value| value > max);
                }
                gains.apply(values, |value, gain| *value *= gain);
                offsets.apply(values, |value, offset| *value += offset);
            })
            .map_err(|misfit| misfit.into_error::<T>(ElementType::F64, &shape))
    }
}

/// Numbers that are measured at a time, so that they stay in the nearest cache.
const PIECE: usize = 1 << 11;

/// Makes the values that are so NaN.
fn replace(values: &mut [f64], is_so: impl Fn(f64) -> bool) {
    for value in values {
        *value = if is_so(*value) { f64::NAN } else { *value };
    }
}

/// Gains or offsets.
enum Scale {
    /// One for all numbers.
    One(f64),
    /// One for each position of the last axis.
    Each(Vec<f64>),
}

impl Scale {
    fn of(values: &[f64], otherwise: f64, positions: usize) -> Self {
        match values {
            [] => Self::One(otherwise),
            &[one] => Self::One(one),
            each => Self::Each(each.iter().copied().chain(std::iter::repeat(otherwise)).take(positions).collect()),
        }
    }

    fn is_one(&self) -> bool {
        matches!(self, Self::One(_))
    }

    /// Changes whole lines of values.
    fn apply(&self, values: &mut [f64], change: impl Fn(&mut f64, f64)) {
        match self {
            Self::One(one) => values.iter_mut().for_each(|value| change(value, *one)),
            Self::Each(each) => {
                for line in values.chunks_mut(each.len()) {
                    line.iter_mut().zip(each).for_each(|(value, one)| change(value, *one));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Values;

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
        let values = range.measured::<f64>(stored).unwrap();
        assert!(values[2].is_nan() && values[..2] == [1.0, 2.0]);
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
        let measured = meaning.measured::<f64>(stored).unwrap();
        assert!(measured[0].is_nan(), "the stored number is missing, although -1 is measured elsewhere");
        assert_eq!(measured[1..], [-1.0, 1.0]);
        let observatory = Meaning::of_attributes(&attributes(&[("Scale_Factor", 10_000.0)]));
        assert_eq!(observatory.gains, [1e-4]);
    }

    #[test]
    fn gains_belong_to_the_positions_of_the_last_axis() {
        let meaning = Meaning { gains: vec![1.0, 10.0, 100.0], offsets: vec![0.0, 0.0, 1.0], ..Meaning::default() };
        let stored = |count: usize| Array::new(vec![2, count], Values::F32(vec![1.0; 2 * count])).unwrap();
        assert_eq!(meaning.measured::<f64>(stored(3)).unwrap(), [1.0, 10.0, 101.0, 1.0, 10.0, 101.0]);
        assert_eq!(meaning.part(&(1..3)).measured::<f64>(stored(2)).unwrap(), [10.0, 101.0, 10.0, 101.0]);
    }

    /// More numbers than are measured at a time, in lines that do not divide that, with one scale and with one for each position.
    #[test]
    fn measured_values_are_rounded_once_whatever_they_are_stored_and_wanted_as() {
        let (lines, last) = (900, 7);
        let stored: Vec<i16> = (0..lines * last).map(|i| (i * 7919 % 65_536) as u16 as i16).collect();
        let scales = |count: usize, first: f64| (0..count).map(|i| first * (1.0 + 0.37 * i as f64)).collect::<Vec<_>>();
        for count in [1, last] {
            let (gains, offsets) = (scales(count, 1e-4), scales(count, -0.3));
            let meaning = Meaning {
                missing: vec![-9999.0, 12.0],
                valid_max: Some(30_000.0),
                gains: gains.clone(),
                offsets: offsets.clone(),
                ..Meaning::default()
            };
            let expected = |place: usize| {
                let stored = f64::from(stored[place]);
                let missing = stored == -9999.0 || stored == 12.0 || stored > 30_000.0;
                let measured = stored * gains[place % last % count] + offsets[place % last % count];
                if missing { f64::NAN } else { measured }
            };
            let shape = vec![lines, last];
            let wide: Vec<f64> = stored.iter().map(|&v| v.into()).collect();
            let of = |values: Values| Array::new(shape.clone(), values).unwrap();
            for values in [
                Values::I16(stored.clone()),
                Values::I64(stored.iter().map(|&v| v.into()).collect()),
                Values::F32(stored.iter().map(|&v| v.into()).collect()),
                Values::F64(wide.clone()),
            ] {
                let [single, double] = [
                    meaning
                        .measured::<f32>(of(values.clone()))
                        .unwrap()
                        .into_iter()
                        .map(f32::to_bits)
                        .collect::<Vec<_>>(),
                    meaning.measured::<f64>(of(values)).unwrap().into_iter().map(|v| (v as f32).to_bits()).collect(),
                ];
                let expected: Vec<u32> = (0..lines * last).map(|place| (expected(place) as f32).to_bits()).collect();
                assert!(single == expected && double == expected);
            }
        }
        // What does not fit is placed.
        let far = Meaning { gains: vec![1e30], ..Meaning::default() };
        let mut numbers = vec![1.0; 5000];
        numbers[4321] = 1e20;
        let error = far.measured::<f32>(Array::new(vec![50, 100], Values::F64(numbers)).unwrap()).unwrap_err();
        assert!(error.to_string().contains("at [43, 21] cannot be held by f32"), "{error}");
        let half = Meaning { gains: vec![0.5], ..Meaning::default() };
        let error = half.measured::<u8>(Array::new(vec![2], Values::U8(vec![2, 3])).unwrap()).unwrap_err();
        assert!(error.to_string().contains("1.5 at [1] cannot be held by u8"), "{error}");
    }
}
