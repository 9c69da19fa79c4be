//! Published scenes, where they are at hand: the folder `unmixing` in `CUPEL_DATA`, else in `../shared/data` beside the
//! workspace. The numbers are those of SciPy 1.17.1.

use cupel_data::{Class, ElementType, open};
use std::path::{Path, PathBuf};

fn folder() -> Option<PathBuf> {
    let data = std::env::var_os("CUPEL_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let folder = data.join("unmixing");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: there are no scenes in {}; set CUPEL_DATA", folder.display());
    None
}

/// Sum, element at a third of the length and last element, in row-major order.
fn check(folder: &Path, file: &str, name: &str, shape: &[usize], element: ElementType, numbers: [f64; 3]) {
    let dataset = open(folder.join(file)).unwrap();
    assert_eq!(dataset.variable(name).unwrap().class(), &Class::Number(element), "{file} {name}");
    let cube = dataset.cube::<f64>(Some(name)).unwrap();
    assert_eq!(cube.shape(), shape, "{file} {name}");
    let values = cube.values();
    let sum: f64 = values.iter().sum();
    // The order of the sum differs.
    assert!((sum - numbers[0]).abs() <= 1e-12 * numbers[0].abs() * 100.0, "{file} {name} {sum}");
    assert_eq!(values[values.len() / 3], numbers[1], "{file} {name}");
    assert_eq!(values[values.len() - 1], numbers[2], "{file} {name}");
}

#[test]
fn every_file_opens_and_every_array_in_it_is_read() {
    let Some(folder) = folder() else { return };
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "mat") {
            let arrays = super::samples::read_all(&path).unwrap_or_else(|error| panic!("{error}"));
            assert!(!arrays.is_empty(), "{}", path.display());
            files += 1;
        }
    }
    assert!(files >= 10, "{files} files");
}

#[test]
fn values_are_those_of_scipy() {
    use ElementType::{F32, F64, U8, U16};
    let Some(folder) = folder() else { return };
    let check = |file, name, shape: &[usize], element, numbers| check(&folder, file, name, shape, element, numbers);
    let samson = [234604.54564907274, 0.07061340941512126, 0.536376604850214];
    for file in ["samson_hu_autoencoders.mat", "samson_cycunet.mat", "samson_deq.mat"] {
        check(file, "Y", &[156, 9025], F64, samson);
    }
    let file = "samson_hu_autoencoders.mat";
    check(file, "S_GT", &[95, 95, 3], F64, [9025.0, 0.9666619142266019, 0.058256997036861324]);
    check(file, "GT", &[3, 156], F64, [219.29865481489261, 0.010526315789473686, 0.42600390985360476]);
    check(file, "cols", &[1, 1], F64, [95.0; 3]);
    // Both are stored in 16 bits, but MATLAB shows the first one as double.
    for (file, class) in [("jasper_upcgit.mat", F64), ("jasperRidge2_R198.mat", U16)] {
        check(file, "Y", &[198, 10_000], class, [2364404028.0, 3092.0, 372.0]);
    }
    check("jasperRidge2_R198.mat", "GT", &[198, 1], U8, [21454.0, 70.0, 219.0]);
    let file = "deeptrans_results_Abundance_Apex.mat";
    check(file, "a_UnDIP", &[110, 110, 4], F32, [12100.011337948099, 0.12562458217144012, 0.5325222611427307]);
    check(file, "a_NMF", &[110, 110, 4], F64, [12100.562971368267, 0.13117802949651658, 0.5288226682438542]);
    let file = "deeptrans_results_Wavelengths.mat";
    check(file, "lambda_Samson", &[1, 156], F64, [100620.0, 564.7161290322581, 889.0]);
    let region = open(folder.join("jasperRidge2_R198.mat")).unwrap();
    assert_eq!(region.cube::<u16>(Some("Region.xEnd")).unwrap().values(), [368]);
}

/// Prints how long the largest scene takes; `cargo test --release -p cupel-data --test formats reading_time -- --ignored
/// --nocapture`.
#[test]
#[ignore = "a measurement"]
fn reading_time() {
    let Some(folder) = folder() else { return };
    let path = folder.join("samson_hu_autoencoders.mat");
    let mut milliseconds: Vec<f64> = (0..15)
        .map(|_| {
            let start = std::time::Instant::now();
            assert_eq!(open(&path).unwrap().cube::<f64>(Some("Y")).unwrap().len(), 156 * 9025);
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    milliseconds.sort_by(f64::total_cmp);
    println!("open and Y: best {:.1} ms, median {:.1} ms", milliseconds[0], milliseconds[7]);
}
