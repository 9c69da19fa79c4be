//! Networks and losses: against PyTorch, by the checks that every model passes, and by laws of their own.
//!
//! PyTorch's numbers are looked for in the folder `CUPEL_DATA`, or in `../shared/data` beside the workspace; tests that need them say so
//! and end where there are none.

#[path = "networks/checked.rs"]
mod checked;
#[path = "networks/estimators.rs"]
mod estimators;
#[path = "networks/golden.rs"]
mod golden;
#[path = "networks/losses.rs"]
mod losses;
#[path = "networks/observations.rs"]
mod observations;
#[path = "networks/shapes.rs"]
mod shapes;
#[path = "networks/skies.rs"]
mod skies;
