//! Saved components are the same when loaded, and what is none is refused.

use std::{fs, path::Path};

use cupel_data::{Array, Axis, AxisKind, Values, open, write_npz};
use cupel_pca::{Components, Covariance, Error, GroupedComponents, GroupedCovariance, Grouping, Modes, Pca, Stored};

use super::samples::{complex_sky, sine, skies, sky, vectors};

fn components(count: usize) -> Components {
    let axis =
        Axis::new(AxisKind::Frequency, 8).with_coordinates((0..8).map(|i| 100.0 + f64::from(i)).collect(), "MHz");
    let sky = sky(90, 8, 61).with_axis(axis.unwrap()).unwrap();
    let components = Pca::new(Modes::Count(count)).fit(&sky, AxisKind::Frequency).unwrap();
    components.with_unit(Some("K".into())).with_data_hash(Some("12ab".into()))
}

#[test]
fn loaded_components_are_those_that_were_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("components.npz");
    for count in [0, 3, 8] {
        let saved = components(count);
        saved.save(&path).unwrap();
        assert_eq!(Components::load(&path).unwrap(), saved);
        // a folder is taken for the file in it
        assert_eq!(Components::load(folder.path()).unwrap(), saved);
    }
    let hermitian =
        Pca::new(Modes::MarchenkoPastur).hermitian().fit(&complex_sky(70, 6, [62, 63]), AxisKind::Frequency).unwrap();
    hermitian.save(&path).unwrap();
    assert_eq!(Components::load(&path).unwrap(), hermitian);
    // thin ones, along an axis without a name
    let few = sky(5, 9, 64).rename(&[AxisKind::Dimension(1), AxisKind::Dimension(0)]).unwrap();
    let thin = Pca::new(Modes::Count(2)).fit(&few, AxisKind::Dimension(0)).unwrap();
    thin.save(&path).unwrap();
    let loaded = Components::load(&path).unwrap();
    assert_eq!(loaded, thin);
    assert!(loaded.check_axis(&Axis::new(AxisKind::Dimension(1), 9)).is_err());
    let mut grouped = GroupedCovariance::new(
        Grouping::new(AxisKind::Sample, (0..90).map(|at| at % 2).collect()).unwrap(),
        &Covariance::new(&Axis::new(AxisKind::Frequency, 8)),
    )
    .unwrap();
    grouped.update(&sky(90, 8, 65), 0).unwrap();
    let groups = grouped.components(Modes::EigenGap).unwrap().with_origin(Some("mK".into()), Some("ff".into()));
    groups.save(&path).unwrap();
    assert_eq!(GroupedComponents::load(&path).unwrap(), groups);
    assert!(matches!(Stored::load(&path).unwrap(), Stored::Grouped(_)));
    assert!(Components::load(&path).unwrap_err().to_string().contains("2 groups along the sample axis"));
}

#[test]
fn the_arrays_are_those_of_the_format_that_is_continued() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("components.npz");
    components(3).save(&path).unwrap();
    let file = open(&path).unwrap();
    for (name, shape) in [
        ("fg_components", &[8, 3][..]),
        ("signal_components", &[8, 5]),
        ("eigenvalues", &[8]),
        ("mean_per_freq", &[8]),
        ("N_FG", &[]),
        ("N_freq", &[]),
        ("coordinates", &[8]),
    ] {
        assert_eq!(file.variable(name).unwrap().shape(), shape, "{name}");
    }
    assert_eq!(file.cube::<i64>(Some("N_FG")).unwrap().values(), [3]);
}

