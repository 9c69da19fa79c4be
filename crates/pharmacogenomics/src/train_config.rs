//! [`TrainConfig`]: which models answer together, and how each is fitted.

use crate::{
    boosting::BoostingConfig,
    classifier::MemberConfig,
    counts::CountsConfig,
    error::{Error, Result},
    linear::LinearConfig,
    name_parts::Attributes,
    neighbours::NeighboursConfig,
    network::NetworkConfig,
    splits::Parts,
};
use cupel_settings::{Problem, Range, Setting, Settings, choices, settings};
use serde::{Deserialize, Serialize};

/// Validation rows below which nothing is calibrated on them.
const CALIBRATION_ROWS: usize = 20;

choices! {
    /// A model by its name.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ModelKind {
        /// The share of each class
        Majority = "majority",
        /// Counts with back-off, from the drug
        Counts = "counts",
        /// Counts with back-off, from the site: what is compared with what, where, and in whom
        Sites = "sites",
        /// The training rows that are most alike
        Neighbours = "neighbours",
        /// Logistic regression
        Linear = "linear",
        /// Logistic regression that reads pairs of names too
        LinearCrosses = "linear-crosses",
        /// Boosted trees
        Boosting = "boosting",
        /// A network over fields
        Network = "network",
    }
}

settings! {
    /// Models that answer together.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct EnsembleConfig in "models" {
        /// Models that answer together
        pub models: Vec<ModelKind> = ModelKind::ALL[1..].to_vec(), "MODELS";
        /// Share of truths that the sets of answers are to hold
        pub coverage: f64 = 0.9, in Range::INNER_SHARE, "SHARE";
        /// Folds of the training part by which every model is fitted again, so that training rows too can choose blend, calibration and thresholds;
        /// 0 leaves these to the validation part alone, as does one of at least 10 000 rows, and takes a third of the time
        pub cross_fit: usize = 3, in Range::at_least(0.0).at_most(100.0), "FOLDS";
    }
}

/// How a [`Predictor`](crate::Predictor) is trained: the models and the settings of each, whether it is among them or not.
///
/// As [`Settings`] it is flat: a name is set in every model that has it, and one that no chosen model has is unused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// The models by name, and what is done with all of them.
    pub ensemble: EnsembleConfig,
    /// Of `counts` and `sites`.
    pub counts: CountsConfig,
    /// Of `neighbours`.
    pub neighbours: NeighboursConfig,
    /// Of `linear` and `linear-crosses`, of which the first leaves crosses out.
    pub linear: LinearConfig,
    /// Of `boosting`.
    pub boosting: BoostingConfig,
    /// Of `network`.
    pub network: NetworkConfig,
    /// Models beyond those that are named, each with settings of its own.
    pub more: Vec<MemberConfig>,
    /// Every random draw follows from this.
    pub seed: u64,
}

