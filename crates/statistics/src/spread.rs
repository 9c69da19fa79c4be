//! [`Spread`]: how a number came out over runs.

use serde::{Deserialize, Serialize};

/// Mean and standard deviation over runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Sample standard deviation; zero for a single run.
    pub sd: f64,
}

impl Spread {
    /// Of these values; `None` where there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let square = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        (!values.is_empty()).then(|| Self { mean, sd: if count > 1.0 { (square / (count - 1.0)).sqrt() } else { 0.0 } })
    }
}
