//! Numbers of the literature, recomputed from the published files.

use std::path::{Path, PathBuf};

use cupel_data::{AxisKind, Stream};
use cupel_unmixing::{
    Abundances, Agreement, Convention, Endmembers, Extraction, ExtractionConfig, Method, Pixels, Scene, SceneFiles,
    Truth, mix, vca,
};

use super::samples::unmixing_data;

fn scene(folder: &Path, file: &str) -> (Scene, Pixels, Truth) {
    let scene = Scene::open(&SceneFiles::of(&folder.join(file))).unwrap();
    let pixels = Pixels::of(&scene.cube).unwrap();
    let truth = scene.truth.clone().unwrap();
    (scene, pixels, truth)
}

/// The two files of results that come with DeepTrans (Ghosh et al., IEEE TGRS 60, 2022, doi 10.1109/TGRS.2022.3196057).
fn deeptrans(folder: &Path, name: &str) -> [PathBuf; 2] {
    ["Endmembers", "Abundance"].map(|what| folder.join(format!("deeptrans_results_{what}_{name}.mat")))
}

/// Spectra (`bands x endmembers` in the file) or maps (`rows x columns x endmembers`) of one method.
fn matrix(path: &Path, variable: &str) -> Vec<Vec<f64>> {
    let cube = cupel_data::open(path).unwrap().cube::<f64>(Some(variable)).unwrap();
    let endmembers = *cube.shape().last().unwrap();
    cube.values().chunks_exact(endmembers).map(<[f64]>::to_vec).collect()
}

fn estimate(paths: &[PathBuf; 2], spectra: &str, maps: &str) -> (Endmembers, Abundances) {
    let by_band = matrix(&paths[0], spectra);
    let endmembers = (0..by_band[0].len()).flat_map(|k| by_band.iter().map(move |row| row[k])).collect();
    let maps = matrix(&paths[1], maps);
    let count = maps[0].len();
    (Endmembers::new(endmembers, by_band.len()).unwrap(), Abundances::new(maps.concat(), count).unwrap())
}

/// One row of the tables: names of the variables, then the printed errors.
struct Row {
    maps: &'static str,
    spectra: &'static str,
    /// Overall abundance error and mean angle on Samson, then on Apex.
    printed: [f64; 4],
}

const fn row(maps: &'static str, spectra: &'static str, printed: [f64; 4]) -> Row {
    Row { maps, spectra, printed }
}

/// Errors of seven methods, recomputed with numpy from the same files.
const TABLE: [Row; 7] = [
    row("a_Tra", "E_Tra", [0.0783, 0.0510, 0.1264, 0.0867]),
    row("a_Collab", "E_Coll", [0.1159, 0.0796, 0.1997, 0.3744]),
    row("a_FCLSU", "E_VCA", [0.1387, 0.0925, 0.1543, 0.4052]),
    row("a_UnDIP", "E_SiVM", [0.1763, 0.0854, 0.2809, 0.1994]),
    row("a_NMF", "E_NMF", [0.1866, 0.5610, 0.2692, 0.6721]),
    row("a_uDAS", "E_uDAS", [0.1867, 0.0948, 0.2210, 0.2267]),
    row("a_CYCU", "E_CYCU", [0.2222, 0.1581, 0.2046, 0.3228]),
];

/// Half a unit of the last printed digit, and rounding.
const PRINTED: f64 = 0.5e-4 + 1e-9;

fn assert_printed(what: &str, got: f64, printed: f64) {
    assert!((got - printed).abs() <= PRINTED, "{what}: {got}, printed {printed}");
}

#[test]
fn metrics_reproduce_the_published_tables() {
    let Some(folder) = unmixing_data() else { return };
    for (column, name) in ["Samson", "Apex"].into_iter().enumerate() {
        let paths = deeptrans(&folder, name);
        let (truth, true_maps) = estimate(&paths, "E_GT", "a_GT");
        for Row { maps, spectra, printed } in TABLE {
            let (endmembers, abundances) = estimate(&paths, spectra, maps);
            let agreement = Agreement::of(&endmembers, &truth).unwrap();
            let errors = agreement.abundance_errors(&abundances, &true_maps).unwrap();
            assert_printed(&format!("{name} {maps} error"), errors.overall, printed[2 * column]);
            assert_printed(&format!("{name} {spectra} angle"), agreement.mean_sad_rad, printed[2 * column + 1]);
        }
    }
}

