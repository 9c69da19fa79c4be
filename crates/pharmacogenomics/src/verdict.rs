//! [`Verdict`]: what is answered of one target of one row, the same in prediction and in evaluation.
//!
//! An answer lies inside its own set: what is decided for joins what cannot be excluded, for a decision weighs classes otherwise than sets do (a rare one
//! may be the best answer, and held by the set of few rows). Nothing is answered where nothing or everything fits, or where a name was never seen
//! and the answer is not sure enough for that.

use crate::{conformal::Conformal, decision::Decision, hidden::Hidden, predictor::Answering, schema::TargetKind};

/// An answer with its set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Of each class whether it cannot be excluded; of each label whether it may be there.
    pub possible: Vec<bool>,
    /// The class, or the labels, decided for; as if nothing were withheld.
    pub decided: Vec<usize>,
    /// The answer is withheld.
    pub abstains: bool,
}

impl Verdict {
    /// What is answered: nothing where that is withheld.
    pub fn answer(&self) -> &[usize] {
        if self.abstains { &[] } else { &self.decided }
    }
}

impl Answering {
    /// The answer to a row of these probabilities, which has names that were never seen in the fields `unknown`.
    pub fn verdict(&self, kind: TargetKind, probabilities: &[f64], unknown: &[&str]) -> Verdict {
        let mut verdict = match kind {
            TargetKind::Class => of_class(&self.conformal, &self.decision, probabilities),
            TargetKind::Labels => of_labels(&self.conformal, &self.decision, probabilities),
        };
        let sure = verdict.decided.first().map_or(0.0, |class| probabilities[*class]);
        let asked = self.hidden.iter().filter(|Hidden { field, .. }| unknown.contains(&field.as_str()));
        verdict.abstains |= asked.into_iter().any(|hidden| sure < hidden.least);
        verdict
    }
}

fn of_class(conformal: &Conformal, decision: &Decision, probabilities: &[f64]) -> Verdict {
    let mut possible = conformal.set(TargetKind::Class, probabilities);
    let abstains = possible.iter().all(|inside| *inside) || !possible.contains(&true);
    let decided: Vec<usize> = decision.class(probabilities).into_iter().collect();
    decided.iter().for_each(|class| possible[*class] = true);
    Verdict { possible, decided, abstains }
}

fn of_labels(conformal: &Conformal, decision: &Decision, probabilities: &[f64]) -> Verdict {
    let set = conformal.set(TargetKind::Labels, probabilities);
    let abstains = set.chunks_exact(2).all(|cell| cell[0] == cell[1]);
    let decided = decision.labels(probabilities).unwrap_or_default();
    let possible = set.chunks_exact(2).zip(&decided).map(|(cell, decided)| cell[1] || *decided).collect();
    let decided: Vec<usize> = (0..decided.len()).filter(|label| decided[*label]).collect();
    Verdict { possible, decided, abstains }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blend::Blend;

    fn answering(kind: TargetKind, thresholds: &[f64], decision: Decision) -> Answering {
        let conformal = Conformal { coverage: 0.9, thresholds: thresholds.to_vec() };
        let hidden = vec![Hidden { field: "drug".into(), least: 0.6 }];
        Answering { blend: Blend::mean(kind, 3, 1), decision, conformal, hidden, joint: None }
    }

    #[test]
    fn an_answer_lies_inside_its_set() {
        let decision = Decision::Class { scale: vec![1.0 / 0.9, 1.0 / 0.08, 1.0 / 0.02], shift: vec![0.0; 3] };
        let answering = answering(TargetKind::Class, &[0.3, 0.2, 0.3], decision);
        let of = |p: &[f64], unknown: &[&str]| answering.verdict(TargetKind::Class, p, unknown);
        // a rare class, which its threshold alone excludes
        let verdict = of(&[0.5, 0.25, 0.25], &[]);
        assert_eq!(verdict, Verdict { possible: vec![true, true, true], decided: vec![2], abstains: false });
        assert_eq!(of(&[0.75, 0.24, 0.01], &[]).possible, [true, true, false]);
        assert!(of(&[0.34, 0.33, 0.33], &[]).abstains, "nothing is excluded");
        assert!(of(&[0.29, 0.19, 0.29], &[]).abstains, "nothing fits");
        // of a drug that was never seen an answer of probability .25 is none
        assert!(of(&[0.5, 0.25, 0.25], &["drug"]).abstains && !of(&[0.5, 0.25, 0.25], &["gene"]).abstains);
        assert!(
            of(&[0.1, 0.8, 0.1], &["drug"]).answer() == [1] && of(&[0.5, 0.25, 0.25], &["drug"]).answer().is_empty()
        );
    }

    #[test]
    fn labels_lie_inside_their_sets() {
        let decision = Decision::Labels { thresholds: vec![0.5, 0.2, 0.5], always: true };
        // not there and there in turn: the second label is excluded below .4, and yet decided for from .2 on
        let answering = answering(TargetKind::Labels, &[0.1, 0.1, 0.1, 0.4, 0.75, 0.3], decision);
        let of = |p: &[f64]| answering.verdict(TargetKind::Labels, p, &[]);
        let verdict = of(&[0.4, 0.3, 0.1]);
        assert_eq!(verdict, Verdict { possible: vec![true, true, false], decided: vec![1], abstains: false });
        let verdict = of(&[0.4, 0.1, 0.1]);
        assert_eq!(
            (verdict.possible, verdict.decided),
            (vec![true, false, false], vec![0]),
            "nearest to its threshold"
        );
    }
}
