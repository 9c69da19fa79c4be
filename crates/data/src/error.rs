//! What can go wrong between a file, an array and a batch.

use crate::{axes::AxisKind, table::Span};
use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Every failure of this crate; the text says what was being done, where, what was expected and how to fix it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("could not {action} {}: {}", path.display(), reason(source))]
    Io {
        /// What was being done, as in "could not *read* scene.npy".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// The content of a file is not what its format promises.
    #[error("{}: not a valid {format} file: {place}{problem}{}", path.display(), hint(fix))]
    Format {
        /// The file.
        path: PathBuf,
        /// The format it was read as, as in "NPY".
        format: &'static str,
        /// Where in the file.
        place: Place,
        /// What is wrong there, with what was expected.
        problem: String,
        /// How to fix it; may be empty.
        fix: String,
    },

    /// Something that can be opened but is not a file with an end: a pipe, a device, a socket.
    #[error("{} is {what}; a regular file is needed, write the data to one first", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is, with its article.
        what: &'static str,
    },
    /// The content of a file belongs to no format that is known.
    #[error("could not recognise the content of {}: {found}; the formats read are NPY, NPZ, MATLAB 4 to 7.3, HDF5, ENVI, FITS, TIFF, PNG, JPEG and CSV/TSV", path.display())]
    Unrecognised {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        found: String,
    },
    /// The content of a file belongs to a format that is known but not read.
    #[error("{} is {format}, which this version does not read; {fix}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The format, with its article.
        format: &'static str,
        /// What to do instead.
        fix: &'static str,
    },
    /// A file declares more than a limit of [`Limits`](crate::Limits) allows.
    #[error("{}: {place}{what} is {size}, more than the limit of {limit} ({name}); raise the limit if the file is to be trusted", path.display())]
    FileLimit {
        /// The file.
        path: PathBuf,
        /// Where in the file.
        place: Place,
        /// What is too large.
        what: &'static str,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
        /// The name of the limit.
        name: &'static str,
    },
    /// An array that memory does not hold.
    #[error("{}: {variable} takes {} of memory, {} are free; {fix}", path.display(), bytes(*needed), bytes(*free))]
    Memory {
        /// The file.
        path: PathBuf,
        /// The variable, with its shape and the type of its numbers.
        variable: String,
        /// Bytes that it takes.
        needed: u64,
        /// Bytes that are free.
        free: u64,
        /// What to do instead.
        fix: &'static str,
    },
    /// A file was asked for a variable that it does not have.
    #[error("{} has no variable {wanted:?}{}; it has {}", path.display(), did_you_mean(suggestion.as_deref()), variables(have))]
    MissingVariable {
        /// The file.
        path: PathBuf,
        /// The name asked for.
        wanted: String,
        /// The name that is nearest, if one is near.
        suggestion: Option<String>,
        /// The variables there are, each with its shape and class.
        have: Vec<String>,
    },
    /// A file holds several arrays and none was named.
    #[error("{} holds {} arrays, name the one to read: {}", path.display(), have.len(), variables(have))]
    SeveralVariables {
        /// The file.
        path: PathBuf,
        /// The arrays there are, each with its shape and class.
        have: Vec<String>,
    },
    /// A file holds nothing that could be read as an array.
    #[error("{} holds no array; it has {}", path.display(), variables(have))]
    NoArray {
        /// The file.
        path: PathBuf,
        /// The variables there are, each with its shape and class.
        have: Vec<String>,
    },
    /// A variable is of a class that cannot be read as what was asked for.
    #[error("variable {name:?} of {} is {class}, expected {expected}; {fix}", path.display())]
    VariableClass {
        /// The file.
        path: PathBuf,
        /// The variable.
        name: String,
        /// What it is.
        class: String,
        /// What was asked for.
        expected: &'static str,
        /// What to do about it.
        fix: String,
    },
    /// A number that the wanted type cannot hold.
    #[error(
        "the value {value} at {index:?} cannot be held by {wanted} without changing it; read the array as {instead}"
    )]
    Inexact {
        /// The value.
        value: String,
        /// Where it stands, axis by axis.
        index: Vec<usize>,
        /// The type that was wanted.
        wanted: &'static str,
        /// A type that can hold it.
        instead: &'static str,
    },
    /// A file format cannot hold what is to be written.
    #[error("could not write {} as {format}: {problem}; {fix}", path.display())]
    CannotHold {
        /// The file to be written.
        path: PathBuf,
        /// The format.
        format: &'static str,
        /// What it cannot hold.
        problem: String,
        /// What to do instead.
        fix: String,
    },
    /// An array is no image.
    #[error("{name:?} of {} cannot be read as an image: {problem}; name its axes, as in --axes rows,columns,bands, or another variable", path.display())]
    Axes {
        /// The file.
        path: PathBuf,
        /// The variable.
        name: String,
        /// Why.
        problem: String,
    },
    /// Wavelengths are missing or do not fit.
    #[error("{}: {problem}", path.display())]
    Wavelengths {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Two images do not belong together.
    #[error("{} and {} cannot be stacked: {problem}", first.display(), other.display())]
    Stack {
        /// The first image.
        first: PathBuf,
        /// The one that does not fit.
        other: PathBuf,
        /// Why.
        problem: String,
    },
    /// A file that is there would be replaced.
    #[error("{} exists; choose another name, or force to replace it", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },

    /// An axis was asked for that the array does not have.
    #[error("there is no {wanted} axis; the array has ({}); rename its axes or pass the right array", list(have))]
    MissingAxis {
        /// The axis asked for.
        wanted: AxisKind,
        /// The axes there are, in memory order.
        have: Vec<AxisKind>,
    },
    /// Two axes of one array have the same kind.
    #[error("two axes are both called {kind}; every axis of an array needs its own kind")]
    DuplicateAxis {
        /// The kind that occurs twice.
        kind: AxisKind,
    },
    /// A list of axes does not name each axis of the array once.
    #[error("{doing} needs each of the axes ({}) once, got ({})", list(expected), list(got))]
    AxisList {
        /// What was being done.
        doing: &'static str,
        /// The axes of the array.
        expected: Vec<AxisKind>,
        /// The axes that were named.
        got: Vec<AxisKind>,
    },
    /// An axis is longer or shorter than what it is used with.
    #[error("the {kind} axis has length {got}, expected {expected}")]
    AxisLength {
        /// The axis.
        kind: AxisKind,
        /// The length that fits.
        expected: usize,
        /// The length it has.
        got: usize,
    },
    /// The number of coordinates is not the length of the axis.
    #[error("the {kind} axis has length {len} but {got} coordinates were given; give one per position")]
    CoordinateCount {
        /// The axis.
        kind: AxisKind,
        /// Its length.
        len: usize,
        /// How many coordinates were given.
        got: usize,
    },
    /// A coordinate is not finite, or the coordinates do not go strictly up or strictly down.
    #[error("coordinate {index} of the {kind} axis, {value} {unit}, {problem}")]
    Coordinate {
        /// The axis.
        kind: AxisKind,
        /// The position of the first offender.
        index: usize,
        /// Its value.
        value: f64,
        /// The unit of the axis.
        unit: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Two axes are measured in different units.
    #[error("the {kind} axis is in {}, expected {expected}", got.unwrap_or("no known unit"))]
    Unit {
        /// The axis.
        kind: AxisKind,
        /// The unit that fits.
        expected: &'static str,
        /// The unit it has, if any.
        got: Option<&'static str>,
    },
    /// A name that no axis kind has.
    #[error("{name:?} is not an axis; the axes are {known}")]
    UnknownAxis {
        /// The name.
        name: String,
        /// The names that exist.
        known: String,
    },

    /// Shapes that do not fit together.
    #[error("{doing}: expected shape {expected:?}, got {got:?}")]
    Shape {
        /// What was being done.
        doing: &'static str,
        /// The shape that fits.
        expected: Vec<usize>,
        /// The shape there is.
        got: Vec<usize>,
    },
    /// The wrong number of values, rows, labels or axes.
    #[error("{doing}: expected {expected} {what}, got {got}")]
    Count {
        /// What was being done.
        doing: &'static str,
        /// What was counted, in the plural.
        what: &'static str,
        /// The count that fits.
        expected: usize,
        /// The count there is.
        got: usize,
    },
    /// A position beyond the end.
    #[error("{doing}: position {index} does not exist, there are {len}")]
    Index {
        /// What was being done.
        doing: &'static str,
        /// The position asked for.
        index: usize,
        /// How many there are.
        len: usize,
    },
    /// A size that this machine cannot address or a stated limit forbids.
    #[error("{doing}: {size} is more than {limit}")]
    TooLarge {
        /// What was being done.
        doing: &'static str,
        /// The size asked for, with its unit.
        size: String,
        /// The limit, with its unit and how to raise it where that is possible.
        limit: String,
    },
    /// NaN or infinite values where numbers are needed.
    #[error("{count} of {len} values are not finite, the first at {}; remove, mask or fill them first", at(first))]
    NonFinite {
        /// Where the first one is, axis by axis.
        first: Vec<(AxisKind, usize)>,
        /// How many there are.
        count: usize,
        /// The number of values looked at.
        len: usize,
    },

    /// A table was asked for a column that it does not have.
    #[error("there is no column {wanted:?}{}; the columns are {have:?}", did_you_mean(suggestion.as_deref()))]
    MissingColumn {
        /// The name asked for.
        wanted: String,
        /// The name that is nearest, if one is near.
        suggestion: Option<String>,
        /// The names there are.
        have: Vec<String>,
    },
    /// Two columns of a table have the same name.
    #[error("two columns are both called {name:?}; rename one")]
    DuplicateColumn {
        /// The name.
        name: String,
    },
    /// A column holds something else than what it is used as.
    #[error("column {name:?} holds {got}, expected {expected}")]
    ColumnType {
        /// The column.
        name: String,
        /// What is needed.
        expected: &'static str,
        /// What it holds.
        got: &'static str,
    },
    /// A row does not have one cell per column.
    #[error("{span}: expected {expected} cells, got {got}; quote cells that contain the separator")]
    Row {
        /// The file and line of the row.
        span: Span,
        /// The number of columns.
        expected: usize,
        /// The number of cells.
        got: usize,
    },
    /// A cell cannot be what its column has to be.
    #[error("{span}, column {column:?}: {problem}")]
    Cell {
        /// The file and line of the row.
        span: Span,
        /// The column.
        column: String,
        /// What is wrong with the cell and how to write it.
        problem: String,
    },

    /// Rows of one group stand on two sides of a split, so that a test would be answered from memory.
    #[error("{count} groups stand in more than one part of the split (first: {}); split by group", leaks(first))]
    Leak {
        /// How many groups leak.
        count: usize,
        /// The first of them, each with the two parts that share it.
        first: Vec<(u32, &'static str, &'static str)>,
    },
    /// A setting that cannot work.
    #[error("{name} = {value} is not possible: {problem}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// Why it cannot work and what can.
        problem: String,
    },

    /// A batch could not be made because the source panicked.
    #[error("loading the batch of epoch {epoch}, step {step} panicked: {message}")]
    LoadPanicked {
        /// The epoch.
        epoch: u64,
        /// The step in it.
        step: u64,
        /// What the panic said.
        message: String,
    },
    /// The threads of a loader are gone.
    #[error("the loader's worker threads could not be started or have stopped: {message}")]
    Workers {
        /// What happened.
        message: String,
    },
    /// A device did not take or give back an array.
    #[error("could not {action} an array of shape {shape:?}: {message}")]
    Device {
        /// What was being done, as in "could not *read back*".
        action: &'static str,
        /// The shape of the array.
        shape: Vec<usize>,
        /// What the device said.
        message: String,
    },
    /// What a batch source outside this crate could not do.
    #[error("{doing}")]
    Source {
        /// What was being done.
        doing: String,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// An [`Error::Io`], made for `map_err`: `.map_err(Error::io("read", path))`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}

/// Where in a file something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// The file as a whole.
    File,
    /// A byte, counted from 0.
    Byte(u64),
    /// A line, counted from 1.
    Line(u64),
    /// A field of a text table, both counted from 1.
    Field {
        /// The line.
        line: u64,
        /// The field in it.
        field: usize,
    },
    /// A named variable or archive member.
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => Ok(()),
            Self::Byte(offset) => write!(f, "byte {offset}: "),
            Self::Line(line) => write!(f, "line {line}: "),
            Self::Field { line, field } => write!(f, "line {line}, field {field}: "),
            Self::Variable(name) => write!(f, "variable {name:?}: "),
        }
    }
}

