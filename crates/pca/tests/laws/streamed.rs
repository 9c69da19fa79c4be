//! A streamed fit is the fit in memory, and one that was stopped goes on with the same bits.

use std::path::PathBuf;

use cupel_data::{Array, AxisKind, Values, write_npy, write_npz};
use cupel_pca::{Choice, Chunks, Components, Covariance, Error, Files, Grouping, Modes, Pca, Stored, StreamedFit};
use cupel_train::{Advance, Description, Opening, Position, Progress, Result, Run, SetReader, SetWriter};
use num_complex::Complex;

use super::samples::{assert_close, uniform};

const CHANNELS: usize = 128;
const SAMPLES: usize = 24_000;

/// Two files of samples by channels, 9 and 3 MB: more than one chunk.
fn files(folder: &std::path::Path) -> Vec<PathBuf> {
    let values: Vec<f32> = uniform(SAMPLES * CHANNELS, 71)
        .chunks(CHANNELS)
        .flat_map(|row| {
            row.iter().enumerate().map(|(c, v)| (v + 1e3 * row[0] / (1.0 + c as f64)) as f32).collect::<Vec<_>>()
        })
        .collect();
    let cut = 18_000 * CHANNELS;
    [("first", 18_000, &values[..cut]), ("second", 6000, &values[cut..])]
        .into_iter()
        .map(|(name, samples, values)| {
            let path = folder.join(format!("{name}.npy"));
            write_npy(&path, &Array::new(vec![samples, CHANNELS], Values::F32(values.to_vec())).unwrap()).unwrap();
            path
        })
        .collect()
}

fn streamed(paths: &[PathBuf]) -> StreamedFit<Files> {
    let files = Files::open(paths, AxisKind::Dimension(1), &Choice::default()).unwrap();
    StreamedFit::new(files, false, None).unwrap()
}

fn driven(mut fit: StreamedFit<Files>) -> StreamedFit<Files> {
    Run::in_memory().drive(&mut fit, &cupel_train::Policy::default()).unwrap();
    fit
}

fn single(fit: &StreamedFit<Files>, modes: Modes) -> Components {
    match fit.components(modes).unwrap() {
        Stored::Single(components) => components,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_streamed_fit_is_the_fit_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let paths = files(folder.path());
    let fit = driven(streamed(&paths));
    assert_eq!(fit.samples(), SAMPLES as u64);
    let mut whole = Covariance::new(fit.groups()[0].axis());
    for path in &paths {
        whole.update(&cupel_data::open(path).unwrap().cube::<f32>(None).unwrap()).unwrap();
    }
    assert_close(&fit.groups()[0].matrix().unwrap(), &whole.matrix().unwrap(), 1e-12, "matrix");
    let (got, expected) = (single(&fit, Modes::Count(3)), whole.components(Modes::Count(3)).unwrap());
    assert_close(got.eigenvalues(), expected.eigenvalues(), 1e-12, "eigenvalues");
    assert_eq!(got.data_hash(), Some(fit.data_hash()));
    // the hash is that of the content
    std::fs::copy(&paths[0], folder.path().join("renamed.npy")).unwrap();
    let renamed = streamed(&[folder.path().join("renamed.npy"), paths[1].clone()]);
    assert_eq!(renamed.data_hash(), fit.data_hash());
    assert_ne!(streamed(&paths[..1]).data_hash(), fit.data_hash());
}

#[test]
fn channels_on_the_outermost_axis_are_found_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cube.npy");
    let values: Vec<f64> = uniform(6 * 50 * 40, 72);
    write_npy(&path, &Array::new(vec![6, 50, 40], Values::F64(values)).unwrap()).unwrap();
    let files = Files::open(std::slice::from_ref(&path), AxisKind::Dimension(0), &Choice::default()).unwrap();
    assert_eq!((files.axis().len(), files.length(AxisKind::Dimension(2)).unwrap()), (6, 40));
    let fit = driven(StreamedFit::new(files, false, None).unwrap());
    let cube = cupel_data::open(&path).unwrap().cube::<f64>(None).unwrap();
    let expected = Pca::new(Modes::Count(2)).fit(&cube, AxisKind::Dimension(0)).unwrap();
    assert_close(single(&fit, Modes::Count(2)).eigenvalues(), expected.eigenvalues(), 1e-12, "eigenvalues");
}

/// Dies after some advances, as a process that is killed.
struct Dies {
    fit: StreamedFit<Files>,
    after: u64,
}

impl Advance for Dies {
    fn advance(&mut self, at: Position) -> Result<Progress> {
        if at.update == self.after {
            return Err(cupel_train::Error::work("killed"));
        }
        self.fit.advance(at)
    }

    fn save(&self, set: &mut SetWriter) -> Result<()> {
        self.fit.save(set)
    }

    fn load(&mut self, set: &SetReader) -> Result<()> {
        self.fit.load(set)
    }

    fn fingerprint(&self) -> Result<[u8; 32]> {
        self.fit.fingerprint()
    }

    fn name(&self) -> &str {
        self.fit.name()
    }
}

