//! [`Frequencies`]: frequencies as a person gives them, and as files keep them.

use std::path::{Path, PathBuf};

use cupel_data::{Dataset, open};
use cupel_settings::{Kind, Value};
use serde::{Deserialize, Serialize};

use super::has;
use crate::{Error, Result};

/// Numbers above this are frequencies in Hz, and below it in MHz: the radio sky is seen between 1 MHz and 1 THz.
const HERTZ_FROM: f64 = 1e6;

/// Names of arrays that hold the frequencies of the others.
const NAMES: [&str; 8] =
    ["freqs_mhz", "frequencies_mhz", "freq_mhz", "freqs_hz", "freqs", "frequencies", "freq", "freq_array"];

/// Frequencies of channels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Frequencies {
    /// These, in MHz.
    List(Vec<f64>),
    /// The middles of so many equal channels between two edges in MHz.
    Channels {
        /// The edge of the first channel.
        low: f64,
        /// The edge of the last channel.
        high: f64,
        /// How many there are.
        count: usize,
    },
    /// Those in this file, an array in MHz or Hz.
    File(PathBuf),
}

impl Frequencies {
    /// One frequency per channel in MHz.
    ///
    /// # Errors
    /// Those of reading the file.
    pub fn in_mhz(&self) -> Result<Vec<f64>> {
        match self {
            Self::List(list) => Ok(list.clone()),
            &Self::Channels { low, high, count } => {
                let width = (high - low) / count as f64;
                Ok((0..count).map(|channel| low + (channel as f64 + 0.5) * width).collect())
            }
            Self::File(path) => read(&open(path)?, None),
        }
    }
}

impl Value for Frequencies {
    fn kind() -> Kind {
        Kind::Text
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        let text = text.trim();
        let expected = || "a list in MHz, LOW:HIGH:CHANNELS in MHz between two edges, or a file".to_owned();
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        if let [low, high, count] = text.split(':').collect::<Vec<_>>()[..]
            && let (Some(low), Some(high), Ok(count)) = (number(low), number(high), count.trim().parse::<usize>())
        {
            let usable = low > 0.0 && high > 0.0 && low != high && (1..=1 << 20).contains(&count);
            return if usable { Ok(Self::Channels { low, high, count }) } else { Err(expected()) };
        }
        let parts: Vec<&str> = text.split(',').collect();
        let list: Option<Vec<f64>> = parts.iter().map(|part| number(part)).collect();
        match list {
            Some(list) => Ok(Self::List(list)),
            None if text.is_empty() || number(parts[0]).is_some() => Err(expected()),
            None => Ok(Self::File(text.into())),
        }
    }

    fn show(&self) -> Option<String> {
        Some(match self {
            Self::List(list) => list.iter().map(f64::to_string).collect::<Vec<_>>().join(","),
            Self::Channels { low, high, count } => format!("{low}:{high}:{count}"),
            Self::File(path) => path.display().to_string(),
        })
    }
}

impl TryFrom<String> for Frequencies {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Frequencies> for String {
    fn from(frequencies: Frequencies) -> Self {
        frequencies.show().unwrap_or_default()
    }
}

/// The frequencies in an array of a file, in MHz.
pub(super) fn read(file: &Dataset, name: Option<&str>) -> Result<Vec<f64>> {
    Ok(in_mhz(file.cube::<f64>(name)?.into_values()))
}

/// Frequencies in MHz or Hz as MHz.
pub(super) fn in_mhz(values: Vec<f64>) -> Vec<f64> {
    let hertz = !values.is_empty() && values.iter().all(|&value| value >= HERTZ_FROM);
    // divided, because 1e-6 is not exact
    if hertz { values.into_iter().map(|value| value / 1e6).collect() } else { values }
}

/// Frequencies beside an array: those of the same file under a usual name, or the file `freqs_mhz.npy` in its folder.
pub(super) fn beside(file: &Dataset, channels: usize) -> Result<Option<Vec<f64>>> {
    if let Some(name) = NAMES.into_iter().find(|name| has(file, name)) {
        return read(file, Some(name)).map(Some);
    }
    let sibling = file.path().parent().unwrap_or(Path::new("")).join("freqs_mhz.npy");
    if !sibling.is_file() || sibling == file.path() {
        return Ok(None);
    }
    let frequencies_mhz = read(&open(&sibling)?, None)?;
    if frequencies_mhz.len() == channels {
        return Ok(Some(frequencies_mhz));
    }
    Err(Error::Sky {
        path: file.path().into(),
        problem: format!("it has {channels} channels, {} beside it {}", sibling.display(), frequencies_mhz.len()),
        fix: "give the frequencies with --frequencies".into(),
    })
}

/// Whether an array of a file holds what the others need, not values of its own.
pub(super) fn is_name(name: &str) -> bool {
    NAMES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_edges_and_files_are_told_apart_and_written_back() {
        let parse = |text: &str| Frequencies::parse(text);
        assert_eq!(parse("100, 101.5"), Ok(Frequencies::List(vec![100.0, 101.5])));
        assert_eq!(parse("500:600:128"), Ok(Frequencies::Channels { low: 500.0, high: 600.0, count: 128 }));
        assert_eq!(parse("freqs.npy"), Ok(Frequencies::File("freqs.npy".into())));
        assert_eq!(parse("a:b:c"), Ok(Frequencies::File("a:b:c".into())));
        for wrong in ["", "500:500:3", "500:600:0", "-1:600:3", "100,x"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        for text in ["100,101.5", "500:600:128", "freqs.npy"] {
            let shown = parse(text).unwrap().show().unwrap();
            assert_eq!(shown, text);
        }
    }

    #[test]
    fn channels_lie_half_a_width_inside_of_the_edges() {
        let channels = Frequencies::Channels { low: 500.0, high: 600.0, count: 128 }.in_mhz().unwrap();
        assert_eq!((channels.len(), channels[0], channels[127]), (128, 500.390625, 599.609375));
    }

    #[test]
    fn hertz_become_megahertz() {
        assert_eq!(in_mhz(vec![1e8, 1.5e8]), [100.0, 150.0]);
        assert_eq!(in_mhz(vec![100.0, 150.0]), [100.0, 150.0]);
    }
}
