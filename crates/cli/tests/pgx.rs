//! `cupel pgx` from the outside: a table in, a model out, answers; refusals.

mod patients;
mod program;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use patients::{tables, vcf};
use program::{command, cupel, json};
use serde_json::Value;

#[test]
fn a_model_is_trained_measured_and_asked() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let train = "pgx train --demo-data --models counts,linear-crosses,network --epochs 1 --cross-fit 2 --seed 1 --out model --json --quiet";
    let trained = json(folder, train);
    for file in ["model.json", "card.md", "report.html", "best/model.safetensors", "evidence.tsv", "finished.json"] {
        assert!(folder.join("model").join(file).is_file(), "{file}");
    }
    // a finished run is left alone, and a folder that is there is not overwritten
    let again = json(folder, &format!("{train} --resume"));
    assert_eq!(again["targets"]["effect_type"]["log_loss"], trained["targets"]["effect_type"]["log_loss"]);
    assert_eq!(cupel(folder, train).0, Some(1));

    let line = "pgx evaluate --model model --demo-data --part test --json --quiet --bootstrap 20 --members";
    let measured = json(folder, line);
    for target in ["effect_type", "effect_direction", "phenotype_outcome"] {
        let own = &measured["targets"][target];
        for key in ["log_loss", "weighted_f1", "macro_f1", "auroc", "micro_f1", "ece"] {
            assert!(own[key].as_f64().unwrap().is_finite(), "{target} {key}");
            assert!(own["intervals"][key]["low"].as_f64() <= own["intervals"][key]["high"].as_f64());
        }
        assert!((own["conformal"]["covered"].as_f64().unwrap() - 0.9).abs() < 0.03, "{own}");
        assert!(measured["members"]["network"]["targets"][target]["log_loss"].is_number());
    }

    let line = "pgx predict --model model --query drug=drug01 --query gene=GENE99 --json";
    let answer = &json(folder, line)["answers"][0];
    assert_eq!(answer["unknown"][0]["field"], "gene");
    assert_eq!(answer["answered_by"], "model");
    assert_eq!(answer["evidence"].as_array().unwrap().len(), 5);
    fs::write(folder.join("ask.tsv"), "drug\tgenalle\tgene\tallele\ndrug01\tgenalle02\t\tallele03\nx\t\t\t\n").unwrap();
    let answers = json(folder, "pgx predict --model model --table ask.tsv --json");
    assert_eq!(answers["answers"].as_array().unwrap().len(), 2);
    let (code, _, stderr) = cupel(folder, "pgx predict --model model --query durg=x");
    assert_eq!(code, Some(1));
    assert!(stderr.contains("did you mean \"drug\"?"), "{stderr}");
}

#[test]
fn a_leaky_split_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (code, stdout, stderr) = cupel(folder, "pgx audit --demo-data --split random");
    assert_eq!(code, Some(1));
    assert!(stdout.contains("this split leaks") && stderr.contains("--allow-leakage"), "{stdout} {stderr}");
    let audit = json(folder, "pgx audit --demo-data --split random --allow-leakage --json");
    assert!(audit["test"]["group"].as_f64().unwrap() > 0.5 && audit["leaky"] == true);
    assert_eq!(cupel(folder, "pgx audit --demo-data --split group").0, Some(0));
    json(folder, "pgx train --demo-data --models majority --split random --out m --json --quiet");
    let line = "pgx evaluate --model m --demo-data --split random --quiet";
    assert_eq!(cupel(folder, line).0, Some(1));
    assert_eq!(cupel(folder, &format!("{line} --allow-leakage")).0, Some(0));
    assert!(fs::read_to_string(folder.join("m/card.md")).unwrap().contains("too good"));
}

