//! [`Joint`]: two targets in one answer, such as "dose decreased".
//!
//! The probabilities of two targets say nothing of both together: a dose is decreased as often as increased, and a response rarely "unspecified". How much
//! more often than by chance two classes were seen in one row is a table over pairs, `n_ab n / (n_a n_b)`. A row's own joint probabilities are those nearest to
//! this table (in relative entropy) that keep the row's probabilities of either target: iterative proportional fitting (Deming and
//! Stephan 1940, doi:10.1214/aoms/1177731829), which scales rows and columns in turn.

use crate::{
    error::Result, examples::Examples, predictor::Predictor, schema::TargetKind, splits::Parts, targets::Labels,
};
use serde::{Deserialize, Serialize};

/// Rows by which a pair of classes is believed to be as frequent as chance has it.
const STRENGTH: f64 = 5.0;
/// Rounds of scaling. Each brings the sums nearer by the squared correlation of the two targets: of .9 they are right to `1e-9` after so many.
const ROUNDS: usize = 100;

/// How the classes of one target go with those of another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Joint {
    /// The other target, by its position in the schema.
    pub with: usize,
    /// How much more often than by chance both occur: `own class x other class`, row-major.
    pub lift: Vec<f64>,
}

impl Joint {
    /// Counts the classes of `rows`, each of its weight, of targets with `own` and `other` classes, of which the second stands at `with`.
    pub fn fit(
        (labels, own): (&Labels, usize),
        (others, other): (&Labels, usize),
        with: usize,
        rows: &[usize],
        weight: impl Fn(usize) -> f64,
    ) -> Self {
        let mut counts = vec![0.0; own * other];
        for row in rows {
            if let (Some(a), Some(b)) = (labels.class(*row), others.class(*row)) {
                counts[a * other + b] += weight(*row);
            }
        }
        let total = counts.iter().sum::<f64>();
        let of_own: Vec<f64> = counts.chunks_exact(other).map(|row| row.iter().sum()).collect();
        let of_other: Vec<f64> = (0..other).map(|b| counts.iter().skip(b).step_by(other).sum()).collect();
        let lift = |(at, count): (usize, &f64)| {
            let chance = of_own[at / other] * of_other[at % other] / total.max(f64::MIN_POSITIVE);
            (count + STRENGTH) / (chance + STRENGTH)
        };
        Self { with, lift: counts.iter().enumerate().map(lift).collect() }
    }

    /// The probability of each pair of classes of a row, `own class x other class`; summed over either they are the probabilities given.
    ///
    /// # Panics
    /// When the probabilities are not of the classes that were counted: "3 times 2 probabilities for 8 pairs".
    pub fn probabilities(&self, own: &[f64], other: &[f64]) -> Vec<f64> {
        let (rows, columns) = (own.len(), other.len());
        assert!(
            rows * columns == self.lift.len(),
            "{rows} times {columns} probabilities for {} pairs",
            self.lift.len()
        );
        let mut p: Vec<f64> =
            self.lift.iter().enumerate().map(|(at, lift)| lift * own[at / columns] * other[at % columns]).collect();
        let scale = |sum: f64, wanted: f64| if sum > 0.0 { wanted / sum } else { 0.0 };
        for _ in 0..ROUNDS {
            for (column, wanted) in other.iter().enumerate() {
                let factor = scale(p.iter().skip(column).step_by(columns).sum(), *wanted);
                p.iter_mut().skip(column).step_by(columns).for_each(|p| *p *= factor);
            }
            for (row, wanted) in p.chunks_exact_mut(columns).zip(own) {
                let factor = scale(row.iter().sum(), *wanted);
                row.iter_mut().for_each(|p| *p *= factor);
            }
        }
        p
    }
}

impl Predictor {
    /// Two targets and the probability of each pair of their classes in row `i` of what is said of them; `None` where there are no two of classes.
    pub(crate) fn joint(&self, said: &[crate::Predictions], i: usize) -> Option<([usize; 2], Vec<f64>)> {
        let mut both = self.answering.iter().enumerate();
        let (own, joint) = both.find_map(|(target, answering)| Some((target, answering.joint.as_ref()?)))?;
        let (of_own, of_other) = (said.get(own)?.row(i), said.get(joint.with)?.row(i));
        let fits = of_own.len() * of_other.len() == joint.lift.len();
        fits.then(|| ([own, joint.with], joint.probabilities(of_own, of_other)))
    }

    /// The same, which answers the first two targets of classes together.
    pub(crate) fn with_joint(mut self, examples: &Examples, parts: &Parts) -> Result<Self> {
        let classes = self.classes.iter().enumerate().filter(|(_, classes)| classes.kind == TargetKind::Class);
        let [own, other] = classes.map(|(target, _)| target).take(2).collect::<Vec<_>>()[..] else { return Ok(self) };
        let labels = [own, other].map(|target| self.classes[target].labels(examples));
        let [labels, others] = labels;
        let (labels, others) = (labels?, others?);
        let widths = [own, other].map(|target| self.classes[target].len());
        let weight = |row| examples.weight(row);
        let joint = Joint::fit((&labels, widths[0]), (&others, widths[1]), other, &parts.train, weight);
        self.answering[own].joint = Some(joint);
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_together_is_answered_together_and_either_keeps_its_probabilities() {
        // class 0 goes with 1 and class 1 with 0, but for one row in ten
        let own = Labels::Class((0..400).map(|row| row % 2).collect());
        let other = Labels::Class((0..400).map(|row| if row % 10 == 0 { row % 2 } else { 1 - row % 2 }).collect());
        let rows: Vec<usize> = (0..400).collect();
        let joint = Joint::fit((&own, 2), (&other, 2), 1, &rows, |_| 1.0);
        let p = joint.probabilities(&[0.6, 0.4], &[0.5, 0.5]);
        assert!((p[0] + p[1] - 0.6).abs() < 1e-9 && (p[0] + p[2] - 0.5).abs() < 1e-9, "{p:?}");
        assert!(p[1] > 0.4 && p[2] > 0.3 && p[0] < 0.2 && p[3] < 0.1, "{p:?}");
        // the odds ratio is that of the table
        let ratio = |p: &[f64]| p[0] * p[3] / (p[1] * p[2]);
        assert!((ratio(&p) / ratio(&joint.lift) - 1.0).abs() < 1e-6);
        let certain = joint.probabilities(&[1.0, 0.0], &[0.0, 1.0]);
        assert!((certain[1] - 1.0).abs() < 1e-9 && certain[0] + certain[2] + certain[3] == 0.0, "{certain:?}");
    }
}
