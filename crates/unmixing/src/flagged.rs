//! Pixels that a reader should look at, by row and column: the purest of each material, and those that look broken.

use cupel_report::{Cell, Table};

use crate::{Result, Scene, Unmixed, metrics::spectral_angle};

/// Most pixels that a table lists.
const LISTED: usize = 100;
/// So many times the spread of the errors above their middle is no noise; the spread is 1.4826 times the median absolute deviation.
const FAR: f64 = 12.0;
const SPREAD: f64 = 1.4826;
/// So often must the largest number be there to be one at which the instrument stops, ...
const STOPS: usize = 8;
/// ... and so much more often than the next smaller one.
const MORE_OFTEN: usize = 5;

/// What looks broken in a scene.
#[derive(Debug, Default)]
pub(crate) struct Flagged {
    /// Row and column counted from 1, what is wrong, and how much.
    pixels: Vec<([usize; 2], &'static str, f64)>,
    /// A sentence for each kind.
    pub(crate) words: Vec<String>,
}

impl Flagged {
    /// Looks for errors that are far from all others or beyond the range of the data, numbers at which the instrument stopped, rows and
    /// columns that are the same everywhere.
    pub(crate) fn of(scene: &Scene, unmixed: &Unmixed) -> Self {
        let mut flagged = Self::default();
        flagged.see_errors(scene, &unmixed.errors);
        flagged.see_full(scene);
        flagged.see_lines(scene);
        flagged
    }

    fn see_errors(&mut self, scene: &Scene, errors: &[f64]) {
        let median = |mut values: Vec<f64>| {
            let middle = values.len() / 2;
            *values.select_nth_unstable_by(middle, f64::total_cmp).1
        };
        let middle = median(errors.to_vec());
        let spread = SPREAD * median(errors.iter().map(|error| (error - middle).abs()).collect());
        let (low, high) = scene
            .cube
            .values()
            .iter()
            .filter(|v| v.is_finite())
            .fold((f32::MAX, f32::MIN), |(low, high), &v| (low.min(v), high.max(v)));
        let range = f64::from(high - low);
        let mut far: Vec<(usize, f64)> = scene.usable.places().zip(errors.iter().copied()).collect();
        // Of a scene without noise the smallest error is far from none.
        far.retain(|&(_, error)| {
            error > range || (error > middle + FAR * spread && error > 3.0 * middle && error > 1e-3 * range)
        });
        far.sort_by(|a, b| b.1.total_cmp(&a.1));
        let beyond = far.iter().filter(|&&(_, error)| error > range).count();
        if let Some(&(place, error)) = far.first() {
            let [row, column] = position(scene, place);
            let more = if beyond > 0 {
                format!("; {} beyond the whole range of the data", were(beyond))
            } else {
                String::new()
            };
            self.words.push(format!(
                "The reconstruction error of {} is far above that of the others ({error:.4} at row {row}, column {column}, {middle:.4} in \
                 the middle{more}): what is there is not among the endmembers, or broken",
                count(far.len())
            ));
        }
        let why =
            |error: f64| if error > range { "error beyond the range of the data" } else { "reconstruction error" };
        self.pixels.extend(far.into_iter().map(|(place, error)| (position(scene, place), why(error), error)));
    }

    /// Numbers that occur far more often than the next smaller ones and are the largest of all.
    fn see_full(&mut self, scene: &Scene) {
        let (mut full, mut next, mut counts) = (f32::MIN, f32::MIN, [0_usize; 2]);
        for &v in scene.cube.values().iter().filter(|v| v.is_finite()) {
            if v > full {
                (next, full, counts) = (full, v, [1, counts[0]]);
            } else if v == full {
                counts[0] += 1;
            } else if v > next {
                (next, counts[1]) = (v, 1);
            } else if v == next {
                counts[1] += 1;
            }
        }
        if counts[0] < STOPS || counts[0] < MORE_OFTEN * counts[1] || counts[1] == 0 {
            return;
        }
        let bands = scene.bands().kept.len();
        let spectra = scene.cube.values().chunks_exact(bands).enumerate();
        let full_bands = |spectrum: &[f32]| spectrum.iter().filter(|&&v| v == full).count();
        let stopped: Vec<(usize, usize)> =
            spectra.map(|(place, spectrum)| (place, full_bands(spectrum))).filter(|(_, count)| *count > 0).collect();
        let Some(&(first, _)) = stopped.first() else { return };
        let [row, column] = position(scene, first);
        self.words.push(format!(
            "{} {} at the largest number there is, {}, in some band (the first at row {row}, column {column}): they look saturated",
            count(stopped.len()),
            if stopped.len() == 1 { "stands" } else { "stand" },
            f64::from(full) * scene.scale
        ));
        let name = "bands at the largest number";
        self.pixels.extend(stopped.into_iter().map(|(place, count)| (position(scene, place), name, count as f64)));
    }

