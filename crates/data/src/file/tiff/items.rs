//! The items of GDAL's metadata in a TIFF file: what is known of the image and of each band, as XML.
//!
//! GDAL, "GTiff driver", tag 42112: `<Item name="SCALE" sample="0" role="scale">1e-4</Item>`, where samples are counted from 0. Band
//! centres stand as `wavelength` with `wavelength_units`, as GDAL takes them over from ENVI, and in micrometres in the domain `IMAGERY`.

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
    /// What is said of the image as a whole.
    pub(crate) others: Vec<Item>,
}

/// Nanometres in a micrometre.
const NM_PER_UM: f64 = 1000.0;

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
        let numbers = |texts: Vec<Option<&str>>, scale: &dyn Fn(usize) -> Option<f64>| -> Vec<f64> {
            let number = |(band, text): (usize, Option<&str>)| Some(text?.parse::<f64>().ok()? * scale(band)?);
            let numbers: Option<Vec<f64>> = texts.into_iter().enumerate().map(number).collect();
            numbers.filter(|all| all.iter().all(|nm| nm.is_finite() && *nm > 0.0)).unwrap_or_default()
        };
        let micrometres = |name: &str| numbers(called(name), &|_| Some(NM_PER_UM));
        let units = called("wavelength_units");
        let in_units = |name: &str| numbers(called(name), &|band| nanometres_per(units[band].unwrap_or("nm")));
        let first = |found: Vec<f64>, otherwise: &dyn Fn() -> Vec<f64>| {
            let found = if found.is_empty() { otherwise() } else { found };
            found.into_iter().map(rounded).collect::<Vec<f64>>()
        };
        let names: Option<Vec<String>> =
            texts(&|item| item.is("description")).into_iter().map(|text| text.map(String::from)).collect();
        Self {
            names: names.unwrap_or_default(),
            wavelengths_nm: first(in_units("wavelength"), &|| micrometres("CENTRAL_WAVELENGTH_UM")),
            widths_nm: first(in_units("fwhm"), &|| micrometres("FWHM_UM")),
            others: items.iter().filter(|item| item.sample.is_none()).cloned().collect(),
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
        items
    }
}

/// Without the last digit, which a change of the unit spoils.
fn rounded(value: f64) -> f64 {
    format!("{value:.12e}").parse().unwrap_or(value)
}

/// How many nanometres a unit has; nothing for what is no length.
pub(crate) fn nanometres_per(unit: &str) -> Option<f64> {
    match unit.trim().to_lowercase().trim_end_matches('s') {
        "nanometer" | "nanometre" | "nm" => Some(1.0),
        "micrometer" | "micrometre" | "micron" | "um" | "µm" | "μm" => Some(NM_PER_UM),
        "millimeter" | "millimetre" | "mm" => Some(1e6),
        "meter" | "metre" | "m" => Some(1e9),
        "angstrom" => Some(0.1),
        _ => None,
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
        assert!(BandItems::of(&parse(text), 1).wavelengths_nm.is_empty(), "a wavenumber is no wavelength");
    }
}
