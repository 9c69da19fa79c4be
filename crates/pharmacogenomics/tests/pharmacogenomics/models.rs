//! Fitting, blending, calibrating, saving.

use burn::tensor::Device;
use cupel_data::{Column, Fractions, Stream, Table};
use cupel_pharmacogenomics::{
    Boosting, BoostingConfig, Classes, Classifier, Encoder, Error, Evaluation, EvaluationConfig, Evidence, Examples,
    Field, FieldKind, Fitting, HeadLoss, Interaction, Kept, Labels, Linear, LinearConfig, Majority, Member, Model,
    ModelKind, Neighbours, NeighboursConfig, NetworkConfig, Origin, PLANTED_PAIRS, Parts, Planted, Predictor, Purpose,
    Reads, Schema, SplitKind, Target, TrainConfig, Training, check_space, metrics::auroc, model_card, planted,
    question, save_report, search, search_space,
};
use cupel_settings::Settings;
use cupel_train::{Advance, Checkpoint, Policy, Position, Run, Stamp};
use cupel_tune::{Objective, Parameter, Space, Study, StudyConfig};
use std::{fs, path::Path};

fn device() -> Device {
    Device::flex()
}

fn split(examples: &Examples) -> Parts {
    let shares = Fractions { train: 0.7, validation: 0.15, test: 0.15 };
    Parts::make(examples, &SplitKind::StratifiedGroup, shares, 1).unwrap()
}

fn config(names: &[&str]) -> TrainConfig {
    let mut config = TrainConfig::of(names.iter().map(|name| name.parse().unwrap()).collect::<Vec<ModelKind>>());
    config.ensemble.cross_fit = 0;
    config
}

fn plain() -> EvaluationConfig {
    EvaluationConfig { bootstrap: 0, seed: 0, strata: None }
}

#[test]
fn a_planted_model_is_found_again() {
    let Planted { examples, logits } = planted(30_000, 0).unwrap();
    let parts = split(&examples);
    let predictor = Predictor::train(&config(&["linear-crosses"]), &examples, &parts, &device()).unwrap();
    let Member::Linear(linear) = &predictor.members()[0] else { panic!("another model") };
    for target in 0..3 {
        let mut strongest: Vec<[usize; 2]> = linear.pair_strengths(&examples, &parts.train, target).unwrap()[..3]
            .iter()
            .map(|(pair, _)| *pair)
            .collect();
        strongest.sort_unstable();
        assert_eq!(strongest, PLANTED_PAIRS, "target {target}");
    }
    let said = predictor.probabilities(&examples, &parts.test).unwrap();
    for (target, (classes, said)) in predictor.classes().iter().zip(&said).enumerate() {
        let labels = classes.labels(&examples).unwrap();
        let mut truth = vec![0.0; classes.len()];
        let (mut of_found, mut of_planted) = (0.0, 0.0);
        for class in 0..classes.len() {
            let mut positive = Vec::new();
            let (mut found, mut planted) = (Vec::new(), Vec::new());
            for (i, row) in parts.test.iter().enumerate().filter(|(_, row)| labels.is_known(**row)) {
                labels.write_row(*row, &mut truth);
                positive.push(truth[class] > 0.0);
                let own = &logits[target][row * classes.len()..(row + 1) * classes.len()];
                // of classes only differences of logits mean something
                let softmax = |z: &[f64]| z[class].exp() / z.iter().map(|z| z.exp()).sum::<f64>();
                planted.push(if target < 2 { softmax(own) } else { own[class] });
                found.push(said.row(i)[class]);
            }
            of_found += auroc(&found, &positive).unwrap() / classes.len() as f64;
            of_planted += auroc(&planted, &positive).unwrap() / classes.len() as f64;
        }
        assert!(of_planted > 0.8 && of_planted - of_found < 0.01, "target {target}: {of_found} of {of_planted}");
    }
}

#[test]
fn sets_hold_what_they_promise_and_probabilities_are_calibrated() {
    // Fifteen bins of a thousand rows are off by .03 when every probability is right: it takes more to see less than .04.
    let examples = planted(36000, 5).unwrap().examples;
    let parts = split(&examples);
    let predictor = Predictor::train(&config(&["counts", "linear"]), &examples, &parts, &device()).unwrap();
    let evaluation = Evaluation::of(&predictor, &examples, &parts.test, &plain()).unwrap();
    for (name, target) in &evaluation.targets {
        assert!((target.conformal.covered - 0.9).abs() < 0.03, "{name} {:?}", target.conformal);
        let error = target.measures.get("ece").unwrap();
        assert!(error < 0.04, "{name} {error}");
    }
}

#[test]
fn together_is_no_worse_than_each_alone_and_better_than_nothing() {
    let examples = planted(6000, 6).unwrap().examples;
    let parts = split(&examples);
    let predictor = Predictor::train(&config(&["majority", "counts", "linear"]), &examples, &parts, &device()).unwrap();
    let together = Evaluation::of(&predictor, &examples, &parts.test, &plain()).unwrap();
    let alone = Evaluation::of_members(&predictor, &examples, &parts.test, &plain()).unwrap();
    for (name, target) in &together.targets {
        let loss = target.measures.get("log_loss").unwrap();
        for (member, evaluation) in &alone {
            let own = evaluation.targets[name].measures.get("log_loss").unwrap();
            assert!(loss < own + 0.005, "{name}: {loss}, {member} alone {own}");
        }
        let majority = alone[0].1.targets[name].measures.get("log_loss").unwrap();
        assert!(loss < 0.98 * majority, "{name}: {loss} {majority}");
    }
}

