//! Extraction of endmembers: many candidates, and a choice among them that does not know the truth.
//!
//! No extractor wins everywhere. Pixel pickers fail where no pixel is pure, archetypal analysis on normalised pixels
//! where dark materials are noisy, and everything on raw pixels where brightness varies. Candidates from all of them
//! are therefore compared on pixels that none of them has seen, see [`Evidence::score`].

use cupel_data::Stream;
use cupel_train::{Advance, Metrics, Position, Progress, SetReader, SetWriter, fingerprint};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    Endmembers, Error, Pixels, Result,
    abundances::at_scene_brightness,
    candidate::{Candidate, Proposal, not_an_extractor},
    error::same,
    method::{Method, Space},
    metrics::{matched, mean_matched_angle},
    prepared::Prepared,
    signal::{ConeFit, Placed, Signal},
};

/// Most pixels that extraction looks at; larger scenes are sampled evenly.
const MAX_PIXELS: usize = 100_000;
/// Every so many-th pixel of a shuffled scene is held out to score candidates.
const HELD_OUT_EVERY: usize = 5;
/// Candidates made by one advance: what a stopped run may lose. Fixed, so that steps do not depend on threads.
const CANDIDATES_AT_ONCE: usize = 8;
/// Weight of the entropy of the shares against the logarithm of the distance.
const ENTROPY_WEIGHT: f64 = 0.7;
/// Distances well below this fraction of the noise are all as good: a candidate may fit noise, not materials.
const NOISE_FLOOR: f64 = 0.3;
/// Scores that differ by less, one per cent of distance, are a tie.
const TIE: f64 = 0.01;
/// Weight of the disagreement with the other extractors, per radian, and what is no disagreement: in real scenes, whose materials vary,
/// extractors that are all right differ by less.
const DISAGREEMENT_WEIGHT: f64 = 4.0;
const AGREEMENT_RAD: f64 = 0.1;
/// Scores that are worse by so much make an alternative less likely by a factor e.
const DOUBT: f64 = 1.5;
/// EDAA's own rule: among restarts within this fraction of the best residual the least collinear wins.
const RESIDUAL_SLACK: f64 = 0.05;

/// What to extract.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExtractionConfig {
    /// How.
    pub method: Method,
    /// How many endmembers.
    pub endmembers: usize,
    /// Restarts of archetypal analysis, where [`Method::Edaa`] is asked for.
    pub restarts: u32,
    /// Seed of all random draws.
    pub seed: u64,
}

/// Extraction under way; an [`Advance`] that makes a few candidates at a time.
pub struct Extraction {
    config: ExtractionConfig,
    prepared: Prepared,
    /// Pixels that no extractor sees; none where a single extractor was asked for.
    held_out: Option<Pixels>,
    plan: Vec<Proposal>,
    candidates: Vec<Candidate>,
    stream: Stream,
    data_hash: [u8; 32],
    name: String,
}

/// Endmembers chosen, with the reasons.
#[derive(Clone, Debug)]
pub struct Extracted {
    /// In the scale of the pixels.
    pub endmembers: Endmembers,
    /// One entry a candidate, best first.
    pub evidence: Vec<Evidence>,
    /// The best candidate of every other extractor in every space, best first: how far they are apart is how far the scene leaves the
    /// answer open. None where a single extractor was asked for.
    pub alternatives: Vec<Alternative>,
}

/// Endmembers that another extractor finds.
#[derive(Clone, Debug, PartialEq)]
pub struct Alternative {
    /// In the order of the endmembers that were chosen.
    pub endmembers: Endmembers,
    /// `exp(-d / 1.5)` for a score that is worse by `d`.
    pub weight: f64,
}

