use std::path::PathBuf;

use cupel_settings::Problem;

/// What can go wrong in imaging through apertures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading or writing failed.
    #[error(transparent)]
    Data(#[from] cupel_data::Error),
    /// The run folder, its checkpoints or the device failed.
    #[error("{0}")]
    Train(#[from] cupel_train::Error),
    /// A setting that cannot be, or that has no effect.
    #[error("{0}")]
    Setting(#[from] Problem),
    /// A figure or the report failed.
    #[error(transparent)]
    Report(#[from] cupel_report::Error),
    /// Values of another number than their shape.
    #[error("{what}: {got} values for a shape of {wanted}")]
    Shape {
        /// What has them.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// How many the shape has.
        wanted: usize,
    },
    /// Optics that cannot make an image.
    #[error("{what}: got {got}, expected {expected}")]
    Optics {
        /// What is wrong.
        what: &'static str,
        /// What it was.
        got: String,
        /// What it has to be, and how to mend it.
        expected: String,
    },
    /// Measurements that contradict one another or themselves.
    #[error("{what}: got {got}, expected {expected}")]
    Measurement {
        /// What is wrong, and where.
        what: String,
        /// What it was.
        got: String,
        /// What it has to be, and how to mend it.
        expected: String,
    },
    /// An instrument file that does not describe an instrument.
    #[error("{}: {problem}; {fix}", path.display())]
    Instrument {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        problem: String,
        /// How to mend it.
        fix: String,
    },
    /// A file of exposures that cannot be taken as such.
    #[error("{}: {problem}; {fix}", path.display())]
    Exposures {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where; what it was and what it should be.
        problem: String,
        /// How to mend it.
        fix: String,
    },
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
