//! Calibration of arrays of lights: what is sought, with which settings, and [`calibrate_lights`].

use cupel_settings::{Range, settings};
use cupel_train::{Policy, Run};
use serde::{Deserialize, Serialize, Serializer};

use super::{
    Calibrated,
    bright_field::bright_pose,
    light_sweeps::{Beginning, LightSweeps, SweptLights},
};
use crate::{Exposures, Pose, Result, held_out::held_out_lights};

settings! {
    /// How arrays of lights are swept.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct LightsConfig in "lights" {
        /// Most times that all exposures are gone through
        pub sweeps: usize = 20, in Range::at_least(1.0).at_most(1e6), "N";
        /// Share of a correction of the object that is made at once
        pub step: f64 = 1.0, in Range::above(0.0).at_most(2.0), "SHARE";
        /// How fast steps become smaller: in sweep t they are divided by 1 + decay t
        pub decay: f64 = 0.3, in Range::at_least(0.0).at_most(100.0), "RATE";
        /// Highest order of the Zernike polynomials in the phase of a pupil
        pub pupil_order: usize = 6, in Range::at_least(0.0).at_most(20.0), "ORDER";
        /// Powers of the squared radius in the absorption of a pupil
        pub pupil_powers: usize = 6, in Range::at_least(0.0).at_most(12.0), "N";
    }
}

/// What of an instrument is looked for beside the object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sought {
    /// The positions of a probe, or the pose of an array of lights.
    pub positions: bool,
    /// The aberrations of the probe or the pupil.
    pub probe: bool,
    /// Brightness and background of each exposure.
    pub brightness: bool,
}

impl Sought {
    /// What is looked for, by name.
    pub fn names(self) -> Vec<&'static str> {
        let all = [("positions", self.positions), ("probe", self.probe), ("brightness", self.brightness)];
        all.into_iter().filter(|(_, sought)| *sought).map(|(name, _)| name).collect()
    }
}

impl Serialize for Sought {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.names().serialize(serializer)
    }
}

/// Calibrates an array of lights on the exposures `which`, with all that is `sought`; some of them say after which sweep to end.
///
/// # Errors
/// Exposures that contradict themselves or are not those of an array of lights, settings out of range.
pub fn calibrate_lights(
    exposures: &Exposures,
    which: &[usize],
    held_out: f64,
    sought: Sought,
    config: &LightsConfig,
) -> Result<Calibrated> {
    let held = held_out_lights(exposures, which, held_out);
    let fitted: Vec<usize> = which.iter().copied().filter(|frame| !held.contains(frame)).collect();
    let run = &mut Run::in_memory();
    let mut begin = Beginning::of(exposures)?;
    let mut bright = None;
    if sought.positions {
        bright = bright_pose(exposures, &fitted, begin.pose)?;
        begin.pose = match bright {
            Some(pose) => pose,
            None => found_pose(exposures, &fitted, &begin, config, run)?,
        };
    }
    let mut found = swept(exposures, &fitted, &held, sought, &begin, config, run)?;
    if sought.positions && sought.probe && bright.is_none() {
        // again with the pupil, whose aberrations move the images
        let again = Beginning { pose: begin.pose, window: found.model.window };
        begin.pose = found_pose(exposures, &fitted, &again, config, run)?;
        found = swept(exposures, &fitted, &held, sought, &begin, config, run)?;
    }
    if held.is_empty() {
        return Ok(found.model);
    }
    let last = LightsConfig { sweeps: found.sweeps, ..config.clone() };
    Ok(swept(exposures, which, &[], sought, &begin, &last, run)?.model)
}

fn found_pose(
    exposures: &Exposures,
    which: &[usize],
    begin: &Beginning,
    config: &LightsConfig,
    run: &mut Run,
) -> Result<Pose> {
    let mut sweeps = LightSweeps::for_pose(exposures, which, begin, config)?;
    run.drive(&mut sweeps, &Policy::default())?;
    Ok(sweeps.pose())
}

fn swept(
    exposures: &Exposures,
    which: &[usize],
    held: &[usize],
    sought: Sought,
    begin: &Beginning,
    config: &LightsConfig,
    run: &mut Run,
) -> Result<SweptLights> {
    let mut sweeps = LightSweeps::new(exposures, which, held, sought, begin, config)?;
    run.drive(&mut sweeps, &Policy::default())?;
    sweeps.swept()
}
