//! Scenes read in tiles give what they give when read whole.

use cupel_data::{Array, EnviHeader, Interleave, Stream, Values, open, write_envi_array};
use cupel_train::{Policy, Run};
use cupel_unmixing::{
    Abundances, Agreement, Convention, Endmembers, LargeScene, Method, Pixels, Streamed, StreamedEnding,
    UnmixingConfig, mix, patches, smooth_endmembers,
};
use std::path::Path;

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
    (truth, values)
}

fn unmix(path: &Path, tile_rows: usize, dir: &Path, truth: &Endmembers) -> Streamed {
    let large = LargeScene::open_from(path, 0).unwrap().unwrap().with_tile_rows(tile_rows);
    assert_eq!(large.tiles(), ROWS.div_ceil(tile_rows));
    let config = UnmixingConfig { method: Method::Vca, ..UnmixingConfig::new(COUNT) };
    let mut run = Run::in_memory();
    match large.unmix(config, Some(COUNT), 12, Some(truth), &mut run, &Policy::default(), dir).unwrap() {
        StreamedEnding::Done(streamed) => *streamed,
        StreamedEnding::Stopped { .. } => panic!("nobody stopped it"),
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
    dirs.iter().for_each(|dir| std::fs::create_dir(dir).unwrap());
    let [seven, all] = [(7, &dirs[0]), (ROWS, &dirs[1])].map(|(rows, dir)| unmix(&path, rows, dir, &truth));
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
    assert!(dirs[0].join("report.html").exists() && !dirs[0].join("results.partial").exists());
}

#[test]
fn small_images_and_other_formats_are_left_to_be_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scene.img");
    scene(&path);
    assert!(LargeScene::open(&path).unwrap().is_none());
    let other = folder.path().join("scene.npy");
    cupel_data::convert(&path, &other, None, false).unwrap();
    assert!(LargeScene::open_from(&other, 0).unwrap().is_none());
}