fn model(examples: &Examples, parts: &Parts) -> Model {
    let predictor = Predictor::train(
        &config(&["majority", "counts", "linear-crosses", "sites", "neighbours", "boosting"]),
        examples,
        parts,
        &device(),
    )
    .unwrap();
    let origin = Origin {
        table: examples.source().into(),
        table_hash: examples.hash().into(),
        split: "test".into(),
        rows: [parts.train.len(), parts.validation.len()],
        leaky: false,
        seed: 0,
    };
    let encoder = Encoder::fit(examples, &parts.train).unwrap();
    Model { predictor, encoder, evidence: Evidence::of(examples, &parts.train).unwrap(), origin }
}

#[test]
fn a_saved_model_says_the_same_to_the_bit() {
    let examples = planted(1500, 7).unwrap().examples;
    let parts = split(&examples);
    let model = model(&examples, &parts);
    let evaluation = Evaluation::of(&model.predictor, &examples, &parts.validation, &plain()).unwrap();
    let members = Evaluation::of_members(&model.predictor, &examples, &parts.validation, &plain()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let card = model_card(&model.predictor, &model.origin, &evaluation);
    assert!(card.contains("Not a medical device") && card.contains(examples.hash()));
    model.save(folder.path(), &card).unwrap();
    save_report(folder.path(), &model, &evaluation, &members).unwrap();
    assert!(folder.path().join("tables/pairs.csv").is_file() && folder.path().join("report.json").is_file());

    let again = Model::open(folder.path(), &device()).unwrap();
    assert_eq!(again.origin, model.origin);
    assert_eq!(
        again.predictor.probabilities(&examples, &parts.test).unwrap(),
        model.predictor.probabilities(&examples, &parts.test).unwrap()
    );
    let asked = [("drug", "drug01"), ("genalle", "genalle02"), ("gene", "gene99"), ("allele", "")];
    let asked = asked.map(|(field, value)| (field.to_string(), value.to_string()));
    let questions = question(again.predictor.schema(), &asked).unwrap();
    let answer = &again.answer(&questions, &[0]).unwrap()[0];
    assert_eq!(answer.unknown.len(), 1);
    assert_eq!((answer.unknown[0].field.as_str(), answer.unknown[0].name.as_str()), ("gene", "gene99"));
    assert!(answer.unknown[0].did_you_mean.is_some());
    assert_eq!(answer.evidence[0].shared, ["drug", "genalle"]);
    for target in answer.targets.values().filter(|target| target.probabilities.len() == 5) {
        assert!((target.probabilities.iter().map(|(_, p)| p).sum::<f64>() - 1.0).abs() < 1e-9);
    }

    // nothing of the folder can be changed unnoticed: bytes all over each file, and every digit of model.json in turn
    let files = [
        "member-0.safetensors",
        "member-1.safetensors",
        "member-5.safetensors",
        "evidence.tsv",
        "card.md",
        "model.json",
    ];
    let mut changed = 0;
    for name in files {
        let path = folder.path().join(name);
        let bytes = fs::read(&path).unwrap();
        let digits: Vec<usize> =
            (0..bytes.len()).filter(|at| name == "model.json" && bytes[*at].is_ascii_digit()).collect();
        let some = digits.iter().step_by(digits.len().div_ceil(150).max(1)).copied();
        for at in (0..40).map(|i| i * (bytes.len() - 1) / 39).chain(some) {
            let mut mutant = bytes.clone();
            mutant[at] = match mutant[at] {
                digit @ b'0'..=b'8' => digit + 1,
                b'9' => b'0',
                other => other ^ 1,
            };
            fs::write(&path, &mutant).unwrap();
            match Model::open(folder.path(), &device()) {
                Err(Error::Model { path: own, .. }) => {
                    assert!(own.ends_with(name), "{name} at {at}: {}", own.display())
                }
                other => panic!("{name} changed at {at}: {:?}", other.map(|_| "opened")),
            }
            changed += 1;
        }
        fs::write(&path, &bytes).unwrap();
    }
    assert!(changed > 300, "{changed}");
    for name in ["member-1.safetensors", "member-5.safetensors", "evidence.tsv", "model.json"] {
        let path = folder.path().join(name);
        let bytes = fs::read(&path).unwrap();
        for keep in [0, bytes.len() / 2, bytes.len() - 1] {
            fs::write(&path, &bytes[..keep]).unwrap();
            assert!(matches!(Model::open(folder.path(), &device()), Err(Error::Model { .. })), "{name} cut at {keep}");
        }
        fs::write(&path, &bytes).unwrap();
    }
    Model::open(folder.path(), &device()).unwrap();
    assert!(matches!(Model::open(Path::new("no such folder"), &device()), Err(Error::Model { .. })));
}

#[test]
fn damaged_weights_are_refused_and_never_a_fault() {
    let examples = planted(300, 8).unwrap().examples;
    let parts = split(&examples);
    let model = model(&examples, &parts);
    for member in model.predictor.members() {
        let bytes = member.to_bytes(model.predictor.classes()).unwrap();
        for i in 0..400 {
            let mut mutant = bytes.clone();
            let at = (i * 7919) % mutant.len().min(6000);
            mutant[at] ^= 1 << (i % 8);
            // either it reads as some model, or the error says what is wrong
            if let Err(error) = Member::from_bytes(&mutant, Path::new("mutant"), &device()) {
                assert!(matches!(error, Error::Model { .. }), "{error}");
            }
        }
    }
}

#[test]
fn stopped_and_resumed_is_uninterrupted() {
    let examples = planted(800, 9).unwrap().examples;
    let parts = split(&examples);
    let mut config = config(&["majority", "counts", "linear"]);
    config.ensemble.cross_fit = 2;
    let mut whole = Fitting::new(&config, &examples, &parts, &device()).unwrap();
    assert_eq!(whole.total(), Some(9));
    Run::in_memory().drive(&mut whole, &Policy::default()).unwrap();
    let whole = whole.finish().unwrap();
    // among the models, between them and the folds, within a fold, before the last
    for stop in [2, 3, 5, 8] {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Fitting::new(&config, &examples, &parts, &device()).unwrap();
        let mut at = Position::default();
        for _ in 0..stop {
            assert_eq!(first.advance(at).unwrap().done, None);
            at = at.following();
        }
        let stamp = Stamp { at, fingerprint: String::new(), done: None, seconds: 0.0 };
        Checkpoint::write(folder.path(), stamp, |set| first.save(set)).unwrap();
        let mut second = Fitting::new(&config, &examples, &parts, &device()).unwrap();
        let newest = Checkpoint::newest(folder.path(), true).unwrap().unwrap();
        second.load(newest.reader()).unwrap();
        let done = (stop..9).map(|_| second.advance(at).unwrap().done).last().unwrap();
        assert_eq!(done, Some("all models are fitted"));
        let resumed = second.finish().unwrap();
        assert_eq!(resumed.answering(), whole.answering(), "stopped after {stop}");
        assert_eq!(
            resumed.probabilities(&examples, &parts.test).unwrap(),
            whole.probabilities(&examples, &parts.test).unwrap()
        );
    }
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let examples = planted(300, 2).unwrap().examples;
    let parts = split(&examples);
    let refused = |config: &TrainConfig, parts: &Parts| {
        Predictor::train(config, &examples, parts, &device()).unwrap_err().to_string()
    };
    assert!(refused(&config(&[]), &parts).starts_with("models = none"));
    let mut strict = config(&["majority"]);
    strict.ensemble.coverage = 1.0;
    assert!(refused(&strict, &parts).starts_with("coverage = 1"));
    let none = Parts { validation: vec![], ..parts.clone() };
    assert!(refused(&config(&["majority"]), &none).starts_with("the val part has 0 rows, at least 20 are needed"));
}

fn small_network(change: impl FnOnce(&mut NetworkConfig)) -> TrainConfig {
    let mut config = config(&["network"]);
    let network = &mut config.network;
    (network.net.embedding, network.net.hidden, network.effect.batch, network.epochs) = (8, 16, 128, 3);
    change(network);
    config
}

#[test]
fn a_network_learns_and_is_saved_to_the_bit() {
    let _one_at_a_time = cupel_train::checks::exclusive();
    let examples = planted(3000, 4).unwrap().examples;
    let parts = split(&examples);
    let shapes: [fn(&mut NetworkConfig); 6] = [
        |config| (config.net.dropout, config.epochs, config.learning_rate) = (0.1, 12, 1e-2),
        |config| {
            (config.net.attention, config.net.norm_first, config.net.interaction) = (1, Kept(false), Interaction::Bi)
        },
        |config| (config.net.cross, config.net.layers, config.net.interaction) = (2, 2, Interaction::Scalar),
        |config| {
            (config.net.first_order, config.net.interaction, config.effect.uncertainty) =
                (Kept(false), Interaction::None, true)
        },
        |config| (config.net.reads, config.net.counted, config.learning_rate) = (Reads::Counts, 16, 1e-2),
        |config| (config.net.reads, config.net.counted) = (Reads::Both, 16),
    ];
    for (which, change) in shapes.into_iter().enumerate() {
        let predictor = Predictor::train(&small_network(change), &examples, &parts, &device()).unwrap();
        let said = predictor.probabilities(&examples, &parts.validation).unwrap();
        let labels = predictor.classes()[0].labels(&examples).unwrap();
        let loss = said[0].log_loss(&labels, &parts.validation).unwrap();
        assert!(![0, 4].contains(&which) || loss < 0.9 * 5.0_f64.ln(), "{loss}");
        let bytes = predictor.members()[0].to_bytes(predictor.classes()).unwrap();
        let again = Member::from_bytes(&bytes, Path::new("network"), &device()).unwrap();
        assert_eq!(
            again.probabilities(&examples, &parts.test).unwrap(),
            predictor.members()[0].probabilities(&examples, &parts.test).unwrap(),
            "shape {which}"
        );
    }
}

#[test]
fn every_loss_trains() {
    let _one_at_a_time = cupel_train::checks::exclusive();
    let examples = planted(1200, 4).unwrap().examples;
    let parts = split(&examples);
    for loss in HeadLoss::ALL[1..].iter().copied() {
        let config = small_network(|config| {
            config.effect.loss = loss;
            (config.effect.class_weights, config.net.dropout) = (true, 0.0);
            config.learning_rate = 1e-2;
        });
        let predictor = Predictor::train(&config, &examples, &parts, &device()).unwrap();
        let labels = predictor.classes()[0].labels(&examples).unwrap();
        let loss_of =
            |rows: &[usize]| predictor.probabilities(&examples, rows).unwrap()[0].log_loss(&labels, rows).unwrap();
        assert!(loss_of(&parts.train) < 5.0_f64.ln(), "{loss:?}: {}", loss_of(&parts.train));
    }
}

/// Rows of names with a target of two classes.
fn named(fields: &[&str], rows: &[(Vec<String>, u32)]) -> Examples {
    let column = |field: usize| {
        let mut names: Vec<String> = rows.iter().map(|(names, _)| names[field].clone()).collect();
        let all = names.clone();
        names.sort();
        names.dedup();
        let code = |name: &String| names.binary_search(name).unwrap() as u32;
        Column::Category { codes: all.iter().map(code).collect(), names: names.clone() }
    };
    let mut columns: Vec<(String, Column)> =
        fields.iter().enumerate().map(|(index, name)| (name.to_string(), column(index))).collect();
    let codes = rows.iter().map(|(_, class)| *class).collect();
    columns.push(("direction".into(), Column::Category { codes, names: vec!["decreased".into(), "increased".into()] }));
    let schema = Schema {
        group: None,
        weight: None,
        time: None,
        fields: fields.iter().map(|name| Field::category(*name)).collect(),
        targets: vec![Target::classes("direction", 1)],
    };
    Examples::of_table(schema, Table::new(columns).unwrap(), "named").unwrap()
}

/// The log-loss on `asked` of a logistic regression fitted to the first `rows` rows.
fn loss_of(config: &LinearConfig, examples: &Examples, rows: usize, asked: &[usize]) -> f64 {
    let rows: Vec<usize> = (0..rows).collect();
    let classes = vec![Classes::fit(examples, &examples.schema().targets[0], &rows).unwrap()];
    let labels = vec![classes[0].labels(examples).unwrap()];
    let linear = Linear::fit(config, examples, &rows, &classes, &labels, 0).unwrap();
    linear.probabilities(examples, asked).unwrap()[0].log_loss(&labels[0], asked).unwrap()
}

#[test]
fn hidden_names_teach_what_to_say_of_unknown_ones() {
    // the drug tells the class, the gene tells it in nine rows of ten; of a new drug only the gene can
    let mut draws = Stream::new(3, "hidden names").rng();
    let mut rows: Vec<(Vec<String>, u32)> = Vec::new();
    for i in 0..2400 {
        let class = draws.below(2) as u32;
        let gene = if draws.below(10) == 0 { 1 - class } else { class };
        let drug = if i < 2000 { format!("drug{:02}", 2 * draws.below(10) as u32 + class) } else { "new".into() };
        rows.push((vec![drug, format!("gene{gene}")], class));
    }
    let examples = named(&["drug", "gene"], &rows);
    let asked: Vec<usize> = (2000..2400).collect();
    let loss = |unknown: f64| {
        let mut config = LinearConfig::default();
        (config.tokens.unknown, config.tokens.stems, config.inverse_penalty) = (unknown, 0.0, 1.0);
        loss_of(&config, &examples, 2000, &asked)
    };
    // the entropy of nine to one
    let least = -(0.9_f64 * 0.9_f64.ln() + 0.1 * 0.1_f64.ln());
    let (with, without) = (loss(0.3), loss(0.0));
    assert!(
        with < least + 0.05 && with < without - 0.03,
        "{with} with hidden names, {without} without, {least} at best"
    );
}

#[test]
fn a_fact_told_from_the_other_side_is_the_same_fact() {
    let mut rows: Vec<(Vec<String>, u32)> = Vec::new();
    let row = |site: u32, own: &str, other: &str, class: u32| {
        (vec![format!("rs{site}"), own.to_string(), other.to_string()], class)
    };
    // at every other site t increases; two sites in three are told from the side of t, for the rest it is the other way round
    for (part, sides) in [(0, [("tt", "cc"), ("cc", "tt")]), (1, [("cc", "tt"), ("tt", "cc")])] {
        for site in 0..30 {
            let (own, other) = sides[usize::from(site % 3 == 0)];
            let class = u32::from((site % 2 == 0) == (own == "tt"));
            let times = if part == 0 { 6 } else { 1 };
            rows.extend((0..times).map(|_| row(site, own, other, class)));
        }
    }
    let examples = named(&["variant_haplotypes", "allele", "comparison"], &rows);
    let asked: Vec<usize> = (180..210).collect();
    let loss = |value: f64| {
        let mut config = LinearConfig::default();
        (config.tokens.contrast.value, config.inverse_penalty) = (value, 1.0);
        loss_of(&config, &examples, 180, &asked)
    };
    let (with, without) = (loss(1.0), loss(0.0));
    assert!(without > 0.9 && with < 0.75 * without, "{with} with contrasts, {without} without");
}

#[test]
fn rows_that_share_rare_names_speak_loudest_and_strangers_not_at_all() {
    let mut rows: Vec<(Vec<String>, u32)> = Vec::new();
    rows.extend((0..80).map(|i| (vec!["common".into(), format!("own{i}")], 0)));
    rows.extend((0..4).map(|_| (vec!["common".into(), "rare".into()], 1)));
    rows.push((vec!["common".into(), "rare".into()], 0));
    rows.push((vec!["new".into(), "newer".into()], 0));
    let examples = named(&["drug", "allele"], &rows);
    let fitted: Vec<usize> = (0..84).collect();
    let classes = vec![Classes::fit(&examples, &examples.schema().targets[0], &fitted).unwrap()];
    let labels = vec![classes[0].labels(&examples).unwrap()];
    let config = NeighboursConfig { sharpness: 1.0, ..NeighboursConfig::default() };
    let model = Neighbours::fit(&config, &examples, &fitted, &classes, &labels).unwrap();
    let said = &model.probabilities(&examples, &[84, 85]).unwrap()[0];
    // four rows of 84 / 4 each against the prior's 4; what all rows share says nothing
    let expected = (4.0 * 21.0 + 4.0 * 4.5 / 85.0) / (4.0 * 21.0 + 4.0);
    assert!((said.row(0)[1] - expected).abs() < 1e-6, "{} {expected}", said.row(0)[1]);
    assert!((said.row(1)[1] - 4.5 / 85.0).abs() < 1e-9, "a row that shares nothing is answered by the prior");
    let none = NeighboursConfig { rows: 0, ..config };
    assert!(matches!(Neighbours::fit(&none, &examples, &fitted, &classes, &labels), Err(Error::Setting { .. })));
}

/// Boosters of all targets, fitted to `rows`; nothing says what is held out.
fn boosting(examples: &Examples, rows: &[usize], seed: u64) -> (Boosting, Vec<Classes>, Vec<Labels>) {
    let parts = Parts { train: rows.to_vec(), validation: vec![], test: vec![], dropped: vec![] };
    boosting_of(examples, &parts, seed)
}

/// Boosters of all targets, fitted to the train part.
fn boosting_of(examples: &Examples, parts: &Parts, seed: u64) -> (Boosting, Vec<Classes>, Vec<Labels>) {
    let targets = examples.schema().targets.iter();
    let classes: Vec<Classes> = targets.map(|target| Classes::fit(examples, target, &parts.train).unwrap()).collect();
    let labels: Vec<Labels> = classes.iter().map(|classes| classes.labels(examples).unwrap()).collect();
    let model = Boosting::fit(&BoostingConfig::default(), examples, parts, &classes, &labels, seed).unwrap();
    (model, classes, labels)
}

#[test]
fn boosting_learns_and_depends_on_the_seed_but_not_on_threads() {
    let examples = planted(3000, 11).unwrap().examples;
    let parts = split(&examples);
    let on = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| boosting(&examples, &parts.train, seed).0.probabilities(&examples, &parts.test).unwrap())
    };
    let said = on(1, 5);
    assert_eq!(said, on(3, 5));
    assert_ne!(said, on(1, 6));
    let (_, classes, labels) = boosting(&examples, &parts.train, 5);
    for ((said, classes), labels) in said.iter().zip(&classes).zip(&labels) {
        let majority = Majority::fit(&parts.train, std::slice::from_ref(classes), std::slice::from_ref(labels));
        let guessed = majority.probabilities(&examples, &parts.test).unwrap()[0].log_loss(labels, &parts.test).unwrap();
        let loss = said.log_loss(labels, &parts.test).unwrap();
        assert!(loss < 0.97 * guessed, "{}: {loss}, guessing {guessed}", classes.target);
    }
}

