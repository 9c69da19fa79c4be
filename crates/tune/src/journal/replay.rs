//! The state of all studies, from the lines of a journal.
//!
//! Several workers append without asking first, so a line may come too late: for a trial that was finished meanwhile,
//! or a study of a name that was taken. Every reader has to skip the same lines, or numbers of trials would differ;
//! the rules are those of Optuna 3 to 5.

use super::{Problem, json, operation::Code};
use crate::record::{Attributes, METRIC_NAMES, Objective, Setting, State, StudyRecord, TrialRecord};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// All studies of a journal. A deleted study leaves a gap, its trials keep their ids.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    studies: Vec<Study>,
    /// Study and number of each trial id.
    trials: Vec<(usize, usize)>,
}

#[derive(Debug)]
struct Study {
    record: StudyRecord,
    deleted: bool,
}

impl Replay {
    /// The studies that are there.
    pub(crate) fn studies(&self) -> impl Iterator<Item = &StudyRecord> {
        self.studies.iter().filter(|study| !study.deleted).map(|study| &study.record)
    }

    /// The study of this id, if it is there.
    pub(crate) fn study(&self, id: usize) -> Option<&StudyRecord> {
        self.studies.get(id).filter(|study| !study.deleted).map(|study| &study.record)
    }

    /// The id that the next study of the journal will have.
    pub(crate) fn next_study_id(&self) -> usize {
        self.studies.len()
    }

    /// Applies one line.
    pub(super) fn apply(&mut self, line: &str) -> Result<(), Problem> {
        let log = json::parse(line)?;
        let code = log.get("op_code").and_then(Json::as_u64).ok_or("there is no whole number `op_code`")?;
        let log = Log(&log);
        // A line that comes too late finds nothing to change.
        let _changed: Option<()> = match Code::of(code)
            .ok_or_else(|| format!("the operation {code} is unknown; is the writer newer than this?"))?
        {
            Code::CreateStudy => Some(self.create_study(log)?),
            Code::DeleteStudy => self.study_of(log)?.map(|study| study.deleted = true),
            Code::SetStudyUserAttribute => {
                let attributes = log.object("user_attr")?;
                self.study_of(log)?.map(|study| study.record.user_attributes.extend(attributes))
            }
            Code::SetStudySystemAttribute => {
                let attributes = log.object("system_attr")?;
                self.study_of(log)?.map(|study| {
                    study.record.system_attributes.extend(attributes);
                    study.rename();
                })
            }
            Code::CreateTrial => Some(self.create_trial(log)?),
            Code::SetTrialParameter => Some(self.set_parameter(log)?),
            Code::SetTrialState => Some(self.set_state(log)?),
            Code::SetTrialIntermediate => {
                let (step, value) = (log.index("step")? as u64, log.number("intermediate_value")?);
                self.open_trial(log)?.map(|trial| trial.intermediate.extend([(step, value)]))
            }
            Code::SetTrialUserAttribute => {
                let attributes = log.object("user_attr")?;
                self.open_trial(log)?.map(|trial| trial.user_attributes.extend(attributes))
            }
            Code::SetTrialSystemAttribute => {
                let attributes = log.object("system_attr")?;
                self.open_trial(log)?.map(|trial| trial.system_attributes.extend(attributes))
            }
            // Another program's note that trials were thrown away; Optuna passes over it too.
            Code::DiscardTrials => None,
        };
        Ok(())
    }

    fn create_study(&mut self, log: Log) -> Result<(), Problem> {
        let name = log.text("study_name")?;
        let directions = log.get("directions")?.as_array().ok_or("`directions` is no list")?;
        let objectives: Option<Vec<Objective>> = directions
            .iter()
            .map(|direction| match direction.as_u64()? {
                // 0 is "not set", which counts as minimise.
                0 | 1 => Some(Objective::minimize("")),
                2 => Some(Objective::maximize("")),
                _ => None,
            })
            .collect();
        let objectives = objectives.filter(|objectives| !objectives.is_empty()).ok_or("`directions` are not 1 or 2")?;
        if self.studies().any(|study| study.name == name) {
            return Ok(());
        }
        let mut study = Study {
            record: StudyRecord {
                name: name.into(),
                id: self.studies.len(),
                objectives,
                trials: Vec::new(),
                user_attributes: Attributes::new(),
                system_attributes: Attributes::new(),
            },
            deleted: false,
        };
        study.rename();
        self.studies.push(study);
        Ok(())
    }

