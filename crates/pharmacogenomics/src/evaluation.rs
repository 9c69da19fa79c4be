//! [`Evaluation`]: a model's measures on one part of a table, with intervals and the coverage of its sets.

use crate::{
    classifier::Classifier,
    error::Result,
    examples::Examples,
    leakage::Leakage,
    metrics::{CLIP, ClassMeasures, LabelMeasures, argmax},
    predictions::Predictions,
    predictor::{Answering, Predictor},
    schema::TargetKind,
    splits::Parts,
    targets::Labels,
};
use cupel_settings::{Range, settings};
use cupel_statistics::{Bin, Interval, Reliability, interval};
use serde::Serialize;
use std::{collections::BTreeMap, fmt};

/// The column by whose values the coverage of sets is reported unless another is named.
pub const STRATA: &str = "effect_group";

/// The measures that are shown first, with their names in words.
pub const HEADLINE: [(&str, &str); 6] = [
    ("log_loss", "log-loss"),
    ("weighted_f1", "weighted F1"),
    ("macro_f1", "macro F1"),
    ("micro_f1", "micro F1"),
    ("auroc", "AUROC"),
    ("ece", "ECE"),
];

/// Groups of rows with fewer than this are not reported on their own.
pub const STRATUM_ROWS: usize = 400;

/// Measures of every target.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// By the name of the target.
    pub targets: BTreeMap<String, TargetEvaluation>,
    /// Two targets of classes answered together, where there are two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joint: Option<JointEvaluation>,
    /// Rows evaluated.
    pub rows: usize,
    /// The reliability table of each target: of classes that of the largest probability, of labels that of all together.
    pub reliability: BTreeMap<String, Vec<Bin>>,
}

/// Measures of one target.
#[derive(Clone, Debug, Serialize)]
pub struct TargetEvaluation {
    /// The measures.
    #[serde(flatten)]
    pub measures: Measures,
    /// 95 % intervals of some of them, from groups drawn with replacement.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub intervals: BTreeMap<&'static str, Interval>,
    /// What the conformal sets hold.
    pub conformal: Coverage,
    /// What is given as an answer.
    pub given: Given,
    /// Rows whose class training never saw and that no merged class takes; they are in no measure.
    pub unseen_or_missing: usize,
}

/// Measures of either kind of target.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Measures {
    /// Of classes.
    Class(ClassMeasures),
    /// Of labels.
    Labels(LabelMeasures),
    /// The target is known in no row.
    Nothing {},
}

/// The answers that [`Model::answer`](crate::Model::answer) gives: inside their sets, and none where it abstains. The measures beside this are of
/// decisions for every row.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Given {
    /// Share of the rows without an answer.
    pub withheld: f64,
    /// Of the rows with a name that training never saw, by field, the share without an answer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub withheld_unknown: BTreeMap<String, f64>,
    /// Averaged over the classes that occur by their rows; a row without an answer is one that no class was decided for.
    pub weighted_f1: f64,
    /// Averaged over the classes that occur.
    pub macro_f1: f64,
    /// Of all decisions together.
    pub micro_f1: f64,
}

/// Two targets answered together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JointEvaluation {
    /// The targets.
    pub targets: [String; 2],
    /// The mean log-loss of the pair of classes.
    pub log_loss: f64,
    /// What it would be if the targets had nothing to do with each other.
    pub independent_log_loss: f64,
    /// Share of the rows whose likeliest pair is right.
    pub accuracy: f64,
    /// Rows in which both are known.
    pub rows: usize,
}

/// How often the sets hold the truth, and how large they are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Coverage {
    /// What was promised.
    pub promised: f64,
    /// Share of truths in their sets; of labels of those that are there.
    pub covered: f64,
    /// Mean number of classes in a set; of labels of those that may be there.
    pub size: f64,
    /// Share of the rows of each stratum, of the strata with enough rows.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub strata: BTreeMap<String, f64>,
}

settings! {
    /// What to evaluate.
    #[derive(Clone, Debug, PartialEq)]
    pub struct EvaluationConfig in "evaluation" {
        /// Resamples of the groups for 95 % intervals; 0 for none
        pub bootstrap: usize = 200, in Range::at_least(0.0).at_most(1_000_000.0), "N";
    }
    beside {
        /// Seed of the resamples.
        pub seed: u64 = 0;
        /// A column of categories by whose values the coverage of the sets is reported as well, where the table has it.
        pub strata: Option<String> = Some(STRATA.into());
    }
}

