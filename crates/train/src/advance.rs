//! Work that goes on in steps and can stop, save and resume.
//!
//! Gradient training, sweeps of a phase retrieval, restarts of an extraction and a covariance over chunks all do the
//! same thing from the outside: one step after the other, with a state between them. [`Advance`] is that outside, and
//! [`Run::drive`](crate::Run::drive) is the one loop over it.

use crate::{Casting, Error, Metrics, Result, SetReader, SetWriter};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// Where a piece of work stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Advances made so far, over all stages and epochs; the only number that [`Run::drive`](crate::Run::drive) reads.
    pub update: u64,
    /// Part of the work with its own rules, counted from 0.
    pub stage: u32,
    /// Passes over the data within the stage.
    pub epoch: u64,
    /// Steps within the epoch.
    pub step: u64,
}

impl Position {
    /// The position one step later within the same epoch.
    #[must_use]
    pub fn following(self) -> Self {
        Self { update: self.update + 1, step: self.step + 1, ..self }
    }
}

/// What one advance brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Numbers for the log; may be empty.
    pub metrics: Metrics,
    /// Why there is nothing left to do; `None` to go on.
    pub done: Option<&'static str>,
}

/// Where and how work computes, for `environment.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Computing {
    /// The device, as it can be asked for.
    pub device: String,
    /// The numbers that it computes with.
    pub precision: String,
    /// Seed of all random draws.
    pub seed: u64,
}

impl Computing {
    /// On `device` in the precision of `casting`.
    pub fn of(device: &Device, casting: &Casting, seed: u64) -> Self {
        Self { device: crate::device::name(&device.clone().inner()), precision: casting.name().to_string(), seed }
    }

    /// On the processor without any device of tensors, in `precision`.
    pub fn on_host(precision: &str, seed: u64) -> Self {
        Self { device: "cpu".into(), precision: precision.into(), seed }
    }
}

/// Work that goes on in steps and can stop, save and resume.
///
/// Between two advances the state must be complete: what [`save`](Self::save) writes, loaded into freshly made work of
/// the same [`fingerprint`](Self::fingerprint), has to continue bit for bit as if nothing had happened. Draw random
/// numbers from a counter-based stream at the [`Position`], so that there is no generator to save.
///
/// # Example
/// ```
/// use cupel_train::{Advance, Metrics, Policy, Position, Progress, Result, Run, SetReader, SetWriter, fingerprint};
///
/// /// Newton's iteration for the square root.
/// struct SquareRoot { of: f64, guess: f64 }
///
/// impl Advance for SquareRoot {
///     fn advance(&mut self, _: Position) -> Result<Progress> {
///         let next = 0.5 * (self.guess + self.of / self.guess);
///         let change = (next - self.guess).abs();
///         self.guess = next;
///         Ok(Progress { metrics: Metrics::from([("change", change)]), done: (change < 1e-12).then_some("converged") })
///     }
///     fn save(&self, set: &mut SetWriter) -> Result<()> { set.json("guess", &self.guess) }
///     fn load(&mut self, set: &SetReader) -> Result<()> { self.guess = set.json("guess")?; Ok(()) }
///     fn fingerprint(&self) -> Result<[u8; 32]> { fingerprint(&("square root", self.of)) }
/// }
///
/// let mut root = SquareRoot { of: 2.0, guess: 1.0 };
/// let driven = Run::in_memory().drive(&mut root, &Policy::default())?;
/// assert_eq!(driven.reason, "converged");
/// assert!((root.guess - 2f64.sqrt()).abs() < 1e-15);
/// # Ok::<(), cupel_train::Error>(())
/// ```
pub trait Advance {
    /// Goes one step on from `at`.
    ///
    /// # Errors
    /// What the work reports, see [`Error::work`](crate::Error::work). The state is not saved afterwards: the run can
    /// be resumed from the last checkpoint.
    fn advance(&mut self, at: Position) -> Result<Progress>;

    /// Writes the whole state.
    ///
    /// # Errors
    /// What `set` reports.
    fn save(&self, set: &mut SetWriter) -> Result<()>;

    /// Takes the state over from a set that work of the same fingerprint wrote.
    ///
    /// # Errors
    /// What `set` reports, or that its content does not fit.
    fn load(&mut self, set: &SetReader) -> Result<()>;

    /// Identifies configuration and input; a state is only loaded where it was saved under the same value. See
    /// [`fingerprint`].
    ///
    /// # Errors
    /// That the configuration cannot be encoded.
    fn fingerprint(&self) -> Result<[u8; 32]>;

    /// Names the work within its run: its checkpoints, its lines in the log and on the terminal.
    ///
    /// A run that drives several pieces of work needs a name for each.
    fn name(&self) -> &str {
        "work"
    }

    /// How many advances the whole work takes at most, where that is known; the time left is estimated from it.
    fn total(&self) -> Option<u64> {
        None
    }

    /// Where and how the work computes; noted in `environment.json` where [`Run::describe`](crate::Run::describe) said
    /// nothing of it.
    fn computing(&self) -> Option<Computing> {
        None
    }

    /// Whether work that was done, and is loaded, has more to do under settings that have
    /// [grown](crate::Description::growing) since.
    fn has_more(&self) -> bool {
        false
    }

    /// The position after the advance that was made at `at`; for work that knows epochs or stages.
    fn next(&self, at: Position) -> Position {
        at.following()
    }
}

/// Hash of a configuration, and of whatever else the state depends on, for [`Advance::fingerprint`].
///
/// It does not depend on the order of map keys or fields. Input data enters by its own hash:
/// `fingerprint(&(config, data_hash))`.
///
/// # Errors
/// [`Error::Encoding`] where the value has no JSON form, such as a map whose keys are no text.
pub fn fingerprint(of: &impl Serialize) -> Result<[u8; 32]> {
    let mut value = serde_json::to_value(of).map_err(Error::encoding("encode", "the fingerprint"))?;
    value.sort_all_objects();
    Ok(*blake3::hash(value.to_string().as_bytes()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn fingerprints_do_not_depend_on_the_order_of_keys() {
        let keys: Vec<String> = (0..50).map(|index| format!("key {index}")).collect();
        let forward: HashMap<_, _> = keys.iter().zip(0..50).collect();
        let backward: HashMap<_, _> = keys.iter().zip(0..50).rev().collect();
        assert_eq!(fingerprint(&forward).unwrap(), fingerprint(&backward).unwrap());
    }

    #[test]
    fn fingerprints_tell_the_smallest_change() {
        let one = fingerprint(&("edaa", 0.1_f64, 3)).unwrap();
        assert_ne!(one, fingerprint(&("edaa", 0.1_f64.next_up(), 3)).unwrap());
        assert_ne!(one, fingerprint(&("edaa", 0.1_f64, 4)).unwrap());
        assert_eq!(one, fingerprint(&("edaa", 0.1_f64, 3)).unwrap());
    }

    #[test]
    fn a_position_counts_on_within_its_epoch() {
        let at = Position { update: 41, stage: 1, epoch: 4, step: 1 };
        assert_eq!(at.following(), Position { update: 42, stage: 1, epoch: 4, step: 2 });
    }
}
