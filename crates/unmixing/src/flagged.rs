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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Method, Pixels, Unmixing, UnmixingConfig, mix, patches, smooth_endmembers};
    use cupel_data::{Axes, Axis, AxisKind, Cube, Stream};

    const ROWS: usize = 20;
    const COLUMNS: usize = 24;
    const BANDS: usize = 16;
    const SEEDS: std::ops::Range<u64> = 40..44;

    /// Spectra of a scene of three materials at 40 dB, pixel after pixel.
    fn spectra(seed: u64) -> Vec<f32> {
        let stream = Stream::new(seed, "flagged");
        let truth = smooth_endmembers(3, BANDS, stream.child(0)).unwrap();
        let shares = patches(ROWS, COLUMNS, 3, 0.05, stream.child(1)).unwrap();
        mix(&truth, &shares, 40.0, stream.child(2)).unwrap().values().to_vec()
    }

    fn pixel(values: &mut [f32], row: usize, column: usize) -> &mut [f32] {
        &mut values[(row * COLUMNS + column) * BANDS..][..BANDS]
    }

    /// What is flagged of these spectra, with other errors than those of the fit.
    fn flagged(values: Vec<f32>, errors: impl Fn(&mut [f64])) -> Flagged {
        let axes = [(AxisKind::Row, ROWS), (AxisKind::Column, COLUMNS), (AxisKind::Wavelength, BANDS)];
        let axes = Axes::new(axes.map(|(kind, len)| Axis::new(kind, len)).to_vec()).unwrap();
        let scene = Scene::new("flagged", Cube::new(values.clone(), axes).unwrap(), None).unwrap();
        let config = UnmixingConfig { method: Method::Vca, ..UnmixingConfig::new(3) };
        let pixels = Pixels::new(values.into(), BANDS).unwrap();
        let mut unmixed = Unmixing::new(config).fit_pixels(&pixels).unwrap();
        errors(&mut unmixed.errors);
        Flagged::of(&scene, &unmixed)
    }

    #[test]
    fn nothing_is_flagged_where_nothing_is_wrong() {
        for seed in SEEDS {
            let found = flagged(spectra(seed), |_| ());
            assert!(found.words.is_empty() && found.pixels.is_empty(), "seed {seed}: {:?}", found.words);
            assert!(found.table().unwrap().is_none());
        }
    }

    #[test]
    fn dead_rows_and_columns_are_named_as_they_are_counted() {
        for seed in SEEDS {
            let mut values = spectra(seed);
            let one = pixel(&mut values, 7, 3).to_vec();
            (0..COLUMNS).for_each(|column| pixel(&mut values, 7, column).copy_from_slice(&one));
            let found = flagged(values.clone(), |_| ());
            assert!(
                found.words.iter().any(|words| words.starts_with("All pixels of row 8 are the same")),
                "{:?}",
                found.words
            );
            assert!(!found.words.iter().any(|words| words.contains("column")), "{:?}", found.words);
            for column in [0, 21] {
                let one = pixel(&mut values, 2, column).to_vec();
                (0..ROWS).for_each(|row| pixel(&mut values, row, column).copy_from_slice(&one));
            }
            let found = flagged(values, |_| ());
            assert!(found.words.iter().any(|words| words.contains("column 1, 22 are the same")), "{:?}", found.words);
        }
    }

    #[test]
    fn pixels_at_the_largest_number_are_listed() {
        for seed in SEEDS {
            let mut values = spectra(seed);
            let full = 0.85 * values.iter().copied().fold(0.0, f32::max);
            let is_full = |spectrum: &[f32]| spectrum.iter().filter(|v| **v >= full).count();
            let expected: Vec<([usize; 2], f64)> = (0..ROWS * COLUMNS)
                .map(|place| {
                    ([place / COLUMNS + 1, place % COLUMNS + 1], is_full(&values[place * BANDS..][..BANDS]) as f64)
                })
                .filter(|(_, bands)| *bands > 0.0)
                .collect();
            values.iter_mut().for_each(|v| *v = v.min(full));
            let found = flagged(values, |_| ());
            let listed: Vec<([usize; 2], f64)> = found
                .pixels
                .iter()
                .filter(|(_, what, _)| *what == "bands at the largest number")
                .map(|&(at, _, bands)| (at, bands))
                .collect();
            assert_eq!(listed, expected, "seed {seed}");
            let [row, column] = expected[0].0;
            let words = format!("(the first at row {row}, column {column}): they look saturated");
            assert!(found.words.iter().any(|own| own.contains(&words)), "{:?}", found.words);
        }
    }

    #[test]
    fn errors_far_above_the_others_and_beyond_the_data_are_named_by_their_place() {
        for seed in SEEDS {
            let found = flagged(spectra(seed), |errors| {
                errors[12 * COLUMNS + 17] = 0.2;
                errors[5] = 40.0;
            });
            let words = &found.words[0];
            assert!(words.contains("of 2 pixels") && words.contains("40.0000 at row 1, column 6"), "{words}");
            assert!(words.contains("1 is beyond the whole range of the data"), "{words}");
            let places: Vec<([usize; 2], &str)> = found.pixels.iter().map(|&(at, what, _)| (at, what)).collect();
            assert_eq!(places, [([1, 6], "error beyond the range of the data"), ([13, 18], "reconstruction error")]);
            let table = found.table().unwrap().unwrap();
            assert_eq!(table.to_csv().lines().count(), 3);
        }
    }
}
