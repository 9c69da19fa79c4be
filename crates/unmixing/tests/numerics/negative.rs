//! Values below zero: kept, set to zero or refused as asked, told in every case, and no harm to any method where they are kept.

use cupel_data::{Array, EnviHeader, Stream, Values, write_envi_array};
use cupel_train::{Opening, Run};
use cupel_unmixing::{
    Abundances, Agreement, Convention, Family, Half, LargeScene, Method, Negative, Recipe, Results, Scene, SceneFiles,
    Source, Unmixing, UnmixingConfig, overall, reconstruction_errors,
};
use std::{collections::BTreeMap, path::Path};

use super::samples::{open_run, with_pure_pixels};

const METHODS: [Method; 6] = [Method::Auto, Method::Edaa, Method::Vca, Method::Nfindr, Method::Spa, Method::Pmm];

/// Three scenes of each half, which take as long as a test may.
fn recipes() -> impl Iterator<Item = Recipe> {
    (0..6).map(|index| Recipe::new(Family::Negative, index))
}

/// The mean of the methods over scenes of one half, as angle and error of the non-negative fit.
fn means(half: Half) -> BTreeMap<&'static str, (f64, f64)> {
    let mut sums: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for recipe in recipes().filter(|recipe| recipe.half() == half) {
        let scene = recipe.scene(&[]).unwrap();
        let pixels = scene.image.pixels();
        assert!(pixels.values().iter().any(|v| *v < 0.0), "{}", recipe.name());
        for method in METHODS {
            let config = UnmixingConfig { method, restarts: 10, ..UnmixingConfig::new(recipe.endmembers) };
            let found = Unmixing::new(config).fit_pixels(pixels).unwrap().endmembers;
            let weights = Abundances::solve(pixels, &found, Convention::Nnls).unwrap();
            let error = overall(&reconstruction_errors(pixels, &found, &weights).unwrap());
            let angle = Agreement::of(&found, &scene.truth.endmembers).unwrap().mean_sad_rad;
            eprintln!("{} {method}: {angle:.4} rad, {error:.5}", recipe.name());
            let sum = sums.entry(method.name()).or_default();
            *sum = (sum.0 + angle / 3.0, sum.1 + error / 3.0);
        }
    }
    sums
}

#[test]
fn every_method_fits_scenes_with_values_below_zero_as_successive_projections_do() {
    for half in [Half::Choosing, Half::Reporting] {
        let means = means(half);
        let spa = means["spa"];
        for (method, (angle, error)) in &means {
            assert!(*error <= 1.05 * spa.1, "{half}, {method}: error {error} for {}", spa.1);
            // archetypes are averages, and lie inwards of pixels whatever their sign
            let inwards = if *method == "edaa" { 1.1 } else { 1.05 };
            assert!(*angle <= inwards * spa.0, "{half}, {method}: angle {angle} for {}", spa.0);
        }
    }
}

const ROWS: usize = 20;
const COLUMNS: usize = 25;
const BANDS: usize = 20;
const COUNT: usize = 3;

/// A scene with pure pixels and a dark current too large in a file, and how many of its values are below zero.
fn written(path: &Path) -> usize {
    let scene = with_pure_pixels(COUNT, BANDS, ROWS * COLUMNS, Stream::new(4, "values below zero"));
    let values: Vec<f32> = scene.pixels.values().iter().map(|v| v - 0.3).collect();
    let below = values.iter().filter(|v| **v < 0.0).count();
    let array = Array::new(vec![ROWS, COLUMNS, BANDS], Values::F32(values)).unwrap();
    write_envi_array(path, &EnviHeader::new(ROWS, COLUMNS, BANDS), &array).unwrap();
    below
}

fn unmix(path: &Path, negative: Negative, tiled: bool) -> Result<Results, cupel_unmixing::Error> {
    let files = SceneFiles::of(path);
    let source = if tiled {
        Source::from(LargeScene::open_from(&files, 0).unwrap().unwrap().with_tile_rows(5))
    } else {
        Source::from(Scene::open(&files).unwrap())
    };
    let config = UnmixingConfig { method: Method::Spa, negative, ..UnmixingConfig::new(COUNT) };
    let folder = tempfile::tempdir().unwrap();
    let mut run = open_run(folder.path(), &BTreeMap::from([("test", 1)]), Opening::Create);
    Unmixing::new(config).run(&source, &mut run)
}

#[test]
fn what_is_done_with_them_is_asked_for_and_told_whole_and_in_tiles() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scene.img");
    let below = written(&path);
    for tiled in [false, true] {
        let allowed = unmix(&path, Negative::Allow, tiled).unwrap();
        assert_eq!(allowed.values_below_zero, below);
        let told = allowed.notes.join("\n");
        assert!(told.contains(&format!("{below} of ")) && told.contains("they stay"), "{told}");
        assert!(allowed.endmembers.values().iter().any(|v| *v < 0.0), "SPA takes pixels as they are");

        let clipped = unmix(&path, Negative::Clip, tiled).unwrap();
        assert_eq!(clipped.values_below_zero, below);
        assert!(clipped.notes.join("\n").contains("set to zero"), "{:?}", clipped.notes);
        assert!(clipped.endmembers.values().iter().all(|v| *v >= 0.0));

        let refused = unmix(&path, Negative::Refuse, tiled).unwrap_err().to_string();
        assert!(refused.contains(&format!("{below} of ")) && refused.contains("--negative clip"), "{refused}");
    }
    // before anything is done where the scene is in memory
    let source = Source::from(Scene::open(&SceneFiles::of(&path)).unwrap());
    let config = UnmixingConfig { negative: Negative::Refuse, ..UnmixingConfig::new(COUNT) };
    assert!(Unmixing::new(config).plan(&source).is_err());
    assert!(Unmixing::new(config).run(&source, &mut Run::in_memory()).is_err());
}
