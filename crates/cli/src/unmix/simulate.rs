//! `cupel unmix simulate`: scenes whose truth is known.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use cupel::{
    data::{Array, EnviHeader, Stream, Values, write_envi, write_mat, write_npy, write_npz},
    unmixing::{Abundances, Endmembers, Pixels, dirichlet, mix, open_estimate, patches, smooth_endmembers},
};
use serde::Serialize;

use crate::{Ending, options::Options, output::Output};

/// Numbers in an ENVI scene are this times the reflectance, as remote sensing has it.
const REFLECTANCE_SCALE: f64 = 10_000.0;
/// Width of the borders between patches relative to the scene.
const BLUR: f64 = 0.05;
/// Bands and pixels unless the user says otherwise.
const BANDS: usize = 200;
const PIXELS: usize = 10_000;

/// Simulate a scene with a known truth: given endmembers and abundances, or made-up ones
#[derive(Args)]
pub struct Arguments {
    /// Endmembers to mix [default: smooth made-up spectra]
    #[arg(long, value_name = "FILE", requires = "abundances")]
    endmembers: Option<PathBuf>,

    /// Abundances to mix them by [default: made-up patches]
    #[arg(long, value_name = "FILE", requires = "endmembers", conflicts_with_all = ["pixels", "bands", "materials"])]
    abundances: Option<PathBuf>,

    /// Signal-to-noise ratio 10 log10(mean(Y^2) / sigma^2) in decibels
    #[arg(long, value_name = "DB", default_value_t = 30.0)]
    snr_db: f64,

    /// Number of pixels of a made-up scene, as square as it goes [default: 10000]
    #[arg(long, value_name = "N")]
    pixels: Option<usize>,

    /// Number of bands of a made-up scene [default: 200]
    #[arg(long, value_name = "L")]
    bands: Option<usize>,

    /// Number of endmembers of a made-up scene
    #[arg(long, value_name = "K", default_value_t = 5)]
    materials: usize,

    /// Format [default: by the ending of --out]
    #[arg(long, value_enum)]
    format: Option<Format>,

    #[command(flatten)]
    options: Options,
}

/// Formats that a scene is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// MATLAB 5 with the truth (Y, GT, S_GT, lines, cols)
    Mat,
    /// NPZ with the same variables
    Npz,
    /// The cube alone
    Npy,
    /// ENVI image of unsigned 16-bit numbers, written row by row, with the truth as NPY files beside it
    Envi,
}

#[derive(Serialize)]
struct Printed {
    written: Vec<String>,
    rows: usize,
    columns: usize,
    bands: usize,
    endmembers: usize,
}

struct Truth {
    endmembers: Endmembers,
    abundances: Abundances,
    rows: usize,
    columns: usize,
}

impl Arguments {
    /// Simulates.
    ///
    /// # Errors
    /// Files that do not fit together, a target that exists.
    pub fn run(self) -> Result<Ending> {
        self.options.apply()?;
        let output = Output::new(&self.options);
        let Some(out) = self.options.out.clone() else { bail!("--out is needed: where the scene goes") };
        let format = self.format(&out)?;
        if out.exists() && !self.options.force {
            bail!("{} exists; replace it with --force or choose another --out", out.display());
        }
        let stream = Stream::new(self.options.seed, "simulated scene");
        let printed = match format {
            Format::Envi if self.endmembers.is_none() => self.envi(&out, stream)?,
            _ => self.whole(&out, format, stream)?,
        };
        if self.options.dry_run {
            output.note(format_args!("would write {}", out.display()));
        } else {
            output.result(&printed)?;
        }
        Ok(Ending::Done)
    }

    fn format(&self, out: &Path) -> Result<Format> {
        let ending = out.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        match (self.format, ending.as_deref()) {
            (Some(format), _) => Ok(format),
            (None, Some("mat")) => Ok(Format::Mat),
            (None, Some("npz")) => Ok(Format::Npz),
            (None, Some("npy")) => Ok(Format::Npy),
            (None, Some("img" | "dat" | "raw" | "bip")) => Ok(Format::Envi),
            (None, _) => bail!("{}: end the name in .mat, .npz, .npy or .img, or say --format", out.display()),
        }
    }

