//! [`ClassScore`]: measures of a target of which one class is true.

use super::{CLIP, auroc, average_precision, mean, ratio};
use cupel_statistics::Reliability;
use serde::Serialize;

/// Ranks within which the true class counts for the top-k accuracy.
const TOP: usize = 3;

/// Takes probabilities and truths row by row.
#[derive(Clone, Debug)]
pub struct ClassScore {
    classes: usize,
    /// Row-major probabilities, which the measures of order need together.
    scores: Vec<f64>,
    truths: Vec<u32>,
    /// `confusion[truth * classes + decision]`
    confusion: Vec<u64>,
    log_loss: f64,
    brier: f64,
    top: u64,
    reliability: Reliability,
}

/// What [`ClassScore`] measures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassMeasures {
    /// Mean of -ln of the probability of the true class.
    pub log_loss: f64,
    /// Mean of the F1 of the classes, weighted by their rows.
    pub weighted_f1: f64,
    /// Mean of the F1 of the classes that occur in the truth.
    pub macro_f1: f64,
    /// Mean over classes of the area under the curve of one against the rest; `None` where no class has both.
    pub auroc: Option<f64>,
    /// Share of right decisions; of a target with one class per row this is the accuracy.
    pub micro_f1: f64,
    /// Expected calibration error of the largest probability, 15 bins of equal width.
    pub ece: f64,
    /// Share of right decisions.
    pub accuracy: f64,
    /// Mean over classes of the share of their rows that are decided rightly.
    pub balanced_accuracy: f64,
    /// Mean over rows of the squared distance of the probabilities from the truth.
    pub brier: f64,
    /// Calibration error over bins of equally many rows.
    pub adaptive_ece: f64,
    /// Mean over classes of the average precision of one against the rest.
    pub auprc: Option<f64>,
    /// Share of rows whose true class is among the three likeliest.
    pub top3_accuracy: f64,
    /// Rows.
    pub rows: u64,
    /// Class by class.
    pub per_class: Vec<PerClass>,
}

/// Measures of one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PerClass {
    /// Share of its decisions that are right, 0 where there is none.
    pub precision: f64,
    /// Share of its rows that are found, 0 where there is none.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Rows of the class.
    pub support: u64,
    /// Area under the curve of the class against the rest.
    pub auroc: Option<f64>,
}

impl ClassScore {
    /// Nothing seen yet of a target with so many classes.
    pub fn new(classes: usize) -> Self {
        Self {
            classes,
            scores: Vec::new(),
            truths: Vec::new(),
            confusion: vec![0; classes * classes],
            log_loss: 0.0,
            brier: 0.0,
            top: 0,
            reliability: Reliability::default(),
        }
    }

    /// Adds a row: its probabilities, the class decided for, the true class.
    ///
    /// # Panics
    /// When the row has another number of classes: "a row of 3 probabilities for 25 classes"; when a class is beyond them:
    /// "class 25 of 25".
    pub fn push(&mut self, probabilities: &[f64], decision: usize, truth: usize) {
        let (got, classes) = (probabilities.len(), self.classes);
        assert!(got == classes, "a row of {got} probabilities for {classes} classes");
        let largest = decision.max(truth);
        assert!(largest < classes, "class {largest} of {classes}");
        self.scores.extend_from_slice(probabilities);
        self.truths.push(truth as u32);
        self.confusion[truth * classes + decision] += 1;
        let own = probabilities[truth];
        self.log_loss -= own.max(CLIP).ln();
        let squares: f64 = probabilities.iter().map(|p| p * p).sum();
        self.brier += squares - 2.0 * own + 1.0;
        self.top += u64::from(probabilities.iter().filter(|p| **p > own).count() < TOP);
        let likeliest = argmax(probabilities);
        self.reliability.push(probabilities[likeliest], likeliest == truth);
    }

    /// The reliability of the largest probability.
    pub fn reliability(&self) -> &Reliability {
        &self.reliability
    }

    /// The measures; `None` without rows.
    pub fn measures(&self) -> Option<ClassMeasures> {
        let rows = self.truths.len();
        if rows == 0 {
            return None;
        }
        let classes = self.classes;
        let per_class: Vec<PerClass> = (0..classes)
            .map(|class| {
                let hit = self.confusion[class * classes + class] as f64;
                let support: u64 = self.confusion[class * classes..(class + 1) * classes].iter().sum();
                let decided: u64 = (0..classes).map(|truth| self.confusion[truth * classes + class]).sum();
                PerClass {
                    precision: ratio(hit, decided as f64),
                    recall: ratio(hit, support as f64),
                    f1: ratio(2.0 * hit, (support + decided) as f64),
                    support,
                    auroc: auroc(&self.column(class), &self.truth(class)),
                }
            })
            .collect();
        let present = || per_class.iter().filter(|class| class.support > 0);
        let accuracy =
            (0..classes).map(|class| self.confusion[class * classes + class]).sum::<u64>() as f64 / rows as f64;
        Some(ClassMeasures {
            log_loss: self.log_loss / rows as f64,
            weighted_f1: per_class.iter().map(|class| class.f1 * class.support as f64).sum::<f64>() / rows as f64,
            macro_f1: mean(present().map(|class| Some(class.f1))).unwrap_or(0.0),
            auroc: mean(per_class.iter().map(|class| class.auroc)),
            micro_f1: accuracy,
            ece: self.reliability.error().unwrap_or(0.0),
            accuracy,
            balanced_accuracy: mean(present().map(|class| Some(class.recall))).unwrap_or(0.0),
            brier: self.brier / rows as f64,
            adaptive_ece: self.reliability.adaptive_error().unwrap_or(0.0),
            auprc: mean((0..classes).map(|class| average_precision(&self.column(class), &self.truth(class)))),
            top3_accuracy: self.top as f64 / rows as f64,
            rows: rows as u64,
            per_class,
        })
    }

    fn column(&self, class: usize) -> Vec<f64> {
        self.scores.chunks_exact(self.classes).map(|row| row[class]).collect()
    }

    fn truth(&self, class: usize) -> Vec<bool> {
        self.truths.iter().map(|truth| *truth as usize == class).collect()
    }
}

/// The first of the largest numbers.
pub(crate) fn argmax(values: &[f64]) -> usize {
    let mut best = 0;
    for (class, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = class;
        }
    }
    best
}
