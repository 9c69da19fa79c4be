//! [`BoundedLbfgs`]: quasi-Newton steps on the host, in f64, for values that have bounds.
//!
//! Limited-memory BFGS with the two-metric projection of D. P. Bertsekas, SIAM J. Control Optim. 20, 221 (1982), doi:10.1137/0320018, as
//! M. Schmidt, D. Kim, S. Sra describe it in "Optimization for Machine Learning" (MIT Press 2011), chapter 11: values at a bound that the gradient
//! pushes outwards stay there, the others move by the inverse curvature of their own, known from the last pairs of moves and changes of the gradient
//! (J. Nocedal, Math. Comput. 35, 773 (1980)), and whatever leaves the bounds is put back on them. Steps are shortened until the value falls enough
//! along that path (Armijo's rule). Without bounds it is L-BFGS.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{Advance, Error, Metrics, Position, Progress, Result, SetReader, SetWriter, fingerprint};

/// Share of the fall that the gradient promises which a step has to bring.
const ENOUGH: f64 = 1e-4;
/// A pair of move and change of gradient whose angle has a smaller cosine says nothing of the curvature.
const LEAST_COSINE: f64 = 1e-10;
/// Most halvings, or so, of a step.
const SHORTENINGS: usize = 25;
/// Steps in a row that bring next to nothing before it has converged.
const STALLED: u32 = 3;

/// A smooth function of values on the host, with its gradient.
pub trait Objective {
    /// How many values it takes.
    fn len(&self) -> usize;

    /// Whether it takes none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The least and the largest of each value; `None` where none is bounded.
    fn bounds(&self) -> Option<(&[f64], &[f64])>;

    /// The value at `x`, and all of its derivatives into `gradient`. The same `x` gives the same bits.
    ///
    /// # Errors
    /// What keeps it from being computed.
    fn value_and_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64>;

    /// Identifies what it computes, see [`fingerprint`].
    ///
    /// # Errors
    /// That it cannot be encoded.
    fn fingerprint(&self) -> Result<[u8; 32]>;
}

/// Settings of [`BoundedLbfgs`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BoundedLbfgsSettings {
    /// Names the work in the run. Default `bounded-lbfgs`.
    pub name: String,
    /// Pairs that the curvature is known from. Default 10.
    pub memory: usize,
    /// Most steps, at least 1. Default 200.
    pub steps: u64,
    /// It has converged where the value falls by less three times in a row, relative to the value. Default 1e-9.
    pub tolerance: f64,
}

impl Default for BoundedLbfgsSettings {
    fn default() -> Self {
        Self { name: "bounded-lbfgs".into(), memory: 10, steps: 200, tolerance: 1e-9 }
    }
}

/// A minimisation under way, without its function: what is saved between steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Descent {
    x: Vec<f64>,
    gradient: Vec<f64>,
    /// Moves and changes of the gradient, the oldest first.
    pairs: VecDeque<(Vec<f64>, Vec<f64>)>,
    head: Head,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    /// `None` before the first evaluation.
    value: Option<f64>,
    evaluations: u64,
    stalled: u32,
    memory: usize,
    pairs: usize,
}

impl Descent {
    /// Starts at `x`, with a memory of so many pairs.
    pub fn new(x: Vec<f64>, memory: usize) -> Self {
        let gradient = vec![0.0; x.len()];
        Self { x, gradient, pairs: VecDeque::new(), head: Head { memory, ..Head::default() } }
    }

    /// The values where it stands.
    pub fn x(&self) -> &[f64] {
        &self.x
    }

    /// The function there; `None` before the first step.
    pub fn value(&self) -> Option<f64> {
        self.head.value
    }

    /// How often value and gradient were computed.
    pub fn evaluations(&self) -> u64 {
        self.head.evaluations
    }

    /// Goes on with another function from the same place: value, gradient and curvature are those of the new one.
    pub fn restart(&mut self) {
        self.pairs.clear();
        self.head = Head { memory: self.head.memory, evaluations: self.head.evaluations, ..Head::default() };
    }