    /// A scene that fits into memory.
    fn whole(&self, out: &Path, format: Format, stream: Stream) -> Result<Printed> {
        let truth = self.truth(stream)?;
        let pixels = mix(&truth.endmembers, &truth.abundances, self.snr_db, stream.child(2))?;
        let written = if self.options.dry_run { Vec::new() } else { truth.write(out, format, &pixels)? };
        Ok(truth.printed(&written))
    }

    fn truth(&self, stream: Stream) -> Result<Truth> {
        if let (Some(endmembers), Some(abundances)) = (&self.endmembers, &self.abundances) {
            let files = [endmembers.clone(), abundances.clone()];
            let (given, _) = open_estimate(&files, &files)?;
            let abundances = given.abundances.with_context(|| {
                format!("{}: no abundances for {} endmembers", abundances.display(), given.endmembers.count())
            })?;
            let (rows, columns) = image(&files[1]).unwrap_or_else(|| nearly_square(abundances.count()));
            return Ok(Truth { endmembers: given.endmembers, abundances, rows, columns });
        }
        let (rows, columns) = nearly_square(self.pixels.unwrap_or(PIXELS));
        if rows == 0 || self.materials == 0 || self.bands == Some(0) {
            bail!("--pixels, --bands and --materials are numbers of at least 1");
        }
        let endmembers = smooth_endmembers(self.materials, self.bands.unwrap_or(BANDS), stream.child(0))?;
        let abundances = patches(rows, columns, self.materials, BLUR, stream.child(1))?;
        Ok(Truth { endmembers, abundances, rows, columns })
    }

    /// A scene of any size, a row at a time: Dirichlet abundances, which need no neighbours.
    fn envi(&self, out: &Path, stream: Stream) -> Result<Printed> {
        let (rows, columns) = nearly_square(self.pixels.unwrap_or(PIXELS));
        let (bands, materials) = (self.bands.unwrap_or(BANDS), self.materials);
        if rows == 0 || bands == 0 || materials == 0 {
            bail!("--pixels, --bands and --materials are numbers of at least 1");
        }
        let endmembers = smooth_endmembers(materials, bands, stream.child(0))?;
        let row_of = |row: usize| -> cupel::unmixing::Result<Pixels> {
            let stream = stream.child(3).child(row as u64);
            let abundances = dirichlet(columns, materials, 0.3, stream.child(0))?;
            mix(&endmembers, &abundances, self.snr_db, stream.child(1))
        };
        let header = EnviHeader {
            wavelengths_nm: (0..bands).map(|b| 400.0 + 2100.0 * b as f64 / (bands.max(2) - 1) as f64).collect(),
            reflectance_scale: REFLECTANCE_SCALE,
            description: format!("simulated: {materials} materials, {} dB, seed {}", self.snr_db, self.options.seed),
            ..EnviHeader::new(rows, columns, bands)
        };
        let truth_path = out.with_extension("endmembers.npy");
        let mut written = vec![out.to_path_buf(), truth_path.clone()];
        if !self.options.dry_run {
            let spectra = Array::new(vec![materials, bands], Values::F64(endmembers.values().to_vec()))?;
            let mut failure = None;
            let header_path = write_envi(out, &header, |row, values: &mut [u16]| {
                match row_of(row) {
                    Ok(pixels) => values.iter_mut().zip(pixels.values()).for_each(|(v, r)| {
                        *v = (f64::from(*r) * REFLECTANCE_SCALE).round().clamp(0.0, f64::from(u16::MAX)) as u16;
                    }),
                    Err(error) => failure = failure.take().or(Some(error)),
                }
                Ok(())
            })?;
            if let Some(error) = failure {
                return Err(error.into());
            }
            write_npy(&truth_path, &spectra)?;
            written.push(header_path);
        }
        let written = written.iter().map(|p| p.display().to_string()).collect();
        Ok(Printed { written, rows, columns, bands, endmembers: materials })
    }
}

