//! The comparison that comes with the simulated sky `sim32`: a sky of 32^3 values, cleaned of four components.
//!
//! It is looked for in the folder `CUPEL_DATA`, or in `../shared/data` beside the workspace; without it the test says so and passes.

use std::path::{Path, PathBuf};

use cupel_cosmology::{
    evaluate,
    power::{Binning, Bins, Comparison, Estimator, PowerConfig, Volume},
};
use cupel_data::Cube;
use serde_json::Value;

use super::skies::{KINDS, near};

fn folder() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("CUPEL_DATA").map_or_else(beside, PathBuf::from).join("cosmology/sim32");
    if !folder.is_dir() {
        eprintln!("SKIPPED: {} is not there; set CUPEL_DATA to the folder that holds cosmology/", folder.display());
        return None;
    }
    Some(folder)
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// All numbers of one table within 1e-5, from its entry `first` on.
fn check(name: &str, bins: &[Comparison], published: &Value, first: usize) {
    type Column = (&'static str, fn(&Comparison) -> f64);
    let columns: [Column; 10] = [
        ("k", |bin| bin.k),
        ("n", |bin| bin.modes as f64),
        ("P_true", |bin| bin.p_true),
        ("P_est", |bin| bin.p_est),
        ("P_cross", |bin| bin.p_cross),
        ("P_resid", |bin| bin.p_residual),
        ("T", |bin| bin.t),
        ("T_cross", |bin| bin.t_cross),
        ("r", |bin| bin.r),
        ("resid_ratio", |bin| bin.residual_ratio),
    ];
    for (column, of) in columns {
        let expected = numbers(&published[column]);
        assert_eq!(expected.len(), bins.len() + first, "{name} {column}");
        for (index, (bin, expected)) in bins.iter().zip(&expected[first..]).enumerate() {
            near(of(bin), *expected, 1e-5, &format!("{name} {column} {index}"));
        }
    }
}

#[test]
fn the_published_comparison_is_found_again() {
    let Some(folder) = folder() else { return };
    let read = |name: &str| -> Cube<f32> {
        cupel_data::open(folder.join(name)).unwrap().cube::<f32>(None).unwrap().rename(&KINDS).unwrap()
    };
    let (truth, estimate) = (read("signal.npy"), read("clean_nfg4.npy"));
    let sides = numbers(&json(&folder.join("info.json"))["L_mpc_h"]);
    let published = json(&folder.join("metrics_nfg4.json"));
    let volume = Volume::comoving([32; 3], [sides[2], sides[0], sides[1]]).unwrap();
    let estimator = Estimator::new(volume);
    let evaluation = evaluate(&truth, &estimate, None, &estimator, &PowerConfig::default()).unwrap();
    for (name, got) in [("mse", evaluation.map.mse), ("nmse", evaluation.map.nmse), ("pearson", evaluation.map.r)] {
        near(got, published[name].as_f64().unwrap(), 1e-6, name);
    }
    // there k_par = 0 is the first entry
    check("k_par", &evaluation.k_par, &published["kpar"], 1);

    let (truth, estimate) = (estimator.modes(&truth).unwrap(), estimator.modes(&estimate).unwrap());
    let [kx, ky, kz] = [0, 1, 2].map(|axis| std::f64::consts::TAU / sides[axis]);
    let across = (16.0 * kx).hypot(16.0 * ky);
    let ratio_steps = |first: f64, last: f64| -> Vec<f64> {
        (0..=10).map(|i| first * (last / first).powf(f64::from(i) / 10.0)).collect()
    };
    // the last bin there is open at its end, where the mode of the corner lies
    let mut shells = ratio_steps(kx.min(kz), across.hypot(16.0 * kz));
    shells[10] *= 1.0 - 1e-9;
    let bins = estimator.compare(&truth, &estimate, &Binning::Spherical(Bins::Edges(shells))).unwrap();
    check("shells", &bins, &published["iso"], 0);

    let rings = Bins::Edges(ratio_steps(kx * 0.99, across * 1.01));
    let binning = Binning::Cylindrical { perpendicular: rings, parallel: Bins::Edges(vec![0.0, 10.0]) };
    let rings: Vec<Comparison> = estimator.compare(&truth, &estimate, &binning).unwrap();
    let of_rings = estimator.power(&truth, &binning).unwrap();
    // there a ring has the mean k_perp
    let rings: Vec<Comparison> =
        rings.iter().zip(&of_rings).map(|(bin, band)| Comparison { k: band.k_perp, ..*bin }).collect();
    check("rings", &rings, &published["kperp"], 0);
}
