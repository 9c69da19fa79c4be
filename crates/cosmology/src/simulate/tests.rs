//! The whole of a simulated sky against the formulas of its parts and against the field's reference simulator.

use std::path::PathBuf;

use super::*;

fn small() -> SimulateConfig {
    SimulateConfig { nfreq: 16, nx: 16, ..SimulateConfig::default() }
}

fn simulation(config: SimulateConfig) -> Simulation {
    Simulation::new(config).unwrap()
}

fn rms(values: &[f32]) -> f64 {
    deviation(&values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>())
}

/// Values by their bits, since equal results are equal in every bit.
fn bits(cube: &Cube<f32>) -> Vec<u32> {
    cube.values().iter().map(|v| v.to_bits()).collect()
}

/// Settings with every part of the instrument at work.
fn everything(family: Family) -> SimulateConfig {
    SimulateConfig {
        family,
        signal: Statistics::Lognormal,
        instrument: InstrumentConfig {
            beam_dish: 13.5,
            beam: Some(BeamShape::Cosine),
            hours: 1000.0,
            bandpass: 1e-3,
            leakage: 0.01,
            rfi: 0.1,
            gaps: 0.1,
            ..InstrumentConfig::default()
        },
        visibility: VisibilityConfig {
            visibilities: true,
            baselines: 5,
            times: 32,
            vis_noise: 1e-7,
            ..VisibilityConfig::default()
        },
        ..small()
    }
}

#[test]
fn the_defaults_are_those_of_the_reference_simulator_and_so_are_the_levels() {
    // the expected rms of 64^3 cells from 350 to 479 MHz over 20 degrees, summed from the formulas with NumPy 2
    let simulation = simulation(SimulateConfig::default());
    let step = 129.0 / 64.0;
    assert_eq!(simulation.frequencies_mhz()[0], 350.0 + step / 2.0);
    assert!((simulation.frequencies_mhz()[63] - (479.0 - step / 2.0)).abs() < 1e-9);
    let expected = [
        ("galactic_synchrotron", 1_506.711_425, 0.25),
        ("point_sources", 243.782_258, 0.03),
        ("extragalactic_freefree", 3.445_305, 0.03),
        ("galactic_freefree", 90.683_438, 0.4),
        ("signal", 0.209_569_385, 0.02),
    ];
    let mut squares = [0.0; 5];
    for index in 0..8 {
        let emission = simulation.emission(index).unwrap();
        for ((name, ..), sum) in expected.iter().zip(&mut squares) {
            let rms = emission.rms.get(*name).copied().unwrap_or_else(|| deviation(&emission.signal));
            *sum += rms * rms / 8.0;
        }
    }
    for ((name, wanted, tolerance), square) in expected.iter().zip(squares) {
        // the steeper the spectrum, the fewer modes hold the variance
        assert!((square.sqrt() / wanted - 1.0).abs() < *tolerance, "{name}: {} {wanted}", square.sqrt());
    }
}

#[test]
fn what_the_reference_simulator_says_of_a_sky_is_said_here() {
    let Some(path) = shared_data("sim32/info.json") else { return };
    let info: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let config = SimulateConfig {
        nfreq: 32,
        nx: 32,
        instrument: InstrumentConfig { hours: 4000.0, ..InstrumentConfig::default() },
        ..SimulateConfig::default()
    };
    let own = serde_json::to_value(simulation(config).sky(0).unwrap().info).unwrap();
    for name in ["zc", "L_mpc_h", "tb_mk", "bHI", "noise_rms_mk", "shape"] {
        let numbers = |value: &serde_json::Value| -> Vec<f64> {
            value
                .as_array()
                .map_or_else(|| vec![value.as_f64().unwrap()], |all| all.iter().map(|v| v.as_f64().unwrap()).collect())
        };
        let (found, wanted) = (numbers(&own[name]), numbers(&info[name]));
        assert_eq!(found.len(), wanted.len(), "{name}");
        for (found, wanted) in found.iter().zip(&wanted) {
            // its distances are integrated by the trapezoidal rule
            assert!((found / wanted - 1.0).abs() < 1e-6, "{name}: {found} {wanted}");
        }
    }
    for (name, wanted) in info["rms"].as_object().unwrap() {
        let ratio = own["rms"][name].as_f64().unwrap() / wanted.as_f64().unwrap();
        // one sky each: the steeper the spectrum and the fewer the modes, the more they differ
        let range = match name.as_str() {
            "signal" | "noise" => 0.95..1.05,
            "point_sources" | "extragalactic_freefree" => 0.8..1.25,
            _ => 0.3..3.3,
        };
        assert!(range.contains(&ratio), "{name}: {ratio}");
    }
}