/// How one candidate fares without the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Where it comes from.
    pub proposal: Proposal,
    /// Mean distance of held-out pixels from its cone, in the signal subspace.
    pub held_out_distance: f64,
    /// Mean entropy of the shares of held-out pixels in nats.
    pub entropy: f64,
    /// Largest correlation between two of its endmembers.
    pub collinearity: f64,
    /// Median over the best candidates of all extractors and spaces of the mean angle to their matched endmembers, in radians.
    pub instability_rad: f64,
    /// `ln(held_out_distance) + 0.7 entropy + 4 max(instability - 0.1, 0)`, the distance floored at 0.3 of the noise; the lowest wins.
    ///
    /// The distance alone prefers a cone that is too wide, since any that holds all pixels fits them. The entropy
    /// prefers endmembers that pixels come near to, which a wide cone lacks. Extractors that work on unlike principles seldom
    /// fail alike.
    pub score: f64,
}

impl Extraction {
    /// Prepares extraction from `pixels`.
    ///
    /// # Errors
    /// A number of endmembers that the scene cannot have; no restarts; a method that is no extractor.
    pub fn new(pixels: &Pixels, config: ExtractionConfig) -> Result<Self> {
        if config.restarts == 0 {
            return Err(Error::setting("restarts", 0, "at least 1"));
        }
        if !Method::EXTRACTORS.contains(&config.method) {
            return Err(not_an_extractor(config.method));
        }
        let stream = Stream::new(config.seed, "endmember extraction");
        let pixels = pixels.sample(MAX_PIXELS, stream.child(0));
        let data_hash = pixels.hash();
        let (seen, held_out) = if config.method == Method::Auto {
            let (seen, held_out) = pixels.split_every(HELD_OUT_EVERY, stream.child(2));
            (seen, Some(held_out))
        } else {
            (pixels, None)
        };
        let name = format!("{}-seed-{}", config.method.name(), config.seed);
        let plan = plan(config);
        let spaces: Vec<Space> = Space::ALL.iter().copied().filter(|s| plan.iter().any(|p| p.space == *s)).collect();
        let prepared = Prepared::new(seen, config.endmembers, &spaces)?;
        Ok(Self { config, prepared, held_out, plan, candidates: Vec::new(), stream, data_hash, name })
    }

    /// How many candidates have been made.
    pub fn made(&self) -> usize {
        self.candidates.len()
    }

    /// Makes all candidates that are missing, without a run to save them in.
    ///
    /// # Errors
    /// As an extractor fails.
    pub fn complete(&mut self) -> Result<()> {
        while self.candidates.len() < self.plan.len() {
            self.make_some()?;
        }
        Ok(())
    }

    fn make_some(&mut self) -> Result<()> {
        let start = self.candidates.len();
        let batch = &self.plan[start..(start + CANDIDATES_AT_ONCE).min(self.plan.len())];
        let made: Vec<Candidate> = batch
            .par_iter()
            .with_max_len(1)
            .map(|proposal| proposal.run(&self.prepared, self.config.endmembers, self.stream.child(1)))
            .collect::<Result<_>>()?;
        self.candidates.extend(made);
        Ok(())
    }

    /// Chooses among the candidates.
    ///
    /// # Errors
    /// Without candidates, or when the subspace cannot be had.
    pub fn choose(&self) -> Result<Extracted> {
        let signal = Signal::new(&self.prepared, self.config.endmembers)?;
        match &self.held_out {
            Some(held_out) => self.choose_by_score(&signal, held_out),
            None => self.choose_by_residual(&signal),
        }
    }