/// The six arrays, with one of them changed.
fn plain(path: &Path, of: &Components, change: impl Fn(&str, &mut Vec<f32>, &mut Vec<usize>)) {
    let (channels, count) = (of.channels(), of.count());
    let cupel_pca::Basis::Real(rest) = of.complement() else { panic!("a real basis") };
    let turned = |vectors: &[Vec<f64>]| -> Vec<f32> {
        (0..channels * vectors.len()).map(|at| vectors[at % vectors.len()][at / vectors.len()] as f32).collect()
    };
    let single = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<f32>>();
    let mut arrays = vec![
        ("fg_components", turned(of.vectors().unwrap()), vec![channels, count]),
        ("signal_components", turned(rest), vec![channels, channels - count]),
        ("eigenvalues", single(of.eigenvalues()), vec![channels]),
        ("mean_per_freq", single(of.mean()), vec![channels]),
        ("N_FG", vec![count as f32], vec![]),
        ("N_freq", vec![channels as f32], vec![]),
    ];
    arrays.iter_mut().for_each(|(name, values, shape)| change(name, values, shape));
    let arrays: Vec<(&str, Array)> = arrays
        .into_iter()
        .map(|(name, values, shape)| (name, Array::new(shape, Values::F32(values)).unwrap()))
        .collect();
    write_npz(path, &arrays.iter().map(|(name, array)| (*name, array)).collect::<Vec<_>>()).unwrap();
}

#[test]
fn six_arrays_in_single_precision_load_and_are_orthonormal_in_double() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plain.npz");
    let original = components(3);
    plain(&path, &original, |_, _, _| ());
    let loaded = Components::load(&path).unwrap();
    assert_eq!((loaded.count(), loaded.channels(), loaded.axis().kind()), (3, 8, AxisKind::Frequency));
    assert!(sine(&vectors(loaded.basis()), &vectors(original.basis())) < 1e-6);
    for (i, a) in loaded.vectors().unwrap().iter().enumerate() {
        for (j, b) in loaded.vectors().unwrap().iter().enumerate() {
            let dot: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
            assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-14);
        }
    }
    // once the channels are known
    assert_eq!(loaded.with_axis(original.axis().clone()).unwrap().axis(), original.axis());
}

#[test]
fn changed_arrays_are_refused_with_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.npz");
    let of = components(3);
    type Change<'a> = &'a dyn Fn(&str, &mut Vec<f32>, &mut Vec<usize>);
    let refused = |change: Change<'_>, expected: &str| {
        plain(&path, &of, change);
        let error = Components::load(&path).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("changed.npz"), "{error}");
    };
    let at = |wanted: &'static str, index: usize, value: f32| {
        move |name: &str, values: &mut Vec<f32>, _: &mut Vec<usize>| {
            if name == wanted {
                values[index] = value;
            }
        }
    };
    refused(&at("fg_components", 4, 0.9), "not orthonormal");
    refused(&at("signal_components", 7, f32::NAN), "not finite");
    refused(&at("eigenvalues", 2, f32::INFINITY), "not finite");
    refused(&at("eigenvalues", 5, 1e9), "must descend");
    refused(&at("eigenvalues", 7, -1e9), "below 0");
    refused(&at("mean_per_freq", 0, f32::NAN), "not finite");
    refused(&at("N_FG", 0, 4.0), "shape");
    refused(&at("N_FG", 0, 9.0), "N_FG 9 of N_freq 8");
    refused(&at("N_freq", 0, 7.0), "shape");
    let turned = |name: &str, _: &mut Vec<f32>, shape: &mut Vec<usize>| {
        if name == "fg_components" {
            shape.reverse();
        }
    };
    refused(&turned, "expected [8, 3]");
    // not one of them may be missing
    for missing in ["fg_components", "signal_components", "eigenvalues", "mean_per_freq", "N_FG", "N_freq"] {
        plain(&path, &of, |_, _, _| ());
        let file = open(&path).unwrap();
        let names = file.variables().iter().map(|variable| variable.name().to_string());
        let kept: Vec<_> = names.filter(|name| name != missing).collect();
        let arrays: Vec<_> = kept.iter().map(|name| (name.as_str(), file.array(Some(name)).unwrap())).collect();
        write_npz(&path, &arrays.iter().map(|(name, array)| (*name, array)).collect::<Vec<_>>()).unwrap();
        assert!(Components::load(&path).unwrap_err().to_string().contains(missing));
    }
}

