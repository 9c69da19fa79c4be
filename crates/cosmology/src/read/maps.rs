//! HEALPix maps, cut to a flat patch: FITS tables with a column per frequency, one file per frequency, or arrays `[frequency, pixel]`.
//!
//! HEALPix's FITS conventions: `PIXTYPE`, `NSIDE`, `ORDERING` (`RING` or `NESTED`), `COORDSYS` (`G`, `C` or `E`), and for a part of the sphere
//! `INDXSCHM = 'EXPLICIT'` with the numbers of the pixels in the column `PIXEL`. Pixels that were not seen hold -1.6375e30, and have
//! weight 0 in the patch, like those that are not there; so has what is interpolated from one of them.

use std::collections::HashMap;

use cupel_data::{Axes, Axis, AxisKind, CelestialFrame, Class, Cube, Dataset, FitsHeader, Format, open};
use cupel_settings::Problem;

use super::{Patch, Raw, ReadConfig, fault, frequencies, in_file};
use crate::{Error, Healpix, Ordering, Result, sky::frequency_axis};

/// What stands for pixels that were not seen; less than half of it is one, for files that rounded.
const UNSEEN: f32 = -1.637_5e30;
/// A share of a pixel below this is rounding.
const SHARE: f64 = 1e-9;

/// Maps of one resolution.
struct Maps {
    map: Healpix,
    ordering: Ordering,
    frame: Option<CelestialFrame>,
    /// Where the pixel of each number is, for a part of the sphere.
    index: Option<HashMap<u64, usize>>,
    columns: Vec<Vec<f32>>,
    unit: Option<String>,
}

pub(super) fn recognises(file: &Dataset, config: &ReadConfig) -> bool {
    if file.format() == Format::Fits {
        return !columns(file).is_empty();
    }
    config.healpix.is_some() || !config.patch_centre.is_empty()
}

/// A patch of the maps in these files: those of one, or one of each.
pub(super) fn read(files: &[Dataset], config: &ReadConfig) -> Result<Raw<f32>> {
    let Some(first) = files.first() else {
        return Err(Error::Missing { setting: "FILE", why: "there is no map to read" });
    };
    let patch = patch(config)?;
    let mut maps = maps(first, files.len() == 1, config)?;
    for file in &files[1..] {
        let other = maps_of_one(file, config)?;
        if (other.map, other.ordering, &other.index, &other.unit, other.frame)
            != (maps.map, maps.ordering, &maps.index, &maps.unit, maps.frame)
        {
            let problem =
                format!("its resolution, numbering, coordinates or unit are not those of {}", first.path().display());
            return Err(fault(file.path(), problem, "write all maps alike"));
        }
        maps.columns.extend(other.columns);
    }
    let channels = maps.columns.len();
    let sources = patch.sources(&maps.map, maps.ordering);
    let mut values = Vec::with_capacity(channels * sources.len());
    let mut weights = Vec::with_capacity(values.capacity());
    for column in 0..channels {
        for own in &sources {
            let (value, seen) = maps.sample(column, own);
            values.push(value);
            weights.push(if seen { 1.0 } else { 0.0 });
        }
    }
    let kinds = match maps.frame {
        Some(CelestialFrame::Equatorial) => [AxisKind::Declination, AxisKind::RightAscension],
        _ => [AxisKind::Row, AxisKind::Column],
    };
    let mut channel_axis = Axis::new(AxisKind::Frequency, channels);
    if config.frequencies.is_none()
        && first.format() != Format::Fits
        && let Some(frequencies_mhz) = frequencies::beside(first, channels)?
    {
        channel_axis = in_file(first.path(), frequency_axis(frequencies_mhz))?;
    }
    let axes = Axes::new(vec![channel_axis, Axis::new(kinds[0], patch.pixels), Axis::new(kinds[1], patch.pixels)])?;
    let mut product = if weights.contains(&0.0) { Some(Cube::new(weights, axes.clone())?) } else { None };
    for (path, flags) in [(&config.weights, false), (&config.flags, true)] {
        if let Some(path) = path {
            let own = in_file(path, weights_of(path, flags, &maps, &sources, config))?;
            let own = Cube::new(own, axes.clone())?;
            product = super::weights::multiplied(product, own)?;
        }
    }
    let mut raw = Raw::new(first.path(), Cube::new(values, axes)?);
    raw.weights = product;
    raw.written_unit = maps.unit;
    raw.celestial = maps.frame.map(|frame| patch.celestial(frame));
    raw.side_deg = Some([patch.side_deg; 2]);
    Ok(raw)
}

