//! What a measurement costs: in full, from the kept spectrum on the small detector, and known; as one line of JSON.
//!
//! A field of 1024, an object of 512, apertures of radius 20 at 48 centres at once. `full` makes every image on the whole grid, six at once;
//! `cold` is a system that knows nothing, `warm` one that knows all. Times are milliseconds a centre, the median of turns in which
//! each has its turn. Usage: `measurement [TURNS]`.

use std::{error::Error, time::Instant};

use cupel_prism::{Image, MeasurementSystem, Plane, SamplingConfig, Telescope, TelescopeConfig};

const N: usize = 1024;
const OBJECT: usize = 512;
const CENTRES: usize = 48;
/// Centres at once on the whole grid; divides those.
const FULL: usize = 6;

fn main() -> Result<(), Box<dyn Error>> {
    let turns: usize = std::env::args().nth(1).map_or(Ok(7), |turns| turns.parse())?;
    let config = TelescopeConfig { n_pixels: N, aperture_radius_pixels: 20.0, ..TelescopeConfig::default() };
    let whole = Telescope::new(TelescopeConfig { detector: Some(N), ..config.clone() })?;
    let telescope = Telescope::new(config)?;
    let object = Plane::from_fn(OBJECT, OBJECT, |row, column| {
        let (y, x) = (row as f64 / 511.0, column as f64 / 511.0);
        (0.5 + 0.3 * (40.0 * y * y + 7.0 * x).sin() * (25.0 * x + 60.0 * x * y).cos() + 0.2 * y).clamp(0.0, 1.0).into()
    });
    let centres = SamplingConfig { samples: Some(CENTRES), ..SamplingConfig::default() }.centres(N, 20.0, 0)?;
    let (mut full, mut cold, mut warm) = (Vec::new(), Vec::new(), Vec::new());
    let each = |start: Instant| start.elapsed().as_secs_f64() * 1e3 / CENTRES as f64;
    let mut apart = 0.0_f64;
    for turn in 0..turns {
        // A few centres at once, for images of the whole grid are large; a system without memory, so that nothing else is kept.
        let image = Image::new(object.clone());
        let first = turn * FULL % CENTRES;
        let mut system = MeasurementSystem::new(whole.clone(), OBJECT)?.with_cache_bytes(0);
        let at = Instant::now();
        let of_full = system.measure(&image, None, &centres[first..first + FULL])?;
        full.push(at.elapsed().as_secs_f64() * 1e3 / FULL as f64);
        let mut system = MeasurementSystem::new(telescope.clone(), OBJECT)?;
        let at = Instant::now();
        let measurement = system.measure(&image, None, &centres)?;
        cold.push(each(at));
        let at = Instant::now();
        system.measure(&image, None, &centres)?;
        warm.push(each(at));
        let (step, side) = (N / telescope.detector(), telescope.detector());
        for index in 0..FULL {
            for (place, value) in measurement.intensity(first + index).iter().enumerate() {
                let same = of_full.intensity(index)[place / side * step * N + place % side * step];
                apart = apart.max(f64::from((value.sqrt() - same.sqrt()).abs()));
            }
        }
    }
    let image = Image::new(object);
    let mut system = MeasurementSystem::new(telescope.clone(), OBJECT)?;
    for _ in 0..5 {
        for centre in &centres {
            system.measure(&image, None, &[*centre])?;
        }
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (full, cold, warm) = (median(&mut full), median(&mut cold), median(&mut warm));
    let found = serde_json::json!({
        "n_pixels": N, "aperture_radius": 20, "detector": telescope.detector(), "centres": CENTRES, "turns": turns,
        "full_ms": full, "cold_ms": cold, "warm_ms": warm, "full_over_cold": full / cold, "full_over_warm": full / warm,
        "largest_difference_of_amplitudes": apart, "five_times": system.cache_stats(),
    });
    println!("{found}");
    Ok(())
}
