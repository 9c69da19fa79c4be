//! Writing one FITS image, with its unit, its world coordinates and both checksums.
//!
//! FITS standard 4.0; the text of `CHECKSUM` is that of its appendix J. Equal arrays give equal files: nothing is dated.

use super::{
    header::{BLOCK_BYTES, CARD_BYTES, FitsBeam, add_words},
    part::AXES,
    wcs::{Celestial, CelestialFrame},
};
use crate::{
    array::Array,
    atomic::write_atomic,
    axes::{Axes, Axis, AxisKind},
    cube::Cube,
    element::{Element, ElementType, Values},
    error::{Error, Result},
    file::numbers::write_values,
};
use std::{
    io::{self, Write},
    path::Path,
};

/// How far from a line coordinates may be, in steps: their own rounding comes on top.
const STRAIGHT: f64 = 1e-9;

/// Bytes turned around at a time; a multiple of the size of every type.
const CHUNK_BYTES: usize = 256 << 10;

/// What the header of an image says beside its axes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FitsCards {
    /// The unit of the numbers, `BUNIT`: `"K"`, `"mK"`, `"Jy/beam"`.
    pub unit: Option<String>,
    /// Where the image is on the sky. Its latitude is the axis Declination or Row, its longitude RightAscension or Column.
    pub celestial: Option<Celestial>,
    /// The beam of the telescope.
    pub beam: Option<FitsBeam>,
}

/// Writes an image or a cube.
///
/// A frequency axis with coordinates in `"MHz"` becomes `FREQ`, a polarisation axis with numbers `STOKES`; the axes on the sky
/// become what `cards.celestial` says, or, where it says nothing and both have coordinates in `"deg"`, those of a plate carrée
/// around the equator. Other axes are written without coordinates.
///
/// # Errors
/// [`Error::CannotHold`] for booleans and complex numbers, arrays without numbers or with more than 64 axes, coordinates that
/// are not on a line (FITS has only their first and their step), a place on the sky without two axes for it, and texts with
/// other letters than ASCII; [`Error::Io`].
///
/// # Example
/// ```
/// use cupel_data::{Axes, Axis, AxisKind, Celestial, CelestialFrame, Cube, FitsCards, open, write_fits};
/// # fn main() -> cupel_data::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("sky.fits");
/// let channels = Axis::new(AxisKind::Frequency, 2).with_coordinates(vec![100.0, 100.5], "MHz")?;
/// let axes = Axes::new(vec![channels, Axis::new(AxisKind::Declination, 3), Axis::new(AxisKind::RightAscension, 4)])?;
/// let sky = Celestial::centred(CelestialFrame::Equatorial, "TAN", [-30.0, 15.0], [0.5, -0.5], [3, 4]);
/// let cards = FitsCards { unit: Some("mK".into()), celestial: Some(sky), beam: None };
/// write_fits(&path, &Cube::new(vec![1.0_f32; 24], axes.clone())?, &cards)?;
/// let file = open(&path)?;
/// assert_eq!(file.axes(None)?, axes);
/// assert_eq!(file.fits_header(None)?.map(|header| header.cards()).transpose()?, Some(cards));
/// # Ok(())
/// # }
/// ```
pub fn write_fits<T: Element>(path: &Path, cube: &Cube<T>, cards: &FitsCards) -> Result<()> {
    write_fits_array(path, &Array::from(cube), cube.axes(), cards)
}

/// [`write_fits`] of an array of any type; f16 becomes f32.
pub(crate) fn write_fits_array(path: &Path, array: &Array, axes: &Axes, cards: &FitsCards) -> Result<()> {
    let wide;
    let values = match array.values() {
        Values::F16(values) => {
            wide = Values::F32(values.iter().map(|value| value.to_f32()).collect());
            &wide
        }
        values => values,
    };
    let mut header = Header { path, cards: Vec::new() };
    let signs = header.image(values.element_type(), array.shape())?;
    header.wcs(axes, cards)?;
    let numbers = Numbers { values, signs };
    let mut sum = Sum::default();
    numbers.write(&mut sum).map_err(Error::io("write", path))?;
    let text = header.finish(sum.total());
    write_atomic(path, |output| {
        output.write_all(&text).and_then(|()| numbers.write(output)).map_err(Error::io("write", path))
    })
}

/// The numbers as they are written.
struct Numbers<'a> {
    values: &'a Values,
    /// Whether the highest bit of each is turned over: the format has u8 and signed integers, and the other sign by an offset.
    signs: bool,
}