fn patch(config: &ReadConfig) -> Result<Patch> {
    let [longitude, latitude] = match config.patch_centre[..] {
        [longitude, latitude] if latitude.abs() <= 90.0 => [longitude, latitude],
        [] => {
            let why = "a map of the sphere is cut to the flat patch around it (--patch-side, --patch-pixels)";
            return Err(Error::Missing { setting: "patch-centre", why });
        }
        _ => {
            let (got, expected) = (format!("{:?}", config.patch_centre), "longitude and latitude in degrees");
            return Err(Problem::value("patch-centre", got, expected).into());
        }
    };
    Ok(Patch {
        centre_deg: [longitude, latitude],
        side_deg: config.patch_side,
        pixels: config.patch_pixels,
        interpolation: config.patch_interpolation,
    })
}

impl Maps {
    /// The value of a pixel of the patch, and whether all that it is made of was seen.
    fn sample(&self, column: usize, sources: &[(u64, f64)]) -> (f32, bool) {
        let mut sum = 0.0;
        for &(pixel, share) in sources.iter().filter(|(_, share)| *share > SHARE) {
            let place = match &self.index {
                Some(index) => index.get(&pixel).copied(),
                None => usize::try_from(pixel).ok(),
            };
            match place.and_then(|place| self.columns[column].get(place)) {
                Some(&value) if value.is_nan() || value >= UNSEEN / 2.0 => sum += share * f64::from(value),
                _ => return (0.0, false),
            }
        }
        (sum as f32, true)
    }
}

/// The weights of a file of maps, in the patch: 0 where a pixel that a value is made of has weight 0.
fn weights_of(
    path: &std::path::Path,
    flags: bool,
    values: &Maps,
    sources: &[Vec<(u64, f64)>],
    config: &ReadConfig,
) -> Result<Vec<f32>> {
    let own = maps(&open(path)?, true, &ReadConfig { variable: None, ..config.clone() })?;
    let channels = values.columns.len();
    let shape = |maps: &Maps| vec![maps.columns.len(), maps.columns.first().map_or(0, Vec::len)];
    if own.map != values.map || own.columns.len() != channels && own.columns.len() != 1 {
        let what = if flags { "flags" } else { "weights" };
        return Err(Error::WeightShape { what, expected: shape(values), got: shape(&own) });
    }
    let renumbered = |pixel: u64| match (values.ordering, own.ordering) {
        (Ordering::Ring, Ordering::Nested) => own.map.nested_of_ring(pixel),
        (Ordering::Nested, Ordering::Ring) => own.map.ring_of_nested(pixel),
        _ => pixel,
    };
    let mut all = Vec::with_capacity(channels * sources.len());
    for channel in 0..channels {
        let column = if own.columns.len() == 1 { 0 } else { channel };
        for parts in sources {
            let mut weight = Some(0.0);
            for &(pixel, share) in parts.iter().filter(|(_, share)| *share > SHARE) {
                let (value, seen) = own.sample(column, &[(renumbered(pixel), 1.0)]);
                let counts = seen && (value != 0.0) != flags;
                let value = if flags { 1.0 } else { value };
                weight = weight.filter(|_| counts).map(|sum| sum + share * f64::from(value));
            }
            all.push(weight.unwrap_or(0.0) as f32);
        }
    }
    Ok(all)
}

/// The columns of a FITS table that is a HEALPix map.
fn columns(file: &Dataset) -> Vec<(&str, &FitsHeader)> {
    let is_map = |header: &FitsHeader| {
        let named = header.text("PIXTYPE").is_some_and(|kind| kind.trim().eq_ignore_ascii_case("HEALPIX"));
        header.column().is_some()
            && (named || header.text("ORDERING").is_some() && matches!(header.integer("NSIDE"), Ok(Some(_))))
    };
    let header = |variable: &cupel_data::Variable| file.fits_header(Some(variable.name())).ok().flatten();
    let numbers = file.variables().iter().filter(|variable| matches!(variable.class(), Class::Number(_)));
    numbers.filter_map(|variable| Some((variable.name(), header(variable).filter(|header| is_map(header))?))).collect()
}

/// The name of a column without that of its table.
fn short(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, column)| column)
}

fn maps_of_one(file: &Dataset, config: &ReadConfig) -> Result<Maps> {
    maps(file, false, config)
}

/// The maps of a file, which may be several or has to be one.
fn maps(file: &Dataset, several: bool, config: &ReadConfig) -> Result<Maps> {
    let maps = if file.format() == Format::Fits { table(file, config)? } else { arrays(file, config)? };
    if !several && maps.columns.len() != 1 {
        let problem = format!("it holds {} maps, and one file per frequency has one", maps.columns.len());
        return Err(fault(file.path(), problem, "name its column with --variable"));
    }
    Ok(maps)
}

