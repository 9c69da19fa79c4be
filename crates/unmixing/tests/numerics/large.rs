//! Scenes read in tiles give what they give when read whole.

use cupel_data::{Array, EnviHeader, Interleave, Stream, Values, open, write_envi_array, write_npy};
use cupel_train::{Advance, Opening, Policy, Position, Progress, Run, SetReader, SetWriter};
use cupel_unmixing::{
    AbundancePass, Abundances, Agreement, Convention, Endmembers, Error, LargeScene, Method, Pixels, Results,
    SceneFiles, Search, Source, Survey, Unmixing, UnmixingConfig, mix, patches, smooth_endmembers, suggest,
};
use std::{collections::BTreeMap, fs, io::Write, path::Path};

use super::samples::open_run;

const ROWS: usize = 50;
const COLUMNS: usize = 40;
const BANDS: usize = 30;
const COUNT: usize = 3;
/// A pixel without data, and one whose numbers are all zero.
const UNUSABLE: [usize; 2] = [81, 1234];

/// A scene of 30 bands, of which the last but one is bad and holds nonsense, and its true endmembers without that band.
fn scene(path: &Path) -> (Endmembers, Vec<f32>) {
    let stream = Stream::new(11, "large scene");
    let truth = smooth_endmembers(COUNT, BANDS - 1, stream.child(0)).unwrap();
    let abundances = patches(ROWS, COLUMNS, COUNT, 0.05, stream.child(1)).unwrap();
    let pixels = mix(&truth, &abundances, 40.0, stream.child(2)).unwrap();
    let mut values = Vec::new();
    for (number, spectrum) in pixels.spectra().enumerate() {
        let mut spectrum: Vec<f32> = spectrum.iter().map(|value| 1000.0 * value).collect();
        spectrum.insert(BANDS - 2, if number % 2 == 0 { 1e9 } else { -5.0 });
        match UNUSABLE.iter().position(|&unusable| unusable == number) {
            Some(0) => spectrum.fill(-9999.0),
            Some(_) => spectrum.fill(0.0),
            None => {}
        }
        values.extend(spectrum);
    }
    let header = EnviHeader {
        interleave: Interleave::Bsq,
        good_bands: (0..BANDS).map(|band| band != BANDS - 2).collect(),
        ignore_value: Some(-9999.0),
        ..EnviHeader::new(ROWS, COLUMNS, BANDS)
    };
    let array = Array::new(vec![ROWS, COLUMNS, BANDS], Values::F32(values.clone())).unwrap();
    write_envi_array(path, &header, &array).unwrap();
    let spectra = Array::new(vec![COUNT, BANDS - 1], Values::F64(truth.values().to_vec())).unwrap();
    write_npy(&path.with_file_name("truth.npy"), &spectra).unwrap();
    (truth, values)
}

fn unmix(path: &Path, tile_rows: usize, dir: &Path) -> Results {
    let large = large(path, tile_rows);
    assert_eq!(large.tiles(), ROWS.div_ceil(tile_rows));
    unmix_within(large, &mut run_in(dir)).unwrap()
}

fn large(path: &Path, tile_rows: usize) -> LargeScene {
    let files = SceneFiles { truth: vec![path.with_file_name("truth.npy")], ..SceneFiles::of(path) };
    LargeScene::open_from(&files, 0).unwrap().unwrap().with_tile_rows(tile_rows)
}

fn unmix_within(large: LargeScene, run: &mut Run) -> Result<Results, Error> {
    Unmixing::new(config(COUNT)).run(&Source::from(large), run)
}

fn config(endmembers: usize) -> UnmixingConfig {
    UnmixingConfig { method: Method::Vca, seed: SEED, ..UnmixingConfig::new(endmembers) }
}

fn run_in(dir: &Path) -> Run {
    let mut run = open_run(dir, &BTreeMap::from([("tile_rows", 4)]), Opening::Create);
    run.set_save_every(POLICY.save_every);
    run
}

const SEED: u64 = 5;

/// Every third tile is lost by a kill.
const POLICY: Policy = Policy { save_every: Some(3), keep: 2 };

/// Work that fails after some advances, as if its process were killed.
pub struct Dies<W> {
    pub work: W,
    pub left: usize,
}