#[test]
fn settings_are_searched_in_a_study_that_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let line = "pgx tune --demo-data --models counts --trials 2 --out study --json --quiet";
    let first = json(folder, line);
    assert_eq!(first["trials"], 2);
    assert!(first["best"]["strength"].as_f64().unwrap() > 0.0, "{first}");
    assert_eq!(cupel(folder, line).0, Some(1), "a study that is there is not begun again");
    // another table, other models or folds, another seed are no trials of this study
    for (flags, words) in [
        (line.replace("--models counts", "--models counts,sites"), "models"),
        (format!("{line} --folds 2"), "folds"),
        (format!("{line} --seed 9"), "seed"),
        (format!("{line} --split group"), "split"),
        (line.replace("--demo-data", "--table other.tsv --fields brief"), "table"),
    ] {
        fs::write(folder.join("other.tsv"), other_table()).unwrap();
        let (code, _, stderr) = cupel(folder, &format!("{flags} --resume"));
        assert!(code == Some(1) && stderr.contains(words), "{flags}: {stderr}");
    }
    let more = json(folder, &format!("{} --resume", line.replace("--trials 2", "--trials 3")));
    assert_eq!(more["trials"], 3);
    assert!(more["best_value"].as_f64() <= first["best_value"].as_f64());
}

/// Rows with the columns of annotations.
fn other_table() -> String {
    let row = |i: u32| {
        let effect = ["efficacy", "toxicity"][(i % 2) as usize];
        format!("drug{}\tg{}\tgene{}\ta{}\t{effect}\tincreased\tdeath\t{i}\n", i % 9, i % 5, i % 3, i % 2)
    };
    let head = "drug\tgenalle\tgene\tallele\teffect_type\teffect_direction\tphenotype_outcome\tannotation_id\n";
    head.to_owned() + &(0..600).map(row).collect::<String>().replace("increased\tdeath\t1", "decreased\tdeath\t1")
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_trial_which_the_study_tries_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let line = "pgx tune --demo-data --models network --epochs 40 --patience 40 --trials 1 --out study --device flex";
    let mut child = command(folder, line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    let journal = || fs::read_to_string(folder.join("study/study.journal")).unwrap_or_default();
    while !journal().contains("learning_rate") {
        assert!(start.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none());
        sleep(Duration::from_millis(5));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let journal = journal();
    assert!(journal.contains("the search stopped") && !journal.contains("\"values\": ["), "{journal}");
    let short = line.replace("--epochs 40", "--epochs 1 --resume --json");
    let (code, _, stderr) = cupel(folder, &short);
    assert!(code == Some(1) && stderr.contains("epochs"), "{stderr}");
}

#[test]
fn answers_are_written_by_the_ending_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    json(folder, "pgx train --demo-data --models counts --cross-fit 0 --out model --json --quiet");
    fs::write(folder.join("ask.tsv"), "drug\tgene\tgenalle\tallele\ndrug01\tgene01\t\t\nx y\tgene02\t\t\n").unwrap();
    let line = "pgx predict --model model --table ask.tsv";
    let printed = json(folder, &format!("{line} --json"));
    for (file, start) in [
        ("a.csv", "row,target,answer,probability,set,abstains,unknown\n1,effect_direction,"),
        ("a.tsv", "row\ttarget\tanswer\tprobability\tset\tabstains\tunknown\n1\teffect_direction\t"),
        ("a.json", "{"),
    ] {
        let (code, stdout, _) = cupel(folder, &format!("{line} --out {file} --dry-run"));
        assert!(code == Some(0) && stdout.contains("2 answers would go to") && !folder.join(file).exists());
        assert_eq!(json(folder, &format!("{line} --out {file} --json")), printed, "{file} is written and printed");
        let text = fs::read_to_string(folder.join(file)).unwrap();
        assert!(text.starts_with(start), "{text}");
        assert_eq!(cupel(folder, &format!("{line} --out {file}")).0, Some(1), "it is there");
        let (code, stdout, _) = cupel(folder, &format!("{line} --out {file} --force"));
        assert!(code == Some(0) && stdout.contains("2 answers in"), "{stdout}");
        if file != "a.json" {
            assert_eq!(text.lines().count(), 1 + 2 * 4);
            assert!(text.contains("drug=x y"), "{text}");
        }
    }
    let (code, _, stderr) = cupel(folder, &format!("{line} --out a.xlsx"));
    assert!(code == Some(1) && stderr.contains(".csv, .tsv and .json") && !folder.join("a.xlsx").exists(), "{stderr}");
    let encode = "pgx encode --table ask.tsv --schema s.toml --out ids --dry-run";
    fs::write(folder.join("s.toml"), "[[field]]\nname = \"drug\"\n[[target]]\nname = \"gene\"\n").unwrap();
    assert!(cupel(folder, encode).0 == Some(0) && !folder.join("ids").exists());
}

#[test]
fn a_study_covers_the_settings_of_a_network() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let space = r#"
        [learning-rate]
        type = "float"
        low = 1e-3
        high = 1e-2
        log = true

        [embedding]
        type = "int"
        low = 4
        high = 8
        step = 4

        [interaction]
        type = "categorical"
        choices = ["bi", "none"]

        [no_first_order]
        type = "categorical"
        choices = [true, false]
    "#;
    fs::write(folder.join("space.toml"), space).unwrap();
    let line = "pgx tune --demo-data --models network --epochs 1 --hidden 16 --trials 3 --json --quiet --device flex";
    let found = json(folder, &format!("{line} --space space.toml --out study"));
    assert_eq!(found["trials"], 3);
    assert!(found["best_value"].as_f64().unwrap().is_finite(), "{found}");
    let best = found["best"].as_object().unwrap();
    assert_eq!(best.len(), 4);
    assert!(best["learning-rate"].as_f64().unwrap() >= 1e-3 && best["no_first_order"].is_boolean(), "{found}");
    // three settings, three results
    let journal = fs::read_to_string(folder.join("study/study.journal")).unwrap();
    let values: std::collections::BTreeSet<String> = journal
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|entry| entry.get("values").filter(|values| values.is_array()).map(Value::to_string))
        .collect();
    assert_eq!(values.len(), 3, "{journal}");

    let refused = |space: &str, words: &str| {
        fs::write(folder.join("wrong.toml"), space).unwrap();
        let (code, _, stderr) = cupel(folder, &format!("{line} --space wrong.toml --out other"));
        assert!(matches!(code, Some(1 | 2)) && stderr.contains(words), "{stderr}");
        assert!(!folder.join("other").exists(), "a space that cannot be leaves nothing behind");
    };
    let float = "type = \"float\"\nlow = 0.1\nhigh = 0.5";
    refused(&format!("[drop_out]\n{float}"), "did you mean `dropout`?");
    refused(&format!("[embedding]\n{float}"), "embedding = 0.1: expected a whole number");
    refused(&format!("[crosses]\n{float}"), "choose linear-crosses");
}