#[test]
fn metrics_reproduce_the_published_errors_of_each_endmember() {
    let Some(folder) = unmixing_data() else { return };
    type Printed = (&'static str, &'static str, &'static str, &'static [f64], &'static [f64]);
    let rows: [Printed; 3] = [
        ("Samson", "E_Tra", "a_Tra", &[0.0712, 0.0683, 0.0930], &[0.0128, 0.0674, 0.0729]),
        ("Samson", "E_VCA", "a_FCLSU", &PUBLISHED_FCLSU, &[0.0259, 0.0961, 0.1554]),
        ("Apex", "E_Tra", "a_Tra", &[0.1776, 0.0993, 0.1200, 0.0902], &[0.0836, 0.1295, 0.0903, 0.0434]),
    ];
    for (name, spectra, maps, printed_errors, printed_angles) in rows {
        let paths = deeptrans(&folder, name);
        let (truth, true_maps) = estimate(&paths, "E_GT", "a_GT");
        let (endmembers, abundances) = estimate(&paths, spectra, maps);
        let agreement = Agreement::of(&endmembers, &truth).unwrap();
        let errors = agreement.abundance_errors(&abundances, &true_maps).unwrap();
        for k in 0..printed_errors.len() {
            assert_printed(&format!("{name} {maps} {k}"), errors.per_endmember[k], printed_errors[k]);
            assert_printed(&format!("{name} {spectra} {k}"), agreement.sad_rad[k], printed_angles[k]);
        }
    }
}

#[test]
fn the_truth_of_deeptrans_is_fcls_on_its_endmembers() {
    let Some(folder) = unmixing_data() else { return };
    let (scene, pixels, _) = scene(&folder, "samson_hu_autoencoders.mat");
    let scale = scene.scale;
    let truth = scene.with_truth(&deeptrans(&folder, "Samson")).unwrap().truth.unwrap();
    let solved = Abundances::solve(&pixels, &truth.endmembers.scaled(&[1.0 / scale; 3]), Convention::Fcls).unwrap();
    let agreement = Agreement::of(&truth.endmembers, &truth.endmembers).unwrap();
    let error = agreement.abundance_errors(&solved, &truth.abundances.unwrap()).unwrap().overall;
    println!("FCLS with the endmembers of DeepTrans against its maps: {error:.6}");
    assert!(error < 0.01, "{error}");
}

#[test]
fn the_truths_of_zhu_are_unit_max_abundances() {
    let Some(folder) = unmixing_data() else { return };
    for (file, printed) in [("samson_hu_autoencoders.mat", 0.0020), ("jasper_upcgit.mat", 0.0049)] {
        let (_, pixels, truth) = scene(&folder, file);
        let solved = Abundances::solve(&pixels, &truth.endmembers, Convention::UnitMax).unwrap();
        let agreement = Agreement::of(&truth.endmembers, &truth.endmembers).unwrap();
        let error = agreement.abundance_errors(&solved, truth.abundances.as_ref().unwrap()).unwrap().overall;
        assert_printed(file, error, printed);
    }
}

/// Published errors of FCLSU on Samson: soil, tree, water.
const PUBLISHED_FCLSU: [f64; 3] = [0.1766, 0.0653, 0.1492];

#[test]
fn the_published_row_of_vca_and_fcls_is_within_the_range_of_its_draws() {
    let Some(folder) = unmixing_data() else { return };
    let (scene, pixels, _) = scene(&folder, "samson_hu_autoencoders.mat");
    let paths = deeptrans(&folder, "Samson");
    let truth = scene.with_truth(&paths).unwrap().truth.unwrap();
    let maps = truth.abundances.unwrap();
    // all digits of the published errors, as most draws end at that very solution
    let (true_spectra, true_maps) = estimate(&paths, "E_GT", "a_GT");
    let published = Agreement::of(&true_spectra, &true_spectra)
        .and_then(|same| same.abundance_errors(&estimate(&paths, "E_VCA", "a_FCLSU").1, &true_maps));
    let errors: Vec<Vec<f64>> = (1..=50)
        .map(|seed| {
            let found = vca(&pixels, 3, Stream::new(seed, "published")).unwrap();
            let solved = Abundances::solve(&pixels, &found, Convention::Fcls).unwrap();
            let agreement = Agreement::of(&found, &truth.endmembers).unwrap();
            agreement.abundance_errors(&solved, &maps).unwrap().per_endmember
        })
        .collect();
    for (k, published) in published.unwrap().per_endmember.into_iter().enumerate() {
        assert_printed("FCLSU", published, PUBLISHED_FCLSU[k]);
        let mut sorted: Vec<f64> = errors.iter().map(|e| e[k]).collect();
        sorted.sort_by(f64::total_cmp);
        let quantile = |fraction: f64| sorted[(fraction * (sorted.len() - 1) as f64).round() as usize];
        let (low, middle, high) = (quantile(0.05), quantile(0.5), quantile(0.95));
        println!("endmember {k}: 5, 50, 95 % of 50 draws {low:.4}, {middle:.4}, {high:.4}; published {published:.4}");
        assert!(low <= published && published <= high, "endmember {k}: {low} {published} {high}");
    }
}

/// Mean angle and mean abundance error of the ensemble with seeds 1 to 5.
fn ensemble(pixels: &Pixels, truth: &Truth, convention: Convention) -> (f64, f64) {
    let (mut angle, mut error) = (0.0, 0.0);
    for seed in 1..=5 {
        let found = extracted(pixels, Method::Auto, truth.endmembers.count(), seed);
        let agreement = Agreement::of(&found, &truth.endmembers).unwrap();
        angle += agreement.mean_sad_rad / 5.0;
        let solved = Abundances::solve(pixels, &found, convention).unwrap();
        error += agreement.abundance_errors(&solved, truth.abundances.as_ref().unwrap()).unwrap().overall / 5.0;
    }
    (angle, error)
}

fn extracted(pixels: &Pixels, method: Method, endmembers: usize, seed: u64) -> Endmembers {
    let mut extraction = Extraction::new(pixels, ExtractionConfig { method, endmembers, restarts: 10, seed }).unwrap();
    extraction.complete().unwrap();
    extraction.choose().unwrap().endmembers
}

#[test]
#[ignore = "long: cargo test --release -p cupel-unmixing --test numerics -- --ignored ensemble_reaches"]
fn the_ensemble_reaches_its_bars_on_the_published_scenes() {
    let Some(folder) = unmixing_data() else { return };
    let (scene_of_samson, samson, zhu) = scene(&folder, "samson_hu_autoencoders.mat");
    let deeptrans = scene_of_samson.with_truth(&deeptrans(&folder, "Samson")).unwrap().truth.unwrap();
    let (_, jasper, jasper_truth) = scene(&folder, "jasper_upcgit.mat");
    for (name, pixels, truth, convention, bars) in [
        ("Samson, Zhu", &samson, &zhu, Convention::UnitMax, (0.020, 0.015)),
        ("Samson, DeepTrans", &samson, &deeptrans, Convention::Rescaled, (0.040, 0.042)),
        ("Jasper Ridge", &jasper, &jasper_truth, Convention::UnitMax, (0.058, 0.060)),
    ] {
        let (angle, error) = ensemble(pixels, truth, convention);
        println!("{name}: {angle:.4} rad, {} {error:.4}; bars {bars:?}", convention.name());
        assert!(angle <= bars.0 && error <= bars.1, "{name}: {angle} {error}, bars {bars:?}");
    }
}

#[test]
#[ignore = "long: cargo test --release -p cupel-unmixing --test numerics -- --ignored on_noisy_apex"]
fn the_ensemble_is_the_best_extractor_on_noisy_apex() {
    let Some(folder) = unmixing_data() else { return };
    let (truth, maps) = estimate(&deeptrans(&folder, "Apex"), "E_GT", "a_GT");
    for snr_db in [20.0, 30.0] {
        let mean = |method: Method| {
            let angle = |seed: u64| {
                let pixels = mix(&truth, &maps, snr_db, Stream::new(seed, "semi-synthetic Apex")).unwrap();
                let found = extracted(&pixels, method, truth.count(), seed);
                Agreement::of(&found, &truth).unwrap().mean_sad_rad
            };
            (1..=5).map(angle).sum::<f64>() / 5.0
        };
        let all = Method::EXTRACTORS.map(mean);
        Method::EXTRACTORS
            .iter()
            .zip(all)
            .for_each(|(m, angle)| println!("Apex at {snr_db} dB, {}: {angle:.4} rad", m.name()));
        let best = all[1..].iter().copied().fold(f64::INFINITY, f64::min);
        assert!(all[0] <= best, "{snr_db} dB: ensemble {} best single {best}", all[0]);
    }
}

#[test]
fn scenes_have_their_size_whatever_the_file_calls_things() {
    let Some(folder) = unmixing_data() else { return };
    for (file, bands, pixels, materials) in [
        ("samson_hu_autoencoders.mat", 156, 9025, 3),
        ("samson_cycunet.mat", 156, 9025, 3),
        ("jasper_upcgit.mat", 198, 10_000, 4),
    ] {
        let (scene, found, truth) = scene(&folder, file);
        assert_eq!(scene.cube.axis(AxisKind::Wavelength).unwrap().len(), bands);
        assert_eq!((found.bands(), found.count()), (bands, pixels));
        assert_eq!((truth.endmembers.count(), truth.abundances.unwrap().count()), (materials, pixels));
    }
}