impl Numbers<'_> {
    fn write(&self, output: &mut dyn Write) -> io::Result<()> {
        let size = self.values.element_type().size_bytes();
        let mut swapped = Swapped { output, size, signs: self.signs, written: 0, bytes: Vec::new() };
        write_values(&mut swapped, self.values)?;
        let padding = swapped.written.next_multiple_of(BLOCK_BYTES) - swapped.written;
        swapped.output.write_all(&vec![0; padding])
    }
}

/// Turns the bytes of whole numbers around.
struct Swapped<'a> {
    output: &'a mut dyn Write,
    size: usize,
    signs: bool,
    written: usize,
    bytes: Vec<u8>,
}

impl Write for Swapped<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // All of a call or nothing: numbers are never cut.
        for part in bytes.chunks(CHUNK_BYTES) {
            self.bytes.clear();
            self.bytes.extend_from_slice(part);
            for number in self.bytes.chunks_exact_mut(self.size) {
                number.reverse();
                number[0] ^= u8::from(self.signs) << 7;
            }
            self.output.write_all(&self.bytes)?;
        }
        self.written += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// Adds up what is written, by words of 4 bytes.
#[derive(Default)]
struct Sum {
    sum: u32,
    /// Bytes of the next word.
    rest: Vec<u8>,
}

impl Sum {
    /// The sum of what is a multiple of 4 bytes, as blocks are.
    fn total(&self) -> u32 {
        self.sum
    }
}

impl Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.rest.extend_from_slice(bytes);
        let whole = self.rest.len() / 4 * 4;
        self.sum = add_words(self.sum, &self.rest[..whole]);
        self.rest.drain(..whole);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The header in the making.
struct Header<'a> {
    path: &'a Path,
    cards: Vec<String>,
}