/// Files with weights, of which some are zero, cut into chunks.
fn weighted(paths: &[PathBuf], folder: &std::path::Path) -> StreamedFit<Files> {
    let weights = [18_000, 6000].iter().enumerate().map(|(number, samples)| {
        let path = folder.join(format!("weights{number}.npz"));
        let values = uniform(samples * CHANNELS, 73).iter().map(|draw| *draw > -0.4).collect();
        let array = Array::new(vec![*samples, CHANNELS], Values::Bool(values)).unwrap();
        write_npz(&path, &[("weights", &array)]).unwrap();
        path
    });
    let choice = Choice { weights: weights.collect(), ..Choice::default() };
    let grouping = Grouping::new(AxisKind::Dimension(0), (0..18_000).map(|at| at % 2).collect()).unwrap();
    let files = Files::open(paths, AxisKind::Dimension(1), &choice).unwrap();
    StreamedFit::new(files, false, Some(grouping)).unwrap()
}

fn opened(folder: &std::path::Path, how: Opening) -> Run {
    Run::open(folder, &Description::new("pca fit"), how).unwrap().run().unwrap()
}

#[test]
fn a_fit_that_was_stopped_goes_on_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let paths = files(folder.path());
    for grouped in [false, true] {
        let fresh = || if grouped { weighted(&paths, folder.path()) } else { streamed(&paths) };
        let expected = driven(fresh());
        assert!(expected.total().unwrap() >= 2);
        let run = folder.path().join(format!("run {grouped}"));
        let every = cupel_train::Policy { save_every: Some(1), ..cupel_train::Policy::default() };
        let mut dies = Dies { fit: fresh(), after: 1 };
        opened(&run, Opening::Create).drive(&mut dies, &every).unwrap_err();
        let mut resumed = fresh();
        let driven = opened(&run, Opening::Resume { strict: true }).drive(&mut resumed, &every).unwrap();
        assert_eq!(driven.updates, expected.total().unwrap());
        assert_eq!(resumed.groups(), expected.groups());
        assert_eq!(resumed.components(Modes::Count(4)).unwrap(), expected.components(Modes::Count(4)).unwrap());
    }
}

#[test]
fn complex_files_give_either_basis() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vis.npy");
    let draws = uniform(2 * 4 * 6 * 30, 74);
    let values = draws.chunks(2).map(|pair| Complex::new(pair[0] as f32, pair[1] as f32)).collect();
    write_npy(&path, &Array::new(vec![4, 6, 30], Values::Complex64(values)).unwrap()).unwrap();
    let choice =
        Choice { axes: Some(vec![AxisKind::Baseline, AxisKind::Frequency, AxisKind::Time]), ..Choice::default() };
    let cube = cupel_data::open(&path).unwrap().cube::<Complex<f32>>(None).unwrap();
    let cube = cube.rename(choice.axes.as_ref().unwrap()).unwrap();
    for hermitian in [false, true] {
        let files = Files::open(std::slice::from_ref(&path), AxisKind::Frequency, &choice).unwrap();
        assert!(files.is_complex());
        let fit = driven(StreamedFit::new(files, hermitian, None).unwrap());
        let pca = Pca::new(Modes::Count(2));
        let pca = if hermitian { pca.hermitian() } else { pca };
        let expected = pca.fit(&cube, AxisKind::Frequency).unwrap();
        assert_close(single(&fit, Modes::Count(2)).eigenvalues(), expected.eigenvalues(), 1e-12, "eigenvalues");
    }
}

#[test]
fn files_that_do_not_belong_together_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, shape: &[usize], value: f32| {
        let path = folder.path().join(name);
        let count = shape.iter().product();
        write_npy(&path, &Array::new(shape.to_vec(), Values::F32(vec![value; count])).unwrap()).unwrap();
        path
    };
    let (good, other, flat) =
        (write("good.npy", &[9, 4], 1.0), write("other.npy", &[9, 5], 1.0), write("flat.npy", &[4], 1.0));
    let nan = write("nan.npy", &[9, 4], f32::NAN);
    let open = |paths: &[PathBuf], axis: u8, choice: &Choice| Files::open(paths, AxisKind::Dimension(axis), choice);
    let refused = |paths: &[PathBuf], axis: u8, choice: &Choice, name: &str| {
        let error = open(paths, axis, choice).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    };
    let plain = Choice::default();
    refused(&[good.clone(), other.clone()], 1, &plain, "other.npy");
    refused(std::slice::from_ref(&flat), 0, &plain, "flat.npy");
    refused(&[], 0, &plain, "no files");
    refused(std::slice::from_ref(&good), 3, &plain, "dimension 3");
    refused(&[good.clone(), good.clone()], 1, &Choice { weights: vec![good.clone()], ..Choice::default() }, "weights");
    refused(std::slice::from_ref(&good), 1, &Choice { weights: vec![other], ..Choice::default() }, "other.npy");
    let mut fit = StreamedFit::new(open(std::slice::from_ref(&nan), 1, &plain).unwrap(), false, None).unwrap();
    let error = fit.advance(Position::default()).unwrap_err().to_string();
    assert!(error.contains("nan.npy") && error.contains("36 of 36"), "{error}");
    // all of it flagged is no data
    let zero = write("zero.npy", &[9, 4], 0.0);
    let choice = Choice { weights: vec![zero], ..Choice::default() };
    let fit = driven(StreamedFit::new(open(&[nan], 1, &choice).unwrap(), false, None).unwrap());
    assert!(matches!(fit.components(Modes::Count(1)), Err(Error::TooFewSamples { got: 0, .. })));
}
