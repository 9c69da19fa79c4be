//! The items of GDAL's metadata in a TIFF file: what is known of the image and of each band, as XML.
//!
//! GDAL, "GTiff driver", tag 42112: `<Item name="SCALE" sample="0" role="scale">1e-4</Item>`, where samples are counted from 0. Band
//! centres stand as `wavelength` with `wavelength_units`, as GDAL takes them over from ENVI, and in micrometres in the domain `IMAGERY`.

use crate::spectral_unit::{Said, rounded};
use std::fmt::Write as _;

/// One item.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Item {
    pub(crate) name: String,
    /// The band that it is of, counted from 0.
    pub(crate) sample: Option<usize>,
    pub(crate) role: String,
    pub(crate) domain: String,
    pub(crate) text: String,
}

/// What the items say of the bands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct BandItems {
    /// One a band, or none.
    pub(crate) names: Vec<String>,
    pub(crate) wavelengths_nm: Vec<f64>,
    pub(crate) widths_nm: Vec<f64>,
    pub(crate) good_bands: Vec<bool>,
    /// What is said of the image as a whole.
    pub(crate) others: Vec<Item>,
}

/// Nanometres in a micrometre.
const NM_PER_UM: f64 = 1000.0;
/// The key of ENVI's headers that says which bands are good.
const GOOD: &str = "bbl";

impl Item {
    pub(crate) fn of_band(name: &str, sample: usize, role: &str, domain: &str, text: String) -> Self {
        Self { name: name.into(), sample: Some(sample), role: role.into(), domain: domain.into(), text }
    }

    fn is(&self, role: &str) -> bool {
        self.role == role
    }
}

/// The items of a text, in its order.
pub(crate) fn parse(metadata: &str) -> Vec<Item> {
    let item = |text: &str| {
        let (attributes, rest) = text.split_once('>')?;
        let attribute = |name: &str| {
            let (_, value) = attributes.split_once(&format!("{name}=\""))?;
            Some(unescaped(value.split_once('"')?.0))
        };
        Some(Item {
            name: attribute("name")?,
            sample: attribute("sample").and_then(|sample| sample.parse().ok()),
            role: attribute("role").unwrap_or_default(),
            domain: attribute("domain").unwrap_or_default(),
            text: unescaped(rest.split_once('<').map_or(rest, |(text, _)| text)),
        })
    };
    metadata.split("<Item ").skip(1).filter_map(item).collect()
}

/// The items as a text.
pub(crate) fn text(items: &[Item]) -> String {
    let mut text = String::from("<GDALMetadata>\n");
    for Item { name, sample, role, domain, text: value } in items {
        // writing into a string cannot fail
        let _ = write!(text, "  <Item name=\"{}\"", escaped(name));
        if let Some(sample) = sample {
            let _ = write!(text, " sample=\"{sample}\"");
        }
        for (attribute, value) in [("role", role), ("domain", domain)] {
            if !value.is_empty() {
                let _ = write!(text, " {attribute}=\"{}\"", escaped(value));
            }
        }
        let _ = writeln!(text, ">{}</Item>", escaped(value));
    }
    text + "</GDALMetadata>\n"
}

/// The numbers that the items of this role give to the bands; none where no band has one.
pub(crate) fn of_role(items: &[Item], role: &str, bands: usize, otherwise: f64) -> Vec<f64> {
    let mut values = vec![otherwise; bands];
    let mut found = false;
    for item in items.iter().filter(|item| item.is(role)) {
        let place = item.sample.and_then(|sample| values.get_mut(sample));
        if let (Some(place), Ok(value)) = (place, item.text.trim().parse()) {
            (*place, found) = (value, true);
        }
    }
    if found { values } else { Vec::new() }
}

