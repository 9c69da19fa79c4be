//! What can go wrong in a principal component analysis.

use std::path::PathBuf;

use cupel_data::AxisKind;

/// Every failure of this crate; the text says what was being done, where, what was expected and how to mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An axis is missing, or a file cannot be read or written.
    #[error(transparent)]
    Data(#[from] cupel_data::Error),
    /// A chunk, or another covariance, lies along another axis.
    #[error(
        "covariance along the {expected_kind} axis of length {expected_len}: the data lie along a {got_kind} axis of length {got_len}{}",
        if expected_kind == got_kind && expected_len == got_len { " with other coordinates" } else { "" }
    )]
    AxisMismatch {
        /// Kind of the axis the covariance was made for.
        expected_kind: AxisKind,
        /// Its length.
        expected_len: usize,
        /// Kind of the axis of the data.
        got_kind: AxisKind,
        /// Its length.
        got_len: usize,
    },
    /// Components were fitted along another axis.
    #[error("these components were fitted along {expected}; the data lie along {got}; fit components for these data")]
    OtherAxis {
        /// The axis of the components, in words.
        expected: String,
        /// The axis of the data, in words.
        got: String,
    },
    /// Components were fitted on other data.
    #[error("components of the data {expected} are needed; these were fitted on the data {got}; fit them again")]
    OtherData {
        /// Hash of the data that are meant.
        expected: String,
        /// Hash of those that the components were fitted on.
        got: String,
    },
    /// A covariance of another form than the one it is to be merged with, or that has no answer to what is asked.
    #[error("{expected} is needed, this is {got}")]
    OtherForm {
        /// What is needed.
        expected: &'static str,
        /// What it is.
        got: &'static str,
    },
    /// A Hermitian basis, applied to real numbers.
    #[error("these components are complex: read the data as complex numbers, or fit a real basis")]
    NeedsComplex,
    /// Scores of another number of modes.
    #[error("{expected} components have {expected} scores per sample, got {got}")]
    ScoreCount {
        /// Number of components.
        expected: usize,
        /// Number of scores.
        got: usize,
    },
    /// A value that is not a number, or infinite, was met.
    #[error("sample {sample}, channel {channel}: {value} is not finite; mask or remove such samples first")]
    NotFinite {
        /// Sample index within the chunk.
        sample: usize,
        /// Index along the axis.
        channel: usize,
        /// The value.
        value: f64,
    },
    /// A weight that is negative or not finite.
    #[error("sample {sample}, channel {channel}: the weight {value} is not a finite number of at least 0")]
    Weight {
        /// Sample index within the chunk.
        sample: usize,
        /// Index along the axis.
        channel: usize,
        /// The weight.
        value: f32,
    },
    /// Weights of another shape than the values.
    #[error("the weights are {got}, the values {expected}; give one weight per value")]
    WeightShape {
        /// Axes and lengths of the values.
        expected: String,
        /// Axes and lengths of the weights.
        got: String,
    },
    /// Too few samples to define what was asked for.
    #[error("{needed} samples are needed, {got} were seen; give more data, ask for fewer modes, or flag less")]
    TooFewSamples {
        /// Smallest number that would do.
        needed: u64,
        /// Number seen.
        got: u64,
    },
    /// More components were asked for than there are channels.
    #[error("{asked} components asked for; between 0 and {channels} are possible")]
    ComponentCount {
        /// Number asked for.
        asked: usize,
        /// Number of channels.
        channels: usize,
    },
    /// A fraction of explained variance outside (0, 1].
    #[error("explained variance {got}: expected a fraction above 0 and at most 1")]
    ExplainedVariance {
        /// Fraction asked for.
        got: f64,
    },
    /// No rule for a number of modes.
    #[error(
        "modes `{got}`: expected a number, a fraction of the variance such as 0.999, auto (eigen-gap) or marchenko-pastur"
    )]
    Modes {
        /// What was given.
        got: String,
    },
    /// A mock of another shape than the data that it is injected into.
    #[error("the mock has shape {got:?}, the data {expected:?}; they must have the same axes")]
    MockShape {
        /// Shape of the data.
        expected: Vec<usize>,
        /// Shape of the mock.
        got: Vec<usize>,
    },
    /// A mock that is the same everywhere.
    #[error("the mock signal has no variance: nothing is injected")]
    NoMock,
    /// Groups that do not fit their axis.
    #[error("grouping along the {kind} axis: {problem}")]
    Groups {
        /// The axis along which positions are grouped.
        kind: AxisKind,
        /// What is wrong.
        problem: String,
    },
    /// No files, or files that do not belong together.
    #[error("{}: {problem}", path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// What is wrong, and how to mend it.
        problem: String,
    },
    /// A file of components that are none.
    #[error("{}: no components: {problem}", path.display())]
    Stored {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A file that PyTorch wrote.
    #[error(
        "{path}: this is a file of PyTorch, which only Python can read; convert it once:\n  import numpy, torch\n  components = torch.load({path:?}, map_location=\"cpu\", weights_only=True)\n  numpy.savez({npz:?}, **{{name: numpy.asarray(value) for name, value in components.items()}})\nand give the .npz",
        path = path.display().to_string(),
        npz = path.with_extension("npz").display().to_string()
    )]
    Torch {
        /// The file.
        path: PathBuf,
    },
    /// Weights that leave nothing.
    #[error("every weight is 0: all data are flagged, nothing is left to clean; check the flags")]
    AllFlagged,
    /// A threshold of a spectral filter that is no variance.
    #[error("threshold {got}: expected the variance of signal and noise in a channel, finite and above 0")]
    Threshold {
        /// What was given.
        got: f64,
    },
    /// A spectrum that does not say what is noise.
    #[error("signal and noise cannot be told from these components: {problem}; or give the threshold")]
    Spectrum {
        /// Why not.
        problem: String,
    },
    /// A tensor of fewer bits than f32.
    #[error(
        "a tensor of {dtype}: foregrounds are 10^4 times the signal, and {dtype} has 2 or 3 digits, so that what is left would be rounding; \
         project in f32 or f64, and cast the result"
    )]
    LowPrecision {
        /// The type, in lower case.
        dtype: String,
    },
    /// A tensor whose projected axis does not have the channels of the components.
    #[error(
        "axis {axis} of the tensor has {got} values, the components have {expected} channels; name the axis of the channels"
    )]
    Channels {
        /// The axis.
        axis: usize,
        /// Channels of the components.
        expected: usize,
        /// Values along the axis; 0 where there is no such axis.
        got: usize,
    },
    /// A cut between two modes that cannot be told apart, which has no derivative.
    #[error(
        "the cut after {modes} modes parts two of equal variance ({value:e} and {next:e}) and has no gradient; cut elsewhere, or \
         use a threshold"
    )]
    Degenerate {
        /// Modes that are taken.
        modes: usize,
        /// Variance of the last one.
        value: f64,
        /// Variance of the next.
        next: f64,
    },
    /// The eigenvalue iteration did not converge.
    #[error("the eigendecomposition of a {size} x {size} matrix did not converge")]
    NoConvergence {
        /// Number of rows.
        size: usize,
    },
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
