//! [`Grid`]: a map's grid between the words of two formats: an affine transformation and a coordinate system.
//!
//! ENVI: NV5 Geospatial, "ENVI Header Files" (`map info`); its rotation is that of GDAL's driver. GeoTIFF: OGC 19-008r4.

use super::super::tiff::GeoTags;

/// How far two numbers of a transformation may lie apart, as a share of the size of a pixel.
const SAME: f64 = 1e-6;

/// The grid of a map.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grid {
    /// x = t0 + t1 column + t2 row, y = t3 + t4 column + t5 row; columns and rows from the corner of the first pixel.
    pub(super) transform: [f64; 6],
    pub(super) system: System,
}

/// A coordinate system.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct System {
    /// Its number in the registry of the EPSG.
    pub(super) epsg: Option<u16>,
    /// Its text, in the words of ESRI.
    pub(super) text: Option<String>,
    /// Whether its coordinates are degrees.
    pub(super) degrees: bool,
}

/// A datum whose UTM zones have numbers in a row.
pub(super) struct Datum {
    /// What it is called, in small letters and digits alone.
    names: &'static [&'static str],
    /// Its name in ENVI's headers.
    envi: &'static str,
    /// The number of its geographic system, and those of the zones in the north and the south less the zone.
    pub(super) geographic: u16,
    north: Option<u16>,
    south: Option<u16>,
    last_zone: u16,
    /// System, datum and spheroid with its axis and flattening, in ESRI's words.
    system: &'static str,
    name: &'static str,
    spheroid: &'static str,
}

pub(super) const DATUMS: [Datum; 4] = [
    Datum {
        names: &["wgs84", "wgs1984", "dwgs1984"],
        envi: "WGS-84",
        geographic: 4326,
        north: Some(32600),
        south: Some(32700),
        last_zone: 60,
        system: "GCS_WGS_1984",
        name: "D_WGS_1984",
        spheroid: "WGS_1984\",6378137.0,298.257223563",
    },
    Datum {
        names: &["northamerica1983", "nad83", "dnorthamerican1983", "northamericandatum1983"],
        envi: "North America 1983",
        geographic: 4269,
        north: Some(26900),
        south: None,
        last_zone: 23,
        system: "GCS_North_American_1983",
        name: "D_North_American_1983",
        spheroid: "GRS_1980\",6378137.0,298.257222101",
    },
    Datum {
        names: &["northamerica1927", "nad27", "dnorthamerican1927", "northamericandatum1927"],
        envi: "North America 1927",
        geographic: 4267,
        north: Some(26700),
        south: None,
        last_zone: 22,
        system: "GCS_North_American_1927",
        name: "D_North_American_1927",
        spheroid: "Clarke_1866\",6378206.4,294.9786982",
    },
    Datum {
        names: &["etrs89", "etrs1989", "detrs1989", "europeanterrestrialreferencesystem1989"],
        envi: "ETRS-89",
        geographic: 4258,
        north: Some(25800),
        south: None,
        last_zone: 37,
        system: "GCS_ETRS_1989",
        name: "D_ETRS_1989",
        spheroid: "GRS_1980\",6378137.0,298.257222101",
    },
];

impl Datum {
    /// Whether a name is this datum's.
    pub(super) fn is_called(&self, name: &str) -> bool {
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
        self.names.contains(&plain.as_str())
    }

    fn text(&self) -> String {
        format!(
            "GEOGCS[\"{}\",DATUM[\"{}\",SPHEROID[\"{}]],PRIMEM[\"Greenwich\",0.0],UNIT[\"Degree\",0.0174532925199433]]",
            self.system, self.name, self.spheroid
        )
    }

    /// The zone and whether it is in the north, of a number.
    fn zone(&self, epsg: u16) -> Option<(u16, bool)> {
        [(self.north, true), (self.south, false)].into_iter().find_map(|(base, north)| {
            let zone = epsg.checked_sub(base?)?;
            (1..=self.last_zone).contains(&zone).then_some((zone, north))
        })
    }

