//! Patterns of centres.

use std::{f64::consts::PI, path::Path};

use cupel_data::Stream;
use cupel_settings::{Problem, Range, Settings, choices, settings};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// More centres than any scan has.
const MOST_SAMPLES: f64 = 1e6;
/// Largest pattern file, in bytes: a million lines of two long numbers.
const LARGEST_FILE: u64 = 64 << 20;

choices! {
    /// How centres are laid out.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Pattern {
        /// Fermat's spiral by the golden angle
        Fermat = "fermat" | "spiral" | "builtin:fermat",
        /// Lines through the middle
        Star = "star" | "builtin:star",
        /// The middle and random places of the disc
        Random = "random" | "builtin:random",
        /// A square spiral, as LEDs are lit
        Led = "led" | "led-spiral",
        /// A CSV of rows and columns
        File = "file",
        /// Each where most is to be learnt after those before, of Fermat's spirals
        Adaptive = "adaptive" | "builtin:adaptive",
    }
}

choices! {
    /// The order in which centres are measured.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Sort {
        /// As the pattern has them
        Given = "given",
        /// From the middle outwards
        Centre = "center" | "centre",
        /// In random order
        Random = "random" | "rand",
    }
}

settings! {
    /// Which centres to measure.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct SamplingConfig in "sampling" {
        /// Layout of the centres
        pub pattern: Pattern = Pattern::Fermat;
        /// Number of exposures; of a file all unless given
        pub samples: Option<usize> = None, in Range::at_least(1.0).at_most(MOST_SAMPLES), "N";
        /// Radius of the region of centres in places of the spectrum; N / 2 - r - 1 unless given
        pub roi_radius: Option<f64> = None, in Range::at_least(0.0), "R";
        /// Lines of a star
        pub angles: usize = 6, in Range::at_least(1.0).at_most(1e4), "N";
        /// Places from one LED to the next; the widest step within the region unless given
        pub led_step: Option<f64> = None, in Range::above(0.0), "PLACES";
        /// File of rows and columns
        pub pattern_file: Option<String> = None, "FILE.csv";
        /// Only one of each pair of opposite centres, which show the same of a real object
        pub half_plane: bool = false;
        /// Centres between places too
        pub sub_pixel: bool = false;
        /// Order of the exposures
        pub sort: Sort = Sort::Given;
        /// Places by which the aperture moves during an exposure, which blurs it; it stands still unless given
        pub line_length: Option<f64> = None, in Range::at_least(0.0).at_most(1e4), "PLACES";
        /// Direction in which it moves, from along the row towards down the column
        pub line_angle: f64 = 0.0, in Range::at_least(-360.0).at_most(360.0), "DEG";
    }
    needs {
        ["angles"] |own| own.pattern == Pattern::Star => "only a star has lines";
        ["led-step"] |own| own.pattern == Pattern::Led => "only an array of LEDs has steps";
        ["pattern-file"] |own| own.pattern == Pattern::File => "only the pattern file reads one";
        ["roi-radius"] |own| own.pattern != Pattern::File => "the file says where centres are";
        ["line-angle"] |own| own.line_length.is_some() => "an aperture that stands still has no direction: give line-length";
        ["sub-pixel"] |own| own.line_length.is_none() => "lines have their middles on whole places";
        ["sort"] |own| own.pattern != Pattern::Adaptive => "adaptive centres are in the order in which they were chosen";
        ["line-length"] |own| own.pattern != Pattern::Adaptive => "adaptive centres are those of an aperture that stands still";
    }
}

/// Exposures of a pattern unless it says how many.
const SAMPLES: usize = 48;
/// Places that adaptive centres are chosen from, for each exposure.
const CANDIDATES: usize = 6;

impl SamplingConfig {
    /// Rows and columns by which the aperture moves during an exposure; none where it stands still.
    pub fn way(&self) -> Option<[f64; 2]> {
        let (sin, cos) = self.line_angle.to_radians().sin_cos();
        // a quarter turn has no rest of the other direction
        let exact = |share: f64| if share.abs() < 1e-12 { 0.0 } else { share };
        self.line_length.filter(|length| *length > 0.0).map(|length| [length * exact(sin), length * exact(cos)])
    }

    /// How many exposures are made; a pattern file may have fewer.
    pub fn exposures(&self) -> usize {
        self.samples.unwrap_or(SAMPLES)
    }

