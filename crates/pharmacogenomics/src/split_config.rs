//! [`SplitConfig`]: which rows train, as a column of the table or a kind of split says.

use crate::{
    error::Result,
    examples::{Examples, Purpose, column_names},
    planted,
    schema::Schema,
    splits::Parts,
};
use cupel_data::Fractions;
use cupel_settings::{Kind, Problem, Range, Value, settings};
use std::{fmt, path::Path, str::FromStr};

/// How rows are split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SplitKind {
    /// Row by row.
    Random,
    /// Row by row, each class in equal shares.
    Stratified,
    /// Whole groups.
    Group,
    /// Whole pairs of drug and allele (`genalle`, else `allele`).
    Pair,
    /// Whole values of a field.
    Cold(String),
    /// Early rows train, late rows test.
    Time,
    /// Whole groups, classes in near-equal shares.
    StratifiedGroup,
}

impl SplitKind {
    /// The kinds that are no field, by name.
    pub const NAMED: [(&str, Self); 6] = [
        ("random", Self::Random),
        ("stratified", Self::Stratified),
        ("group", Self::Group),
        ("pair", Self::Pair),
        ("time", Self::Time),
        ("stratified-group", Self::StratifiedGroup),
    ];
    /// Names of fields that stand for others.
    const FIELDS: [(&str, &str); 1] = [("variant", "variant_haplotypes")];
}

impl FromStr for SplitKind {
    type Err = Problem;

    fn from_str(text: &str) -> std::result::Result<Self, Problem> {
        if text.is_empty() {
            let names: Vec<&str> = Self::NAMED.iter().map(|(name, _)| *name).collect();
            return Err(Problem::value("split", "nothing", format!("one of {}, or a field", names.join(", "))));
        }
        let field = || Self::FIELDS.iter().find(|(name, _)| *name == text).map_or(text, |(_, field)| field);
        let named = Self::NAMED.into_iter().find(|(name, _)| *name == text);
        Ok(named.map_or_else(|| Self::Cold(field().to_owned()), |(_, kind)| kind))
    }
}

impl fmt::Display for SplitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cold(field) => f.write_str(field),
            named => f.write_str(Self::NAMED.iter().find(|(_, kind)| kind == named).map_or("", |(name, _)| name)),
        }
    }
}

impl Value for SplitKind {
    fn kind() -> Kind {
        Kind::Text
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        text.trim().parse().map_err(|problem: Problem| problem.to_string())
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

settings! {
    /// How a table is split.
    #[derive(Clone, Debug, PartialEq)]
    pub struct SplitConfig in "split" {
        /// Column that says train, val, test or drop
        pub split_column: Option<String> = None, "COLUMN";
        /// Split by: random, stratified, group, pair, time, stratified-group, or a field such as drug, variant or gene
        pub split: SplitKind = SplitKind::StratifiedGroup, "KIND";
        /// Shares of train, val and test
        pub fractions: Vec<f64> = vec![0.8, 0.1, 0.1], in Range::SHARE, "SHARES";
        /// Seed of the split
        pub split_seed: u64 = 0, "SEED";
    }
    needs {
        ["split", "fractions"] |own| own.split_column.is_none() => "the column of the split says it";
    }
}

impl SplitConfig {
    /// The column or kind.
    pub fn name(&self) -> String {
        self.split_column.clone().unwrap_or_else(|| self.split.to_string())
    }

    /// Reads a table under `schema`, or makes the [demo](planted::demo), with the columns `also` where they are there.
    ///
    /// # Errors
    /// A table that cannot be read.
    pub fn read(&self, table: Option<&Path>, schema: &Schema, also: &[&str]) -> Result<Examples> {
        let Some(table) = table else { return planted::demo() };
        let columns = column_names(table)?;
        let also = also.iter().copied().filter(|name| columns.iter().any(|known| known == name));
        let also: Vec<&str> = self.split_column.as_deref().into_iter().chain(also).collect();
        Examples::read(table, schema, &also, Purpose::Learning)
    }

    /// Splits examples.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for shares that are not three, and for a part whose rows all weigh nothing; as [`Parts::from_column`]
    /// and [`Parts::make`].
    pub fn parts(&self, examples: &Examples) -> Result<Parts> {
        let parts = self.split(examples)?;
        for (name, rows) in parts.parts() {
            examples.check_weights(name, rows)?;
        }
        Ok(parts)
    }

    fn split(&self, examples: &Examples) -> Result<Parts> {
        if let Some(column) = &self.split_column {
            return Parts::from_column(examples, column);
        }
        let [train, validation, test] = self.fractions[..] else {
            let got = self.fractions.show().unwrap_or_default();
            return Err(Problem::value("fractions", got, "three shares, such as 0.8,0.1,0.1").into());
        };
        Parts::make(examples, &self.split, Fractions { train, validation, test }, self.split_seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cupel_settings::Settings;

    #[test]
    fn kinds_are_read_shown_and_helped_by_one_list() {
        let list = SplitConfig::default().list();
        let help = &list.iter().find(|setting| setting.name == "split").unwrap().help;
        for (name, kind) in SplitKind::NAMED {
            assert_eq!((name.parse(), kind.to_string().as_str()), (Ok(kind.clone()), name));
            assert!(help.contains(name), "{name}");
        }
        assert_eq!("variant".parse(), Ok(SplitKind::Cold("variant_haplotypes".into())));
        assert_eq!("drug".parse::<SplitKind>().unwrap().to_string(), "drug");
        assert!("".parse::<SplitKind>().unwrap_err().to_string().contains("stratified-group, or a field"));
    }

    #[test]
    fn a_column_leaves_nothing_to_split_by() {
        let config = SplitConfig { split_column: Some("part".into()), split: SplitKind::Random, ..Default::default() };
        assert_eq!((config.name(), config.check().unwrap_err().name()), ("part".into(), "split"));
        let two = SplitConfig { fractions: vec![0.5, 0.5], ..SplitConfig::default() };
        let examples = crate::planted::planted(100, 0).unwrap().examples;
        assert!(two.parts(&examples).unwrap_err().to_string().starts_with("fractions = 0.5,0.5: expected three"));
    }
}
