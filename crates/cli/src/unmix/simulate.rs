//! `cupel unmix simulate`: scenes whose truth is known.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use cupel::{
    data::{Array, EnviHeader, Stream, Values, write_envi, write_mat, write_npy, write_npz},
    settings::{Range, Settings, choices, settings},
    unmixing::{Abundances, Endmembers, check_available, dirichlet, mix, open_estimate, patches, smooth_endmembers},
};
use serde::Serialize;

use crate::{
    Command, Flags, Session,
    shared::{Out, Output, Seed, Shared, Threads},
};

/// Numbers in an ENVI scene are this times the reflectance, as remote sensing has it.
const REFLECTANCE_SCALE: f64 = 10_000.0;
/// Width of the borders between patches relative to the scene.
const BLUR: f64 = 0.05;
/// Bytes that a value of a scene in memory takes in all its copies, and an abundance.
const BYTES_A_VALUE: u64 = 20;
const BYTES_AN_ABUNDANCE: u64 = 32;

choices! {
    /// Formats that a scene is written in.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Format {
        /// MATLAB 5 with the truth (Y, GT, S_GT, lines, cols)
        Mat = "mat",
        /// NPZ with the same variables
        Npz = "npz",
        /// The cube alone
        Npy = "npy",
        /// ENVI image of unsigned 16-bit numbers, written row by row, with the truth as NPY files beside it
        Envi = "envi",
    }
}
settings! {
    /// A made-up scene.
    #[derive(Clone, Debug)]
    pub struct Simulation in "simulation" {
        /// Signal-to-noise ratio 10 log10(mean(Y^2) / sigma^2) in decibels; from 300 on there is no noise to speak of
        pub snr_db: f64 = 30.0, in Range::at_least(-100.0).at_most(1000.0), "DB";
        /// Number of pixels of a made-up scene, as square as it goes
        pub pixels: usize = 10_000, in Range::at_least(1.0).at_most(1e11), "N";
        /// Number of bands of a made-up scene
        pub bands: usize = 200, in Range::at_least(1.0).at_most(1e6), "L";
        /// Number of endmembers of a made-up scene
        pub materials: usize = 5, in Range::at_least(1.0).at_most(1e4), "K";
        /// Format; by the ending of --out unless given
        pub format: Option<Format> = None;
    }
    beside {
        spectra_given: bool = false;
        abundances_given: bool = false;
    }
    needs {
        ["bands", "materials"] |own| !own.spectra_given => "the spectra are given, not made up";
        ["pixels"] |own| !own.abundances_given => "the abundances are given, not made up";
    }
}

/// Simulate a scene with a known truth: given endmembers and abundances, or made-up ones
#[derive(Args)]
pub struct Arguments {
    /// Endmembers to mix [default: smooth made-up spectra]
    #[arg(long, value_name = "FILE")]
    endmembers: Option<PathBuf>,

    /// Abundances to mix them by [default: made-up patches]
    #[arg(long, value_name = "FILE", requires = "endmembers")]
    abundances: Option<PathBuf>,

    #[command(flatten)]
    simulation: Flags<Simulation>,
    #[command(flatten)]
    seed: Seed,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    out: Out,
    #[command(flatten)]
    output: Output,
}

/// What is written, or would be.
#[derive(Serialize)]
pub struct Written {
    #[serde(skip)]
    done: bool,
    written: Vec<String>,
    rows: usize,
    columns: usize,
    bands: usize,
    endmembers: usize,
    #[serde(skip)]
    format: Format,
    /// The spectra and abundances that are mixed, where they are given.
    #[serde(skip)]
    given: Option<(Endmembers, Option<Abundances>)>,
}

