//! [`Wcs`]: which place of the sky, which frequency and which polarisation the pixels of an image are.
//!
//! Of pixel `p`, counted from 1 in the order of the file, axis `i` lies at `x_i = sum_j m_ij (p_j - CRPIXj)` with
//! `m_ij = CDi_j`, or `CDELTi PCi_j`, or a turn by `CROTAi` (Greisen & Calabretta, "Representations of world coordinates in
//! FITS", A&A 395, 1061 (2002), equations 1 to 4). A linear axis is `CRVALi + x_i`; on the sky `x` are degrees in the plane of
//! a projection (Calabretta & Greisen, A&A 395, 1077 (2002)). Frequencies are after Greisen et al., A&A 446, 747 (2006); only
//! those on a linear grid are read.
//!
//! Everything here is in the order of the shape, the reverse of that of the header, with pixels counted from 0.

use super::header::Cards;
use crate::{
    axes::{Axis, AxisKind},
    error::Result,
    spectral_unit::Said,
};

/// Axes with more positions get no coordinates: 16 Mi frequencies are a mistake, and 128 MB.
const COORDINATES: usize = 1 << 24;

/// Suffixes of `FREQ` that name an observer and not a grid, from before the standard.
const OBSERVERS: [&str; 9] = ["", "LSR", "LSRK", "LSRD", "HEL", "BAR", "BARY", "OBS", "GEO"];

/// The world coordinates of an image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wcs {
    /// Its axes, in the order of its shape.
    pub axes: Vec<WcsAxis>,
    /// How two of them lie on the sky, if they do.
    pub celestial: Option<Celestial>,
}

/// An axis of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct WcsAxis {
    /// What it is.
    ///
    /// `FREQ` is [`AxisKind::Frequency`] in `"MHz"`, `STOKES` is [`AxisKind::Polarisation`] with the numbers of the standard
    /// (1 to 4 are I, Q, U, V; -1 to -8 are RR, LL, RL, LR, XX, YY, XY, YX). `RA` and `DEC` are [`AxisKind::RightAscension`]
    /// and [`AxisKind::Declination`]; `WAVE`, `AWAV` and `WAVN` on a linear grid are [`AxisKind::Wavelength`] in `"nm"`; longitudes and latitudes of other frames are [`AxisKind::Column`] and
    /// [`AxisKind::Row`]. They have coordinates, in `"deg"`, only where the projection is linear in them: without one, and
    /// plate carrée (`CAR`) around the equator. Everything else is an [`AxisKind::Dimension`].
    pub axis: Axis,
    /// `CTYPE` as it is written; may be empty.
    pub name: String,
    /// Why it has no other kind, where its name promises one.
    pub note: Option<String>,
}

/// How an image lies on the sky; pairs are latitude, then longitude, which mostly are its rows and its columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Celestial {
    /// What the angles are measured in.
    pub frame: CelestialFrame,
    /// The three letters of the projection, as in `"TAN"`; empty where there is none.
    pub projection: String,
    /// Where the reference pixel is on the sky, in degrees.
    pub reference_deg: [f64; 2],
    /// The reference pixel, counted from 0; it may lie outside of the image and between pixels.
    pub reference_pixel: [f64; 2],
    /// Degrees in latitude (first row) and in longitude (second row) of one pixel along the axis of latitude (first column) and
    /// that of longitude (second column). Off the diagonal an image is turned.
    pub pixel_matrix_deg: [[f64; 2]; 2],
}

/// What angles on the sky are measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CelestialFrame {
    /// Right ascension and declination.
    Equatorial,
    /// Longitude and latitude in the Milky Way.
    Galactic,
    /// Longitude and latitude along the path of the Sun.
    Ecliptic,
}

const FRAMES: [CelestialFrame; 3] = [CelestialFrame::Equatorial, CelestialFrame::Galactic, CelestialFrame::Ecliptic];

impl CelestialFrame {
    /// The names of latitude and longitude in headers.
    pub(super) fn names(self) -> [&'static str; 2] {
        match self {
            Self::Equatorial => ["DEC", "RA"],
            Self::Galactic => ["GLAT", "GLON"],
            Self::Ecliptic => ["ELAT", "ELON"],
        }
    }

    fn kinds(self) -> [AxisKind; 2] {
        match self {
            Self::Equatorial => [AxisKind::Declination, AxisKind::RightAscension],
            _ => [AxisKind::Row, AxisKind::Column],
        }
    }
}