/// The refusals a user meets most, in words that say what to look at; anything else as the system words it.
fn reason(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder; check the path".into(),
        io::ErrorKind::PermissionDenied => "permission denied; check who owns it and its mode".into(),
        io::ErrorKind::IsADirectory => "it is a folder, a file is needed".into(),
        io::ErrorKind::StorageFull => "the disk is full; nothing was replaced".into(),
        _ => source.to_string(),
    }
}

/// How many variables a message lists before it only counts them.
const LISTED_VARIABLES: usize = 20;

fn variables(have: &[String]) -> String {
    if have.is_empty() {
        return "none".into();
    }
    let mut text = have[..have.len().min(LISTED_VARIABLES)].join(", ");
    if have.len() > LISTED_VARIABLES {
        text.push_str(&format!(" and {} more", have.len() - LISTED_VARIABLES));
    }
    text
}

/// A size in the unit that it is known by.
fn bytes(count: u64) -> String {
    match count {
        0..0x10_0000 => format!("{count} bytes"),
        0x10_0000..0x4000_0000 => format!("{:.1} MiB", count as f64 / f64::from(1 << 20)),
        _ => format!("{:.1} GiB", count as f64 / f64::from(1 << 30)),
    }
}

fn hint(fix: &str) -> String {
    if fix.is_empty() { String::new() } else { format!("; {fix}") }
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!(", did you mean {name:?}?"))
}

fn list(kinds: &[AxisKind]) -> String {
    let names: Vec<String> = kinds.iter().map(AxisKind::to_string).collect();
    names.join(", ")
}

fn at(index: &[(AxisKind, usize)]) -> String {
    let places: Vec<String> = index.iter().map(|(kind, i)| format!("{kind} {i}")).collect();
    places.join(", ")
}

fn leaks(groups: &[(u32, &'static str, &'static str)]) -> String {
    let texts: Vec<String> = groups.iter().map(|(group, a, b)| format!("group {group} in {a} and {b}")).collect();
    texts.join(", ")
}