#[test]
fn a_sky_depends_on_seed_and_number_and_on_nothing_else() {
    let config = everything(Family::PointSources);
    let (few, many) = (simulation(config.clone()), simulation(SimulateConfig { skies: 1000, ..config.clone() }));
    many.sky(2).unwrap();
    let (sky, again) = (few.sky(3).unwrap(), many.sky(3).unwrap());
    assert_eq!(bits(&sky.observed), bits(&again.observed));
    assert_eq!(sky.info, again.info);
    let other_seed = simulation(SimulateConfig { seed: 1, ..config }).sky(3).unwrap();
    for other in [few.sky(4).unwrap(), other_seed] {
        for (a, b) in [(&sky.foreground, &other.foreground), (&sky.signal, &other.signal), (&sky.noise, &other.noise)] {
            assert!(a.values().iter().zip(b.values()).all(|(x, y)| x != y));
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let runs = [1, 2, 3].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            Family::ALL
                .iter()
                .map(|family| {
                    let (sky, visibilities) = simulation(everything(*family)).simulate(7).unwrap();
                    let visibilities: Vec<[u32; 2]> = visibilities
                        .unwrap()
                        .observed
                        .values()
                        .iter()
                        .map(|v| [v.re.to_bits(), v.im.to_bits()])
                        .collect();
                    (bits(&sky.observed), bits(&sky.foreground), sky.info, visibilities)
                })
                .collect::<Vec<_>>()
        })
    });
    assert!(runs[0] == runs[1] && runs[1] == runs[2]);
}

#[test]
fn the_observation_is_the_sum_of_its_parts() {
    let instrument = InstrumentConfig { noise_mk: Some(0.3), ..InstrumentConfig::default() };
    for family in Family::ALL {
        let sky = simulation(SimulateConfig { family: *family, instrument, ..small() }).sky(0).unwrap();
        let largest = sky.foreground.values().iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        for (i, observed) in sky.observed.values().iter().enumerate() {
            let sum = sky.foreground.values()[i] + sky.signal.values()[i] + sky.noise.values()[i];
            assert!((observed - sum).abs() <= 2.0 * f32::EPSILON * largest, "{family} {i}");
        }
        assert_eq!(bits(&sky.signal), bits(&sky.signal_beam), "there is no beam");
        assert!(sky.flags.is_none() && sky.weights().is_none());
        assert!((rms(sky.noise.values()) / 0.3 - 1.0).abs() < 0.05);
        assert_eq!(sky.observed.axis(AxisKind::Frequency).unwrap().coordinates_in("MHz").unwrap().len(), 16);
        assert_eq!(sky.observed.axes().kinds(), [AxisKind::Frequency, AxisKind::Row, AxisKind::Column]);
    }
}