impl Celestial {
    /// An image of `[rows, columns]` with its middle at `reference_deg`, `[latitude, longitude]`, and pixels of `pixel_deg` along
    /// rows and columns; a negative width lets longitude grow to the left, as charts of the sky have it.
    pub fn centred(
        frame: CelestialFrame,
        projection: &str,
        reference_deg: [f64; 2],
        pixel_deg: [f64; 2],
        shape: [usize; 2],
    ) -> Self {
        Self {
            frame,
            projection: projection.to_string(),
            reference_deg,
            reference_pixel: shape.map(|len| (len as f64 - 1.0) / 2.0),
            pixel_matrix_deg: [[pixel_deg[0], 0.0], [0.0, pixel_deg[1]]],
        }
    }

    /// The sides of a pixel at the reference, along the axes of latitude and of longitude.
    pub fn pixel_deg(&self) -> [f64; 2] {
        let m = self.pixel_matrix_deg;
        [m[0][0].hypot(m[1][0]), m[0][1].hypot(m[1][1])]
    }

    /// Whether longitude and latitude are those along the axes, so that the axes have coordinates.
    pub(super) fn is_linear(&self) -> bool {
        let straight = self.pixel_matrix_deg[0][1] == 0.0 && self.pixel_matrix_deg[1][0] == 0.0;
        straight && (self.projection.is_empty() || self.projection == "CAR" && self.reference_deg[0] == 0.0)
    }
}

/// Reads the world coordinates of an image.
pub(super) fn read(cards: &Cards) -> Result<Wcs> {
    let count = cards.integer("NAXIS")?.and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
    let header = Reader { cards, steps: Steps::read(cards, count)?, count };
    // In the order of the header until the end.
    let mut axes = Vec::with_capacity(count);
    for number in 1..=count {
        axes.push(header.axis(number)?);
    }
    let celestial = header.celestial(&mut axes)?;
    axes.reverse();
    for (position, axis) in axes.iter().enumerate() {
        let kind = axis.axis.kind();
        if axes[..position].iter().any(|other| other.axis.kind() == kind) {
            let problem = format!("two axes are called {:?}", axis.name);
            return Err(cards.fault(&format!("CTYPE{}", count - position), problem, FIX));
        }
    }
    Ok(Wcs { axes, celestial })
}

/// What to do about coordinates that cannot be.
const FIX: &str = "mend the header, or read the array without its axes";

/// One axis by its number in the header.
struct Reader<'a> {
    cards: &'a Cards,
    steps: Steps,
    count: usize,
}

