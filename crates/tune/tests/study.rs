//! A study from the outside: trials, conditions, pruning, several objectives, damage and determinism.

use cupel_tune::{
    Error, Objective, Outcome, Parameter, Pruner, Result, Sampler, Space, State, Study, StudyConfig, Tpe, Trial, Value,
    read_studies,
};
use std::{collections::BTreeMap, fs};
use tempfile::{TempDir, tempdir};

fn open(folder: &TempDir, change: impl FnOnce(&mut StudyConfig)) -> Result<Study> {
    let mut config = StudyConfig::new("study", [Objective::minimize("loss")]);
    change(&mut config);
    Study::open(folder.path().join("journal"), config)
}

fn space() -> Space {
    Space::new([
        Parameter::float("rate", 1e-5, 1e-1).log(),
        Parameter::int("width", 32, 512).step(32.0),
        Parameter::categorical("optimiser", ["sgd", "adam"]),
        Parameter::float("momentum", 0.0, 0.99).when("optimiser", ["sgd"]),
        Parameter::int("beta", 1, 100).log().when("optimiser", ["adam"]),
    ])
    .unwrap()
}

fn loss(trial: &Trial) -> Result<f64> {
    let rest = match trial.text("optimiser")?.as_str() {
        "sgd" => (trial.float("momentum")? - 0.9).abs(),
        _ => 0.1 * (trial.int("beta")? as f64).log10(),
    };
    Ok((trial.float("rate")?.log10() + 3.0).powi(2) + (trial.float("width")? / 512.0 - 0.5).powi(2) + rest)
}

fn samplers() -> [Sampler; 4] {
    [Sampler::Random, Sampler::Sobol, Sampler::Tpe(Tpe::univariate()), Sampler::Tpe(Tpe::default())]
}

#[test]
fn every_sampler_keeps_to_the_space_and_repeats_itself() {
    for sampler in samplers() {
        let run = |seed| {
            let folder = tempdir().unwrap();
            let study = open(&folder, |config| (config.sampler, config.seed) = (sampler.clone(), seed)).unwrap();
            study.optimize(&space(), 40, |trial| loss(trial).map(Outcome::from)).unwrap();
            study.record().unwrap()
        };
        let record = run(7);
        assert_eq!(record.count(State::Complete), 40);
        for trial in &record.trials {
            let sgd = trial.parameters["optimiser"].value() == Value::from("sgd");
            assert_eq!((trial.parameters.contains_key("momentum"), trial.parameters.contains_key("beta")), (sgd, !sgd));
            for setting in trial.parameters.values() {
                assert!(setting.distribution.contains(setting.internal));
            }
        }
        let values = |record: &cupel_tune::StudyRecord| -> Vec<BTreeMap<String, Value>> {
            record.trials.iter().map(|trial| trial.values_by_name()).collect()
        };
        assert_eq!(values(&record), values(&run(7)));
        assert_ne!(values(&record), values(&run(8)));
    }
}

#[test]
fn a_study_goes_on_where_it_was_and_says_what_matters() {
    let folder = tempdir().unwrap();
    for trials in [15, 15, 60] {
        let study = open(&folder, |config| config.sampler = Sampler::Random).unwrap();
        study.optimize(&space(), trials, |trial| loss(trial).map(Outcome::from)).unwrap();
    }
    let study = open(&folder, |config| config.name = "another".into()).unwrap();
    study.optimize(&space(), 2, |trial| loss(trial).map(Outcome::from)).unwrap();
    let records = read_studies(folder.path().join("journal")).unwrap();
    assert_eq!(records.iter().map(|record| record.trials.len()).collect::<Vec<_>>(), [60, 2]);
    let importances = open(&folder, |_| {}).unwrap().record().unwrap().importances(None).unwrap();
    assert_eq!(importances[0].parameter, "rate", "{importances:?}");
}

