//! Unmixes a scene whose materials are known, and says how near the answer is.
//!
//! `cargo run --release -p cupel-example-unmixing` prints an angle below 0.05 rad and an error below 0.05, and fails otherwise.

use cupel::{
    data::Stream,
    unmixing::{Agreement, Convention, Unmixing, UnmixingConfig, mix, patches, smooth_endmembers},
};

const ROWS: usize = 40;
const COLUMNS: usize = 50;
const BANDS: usize = 100;
const MATERIALS: usize = 3;
const SNR_DB: f64 = 30.0;
/// What a right answer stays below: radians, and a share of the pixel.
const EXPECTED: f64 = 0.05;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let stream = Stream::new(1, "example");
    let spectra = smooth_endmembers(MATERIALS, BANDS, stream.child(0))?;
    let shares = patches(ROWS, COLUMNS, MATERIALS, 0.05, stream.child(1))?;
    let pixels = mix(&spectra, &shares, SNR_DB, stream.child(2))?;

    let unmixed = Unmixing::new(UnmixingConfig::new(MATERIALS)).fit_pixels(&pixels)?;

    let agreement = Agreement::of(&unmixed.endmembers, &spectra)?;
    let errors = agreement.abundance_errors(unmixed.abundances(Convention::Rescaled), &shares)?;
    println!("{} pixels, {BANDS} bands, {MATERIALS} materials, {SNR_DB} dB", pixels.count());
    println!("mean spectral angle  {:.4} rad", agreement.mean_sad_rad);
    println!("abundance RMSE       {:.4}", errors.overall);
    if agreement.mean_sad_rad > EXPECTED || errors.overall > EXPECTED {
        return Err(format!("expected both below {EXPECTED}").into());
    }
    Ok(())
}
