//! What can go wrong while a figure, a table or a report is made.

use std::path::{Path, PathBuf};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a figure, a table or a report could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was being done, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },

    /// A file could not be written into place.
    #[error(transparent)]
    Data(#[from] cupel_data::Error),

    /// The number of values of a map is not rows times columns.
    #[error(
        "map \"{title}\": {got} values were given for {rows} rows x {columns} columns; \
         give rows x columns values in row-major order, at least one"
    )]
    MapShape {
        /// Title of the map.
        title: String,
        /// Rows asked for.
        rows: usize,
        /// Columns asked for.
        columns: usize,
        /// Values given.
        got: usize,
    },

    /// A colour range that cannot be drawn.
    #[error("figure \"{title}\": the range {low} to {high} is not two finite numbers in rising order")]
    Range {
        /// Title of the figure.
        title: String,
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },

    /// A line has not one value for each coordinate.
    #[error(
        "chart \"{title}\", line \"{line}\": {coordinates} coordinates but {values} values; give one value for each coordinate"
    )]
    LineLength {
        /// Title of the chart.
        title: String,
        /// Label of the line.
        line: String,
        /// Number of coordinates.
        coordinates: usize,
        /// Number of values.
        values: usize,
    },

    /// A figure without anything that can be drawn.
    #[error("figure \"{title}\" has nothing to draw: {why}")]
    Nothing {
        /// Title of the figure.
        title: String,
        /// What is missing.
        why: &'static str,
    },

    /// A figure is larger than the largest picture that is written.
    #[error(
        "figure \"{title}\" would have {width} x {height} pixels, more than {limit} a side; draw fewer or smaller parts"
    )]
    TooLarge {
        /// Title of the figure.
        title: String,
        /// Width in pixels.
        width: u64,
        /// Height in pixels.
        height: u64,
        /// Largest side in pixels.
        limit: u64,
    },

    /// A picture could not be compressed.
    #[error("cannot encode the picture \"{title}\" as PNG: {source}")]
    Png {
        /// Title of the figure.
        title: String,
        /// The encoder's answer.
        source: png::EncodingError,
    },

    /// A row of a table has not one cell for each column.
    #[error("table row {row}: {got} cells for {expected} columns; give one cell for each column")]
    RowLength {
        /// Row, counted from 1.
        row: usize,
        /// Cells given.
        got: usize,
        /// Columns of the table.
        expected: usize,
    },

    /// A table file cannot be understood.
    #[error("cannot read the table {}: {source}", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// The parser's answer, with the line.
        source: csv::Error,
    },

    /// A JSON file cannot be understood.
    #[error("cannot read {}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The parser's answer, with line and column.
        source: serde_json::Error,
    },

    /// A figure, table or file of a report has a name that cannot be.
    #[error("{kind} \"{name}\" of the report: the name {problem}")]
    Name {
        /// Figure, table or file.
        kind: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },

    /// What a figure shows could not be computed.
    #[error("cannot draw the figure \"{name}\": {source}")]
    Drawing {
        /// Name of the figure.
        name: String,
        /// The error of whoever draws it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A story was written by a newer version.
    #[error(
        "{} has format {got}, this version reads formats up to {known}; use a newer cupel or remove the file",
        path.display()
    )]
    StoryFormat {
        /// The file.
        path: PathBuf,
        /// Format in the file.
        got: u32,
        /// Newest format known.
        known: u32,
    },

    /// The folder of a run is not there.
    #[error("there is no run folder {}; give the folder that a cupel command wrote with --out", path.display())]
    NoFolder {
        /// The path given.
        path: PathBuf,
    },

    /// A folder is there but no run wrote it.
    #[error(
        "{} is not the folder of a cupel run: it has none of environment.json, metrics.json, metrics.csv, finished.json and report.json; give the folder that a cupel command wrote with --out",
        path.display()
    )]
    NotARun {
        /// The path given.
        path: PathBuf,
    },

    /// A story names a file that is not inside its run folder.
    #[error("{} names the file \"{file}\", which is not a plain path inside the run folder; use one like figures/map.png", run.display())]
    OutsideRun {
        /// The run folder.
        run: PathBuf,
        /// The file as named.
        file: String,
    },

    /// Pictures that make no animation.
    #[error("an animation of {rows} x {columns} pixels: {problem}")]
    Animation {
        /// Rows of each.
        rows: usize,
        /// Columns of each.
        columns: usize,
        /// What is wrong and what would be right.
        problem: String,
    },

    /// A file of a run cannot be shown.
    #[error("cannot show {}: {problem}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong and what would be right.
        problem: String,
    },

    /// Fewer than two runs were given to compare.
    #[error("a comparison needs at least two run folders, {got} given")]
    TooFewRuns {
        /// Number of folders.
        got: usize,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}
