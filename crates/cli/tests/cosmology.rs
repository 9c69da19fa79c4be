//! `cupel pca` and `cupel cosmology` from the outside: components, skies, spectra; the original's settings files; refusals.

mod program;

use std::{fs, path::Path};

use cupel::data::{Array, Complex, Values, open, write_npy, write_npz};
use program::{cupel, json, refused, succeeds};

fn skies(folder: &Path) {
    succeeds(folder, "cosmology simulate --nfreq 32 --nx 32 --seed 1 --skies 1 --out skies --quiet");
}

fn values(path: &Path) -> Vec<f64> {
    open(path).unwrap().cube::<f64>(None).unwrap().into_values()
}

#[test]
fn a_simulated_sky_is_cleaned_measured_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    skies(folder);
    let sky = "skies/sky_0000/obs.npy --unit mK --side-deg 20";
    let cleaned = json(folder, &format!("cosmology clean {sky} --modes 4 --out cleaned.fits --json"));
    assert_eq!((cleaned["modes"].as_u64(), cleaned["unit"].as_str()), (Some(4), Some("mK")));
    // the file says unit and frequencies of itself, and the result lies beside it where nobody says where
    succeeds(folder, "cosmology clean cleaned.fits --modes 0");
    assert_eq!(values(&folder.join("cleaned_cleaned.fits")).len(), 32 * 32 * 32);
    refused(folder, "cosmology clean cleaned.fits --modes 0", &["cleaned_cleaned.fits exists", "--force"]);
    let line = "cosmology evaluate --truth skies/sky_0000/signal.npy --estimate skies/sky_0000/obs.npy --unit mK --side-deg 20 --json";
    let before = json(folder, line);
    succeeds(folder, &format!("cosmology clean {sky} --modes 4 --out cleaned.npy"));
    fs::copy(folder.join("skies/sky_0000/freqs_mhz.npy"), folder.join("freqs_mhz.npy")).unwrap();
    let after = json(folder, &line.replace("skies/sky_0000/obs.npy", "cleaned.npy"));
    let r = |value: &serde_json::Value| value["r"].as_f64().unwrap();
    assert!(r(&before) < 0.1 && r(&after) > 0.8, "{} {}", r(&before), r(&after));
    for bins in ["k", "k_par"] {
        for key in ["k", "modes", "p_true", "p_est", "sigma", "t", "r", "residual_ratio"] {
            assert!(after[bins][0].get(key).is_some(), "{bins} {key}");
        }
    }
    // arrays that know nothing of themselves are compared all the same, in cells
    for (from, to) in [("skies/sky_0000/signal.npy", "plain/truth.npy"), ("cleaned.npy", "plain/estimate.npy")] {
        fs::create_dir_all(folder.join("plain")).unwrap();
        fs::copy(folder.join(from), folder.join(to)).unwrap();
    }
    let plain = json(folder, "cosmology evaluate --truth plain/truth.npy --estimate plain/estimate.npy --json");
    assert!((r(&plain) - r(&after)).abs() < 1e-9 && plain["k_unit"] == "rad/cell", "{plain}");
    let power = json(folder, "cosmology power cleaned.fits --side-deg 20 --out spectra --json");
    assert_eq!(power["k_unit"], "h/Mpc");
    for file in [
        "report.html",
        "spectra.json",
        "metrics.json",
        "figures/power.svg",
        "figures/power_cylindrical.svg",
        "tables/power.csv",
    ] {
        assert!(folder.join("spectra").join(file).is_file(), "{file}");
    }
}

