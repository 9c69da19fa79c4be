//! [`Answers`]: what a model says of many questions, in words, as JSON and as a table.

use crate::{
    answer::{Answer, TargetAnswer},
    patient::Source,
};
use serde::Serialize;
use std::fmt;

/// Classes shown of a target with many.
const SHOWN: usize = 5;
/// What stands between several names in a cell.
const JOINT: &str = "|";
/// What stands between the classes of two targets.
const BOTH: &str = " + ";

/// Answers to questions, in their order.
#[derive(Clone, Debug, Serialize)]
pub struct Answers {
    /// One for each row.
    pub answers: Vec<Answer>,
    /// What they are not.
    pub notice: &'static str,
}

/// What stands on every answer.
pub(crate) const NOTICE: &str = "not a medical device";

impl From<Vec<Answer>> for Answers {
    fn from(answers: Vec<Answer>) -> Self {
        Self { answers, notice: NOTICE }
    }
}

impl Answers {
    /// A line for each row and target, cells apart by `separator`: the answer, its probability, the set, whether the model abstains, and the names that
    /// training never saw. Where guidelines were asked the target `guideline` has their recommendations, and the genes that are not determined.
    pub fn to_table(&self, separator: char) -> String {
        let mut joints = String::new();
        let mut text = line(separator, &["row", "target", "answer", "probability", "set", "abstains", "unknown"]);
        for (row, answer) in (1..).zip(&self.answers) {
            if let Some(said) = &answer.guideline {
                let texts: Vec<&str> = said.recommendations.iter().map(|one| one.recommendation.as_str()).collect();
                let open: Vec<&str> =
                    said.not_determined.iter().flat_map(|own| &own.genes).map(|gene| gene.gene.as_str()).collect();
                let abstains = (said.answered_by != Source::Guideline).to_string();
                let cells = [&row.to_string(), "guideline", &texts.join(JOINT), "", "", &abstains, &open.join(JOINT)];
                text += &line(separator, &cells);
            }
            let unknown: Vec<String> = answer.unknown.iter().map(|own| format!("{}={}", own.field, own.name)).collect();
            if let Some(joint) = &answer.joint {
                let likely = joint.probabilities.first().filter(|_| !joint.answer.is_empty());
                joints += &line(
                    separator,
                    &[
                        &format!("{row}"),
                        &joint.targets.join(BOTH),
                        &joint.answer.join(BOTH),
                        &likely.map(|(_, p)| p.to_string()).unwrap_or_default(),
                        "",
                        &joint.answer.is_empty().to_string(),
                        &unknown.join(JOINT),
                    ],
                );
            }
            for (target, said) in &answer.targets {
                let of_name = |name: &String| said.probabilities.iter().find(|(known, _)| known == name);
                let likely = said.answer.iter().filter_map(of_name).map(|(_, p)| p.to_string());
                text += &line(
                    separator,
                    &[
                        &format!("{row}"),
                        target,
                        &said.answer.join(JOINT),
                        &likely.collect::<Vec<_>>().join(JOINT),
                        &said.possible.join(JOINT),
                        &said.abstains.to_string(),
                        &unknown.join(JOINT),
                    ],
                );
            }
            text.push_str(&std::mem::take(&mut joints));
        }
        text
    }
}

/// Cells in quotes where they hold what would end them.
pub(crate) fn line(separator: char, cells: &[&str]) -> String {
    let quoted = |cell: &&str| match cell.contains([separator, '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => (*cell).to_owned(),
    };
    cells.iter().map(quoted).collect::<Vec<_>>().join(&separator.to_string()) + "\n"
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, answer) in self.answers.iter().enumerate() {
            if self.answers.len() > 1 {
                writeln!(f, "{}row {}", if i > 0 { "\n" } else { "" }, i + 1)?;
            }
            write!(f, "{answer}")?;
        }
        writeln!(f, "{}", self.notice)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(said) = &self.guideline {
            write!(f, "{said}")?;
            writeln!(f, "what the model says, which is no guideline's word:")?;
        }
        for unknown in &self.unknown {
            write!(f, "unknown {}: {:?}", unknown.field, unknown.name)?;
            match &unknown.did_you_mean {
                Some(name) => writeln!(f, ", did you mean {name:?}?")?,
                None => writeln!(f)?,
            }
        }
        self.write_targets(f)?;
        writeln!(f, "answered by the {}; nearest evidence:", self.answered_by)?;
        self.evidence.iter().try_for_each(|near| writeln!(f, "  {} (same {})", near.group, near.shared.join(", ")))
    }
}

impl Answer {
    /// What the model says of each target, in words.
    pub(crate) fn write_targets(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.targets.iter().try_for_each(|(name, target)| write!(f, "{name}: {target}"))?;
        let Some(joint) = &self.joint else { return Ok(()) };
        write!(f, "{}: ", joint.targets.join(BOTH))?;
        match (&joint.answer[..], joint.probabilities.first()) {
            ([], _) | (_, None) => writeln!(f, "not known"),
            (answer, Some((_, p))) => writeln!(f, "{} {p:.2}", answer.join(" ")),
        }
    }
}

impl fmt::Display for TargetAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.abstains, self.answer.is_empty()) {
            (true, _) => writeln!(f, "not known")?,
            (false, true) => writeln!(f, "none")?,
            (false, false) => writeln!(f, "{}", self.answer.join(", "))?,
        }
        for (class, p) in self.probabilities.iter().take(SHOWN) {
            writeln!(f, "  {p:.3}  {class}")?;
        }
        writeln!(f, "  with {:.0} % among: {}", 100.0 * self.coverage, self.possible.join(", "))
    }
}