impl Header<'_> {
    fn push(&mut self, keyword: &str, value: &str) {
        self.cards.push(format!("{keyword:<8}= {value:>20}"));
    }

    fn real(&mut self, keyword: &str, value: f64) -> Result<()> {
        if !value.is_finite() {
            return Err(self.cannot(format!("{keyword} is {value}"), "give finite numbers"));
        }
        // The shortest text that reads as this number; one with an exponent may lack the point.
        let text = format!("{value:?}").to_uppercase();
        let text = if text.contains('.') { text } else { text.replace('E', ".0E") };
        self.push(keyword, &text);
        Ok(())
    }

    fn text(&mut self, keyword: &str, text: &str) -> Result<()> {
        let quoted = format!("'{:<8}'", text.replace('\'', "''"));
        if !text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) || quoted.len() > CARD_BYTES - 10 {
            let problem = format!("{keyword} is {text:?}");
            return Err(self.cannot(problem, "it takes 68 letters of ASCII"));
        }
        self.cards.push(format!("{keyword:<8}= {quoted}"));
        Ok(())
    }

    fn cannot(&self, problem: String, fix: &str) -> Error {
        Error::CannotHold { path: self.path.into(), format: "FITS", problem, fix: fix.into() }
    }

    /// The cards that every image has; whether the signs of its numbers are turned over.
    fn image(&mut self, element: ElementType, shape: &[usize]) -> Result<bool> {
        let (bits, zero) = match element {
            ElementType::U8 => (8, None),
            ElementType::I8 => (8, Some("-128")),
            ElementType::I16 => (16, None),
            ElementType::U16 => (16, Some("32768")),
            ElementType::I32 => (32, None),
            ElementType::U32 => (32, Some("2147483648")),
            ElementType::I64 => (64, None),
            ElementType::U64 => (64, Some("9223372036854775808")),
            ElementType::F32 => (-32, None),
            ElementType::F64 => (-64, None),
            other => {
                return Err(
                    self.cannot(format!("the array is of {other}"), "write real numbers; of complex ones, both parts")
                );
            }
        };
        if shape.is_empty() || shape.contains(&0) || shape.len() as i64 > AXES {
            let problem = format!("the array has the shape {shape:?}");
            return Err(self.cannot(problem, &format!("it takes 1 to {AXES} axes with at least one number each")));
        }
        self.push("SIMPLE", "T");
        self.push("BITPIX", &bits.to_string());
        self.push("NAXIS", &shape.len().to_string());
        for (number, len) in shape.iter().rev().enumerate() {
            self.push(&format!("NAXIS{}", number + 1), &len.to_string());
        }
        if let Some(zero) = zero {
            self.push("BZERO", zero);
            self.push("BSCALE", "1");
        }
        Ok(zero.is_some())
    }

    /// Unit, beam and coordinates.
    fn wcs(&mut self, axes: &Axes, cards: &FitsCards) -> Result<()> {
        if let Some(unit) = &cards.unit {
            self.text("BUNIT", unit)?;
        }
        if let Some(FitsBeam { major_deg, minor_deg, angle_deg }) = cards.beam {
            for (keyword, value) in [("BMAJ", major_deg), ("BMIN", minor_deg), ("BPA", angle_deg)] {
                self.real(keyword, value)?;
            }
        }
        for axis in axes {
            let number = axes.rank() - axes.position(axis.kind())?;
            match axis.kind() {
                AxisKind::Frequency if axis.coordinates().is_some() => self.linear(axis, number, "FREQ", "MHz")?,
                AxisKind::Polarisation if axis.coordinates().is_some() => self.linear(axis, number, "STOKES", "")?,
                _ => {}
            }
        }
        match &cards.celestial {
            Some(celestial) => self.celestial(axes, celestial),
            None => match plate_carree(axes) {
                Some((latitude, longitude)) => {
                    // Not around a reference in the middle: the first pixel keeps its coordinates to the last bit.
                    let [lat_start, lat_step] = self.line(latitude)?;
                    let [lon_start, lon_step] = self.line(longitude)?;
                    let celestial = Celestial {
                        frame: CelestialFrame::Equatorial,
                        projection: "CAR".into(),
                        reference_deg: [0.0, lon_start],
                        reference_pixel: [-lat_start / lat_step, 0.0],
                        pixel_matrix_deg: [[lat_step, 0.0], [0.0, lon_step]],
                    };
                    self.celestial(axes, &celestial)
                }
                None => Ok(()),
            },
        }
    }

    /// First coordinate and step of an axis that has coordinates.
    fn line(&self, axis: &Axis) -> Result<[f64; 2]> {
        let places = axis.coordinates().unwrap_or_default();
        let (Some(&first), Some(&last)) = (places.first(), places.last()) else { return Ok([0.0, 1.0]) };
        if places.len() == 1 {
            return Ok([first, 1.0]);
        }
        let step = (last - first) / (places.len() - 1) as f64;
        for (position, &place) in places.iter().enumerate() {
            let tolerance = STRAIGHT * step.abs() + 4.0 * f64::EPSILON * first.abs().max(last.abs());
            if (place - (first + position as f64 * step)).abs() > tolerance {
                let problem = format!("coordinate {position} of the {} axis, {place}, is not on a line", axis.kind());
                return Err(self.cannot(problem, "write NPZ with the coordinates as an array of their own"));
            }
        }
        Ok([first, step])
    }

    fn linear(&mut self, axis: &Axis, number: usize, name: &str, unit: &'static str) -> Result<()> {
        axis.coordinates_in(unit)?;
        let [first, step] = self.line(axis)?;
        self.text(&format!("CTYPE{number}"), name)?;
        if !unit.is_empty() {
            self.text(&format!("CUNIT{number}"), unit)?;
        }
        self.real(&format!("CRPIX{number}"), 1.0)?;
        self.real(&format!("CRVAL{number}"), first)?;
        self.real(&format!("CDELT{number}"), step)
    }

    fn celestial(&mut self, axes: &Axes, celestial: &Celestial) -> Result<()> {
        let find = |kinds: [AxisKind; 2]| kinds.into_iter().find_map(|kind| axes.position(kind).ok());
        let latitude = find([AxisKind::Declination, AxisKind::Row]);
        let longitude = find([AxisKind::RightAscension, AxisKind::Column]);
        let (Some(latitude), Some(longitude)) = (latitude, longitude) else {
            let kinds: Vec<String> = axes.kinds().iter().map(AxisKind::to_string).collect();
            let problem = format!("an array with the axes ({}) has no place on the sky", kinds.join(", "));
            return Err(self.cannot(problem, "call two of them declination and right-ascension, or row and column"));
        };
        let numbers = [axes.rank() - latitude, axes.rank() - longitude];
        let Celestial { frame, projection, reference_deg, reference_pixel, pixel_matrix_deg: matrix } = celestial;
        let turned = matrix[0][1] != 0.0 || matrix[1][0] != 0.0;
        for (side, name) in frame.names().into_iter().enumerate() {
            let number = numbers[side];
            // Names take 4 letters with their dashes, if a projection follows.
            let name = if projection.is_empty() { name.to_string() } else { format!("{name:-<4}-{projection}") };
            self.text(&format!("CTYPE{number}"), &name)?;
            self.text(&format!("CUNIT{number}"), "deg")?;
            self.real(&format!("CRPIX{number}"), reference_pixel[side] + 1.0)?;
            self.real(&format!("CRVAL{number}"), reference_deg[side])?;
            let step = if turned { 1.0 } else { matrix[side][side] };
            self.real(&format!("CDELT{number}"), step)?;
        }
        if turned {
            for (row, entries) in matrix.iter().enumerate() {
                for (column, &entry) in entries.iter().enumerate() {
                    self.real(&format!("PC{}_{}", numbers[row], numbers[column]), entry)?;
                }
            }
        }
        if *frame == CelestialFrame::Equatorial { self.text("RADESYS", "ICRS") } else { Ok(()) }
    }

    /// The header with its checksums, in whole blocks.
    fn finish(mut self, data_sum: u32) -> Vec<u8> {
        // Sixteen zeros stand for nothing.
        self.cards.push(format!("CHECKSUM= '{}'", "0".repeat(16)));
        self.cards.push(format!("DATASUM = '{data_sum}'"));
        self.cards.push("END".into());
        let mut text = self.block();
        let sum = add_words(add_words(0, &text), &data_sum.to_be_bytes());
        let at = self.cards.len() - 3;
        self.cards[at] = format!("CHECKSUM= '{}'", letters(!sum));
        text = self.block();
        text
    }

    fn block(&self) -> Vec<u8> {
        let mut text: Vec<u8> = self.cards.iter().flat_map(|card| format!("{card:<80}").into_bytes()).collect();
        text.resize(text.len().next_multiple_of(BLOCK_BYTES), b' ');
        text
    }
}

