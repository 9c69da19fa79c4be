//! `cupel data info`: what is in a file.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::Result;
use clap::Args;
use cupel::data::{Class, Dataset, ElementType, Image, Meaning, PixelFlags, Variable, open};
use serde::Serialize;

use crate::{
    Command, Session,
    shared::{Output, Shared},
};

/// Larger arrays are listed without the range of their numbers, which would mean reading them.
const LARGEST_READ_VALUES: usize = 1 << 27;
/// Texts longer than this are cut in the listing (not in the JSON).
const LONGEST_SHOWN: usize = 60;

/// List the variables of a file with shape, type and range of the numbers
#[derive(Args)]
pub struct Info {
    /// The file; its format is found by its content
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    output: Output,
}

impl Command for Info {
    type Plan = Listing;
    type Outcome = Listing;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output)
    }

    fn plan(&self, _: &Session) -> Result<Listing> {
        Listing::of(&open(&self.file)?)
    }

    fn work(self, listing: Listing, _: &mut Session) -> Result<Listing> {
        Ok(listing)
    }
}

/// What `info` says.
#[derive(Serialize)]
pub struct Listing {
    path: String,
    format: &'static str,
    variables: Vec<Row>,
    /// The image or library in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<Told>,
    /// Maps of rows and columns in the file that say which pixels are good.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    masks: Vec<String>,
}

/// How an image or a library is read, and what is known of it.
#[derive(Serialize)]
struct Told {
    variable: String,
    /// As a sentence without its stop.
    read_as: String,
    rows: usize,
    columns: usize,
    bands: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    wavelengths_nm: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    widths_nm: Vec<f64>,
    /// Of a library, the names of its spectra.
    #[serde(skip_serializing_if = "Option::is_none")]
    spectra: Option<Vec<String>>,
    /// Whether the file says where on the map its pixels lie.
    has_place: bool,
    #[serde(skip)]
    range: Option<String>,
    #[serde(skip)]
    bad_bands: usize,
}

#[derive(Serialize)]
struct Row {
    name: String,
    shape: Vec<usize>,
    class: String,
    range: Option<Range>,
    text: Option<Vec<String>>,
    /// What the file says of the stored numbers, where it says something.
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<String>,
    /// Why it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Smallest and largest finite number, and how many are not finite.
#[derive(Serialize)]
struct Range {
    minimum: Option<f64>,
    maximum: Option<f64>,
    not_finite: usize,
}

impl Listing {
    fn of(dataset: &Dataset) -> Result<Self> {
        // One variable that cannot be read does not hide the others; where none can be, that is what is wrong with the file.
        let rows: Vec<_> = dataset.variables().iter().map(|variable| (variable, Row::of(dataset, variable))).collect();
        let is_lost = !rows.is_empty() && rows.iter().all(|(_, row)| row.is_err());
        let row = |(variable, row): (&Variable, Result<Row>)| match row {
            Err(error) if is_lost => Err(error),
            Err(error) => Ok(Row::unread(variable, &error)),
            row => row,
        };
        Ok(Self {
            path: shown(dataset.path()),
            format: dataset.format().name(),
            variables: rows.into_iter().map(row).collect::<Result<_>>()?,
            image: Told::of(dataset),
            masks: masks(dataset),
        })
    }
}

/// A line for each map in the file that says which pixels to use.
fn masks(dataset: &Dataset) -> Vec<String> {
    let Ok(image) = Image::open(dataset, None, None) else { return Vec::new() };
    let info = image.info();
    let told = |flags: PixelFlags| flags.told(dataset.path());
    dataset.pixel_flags(&info.variable, info.rows, info.columns).unwrap_or_default().into_iter().map(told).collect()
}

impl Told {
    /// Nothing for what is no image: several arrays that could be meant, tables, matrices of anything.
    fn of(dataset: &Dataset) -> Option<Self> {
        let image = Image::open(dataset, None, None).ok()?;
        let info = image.info();
        let is_matrix = info.bands < 2;
        (!is_matrix).then(|| Self {
            variable: info.variable.clone(),
            read_as: info.told.clone(),
            rows: info.rows,
            columns: info.columns,
            bands: info.bands,
            wavelengths_nm: info.wavelengths_nm.clone(),
            widths_nm: info.widths_nm.clone(),
            spectra: info.spectra_names.clone(),
            has_place: info.place.is_some(),
            range: info.range(),
            bad_bands: info.good_bands.iter().filter(|good| !**good).count(),
        })
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "read as {}", self.read_as)?;
        if let Some(range) = &self.range {
            write!(f, "; bands from {range}")?;
            if !self.widths_nm.is_empty() {
                f.write_str(" with their widths")?;
            }
        }
        if self.bad_bands > 0 {
            write!(f, "; {} marked as bad", self.bad_bands)?;
        }
        if self.has_place {
            f.write_str("; with its place on the map")?;
        }
        match self.spectra.as_deref() {
            Some(names) if !names.is_empty() => write!(f, "\nspectra: {}", cut(&names.join(", "))),
            _ => Ok(()),
        }
    }
}

impl Row {
    fn unread(variable: &Variable, error: &anyhow::Error) -> Self {
        Self {
            name: variable.name().to_owned(),
            shape: variable.shape().to_vec(),
            class: variable.class().to_string(),
            range: None,
            text: None,
            meaning: None,
            problem: Some(error.to_string()),
        }
    }