    /// One step down; says why there is none, or why it was the last.
    ///
    /// # Errors
    /// What `objective` reports; [`Error::WatchNotFinite`] where its first value is no number.
    pub fn step(&mut self, objective: &mut (impl Objective + ?Sized), tolerance: f64) -> Result<Option<&'static str>> {
        let bounds = objective.bounds().map(|(low, high)| (low.to_vec(), high.to_vec()));
        let inside = |i: usize, value: f64| bounds.as_ref().map_or(value, |(low, high)| value.max(low[i]).min(high[i]));
        let before = match self.head.value {
            Some(value) => value,
            None => {
                self.x.iter_mut().enumerate().for_each(|(i, x)| *x = inside(i, *x));
                let value = objective.value_and_gradient(&self.x, &mut self.gradient)?;
                self.head.evaluations += 1;
                if !value.is_finite() || self.gradient.iter().any(|g| !g.is_finite()) {
                    return Err(Error::WatchNotFinite { metric: "value at the start".into(), value });
                }
                self.head.value = Some(value);
                value
            }
        };
        let free: Vec<bool> = self
            .x
            .iter()
            .zip(&self.gradient)
            .enumerate()
            .map(|(i, (x, g))| {
                bounds.as_ref().is_none_or(|(low, high)| !(*x <= low[i] && *g >= 0.0 || *x >= high[i] && *g <= 0.0))
            })
            .collect();
        let free: Vec<usize> = (0..free.len()).filter(|i| free[*i]).collect();
        let steepest = free.iter().map(|i| self.gradient[*i].powi(2)).sum::<f64>().sqrt();
        if steepest == 0.0 {
            return Ok(Some("the gradient is nought"));
        }
        loop {
            let fresh = self.pairs.is_empty();
            let direction = self.direction(&free);
            let first = if fresh { 1.0 / steepest.max(1.0) } else { 1.0 };
            match self.search(objective, &direction, first, before, inside)? {
                Some(value) => {
                    let little = before - value <= tolerance * value.abs();
                    self.head.stalled = if little { self.head.stalled + 1 } else { 0 };
                    return Ok((self.head.stalled >= STALLED).then_some("converged"));
                }
                None if fresh => return Ok(Some("no lower value is found")),
                // what is remembered misleads: the steepest way is left
                None => self.pairs.clear(),
            }
        }
    }

    /// Minus the inverse curvature times the gradient, among the values at `free` (the two-loop recursion); nought elsewhere.
    fn direction(&self, free: &[usize]) -> Vec<f64> {
        let dot = |a: &[f64], b: &[f64]| free.iter().map(|i| a[*i] * b[*i]).sum::<f64>();
        let mut direction = vec![0.0; self.x.len()];
        free.iter().for_each(|i| direction[*i] = -self.gradient[*i]);
        let mut kept = Vec::with_capacity(self.pairs.len());
        let mut scale = None;
        for (moved, change) in self.pairs.iter().rev() {
            let (along, squares) = (dot(moved, change), dot(change, change));
            if along <= LEAST_COSINE * (squares * dot(moved, moved)).sqrt() {
                continue;
            }
            scale.get_or_insert(along / squares);
            let weight = dot(moved, &direction) / along;
            free.iter().for_each(|i| direction[*i] -= weight * change[*i]);
            kept.push((moved, change, along, weight));
        }
        let scale = scale.unwrap_or(1.0);
        free.iter().for_each(|i| direction[*i] *= scale);
        for (moved, change, along, weight) in kept.into_iter().rev() {
            let back = weight - dot(change, &direction) / along;
            free.iter().for_each(|i| direction[*i] += back * moved[*i]);
        }
        // rounding may turn it uphill
        if dot(&direction, &self.gradient) >= 0.0 {
            free.iter().for_each(|i| direction[*i] = -self.gradient[*i]);
        }
        direction
    }

    /// Moves along `direction`, back to the bounds, as far as the value falls enough; `None` where it does not.
    fn search(
        &mut self,
        objective: &mut (impl Objective + ?Sized),
        direction: &[f64],
        first: f64,
        before: f64,
        inside: impl Fn(usize, f64) -> f64,
    ) -> Result<Option<f64>> {
        let (mut step, mut gradient) = (first, vec![0.0; self.x.len()]);
        for _ in 0..SHORTENINGS {
            let place: Vec<f64> =
                self.x.iter().zip(direction).enumerate().map(|(i, (x, d))| inside(i, x + step * d)).collect();
            let moved: Vec<f64> = place.iter().zip(&self.x).map(|(to, from)| to - from).collect();
            let promised: f64 = moved.iter().zip(&self.gradient).map(|(m, g)| m * g).sum();
            if moved.iter().all(|m| *m == 0.0) {
                return Ok(None);
            }
            let value = objective.value_and_gradient(&place, &mut gradient)?;
            self.head.evaluations += 1;
            let usable = value.is_finite() && gradient.iter().all(|g| g.is_finite());
            if usable && value < before && value <= before + ENOUGH * promised {
                let change: Vec<f64> = gradient.iter().zip(&self.gradient).map(|(new, old)| new - old).collect();
                self.pairs.push_back((moved, change));
                if self.pairs.len() > self.head.memory {
                    self.pairs.pop_front();
                }
                (self.x, self.gradient, self.head.value) = (place, gradient, Some(value));
                return Ok(Some(value));
            }
            // the least of the parabola through both values and the slope here, at least a tenth and at most half of the step
            let parabola = if usable && promised < 0.0 { -0.5 * promised / (value - before - promised) } else { 0.1 };
            step *= if parabola.is_finite() { parabola.clamp(0.1, 0.5) } else { 0.5 };
        }
        Ok(None)
    }

    /// Writes it under `name`.
    ///
    /// # Errors
    /// What `set` reports.
    pub fn save(&self, name: &str, set: &mut SetWriter) -> Result<()> {
        set.json(&format!("{name}.json"), &Head { pairs: self.pairs.len(), ..self.head })?;
        let pairs = self.pairs.iter().flat_map(|(moved, change)| [moved, change]);
        let all = [&self.x, &self.gradient].into_iter().chain(pairs);
        let bytes: Vec<u8> = all.flatten().flat_map(|value| value.to_le_bytes()).collect();
        set.bytes(&format!("{name}.f64"), &bytes)
    }

    /// Reads what [`save`](Self::save) wrote of a function of so many values.
    ///
    /// # Errors
    /// What `set` reports; [`Error::Setting`] where the number of values is another.
    pub fn load(name: &str, len: usize, set: &SetReader) -> Result<Self> {
        let head: Head = set.json(&format!("{name}.json"))?;
        let bytes = set.bytes(&format!("{name}.f64"))?;
        let wanted = head.pairs.checked_mul(2).and_then(|n| n.checked_add(2)).and_then(|n| n.checked_mul(8 * len));
        if wanted != Some(bytes.len()) {
            let got = format!("{} bytes", bytes.len());
            return Err(Error::Setting {
                name: "saved descent",
                got,
                expected: "the number of values that it was saved with",
            });
        }
        let value = |bytes: &[u8]| bytes.try_into().map_or(f64::NAN, f64::from_le_bytes);
        let mut vectors =
            bytes.chunks_exact((8 * len).max(1)).map(|part| part.chunks_exact(8).map(value).collect::<Vec<f64>>());
        let mut next = || vectors.next().unwrap_or_default();
        let (x, gradient) = (next(), next());
        let pairs = (0..head.pairs).map(|_| (next(), next())).collect();
        Ok(Self { x, gradient, pairs, head: Head { pairs: 0, ..head } })
    }
}

