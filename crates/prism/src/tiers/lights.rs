//! Tiers of an array of lights.
//!
//! The pose of the array, its pupil and the brightness of its lights are looked for one after the other: first pose and pupil alone, then
//! both, as either may hide the other. The pose is seen in bright frames whatever the pupil is. Where too few are bright sweeps look for it, once more where the
//! pupil is another than was said, as aberrations move images like lights that stand elsewhere. Sweeps of each tier end where they foretell the exposures held out best; then all exposures are swept so many times.
//!
//! A brightness of its own would let each exposure explain itself. So it has to be worth it on pixels that it was not found by, and the exposures held
//! out have to be foretold no worse with the brightness that was said of them.

use cupel_train::{Policy, Run};

use super::{BETTER, Calibration, FoundLights, Known, Tier, Tiers, moved};
use crate::{
    Exposures, Lights, LightsConfig, Model, Plane, Pose, ReconstructionConfig, Result, Sought,
    calibration::{
        Calibrated, bright_pose, left_by_bright_pose,
        light_sweeps::{Beginning, LightSweeps, SweptLights},
    },
    held_out::held_out,
    named::Named,
    preview::Preview,
    search::Found,
};

/// What stands so far.
struct Standing {
    sought: Sought,
    pose: Pose,
    swept: SweptLights,
}

/// What foretells the exposures held out better, by enough.
fn better(tier: Standing, stands: Standing) -> Standing {
    if tier.swept.held_out_r < (1.0 - BETTER) * stands.swept.held_out_r { tier } else { stands }
}

/// Makes one tier after the other.
struct Trial<'a, 'b> {
    exposures: &'a Exposures,
    /// Exposures that are fitted, and those that judge.
    fitted: Vec<usize>,
    held: Vec<usize>,
    config: LightsConfig,
    tried: Vec<Tier>,
    /// What bright frames leave unexplained at the pose that others of them want, as a share of what they do at that said.
    bright_left: Option<f64>,
    seconds: f64,
    run: &'b mut Run,
}

impl Trial<'_, '_> {
    fn drive(&mut self, sweeps: &mut LightSweeps<'_>, name: &str) -> Result<crate::Film> {
        let mut shown = Preview::new(sweeps, self.exposures, self.run);
        let named = &mut Named { work: &mut shown, name: name.to_owned(), frames: &*self.exposures.frames };
        self.seconds += self.run.drive(named, &Policy::default())?.seconds;
        shown.film()
    }

    fn begin(&self, pose: Pose) -> Result<Beginning> {
        Ok(Beginning { pose, ..Beginning::of(self.exposures)? })
    }

    /// The pose that sweeps find from another, with this pupil.
    fn pose_by_sweeps(&mut self, from: Pose, window: Option<&Plane>, name: &str) -> Result<Pose> {
        let mut begin = self.begin(from)?;
        if let Some(window) = window {
            begin.window = window.clone();
        }
        let mut sweeps = LightSweeps::for_pose(self.exposures, &self.fitted, &begin, &self.config)?;
        self.drive(&mut sweeps, name)?;
        Ok(sweeps.pose())
    }

    /// A tier, from the start.
    fn tier(&mut self, sought: Sought, pose: Pose, name: &str) -> Result<Standing> {
        let begin = self.begin(pose)?;
        let mut sweeps = LightSweeps::new(self.exposures, &self.fitted, &self.held, sought, &begin, &self.config)?;
        self.drive(&mut sweeps, name)?;
        let swept = sweeps.swept()?;
        if !self.held.is_empty() {
            self.tried.push(Tier { sought, held_out_r: swept.held_out_r });
        }
        Ok(Standing { sought, pose, swept })
    }

