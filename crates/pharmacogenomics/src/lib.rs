//! Pharmacogenomics: what a drug does in a genotype, with the odds, the evidence and an honest "unknown".
//!
//! A [`Schema`] says which columns of a table are fields and which are targets; [`Examples`] reads them under one spelling,
//! [`Parts`] splits them and [`Leakage`] says what a split gives away. [`Predictor::train`] fits models, blends and calibrates them;
//! [`Model`] is the folder that answers, [`Evaluation`] what it is worth. [`Encoder`] turns names into ids of an embedding table.

mod answer;
mod answers;
mod atc;
mod blend;
mod boosting;
mod calibration;
mod classifier;
mod conformal;
mod contrast;
mod counted;
mod counting;
mod counts;
mod dealing;
mod decision;
mod effect_fit;
mod encode_file;
mod encoder;
mod error;
mod evaluation;
mod evidence;
mod examples;
mod field_net;
mod field_net_config;
mod fitting;
mod forest;
mod head_loss;
mod hidden;
mod id_files;
mod joint;
mod leakage;
mod linear;
mod member_file;
pub mod metrics;
mod minimise;
mod model_folder;
mod name_parts;
mod names;
mod neighbours;
mod network;
mod normalise;
mod outputs;
#[cfg(feature = "parquet")]
mod parquet_rows;
mod patient;
mod planted;
mod predictions;
mod predictor;
mod recent_cells;
mod schema;
mod search;
mod sparse;
mod split_config;
mod splits;
mod stored;
mod table_rows;
mod target_statistics;
mod targets;
mod token_config;
mod tokens;
mod train_config;
mod training;
mod verdict;
mod vocabulary;

pub use answer::{Answer, JointAnswer, TargetAnswer, UnknownName, question};
pub use answers::Answers;
pub use atc::atc_levels;
pub use blend::Blend;
pub use boosting::{Boosting, BoostingConfig};
pub use classifier::{Classifier, Majority, Member, MemberConfig};
pub use conformal::Conformal;
pub use contrast::ContrastConfig;
pub use counted::{CountedInputs, CountedWidths};
pub use counts::{Counts, CountsConfig};
pub use decision::Decision;
pub use effect_fit::{EffectBatch, EffectConfig, EffectFit};
pub use encode_file::{encode_file, encode_rows, fit_file};
pub use encoder::{Encoded, Encoder, FieldRecord};
pub use error::{Error, Result};
pub use evaluation::{
    Coverage, Evaluation, EvaluationConfig, Given, HEADLINE, JointEvaluation, Measured, Measures, STRATA, STRATUM_ROWS,
    TargetEvaluation,
};
pub use evidence::{Evidence, Near};
pub use examples::{Examples, Purpose, column_names};
pub use field_net::{FieldNet, Inputs, Widths};
pub use field_net_config::{FieldNetConfig, Interaction, Reads};
pub use fitting::Fitting;
pub use head_loss::HeadLoss;
pub use hidden::Hidden;
pub use joint::Joint;
pub use leakage::{Leakage, Shared};
pub use linear::{Linear, LinearConfig};
pub use model_folder::{Model, Origin};
pub use neighbours::{Neighbours, NeighboursConfig};
pub use network::{Network, NetworkConfig};
pub use normalise::normalise;
pub use outputs::{model_card, save_report};
pub use patient::{
    Assembly, DefinitionSource, DrugAnswer, GeneCall, GivenGene, Group, MissingGene, NotDetermined, PairOdds, Patient,
    PatientAnswers, PatientConfig, Phenotype, PossibleRecommendation, Recommendation, Sex, SilentRule, Source, Tables,
};
pub use planted::{PLANTED_FIELDS, PLANTED_PAIRS, Planted, demo, planted};
pub use predictions::Predictions;
pub use predictor::{Answering, Predictor};
pub use schema::{Field, FieldKind, FieldSet, MIN_CLASS, Schema, Target, TargetKind};
pub use search::{Found, check_space, in_trial, search, search_loss, search_space};
pub use split_config::{SplitConfig, SplitKind};
pub use splits::Parts;
pub use stored::Kept;
pub use targets::{Classes, Labels, OTHER};
pub use token_config::TokenConfig;
pub use train_config::{EnsembleConfig, ModelKind, TrainConfig};
pub use training::{Rehearsal, Trained, Training};
pub use verdict::Verdict;
pub use vocabulary::{FIRST_ID, MISSING_ID, UNKNOWN_ID, Vocabulary};