impl Truth {
    fn write(&self, out: &Path, format: Format, pixels: &Pixels) -> Result<Vec<PathBuf>> {
        let (rows, columns) = (self.rows, self.columns);
        let (bands, count) = (pixels.bands(), self.endmembers.count());
        // spectra as columns, pixels down the columns of the image, as the published scenes have them
        let mut spectra = vec![0.0f32; pixels.values().len()];
        for (n, spectrum) in pixels.spectra().enumerate() {
            let place = n % columns * rows + n / columns;
            spectrum.iter().enumerate().for_each(|(b, v)| spectra[b * rows * columns + place] = *v);
        }
        let cube = Array::new(vec![rows, columns, bands], Values::F32(pixels.values().to_vec()))?;
        let matrix = Array::new(vec![bands, rows * columns], Values::F32(spectra))?;
        let endmembers = Array::new(vec![count, bands], Values::F64(self.endmembers.values().to_vec()))?;
        let maps = Array::new(vec![rows, columns, count], Values::F64(self.abundances.values().to_vec()))?;
        let number = |n: usize| Array::new(vec![1, 1], Values::F64(vec![n as f64]));
        let (lines, cols) = (number(rows)?, number(columns)?);
        let named = [("Y", &matrix), ("GT", &endmembers), ("S_GT", &maps), ("lines", &lines), ("cols", &cols)];
        match format {
            Format::Mat => write_mat(out, &named)?,
            Format::Npz => write_npz(out, &named)?,
            Format::Npy | Format::Envi => {
                let beside = [out.with_extension("endmembers.npy"), out.with_extension("abundances.npy")];
                let mut written = vec![out.to_path_buf()];
                if format == Format::Npy {
                    write_npy(out, &cube)?;
                } else {
                    written.push(self.write_envi(out, pixels)?);
                }
                write_npy(&beside[0], &endmembers)?;
                write_npy(&beside[1], &maps)?;
                written.extend(beside);
                return Ok(written);
            }
        }
        Ok(vec![out.to_path_buf()])
    }

    fn write_envi(&self, out: &Path, pixels: &Pixels) -> Result<PathBuf> {
        let header = EnviHeader {
            reflectance_scale: REFLECTANCE_SCALE,
            description: "simulated".into(),
            ..EnviHeader::new(self.rows, self.columns, pixels.bands())
        };
        let row_values = self.columns * pixels.bands();
        Ok(write_envi(out, &header, |row, values: &mut [u16]| {
            let reflectance = &pixels.values()[row * row_values..(row + 1) * row_values];
            values.iter_mut().zip(reflectance).for_each(|(v, r)| {
                *v = (f64::from(*r) * REFLECTANCE_SCALE).round().clamp(0.0, f64::from(u16::MAX)) as u16;
            });
            Ok(())
        })?)
    }

    fn printed(&self, written: &[PathBuf]) -> Printed {
        Printed {
            written: written.iter().map(|p| p.display().to_string()).collect(),
            rows: self.rows,
            columns: self.columns,
            bands: self.endmembers.bands(),
            endmembers: self.endmembers.count(),
        }
    }
}

/// Rows and columns of three-dimensional abundance maps.
fn image(path: &Path) -> Option<(usize, usize)> {
    let dataset = cupel::data::open(path).ok()?;
    dataset.variables().iter().find_map(|v| match *v.shape() {
        [rows, columns, _] => Some((rows, columns)),
        _ => None,
    })
}

/// The two factors of `pixels` that are nearest each other.
fn nearly_square(pixels: usize) -> (usize, usize) {
    let root = (pixels as f64).sqrt() as usize + 1;
    let rows = (1..=root).rev().find(|r| pixels.is_multiple_of(*r) && r * r <= pixels).unwrap_or(0);
    (rows, pixels.checked_div(rows).unwrap_or(0))
}

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} x {} pixels, {} bands, {} endmembers", self.rows, self.columns, self.bands, self.endmembers)?;
        self.written.iter().try_for_each(|path| writeln!(f, "{path}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenes_are_as_square_as_they_go() {
        assert_eq!(nearly_square(10_000), (100, 100));
        assert_eq!(nearly_square(2_500), (50, 50));
        assert_eq!(nearly_square(12), (3, 4));
        assert_eq!(nearly_square(7), (1, 7));
        assert_eq!(nearly_square(1), (1, 1));
        assert_eq!(nearly_square(0), (0, 0));
    }
}
