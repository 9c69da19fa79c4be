use std::path::PathBuf;

/// What can go wrong in pharmacogenomics.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading, writing or splitting failed.
    #[error(transparent)]
    Data(#[from] cupel_data::Error),
    /// The run folder, its checkpoints, the device or a training failed.
    #[error("{0}")]
    Train(#[from] cupel_train::Error),
    /// A figure or the report failed.
    #[error(transparent)]
    Report(#[from] cupel_report::Error),
    /// A schema that is not TOML, or has keys that a schema does not know.
    #[error("{}: the schema cannot be read: {source}", path.display())]
    SchemaFile {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        source: Box<toml::de::Error>,
    },
    /// A schema that contradicts itself.
    #[error("the schema's {name:?}: {problem}; {fix}")]
    Schema {
        /// The field or target concerned.
        name: String,
        /// What is wrong.
        problem: String,
        /// What to do about it.
        fix: &'static str,
    },
    /// A setting that cannot be.
    #[error("{0}")]
    Setting(#[from] cupel_settings::Problem),
    /// A part of a split that holds no rows, or too few of them.
    #[error("the {part} part has {rows} rows, at least {needed} are needed {why}")]
    EmptyPart {
        /// train, val or test.
        part: &'static str,
        /// Its rows.
        rows: usize,
        /// How many it takes.
        needed: usize,
        /// What for.
        why: &'static str,
    },
    /// The column of the split holds a word that names no part.
    #[error(
        "column {column:?} says {value:?} in row {row}; a split says train, val, test or drop there (or leaves the cell empty, which is drop)"
    )]
    SplitValue {
        /// The column.
        column: String,
        /// The word.
        value: String,
        /// Row number, counted from 1 below the header.
        row: usize,
    },
    /// A split under which the test repeats what training saw.
    #[error(
        "the split leaks: {share:.1} % of the {part} rows have a row of the same {unit} in train; split by {unit}, or allow leakage to report anyway"
    )]
    LeakySplit {
        /// The held-out part.
        part: &'static str,
        /// Percentage of its rows.
        share: f64,
        /// What they share.
        unit: String,
    },
    /// A target of which training sees one class only.
    #[error("target {target:?} has {classes} in the training rows; a model needs at least two classes, or one label")]
    DegenerateTarget {
        /// The target.
        target: String,
        /// What it has instead.
        classes: String,
    },
    /// A booster that failed.
    #[error("could not boost {target}: {problem}; leave boosting out of the models")]
    Boosting {
        /// The target.
        target: String,
        /// What went wrong.
        problem: String,
    },
    /// Numbers that do not belong together.
    #[error("{what}: expected {expected}, got {got}")]
    Shape {
        /// What was compared.
        what: &'static str,
        /// What would fit.
        expected: String,
        /// What was given.
        got: String,
    },
    /// A folder that holds no model, or a damaged one.
    #[error("{}: {problem}; {fix}", path.display())]
    Model {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        problem: String,
        /// What to do about it.
        fix: &'static str,
    },
    /// A query that names a column the model does not know.
    #[error("the model has no field {name:?}{}; its fields are {}", did_you_mean(suggestion.as_deref()), have.join(", "))]
    UnknownField {
        /// The name.
        name: String,
        /// The field that is nearest, if one is near.
        suggestion: Option<String>,
        /// The fields there are.
        have: Vec<String>,
    },
    /// A search of settings failed.
    #[error("{0}")]
    Search(#[from] cupel_tune::Error),
    /// Weights that cannot be encoded, or bytes that hold none.
    #[error("{what}: {source}")]
    Weights {
        /// What was encoded or decoded.
        what: &'static str,
        /// What the encoder says.
        source: safetensors::SafeTensorError,
    },
    /// A value that has no JSON form or a text that is no JSON.
    #[error("{what}: {source}")]
    Json {
        /// What was encoded or decoded.
        what: String,
        /// What the encoder says.
        source: serde_json::Error,
    },
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!(", did you mean {name:?}?"))
}
