//! [`Schema`]: which columns of a table are fields, which are targets, and what else a row says about itself.
//!
//! ```toml
//! group = "annotation_id"
//!
//! [[field]]
//! name = "drug"
//!
//! [[field]]
//! name = "allele"
//! back_off = ["variant_haplotypes", "gene"]
//!
//! [[target]]
//! name = "effect_type"
//! min_class = 20
//!
//! [[target]]
//! name = "phenotype_outcome"
//! kind = "labels"
//! ```

use crate::{
    error::{Error, Result},
    examples::column_names,
    planted::planted,
};
use cupel_data::nearest_name;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, convert::Infallible, fs, path::Path, str::FromStr};

/// What the columns of a table mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// Column whose rows belong together: one annotation, one patient. Parts of a split never share a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Column with the weight of a row, 0 or more; 1 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
    /// Column with a number that grows with time, for splits by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// What is known of a row.
    #[serde(rename = "field")]
    pub fields: Vec<Field>,
    /// What is asked of a row.
    #[serde(rename = "target")]
    pub targets: Vec<Target>,
}

/// A column that a model reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// The column.
    pub name: String,
    /// What its cells hold.
    #[serde(default)]
    pub kind: FieldKind,
    /// What stands between the names of a cell with [`FieldKind::Many`].
    #[serde(default = "bar")]
    pub separator: char,
    /// Names seen in fewer training rows than this are unknown.
    #[serde(default = "one")]
    pub min_count: usize,
    /// Other fields that an unknown name falls back to, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub back_off: Vec<String>,
}

/// What the cells of a field hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldKind {
    /// One name.
    #[default]
    Category,
    /// Any number of names.
    Many,
    /// A number.
    Number,
}

/// A column that a model predicts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The column.
    pub name: String,
    /// What its cells hold.
    #[serde(default)]
    pub kind: TargetKind,
    /// What stands between the labels of a cell with [`TargetKind::Labels`].
    #[serde(default = "bar")]
    pub separator: char,
    /// Classes seen in fewer training rows than this are merged into one; labels as rare are left out.
    #[serde(default = "one")]
    pub min_class: usize,
    /// Of labels: an empty cell says that there is none, not that it is not known.
    #[serde(default)]
    pub empty_is_none: bool,
}

/// What the cells of a target hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// One of several classes.
    #[default]
    Class,
    /// Any number of labels, each of which is there or not.
    Labels,
}

/// Which of the fields that [`Schema::annotations`] knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FieldSet {
    /// All eight.
    #[default]
    Extended,
    /// drug, genalle, gene and allele.
    Brief,
    /// These columns.
    Named(Vec<String>),
}

const BRIEF: [&str; 4] = ["drug", "genalle", "gene", "allele"];
const MORE: [&str; 4] = ["variant_haplotypes", "zygosity", "comparison", "population"];
const GROUP: &str = "annotation_id";

/// Classes of the effect type that are rarer in training are merged.
pub const MIN_CLASS: usize = 20;

fn bar() -> char {
    '|'
}

fn one() -> usize {
    1
}

impl Field {
    /// A field of one name per cell.
    pub fn category(name: impl Into<String>) -> Self {
        Self { name: name.into(), kind: FieldKind::Category, separator: bar(), min_count: 1, back_off: Vec::new() }
    }
}

impl Target {
    /// A target of classes, of which those with fewer than `min_class` training rows are merged.
    pub fn classes(name: impl Into<String>, min_class: usize) -> Self {
        Self { name: name.into(), kind: TargetKind::Class, separator: bar(), min_class, empty_is_none: false }
    }

    /// A target of any number of labels.
    pub fn labels(name: impl Into<String>) -> Self {
        Self { name: name.into(), kind: TargetKind::Labels, separator: bar(), min_class: 1, empty_is_none: false }
    }
}

impl FromStr for FieldSet {
    type Err = Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Infallible> {
        Ok(match text {
            "extended" => Self::Extended,
            "brief" => Self::Brief,
            list => Self::Named(list.split(',').map(|name| name.trim().to_owned()).collect()),
        })
    }
}

impl Schema {
    /// The schema for a table: that of the file, else of annotations with the fields of `set`; that of the [demo](crate::demo) without a table.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`Error::Schema`] for a table that has other columns than annotations.
    pub fn of_table(table: Option<&Path>, file: Option<&Path>, set: &FieldSet) -> Result<Self> {
        if let Some(file) = file {
            return Self::open(file);
        }
        let Some(table) = table else { return Ok(planted(1, 0)?.examples.schema().clone()) };
        let schema = Self::annotations(set);
        let columns = column_names(table)?;
        match schema.columns().into_iter().find(|name| !columns.contains(name)) {
            None => Ok(schema),
            Some(name) => Err(Error::Schema {
                name,
                problem: format!(
                    "{} has no such column, so that it is no table of variant annotations as expected",
                    table.display()
                ),
                fix: "write a schema that says which columns are fields and targets",
            }),
        }
    }

