//! The spatial prior within a run: no kind of scene loses by it, what is written is one model, and it is refused where it cannot be.

use cupel_data::{Array, Axes, Axis, AxisKind, Cube, EnviHeader, Stream, Values, write_envi_array};
use cupel_train::{Opening, Policy, Run};
use cupel_unmixing::{
    Agreement, ComparisonConfig, Convention, Family, GroundScene, LargeScene, Method, Pixels, Recipe, Scene,
    SceneFiles, Source, Spatial, Unmixed, Unmixing, UnmixingConfig, mix, patches, smooth_endmembers,
};

use super::samples::open_run;

fn cube(pixels: &Pixels, columns: usize) -> Cube<f32> {
    let sides = [
        (AxisKind::Row, pixels.count() / columns),
        (AxisKind::Column, columns),
        (AxisKind::Wavelength, pixels.bands()),
    ];
    let axes = Axes::new(sides.map(|(kind, length)| Axis::new(kind, length)).to_vec()).unwrap();
    Cube::new(pixels.values().to_vec(), axes).unwrap()
}

fn config(endmembers: usize, spatial: Spatial, abundance: Convention) -> UnmixingConfig {
    UnmixingConfig { method: Method::Vca, spatial, abundance, ..UnmixingConfig::new(endmembers) }
}

fn fit(pixels: &Pixels, columns: usize, config: UnmixingConfig) -> Unmixed {
    Unmixing::new(config).fit(&cube(pixels, columns), &mut Run::in_memory(), &Policy::default()).unwrap()
}

/// Patches of three materials in 24 x 30 pixels, with noise.
fn scene(snr_db: f64, seed: u64) -> Pixels {
    let stream = Stream::new(seed, "spatial prior");
    let endmembers = smooth_endmembers(3, 40, stream.child(0)).unwrap();
    let abundances = patches(24, 30, 3, 0.02, stream.child(1)).unwrap();
    mix(&endmembers, &abundances, snr_db, stream.child(2)).unwrap()
}

#[test]
fn scenes_of_all_kinds_are_found_no_worse() {
    let error = |unmixed: &Unmixed, truth: &(cupel_unmixing::Endmembers, cupel_unmixing::Abundances)| {
        let agreement = Agreement::of(&unmixed.endmembers, &truth.0).unwrap();
        agreement.abundance_errors(unmixed.own_abundances(), &truth.1).unwrap().overall
    };
    // of every other family, that nothing was chosen on
    let (mut with, mut without) = (0.0, 0.0);
    for family in Family::ALL.iter().copied().step_by(2) {
        let recipe = (2000..).map(|index| Recipe::new(family, index)).find(|recipe| recipe.endmembers <= 4).unwrap();
        let GroundScene { image, truth } = recipe.scene(&[]).unwrap();
        let truth = (truth.endmembers, truth.abundances.unwrap());
        let of = |spatial| {
            let own = config(recipe.endmembers, spatial, Convention::Rescaled);
            error(&fit(image.pixels(), recipe.size.1, own), &truth)
        };
        let (own, alone) = (of(Spatial::Tv), of(Spatial::None));
        println!("{}: {alone:.4} to {own:.4}", recipe.name());
        assert!(own <= 1.05 * alone, "{}: {alone} to {own}", recipe.name());
        with += own;
        without += alone;
    }
    assert!(with <= without, "{without} {with}");
}