/// A [`Descent`] on one function, as an [`Advance`] whose every advance is one step.
///
/// # Example
/// ```
/// use cupel_train::{BoundedLbfgs, BoundedLbfgsSettings, Objective, Policy, Result, Run, fingerprint};
///
/// /// The square of the distance from (3, -1), with values from nought on.
/// struct Distance;
///
/// impl Objective for Distance {
///     fn len(&self) -> usize { 2 }
///     fn bounds(&self) -> Option<(&[f64], &[f64])> { Some((&[0.0; 2], &[f64::INFINITY; 2])) }
///     fn value_and_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64> {
///         gradient.copy_from_slice(&[2.0 * (x[0] - 3.0), 2.0 * (x[1] + 1.0)]);
///         Ok((x[0] - 3.0).powi(2) + (x[1] + 1.0).powi(2))
///     }
///     fn fingerprint(&self) -> Result<[u8; 32]> { fingerprint(&"distance") }
/// }
///
/// let mut least = BoundedLbfgs::new(Distance, vec![1.0, 1.0], BoundedLbfgsSettings::default())?;
/// Run::in_memory().drive(&mut least, &Policy::default())?;
/// assert!((least.x()[0] - 3.0).abs() < 1e-6 && least.x()[1] == 0.0);
/// # Ok::<(), cupel_train::Error>(())
/// ```
#[derive(Debug)]
pub struct BoundedLbfgs<O: Objective> {
    objective: O,
    descent: Descent,
    settings: BoundedLbfgsSettings,
}

