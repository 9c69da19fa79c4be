//! How to unmix: settings of one method, and of a comparison of several.

use cupel_settings::{Kind, Problem, Range, Setting, Settings, Value, settings};
use serde::{Deserialize, Serialize};

use crate::{Convention, Method, MixtureConfig, Negative, Spatial};

/// Most endmembers that a search for their number considers.
pub(crate) const MOST_SEARCHED: usize = 12;
/// Most endmembers that can be asked for; abundances of so many have no meaning in any scene.
const MOST: usize = 10_000;
/// Most restarts and updates: years of work.
pub(crate) const MOST_STEPS: f64 = 1e9;

/// A number of endmembers, or the wish to have one suggested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndmemberCount {
    /// See [`suggest`](crate::suggest).
    Auto,
    /// So many.
    #[serde(untagged)]
    Fixed(usize),
}

impl Value for EndmemberCount {
    fn kind() -> Kind {
        Kind::Text
    }

    fn parse(text: &str) -> Result<Self, String> {
        let number = text.trim().parse().ok().filter(|count| (1..=MOST).contains(count));
        match (text.trim(), number) {
            ("auto", _) => Ok(Self::Auto),
            (_, Some(count)) => Ok(Self::Fixed(count)),
            _ => Err(format!("a whole number from 1 to {MOST}, or auto")),
        }
    }

    fn show(&self) -> Option<String> {
        Some(match self {
            Self::Auto => "auto".to_owned(),
            Self::Fixed(count) => count.to_string(),
        })
    }
}

settings! {
    /// How to unmix.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    pub struct UnmixingConfig in "unmixing" {
        /// How endmembers are found
        pub method: Method = Method::Auto;
        /// Number of endmembers, or auto; as many as the truth has unless given, else auto
        pub endmembers: Option<EndmemberCount> = None, "K|auto";
        /// Convention of the abundances that are written; all are measured
        pub abundance: Convention = Convention::Rescaled;
        /// What is known of neighbouring pixels; of the abundances that are written, whatever method found the endmembers
        pub spatial: Spatial = Spatial::None;
        /// Weight of this prior, in abundances: about the differences between neighbours that are taken for noise; chosen on bands that are held out unless given
        pub spatial_weight: Option<f64> = None, in Range::at_least(0.0).at_most(1e3), "W";
        /// What is done with values below zero
        pub negative: Negative = Negative::Allow;
        /// Restarts of archetypal analysis by edaa; 50 as published
        pub restarts: u32 = 50, in Range::at_least(1.0).at_most(MOST_STEPS), "N";
        /// Updates of a network or steps of variational inference, rounded up to whole epochs; chosen by the method unless given
        pub steps: Option<u64> = None, in Range::at_least(1.0).at_most(MOST_STEPS), "N";
        /// Runs with the seeds that follow; the numbers are means over them
        pub runs: u64 = 1, in Range::at_least(1.0).at_most(1e6), "R";
    }
    parts {
        /// Settings of [`Method::Pmm`].
        pub mixture: MixtureConfig;
    }
    beside {
        /// Seed of all random draws.
        pub seed: u64 = 0;
    }
    needs {
        ["restarts"] |own| own.method == Method::Edaa => "only edaa restarts as often as it is told";
        ["steps"] |own| own.method.is_network() || own.method == Method::Pmm && own.mixture.is_variational()
            => "only networks and variational inference make steps";
        ["spatial-weight"] |own| own.spatial != Spatial::None => "without a prior it weighs nothing; set spatial = tv too";
        ["inference", "compat", "pixel-fraction"] |own| own.method == Method::Pmm => "it belongs to the method pmm";
    }
}

impl UnmixingConfig {
    /// The defaults for this many endmembers.
    pub fn new(endmembers: usize) -> Self {
        Self { endmembers: Some(EndmemberCount::Fixed(endmembers)), ..Self::default() }
    }
}

settings! {
    /// Which methods to compare, and how often each runs.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Compared in "unmixing" {
        /// Methods, separated by commas
        pub methods: Vec<Method> = Method::EXTRACTORS.to_vec(), "METHODS";
    }
}

/// Settings of a comparison: those of [`UnmixingConfig`] with several methods for one, five runs each unless said otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonConfig {
    /// What is the same for all methods.
    pub unmixing: UnmixingConfig,
    #[serde(flatten)]
    compared: Compared,
}

impl ComparisonConfig {
    /// These methods under the settings of `unmixing`, whose own method does not count.
    pub fn new(methods: Vec<Method>, unmixing: UnmixingConfig) -> Self {
        Self { unmixing, compared: Compared { methods } }
    }

