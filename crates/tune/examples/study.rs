//! A worker of a study, and a reader of its journal, for `.ci/study.py`.
//!
//! `study work JOURNAL TRIALS SEED` adds trials until the study has so many; `study show JOURNAL` prints what is there.

use cupel_tune::{Objective, Outcome, Parameter, Pruner, Result, Space, Study, StudyConfig, TrialRecord, read_studies};
use serde_json::{Value as Json, json};
use std::{env, ffi::OsString, path::Path, thread, time::Duration};

fn space() -> Result<Space> {
    Space::new([
        Parameter::float("rate", 1e-5, 1e-1).log(),
        Parameter::float("drop", 0.0, 0.5).step(0.1),
        Parameter::int("width", 32, 512).step(32.0),
        Parameter::categorical("optimiser", ["sgd", "adam"]),
        Parameter::float("momentum", 0.0, 0.99).when("optimiser", ["sgd"]),
    ])
}

fn work(journal: &Path, trials: usize, seed: u64) -> Result<()> {
    let objectives = [Objective::minimize("loss")];
    let study =
        Study::open(journal, StudyConfig { pruner: Pruner::median(), seed, ..StudyConfig::new("shared", objectives) })?;
    study.optimize(&space()?, trials, |trial| -> Result<_> {
        let momentum = trial.get("momentum").and_then(|value| value.as_f64()).unwrap_or(0.5);
        let loss = (trial.float("rate")?.log10() + 3.0).powi(2) + trial.float("drop")? + (momentum - 0.9).abs();
        trial.set_attribute("language", "rust")?;
        for step in 0..3 {
            trial.report(step, loss + 1.0 / (step + 1) as f64)?;
            thread::sleep(Duration::from_millis(5));
            if trial.should_prune()? {
                return Ok(Outcome::Pruned);
            }
        }
        if trial.number() == 5 {
            return Ok(Outcome::Failed("number five fails".into()));
        }
        Ok(loss.into())
    })
}

/// A number as text, because JSON has no infinity.
fn number(value: f64) -> Json {
    if value.is_finite() { json!(value) } else { json!(value.to_string()) }
}

fn trial(trial: &TrialRecord) -> Json {
    json!({
        "number": trial.number,
        "state": trial.state.name().to_uppercase(),
        "values": trial.values.as_ref().map(|values| values.iter().map(|&value| number(value)).collect::<Vec<_>>()),
        "params": trial.values_by_name(),
        "intermediate": trial.intermediate.iter().map(|(step, &value)| (step.to_string(), number(value))).collect::<serde_json::Map<_, _>>(),
        "language": trial.user_attributes.get("language"),
        "retry_history": trial.retry_history(),
    })
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let texts: Vec<&str> = arguments.iter().map(|argument| argument.to_str().unwrap_or_default()).collect();
    match texts[..] {
        ["work", _, trials, seed] => work(arguments[1].as_ref(), trials.parse()?, seed.parse()?)?,
        ["show", _] => {
            let studies = read_studies(&arguments[1])?;
            let study = studies.first().ok_or("there is no study")?;
            let best = study.best().map(|best| best.number).ok();
            let importances: Vec<Json> = study
                .importances(None)?
                .iter()
                .map(|importance| json!([importance.parameter, importance.share]))
                .collect();
            let trials: Vec<Json> = study.trials.iter().map(trial).collect();
            println!("{}", json!({"name": study.name, "best": best, "importances": importances, "trials": trials}));
        }
        _ => return Err("usage: study work JOURNAL TRIALS SEED | study show JOURNAL".into()),
    }
    Ok(())
}