fn table(file: &Dataset, config: &ReadConfig) -> Result<Maps> {
    let all = columns(file);
    let is_index = |name: &str| matches!(short(name).to_uppercase().as_str(), "PIXEL" | "PIX" | "INDEX");
    let explicit = all.first().is_some_and(|(_, header)| {
        header.text("INDXSCHM").is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("EXPLICIT"))
    });
    let own: Vec<_> = all
        .iter()
        .filter(|(name, _)| !(explicit && is_index(name)))
        .filter(|(name, _)| config.variable.as_deref().is_none_or(|wanted| wanted == *name || wanted == short(name)))
        .collect();
    let Some((_, header)) = own.first() else {
        let names: Vec<&str> = all.iter().map(|(name, _)| short(name)).collect();
        let problem = format!("there is no such map in it, the columns are {}", names.join(", "));
        return Err(fault(file.path(), problem, "name one of them with --variable"));
    };
    let bad = |problem: String| fault(file.path(), problem, "mend the header");
    let ordering = match header.text("ORDERING").map(|text| text.parse::<Ordering>()) {
        Some(Ok(ordering)) => ordering,
        Some(Err(expected)) => {
            return Err(bad(format!("ORDERING is {:?}, expected {expected}", header.text("ORDERING"))));
        }
        None => ordering(file, config)?,
    };
    let frame = match header.text("COORDSYS").map(|text| text.trim().to_uppercase()) {
        None => None,
        Some(letter) if letter.is_empty() => None,
        Some(letter) if letter.starts_with('G') => Some(CelestialFrame::Galactic),
        Some(letter) if letter.starts_with('C') || letter.starts_with('Q') => Some(CelestialFrame::Equatorial),
        Some(letter) if letter.starts_with('E') => Some(CelestialFrame::Ecliptic),
        Some(other) => return Err(bad(format!("COORDSYS is {other:?}, expected G, C or E"))),
    };
    let mut values = Vec::with_capacity(own.len());
    for (name, _) in &own {
        values.push(file.cube::<f32>(Some(name))?.into_values());
    }
    let unit = header.unit().map(str::to_owned);
    if let Some((name, other)) = own.iter().find(|(_, other)| other.unit() != header.unit()) {
        return Err(bad(format!("the column {} is in {:?}, others are in {unit:?}", short(name), other.unit())));
    }
    let pixels = values.first().map_or(0, Vec::len);
    let nside = header.integer("NSIDE")?.and_then(|nside| u64::try_from(nside).ok());
    let (map, index) = if explicit {
        let Some((name, _)) = all.iter().find(|(name, _)| is_index(name)) else {
            return Err(bad("INDXSCHM is EXPLICIT, and there is no column PIXEL".into()));
        };
        let Some(nside) = nside else { return Err(bad("there is no NSIDE".into())) };
        let map = in_file(file.path(), Healpix::new(nside))?;
        let numbers = file.cube::<u64>(Some(name))?.into_values();
        if let Some(wrong) = numbers.iter().find(|&&number| number >= map.pixels()) {
            return Err(bad(format!("there is a pixel {wrong}, a map of NSIDE {nside} has {}", map.pixels())));
        }
        let index: HashMap<u64, usize> = numbers.iter().enumerate().map(|(place, &number)| (number, place)).collect();
        if numbers.len() != pixels || index.len() != pixels {
            return Err(bad(format!("{} different numbers of pixels for {pixels} pixels", index.len())));
        }
        (map, Some(index))
    } else {
        (in_file(file.path(), Healpix::of_pixels(pixels as u64))?, None)
    };
    if let Some(nside) = nside
        && nside != map.nside()
    {
        return Err(bad(format!("NSIDE is {nside}, and {pixels} pixels are a map of NSIDE {}", map.nside())));
    }
    Ok(Maps { map, ordering, frame, index, columns: values, unit })
}

fn ordering(file: &Dataset, config: &ReadConfig) -> Result<Ordering> {
    match config.healpix.as_deref().map(str::parse::<Ordering>) {
        Some(Ok(ordering)) => Ok(ordering),
        Some(Err(expected)) => {
            Err(Problem::value("healpix", config.healpix.as_deref().unwrap_or_default(), expected).into())
        }
        None => Err(fault(
            file.path(),
            "it does not say how its pixels are numbered",
            "give it with --healpix ring or --healpix nested",
        )),
    }
}

fn arrays(file: &Dataset, config: &ReadConfig) -> Result<Maps> {
    let ordering = ordering(file, config)?;
    let cube = file.cube::<f32>(config.variable.as_deref())?;
    let shape = cube.shape();
    let pixels = match shape[..] {
        [pixels] | [_, pixels] if !cube.is_empty() => pixels,
        _ => {
            let problem = format!("it has shape {shape:?}, expected [frequency, pixel]");
            return Err(fault(file.path(), problem, "write one map per row"));
        }
    };
    let map = in_file(file.path(), Healpix::of_pixels(pixels as u64))?;
    let columns = cube.values().chunks_exact(pixels).map(<[f32]>::to_vec).collect();
    Ok(Maps { map, ordering, frame: None, index: None, columns, unit: None })
}