impl Command for Arguments {
    type Plan = Written;
    type Outcome = Written;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).seed(&self.seed).threads(&self.threads).out(&self.out)
    }

    fn unused(&self) -> Vec<(String, String)> {
        let (spectra_given, abundances_given) = (self.endmembers.is_some(), self.abundances.is_some());
        Simulation { spectra_given, abundances_given, ..self.simulation.settings.clone() }.unused()
    }

    fn plan(&self, session: &Session) -> Result<Written> {
        let Some(out) = session.out() else { bail!("--out is needed: where the scene goes") };
        let Simulation { pixels, bands, materials, .. } = self.simulation.settings;
        let format = self.format(out)?;
        let given = self.given()?;
        let (rows, columns) = match &given {
            Some((_, Some(abundances))) => {
                self.abundances.as_deref().and_then(image).unwrap_or_else(|| nearly_square(abundances.count()))
            }
            _ => nearly_square(pixels),
        };
        let (bands, endmembers) =
            given.as_ref().map_or((bands, materials), |(endmembers, _)| (endmembers.bands(), endmembers.count()));
        // a made-up ENVI scene is held a row at a time, the others whole
        let whole = given.is_some() || format != Format::Envi;
        let held = if whole { rows * columns } else { columns };
        let (values, abundances) = (held.saturating_mul(bands), held.saturating_mul(endmembers));
        check_available("this scene", values as u64, BYTES_A_VALUE)?;
        check_available("abundances of this scene", abundances as u64, BYTES_AN_ABUNDANCE)?;
        let beside = |ending: &str| out.with_extension(ending);
        let mut written = vec![out.to_path_buf()];
        match (format, whole) {
            (Format::Mat | Format::Npz, _) => {}
            (Format::Envi, false) => written.extend([beside("endmembers.npy"), beside("hdr")]),
            (Format::Envi, true) => written.extend(["hdr", "endmembers.npy", "abundances.npy"].map(beside)),
            (Format::Npy, _) => written.extend(["endmembers.npy", "abundances.npy"].map(beside)),
        }
        written.iter().try_for_each(|path| session.may_write(path))?;
        let written = written.iter().map(|path| path.display().to_string()).collect();
        Ok(Written { done: false, written, rows, columns, bands, endmembers, format, given })
    }

    fn work(self, mut plan: Written, session: &mut Session) -> Result<Written> {
        let Some(out) = session.out() else { bail!("--out is needed: where the scene goes") };
        let stream = Stream::new(session.seed(), "simulated scene");
        let given = plan.given.take();
        if plan.format == Format::Envi && given.is_none() {
            self.write_by_rows(&plan, out, stream)?;
        } else {
            self.write_whole(&plan, given, out, stream)?;
        }
        Ok(Written { done: true, ..plan })
    }
}

impl Arguments {
    fn format(&self, out: &Path) -> Result<Format> {
        let ending = out.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        match (self.simulation.settings.format, ending.as_deref()) {
            (Some(format), _) => Ok(format),
            (None, Some("mat")) => Ok(Format::Mat),
            (None, Some("npz")) => Ok(Format::Npz),
            (None, Some("npy")) => Ok(Format::Npy),
            (None, Some("img" | "dat" | "raw" | "bip")) => Ok(Format::Envi),
            (None, _) => bail!("{}: end the name in .mat, .npz, .npy or .img, or say --format", out.display()),
        }
    }

    fn given(&self) -> Result<Option<(Endmembers, Option<Abundances>)>> {
        let Some(endmembers) = &self.endmembers else { return Ok(None) };
        let Some(abundances) = &self.abundances else {
            let files = [endmembers.clone()];
            return Ok(Some((open_estimate(&files, &files, None, None)?.0.endmembers, None)));
        };
        let files = [endmembers.clone(), abundances.clone()];
        let (given, _) = open_estimate(&files, &files, None, None)?;
        let found = given.abundances.with_context(|| {
            format!("{}: no abundances for {} endmembers", abundances.display(), given.endmembers.count())
        })?;
        Ok(Some((given.endmembers, Some(found))))
    }