/// The two axes on the sky that have coordinates in degrees.
fn plate_carree(axes: &Axes) -> Option<(&Axis, &Axis)> {
    let find = |kind| axes.axis(kind).ok().filter(|axis| axis.coordinates_in("deg").is_ok());
    Some((find(AxisKind::Declination)?, find(AxisKind::RightAscension)?))
}

/// A sum as 16 letters and digits whose words, written where `CHECKSUM` stands, add up to it (appendix J.2).
fn letters(sum: u32) -> String {
    let mut text = [0_u8; 16];
    for (place, byte) in sum.to_be_bytes().into_iter().enumerate() {
        // Four letters add up to the byte and four times the letter 0.
        let mut parts = [byte / 4 + b'0'; 4];
        parts[0] += byte % 4;
        // Punctuation becomes letters, in pairs whose sum stays.
        let punctuation = |letter: u8| (0x3a..=0x40).contains(&letter) || (0x5b..=0x60).contains(&letter);
        while parts.iter().any(|&letter| punctuation(letter)) {
            for pair in parts.chunks_exact_mut(2).filter(|pair| pair.iter().any(|&letter| punctuation(letter))) {
                pair[0] += 1;
                pair[1] -= 1;
            }
        }
        for (word, letter) in parts.into_iter().enumerate() {
            // Turned by one, because the text begins at the fourth byte of a word.
            text[(4 * word + place + 1) % 16] = letter;
        }
    }
    text.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_add_up_to_their_sum() {
        // The example of appendix J of the standard, of which the complement is written.
        assert_eq!(letters(!868_229_149), "hcHjjc9ghcEghc9g");
        for sum in (0..200_u32).map(|n| n.wrapping_mul(0x9e37_79b9)).chain([0, u32::MAX, 0x8080_8080]) {
            let text = letters(sum);
            assert!(text.bytes().all(|letter| letter.is_ascii_alphanumeric()), "{text}");
            let mut card = b"xxx".to_vec();
            card.extend(text.bytes());
            card.push(b'x');
            let offset = add_words(add_words(0, b"xxx0000000000000"), b"000x");
            let zero = add_words(0, &u32::MAX.wrapping_sub(offset).to_be_bytes());
            let got = add_words(zero, &card);
            assert!(got == sum || (got == u32::MAX && sum == 0) || (got == 0 && sum == u32::MAX), "{sum:#x} {got:#x}");
        }
    }

    #[test]
    fn sums_do_not_depend_on_how_bytes_arrive() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let mut by_one = Sum::default();
        bytes.chunks(7).for_each(|chunk| by_one.write_all(chunk).unwrap());
        assert_eq!(by_one.total(), add_words(0, &bytes));
    }
}
