//! Pixels without data change nothing for the others.

use cupel_data::{Array, EnviHeader, Stream, Values, open, write_envi_array, write_npy};
use cupel_train::{Casting, Run, checks::exclusive, device};
use cupel_unmixing::{
    Endmembers, Method, Results, Scene, SceneFiles, Source, Unmixing, UnmixingConfig, mix, patches, smooth_endmembers,
};
use std::path::{Path, PathBuf};

const ROWS: usize = 20;
const COLUMNS: usize = 24;
const BANDS: usize = 30;
const COUNT: usize = 3;
/// Width of the border without data.
const BORDER: usize = 3;

/// A scene within a border of `fill`, and the same without it.
fn scenes(folder: &Path, fill: i16) -> (PathBuf, PathBuf) {
    let stream = Stream::new(11, "no data");
    let truth = smooth_endmembers(COUNT, BANDS, stream.child(0)).unwrap();
    let shares = patches(ROWS, COLUMNS, COUNT, 0.05, stream.child(1)).unwrap();
    let pixels = mix(&truth, &shares, 40.0, stream.child(2)).unwrap();
    let inner: Vec<i16> = pixels.values().iter().map(|v| (v * 10_000.0).round() as i16).collect();
    let (rows, columns) = (ROWS + 2 * BORDER, COLUMNS + 2 * BORDER);
    let mut outer = vec![fill; rows * columns * BANDS];
    for row in 0..ROWS {
        let (from, to) = (row * COLUMNS * BANDS, ((row + BORDER) * columns + BORDER) * BANDS);
        outer[to..to + COLUMNS * BANDS].copy_from_slice(&inner[from..from + COLUMNS * BANDS]);
    }
    let write = |name: &str, shape: [usize; 3], values: Vec<i16>| {
        let path = folder.join(name);
        let header = EnviHeader { ignore_value: Some(-9999.0), ..EnviHeader::new(1, 1, 1) };
        write_envi_array(&path, &header, &Array::new(shape.to_vec(), Values::I16(values)).unwrap()).unwrap();
        path
    };
    (write("outer.img", [rows, columns, BANDS], outer), write("inner.img", [ROWS, COLUMNS, BANDS], inner))
}

fn unmix(files: &SceneFiles, method: Method) -> Results {
    let steps = method.is_network().then_some(3);
    let config = UnmixingConfig { method, steps, seed: 4, ..UnmixingConfig::new(COUNT) };
    let unmixing = Unmixing::new(config).on(&device::select("cpu").unwrap().device, Casting::f32());
    unmixing.run(&Source::from(Scene::open(files).unwrap()), &mut Run::in_memory()).unwrap()
}

/// The same numbers, to the bit.
#[track_caller]
fn assert_same(a: &Results, b: &Results, what: &str) {
    let bits = |spectra: &Endmembers| spectra.values().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&a.endmembers), bits(&b.endmembers), "{what}");
    let shares = |results: &Results| {
        let unmixed = results.unmixed.as_ref().unwrap();
        unmixed.own_abundances().values().iter().map(|v| v.to_bits()).collect::<Vec<_>>()
    };
    assert_eq!(shares(a), shares(b), "{what}");
}

#[test]
fn results_are_those_of_the_scene_without_its_border() {
    let _alone = exclusive();
    let folder = tempfile::tempdir().unwrap();
    let (outer, inner) = scenes(folder.path(), -9999);
    for method in [Method::Auto, Method::Vca, Method::Pmm, Method::Misicnet, Method::Deeptrans] {
        let [outer, inner] = [&outer, &inner].map(|path| unmix(&SceneFiles::of(path), method));
        assert_same(&outer, &inner, method.name());
        let border = (ROWS + 2 * BORDER) * (COLUMNS + 2 * BORDER) - ROWS * COLUMNS;
        assert_eq!((outer.pixels, outer.pixels_left_out, inner.pixels_left_out), (ROWS * COLUMNS, border, 0));
    }
}