#[test]
fn boosting_does_not_lean_on_names_that_a_cold_start_will_not_know() {
    // the drug says most of a row, and the gene a little; of a drug that was never seen the gene is all that is known
    let mut draws = Stream::new(8, "drugs that are never seen again").rng();
    let row = |i: usize| {
        let (drug, gene) = (i % 120, draws.below(6) as usize);
        let of_drug = (drug * 7919) % 2;
        let class = if draws.below(4) == 0 { gene % 2 } else { of_drug };
        (vec![format!("drug{drug}"), format!("gene{gene}")], class as u32)
    };
    let rows: Vec<(Vec<String>, u32)> = (0..4800).map(row).collect();
    let examples = named(&["drug", "gene"], &rows);
    let shares = Fractions { train: 0.6, validation: 0.2, test: 0.2 };
    let cold = Parts::make(&examples, &SplitKind::Cold("drug".into()), shares, 3).unwrap();
    let loss = |parts: &Parts| {
        let (model, _, labels) = boosting_of(&examples, parts, 0);
        model.probabilities(&examples, &cold.test).unwrap()[0].log_loss(&labels[0], &cold.test).unwrap()
    };
    // of a gene alone 5 in 8 are known: a log-loss of .6616; leaning on drugs costs more than guessing, .6931
    let aware = loss(&cold);
    assert!(aware < 0.67, "{aware}");
}