#[test]
fn tpe_is_better_than_chance() {
    let space = Space::new((0..5).map(|i| Parameter::float(format!("x{i}"), 0.0, 1.0))).unwrap();
    let bowl =
        |trial: &Trial| -> Result<f64> { (0..5).map(|i| Ok((trial.float(&format!("x{i}"))? - 0.3).powi(2))).sum() };
    let bests = |sampler: Sampler| -> f64 {
        let best = |seed: u64| {
            let folder = tempdir().unwrap();
            let study = open(&folder, |config| (config.sampler, config.seed) = (sampler.clone(), seed)).unwrap();
            study.optimize(&space, 50, |trial| bowl(trial).map(Outcome::from)).unwrap();
            study.best().unwrap().values.unwrap()[0]
        };
        (0..4).map(best).sum()
    };
    let random = bests(Sampler::Random);
    for tpe in [Tpe::univariate(), Tpe::default()] {
        let bests = bests(Sampler::Tpe(tpe.clone()));
        assert!(bests < 0.6 * random, "{tpe:?} {bests} {random}");
    }
}

#[test]
fn pruning_works_on_one_of_several_objectives() {
    for sampler in samplers() {
        let folder = tempdir().unwrap();
        let study = open(&folder, |config| {
            config.objectives = vec![Objective::minimize("loss"), Objective::maximize("f1")];
            config.pruner = Pruner::median().on("f1");
            config.sampler = sampler.clone();
        })
        .unwrap();
        study
            .optimize(&space(), 40, |trial| -> Result<Outcome> {
                let loss = loss(trial)?;
                let f1 = 1.0 / (1.0 + loss);
                for step in 0..4 {
                    trial.report(step, f1 * (step + 1) as f64 / 4.0)?;
                    if trial.should_prune()? {
                        return Ok(Outcome::Pruned);
                    }
                }
                Ok(Outcome::Complete(vec![loss, f1]))
            })
            .unwrap();
        let record = study.record().unwrap();
        let pruned: Vec<_> = record.trials.iter().filter(|trial| trial.state == State::Pruned).collect();
        assert!((5..36).contains(&pruned.len()), "{sampler:?} {}", pruned.len());
        assert!(pruned.iter().all(|trial| trial.values.is_none() && trial.intermediate.len() < 5));
        assert_eq!(record.pareto_front().len(), 1, "both objectives want the same");
        assert!(record.best().is_err() && record.importances(Some("f1")).is_ok() && record.importances(None).is_ok());
    }
}

#[test]
fn objectives_against_each_other_give_a_front() {
    let folder = tempdir().unwrap();
    let space = Space::new([Parameter::float("x", 0.0, 3.0), Parameter::float("y", 0.0, 3.0)]).unwrap();
    let spread = |name: &str, sampler: Sampler| {
        let study = open(&folder, |config| {
            config.name = name.into();
            config.objectives = vec![Objective::minimize("a"), Objective::minimize("b")];
            config.sampler = sampler;
        })
        .unwrap();
        study
            .optimize(&space, 80, |trial| -> Result<Outcome> {
                let (x, y) = (trial.float("x")?, trial.float("y")?);
                Ok(Outcome::Complete(vec![4.0 * (x * x + y * y), (x - 2.0).powi(2) + (y - 2.0).powi(2)]))
            })
            .unwrap();
        // The area below (40, 20) that the front dominates.
        let mut front: Vec<Vec<f64>> =
            study.record().unwrap().pareto_front().into_iter().map(|trial| trial.values.clone().unwrap()).collect();
        front.sort_by(|a, b| a[0].total_cmp(&b[0]));
        let mut above = 20.0;
        front.iter().filter(|point| point[0] < 40.0 && point[1] < 20.0).fold(0.0, |area, point| {
            let area = area + (40.0 - point[0]) * (above - point[1]);
            above = point[1];
            area
        })
    };
    assert!(spread("tpe", Sampler::default()) > spread("random", Sampler::Random));
}

#[test]
fn asha_and_hyperband_spend_steps_on_the_good_ones() {
    for pruner in [Pruner::asha(), Pruner::hyperband(27)] {
        let folder = tempdir().unwrap();
        let study = open(&folder, |config| (config.pruner, config.sampler) = (pruner, Sampler::Random)).unwrap();
        let mut steps = 0;
        study
            .optimize(&space(), 40, |trial| -> Result<Outcome> {
                let loss = loss(trial)?;
                for step in 1..=27 {
                    steps += 1;
                    trial.report(step, loss + 1.0 / step as f64)?;
                    if trial.should_prune()? {
                        return Ok(Outcome::Pruned);
                    }
                }
                Ok(loss.into())
            })
            .unwrap();
        assert!(steps < 40 * 27 * 2 / 3, "{steps}");
        let record = study.record().unwrap();
        let best = record.trials.iter().map(|trial| trial.last().unwrap().1).fold(f64::INFINITY, f64::min);
        assert!(record.best().unwrap().values.as_ref().unwrap()[0] <= best);
    }
}

