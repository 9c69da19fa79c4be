//! Which algorithm unmixes, and in which space extractors look for the endmembers.

use serde::{Deserialize, Serialize};

/// How a scene is unmixed.
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
    /// The probabilistic mixture model, see [`Mixture`](crate::Mixture).
    Pmm,
    /// Autoencoder of single pixels with a linear decoder, see [`LinearAutoencoder`](crate::LinearAutoencoder).
    LinearAe,
    /// Convolutional autoencoder of patches, see [`Cnnaeu`](crate::Cnnaeu).
    Cnnaeu,
    /// Untrained convolutional network with a prior of small simplexes, see [`Misicnet`](crate::Misicnet).
    Misicnet,
    /// Convolutional encoder with a transformer, see [`Deeptrans`](crate::Deeptrans).
    Deeptrans,
    /// Sparse regression against a library, see [`Sunsal`](crate::Sunsal).
    Sunsal,
}

impl Method {
    /// The extractors, in the order of reports.
    pub const EXTRACTORS: [Self; 5] = [Self::Auto, Self::Edaa, Self::Vca, Self::Nfindr, Self::Spa];

    /// Methods that find endmembers and abundances together, in the order of reports.
    pub const JOINT: [Self; 5] = [Self::LinearAe, Self::Cnnaeu, Self::Misicnet, Self::Deeptrans, Self::Sunsal];

    /// Whether the method computes on a device, in any precision; the others run on the CPU.
    pub fn uses_device(self) -> bool {
        matches!(self, Self::LinearAe) || self.looks_at_neighbours()
    }

    /// Whether the method needs an image, in which pixels have neighbours.
    pub fn looks_at_neighbours(self) -> bool {
        matches!(self, Self::Cnnaeu | Self::Misicnet | Self::Deeptrans)
    }

    /// Whether the method gives abundances of its own, [`Convention::Own`](crate::Convention::Own).
    pub fn has_own_abundances(self) -> bool {
        self == Self::Pmm || Self::JOINT.contains(&self)
    }

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Edaa => "edaa",
            Self::Vca => "vca",
            Self::Nfindr => "nfindr",
            Self::Spa => "spa",
            Self::Pmm => "pmm",
            Self::LinearAe => "linear-ae",
            Self::Cnnaeu => "cnnaeu",
            Self::Misicnet => "misicnet",
            Self::Deeptrans => "deeptrans",
            Self::Sunsal => "sunsal",
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