    /// The schema of a table of variant annotations with the columns of ClinPGx's, exploded to one row per drug and allele:
    /// `drug`, `genalle`, `gene`, `allele` and so on, with three targets and the group `annotation_id`.
    ///
    /// Columns such as `source`, which give the answer away, are never fields of it.
    pub fn annotations(set: &FieldSet) -> Self {
        let names: Vec<String> = match set {
            FieldSet::Extended => BRIEF.iter().chain(&MORE).map(ToString::to_string).collect(),
            FieldSet::Brief => BRIEF.iter().map(ToString::to_string).collect(),
            FieldSet::Named(names) => names.clone(),
        };
        let nearest_first: &[(&str, &[&str])] =
            &[("genalle", &["variant_haplotypes", "gene"]), ("variant_haplotypes", &["gene"])];
        let mut fields: Vec<Field> = names.iter().map(Field::category).collect();
        for field in &mut fields {
            let chain = nearest_first.iter().find(|(name, _)| *name == field.name).map_or(&[][..], |(_, chain)| chain);
            field.back_off = chain.iter().map(ToString::to_string).filter(|name| names.contains(name)).collect();
        }
        Self {
            group: Some(GROUP.into()),
            weight: None,
            time: Some(GROUP.into()),
            fields,
            targets: vec![
                Target::classes("effect_type", MIN_CLASS),
                Target::classes("effect_direction", MIN_CLASS),
                Target::labels("phenotype_outcome"),
            ],
        }
    }

    /// Reads a schema from a TOML file.
    ///
    /// # Errors
    /// [`Error::Data`] when it cannot be read, [`Error::SchemaFile`] when it is no schema, [`Error::Schema`] when it
    /// contradicts itself.
    pub fn open(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(cupel_data::Error::io("read", path))?;
        let schema: Self = toml::from_str(&text)
            .map_err(|source| Error::SchemaFile { path: path.to_path_buf(), source: Box::new(source) })?;
        schema.check()?;
        Ok(schema)
    }

    /// Checks that every name has one use and that a back-off leads to a field.
    ///
    /// # Errors
    /// [`Error::Schema`].
    pub fn check(&self) -> Result<()> {
        let fault = |name: &str, problem: String, fix| Err(Error::Schema { name: name.to_string(), problem, fix });
        if self.fields.is_empty() {
            return fault("field", "there is none".into(), "name at least one column that a model may read");
        }
        if self.targets.is_empty() {
            return fault("target", "there is none".into(), "name at least one column to predict");
        }
        let mut seen = BTreeSet::new();
        let names = self.fields.iter().map(|field| &field.name).chain(self.targets.iter().map(|target| &target.name));
        for name in names {
            if !seen.insert(name) {
                return fault(name, "it is named twice".into(), "a column is a field or a target, once");
            }
        }
        for (name, what) in [(&self.group, "group"), (&self.weight, "weight")] {
            if let Some(name) = name.as_ref().filter(|name| seen.contains(name)) {
                return fault(
                    name,
                    format!("it is the {what} as well"),
                    "a model must not read it; leave it out there",
                );
            }
        }
        for field in &self.fields {
            let categories = self.fields.iter().filter(|other| other.kind == FieldKind::Category);
            let others: Vec<&str> =
                categories.map(|other| other.name.as_str()).filter(|other| *other != field.name).collect();
            if field.kind != FieldKind::Category && !field.back_off.is_empty() {
                return fault(&field.name, "only a category falls back".into(), "remove its back_off");
            }
            if let Some(missing) = field.back_off.iter().find(|name| !others.contains(&name.as_str())) {
                let hint = nearest_name(missing, others.iter().copied());
                let hint = hint.map_or_else(String::new, |name| format!(" (did you mean {name:?}?)"));
                let problem = format!("it falls back to {missing:?}, which is no other field of categories{hint}");
                return fault(&field.name, problem, "name fields of the schema");
            }
        }
        Ok(())
    }

    /// The columns that the schema reads, each once.
    pub fn columns(&self) -> Vec<String> {
        let fields = self.fields.iter().map(|field| &field.name);
        let targets = self.targets.iter().map(|target| &target.name);
        let mut names: Vec<String> = Vec::new();
        for name in fields.chain(targets).chain(&self.group).chain(&self.weight).chain(&self.time) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// The target of this name.
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.targets.iter().find(|target| target.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_never_read_what_gives_the_answer_away() {
        for set in [FieldSet::Extended, FieldSet::Brief] {
            let schema = Schema::annotations(&set);
            schema.check().unwrap();
            let leaky = |name: &str| name == "source" || name == "effect_group" || name.starts_with("split_");
            assert!(!schema.columns().iter().any(|name| leaky(name)));
        }
        let brief: Vec<String> = Schema::annotations(&FieldSet::Brief).fields.into_iter().map(|f| f.name).collect();
        assert_eq!(brief, BRIEF);
    }

    #[test]
    fn a_schema_reads_back_equal() {
        let schema = Schema::annotations(&FieldSet::Extended);
        let text = toml::to_string(&schema).unwrap();
        assert_eq!(toml::from_str::<Schema>(&text).unwrap(), schema);
    }

    #[test]
    fn contradictions_are_named() {
        let text = |schema: &Schema| schema.check().unwrap_err().to_string();
        let mut schema = Schema::annotations(&FieldSet::Brief);
        schema.fields[0].back_off = vec!["gen".into()];
        assert!(text(&schema).contains("falls back to \"gen\""), "{}", text(&schema));
        assert!(text(&schema).contains("did you mean \"gene\"?"));
        schema.fields[0] = Field::category("effect_type");
        assert!(text(&schema).contains("named twice"));
        schema.fields[0] = Field::category("annotation_id");
        assert!(text(&schema).contains("it is the group as well"));
        schema.fields.clear();
        assert!(text(&schema).contains("name at least one column"));
    }
}