    fn of(dataset: &Dataset, variable: &Variable) -> Result<Self> {
        let name = variable.name();
        let text = match variable.class() {
            Class::Text => Some(dataset.text(name)?),
            Class::Cell => dataset.text(name).ok(), // a cell array may hold anything else too
            _ => None,
        };
        Ok(Self {
            name: name.to_owned(),
            shape: variable.shape().to_vec(),
            class: variable.class().to_string(),
            range: Range::of(dataset, variable)?,
            text,
            meaning: match variable.class() {
                Class::Number(_) => meaning(&dataset.meaning(Some(name))?),
                _ => None,
            },
            problem: None,
        })
    }
}

/// What stored numbers stand for, in words; nothing where they stand for themselves.
fn meaning(meaning: &Meaning) -> Option<String> {
    let ends = |values: &[f64]| match values {
        [] => None,
        &[one] => Some(short(one)),
        &[first, .., last] => Some(format!("{} to {}", short(first), short(last))),
    };
    let missing: Vec<String> = meaning.missing.iter().map(|&value| short(value)).collect();
    let parts = [
        Some(format!("{} is missing", missing.join(", "))).filter(|_| !missing.is_empty()),
        meaning.valid_min.map(|value| format!("valid from {}", short(value))),
        meaning.valid_max.map(|value| format!("valid to {}", short(value))),
        ends(&meaning.gains).filter(|_| !meaning.is_unscaled()).map(|gains| format!("times {gains}")),
        ends(&meaning.offsets).filter(|_| !meaning.is_unscaled()).map(|offsets| format!("plus {offsets}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

impl Range {
    /// `None` for what is not an array of real numbers, or too large.
    fn of(dataset: &Dataset, variable: &Variable) -> Result<Option<Self>> {
        let (Class::Number(element) | Class::Sparse(element)) = variable.class() else {
            return Ok(None);
        };
        let complex = matches!(element, ElementType::Complex64 | ElementType::Complex128);
        let count = variable.shape().iter().try_fold(1usize, |count, &length| count.checked_mul(length));
        if complex || count.is_none_or(|count| count > LARGEST_READ_VALUES) {
            return Ok(None);
        }
        // A damaged array is an error here; integers beyond 2^53 are merely not shown.
        let array = dataset.array(Some(variable.name()))?;
        let Ok(cube) = array.into_cube::<f64>() else {
            return Ok(None);
        };
        let finite = || cube.values().iter().copied().filter(|value| value.is_finite());
        Ok(Some(Self {
            minimum: finite().reduce(f64::min),
            maximum: finite().reduce(f64::max),
            not_finite: cube.values().len() - finite().count(),
        }))
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.path, self.format)?;
        let cells: Vec<[String; 4]> = self.variables.iter().map(Row::cells).collect();
        let width = |column: usize| {
            let lengths = cells.iter().map(|row| row[column].chars().count());
            lengths.max().unwrap_or(0)
        };
        let (names, shapes, classes) = (width(0), width(1), width(2));
        for [name, shape, class, content] in &cells {
            let line = format!("  {name:names$}  {shape:>shapes$}  {class:classes$}  {content}");
            writeln!(f, "{}", line.trim_end())?;
        }
        if let Some(image) = &self.image {
            writeln!(f, "{image}")?;
        }
        self.masks.iter().try_for_each(|mask| writeln!(f, "{mask}"))
    }
}

impl Row {
    fn cells(&self) -> [String; 4] {
        let shape: Vec<String> = self.shape.iter().map(usize::to_string).collect();
        let content = match (&self.range, &self.text, &self.problem) {
            (_, _, Some(problem)) => format!("cannot be read: {problem}"),
            (Some(range), _, _) => range.to_string(),
            (None, Some(lines), _) => cut(&lines.join(", ")),
            (None, None, _) => String::new(),
        };
        let content = match &self.meaning {
            Some(meaning) => format!("{content} ({meaning})"),
            None => content,
        };
        [self.name.clone(), shape.join(" x "), self.class.clone(), content]
    }
}

/// Control characters of a text would move the cursor of the terminal.
fn cut(text: &str) -> String {
    let mut shown: String = text.chars().filter(|letter| !letter.is_control()).take(LONGEST_SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.minimum, self.maximum) {
            (Some(minimum), Some(maximum)) if minimum == maximum => f.write_str(&short(minimum))?,
            (Some(minimum), Some(maximum)) => write!(f, "{} to {}", short(minimum), short(maximum))?,
            _ => f.write_str("no number")?,
        }
        match self.not_finite {
            0 => Ok(()),
            1 => write!(f, " and 1 that is not finite"),
            count => write!(f, " and {count} that are not finite"),
        }
    }
}

/// Enough digits to know a number by: integers whole, the rest with six.
fn short(value: f64) -> String {
    let size = value.abs();
    if value.fract() == 0.0 && size < 1e15 {
        format!("{value}")
    } else if (1e-3..1e6).contains(&size) {
        let digits = format!("{value:.6}");
        digits.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{value:.5e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_still_right() {
        let cases = [
            (0.0, "0"),
            (-5437.0, "-5437"),
            (0.25, "0.25"),
            (1.0 / 3.0, "0.333333"),
            (-123_456.789, "-123456.789"),
            (1.5e-7, "1.50000e-7"),
            (1e300, "1.00000e300"),
            (5e-324, "4.94066e-324"),
        ];
        for (value, expected) in cases {
            assert_eq!(short(value), expected);
        }
    }

    #[test]
    fn texts_cannot_move_the_cursor() {
        assert_eq!(cut("tree\u{1b}[2J"), "tree[2J…");
        assert_eq!(cut(&"x".repeat(61)), format!("{}…", "x".repeat(60)));
        assert_eq!(cut("water"), "water");
    }
}
