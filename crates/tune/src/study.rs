//! [`Study`]: a search that any number of processes go on with together.
//!
//! Everything a worker decides, it decides while it holds the lock of the journal and has read it to the end: which
//! trial of the queue it takes, whether there are enough trials, whose worker has died. A trial of a dead worker is put
//! in the queue again with the same values, and only then counts as failed; whoever dies between the two leaves a
//! retry whose history names the trial, so the next one to look only fails it. So no trial is lost, and none repeated
//! twice.

mod config;
mod retry;

pub use config::StudyConfig;

use crate::{
    Error, Result, Setting, Space, StudyRecord, Trial, TrialRecord, Value,
    journal::{self, Journal, Operation, Template, Workers, from_attribute, to_attribute},
    record::{DESCRIPTION, FIXED_PARAMS, Failure, METRIC_NAMES, State},
    sampler::Context,
};
use config::{Checked, list, same_objectives};
use retry::{failed, retry};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// How often a worker that has nothing to do looks whether another one died.
const LOOK: Duration = Duration::from_millis(200);

/// How an objective ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// With a value for each objective.
    Complete(Vec<f64>),
    /// Early, because the pruner said so.
    Pruned,
    /// Without a result, for this reason; the search goes on.
    Failed(String),
}

impl From<f64> for Outcome {
    fn from(value: f64) -> Self {
        Self::Complete(vec![value])
    }
}

/// A search in a journal file, of which this handle is one worker; its clones are the same worker.
///
/// # Example
/// ```
/// use cupel_tune::{Objective, Outcome, Parameter, Space, Study, StudyConfig};
/// # let folder = tempfile::tempdir().unwrap();
/// # let journal = folder.path().join("study.journal");
/// let space = Space::new([Parameter::float("x", -10.0, 10.0)])?;
/// let study = Study::open(&journal, StudyConfig::new("parabola", [Objective::minimize("y")]))?;
/// study.optimize(&space, 30, |trial| -> cupel_tune::Result<_> {
///     Ok(Outcome::from((trial.float("x")? - 2.0).powi(2)))
/// })?;
/// assert!(study.best()?.values.unwrap()[0] < 4.0);
/// # Ok::<(), cupel_tune::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Study {
    shared: Arc<Shared>,
}

/// What a study and its trials have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    journal: Mutex<Journal>,
    path: PathBuf,
    id: usize,
    pub(crate) config: StudyConfig,
    /// Index of the objective that trials report.
    pub(crate) pruning: Option<usize>,
}

impl Shared {
    fn journal(&self) -> MutexGuard<'_, Journal> {
        // A journal that a panic interrupted reads its file again from where it was.
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides on the newest record of the study, and appends, while nobody else can.
    pub(crate) fn transact<T>(
        &self,
        decide: impl FnOnce(&StudyRecord, &Workers) -> Result<(Vec<Operation>, T)>,
    ) -> Result<T> {
        self.journal().transact(|state, workers| decide(self.record_of(state)?, workers))
    }

    /// The trial, if this worker still has it.
    pub(crate) fn running<'a>(&self, record: &'a StudyRecord, number: usize) -> Result<&'a TrialRecord> {
        let state = record.trials.get(number).map_or(State::Failed, |trial| trial.state);
        match record.trials.get(number) {
            Some(trial) if state == State::Running => Ok(trial),
            _ => Err(Error::TrialGone { name: record.name.clone(), number, state: state.name() }),
        }
    }

    pub(crate) fn fail(&self, number: usize, id: usize, reason: &str) -> Result<()> {
        self.transact(|record, _| {
            self.running(record, number)?;
            Ok((failed(id, reason).into(), ()))
        })
    }

    /// Values for a trial: what it has, what somebody wants tried, and the rest from the sampler.
    fn sample(&self, record: &StudyRecord, space: &Space, number: usize) -> Result<BTreeMap<String, Setting>> {
        let trial = &record.trials[number];
        let mut fixed = BTreeMap::new();
        for (name, value) in from_attribute(trial.system_attributes.get(FIXED_PARAMS)) {
            // What another program enqueued and the space does not have is left to the sampler.
            let parameter = space.parameters().iter().find(|parameter| parameter.name == name);
            fixed.extend(parameter.and_then(|parameter| Some((name, parameter.distribution.internal(&value)?))));
        }
        fixed.extend(trial.parameters.iter().map(|(name, setting)| (name.clone(), setting.internal)));
        let (pruning, seed) = (self.pruning, self.config.seed);
        self.config.sampler.sample(&Context { space, record, pruning, seed, number }, &fixed)
    }

    fn record_of<'a>(&self, state: &'a journal::Replay) -> Result<&'a StudyRecord> {
        state.study(self.id).ok_or_else(|| {
            let found: Vec<&str> = state.studies().map(|study| study.name.as_str()).collect();
            Error::NoStudy { path: self.path.clone(), name: self.config.name.clone(), found: found.join(", ") }
        })
    }
}