#[test]
fn a_table_becomes_files_of_ids() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("schema.toml"), "[[field]]\nname = \"drug\"\n[[target]]\nname = \"effect\"\n").unwrap();
    fs::write(
        folder.join("t.tsv"),
        "drug\teffect\tpart\n Warfarin\ta\ttrain\nwarfarin \tb\ttest\n\ta\ttrain\nnew\tb\ttest\n",
    )
    .unwrap();
    let encoded =
        json(folder, "pgx encode --table t.tsv --schema schema.toml --split-column part --out ids --json --quiet");
    assert_eq!((&encoded["rows"], &encoded["names"][0][1]), (&4.into(), &1.into()));
    let ids = cupel::data::open(folder.join("ids/drug.npy")).unwrap().array(None).unwrap();
    // known, the same name, missing, unknown
    assert_eq!(*ids.values(), cupel::data::Values::U32(vec![2, 2, 1, 0]));
    let left: Vec<String> = fs::read_dir(folder.join("ids"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(left.iter().all(|name| !name.ends_with(".part")), "{left:?}");
}

/// A network that a test can train; the rest of the table's rows is held out.
const SMALL: &str = "pgx train --demo-data --fractions 0.2,0.1,0.7 --models network --cross-fit 0 --embedding 8 --hidden 32 --json --quiet";

fn weights(folder: &Path, run: &str) -> Vec<u8> {
    fs::read(folder.join(run).join("best/model.safetensors")).unwrap()
}

#[test]
fn a_network_is_tried_before_it_is_trained() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let small = format!("{SMALL} --batch 64 --dropout 0");
    let tried = json(folder, &format!("{small} --overfit-one-batch 60"));
    let losses: Vec<f64> = tried["losses"].as_array().unwrap().iter().map(|loss| loss.as_f64().unwrap()).collect();
    assert!(losses.len() == 60 && losses[59] < 0.8 * losses[0], "{losses:?}");
    let range = json(folder, &format!("{small} --learning-rate-range 1e-4,1"));
    let rates: Vec<f64> = range["rates"].as_array().unwrap().iter().map(|rate| rate.as_f64().unwrap()).collect();
    let suggestion = range["suggestion"].as_f64().unwrap();
    assert!(rates.windows(2).all(|two| two[0] < two[1]) && rates[0] <= suggestion && suggestion <= 1.0, "{range}");
    let (code, stdout, _) = cupel(folder, "pgx train --demo-data --models network --dry-run --out nothing");
    assert!(code == Some(0) && stdout.contains("one batch went through the network: loss "), "{stdout}");
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "a rehearsal leaves nothing");
    for (flags, words) in [
        ("--models counts --overfit-one-batch", "none of them a network"),
        ("--models network --learning-rate-range 1,1e-3", "two numbers above 0, rising"),
        ("--models network --devices abacus", "abacus"),
        ("--models network --unknown-dropout 1", "unknown-dropout"),
        ("--models network --embedding 1000000000", "at most 1024"),
        ("--models network --layers 1000000", "at most 16"),
        ("--models network --loss focal --gamma=inf", "at most 100"),
        ("--models network --learning-rate nan", "a number above 0"),
        ("--models network --gamma 1", "only the focal loss has it"),
        ("--models counts --epochs 3", "none of the models counts has it: choose network"),
        ("--models linear --crosses 0.2", "choose linear-crosses"),
        ("--models oracle", "linear-crosses"),
        ("--models boosting --trees 0", "at least 1"),
        ("--split-column part --split group", "the column of the split says it"),
        ("--fractions 0.5,0.5", "three shares"),
        ("--fractions nan,0.1,0.1", "fractions"),
        ("--coverage 1", "coverage"),
        ("--cross-fit 999999999", "at most 100"),
    ] {
        let (code, stdout, stderr) = cupel(folder, &format!("pgx train --demo-data --out nothing {flags}"));
        assert!(matches!(code, Some(1 | 2)) && stdout.is_empty() && stderr.contains(words), "{flags}: {stderr}");
        assert!(!folder.join("nothing").exists(), "{flags}");
    }
}

