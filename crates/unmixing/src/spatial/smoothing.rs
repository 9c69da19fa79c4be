//! [`Smoothing`]: total variation at a weight that bands which are held out speak for.
//!
//! Abundances are fitted to one half of the bands and judged by what they say of the other half, and the other way round, with more and more
//! weight for as long as that helps. Where pixels have nothing to tell each other, where materials vary from pixel to pixel, no weight does, and
//! every pixel is solved alone. Half of the bands have twice the variance of all of them, and the weight that suits a noise is proportional to
//! its standard deviation: all bands together get the root of one half of what is best for one half of them.

use std::f64::consts::FRAC_1_SQRT_2;

use cupel_data::Stream;
use cupel_train::{Advance, Metrics, Position, Progress, SetReader, SetWriter, fingerprint};
use serde::{Deserialize, Serialize};

use super::{Iterate, Neighbours, Smoothed, TotalVariation};
use crate::{Abundances, Error, Image, Result, abundances::Solver, error::same};

/// The least weight that is tried beside nought, and what the next one is times the one before.
const FIRST: f64 = 1.0 / 1024.0;
const GROWTH: f64 = 2.0;
/// Weights that are tried at most; the last one makes most images flat.
const MOST_TRIED: usize = 11;
/// Weights in a row that do not help before the search ends.
const IN_VAIN: usize = 2;
/// A minimum is known to this part of the cost, while weights are compared and in the end.
const GAP_OF_SEARCH: f64 = 1e-3;
const GAP: f64 = 1e-4;
/// Iterations of one advance, and most of one minimum.
const AT_ONCE: usize = 20;
const MOST_ITERATIONS: usize = 4000;

/// Abundances of a convention with total variation under way; an [`Advance`] that makes some iterations at a time.
pub(crate) struct Smoothing {
    neighbours: Neighbours,
    /// The bands in two halves, where the weight is to be found.
    halves: Option<[TotalVariation; 2]>,
    whole: TotalVariation,
    count: usize,
    state: State,
    name: String,
    data_hash: [u8; 32],
}

/// What a stopped run needs beside its input.
#[derive(Clone, Debug, Default)]
struct State {
    head: Head,
    /// One for each half of the bands, or one for all of them.
    iterates: Vec<Iterate>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    /// Weights with their errors on bands that were held out.
    tried: Vec<(f64, f64)>,
    /// The weight that was chosen.
    chosen: Option<f64>,
    /// Iterations of the minimum that is sought.
    iterations: usize,
    gap: f64,
}

impl Smoothing {
    /// Of the abundances that `solver` stands for, with this weight or one to be found.
    ///
    /// # Errors
    /// Too few bands to hold half of them out.
    pub(crate) fn new(image: &Image, solver: &Solver, weight: Option<f64>, seed: u64) -> Result<Self> {
        let (pixels, endmembers) = (image.pixels(), solver.endmembers());
        let (bands, count) = (pixels.bands(), endmembers.count());
        let problem = |keep: &[bool]| TotalVariation::new(pixels, endmembers, keep, solver.sums_to_one());
        let halves = match weight {
            Some(_) => None,
            None if bands < 2 * count => {
                let expected = format!("a number: half of {bands} bands are too few for {count} endmembers to choose one");
                return Err(Error::setting("spatial_weight", "none", expected));
            }
            None => {
                let mut first = vec![false; bands];
                let chosen = Stream::new(seed, "spatial bands").sample(bands, bands / 2);
                chosen.into_iter().for_each(|band| first[band] = true);
                let second: Vec<bool> = first.iter().map(|first| !first).collect();
                Some([problem(&first)?, problem(&second)?])
            }
        };
        let whole = problem(&vec![true; bands])?;
        let mut smoothing = Self {
            neighbours: Neighbours::of(image.usable()),
            halves,
            count,
            state: State::default(),
            name: format!("spatial-seed-{seed}"),
            data_hash: fingerprint(&(pixels.hash(), endmembers.values(), solver.convention(), weight))?,
            whole,
        };
        match (&smoothing.halves, weight) {
            (Some(halves), _) => {
                smoothing.state.iterates = halves.iter().map(|half| Iterate::new(half.alone())).collect();
            }
            (None, weight) => smoothing.choose(weight.unwrap_or(0.0)),
        }
        Ok(smoothing)
    }

    /// The abundances and what is known of them.
    ///
    /// # Errors
    /// None for work that is done.
    ///
    /// # Panics
    /// Before it is done: "the minimum is still sought".
    pub(crate) fn finish(self) -> Result<(Abundances, Smoothed)> {
        let Head { tried, chosen: Some(weight), gap, .. } = self.state.head else {
            panic!("the minimum is still sought")
        };
        let weights = self.state.iterates.into_iter().next().map(|iterate| iterate.weights).unwrap_or_default();
        Ok((Abundances::new(weights, self.count)?, Smoothed { weight, tried, gap }))
    }