impl Study {
    /// Opens a study as a new worker, and creates it and its journal where they are not there yet.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings out of range, [`Error::Objectives`] when the study is there with others,
    /// [`Error::Journal`] when the file is not a journal, [`Error::Io`] when the system refuses.
    pub fn open(journal: impl AsRef<Path>, config: StudyConfig) -> Result<Self> {
        let path = journal.as_ref();
        let Checked { pruning, interval, grace } = config.check()?;
        let mut journal = Journal::open(path, interval, grace)?;
        journal.transact(|state, _| {
            if let Some(record) = state.studies().find(|study| study.name == config.name) {
                return if same_objectives(record, &config.objectives) {
                    Ok((Vec::new(), ()))
                } else {
                    let (name, found) = (config.name.clone(), list(&record.objectives));
                    Err(Error::Objectives { name, found, wanted: list(&config.objectives) })
                };
            }
            let names: Vec<&str> = config.objectives.iter().map(|objective| objective.name.as_str()).collect();
            let create = Operation::create_study(&config.name, &config.objectives);
            let name = Operation::study_system_attribute(state.next_study_id(), METRIC_NAMES, json!(names));
            Ok((vec![create, name], ()))
        })?;
        let id = journal.state().studies().find(|study| study.name == config.name).map(|study| study.id);
        let shared =
            Shared { journal: Mutex::new(journal), path: path.into(), id: id.unwrap_or(usize::MAX), config, pruning };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The next trial: the first of the queue, or a new one with values from the sampler.
    ///
    /// # Errors
    /// [`Error::Incompatible`] when a parameter of the space was another kind in earlier trials,
    /// [`Error::TooManyDimensions`] for Sobol points, and those of the journal.
    pub fn ask(&self, space: &Space) -> Result<Trial> {
        loop {
            if let Some(trial) = self.ask_within(space, usize::MAX)? {
                return Ok(trial);
            }
        }
    }

    /// The next trial while the study has fewer than `trials`, not counting retries; those in the queue in any case.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn ask_within(&self, space: &Space, trials: usize) -> Result<Option<Trial>> {
        self.revive()?;
        let claimed = self.shared.transact(|record, _| {
            check_compatible(record, space)?;
            if let Some(waiting) = record.trials.iter().find(|trial| trial.state == State::Waiting) {
                let operation = Operation::state(waiting.id, State::Running, None);
                return Ok((vec![operation], Some(waiting.number)));
            }
            if record.trials.iter().filter(|trial| trial.retry_history().is_empty()).count() >= trials {
                return Ok((Vec::new(), None));
            }
            Ok((vec![Operation::create_trial(record.id)], Some(record.trials.len())))
        })?;
        let Some(number) = claimed else { return Ok(None) };

        let shared = &self.shared;
        let (id, sampled) =
            self.with_journal(|record, _| (record.trials[number].id, shared.sample(record, space, number)))?;
        let mut trial = Trial { shared: shared.clone(), number, id, parameters: BTreeMap::new(), told: false };
        // An error drops the trial, which then has failed.
        trial.parameters = sampled?;
        shared.transact(|record, _| {
            let known = &shared.running(record, number)?.parameters;
            let new = trial.parameters.iter().filter(|(name, setting)| known.get(*name) != Some(setting));
            Ok((new.map(|(name, setting)| Operation::parameter(trial.id, name, setting)).collect(), ()))
        })?;
        Ok(Some(trial))
    }

    /// Finishes a trial with a value for each objective. One that is not a number, or infinitely good, fails the trial;
    /// the result says which it became.
    ///
    /// # Errors
    /// [`Error::WrongObjectives`] for another number of values, [`Error::TrialGone`] when others took this worker for
    /// dead, and those of the journal.
    pub fn tell(&self, trial: Trial, values: &[f64]) -> Result<State> {
        let expected = self.shared.config.objectives.len();
        if values.len() != expected {
            let (expected, got) = (format!("{expected} values"), values.len().to_string());
            return Err(Error::WrongObjectives { what: "telling a trial", expected, got });
        }
        for (objective, value) in self.shared.config.objectives.iter().zip(values) {
            // As bad as can be is a result; as good as can be would stay the best for ever.
            if value.is_nan() || objective.direction.loss(*value) == f64::NEG_INFINITY {
                self.fail(trial, &format!("the objective `{}` is {value}; expected a number", objective.name))?;
                return Ok(State::Failed);
            }
        }
        self.finish(trial, |_, trial| vec![Operation::state(trial.id, State::Complete, Some(values))])?;
        Ok(State::Complete)
    }

