//! [`BandCentres`]: where bands lie, as far as a file says: its header, its axes, the headings of a table, attributes of an array and of the
//! groups that it is in, variables beside it and elsewhere.

use super::centre_names::{GOOD, STANDARD, WIDTHS, base, belongs, centres_called, group, in_name, is_one_of, letters};
use crate::{
    axes::AxisKind,
    error::Result,
    file::{Attribute, Class, Dataset, Format},
    spectral_unit::{Said, name_and_unit},
};
use std::collections::BTreeMap;

/// Wavelengths of instruments that look at light, in nanometres: what headings with a letter before the number have to be.
const OPTICAL_NM: std::ops::RangeInclusive<f64> = 200.0..=20_000.0;

/// Where bands lie.
#[derive(Clone, Debug, PartialEq)]
pub struct BandCentres {
    /// Centres in nanometres, in the order of the bands.
    pub nanometres: Vec<f64>,
    /// Full widths at half maximum in nanometres, one a band, or none.
    pub widths_nm: Vec<f64>,
}

impl BandCentres {
    /// Of headings of columns that are numbers, with or without a unit: `400`, `400.5 nm`, `0.4um`, `R400`; nothing where one is none, and
    /// where they do not go one way.
    pub fn of_headings<T: AsRef<str>>(headings: &[T]) -> Option<Self> {
        let mut said = None;
        let mut values = Vec::with_capacity(headings.len());
        let mut has_letters = false;
        for heading in headings {
            let (number, unit) = number_and_unit(heading.as_ref().trim());
            let digits = number.trim_start_matches(|c: char| c.is_alphabetic() || c == '_' || c == ' ');
            has_letters |= digits.len() < number.len() && unit.is_empty();
            values.push(decimal(digits)?);
            let unit = Said::of(unit);
            if *said.get_or_insert(unit) != unit {
                return None;
            }
        }
        let said = said?;
        // Columns that are counted have no wavelengths.
        let is_counted = values.windows(2).all(|pair| pair[1] - pair[0] == 1.0) && values[0] <= 1.0;
        if said == Said::Nothing && (is_counted || (has_letters && !values.iter().all(|nm| OPTICAL_NM.contains(nm)))) {
            return None;
        }
        let (nanometres, _) = said.bands(&values, &[])?;
        let goes = |up: bool| nanometres.windows(2).all(|pair| pair[0] != pair[1] && (pair[0] < pair[1]) == up);
        (nanometres.len() > 1 && (goes(true) || goes(false))).then_some(Self { nanometres, widths_nm: Vec::new() })
    }

    fn of(nanometres: Vec<f64>, widths_nm: Vec<f64>) -> Option<Self> {
        (!nanometres.is_empty()).then_some(Self { nanometres, widths_nm })
    }
}

/// A number with a decimal point, or with a comma.
fn decimal(text: &str) -> Option<f64> {
    let value = text.parse::<f64>().or_else(|_| text.replacen(',', ".", 1).parse());
    value.ok().filter(|value| value.is_finite())
}

/// `400.5nm` is 400.5 and nm; a unit stands apart, or follows the digits at once.
fn number_and_unit(heading: &str) -> (&str, &str) {
    match name_and_unit(heading) {
        (number, "") => {
            let end = number.rfind(|c: char| c.is_ascii_digit()).map_or(0, |at| at + 1);
            let (digits, unit) = number.split_at(end);
            (digits.trim(), unit.trim())
        }
        found => found,
    }
}

/// Numbers of an attribute, which may be words.
fn list_of(attribute: &Attribute) -> Option<Vec<f64>> {
    match attribute {
        Attribute::Texts(texts) => texts
            .iter()
            .flat_map(|text| text.split([',', ' ', '{', '}', '[', ']', '\n']))
            .filter(|word| !word.is_empty())
            .map(|word| word.parse().ok())
            .collect(),
        other => other.numbers::<f64>(),
    }
}

/// The lists in a file, as seen from one of its arrays.
struct Lists<'a> {
    dataset: &'a Dataset,
    beside: &'a str,
    /// Attributes of the array and of the groups around it, the nearest first.
    attributes: Vec<BTreeMap<String, Attribute>>,
}

impl<'a> Lists<'a> {
    fn of(dataset: &'a Dataset, beside: &'a str) -> Result<Self> {
        let mut attributes = Vec::new();
        if dataset.format() == Format::Hdf5 {
            let mut path = beside;
            attributes.push(dataset.attributes(path)?);
            while !path.is_empty() {
                path = group(path).trim_end_matches(['/', '.']);
                // A field of records is in no group.
                attributes.extend(dataset.attributes(path));
            }
        }
        Ok(Self { dataset, beside, attributes })
    }

