//! [`TokenConfig`]: what a row says to a linear model.

use crate::{contrast::ContrastConfig, name_parts::Attributes};
use cupel_settings::{Range, settings};
use serde::{Deserialize, Serialize};

settings! {
    /// What makes tokens, and how strongly each kind speaks: the value of its column, whose square divides the penalty.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct TokenConfig in "linear" {
        /// Value of the parts of a name, such as the alleles of a diplotype; 0 for none
        pub parts: f64 = 0.5, in Range::at_least(0.0), "VALUE";
        /// Value of beginnings and ends of the names of drugs; 0 for none
        pub stems: f64 = 0.3, in Range::at_least(0.0), "VALUE";
        /// Value of the classes of drugs
        pub attribute_value: f64 as "drug-classes" = 0.5, in Range::at_least(0.0), "VALUE";
        /// Value of two names together, of linear-crosses
        pub crosses: f64 = 0.5, in Range::at_least(0.0), "VALUE";
        /// Training rows below which parts, stems, crosses and contrasts are left out
        pub min_count: u32 as "token-rows" = 2, "ROWS";
        /// Share of names taken for unknown in a second copy of the rows of a logistic regression, such as 0.2; 0 for no copy
        pub unknown: f64 as "hidden-names" = 0.0, in Range::at_least(0.0).below(1.0), "SHARE";
    }
    parts {
        /// How genotypes are held against what they are compared with.
        pub contrast: ContrastConfig;
    }
    beside {
        /// Fields whose names have stems.
        pub stem_fields: Vec<String> = vec!["drug".into()];
        /// What is known of the names of [`stem_fields`](Self::stem_fields) from elsewhere, such as the levels of the ATC codes of
        /// drugs, by normalised name.
        pub attributes: Attributes = Attributes::new();
        /// Fields whose names are not read: their parts, stems and attributes stand for them, in crosses too.
        pub nameless: Vec<String> = Vec::new();
    }
}