    /// Finishes a trial early.
    ///
    /// # Errors
    /// [`Error::TrialGone`] when others took this worker for dead, and those of the journal.
    pub fn prune(&self, trial: Trial) -> Result<()> {
        self.finish(trial, |record, trial| {
            // Like Optuna, whose dashboard then shows the trial.
            let last = trial.last().map(|(_, value)| vec![value]);
            let last = last.filter(|last| record.objectives.len() == 1 && !last[0].is_nan());
            vec![Operation::state(trial.id, State::Pruned, last.as_deref())]
        })
    }

    /// Finishes a trial without a result.
    ///
    /// # Errors
    /// [`Error::TrialGone`] when others took this worker for dead, and those of the journal.
    pub fn fail(&self, trial: Trial, reason: &str) -> Result<()> {
        self.finish(trial, |_, trial| failed(trial.id, reason).into())
    }

    /// Gives a trial back to the queue, with its values, because this worker has to stop for this reason.
    ///
    /// # Errors
    /// [`Error::TrialGone`] when others took this worker for dead, and those of the journal.
    pub fn requeue(&self, trial: Trial, reason: &str) -> Result<()> {
        self.finish(trial, |record, trial| retry(record, trial, reason, usize::MAX))
    }

    /// Puts values in the queue; the sampler chooses what is missing.
    ///
    /// # Errors
    /// [`Error::Enqueue`] for a parameter or a value that the space does not have, and those of the journal.
    pub fn enqueue(&self, space: &Space, values: &BTreeMap<String, Value>) -> Result<()> {
        for (name, value) in values {
            let wrong = |problem| Error::Enqueue { parameter: name.clone(), value: value.to_string(), problem };
            let parameter = space.parameters().iter().find(|parameter| parameter.name == *name);
            let parameter = parameter.ok_or_else(|| wrong("the space has no such parameter"))?;
            parameter.distribution.internal(value).ok_or_else(|| wrong("its distribution does not contain it"))?;
        }
        let mut template = Template::default();
        template.system_attributes.insert(FIXED_PARAMS.into(), to_attribute(values));
        self.shared.transact(|record, _| Ok((vec![Operation::enqueue_trial(record.id, &template)], ())))
    }

    /// Runs the objective until the study has so many trials, from all workers together and not counting retries, and
    /// no other worker of this library has one that would have to be tried again if it died.
    ///
    /// # Errors
    /// That of the objective, as it is: the search stops, like after a signal, and the trial is in the queue again, so
    /// that whoever goes on repeats it ([`Outcome::Failed`] is for trials that failed by themselves). Those of
    /// [`ask`](Self::ask) and [`tell`](Self::tell). A result that comes too late ([`Error::TrialGone`]) is dropped.
    pub fn optimize<E: From<Error> + Display>(
        &self,
        space: &Space,
        trials: usize,
        objective: impl FnMut(&Trial) -> std::result::Result<Outcome, E>,
    ) -> std::result::Result<(), E> {
        self.optimize_while(space, trials, || Ok(()), objective)
    }

