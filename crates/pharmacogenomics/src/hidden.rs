//! [`Hidden`]: how sure an answer has to be where a name was never seen.
//!
//! Of a drug that training never saw a model still says something, by the gene and by what names have in common, and its probabilities are calibrated for
//! drugs that it knows. How sure it must be to be believed is seen on rows whose name is hidden from it, with every other name that training would not have
//! seen without the rows of that name (a gene takes its sites and diplotypes with it): an answer is given only where its
//! probability is one that few of these answers reach and that is right as often as answers are where all names are known.

use crate::{
    classifier::Classifier,
    error::Result,
    examples::Examples,
    metrics::CLIP,
    name_parts::STEM_FIELDS,
    predictor::Predictor,
    schema::{FieldKind, Schema, TargetKind},
    splits::Parts,
    targets::Labels,
};
use cupel_data::{MISSING, Stream};
use serde::{Deserialize, Serialize};

/// Share of the rows with a hidden name that may be answered.
const ANSWERED: f64 = 0.1;
/// Validation rows whose names are hidden: a share of theirs is told within two percent.
const ROWS: usize = 600;
/// Fewer rows with a known name cannot show that hiding it loses nothing.
const TELLING: usize = 50;
/// Fields that an answer stands on, beside those that others fall back to.
const GROUNDS: [&str; 1] = ["gene"];

/// What is asked of an answer where the name of a field was never seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hidden {
    /// The field.
    pub field: String,
    /// The least probability of an answer that is given.
    pub least: f64,
}

/// What is said of one row, and its truth.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Judged {
    /// The probability of the answer; 0 where none is given.
    sure: f64,
    /// The answer is right.
    right: bool,
    /// The log-loss.
    loss: f64,
}

impl Hidden {
    /// Of what is said of rows whose name in `field` is hidden; `known` is what is said of those of them whose name training saw, and `same` what is said of
    /// these when it is hidden. `None` where hiding the name loses nothing, neither answers nor log-loss.
    fn fit(field: &str, mut said: Vec<Judged>, known: &[Judged], same: &[Judged]) -> Option<Self> {
        let right = share(known);
        let mean = |of: &[Judged]| of.iter().map(|one| one.loss).sum::<f64>() / of.len() as f64;
        if said.is_empty() || known.len() >= TELLING && share(same) >= right && mean(same) <= mean(known) {
            return None;
        }
        said.sort_by(|a, b| b.sure.total_cmp(&a.sure));
        let most = (ANSWERED * said.len() as f64) as usize;
        let reliable = (1..=most).rev().find(|count| known.is_empty() || share(&said[..*count]) >= right);
        // above the first that is not answered
        let first = said.get(reliable.unwrap_or(0)).map_or(0.0, |one| one.sure);
        Some(Self { field: field.to_owned(), least: first.next_up() })
    }
}

/// The share of right answers.
fn share(said: &[Judged]) -> f64 {
    said.iter().filter(|one| one.right).count() as f64 / said.len() as f64
}

impl Predictor {
    /// The same, which says of classes how sure an answer has to be where a name was never seen.
    pub(crate) fn with_hidden(mut self, examples: &Examples, parts: &Parts, seed: u64) -> Result<Self> {
        let order = Stream::new(seed, "rows whose names are hidden").permutation(parts.validation.len());
        let labels = self.classes.iter().map(|classes| classes.labels(examples)).collect::<Result<Vec<_>>>()?;
        for field in grounds(self.encoder.schema()) {
            let (codes, names) = examples.table().category(&field)?;
            let named = order.iter().map(|at| parts.validation[*at]).filter(|row| codes[*row] != MISSING);
            let rows: Vec<usize> = named.take(ROWS).collect();
            let mut seen = vec![false; names.len()];
            parts.train.iter().filter(|row| codes[**row] != MISSING).for_each(|row| seen[codes[*row] as usize] = true);
            let known: Vec<usize> = rows.iter().copied().filter(|row| seen[codes[*row] as usize]).collect();
            let of_known = self.judged(&examples.hiding(&known, |_, _, _| false)?, &labels, &known)?;
            let betrayed = betrayed(examples, &parts.train, &field)?;
            let hide = |column: &str, row: usize, code: u32| {
                column == field || betrayed.iter().any(|(name, of)| name == column && of.contains(code, codes[row]))
            };
            let said = self.judged(&examples.hiding(&rows, hide)?, &labels, &rows)?;
            let targets = self.classes.iter().zip(&mut self.answering).zip(said.into_iter().zip(of_known));
            for ((classes, answering), (said, of_known)) in targets {
                if classes.kind != TargetKind::Class {
                    continue;
                }
                let same = rows.iter().zip(&said).filter(|(row, _)| seen[codes[**row] as usize]);
                let same: Vec<Judged> = same.filter_map(|(_, one)| *one).collect();
                let flat = |of: Vec<Option<Judged>>| of.into_iter().flatten().collect::<Vec<_>>();
                answering.hidden.extend(Hidden::fit(&field, flat(said), &flat(of_known), &same));
            }
        }
        Ok(self)
    }