    /// The ensemble's rule: the lowest score on held-out pixels, with endmembers as averages of the pixels they stand for.
    ///
    /// Where materials vary, averages change endmembers by more than candidates differ, so every candidate is averaged
    /// before it is scored. Where noise limits the fit, averaging only takes noise off, and the winner is enough.
    fn choose_by_score(&self, signal: &Signal, held_out: &Pixels) -> Result<Extracted> {
        if self.candidates.is_empty() {
            return Err(Error::TooFewMaterials { asked: self.config.endmembers, found: 0 });
        }
        let (seen, unseen) = (signal.place(&self.prepared.pixels), signal.place(held_out));
        let mut found: Vec<Endmembers> = self.candidates.iter().map(|c| c.endmembers.clone()).collect();
        let fits = self.cones(signal, &seen, &found)?;
        let best = fits.iter().min_by(|a, b| a.mean_square().total_cmp(&b.mean_square()));
        let misfit_limited = best.is_some_and(|fit| signal.misfit_limited(fit, self.config.endmembers));
        if misfit_limited {
            found = found.par_iter().map(|e| signal.near_pure_means(&seen, e)).collect::<Result<_>>()?;
        }
        let evidence = self.evidence(signal, &found, &self.cones(signal, &unseen, &found)?);
        let mut order: Vec<usize> = (0..found.len()).collect();
        order.sort_by(|&a, &b| evidence[a].score.total_cmp(&evidence[b].score));
        // scores this near are a tie, which the agreement with the other extractors decides
        let tied = order.iter().filter(|&&i| evidence[i].score <= evidence[order[0]].score + TIE).count();
        order[..tied].sort_by(|&a, &b| evidence[a].instability_rad.total_cmp(&evidence[b].instability_rad));
        let mut extracted = self.extracted(&found, evidence, &order)?;
        let Extracted { endmembers: chosen, evidence, .. } = &extracted;
        let alternative = |place: usize| {
            let other = &found[order[place]];
            let worse = (evidence[place].score - evidence[0].score).max(0.0);
            Alternative { endmembers: other.reordered(&matched(chosen, other)), weight: (-worse / DOUBT).exp() }
        };
        extracted.alternatives = leaders(evidence).into_iter().filter(|&place| place > 0).map(alternative).collect();
        if !misfit_limited {
            let bright = at_scene_brightness(&self.prepared.pixels, &extracted.endmembers)?;
            extracted.endmembers = signal.within_noise_means(&seen, &bright)?;
        }
        Ok(extracted)
    }