#[test]
fn families_share_the_signal_and_nothing_of_the_foreground() {
    let skies: Vec<SimulatedSky> = Family::ALL
        .iter()
        .map(|family| simulation(SimulateConfig { family: *family, ..small() }).sky(0).unwrap())
        .collect();
    for (i, sky) in skies.iter().enumerate() {
        assert_eq!(bits(&sky.signal), bits(&skies[0].signal));
        assert!(skies[..i].iter().all(|other| bits(&other.foreground) != bits(&sky.foreground)));
        assert_eq!(sky.info.global_sky_model, (sky.info.family == Family::SckGsm).then_some("stand-in"));
        assert!(sky.info.rms["fg"] > 100.0 * sky.info.rms["signal"], "{:?}", sky.info.rms);
    }
    let mean_sky = simulation(SimulateConfig { mean_sky: true, ..small() }).sky(0).unwrap();
    for (channel, frequency) in [(0, 354.031_25_f64), (15, 474.968_75)] {
        let added = mean_sky.foreground.values()[256 * channel] - skies[0].foreground.values()[256 * channel];
        assert!((f64::from(added) / (180e3 * (frequency / 180.0).powf(-2.6)) - 1.0).abs() < 1e-5);
    }
}

#[test]
fn the_global_sky_model_is_used_where_its_files_are() {
    let Some(maps) = shared_data("gsm2016_nside64_nest_6comp.npy") else { return };
    let config = SimulateConfig { family: Family::SckGsm, gsm: maps.parent().map(PathBuf::from), ..small() };
    let simulation = simulation(config);
    let (first, second) = (simulation.sky(0).unwrap(), simulation.sky(1).unwrap());
    assert_eq!(first.info.global_sky_model, Some("files"));
    let centres = [&first, &second].map(|sky| sky.info.centre_galactic_deg.unwrap());
    assert!(centres[0] != centres[1] && centres.iter().all(|centre| centre[1].abs() >= 30.0), "{centres:?}");
    // by the model away from the plane, 98 % of the sky falls with powers from 1.66 to 2.45 here
    let mean = |channel: usize| {
        first.foreground.values()[channel * 256..][..256].iter().map(|v| f64::from(*v)).sum::<f64>() / 256e3
    };
    assert!((10.0..60.0).contains(&mean(0)), "{}", mean(0));
    let index = (mean(15) / mean(0)).ln() / (474.968_75_f64 / 354.031_25).ln();
    assert!((-2.5..-1.6).contains(&index), "{index}");
}

#[test]
fn beam_and_bandpass_act_on_the_sky_before_the_noise() {
    let instrument = InstrumentConfig { beam_dish: 13.5, ..InstrumentConfig::default() };
    let smooth = simulation(SimulateConfig { instrument, ..small() }).sky(0).unwrap();
    let plain = simulation(small()).sky(0).unwrap();
    assert_eq!(bits(&smooth.foreground), bits(&plain.foreground));
    assert!(rms(smooth.signal_beam.values()) < 0.5 * rms(plain.signal.values()));
    let rippled = InstrumentConfig { bandpass: 0.01, ..InstrumentConfig::default() };
    let gained = simulation(SimulateConfig { instrument: rippled, ..small() }).sky(0).unwrap();
    for channel in 0..16 {
        let ratio = |i: usize| {
            f64::from(gained.observed.values()[channel * 256 + i])
                / f64::from(plain.observed.values()[channel * 256 + i])
        };
        assert!((ratio(0) - 1.0).abs() < 0.05 && ratio(0) != 1.0);
        assert!((ratio(0) - ratio(100)).abs() < 1e-5, "one gain for a channel");
    }
}