#[test]
fn two_devices_with_half_the_batch_are_one_with_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let plain = format!("{SMALL} --epochs 2 --dropout 0 --unknown-dropout 0");
    let one = json(folder, &format!("{plain} --batch 256 --out one"));
    let two = json(folder, &format!("{plain} --batch 128 --device cpu --devices cpu --out two"));
    for target in ["effect_type", "effect_direction", "phenotype_outcome"] {
        let loss = |run: &Value| run["targets"][target]["log_loss"].as_f64().unwrap();
        assert!((loss(&one) - loss(&two)).abs() < 1e-3, "{target}: {} and {}", loss(&one), loss(&two));
    }
}

#[test]
fn a_network_trains_in_half_precision_and_keeps_its_weights_in_full() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let full = json(folder, &format!("{SMALL} --epochs 3 --precision f32 --out f32"));
    for precision in ["bf16", "fp16"] {
        let half = json(folder, &format!("{SMALL} --epochs 3 --precision {precision} --out {precision}"));
        let loss = |run: &Value| run["targets"]["effect_type"]["log_loss"].as_f64().unwrap();
        assert!((loss(&half) / loss(&full) - 1.0).abs() < 0.15, "{precision}: {} and {}", loss(&half), loss(&full));
        let environment = fs::read_to_string(folder.join(precision).join("environment.json")).unwrap();
        assert!(environment.contains(precision), "{environment}");
        // of the same length: the same numbers, as wide
        assert_eq!(weights(folder, precision).len(), weights(folder, "f32").len());
    }
}