    /// Begins the last minimum, at what both halves of the bands say.
    fn choose(&mut self, weight: f64) {
        let begin = match self.state.iterates.as_slice() {
            [first, second] if weight > 0.0 => {
                let of = |pick: fn(&Iterate) -> &Vec<f64>, factor: f64| -> Vec<f64> {
                    pick(first).iter().zip(pick(second)).map(|(a, b)| factor * (a + b)).collect()
                };
                let weights = of(|iterate| &iterate.weights, 0.5);
                Iterate { leading: weights.clone(), weights, dual: of(|iterate| &iterate.dual, 1.0) }
            }
            _ => Iterate::new(self.whole.alone()),
        };
        self.state.iterates = vec![begin];
        self.state.head = Head { chosen: Some(weight), iterations: 0, gap: 0.0, tried: std::mem::take(&mut self.state.head.tried) };
    }

    /// Iterates on the last minimum; says whether it is found.
    fn solve(&mut self, weight: f64) -> bool {
        let State { head, iterates } = &mut self.state;
        if weight == 0.0 {
            return true; // the solution of pixels alone is exact
        }
        let (lambda, iterate) = (weight * self.whole.scale(), &mut iterates[0]);
        self.whole.iterate(&self.neighbours, lambda, AT_ONCE, iterate);
        head.iterations += AT_ONCE;
        head.gap = self.whole.gap(&self.neighbours, lambda, iterate);
        head.gap <= GAP || head.iterations >= MOST_ITERATIONS
    }

    /// Iterates on the minima of both halves for the weight that is tried; judges it once they are found.
    fn try_weight(&mut self) {
        let Some([first, second]) = &self.halves else { return };
        let State { head, iterates } = &mut self.state;
        let [of_first, of_second] = iterates.as_mut_slice() else { return };
        let tried = head.tried.len();
        let weight = if tried == 0 { 0.0 } else { FIRST * GROWTH.powi(tried as i32 - 1) };
        if weight > 0.0 {
            head.iterations += AT_ONCE;
            head.gap = [(first, &mut *of_first), (second, &mut *of_second)]
                .into_iter()
                .map(|(half, iterate)| {
                    let lambda = weight * half.scale();
                    half.iterate(&self.neighbours, lambda, AT_ONCE, iterate);
                    half.gap(&self.neighbours, lambda, iterate)
                })
                .fold(0.0, f64::max);
            if head.gap > GAP_OF_SEARCH && head.iterations < MOST_ITERATIONS {
                return;
            }
        }
        let square = first.error(&of_second.weights).powi(2) + second.error(&of_first.weights).powi(2);
        head.tried.push((weight, (0.5 * square).sqrt()));
        head.iterations = 0;
        let best = (0..=tried).min_by(|&a, &b| head.tried[a].1.total_cmp(&head.tried[b].1)).unwrap_or(0);
        if tried >= best + IN_VAIN || tried + 1 == MOST_TRIED {
            let weight = FRAC_1_SQRT_2 * head.tried[best].0;
            self.choose(weight);
        }
    }
}

impl Advance for Smoothing {
    fn advance(&mut self, _: Position) -> cupel_train::Result<Progress> {
        let done = match self.state.head.chosen {
            Some(weight) => self.solve(weight),
            None => {
                self.try_weight();
                false
            }
        };
        let Head { tried, chosen, gap, .. } = &self.state.head;
        let metrics = match (chosen, tried.last()) {
            (Some(weight), _) => Metrics::from([("gap", *gap), ("weight", *weight)]),
            (None, Some((_, error))) => Metrics::from([("gap", *gap), ("held_out_rmse", *error)]),
            (None, None) => Metrics::from([("gap", *gap)]),
        };
        Ok(Progress { metrics, done: done.then_some("abundances are as alike as they should be") })
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        set.json("head", &self.state.head)?;
        let parts = self.state.iterates.iter().flat_map(|i| [&i.weights, &i.leading, &i.dual]).flatten();
        set.bytes("iterates", &parts.flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        let (head, bytes): (Head, _) = (set.json("head")?, set.bytes("iterates")?);
        let numbers: Vec<f64> = bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
        let (each, iterates) = (self.whole.unknowns(), if head.chosen.is_some() { 1 } else { 2 });
        same("saved abundances", 4 * each * iterates, numbers.len()).map_err(cupel_train::Error::work)?;
        let iterate = |part: &[f64]| Iterate {
            weights: part[..each].to_vec(),
            leading: part[each..2 * each].to_vec(),
            dual: part[2 * each..].to_vec(),
        };
        self.state = State { head, iterates: numbers.chunks_exact(4 * each).map(iterate).collect() };
        Ok(())
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        fingerprint(&("spatial", self.data_hash))
    }

    fn name(&self) -> &str {
        &self.name
    }
}
