//! The committed files and what is in them.

use std::path::PathBuf;

use cupel_cosmology::ReadConfig;
use cupel_data::Complex;
use cupel_settings::Settings;

/// A committed file.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The configuration with these settings.
pub fn config(settings: &[(&str, &str)]) -> ReadConfig {
    let mut config = ReadConfig::default();
    for (name, text) in settings {
        config.set(name, text).unwrap();
    }
    config
}

/// `sky` of `make.py`.
pub fn sky(channel: usize, row: usize, column: usize) -> f32 {
    (100 * channel + 10 * row + column) as f32 + 0.5
}

/// `visibility` of `make.py`.
pub fn visibility(baseline: usize, channel: usize, time: usize, feed: usize) -> Complex<f32> {
    Complex::new(baseline as f32 + channel as f32 / 8.0, time as f32 + feed as f32 / 8.0)
}

/// The text of an error.
pub fn refusal<T: std::fmt::Debug>(result: cupel_cosmology::Result<T>) -> String {
    result.unwrap_err().to_string()
}