/// Models, their settings, and what has no effect among these.
type Group = (&'static [ModelKind], Vec<Setting>, Vec<(String, String)>);

impl TrainConfig {
    /// These models with their defaults.
    pub fn of(models: impl Into<Vec<ModelKind>>) -> Self {
        Self { ensemble: EnsembleConfig { models: models.into(), ..EnsembleConfig::default() }, ..Self::default() }
    }

    /// The same with what is known of drugs from elsewhere, for all models that read it.
    #[must_use]
    pub fn with_attributes(mut self, attributes: Attributes) -> Self {
        self.linear.tokens.attributes.clone_from(&attributes);
        self.network.attributes = attributes;
        self
    }

    /// The settings of each model, in the order in which they answer.
    pub fn members(&self) -> Vec<MemberConfig> {
        let named = self.ensemble.models.iter().map(|kind| self.member(*kind));
        named.chain(self.more.iter().cloned()).collect()
    }

    /// The settings of one model.
    pub fn member(&self, kind: ModelKind) -> MemberConfig {
        match kind {
            ModelKind::Majority => MemberConfig::Majority,
            ModelKind::Counts => MemberConfig::Counts(self.counts.clone()),
            ModelKind::Sites => MemberConfig::Counts(CountsConfig { sites: true, ..self.counts.clone() }),
            ModelKind::Neighbours => MemberConfig::Neighbours(self.neighbours.clone()),
            ModelKind::Linear => {
                let mut linear = self.linear.clone();
                linear.tokens.crosses = 0.0;
                MemberConfig::Linear(linear)
            }
            ModelKind::LinearCrosses => MemberConfig::Linear(self.linear.clone()),
            ModelKind::Boosting => MemberConfig::Boosting(self.boosting.clone()),
            ModelKind::Network => MemberConfig::Network(Box::new(self.network.clone())),
        }
    }

    /// Whether there is something to fit, and rows to fit it to.
    pub(crate) fn fits(&self, parts: &Parts) -> Result<()> {
        if self.ensemble.models.is_empty() && self.more.is_empty() {
            let expected = format!("at least one of {}", named(ModelKind::ALL, ", "));
            return Err(Problem::value("models", "none", expected).into());
        }
        for (part, rows, needed, why) in [
            ("train", parts.train.len(), 1, "to fit anything"),
            ("val", parts.validation.len(), CALIBRATION_ROWS, "to calibrate and to choose thresholds on"),
        ] {
            if rows < needed {
                return Err(Error::EmptyPart { part, rows, needed, why });
            }
        }
        Ok(())
    }

    /// The settings of each group of models, and what has no effect among them.
    fn groups(&self) -> [Group; 5] {
        use ModelKind::{Boosting, Counts, Linear, LinearCrosses, Neighbours, Network, Sites};
        [
            (&[Counts, Sites], self.counts.list(), self.counts.unused()),
            (&[Neighbours], self.neighbours.list(), self.neighbours.unused()),
            (&[Linear, LinearCrosses], self.linear.list(), self.linear.unused()),
            (&[Boosting], self.boosting.list(), self.boosting.unused()),
            (&[Network], self.network.list(), self.network.unused()),
        ]
    }

    /// Why a setting has no effect whatever its value, where no chosen model has it.
    pub(crate) fn without(&self, name: &str) -> Option<String> {
        let (chosen, having) = (&self.ensemble.models, self.with(name));
        let none = !having.is_empty() && !having.iter().any(|kind| chosen.contains(kind));
        none.then(|| format!("none of the models {} has it: choose {}", named(chosen, ", "), named(&having, " or ")))
    }

    /// The models that have a setting.
    fn with(&self, name: &str) -> Vec<ModelKind> {
        let groups = self.groups().into_iter().filter(|(_, list, _)| list.iter().any(|setting| setting.name == name));
        let all = groups.flat_map(|(kinds, ..)| kinds);
        all.copied().filter(|kind| name != "crosses" || *kind == ModelKind::LinearCrosses).collect()
    }
}

impl Settings for TrainConfig {
    fn list(&self) -> Vec<Setting> {
        let mut all = self.ensemble.list();
        for setting in self.groups().into_iter().flat_map(|(_, list, _)| list) {
            if !all.iter().any(|known| known.name == setting.name) {
                all.push(setting);
            }
        }
        all
    }

    fn set(&mut self, name: &str, text: &str) -> std::result::Result<(), Problem> {
        let mut known = false;
        for done in [
            self.ensemble.set(name, text),
            self.counts.set(name, text),
            self.neighbours.set(name, text),
            self.linear.set(name, text),
            self.boosting.set(name, text),
            self.network.set(name, text),
        ] {
            match done {
                Ok(()) => known = true,
                Err(Problem::Unknown { .. }) => {}
                Err(problem @ Problem::Value { .. }) if problem.name() == "models" => {
                    return Err(Problem::value("models", text, format!("names among {}", named(ModelKind::ALL, ", "))));
                }
                Err(problem) => return Err(problem),
            }
        }
        match known {
            true => Ok(()),
            false => Err(Problem::unknown(name, self.list().into_iter().map(|setting| setting.name))),
        }
    }

    fn unused(&self) -> Vec<(String, String)> {
        let chosen = &self.ensemble.models;
        let mut unused = Vec::new();
        for (kinds, list, of_group) in self.groups() {
            for name in list.into_iter().map(|setting| setting.name) {
                if let Some(because) = self.without(&name) {
                    unused.push((name, because));
                }
            }
            if kinds.iter().any(|kind| chosen.contains(kind)) {
                unused.extend(of_group);
            }
        }
        unused
    }
}

fn named(kinds: &[ModelKind], joint: &str) -> String {
    kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(joint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_sets_every_model_that_has_it() {
        let mut config = TrainConfig::of([ModelKind::Counts, ModelKind::Boosting]);
        config.set("strength", "7").unwrap();
        assert_eq!((config.counts.strength, config.boosting.strength), (7.0, 7.0));
        config.check().unwrap();
        config.set("models", "linear, network").unwrap();
        assert_eq!(config.ensemble.models, [ModelKind::Linear, ModelKind::Network]);
        config.set("no_first_order", "true").unwrap();
        assert!(!config.network.net.first_order.0);
        let names: Vec<String> = config.list().into_iter().map(|setting| setting.name).collect();
        let mut once = names.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), names.len(), "a name stands once: {names:?}");
    }

    #[test]
    fn what_no_chosen_model_has_is_said_with_the_one_to_choose() {
        let said = |models: &[ModelKind], name: &str, text: &str| {
            let mut config = TrainConfig::of(models);
            config
                .set(name, text)
                .map(|()| config.check().unwrap_err().to_string())
                .unwrap_or_else(|own| own.to_string())
        };
        use ModelKind::{Counts, Linear, LinearCrosses, Network};
        for (models, name, text, words) in [
            (&[Counts, Linear][..], "epochs", "3", "none of the models counts, linear has it: choose network"),
            (&[Linear], "crosses", "0.1", "choose linear-crosses"),
            (&[Linear], "strength", "1", "choose counts or sites or boosting"),
            (&[LinearCrosses], "copies", "1", "hidden-names"),
            (&[Network], "gamma", "1", "only the focal loss has it"),
            (&[Network], "gamma", "inf", "gamma = inf: expected a number of at least 0, at most 100"),
            (&[Network], "learning-rate", "nan", "learning-rate = nan: expected a number above 0"),
            (
                &[Network],
                "embedding",
                "1000000000",
                "embedding = 1000000000: expected a whole number of at least 1, at most 1024",
            ),
            (&[Network], "layers", "-1", "layers = -1"),
            (&[Counts], "models", "oracle", "names among majority, counts"),
            (&[Counts], "strenght", "1", "did you mean `strength`?"),
        ] {
            assert!(said(models, name, text).contains(words), "{name} {text}: {}", said(models, name, text));
        }
    }

    #[test]
    fn stored_settings_are_those_of_format_1() {
        let network = NetworkConfig::default();
        let text = serde_json::to_string(&network).unwrap();
        assert!(text.starts_with(
            r#"{"net":{"embedding":32,"hidden":256,"layers":1,"dropout":0.5,"interaction":"pairs","first_order":true"#
        ));
        assert!(
            text.contains(r#""loss":"cross-entropy","class_weights":false,"sparse":true"#)
                && text.contains(r#""stage":{"optimizer""#)
        );
        assert_eq!(
            serde_json::from_str::<NetworkConfig>(&text).unwrap(),
            NetworkConfig { stage: network.stage(), ..network }
        );
        let focal = text.replace(r#""cross-entropy""#, r#"{"focal":1.5}"#);
        assert_eq!(serde_json::from_str::<NetworkConfig>(&focal).unwrap().effect.gamma, 1.5);
        let linear = r#"{"tokens":{"parts":0.1,"stem_fields":[],"contrast":{"value":0.7}},"iterations":9}"#;
        let linear: LinearConfig = serde_json::from_str(linear).unwrap();
        assert_eq!((linear.tokens.parts, linear.tokens.contrast.value, linear.iterations), (0.1, 0.7, 9));
        assert_eq!((linear.inverse_penalty, linear.tokens.stem_fields.len()), (0.3, 0));
    }
}
