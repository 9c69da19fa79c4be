//! What the fit in closed form ends with: endmembers at the scene's brightness, shares, and intervals that know what else the scene may be.

use super::{Mixture, Model, angle, norm};
use crate::{
    Abundances, Alternative, Convention, Endmembers, Result,
    abundances::at_scene_brightness,
    intimate::Intimate,
    mixture::{
        Posterior, Regime,
        outward::Outward,
        plane::Plane,
        posterior::{Certainty, band_errors, pass, posterior},
        typical::Typical,
    },
};

/// Most pixels that the prior of the faces is fitted to where endmembers do not follow from them.
const MOST_PIXELS: usize = 20_000;
/// Passes that fit the prior of the faces where endmembers do not follow from them.
const PRIOR_PASSES: usize = 4;
/// No endmember turns further from its start than this many times the median angle between what the extractors find for it: a likelihood
/// that is a little wrong leads far astray, where what it knows is little (`docs/results.md`).
const FURTHEST: f64 = 2.0;

impl Mixture {
    /// Endmembers at the scene's brightness, and the posterior of all pixels.
    ///
    /// # Errors
    /// When the endmembers that were found cannot be, such as ones that are not finite.
    pub fn finish(&self) -> Result<(Endmembers, Posterior)> {
        let bands = self.start.bands();
        let count = self.start.count();
        match &self.model {
            Model::Noise { plane, regime } => {
                let lifted = not_below(&self.pixels.floors(), &plane.lift(&self.state.endmembers, bands)?)?;
                let held = self.held_back(&lifted)?;
                let positions = held.as_ref().map(|held| plane.place(held).0);
                let found = held.unwrap_or(lifted);
                let bright = if *regime == Regime::Even { found } else { at_scene_brightness(&self.pixels, &found)? };
                let divisors = plane.divisors(*regime, &bright, &self.scaled(&bright));
                let at = (positions.as_ref().unwrap_or(&self.state.endmembers).as_slice(), divisors.as_slice());
                let errors = |errors: &[f64]| band_errors(errors, plane, &divisors);
                let posterior = posterior(plane, *regime, at, &self.state.ln_faces, &Certainty::OfFit, errors)?;
                let posterior = self.open(posterior, &bright, None)?;
                Ok((bright, posterior))
            }
            Model::Varied(typical) => {
                let typical_spectra = Endmembers::new(self.state.endmembers.clone(), bands)?;
                let unit = Typical::unmixed(&typical_spectra, &self.start)?;
                let bright = at_scene_brightness(&self.pixels, &unit)?;
                let plane = Plane::of_variation(&self.pixels, &bright, typical.variance()).on(self.device.clone());
                let (positions, divisors) = plane.place(&self.scaled(&bright));
                let mut ln_faces = self.state.ln_faces.clone();
                let chosen = plane.indices(MOST_PIXELS);
                for _ in 0..PRIOR_PASSES {
                    let (sums, _) = pass(&plane, &positions, count, &ln_faces, Some(&chosen), 1.0)?;
                    let total = (chosen.len() + sums.faces.len()) as f64;
                    ln_faces = sums.faces.iter().map(|p| ((p + 1.0) / total).ln()).collect();
                }
                let (of_bands, along) = typical.errors(&unit);
                let norms = bright.norms();
                let errors = |_: &[f64]| of_bands.iter().enumerate().map(|(at, e)| e * norms[at / bands]).collect();
                let at = (positions.as_slice(), divisors.as_slice());
                let intimate = Intimate::of(&self.pixels, &bright)?;
                let regime = if intimate.is_some() { Regime::Intimate } else { Regime::Varied };
                let certainty = Certainty::Independent(&along);
                let mut posterior = posterior(&plane, regime, at, &ln_faces, &certainty, errors)?;
                posterior.abundances = self.shares(&bright, intimate.as_ref())?;
                posterior.centres = posterior.abundances.values().to_vec();
                let posterior = self.open(posterior, &bright, intimate.as_ref())?;
                Ok((bright, posterior))
            }
        }
    }

