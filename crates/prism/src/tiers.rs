//! [`Tiers`]: how much of an instrument is looked for beside the object, decided by exposures held out.
//!
//! First all is taken as it is said to be, then positions are looked for, then the aberrations of probe or pupil, then, of arrays of lights, the
//! brightness of each exposure. Each is fitted without some of the exposures and has to foretell them better than what stands, or it is left
//! alone; only how an array of lights lies is judged by its bright frames, which need no object. No truth is looked at.

mod lights;
mod scan;

pub(crate) use lights::again as again_by_lights;

use cupel_settings::{Problem, choices};
use cupel_train::Run;
use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::{Error, Exposures, Geometry, Noise, Pose, ReconstructionConfig, Result, Solver, Sought, search::Found};

choices! {
    /// What of the instrument is looked for beside the object.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Calibration {
        /// Of scans of a probe and of arrays of lights what foretells exposures held out best; nothing of others
        Auto = "auto",
        /// Nothing: all is as it is said to be
        None = "none",
        /// The positions of a probe, or how an array of lights lies
        Positions = "positions",
        /// The same, and the aberrations of the probe or the pupil
        Probe = "probe",
        /// The same, and brightness and background of each light
        Brightness = "brightness",
    }
}

impl Calibration {
    /// What is looked for; nothing where exposures decide.
    fn sought(self) -> Sought {
        Sought { positions: self > Self::None, probe: self > Self::Positions, brightness: self > Self::Probe }
    }
}

/// A tier, and how it foretells the exposures that it was fitted without.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tier {
    /// What was looked for.
    pub sought: Sought,
    /// R-factor of the exposures held out.
    pub held_out_r: f64,
}

/// What was looked for beside the object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tiers {
    /// What was found and taken.
    pub taken: Sought,
    /// All tiers that were tried, in their order.
    pub tried: Vec<Tier>,
    /// Root of the mean squared move of positions along an axis: in pixels of the object, of lights in places of its spectrum.
    pub moved_px: f64,
    /// What was found of an array of lights.
    #[serde(flatten)]
    pub lights: Option<FoundLights>,
}

/// What was found of an array of lights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FoundLights {
    /// How the array lies.
    #[serde(serialize_with = "in_degrees")]
    pub pose: Pose,
    /// Of what bright frames leave unexplained at the pose that was said, the share that is left at one that others of them want, where these
    /// decided.
    pub bright_left: Option<f64>,
    /// Root of the mean squared change of the pupil's phase, in radians.
    pub pupil_rad: f64,
    /// Standard deviation of the brightness of the lights, relative to their mean.
    pub brightness_spread: f64,
    /// Mean of what was added to the pixels of all exposures, relative to the mean of the brightest.
    pub background: f64,
}

fn in_degrees<S: Serializer>(pose: &Pose, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    let mut own = serializer.serialize_struct("pose", 4)?;
    own.serialize_field("rotation_deg", &pose.rotation.to_degrees())?;
    own.serialize_field("x_mm", &(1e3 * pose.shift[0]))?;
    own.serialize_field("y_mm", &(1e3 * pose.shift[1]))?;
    own.serialize_field("distance_mm", &(1e3 * pose.distance))?;
    own.end()
}

/// Of its R-factor, how much better a tier has to be than what stands.
const BETTER: f64 = 0.005;

/// Exposures with their instrument as it was found.
pub(crate) struct Known {
    pub(crate) exposures: Exposures,
    /// Positions as they were found.
    pub(crate) centres: Vec<[f64; 2]>,
    pub(crate) tiers: Option<Tiers>,
    /// The object that sweeps over an array of lights found on the way, with their seconds in all processes.
    pub(crate) swept: Option<(Found, f64)>,
}

