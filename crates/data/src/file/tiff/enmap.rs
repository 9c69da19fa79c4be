//! The metadata of EnMAP that lie beside its images: centres and widths of the bands, gains and offsets.
//!
//! DLR, "EnMAP Product Specification": beside `...-SPECTRAL_IMAGE.TIF` (`_VNIR` and `_SWIR` of level 1B) lies `...-METADATA.XML`, in which each
//! `bandID` of `specific/bandCharacterisation` has `wavelengthCenterOfBand` and `FWHMOfBand` in nanometres, `GainOfBand` and `OffsetOfBand`; a
//! measured value is the stored one times the gain, plus the offset.

use super::Listed;
use crate::spectral_unit::Said;
use std::{fs, path::Path};

const IMAGE: &str = "SPECTRAL_IMAGE";
const METADATA: &str = "METADATA.XML";
/// The longest text that is read: those of the archive have some 300 kB.
const MOST_BYTES: u64 = 16 << 20;

/// What is said of a band.
struct Band {
    centre: f64,
    width: f64,
    gain: f64,
    offset: f64,
}

/// Adds what lies beside the image at `path` to what the image says of its `bands` bands itself.
pub(super) fn describe(listed: &mut Listed, bands: usize, path: &Path) {
    let Some((text, part)) = beside(path) else { return };
    let all = parse(&text);
    let own = match part.as_str() {
        // Each of the instruments has its part of the list.
        "VNIR" => all.get(..bands),
        "SWIR" => all.len().checked_sub(bands).and_then(|first| all.get(first..)),
        _ => Some(all.as_slice()).filter(|all| all.len() == bands),
    };
    let Some(own) = own else { return };
    let list = |of: &dyn Fn(&Band) -> f64| own.iter().map(of).collect::<Vec<f64>>();
    if listed.bands.wavelengths_nm.is_empty()
        && let Some(found) = Said::of("nm").bands(&list(&|band| band.centre), &list(&|band| band.width))
    {
        (listed.bands.wavelengths_nm, listed.bands.widths_nm) = found;
    }
    if listed.meaning.is_unscaled() && own.iter().all(|band| band.gain.is_finite() && band.gain != 0.0) {
        listed.meaning.gains = list(&|band| band.gain);
        listed.meaning.offsets = list(&|band| band.offset);
    }
}

/// The metadata beside an image, and which part of its bands the image has.
fn beside(path: &Path) -> Option<(String, String)> {
    let name = path.file_name()?.to_str()?;
    let (product, rest) = name.split_once(IMAGE)?;
    let part = rest.split('.').next()?.trim_matches('_').to_uppercase();
    let metadata = path.with_file_name(format!("{product}{METADATA}"));
    let is_short = fs::metadata(&metadata).is_ok_and(|about| about.is_file() && about.len() <= MOST_BYTES);
    // What cannot be read there says nothing.
    let text = is_short.then(|| fs::read(&metadata).ok()).flatten()?;
    Some((String::from_utf8_lossy(&text).into_owned(), part))
}

/// The bands by their numbers.
fn parse(text: &str) -> Vec<Band> {
    let mut bands: Vec<(usize, Band)> = Vec::new();
    for block in text.split("<bandID").skip(1) {
        let block = block.split("</bandID").next().unwrap_or_default();
        let value = |tag: &str| -> Option<f64> {
            let (_, rest) = block.split_once(&format!("<{tag}>"))?;
            rest.split('<').next()?.trim().parse().ok()
        };
        let number = || block.split_once("number=\"")?.1.split('"').next()?.trim().parse().ok();
        // Elsewhere bands are named alone.
        let Some(centre) = value("wavelengthCenterOfBand") else { continue };
        let band = Band {
            centre,
            width: value("FWHMOfBand").unwrap_or(f64::NAN),
            gain: value("GainOfBand").unwrap_or(f64::NAN),
            offset: value("OffsetOfBand").filter(|offset| offset.is_finite()).unwrap_or(0.0),
        };
        bands.push((number().unwrap_or(bands.len() + 1), band));
    }
    bands.sort_by_key(|(number, _)| *number);
    bands.into_iter().map(|(_, band)| band).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(count: usize) -> String {
        let band = |n: usize| {
            format!(
                "<bandID number=\"{n}\">\n <wavelengthCenterOfBand>{}</wavelengthCenterOfBand>\n <FWHMOfBand>{}</FWHMOfBand>\n \
                 <GainOfBand>1.0e-04</GainOfBand>\n <OffsetOfBand>{}</OffsetOfBand>\n</bandID>\n",
                400 + 10 * n,
                6.5,
                n
            )
        };
        let bands: String = (1..=count).rev().map(band).collect();
        format!(
            "<?xml version=\"1.0\"?>\n<level_X><specific><bandCharacterisation>{bands}</bandCharacterisation></specific><bandID number=\"1\"/></level_X>"
        )
    }

    #[test]
    fn bands_of_both_instruments_are_found_by_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let product = "ENMAP01-____L1B-DT0000000001_20260101T000000Z_001_V010000_20260102T000000Z";
        fs::write(folder.path().join(format!("{product}-METADATA.XML")), metadata(5)).unwrap();
        let read = |ending: &str, bands: usize| {
            let mut listed = Listed::default();
            describe(&mut listed, bands, &folder.path().join(format!("{product}-{ending}")));
            listed
        };
        let all = read("SPECTRAL_IMAGE.TIF", 5);
        assert_eq!(all.bands.wavelengths_nm, [410.0, 420.0, 430.0, 440.0, 450.0]);
        assert_eq!((all.bands.widths_nm, all.meaning.gains), (vec![6.5; 5], vec![1e-4; 5]));
        assert_eq!(read("SPECTRAL_IMAGE_VNIR.TIF", 2).bands.wavelengths_nm, [410.0, 420.0]);
        let swir = read("SPECTRAL_IMAGE_SWIR.TIF", 3);
        assert_eq!((swir.bands.wavelengths_nm, swir.meaning.offsets), (vec![430.0, 440.0, 450.0], vec![3.0, 4.0, 5.0]));
        for (ending, bands) in [("SPECTRAL_IMAGE.TIF", 4), ("QL_QUALITY_CLOUD.TIF", 1), ("SPECTRAL_IMAGE_SWIR.TIF", 6)]
        {
            let none = read(ending, bands);
            assert!(none.bands.wavelengths_nm.is_empty() && none.meaning.is_unscaled(), "{ending}");
        }
        // What an image says itself is not overwritten.
        let mut own = Listed::default();
        (own.bands.wavelengths_nm, own.meaning.gains) = (vec![1.0; 5], vec![2.0]);
        describe(&mut own, 5, &folder.path().join(format!("{product}-SPECTRAL_IMAGE.TIF")));
        assert_eq!((own.bands.wavelengths_nm, own.meaning.gains), (vec![1.0; 5], vec![2.0]));
        fs::write(
            folder.path().join(format!("{product}-METADATA.XML")),
            "<bandID number=\"1\"><wavelengthCenterOfBand>",
        )
        .unwrap();
        assert!(read("SPECTRAL_IMAGE.TIF", 1).bands.wavelengths_nm.is_empty());
    }
}
