//! The lines of a journal, as Optuna 3 to 5 write them.

use super::{clock, json};
use crate::{
    Value,
    record::{Attributes, Objective, Setting, State},
};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// What a line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    CreateStudy,
    DeleteStudy,
    SetStudyUserAttribute,
    SetStudySystemAttribute,
    CreateTrial,
    SetTrialParameter,
    SetTrialState,
    SetTrialIntermediate,
    SetTrialUserAttribute,
    SetTrialSystemAttribute,
    DiscardTrials,
}

impl Code {
    /// In the order of the numbers in the journal.
    const ALL: [Self; 11] = [
        Self::CreateStudy,
        Self::DeleteStudy,
        Self::SetStudyUserAttribute,
        Self::SetStudySystemAttribute,
        Self::CreateTrial,
        Self::SetTrialParameter,
        Self::SetTrialState,
        Self::SetTrialIntermediate,
        Self::SetTrialUserAttribute,
        Self::SetTrialSystemAttribute,
        Self::DiscardTrials,
    ];

    pub(super) fn of(number: u64) -> Option<Self> {
        usize::try_from(number).ok().and_then(|number| Self::ALL.get(number).copied())
    }
}

/// A line to be written; the name of the worker is added then.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    code: Code,
    fields: Json,
}

/// A trial that is put in the queue with what is known of it.
#[derive(Debug, Default)]
pub(crate) struct Template {
    pub(crate) parameters: BTreeMap<String, Setting>,
    pub(crate) user_attributes: Attributes,
    pub(crate) system_attributes: Attributes,
}

impl Operation {
    pub(crate) fn create_study(name: &str, objectives: &[Objective]) -> Self {
        let directions: Vec<u64> = objectives.iter().map(|objective| objective.direction.code()).collect();
        Self::new(Code::CreateStudy, json!({"study_name": name, "directions": directions}))
    }

    pub(crate) fn study_system_attribute(study: usize, name: &str, value: Json) -> Self {
        Self::new(Code::SetStudySystemAttribute, json!({"study_id": study, "system_attr": {name: value}}))
    }

    pub(crate) fn study_user_attribute(study: usize, name: &str, value: Json) -> Self {
        Self::new(Code::SetStudyUserAttribute, json!({"study_id": study, "user_attr": {name: value}}))
    }

    /// A new trial of the writing worker.
    pub(crate) fn create_trial(study: usize) -> Self {
        Self::new(Code::CreateTrial, json!({"study_id": study, "datetime_start": clock::now()}))
    }

    /// A new trial for whoever comes first.
    pub(crate) fn enqueue_trial(study: usize, template: &Template) -> Self {
        let by_name = |field: fn(&Setting) -> Json| -> Json {
            template
                .parameters
                .iter()
                .map(|(name, setting)| (name.clone(), field(setting)))
                .collect::<Attributes>()
                .into()
        };
        let fields = json!({
            "study_id": study,
            "datetime_start": null,
            "state": State::Waiting.code(),
            "value": null,
            "values": null,
            "distributions": by_name(|setting| json::of_distribution(&setting.distribution)),
            "params": by_name(|setting| json::number(setting.internal)),
            "user_attrs": template.user_attributes,
            "system_attrs": template.system_attributes,
            "intermediate_values": {},
        });
        Self::new(Code::CreateTrial, fields)
    }

    pub(crate) fn parameter(trial: usize, name: &str, setting: &Setting) -> Self {
        let fields = json!({
            "trial_id": trial,
            "param_name": name,
            "param_value_internal": json::number(setting.internal),
            "distribution": json::of_distribution(&setting.distribution),
        });
        Self::new(Code::SetTrialParameter, fields)
    }

    pub(crate) fn state(trial: usize, state: State, values: Option<&[f64]>) -> Self {
        let values: Option<Vec<Json>> = values.map(|values| values.iter().map(|&value| json::number(value)).collect());
        let mut fields = json!({"trial_id": trial, "state": state.code(), "values": values});
        if state == State::Running {
            fields["datetime_start"] = json!(clock::now());
        } else if state.is_finished() {
            fields["datetime_complete"] = json!(clock::now());
        }
        Self::new(Code::SetTrialState, fields)
    }

    pub(crate) fn intermediate(trial: usize, step: u64, value: f64) -> Self {
        let fields = json!({"trial_id": trial, "step": step, "intermediate_value": json::number(value)});
        Self::new(Code::SetTrialIntermediate, fields)
    }

    pub(crate) fn user_attribute(trial: usize, name: &str, value: Json) -> Self {
        Self::new(Code::SetTrialUserAttribute, json!({"trial_id": trial, "user_attr": {name: value}}))
    }

    pub(crate) fn system_attribute(trial: usize, name: &str, value: Json) -> Self {
        Self::new(Code::SetTrialSystemAttribute, json!({"trial_id": trial, "system_attr": {name: value}}))
    }

    fn new(code: Code, fields: Json) -> Self {
        Self { code, fields }
    }

    /// The line, without its end.
    pub(super) fn line(&self, worker: &str) -> String {
        let mut fields = self.fields.clone();
        fields["op_code"] = json!(self.code as u64);
        fields["worker_id"] = json!(worker);
        json::print(&fields)
    }
}

/// Values by name as an attribute holds them.
pub(crate) fn to_attribute(values: &BTreeMap<String, Value>) -> Json {
    values.iter().map(|(name, value)| (name.clone(), json::of_value(value))).collect::<Attributes>().into()
}

/// Values by name from an attribute; none if it is no object.
pub(crate) fn from_attribute(attribute: Option<&Json>) -> BTreeMap<String, Value> {
    let values = attribute.and_then(Json::as_object);
    values.into_iter().flatten().map(|(name, value)| (name.clone(), json::to_value(value))).collect()
}