    /// A single extractor: the paper's rule among its restarts, endmembers as they are.
    fn choose_by_residual(&self, signal: &Signal) -> Result<Extracted> {
        let found: Vec<Endmembers> = self.candidates.iter().map(|c| c.endmembers.clone()).collect();
        let placed = signal.place(&self.prepared.pixels);
        let fits = self.cones(signal, &placed, &found)?;
        let evidence = self.evidence(signal, &found, &fits);
        let residual = |i: usize| self.candidates[i].residual.unwrap_or(0.0);
        let best = (0..found.len()).map(residual).fold(f64::INFINITY, f64::min);
        let mut order: Vec<usize> = (0..found.len()).collect();
        order.sort_by(|&a, &b| {
            let key = |i: usize| (residual(i) > (1.0 + RESIDUAL_SLACK) * best, evidence[i].collinearity);
            let (a, b) = (key(a), key(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        let mut extracted = self.extracted(&found, evidence, &order)?;
        if self.config.method == Method::Edaa {
            // normalised pixels have lost the brightness of the scene
            extracted.endmembers = at_scene_brightness(&self.prepared.pixels, &extracted.endmembers)?;
        }
        Ok(extracted)
    }

    fn cones(&self, signal: &Signal, placed: &Placed, endmembers: &[Endmembers]) -> Result<Vec<ConeFit>> {
        endmembers.iter().map(|e| signal.cone(placed, e)).collect()
    }

    fn extracted(&self, endmembers: &[Endmembers], evidence: Vec<Evidence>, order: &[usize]) -> Result<Extracted> {
        let Some(&best) = order.first() else {
            return Err(Error::TooFewMaterials { asked: self.config.endmembers, found: 0 });
        };
        let evidence = order.iter().map(|&i| evidence[i].clone()).collect();
        Ok(Extracted { endmembers: endmembers[best].clone(), evidence, alternatives: Vec::new() })
    }

    fn evidence(&self, signal: &Signal, endmembers: &[Endmembers], fits: &[ConeFit]) -> Vec<Evidence> {
        let floor = NOISE_FLOOR * signal.noise_distance();
        let floored = |distance: f64| distance.hypot(floor).max(f64::MIN_POSITIVE);
        let mut evidence: Vec<Evidence> = (0..endmembers.len())
            .into_par_iter()
            .map(|i| {
                let (held_out_distance, entropy) = (fits[i].distance(), fits[i].entropy());
                Evidence {
                    proposal: self.candidates[i].proposal,
                    held_out_distance,
                    entropy,
                    collinearity: endmembers[i].largest_correlation(),
                    instability_rad: 0.0,
                    score: floored(held_out_distance).ln() + ENTROPY_WEIGHT * entropy,
                }
            })
            .collect();
        let leaders = leaders(&evidence);
        evidence.par_iter_mut().enumerate().for_each(|(i, evidence)| {
            evidence.instability_rad = instability(endmembers, i, &leaders);
            evidence.score += DISAGREEMENT_WEIGHT * (evidence.instability_rad - AGREEMENT_RAD).max(0.0);
        });
        evidence
    }
}

impl Advance for Extraction {
    fn advance(&mut self, _: Position) -> cupel_train::Result<Progress> {
        self.make_some().map_err(cupel_train::Error::work)?;
        let made = self.candidates.len();
        let best = self.candidates.iter().filter_map(|c| c.residual).fold(f64::INFINITY, f64::min);
        let mut metrics = Metrics::from([("candidates", made as f64)]);
        if best.is_finite() {
            metrics.push("best_residual", best);
        }
        Ok(Progress { metrics, done: (made == self.plan.len()).then_some("all candidates are made") })
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        set.json("candidates", &self.candidates)
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        let candidates: Vec<Candidate> = set.json("candidates")?;
        let proposals: Vec<Proposal> = candidates.iter().map(|candidate| candidate.proposal).collect();
        let expected = self.plan.get(..proposals.len()).unwrap_or(&self.plan);
        same("saved candidates", expected, proposals.as_slice()).map_err(cupel_train::Error::work)?;
        self.candidates = candidates;
        Ok(())
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        fingerprint(&("endmember extraction", self.config, self.data_hash, &self.plan))
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn total(&self) -> Option<u64> {
        Some(self.plan.len().div_ceil(CANDIDATES_AT_ONCE) as u64)
    }
}

/// All runs of extractors that a method stands for.
fn plan(config: ExtractionConfig) -> Vec<Proposal> {
    let restarts = |space, count: u32| (0..count).map(move |draw| Proposal::new(Method::Edaa, space, draw));
    match config.method {
        Method::Auto => {
            let pickers = Space::ALL.iter().copied().flat_map(|space| {
                let vca = (0..3).map(move |draw| Proposal::new(Method::Vca, space, draw));
                vca.chain([Method::Nfindr, Method::Spa].map(|method| Proposal::new(method, space, 0)))
            });
            pickers
                .chain(restarts(Space::Normalised, 40))
                .chain(restarts(Space::DenoisedNormalised, 6))
                .chain(restarts(Space::Denoised, 6))
                .collect()
        }
        Method::Edaa => restarts(Space::Normalised, config.restarts).collect(),
        _ => vec![Proposal::new(config.method, Space::Raw, 0)],
    }
}

/// The candidate of the lowest score of every extractor in every space, lowest first.
fn leaders(evidence: &[Evidence]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..evidence.len()).collect();
    order.sort_by(|&a, &b| evidence[a].score.total_cmp(&evidence[b].score));
    let mut seen = Vec::new();
    order.retain(|&i| {
        let kind = (evidence[i].proposal.method, evidence[i].proposal.space);
        let new = !seen.contains(&kind);
        if new {
            seen.push(kind);
        }
        new
    });
    order
}

/// Median over these of the others of the mean angle to their matched endmembers.
fn instability(all: &[Endmembers], which: usize, others: &[usize]) -> f64 {
    let others = others.iter().filter(|&&other| other != which);
    let mut angles: Vec<f64> = others.map(|&other| mean_matched_angle(&all[which], &all[other])).collect();
    angles.sort_by(f64::total_cmp);
    angles.get(angles.len() / 2).copied().unwrap_or(0.0)
}