#[test]
fn failures_do_not_get_lost() {
    let folder = tempdir().unwrap();
    let study = open(&folder, |_| {}).unwrap();
    let space = space();
    assert_eq!(study.tell(study.ask(&space).unwrap(), &[f64::NAN]).unwrap(), State::Failed);
    assert_eq!(study.tell(study.ask(&space).unwrap(), &[f64::NEG_INFINITY]).unwrap(), State::Failed);
    study.fail(study.ask(&space).unwrap(), "out of memory").unwrap();
    drop(study.ask(&space).unwrap());
    let panicked =
        std::panic::catch_unwind(|| study.optimize(&space, 9, |_| -> Result<_> { panic!("in the objective") }));
    assert!(panicked.is_err());
    let trial = study.ask(&space).unwrap();
    let asked = trial.values();
    study.requeue(trial, "its worker was stopped").unwrap();
    let again = study.ask(&space).unwrap();
    assert_eq!(again.values(), asked);
    study.tell(again, &[f64::INFINITY]).unwrap();
    let record = study.record().unwrap();
    let reasons: Vec<&str> = record.trials.iter().filter_map(|trial| trial.failure()).collect();
    assert_eq!(
        reasons,
        [
            "the objective `loss` is NaN; expected a number",
            "the objective `loss` is -inf; expected a number",
            "out of memory",
            "dropped without a result",
            "dropped without a result",
            "its worker was stopped"
        ]
    );
    assert_eq!(record.trials[6].retry_history(), [5]);
    assert_eq!(record.trials[6].values, Some(vec![f64::INFINITY]), "as bad as can be is a result");
    // What was tried again did not fail, whoever opens the study later.
    let none = record.importances(None).unwrap_err().to_string();
    assert!(none.ends_with("run more trials; trial 4 failed: dropped without a result"), "{none}");
    let failures = open(&folder, |_| {}).unwrap().failures().unwrap();
    assert_eq!(failures.iter().map(|failure| failure.number).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!(failures[2].reason, "out of memory");
    assert_eq!(failures[2].parameters, record.trials[2].values_by_name());
}

/// An error of the caller, like that of a training which a signal stopped.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error("stopped by signal {0}")]
    Signal(i32),
    #[error(transparent)]
    Tune(#[from] Error),
}

#[test]
fn a_stop_inside_a_trial_is_handed_on_and_its_trial_is_repeated() {
    let folder = tempdir().unwrap();
    let mut stopped = None;
    let study = open(&folder, |_| {}).unwrap();
    let result = study.optimize(&space(), 6, |trial| {
        if trial.number() == 3 {
            trial.report(0, 0.5)?;
            stopped = Some(trial.values());
            return Err(Stop::Signal(2));
        }
        Ok(loss(trial)?.into())
    });
    assert!(matches!(result, Err(Stop::Signal(2))), "{result:?}");
    drop(study);

    // Another process, which is asked to stop before it begins, and then goes on.
    let study = open(&folder, |_| {}).unwrap();
    let waits = study.optimize_while(&space(), 6, || Err(Stop::Signal(15)), |_| unreachable!("it was asked to stop"));
    assert!(matches!(waits, Err(Stop::Signal(15))));
    let mut asked = Vec::new();
    study
        .optimize(&space(), 6, |trial| -> Result<Outcome> {
            asked.push(trial.values());
            Ok(loss(trial)?.into())
        })
        .unwrap();
    assert_eq!(asked.len(), 3, "one is repeated, two are left");
    assert_eq!(Some(&asked[0]), stopped.as_ref());
    let record = study.record().unwrap();
    assert_eq!((record.count(State::Complete), record.trials.len()), (6, 7));
    assert_eq!(record.trials[3].failure(), Some("the search stopped: stopped by signal 2"));
    assert_eq!(record.trials[4].retry_history(), [3]);
    assert!(record.failures().is_empty());
}

#[test]
fn a_study_knows_what_it_searches() {
    let folder = tempdir().unwrap();
    let said = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    };
    let first = said(&[("models", "linear"), ("folds", "3"), ("data", "7f3a")]);
    let study = open(&folder, |_| {}).unwrap();
    study.describe(&first).unwrap();
    study.describe(&first).unwrap();
    drop(study);
    let study = open(&folder, |_| {}).unwrap();
    study.describe(&first).unwrap();
    let other = said(&[("models", "counts"), ("data", "7f3a"), ("seed", "1")]);
    let text = study.describe(&other).unwrap_err().to_string();
    for part in
        ["folds was \"3\", is not given", "models was \"linear\", is \"counts\"", "seed was not given, is \"1\""]
    {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("data"), "{text}");
    // Where Optuna finds it.
    assert_eq!(study.record().unwrap().user_attributes["cupel:description"]["models"], "linear");
    let another = open(&folder, |config| config.name = "another".into()).unwrap();
    another.describe(&other).unwrap();
}

