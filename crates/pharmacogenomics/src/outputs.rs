//! What a training leaves to read: the model card, tables, figures and the story of the report.

use crate::{
    classifier::Member,
    error::{Error, Result},
    evaluation::{Evaluation, Measures},
    model_folder::{Model, Origin},
    predictor::Predictor,
};
use cupel_report::{Cell, LineChart, Story, Table};
use cupel_statistics::Bin;
use std::{fmt::Write as _, path::Path};

const MEASURES: [&str; 6] = ["log_loss", "weighted_f1", "macro_f1", "micro_f1", "auroc", "ece"];

/// The model card: what the model is, what it was made from, what it is worth and what it is not for.
pub fn model_card(predictor: &Predictor, origin: &Origin, evaluation: &Evaluation) -> String {
    let mut card = String::from("# Model card\n\n");
    let members: Vec<&str> = predictor.members().iter().map(|member| crate::Classifier::name(member)).collect();
    // writing to a string cannot fail
    let _ = writeln!(
        card,
        "Predicts {} from {}.\n",
        predictor.classes().iter().map(|classes| classes.target.as_str()).collect::<Vec<_>>().join(", "),
        predictor.schema().fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ")
    );
    let _ = writeln!(card, "**Not a medical device.** For research; not for decisions about a patient.\n");
    let _ = writeln!(card, "| | |\n|---|---|");
    for (what, value) in [
        ("models", members.join(", ")),
        ("table", format!("{} (BLAKE3 {})", origin.table, origin.table_hash)),
        ("split", format!("{}, {} train and {} validation rows", origin.split, origin.rows[0], origin.rows[1])),
        ("split leaks", if origin.leaky { "yes: every number below is too good".into() } else { "no".to_string() }),
        ("seed", origin.seed.to_string()),
        ("made by", format!("cupel {}", env!("CARGO_PKG_VERSION"))),
    ] {
        let _ = writeln!(card, "| {what} | {value} |");
    }
    let _ = writeln!(card, "\n## On the validation part\nThresholds and calibration were chosen on the same rows.\n");
    let _ =
        writeln!(card, "| target | {} | sets hold |\n|---|{}", MEASURES.join(" | "), "---|".repeat(MEASURES.len() + 1));
    for (name, target) in &evaluation.targets {
        let cells =
            MEASURES.map(|measure| target.measures.get(measure).map_or("-".into(), |value| format!("{value:.4}")));
        let _ = writeln!(
            card,
            "| {name} | {} | {:.3} of {:.2} |",
            cells.join(" | "),
            target.conformal.covered,
            target.conformal.promised
        );
    }
    for classes in predictor.classes().iter().filter(|classes| !classes.merged.is_empty()) {
        let merged: Vec<String> = classes.merged.iter().map(|(name, count)| format!("{name} ({count})")).collect();
        let _ = writeln!(
            card,
            "\nOf {}, classes with fewer than {} training rows were merged: {}.",
            classes.target,
            classes.min_class,
            merged.join(", ")
        );
    }
    card
}