    /// Variables of one axis that these names fit: those of the same group, of groups around it, and others.
    fn variables(&self, fits: impl Fn(&str) -> bool) -> Vec<&'a str> {
        let is_list = |shape: &[usize]| shape.iter().filter(|&&len| len > 1).count() == 1;
        let variables = self.dataset.variables().iter().filter(|variable| {
            matches!(variable.class(), Class::Number(_)) && is_list(variable.shape()) && fits(variable.name())
        });
        let mut names: Vec<&str> = variables.map(|variable| variable.name()).collect();
        let own = group(self.beside);
        // What is called after the array itself, `cube.fwhm`, is nearest.
        names.sort_by_key(|name| match group(name) {
            other if !self.beside.is_empty() && other.trim_end_matches(['/', '.']) == self.beside => 0,
            other if other == own => 1,
            other if own.starts_with(other) => 2,
            _ => 3,
        });
        names
    }

    fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        Ok(self.dataset.cube::<f64>(Some(name))?.into_values())
    }

    /// What the file says of the unit of a variable.
    fn unit_of(&self, name: &str) -> Result<Option<String>> {
        let attributes = self.dataset.attributes(name)?;
        if let Some((_, value)) = attributes.iter().find(|(key, _)| ["unit", "units"].contains(&letters(key).as_str()))
        {
            return Ok(value.text().map(|text| text.trim_end_matches('\0').trim().to_owned()));
        }
        if let Ok(Some(header)) = self.dataset.fits_header(Some(name)) {
            return Ok(header.unit().map(str::to_owned));
        }
        // A text beside it: `wavelength_units`.
        let own = letters(base(name));
        let is_unit = |other: &str| {
            group(other) == group(name)
                && letters(base(other))
                    .strip_prefix(own.trim_end_matches('s'))
                    .is_some_and(|rest| ["unit", "units", "sunit", "sunits"].contains(&rest))
        };
        let mut texts = self.dataset.variables().iter().filter(|v| matches!(v.class(), Class::Text | Class::Cell));
        let text = texts.find(|variable| is_unit(variable.name())).and_then(|v| self.dataset.text(v.name()).ok());
        Ok(text.and_then(|lines| lines.into_iter().next()).map(|line| line.trim().to_owned()))
    }

    /// The list of so many numbers that these names fit, with its unit where that is said.
    fn of_bands(&self, count: usize, known: &[&str]) -> Result<Option<(Vec<f64>, Option<String>)>> {
        for attributes in &self.attributes {
            let lists =
                attributes.iter().filter(|(key, _)| is_one_of(known, key)).filter_map(|(_, value)| list_of(value));
            if let Some(values) = lists.into_iter().find(|values| values.len() == count) {
                return Ok(Some((values, None)));
            }
        }
        for name in self.variables(|name| is_one_of(known, base(name))) {
            let values = self.numbers(name)?;
            if values.len() == count {
                return Ok(Some((values, self.unit_of(name)?.or_else(|| in_name(base(name))))));
            }
        }
        Ok(None)
    }

    /// Band centres of these numbers with their widths, where they can be some.
    fn centres(&self, values: &[f64], unit: &str) -> Result<Option<BandCentres>> {
        if values.len() < 2 || values.iter().all(|value| *value == values[0]) {
            return Ok(None);
        }
        let said = Said::of(unit);
        let (widths, own) = self.of_bands(values.len(), &WIDTHS)?.unwrap_or_default();
        let Some((nanometres, widths_nm)) = said.bands(values, &widths) else { return Ok(None) };
        let widths_nm = match own.as_deref().map(Said::of) {
            // A width in nanometres beside centres of another unit.
            Some(Said::Unit(own)) if said != Said::Unit(own) => {
                Said::Unit(own).bands(&widths, &[]).map_or(Vec::new(), |(widths, _)| widths)
            }
            _ => widths_nm,
        };
        Ok(BandCentres::of(nanometres, widths_nm))
    }

    fn all(&self) -> Result<Vec<BandCentres>> {
        let mut all = Vec::new();
        let mut add = |list: Option<BandCentres>| {
            all.extend(list.filter(|list| !all.contains(list)));
        };
        for attributes in &self.attributes {
            for (key, value) in attributes {
                let Some((usual, values)) = centres_called(key).zip(list_of(value)) else { continue };
                let plain = letters(name_and_unit(key).0);
                let is_unit = |other: &str| {
                    let other = letters(other);
                    other
                        .strip_suffix('s')
                        .unwrap_or(&other)
                        .strip_suffix("unit")
                        .is_some_and(|of| of.trim_end_matches('s') == plain.trim_end_matches('s'))
                };
                let unit = attributes.iter().find(|(key, _)| is_unit(key)).and_then(|(_, value)| value.text());
                add(self.centres(&values, unit.unwrap_or(usual))?);
            }
        }
        let is_standard = |name: &str| -> bool {
            let Ok(attributes) = self.dataset.attributes(name) else { return false };
            attributes.get("standard_name").and_then(Attribute::text).is_some_and(|text| STANDARD.contains(&text))
        };
        let known = |name: &str| {
            centres_called(base(name)).is_some()
                || belongs(base(name), self.beside)
                || (self.dataset.format() == Format::Hdf5 && is_standard(name))
        };
        let mut names = self.variables(known);
        // What bears the name of the array before what may be that of another.
        names.sort_by_key(|name| !belongs(base(name), self.beside));
        for name in names {
            let unit = self.unit_of(name)?;
            let usual = centres_called(base(name)).map(str::to_owned).or_else(|| in_name(base(name)));
            add(self.centres(&self.numbers(name)?, &unit.or(usual).unwrap_or_default())?);
        }
        Ok(all)
    }
}