    /// Of each target what `questions`, which are `rows` of the labels, are answered; `None` where the truth is not known.
    fn judged(&self, questions: &Examples, labels: &[Labels], rows: &[usize]) -> Result<Vec<Vec<Option<Judged>>>> {
        if rows.is_empty() {
            return Ok(vec![Vec::new(); labels.len()]);
        }
        let all: Vec<usize> = (0..questions.len()).collect();
        let said = self.probabilities(questions, &all)?;
        let judge = |((answering, labels), said): ((&crate::Answering, &Labels), &crate::Predictions)| {
            let of_row = |(i, row): (usize, &usize)| {
                let truth = labels.class(*row)?;
                let (p, verdict) = (said.row(i), answering.verdict(said.kind(), said.row(i), &[]));
                let loss = -p[truth].max(CLIP).ln();
                // what is not answered is as little as an answer can be
                let (sure, right) = verdict.answer().first().map_or((0.0, false), |class| (p[*class], *class == truth));
                Some(Judged { sure, right, loss })
            };
            rows.iter().enumerate().map(of_row).collect()
        };
        Ok(self.answering.iter().zip(labels).zip(&said).map(judge).collect())
    }
}

/// The fields that an answer stands on: the drug, the gene and those that others fall back to; where a schema has none of them all of categories.
fn grounds(schema: &Schema) -> Vec<String> {
    let categories = || schema.fields.iter().filter(|field| field.kind == FieldKind::Category);
    let falls_back =
        |name: &str| schema.fields.iter().any(|field| field.back_off.last().is_some_and(|last| last == name));
    let stands = |name: &str| STEM_FIELDS.contains(&name) || GROUNDS.contains(&name) || falls_back(name);
    let grounds: Vec<String> = categories().map(|f| f.name.clone()).filter(|name| stands(name)).collect();
    if grounds.is_empty() { categories().map(|field| field.name.clone()).collect() } else { grounds }
}

/// Of each name of a field the only name of another that it stands beside, where there is but one.
struct Companions(Vec<Option<u32>>);

impl Companions {
    /// Whether a name stands beside nothing but `other`.
    fn contains(&self, code: u32, other: u32) -> bool {
        self.0.get(code as usize).copied().flatten() == Some(other)
    }
}