impl Reader<'_> {
    /// An axis, as long as it is not on the sky.
    fn axis(&self, number: usize) -> Result<WcsAxis> {
        let len = self.cards.integer(&format!("NAXIS{number}"))?.and_then(|len| usize::try_from(len).ok()).unwrap_or(0);
        let name = self.cards.text(&format!("CTYPE{number}")).unwrap_or_default().trim().to_string();
        // At most 64 axes are taken.
        let position = u8::try_from(self.count - number).unwrap_or(u8::MAX);
        let plain = Axis::new(AxisKind::Dimension(position), len);
        let note = |note: &str| Ok(WcsAxis { axis: plain.clone(), name: name.clone(), note: Some(note.to_string()) });
        let (base, code) = parts(&name);
        let (kind, unit) = match base.as_str() {
            "FREQ" if OBSERVERS.contains(&code.as_str()) => (AxisKind::Frequency, "MHz"),
            "FREQ" => return note("its frequencies are on a grid that is not linear"),
            "VRAD" | "VOPT" | "ZOPT" | "VELO" | "FELO" | "BETA" => {
                return note("velocities and redshifts are not read, write the axis as frequencies");
            }
            "STOKES" => (AxisKind::Polarisation, ""),
            "WAVE" | "AWAV" | "WAVN" | "ENER" | "LAMBDA" | "WAVELENGTH" if code.is_empty() => {
                (AxisKind::Wavelength, "nm")
            }
            "WAVE" | "AWAV" | "WAVN" | "ENER" => return note("its wavelengths are on a grid that is not linear"),
            _ => return Ok(WcsAxis { axis: plain, name, note: None }),
        };
        if self.steps.couple(number, number) {
            return note("it is turned against another axis");
        }
        let mut axis = plain.clone().renamed(kind);
        // A grid of which only the name is given is none.
        let given = self.cards.has(&format!("CRVAL{number}")) && (len == 1 || self.steps.given(number));
        if given && (1..=COORDINATES).contains(&len) {
            axis = match kind {
                AxisKind::Wavelength => self.wavelengths(axis, number, &base)?,
                _ => self.coordinates(axis, number, unit)?,
            };
        }
        Ok(WcsAxis { axis, name, note: None })
    }

    /// The axis `number` with wavelengths in nanometres, where its header says them in a unit of such.
    fn wavelengths(&self, axis: Axis, number: usize, base: &str) -> Result<Axis> {
        let reference = self.cards.real(&format!("CRVAL{number}"))?.unwrap_or(0.0);
        let (step, pixel) = (self.steps.of(number, number), self.pixel(number)?);
        let places: Vec<f64> = (0..axis.len()).map(|position| reference + (position as f64 - pixel) * step).collect();
        let written = self.cards.text(&format!("CUNIT{number}")).unwrap_or_default().trim();
        let usual = match base {
            "WAVN" => "m-1",
            "ENER" => "J",
            // The standard wants metres, and much software writes micrometres or nanometres without a word.
            _ => "",
        };
        let said = Said::of(if written.is_empty() { usual } else { written });
        let Some((nanometres, _)) = said.bands(&places, &[]) else { return Ok(axis) };
        Ok(axis.clone().with_coordinates(nanometres, "nm").unwrap_or(axis))
    }

    /// The axis `number` with coordinates in `unit`.
    fn coordinates(&self, axis: Axis, number: usize, unit: &'static str) -> Result<Axis> {
        let (keyword, len, kind) = (format!("CRVAL{number}"), axis.len(), axis.kind());
        let fault = |keyword: &str, problem: String| Err(self.cards.fault(keyword, problem, FIX));
        let step = self.steps.of(number, number);
        if step == 0.0 && len > 1 {
            return fault(&self.steps.keyword(number), format!("the {len} positions of axis {number} are 0 apart"));
        }
        let (reference, pixel) = (self.cards.real(&keyword)?.unwrap_or(0.0), self.pixel(number)?);
        let (factor, divisor) = self.unit(number, unit)?;
        let place = |position: usize| (reference + (position as f64 - pixel) * step) * factor / divisor;
        let places: Vec<f64> = (0..len).map(place).collect();
        if kind == AxisKind::Frequency
            && let Some(place) = places.iter().find(|&&place| place <= 0.0)
        {
            return fault(&keyword, format!("axis {number} has a frequency of {place} MHz"));
        }
        if kind == AxisKind::Polarisation
            && let Some(place) = places.iter().find(|place| place.fract() != 0.0)
        {
            return fault(&keyword, format!("axis {number} has a polarisation {place}, expected whole numbers"));
        }
        axis.with_coordinates(places, unit).or_else(|error| fault(&keyword, error.to_string()))
    }

    /// The pair of axes on the sky, which are renamed.
    fn celestial(&self, axes: &mut [WcsAxis]) -> Result<Option<Celestial>> {
        let names: Vec<(String, String)> = axes.iter().map(|axis| parts(&axis.name)).collect();
        let find = |name: &str| names.iter().position(|(base, _)| base == name);
        let pair = FRAMES.into_iter().find_map(|frame| {
            let [latitude, longitude] = frame.names();
            Some((frame, find(latitude)?, find(longitude)?))
        });
        let Some((frame, latitude, longitude)) = pair else {
            for (axis, (base, _)) in axes.iter_mut().zip(&names) {
                if FRAMES.iter().any(|frame| frame.names().contains(&base.as_str())) {
                    axis.note = Some("a longitude without its latitude, or the reverse".to_string());
                }
            }
            return Ok(None);
        };
        let numbers = [latitude + 1, longitude + 1];
        let projection = names[latitude].1.clone();
        if projection != names[longitude].1 {
            let (a, b) = (&axes[latitude].name, &axes[longitude].name);
            let problem = format!("{a:?} and {b:?} are two projections");
            return Err(self.cards.fault(&format!("CTYPE{}", numbers[0]), problem, FIX));
        }
        let mut degrees = [1.0; 2];
        for (factor, number) in degrees.iter_mut().zip(numbers) {
            let (numerator, divisor) = self.unit(number, "deg")?;
            *factor = numerator / divisor;
        }
        let step = |row: usize, column: usize| self.steps.of(numbers[row], numbers[column]) * degrees[row];
        let matrix = [[step(0, 0), step(0, 1)], [step(1, 0), step(1, 1)]];
        let note = if self.steps.couple(numbers[0], numbers[1]) || self.steps.couple(numbers[1], numbers[0]) {
            Some("it is turned against an axis that is not on the sky")
        } else if matrix[1][0].abs() > matrix[0][0].abs() || matrix[0][1].abs() > matrix[1][1].abs() {
            Some("the image is turned by more than 45 degrees")
        } else {
            None
        };
        if let Some(note) = note {
            numbers.iter().for_each(|number| axes[number - 1].note = Some(note.to_string()));
            return Ok(None);
        }
        for (side, number) in numbers.into_iter().enumerate() {
            let len = axes[number - 1].axis.len();
            if len > 1 && matrix[side][side] == 0.0 {
                let problem = format!("the {len} pixels of axis {number} are 0 apart");
                return Err(self.cards.fault(&self.steps.keyword(number), problem, FIX));
            }
        }
        let mut reference_deg = [0.0; 2];
        let mut reference_pixel = [0.0; 2];
        for (side, number) in numbers.into_iter().enumerate() {
            reference_deg[side] = self.cards.real(&format!("CRVAL{number}"))?.unwrap_or(0.0) * degrees[side];
            reference_pixel[side] = self.pixel(number)?;
        }
        if reference_deg[0].abs() > 90.0 || !reference_deg[1].is_finite() {
            let problem = format!("a latitude of {} degrees", reference_deg[0]);
            return Err(self.cards.fault(&format!("CRVAL{}", numbers[0]), problem, FIX));
        }
        let celestial = Celestial { frame, projection, reference_deg, reference_pixel, pixel_matrix_deg: matrix };
        let pole =
            self.cards.real("LONPOLE")?.unwrap_or(0.0) == 0.0 && self.cards.real("LATPOLE")?.unwrap_or(90.0) > 0.0;
        for (kind, number) in frame.kinds().into_iter().zip(numbers) {
            let axis = axes[number - 1].axis.clone().renamed(kind);
            let given = self.cards.has(&format!("CRVAL{number}")) && self.steps.given(number);
            let linear = celestial.is_linear() && pole && given && (1..=COORDINATES).contains(&axis.len());
            axes[number - 1].axis = if linear { self.coordinates(axis, number, "deg")? } else { axis };
        }
        Ok(Some(celestial))
    }

    /// The reference pixel of an axis, counted from 0.
    fn pixel(&self, number: usize) -> Result<f64> {
        Ok(self.cards.real(&format!("CRPIX{number}"))?.unwrap_or(0.0) - 1.0)
    }

    /// What the numbers of an axis are multiplied with and divided by to be in `unit`; two numbers, because powers of ten below 1
    /// are not exact.
    fn unit(&self, number: usize, unit: &'static str) -> Result<(f64, f64)> {
        let keyword = format!("CUNIT{number}");
        let written = self.cards.text(&keyword).unwrap_or_default().trim();
        let scale = match (unit, written) {
            // The standard wants these where nothing is said. Some programs write units in capitals.
            ("MHz", "" | "Hz" | "HZ") => (1.0, 1e6),
            ("MHz", "kHz" | "KHZ") => (1.0, 1e3),
            ("MHz", "MHz" | "MHZ") => (1.0, 1.0),
            ("MHz", "GHz" | "GHZ") => (1e3, 1.0),
            ("deg", "" | "deg" | "DEG" | "degree" | "degrees" | "DEGREE" | "DEGREES") => (1.0, 1.0),
            ("deg", "arcmin") => (1.0, 60.0),
            ("deg", "arcsec") => (1.0, 3600.0),
            ("deg", "mas") => (1.0, 3.6e6),
            ("deg", "rad") => (180.0, std::f64::consts::PI),
            ("", _) => (1.0, 1.0),
            _ => {
                let problem = format!("{keyword} is {written:?}, which is no unit of axis {number}, expected {unit}");
                return Err(self.cards.fault(&keyword, problem, FIX));
            }
        };
        Ok(scale)
    }
}