#[test]
fn boosting_learns_what_a_known_drug_would_hide() {
    // a drug says all of its rows, and the gene four of five of it: where the drug is known the gene adds nothing, and of a strange drug it is all that is known
    let shares = Fractions { train: 0.6, validation: 0.2, test: 0.2 };
    for seed in 0..3 {
        let mut draws = Stream::new(seed, "genes that drugs hide").rng();
        let row = |i: usize| {
            let class = (i % 150) as u64 % 2;
            let side = if draws.below(5) == 0 { 1 - class } else { class };
            let gene = 2 * draws.below(3) + side;
            (vec![format!("drug{}", i % 150), format!("gene{gene}")], class as u32)
        };
        let rows: Vec<(Vec<String>, u32)> = (0..4500).map(row).collect();
        let examples = named(&["drug", "gene"], &rows);
        let cold = Parts::make(&examples, &SplitKind::Cold("drug".into()), shares, seed).unwrap();
        let (model, _, labels) = boosting_of(&examples, &cold, seed);
        let loss = model.probabilities(&examples, &cold.test).unwrap()[0].log_loss(&labels[0], &cold.test).unwrap();
        // of a gene alone four of five are right: .500, and a little more where the drugs of the test part lean to one side; guessing has .693
        assert!(loss < 0.6, "seed {seed}: {loss}");
    }
}

