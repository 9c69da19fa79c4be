/// What can go wrong in a principal component analysis.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An axis is missing, or is not the one the analysis was made for.
    #[error(transparent)]
    Data(#[from] cupel_data::Error),
    /// A chunk lies along another axis than the covariance.
    #[error(
        "covariance along {expected_kind:?} of length {expected_len}: the chunk's axis has length {got_len} or other coordinates"
    )]
    AxisMismatch {
        /// Kind of the axis.
        expected_kind: cupel_data::AxisKind,
        /// Length of the axis the covariance was made for.
        expected_len: usize,
        /// Length of the chunk's axis of that kind.
        got_len: usize,
    },
    /// A value that is not a number, or infinite, was met.
    #[error("sample {sample}, channel {channel}: {value} is not finite; mask or remove such samples first")]
    NotFinite {
        /// Sample index within the chunk.
        sample: usize,
        /// Index along the axis.
        channel: usize,
        /// The value.
        value: f32,
    },
    /// Too few samples to define what was asked for.
    #[error("{needed} samples are needed, {got} were seen")]
    TooFewSamples {
        /// Smallest number that would do.
        needed: u64,
        /// Number seen.
        got: u64,
    },
    /// More components were asked for than there are channels, or none.
    #[error("{asked} components asked for; between 1 and {channels} are possible")]
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
    /// The eigenvalue iteration did not converge.
    #[error("the eigendecomposition of a {size} x {size} matrix did not converge")]
    NoConvergence {
        /// Number of rows.
        size: usize,
    },
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