impl Dataset {
    /// All lists of band centres that a file has for its array `beside`, the nearest first: of its header or axes, of the headings of a table,
    /// of attributes of the array and the groups around it, of variables of the same group and of others.
    ///
    /// Lengths, wavenumbers, frequencies and energies become nanometres; a list without a unit is in metres below 0.001, in micrometres below
    /// 100 and in nanometres else; one whose unit is something else is left out. Nothing says that a list has as many bands as the array.
    ///
    /// # Errors
    /// Lists and attributes that cannot be read.
    pub fn band_centres(&self, beside: &str) -> Result<Vec<BandCentres>> {
        let position = self.variables().iter().position(|variable| variable.name() == beside).unwrap_or(0);
        let own = match self.format() {
            Format::Envi => self.envi_header().map(|header| (header.wavelengths_nm.clone(), header.widths_nm.clone())),
            Format::Tiff => {
                self.tiff_bands(position).map(|bands| (bands.wavelengths_nm.clone(), bands.widths_nm.clone()))
            }
            Format::Delimited => {
                let table = super::spectra::table(self)?.map(|table| (table.nanometres, table.widths_nm));
                let headings =
                    || BandCentres::of_headings(self.column_names()?).map(|own| (own.nanometres, Vec::new()));
                table.or_else(headings)
            }
            Format::Fits => self.spectral_axis(beside),
            _ => None,
        };
        let mut all: Vec<BandCentres> =
            own.and_then(|(nanometres, widths)| BandCentres::of(nanometres, widths)).into_iter().collect();
        if matches!(self.format(), Format::Envi | Format::Tiff | Format::Delimited) {
            return Ok(all);
        }
        for list in Lists::of(self, beside)?.all()? {
            if !all.contains(&list) {
                all.push(list);
            }
        }
        Ok(all)
    }

    /// Which of the `count` bands of the array `beside` are good, where its file says so; else nothing.
    ///
    /// # Errors
    /// Lists that cannot be read.
    pub fn good_bands(&self, beside: &str, count: usize) -> Result<Vec<bool>> {
        let position = self.variables().iter().position(|variable| variable.name() == beside).unwrap_or(0);
        let good = match self.format() {
            Format::Envi => self.envi_header().map(|header| header.good_bands.clone()),
            Format::Tiff => self.tiff_bands(position).map(|bands| bands.good_bands.clone()),
            Format::Delimited => None,
            _ => {
                let list = Lists::of(self, beside)?.of_bands(count, &GOOD)?;
                list.map(|(values, _)| values.into_iter().map(|value| value != 0.0).collect())
            }
        };
        Ok(good.filter(|good: &Vec<bool>| good.len() == count).unwrap_or_default())
    }

    /// The spectral axis of a FITS image, in nanometres.
    fn spectral_axis(&self, name: &str) -> Option<(Vec<f64>, Vec<f64>)> {
        let axes = self.axes(Some(name)).ok()?;
        let of =
            |kind: AxisKind, unit: &'static str| axes.axis(kind).ok()?.coordinates_in(unit).ok().map(<[f64]>::to_vec);
        match of(AxisKind::Wavelength, "nm") {
            Some(nanometres) => Some((nanometres, Vec::new())),
            None => Said::of("MHz").bands(&of(AxisKind::Frequency, "MHz")?, &[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_centres_where_all_of_them_are() {
        let of = |headings: &[&str]| BandCentres::of_headings(headings).map(|found| found.nanometres);
        assert_eq!(of(&["400", "500.5"]), Some(vec![400.0, 500.5]));
        assert_eq!(of(&["0.4um", "0.5um"]), Some(vec![400.0, 500.0]));
        assert_eq!(of(&["0,4 um", "0,5 um"]), Some(vec![400.0, 500.0]));
        assert_eq!(of(&["20000 cm-1", "10000 cm-1"]), Some(vec![500.0, 1000.0]));
        assert_eq!(of(&["R400", "R410"]), Some(vec![400.0, 410.0]));
        assert_eq!(of(&["nm_400", "nm_410"]), Some(vec![400.0, 410.0]));
        for none in [
            &["b1", "b2"][..],
            &["1", "2", "3"],
            &["B201", "B20100"],
            &["400", "soil"],
            &["500", "400", "600"],
            &["400 nm", "0.5 um"],
            &["400"],
            &[],
        ] {
            assert_eq!(of(none), None, "{none:?}");
        }
    }
}