#[test]
fn on_a_cold_start_classes_of_drugs_are_crossed_and_not_their_names() {
    // what a drug does turns with the gene, one way for the -pril and the other for the -statin
    let row = |i: usize| {
        let (drug, gene) = (i % 150, (i / 150) % 2);
        let ending = ["pril", "statin"][drug % 2];
        (vec![format!("{}{ending}", drug * 7919), format!("gene{gene}")], ((drug + gene) % 2) as u32)
    };
    let examples = named(&["drug", "gene"], &(0..3000).map(row).collect::<Vec<_>>());
    let shares = Fractions { train: 0.6, validation: 0.2, test: 0.2 };
    let loss = |kind: SplitKind| {
        let parts = Parts::make(&examples, &kind, shares, 3).unwrap();
        let cold = Parts::make(&examples, &SplitKind::Cold("drug".into()), shares, 3).unwrap();
        let held_out = if kind == SplitKind::Random { parts.validation } else { cold.validation.clone() };
        let parts = Parts { train: cold.train, validation: held_out, test: vec![], dropped: vec![] };
        let targets = examples.schema().targets.iter();
        let classes: Vec<Classes> =
            targets.map(|target| Classes::fit(&examples, target, &parts.train).unwrap()).collect();
        let labels: Vec<Labels> = classes.iter().map(|classes| classes.labels(&examples).unwrap()).collect();
        let member = TrainConfig::default().member(ModelKind::LinearCrosses);
        let member = member.fit(&examples, &parts, &classes, &labels, 0, &device()).unwrap();
        member.probabilities(&examples, &cold.test).unwrap()[0].log_loss(&labels[0], &cold.test).unwrap()
    };
    // the same rows train; what is held out says whether names will be known
    let (cold, known) = (loss(SplitKind::Cold("drug".into())), loss(SplitKind::Random));
    assert!(cold < 0.2 && known > 0.6, "{cold}, where the names of drugs are read {known}");
}