    /// Endmembers that are no further from the start than extractors leave open; none where all of them are.
    fn held_back(&self, found: &Endmembers) -> Result<Option<Endmembers>> {
        let mut values = found.values().to_vec();
        let mut held = false;
        for (k, (spectrum, start)) in values.chunks_exact_mut(found.bands()).zip(self.start.spectra()).enumerate() {
            let mut others: Vec<f64> =
                self.alternatives.iter().map(|other| angle(start, other.endmembers.spectrum(k))).collect();
            others.sort_by(f64::total_cmp);
            let Some(open) = others.get(others.len() / 2).map(|median| FURTHEST * median) else { continue };
            let turn = angle(start, spectrum);
            if turn > open {
                let (norm, of_start) = (norm(spectrum).max(f64::MIN_POSITIVE), norm(start).max(f64::MIN_POSITIVE));
                let share = open / turn;
                spectrum.iter_mut().zip(start).for_each(|(f, s)| *f = share * *f + (1.0 - share) * norm / of_start * s);
                held = true;
            }
        }
        held.then(|| Endmembers::new(values, found.bands())).transpose()
    }

    /// Endmembers as the convention has them.
    fn scaled(&self, bright: &Endmembers) -> Endmembers {
        if self.convention == Convention::UnitMax { bright.unit_maximum() } else { bright.clone() }
    }

    /// Non-negative shares of endmembers at the scene's brightness, or of their albedos, under the convention.
    fn shares(&self, bright: &Endmembers, intimate: Option<&Intimate>) -> Result<Abundances> {
        let scaled = self.scaled(bright);
        let Some(intimate) = intimate else {
            return Ok(Abundances::solve(&self.pixels, &scaled, Convention::Nnls)?.closed());
        };
        let factors: Vec<f64> =
            bright.norms().iter().zip(scaled.norms()).map(|(b, s)| b / s.max(f64::MIN_POSITIVE)).collect();
        let shares = intimate.shares(bright)?;
        let values = shares.values().iter().zip(factors.iter().cycle()).map(|(share, factor)| share * factor);
        Ok(Abundances::new(values.collect(), self.count())?.closed())
    }

    /// Intervals that know that other extractors see the scene otherwise, and that none may see how far it reaches; where none was asked, those of the
    /// model alone.
    pub(crate) fn open(
        &self,
        posterior: Posterior,
        endmembers: &Endmembers,
        intimate: Option<&Intimate>,
    ) -> Result<Posterior> {
        if self.alternatives.is_empty() {
            return Ok(posterior.alone());
        }
        let mut squares = vec![0.0; posterior.centres.len()];
        if let Some(outward) = Outward::new(&self.scaled(endmembers), &self.pixels.floors()) {
            let count = self.count();
            let mut shares = vec![0.0; count];
            for (squares, centres) in squares.chunks_exact_mut(count).zip(posterior.centres.chunks_exact(count)) {
                shares.iter_mut().zip(centres).for_each(|(share, centre)| *share = centre.clamp(0.0, 1.0));
                outward.apart(&shares, squares);
                squares.iter_mut().for_each(|apart| *apart *= *apart);
            }
        }
        for Alternative { endmembers, weight } in &self.alternatives {
            let shares = self.shares(&at_scene_brightness(&self.pixels, endmembers)?, intimate)?;
            let weight = weight / self.alternatives.len() as f64;
            for ((square, share), centre) in squares.iter_mut().zip(shares.values()).zip(&posterior.centres) {
                *square += weight * (share - centre.clamp(0.0, 1.0)).powi(2);
            }
        }
        let disagreement: Vec<f64> = squares.into_iter().map(f64::sqrt).collect();
        Ok(posterior.widened(&disagreement))
    }
}

/// What noise left below what a band [may have](Pixels::floors) is as low as that.
fn not_below(floors: &[f64], endmembers: &Endmembers) -> Result<Endmembers> {
    let values = endmembers.values().iter().zip(floors.iter().cycle());
    Endmembers::new(values.map(|(v, floor)| v.max(*floor)).collect(), endmembers.bands())
}
