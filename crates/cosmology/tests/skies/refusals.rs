//! Every bad input ends in one message that says what is wrong, where, and how to mend it.

use std::{fs, path::Path};

use cupel_cosmology::{ReadConfig, read_sky, read_visibilities};
use cupel_data::{Array, Values, write_npy};

use crate::common::{config, fixture, refusal};

fn write(path: &Path, shape: &[usize], values: Vec<f32>) {
    write_npy(path, &Array::new(shape.to_vec(), Values::F32(values)).unwrap()).unwrap();
}

/// A sky of 2 channels of 2 by 2 pixels in a folder of its own, with what `change` makes of its values.
fn changed(change: impl Fn(&mut Vec<f32>), settings: &[(&str, &str)], more: impl Fn(&Path, &mut ReadConfig)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sky.npy");
    let mut values = vec![1.0; 8];
    change(&mut values);
    write(&path, &[2, 2, 2], values);
    let mut config = config(settings);
    more(folder.path(), &mut config);
    let text = refusal(read_sky(&path, &config));
    assert!(!text.contains('\n'), "{text}");
    text
}

const SAID: [(&str, &str); 2] = [("unit", "K"), ("frequencies", "100,101")];

fn keep(_: &mut Vec<f32>) {}
fn nothing(_: &Path, _: &mut ReadConfig) {}

#[test]
fn values_that_are_not_finite_need_a_mask() {
    let text = changed(|values| values[5] = f32::NAN, &SAID, nothing);
    assert!(
        text.contains(
            "sky.npy: 1 of 8 values are not finite and not flagged, the first at [frequency 1, row 0, column 1]"
        ),
        "{text}"
    );
    assert!(text.contains("(--weights)"), "{text}");
    // weights that leave out another one
    let text = changed(
        |values| values[5] = f32::NAN,
        &SAID,
        |folder, config| {
            let path = folder.join("weights.npy");
            write(&path, &[2, 2, 2], vec![1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0]);
            config.weights = Some(path);
        },
    );
    assert!(text.contains("1 of 8 values are not finite and not flagged"), "{text}");
}

#[test]
fn units_are_known_and_given() {
    let text = changed(keep, &SAID[1..], nothing);
    assert!(text.ends_with("sky.npy: the file names no unit; give it with --unit (K, mK, Jy, Jy/beam, ...)"), "{text}");
    let mut config = ReadConfig::default();
    let problem = cupel_settings::Settings::set(&mut config, "unit", "furlong").unwrap_err().to_string();
    assert!(problem.contains("unit = furlong: expected one of K, mK, uK, Jy,"), "{problem}");
}

