//! [`Preview`]: a picture of the object that is renewed while the work goes on.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use cupel_data::{Array, Values, write_png};
use cupel_train::{Advance, Computing, Position, Progress, Run, SetReader, SetWriter};

use crate::{Exposures, Plane, Search};

/// How often the picture is renewed.
const EVERY: Duration = Duration::from_secs(3);

/// A search that leaves `preview.png` in the folder of its run, every few seconds.
pub(crate) struct Preview<'a> {
    search: &'a mut Search,
    path: Option<PathBuf>,
    support: [usize; 2],
    shown: Instant,
}

impl<'a> Preview<'a> {
    pub(crate) fn new(search: &'a mut Search, exposures: &Exposures, run: &Run) -> Self {
        let support = exposures.known.support.unwrap_or(exposures.optics.size);
        Self { search, path: run.dir().map(|dir| dir.join("preview.png")), support, shown: Instant::now() }
    }

    /// A preview that cannot be written is no reason to lose the work: the results will say what is wrong with the folder.
    fn show(&mut self) {
        let Some(path) = self.path.as_ref().filter(|_| self.shown.elapsed() >= EVERY) else { return };
        self.shown = Instant::now();
        if let Ok(object) = self.search.object().middle(self.support[0], self.support[1]) {
            let _ = picture(&object).map(|picture| write_png(path, &picture));
        }
    }
}

/// Amplitudes from black to white.
fn picture(object: &Plane) -> cupel_data::Result<Array> {
    let amplitude = object.amplitude();
    let brightest = amplitude.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let grey = amplitude.iter().map(|value| (255.0 * value / brightest).round() as u8).collect();
    Array::new(vec![object.rows(), object.columns()], Values::U8(grey))
}

impl Advance for Preview<'_> {
    fn advance(&mut self, at: Position) -> cupel_train::Result<Progress> {
        let progress = self.search.advance(at)?;
        self.show();
        Ok(progress)
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        self.search.save(set)
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        self.search.load(set)
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        self.search.fingerprint()
    }

    fn name(&self) -> &str {
        self.search.name()
    }

    fn total(&self) -> Option<u64> {
        self.search.total()
    }

    fn computing(&self) -> Option<Computing> {
        self.search.computing()
    }
}
