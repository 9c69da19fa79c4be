//! Brightness, abundances and endmembers as a run writes them are the model whose error it prints, under every convention.

use burn::tensor::Device;
use cupel_data::{Array, EnviHeader, Stream, Values, open, write_envi_array};
use cupel_train::{Casting, Opening, Run, checks::exclusive, device};
use cupel_unmixing::{
    Convention, LargeScene, Method, Results, Scene, SceneFiles, Source, Unmixing, UnmixingConfig, mix, patches,
    smooth_endmembers,
};
use std::{collections::BTreeMap, path::Path};

use super::samples::{brightened, open_run, uniform};

const ROWS: usize = 20;
const COLUMNS: usize = 18;
const BANDS: usize = 24;
const COUNT: usize = 3;
/// A pixel without data.
const UNUSABLE: usize = 77;
/// Spectra are divided by the scale in f32, and maps of tiles are f32, each with rounding of 6e-8 of numbers near one.
const TOLERANCE: f64 = 1e-6;

/// An image under light that varies by a factor of three, in numbers up to some thousands.
fn scene(path: &Path) -> Vec<f32> {
    let stream = Stream::new(3, "model of a scene");
    let truth = smooth_endmembers(COUNT, BANDS, stream.child(0)).unwrap();
    let shares = patches(ROWS, COLUMNS, COUNT, 0.05, stream.child(1)).unwrap();
    let light = uniform(stream.child(3), ROWS * COLUMNS);
    let pixels = brightened(&mix(&truth, &shares, 35.0, stream.child(2)).unwrap(), |n| 3000.0 * (0.5 + light[n]));
    let mut values = pixels.values().to_vec();
    values[UNUSABLE * BANDS..(UNUSABLE + 1) * BANDS].fill(f32::NAN);
    let array = Array::new(vec![ROWS, COLUMNS, BANDS], Values::F32(values.clone())).unwrap();
    write_envi_array(path, &EnviHeader::new(ROWS, COLUMNS, BANDS), &array).unwrap();
    values
}

fn cpu() -> Device {
    device::select("cpu").unwrap().device
}

fn in_folder(dir: &Path) -> Run {
    open_run(dir, &BTreeMap::from([("test", "model")]), Opening::Create)
}

fn unmix(source: &Source, method: Method, abundance: Convention, dir: &Path) -> Results {
    let config = UnmixingConfig { method, abundance, seed: 1, ..UnmixingConfig::new(COUNT) };
    let steps = method.is_network().then_some(50);
    let unmixing = Unmixing::new(UnmixingConfig { steps, ..config }).on(&cpu(), Casting::f32());
    unmixing.run(source, &mut in_folder(dir)).unwrap()
}

/// The array or image of this name.
fn written(dir: &Path, name: &str) -> Vec<f64> {
    let path = [format!("{name}.npy"), format!("{name}.hdr")].map(|name| dir.join(name));
    let path = path.iter().find(|path| path.exists()).unwrap();
    open(path).unwrap().cube::<f64>(None).unwrap().into_values()
}

/// Reads what was written and compares errors, those of pixels and that over all; gives brightness and endmembers.
fn check(what: &str, results: &Results, dir: &Path, values: &[f32]) -> (Vec<f64>, Vec<f64>) {
    let [endmembers, abundances, brightness, errors] =
        ["endmembers", "abundances", "brightness", "reconstruction_error"].map(|name| written(dir, name));
    let scale = values.iter().copied().filter(|v| v.is_finite()).fold(0.0, f32::max);
    let (mut sum, mut pixels) = (0.0, 0);
    for (n, spectrum) in values.chunks_exact(BANDS).enumerate() {
        if n == UNUSABLE {
            assert!(brightness[n].is_nan() && errors[n].is_nan(), "{what}");
            continue;
        }
        let model = |band: usize| {
            let shares = &abundances[n * COUNT..(n + 1) * COUNT];
            brightness[n] * shares.iter().enumerate().map(|(k, a)| a * endmembers[k * BANDS + band]).sum::<f64>()
        };
        let left = |(band, v): (usize, &f32)| ((f64::from(*v) - model(band)) / f64::from(scale)).powi(2);
        let square = spectrum.iter().enumerate().map(left).sum::<f64>() / BANDS as f64;
        assert!((square.sqrt() - errors[n]).abs() < TOLERANCE, "{what}, pixel {n}: {} {}", square.sqrt(), errors[n]);
        (sum, pixels) = (sum + square, pixels + 1);
    }
    let (rmse, printed) = ((sum / f64::from(pixels)).sqrt(), results.summary.reconstruction_rmse);
    assert!((rmse - printed).abs() < TOLERANCE, "{what}: {rmse} is printed as {printed}");
    (brightness, endmembers)
}

#[test]
fn brightness_times_abundances_times_endmembers_has_the_error_that_is_printed() {
    let _alone = exclusive();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scene.img");
    let values = scene(&path);
    let scale = f64::from(values.iter().copied().filter(|v| v.is_finite()).fold(0.0, f32::max));
    let whole = Source::from(Scene::open(&SceneFiles::of(&path)).unwrap());
    let tiled = || {
        let large = LargeScene::open_from(&SceneFiles::of(&path), 0).unwrap().unwrap();
        Source::from(large.with_tile_rows(7))
    };
    for method in [Method::Vca, Method::Auto, Method::Pmm, Method::Sunsal, Method::LinearAe] {
        let own = method.has_own_abundances().then_some(Convention::Own);
        let mut errors = BTreeMap::new();
        for convention in Convention::OF_ENDMEMBERS.into_iter().chain(own) {
            let mut sources = vec![("whole", None)];
            if Method::EXTRACTORS.contains(&method) {
                sources.push(("tiled", Some(tiled())));
            }
            for (how, source) in sources {
                let (what, dir) = (
                    format!("{method} {convention} {how}"),
                    folder.path().join(format!("{method}-{convention}-{how}")),
                );
                let results = unmix(source.as_ref().unwrap_or(&whole), method, convention, &dir);
                assert_eq!(results.summary.abundance, convention);
                assert!(results.to_string().contains(&format!("({convention})")), "{results}");
                let (brightness, endmembers) = check(&what, &results, &dir, &values);
                let lit = brightness.iter().filter(|b| b.is_finite() && (**b - 1.0).abs() > 0.05).count();
                let one = matches!(convention, Convention::Fcls | Convention::Nnls);
                assert!(if one { lit == 0 } else { lit > ROWS * COLUMNS / 4 }, "{what}: {lit} are not one");
                if convention == Convention::UnitMax {
                    let most = |spectrum: &[f64]| spectrum.iter().copied().fold(0.0, f64::max);
                    assert!(endmembers.chunks(BANDS).all(|e| (most(e) / scale - 1.0).abs() < 1e-9), "{what}");
                }
                errors.insert(convention.name(), results.summary.reconstruction_rmse);
            }
        }
        // what may be multiplied pixel by pixel fits better, and the fit of free weights best
        assert!(errors["fcls"] > 1.5 * errors["nnls"], "{method}: {errors:?}");
        assert!(errors["rescaled"] >= errors["nnls"], "{method}: {errors:?}");
        assert!((errors["unit-max"] / errors["nnls"] - 1.0).abs() < 1e-6, "{method}: {errors:?}");
    }
}
