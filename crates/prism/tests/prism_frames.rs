//! Frames: values that count in some exposures alone, and stacks that are larger than memory.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use burn::tensor::Device;
use cupel_data::Stream;
use cupel_prism::{
    DecoderConfig, Exposures, Frames, InMemory, LeftOut, NoiseConfig, Pie, PieConfig, Plane, ReconstructionConfig,
    Result, Solver, Telescope, TelescopeConfig, observe, open_exposures, reconstruct, sampling, write_exposures,
};
use cupel_train::{Casting, Policy, Run, checks};

/// Tests of this file run one after the other: what one uses is counted.
static ALONE: Mutex<()> = Mutex::new(());

const N: usize = 48;

fn telescope() -> Telescope {
    let config =
        TelescopeConfig { n_pixels: N, aperture_radius_pixels: 5.0, detector: Some(N), ..TelescopeConfig::default() };
    Telescope::new(config).unwrap()
}

/// Discs of several brightnesses, others for each seed.
fn object(seed: u64) -> Plane {
    let mut draws = vec![0.0_f32; 16];
    Stream::new(seed, "discs of the frames").fill_uniform(&mut draws);
    let discs: Vec<[f64; 4]> = draws
        .chunks_exact(4)
        .map(|d| [0, 1, 2, 3].map(|k| f64::from(d[k])))
        .map(|[y, x, r, height]| [4.0 + 16.0 * y, 4.0 + 16.0 * x, 2.5 + 3.0 * r, 0.2 + 0.4 * height])
        .collect();
    Plane::from_fn(24, 24, |row, column| {
        let on = discs.iter().filter(|[y, x, r, _]| (row as f64 - y).hypot(column as f64 - x) < *r);
        (0.1 + on.map(|disc| disc[3]).sum::<f64>()).min(1.0).into()
    })
}

fn seen(object: &Plane, count: usize, photons: f64) -> Exposures {
    let centres = sampling::rounded(&sampling::fermat(count, 17.0));
    let noise = NoiseConfig { photons: Some(photons), ..NoiseConfig::default() };
    observe(object, &telescope(), &centres, &noise, 7).unwrap()
}

fn apart(found: &Plane, truth: &Plane) -> f64 {
    let found = found.middle(24, 24).unwrap().amplitude();
    let squares = found.iter().zip(truth.amplitude()).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    (squares / 576.0).sqrt()
}

/// How many scenes a test draws: few, `CUPEL_FAMILY=12` for more.
fn family(usual: u64) -> u64 {
    std::env::var("CUPEL_FAMILY").ok().map_or(usual, |text| text.parse().unwrap())
}

fn found(exposures: &Exposures, config: &ReconstructionConfig) -> Plane {
    reconstruct(exposures, config, 1, (&Device::flex(), &Casting::f32()), &mut Run::in_memory()).unwrap().model.object
}

#[test]
fn a_saturated_value_is_left_out_in_its_own_exposure() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut kept = None;
    for seed in 40..40 + family(1) {
        let truth = object(seed);
        let exposures = seen(&truth, 28, 1e5);
        let values: Vec<Vec<f32>> = (0..28).map(|index| exposures.frames.frame(index).unwrap()).collect();
        let brightest = values.iter().flatten().copied().fold(0.0, f32::max);
        let limit = 0.5 * brightest;
        let of = |clipped: f32| {
            let values = values.iter().flatten().map(|value| if *value >= limit { clipped } else { *value }).collect();
            Exposures { frames: Arc::new(InMemory { pixels: N * N, values }), ..exposures.clone() }
        };
        let (left_out, believed) = (of(f32::INFINITY), of(limit));
        let what = LeftOut::of(&left_out).unwrap();
        let bright = values.iter().flatten().filter(|value| **value >= limit).count();
        let frames = values.iter().filter(|frame| frame.iter().any(|value| *value >= limit)).count();
        assert_eq!(what, LeftOut { values: bright, in_exposures: frames, ..LeftOut::default() });
        assert!(bright > 20 && frames < 14, "{what}");
        for solver in [Solver::Lbfgs, Solver::Epie, Solver::Raar] {
            let config = ReconstructionConfig { solver, certificate: false, ..ReconstructionConfig::default() };
            let [all, ours, clipped] =
                [&exposures, &left_out, &believed].map(|exposures| apart(&found(exposures, &config), &truth));
            println!(
                "{seed} {solver}: {all:.4} of all values, {ours:.4} without the saturated, {clipped:.4} believing them"
            );
            // sweeps end further from the object than the saturated values lead astray
            let factor = if solver == Solver::Lbfgs { 3.0 } else { 1.0 };
            assert!(ours < 1.1 * all + 0.001 && clipped > factor * ours, "{seed} {solver}: {all} {ours} {clipped}");
        }
        kept = Some((left_out, what));
    }
    let (left_out, what) = kept.unwrap();
    // a file of exposures keeps them
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seen.npz");
    write_exposures(&path, &left_out, None).unwrap();
    let (again, _) = open_exposures(&path).unwrap();
    assert_eq!(LeftOut::of(&again).unwrap(), what);
}

