//! What the mixture model promises, on scenes of the families of the proving ground that nothing was chosen on.

use cupel_train::{Policy, Run};
use cupel_unmixing::{Agreement, Extraction, ExtractionConfig, Family, GroundScene, LEVELS, Method, Mixture, Recipe};

/// Numbers of scenes begin here: the suite has the first ones.
const FIRST: usize = 1000;
/// Few materials, so that a scene takes a second.
const MOST_MATERIALS: usize = 3;

/// Linear mixtures with white noise, materials that vary, nonlinear mixtures, other noise.
const FAMILIES: [Family; 10] = [
    Family::Linear,
    Family::Lit,
    Family::Quantised,
    Family::Mixed,
    Family::Bandwise,
    Family::Deviating,
    Family::Bundles,
    Family::Bilinear,
    Family::UnevenNoise,
    Family::Striped,
];

#[derive(Default)]
struct Total {
    scenes: f64,
    start: f64,
    found: f64,
    held: [f64; 4],
    width: f64,
}

fn fit(family: Family, index: usize, total: &mut Total) {
    let recipe = Recipe::new(family, index);
    let GroundScene { image, truth } = recipe.scene(&[]).unwrap();
    let pixels = image.pixels();
    let config = ExtractionConfig { method: Method::Auto, endmembers: recipe.endmembers, restarts: 1, seed: 1 };
    let mut extraction = Extraction::new(pixels, config).unwrap();
    extraction.complete().unwrap();
    let extracted = extraction.choose().unwrap();
    let mut mixture = Mixture::new(pixels, &extracted, 1).unwrap();
    Run::in_memory().drive(&mut mixture, &Policy::default()).unwrap();
    let (found, posterior) = mixture.finish().unwrap();
    let start = Agreement::of(&extracted.endmembers, &truth.endmembers).unwrap().mean_sad_rad;
    let agreement = Agreement::of(&found, &truth.endmembers).unwrap();
    let abundances = truth.abundances.unwrap();
    total.scenes += 1.0;
    total.start += start;
    total.found += agreement.mean_sad_rad;
    for (level, held) in LEVELS.iter().zip(&mut total.held) {
        let (lower, upper) = posterior.interval(*level);
        let within = abundances.rows().enumerate().flat_map(|(n, row)| {
            let (lower, upper, order) = (&lower, &upper, &agreement.order);
            row.iter().zip(order).filter(move |(truth, k)| {
                let at = n * order.len() + **k;
                (lower[at] - 1e-6..=upper[at] + 1e-6).contains(*truth)
            })
        });
        *held += within.count() as f64 / abundances.values().len() as f64;
    }
    total.width += posterior.mean_width();
    println!("{}: {:?}, {start:.4} -> {:.4} rad", recipe.name(), posterior.regime, agreement.mean_sad_rad);
}

fn scenes(family: Family) -> impl Iterator<Item = usize> {
    (FIRST..).filter(move |&index| Recipe::new(family, index).endmembers <= MOST_MATERIALS).take(2)
}

#[test]
fn the_mixture_model_keeps_or_improves_its_start_and_its_intervals_hold() {
    let mut all = Total::default();
    for family in FAMILIES {
        let mut own = Total::default();
        for index in scenes(family) {
            fit(family, index, &mut own);
        }
        // two scenes of a family: the ground has more, and docs/results.md what it comes to
        assert!(own.found <= 1.15 * own.start, "{family}: {} -> {}", own.start, own.found);
        all.scenes += own.scenes;
        all.start += own.start;
        all.found += own.found;
        all.width += own.width;
        all.held.iter_mut().zip(own.held).for_each(|(all, own)| *all += own);
    }
    let held = all.held.map(|held| held / all.scenes);
    println!("{:.4} -> {:.4} rad, {held:.3?} held, {:.3} wide", all.start, all.found, all.width / all.scenes);
    assert!(all.found <= all.start, "{} -> {}", all.start, all.found);
    assert!((0.82..=0.98).contains(&held[2]) && held[0] < 0.75, "{held:?}");
    assert!(all.width / all.scenes <= 0.45, "{}", all.width / all.scenes);
}