impl<W: Advance> Advance for Dies<W> {
    fn advance(&mut self, at: Position) -> cupel_train::Result<Progress> {
        if self.left == 0 {
            return Err(cupel_train::Error::work(std::io::Error::other("killed")));
        }
        self.left -= 1;
        self.work.advance(at)
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        self.work.save(set)
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        self.work.load(set)
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        self.work.fingerprint()
    }

    fn name(&self) -> &str {
        self.work.name()
    }
}

fn image(dir: &Path, name: &str) -> Vec<f32> {
    open(dir.join(name)).unwrap().cube::<f32>(None).unwrap().into_values()
}

#[test]
fn tiles_of_any_size_give_what_the_whole_gives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scene.img");
    let (truth, values) = scene(&path);
    let dirs = [folder.path().join("seven"), folder.path().join("all")];
    let [seven, all] = [(7, &dirs[0]), (ROWS, &dirs[1])].map(|(rows, dir)| unmix(&path, rows, dir));
    assert_eq!(seven.endmembers.values(), all.endmembers.values());
    assert_eq!(seven.pixels, ROWS * COLUMNS - UNUSABLE.len());
    assert!(Agreement::of(&seven.endmembers, &truth).unwrap().mean_sad_rad < 0.1, "{:?}", seven.summary);
    for name in ["abundances.hdr", "brightness.hdr", "reconstruction_error.hdr"] {
        let bits = |dir: &Path| image(dir, name).iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&dirs[0]), bits(&dirs[1]), "{name}");
    }

    // The same endmembers on all usable pixels at once.
    let usable: Vec<f32> = values
        .chunks_exact(BANDS)
        .enumerate()
        .filter(|(number, _)| !UNUSABLE.contains(number))
        .flat_map(|(_, spectrum)| [&spectrum[..BANDS - 2], &spectrum[BANDS - 1..]].concat())
        .collect();
    let pixels = Pixels::new(usable.into(), BANDS - 1).unwrap();
    let whole = Abundances::solve(&pixels, &seven.endmembers, Convention::Rescaled).unwrap();
    let (mut rows, streamed) = (whole.rows(), image(&dirs[0], "abundances.hdr"));
    for (number, tiled) in streamed.chunks_exact(COUNT).enumerate() {
        if UNUSABLE.contains(&number) {
            assert!(tiled.iter().all(|value| value.is_nan()), "pixel {number}");
            continue;
        }
        for (a, b) in tiled.iter().zip(rows.next().unwrap()) {
            // Spectra are divided by the largest value in f32 on the way.
            assert!((f64::from(*a) - b).abs() < 1e-4, "pixel {number}: {a} {b}");
        }
    }
    // The page of a scene in memory: the truth's names and its spectra beside those found.
    assert_eq!(seven.names, ["endmember 1", "endmember 2", "endmember 3"]);
    assert!(dirs[0].join("report.html").exists() && dirs[0].join("metrics.json").exists());
    assert!(fs::read_to_string(dirs[0].join("figures/endmembers.svg")).unwrap().contains("truth"));
    assert!(Unmixing::new(config(COUNT)).run(&Source::from(large(&path, 7)), &mut Run::in_memory()).is_err());
}

