//! [`FieldNetConfig`]: the shape of a network over fields.

use crate::stored::Kept;
use cupel_settings::{Range, choices, settings};
use serde::{Deserialize, Serialize};

choices! {
    /// How pairs of embeddings speak.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Interaction {
        /// A dot product per pair
        Pairs = "pairs",
        /// A dot product per pair after a matrix of its own
        Matrices = "matrices",
        /// The vector of products, summed over pairs
        Bi = "bi",
        /// The sum of all dot products
        Scalar = "scalar",
        /// Nothing
        None = "none",
    }
}

choices! {
    /// What a network is told of a row.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Reads {
        /// Names, by embeddings
        Names = "names",
        /// Shares of classes counted on other rows; a table with fields of numbers or lists, which are not counted so, is read as with both
        Counts = "counts",
        /// Both, the logits added
        Both = "both",
    }
}

/// Why what names are read by has no effect.
pub(crate) const NO_NAMES: &str = "the network reads counts alone: choose --reads names or --reads both";

/// Most layers of a kind, and widest ones: a net of these has some 10^9 weights.
const DEEPEST: f64 = 16.0;
const WIDEST: f64 = 8192.0;

settings! {
    /// The shape of a [`FieldNet`](crate::FieldNet).
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct FieldNetConfig in "network" {
        /// Components of an embedding
        pub embedding: usize = 32, in Range::at_least(1.0).at_most(1024.0), "N";
        /// Width of the layers of the network
        pub hidden: usize = 256, in Range::at_least(1.0).at_most(WIDEST), "N";
        /// Layers of the network
        pub layers: usize = 1, in Range::at_least(0.0).at_most(DEEPEST), "N";
        /// Share of activations dropped in training
        pub dropout: f64 = 0.5, in Range::at_least(0.0).below(1.0), "SHARE";
        /// What pairs of embeddings say
        pub interaction: Interaction = Interaction::Pairs;
        /// Leave out the weight per name and class
        pub first_order: Kept as "no-first-order" = Kept(true);
        /// Layers of the attention encoder between the embeddings and the tower
        pub attention: usize = 0, in Range::at_least(0.0).at_most(DEEPEST), "N";
        /// Normalise after attention, as the original does, instead of before it
        pub norm_first: Kept as "norm-last" = Kept(true);
        /// The layers of the network see a class token after attention instead of the fields, as in the FT-Transformer
        pub class_token: bool = false;
        /// Interacting layers of AutoInt
        pub interacting: usize = 0, in Range::at_least(0.0).at_most(DEEPEST), "N";
        /// Cross layers of DCNv2
        pub cross: usize = 0, in Range::at_least(0.0).at_most(DEEPEST), "N";
        /// Rank of the cross layers
        pub cross_rank: usize = 32, in Range::at_least(1.0).at_most(WIDEST), "N";
        /// What the network is told of a row
        pub reads: Reads = Reads::Names;
        /// Width of the layers that are told, class by class, what was counted
        pub counted: usize = 64, in Range::at_least(1.0).at_most(WIDEST), "N";
        /// Share of the activations of these layers dropped in training
        pub counted_dropout: f64 = 0.2, in Range::at_least(0.0).below(1.0), "SHARE";
    }
    needs {
        [
            "embedding", "hidden", "layers", "dropout", "interaction", "no-first-order", "attention", "interacting", "cross",
        ] |own| own.reads != Reads::Counts => NO_NAMES;
        ["norm-last", "class-token"] |own| own.attention > 0 => "there is no layer of attention";
        ["counted", "counted-dropout"] |own| own.reads != Reads::Names => "the network reads names alone";
        ["cross-rank"] |own| own.cross > 0 => "there is no cross layer";
    }
}
