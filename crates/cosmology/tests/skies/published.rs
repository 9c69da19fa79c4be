//! Published data, where they are at hand: the folder `cosmology` in `CUPEL_DATA`, else in `../shared/data` beside the workspace. The
//! golden numbers are those of NumPy 2.4.6, and of astropy 8.0.2 and healpy 1.20.1 for the patches.

use std::path::{Path, PathBuf};

use cupel_cosmology::{Unit, read_sky, read_visibilities};
use cupel_data::{AxisKind, Complex};

use crate::common::config;

fn folder() -> Option<PathBuf> {
    let data = std::env::var_os("CUPEL_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let folder = data.join("cosmology");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: there are no skies in {}; set CUPEL_DATA", folder.display());
    None
}

#[test]
fn visibilities_of_hera_are_read() {
    let Some(folder) = folder() else { return };
    let frequencies = folder.join("hera_h1c_real_freqs_hz.npy").display().to_string();
    let settings = config(&[("unit", "count"), ("frequencies", &frequencies)]);
    let real = read_visibilities(folder.join("hera_h1c_real_vis_bl_freq_time_pol.npy"), &settings).unwrap();
    let kinds = [AxisKind::Baseline, AxisKind::Frequency, AxisKind::Time, AxisKind::Polarisation];
    assert_eq!((real.values().axes().kinds(), real.values().shape()), (kinds.to_vec(), vec![3, 1024, 36, 2]));
    assert_eq!(real.frequencies_mhz().unwrap()[..2], [100.0, 100.097_656_25]);
    assert_eq!(real.values().values()[((2 * 1024 + 700) * 36 + 20) * 2 + 1], REAL);

    let frequencies = folder.join("hera_sim4_freqs_hz.npy").display().to_string();
    let settings = config(&[("unit", "Jy"), ("frequencies", &frequencies)]);
    let simulated = read_visibilities(folder.join("hera_sim4_vis_bl96_freq60_time40.npy"), &settings).unwrap();
    assert_eq!(simulated.values().shape(), [96, 60, 40]);
    assert_eq!(simulated.values().values()[(50 * 60 + 30) * 40 + 20], SIMULATED);
}

const REAL: Complex<f32> = Complex::new(-0.005_951_881_4, -0.029_100_418);
const SIMULATED: Complex<f32> = Complex::new(-24.867_027, 10.137_225);

/// Interpolation, and for two components the sum of the patch with its first and its last value.
#[allow(clippy::type_complexity)]
const GOLDEN: [(&str, [(usize, [f64; 3]); 2]); 2] = [
    (
        "bilinear",
        [(0, [0.684414662, 0.00313555272, 0.00272412836]), (5, [0.0866592787, 0.000500899756, 0.00019421141])],
    ),
    ("nearest", [(0, [0.683940998, 0.00309300004, 0.00276000006]), (5, [0.0865541999, 0.000471800013, 0.0001969])]),
];

#[test]
fn the_simulation_of_the_peer_is_read_with_the_frequencies_beside_it() {
    let Some(folder) = folder() else { return };
    let sky = read_sky(folder.join("sim32/obs.npy"), &config(&[("unit", "mK"), ("side-deg", "20")])).unwrap();
    assert_eq!((sky.cube().shape(), sky.frequencies_mhz().unwrap()[0]), (vec![32; 3], 352.015_625));
    let lengths = sky.geometry().unwrap().lengths_mpc_h(&cupel_cosmology::Background::default());
    for (got, expected) in lengths.into_iter().zip([877.013050353731, 1383.9143898946215, 1383.9143898946215]) {
        assert!((got / expected - 1.0).abs() < 1e-4, "{got} {expected}");
    }
}

#[test]
fn patches_of_the_global_sky_model_are_those_of_healpy() {
    let Some(folder) = folder() else { return };
    let path = folder.join("gsm2016_nside64_nest_6comp.npy");
    let common = [
        ("unit", "MJy/sr"),
        ("frequencies", "1,2,3,4,5,6"),
        ("healpix", "nested"),
        ("patch-centre", "120,30"),
        ("patch-side", "20"),
        ("patch-pixels", "16"),
    ];
    for (interpolation, golden) in GOLDEN {
        let settings = config(&[&common[..], &[("patch-interpolation", interpolation)]].concat());
        let sky = read_sky(&path, &settings).unwrap();
        assert_eq!((sky.unit(), sky.cube().shape()), (Unit::MegajanskyPerSteradian, vec![6, 16, 16]));
        for (component, expected) in golden {
            let values = &sky.cube().values()[component * 256..(component + 1) * 256];
            let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
            let got = [sum, f64::from(values[0]), f64::from(values[255])];
            let near = |i: usize| (got[i] - expected[i]).abs() <= 1e-5 * expected[i].abs();
            assert!((0..3).all(near), "{interpolation} {component}: {got:?} {expected:?}");
        }
    }
}
