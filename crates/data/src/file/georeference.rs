//! [`Georeference`]: where on the Earth the pixels of an image lie, carried from one image to another.

mod cf;
mod grid;

use self::grid::Grid;
use crate::{
    array::Array,
    atomic::write_atomic,
    error::Result,
    file::{
        envi::{EnviHeader, write_envi_array},
        meaning::Meaning,
        tiff::{self, BandItems, GeoTags},
    },
};
use std::path::{Path, PathBuf};

/// Where on the Earth the pixels of an image lie, as its file says it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Georeference {
    /// The keys of an ENVI header, such as `map info` and `coordinate system string`, with their values.
    Envi(Vec<(String, String)>),
    /// The tags of a GeoTIFF.
    GeoTiff(GeoTags),
}

impl Georeference {
    /// Writes maps `[rows, columns]` or `[rows, columns, maps]` of the same pixels beside `stem`, in the format that the place came from:
    /// `stem.img` with its header, or `stem.tif`. `names` are those of the maps; missing values are NaN, and the file says so.
    ///
    /// # Errors
    /// [`Error::CannotHold`](crate::Error::CannotHold) for other shapes; files that cannot be written.
    pub fn write_maps(&self, stem: &Path, maps: &Array, names: &[String]) -> Result<PathBuf> {
        match self {
            Self::Envi(place) => {
                let path = stem.with_extension("img");
                let header = EnviHeader {
                    band_names: names.to_vec(),
                    ignore_value: Some(f64::NAN),
                    others: place.clone(),
                    ..EnviHeader::new(1, 1, 1)
                };
                write_envi_array(&path, &header, maps)?;
                Ok(path)
            }
            Self::GeoTiff(tags) => {
                let path = stem.with_extension("tif");
                let about = tiff::About {
                    place: tags.clone(),
                    bands: BandItems { names: names.to_vec(), ..BandItems::default() },
                    meaning: Meaning { missing: vec![f64::NAN], ..Meaning::default() },
                };
                write_atomic(&path, |file| tiff::write(file, maps, &about, &path))?;
                Ok(path)
            }
        }
    }

    /// The same for the part of the image that begins at this row and column, counted from 0.
    #[must_use]
    pub fn moved(&self, row: usize, column: usize) -> Self {
        let (row, column) = (row as f64, column as f64);
        match self {
            Self::Envi(keys) => {
                Self::Envi(keys.iter().map(|(key, value)| moved_key(key, value, row, column)).collect())
            }
            Self::GeoTiff(tags) => Self::GeoTiff(moved_tags(tags, row, column)),
        }
    }

    /// Whether the pixels of both lie at the same places, as far as both say.
    pub fn agrees(&self, other: &Self) -> bool {
        match (self.grid(), other.grid()) {
            (Some(one), Some(two)) => one.agrees(&two),
            _ => true,
        }
    }

    /// The keys of an ENVI header that say it, and what they cannot say.
    pub(crate) fn to_envi(&self) -> (Vec<(String, String)>, Vec<&'static str>) {
        match self {
            Self::Envi(keys) => (keys.clone(), Vec::new()),
            Self::GeoTiff(tags) => match Grid::of_tags(tags) {
                Some(grid) => {
                    let (keys, mut lost) = grid.to_envi();
                    if tags.numbers.iter().any(|(tag, _)| *tag == GeoTags::RPC) {
                        lost.push("the model of its camera");
                    }
                    (keys, lost)
                }
                None => match geo_points(tags) {
                    Some(points) => (vec![("geo points".into(), points)], Vec::new()),
                    None => (Vec::new(), vec!["its ground control points"]),
                },
            },
        }
    }

    /// The tags of a GeoTIFF that say it, and what they cannot say.
    pub(crate) fn to_geo_tiff(&self) -> (GeoTags, Vec<&'static str>) {
        match self {
            Self::GeoTiff(tags) => (tags.clone(), Vec::new()),
            Self::Envi(keys) => {
                let has = |wanted: &str| keys.iter().any(|(key, _)| key.eq_ignore_ascii_case(wanted));
                match Grid::of_envi(keys) {
                    Some(grid) => {
                        let (tags, mut lost) = grid.to_tags();
                        if has("rpc info") {
                            lost.push("the model of its camera");
                        }
                        if has("geo points") {
                            lost.push("its ground control points");
                        }
                        (tags, lost)
                    }
                    None => match tie_points(keys) {
                        Some(tags) => (tags, Vec::new()),
                        None if has("map info") => (GeoTags::default(), vec!["its map info, which is not a grid"]),
                        None if has("rpc info") => (GeoTags::default(), vec!["the model of its camera"]),
                        None => (GeoTags::default(), Vec::new()),
                    },
                }
            }
        }
    }

    fn grid(&self) -> Option<Grid> {
        match self {
            Self::Envi(keys) => Grid::of_envi(keys),
            Self::GeoTiff(tags) => Grid::of_tags(tags),
        }
    }
}

/// Numbers of a list in braces, and what stands between.
fn fields(value: &str) -> Vec<String> {
    value.trim().trim_start_matches('{').trim_end_matches('}').split(',').map(|field| field.trim().to_owned()).collect()
}