#[cfg(unix)]
#[test]
fn a_stopped_run_goes_on_to_the_weights_of_one_that_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let line =
        format!("{SMALL} --epochs 12 --patience 12 --models counts,network --checkpoint-every 5 --seed 7 --threads 1");
    let line = line.replace(" --models network", "");
    json(folder, &format!("{line} --out whole"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_cupel"));
    command.args(format!("{line} --out stopped").split_whitespace()).current_dir(folder);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while !folder.join("stopped/checkpoints/network").is_dir() {
        assert!(start.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none());
        sleep(Duration::from_millis(2));
    }
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(!folder.join("stopped/best/model.safetensors").exists(), "it was stopped before its end");
    // another setting is not the same run
    let (code, _, stderr) = cupel(folder, &format!("{line} --out stopped --resume --strict --learning-rate 0.1"));
    assert_eq!(code, Some(1), "{stderr}");
    let resumed = json(folder, &format!("{line} --out stopped --resume"));
    assert_eq!(weights(folder, "stopped"), weights(folder, "whole"));
    let again = json(folder, &format!("{line} --out stopped --resume"));
    assert_eq!(again["targets"], resumed["targets"], "a finished run is left alone");
}

#[test]
fn every_network_trains_and_answers() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, flags) in [
        ("attention", "--attention 1 --norm-last"),
        ("ft-transformer", "--attention 1 --class-token --interaction none"),
        ("autoint", "--interacting 2 --interaction none"),
        ("dcn", "--cross 2 --interaction none"),
        ("fmfm", "--interaction matrices"),
        ("bi", "--interaction bi --uncertainty"),
        ("focal", "--loss focal --class-weights --no-first-order"),
    ] {
        let trained =
            json(folder, &format!("{SMALL} --epochs 3 --learning-rate 1e-2 --dropout 0.1 {flags} --out {name}"));
        let loss = trained["targets"]["effect_type"]["log_loss"].as_f64().unwrap();
        assert!(loss < 0.97 * 5.0_f64.ln(), "{name}: {loss}");
        let answers =
            json(folder, &format!("pgx predict --model {name} --query drug=drug01 --query gene=gene02 --json"));
        assert_eq!(answers["answers"][0]["targets"]["effect_type"]["probabilities"].as_array().unwrap().len(), 5);
    }
}

#[test]
fn eight_bits_say_nearly_the_same_in_a_quarter_of_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    json(folder, &format!("{SMALL} --epochs 6 --learning-rate 1e-2 --dropout 0 --out model"));
    let line = "pgx evaluate --model model --demo-data --fractions 0.2,0.1,0.7 --part test --bootstrap 0 --json";
    let (full, small) = (json(folder, line), json(folder, &format!("{line} --quantize int8")));
    for target in ["effect_type", "effect_direction", "phenotype_outcome"] {
        let loss = |said: &Value| said["targets"][target]["log_loss"].as_f64().unwrap();
        assert!(loss(&full) != loss(&small) && (loss(&full) - loss(&small)).abs() < 0.01, "{target}");
    }
    let bytes = |said: &Value| said["network_bytes"].as_f64().unwrap();
    assert!(bytes(&small) < 0.35 * bytes(&full), "{} of {}", bytes(&small), bytes(&full));
    let asked = "pgx predict --model model --query drug=drug01 --quantize int8 --json";
    assert!(json(folder, asked)["answers"][0]["targets"]["effect_type"]["answer"].is_array());
}

