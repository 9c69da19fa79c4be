//! Takes the foregrounds off a simulated sky whose signal is known, and says how near the answer is.
//!
//! `cargo run --release -p cupel-example-cosmology` prints a correlation above 0.85, and fails otherwise.

use cupel::{
    cosmology::{
        Background, CleanMethod, clean, evaluate,
        power::{PowerConfig, Volume},
        simulate::{SimulateConfig, Simulation},
    },
    pca::Modes,
};

const CHANNELS: usize = 32;
const PIXELS: usize = 32;
/// What a right answer stays above.
const EXPECTED: f64 = 0.85;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let simulation =
        Simulation::new(SimulateConfig { nfreq: CHANNELS, nx: PIXELS, seed: 1, ..SimulateConfig::default() })?;
    let sky = simulation.sky(0)?;

    let cleaned = clean(&sky.observation()?, CleanMethod::Pca, Modes::Count(4))?;

    let power = PowerConfig::default();
    let volume = Volume::of(simulation.geometry(), [PIXELS; 2], &Background::default())?;
    let evaluation = evaluate(&sky.signal, cleaned.sky.cube(), None, &power.estimator(volume, None)?, &power)?;
    println!("foregrounds {:.0} mK rms, signal {:.3} mK rms", sky.info.rms["fg"], sky.info.rms["signal"]);
    println!("{}; correlation with the signal {:.3}", cleaned.rule, evaluation.map.r);
    if evaluation.map.r < EXPECTED {
        return Err(format!("expected more than {EXPECTED}").into());
    }
    Ok(())
}
