//! `cupel demo`: the main job on a simulated scene, beside what it must beat.

use std::fmt;

use anyhow::Result;
use clap::Args;
use cupel::{
    data::{Axes, Axis, AxisKind, Cube, Stream},
    unmixing::{
        Agreement, Convention, Method, Pixels, Plan, Results, Scene, Source, Truth, Unmixing, UnmixingConfig, mix,
        patches, smooth_endmembers,
    },
};
use serde::Serialize;

use crate::{
    Command, Session,
    shared::{Device, Output, RunFolder, Seed, Shared, Threads},
};

/// Size of the simulated scene.
const ROWS: usize = 60;
const COLUMNS: usize = 80;
const BANDS: usize = 120;
/// Its materials.
const MATERIALS: [&str; 4] = ["soil", "leaves", "water", "roof"];
/// Its signal-to-noise ratio in decibels.
const SNR_DB: f64 = 30.0;
/// Hills cast shade: brightness varies by this factor up and down.
const SHADE: f64 = 1.6;
/// Nominal wavelengths of its bands.
const RANGE_NM: [f64; 2] = [400.0, 1000.0];

/// Unmix a simulated scene, and say what was found against the known truth
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    device: Device,
    #[command(flatten)]
    seed: Seed,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    run: RunFolder,
    #[command(flatten)]
    output: Output,
}

/// What the demo prints.
#[derive(Serialize)]
pub struct Shown {
    found: Results,
    vca_mean_sad_rad: f64,
    vca_fcls_rmse: f64,
}

impl Command for Arguments {
    type Plan = Plan;
    type Outcome = Shown;

    fn shared(&self) -> Shared<'_> {
        let computing = Shared::new(&self.output).device(&self.device).seed(&self.seed).threads(&self.threads);
        computing.run(&self.run)
    }

    fn stem(&self) -> String {
        "demo".to_owned()
    }

    fn plan(&self, session: &Session) -> Result<Plan> {
        let (rows, columns, bands, materials) = (ROWS, COLUMNS, BANDS, MATERIALS.len());
        session.note(format_args!(
            "simulating {rows} x {columns} pixels, {bands} bands, {materials} materials, {SNR_DB} dB"
        ));
        Ok(unmixing(session.seed()).plan(&simulate(session.seed())?.into())?)
    }

    fn work(self, _: Plan, session: &mut Session) -> Result<Shown> {
        let seed = session.seed();
        let scene = simulate(seed)?;
        let (vca_mean_sad_rad, vca_fcls_rmse) = vca(&scene, seed)?;
        let found = unmixing(seed).run(&Source::from(scene), session.run())?;
        Ok(Shown { found, vca_mean_sad_rad, vca_fcls_rmse })
    }
}

/// Brightness varies, so that sums at fixed brightness mean little.
fn unmixing(seed: u64) -> Unmixing {
    Unmixing::new(UnmixingConfig { abundance: Convention::UnitMax, seed, ..UnmixingConfig::new(MATERIALS.len()) })
}

/// A scene of patches under light and shade.
fn simulate(seed: u64) -> Result<Scene> {
    let stream = Stream::new(seed, "demo");
    let endmembers = smooth_endmembers(MATERIALS.len(), BANDS, stream.child(0))?;
    let abundances = patches(ROWS, COLUMNS, MATERIALS.len(), 0.04, stream.child(1))?;
    let pixels = mix(&endmembers, &abundances, SNR_DB, stream.child(2))?;
    let lit = pixels.spectra().enumerate().flat_map(|(n, spectrum)| {
        let (y, x) = (n / COLUMNS, n % COLUMNS);
        let slope = (y as f64 / 9.0).sin() * (x as f64 / 13.0).cos();
        let brightness = SHADE.powf(slope) as f32;
        spectrum.iter().map(move |v| v * brightness)
    });
    let step = (RANGE_NM[1] - RANGE_NM[0]) / (BANDS - 1) as f64;
    let centres = (0..BANDS).map(|b| RANGE_NM[0] + step * b as f64).collect();
    let axes = Axes::new(vec![
        Axis::new(AxisKind::Row, ROWS),
        Axis::new(AxisKind::Column, COLUMNS),
        Axis::new(AxisKind::Wavelength, BANDS).with_coordinates(centres, "nm")?,
    ])?;
    let names = MATERIALS.map(str::to_owned).to_vec();
    let truth = Truth { endmembers, abundances: Some(abundances), names };
    Ok(Scene::new("a simulated scene", Cube::new(lit.collect(), axes)?, Some(truth))?)
}

/// Mean spectral angle and abundance error of the usual pair, VCA and FCLS.
fn vca(scene: &Scene, seed: u64) -> Result<(f64, f64)> {
    let Some(truth) = &scene.truth else { return Ok((f64::NAN, f64::NAN)) };
    let config = UnmixingConfig {
        method: Method::Vca,
        abundance: Convention::Fcls,
        seed,
        ..UnmixingConfig::new(truth.endmembers.count())
    };
    let unmixed = Unmixing::new(config).fit_pixels(&Pixels::of(&scene.cube)?)?;
    let agreement = Agreement::of(&unmixed.endmembers, &truth.endmembers)?;
    let rmse = match &truth.abundances {
        Some(abundances) => agreement.abundance_errors(unmixed.own_abundances(), abundances)?.overall,
        None => f64::NAN,
    };
    Ok((agreement.mean_sad_rad, rmse))
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.found)?;
        writeln!(
            f,
            "for comparison        VCA + FCLS: mean SAD {:.4} rad, abundance RMSE {:.4}",
            self.vca_mean_sad_rad, self.vca_fcls_rmse
        )
    }
}