#[test]
fn a_patient_is_answered_by_guidelines_first_then_by_the_model_and_else_by_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    tables(folder);
    json(folder, "pgx train --demo-data --models counts --cross-fit 0 --out model --json --quiet");
    let ask = |file: &str, more: &str| {
        json(folder, &format!("pgx predict --model model --vcf {file} --tables tables --json --quiet {more}"))
    };
    let gene = |said: &Value, name: &str| {
        said["genes"].as_array().unwrap().iter().find(|call| call["gene"] == name).unwrap().clone()
    };
    let poor = ["chr1 200 . C T . PASS . GT 0|1", "chr1 210 . A G . PASS . GT 1|0"];
    vcf(folder, "poor.vcf", &poor);
    let said = ask("poor.vcf", "");
    assert_eq!(said["assembly"], "GRCh38");
    let call = gene(&said, "gene01");
    assert_eq!((&call["diplotypes"][0], &call["phenotype"]["name"]), (&"*2/*3".into(), &"Poor Metabolizer".into()));
    assert_eq!(call["not_looked_for"][0], "*4");
    // nothing was read of the other gene, and what was not read is not reference
    assert_eq!(gene(&said, "gene02")["unknown_because"], "none of its places was read");
    let answers = said["answers"].as_array().unwrap();
    let drugs: Vec<&str> = answers.iter().map(|answer| answer["drug"].as_str().unwrap()).collect();
    assert_eq!(drugs, ["drug01", "drug02", "drug03"]);
    let sources: Vec<&str> = answers.iter().map(|answer| answer["answered_by"].as_str().unwrap()).collect();
    assert_eq!(sources, ["guideline", "model", "guideline"]);
    let rules: Vec<&str> =
        answers[0]["recommendations"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap()).collect();
    assert_eq!(rules, ["R2", "R1"], "CPIC before DPWG");
    assert!(answers[1]["model"]["gene01"]["targets"]["effect_type"]["probabilities"].is_array());
    let other = ask("poor.vcf", "--drug aspirin");
    assert_eq!(other["answers"][0]["answered_by"], "nobody");

    // both variants on one haplotype are no known allele
    vcf(folder, "cis.vcf", &["chr1 200 . C T . PASS . GT 0|1", "chr1 210 . A G . PASS . GT 0|1"]);
    assert_eq!(
        gene(&ask("cis.vcf", ""), "gene01")["unknown_because"],
        "no pair of known alleles explains its genotypes"
    );
    // of two phase sets the order of one says nothing of the other
    vcf(folder, "sets.vcf", &["chr1 200 . C T . PASS . GT:PS 0|1:1", "chr1 210 . A G . PASS . GT:PS 0|1:2"]);
    assert_eq!(gene(&ask("sets.vcf", ""), "gene01")["diplotypes"][0], "*2/*3");
    // unphased, two pairs of alleles explain the second gene and differ in what they do
    let both = ["chr2 60 . G A . PASS . GT 0/1", "chr2 65 . T C . PASS . GT 0/1"];
    vcf(folder, "both.vcf", &both);
    let call = gene(&ask("both.vcf", ""), "gene02");
    assert_eq!(call["diplotypes"].as_array().unwrap().len(), 2);
    assert!(call["phenotype"].is_null() && call["unknown_because"].as_str().unwrap().contains("2 pairs"), "{call}");
    vcf(folder, "phased.vcf", &both.map(|line| line.replace('/', "|")).each_ref().map(String::as_str));
    assert_eq!(gene(&ask("phased.vcf", ""), "gene02")["phenotype"]["name"], "Intermediate Metabolizer");
    // a place that was not read excludes nothing, unless told that it is reference; blocks of reference are read
    vcf(folder, "half.vcf", &["chr1 200 . C T . PASS . GT 0/1"]);
    assert!(gene(&ask("half.vcf", ""), "gene01")["phenotype"].is_null());
    let call = gene(&ask("half.vcf", "--absent-is-reference"), "gene01");
    assert_eq!(call["phenotype"]["name"], "Intermediate Metabolizer");
    vcf(folder, "block.vcf", &["chr1 150 . A <NON_REF> . PASS END=400 GT 0/0"]);
    let said = ask("block.vcf", "");
    assert_eq!(gene(&said, "gene01")["diplotypes"][0], "*1/*1");
    assert_eq!(said["answers"][1]["recommendations"][0]["id"], "R3", "an activity score of at least 1.5");
    // a change that no allele is known by
    vcf(folder, "other.vcf", &["chr1 200 . C G . PASS . GT 0/1"]);
    assert!(
        gene(&ask("other.vcf", ""), "gene01")["unknown_because"]
            .as_str()
            .unwrap()
            .contains("no allele is known with G")
    );

    let refused = |line: &str, words: &str| {
        let (code, _, stderr) = cupel(folder, &format!("pgx predict --model model --tables tables {line}"));
        assert!(code == Some(1) && stderr.contains(words), "{line}: {stderr}");
    };
    refused("--vcf poor.vcf --assembly GRCh37", "as the lengths of the chromosomes in the file say");
    refused("--vcf poor.vcf --sample S2", "it has S1");
    refused("--vcf none.vcf", "none.vcf");
    fs::write(folder.join("damaged.vcf"), "##fileformat=VCFv4.3\nchr1 x\n").unwrap();
    refused("--vcf damaged.vcf", "damaged.vcf");
}