/// The exposures with their instrument as it was found, where anything was looked for.
///
/// # Errors
/// [`Error::Setting`] for something that is asked of exposures that do not have it; a signal to stop.
pub(crate) fn known(exposures: &Exposures, config: &ReconstructionConfig, seed: u64, run: &mut Run) -> Result<Known> {
    let optics = &exposures.optics;
    let free = optics.pupils.len() == 1 && exposures.known.support.is_none() && !exposures.known.real;
    let square = optics.window()[0] == optics.window()[1];
    let lights = free && square && optics.geometry == Geometry::Spectrum && exposures.lights.is_some();
    let scan = free && optics.geometry == Geometry::Object && optics.window() == [optics.detector; 2];
    let wrong = |expected: &str| Err(Error::Setting(Problem::value("calibration", config.calibration, expected)));
    let none = Known { exposures: exposures.clone(), centres: exposures.centres.clone(), tiers: None, swept: None };
    match config.calibration {
        Calibration::Positions | Calibration::Probe if !scan && !lights => {
            return wrong(
                "none, as only an array of lights, or a scan of one probe over a complex object, as large as its detector, has positions to find",
            );
        }
        Calibration::Brightness if !lights => {
            return wrong(
                "auto, none, positions or probe, as only an array of lights has a brightness of each exposure",
            );
        }
        Calibration::None if !(lights && sweeps(config, exposures)) => return Ok(none),
        _ if lights => return lights::known(exposures, config, seed, run),
        _ => {}
    }
    if !scan {
        return Ok(none);
    }
    let Some((exposures, tiers)) = scan::known(exposures, config, seed)? else { return Ok(none) };
    Ok(Known { centres: exposures.centres.clone(), exposures, tiers: Some(tiers), swept: None })
}

/// Whether the object that sweeps over an array of lights find is the one that is wanted: where the noise is not known they foretell other exposures
/// better than any fit to the end.
pub(crate) fn sweeps(config: &ReconstructionConfig, exposures: &Exposures) -> bool {
    match config.solver {
        Solver::Epie => true,
        Solver::Auto => exposures.noise == Noise::Unknown,
        _ => false,
    }
}

/// Root of the mean squared way from some positions to others, along an axis.
fn moved(from: &[[f64; 2]], to: &[[f64; 2]]) -> f64 {
    let moves = to.iter().zip(from).flat_map(|(to, from)| [to[0] - from[0], to[1] - from[1]]);
    (moves.map(|by| by * by).sum::<f64>() / (2 * from.len()).max(1) as f64).sqrt()
}

impl Tiers {
    /// In a sentence, for reports.
    pub fn words(&self) -> String {
        let Sought { positions, probe, brightness } = self.taken;
        let mut found = Vec::new();
        match (&self.lights, positions) {
            (Some(lights), true) => {
                let Pose { rotation, shift: [x, y], distance } = lights.pose;
                found.push(format!(
                    "the array of lights is turned by {:.3} degrees, {:.3} and {:.3} mm along x and y from the axis and {:.3} mm farther away than said",
                    rotation.to_degrees(),
                    1e3 * x,
                    1e3 * y,
                    1e3 * distance
                ));
            }
            (None, true) => found.push(format!("positions were moved by {:.2} pixels rms", self.moved_px)),
            (_, false) => found.push("positions are as they were said to be".into()),
        }
        match (&self.lights, probe) {
            (Some(lights), true) => {
                found.push(format!("the pupil has another phase by {:.2} rad rms", lights.pupil_rad))
            }
            (None, true) => found.push("the aberrations of the probe were found".into()),
            (Some(_), false) => found.push("the pupil is as it was said to be".into()),
            (None, false) => found.push("the probe is as it was said to be".into()),
        }
        if let (Some(lights), true) = (&self.lights, brightness) {
            found.push(format!(
                "the brightness of the lights differs by {:.1} %, {:.2} % of the brightest exposure is background",
                100.0 * lights.brightness_spread,
                100.0 * lights.background
            ));
        }
        let of = |tier: &Tier| {
            let names = tier.sought.names();
            let names = if names.is_empty() { "nothing".to_owned() } else { names.join(" and ") };
            format!("{names} {:.4}", tier.held_out_r)
        };
        let tried: Vec<String> = self.tried.iter().map(of).collect();
        if let Some(left) = self.lights.as_ref().and_then(|lights| lights.bright_left) {
            found.push(format!(
                "bright frames leave {:.1} % of what they left unexplained at the pose that was said, at one that others of them want",
                100.0 * left
            ));
        }
        let what = found.join(", ");
        if tried.is_empty() {
            return what;
        }
        format!("{what}; R-factor of exposures held out, by what was looked for: {}", tried.join(", "))
    }
}
