//! Sparse regression against its conditions of optimality and other solvers, and the unmixing built on it.

use cupel_data::Stream;
use cupel_train::{
    Opening, Policy, Run,
    checks::{CUT_OFF, CutOff},
};
use cupel_unmixing::{
    Abundances, Agreement, Convention, Endmembers, Error, Pixels, SparseConfig, Sunsal, UnmixingConfig, dirichlet, mix,
    sparse_regression,
};

use super::samples::{image, open_run, rough_endmembers, with_threads};

/// A library of twelve spectra, and pixels that mix some of them with noise.
fn scene() -> (Pixels, Endmembers) {
    let stream = Stream::new(31, "sparse");
    let library = rough_endmembers(12, 30, stream.child(0));
    let used = library.reordered(&[2, 5, 9]);
    let abundances = dirichlet(300, 3, 0.8, stream.child(1)).unwrap();
    (mix(&used, &abundances, 35.0, stream.child(2)).unwrap(), library)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn the_conditions_of_optimality_hold() {
    let (pixels, library) = scene();
    for lambda in [0.0, 1e-3, 1e-1, 30.0] {
        let config = SparseConfig { iterations: 20_000, ..SparseConfig::new(lambda) };
        let weights = sparse_regression(&pixels, &library, config).unwrap();
        let gram = library.gram();
        let largest = gram.iter().map(|g| g.abs()).fold(0.0, f64::max) * library.count() as f64;
        let norm = pixels.values().iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        let allowed = config.tolerance * largest.sqrt() * norm;
        for (y, x) in pixels.spectra().zip(weights.rows()) {
            let y: Vec<f64> = y.iter().map(|v| f64::from(*v)).collect();
            for (k, atom) in library.spectra().enumerate() {
                let gradient = dot(&gram[k * 12..][..12], x) - dot(atom, &y) + lambda;
                assert!(x[k] >= 0.0 && gradient >= -allowed, "lambda {lambda}: gradient {gradient}");
                assert!(x[k] == 0.0 || gradient.abs() <= allowed, "lambda {lambda}: {} with gradient {gradient}", x[k]);
            }
        }
        // a weight of the norm beyond every correlation leaves nothing
        assert_eq!(lambda > 29.0, weights.values().iter().all(|x| *x == 0.0));
    }
}

#[test]
fn without_the_norm_it_is_non_negative_least_squares() {
    let (pixels, library) = scene();
    let few = library.reordered(&[2, 5, 9, 0]);
    let exact = Abundances::solve(&pixels, &few, Convention::Nnls).unwrap();
    let config = SparseConfig { tolerance: 1e-10, iterations: 50_000, ..SparseConfig::new(0.0) };
    let found = sparse_regression(&pixels, &few, config).unwrap();
    let apart = exact.values().iter().zip(found.values()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(apart < 1e-6, "{apart}");
}

#[test]
fn an_orthonormal_library_is_soft_thresholding() {
    let bands = 6;
    let unit = |k: usize| (0..bands).map(move |band| f64::from(u8::from(band == k)));
    let library = Endmembers::new((0..bands).flat_map(unit).collect(), bands).unwrap();
    let values = vec![0.9f32, 0.02, 0.4, 0.0, 0.051, 0.3, 0.04, 1.0, 0.0, 0.2, 0.06, 0.5];
    let pixels = Pixels::new(values.clone().into(), bands).unwrap();
    let config = SparseConfig { tolerance: 1e-12, ..SparseConfig::new(0.05) };
    let found = sparse_regression(&pixels, &library, config).unwrap();
    for (x, y) in found.values().iter().zip(values) {
        assert!((x - (f64::from(y) - 0.05).max(0.0)).abs() < 1e-10, "{x} of {y}");
    }
}

#[test]
fn a_larger_norm_leaves_fewer_spectra() {
    let (pixels, library) = scene();
    let used = |lambda| {
        let weights = sparse_regression(&pixels, &library, SparseConfig::new(lambda)).unwrap();
        weights.values().iter().filter(|x| **x > 0.0).count()
    };
    let counts = [0.0, 1e-2, 1e-1, 1.0].map(used);
    assert!(counts.is_sorted_by(|a, b| a > b), "{counts:?}");
}

fn complete(work: &mut Sunsal) -> (Endmembers, Abundances) {
    Run::in_memory().drive(work, &Policy::default()).unwrap();
    work.finish().unwrap()
}

#[test]
fn the_right_spectra_of_a_library_are_chosen() {
    let stream = Stream::new(33, "library");
    let library = rough_endmembers(40, 30, stream.child(0));
    let truth = library.reordered(&[3, 17, 31]);
    let abundances = dirichlet(900, 3, 0.7, stream.child(1)).unwrap();
    let pixels = mix(&truth, &abundances, 40.0, stream.child(2)).unwrap();
    let (endmembers, found) = complete(&mut Sunsal::new(&pixels, 3, Some(&library), 1).unwrap());
    let agreement = Agreement::of(&endmembers, &truth).unwrap();
    assert!(agreement.mean_sad_rad < 1e-6, "{agreement:?}");
    let scaled = truth.norms();
    let errors = agreement.abundance_errors(&found, &abundances).unwrap();
    // weights count in units of norm, which here differ little
    assert!(errors.overall < 0.08, "{errors:?} {scaled:?}");
    for row in found.rows() {
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12 && row.iter().all(|a| *a >= 0.0));
    }
}

#[test]
fn blind_bundles_find_the_materials_of_a_planted_scene() {
    let (image, known) = image(40, 40, 4, 50, 30.0, Stream::new(34, "bundles"));
    let (endmembers, abundances) = complete(&mut Sunsal::new(image.pixels(), 4, None, 2).unwrap());
    let agreement = Agreement::of(&endmembers, &known.endmembers).unwrap();
    let errors = agreement.abundance_errors(&abundances, &known.abundances).unwrap();
    println!("sunsal: mean SAD {:.4}, RMSE {:.4}", agreement.mean_sad_rad, errors.overall);
    assert!(agreement.mean_sad_rad < 0.05 && errors.overall < 0.1, "{agreement:?} {errors:?}");
}

#[test]
fn a_stopped_run_goes_on_to_the_same_bits() {
    let stream = Stream::new(35, "resume");
    let library = rough_endmembers(20, 16, stream.child(0));
    let abundances = dirichlet(9000, 3, 0.7, stream.child(1)).unwrap();
    let pixels = mix(&library.reordered(&[1, 8, 15]), &abundances, 30.0, stream.child(2)).unwrap();
    let settings = UnmixingConfig::new(3);
    for library in [Some(&library), None] {
        let work = || Sunsal::new(&pixels, 3, library, 4).unwrap();
        let whole = complete(&mut work());
        for stop in [2, 4] {
            let folder = tempfile::tempdir().unwrap();
            let dir = folder.path().join("run");
            let cut = &mut CutOff { work: &mut work(), after: stop };
            let each = Policy { save_every: Some(1), ..Policy::default() };
            let ended = open_run(&dir, &settings, Opening::Create).drive(cut, &each);
            if let Err(error) = ended {
                assert_eq!(error.to_string(), CUT_OFF);
            }
            let mut again = work();
            open_run(&dir, &settings, Opening::Resume { strict: true }).drive(&mut again, &Policy::default()).unwrap();
            assert!(again.finish().unwrap() == whole, "cut off after {stop}");
        }
    }
}

#[test]
fn results_have_the_same_bits_on_any_number_of_threads() {
    let (pixels, library) = scene();
    let run = |threads| {
        with_threads(threads, || {
            let weights = sparse_regression(&pixels, &library, SparseConfig::new(1e-3)).unwrap();
            let (endmembers, _) = complete(&mut Sunsal::new(&pixels, 3, None, 6).unwrap());
            weights.values().iter().chain(endmembers.values()).map(|v| v.to_bits()).collect::<Vec<_>>()
        })
    };
    assert!(run(1) == run(3));
}

#[test]
fn what_cannot_be_is_refused() {
    let (pixels, library) = scene();
    for lambda in [-1.0, f64::NAN, f64::INFINITY] {
        let refused = sparse_regression(&pixels, &library, SparseConfig::new(lambda));
        assert!(matches!(refused, Err(Error::Setting(problem)) if problem.name() == "lambda"));
    }
    let intolerant = SparseConfig { tolerance: 0.0, ..SparseConfig::new(0.1) };
    assert!(
        matches!(sparse_regression(&pixels, &library, intolerant), Err(Error::Setting(problem)) if problem.name() == "tolerance")
    );
    let other = rough_endmembers(5, 29, Stream::new(1, "other"));
    assert!(matches!(sparse_regression(&pixels, &other, SparseConfig::new(0.1)), Err(Error::Shape { .. })));
    let library_error = |library: &Endmembers, endmembers| match Sunsal::new(&pixels, endmembers, Some(library), 1) {
        Err(Error::Setting(problem)) if problem.name() == "library" => problem.to_string(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("taken"),
    };
    assert!(library_error(&other, 3).contains("29 bands"));
    assert!(library_error(&library.reordered(&[0, 1]), 3).contains("2 spectra"));
    assert!(matches!(Sunsal::new(&pixels, 0, None, 1), Err(Error::EndmemberCount { .. })));
}
