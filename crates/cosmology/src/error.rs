//! What can go wrong with a sky.

use std::path::PathBuf;

use cupel_data::AxisKind;

use crate::Unit;

/// The result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong with a sky.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file, an axis or a shape.
    #[error(transparent)]
    Data(#[from] cupel_data::Error),
    /// Components.
    #[error(transparent)]
    Pca(#[from] cupel_pca::Error),
    /// A run or its stop.
    #[error(transparent)]
    Train(#[from] cupel_train::Error),
    /// A setting out of its range.
    #[error(transparent)]
    Settings(#[from] cupel_settings::Problem),
    /// A unit that is not known.
    #[error("the unit {unit:?} is not known; the units are {known}")]
    UnknownUnit {
        /// The unit as it was written.
        unit: String,
        /// The units there are.
        known: String,
    },
    /// A conversion that needs more than is known.
    #[error("{from} to {to} needs {missing}, which is not known here")]
    Convert {
        /// The unit there is.
        from: Unit,
        /// The unit that is wanted.
        to: Unit,
        /// What would have to be known.
        missing: &'static str,
    },
    /// A setting that is needed and was not given.
    #[error("{setting} is not given; {why}")]
    Missing {
        /// The setting.
        setting: &'static str,
        /// What it is needed for.
        why: &'static str,
    },
    /// Pixels that are no map of the whole sphere.
    #[error("this is no HEALPix map: {problem}")]
    Healpix {
        /// What is wrong, with what was expected.
        problem: String,
    },
    /// What is wrong with what is in a file.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong; not a source, because the text says it all.
        problem: Box<Error>,
    },
    /// A file cannot be read as a sky or as visibilities.
    #[error("{}: {problem}; {fix}", path.display())]
    Sky {
        /// The file.
        path: PathBuf,
        /// What is wrong, with what was expected.
        problem: String,
        /// How to mend it.
        fix: String,
    },
    /// NaN or infinite values that no weight and no flag leaves out.
    #[error(
        "{count} of {len} values are not finite and not flagged, the first at [{}]; give a file of weights or flags (--weights) that leaves them out",
        index(first)
    )]
    NotFlagged {
        /// Where the first one is, axis by axis.
        first: Vec<(AxisKind, usize)>,
        /// How many there are.
        count: usize,
        /// The number of values.
        len: usize,
    },
    /// A weight that is none.
    #[error(
        "the weight {value} at [{}] is no weight; weights are finite and 0 or more, and 0 leaves a value out",
        index(at)
    )]
    Weight {
        /// Where it is, axis by axis.
        at: Vec<(AxisKind, usize)>,
        /// The weight.
        value: f32,
    },
    /// Nothing is left under the flags.
    #[error(
        "all {len} values are flagged or have weight 0, so that nothing is left; check the flags, in which nonzero leaves a value out"
    )]
    AllFlagged {
        /// The number of values.
        len: usize,
    },
    /// Something that a power spectrum cannot be made of.
    #[error("a power spectrum needs {expected}; got {got}")]
    Spectrum {
        /// What it needs.
        expected: &'static str,
        /// What there is.
        got: String,
    },
    /// Two things that do not fit together.
    #[error("{what} of shape {got:?} cannot be compared with {with} of shape {expected:?}; give two of one shape")]
    Compared {
        /// What is compared.
        what: &'static str,
        /// Its shape.
        got: Vec<usize>,
        /// What it is compared with.
        with: &'static str,
        /// The shape of that.
        expected: Vec<usize>,
    },
    /// Arrays that a network cannot be trained on.
    #[error("the {what} of a training: {problem}; {fix}")]
    Prepared {
        /// Which of them.
        what: &'static str,
        /// What is wrong, with what was expected.
        problem: String,
        /// How to mend it.
        fix: &'static str,
    },
    /// An estimator and a sky, or the skies of its training, that do not fit together.
    #[error("the estimator {name}: {problem}; {fix}")]
    Estimator {
        /// The name of the estimator.
        name: String,
        /// What does not fit.
        problem: String,
        /// How to mend it.
        fix: &'static str,
    },
    /// Matrices that are no covariances.
    #[error("the covariances of ring {ring} of multipoles: {problem}")]
    Covariance {
        /// The ring, from 0.
        ring: usize,
        /// What is wrong.
        problem: String,
    },
    /// A file of an estimator that cannot be used.
    #[error("{}: no estimator of this program: {problem}", path.display())]
    Stored {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A figure or the report failed.
    #[error(transparent)]
    Report(#[from] cupel_report::Error),
    /// Weights or flags of another shape.
    #[error("the {what} have shape {got:?}, the values {expected:?}; give one {} per value", what.trim_end_matches('s'))]
    WeightShape {
        /// Weights or flags.
        what: &'static str,
        /// The shape of the values.
        expected: Vec<usize>,
        /// The shape of the weights.
        got: Vec<usize>,
    },
}

/// A place in words.
fn index(at: &[(AxisKind, usize)]) -> String {
    at.iter().map(|(kind, position)| format!("{kind} {position}")).collect::<Vec<_>>().join(", ")
}