#[test]
fn flags_mark_all_interference_and_gaps_and_nothing_else() {
    let instrument = InstrumentConfig { rfi: 0.1, gaps: 0.25, ..InstrumentConfig::default() };
    let flagged = simulation(SimulateConfig { instrument, ..small() }).sky(0).unwrap();
    let plain = simulation(small()).sky(0).unwrap();
    let (flags, weights) = (flagged.flags.clone().unwrap(), flagged.weights().unwrap());
    let missing: Vec<bool> = (0..16)
        .map(|row| {
            (0..16).all(|channel| {
                (0..16).all(|column| flagged.observed.values()[channel * 256 + row * 16 + column] == 0.0)
            })
        })
        .collect();
    assert_eq!(missing.iter().filter(|m| **m).count(), 4, "a quarter of the rows");
    let mut interference = 0;
    for (i, flag) in flags.values().iter().enumerate() {
        let changed = flagged.observed.values()[i] != plain.observed.values()[i];
        assert_eq!(changed, *flag, "{i}");
        assert_eq!(weights.values()[i], if *flag { 0.0 } else { 1.0 });
        interference += usize::from(*flag && !missing[i / 16 % 16]);
    }
    assert!(interference > 0 && interference <= (0.1_f64 * 4096.0).round() as usize + 16, "{interference}");
    let observation = flagged.observation().unwrap();
    assert_eq!(observation.weights(), Some(&weights));
    assert_eq!((observation.unit(), observation.cube()), (Unit::Millikelvin, &flagged.observed));
    let share = flags.values().iter().filter(|f| **f).count() as f64 / 4096.0;
    assert_eq!(flagged.info.flagged, share);
    assert!((0.25..=0.36).contains(&share), "{share}");
}

#[test]
fn visibilities_are_linear_in_the_sky_and_know_their_flags() {
    let visibility = VisibilityConfig { visibilities: true, baselines: 6, times: 32, ..VisibilityConfig::default() };
    let config = SimulateConfig { visibility, ..small() };
    let seen = simulation(config.clone()).visibilities(0).unwrap();
    assert_eq!(seen.observed.shape(), [6, 16, 32]);
    assert_eq!((seen.unit, seen.baselines_m.len()), (Unit::Kelvin, 6));
    let power = |cube: &Cube<Complex<f32>>| cube.values().iter().map(|v| f64::from(v.norm_sqr())).sum::<f64>();
    assert!(power(&seen.observed) > 1e4 * power(&seen.signal) && power(&seen.signal) > 0.0);
    // in Jy each is 2 k nu^2 Omega / c^2 times as large, one factor for a channel
    let jansky = VisibilityConfig { vis_unit: VisibilityUnit::Jansky, ..visibility };
    let fluxes = simulation(SimulateConfig { visibility: jansky, ..config.clone() }).visibilities(0).unwrap();
    let factor = |place: usize| fluxes.signal.values()[place].norm() / seen.signal.values()[place].norm();
    assert!((factor(3) / factor(16 * 32 + 20) - 1.0).abs() < 1e-4 && (factor(3) / factor(32) - 1.0).abs() > 1e-4);
    // flags: everything else is untouched
    let instrument = InstrumentConfig { rfi: 0.2, gaps: 0.125, ..InstrumentConfig::default() };
    let flagged = simulation(SimulateConfig { instrument, ..config.clone() }).visibilities(0).unwrap();
    assert_eq!(flagged.observation().unwrap().values(), &flagged.observed);
    let flags = flagged.flags.unwrap();
    for (i, flag) in flags.values().iter().enumerate() {
        assert_eq!(flagged.observed.values()[i] != seen.observed.values()[i], *flag, "{i}");
    }
    assert_eq!(flagged.signal.values(), seen.signal.values());
    let noisy = VisibilityConfig { vis_noise: 1e-3, ..visibility };
    let noisy = simulation(SimulateConfig { visibility: noisy, ..config }).visibilities(0).unwrap();
    let added = noisy.observed.values().iter().zip(seen.observed.values()).map(|(a, b)| f64::from((a - b).norm_sqr()));
    let level = (added.sum::<f64>() / 3072.0).sqrt();
    assert!((level / 1e-3 - 1.0).abs() < 0.06, "{level}");
}