#[test]
fn components_computed_once_take_out_what_those_of_the_sky_itself_do() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    skies(folder);
    let fitted = json(folder, "pca fit skies/sky_0000/obs.npy --axis 0 --modes 4 --out components.npz --json");
    assert_eq!(
        (fitted["samples"].as_u64(), fitted["channels"].as_u64(), fitted["modes"].as_u64()),
        (Some(1024), Some(32), Some(4))
    );
    assert_eq!(fitted["eigenvalues"].as_array().unwrap().len(), 32);
    for key in ["rule", "axis", "floor", "out", "seconds"] {
        assert!(fitted.get(key).is_some(), "{key}");
    }
    assert!(folder.join("components.fit/report.html").is_file());
    succeeds(folder, "pca apply skies/sky_0000/obs.npy --axis 0 --components components.npz --out applied.npy");
    succeeds(folder, "cosmology clean skies/sky_0000/obs.npy --unit mK --side-deg 20 --modes 4 --out cleaned.npy");
    let (applied, cleaned) = (values(&folder.join("applied.npy")), values(&folder.join("cleaned.npy")));
    let rms = (cleaned.iter().map(|v| v * v).sum::<f64>() / cleaned.len() as f64).sqrt();
    assert!(applied.iter().zip(&cleaned).all(|(a, b)| (a - b).abs() < 1e-5 * rms));
    // a file with the six arrays of the original, which name no axis, goes along the one that is named
    let file = open(folder.join("components.npz")).unwrap();
    let names = ["fg_components", "signal_components", "eigenvalues", "mean_per_freq", "N_FG", "N_freq"];
    let arrays: Vec<_> = names.iter().map(|name| (*name, file.array(Some(name)).unwrap())).collect();
    let arrays: Vec<_> = arrays.iter().map(|(name, array)| (*name, array)).collect();
    write_npz(&folder.join("original.npz"), &arrays).unwrap();
    succeeds(folder, "pca apply skies/sky_0000/obs.npy --axis 0 --components original.npz --out original.npy");
    assert_eq!(values(&folder.join("original.npy")), applied);

    let validated = json(folder, "pca validate skies/sky_0000/obs.npy --components components.npz --json");
    assert!(
        validated["angle_rad"].as_f64().unwrap() < 1e-6
            && (validated["residual_ratio"].as_f64().unwrap() - 1.0).abs() < 1e-6
    );
    for key in ["seconds_on_the_fly", "seconds_precomputed", "speedup"] {
        assert!(validated[key].as_f64().unwrap() > 0.0, "{key}");
    }
    // a fit that is finished is left alone, and another one is refused with what differs
    assert!(
        succeeds(folder, "pca fit skies/sky_0000/obs.npy --axis 0 --modes 4 --out components.npz --resume")
            .contains("already finished")
    );
    refused(
        folder,
        "pca fit skies/sky_0000/obs.npy --axis 0 --modes 5 --out components.npz",
        &["components.npz exists", "--force"],
    );
    refused(
        folder,
        "pca fit skies/sky_0000/obs.npy --axis 0 --modes 5 --out components.npz --resume",
        &["modes", "4", "5"],
    );
}