impl BandItems {
    pub(crate) fn of(items: &[Item], bands: usize) -> Self {
        let texts = |is: &dyn Fn(&Item) -> bool| -> Vec<Option<&str>> {
            let mut texts = vec![None; bands];
            for item in items.iter().filter(|item| is(item)) {
                if let Some(place) = item.sample.and_then(|sample| texts.get_mut(sample)) {
                    *place = Some(item.text.trim());
                }
            }
            texts
        };
        let called = |name: &str| texts(&|item| item.name.eq_ignore_ascii_case(name));
        let numbers = |texts: Vec<Option<&str>>| -> Option<Vec<f64>> {
            texts.into_iter().map(|text| text?.parse::<f64>().ok()).collect()
        };
        // Of the image as a whole, as GDAL keeps the keys of an ENVI header.
        let list = |name: &str| -> Option<Vec<f64>> {
            let mut whole = items.iter().filter(|item| item.sample.is_none());
            let item = whole.find(|item| item.name.eq_ignore_ascii_case(name))?;
            let inside = item.text.trim().trim_start_matches('{').trim_end_matches('}');
            let values: Option<Vec<f64>> = inside.split(',').map(|text| text.trim().parse().ok()).collect();
            values.filter(|values| values.len() == bands)
        };
        let one_unit = items.iter().find(|item| item.name.eq_ignore_ascii_case("wavelength_units"));
        let unit = one_unit.map_or("", |item| item.text.trim());
        let each = |centres: &str, widths: &str, unit: &str| {
            let widths = numbers(called(widths)).unwrap_or_default();
            Said::of(unit).bands(&numbers(called(centres))?, &widths)
        };
        let whole = || Said::of(unit).bands(&list("wavelength")?, &list("fwhm").unwrap_or_default());
        let found =
            each("wavelength", "fwhm", unit).or_else(|| each("CENTRAL_WAVELENGTH_UM", "FWHM_UM", "um")).or_else(whole);
        let (wavelengths_nm, widths_nm) = found.unwrap_or_default();
        let names: Option<Vec<String>> =
            texts(&|item| item.is("description")).into_iter().map(|text| text.map(String::from)).collect();
        let good = list(GOOD).unwrap_or_default();
        let is_held = |item: &Item| item.name == GOOD && !good.is_empty();
        Self {
            names: names.unwrap_or_default(),
            wavelengths_nm,
            widths_nm,
            good_bands: good.iter().map(|flag| *flag != 0.0).collect(),
            others: items.iter().filter(|item| item.sample.is_none() && !is_held(item)).cloned().collect(),
        }
    }

    /// The items that say it.
    pub(crate) fn items(&self) -> Vec<Item> {
        let mut items = self.others.clone();
        let names = self.names.iter().enumerate();
        items.extend(names.map(|(band, name)| Item::of_band("DESCRIPTION", band, "description", "", name.clone())));
        for (band, nm) in self.wavelengths_nm.iter().enumerate() {
            let mut add = |name: &str, domain: &str, text: String| {
                items.push(Item::of_band(name, band, "", domain, text));
            };
            add("wavelength", "", nm.to_string());
            add("wavelength_units", "", "Nanometers".into());
            add("CENTRAL_WAVELENGTH_UM", "IMAGERY", rounded(nm / NM_PER_UM).to_string());
        }
        for (band, nm) in self.widths_nm.iter().enumerate() {
            items.push(Item::of_band("fwhm", band, "", "", nm.to_string()));
            items.push(Item::of_band("FWHM_UM", band, "", "IMAGERY", rounded(nm / NM_PER_UM).to_string()));
        }
        if !self.good_bands.is_empty() {
            let flags: Vec<&str> = self.good_bands.iter().map(|&good| if good { "1" } else { "0" }).collect();
            let text = format!("{{{}}}", flags.join(", "));
            items.push(Item { name: GOOD.into(), domain: "ENVI".into(), text, ..Item::default() });
        }
        items
    }
}

const ENTITIES: [(&str, &str); 5] = [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;"), ("'", "&apos;")];

fn escaped(text: &str) -> String {
    ENTITIES.iter().fold(text.to_owned(), |text, (plain, entity)| text.replace(plain, entity))
}

fn unescaped(text: &str) -> String {
    ENTITIES.iter().rev().fold(text.to_owned(), |text, (plain, entity)| text.replace(entity, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_go_there_and_back() {
        let own = Item { name: "a \"b\" & <c>".into(), domain: "ENVI".into(), text: "x > y".into(), ..Item::default() };
        let bands = BandItems {
            names: vec!["tree & soil".into(), "water".into()],
            wavelengths_nm: vec![450.1, 2499.9],
            widths_nm: vec![5.3, 10.0],
            good_bands: vec![true, false],
            others: vec![own],
        };
        let items = parse(&text(&bands.items()));
        assert_eq!(BandItems::of(&items, 2), bands);
        assert!(BandItems::of(&items, 3).wavelengths_nm.is_empty(), "a band lacks its centre");
    }

    #[test]
    fn micrometres_of_the_domain_of_images_are_enough() {
        let text = "<GDALMetadata><Item name=\"CENTRAL_WAVELENGTH_UM\" sample=\"0\" domain=\"IMAGERY\">0.45</Item></GDALMetadata>";
        assert_eq!(BandItems::of(&parse(text), 1).wavelengths_nm, [450.0]);
        let text = "<Item name=\"wavelength\" sample=\"0\">1200</Item><Item name=\"wavelength_units\" sample=\"0\">cm-1</Item>";
        assert!((BandItems::of(&parse(text), 1).wavelengths_nm[0] - 1e7 / 1200.0).abs() < 1e-6);
        let text = "<Item name=\"wavelength\" domain=\"ENVI\">{0.4, 0.5}</Item><Item name=\"wavelength_units\" domain=\"ENVI\">Micrometers</Item>\
                    <Item name=\"bbl\" domain=\"ENVI\">{ 1, 0 }</Item>";
        let found = BandItems::of(&parse(text), 2);
        assert_eq!((found.wavelengths_nm, found.good_bands), (vec![400.0, 500.0], vec![true, false]));
    }
}