    /// The tiers that are better than what stands: by bright frames how the array lies, the others by the exposures held out.
    fn chosen(&mut self, said: Pose) -> Result<Standing> {
        let nothing = Sought::default();
        let stated = self.tier(nothing, said, "nothing")?;
        self.bright_left = left_by_bright_pose(self.exposures, &self.fitted, said)?;
        let stands = match (self.bright_left, bright_pose(self.exposures, &self.fitted, said)?) {
            (Some(left), Some(pose)) => {
                let lies = if left < 1.0 - BETTER {
                    self.tier(Sought { positions: true, ..nothing }, pose, "positions")?
                } else {
                    stated
                };
                let pupil = self.tier(Sought { probe: true, ..lies.sought }, lies.pose, "pupil")?;
                better(pupil, lies)
            }
            (_, bright) => self.pose_and_pupil(said, bright, stated)?,
        };
        let tier = self.tier(Sought { brightness: true, ..stands.sought }, stands.pose, "brightness")?;
        let worth = tier.swept.across_r < (1.0 - BETTER) * stands.swept.across_r;
        Ok(if worth && tier.swept.held_out_r <= stands.swept.held_out_r { tier } else { stands })
    }

    /// Pose and pupil where too few frames are bright to judge a pose, by the exposures held out.
    fn pose_and_pupil(&mut self, said: Pose, bright: Option<Pose>, stated: Standing) -> Result<Standing> {
        let nothing = Sought::default();
        let pose = match bright {
            Some(pose) => pose,
            None => self.pose_by_sweeps(said, None, "pose")?,
        };
        let by_pose = self.tier(Sought { positions: true, ..nothing }, pose, "positions")?;
        let by_pupil = self.tier(Sought { probe: true, ..nothing }, said, "pupil")?;
        let pose_first = by_pose.swept.held_out_r < by_pupil.swept.held_out_r;
        let mut stands = if pose_first { better(by_pose, stated) } else { better(by_pupil, stated) };
        // also where neither helps alone: defocus moves the images of lights that stand elsewhere
        let both = self.tier(Sought { positions: true, probe: true, ..nothing }, pose, "pupil-too")?;
        stands = better(both, stands);
        if stands.sought.probe && bright.is_none() {
            let window = stands.swept.model.window.clone();
            let pose = self.pose_by_sweeps(stands.pose, Some(&window), "pose-again")?;
            let tier = self.tier(Sought { positions: true, ..stands.sought }, pose, "positions-again")?;
            stands = better(tier, stands);
        }
        Ok(stands)
    }

    /// All that was asked for.
    fn asked(&mut self, sought: Sought, said: Pose) -> Result<Standing> {
        if !sought.positions {
            return self.tier(sought, said, "nothing");
        }
        if let Some(pose) = bright_pose(self.exposures, &self.fitted, said)? {
            return self.tier(sought, pose, "asked");
        }
        let mut pose = self.pose_by_sweeps(said, None, "pose")?;
        if sought.probe {
            let pupil = self.tier(Sought { brightness: false, ..sought }, pose, "pupil")?;
            pose = self.pose_by_sweeps(pose, Some(&pupil.swept.model.window), "pose-again")?;
        }
        self.tier(sought, pose, "asked")
    }
}