#[test]
fn settings_that_cannot_be_are_refused_with_their_name() {
    type Change = fn(&mut SimulateConfig);
    let cases: [(Change, &str); 10] = [
        (|own| own.freq_max_mhz = 300.0, "freq-max-mhz = 300: expected more than freq-min-mhz, 350"),
        (|own| own.nfreq = 1, "nfreq = 1: expected a whole number of at least 2"),
        (|own| (own.nfreq, own.nx) = (4096, 4096), "nx = 4096: expected at most"),
        (|own| own.instrument.noise_mk = Some(f64::NAN), "noise-mk = NaN"),
        (|own| own.instrument.beam = Some(BeamShape::Cosine), "beam: a beam needs the diameter of its dish"),
        (|own| own.source_min_jy = 1e-2, "source-min-jy: it belongs to the family point-sources"),
        (
            |own| (own.family, own.source_min_jy) = (Family::PointSources, 1.0),
            "source-max-jy = 0.1: expected more than",
        ),
        (|own| own.gsm = Some("nowhere".into()), "gsm: it belongs to the family sck-gsm"),
        (|own| (own.family, own.gsm) = (Family::SckGsm, Some("nowhere".into())), "gsm2016_nside64_nest_6comp.npy"),
        (
            |own| (own.visibility.visibilities, own.visibility.times) = (true, 1000),
            "times = 1000: expected a multiple of nx, 64",
        ),
    ];
    for (change, words) in cases {
        let mut config = SimulateConfig::default();
        change(&mut config);
        let error = Simulation::new(config).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(words), "{error:?} without {words:?}");
    }
}

#[test]
fn files_have_the_names_and_shapes_that_scripts_expect() {
    let folder = tempfile::tempdir().unwrap();
    let simulation = simulation(everything(Family::Sck));
    let path = folder.path().join(Simulation::folder_name(3));
    let info = simulation.write(3, &path).unwrap();
    let mut names: Vec<String> =
        std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let mut expected = simulation.file_names();
    names.sort();
    expected.sort_unstable();
    assert_eq!(names, expected);
    let cube = |name: &str| cupel_data::open(path.join(name)).unwrap().cube::<f32>(None).unwrap();
    for name in ["fg", "signal", "signal_beam", "noise", "obs", "weights"] {
        assert_eq!(cube(&format!("{name}.npy")).shape(), [16, 16, 16], "{name}");
    }
    assert_eq!(cube("obs.npy").values(), simulation.sky(3).unwrap().observed.values());
    assert_eq!((cube("freqs_mhz.npy").len(), cube("baselines_m.npy").shape()), (16, vec![5, 3]));
    let array = cupel_data::open(path.join("vis.npy")).unwrap().array(None).unwrap();
    assert_eq!((array.shape(), array.element_type()), (&[5, 16, 32][..], cupel_data::ElementType::Complex64));
    let flags = cupel_data::open(path.join("flags.npy")).unwrap().array(None).unwrap();
    assert_eq!((flags.shape(), flags.element_type()), (&[5, 16, 32][..], cupel_data::ElementType::Bool));
    let text: serde_json::Value = serde_json::from_slice(&std::fs::read(path.join("info.json")).unwrap()).unwrap();
    assert_eq!(
        (text["sky"].as_u64(), text["unit"].as_str(), text["visibility_unit"].as_str()),
        (Some(3), Some("mK"), Some("K"))
    );
    assert_eq!(text["settings"]["beam"], "cosine");
    assert_eq!(info.sky, 3);
}