#[test]
fn reports_are_a_page_and_a_file_for_each_sample_of_each_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    tables(folder);
    vcf(folder, "poor.vcf", &["chr1 200 . C T . PASS . GT 0|1", "chr1 210 . A G . PASS . GT 1|0"]);
    let two = "##fileformat=VCFv4.3\n##contig=<ID=chr1,length=248956422>\n#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT S1 <b>\n\
               chr1 200 . C T . PASS . GT 0/1 0/0\nchr1 210 . A G . PASS . GT ./. 0/0\n";
    fs::write(folder.join("two.vcf"), two.replace(' ', "\t")).unwrap();
    let line = "pgx report --vcf poor.vcf --vcf two.vcf --tables tables --out reports --json --quiet";
    let said = json(folder, line);
    assert_eq!(said["samples"].as_array().unwrap().len(), 3, "{said}");
    let page = |name: &str| fs::read_to_string(folder.join("reports").join(name)).unwrap();
    assert!(page("s1.html").contains("Change needed") && page("s1.html").contains("Not a medical device"));
    // where a place was not read nothing is recommended, and what would be is said
    let open = page("s1-2.html");
    assert!(open.contains("Not determined") && !open.contains("Change needed") && open.contains("if gene01"), "{open}");
    let pages: Vec<_> = fs::read_dir(folder.join("reports")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(pages.len(), 9);
    for path in &pages {
        assert!(!fs::read_to_string(path).unwrap().contains("of <b>"), "{}", path.display());
    }
    let answers: Value = serde_json::from_str(&page("s1.json")).unwrap();
    assert_eq!(answers["notice"], "not a medical device");
    // one file that cannot be read is one line, and a failure
    fs::write(folder.join("damaged.vcf"), "##fileformat=VCFv4.3\nchr1 x\n").unwrap();
    let (code, stdout, stderr) =
        cupel(folder, "pgx report --vcf poor.vcf --vcf damaged.vcf --tables tables --out more");
    assert_eq!(code, Some(1));
    assert!(
        stdout.contains("damaged.vcf") && stdout.contains("1 genes determined") && stderr.contains("1 of 2"),
        "{stdout} {stderr}"
    );
}