    fn create_trial(&mut self, log: Log) -> Result<(), Problem> {
        let study = log.index("study_id")?;
        let id = self.trials.len();
        let Some(record) = self.study_of(log)?.map(|study| &mut study.record) else { return Ok(()) };
        let mut distributions = BTreeMap::new();
        for (name, distribution) in log.optional_object("distributions")? {
            distributions.insert(name.clone(), json::to_distribution(&distribution, &name)?);
        }
        let mut parameters = BTreeMap::new();
        for (name, internal) in log.optional_object("params")? {
            let distribution = distributions.remove(&name).ok_or_else(|| format!("`{name}` has no distribution"))?;
            parameters.insert(name.clone(), setting(&name, distribution, &internal)?);
        }
        let mut intermediate = BTreeMap::new();
        for (step, value) in log.optional_object("intermediate_values")? {
            let step = step.parse().map_err(|_| format!("the step {step:?} is no whole number"))?;
            let value = json::as_number(&value).ok_or("an intermediate value is no number")?;
            intermediate.insert(step, value);
        }
        // One value stands in `value`, several in `values`.
        let values = match (log.optional("values"), log.optional("value")) {
            (Some(values), _) => Some(numbers(values, record.objectives.len())?),
            (None, Some(value)) => Some(numbers(&Json::Array(vec![value.clone()]), record.objectives.len())?),
            (None, None) => None,
        };
        let state = log.optional("state").map_or(Ok(State::Running), state)?;
        if state == State::Complete && values.is_none() {
            return Err("a complete trial has no values".into());
        }
        let number = record.trials.len();
        record.trials.push(TrialRecord {
            number,
            id,
            state,
            values,
            parameters,
            intermediate,
            user_attributes: log.optional_object("user_attrs")?,
            system_attributes: log.optional_object("system_attrs")?,
            started: log.optional_text("datetime_start"),
            finished: log.optional_text("datetime_complete"),
            worker: log.optional_text("worker_id").unwrap_or_default(),
        });
        self.trials.push((study, number));
        Ok(())
    }

    fn set_parameter(&mut self, log: Log) -> Result<(), Problem> {
        let name = log.text("param_name")?;
        let distribution = json::to_distribution(log.get("distribution")?, name)?;
        let setting = setting(name, distribution, log.get("param_value_internal")?)?;
        let Some(&(study, number)) = self.trials.get(log.index("trial_id")?) else { return Ok(()) };
        let Some(study) = self.studies.get_mut(study) else { return Ok(()) };
        let earlier = study.record.trials.iter().find_map(|trial| trial.parameters.get(name));
        if earlier.is_some_and(|earlier| !earlier.distribution.is_compatible(&setting.distribution)) {
            return Ok(());
        }
        if let Some(trial) = study.record.trials.get_mut(number).filter(|trial| !trial.state.is_finished()) {
            trial.parameters.insert(name.into(), setting);
        }
        Ok(())
    }

    fn set_state(&mut self, log: Log) -> Result<(), Problem> {
        let state = state(log.get("state")?)?;
        let worker = log.optional_text("worker_id").unwrap_or_default();
        let Some(&(study, _)) = self.trials.get(log.index("trial_id")?) else { return Ok(()) };
        let objectives = self.studies.get(study).map_or(0, |study| study.record.objectives.len());
        let Some(trial) = self.open_trial(log)? else { return Ok(()) };
        let values = log.optional("values").map(|values| numbers(values, objectives)).transpose()?;
        if state == State::Complete && values.is_none() {
            return Err("a complete trial has no values".into());
        }
        if state == State::Running {
            if trial.state == State::Running {
                // Two workers wanted the same trial of the queue, and the first one has it.
                return Ok(());
            }
            trial.worker = worker;
            trial.started = log.optional_text("datetime_start");
        }
        if state.is_finished() {
            trial.finished = log.optional_text("datetime_complete");
        }
        trial.state = state;
        trial.values = values.or(trial.values.take());
        Ok(())
    }

    /// The study of a line, unless it is unknown or deleted.
    fn study_of(&mut self, log: Log) -> Result<Option<&mut Study>, Problem> {
        Ok(self.studies.get_mut(log.index("study_id")?).filter(|study| !study.deleted))
    }