    /// Places that [`observe_adaptively`](crate::observe_adaptively) chooses from: a Fermat's spiral of several times as many, each place once.
    ///
    /// # Errors
    /// As [`centres`](Self::centres); fewer places than exposures.
    pub fn candidates(&self, n_pixels: usize, radius: f64) -> Result<Vec<[f64; 2]>> {
        let samples = self.exposures();
        let dense = Self { pattern: Pattern::Fermat, samples: Some(CANDIDATES * samples), ..self.clone() };
        let mut places: Vec<[f64; 2]> = Vec::new();
        for place in dense.centres(n_pixels, radius, 0)? {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        if places.len() < samples {
            let expected =
                format!("at most {}, the different places in the region; or a larger roi-radius", places.len());
            return Err(Problem::value("samples", samples, expected).into());
        }
        Ok(places)
    }

    /// The centres for an aperture of this radius in a field of `n_pixels`.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings that cannot be, and for adaptive centres, which follow from what was measured;
    /// [`Error::Data`] and [`Error::Measurement`] for a file of other things.
    pub fn centres(&self, n_pixels: usize, radius: f64, seed: u64) -> Result<Vec<[f64; 2]>> {
        self.check()?;
        let length = self.line_length.unwrap_or(0.0);
        let room = (n_pixels / 2) as f64 - radius;
        if length > 0.0 && length / 2.0 > room {
            let expected =
                format!("at most {}, for apertures of radius {radius} within the field of {n_pixels}", 2.0 * room);
            return Err(Problem::value("line-length", length, expected).into());
        }
        let widest = room - length / 2.0;
        let roi = self.roi_radius.unwrap_or_else(|| (widest - 1.0).max(0.0));
        if roi > widest {
            let expected = format!("at most {widest}, for apertures of radius {radius} within the field of {n_pixels}");
            return Err(Problem::value("roi-radius", roi, expected).into());
        }
        let samples = self.exposures();
        let stream = Stream::new(seed, "sampling");
        let mut centres = match self.pattern {
            Pattern::Fermat => fermat(samples, roi),
            Pattern::Adaptive => {
                let expected = "an object or an instrument to look at: they follow from what was measured";
                return Err(Problem::value("pattern", "adaptive", expected).into());
            }
            Pattern::Star => star(samples, roi, self.angles),
            Pattern::Random => random(samples, roi, stream.child(0)),
            Pattern::Led => {
                // The corners of the outermost turn lie sqrt 2 times as far as its sides.
                let turns = (((samples as f64).sqrt() - 1.0) / 2.0).ceil();
                let widest_step = if turns > 0.0 { roi / (turns * 2.0_f64.sqrt()) } else { 1.0 };
                let step = self.led_step.unwrap_or(widest_step);
                if step * turns * 2.0_f64.sqrt() > widest * (1.0 + 1e-12) {
                    let expected =
                        format!("at most {}, for {samples} LEDs within the field", widest / (turns * 2.0_f64.sqrt()));
                    return Err(Problem::value("led-step", step, expected).into());
                }
                led_spiral(samples, step)
            }
            Pattern::File => {
                let Some(path) = &self.pattern_file else {
                    return Err(Problem::value(
                        "pattern-file",
                        "nothing",
                        "a CSV of rows and columns, for the pattern file",
                    )
                    .into());
                };
                let mut centres = from_file(Path::new(path))?;
                if let Some(samples) = self.samples {
                    if samples > centres.len() {
                        let expected = format!("at most {}, the centres in {path}", centres.len());
                        return Err(Problem::value("samples", samples, expected).into());
                    }
                    centres.truncate(samples);
                }
                centres
            }
        };
        if !self.sub_pixel {
            centres = rounded(&centres);
        }
        if self.half_plane {
            centres = half_plane(&centres);
        }
        Ok(sorted(centres, self.sort, stream.child(1)))
    }
}

/// Fermat's spiral by the golden angle: centre `k` of `n` at radius `R sqrt(k / (n - 1))` and angle `k pi (3 - sqrt 5)`, row its sine and
/// column its cosine. H. Vogel, Mathematical Biosciences 44, 179 (1979), doi:10.1016/0025-5564(79)90080-4.
pub fn fermat(samples: usize, roi_radius: f64) -> Vec<[f64; 2]> {
    let golden = PI * (3.0 - 5.0_f64.sqrt());
    let place = |k: usize| {
        let radius = roi_radius * (k as f64 / samples.saturating_sub(1).max(1) as f64).sqrt();
        let (sin, cos) = (golden * k as f64).sin_cos();
        [radius * sin, radius * cos]
    };
    (0..samples).map(place).collect()
}

/// The middle, and then `angles` half lines from it, at equal angles and steps, ring by ring.
pub fn star(samples: usize, roi_radius: f64, angles: usize) -> Vec<[f64; 2]> {
    let rings = samples.saturating_sub(1).div_ceil(angles);
    let place = |k: usize| {
        let Some(k) = k.checked_sub(1) else { return [0.0; 2] };
        let radius = roi_radius * (k / angles + 1) as f64 / rings as f64;
        let (sin, cos) = (2.0 * PI * (k % angles) as f64 / angles as f64).sin_cos();
        [radius * sin, radius * cos]
    };
    (0..samples).map(place).collect()
}

/// The middle, and then places of the disc, each as likely as any.
pub fn random(samples: usize, roi_radius: f64, stream: Stream) -> Vec<[f64; 2]> {
    let place = |k: usize| {
        if k == 0 {
            return [0.0; 2];
        }
        let mut rng = stream.child(k as u64).rng();
        let (share, turn): (f64, f64) = (rng.random(), rng.random());
        let (sin, cos) = (2.0 * PI * turn).sin_cos();
        let radius = roi_radius * share.sqrt();
        [radius * sin, radius * cos]
    };
    (0..samples).map(place).collect()
}

/// The square spiral of an array of LEDs: from the middle one step along the row, one down, two back, two up, three along, and so on.
pub fn led_spiral(samples: usize, step: f64) -> Vec<[f64; 2]> {
    let mut place = [0_i64; 2];
    let mut centres = Vec::with_capacity(samples);
    // [row, column] of the four directions in turn
    let directions = [[0, 1], [1, 0], [0, -1], [-1, 0]];
    let mut legs = (0_usize..).flat_map(|leg| std::iter::repeat_n(directions[leg % 4], leg / 2 + 1));
    for _ in 0..samples {
        centres.push(place.map(|c| c as f64 * step));
        if let Some(way) = legs.next() {
            place = [place[0] + way[0], place[1] + way[1]];
        }
    }
    centres
}

/// Row and column of each line of a CSV; a first line of words is a heading, lines that begin with `#` and empty ones are passed over.
///
/// # Errors
/// [`Error::Data`] where it cannot be read, [`Error::Measurement`] for a line that is not two finite numbers and for a file without any.
pub fn from_file(path: &Path) -> Result<Vec<[f64; 2]>> {
    let reading = |source| Error::Data(cupel_data::Error::Io { action: "read", path: path.to_owned(), source });
    let wrong = |what: String, got: String| Error::Measurement {
        what,
        got,
        expected: "lines of two finite numbers, row and column of a centre from the middle of the spectrum".into(),
    };
    let bytes = std::fs::metadata(path).map_err(reading)?.len();
    if bytes > LARGEST_FILE {
        return Err(wrong(format!("pattern file {}", path.display()), format!("{bytes} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(reading)?;
    let mut centres = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim().trim_start_matches('\u{feff}');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let words: Vec<&str> =
            line.split([',', ';', '\t', ' ']).map(str::trim).filter(|word| !word.is_empty()).collect();
        let numbers: Vec<f64> = words.iter().filter_map(|word| word.parse().ok()).collect();
        match numbers[..] {
            [row, column] if words.len() == 2 && row.is_finite() && column.is_finite() => centres.push([row, column]),
            [] if centres.is_empty() && number == 0 => {}
            _ => return Err(wrong(format!("{}, line {}", path.display(), number + 1), format!("`{line}`"))),
        }
    }
    match centres.is_empty() {
        true => Err(wrong(format!("pattern file {}", path.display()), "no centre".into())),
        false => Ok(centres),
    }
}

/// The nearest places; halves are rounded away from nought.
pub fn rounded(centres: &[[f64; 2]]) -> Vec<[f64; 2]> {
    // Adding nought makes the negative nought positive.
    centres.iter().map(|centre| centre.map(|c| c.round() + 0.0)).collect()
}

/// Each centre, or the opposite one where it lies in the half of negative rows: a real object looks the same through both, so that as many
/// exposures cover twice the spectrum.
pub fn half_plane(centres: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let reflect = |&[row, column]: &[f64; 2]| match row < 0.0 || row == 0.0 && column < 0.0 {
        true => [0.0 - row, 0.0 - column],
        false => [row, column],
    };
    centres.iter().map(reflect).collect()
}

/// The centres in this order; those at the same distance stay as they were.
pub fn sorted(mut centres: Vec<[f64; 2]>, order: Sort, stream: Stream) -> Vec<[f64; 2]> {
    let distance = |centre: &[f64; 2]| centre[0] * centre[0] + centre[1] * centre[1];
    match order {
        Sort::Given => centres,
        Sort::Centre => {
            centres.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
            centres
        }
        Sort::Random => stream.permutation(centres.len()).into_iter().map(|place| centres[place]).collect(),
    }
}
