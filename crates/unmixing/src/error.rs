use std::path::PathBuf;

use cupel_settings::Problem;

/// What can go wrong in unmixing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading, writing or naming axes failed.
    #[error(transparent)]
    Data(#[from] cupel_data::Error),
    /// The covariance or its eigenvectors failed.
    #[error(transparent)]
    Pca(#[from] cupel_pca::Error),
    /// The run folder, its checkpoints or the device failed.
    #[error("{0}")]
    Train(#[from] cupel_train::Error),
    /// A setting that cannot be, or that has no effect.
    #[error("{0}")]
    Setting(#[from] Problem),
    /// A figure or the report failed.
    #[error(transparent)]
    Report(#[from] cupel_report::Error),
    /// There are no pixels, or the values are no whole number of spectra.
    #[error("{values} values are no whole number of spectra of {bands} bands; a scene needs at least one pixel")]
    NoPixels {
        /// Number of values.
        values: usize,
        /// Number of bands.
        bands: usize,
    },
    /// Values that are not a number, or infinite.
    #[error(
        "{}, band {band} is not a finite number ({count} such values in all); mask these pixels or remove these bands first", named(*pixel, *columns)
    )]
    NotFinite {
        /// First pixel concerned, counted from 0.
        pixel: usize,
        /// Columns of its image, where it is of one.
        columns: Option<usize>,
        /// Its band.
        band: usize,
        /// How many values are concerned.
        count: usize,
    },
    /// A scene of which nothing is left.
    #[error(
        "{}: none of the {pixels} pixels has data in every band that is used; name bands to drop (--drop-bands), or other pixels", path.display()
    )]
    NoData {
        /// The file.
        path: PathBuf,
        /// All pixels.
        pixels: usize,
    },
    /// A mask that does not belong to the scene.
    #[error("{}: the mask does not fit the scene: {problem}", path.display())]
    Mask {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        problem: String,
    },
    /// A file that holds no wavelengths.
    #[error("{}: no wavelengths: {problem}", path.display())]
    Wavelengths {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        problem: String,
    },
    /// Spectra that are zero in every band.
    #[error(
        "{} is zero in every band ({count} such pixels in all), so that no abundances exist there; crop or mask them first", named(*first, *columns)
    )]
    ZeroPixels {
        /// First pixel concerned, counted from 0.
        first: usize,
        /// Columns of its image, where it is of one.
        columns: Option<usize>,
        /// How many pixels are concerned.
        count: usize,
    },
    /// Values below zero in a scene that must have none.
    #[error(
        "{count} of {values} values are below zero, which the setting negative = refuse does not allow; mask these pixels, set the values to \
         zero (--negative clip), or let them stay (--negative allow)"
    )]
    BelowZero {
        /// How many there are.
        count: usize,
        /// Of so many.
        values: usize,
    },
    /// A number of endmembers that cannot be.
    #[error("{asked} endmembers asked for; {pixels} pixels of {bands} bands allow 1 to {}", pixels.min(bands))]
    EndmemberCount {
        /// Number asked for.
        asked: usize,
        /// Number of bands.
        bands: usize,
        /// Number of pixels.
        pixels: usize,
    },
    /// The extraction found fewer distinct spectra than asked for.
    #[error(
        "only {found} of {asked} endmembers could be told apart; the scene has fewer materials than asked for: try {found}"
    )]
    TooFewMaterials {
        /// Number asked for.
        asked: usize,
        /// Number found.
        found: usize,
    },
    /// Shapes that do not belong together.
    #[error("{what}: expected {expected}, got {got}")]
    Shape {
        /// What was compared.
        what: &'static str,
        /// What would fit.
        expected: String,
        /// What was given.
        got: String,
    },
    /// A file holds no scene that is known.
    #[error("{}: no scene recognised ({found}). {hint}", path.display())]
    NoScene {
        /// The file.
        path: PathBuf,
        /// The variables it holds.
        found: String,
        /// How to go on.
        hint: String,
    },
    /// A device whose results cannot be read.
    #[error("reading the results from the device: {problem}; try the device cpu")]
    Device {
        /// What the backend says.
        problem: String,
    },
    /// A library does not belong to the scene.
    #[error("{}: the library does not fit the scene: {problem}", path.display())]
    Library {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        problem: String,
    },
    /// The truth does not belong to the scene.
    #[error("{}: the truth does not fit the scene: {problem}", path.display())]
    Truth {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        problem: String,
    },
    /// More values than memory can hold.
    #[error(
        "{what}: {values} values need about {:.1} GiB of memory, {:.1} GiB are free; take fewer, or a larger machine",
        *needed as f64 / f64::from(1 << 30), *free as f64 / f64::from(1 << 30)
    )]
    Memory {
        /// What would be held.
        what: String,
        /// Values to hold.
        values: u64,
        /// Bytes that this takes.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// Results of a stopped run are no longer there.
    #[error(
        "{} has {got} bytes, and {expected} were written before the run stopped; start it again", path.display()
    )]
    LostResults {
        /// The file.
        path: PathBuf,
        /// Bytes that were written.
        expected: u64,
        /// Bytes there are.
        got: u64,
    },
}

/// A pixel by row and column, counted from 1, where it is one of an image.
fn named(pixel: usize, columns: Option<usize>) -> String {
    match columns.filter(|&columns| columns > 0) {
        Some(columns) => format!("the pixel at row {}, column {}", pixel / columns + 1, pixel % columns + 1),
        None => format!("pixel {pixel}"),
    }
}

impl Error {
    /// The same where its pixels are those of an image of so many columns.
    pub(crate) fn in_image(mut self, of: usize) -> Self {
        if let Self::NotFinite { columns, .. } | Self::ZeroPixels { columns, .. } = &mut self {
            *columns = Some(of);
        }
        self
    }

    /// A setting of another value than it takes.
    pub(crate) fn setting(name: &str, got: impl ToString, expected: impl ToString) -> Self {
        Problem::value(name, got, expected).into()
    }
}

/// Refuses what is not as `expected`.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(what: &'static str, expected: T, got: T) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    Err(Error::Shape { what, expected: format!("{expected:?}"), got: format!("{got:?}") })
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