    pub(super) fn epsg(&self, zone: u16, north: bool) -> Option<u16> {
        let base = if north { self.north } else { self.south };
        base.filter(|_| (1..=self.last_zone).contains(&zone)).map(|base| base + zone)
    }

    fn utm_text(&self, zone: u16, north: bool) -> String {
        let short = self.system.trim_start_matches("GCS_");
        let (side, false_northing) = if north { ("N", "0.0") } else { ("S", "10000000.0") };
        let meridian = 6 * i32::from(zone) - 183;
        format!(
            "PROJCS[\"{short}_UTM_Zone_{zone}{side}\",{},PROJECTION[\"Transverse_Mercator\"],PARAMETER[\"False_Easting\",500000.0],\
             PARAMETER[\"False_Northing\",{false_northing}],PARAMETER[\"Central_Meridian\",{meridian}.0],PARAMETER[\"Scale_Factor\",0.9996],\
             PARAMETER[\"Latitude_Of_Origin\",0.0],UNIT[\"Meter\",1.0]]",
            self.text()
        )
    }
}

/// What is said of a part of a grid that the other format has no words for.
pub(super) type Lost = Vec<&'static str>;

impl Grid {
    /// Of the keys of an ENVI header.
    pub(super) fn of_envi(place: &[(String, String)]) -> Option<Self> {
        let value = |wanted: &str| {
            let found = place.iter().find(|(key, _)| key.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.trim().trim_start_matches('{').trim_end_matches('}').trim())
        };
        let fields: Vec<&str> = value("map info")?.split(',').map(str::trim).collect();
        let number = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok());
        let [column, row, x, y, width, height] = [1, 2, 3, 4, 5, 6].map(number);
        let [column, row, x, y, width, height] = [column?, row?, x?, y?, width?, height?];
        let option = |name: &str| {
            let named = fields.iter().find_map(|field| {
                let (key, value) = field.split_once('=')?;
                key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
            });
            named.map(str::to_owned)
        };
        let angle = option("rotation").and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        let (sin, cos) = (-angle.to_radians()).sin_cos();
        let (sin, cos) = if angle == 0.0 { (0.0, 1.0) } else { (sin, cos) };
        let [a, b, c, d] = [cos * width, -sin * width, -sin * height, -cos * height].map(|v| v + 0.0);
        let (column, row) = (column - 1.0, row - 1.0);
        let transform = [x - column * a - row * b, a, b, y - column * c - row * d, c, d];
        let text = value("coordinate system string").filter(|text| !text.is_empty()).map(str::to_owned);
        let projection = fields[0].to_lowercase();
        let datum = DATUMS.iter().find(|datum| fields.iter().skip(7).any(|field| datum.is_called(field)));
        let south = fields.iter().any(|field| field.eq_ignore_ascii_case("south"));
        let epsg = match text.as_deref().and_then(epsg_of_text) {
            Some(epsg) => Some(epsg),
            None if projection == "utm" => datum.and_then(|datum| datum.epsg(number(7)? as u16, !south)),
            None if projection.starts_with("geographic") => datum.map(|datum| datum.geographic),
            None => None,
        };
        let degrees = projection.starts_with("geographic") || text.as_deref().is_some_and(|t| t.starts_with("GEOGCS"));
        Some(Self { transform, system: System { epsg, text, degrees } })
    }

    /// The keys of an ENVI header, and what they cannot say.
    pub(super) fn to_envi(&self) -> (Vec<(String, String)>, Lost) {
        let [x, a, b, y, c, d] = self.transform;
        let mut lost = Lost::new();
        let (width, height) = (a.hypot(b), c.hypot(d));
        let angle = (-b).atan2(a);
        let (sin, cos) = angle.sin_cos();
        let near = |one: f64, other: f64| (one - other).abs() <= SAME * width.max(height);
        if width == 0.0 || height == 0.0 || !near(c, -sin * height) || !near(d, -cos * height) {
            return (Vec::new(), vec!["the place of its pixels, whose grid is sheared or turned over"]);
        }
        let System { epsg, text, degrees } = &self.system;
        let known = DATUMS.iter().find_map(|datum| {
            let number = (*epsg)?;
            if number == datum.geographic {
                // GDAL knows WGS 84 by its name alone, and less surely by a text.
                let text = (number != DATUMS[0].geographic).then(|| datum.text());
                return Some((format!("Geographic Lat/Lon|{}|units=Degrees", datum.envi), text));
            }
            let (zone, north) = datum.zone(number)?;
            let side = if north { "North" } else { "South" };
            Some((format!("UTM|{zone}, {side}, {}|units=Meters", datum.envi), Some(datum.utm_text(zone, north))))
        });
        let (words, own) = known.unzip();
        let text = text.clone().or(own.flatten());
        if text.is_none() && words.is_none() && (epsg.is_some() || *degrees) {
            lost.push("its coordinate system, of which the file has no text");
        }
        let words = words.unwrap_or_else(|| match degrees {
            true => "Geographic Lat/Lon||units=Degrees".to_owned(),
            false => "Arbitrary||units=Meters".to_owned(),
        });
        let mut parts = words.split('|');
        let (name, datum, units) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let mut info = format!("{{{name}, 1, 1, {x}, {y}, {width}, {height}");
        for part in [datum, units].iter().filter(|part| !part.is_empty()) {
            info.push_str(&format!(", {part}"));
        }
        if angle != 0.0 {
            info.push_str(&format!(", rotation={}", -angle.to_degrees()));
        }
        let mut keys = vec![("map info".to_owned(), info + "}")];
        if let Some(text) = text {
            keys.push(("coordinate system string".to_owned(), format!("{{{text}}}")));
        }
        (keys, lost)
    }

    /// Of the tags of a GeoTIFF.
    pub(super) fn of_tags(tags: &GeoTags) -> Option<Self> {
        let numbers = |wanted: u16| tags.numbers.iter().find(|(tag, _)| *tag == wanted).map(|(_, n)| n.as_slice());
        let scale = numbers(GeoTags::SCALE);
        let mut transform = match (numbers(GeoTags::TRANSFORMATION), scale, numbers(GeoTags::TIE_POINTS)) {
            (Some(&[a, b, _, x, c, d, _, y, ..]), ..) => [x, a, b, y, c, d],
            (_, Some(&[width, height, ..]), Some(&[column, row, _, x, y, ..])) => {
                [x - column * width, width, 0.0, y + row * height, 0.0, -height]
            }
            _ => return None,
        };
        let key = |wanted: u16| {
            let entries = tags.keys.get(4..).unwrap_or_default();
            entries.chunks_exact(4).find(|entry| entry[0] == wanted && entry[1] == 0).map(|entry| entry[3])
        };
        if key(KEY_RASTER) == Some(RASTER_POINT) {
            // The place is that of the middle of a pixel.
            let [x, a, b, y, c, d] = transform;
            transform = [x - 0.5 * (a + b), a, b, y - 0.5 * (c + d), c, d];
        }
        let registered = |number: Option<u16>| number.filter(|&number| number > 0 && number < USER_DEFINED);
        let degrees = key(KEY_MODEL) == Some(MODEL_GEOGRAPHIC);
        let epsg = if degrees { registered(key(KEY_GEOGRAPHIC)) } else { registered(key(KEY_PROJECTED)) };
        let text = tags.text.as_deref().and_then(|text| {
            text.split('|').find_map(|part| part.strip_prefix(ESRI_TEXT)).map(|text| text.trim().to_owned())
        });
        Some(Self { transform, system: System { epsg, text, degrees } })
    }

    /// The tags of a GeoTIFF, and what they cannot say.
    pub(super) fn to_tags(&self) -> (GeoTags, Lost) {
        let [x, a, b, y, c, d] = self.transform;
        let numbers = if b == 0.0 && c == 0.0 && a > 0.0 && d < 0.0 {
            vec![(GeoTags::SCALE, vec![a, -d, 0.0]), (GeoTags::TIE_POINTS, vec![0.0, 0.0, 0.0, x, y, 0.0])]
        } else {
            let rows = [[a, b, 0.0, x], [c, d, 0.0, y], [0.0; 4], [0.0, 0.0, 0.0, 1.0]];
            vec![(GeoTags::TRANSFORMATION, rows.concat())]
        };
        let System { epsg, text, degrees } = &self.system;
        let mut tags = GeoTags { numbers, ..GeoTags::default() };
        let mut entries = vec![[KEY_RASTER, 0, 1, RASTER_AREA]];
        let mut lost = Lost::new();
        let model = if *degrees { MODEL_GEOGRAPHIC } else { MODEL_PROJECTED };
        let own = if *degrees { KEY_GEOGRAPHIC } else { KEY_PROJECTED };
        match (epsg, text) {
            (Some(number), _) => {
                let is_geographic = DATUMS.iter().any(|datum| datum.geographic == *number) || *degrees;
                let (model, own) = if is_geographic { (MODEL_GEOGRAPHIC, KEY_GEOGRAPHIC) } else { (model, own) };
                entries.extend([[KEY_MODEL, 0, 1, model], [own, 0, 1, *number]]);
            }
            (None, Some(text)) if !degrees => {
                let citation = format!("{ESRI_TEXT}{text}|");
                let length = u16::try_from(citation.len()).unwrap_or(0);
                entries.extend([[KEY_MODEL, 0, 1, model], [own, 0, 1, USER_DEFINED]]);
                entries.push([KEY_CITATION, GeoTags::TEXT, length, 0]);
                tags.text = Some(citation);
            }
            (None, Some(_)) => lost.push("its coordinate system, whose number is not known"),
            // Without a name of a system the numbers are those of a plain grid.
            (None, None) => {}
        }
        entries.sort_unstable();
        tags.keys = vec![1, 1, 0, entries.len() as u16];
        tags.keys.extend(entries.concat());
        (tags, lost)
    }

    /// Whether two grids have their pixels at the same places.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        let size = self.transform[1].hypot(self.transform[2]).max(self.transform[4].hypot(self.transform[5]));
        let same = self.transform.iter().zip(&other.transform).all(|(a, b)| (a - b).abs() <= 1e-3 * size);
        let systems = self.system.epsg.zip(other.system.epsg).is_none_or(|(one, two)| one == two);
        same && systems
    }
}

