//! [`Sampler`]: how the next trial is chosen.

use crate::{
    Distribution, Error, Parameter, Result, Setting, Space, draws::Draws, record::StudyRecord, sobol, tpe, tpe::Tpe,
};
use cupel_data::Stream;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the next trial is chosen.
///
/// A trial's values depend on the seed, its number, the space, and for [`Sampler::Tpe`] on the trials before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "lowercase")]
pub enum Sampler {
    /// Every parameter by itself, each value as likely as its distribution says.
    Random,
    /// Scrambled Sobol points, which leave no large gaps; the number of the trial is that of the point.
    Sobol,
    /// What the best trials had more often than the others.
    Tpe(Tpe),
}

impl Default for Sampler {
    fn default() -> Self {
        Self::Tpe(Tpe::default())
    }
}

/// What a sampler knows.
pub(crate) struct Context<'a> {
    pub(crate) space: &'a Space,
    pub(crate) record: &'a StudyRecord,
    /// The objective of the reported values.
    pub(crate) pruning: Option<usize>,
    pub(crate) seed: u64,
    /// Number of the trial to be filled.
    pub(crate) number: usize,
}

impl Sampler {
    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Self::Tpe(tpe) => tpe.check(),
            _ => Ok(()),
        }
    }

    /// Values for all parameters that are there; those of `fixed` are taken over where the space allows them.
    pub(crate) fn sample(&self, context: &Context, fixed: &BTreeMap<String, f64>) -> Result<BTreeMap<String, Setting>> {
        let parameters = context.space.parameters();
        if matches!(self, Self::Sobol) && parameters.len() > sobol::DIMENSIONS {
            return Err(Error::TooManyDimensions { parameters: parameters.len(), most: sobol::DIMENSIONS });
        }
        let tpe = match self {
            Self::Tpe(tpe) => tpe::Model::new(tpe, context),
            _ => None,
        };
        let stream = Stream::new(context.seed, "trial").child(context.number as u64);
        let mut values: BTreeMap<String, f64> = BTreeMap::new();
        for (i, parameter) in parameters.iter().enumerate() {
            if values.contains_key(&parameter.name) || !context.space.is_active(parameter, &values) {
                continue;
            }
            let distribution = &parameter.distribution;
            if let Some(&value) = fixed.get(&parameter.name).filter(|&&value| distribution.contains(value)) {
                values.insert(parameter.name.clone(), value);
            } else if distribution.is_single() {
                values.insert(parameter.name.clone(), distribution.at(0.0));
            } else if let Some(model) = &tpe {
                // Those that come and go with this one, if they are to be drawn together.
                let together = |other: &&Parameter| {
                    other.name == parameter.name
                        || model.is_multivariate()
                            && other.when == parameter.when
                            && !other.distribution.is_single()
                            && !values.contains_key(&other.name)
                            && !fixed.get(&other.name).is_some_and(|&value| other.distribution.contains(value))
                };
                let group: Vec<&Parameter> = parameters[i..].iter().filter(together).collect();
                let draws = &mut Draws::new(stream.child(i as u64));
                for (parameter, value) in group.iter().zip(model.sample(&group, draws)) {
                    values.insert(parameter.name.clone(), value);
                }
            } else {
                let fraction = match self {
                    Self::Sobol => sobol::scrambled(context.number as u64, i, Stream::new(context.seed, "sobol")),
                    _ => Draws::new(stream.child(i as u64)).uniform(),
                };
                values.insert(parameter.name.clone(), distribution.at(fraction));
            }
        }
        let setting = |parameter: &Parameter| -> Option<(String, Setting)> {
            let distribution: Distribution = parameter.distribution.clone();
            let &internal = values.get(&parameter.name)?;
            Some((parameter.name.clone(), Setting { distribution, internal }))
        };
        Ok(parameters.iter().filter_map(setting).collect())
    }
}