impl Measures {
    /// The measures with intervals, by the names of [`HEADLINE`].
    fn headline(&self) -> [Option<f64>; HEADLINE.len()] {
        match self {
            Self::Class(m) => [m.log_loss, m.weighted_f1, m.macro_f1, m.micro_f1, m.auroc.unwrap_or(f64::NAN), m.ece],
            Self::Labels(m) => [m.log_loss, m.weighted_f1, m.macro_f1, m.micro_f1, m.auroc.unwrap_or(f64::NAN), m.ece],
            Self::Nothing {} => return [None; HEADLINE.len()],
        }
        .map(|value| Some(value).filter(|value| !value.is_nan()))
    }

    /// A measure by its name: `log_loss`, `weighted_f1`, `macro_f1`, `micro_f1`, `auroc` or `ece`.
    pub fn get(&self, name: &str) -> Option<f64> {
        let of_name = HEADLINE.iter().zip(self.headline()).find(|((known, _), _)| *known == name)?;
        of_name.1
    }
}

impl Evaluation {
    /// Evaluates on `rows` of the examples.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) when a field or target is missing.
    pub fn of(predictor: &Predictor, examples: &Examples, rows: &[usize], config: &EvaluationConfig) -> Result<Self> {
        let predictions = predictor.probabilities(examples, rows)?;
        Self::of_predictions(predictor, &predictions, examples, rows, config)
    }

    /// Evaluates each model on its own, with the decisions of the whole.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn of_members(
        predictor: &Predictor,
        examples: &Examples,
        rows: &[usize],
        config: &EvaluationConfig,
    ) -> Result<Vec<(String, Self)>> {
        let of_member = |member: &crate::Member| {
            let said = member.probabilities(examples, rows)?;
            let evaluation = Self::of_predictions(predictor, &said, examples, rows, config)?;
            Ok((member.name().to_string(), evaluation))
        };
        predictor.members().iter().map(of_member).collect()
    }

    /// Evaluates on a part of a split whose leakage is known, with `alone` each model on its own too.
    ///
    /// # Errors
    /// As [`of`](Self::of); a part that is none or has no rows.
    pub fn of_part(
        predictor: &Predictor,
        examples: &Examples,
        (parts, part, leakage): (&Parts, &str, Leakage),
        alone: bool,
        config: &EvaluationConfig,
    ) -> Result<Measured> {
        let rows = parts.part(part)?;
        let evaluation = Self::of(predictor, examples, rows, config)?;
        let members = if alone { Self::of_members(predictor, examples, rows, config)? } else { Vec::new() };
        let (network_bytes, members) = (predictor.network_bytes(), members.into_iter().collect());
        Ok(Measured { evaluation, part: part.to_owned(), leakage, network_bytes, members })
    }

    /// Evaluates given probabilities of `rows`, target by target, with the decisions and sets of `predictor`.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) when a target is missing.
    pub fn of_predictions(
        predictor: &Predictor,
        predictions: &[Predictions],
        examples: &Examples,
        rows: &[usize],
        config: &EvaluationConfig,
    ) -> Result<Self> {
        let strata = config.strata.as_deref().and_then(|column| examples.table().category(column).ok());
        let groups = examples.groups_or_rows();
        let unknown: Vec<Vec<&str>> =
            rows.iter().map(|row| predictor.unknown_fields(examples, *row)).collect::<Result<_>>()?;
        let (mut targets, mut reliability) = (BTreeMap::new(), BTreeMap::new());
        for ((classes, answering), said) in predictor.classes().iter().zip(predictor.answering()).zip(predictions) {
            let labels = classes.labels(examples)?;
            let measures = measures(said, answering, &labels, rows);
            let position: BTreeMap<usize, usize> = rows.iter().enumerate().map(|(i, row)| (*row, i)).collect();
            let drawn = interval(rows, &groups, config.bootstrap, config.seed, |resampled| {
                let values = resampled.iter().flat_map(|row| said.row(position[row]).to_vec()).collect();
                let said = Predictions::new(said.kind(), said.width(), values);
                self::measures(&said, answering, &labels, resampled).headline().to_vec()
            });
            let intervals = HEADLINE.iter().zip(drawn).filter_map(|((name, _), drawn)| Some((*name, drawn?))).collect();
            let evaluation = TargetEvaluation {
                measures,
                intervals,
                conformal: coverage(said, answering, &labels, rows, strata),
                given: given(said, answering, &labels, rows, &unknown),
                unseen_or_missing: rows.iter().filter(|row| !labels.is_known(**row)).count(),
            };
            targets.insert(classes.target.clone(), evaluation);
            reliability.insert(classes.target.clone(), bins(said, &labels, rows));
        }
        let joint = JointEvaluation::of(predictor, predictions, examples, rows)?;
        Ok(Self { targets, joint, rows: rows.len(), reliability })
    }
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, target) in &self.targets {
            writeln!(f, "{name}")?;
            for (key, shown) in HEADLINE {
                let Some(value) = target.measures.get(key) else { continue };
                write!(f, "  {shown:<14}{value:.4}")?;
                match target.intervals.get(key) {
                    Some(interval) => writeln!(f, "  ({:.4} to {:.4})", interval.low, interval.high)?,
                    None => writeln!(f)?,
                }
            }
            let (sets, given) = (&target.conformal, &target.given);
            let of_labels = matches!(target.measures, Measures::Labels(_));
            writeln!(
                f,
                "  sets          {:.1} % hold the truth ({:.0} % promised), {:.2} answers each",
                100.0 * sets.covered,
                100.0 * sets.promised,
                sets.size
            )?;
            let (name, f1) = if of_labels { ("micro", given.micro_f1) } else { ("weighted", given.weighted_f1) };
            writeln!(
                f,
                "  given         {:.1} % of the answers; {name} F1 {f1:.4}, macro F1 {:.4} with none for the rest",
                100.0 * (1.0 - given.withheld),
                given.macro_f1
            )?;
            for (field, withheld) in &given.withheld_unknown {
                writeln!(f, "  unknown       {field}: {:.1} % of such rows without an answer", 100.0 * withheld)?;
            }
            if target.unseen_or_missing > 0 {
                writeln!(
                    f,
                    "  not measured  {} rows: nothing stands there, or what training never saw",
                    target.unseen_or_missing
                )?;
            }
        }
        if let Some(joint) = &self.joint {
            writeln!(
                f,
                "{}\n  log-loss      {:.4} ({:.4} if they had nothing to do with each other)\n  accuracy      {:.4}",
                joint.targets.join(" + "),
                joint.log_loss,
                joint.independent_log_loss,
                joint.accuracy
            )?;
        }
        Ok(())
    }
}