    /// The trial of a line, unless it is unknown or finished.
    fn open_trial(&mut self, log: Log) -> Result<Option<&mut TrialRecord>, Problem> {
        let Some(&(study, number)) = self.trials.get(log.index("trial_id")?) else { return Ok(None) };
        let trial = self.studies.get_mut(study).and_then(|study| study.record.trials.get_mut(number));
        Ok(trial.filter(|trial| !trial.state.is_finished()))
    }
}

impl Study {
    /// Names the objectives by the attribute, or by number.
    fn rename(&mut self) {
        let record = &mut self.record;
        let names = record.system_attributes.get(METRIC_NAMES).and_then(Json::as_array);
        let count = record.objectives.len();
        for (i, objective) in record.objectives.iter_mut().enumerate() {
            let name = names.filter(|names| names.len() == count).and_then(|names| names[i].as_str());
            objective.name = match name {
                Some(name) => name.into(),
                None if count == 1 => "value".into(),
                None => format!("value {i}"),
            };
        }
    }
}

fn setting(name: &str, distribution: crate::Distribution, internal: &Json) -> Result<Setting, Problem> {
    let internal = json::as_number(internal).ok_or_else(|| format!("the value of `{name}` is no number"))?;
    // An index has to be one; numbers outside the range come from values that were enqueued, and are left as they are.
    let fits = match distribution {
        crate::Distribution::Categorical { .. } => distribution.contains(internal),
        _ => internal.is_finite(),
    };
    fits.then_some(Setting { distribution, internal }).ok_or_else(|| format!("`{name}` cannot be {internal}"))
}

fn state(json: &Json) -> Result<State, Problem> {
    let code = json.as_u64().and_then(|code| usize::try_from(code).ok());
    code.and_then(|code| State::ALL.get(code).copied()).ok_or_else(|| format!("the state {json} is unknown"))
}

fn numbers(json: &Json, count: usize) -> Result<Vec<f64>, Problem> {
    let values: Option<Vec<f64>> = json.as_array().and_then(|values| values.iter().map(json::as_number).collect());
    let values = values.ok_or("`values` is no list of numbers")?;
    if values.len() != count {
        return Err(format!("there are {} values for {count} objectives", values.len()));
    }
    Ok(values)
}

/// The fields of a line.
#[derive(Clone, Copy)]
struct Log<'a>(&'a Json);

