//! What a training leaves to read: the model card, tables, figures and the story of the report.

use crate::{
    classifier::Member,
    error::Result,
    evaluation::{Evaluation, HEADLINE, Measures},
    model_folder::{Model, Origin},
    predictor::Predictor,
};
use cupel_report::{Cell, LineChart, Report, Table, file_name};
use cupel_statistics::Bin;
use std::{fmt::Write as _, path::Path};

const MEASURES: [&str; HEADLINE.len()] =
    [HEADLINE[0].0, HEADLINE[1].0, HEADLINE[2].0, HEADLINE[3].0, HEADLINE[4].0, HEADLINE[5].0];

const CITATIONS: [(&str, &str); 3] = [
    ("C. Guo et al., On calibration of modern neural networks, ICML 2017", "arXiv:1706.04599"),
    (
        "M. Sadinle, J. Lei, L. Wasserman, Least ambiguous set-valued classifiers with bounded error levels, JASA 114, 2019",
        "doi:10.1080/01621459.2017.1395341",
    ),
    ("D. C. Liu, J. Nocedal, On the limited memory BFGS method, Math. Program. 45, 1989", "doi:10.1007/BF01589116"),
];

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

/// Writes tables, figures, `metrics.json` and the report of a training into its run folder.
///
/// # Errors
/// [`Error::Report`](crate::Error::Report) and [`Error::Data`](crate::Error::Data) when they cannot be written.
pub fn save_report(dir: &Path, model: &Model, evaluation: &Evaluation, members: &[(String, Evaluation)]) -> Result<()> {
    let mut report = Report::new(dir, "Pharmacogenomic prediction");
    report.summary(format!(
        "{} rows of {} trained the models and {} chose thresholds and calibration, under the split {}.",
        model.origin.rows[0], model.origin.table, model.origin.rows[1], model.origin.split
    ));
    report.summary("Not a medical device: for research, not for decisions about a patient.");
    if model.origin.leaky {
        report.finding("The split leaks: held-out rows repeat what training saw, and every number is too good.");
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
        let file = if file_name(name) == name.to_lowercase() { name.clone() } else { file_name(name) };
        report.table(file.clone(), format!("{name}: each model alone, and together."), table);
        let bins = evaluation.reliability.get(name).map_or(&[][..], Vec::as_slice);
        if bins.len() > 1 {
            let caption = format!("{name}: what was said, and how often it came true.");
            report.figure(format!("reliability_{file}"), caption, || reliability_chart(name, bins).figure());
        }
        if let Some(log_loss) = target.measures.get("log_loss") {
            report.finding(format!(
                "{name}: log-loss {log_loss:.4} on the validation part; {:.1} % of the sets hold the truth.",
                100.0 * target.conformal.covered
            ));
        }
    }
    report.numbers(&flat(evaluation))?;
    if let Some(pairs) = pair_table(model)? {
        report.table("pairs", "How strongly pairs of fields speak together, over the training rows.", pairs);
    }
    for (text, locator) in CITATIONS {
        report.cite(text, locator);
    }
    report.save()?;
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