#[test]
fn a_name_of_one_row_does_not_give_its_class_away_to_boosting() {
    // with its own row counted, a name that only one row has would tell the class of that row for certain
    let mut draws = Stream::new(4, "names of one row").rng();
    let row = |i: usize| (vec![format!("own{i}"), format!("shared{}", i % 3)], draws.below(2) as u32);
    let rows: Vec<(Vec<String>, u32)> = (0..1200).map(row).collect();
    let examples = named(&["drug", "gene"], &rows);
    let (fitted, asked): (Vec<usize>, Vec<usize>) = (0..1200).partition(|row| *row < 900);
    let (model, _, labels) = boosting(&examples, &fitted, 0);
    let loss = model.probabilities(&examples, &asked).unwrap()[0].log_loss(&labels[0], &asked).unwrap();
    assert!(loss < std::f64::consts::LN_2 + 0.02, "{loss} where nothing can be known");
}

#[test]
fn boosting_takes_what_there_is() {
    // numbers that are missing, lists that are empty, a name that is everywhere, a class of one row, rows that count for nothing
    let rows = 60;
    let numbers = Column::Number {
        values: (0..rows).map(|i| if i % 7 == 0 { 1e300 } else { i as f64 }).collect(),
        present: (0..rows).map(|i| i % 3 != 0).collect(),
    };
    let nothing = Column::Number { values: vec![0.0; rows], present: vec![false; rows] };
    let offsets: Vec<usize> = (0..=rows).map(|i| if i > 40 { 2 } else { 0 }).collect();
    let lists = Column::Many { offsets, codes: vec![0, 1], names: vec!["a".into(), "b".into()] };
    let same = Column::Category { codes: vec![0; rows], names: vec!["same".into()] };
    let codes: Vec<u32> = (0..rows as u32).map(|i| if i == 9 { 2 } else { i % 2 }).collect();
    let class = Column::Category { codes, names: ["x", "y", "z"].map(String::from).to_vec() };
    let weight = Column::Number { values: (0..rows).map(|i| (i % 4) as f64).collect(), present: vec![true; rows] };
    let group = Column::Category { codes: vec![0; rows], names: vec!["one".into()] };
    let columns = [
        ("dose", numbers),
        ("nothing", nothing),
        ("list", lists),
        ("same", same),
        ("class", class),
        ("weight", weight),
        ("group", group),
    ];
    let table = Table::new(columns.map(|(name, column)| (name.to_string(), column)).into()).unwrap();
    let kind = |name: &str, kind: FieldKind| Field { kind, ..Field::category(name) };
    let fields = vec![
        kind("dose", FieldKind::Number),
        kind("nothing", FieldKind::Number),
        kind("list", FieldKind::Many),
        Field::category("same"),
    ];
    for (group, weight) in [(None, None), (None, Some("weight")), (Some("group"), Some("weight"))] {
        let schema = Schema {
            group: group.map(String::from),
            weight: weight.map(String::from),
            time: None,
            fields: fields.clone(),
            targets: vec![Target::classes("class", 1)],
        };
        let examples = Examples::of_table(schema, table.clone(), "odd").unwrap();
        let all: Vec<usize> = (0..rows).collect();
        let (model, classes, _) = boosting(&examples, &all, 0);
        let said = &model.probabilities(&examples, &all).unwrap()[0];
        assert!(said.iter().all(|p| (p.iter().sum::<f64>() - 1.0).abs() < 1e-9), "{group:?} {weight:?}");
        assert_eq!(said.width(), classes[0].len());
        // a group of its own is all that there is: no row could be counted on others, and the answer is the share of each class
        assert!(group.is_none() || said.iter().all(|p| p == said.row(0)));
    }
    let examples = planted(200, 1).unwrap().examples;
    let all: Vec<usize> = (0..200).collect();
    let (_, classes, labels) = boosting(&examples, &all, 0);
    for wrong in [
        BoostingConfig { trees: 0, ..BoostingConfig::default() },
        BoostingConfig { depth: 13, ..BoostingConfig::default() },
        BoostingConfig { shrinkage: f64::NAN, ..BoostingConfig::default() },
        BoostingConfig { penalty: -1.0, ..BoostingConfig::default() },
        BoostingConfig { rows: 0.0, ..BoostingConfig::default() },
        BoostingConfig { columns: 1.5, ..BoostingConfig::default() },
        BoostingConfig { strength: -1.0, ..BoostingConfig::default() },
        BoostingConfig { folds: 1, ..BoostingConfig::default() },
    ] {
        let parts = Parts { train: all.clone(), validation: vec![], test: vec![], dropped: vec![] };
        let refused = Boosting::fit(&wrong, &examples, &parts, &classes, &labels, 0);
        assert!(matches!(refused, Err(Error::Setting { .. })), "{wrong:?}");
    }
}