/// Writes the tables, figures and the story of a training into its run folder.
///
/// # Errors
/// [`Error::Report`] and [`Error::Data`] when they cannot be written.
pub fn save_report(dir: &Path, model: &Model, evaluation: &Evaluation, members: &[(String, Evaluation)]) -> Result<()> {
    let tables = dir.join("tables");
    let mut story = Story::new("Pharmacogenomic prediction")
        .summary(format!(
            "{} rows of {} trained the models and {} chose thresholds and calibration, under the split {}.",
            model.origin.rows[0], model.origin.table, model.origin.rows[1], model.origin.split
        ))
        .summary("Not a medical device: for research, not for decisions about a patient.");
    if model.origin.leaky {
        story = story.finding("The split leaks: held-out rows repeat what training saw, and every number is too good.");
    }
    for (name, target) in &evaluation.targets {
        let mut table = Table::new().text_column("model");
        for measure in MEASURES {
            table = table.number_column(measure.replace('_', " "), "", 4);
        }
        let alone = members.iter().map(|(member, evaluation)| (member.as_str(), &evaluation.targets[name].measures));
        for (member, measures) in alone.chain([("together", &target.measures)]) {
            let cells = MEASURES.map(|measure| Cell::from(measures.get(measure)));
            table.push([Cell::from(member.to_string())].into_iter().chain(cells))?;
        }
        table.save(tables.join(name))?;
        story = story.table(format!("tables/{name}.csv"), format!("{name}: each model alone, and together."));
        let bins = evaluation.reliability.get(name).map_or(&[][..], Vec::as_slice);
        if bins.len() > 1 {
            reliability_chart(name, bins).save(dir.join("figures").join(format!("reliability_{name}")))?;
            story = story.figure(
                format!("figures/reliability_{name}.svg"),
                format!("{name}: what was said, and how often it came true."),
            );
        }
        if let Some(log_loss) = target.measures.get("log_loss") {
            story = story.finding(format!(
                "{name}: log-loss {log_loss:.4} on the validation part; {:.1} % of the sets hold the truth.",
                100.0 * target.conformal.covered
            ));
        }
    }
    save_json(&dir.join("metrics.json"), &flat(evaluation))?;
    if let Some(pairs) = pair_table(model)? {
        pairs.save(tables.join("pairs"))?;
        story = story.table("tables/pairs.csv", "How strongly pairs of fields speak together, over the training rows.");
    }
    story
        .citation("C. Guo et al., On calibration of modern neural networks, ICML 2017", "arXiv:1706.04599")
        .citation("M. Sadinle, J. Lei, L. Wasserman, Least ambiguous set-valued classifiers with bounded error levels, JASA 114, 2019", "doi:10.1080/01621459.2017.1395341")
        .citation("D. C. Liu, J. Nocedal, On the limited memory BFGS method, Math. Program. 45, 1989", "doi:10.1007/BF01589116")
        .save(dir)?;
    Ok(())
}

/// The headline measures, target by target.
fn flat(evaluation: &Evaluation) -> serde_json::Value {
    let of_target = |(name, measures): (&String, &Measures)| {
        let all = MEASURES.iter().filter_map(|measure| Some((measure.to_string(), measures.get(measure)?.into())));
        (name.clone(), serde_json::Value::Object(all.collect()))
    };
    evaluation
        .targets
        .iter()
        .map(|(name, target)| of_target((name, &target.measures)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn reliability_chart(name: &str, bins: &[Bin]) -> LineChart {
    let said: Vec<f64> = bins.iter().map(|bin| bin.said).collect();
    let came_true: Vec<f64> = bins.iter().map(|bin| bin.true_share).collect();
    LineChart::new(format!("Reliability of {name}"), "probability", "share that came true")
        .include_y(0.0)
        .line("model", &said, &came_true)
        .reference("perfect", &[0.0, 1.0], &[0.0, 1.0])
}

fn pair_table(model: &Model) -> Result<Option<Table>> {
    let examples = model.evidence.examples();
    let rows: Vec<usize> = (0..examples.len()).collect();
    let crossed = model.predictor.members().iter().find_map(|member| match member {
        Member::Linear(linear) if linear.config.tokens.crosses > 0.0 => Some(linear),
        _ => None,
    });
    let fields = &model.predictor.schema().fields;
    // the evidence keeps categories only, so that positions of fields agree where there is nothing else
    let Some(linear) = crossed.filter(|_| examples.schema().fields.len() == fields.len()) else { return Ok(None) };
    let mut table = Table::new().text_column("target").text_column("fields").number_column("strength", "", 4);
    for (target, classes) in model.predictor.classes().iter().enumerate() {
        for ([a, b], strength) in linear.pair_strengths(examples, &rows, target)? {
            let pair = format!("{} x {}", fields[a].name, fields[b].name);
            table.push([Cell::from(classes.target.clone()), Cell::from(pair), Cell::from(strength)])?;
        }
    }
    Ok(Some(table))
}

fn save_json(path: &Path, value: &serde_json::Value) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|source| Error::Json { what: format!("encoding {}", path.display()), source })?;
    let write =
        |file: &mut dyn std::io::Write| file.write_all(text.as_bytes()).map_err(cupel_data::Error::io("write", path));
    Ok(cupel_data::write_atomic(path, write)?)
}