    /// A scene that fits into memory.
    fn write_whole(
        &self,
        plan: &Written,
        given: Option<(Endmembers, Option<Abundances>)>,
        out: &Path,
        stream: Stream,
    ) -> Result<()> {
        let Written { rows, columns, bands, endmembers: count, format, .. } = *plan;
        let (endmembers, abundances) = match given {
            Some((endmembers, Some(abundances))) => (endmembers, abundances),
            Some((endmembers, None)) => (endmembers, patches(rows, columns, count, BLUR, stream.child(1))?),
            None => (
                smooth_endmembers(count, bands, stream.child(0))?,
                patches(rows, columns, count, BLUR, stream.child(1))?,
            ),
        };
        let pixels = mix(&endmembers, &abundances, self.simulation.settings.snr_db, stream.child(2))?;
        let spectra = Array::new(vec![count, bands], Values::F64(endmembers.values().to_vec()))?;
        let maps = Array::new(vec![rows, columns, count], Values::F64(abundances.values().to_vec()))?;
        match format {
            Format::Mat | Format::Npz => {
                // spectra as columns, and the pixels as each kind of file has them: down the columns of the image in MATLAB's
                let down = format == Format::Mat;
                let mut values = vec![0.0f32; pixels.values().len()];
                for (n, spectrum) in pixels.spectra().enumerate() {
                    let place = if down { n % columns * rows + n / columns } else { n };
                    spectrum.iter().enumerate().for_each(|(b, v)| values[b * rows * columns + place] = *v);
                }
                let matrix = Array::new(vec![bands, rows * columns], Values::F32(values))?;
                let number = |n: usize| Array::new(vec![1, 1], Values::F64(vec![n as f64]));
                let (lines, cols) = (number(rows)?, number(columns)?);
                let named = [("Y", &matrix), ("GT", &spectra), ("S_GT", &maps), ("lines", &lines), ("cols", &cols)];
                if format == Format::Mat {
                    write_mat(out, &named)?
                } else {
                    write_npz(out, &named)?
                };
                return Ok(());
            }
            Format::Npy => {
                write_npy(out, &Array::new(vec![rows, columns, bands], Values::F32(pixels.values().to_vec()))?)?;
            }
            Format::Envi => {
                let header = EnviHeader {
                    reflectance_scale: REFLECTANCE_SCALE,
                    description: "simulated".into(),
                    ..EnviHeader::new(rows, columns, bands)
                };
                let row = |row| Ok(pixels.values()[row * columns * bands..(row + 1) * columns * bands].to_vec());
                write_reflectance(out, &header, row)?;
            }
        }
        write_npy(&out.with_extension("endmembers.npy"), &spectra)?;
        Ok(write_npy(&out.with_extension("abundances.npy"), &maps)?)
    }

    /// A scene of any size, a row at a time: Dirichlet abundances, which need no neighbours.
    fn write_by_rows(&self, plan: &Written, out: &Path, stream: Stream) -> Result<()> {
        let Written { rows, columns, bands, endmembers: materials, .. } = *plan;
        let snr_db = self.simulation.settings.snr_db;
        let endmembers = smooth_endmembers(materials, bands, stream.child(0))?;
        let header = EnviHeader {
            wavelengths_nm: (0..bands).map(|b| 400.0 + 2100.0 * b as f64 / (bands.max(2) - 1) as f64).collect(),
            reflectance_scale: REFLECTANCE_SCALE,
            description: format!("simulated: {materials} materials, {snr_db} dB, seed {}", self.seed.seed),
            ..EnviHeader::new(rows, columns, bands)
        };
        write_reflectance(out, &header, |row| {
            let stream = stream.child(3).child(row as u64);
            let abundances = dirichlet(columns, materials, 0.3, stream.child(0))?;
            Ok(mix(&endmembers, &abundances, snr_db, stream.child(1))?.values().to_vec())
        })?;
        let spectra = Array::new(vec![materials, bands], Values::F64(endmembers.values().to_vec()))?;
        Ok(write_npy(&out.with_extension("endmembers.npy"), &spectra)?)
    }
}

/// Writes an ENVI image of the reflectances of each row.
fn write_reflectance(
    out: &Path,
    header: &EnviHeader,
    row_of: impl Fn(usize) -> cupel::unmixing::Result<Vec<f32>>,
) -> Result<()> {
    let mut failure = None;
    write_envi(out, header, |row, values: &mut [u16]| {
        match row_of(row) {
            Ok(reflectance) => values.iter_mut().zip(reflectance).for_each(|(v, r)| {
                *v = (f64::from(r) * REFLECTANCE_SCALE).round().clamp(0.0, f64::from(u16::MAX)) as u16;
            }),
            Err(error) => failure = failure.take().or(Some(error)),
        }
        Ok(())
    })?;
    failure.map_or(Ok(()), |error| Err(error.into()))
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

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, columns, bands, endmembers, .. } = self;
        let would = if self.done { "" } else { "would write " };
        writeln!(f, "{rows} x {columns} pixels, {bands} bands, {endmembers} endmembers")?;
        self.written.iter().try_for_each(|path| writeln!(f, "{would}{path}"))
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
