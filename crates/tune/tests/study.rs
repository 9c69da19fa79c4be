//! A study from the outside: trials, conditions, pruning, several objectives, damage and determinism.

use cupel_tune::{
    Error, Objective, Outcome, Parameter, Pruner, Sampler, Space, State, Study, StudyConfig, Tpe, Trial, Value,
    read_studies,
};
use std::{collections::BTreeMap, fs};
use tempfile::{TempDir, tempdir};

fn open(folder: &TempDir, change: impl FnOnce(&mut StudyConfig)) -> cupel_tune::Result<Study> {
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

fn loss(trial: &Trial) -> cupel_tune::Result<f64> {
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
            study.optimize(&space(), 40, |trial| Ok(loss(trial)?.into())).unwrap();
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
        study.optimize(&space(), trials, |trial| Ok(loss(trial)?.into())).unwrap();
    }
    let study = open(&folder, |config| config.name = "another".into()).unwrap();
    study.optimize(&space(), 2, |trial| Ok(loss(trial)?.into())).unwrap();
    let records = read_studies(folder.path().join("journal")).unwrap();
    assert_eq!(records.iter().map(|record| record.trials.len()).collect::<Vec<_>>(), [60, 2]);
    let importances = open(&folder, |_| {}).unwrap().importances(None).unwrap();
    assert_eq!(importances[0].parameter, "rate", "{importances:?}");
}

#[test]
fn tpe_is_better_than_chance() {
    let space = Space::new((0..5).map(|i| Parameter::float(format!("x{i}"), 0.0, 1.0))).unwrap();
    let bowl = |trial: &Trial| -> cupel_tune::Result<f64> {
        (0..5).map(|i| Ok((trial.float(&format!("x{i}"))? - 0.3).powi(2))).sum()
    };
    let bests = |sampler: Sampler| -> f64 {
        let best = |seed: u64| {
            let folder = tempdir().unwrap();
            let study = open(&folder, |config| (config.sampler, config.seed) = (sampler.clone(), seed)).unwrap();
            study.optimize(&space, 50, |trial| Ok(bowl(trial)?.into())).unwrap();
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
            .optimize(&space(), 40, |trial| {
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
        let front = study.pareto_front().unwrap();
        assert_eq!(front.len(), 1, "both objectives want the same");
        assert!(study.best().is_err() && study.importances(Some("f1")).is_ok() && study.importances(None).is_ok());
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
            .optimize(&space, 80, |trial| {
                let (x, y) = (trial.float("x")?, trial.float("y")?);
                Ok(Outcome::Complete(vec![4.0 * (x * x + y * y), (x - 2.0).powi(2) + (y - 2.0).powi(2)]))
            })
            .unwrap();
        // The area below (40, 20) that the front dominates.
        let mut front: Vec<Vec<f64>> =
            study.pareto_front().unwrap().into_iter().map(|trial| trial.values.unwrap()).collect();
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
            .optimize(&space(), 40, |trial| {
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
    study.fail(study.ask(&space).unwrap(), "out of memory").unwrap();
    drop(study.ask(&space).unwrap());
    let stopped = study.optimize(&space, 9, |_| Err("no data".into())).unwrap_err();
    assert!(matches!(&stopped, Error::Objective { number: 3, .. }), "{stopped}");
    let panicked = std::panic::catch_unwind(|| study.optimize(&space, 9, |_| panic!("in the objective")));
    assert!(panicked.is_err());
    let trial = study.ask(&space).unwrap();
    let asked = trial.values();
    study.requeue(trial).unwrap();
    let again = study.ask(&space).unwrap();
    assert_eq!(again.values(), asked);
    study.tell(again, &[f64::INFINITY]).unwrap();
    let record = study.record().unwrap();
    let reasons: Vec<&str> = record.trials.iter().filter_map(|trial| trial.failure()).collect();
    assert_eq!(
        reasons,
        [
            "the objective is not a number",
            "out of memory",
            "dropped without a result",
            "no data",
            "dropped without a result",
            "its worker was stopped"
        ]
    );
    assert_eq!(record.trials[6].retry_history(), [5]);
    assert_eq!(record.trials[6].values, Some(vec![f64::INFINITY]));
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
    study.optimize(&space(), 5, |trial| Ok(loss(trial)?.into())).unwrap();
    let whole = fs::read(&journal).unwrap();
    fs::write(&journal, [&whole[..], b"{\"op_code\":4,\"worker"].concat()).unwrap();
    let other = open(&folder, |_| {}).unwrap();
    other.optimize(&space(), 8, |trial| Ok(loss(trial)?.into())).unwrap();
    assert_eq!(study.record().unwrap().count(State::Complete), 8);
}

#[test]
fn threads_share_a_study() {
    let folder = tempdir().unwrap();
    let study = open(&folder, |_| {}).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| study.clone().optimize(&space(), 40, |trial| Ok(loss(trial)?.into())).unwrap());
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