/// The steps from pixel to pixel: `m_ij` of the module documentation, by the numbers of the header.
struct Steps {
    /// Row by row.
    matrix: Vec<f64>,
    count: usize,
    /// The keywords of the diagonal, without its numbers.
    keyword: &'static str,
    /// Whether the header says the step of an axis.
    given: Vec<bool>,
}

impl Steps {
    fn read(cards: &Cards, count: usize) -> Result<Self> {
        let has = |name: &str| cards.keywords().any(|keyword| pair(keyword, name).is_some());
        let mut matrix = vec![0.0; count * count];
        let mut given = vec![false; count];
        let fill = |matrix: &mut [f64], name: &str| -> Result<()> {
            for (keyword, [i, j]) in cards.keywords().filter_map(|keyword| Some((keyword, pair(keyword, name)?))) {
                if i.max(j) <= count {
                    matrix[(i - 1) * count + j - 1] = cards.real(keyword)?.unwrap_or(0.0);
                }
            }
            Ok(())
        };
        if has("CD") {
            fill(&mut matrix, "CD")?;
            let given = (1..=count).map(|axis| cards.has(&format!("CD{axis}_{axis}"))).collect();
            return Ok(Self { matrix, count, keyword: "CD", given });
        }
        (0..count).for_each(|axis| matrix[axis * count + axis] = 1.0);
        fill(&mut matrix, "PC")?;
        for axis in 0..count {
            let step = cards.real(&format!("CDELT{}", axis + 1))?;
            given[axis] = step.is_some();
            matrix[axis * count..(axis + 1) * count].iter_mut().for_each(|entry| *entry *= step.unwrap_or(1.0));
        }
        if !has("PC") {
            turn(&mut matrix, cards, count)?;
        }
        Ok(Self { matrix, count, keyword: "CDELT", given })
    }

