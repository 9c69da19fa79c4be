//! What is left out of a scene changes no bit of the rest: whatever says so, wherever it lies, read whole or in tiles.

use cupel_data::{Array, EnviHeader, Stream, Values, open, write_envi_array, write_mat, write_npy, write_npz};
use cupel_train::{Policy, Run};
use cupel_unmixing::{
    EndmemberCount, Error, LargeScene, Method, Results, Scene, SceneFiles, Source, Survey, Surveyed, Unmixing,
    UnmixingConfig, mix, patches, smooth_endmembers,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{large::Dies, samples::open_run};

const ROWS: usize = 24;
const COLUMNS: usize = 22;
const BANDS: usize = 20;
const COUNT: usize = 3;
const TILE_ROWS: usize = 4;
/// A number that nothing marks in the file unless a test says so.
const FILL: f32 = -9999.0;

/// Which pixels have data.
fn places(kind: &str, seed: u64) -> Vec<bool> {
    let stream = Stream::new(seed, "mask");
    let has_data = |place: usize| {
        let (row, column) = (place / COLUMNS, place % COLUMNS);
        match kind {
            "border" => (3..ROWS - 2).contains(&row) && (1..COLUMNS - 4).contains(&column),
            "scattered" => !stream.u64(place as u64).is_multiple_of(5),
            "a dead tile" => !(2 * TILE_ROWS..3 * TILE_ROWS).contains(&row),
            "one row" => row == 17,
            other => panic!("{other}"),
        }
    };
    (0..ROWS * COLUMNS).map(has_data).collect()
}

/// Spectra of an image, from 0 to about 10000 in whole numbers.
fn spectra(seed: u64) -> Vec<f32> {
    let stream = Stream::new(seed, "masked scene");
    let truth = smooth_endmembers(COUNT, BANDS, stream.child(0)).unwrap();
    let shares = patches(ROWS, COLUMNS, COUNT, 0.05, stream.child(1)).unwrap();
    let pixels = mix(&truth, &shares, 30.0, stream.child(2)).unwrap();
    pixels.values().iter().map(|v| (v * 10_000.0).round().max(1.0)).collect()
}

/// The spectra with `fill` where there are no data.
fn filled(spectra: &[f32], kept: &[bool], fill: f32) -> Vec<f32> {
    let mut values = spectra.to_vec();
    values.chunks_exact_mut(BANDS).zip(kept).filter(|(_, kept)| !**kept).for_each(|(spectrum, _)| spectrum.fill(fill));
    values
}

fn envi(path: &Path, shape: [usize; 3], values: Values, ignore_value: Option<f64>) -> SceneFiles {
    let header = EnviHeader { ignore_value, ..EnviHeader::new(1, 1, 1) };
    write_envi_array(path, &header, &Array::new(shape.to_vec(), values).unwrap()).unwrap();
    SceneFiles::of(path)
}

const SHAPE: [usize; 3] = [ROWS, COLUMNS, BANDS];

/// Files of one image of which the same pixels are left out, in every way that there is; and one without these pixels.
fn family(folder: &Path, spectra: &[f32], kept: &[bool]) -> (Vec<(String, SceneFiles)>, SceneFiles) {
    let path = |name: &str| -> PathBuf { folder.join(name) };
    let array = |values: Values| Array::new(SHAPE.to_vec(), values).unwrap();
    let marked = |fill| filled(spectra, kept, fill);
    let whole = |values: Vec<f32>| Values::I16(values.iter().map(|v| *v as i16).collect());
    let axes = |files: SceneFiles| SceneFiles { axes: "rows,columns,bands".parse().ok(), ..files };
    let mut all = vec![
        ("ENVI, i16, data ignore value", envi(&path("i16.img"), SHAPE, whole(marked(FILL)), Some(f64::from(FILL)))),
        ("ENVI, f32, NaN", envi(&path("nan.img"), SHAPE, Values::F32(marked(f32::NAN)), None)),
        ("ENVI, f32, nothing says so", envi(&path("fill.img"), SHAPE, Values::F32(marked(FILL)), None)),
        ("ENVI, zeros", envi(&path("zero.img"), SHAPE, whole(marked(0.0)), None)),
    ];
    let ignored = envi(&path("given.img"), SHAPE, Values::F32(marked(20_001.0)), None);
    all.push(("--ignore-value", SceneFiles { ignore_values: vec![20_001.0], ..ignored }));
    let mask = path("mask.npy");
    let keep = kept.iter().map(|&kept| u8::from(kept)).collect();
    write_npy(&mask, &Array::new(vec![ROWS, COLUMNS], Values::U8(keep)).unwrap()).unwrap();
    let unmarked = envi(&path("masked.img"), SHAPE, Values::F32(marked(1e6)), None);
    all.push(("--mask", SceneFiles { mask: Some(mask), ..unmarked.clone() }));
    let bounds = |of: &dyn Fn(usize) -> usize| {
        let lines: Vec<usize> = (0..kept.len()).filter(|&place| kept[place]).map(of).collect();
        [lines.iter().min().unwrap() + 1, lines.iter().max().unwrap() + 1]
    };
    let (rows, columns) = (bounds(&|place| place / COLUMNS), bounds(&|place| place % COLUMNS));
    let within = (rows[1] + 1 - rows[0]) * (columns[1] + 1 - columns[0]);
    if kept.iter().filter(|kept| **kept).count() == within {
        all.push(("--roi", SceneFiles { roi: Some(cupel_unmixing::Roi { rows, columns }), ..unmarked }));
    }
    let nan = array(Values::F32(marked(f32::NAN)));
    write_npy(&path("scene.npy"), &nan).unwrap();
    write_npz(&path("scene.npz"), &[("Y", &nan)]).unwrap();
    write_mat(&path("scene.mat"), &[("Y", &nan)]).unwrap();
    for name in ["scene.npy", "scene.npz", "scene.mat"] {
        all.push((name, axes(SceneFiles::of(&path(name)))));
    }
    let without: Vec<f32> =
        spectra.chunks_exact(BANDS).zip(kept).filter(|(_, kept)| **kept).flat_map(|(s, _)| s).copied().collect();
    let count = without.len() / BANDS;
    let reference = envi(&path("without.img"), [count, 1, BANDS], Values::F32(without), None);
    (all.into_iter().map(|(name, files)| (name.to_owned(), files)).collect(), reference)
}

/// Endmembers, abundances of the pixels that have data, and the reconstruction error, as bits.
#[derive(Debug, PartialEq)]
struct Bits {
    endmembers: Vec<u64>,
    abundances: Vec<u64>,
    error: u64,
    pixels: usize,
}

impl Bits {
    fn of(results: &Results, abundances: Vec<f64>) -> Self {
        let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect();
        Self {
            endmembers: bits(results.endmembers.values()),
            abundances: bits(&abundances),
            error: results.summary.reconstruction_rmse.to_bits(),
            pixels: results.pixels,
        }
    }
}

fn whole(files: &SceneFiles, config: UnmixingConfig) -> Bits {
    let source = Source::from(Scene::open(files).unwrap());
    let results = Unmixing::new(config).run(&source, &mut Run::in_memory()).unwrap();
    let abundances = results.unmixed.as_ref().unwrap().own_abundances().values().to_vec();
    Bits::of(&results, abundances)
}

fn tiled(files: &SceneFiles, config: UnmixingConfig) -> Bits {
    let large = LargeScene::open_from(files, 0).unwrap().unwrap().with_tile_rows(TILE_ROWS);
    let folder = tempfile::tempdir().unwrap();
    let mut run = open_run(folder.path(), &BTreeMap::from([("tile_rows", TILE_ROWS)]), cupel_train::Opening::Create);
    let results = Unmixing::new(config).run(&Source::from(large), &mut run).unwrap();
    let maps = open(folder.path().join("abundances.hdr")).unwrap().cube::<f32>(None).unwrap();
    Bits::of(&results, maps.values().iter().filter(|v| v.is_finite()).map(|v| f64::from(*v)).collect())
}

#[test]
fn results_are_those_of_the_scene_without_what_is_left_out() {
    let kinds = ["border", "scattered", "a dead tile", "one row"];
    for (kind, seed) in kinds.into_iter().flat_map(|kind| [(kind, 1), (kind, 2)]) {
        let folder = tempfile::tempdir().unwrap();
        let (spectra, kept) = (spectra(seed), places(kind, seed));
        let (all, reference) = family(folder.path(), &spectra, &kept);
        let config = UnmixingConfig { method: Method::Vca, seed, ..UnmixingConfig::new(COUNT) };
        let [in_memory, in_tiles] = [whole(&reference, config), tiled(&reference, config)];
        for (name, files) in &all {
            assert!(whole(files, config) == in_memory, "{kind}, {name}, whole");
            if name.starts_with("ENVI") || name.starts_with("--") {
                assert!(tiled(files, config) == in_tiles, "{kind}, {name}, in tiles");
            }
        }
    }
}

#[test]
fn their_number_and_the_ensemble_do_not_depend_on_it_either() {
    let folder = tempfile::tempdir().unwrap();
    let (all, reference) = family(folder.path(), &spectra(3), &places("border", 3));
    let config = UnmixingConfig {
        method: Method::Auto,
        seed: 3,
        endmembers: Some(EndmemberCount::Auto),
        ..UnmixingConfig::new(COUNT)
    };
    let expected = tiled(&reference, config);
    for (name, files) in all.iter().filter(|(name, _)| ["ENVI, f32, NaN", "--mask"].contains(&name.as_str())) {
        assert!(tiled(files, config) == expected, "{name}");
    }
}

/// A tall image of which pixels between the rows that are looked at before the first pass have no data: its size, spectra, and which are kept.
fn between_the_rows_looked_at(seed: u64) -> ([usize; 3], Vec<f32>, Vec<bool>) {
    const TALL: usize = 170;
    const NARROW: usize = 6;
    let stream = Stream::new(seed, "tall scene");
    let truth = smooth_endmembers(COUNT, BANDS, stream.child(0)).unwrap();
    let shares = patches(TALL, NARROW, COUNT, 0.05, stream.child(1)).unwrap();
    let pixels = mix(&truth, &shares, 30.0, stream.child(2)).unwrap();
    let spectra = pixels.values().iter().map(|v| (v * 10_000.0).round().max(1.0)).collect();
    let looked_at: Vec<usize> = (0..64).map(|part| part * (TALL - 1) / 63).collect();
    let draws = stream.child(3);
    let has_data = |place: usize| {
        let row = place / NARROW;
        looked_at.contains(&row) || !(row == 88 || draws.u64(place as u64).is_multiple_of(7))
    };
    ([TALL, NARROW, BANDS], spectra, (0..TALL * NARROW).map(has_data).collect())
}

#[test]
fn numbers_that_nothing_marks_make_the_first_pass_begin_again_and_change_no_bit() {
    for seed in [5, 6] {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (shape, spectra, kept) = between_the_rows_looked_at(seed);
        let count = kept.iter().filter(|kept| !**kept).count();
        assert!(count > 60, "{count}");
        let values = |fill| Values::F32(filled(&spectra, &kept, fill));
        let unmarked = envi(&at("unmarked.img"), shape, values(FILL), None);
        let marked = envi(&at("marked.img"), shape, values(FILL), Some(f64::from(FILL)));
        let config = UnmixingConfig { method: Method::Vca, seed, ..UnmixingConfig::new(COUNT) };
        let large = |files: &SceneFiles| LargeScene::open_from(files, 0).unwrap().unwrap().with_tile_rows(TILE_ROWS);
        let expected = tiled(&marked, config);
        assert!(tiled(&unmarked, config) == expected, "seed {seed}");
        assert_eq!(expected.pixels, kept.len() - count);

        // The pass goes over all tiles once more, and stopped anywhere in either round it ends with the same.
        let scene = large(&unmarked);
        let tiles = scene.tiles() as u64;
        let whole = surveyed(&scene, seed, &mut Run::in_memory(), 2 * tiles);
        let reference = large(&marked);
        let expected = surveyed(&reference, seed, &mut Run::in_memory(), tiles);
        let same = |found: &Surveyed| {
            let bits = |surveyed: &Surveyed| surveyed.pixels.values().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            (bits(found), found.scale, found.usable) == (bits(&expected), expected.scale, expected.usable)
        };
        assert!(same(&whole), "seed {seed}");
        assert!(whole.notes[0].contains(&format!("{} values are -9999", count * BANDS)), "{:?}", whole.notes);
        let settings = BTreeMap::from([("tile_rows", TILE_ROWS)]);
        for stop in [tiles / 2, tiles - 1, tiles, tiles + 1, tiles + tiles / 2, 2 * tiles - 1] {
            let dir = at(&format!("stopped at {stop}"));
            let mut run = open_run(&dir, &settings, cupel_train::Opening::Create);
            let mut dying = Dies { work: Survey::new(&scene, seed).unwrap(), left: stop as usize };
            assert!(run.drive(&mut dying, &EACH).is_err());
            drop((run, dying));
            let mut run = open_run(&dir, &settings, cupel_train::Opening::Resume { strict: true });
            let again = surveyed(&scene, seed, &mut run, 2 * tiles);
            assert!(same(&again) && again.notes == whole.notes, "seed {seed}, stopped at {stop}");
        }
    }
}

/// Saved after each tile.
const EACH: Policy = Policy { save_every: Some(1), keep: 1 };

/// The first pass over a scene, which takes so many tiles.
fn surveyed(scene: &LargeScene, seed: u64, run: &mut Run, tiles: u64) -> Surveyed {
    let mut survey = Survey::new(scene, seed).unwrap();
    assert_eq!(run.drive(&mut survey, &EACH).unwrap().updates, tiles);
    survey.finish().unwrap()
}

#[test]
fn a_scene_in_tiles_says_what_it_leaves_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut values = spectra(4);
    // A saturated value between the rows that are looked at would draw every extractor to it.
    values[(5 * COLUMNS + 7) * BANDS + 3] = 65535.0;
    let band_of = |values: &mut Vec<f32>, band: usize| values.chunks_exact_mut(BANDS).for_each(|s| s[band] = f32::NAN);
    band_of(&mut values, 11);
    let files = envi(&folder.path().join("scene.img"), SHAPE, Values::F32(values), None);
    let config = UnmixingConfig { method: Method::Vca, ..UnmixingConfig::new(COUNT) };
    let large = LargeScene::open_from(&files, 0).unwrap().unwrap().with_tile_rows(TILE_ROWS);
    let told = large.notes().join("\n");
    assert!(told.contains("left out 1 band: 12, which have no data"), "{told}");
    let dir = folder.path().join("run");
    let mut run = open_run(&dir, &BTreeMap::from([("tile_rows", TILE_ROWS)]), cupel_train::Opening::Create);
    let results = Unmixing::new(config).run(&Source::from(large), &mut run).unwrap();
    assert_eq!((results.pixels, results.pixels_left_out), (ROWS * COLUMNS - 1, 1));
    assert!(results.notes[0].contains("1 values are 65535"), "{:?}", results.notes);
    // Where nothing is wanted it says so at once.
    let mask = folder.path().join("mask.npy");
    write_npy(&mask, &Array::new(vec![ROWS, COLUMNS], Values::U8(vec![0; ROWS * COLUMNS])).unwrap()).unwrap();
    let nothing = SceneFiles { mask: Some(mask), ..files };
    assert!(
        matches!(LargeScene::open_from(&nothing, 0), Err(Error::NoData { pixels, .. }) if pixels == ROWS * COLUMNS)
    );
}
