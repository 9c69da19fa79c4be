//! [`Smoothing`]: total variation at a weight that bands which are held out speak for.
//!
//! Abundances are fitted to every other eighth of the spectrum and judged by what they say of the rest, and the other way round, with more and
//! more weight for as long as that helps. Where pixels have nothing to tell each other no weight does, and every pixel is solved alone. The parts
//! are wide because noise, and materials that vary, err alike in bands beside each other, which single bands would take for agreement. Half of the
//! bands have twice the variance of all of them, and the weight that suits a noise is proportional to its standard deviation: all bands together
//! get the root of one half of what is best for one half of them.

use std::f64::consts::FRAC_1_SQRT_2;

use cupel_train::{Advance, Metrics, Position, Progress, SetReader, SetWriter, fingerprint};
use serde::{Deserialize, Serialize};

use super::{Iterate, Neighbours, Smoothed, TotalVariation};
use crate::{Abundances, Error, Image, Result, abundances::Solver, error::same};

/// The least weight that is tried beside nought, and what the next one is times the one before.
const FIRST: f64 = 1.0 / 1024.0;
const GROWTH: f64 = 2.0;
/// Weights that are tried at most; the last one makes most images flat.
const MOST_TRIED: usize = 11;
/// Parts of the spectrum that are fitted and held out by turns.
const PARTS: usize = 8;
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
    /// Of the abundances that `solver` stands for, with this weight or one to be found; `name` is that of the work within its run.
    ///
    /// # Errors
    /// Too few bands to hold half of them out.
    pub(crate) fn new(image: &Image, solver: &Solver, weight: Option<f64>, name: String) -> Result<Self> {
        let (pixels, endmembers) = (image.pixels(), solver.endmembers());
        let (bands, count) = (pixels.bands(), endmembers.count());
        let problem = |keep: &[bool]| TotalVariation::new(pixels, endmembers, keep, solver.sums_to_one());
        let halves = match weight {
            Some(_) => None,
            None => {
                let first: Vec<bool> = (0..bands).map(|band| (PARTS * band / bands).is_multiple_of(2)).collect();
                let second: Vec<bool> = first.iter().map(|first| !first).collect();
                let size = |half: &[bool]| half.iter().filter(|kept| **kept).count();
                if size(&first).min(size(&second)) < count {
                    let expected =
                        format!("a number: half of {bands} bands are too few for {count} endmembers to choose one");
                    return Err(Error::setting("spatial_weight", "none", expected));
                }
                Some([problem(&first)?, problem(&second)?])
            }
        };
        let whole = problem(&vec![true; bands])?;
        let mut smoothing = Self {
            neighbours: Neighbours::of(image.usable()),
            halves,
            count,
            state: State::default(),
            name,
            data_hash: fingerprint(&(
                (pixels.hash(), image.rows(), image.columns()),
                endmembers.values(),
                solver.convention(),
                weight,
            ))?,
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
        let tried = std::mem::take(&mut self.state.head.tried);
        self.state.head = Head { tried, chosen: Some(weight), iterations: 0, gap: 0.0 };
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

#[cfg(test)]
mod tests {
    use cupel_data::Stream;
    use cupel_train::{
        Description, Opening, Policy, Run,
        checks::{CUT_OFF, CutOff},
    };

    use super::*;
    use crate::{Convention, dirichlet, mix, patches, smooth_endmembers};

    #[test]
    fn work_that_is_cut_off_while_weights_are_tried_or_after_ends_with_the_same_bits() {
        let stream = Stream::new(5, "smoothing");
        let endmembers = smooth_endmembers(3, 40, stream.child(0)).unwrap();
        let abundances = patches(14, 16, 3, 0.02, stream.child(1)).unwrap();
        let pixels = mix(&endmembers, &abundances, 15.0, stream.child(2)).unwrap();
        let image = Image::new(pixels, 14, 16).unwrap();
        let solver = Solver::new(image.pixels(), &endmembers, Convention::Fcls).unwrap();
        let work = || Smoothing::new(&image, &solver, None, "spatial".into()).unwrap();
        let (mut whole, mut made, mut chosen) = (work(), 0, None);
        while whole.advance(Position::default()).unwrap().done.is_none() {
            made += 1;
            if chosen.is_none() && whole.state.head.chosen.is_some() {
                chosen = Some(made);
            }
        }
        let (chosen, whole) = (chosen.unwrap(), whole.finish().unwrap());
        assert!(whole.1.weight > 0.0, "{:?}", whole.1);
        // the weight of all bands is none of those that were tried on some, and was chosen all the same
        assert!(
            whole.1.told().contains("of pixels alone") && !whole.1.told().contains("as asked"),
            "{}",
            whole.1.told()
        );
        for stop in [1, 2, chosen - 1, chosen, chosen + 1].into_iter().filter(|stop| *stop <= made) {
            let folder = tempfile::tempdir().unwrap();
            let dir = folder.path().join("run");
            let open = |how| {
                let mut run = Run::open(&dir, &Description::new("test"), how).unwrap().run().unwrap();
                run.set_quiet(true);
                run
            };
            let each = Policy { save_every: Some(1), ..Policy::default() };
            let mut cut = CutOff { work: &mut work(), after: stop };
            let error = open(Opening::Create).drive(&mut cut, &each).unwrap_err();
            assert_eq!(error.to_string(), CUT_OFF);
            let mut again = work();
            open(Opening::Resume { strict: true }).drive(&mut again, &Policy::default()).unwrap();
            assert!(again.finish().unwrap() == whole, "cut off after {stop} of {made}");
        }
    }

    /// Root mean square errors of abundances of all pixels together and of pixels alone, and the weight.
    fn errors(in_patches: bool, seed: u64) -> (f64, f64, f64) {
        let stream = Stream::new(seed, "patches and none");
        let endmembers = smooth_endmembers(3, 40, stream.child(0)).unwrap();
        let truth = if in_patches {
            patches(24, 30, 3, 0.02, stream.child(1)).unwrap()
        } else {
            dirichlet(720, 3, 0.5, stream.child(1)).unwrap()
        };
        let pixels = mix(&endmembers, &truth, 15.0, stream.child(2)).unwrap();
        let image = Image::new(pixels, 24, 30).unwrap();
        let solver = Solver::new(image.pixels(), &endmembers, Convention::Fcls).unwrap();
        let mut work = Smoothing::new(&image, &solver, None, "spatial".into()).unwrap();
        while work.advance(Position::default()).unwrap().done.is_none() {}
        let (found, smoothed) = work.finish().unwrap();
        let held_out = |weight: f64| smoothed.tried.iter().find(|(tried, _)| *tried == weight).map(|(_, error)| *error);
        let least = smoothed.tried.iter().map(|(_, error)| *error).fold(f64::INFINITY, f64::min);
        assert!(Some(least) <= held_out(0.0) && smoothed.gap < 1e-3, "{smoothed:?}");
        assert_eq!(smoothed.weight > 0.0, Some(least) < held_out(0.0), "{smoothed:?}");
        let alone = solver.solve(image.pixels()).unwrap();
        let error = |of: &Abundances| {
            let square = of.values().iter().zip(truth.values()).map(|(a, t)| (a - t).powi(2)).sum::<f64>();
            (square / truth.values().len() as f64).sqrt()
        };
        (error(&found), error(&alone), smoothed.weight)
    }

    #[test]
    fn a_weight_is_found_where_patches_are_larger_than_noise_and_pixels_that_know_nothing_of_each_other_stay() {
        for in_patches in [true, false] {
            let (mut together, mut alone) = (0.0, 0.0);
            for seed in 0..4 {
                let (own, others, weight) = errors(in_patches, seed);
                println!("patches {in_patches}, seed {seed}: {others:.4} to {own:.4} at {weight:.4}");
                assert!(!in_patches || weight > 0.002, "seed {seed}: {weight}");
                together += own;
                alone += others;
            }
            assert!(together < if in_patches { 0.85 } else { 1.01 } * alone, "{in_patches}: {alone} to {together}");
        }
    }
}