#[test]
fn of_a_drug_that_was_never_seen_the_class_is_rarely_answered_and_otherwise_as_before() {
    // the drug says nearly all
    let mut draws = Stream::new(3, "drugs").rng();
    let row = |i: usize| {
        let (drug, noise) = (i % 60, draws.below(10) == 0);
        (vec![format!("drug{drug}"), format!("gene{}", i % 7)], (((drug * 7919) % 3 == 0) != noise) as u32)
    };
    let examples = named(&["drug", "gene"], &(0..3000).map(row).collect::<Vec<_>>());
    let parts =
        Parts::make(&examples, &SplitKind::Random, Fractions { train: 0.6, validation: 0.2, test: 0.2 }, 3).unwrap();
    let mut config = TrainConfig::of([ModelKind::Counts]);
    config.ensemble.cross_fit = 0;
    let training = Training::new(&config, &examples, &parts, "", &device()).unwrap();
    let model = training.run(&mut Run::in_memory()).unwrap().model;
    // how many of sixty drugs are not answered, and how many of these for their names alone
    let withheld = |drug: &dyn Fn(usize) -> String| {
        let (mut all, mut for_names) = (0, 0);
        for i in 0..60 {
            let given = [("drug".to_string(), drug(i)), ("gene".into(), "gene1".into())];
            let asked = question(examples.schema(), &given).unwrap();
            let abstains = model.answers(&asked).unwrap().answers[0].targets.values().next().unwrap().abstains;
            let said = &model.predictor.probabilities(&asked, &[0]).unwrap()[0];
            let without = model.predictor.answering()[0].verdict(said.kind(), said.row(0), &[]).abstains;
            all += usize::from(abstains);
            for_names += usize::from(abstains && !without);
        }
        (all, for_names)
    };
    assert!(withheld(&|i| format!("novel{i}")).0 >= 48);
    assert_eq!(withheld(&|i| format!("drug{i}")).1, 0);
}