#[test]
fn what_is_not_finite_is_refused() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for parameter in [
            Parameter::float("x", number, 1.0),
            Parameter::float("x", 0.0, number),
            Parameter::float("x", number, number),
            Parameter::float("x", 0.0, 1.0).step(number),
            Parameter::int("x", 0, 9).step(number),
            Parameter::categorical("x", [1.0, number]),
        ] {
            let text = Space::new([parameter.clone()]).map(|_| parameter).unwrap_err().to_string();
            assert!(text.starts_with("parameter `x`: "), "{text}");
        }
        let folder = tempdir().unwrap();
        let study = open(&folder, |_| {}).unwrap();
        assert!(study.enqueue(&space(), &BTreeMap::from([("rate".to_owned(), number.into())])).is_err());
        let pruner = Pruner::Percentile {
            percentile: number,
            startup_trials: 1,
            warmup_steps: 0,
            interval_steps: 1,
            objective: None,
        };
        assert!(open(&folder, |config| config.pruner = pruner.clone()).is_err());
        assert!(open(&folder, |config| config.grace_s = number).is_err());
    }
    for text in ["low = nan\nhigh = 1.0", "low = 0.0\nhigh = inf", "low = 0.0\nhigh = 1.0\nstep = nan"] {
        assert!(toml::from_str::<Space>(&format!("[x]\ntype = 'float'\n{text}")).is_err(), "{text}");
    }
}

/// Whatever a file system takes as a name.
#[cfg(target_os = "linux")]
#[test]
fn paths_need_not_be_utf_8() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempdir().unwrap();
    let odd = folder.path().join(std::ffi::OsStr::from_bytes(b"st\xffdy"));
    fs::create_dir(&odd).unwrap();
    let journal = odd.join(std::ffi::OsStr::from_bytes(b"jo\xfeurnal"));
    for trials in [3, 6] {
        let study = Study::open(&journal, StudyConfig::new("study", [Objective::minimize("loss")])).unwrap();
        study.optimize(&space(), trials, |trial| loss(trial).map(Outcome::from)).unwrap();
    }
    assert_eq!(read_studies(&journal).unwrap()[0].count(State::Complete), 6);
    fs::write(&journal, "{\n").unwrap();
    assert!(read_studies(&journal).unwrap_err().to_string().contains("urnal, line 1"));
}

#[test]
fn values_can_be_enqueued() {
    let folder = tempdir().unwrap();
    let study = open(&folder, |_| {}).unwrap();
    let values = |pairs: &[(&str, Value)]| -> BTreeMap<String, Value> {
        pairs.iter().map(|(name, value)| (name.to_string(), value.clone())).collect()
    };
    let fail = |pairs: &[(&str, Value)]| study.enqueue(&space(), &values(pairs)).unwrap_err().to_string();
    assert!(fail(&[("width", 33.into())]).contains("`width` = 33: its distribution does not contain it"));
    assert!(fail(&[("depth", 3.into())]).contains("no such parameter"));
    study.enqueue(&space(), &values(&[("width", 64.into()), ("optimiser", "sgd".into())])).unwrap();
    let trial = study.ask(&space()).unwrap();
    assert_eq!((trial.int("width").unwrap(), trial.text("optimiser").unwrap().as_str()), (64, "sgd"));
    assert!(trial.float("momentum").is_ok());
    assert!(
        trial.float("depth").unwrap_err().to_string().contains("`depth` was asked for as a number, but it is not part")
    );
    assert!(trial.bool("width").is_err() && trial.int("rate").is_err() && trial.text("rate").is_err());
}