impl<O: Objective> BoundedLbfgs<O> {
    /// Starts at `x`; what lies outside the bounds is put on them.
    ///
    /// # Errors
    /// [`Error::Setting`] for a number out of its range, for a start or bounds of another number of values, and for bounds that leave none.
    pub fn new(objective: O, x: Vec<f64>, settings: BoundedLbfgsSettings) -> Result<Self> {
        let wrong = |name, got: String, expected| Err(Error::Setting { name, got, expected });
        if settings.memory == 0 {
            return wrong("memory", "0".into(), "a number of at least 1");
        }
        if settings.steps == 0 {
            return wrong("steps", "0".into(), "a number of at least 1");
        }
        if !(settings.tolerance >= 0.0 && settings.tolerance.is_finite()) {
            return wrong("tolerance", settings.tolerance.to_string(), "a number of at least 0");
        }
        if x.len() != objective.len() || x.iter().any(|x| !x.is_finite()) {
            return wrong("start", format!("{} values", x.len()), "as many finite numbers as the function takes");
        }
        if let Some((low, high)) = objective.bounds()
            && (low.len() != x.len()
                || high.len() != x.len()
                || low.iter().zip(high).any(|(low, high)| low.is_nan() || high.is_nan() || low > high))
        {
            return wrong("bounds", "too few, or a least value above the largest".into(), "a range for every value");
        }
        let descent = Descent::new(x, settings.memory);
        Ok(Self { objective, descent, settings })
    }

    /// The values where it stands.
    pub fn x(&self) -> &[f64] {
        self.descent.x()
    }

    /// The minimisation as it stands.
    pub fn descent(&self) -> &Descent {
        &self.descent
    }

    /// The function.
    pub fn objective(&self) -> &O {
        &self.objective
    }
}

impl<O: Objective> Advance for BoundedLbfgs<O> {
    fn advance(&mut self, at: Position) -> Result<Progress> {
        let done = self.descent.step(&mut self.objective, self.settings.tolerance)?;
        let done = done.or((at.update + 1 >= self.settings.steps).then_some("all steps are made"));
        Ok(Progress { metrics: Metrics::from([("loss", self.descent.value().unwrap_or(f64::NAN))]), done })
    }

    fn save(&self, set: &mut SetWriter) -> Result<()> {
        self.descent.save("descent", set)
    }

    fn load(&mut self, set: &SetReader) -> Result<()> {
        self.descent = Descent::load("descent", self.objective.len(), set)?;
        Ok(())
    }

    fn fingerprint(&self) -> Result<[u8; 32]> {
        let BoundedLbfgsSettings { memory, tolerance, .. } = self.settings;
        fingerprint(&("bounded lbfgs", memory, tolerance, self.objective.fingerprint()?))
    }

    fn name(&self) -> &str {
        &self.settings.name
    }

    fn total(&self) -> Option<u64> {
        Some(self.settings.steps)
    }
}