#[test]
fn a_table_in_memory_is_spelt_as_one_of_a_file() {
    let text =
        "drug\teffect\tgroup\n Warfarin\tMore_Toxic\tG1\nwarfarin \tmore toxic\tG1\nNA\t_\tG2\nABC ; d\tless\tg1\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.tsv");
    fs::write(&path, text).unwrap();
    let fields = vec![Field::category("drug")];
    let targets = vec![Target::classes("effect", 1)];
    let schema = Schema { group: Some("group".into()), weight: None, time: None, fields, targets };
    let read = Examples::read(&path, &schema, &[], Purpose::Learning).unwrap();
    let column = |field: usize| {
        let names: Vec<String> =
            text.lines().skip(1).map(|line| line.split('\t').nth(field).unwrap().to_owned()).collect();
        Column::Category { codes: (0..names.len() as u32).collect(), names }
    };
    let columns = ["drug", "effect"].into_iter().enumerate().map(|(i, name)| (name.to_owned(), column(i)));
    let group = Column::Category { codes: vec![0, 0, 1, 2], names: ["G1", "G2", "g1"].map(String::from).to_vec() };
    let table = Table::new(columns.chain([("group".to_owned(), group)]).collect()).unwrap();
    let made = Examples::of_table(schema, table, "memory").unwrap();
    for name in ["drug", "effect", "group"] {
        assert_eq!(made.table().column(name).unwrap(), read.table().column(name).unwrap(), "{name}");
    }
    assert_eq!(made.groups(), read.groups());
}

#[test]
fn training_is_one_call_and_a_stop_is_an_error() {
    let _one_at_a_time = cupel_train::checks::exclusive();
    let examples = planted(1200, 3).unwrap().examples;
    let parts = split(&examples);
    let mut config = small_network(|network| network.epochs = 1);
    config.ensemble.models.insert(0, ModelKind::Counts);
    let training = Training::new(&config, &examples, &parts, "stratified-group", &device()).unwrap();
    let trained = training.run(&mut Run::in_memory()).unwrap();
    assert_eq!((trained.part, trained.run_dir.as_deref(), trained.leakage.leaky), ("val", None, false));
    assert_eq!(trained.model.predictor.members().len(), 2);
    assert!(trained.to_string().contains("log-loss") && serde_json::to_value(&trained).unwrap()["targets"].is_object());
    assert!(training.dry_run().unwrap().unwrap().is_finite());
    let tried = training.overfit_one_batch(5).unwrap();
    assert!(tried.losses.len() == 5 && tried.suggestion.is_none());
    let folder = tempfile::tempdir().unwrap();
    let answers = trained.model.answers(&question(examples.schema(), &[("drug".into(), "drug01".into())]).unwrap());
    let answers = answers.unwrap();
    let table = answers.to_table('\t');
    // one line more for the two targets of classes together
    assert_eq!(table.lines().count(), 2 + examples.schema().targets.len(), "{table}");
    for answer in &answers.answers {
        let joint = answer.joint.as_ref().unwrap();
        let [own, other] = [0, 1].map(|which| &answer.targets[&joint.targets[which]]);
        assert_eq!(joint.answer.is_empty(), own.abstains || other.abstains);
        assert!(joint.probabilities.is_sorted_by(|a, b| a.1 >= b.1));
        for said in answer.targets.values() {
            assert!(said.answer.iter().all(|name| said.possible.contains(name)), "{said:?}");
        }
    }
    assert!(table.starts_with("row\ttarget\tanswer\tprobability\tset\tabstains\tunknown\n"));
    drop(folder);

    config.set("epochs", "3").unwrap();
    config.set("models", "counts").unwrap();
    let refused = Training::new(&config, &examples, &parts, "", &device()).unwrap_err().to_string();
    assert!(refused.contains("none of the models counts has it: choose network"), "{refused}");
    config = TrainConfig::of([ModelKind::Network, ModelKind::Network]);
    assert!(Training::new(&config, &examples, &parts, "", &device()).unwrap_err().to_string().contains("2 networks"));
}

#[test]
fn a_search_keeps_what_fails_with_its_reason() {
    let examples = planted(600, 3).unwrap().examples;
    let parts = vec![split(&examples)];
    let config = TrainConfig::of([ModelKind::Counts, ModelKind::Neighbours]);
    let space = search_space(&config.ensemble.models).unwrap();
    check_space(&config, &space).unwrap();
    assert!(search_space(&[ModelKind::Majority]).is_err());
    for (parameter, words) in [
        (Parameter::float("strenght", 0.1, 1.0), "did you mean `strength`?"),
        (Parameter::float("strength", 0.0, 1.0), "strength = 0: expected a number above 0"),
        (Parameter::int("epochs", 1, 2), "choose network"),
    ] {
        let refused = check_space(&config, &Space::new([parameter]).unwrap()).unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| {
        Study::open(folder.path().join(name), StudyConfig::new("pgx", [Objective::minimize("loss")])).unwrap()
    };
    let mut told = Vec::new();
    let mut heard = |number: usize, said: Result<f64, &str>| told.push((number, said.map_err(str::to_owned)));
    let found = search(&open("good"), &space, 3, &config, (&examples, &parts), &device(), &mut heard).unwrap();
    assert_eq!((found.trials, found.best.len(), told.len()), (3, 3, 3));
    assert!(told.iter().all(|(_, said)| *said.as_ref().unwrap() >= found.best_value));
    // a part without rows fails every trial, and the study says why
    let (study, none) = (open("bad"), vec![Parts { validation: vec![], ..parts[0].clone() }]);
    search(&study, &space, 2, &config, (&examples, &none), &device(), |_, _| ()).unwrap_err();
    let reasons: Vec<String> = study.record().unwrap().trials.iter().map(|trial| format!("{trial:?}")).collect();
    assert!(reasons.len() == 2 && reasons.iter().all(|own| own.contains("the val part has 0 rows")), "{reasons:?}");
}