#[test]
fn frequencies_are_there_sorted_and_as_many_as_channels() {
    let text = changed(keep, &SAID[..1], nothing);
    assert!(text.contains("there are no frequencies in the file; give them with --frequencies: a list in MHz, LOW:HIGH:CHANNELS, or a file"), "{text}");
    let text = changed(keep, &[SAID[0], ("frequencies", "100,101,102")], nothing);
    assert!(text.contains("3 frequencies are given, the file has 2 channels"), "{text}");
    let text = changed(keep, &[SAID[0], ("frequencies", "100,100")], nothing);
    assert!(text.contains("coordinate 1 of the frequency axis, 100 MHz, repeats the one before it"), "{text}");
    let text = changed(keep, &SAID[..1], |folder, _| {
        let unsorted = Array::new(vec![3], Values::F64(vec![1.0, 3.0, 2.0])).unwrap();
        write_npy(&folder.join("freqs_mhz.npy"), &unsorted).unwrap();
    });
    assert!(text.contains("it has 2 channels") && text.contains("freqs_mhz.npy beside it 3"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sky.npy");
    write(&path, &[3, 1, 1], vec![1.0; 3]);
    let text = refusal(read_sky(&path, &config(&[SAID[0], ("frequencies", "100,102,101")])));
    assert!(text.contains("sky.npy: coordinate 2 of the frequency axis, 101 MHz, turns back; sort the axis"), "{text}");
}

#[test]
fn flags_and_weights_have_the_shape_of_the_values_and_leave_something() {
    let given = |shape: &[usize], values: Vec<f32>, flags: bool| {
        let shape = shape.to_vec();
        changed(keep, &SAID, move |folder, config| {
            let path = folder.join("beside.npy");
            write(&path, &shape, values.clone());
            *(if flags { &mut config.flags } else { &mut config.weights }) = Some(path);
        })
    };
    let text = given(&[2, 2, 1], vec![1.0; 4], true);
    assert!(
        text.contains("beside.npy: the flags have shape [2, 2, 1], the values [2, 2, 2]; give one flag per value"),
        "{text}"
    );
    let text = given(&[8], vec![1.0; 8], false);
    assert!(text.contains("beside.npy: the weights have shape [8], the values [2, 2, 2]"), "{text}");
    let text = given(&[2, 2, 2], vec![1.0; 8], true);
    assert!(text.contains("sky.npy: all 8 values are flagged or have weight 0"), "{text}");
    let text = given(&[2, 2, 2], vec![-1.0; 8], false);
    assert!(text.contains("the weight -1 at [frequency 0, row 0, column 0] is no weight"), "{text}");
}

#[test]
fn shapes_and_names_that_do_not_fit_are_said_with_the_setting_that_mends_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flat.npy");
    write(&path, &[2, 4], vec![1.0; 8]);
    let text = refusal(read_sky(&path, &config(&SAID)));
    assert!(text.contains("\"flat\" has shape [2, 4], expected the axes frequency, row, column; name its axes in their order with --axes"), "{text}");
    let text = refusal(read_sky(&path, &config(&[("axes", "frequency,collumn")])));
    assert!(text.contains("\"collumn\" is not an axis"), "{text}");
    let text = refusal(read_sky(&path, &config(&[("axes", "frequency,row"), SAID[0], SAID[1]])));
    assert!(text.contains("there is no column axis"), "{text}");
    write(&path, &[0, 2, 2], Vec::new());
    let text = refusal(read_sky(&path, &config(&SAID)));
    assert!(text.contains("there are no values in it"), "{text}");
    let text = refusal(read_sky(fixture("plain.uvh5"), &config(&SAID)));
    assert!(text.contains("name the one to read with --variable"), "{text}");
}

#[test]
fn what_a_file_says_is_not_said_again() {
    let text = refusal(read_sky(fixture("cube.fits"), &config(&[("unit", "K")])));
    assert!(text.contains("cube.fits: the file is in Jy/beam, --unit says K; leave --unit out"), "{text}");
    let text = refusal(read_sky(fixture("cube.fits"), &config(&[("frequencies", "1,2,3")])));
    assert!(text.contains("the file has frequencies of its own; leave --frequencies out"), "{text}");
    let text = refusal(read_sky(fixture("cube.fits"), &config(&[("side-deg", "3")])));
    assert!(text.contains("leave --side-deg out"), "{text}");
    let text = refusal(read_sky(fixture("cube.fits"), &config(&[("beam-deg", "3")])));
    assert!(text.contains("leave --beam-deg out"), "{text}");
    let text = refusal(read_sky(fixture("beams.fits"), &config(&[])));
    assert!(text.contains("beams.fits: 1 of 60 values are not finite and not flagged"), "{text}");
}

#[test]
fn truncated_files_are_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["cube.fits", "ring.fits", "vis_labelled.h5", "plain.uvh5"] {
        let bytes = fs::read(fixture(name)).unwrap();
        let path = folder.path().join(name);
        fs::write(&path, &bytes[..bytes.len() * 2 / 3]).unwrap();
        let text = match name {
            "cube.fits" | "ring.fits" => refusal(read_sky(&path, &config(&[]))),
            _ => refusal(read_visibilities(&path, &config(&[]))),
        };
        assert!(text.contains("truncated") && text.contains(name) && !text.contains('\n'), "{text}");
    }
    let text = refusal(read_sky(folder.path().join("nowhere.fits"), &config(&[])));
    assert!(text.contains("there is no such file"), "{text}");
}