#[test]
fn other_versions_other_coordinates_and_flipped_bytes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("components.npz");
    let original = components(3);
    original.save(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let rewritten = |name: &str, change: &dyn Fn(Values) -> Values| {
        fs::write(&path, &bytes).unwrap();
        let file = open(&path).unwrap();
        let names: Vec<String> = file.variables().iter().map(|variable| variable.name().to_string()).collect();
        let arrays: Vec<(&str, Array)> = names
            .iter()
            .map(|own| {
                let array = file.array(Some(own)).unwrap();
                let shape = array.shape().to_vec();
                let values = if own == name { change(array.into_values()) } else { array.into_values() };
                let shape = if shape.len() == 1 { vec![values.len()] } else { shape };
                (own.as_str(), Array::new(shape, values).unwrap())
            })
            .collect();
        write_npz(&path, &arrays.iter().map(|(name, array)| (*name, array)).collect::<Vec<_>>()).unwrap();
        Components::load(&path)
    };
    let text = |from: &'static str, to: &'static str| {
        move |values: Values| match values {
            Values::U8(bytes) => Values::U8(String::from_utf8(bytes).unwrap().replace(from, to).into_bytes()),
            other => other,
        }
    };
    assert_eq!(rewritten("cupel", &text("", "")).unwrap(), original);
    for (from, to, expected) in [
        ("\"version\":1", "\"version\":2", "version 2"),
        ("\"MHz\"", "\"GHz\"", "coordinates"),
        ("\"MHz\"", "\"miles\"", "no unit"),
        ("\"frequency\"", "\"time\"", "coordinates"),
        ("\"hermitian\":false", "\"hermitian\":true", "otherwise"),
        ("\"eigen\"", "\"oracle\"", "no solver"),
        ("\"parts\":", "\"pieces\":", "damaged"),
        ("{", "[", "JSON"),
    ] {
        let error = rewritten("cupel", &text(from, to)).unwrap_err().to_string();
        assert!(error.contains(expected), "{to}: {error}");
    }
    let moved = |values: Values| match values {
        Values::F64(mut values) => {
            values[7] += 0.5;
            Values::F64(values)
        }
        other => other,
    };
    assert!(rewritten("coordinates", &moved).unwrap_err().to_string().contains("coordinates"));
    // no flip of a byte and no cut ends in other components
    for step in 0..300 {
        let mut mutant = bytes.clone();
        let at = step * mutant.len() / 300;
        mutant[at] ^= 1 << (step % 8);
        fs::write(&path, &mutant).unwrap();
        if let Ok(loaded) = Components::load(&path) {
            assert_eq!(loaded, original, "byte {at}");
        }
        fs::write(&path, &bytes[..at]).unwrap();
        assert!(Components::load(&path).is_err(), "cut at {at}");
    }
}

#[test]
fn a_file_of_pytorch_is_refused_with_the_lines_that_convert_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pca_components_nfg7.pt");
    let archive = b"PK\x03\x04\x00\x00\x08\x08\x00\x00\x00\x00\x00\x00archive/data.pkl\x80\x02}q\x00";
    for bytes in [&archive[..], b"\x80\x02}q\x00(X\x0d\x00\x00\x00fg_componentsq\x01"] {
        fs::write(&path, bytes).unwrap();
        let error = Components::load(&path).unwrap_err();
        assert!(matches!(error, Error::Torch { .. }));
        let text = error.to_string();
        for part in ["torch.load(", "numpy.savez(", "pca_components_nfg7.npz"] {
            assert!(text.contains(part), "{text}");
        }
    }
    let text = folder.path().join("text.npz");
    fs::write(&text, "no archive,at all\n1,2\n").unwrap();
    assert!(Components::load(&text).unwrap_err().to_string().contains("text.npz"));
    assert!(Components::load(folder.path().join("absent.npz")).is_err());
}

#[test]
fn arrays_under_other_names_are_named() {
    let Some(folder) = skies() else { return };
    let error = Components::load(folder.join("sim32/pca_nfg4.npz")).unwrap_err().to_string();
    assert!(error.contains("N_freq") && error.contains("components"), "{error}");
}
