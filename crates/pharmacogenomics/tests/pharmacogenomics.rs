//! Behaviour through the public API.
//!
//! The table of annotations is looked for in the folder `CUPEL_DATA`, or in `../shared/data` beside the workspace; tests that
//! need it say so and pass where it is not there.

#[path = "pharmacogenomics/annotations.rs"]
mod annotations;
#[path = "pharmacogenomics/cases.rs"]
mod cases;
#[path = "pharmacogenomics/encoding.rs"]
mod encoding;
#[path = "pharmacogenomics/golden.rs"]
mod golden;
#[path = "pharmacogenomics/golden_net.rs"]
mod golden_net;
#[path = "pharmacogenomics/models.rs"]
mod models;
#[cfg(feature = "parquet")]
#[path = "pharmacogenomics/parquet.rs"]
mod parquet;
#[path = "pharmacogenomics/splitting.rs"]
mod splitting;
