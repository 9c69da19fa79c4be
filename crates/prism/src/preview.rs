//! [`Preview`]: pictures of the object while the work goes on: one that is renewed, and some that are kept.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use cupel_data::{Array, Values, write_png};
use cupel_train::{Advance, Computing, Position, Progress, Run, SetReader, SetWriter, Trainer};
use serde::{Deserialize, Serialize};

use crate::{Exposures, Pie, Plane, Progressive, Raar, Result, Search, calibration::light_sweeps::LightSweeps};

/// How often the picture is renewed.
const EVERY: Duration = Duration::from_secs(3);
/// Rows, and columns, of the pictures that are kept: larger objects are made smaller.
const KEPT_SIDE: usize = 192;

/// Work that has an object to show.
pub(crate) trait Shows: Advance {
    /// The object in its field as it stands.
    fn shown(&self) -> Result<Plane>;
}

impl Shows for Search {
    fn shown(&self) -> Result<Plane> {
        Ok(self.object())
    }
}

impl Shows for Pie {
    fn shown(&self) -> Result<Plane> {
        self.object()
    }
}

impl Shows for LightSweeps<'_> {
    fn shown(&self) -> Result<Plane> {
        self.object()
    }
}

impl Shows for Raar {
    fn shown(&self) -> Result<Plane> {
        self.object()
    }
}

impl Shows for Trainer<Progressive> {
    fn shown(&self) -> Result<Plane> {
        self.fit().object(&self.model())
    }
}

/// How an object came to be: grey pictures of its amplitude, each from black to white, after steps that lie further and further apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Film {
    /// Rows and columns of a picture.
    pub size: [usize; 2],
    /// After which steps the pictures were made.
    pub steps: Vec<u64>,
    /// The pictures, one after the other, row by row.
    pub grey: Vec<u8>,
}

impl Film {
    fn add(&mut self, step: u64, object: &Plane) {
        let side = object.rows().max(object.columns());
        let by = side.div_ceil(KEPT_SIDE).max(1);
        let size = [object.rows().div_ceil(by), object.columns().div_ceil(by)];
        let amplitude = object.amplitude();
        let mean = |row: usize, column: usize| {
            let rows = row * by..((row + 1) * by).min(object.rows());
            let columns = column * by..((column + 1) * by).min(object.columns());
            let count = rows.len() * columns.len();
            let sum: f64 = rows
                .flat_map(|row| columns.clone().map(move |column| (row, column)))
                .map(|(row, column)| amplitude[row * object.columns() + column])
                .sum();
            sum / count as f64
        };
        let means: Vec<f64> = (0..size[0] * size[1]).map(|place| mean(place / size[1], place % size[1])).collect();
        self.size = size;
        self.steps.push(step);
        self.grey.extend(grey(&means));
    }
}

/// Whether the object after so many steps is kept: 1, 2, 3, 4, 6, 8, 12, 16 and so on.
fn is_kept(step: u64) -> bool {
    let power = step.checked_ilog2().map_or(0, |log| 1 << log);
    step > 0 && (step == power || 2 * step == 3 * power)
}

/// Work that leaves `preview.png` in the folder of its run, every few seconds, and keeps a film of its object.
pub(crate) struct Preview<'a, A> {
    work: &'a mut A,
    path: Option<PathBuf>,
    support: [usize; 2],
    renewed: Instant,
    step: u64,
    film: Film,
}

impl<'a, A: Shows> Preview<'a, A> {
    pub(crate) fn new(work: &'a mut A, exposures: &Exposures, run: &Run) -> Self {
        let support = exposures.known.support.unwrap_or(exposures.optics.size);
        let path = run.dir().map(|dir| dir.join("preview.png"));
        Self { work, path, support, renewed: Instant::now(), step: 0, film: Film::default() }
    }

    /// What was kept, with the object at the end; nothing of work that has no folder.
    pub(crate) fn film(mut self) -> Result<Film> {
        if self.path.is_some() && self.film.steps.last() != Some(&self.step) {
            let object = self.work.shown()?.middle(self.support[0], self.support[1])?;
            self.film.add(self.step, &object);
        }
        Ok(self.film)
    }

    /// A preview that cannot be written is no reason to lose the work: the results will say what is wrong with the folder.
    fn show(&mut self) -> Result<()> {
        self.step += 1;
        let Some(path) = &self.path else { return Ok(()) };
        let (kept, renewed) = (is_kept(self.step), self.renewed.elapsed() >= EVERY);
        if !kept && !renewed {
            return Ok(());
        }
        let object = self.work.shown()?.middle(self.support[0], self.support[1])?;
        if renewed {
            self.renewed = Instant::now();
            let _ = picture(&object).map(|picture| write_png(path, &picture));
        }
        if kept {
            self.film.add(self.step, &object);
        }
        Ok(())
    }
}

/// Values from black to white.
fn grey(values: &[f64]) -> Vec<u8> {
    let brightest = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    values.iter().map(|value| (255.0 * value / brightest).round() as u8).collect()
}

fn picture(object: &Plane) -> cupel_data::Result<Array> {
    Array::new(vec![object.rows(), object.columns()], Values::U8(grey(&object.amplitude())))
}

#[derive(Deserialize, Serialize)]
struct Header {
    step: u64,
    size: [usize; 2],
    steps: Vec<u64>,
}

const HEADER: &str = "film.json";
const GREY: &str = "film.grey";

impl<A: Shows> Advance for Preview<'_, A> {
    fn advance(&mut self, at: Position) -> cupel_train::Result<Progress> {
        let progress = self.work.advance(at)?;
        self.show().map_err(cupel_train::Error::work)?;
        Ok(progress)
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        self.work.save(set)?;
        let Film { size, steps, grey } = &self.film;
        set.json(HEADER, &Header { step: self.step, size: *size, steps: steps.clone() })?;
        set.bytes(GREY, grey)
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        self.work.load(set)?;
        // one of work that was not watched has no film
        if !set.names().any(|name| name == HEADER) {
            return Ok(());
        }
        let Header { step, size, steps } = set.json(HEADER)?;
        self.film = Film { size, steps, grey: set.bytes(GREY)? };
        self.step = step;
        Ok(())
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        self.work.fingerprint()
    }

    fn name(&self) -> &str {
        self.work.name()
    }

    fn total(&self) -> Option<u64> {
        self.work.total()
    }

    fn computing(&self) -> Option<Computing> {
        self.work.computing()
    }

    fn has_more(&self) -> bool {
        self.work.has_more()
    }

    fn next(&self, at: Position) -> Position {
        self.work.next(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_film_is_short_and_small() {
        assert_eq!((0..50).filter(|step| is_kept(*step)).collect::<Vec<u64>>(), [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48]);
        let mut film = Film::default();
        film.add(1, &Plane::from_fn(400, 201, |row, _| (row as f64).into()));
        // three rows and columns are one
        assert_eq!((film.size, film.grey.len()), ([134, 67], 134 * 67));
        assert_eq!((film.grey[0], film.grey[133 * 67]), (1, 255));
    }
}