/// Of the other fields of categories the names of the training rows that are seen with one name of `field` alone: without the rows of that name none of them
/// would be known.
fn betrayed(examples: &Examples, train: &[usize], field: &str) -> Result<Vec<(String, Companions)>> {
    /// Seen with several.
    const SEVERAL: u32 = MISSING - 1;
    let (of, _) = examples.table().category(field)?;
    let others = examples.schema().fields.iter().filter(|own| own.kind == FieldKind::Category && own.name != field);
    let companions = |other: &crate::Field| {
        let (codes, names) = examples.table().category(&other.name)?;
        let mut only: Vec<Option<u32>> = vec![None; names.len()];
        for row in train.iter().filter(|row| codes[**row] != MISSING) {
            let known = only[codes[*row] as usize].get_or_insert(of[*row]);
            if *known != of[*row] {
                *known = SEVERAL;
            }
        }
        Ok((other.name.clone(), Companions(only)))
    };
    others.map(companions).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Field, SplitKind, Target, TrainConfig, planted::planted, train_config::ModelKind};
    use burn::tensor::Device;
    use cupel_data::{Column, Fractions, Table};

    #[test]
    fn few_answers_are_given_and_those_are_right() {
        // an answer of probability p is right in a share p of the rows; where names are known in .6 of them
        let of = |p: f64, right: bool| Judged { sure: p, right, loss: if right { -p.ln() } else { 1.0 } };
        let said: Vec<Judged> =
            (1..1000).map(|i| of(i as f64 / 1000.0, (i * 7919 % 1000) as f64 / 1000.0 < i as f64 / 1000.0)).collect();
        let with = |right: usize| (0..1000).map(|i| of(0.9, i < right)).collect::<Vec<_>>();
        let hidden = Hidden::fit("drug", said.clone(), &with(600), &said).unwrap();
        assert!((hidden.least - 0.9).abs() < 0.002, "{hidden:?}");
        let never: Vec<Judged> = said.iter().map(|one| of(one.sure, false)).collect();
        assert!(
            Hidden::fit("drug", never.clone(), &with(600), &never).unwrap().least > 0.998,
            "nothing that is not right"
        );
        // a name that says nothing may be strange; a few rows do not show that
        assert_eq!(Hidden::fit("drug", with(600), &with(600), &with(600)), None);
        assert!(Hidden::fit("drug", with(600), &with(600)[..20], &with(600)[..20]).is_some());
        // answers that are as often right with a worse log-loss have lost something, and names that are all strange prove nothing
        let worse: Vec<Judged> = with(600).into_iter().map(|one| Judged { loss: one.loss + 0.01, ..one }).collect();
        assert!(Hidden::fit("drug", worse.clone(), &with(600), &worse).is_some());
        assert!((Hidden::fit("drug", said, &[], &[]).unwrap().least - 0.9).abs() < 0.002);
    }

    /// Genes with three sites each, of which an answer depends on gene, drug and site; every fifth gene and every eighth drug is in the held-out rows alone.
    fn hierarchy(rows: usize, seed: u64) -> (Examples, Parts) {
        const COUNTS: [usize; 3] = [40, 3, 24];
        let mut draws = Stream::new(seed, "genes with sites").rng();
        let mut parts = Parts { train: vec![], validation: vec![], test: vec![], dropped: vec![] };
        let mut names: [Vec<String>; 4] = Default::default();
        let mut classes = Vec::new();
        let class_of = |a: usize, b: usize| (a * 7919 + b * 104_729 + seed as usize * 31) % 4;
        for row in 0..rows {
            let [gene, site, drug] = COUNTS.map(|count| draws.below(count as u64) as usize);
            let held_out = gene % 5 == 0 || drug % 8 == 0;
            match (held_out, draws.below(4)) {
                (false, 0..=1) => parts.train.push(row),
                (_, 3) => parts.test.push(row),
                (true, 0..=1) => parts.dropped.push(row),
                _ => parts.validation.push(row),
            }
            let class = match draws.below(10) {
                0..=4 => class_of(gene, 0),
                5..=6 => class_of(drug, 5),
                7..=8 => class_of(gene, site + 1),
                _ => draws.below(4) as usize,
            };
            classes.push(class as u32);
            let own = [
                format!("drug{drug}"),
                format!("gene{gene}"),
                format!("rs{gene}0{site}"),
                ["aa", "ag", "gg"][draws.below(3) as usize].into(),
            ];
            names.iter_mut().zip(own).for_each(|(names, own)| names.push(own));
        }
        let column = |of: &Vec<String>| {
            let mut names = of.clone();
            names.sort();
            names.dedup();
            let codes = of.iter().map(|name| names.binary_search(name).unwrap() as u32).collect();
            Column::Category { codes, names }
        };
        let fields = ["drug", "gene", "site", "allele"];
        let mut columns: Vec<(String, Column)> =
            fields.iter().zip(&names).map(|(field, names)| (field.to_string(), column(names))).collect();
        let kinds = ["k0", "k1", "k2", "k3"].map(str::to_owned).to_vec();
        columns.push(("kind".into(), Column::Category { codes: classes, names: kinds }));
        let fields = fields.iter().map(|name| Field::category(*name)).collect();
        let targets = vec![Target::classes("kind", 1)];
        let schema = Schema { group: None, weight: None, time: None, fields, targets };
        (Examples::of_table(schema, Table::new(columns).unwrap(), "genes with sites").unwrap(), parts)
    }

    /// Rows of the test part with a strange name in `field`, and how many of the first target are not answered.
    fn withheld(predictor: &Predictor, examples: &Examples, rows: &[usize], field: &str) -> (usize, usize) {
        let said = &predictor.probabilities(examples, rows).unwrap()[0];
        let mut counts = (0, 0);
        for (i, row) in rows.iter().enumerate() {
            let unknown = predictor.unknown_fields(examples, *row).unwrap();
            if unknown.contains(&field) {
                let verdict = predictor.answering()[0].verdict(said.kind(), said.row(i), &unknown);
                counts = (counts.0 + usize::from(verdict.abstains), counts.1 + 1);
            }
        }
        counts
    }

    fn trained(examples: &Examples, parts: &Parts, seed: u64) -> Predictor {
        let mut config = TrainConfig::of([ModelKind::Counts, ModelKind::Linear]);
        config.ensemble.cross_fit = 0;
        config.seed = seed;
        Predictor::train(&config, examples, parts, &Device::flex()).unwrap()
    }

    #[test]
    fn of_a_gene_or_drug_that_was_never_seen_few_rows_are_answered_in_every_table() {
        // by kind of table, rows and field: of all seeds together
        let mut counts: std::collections::BTreeMap<String, (usize, usize)> = Default::default();
        let mut add = |kind: &str, seed: u64, rows: usize, field: &str, (abstained, all): (usize, usize)| {
            let mut keys = vec![format!("{kind}, {rows} rows, {field}")];
            // where chance moves a share by less than a tenth each table must do
            keys.extend((all >= 100).then(|| format!("{kind}, seed {seed}, {rows} rows, {field}")));
            for key in keys {
                let of = counts.entry(key).or_default();
                *of = (of.0 + abstained, of.1 + all);
            }
        };
        for seed in 0..5 {
            for rows in [240, 600, 3000] {
                let (examples, parts) = hierarchy(rows, seed);
                let predictor = trained(&examples, &parts, seed);
                for field in ["drug", "gene"] {
                    add("genes with sites", seed, rows, field, withheld(&predictor, &examples, &parts.test, field));
                }
                let examples = planted(rows, seed).unwrap().examples;
                let shares = Fractions { train: 0.6, validation: 0.2, test: 0.2 };
                for kind in [SplitKind::Group, SplitKind::Cold("gene".into()), SplitKind::Cold("drug".into())] {
                    let parts = Parts::make(&examples, &kind, shares, seed).unwrap();
                    let predictor = trained(&examples, &parts, seed);
                    for field in ["drug", "gene"] {
                        let strange = examples.hiding(&parts.test, |name, _, _| name == field).unwrap();
                        let all: Vec<usize> = (0..strange.len()).collect();
                        let found = withheld(&predictor, &strange, &all, field);
                        add(&format!("planted, {kind:?}"), seed, rows, field, found);
                    }
                }
            }
        }
        let few = |(_, (abstained, all)): &(&String, &(usize, usize))| 5 * *abstained < 4 * *all || *all == 0;
        let open: Vec<_> = counts.iter().filter(few).collect();
        assert!(counts.len() > 24 && open.is_empty(), "{open:?}");
    }

    #[test]
    fn a_gene_takes_its_sites_along_and_leaves_what_others_have() {
        let (examples, parts) = hierarchy(600, 0);
        let betrayed = betrayed(&examples, &parts.train, "gene").unwrap();
        let (genes, _) = examples.table().category("gene").unwrap();
        let hidden = |field: &str, row: usize| {
            let (codes, _) = examples.table().category(field).unwrap();
            betrayed.iter().find(|(name, _)| name == field).unwrap().1.contains(codes[row], genes[row])
        };
        assert!(parts.train.iter().all(|row| hidden("site", *row) && !hidden("allele", *row)));
    }
}
