//! [`Calibration`]: the rows that models are blended, calibrated and decided by, and what each model says of them.
//!
//! No model speaks here of a row that it was fitted to. Of validation rows the models themselves speak. Of training rows others do, which were fitted
//! to the other folds (stacking by cross-validation: Wolpert 1992, doi:10.1016/S0893-6080(05)80023-1; van der Laan et al. 2007,
//! doi:10.2202/1544-6115.1309): they know a little less than the models that they stand for, and training rows need not be like those that will be asked for (they are
//! older in a split by time), so that such a row counts for less than one, by how much the validation rows say.

use crate::{
    blend::Blend,
    classifier::{Classifier, Member},
    conformal::Conformal,
    decision::Decision,
    error::Result,
    examples::Examples,
    predictions::Predictions,
    predictor::Answering,
    splits::Parts,
    targets::Labels,
};
use std::collections::HashMap;

/// Folds by which rows are blended for choosing thresholds, so that none is judged by itself.
const BLEND_FOLDS: usize = 5;
/// What a training row may count for, of which models of other folds speak.
const FOLD_ROWS: [f64; 3] = [0.0, 0.1, 0.3];

/// Rows with what each model says of them.
pub(crate) struct Calibration<'a> {
    examples: &'a Examples,
    parts: &'a Parts,
    /// The validation rows, then those of the folds.
    rows: Vec<usize>,
    /// Model by model, target by target.
    said: Vec<Vec<Predictions>>,
}

impl<'a> Calibration<'a> {
    /// The validation part.
    pub(crate) fn of_validation(members: &[Member], examples: &'a Examples, parts: &'a Parts) -> Result<Self> {
        let rows = parts.validation.clone();
        let said = members.iter().map(|member| member.probabilities(examples, &rows)).collect::<Result<_>>()?;
        Ok(Self { examples, parts, rows, said })
    }

    /// Adds training rows, of which models speak that were fitted to others.
    pub(crate) fn join(&mut self, rows: &[usize], said: &[Vec<Predictions>]) {
        self.rows.extend(rows);
        for (all, own) in self.said.iter_mut().zip(said) {
            all.iter_mut().zip(own).for_each(|(all, own)| all.append(own));
        }
    }

    /// How a target is answered.
    pub(crate) fn answering(&self, target: usize, labels: &Labels, coverage: f64, seed: u64) -> Result<Answering> {
        let (weights, blended) = self.weighed(target, labels, seed)?;
        Ok(Answering {
            blend: Blend::fit(&self.models(target), labels, &self.rows, &weights),
            decision: Decision::choose(&blended, labels, &self.rows, &weights),
            conformal: Conformal::fit(&blended, labels, &self.rows, &weights, coverage),
            hidden: Vec::new(),
            joint: None,
        })
    }

    /// What each row counts for, so that validation rows are told best by blends that were fitted on other folds, and the blend of each row.
    pub(crate) fn weighed(&self, target: usize, labels: &Labels, seed: u64) -> Result<(Vec<f64>, Predictions)> {
        let validation = &self.parts.validation;
        let shares = if self.rows.len() > validation.len() { &FOLD_ROWS[..] } else { &FOLD_ROWS[..1] };
        let mut best: Option<(f64, Vec<f64>, Predictions)> = None;
        for share in shares {
            let weights: Vec<f64> =
                (0..self.rows.len()).map(|i| if i < validation.len() { 1.0 } else { *share }).collect();
            let blended = self.cross_fitted(target, labels, &weights, seed)?;
            let loss = blended.log_loss(labels, validation).unwrap_or(f64::INFINITY);
            if best.as_ref().is_none_or(|(least, ..)| loss < *least) {
                best = Some((loss, weights, blended));
            }
        }
        best.map_or_else(|| unreachable!("at least one share is tried"), |(_, weights, blended)| Ok((weights, blended)))
    }

    /// The blend of each row, fitted on folds that know as little of it as training knows of the validation part.
    fn cross_fitted(&self, target: usize, labels: &Labels, weights: &[f64], seed: u64) -> Result<Predictions> {
        let models = self.models(target);
        let (kind, width) = (models[0].kind(), models[0].width());
        let position: HashMap<usize, usize> = self.rows.iter().enumerate().map(|(i, row)| (*row, i)).collect();
        let pick = |chosen: &[usize]| -> Vec<Predictions> {
            let rows = |model: &&Predictions| chosen.iter().flat_map(|row| model.row(position[row]).to_vec()).collect();
            models.iter().map(|model| Predictions::new(kind, width, rows(model))).collect()
        };
        let mut values = vec![0.0; self.rows.len() * width];
        for fold in self.parts.folds_alike(self.examples, &self.rows, BLEND_FOLDS, seed)? {
            let (train, held_out) = (pick(&fold.train), pick(&fold.validation));
            let weights: Vec<f64> = fold.train.iter().map(|row| weights[position[row]]).collect();
            let blend = Blend::fit(&train.iter().collect::<Vec<_>>(), labels, &fold.train, &weights);
            let blended = blend.apply(&held_out.iter().collect::<Vec<_>>());
            for (row, p) in fold.validation.iter().zip(blended.iter()) {
                values[position[row] * width..][..width].copy_from_slice(p);
            }
        }
        Ok(Predictions::new(kind, width, values))
    }

    fn models(&self, target: usize) -> Vec<&Predictions> {
        self.said.iter().map(|model| &model[target]).collect()
    }
}