#[test]
fn a_killed_run_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scene.img");
    scene(&path);
    let large = large(&path, 4);
    let whole = folder.path().join("whole");
    let expected = unmix(&path, 4, &whole);
    let bytes = |dir: &Path, name: &str| fs::read(dir.join(name)).unwrap();
    let images = ["abundances.img", "brightness.img", "reconstruction_error.img", "abundances.hdr", "endmembers.npy"];

    // Killed in the first pass, and as a rule between two checkpoints.
    let dir = folder.path().join("parts");
    let config = BTreeMap::from([("tile_rows", 4)]);
    let mut run = run_in(&dir);
    let mut survey = Dies { work: Survey::new(&large, SEED).unwrap(), left: 5 };
    assert!(run.drive(&mut survey, &POLICY).unwrap_err().to_string().contains("killed"));
    drop(run);
    let resumed = || open_run(&dir, &config, Opening::Resume { strict: false });
    let mut run = resumed();
    let mut survey = Survey::new(&large, SEED).unwrap();
    run.drive(&mut survey, &POLICY).unwrap();
    let surveyed = survey.finish().unwrap();
    assert_eq!(surveyed.usable, expected.pixels);

    // Killed in the second, with half a tile behind the last checkpoint.
    let endmembers = expected.endmembers.scaled(&[1.0 / surveyed.scale; COUNT]);
    let pass = |dir: &Path| {
        fs::create_dir_all(dir).unwrap();
        AbundancePass::new(&large, &surveyed, &endmembers, Convention::Rescaled, dir).unwrap()
    };
    let finished = |run: &mut Run, work: &mut dyn Advance| run.drive(work, &POLICY).is_ok();
    let uninterrupted = folder.path().join("uninterrupted");
    let mut work = pass(&uninterrupted);
    assert!(finished(&mut Run::in_memory(), &mut work));
    work.write_headers().unwrap();
    let mut dying = Dies { work: pass(&dir), left: 8 };
    assert!(run.drive(&mut dying, &POLICY).is_err());
    drop((run, dying));
    assert!(bytes(&dir, "abundances.img").len() < bytes(&uninterrupted, "abundances.img").len());
    fs::OpenOptions::new().append(true).open(dir.join("abundances.img")).unwrap().write_all(&[7; 99]).unwrap();
    let mut work = pass(&dir);
    assert!(finished(&mut resumed(), &mut work));
    assert!(!dir.join("abundances.hdr").exists());
    work.write_headers().unwrap();
    for name in &images[..4] {
        assert_eq!(bytes(&uninterrupted, name), bytes(&dir, name), "{name}");
    }

    // The whole of it, killed after everything but the end; and once more, when nothing is left to do.
    let dir = folder.path().join("end");
    let mut run = run_in(&dir);
    for _ in 0..2 {
        unmix_within(self::large(&path, 4), &mut run).unwrap();
        images.iter().for_each(|name| assert_eq!(bytes(&whole, name), bytes(&dir, name), "{name}"));
    }

    // Results that are gone are not taken for zeros.
    fs::OpenOptions::new().write(true).open(dir.join("brightness.img")).unwrap().set_len(100).unwrap();
    let message = unmix_within(self::large(&path, 4), &mut run).unwrap_err().to_string();
    assert!(message.contains("brightness.img has 100 bytes, and 8000 were written"), "{message}");
    // Another scene is not the one that was begun.
    let mut values = fs::read(&path).unwrap();
    values.chunks_exact_mut(4).for_each(|value| value.copy_from_slice(&3.0f32.to_le_bytes()));
    fs::write(&path, values).unwrap();
    let changed = self::large(&path, 4);
    assert!(run.drive(&mut Survey::new(&changed, SEED).unwrap(), &POLICY).unwrap_err().to_string().contains("survey"));
}

#[test]
fn a_search_for_the_number_that_is_killed_goes_on_to_the_same_bits() {
    let stream = Stream::new(13, "killed search");
    let truth = smooth_endmembers(COUNT, BANDS, stream.child(0)).unwrap();
    let pixels = mix(&truth, &patches(20, 20, COUNT, 0.05, stream.child(1)).unwrap(), 30.0, stream.child(2)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let search = || Search::new(&pixels, 5, SEED).unwrap();
    let each = Policy { save_every: Some(1), ..POLICY };
    let mut dying = Dies { work: search(), left: 3 };
    assert!(run_in(folder.path()).drive(&mut dying, &each).is_err());
    let config = BTreeMap::from([("tile_rows", 4)]);
    let mut resumed = search();
    let driven = open_run(folder.path(), &config, Opening::Resume { strict: true }).drive(&mut resumed, &each).unwrap();
    assert_eq!(driven.updates, 5);
    assert_eq!(resumed.finish().unwrap(), suggest(&pixels, 5, SEED).unwrap());
}

#[test]
fn a_scene_without_usable_pixels_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scene.img");
    let array = Array::new(vec![6, 5, 4], Values::F32(vec![-9999.0; 120])).unwrap();
    let header = EnviHeader { ignore_value: Some(-9999.0), ..EnviHeader::new(6, 5, 4) };
    write_envi_array(&path, &header, &array).unwrap();
    let error = LargeScene::open_from(&SceneFiles::of(&path), 0).unwrap_err().to_string();
    assert!(error.contains("none of the 30 pixels has data"), "{error}");
}

#[test]
fn small_images_and_other_formats_are_left_to_be_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scene.img");
    scene(&path);
    assert!(LargeScene::open(&SceneFiles::of(&path)).unwrap().is_none());
    let other = folder.path().join("scene.npy");
    cupel_data::convert(&path, &other, None, false).unwrap();
    assert!(LargeScene::open_from(&SceneFiles::of(&other), 0).unwrap().is_none());
}
