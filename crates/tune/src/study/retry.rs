//! How a trial fails, and how the trial of a dead worker gets into the queue again.

use crate::{
    StudyRecord, TrialRecord,
    journal::{Operation, Template, to_attribute},
    pruner,
    record::{FAILED_TRIAL, FAILURE, FIXED_PARAMS, RETRY_HISTORY, State},
};
use serde_json::json;

pub(super) fn failed(id: usize, reason: &str) -> [Operation; 2] {
    [Operation::system_attribute(id, FAILURE, json!(reason)), Operation::state(id, State::Failed, None)]
}

/// Puts a trial in the queue again and fails it, in this order; only the latter when it has been put there, or too often.
pub(super) fn retry(record: &StudyRecord, trial: &TrialRecord, reason: &str, most: usize) -> Vec<Operation> {
    let mut history = trial.retry_history();
    let mut operations = Vec::new();
    let retried = record.trials.iter().any(|other| other.retry_history().contains(&trial.number));
    if !retried && history.len() < most {
        history.push(trial.number);
        let mut attributes = trial.system_attributes.clone();
        // It has to climb the rungs of a pruner again.
        attributes.retain(|name, _| !name.starts_with(pruner::RUNG) && name != FAILURE);
        attributes.entry(FAILED_TRIAL).or_insert(json!(trial.number));
        attributes.insert(RETRY_HISTORY.into(), json!(history));
        if !trial.parameters.is_empty() {
            attributes.insert(FIXED_PARAMS.into(), to_attribute(&trial.values_by_name()));
        }
        let template = Template {
            parameters: trial.parameters.clone(),
            user_attributes: trial.user_attributes.clone(),
            system_attributes: attributes,
        };
        operations.push(Operation::enqueue_trial(record.id, &template));
    }
    operations.extend(failed(trial.id, reason));
    operations
}