/// A model measured on one part of a split.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// All models together.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// The part.
    pub part: String,
    /// What the split gives away.
    pub leakage: Leakage,
    /// The bytes that the weights of networks take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_bytes: Option<usize>,
    /// Each model alone, where that was asked for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub members: BTreeMap<String, Evaluation>,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} rows of the {} part", self.evaluation.rows, self.part)?;
        write!(f, "{}", self.evaluation)?;
        self.members.iter().try_for_each(|(name, alone)| write!(f, "\n{name} alone\n{alone}"))
    }
}

fn measures(said: &Predictions, answering: &Answering, labels: &Labels, rows: &[usize]) -> Measures {
    let decision = &answering.decision;
    match said.kind() {
        TargetKind::Class => {
            let measures = decision.class_score(said, labels, rows).and_then(|score| score.measures());
            measures.map_or(Measures::Nothing {}, Measures::Class)
        }
        TargetKind::Labels => {
            let measures = decision.label_score(said, labels, rows).and_then(|score| score.measures());
            measures.map_or(Measures::Nothing {}, Measures::Labels)
        }
    }
}

/// What is answered, with the fields of each row whose name is not known.
fn given(said: &Predictions, answering: &Answering, labels: &Labels, rows: &[usize], unknown: &[Vec<&str>]) -> Given {
    let width = said.width();
    // hits, decided, support
    let mut counts = vec![[0.0_f64; 3]; width];
    let mut truth = vec![0.0; width];
    let (mut withheld, mut known) = (0.0, 0.0_f64);
    let mut of_unknown: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate() {
        let verdict = answering.verdict(said.kind(), said.row(i), &unknown[i]);
        for field in &unknown[i] {
            let (abstained, all) = of_unknown.entry(field).or_default();
            (*abstained, *all) = (*abstained + f64::from(u8::from(verdict.abstains)), *all + 1.0);
        }
        if !labels.is_known(*row) {
            continue;
        }
        known += 1.0;
        withheld += f64::from(u8::from(verdict.abstains));
        labels.write_row(*row, &mut truth);
        for class in verdict.answer() {
            counts[*class][0] += truth[*class];
            counts[*class][1] += 1.0;
        }
        counts.iter_mut().zip(&truth).for_each(|(counts, y)| counts[2] += y);
    }
    let f1 = |[hit, decided, support]: [f64; 3]| 2.0 * hit / (decided + support).max(f64::MIN_POSITIVE);
    let total = |which: usize| counts.iter().map(|counts| counts[which]).sum::<f64>();
    let present = counts.iter().filter(|counts| counts[2] > 0.0 || said.kind() == TargetKind::Labels);
    let macro_f1 = present.clone().map(|counts| f1(*counts)).sum::<f64>() / present.count().max(1) as f64;
    Given {
        withheld: withheld / known.max(1.0),
        withheld_unknown: of_unknown.into_iter().map(|(field, (n, all))| (field.to_owned(), n / all)).collect(),
        weighted_f1: counts.iter().map(|counts| counts[2] * f1(*counts)).sum::<f64>() / total(2).max(f64::MIN_POSITIVE),
        macro_f1,
        micro_f1: f1([total(0), total(1), total(2)]),
    }
}

