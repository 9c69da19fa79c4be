//! Unmixes a simulated scene and compares what was found with the truth.
//!
//! Run it with `cargo run --release --example unmixing`. It prints a mean spectral angle below 0.05 rad.

use cupel::{
    data::Stream,
    unmixing::{Agreement, Convention, Unmixing, UnmixingConfig, mix, patches, smooth_endmembers},
};

fn main() -> Result<(), cupel::unmixing::Error> {
    // three materials in patches, seen in 80 bands at 30 dB
    let stream = Stream::new(42, "example scene");
    let endmembers = smooth_endmembers(3, 80, stream.child(0))?;
    let abundances = patches(40, 40, 3, 0.05, stream.child(1))?;
    let pixels = mix(&endmembers, &abundances, 30.0, stream.child(2))?;

    let unmixed = Unmixing::new(UnmixingConfig::new(3)).fit_pixels(&pixels)?;

    let agreement = Agreement::of(&unmixed.endmembers, &endmembers)?;
    let errors = agreement.abundance_errors(unmixed.abundances(Convention::Rescaled), &abundances)?;
    println!("mean spectral angle {:.4} rad, abundance error {:.4}", agreement.mean_sad_rad, errors.overall);
    assert!(agreement.mean_sad_rad < 0.05, "expected below 0.05 rad");
    Ok(())
}