#[test]
fn a_simulation_that_was_stopped_goes_on_with_the_same_skies() {
    use cupel_train::{Description, Opened, Opening, Policy, Run};
    let of = |folder: &std::path::Path, skies: u64| {
        let config = SimulateConfig { nfreq: 8, nx: 8, skies, ..everything(Family::Sck) };
        let config = SimulateConfig { visibility: VisibilityConfig::default(), ..config };
        let is = Description::new("skies").settings(&toml_of(skies)).unwrap().growing(&["skies"]);
        let how = Opening::Resume { strict: false };
        let Opened::Run(mut run) = Run::open(folder, &is, how).unwrap() else { panic!("not finished") };
        run.set_quiet(true);
        let mut files = SkyFiles::new(simulation(config), folder);
        run.drive(&mut files, &Policy::default()).unwrap();
        files.write_truth_table().unwrap();
        files.skies().to_vec()
    };
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let once = of(whole.path(), 3);
    assert_eq!(of(parts.path(), 1).len(), 1);
    assert_eq!(of(parts.path(), 3), once);
    let read = |folder: &tempfile::TempDir, name: &str| std::fs::read(folder.path().join(name)).unwrap();
    for name in ["truth.csv", "sky_0000/obs.npy", "sky_0002/obs.npy", "sky_0002/signal.npy"] {
        assert_eq!(read(&whole, name), read(&parts, name), "{name}");
    }
    let text = std::fs::read_to_string(whole.path().join("truth.csv")).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    for row in lines {
        assert_eq!(row.len(), header.len());
        for name in row.iter().filter(|cell| cell.ends_with(".npy")) {
            assert!(whole.path().join(name).is_file(), "{name}");
        }
    }
}

/// The settings of a run of so many skies.
fn toml_of(skies: u64) -> std::collections::BTreeMap<&'static str, u64> {
    std::collections::BTreeMap::from([("skies", skies)])
}

#[test]
fn principal_components_clean_it_as_well_as_a_sky_of_the_reference_simulator() {
    // correlation with the signal after so many modes are removed, on one of its 64^3 skies of these defaults
    let published = [(3, 0.891), (4, 0.955), (5, 0.939), (6, 0.924), (7, 0.908), (9, 0.879), (11, 0.850)];
    let sky = simulation(SimulateConfig { seed: 1, ..SimulateConfig::default() }).sky(0).unwrap();
    let centred = |cube: &Cube<f32>| -> Vec<f64> {
        let planes = cube.values().chunks_exact(64 * 64).flat_map(|plane| {
            let mean = plane.iter().map(|v| f64::from(*v)).sum::<f64>() / 4096.0;
            plane.iter().map(move |v| f64::from(*v) - mean)
        });
        planes.collect()
    };
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let (mut cleaned, signal) = (centred(&sky.observed), centred(&sky.signal));
    let channels: Vec<&[f64]> = cleaned.chunks_exact(4096).collect();
    let covariance: Vec<f64> = channels.iter().flat_map(|a| channels.iter().map(|b| product(a, b))).collect();
    let vectors = cupel_pca::symmetric_eigen(&covariance, 64).unwrap().vectors;
    for (mode, vector) in vectors.iter().enumerate().take(11) {
        for pixel in 0..4096 {
            let amplitude: f64 = (0..64).map(|channel| vector[channel] * cleaned[channel * 4096 + pixel]).sum();
            (0..64).for_each(|channel| cleaned[channel * 4096 + pixel] -= amplitude * vector[channel]);
        }
        if let Some((_, wanted)) = published.iter().find(|(modes, _)| *modes == mode + 1) {
            let power = product(&cleaned, &cleaned) * product(&signal, &signal);
            let r = product(&cleaned, &signal) / power.sqrt();
            assert!((r - wanted).abs() < 0.01, "{} modes: {r} {wanted}", mode + 1);
        }
    }
}

#[test]
#[ignore = "a measurement, to be run alone: cargo test --release -p cupel-cosmology --lib -- --ignored --nocapture made_in_under_two_seconds"]
fn skies_of_64_cubed_are_made_in_under_two_seconds_each() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    pool.install(|| {
        for family in Family::ALL {
            let config = SimulateConfig { nfreq: 64, nx: 64, ..everything(*family) };
            let config = SimulateConfig { visibility: VisibilityConfig::default(), ..config };
            let simulation = simulation(config);
            let start = std::time::Instant::now();
            simulation.sky(0).unwrap();
            let seconds = start.elapsed().as_secs_f64();
            println!("{family}: {seconds:.3} s");
            assert!(seconds < 2.0, "{family}: {seconds} s");
        }
    });
}