/// A key of an ENVI header for a part of its image.
fn moved_key(key: &str, value: &str, row: f64, column: f64) -> (String, String) {
    let add = |field: &mut String, by: f64| {
        if let Ok(number) = field.parse::<f64>() {
            *field = (number + by).to_string();
        }
    };
    let mut list = fields(value);
    let braced = |list: Vec<String>| format!("{{{}}}", list.join(", "));
    let value = match key.to_lowercase().as_str() {
        // The pixel that lies at the place that is given.
        "map info" => {
            list.iter_mut().skip(1).take(2).zip([-column, -row]).for_each(|(field, by)| add(field, by));
            braced(list)
        }
        // Column, row, latitude and longitude of each.
        "geo points" => {
            for point in list.chunks_mut(4) {
                point.iter_mut().zip([-column, -row]).for_each(|(field, by)| add(field, by));
            }
            braced(list)
        }
        // The first two numbers are the line and the sample of the middle.
        "rpc info" => {
            list.iter_mut().zip([-row, -column]).for_each(|(field, by)| add(field, by));
            braced(list)
        }
        "x start" | "y start" => {
            let mut field = value.trim().to_owned();
            add(&mut field, if key.eq_ignore_ascii_case("x start") { column } else { row });
            field
        }
        _ => value.to_owned(),
    };
    (key.to_owned(), value)
}

/// The tags of a GeoTIFF for a part of its image.
fn moved_tags(tags: &GeoTags, row: f64, column: f64) -> GeoTags {
    let mut tags = tags.clone();
    for (tag, numbers) in &mut tags.numbers {
        match (*tag, numbers.as_mut_slice()) {
            (GeoTags::TIE_POINTS, points) => points.chunks_exact_mut(6).for_each(|point| {
                point[0] -= column;
                point[1] -= row;
            }),
            (GeoTags::TRANSFORMATION, [a, b, _, x, c, d, _, y, ..]) => {
                *x += *a * column + *b * row;
                *y += *c * column + *d * row;
            }
            // Errors first, then the line and the sample of the middle.
            (GeoTags::RPC, [_, _, line, sample, ..]) => {
                *line -= row;
                *sample -= column;
            }
            _ => {}
        }
    }
    tags
}

/// Ground control points in degrees as ENVI's, which count pixels from 1 and give the latitude first.
fn geo_points(tags: &GeoTags) -> Option<String> {
    let points = tags.numbers.iter().find(|(tag, _)| *tag == GeoTags::TIE_POINTS).map(|(_, points)| points)?;
    let in_degrees = tags.keys.get(4..)?.chunks_exact(4).any(|key| key[0] == 1024 && key[3] == 2);
    let point = |p: &[f64]| format!("{}, {}, {}, {}", p[0] + 1.0, p[1] + 1.0, p[4], p[3]);
    let points: Vec<String> = points.chunks_exact(6).map(point).collect();
    (in_degrees && !points.is_empty()).then(|| format!("{{{}}}", points.join(", ")))
}

/// ENVI's points as ground control points, in degrees of WGS 84.
fn tie_points(keys: &[(String, String)]) -> Option<GeoTags> {
    let value = keys.iter().find(|(key, _)| key.eq_ignore_ascii_case("geo points")).map(|(_, value)| value)?;
    let numbers: Option<Vec<f64>> = fields(value).iter().map(|field| field.parse().ok()).collect();
    let numbers = numbers.filter(|numbers| numbers.len() >= 4 && numbers.len().is_multiple_of(4))?;
    let points = numbers.chunks_exact(4).flat_map(|p| [p[0] - 1.0, p[1] - 1.0, 0.0, p[3], p[2], 0.0]).collect();
    let keys = vec![1, 1, 0, 3, 1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1, 4326];
    Some(GeoTags { numbers: vec![(GeoTags::TIE_POINTS, points)], keys, ..GeoTags::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_lies_where_it_lay() {
        let keys = |info: &str| Georeference::Envi(vec![("map info".into(), info.into())]);
        let whole = keys("{UTM, 1, 1, 500000, 4000000, 30, 30, 33, North, WGS-84, units=Meters}");
        let part = keys("{UTM, -2, -4, 500000, 4000000, 30, 30, 33, North, WGS-84, units=Meters}");
        assert_eq!(whole.moved(5, 3), part);
        let (tags, lost) = whole.to_geo_tiff();
        assert!(lost.is_empty());
        let moved = Georeference::GeoTiff(tags).moved(5, 3);
        assert!(moved.agrees(&part) && !moved.agrees(&whole));
        let turned = keys("{UTM, 1, 1, 500000, 4000000, 30, 20, 33, South, WGS-84, units=Meters, rotation=25}");
        let (tags, _) = turned.to_geo_tiff();
        assert!(Georeference::GeoTiff(tags).moved(5, 3).agrees(&turned.moved(5, 3)));
    }

    #[test]
    fn points_on_the_ground_pass_between_the_formats() {
        let given = "{1, 1, 50.5, 10.25, 20, 1, 50.5, 10.5}";
        let envi = Georeference::Envi(vec![("geo points".into(), given.into())]);
        let (tags, _) = envi.to_geo_tiff();
        let (keys, lost) = Georeference::GeoTiff(tags).to_envi();
        assert_eq!((keys, lost.len()), (vec![("geo points".to_owned(), given.to_owned())], 0));
    }
}
