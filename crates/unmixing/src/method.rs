//! Which algorithm looks for the endmembers, and in which space.

use serde::{Deserialize, Serialize};

/// How endmembers are extracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Method {
    /// All extractors in all spaces; the best candidate is chosen without the truth.
    Auto,
    /// Entropic descent archetypal analysis, from several starts.
    Edaa,
    /// Vertex component analysis.
    Vca,
    /// N-FINDR, from several starts.
    Nfindr,
    /// Successive projection algorithm.
    Spa,
}

impl Method {
    /// All methods, in the order of reports.
    pub const ALL: [Self; 5] = [Self::Auto, Self::Edaa, Self::Vca, Self::Nfindr, Self::Spa];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Edaa => "edaa",
            Self::Vca => "vca",
            Self::Nfindr => "nfindr",
            Self::Spa => "spa",
        }
    }
}

/// What is done to the pixels before an extractor sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Space {
    /// Nothing: brightness counts, which is right where it does not vary.
    Raw,
    /// Unit Euclidean norm: brightness does not count, but the noise of dark pixels grows.
    Normalised,
    /// Projected on as many directions as there are endmembers, which takes most of the noise off.
    Denoised,
    /// Both: projected, then unit norm.
    DenoisedNormalised,
}

impl Space {
    /// All spaces.
    pub const ALL: [Self; 4] = [Self::Raw, Self::Normalised, Self::Denoised, Self::DenoisedNormalised];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Normalised => "normalised",
            Self::Denoised => "denoised",
            Self::DenoisedNormalised => "denoised normalised",
        }
    }
}