/// The exposures with their array, pupil and brightness as they were found, and the object that sweeps show with them.
pub(super) fn known(exposures: &Exposures, config: &ReconstructionConfig, seed: u64, run: &mut Run) -> Result<Known> {
    let Beginning { pose: said, window: stated } = Beginning::of(exposures)?;
    let all: Vec<usize> = (0..exposures.centres.len()).collect();
    let held = held_out(exposures, config.held_out, seed);
    let fitted: Vec<usize> = all.iter().copied().filter(|frame| !held.contains(frame)).collect();
    let usual = LightsConfig::default();
    let sweeps = config.iterations.map_or(usual.sweeps, |given| given as usize);
    let own = LightsConfig { sweeps, ..usual };
    let mut trial =
        Trial { exposures, fitted, held, config: own.clone(), tried: Vec::new(), bright_left: None, seconds: 0.0, run };
    let Standing { sought, pose, swept } = match config.calibration {
        // nothing would tell
        Calibration::Auto if trial.held.is_empty() => trial.asked(Sought::default(), said)?,
        Calibration::Auto => trial.chosen(said)?,
        asked => trial.asked(asked.sought(), said)?,
    };
    let last = LightsConfig { sweeps: swept.sweeps, ..own };
    let mut sweeps = LightSweeps::new(exposures, &all, &[], sought, &trial.begin(pose)?, &last)?;
    let film = trial.drive(&mut sweeps, "lights")?;
    let SweptLights { model, .. } = sweeps.swept()?;
    let curve = model.curve.clone();
    let (tried, bright_left, seconds) = (trial.tried, trial.bright_left, trial.seconds);
    let tiers = Tiers {
        taken: sought,
        tried,
        moved_px: moved(&exposures.centres, &model.centres),
        lights: Some(FoundLights { bright_left, ..found_lights(exposures, &model, &stated, pose)? }),
    };
    let centres = model.centres.clone();
    let mut known = exposures.clone();
    // sweeps cut whole places
    known.centres = if super::sweeps(config, exposures) {
        centres.iter().map(|centre| centre.map(f64::round)).collect()
    } else {
        centres.clone()
    };
    known.optics.pupils = vec![model.window.clone()];
    if let Some(Lights { found, brightness, .. }) = &mut known.lights {
        *found = Some(pose);
        if sought.brightness {
            brightness.clone_from(&model.brightness);
        }
    }
    let without = if trial.held.is_empty() { None } else { Some(of(&known, &swept.model)?) };
    let found =
        Found { model: of(&known, &model)?, without, prior_weight: 0.0, unit: 1.0, tried: Vec::new(), curve, film };
    Ok(Known { exposures: known, centres, tiers: Some(tiers), swept: Some((found, seconds)) })
}

/// What sweeps found as a model of the exposures.
fn of(exposures: &Exposures, found: &Calibrated) -> Result<Model> {
    let object = found.object(exposures.optics.geometry)?;
    let mut model = Model { pupils: vec![found.window.clone()], ..Model::new(exposures, object)? };
    for (index, [flux, background]) in found.brightness.iter().enumerate() {
        (model.flux[index], model.background[index]) = (*flux, *background);
    }
    Ok(model)
}

fn found_lights(exposures: &Exposures, found: &Calibrated, stated: &Plane, pose: Pose) -> Result<FoundLights> {
    let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
    for (found, said) in found.window.values().iter().zip(stated.values()).filter(|(_, said)| said.norm_sqr() > 0.0) {
        let turned = (found * said.conj()).arg();
        (sum, squares, count) = (sum + turned, squares + turned * turned, count + 1.0);
    }
    let pupil_rad = ((squares - sum * sum / count) / count).max(0.0).sqrt();
    let lights = found.brightness.len().max(1) as f64;
    let mean = |which: usize| found.brightness.iter().map(|own| own[which]).sum::<f64>() / lights;
    let spread = found.brightness.iter().map(|own| (own[0] / mean(0) - 1.0).powi(2)).sum::<f64>() / lights;
    let mut brightest = 0.0_f64;
    for index in 0..exposures.centres.len() {
        let frame = exposures.frames.frame(index)?;
        let light = frame.iter().filter(|value| value.is_finite()).map(|value| f64::from(*value)).sum::<f64>();
        brightest = brightest.max(light / frame.len() as f64);
    }
    Ok(FoundLights {
        pose,
        bright_left: None,
        pupil_rad,
        brightness_spread: spread.sqrt(),
        background: if brightest > 0.0 { mean(1) / brightest } else { 0.0 },
    })
}

/// The object that `which` of the exposures show by themselves, with the instrument as it was found.
pub(crate) fn again(exposures: &Exposures, which: &[usize], sweeps: usize) -> Result<Plane> {
    let config = LightsConfig { sweeps, ..LightsConfig::default() };
    let begin = Beginning::of(exposures)?;
    let mut own = LightSweeps::new(exposures, which, &[], Sought::default(), &begin, &config)?;
    Run::in_memory().drive(&mut own, &Policy::default())?;
    own.object()
}