#[test]
fn what_counts_in_no_exposure_is_masked_either_way() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let exposures = seen(&object(1), 16, 1e4);
    let masked = |place: usize| place % 7 == 3;
    let values: Vec<f32> = (0..16).flat_map(|index| exposures.frames.frame(index).unwrap()).collect();
    let values = values.iter().enumerate();
    let values = values.map(|(at, value)| if masked(at % (N * N)) { f32::INFINITY } else { *value }).collect();
    let infinite = Exposures { frames: Arc::new(InMemory { pixels: N * N, values }), ..exposures.clone() };
    let good = Exposures { good: Some((0..N * N).map(|place| !masked(place)).collect()), ..exposures };
    // the decoder's trainings part by a rounding: equal bits are equal masks
    let _exclusive = checks::exclusive();
    let decoder = DecoderConfig { width: 8, steps: 2, init_steps: 5, ..DecoderConfig::default() };
    for solver in [Solver::Decoder, Solver::Rpie, Solver::Raar] {
        let config = ReconstructionConfig {
            solver,
            certificate: false,
            decoder: decoder.clone(),
            ..ReconstructionConfig::default()
        };
        let config = match solver {
            Solver::Decoder => ReconstructionConfig { certificate: true, ..config },
            _ => ReconstructionConfig { iterations: Some(5), ..config },
        };
        let [one, other] = [&infinite, &good].map(|exposures| found(exposures, &config));
        let apart = one.values().iter().zip(other.values()).map(|(a, b)| (a - b).norm()).fold(0.0, f64::max);
        assert!(apart < 1e-6, "{solver}: {apart}");
    }
}

/// So many frames that are made when they are asked for, as from a file: those of a few places again and again.
#[derive(Debug)]
struct Made {
    count: usize,
    few: Vec<Vec<f32>>,
}

impl Frames for Made {
    fn count(&self) -> usize {
        self.count
    }

    fn frame(&self, index: usize) -> Result<Vec<f32>> {
        Ok(self.few[index % self.few.len()].clone())
    }
}

/// The most bytes that this process had in memory during `work`, over those before it; nothing where the system does not tell.
fn peak(work: impl FnOnce()) -> Option<usize> {
    let bytes = |name: &str| -> Option<usize> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find(|line| line.starts_with(name))?;
        Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? << 10)
    };
    // the highest mark begins anew
    fs::write("/proc/self/clear_refs", "5").ok()?;
    let before = bytes("VmRSS:")?;
    work();
    Some(bytes("VmHWM:")?.saturating_sub(before))
}

#[test]
fn memory_does_not_grow_with_the_number_of_frames() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let few = seen(&object(1), 16, 1e5);
    let frames: Vec<Vec<f32>> = (0..16).map(|index| few.frames.frame(index).unwrap()).collect();
    let frame_bytes = 4 * N * N;
    let stack = |count: usize| Exposures {
        centres: few.centres.iter().copied().cycle().take(count).collect(),
        frames: Arc::new(Made { count, few: frames.clone() }),
        ..few.clone()
    };
    let memory = 24 * frame_bytes;
    let config = |solver| ReconstructionConfig {
        solver,
        iterations: Some(3),
        certificate: false,
        frame_memory: memory as f64 / f64::from(1 << 20),
        ..ReconstructionConfig::default()
    };
    let quick = ReconstructionConfig { prior_weight: Some(1e-3), restarts: 0, ..config(Solver::Lbfgs) };
    found(&stack(16), &quick); // what is made once
    for config in [quick, config(Solver::Epie)] {
        let of = |count: usize, config: &ReconstructionConfig| peak(|| drop(found(&stack(count), config)));
        let kept = ReconstructionConfig { frame_memory: 1e3, ..config.clone() };
        let (Some(fewer), Some(more), Some(kept)) = (of(64, &config), of(1024, &config), of(1024, &kept)) else {
            println!("skipped: this system does not tell how much memory a process has");
            return;
        };
        let all = (1024 - 64) * frame_bytes;
        println!(
            "{}: {fewer} bytes with 64 frames, {more} with 1024, whose frames have {all} bytes more; {kept} where they may be kept",
            config.solver
        );
        assert!(more < fewer + all / 4, "{}: {fewer} bytes with 64 frames, {more} with 1024", config.solver);
        assert!(kept > more + all / 2, "{}: {more} bytes with some frames, {kept} with all", config.solver);
    }
}

#[test]
fn frames_that_do_not_fit_give_the_same_object() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let exposures = seen(&object(1), 20, 1e5);
    let which: Vec<usize> = (0..20).collect();
    let swept = |exposures: &Exposures| {
        let own = PieConfig { sweeps: 4, ..PieConfig::default() };
        let mut pie = Pie::new(exposures, &which, own, 3, &Device::flex()).unwrap();
        Run::in_memory().drive(&mut pie, &Policy::default()).unwrap();
        pie.object().unwrap()
    };
    let whole = swept(&exposures);
    let parts = swept(&exposures.cached_within(3 * 4 * N * N));
    let largest = whole.values().iter().zip(parts.values()).map(|(a, b)| (a - b).norm()).fold(0.0, f64::max);
    assert!(largest < 1e-5, "{largest}");
}

#[test]
fn raar_says_that_it_holds_all_frames() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let exposures = seen(&object(1), 20, 1e5);
    let memory = 10.0 * (4 * N * N) as f64 / f64::from(1 << 20);
    let config = ReconstructionConfig {
        solver: Solver::Raar,
        iterations: Some(2),
        held_out: 0.0,
        certificate: false,
        frame_memory: memory,
        ..ReconstructionConfig::default()
    };
    let on = (&Device::flex(), &Casting::f32());
    let problem = reconstruct(&exposures, &config, 1, on, &mut Run::in_memory()).unwrap_err().to_string();
    assert!(problem.contains("frame-memory") && problem.contains("epie"), "{problem}");
    found(&exposures, &ReconstructionConfig { frame_memory: 3.0 * memory, ..config });
}