    /// The methods, in the order in which they run.
    pub fn methods(&self) -> &[Method] {
        &self.compared.methods
    }

    /// The settings of each method.
    pub fn each(&self) -> impl Iterator<Item = UnmixingConfig> {
        self.methods().iter().map(|&method| UnmixingConfig { method, ..self.unmixing })
    }
}

impl Default for ComparisonConfig {
    fn default() -> Self {
        Self { unmixing: UnmixingConfig { runs: 5, ..UnmixingConfig::default() }, compared: Compared::default() }
    }
}

impl Settings for ComparisonConfig {
    fn list(&self) -> Vec<Setting> {
        let defaults = Self::default().unmixing.list();
        let own = self.unmixing.list().into_iter().zip(defaults);
        let own = own.map(|(own, default)| Setting { default: default.value, ..own });
        self.compared.list().into_iter().chain(own.filter(|setting| setting.name != "method")).collect()
    }

    fn set(&mut self, name: &str, text: &str) -> Result<(), Problem> {
        let known = self.list().into_iter().map(|setting| setting.name);
        match name.replace('_', "-").as_str() {
            "methods" => self.compared.set(name, text),
            "method" => Err(Problem::unknown(name, known)),
            _ => self.unmixing.set(name, text).map_err(|problem| match problem {
                Problem::Unknown { .. } => Problem::unknown(name, known),
                other => other,
            }),
        }
    }

    /// What has no effect on any of the methods.
    fn unused(&self) -> Vec<(String, String)> {
        let mut each = self.each().map(|config| config.unused());
        let first = each.next().unwrap_or_default();
        each.fold(first, |unused, other| unused.into_iter().filter(|own| other.contains(own)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_endmembers_is_a_number_or_auto() {
        let mut config = UnmixingConfig::default();
        config.set("endmembers", "3").unwrap();
        assert_eq!(config, UnmixingConfig::new(3));
        config.set("endmembers", "auto").unwrap();
        assert_eq!(config.endmembers, Some(EndmemberCount::Auto));
        for wrong in ["0", "-1", "many", "1e9", "999999999999999999999"] {
            let problem = config.set("endmembers", wrong).unwrap_err().to_string();
            assert!(problem.contains("expected a whole number from 1 to 10000, or auto"), "{problem}");
        }
        for (name, wrong) in
            [("lr", "NaN"), ("lr", "inf"), ("pixel-fraction", "0"), ("smoothness", "-1"), ("steps", "0")]
        {
            assert!(config.set(name, wrong).is_err(), "{name} {wrong}");
        }
    }

    #[test]
    fn what_has_no_effect_is_named_with_what_it_needs() {
        for (settings, expected) in [
            (&[("restarts", "3")][..], Some("restarts")),
            (&[("restarts", "3"), ("method", "edaa")], None),
            (&[("steps", "3"), ("method", "sunsal")], Some("steps")),
            (&[("steps", "3"), ("method", "cnnaeu")], None),
            (&[("method", "pmm"), ("guide", "amortised")], Some("guide")),
            (&[("inference", "svi")], Some("inference")),
            (&[("spatial-weight", "0.1")], Some("spatial-weight")),
            (&[("spatial", "tv"), ("spatial-weight", "0.1")], None),
            (&[("method", "pmm"), ("inference", "svi"), ("smoothness", "1")], Some("smoothness")),
            (&[("method", "pmm"), ("inference", "svi"), ("free-endmembers", "true"), ("smoothness", "1")], None),
        ] {
            let mut config = UnmixingConfig::default();
            settings.iter().for_each(|(name, text)| config.set(name, text).unwrap());
            let problem = config.check().err();
            assert_eq!(problem.as_ref().map(Problem::name), expected, "{settings:?}");
        }
    }

    #[test]
    fn a_comparison_has_methods_for_a_method() {
        let mut config = ComparisonConfig::default();
        assert!(config.set("method", "vca").unwrap_err().to_string().contains("did you mean `methods`"));
        config.set("methods", "vca,edaa").unwrap();
        config.set("restarts", "3").unwrap();
        assert!(config.check().is_ok() && config.list().iter().all(|setting| setting.name != "method"));
        assert_eq!(config.list().iter().find(|s| s.name == "runs").unwrap().default.as_deref(), Some("5"));
        config.set("methods", "vca,spa").unwrap();
        assert_eq!(config.check().unwrap_err().name(), "restarts");
    }
}
