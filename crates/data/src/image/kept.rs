//! What a file says of an image, gathered for [`ImageInfo`].

use super::ImageInfo;
use crate::{
    element::ElementType,
    error::Result,
    file::{Class, Dataset, Format, Meaning, TiffBands, is_envi_layout},
};

/// Keys of ENVI's that hold a value a band, beside those with a field of their own.
const OF_BANDS: [&str; 7] = [
    "wavelength",
    "fwhm",
    "correction factors",
    "solar irradiance",
    "data reflectance gain values",
    "data reflectance offset values",
    "band quality",
];
/// From so many bands on a list of that length is one value a band, whatever its key.
const SURELY_OF_BANDS: usize = 8;
/// The domain of GDAL's metadata that holds the keys of ENVI's headers.
pub(super) const ENVI_DOMAIN: &str = "ENVI";

impl ImageInfo {
    /// What is known of the variable at `position` of a file; of its size nothing yet.
    pub(super) fn of(dataset: &Dataset, position: usize, name: &str) -> Result<Self> {
        let is_table = matches!(dataset.variable(name)?.class(), Class::Table);
        let mut info = Self {
            path: dataset.path().into(),
            variable: name.to_owned(),
            rows: 0,
            columns: 1,
            bands: 1,
            element: ElementType::F64,
            spectra_names: None,
            wavelengths_nm: Vec::new(),
            widths_nm: Vec::new(),
            good_bands: Vec::new(),
            band_names: Vec::new(),
            // Of a table with words the numbers are taken column by column.
            meaning: if is_table { Meaning::default() } else { dataset.meaning(Some(name))? },
            place: None,
            description: String::new(),
            others: Vec::new(),
            reflectance_scale: None,
            unkept: Vec::new(),
            told: String::new(),
            must_mark: false,
        };
        match dataset.place_of(name)? {
            Ok(place) => info.place = place,
            Err(lost) => info.unkept.push(lost),
        }
        if let (Some(header), 0) = (dataset.envi_header(), position) {
            let place: Vec<String> = header.place().into_iter().map(|(key, _)| key).collect();
            info.spectra_names = header.spectra_names.clone();
            info.band_names = header.band_names.clone();
            info.description = header.description.clone();
            info.reflectance_scale = Some(header.reflectance_scale).filter(|scale| *scale != 1.0);
            info.others = header.others.iter().filter(|(key, _)| !place.contains(key)).cloned().collect();
        }
        if let Some(TiffBands { names, wavelengths_nm, others, .. }) = dataset.tiff_bands(position) {
            info.band_names = names.clone();
            for item in others {
                let key = if item.domain == ENVI_DOMAIN { item.name.replace('_', " ") } else { item.name.clone() };
                match key.as_str() {
                    "description" => info.description.clone_from(&item.text),
                    // What GDAL says of the file itself, and what stands in its tags.
                    "AREA_OR_POINT" => {}
                    own if item.domain == ENVI_DOMAIN && is_envi_layout(own) => {}
                    "map info" | "coordinate system string" if info.place.is_some() => {}
                    "wavelength" | "wavelength units" | "fwhm" if !wavelengths_nm.is_empty() => {}
                    "band names" if !names.is_empty() => {}
                    _ => info.others.push((key, item.text.clone())),
                }
            }
        }
        if dataset.format() == Format::Fits {
            info.unkept.push("its world coordinates".into());
        }
        Ok(info)
    }

    /// The lists that have a value a band, with only these bands.
    pub(super) fn with_bands(&self, bands: &[usize]) -> Self {
        let all = self.bands;
        fn chosen<T: Clone>(values: &[T], bands: &[usize]) -> Vec<T> {
            bands.iter().filter_map(|&band| values.get(band)).cloned().collect()
        }
        let scale = |values: &[f64]| if values.len() == all { chosen(values, bands) } else { values.to_vec() };
        let mut meaning = self.meaning.clone();
        (meaning.gains, meaning.offsets) = (scale(&meaning.gains), scale(&meaning.offsets));
        Self {
            bands: bands.len(),
            wavelengths_nm: chosen(&self.wavelengths_nm, bands),
            widths_nm: chosen(&self.widths_nm, bands),
            good_bands: chosen(&self.good_bands, bands),
            band_names: chosen(&self.band_names, bands),
            meaning,
            others: self.others.iter().filter_map(|(key, value)| other(key, value, all, bands)).collect(),
            ..self.clone()
        }
    }
}

/// The values of a list in braces.
fn list(value: &str) -> Vec<String> {
    let inside = value.trim().trim_start_matches('{').trim_end_matches('}');
    inside.split(',').map(|field| field.trim().to_owned()).collect()
}

/// A key of a header for these bands; nothing where it has no sense for them.
fn other(key: &str, value: &str, all: usize, bands: &[usize]) -> Option<(String, String)> {
    let name = key.to_lowercase();
    let braced = |list: Vec<String>| Some((key.to_owned(), format!("{{{}}}", list.join(", "))));
    let values = list(value);
    if name == "default bands" {
        // Numbers of bands, counted from 1.
        let number = |text: &String| {
            let old = text.parse::<f64>().ok().map(|number| number as usize)?;
            bands.iter().position(|&band| band + 1 == old).map(|new| (new + 1).to_string())
        };
        return values.iter().map(number).collect::<Option<Vec<_>>>().and_then(braced);
    }
    let of_bands = OF_BANDS.contains(&name.as_str()) || all >= SURELY_OF_BANDS;
    if value.trim_start().starts_with('{') && values.len() == all && of_bands {
        if bands.is_empty() {
            return None;
        }
        return braced(bands.iter().filter_map(|&band| values.get(band).cloned()).collect());
    }
    Some((key.to_owned(), value.to_owned()))
}
