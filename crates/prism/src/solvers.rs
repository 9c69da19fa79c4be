//! Solvers beside the default one, made to hold out the same exposures and to end in the same kind of result.

use burn::tensor::Device;
use cupel_train::{Advance, Casting, Policy, Run};

use crate::{
    DecoderConfig, Exposures, Film, Model, Pie, PieConfig, PieRule, Raar, RaarConfig, ReconstructionConfig, Result,
    Rule, Solver, decode, held_out::held_out, named::Named, preview::Preview, search::Found,
};

/// By sweeps: of the exposures that are not held out, where some are, and then of all. Seconds of the whole come with it.
pub(crate) fn by_sweeps(
    exposures: &Exposures,
    config: &ReconstructionConfig,
    seed: u64,
    device: &Device,
    run: &mut Run,
) -> Result<(Found, f64)> {
    let held = held_out(exposures, config.held_out, seed);
    let all: Vec<usize> = (0..exposures.centres.len()).collect();
    let mut without = None;
    let mut seconds = 0.0;
    if !held.is_empty() {
        let fitted: Vec<usize> = all.iter().copied().filter(|index| !held.contains(index)).collect();
        let swept = swept(exposures, &fitted, "-held-out", config, seed, device, run)?;
        (without, seconds) = (Some(swept.model), swept.seconds);
    }
    let Swept { model, curve, film, seconds: last } = swept(exposures, &all, "", config, seed, device, run)?;
    Ok((Found { model, without, prior_weight: 0.0, unit: 1.0, tried: Vec::new(), curve, film }, seconds + last))
}

/// What sweeps found.
pub(crate) struct Swept {
    pub(crate) model: Model,
    /// R-factor of every sweep.
    curve: Vec<f64>,
    film: Film,
    seconds: f64,
}

/// By sweeps over the exposures `which`.
pub(crate) fn swept(
    exposures: &Exposures,
    which: &[usize],
    ending: &str,
    config: &ReconstructionConfig,
    seed: u64,
    device: &Device,
    run: &mut Run,
) -> Result<Swept> {
    if config.solver == Solver::Raar {
        let usual = RaarConfig::default();
        let own = RaarConfig { iterations: config.iterations.unwrap_or(usual.iterations), ..usual };
        let mut raar = Raar::new(exposures, which, own, seed, device)?;
        let name = format!("{}{ending}", raar.name());
        let mut shown = Preview::new(&mut raar, exposures, run);
        let driven =
            run.drive(&mut Named { work: &mut shown, name, frames: &*exposures.frames }, &Policy::default())?;
        let film = shown.film()?;
        let (model, curve) = (Model::new(exposures, raar.object()?)?, raar.r_factors().to_vec());
        return Ok(Swept { model, curve, film, seconds: driven.seconds });
    }
    let usual = PieConfig::default();
    let rule = if config.solver == Solver::Rpie { PieRule::Rpie } else { PieRule::Epie };
    let own = PieConfig { rule, sweeps: config.iterations.unwrap_or(usual.sweeps), ..usual };
    let mut pie = Pie::new(exposures, which, own, seed, device)?;
    let name = format!("{}{ending}", pie.name());
    let mut shown = Preview::new(&mut pie, exposures, run);
    let driven = run.drive(&mut Named { work: &mut shown, name, frames: &*exposures.frames }, &Policy::default())?;
    let film = shown.film()?;
    let model = Model { pupils: pie.pupils()?, ..Model::new(exposures, pie.object()?)? };
    Ok(Swept { model, curve: pie.r_factors().to_vec(), film, seconds: driven.seconds })
}

/// By an untrained decoder, which never sees the exposures that are held out: they choose its weights.
pub(crate) fn by_decoder(
    exposures: &Exposures,
    config: &ReconstructionConfig,
    seed: u64,
    (device, casting): (&Device, &Casting),
    run: &mut Run,
) -> Result<Found> {
    let own = DecoderConfig { held_out: config.held_out, ..config.decoder.clone() };
    let decoded = decode(exposures, &own, seed, casting, device, run)?;
    let model = Model::new(exposures, decoded.object)?;
    // the original rule fits all exposures: none of them can judge it
    let without = (own.rule != Rule::Original).then(|| model.clone());
    let curve = decoded.curve.iter().map(|point| point.loss).collect();
    let film = decoded.film;
    Ok(Found { model, without, prior_weight: 0.0, unit: 1.0, tried: Vec::new(), curve, film })
}