const KEY_MODEL: u16 = 1024;
const KEY_RASTER: u16 = 1025;
const KEY_GEOGRAPHIC: u16 = 2048;
const KEY_PROJECTED: u16 = 3072;
const KEY_CITATION: u16 = 3073;
const MODEL_PROJECTED: u16 = 1;
const MODEL_GEOGRAPHIC: u16 = 2;
const RASTER_AREA: u16 = 1;
const RASTER_POINT: u16 = 2;
const USER_DEFINED: u16 = 32767;
/// What the citation of a projected system begins with where it is the text of the system, as ESRI's software and GDAL have it.
const ESRI_TEXT: &str = "ESRI PE String = ";

/// The number of a coordinate system by its text: its own one of the registry, else a zone of UTM by its name, else a datum.
pub(super) fn epsg_of_text(text: &str) -> Option<u16> {
    // A number deeper within is that of a part.
    let depth = |at: usize| {
        let unquoted = text[..at].split('"').step_by(2);
        let count = |bracket: char| unquoted.clone().map(|part| part.matches(bracket).count()).sum::<usize>();
        count('[').saturating_sub(count(']'))
    };
    for mark in ["AUTHORITY[\"EPSG\",", "ID[\"EPSG\","] {
        if let Some(at) = text.rfind(mark).filter(|&at| depth(at) == 1) {
            let digits = text[at + mark.len()..].chars().filter(|c| *c != '"').take_while(char::is_ascii_digit);
            return digits.collect::<String>().parse().ok();
        }
    }
    let quoted = |after: &str| text.split_once(after).and_then(|(_, rest)| rest.split_once('"')).map(|(name, _)| name);
    let datum = quoted("DATUM[\"").and_then(|name| DATUMS.iter().find(|datum| datum.is_called(name)))?;
    let Some(name) = quoted("PROJCS[\"") else { return Some(datum.geographic) };
    let (_, zone) =
        name.to_uppercase().replace([' ', '_'], "").split_once("UTMZONE").map(|(a, b)| (a.to_owned(), b.to_owned()))?;
    let number: String = zone.chars().take_while(char::is_ascii_digit).collect();
    datum.epsg(number.parse().ok()?, zone.trim_start_matches(|c: char| c.is_ascii_digit() || c == ',').starts_with('N'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(transform: [f64; 6], epsg: u16, degrees: bool) -> Grid {
        Grid { transform, system: System { epsg: Some(epsg), text: None, degrees } }
    }

    #[test]
    fn grids_go_through_both_formats() {
        let straight = [5e5, 30.0, 0.0, 4e6, 0.0, -30.0];
        let turned = [5e5, 24.0, -18.0, 4e6, -12.0, -16.0];
        for (transform, epsg, degrees) in [
            (straight, 32633, false),
            (straight, 32733, false),
            (straight, 26911, false),
            (straight, 25832, false),
            (turned, 32601, false),
            ([10.0, 0.01, 0.0, 50.0, 0.0, -0.02], 4326, true),
        ] {
            let given = grid(transform, epsg, degrees);
            let (keys, lost) = given.to_envi();
            let through = Grid::of_envi(&keys).unwrap();
            assert!(lost.is_empty() && through.agrees(&given), "{keys:?}");
            assert_eq!((through.system.epsg, through.system.degrees), (Some(epsg), degrees), "{keys:?}");
            let (tags, lost) = through.to_tags();
            let back = Grid::of_tags(&tags).unwrap();
            assert!(lost.is_empty() && back.agrees(&given), "{tags:?}");
            assert_eq!((back.system.epsg, back.system.degrees), (Some(epsg), degrees), "{tags:?}");
        }
    }

    #[test]
    fn what_envi_has_no_words_for_is_said() {
        let (keys, lost) = grid([0.0, 1.0, 0.0, 0.0, 0.0, -1.0], 3035, false).to_envi();
        assert_eq!((keys.len(), lost.len()), (1, 1));
        let (keys, lost) = grid([0.0, 1.0, 0.5, 0.0, 0.0, -1.0], 32633, false).to_envi();
        assert!(keys.is_empty() && lost[0].contains("sheared"));
    }

    #[test]
    fn systems_are_known_by_their_text() {
        let text = DATUMS[0].utm_text(33, true);
        assert_eq!(epsg_of_text(&text), Some(32633));
        assert_eq!(epsg_of_text(&DATUMS[3].text()), Some(4258));
        let registered =
            "PROJCS[\"x\",GEOGCS[\"y\",DATUM[\"z\"],AUTHORITY[\"EPSG\",\"4258\"]],AUTHORITY[\"EPSG\",\"3035\"]]";
        assert_eq!(epsg_of_text(registered), Some(3035));
        assert_eq!(epsg_of_text("PROJCS[\"x\",GEOGCS[\"y\",DATUM[\"z\"],AUTHORITY[\"EPSG\",\"4258\"]]]"), None);
    }
}