#[test]
fn the_original_settings_file_runs_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    succeeds(
        folder,
        "cosmology simulate --nfreq 8 --nx 8 --skies 3 --visibilities --baselines 8 --times 16 --out skies --quiet",
    );
    for (name, of) in [("data/cosmo_gaussian_pb", "vis_signal"), ("data/galaxy_gaussian_pb", "vis")] {
        fs::create_dir_all(folder.join(name)).unwrap();
        for sky in 0..3 {
            fs::copy(folder.join(format!("skies/sky_000{sky}/{of}.npy")), folder.join(name).join(format!("{sky}.npy")))
                .unwrap();
        }
    }
    // baselines lie beside the visibilities, and make groups and delays
    let visibilities = "skies/sky_0000/vis.npy --axes baseline,frequency,right-ascension";
    let grouped = json(
        folder,
        &format!("pca fit {visibilities} --group-by baseline --groups 2 --modes 1 --out groups.npz --json"),
    );
    assert_eq!((grouped["groups"].as_u64(), grouped["samples"].as_u64()), (Some(2), Some(2 * 8 * 16)));
    succeeds(folder, &format!("pca apply {visibilities} --components groups.npz --filter soft --out soft.npy"));
    let delays = json(folder, &format!("cosmology power {visibilities} --unit K --json"));
    assert!(delays["lines"][0]["horizon_us"].as_f64().unwrap() > 0.0, "{delays}");

    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/configs/cosmology.json");
    let text = fs::read_to_string(config).unwrap();
    fs::write(folder.join("cosmology.json"), &text).unwrap();
    let (code, stdout, stderr) = cupel(folder, "pca fit --config cosmology.json --num-samples 10 --ra-bins 16 --json");
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("training_params.use_compile") && stderr.contains("model_params.filters"), "{stderr}");
    let fitted: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((fitted["modes"].as_u64(), fitted["samples"].as_u64()), (Some(7), Some(10 * 2 * 8 * 16)));
    assert!(folder.join("models/unet/pca_components_nfg7.npz").is_file());
    let line = "pca validate --config cosmology.json --num-samples 1 --ra-bins 16 --plot --out validation --json";
    let validated = json(folder, line);
    assert_eq!(validated["modes"].as_u64(), Some(7));
    assert!(folder.join("validation/figures/residuals.svg").is_file());
    // and trains, with those components; the sky is cut as small as it is here, and the epochs are few
    let small = "--ra-bins 16 --split 2 --filters 4 --epochs 2";
    let (code, stdout, stderr) =
        cupel(folder, &format!("cosmology train --config cosmology.json {small} --out model --json"));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("7 components of models/unet/pca_components_nfg7.npz"), "{stderr}");
    let unknown = stderr.lines().find(|line| line.contains("have no counterpart here")).unwrap();
    let expected = "training_params.load_model, training_params.use_compile, moment_2_params.model_name";
    assert!(unknown.ends_with(expected) && !stderr.contains("are not of this command"), "{stderr}");
    let trained: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    for name in ["pca", "unet"] {
        for key in ["r", "residual_ratio"] {
            assert!(trained["validation"][name][key].as_f64().unwrap().is_finite(), "{trained}");
        }
    }
    assert_eq!((trained["method"].as_str(), trained["run_dir"].as_str()), (Some("unet"), Some("model")));
    assert!(trained["seconds"].as_f64().unwrap() > 0.0 && folder.join("model/report.html").is_file());
    let cleaned = json(folder, "cosmology clean skies/sky_0001/vis.npy --model model --out cleaned --force --json");
    for key in ["out", "mismatch", "refused", "seconds"] {
        assert!(cleaned.get(key).is_some(), "{cleaned}");
    }
    let shape = |name: &str| open(folder.join(name)).unwrap().variables()[0].shape().to_vec();
    assert_eq!((shape("cleaned/signal.npy"), shape("cleaned/sigma.npy")), (vec![8, 8, 16], vec![8, 8, 16]));
    refused(
        folder,
        "cosmology clean skies/sky_0000/obs.npy --unit mK --side-deg 20 --model model --out other",
        &["it is a sky", "model of visibilities"],
    );
    // the keys of its later versions, in its own notation, are read too
    let later = text
        .replace(
            "\"act\": \"smooth_leaky\"",
            "\"act\": \"smooth_leaky\", \"model_version\": \"v2\", \"levels\": 2, \"block\": \"preact_res\", \
             \"n_blocks_per_stage\": 1, \"norm\": \"group\", \"norm_groups\": 8, \"activation\": \"silu\", \
             \"pad_modes\": [\"circular\", \"reflect\", \"replicate\"], \"downsample_kind\": \"blurpool\", \
             \"upsample_kind\": \"trilinear\", \"strides\": [[2, 2, 1], [1, 1, 2]], \"conv_kernel_size\": [3, 3, 1], \
             \"two_conv_head\": false, \"attention_gates\": false, \"use_se\": false, \"factored_convs\": false, \
             \"film_conditioning\": false, \"film_cond_dim\": 2, \"freq_pos_encoding\": false, \"freq_pos_dim\": 8",
        )
        .replace(
            "\"add_noise\": true",
            "\"add_noise\": true, \"early_stopping_patience\": 20, \"early_stopping_min_delta\": 1e-4, \
             \"mixed_precision\": \"no\", \"use_grad_checkpoint\": false, \"grad_accum_steps\": 2, \
             \"target_transform\": \"arcsinh\", \"predict_residual\": true, \"ra_shift_aug\": true, \
             \"optimizer\": \"adamw\", \"weight_decay\": 1e-4, \"lr_schedule\": \"none\", \"warmup_frac\": 0.05, \
             \"ema_decay\": 0.999, \"use_delay_loss\": false, \"lambda_delay\": 0.1, \"compile_mode\": \"default\"",
        );
    fs::write(folder.join("later.json"), later).unwrap();
    let said = succeeds(folder, &format!("cosmology train --config later.json {small} --out later"));
    assert!(said.contains("compile_mode") && !said.contains("strides"), "{said}");
    assert!(said.contains("--act has no effect") || !said.contains("--act"), "{said}");
    let about: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("later/visibilities.json")).unwrap()).unwrap();
    let network = &about["network"]["v2"];
    assert_eq!((network["two_conv_head"].as_bool(), network["levels"].as_u64()), (Some(false), Some(2)), "{about}");
    for (line, words) in [
        ("cosmology train --out o", &["--skies"][..]),
        ("cosmology train --config cosmology.json --ra-bins 16 --split 8 --out o", &["a multiple of 4"]),
        (
            "cosmology train --config cosmology.json --ra-bins 16 --split 2 --n-fg 8 --out o",
            &["fewer than the 8 channels"],
        ),
        (
            "cosmology train --config cosmology.json --ra-bins 16 --split 2 --depths 3 --out o",
            &["--depths", "of skies"],
        ),
        ("cosmology train --config cosmology.json --ra-bins 16 --split 2 --loss nll --out o", &["no variance"]),
        ("cosmology train --skies skies --ra-bins 16 --out o", &["--ra-bins", "of visibilities"]),
    ] {
        refused(folder, line, words);
    }
    fs::write(folder.join("misspelt.json"), text.replace("n_fg", "n_gf")).unwrap();
    refused(
        folder,
        "pca fit --config misspelt.json --ra-bins 16",
        &["unknown setting `model_params.n_gf`", "model_params.n_fg"],
    );
}