impl JointEvaluation {
    /// Of rows in which both targets are known; `None` where no two are answered together or there is no such row.
    fn of(predictor: &Predictor, said: &[Predictions], examples: &Examples, rows: &[usize]) -> Result<Option<Self>> {
        let labels = predictor.classes().iter().map(|classes| classes.labels(examples)).collect::<Result<Vec<_>>>()?;
        let (mut sums, mut count, mut both) = ([0.0; 3], 0_usize, None);
        for (i, row) in rows.iter().enumerate() {
            let Some((targets, p)) = predictor.joint(said, i) else { continue };
            both = Some(targets);
            let [Some(a), Some(b)] = targets.map(|target| labels[target].class(*row)) else { continue };
            let true_pair = a * said[targets[1]].width() + b;
            let apart = said[targets[0]].row(i)[a] * said[targets[1]].row(i)[b];
            sums[0] -= p[true_pair].max(CLIP).ln();
            sums[1] -= apart.max(CLIP).ln();
            sums[2] += f64::from(u8::from(argmax(&p) == true_pair));
            count += 1;
        }
        let Some(both) = both.filter(|_| count > 0) else { return Ok(None) };
        let [log_loss, independent_log_loss, accuracy] = sums.map(|sum| sum / count as f64);
        let targets = both.map(|target| predictor.classes()[target].target.clone());
        Ok(Some(Self { targets, log_loss, independent_log_loss, accuracy, rows: count }))
    }
}

fn bins(said: &Predictions, labels: &Labels, rows: &[usize]) -> Vec<Bin> {
    let mut reliability = Reliability::default();
    let mut truth = vec![0.0; said.width()];
    for (i, row) in rows.iter().enumerate().filter(|(_, row)| labels.is_known(**row)) {
        let p = said.row(i);
        match labels.class(*row) {
            Some(class) => {
                let likeliest = argmax(p);
                reliability.push(p[likeliest], likeliest == class);
            }
            None => {
                labels.write_row(*row, &mut truth);
                p.iter().zip(&truth).for_each(|(p, y)| reliability.push(*p, *y > 0.0));
            }
        }
    }
    reliability.bins()
}

fn coverage(
    said: &Predictions,
    answering: &Answering,
    labels: &Labels,
    rows: &[usize],
    strata: Option<(&[u32], &[String])>,
) -> Coverage {
    // of each row whose target is known how many truths its set holds, how many it should, how many it names
    let mut truth = vec![0.0; said.width()];
    let mut of_row = |(i, row): (usize, &usize)| {
        if !labels.is_known(*row) {
            return None;
        }
        let possible = answering.verdict(said.kind(), said.row(i), &[]).possible;
        labels.write_row(*row, &mut truth);
        let there = || possible.iter().zip(&truth).filter(|(_, y)| **y > 0.0);
        let held = there().filter(|(possible, _)| **possible).count();
        Some([held, there().count(), possible.iter().filter(|possible| **possible).count()])
    };
    let covered: Vec<Option<[usize; 3]>> = rows.iter().enumerate().map(&mut of_row).collect();
    let share = |of: &[[usize; 3]]| {
        let sum = |which: usize| of.iter().map(|counts| counts[which]).sum::<usize>() as f64;
        (sum(0) / sum(1).max(1.0), sum(2) / of.len().max(1) as f64)
    };
    let all: Vec<[usize; 3]> = covered.iter().flatten().copied().collect();
    let (pooled, size) = share(&all);
    let mut by_stratum: BTreeMap<String, Vec<[usize; 3]>> = BTreeMap::new();
    if let Some((codes, names)) = strata {
        for (row, counts) in rows.iter().zip(&covered) {
            if let (Some(name), Some(counts)) = (names.get(codes[*row] as usize), counts) {
                by_stratum.entry(name.clone()).or_default().push(*counts);
            }
        }
    }
    let strata = by_stratum.into_iter().filter(|(_, counts)| counts.len() >= STRATUM_ROWS);
    Coverage {
        promised: answering.conformal.coverage,
        covered: pooled,
        size,
        strata: strata.map(|(name, counts)| (name, share(&counts).0)).collect(),
    }
}