    /// Rows and columns of which all usable pixels have one and the same spectrum.
    fn see_lines(&mut self, scene: &Scene) {
        let (rows, columns) = scene.image_size();
        let bands = scene.bands().kept.len();
        let spectrum = |place: usize| &scene.cube.values()[place * bands..(place + 1) * bands];
        let is_stuck = |places: &mut dyn Iterator<Item = usize>| {
            let mut usable = places.filter(|&place| spectrum(place)[0].is_finite());
            let Some(first) = usable.next() else { return false };
            let mut others = 0;
            usable.all(|place| {
                others += 1;
                spectrum(place) == spectrum(first)
            }) && others > 1
        };
        let stuck = |lines: usize, of: &dyn Fn(usize) -> Box<dyn Iterator<Item = usize>>| -> Vec<String> {
            (0..lines).filter(|&line| is_stuck(&mut of(line))).map(|line| (line + 1).to_string()).collect()
        };
        let in_rows = stuck(rows, &|row| Box::new(row * columns..(row + 1) * columns));
        let in_columns = stuck(columns, &|column| Box::new((0..rows).map(move |row| row * columns + column)));
        for (lines, all, name) in [(in_rows, rows, "row"), (in_columns, columns, "column")] {
            // A scene of one spectrum is no broken one.
            if !lines.is_empty() && lines.len() < all {
                let more = if lines.len() > 12 { ", ..." } else { "" };
                let shown = lines.iter().take(12).cloned().collect::<Vec<_>>().join(", ");
                self.words
                    .push(format!("All pixels of {name} {shown}{more} are the same: a dead line of the detector"));
            }
        }
    }

    /// The pixels, the worst of each kind first; nothing where there is none.
    pub(crate) fn table(&self) -> Result<Option<Table>> {
        let mut table = Table::new()
            .number_column("row", "", 0)
            .number_column("column", "", 0)
            .text_column("what")
            .number_column("value", "", 4);
        for ([row, column], what, value) in self.pixels.iter().take(LISTED) {
            table.push([Cell::from(*row as f64), Cell::from(*column as f64), Cell::from(*what), Cell::from(*value)])?;
        }
        Ok((!self.pixels.is_empty()).then_some(table))
    }

    /// What stands under the table.
    pub(crate) fn caption(&self) -> String {
        let listed = self.pixels.len().min(LISTED);
        let of = if listed < self.pixels.len() {
            format!(" The first {listed} of {}.", self.pixels.len())
        } else {
            String::new()
        };
        format!("Pixels that look broken, by row and column counted from 1.{of}")
    }
}

/// For each endmember the pixel with the most of it, of equal ones that whose spectrum is nearest.
pub(crate) fn purest(scene: &Scene, unmixed: &Unmixed, names: &[String]) -> Result<Table> {
    let bands = scene.bands().kept.len();
    let places: Vec<usize> = scene.usable.places().collect();
    let shares = unmixed.own_abundances();
    let mut table = Table::new()
        .text_column("endmember")
        .number_column("row", "", 0)
        .number_column("column", "", 0)
        .number_column("abundance", "", 4)
        .number_column("angle", "rad", 4);
    for (k, name) in names.iter().enumerate() {
        let share = shares.map(k);
        let most = share.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let angle = |place: usize| {
            let spectrum: Vec<f64> =
                scene.cube.values()[place * bands..(place + 1) * bands].iter().map(|&v| f64::from(v)).collect();
            spectral_angle(&spectrum, unmixed.endmembers.spectrum(k))
        };
        let purest = places
            .iter()
            .zip(&share)
            .filter(|(_, share)| **share >= most - 1e-9)
            .map(|(&place, &share)| (place, share, angle(place)));
        let Some((place, share, angle)) = purest.min_by(|a, b| a.2.total_cmp(&b.2)) else { continue };
        let [row, column] = position(scene, place);
        table.push([
            Cell::from(name.as_str()),
            Cell::from(row as f64),
            Cell::from(column as f64),
            Cell::from(share),
            Cell::from(angle),
        ])?;
    }
    Ok(table)
}

/// Row and column of a pixel, counted from 1.
fn position(scene: &Scene, place: usize) -> [usize; 2] {
    let (_, columns) = scene.image_size();
    [place / columns + 1, place % columns + 1]
}

fn count(pixels: usize) -> String {
    format!("{pixels} pixel{}", if pixels == 1 { "" } else { "s" })
}

fn were(count: usize) -> String {
    format!("{count} {}", if count == 1 { "is" } else { "are" })
}