#[test]
fn masks_parts_and_numbers_for_missing_values_leave_the_same_pixels_out() {
    let folder = tempfile::tempdir().unwrap();
    let (outer, inner) = scenes(folder.path(), 1234);
    let (rows, columns) = (ROWS + 2 * BORDER, COLUMNS + 2 * BORDER);
    let within = |n: usize| {
        let (row, column) = (n / columns, n % columns);
        (BORDER..BORDER + ROWS).contains(&row) && (BORDER..BORDER + COLUMNS).contains(&column)
    };
    let mask = folder.path().join("mask.npy");
    let values = (0..rows * columns).map(|n| u8::from(within(n))).collect();
    write_npy(&mask, &Array::new(vec![rows, columns], Values::U8(values)).unwrap()).unwrap();
    let expected = unmix(&SceneFiles::of(&inner), Method::Vca);
    let all = SceneFiles::of(&outer);
    for (what, files) in [
        ("a mask", SceneFiles { mask: Some(mask.clone()), ..all.clone() }),
        ("a part", SceneFiles { roi: "4-23,4-27".parse().ok(), ..all.clone() }),
        ("a number", SceneFiles { ignore_values: vec![1234.0], ..all.clone() }),
    ] {
        assert_same(&unmix(&files, Method::Vca), &expected, what);
    }
    let error = |files: SceneFiles| Scene::open(&files).unwrap_err().to_string();
    let wrong = SceneFiles { roi: "4-99,4-27".parse().ok(), ..all.clone() };
    assert!(error(wrong).contains("26 rows and 30 columns"));
    let wrong = SceneFiles { mask: Some(mask), ..SceneFiles::of(&inner) };
    assert!(error(wrong).contains("the mask does not fit the scene"));
    let nothing = SceneFiles { ignore_values: vec![1234.0], roi: "1-3,1-30".parse().ok(), ..all };
    assert!(error(nothing).contains("none of the 780 pixels has data"));
}

#[test]
fn bands_go_by_number_and_by_wavelength() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scene.img");
    let values = (0..4 * 5 * 6).map(|v| 100 + v).collect();
    let header = EnviHeader {
        wavelengths_nm: vec![400.0, 500.0, 600.0, 700.0, 800.0, 900.0],
        good_bands: vec![true, true, true, true, true, false],
        ..EnviHeader::new(1, 1, 1)
    };
    write_envi_array(&path, &header, &Array::new(vec![4, 5, 6], Values::U16(values)).unwrap()).unwrap();
    let open = |drop: &[&str]| {
        let drop_bands = drop.iter().map(|range| range.parse().unwrap()).collect();
        Scene::open(&SceneFiles { drop_bands, ..SceneFiles::of(&path) })
    };
    let scene = open(&["1", "550-750nm"]).unwrap();
    let axis = scene.cube.axis(cupel_data::AxisKind::Wavelength).unwrap();
    assert_eq!(axis.coordinates(), Some(&[500.0, 800.0][..]));
    let told = scene.notes.join("\n");
    assert!(told.contains("1 band: 6 (900 nm), which the file marks as bad"), "{told}");
    assert!(told.contains("3 bands: 1 (400 nm), 3-4 (600-700 nm), as asked"), "{told}");
    let nothing = open(&["2000-2100nm"]).unwrap_err().to_string();
    assert!(nothing.contains("2000-2100nm") && nothing.contains("ranges with a band in them"), "{nothing}");
    assert!(open(&["7"]).is_err());
}

#[test]
fn fewer_endmembers_than_materials_are_compared_with_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let (_, inner) = scenes(folder.path(), -9999);
    let truth = folder.path().join("truth.npy");
    let spectra = smooth_endmembers(COUNT, BANDS, Stream::new(11, "no data").child(0)).unwrap();
    write_npy(&truth, &Array::new(vec![COUNT, BANDS], Values::F64(spectra.values().to_vec())).unwrap()).unwrap();
    let files = SceneFiles { truth: vec![truth], ..SceneFiles::of(&inner) };
    let config = UnmixingConfig { method: Method::Vca, ..UnmixingConfig::new(2) };
    let source = Source::from(Scene::open(&files).unwrap());
    let results = Unmixing::new(config).run(&source, &mut Run::in_memory()).unwrap();
    assert_eq!((results.names.len(), results.summary.sad_rad.as_ref().map(Vec::len)), (2, Some(2)));
    assert!(results.summary.abundance_rmse.is_none() && results.summary.mean_sad_rad.unwrap() < 0.3);
    assert!(open(&files.file).is_ok());
}
