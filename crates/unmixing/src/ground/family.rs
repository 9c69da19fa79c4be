//! [`Family`]: what a scene of the proving ground has that a linear mixture with white noise has not.

use cupel_settings::choices;

choices! {
    /// What a family of scenes has that a linear mixture with white noise has not.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum Family {
        /// Nothing: patches of materials that do not vary, some pixels pure, white noise
        Linear = "linear",
        /// No pixel is pure: at most 90, 80 or 65 % of one material
        Mixed = "mixed",
        /// Brightness varies from pixel to pixel
        Lit = "lit",
        /// Every material is scaled in its own way in every band (generalised linear mixing)
        Bandwise = "bandwise",
        /// Every material deviates at random and smoothly, as its near-pure pixels do where these are known
        Deviating = "deviating",
        /// Every pixel has its own spectrum out of a bundle for each material
        Bundles = "bundles",
        /// A part of the scene lies in shadow
        Shadow = "shadow",
        /// Light meets two materials one after the other (Fan)
        Fan = "fan",
        /// The same, more or less of it in every pixel (generalised bilinear)
        Bilinear = "bilinear",
        /// Grains mixed intimately (Hapke)
        Hapke = "hapke",
        /// Bands differ in their noise
        UnevenNoise = "uneven-noise",
        /// The noise of neighbouring bands is alike
        CorrelatedNoise = "correlated-noise",
        /// Columns have an offset of their own
        Striped = "striped",
        /// Some bands are zero or nothing but noise
        DeadBands = "dead-bands",
        /// A dark current too large was taken off: values below zero
        Negative = "negative",
        /// Few steps of a digitiser
        Quantised = "quantised",
    }
}

choices! {
    /// What a scene of the proving ground is for.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum Half {
        /// Methods and constants may be chosen on it
        Choosing = "choosing",
        /// Only what came of it is reported
        Reporting = "reporting",
    }
}
