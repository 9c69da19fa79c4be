//! Sweeps over an array of lights as work that stops and goes on.

use cupel_train::{Advance, Computing, Metrics, Position, Progress, SetReader, SetWriter, fingerprint};
use num_complex::Complex;

use super::{Beginning, LightSweeps, Purpose};
use crate::{Error, Lights, calibration::forward::Value};

const PLANES: &str = "planes.bin";
const STATE: &str = "lights.json";

impl Advance for LightSweeps<'_> {
    fn advance(&mut self, at: Position) -> cupel_train::Result<Progress> {
        let over = Self::advance(self, at.update as usize).map_err(cupel_train::Error::work)?;
        let mut metrics = Metrics::from([("r_factor", self.state.curve.last().copied().unwrap_or(f64::NAN))]);
        if let Some(left) = self.state.judged.last() {
            metrics.push("held_out", *left);
        }
        Ok(Progress { metrics, done: over.then_some("all sweeps are made") })
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        let best = self.best.as_ref().map_or([&[][..], &[]], |(values, window)| [values.as_slice(), window]);
        let all = [self.forward.values.as_slice(), &self.forward.window, best[0], best[1]];
        let bytes = all.into_iter().flatten().flat_map(|value| [value.re.to_le_bytes(), value.im.to_le_bytes()]);
        set.bytes(PLANES, &bytes.flatten().collect::<Vec<u8>>())?;
        set.json(STATE, &self.state)
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        self.state = set.json(STATE)?;
        let number = |bytes: &[u8]| bytes.try_into().map_or(f32::NAN, f32::from_le_bytes);
        let values: Vec<Value> =
            set.bytes(PLANES)?.chunks_exact(8).map(|b| Complex::new(number(&b[..4]), number(&b[4..]))).collect();
        let (plane, window) = (self.forward.values.len(), self.forward.window.len());
        let unfit = |got| cupel_train::Error::work(Error::Shape { what: "saved state", got, wanted: plane + window });
        let own = |part: &[Value]| (part[..plane].to_vec(), part[plane..].to_vec());
        (self.forward.values, self.forward.window) =
            values.get(..plane + window).map(own).ok_or_else(|| unfit(values.len()))?;
        self.best = match &values[plane + window..] {
            [] => None,
            rest if rest.len() == plane + window => Some(own(rest)),
            rest => return Err(unfit(rest.len())),
        };
        self.centres = self.lights.array.centres(self.pose());
        Ok(())
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        let used: Vec<usize> = self.which.iter().chain(&self.held).copied().collect();
        let frames = self.exposures.identity(&used).map_err(cupel_train::Error::work)?;
        let Beginning { pose, window } = &self.begin;
        let window: Vec<u64> = window.values().iter().flat_map(|v| [v.re.to_bits(), v.im.to_bits()]).collect();
        let Lights { array, brightness, .. } = self.lights;
        let said = format!("{array:?} {brightness:?} {:?}", self.exposures.good);
        fingerprint(&(
            "lights",
            frames,
            used,
            self.which.len(),
            self.purpose,
            &self.config,
            pose.parameters(),
            window,
            said,
        ))
    }

    fn name(&self) -> &str {
        if self.purpose == Purpose::Pose { "pose" } else { "lights" }
    }

    fn total(&self) -> Option<u64> {
        Some(Self::total(self) as u64)
    }

    fn computing(&self) -> Option<Computing> {
        Some(Computing::on_host("f32", 0))
    }
}