impl<'a> Log<'a> {
    fn get(self, key: &str) -> Result<&'a Json, Problem> {
        self.0.get(key).ok_or_else(|| format!("there is no `{key}`"))
    }

    fn optional(self, key: &str) -> Option<&'a Json> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    fn index(self, key: &str) -> Result<usize, Problem> {
        let index = self.get(key)?.as_u64().and_then(|index| usize::try_from(index).ok());
        index.ok_or_else(|| format!("`{key}` is no whole number"))
    }

    fn number(self, key: &str) -> Result<f64, Problem> {
        json::as_number(self.get(key)?).ok_or_else(|| format!("`{key}` is no number"))
    }

    fn text(self, key: &str) -> Result<&'a str, Problem> {
        self.get(key)?.as_str().ok_or_else(|| format!("`{key}` is no text"))
    }

    fn optional_text(self, key: &str) -> Option<String> {
        self.optional(key).and_then(Json::as_str).map(String::from)
    }

    fn object(self, key: &str) -> Result<Attributes, Problem> {
        self.get(key)?.as_object().cloned().ok_or_else(|| format!("`{key}` is no object"))
    }

    fn optional_object(self, key: &str) -> Result<Attributes, Problem> {
        self.optional(key).map_or(Ok(Attributes::new()), |_| self.object(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay(lines: &[&str]) -> Replay {
        let mut replay = Replay::default();
        for line in lines {
            replay.apply(line).unwrap_or_else(|problem| panic!("{line}: {problem}"));
        }
        replay
    }

    const STUDY: &str = r#"{"op_code":0,"worker_id":"w","study_name":"s","directions":[1]}"#;
    const TRIAL: &str =
        r#"{"op_code":4,"worker_id":"w","study_id":0,"datetime_start":"2026-01-01T00:00:00.000000+00:00"}"#;

    #[test]
    fn late_lines_are_skipped_as_optuna_skips_them() {
        let other = r#"{"op_code":4,"worker_id":"v","study_id":7,"datetime_start":null}"#;
        let waiting = r#"{"op_code":4,"worker_id":"w","study_id":0,"datetime_start":null,"state":4}"#;
        let take = |worker: &str| {
            format!(
                r#"{{"op_code":6,"worker_id":"{worker}","trial_id":1,"state":0,"values":null,"datetime_start":"x"}}"#
            )
        };
        let done = r#"{"op_code":6,"worker_id":"w","trial_id":0,"state":1,"values":[0.5],"datetime_complete":"y"}"#;
        let again = r#"{"op_code":6,"worker_id":"v","trial_id":0,"state":3,"values":null,"datetime_complete":"z"}"#;
        let late = r#"{"op_code":7,"worker_id":"v","trial_id":0,"step":1,"intermediate_value":NaN}"#;
        let replay = replay(&[STUDY, STUDY, other, TRIAL, waiting, &take("a"), &take("b"), done, again, late]);
        let studies: Vec<&StudyRecord> = replay.studies().collect();
        assert_eq!(studies.len(), 1);
        let trials = &studies[0].trials;
        assert_eq!(trials.len(), 2);
        assert_eq!((trials[0].state, trials[0].values.clone()), (State::Complete, Some(vec![0.5])));
        assert!(trials[0].intermediate.is_empty());
        assert_eq!((trials[1].state, trials[1].worker.as_str()), (State::Running, "a"));
    }

    #[test]
    fn incompatible_parameters_are_skipped_and_deleted_studies_keep_their_ids() {
        let parameter = |trial: usize, log: bool| {
            format!(
                r#"{{"op_code":5,"worker_id":"w","trial_id":{trial},"param_name":"x","param_value_internal":2.0,"distribution":"{{\"name\":\"FloatDistribution\",\"attributes\":{{\"low\":1.0,\"high\":3.0,\"step\":null,\"log\":{log}}}}}"}}"#
            )
        };
        let delete = r#"{"op_code":1,"worker_id":"w","study_id":0}"#;
        let second = r#"{"op_code":4,"worker_id":"w","study_id":1,"datetime_start":null}"#;
        let mut replay = replay(&[STUDY, TRIAL, TRIAL, &parameter(0, false), &parameter(1, true)]);
        assert_eq!(replay.study(0).unwrap().trials[0].parameters["x"].internal, 2.0);
        assert!(replay.study(0).unwrap().trials[1].parameters.is_empty());
        for line in [delete, STUDY, second] {
            replay.apply(line).unwrap();
        }
        assert!(replay.study(0).is_none());
        let trial = &replay.study(1).unwrap().trials[0];
        assert_eq!((trial.id, trial.number), (2, 0));
    }

    #[test]
    fn lines_of_the_wrong_shape_are_named_and_never_panic() {
        let lines = [
            "[]",
            "{}",
            r#"{"op_code":99}"#,
            r#"{"op_code":-1}"#,
            r#"{"op_code":0,"study_name":3,"directions":[1]}"#,
            r#"{"op_code":0,"study_name":"t","directions":[]}"#,
            r#"{"op_code":0,"study_name":"t","directions":[7]}"#,
            r#"{"op_code":2,"study_id":0,"user_attr":3}"#,
            r#"{"op_code":4,"study_id":"0"}"#,
            r#"{"op_code":4,"study_id":0,"state":17}"#,
            r#"{"op_code":4,"study_id":0,"state":1}"#,
            r#"{"op_code":4,"study_id":0,"state":1,"values":[1,2]}"#,
            r#"{"op_code":4,"study_id":0,"params":{"x":1.0},"distributions":{}}"#,
            r#"{"op_code":4,"study_id":0,"intermediate_values":{"one":1.0}}"#,
            r#"{"op_code":5,"trial_id":0,"param_name":"x","param_value_internal":5,"distribution":"{\"name\":\"CategoricalDistribution\",\"attributes\":{\"choices\":[1]}}"}"#,
            r#"{"op_code":5,"trial_id":0,"param_name":"x","param_value_internal":5,"distribution":7}"#,
            r#"{"op_code":6,"trial_id":0,"state":1,"values":null}"#,
            r#"{"op_code":6,"trial_id":0,"state":1,"values":["a"]}"#,
            r#"{"op_code":7,"trial_id":0,"step":-1,"intermediate_value":1}"#,
            r#"{"op_code":7,"trial_id":0,"step":1,"intermediate_value":"1"}"#,
        ];
        for line in lines {
            let mut replay = replay(&[STUDY, TRIAL]);
            assert!(replay.apply(line).is_err(), "{line}");
        }
    }
}