#[test]
fn what_cannot_be_right_is_refused_in_one_message_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let cube = |name: &str, of: &dyn Fn(usize) -> f32| {
        let values = (0..8 * 8 * 8).map(of).collect();
        write_npy(&folder.join(name), &Array::new(vec![8, 8, 8], Values::F32(values)).unwrap()).unwrap();
    };
    let wave = |i: usize| ((i * i) as f32).sin() + (i / 64) as f32;
    cube("cube.npy", &wave);
    cube("nan.npy", &|i| if i == 77 { f32::NAN } else { wave(i) });
    cube("zero.npy", &|_| 0.0);
    write_npy(
        &folder.join("short.npy"),
        &Array::new(vec![8, 3], Values::F32((0..24).map(|i| i as f32).collect())).unwrap(),
    )
    .unwrap();
    fs::write(folder.join("cut.npy"), &fs::read(folder.join("cube.npy")).unwrap()[..900]).unwrap();
    fs::write(folder.join("components.pt"), b"PK\x03\x04archive/data.pkl").unwrap();
    let pairs = (0..8).map(|i| Complex::new(i as f32, 1.0)).collect();
    write_npz(&folder.join("complex.npz"), &[("a", &Array::new(vec![2, 4], Values::Complex64(pairs)).unwrap())])
        .unwrap();
    succeeds(folder, "pca fit cube.npy --axis 0 --modes 2 --out components.npz");
    let before: Vec<_> = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.file_name()).collect();
    let frequencies = "--frequencies 400:480:8";
    for (line, words) in [
        (format!("cosmology clean nan.npy --unit mK {frequencies} --out o.npy"), &["nan.npy", "not finite"][..]),
        (format!("cosmology clean cube.npy {frequencies} --out o.npy"), &["unit", "--unit"]),
        (format!("cosmology clean cube.npy --unit furlong {frequencies} --out o.npy"), &["furlong", "mK"]),
        ("cosmology clean cube.npy --unit mK --out o.npy".to_owned(), &["frequencies", "--frequencies"]),
        ("cosmology clean cube.npy --unit mK --frequencies 400:480:7 --out o.npy".to_string(), &["7", "8"]),
        ("cosmology clean cube.npy --unit mK --frequencies 1,3,2,4,5,6,7,8 --out o.npy".to_owned(), &["turns back"]),
        (
            format!("cosmology clean cube.npy --unit mK {frequencies} --weights short.npy --out o.npy"),
            &["short.npy", "shape"],
        ),
        (format!("cosmology clean cube.npy --unit mK {frequencies} --weights zero.npy --out o.npy"), &["weight"]),
        (format!("cosmology clean cut.npy --unit mK {frequencies} --out o.npy"), &["cut.npy"]),
        (format!("cosmology clean cube.npy --unit mK {frequencies} --out o.png"), &["o.png", ".fits"]),
        ("pca fit short.npy --axis 0 --modes 5 --out o.npz".to_owned(), &["samples"]),
        ("pca fit nan.npy --axis 0 --modes 2 --out o.npz".to_owned(), &["not finite"]),
        ("pca fit cube.npy --out o.npz".to_owned(), &["frequency"]),
        ("pca fit --out o.npz".to_owned(), &["--cosmopath"]),
        (
            "pca apply cube.npy --axis 1 --components components.npz --out o.npy".to_owned(),
            &["dimension 0", "dimension 1"],
        ),
        ("pca apply short.npy --axis 1 --components components.npz --out o.npy".to_owned(), &["dimension"]),
        ("pca apply cube.npy --components components.pt --out o.npy".to_owned(), &["torch", "numpy.savez"]),
        ("pca apply cube.npy --components components.npz --out o.csv".to_owned(), &[".npy"]),
        ("pca validate cube.npy --components components.npz --out o".to_owned(), &["--plot"]),
        ("cosmology simulate --nx 0 --out o".to_owned(), &["nx"]),
        (
            "cosmology evaluate --truth cube.npy --estimate short.npy --unit mK --frequencies 400:480:8".to_owned(),
            &["short.npy"],
        ),
    ] {
        refused(folder, &line, words);
        let after: Vec<_> = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.file_name()).collect();
        let left: Vec<_> = after.iter().filter(|name| !before.contains(name)).collect();
        assert!(left.is_empty(), "{line}: {left:?}");
    }
}