    /// The same, and `go_on` is asked before each trial and while it waits for other workers; its error stops the search.
    ///
    /// # Errors
    /// That of `go_on`, as it is, and as [`optimize`](Self::optimize).
    pub fn optimize_while<E: From<Error> + Display>(
        &self,
        space: &Space,
        trials: usize,
        mut go_on: impl FnMut() -> std::result::Result<(), E>,
        mut objective: impl FnMut(&Trial) -> std::result::Result<Outcome, E>,
    ) -> std::result::Result<(), E> {
        loop {
            go_on()?;
            let Some(trial) = self.ask_within(space, trials)? else {
                let busy = |record: &StudyRecord, journal: &Journal| {
                    let at_work = |trial: &TrialRecord| match trial.state {
                        State::Running => journal.workers().has_heartbeat(&trial.worker),
                        state => state == State::Waiting,
                    };
                    record.trials.iter().any(at_work)
                };
                if !self.with_journal(busy)? {
                    return Ok(());
                }
                thread::sleep(LOOK);
                continue;
            };
            let told = match objective(&trial) {
                Ok(Outcome::Complete(values)) => self.tell(trial, &values).map(drop),
                Ok(Outcome::Pruned) => self.prune(trial),
                Ok(Outcome::Failed(reason)) => self.fail(trial, &reason),
                Err(error) => match self.requeue(trial, &format!("the search stopped: {error}")) {
                    // Then the objective may have stumbled over just this.
                    gone @ Err(Error::TrialGone { .. }) => gone,
                    _ => return Err(error),
                },
            };
            match told {
                Err(Error::TrialGone { .. }) | Ok(()) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The study as the journal has it now.
    ///
    /// # Errors
    /// Those of the journal.
    pub fn record(&self) -> Result<StudyRecord> {
        self.with_journal(|record, _| record.clone())
    }

    /// The best complete trial; see [`StudyRecord::best`].
    ///
    /// # Errors
    /// As there, and those of the journal.
    pub fn best(&self) -> Result<TrialRecord> {
        self.record()?.best().cloned()
    }

    /// The trials that failed and are not repeated, with the reasons; see [`StudyRecord::failures`].
    ///
    /// # Errors
    /// Those of the journal.
    pub fn failures(&self) -> Result<Vec<Failure>> {
        Ok(self.record()?.failures())
    }

    /// Writes down what is searched, settings and data by name, or compares it with what the study says; one that says nothing
    /// yet takes it over.
    ///
    /// # Errors
    /// [`Error::Described`] with all that differs; those of the journal.
    pub fn describe(&self, description: &BTreeMap<String, String>) -> Result<()> {
        self.shared.transact(|record, _| {
            let Some(found) = record.user_attributes.get(DESCRIPTION) else {
                return Ok((vec![Operation::study_user_attribute(record.id, DESCRIPTION, json!(description))], ()));
            };
            let found: BTreeMap<String, String> = serde_json::from_value(found.clone()).unwrap_or_default();
            let said = |value: Option<&String>| value.map_or("not given".into(), |value| format!("{value:?}"));
            let keys: BTreeSet<&String> = found.keys().chain(description.keys()).collect();
            let of_both = keys.into_iter().map(|key| (key, found.get(key), description.get(key)));
            let differences: Vec<String> = of_both
                .filter(|(_, old, new)| old != new)
                .map(|(key, old, new)| format!("{key} was {}, is {}", said(old), said(new)))
                .collect();
            if !differences.is_empty() {
                return Err(Error::Described { name: record.name.clone(), differences });
            }
            Ok((Vec::new(), ()))
        })
    }

    /// The name of this worker in the journal.
    pub fn worker(&self) -> String {
        self.shared.journal().workers().own().to_string()
    }

    /// Puts the trials of dead workers in the queue again.
    fn revive(&self) -> Result<()> {
        let has_dead = |record: &StudyRecord, journal: &Journal| {
            record.trials.iter().any(|trial| trial.state == State::Running && journal.workers().is_dead(&trial.worker))
        };
        if !self.with_journal(has_dead)? {
            return Ok(());
        }
        let most = self.shared.config.max_retries;
        self.shared.transact(|record, workers| {
            let dead = |trial: &&TrialRecord| trial.state == State::Running && workers.is_dead(&trial.worker);
            let operations = record.trials.iter().filter(dead);
            Ok((operations.flat_map(|trial| retry(record, trial, "its worker died", most)).collect(), ()))
        })
    }

    fn finish(
        &self,
        mut trial: Trial,
        operations: impl FnOnce(&StudyRecord, &TrialRecord) -> Vec<Operation>,
    ) -> Result<()> {
        let number = trial.number;
        let result =
            self.shared.transact(|record, _| Ok((operations(record, self.shared.running(record, number)?), ())));
        // In the second case somebody else said how it ended.
        trial.told = matches!(result, Ok(()) | Err(Error::TrialGone { .. }));
        result
    }

    /// After reading what is new.
    fn with_journal<T>(&self, look: impl FnOnce(&StudyRecord, &Journal) -> T) -> Result<T> {
        let mut journal = self.shared.journal();
        journal.sync()?;
        Ok(look(self.shared.record_of(journal.state())?, &journal))
    }
}

/// The studies of a journal, without taking part in them.
///
/// # Errors
/// [`Error::Io`] when the file cannot be read, [`Error::Journal`] when it is not a journal.
pub fn read_studies(journal: impl AsRef<Path>) -> Result<Vec<StudyRecord>> {
    Ok(journal::read(journal.as_ref())?.studies().cloned().collect())
}

fn check_compatible(record: &StudyRecord, space: &Space) -> Result<()> {
    for parameter in space.parameters() {
        let earlier = record.trials.iter().find_map(|trial| trial.parameters.get(&parameter.name));
        if let Some(earlier) = earlier.filter(|earlier| !earlier.distribution.is_compatible(&parameter.distribution)) {
            return Err(Error::Incompatible {
                name: record.name.clone(),
                parameter: parameter.name.clone(),
                found: earlier.distribution.to_string(),
                wanted: parameter.distribution.to_string(),
            });
        }
    }
    Ok(())
}