#[test]
fn what_does_not_fit_the_study_is_refused() {
    let folder = tempdir().unwrap();
    let study = open(&folder, |_| {}).unwrap();
    study.tell(study.ask(&space()).unwrap(), &[1.0]).unwrap();
    let other = open(&folder, |config| config.objectives = vec![Objective::maximize("loss")]).unwrap_err().to_string();
    assert!(other.contains("has the objectives minimize loss, but maximize loss"), "{other}");
    let changed = Space::new([Parameter::float("rate", 1e-5, 1e-1)]).unwrap();
    let text = study.ask(&changed).unwrap_err().to_string();
    assert!(text.contains("`rate` is a logarithmic number from 0.00001 to 0.1 in earlier trials"), "{text}");
    // A range may change.
    let wider = Space::new([Parameter::float("rate", 1e-7, 1.0).log()]).unwrap();
    assert!(matches!(study.tell(study.ask(&wider).unwrap(), &[1.0, 2.0]), Err(Error::WrongObjectives { .. })));
    for change in [
        |config: &mut StudyConfig| config.objectives.clear(),
        |config: &mut StudyConfig| config.heartbeat_s = 0.0,
        |config: &mut StudyConfig| config.grace_s = f64::NAN,
        |config: &mut StudyConfig| config.sampler = Sampler::Tpe(Tpe { candidates: 0, ..Tpe::default() }),
        |config: &mut StudyConfig| config.pruner = Pruner::hyperband(0),
    ] {
        assert!(matches!(open(&folder, change), Err(Error::Setting { .. })));
    }
    let many = Space::new((0..65).map(|i| Parameter::float(format!("p{i}"), 0.0, 1.0))).unwrap();
    let sobol = open(&folder, |config| config.sampler = Sampler::Sobol).unwrap();
    assert!(sobol.ask(&many).unwrap_err().to_string().contains("65 parameters, but Sobol points have at most 64"));
}

#[test]
fn half_a_line_at_the_end_does_not_stop_a_study() {
    let folder = tempdir().unwrap();
    let journal = folder.path().join("journal");
    let study = open(&folder, |_| {}).unwrap();
    study.optimize(&space(), 5, |trial| loss(trial).map(Outcome::from)).unwrap();
    let whole = fs::read(&journal).unwrap();
    fs::write(&journal, [&whole[..], b"{\"op_code\":4,\"worker"].concat()).unwrap();
    let other = open(&folder, |_| {}).unwrap();
    other.optimize(&space(), 8, |trial| loss(trial).map(Outcome::from)).unwrap();
    assert_eq!(study.record().unwrap().count(State::Complete), 8);
}

#[test]
fn threads_share_a_study() {
    let folder = tempdir().unwrap();
    let study = open(&folder, |_| {}).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| study.clone().optimize(&space(), 40, |trial| loss(trial).map(Outcome::from)).unwrap());
        }
    });
    assert_eq!(study.record().unwrap().count(State::Complete), 40);
}

#[test]
fn settings_can_come_from_a_file() {
    let config: StudyConfig = toml::from_str(
        r#"
        name = "first"
        objectives = [{ name = "loss", direction = "minimize" }, { name = "f1", direction = "maximize" }]
        sampler = { method = "tpe", multivariate = false }
        pruner = { rule = "hyperband", max_resource = 50, objective = "f1" }
        "#,
    )
    .unwrap();
    assert_eq!(config.sampler, Sampler::Tpe(Tpe::univariate()));
    assert_eq!(config.pruner, Pruner::hyperband(50).on("f1"));
    assert_eq!((config.seed, config.max_retries), (0, 3));
    assert!(
        toml::from_str::<StudyConfig>("name = 'x'\nobjectives = []\nsampler = { method = 'tpe', candidats = 3 }")
            .is_err()
    );
}