    fn of(&self, row: usize, column: usize) -> f64 {
        self.matrix[(row - 1) * self.count + column - 1]
    }

    /// Whether the axis `number` is turned against any but itself and `partner`.
    fn couple(&self, number: usize, partner: usize) -> bool {
        let mut others = (1..=self.count).filter(|&other| other != number && other != partner);
        others.any(|other| self.of(number, other) != 0.0 || self.of(other, number) != 0.0)
    }

    fn given(&self, number: usize) -> bool {
        self.given[number - 1]
    }

    fn keyword(&self, number: usize) -> String {
        if self.keyword == "CD" { format!("CD{number}_{number}") } else { format!("CDELT{number}") }
    }
}

/// Turns the axes on the sky as `CROTAi` of the latitude says, which `PCi_j` has replaced.
fn turn(matrix: &mut [f64], cards: &Cards, count: usize) -> Result<()> {
    let base = |axis: usize| cards.text(&format!("CTYPE{}", axis + 1)).map(|name| parts(name).0).unwrap_or_default();
    let names: Vec<String> = (0..count).map(base).collect();
    for frame in FRAMES {
        let [latitude, longitude] = frame.names().map(|name| names.iter().position(|base| base == name));
        let (Some(latitude), Some(longitude)) = (latitude, longitude) else { continue };
        let angle = cards.real(&format!("CROTA{}", latitude + 1))?.unwrap_or(0.0).to_radians();
        if angle != 0.0 {
            let (up, right) = (matrix[latitude * count + latitude], matrix[longitude * count + longitude]);
            matrix[latitude * count + latitude] = up * angle.cos();
            matrix[latitude * count + longitude] = right * angle.sin();
            matrix[longitude * count + latitude] = -up * angle.sin();
            matrix[longitude * count + longitude] = right * angle.cos();
        }
    }
    Ok(())
}

/// Base and code of the name of an axis: `RA---TAN` is `RA` and `TAN`.
fn parts(name: &str) -> (String, String) {
    let name = name.trim().to_ascii_uppercase();
    let (base, code) = name.split_once('-').unwrap_or((&name, ""));
    (base.to_string(), code.trim_start_matches('-').to_string())
}

/// The two numbers of a keyword such as `CD1_2`.
fn pair(keyword: &str, name: &str) -> Option<[usize; 2]> {
    let (i, j) = keyword.strip_prefix(name)?.split_once('_')?;
    let number = |text: &str| text.parse().ok().filter(|&number: &usize| number > 0);
    Some([number(i)?, number(j)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_axes_and_of_steps_are_taken_apart() {
        let is = |name, base: &str, code: &str| assert_eq!(parts(name), (base.to_string(), code.to_string()));
        is("RA---TAN", "RA", "TAN");
        is("DEC--TAN-SIP", "DEC", "TAN-SIP");
        is("GLON-CAR", "GLON", "CAR");
        is("FREQ", "FREQ", "");
        is("freq-lsr", "FREQ", "LSR");
        assert_eq!(pair("CD12_3", "CD"), Some([12, 3]));
        for wrong in ["CD1", "CDELT1", "CD0_1", "CD_1", "CD1_-1", "PC1_1", "CD1_2A"] {
            assert_eq!(pair(wrong, "CD"), None, "{wrong}");
        }
    }

    #[test]
    fn the_sides_of_a_turned_pixel_keep_their_length() {
        let mut sky = Celestial::centred(CelestialFrame::Equatorial, "TAN", [0.0, 0.0], [0.25, -0.5], [4, 5]);
        assert_eq!((sky.reference_pixel, sky.pixel_deg()), ([1.5, 2.0], [0.25, 0.5]));
        let (sin, cos) = 0.3_f64.sin_cos();
        sky.pixel_matrix_deg = [[0.25 * cos, -0.5 * sin], [-0.25 * sin, -0.5 * cos]];
        let [up, right] = sky.pixel_deg();
        assert!((up - 0.25).abs() < 1e-15 && (right - 0.5).abs() < 1e-15);
    }
}
