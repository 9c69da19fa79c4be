//! Which algorithm unmixes, and in which space extractors look for the endmembers.

use cupel_settings::choices;

choices! {
    /// How a scene is unmixed.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum Method {
        /// All extractors in all spaces; the best candidate is chosen without the truth
        Auto = "auto",
        /// Entropic descent archetypal analysis
        Edaa = "edaa",
        /// Vertex component analysis
        Vca = "vca",
        /// N-FINDR
        Nfindr = "nfindr",
        /// Successive projection algorithm
        Spa = "spa",
        /// Probabilistic mixture model, with intervals of the abundances
        Pmm = "pmm",
        /// Autoencoder of single pixels with a linear decoder; as near to the truth as edaa on Samson, nearer on 5 of 6 scenes of the proving ground
        LinearAe = "linear-ae",
        /// Convolutional autoencoder of patches; further from the truth than edaa on Samson and, cut short, on 3 of 3 scenes of the proving ground
        Cnnaeu = "cnnaeu",
        /// Untrained convolutional network with a prior of small simplexes; further from the truth than edaa on Samson and, cut short, on 8 of 12 scenes of the proving ground
        Misicnet = "misicnet",
        /// Convolutional encoder with a transformer; further from the truth than edaa on Samson and, cut short, on 10 of 12 scenes of the proving ground
        Deeptrans = "deeptrans",
        /// Sparse regression against a library of spectra, or against near-pure spectra of the scene
        Sunsal = "sunsal",
    }
}

impl Method {
    /// The extractors, in the order of reports.
    pub const EXTRACTORS: [Self; 5] = [Self::Auto, Self::Edaa, Self::Vca, Self::Nfindr, Self::Spa];

    /// Methods that find endmembers and abundances together, in the order of reports.
    pub const JOINT: [Self; 5] = [Self::LinearAe, Self::Cnnaeu, Self::Misicnet, Self::Deeptrans, Self::Sunsal];

    /// Whether the method is a network, which computes on a device in any precision.
    pub fn is_network(self) -> bool {
        self == Self::LinearAe || self.looks_at_neighbours()
    }

    /// Whether the method needs an image, in which pixels have neighbours.
    pub fn looks_at_neighbours(self) -> bool {
        matches!(self, Self::Cnnaeu | Self::Misicnet | Self::Deeptrans)
    }

    /// Whether the method gives abundances of its own, [`Convention::Own`](crate::Convention::Own).
    pub fn has_own_abundances(self) -> bool {
        self == Self::Pmm || Self::JOINT.contains(&self)
    }
}

choices! {
    /// What is done to the pixels before an extractor sees them.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Space {
        /// Nothing: brightness counts, which is right where it does not vary
        Raw = "raw",
        /// Unit Euclidean norm: brightness does not count, but the noise of dark pixels grows
        Normalised = "normalised",
        /// Projected on as many directions as there are endmembers, which takes most of the noise off
        Denoised = "denoised",
        /// Both: projected, then unit norm
        DenoisedNormalised = "denoised-normalised",
    }
}