#[test]
fn guidelines_answer_questions_by_what_they_tell_of_a_gene() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    tables(folder);
    json(folder, "pgx train --demo-data --models counts --cross-fit 0 --out model --json --quiet");
    let ask = |more: &str| {
        json(folder, &format!("pgx predict --model model --tables tables --json --quiet {more}"))["answers"][0].clone()
    };
    let said = ask("--query drug=drug01 --query gene=gene01 --query diplotype=*2/*3");
    assert_eq!(said["answered_by"], "guideline");
    let ids: Vec<&str> = said["guideline"]["recommendations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["R2", "R1"]);
    // what the model says stands beside it, and the alleles are told to it
    assert!(said["targets"]["effect_type"]["probabilities"].is_array());
    assert!(said["unknown"].as_array().unwrap().iter().any(|own| own["name"] == "gene01*2/*3"), "{said}");
    // a model's own field says a diplotype too, and a phenotype is as good
    let same = "--query drug=drug01 --query gene=GENE01 --query genalle=gene01*2/*3";
    assert_eq!(ask(same)["guideline"]["recommendations"], said["guideline"]["recommendations"]);
    let word = ask("--query drug=drug02 --query gene=gene01 --query activity=2.0");
    assert_eq!(word["guideline"]["recommendations"][0]["id"], "R3");
    // an allele that is not known, a gene that was not told
    let open = ask("--query drug=drug01 --query gene=gene01 --query diplotype=*1/*9");
    assert_eq!(open["answered_by"], "not determined");
    assert_eq!(open["guideline"]["not_determined"][0]["genes"][0]["gene"], "gene01");
    let other = ask("--query drug=drug01 --query gene=gene02 --query diplotype=*1/*1");
    assert_eq!(other["guideline"]["not_determined"][0]["genes"][0]["not_tested"], true);
    // without a result the model answers alone
    assert!(ask("--query drug=drug01 --query gene=gene01")["guideline"].is_null());
    let near = ask("--query drug=drug010 --query gene=gene01 --query diplotype=*2/*3");
    assert_eq!(near["guideline"]["did_you_mean"], "drug01");

    // rows of a table, further genes from a file, answers by the ending
    fs::write(
        folder.join("ask.tsv"),
        "drug\tgene\tphenotype\ndrug01\tgene01\tPoor Metabolizer\ndrug03\tgene01\tpoor metaboliser\ndrug01\tgene01\t\n",
    )
    .unwrap();
    let line = "pgx predict --model model --tables tables --table ask.tsv";
    let all = json(folder, &format!("{line} --json --quiet"));
    let by: Vec<&str> =
        all["answers"].as_array().unwrap().iter().map(|answer| answer["answered_by"].as_str().unwrap()).collect();
    assert_eq!(by, ["guideline", "guideline", "model"]);
    assert_eq!(all["answers"][1]["guideline"]["recommendations"][0]["not_tested"][0], "gene02");
    cupel(folder, &format!("{line} --out a.tsv --quiet"));
    let text = fs::read_to_string(folder.join("a.tsv")).unwrap();
    assert!(text.contains("1\tguideline\tavoid drug01|avoid it\t"), "{text}");
    fs::write(folder.join("calls.tsv"), "gene02\t*1/*1\n").unwrap();
    let both = ask("--calls calls.tsv --query drug=drug03 --query gene=gene01 --query diplotype=*2/*3");
    assert_eq!(both["answered_by"], "not determined", "no rule is for both: {both}");

    for (line, words) in [
        ("--query drug=a --query drug=b", "given twice"),
        ("--query drug=a --query gene=gene01 --query diplotype=*1/*1", "--tables DIR"),
        ("--tables tables --query drug=a --query gene=gen01 --query diplotype=*1/*1", "did you mean gene01?"),
        ("--tables tables --query drug=a --query diplotype=*1/*1 --query diplotype=*2/*2", "given twice"),
    ] {
        let (code, _, stderr) = cupel(folder, &format!("pgx predict --model model {line}"));
        assert!(code == Some(1) && stderr.contains(words), "{line}: {stderr}");
    }
    // a patient's answers are a table too
    vcf(folder, "poor.vcf", &["chr1 200 . C T . PASS . GT 0|1", "chr1 210 . A G . PASS . GT 1|0"]);
    let line = "pgx predict --model model --tables tables --vcf poor.vcf --out p.csv --quiet";
    assert_eq!(cupel(folder, line).0, Some(0));
    let text = fs::read_to_string(folder.join("p.csv")).unwrap();
    assert!(
        text.starts_with("sample,drug,answered_by,group,source,")
            && text.contains("S1,drug01,guideline,change,CPIC,P2"),
        "{text}"
    );
}