#[test]
fn what_is_written_is_one_model_and_only_the_abundances_asked_for_are_smooth() {
    let pixels = scene(18.0, 20);
    for asked in Convention::OF_ENDMEMBERS {
        let weighted = UnmixingConfig { spatial_weight: Some(0.02), ..config(3, Spatial::Tv, asked) };
        let (smooth, alone) = (fit(&pixels, 30, weighted), fit(&pixels, 30, config(3, Spatial::None, asked)));
        let smoothed = smooth.smoothed.as_ref().unwrap();
        assert!(smoothed.tried.is_empty() && smoothed.gap < 1e-3, "{smoothed:?}");
        for convention in Convention::OF_ENDMEMBERS {
            let same = smooth.abundances.iter().find(|(own, _)| *own == convention).unwrap()
                == alone.abundances.iter().find(|(own, _)| *own == convention).unwrap();
            assert_eq!(same, convention != asked, "{convention} with {asked}");
        }
        let abundances = &smooth.abundances.iter().find(|(own, _)| *own == asked).unwrap().1;
        assert!(abundances.values().iter().all(|a| *a >= 0.0), "{asked}");
        for ((spectrum, shares), (light, error)) in
            pixels.spectra().zip(abundances.rows()).zip(smooth.brightness.iter().zip(&smooth.errors))
        {
            let sum: f64 = shares.iter().sum();
            assert!(asked == Convention::Nnls || (sum - 1.0).abs() < 1e-9, "{asked}: {sum}");
            let model = |band: usize| {
                light * smooth.endmembers.spectra().zip(shares).map(|(e, share)| share * e[band]).sum::<f64>()
            };
            let square: f64 =
                spectrum.iter().enumerate().map(|(band, value)| (f64::from(*value) - model(band)).powi(2)).sum();
            assert!(((square / pixels.bands() as f64).sqrt() - error).abs() < 1e-9, "{asked}");
        }
        let zero = UnmixingConfig { spatial_weight: Some(0.0), ..config(3, Spatial::Tv, asked) };
        assert!(fit(&pixels, 30, zero).abundances == alone.abundances, "{asked}");
    }
}

#[test]
fn what_cannot_be_smooth_is_refused_with_the_reason() {
    let pixels = scene(30.0, 30);
    let image = cube(&pixels, 30);
    let refuses = |config: UnmixingConfig, expected: &str| {
        let fitted = Unmixing::new(config).fit(&image, &mut Run::in_memory(), &Policy::default());
        let error = fitted.unwrap_err().to_string();
        assert!(error.contains("spatial") && error.contains(expected), "{error}");
    };
    let tv = config(3, Spatial::Tv, Convention::Rescaled);
    refuses(UnmixingConfig { method: Method::Pmm, ..tv }, "its intervals are those of pixels alone");
    refuses(
        UnmixingConfig { method: Method::Sunsal, abundance: Convention::Own, ..tv },
        "none, or the abundances fcls, nnls, unit-max or rescaled",
    );
    let error = Unmixing::new(tv).fit_pixels(&pixels).unwrap_err().to_string();
    assert!(error.contains("1 x 720 pixels") && error.contains("at least 2 x 2"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scene.img");
    let values = Values::F32(pixels.values().to_vec());
    let array = Array::new(vec![24, 30, pixels.bands()], values).unwrap();
    write_envi_array(&path, &EnviHeader::new(24, 30, pixels.bands()), &array).unwrap();
    let tiled = Source::from(LargeScene::open_from(&SceneFiles::of(&path), 0).unwrap().unwrap());
    let error = Unmixing::new(tv).plan(&tiled).unwrap_err().to_string();
    assert!(error.contains("spatial") && error.contains("none for a scene in tiles"), "{error}");

    // several methods in one run, each with its own abundances
    let whole = Source::from(Scene::open(&SceneFiles::of(&path)).unwrap());
    let both = ComparisonConfig::new(vec![Method::Vca, Method::Spa], tv);
    let mut run = open_run(&folder.path().join("run"), &tv, Opening::Create);
    let compared = Unmixing::new(tv).compare(&both, &whole, &mut run).unwrap();
    assert!(compared.runs.len() == 2 && compared.runs.iter().all(|run| run.spatial_weight.is_some()));

    let few: Vec<f32> = pixels.spectra().flat_map(|s| s[..5].to_vec()).collect();
    let few = cube(&Pixels::new(few.into(), 5).unwrap(), 30);
    let error = Unmixing::new(tv).fit(&few, &mut Run::in_memory(), &Policy::default()).unwrap_err().to_string();
    assert!(error.contains("half of 5 bands are too few for 3 endmembers"), "{error}");
}
