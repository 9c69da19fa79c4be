//! Apertures that move during an exposure, and centres that are chosen one after the other.

use std::f64::consts::PI;

use burn::tensor::{DType, Device};
use cupel_data::Stream;
use cupel_prism::{
    Exposures, Free, Misfit, Model, NoiseConfig, Plane, ReconstructionConfig, SamplingConfig, Solver, Telescope,
    TelescopeConfig, Units, observe, observe_adaptively, observe_moving, plan, plan_moving, reconstruct,
    sampling::{self, Line},
};
use cupel_train::{Casting, Run};
use num_complex::Complex;

const N: usize = 48;

fn telescope(radius: f64) -> Telescope {
    let config = TelescopeConfig {
        n_pixels: N,
        aperture_radius_pixels: radius,
        detector: Some(N),
        ..TelescopeConfig::default()
    };
    Telescope::new(config).unwrap()
}

/// Discs on a slope, 24 x 24.
fn discs(seed: u64) -> Plane {
    let mut values = vec![0.0; 24 * 24];
    Stream::new(seed, "discs of the scans").fill_normal_f64(&mut values);
    let discs: Vec<[f64; 4]> = (0..7)
        .map(|k| [12.0 + 5.0 * values[4 * k], 12.0 + 5.0 * values[4 * k + 1], 2.0 + values[4 * k + 2].abs(), 0.3])
        .collect();
    Plane::from_fn(24, 24, |row, column| {
        let on = discs.iter().filter(|[y, x, r, _]| (row as f64 - y).hypot(column as f64 - x) < *r);
        (0.05 + 0.01 * row as f64 + on.map(|disc| disc[3]).sum::<f64>()).min(1.0).into()
    })
}

/// Root of the mean squared difference of amplitudes.
fn apart(found: &Plane, truth: &Plane) -> f64 {
    let found = found.middle(truth.rows(), truth.columns()).unwrap().amplitude();
    let squares = found.iter().zip(truth.amplitude()).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    (squares / found.len() as f64).sqrt()
}

fn found(exposures: &Exposures, solver: Solver) -> Plane {
    let config = ReconstructionConfig { solver, certificate: false, ..ReconstructionConfig::default() };
    let on = (&Device::flex(), &Casting::f32());
    reconstruct(exposures, &config, 1, on, &mut Run::in_memory()).unwrap().model.object
}

fn r_factor(exposures: &Exposures, object: &Plane) -> f64 {
    let model = Model::new(exposures, object.padded(N, N).unwrap()).unwrap();
    let units = Units { object: 1.0, pupils: 1.0, shifts: 1.0, flux: 1.0, background: 1.0 };
    let which = (0..exposures.centres.len()).collect();
    let misfit =
        Misfit::new(exposures, which, model.clone(), Free::OBJECT, units, 0.0, (&Device::flex(), DType::F64)).unwrap();
    misfit.r_factor(&model).unwrap()
}

fn ways() -> [[f64; 2]; 5] {
    let way = |line_length, line_angle| {
        SamplingConfig { line_length: Some(line_length), line_angle, ..SamplingConfig::default() }.way().unwrap()
    };
    // lengths of some are whole numbers but for rounding
    [way(4.0, 0.0), way(5.0, 90.0), way(4.0, 30.0), way(3.5, 70.0), way(6.0, -135.0)]
}

#[test]
fn modes_of_a_moving_aperture_give_the_mean_over_its_way() {
    let (telescope, object) = (telescope(5.0), discs(1));
    let centres = sampling::rounded(&sampling::fermat(9, 13.0));
    for way in ways() {
        let exposures = observe_moving(&object, &telescope, &centres, way, &NoiseConfig::default(), 0).unwrap();
        // the frames are those of the definition,
        for (index, centre) in centres.iter().enumerate() {
            let wanted = Line::around(*centre, way).expose(&object, &telescope).unwrap();
            let frame = exposures.frames.frame(index).unwrap();
            let largest = frame.iter().zip(&wanted).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
            assert!(largest < 1e-6, "{way:?}: {largest}");
        }
        // and the optics say the same of the truth: to the digits of f32
        let r = r_factor(&exposures, &object);
        assert!(r < 1e-6, "{way:?}: {r}");
        let still = observe(&object, &telescope, &centres, &NoiseConfig::default(), 0).unwrap();
        assert!(r_factor(&Exposures { optics: still.optics, ..exposures }, &object) > 0.01, "{way:?}: nothing moved");
    }
}

#[test]
fn an_object_comes_back_from_lines_with_every_solver() {
    let (telescope, object) = (telescope(5.0), discs(2));
    let centres = sampling::rounded(&sampling::fermat(28, 15.0));
    let noise = NoiseConfig { photons: Some(1e5), ..NoiseConfig::default() };
    let exposures = observe_moving(&object, &telescope, &centres, [0.0, 5.0], &noise, 3).unwrap();
    let optics = observe(&object, &telescope, &centres, &noise, 3).unwrap().optics;
    let as_still = Exposures { optics, ..exposures.clone() };
    for solver in [Solver::Lbfgs, Solver::Epie, Solver::Raar] {
        let [knows, ignores] = [&exposures, &as_still].map(|exposures| apart(&found(exposures, solver), &object));
        println!("{solver}: {knows:.4} with the motion, {ignores:.4} without it");
        assert!(knows < 0.6 * ignores && knows < 0.05, "{solver}: {knows} with the motion, {ignores} without it");
    }
}

#[test]
fn a_plan_counts_places_as_long_as_they_are_seen() {
    let telescope = telescope(5.0);
    let centres = sampling::rounded(&sampling::fermat(14, 13.0));
    let noise = NoiseConfig { photons: Some(1e3), ..NoiseConfig::default() };
    let still = plan(&telescope, &centres, 24, &noise, true).unwrap();
    assert_eq!(plan_moving(&telescope, &centres, [0.0; 2], 24, &noise, true).unwrap(), still);
    let moving = plan_moving(&telescope, &centres, [0.0, 6.0], 24, &noise, true).unwrap();
    assert!(moving.coverage > still.coverage, "{moving:?} {still:?}");
    assert!(plan_moving(&telescope, &centres, [0.0, 30.0], 24, &noise, true).is_err(), "the way leaves the field");
}

#[test]
fn lines_that_cannot_be_are_refused() {
    let (telescope, object) = (telescope(5.0), discs(1));
    let noise = NoiseConfig::default();
    for (centre, way, words) in [
        ([0.5, 0.0], [0.0, 4.0], "whole places"),
        ([0.0, 17.0], [0.0, 6.0], "from the middle"),
        ([0.0, 0.0], [40.0, 0.0], "window"),
    ] {
        let refused = observe_moving(&object, &telescope, &[centre], way, &noise, 0).unwrap_err().to_string();
        assert!(refused.contains(words), "{words}: {refused}");
    }
    // the region leaves room for the ends
    let sampling = SamplingConfig { line_length: Some(8.0), ..SamplingConfig::default() };
    let centres = sampling.centres(N, 5.0, 0).unwrap();
    observe_moving(&object, &telescope, &centres, sampling.way().unwrap(), &noise, 0).unwrap();
}

/// What lies in one direction of the spectrum: lines of several widths, turned.
fn stripes(angle: f64) -> Plane {
    let (sin, cos) = angle.sin_cos();
    Plane::from_fn(24, 24, |row, column| {
        let along = cos * column as f64 + sin * row as f64;
        let wave = |period: f64, height: f64| height * (2.0 * PI * along / period).sin().signum();
        (0.5 + wave(9.0, 0.2) + wave(3.7, 0.1) + wave(2.6, 0.1)).into()
    })
}

/// Share of an object's light, but for its mean, that no aperture of radius 4 sees.
fn unseen(object: &Plane, centres: &[[f64; 2]]) -> f64 {
    let mean = object.values().iter().sum::<Complex<f64>>() / 576.0;
    let rest = Plane::from_fn(24, 24, |row, column| object.values()[row * 24 + column] - mean);
    let mut light = vec![0.0; N * N];
    let phase = |a: usize, b: usize| Complex::from_polar(1.0, -2.0 * PI * ((a * b) % N) as f64 / N as f64);
    let rows: Vec<Complex<f64>> =
        (0..24 * N).map(|at| (0..24).map(|c| rest.values()[at / N * 24 + c] * phase(c, at % N)).sum()).collect();
    for (at, light) in light.iter_mut().enumerate() {
        *light = (0..24).map(|r| rows[r * N + at % N] * phase(r, at / N)).sum::<Complex<f64>>().norm_sqr();
    }
    let seen = sampling::union(centres, telescope(4.0).aperture(), N, true);
    let at = |place: usize| (place / N + N / 2) % N * N + (place % N + N / 2) % N;
    let missed: f64 = (0..N * N).filter(|place| !seen[at(*place)]).map(|place| light[place]).sum();
    missed / light.iter().sum::<f64>()
}

fn adaptive(object: &Plane, samples: usize, noise: &NoiseConfig, seed: u64) -> Exposures {
    let telescope = telescope(4.0);
    let config = SamplingConfig { samples: Some(samples), half_plane: true, ..SamplingConfig::default() };
    let candidates = config.candidates(N, 4.0).unwrap();
    observe_adaptively(object, &telescope, &candidates, samples, noise, seed, &Device::flex()).unwrap()
}

/// How many scenes a test draws: few, `CUPEL_FAMILY=12` for more.
fn family(usual: usize) -> usize {
    std::env::var("CUPEL_FAMILY").ok().map_or(usual, |text| text.parse().unwrap())
}

#[test]
fn adaptive_centres_find_where_the_light_is() {
    let noise = NoiseConfig { photons: Some(1e5), ..NoiseConfig::default() };
    let mut sums = [0.0; 2];
    let mut angles = vec![0.0_f32; family(3)];
    Stream::new(31, "angles of stripes").fill_uniform(&mut angles);
    for (number, angle) in angles.into_iter().map(|share| PI * f64::from(share)).enumerate() {
        let object = stripes(angle);
        let chosen = adaptive(&object, 14, &noise, 5 + number as u64);
        if number == 0 {
            assert_eq!(chosen.centres, adaptive(&object, 14, &noise, 5).centres);
        }
        let mut places = chosen.centres.clone();
        places.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
        places.dedup();
        assert_eq!((places.len(), chosen.centres[0]), (14, [0.0; 2]));
        let config = SamplingConfig { samples: Some(14), half_plane: true, ..SamplingConfig::default() };
        let spiral = config.centres(N, 4.0, 5).unwrap();
        let [ours, theirs] = [&chosen.centres, &spiral].map(|centres| unseen(&object, centres));
        println!("angle {angle:.2}: {ours:.4} of the light unseen by adaptive centres, {theirs:.4} by a spiral");
        sums = [sums[0] + ours, sums[1] + theirs];
    }
    assert!(sums[0] < 1.1 * sums[1], "{sums:?}");
}

#[test]
fn adaptive_centres_know_nothing_but_frames() {
    // two objects that no frame tells apart: centres and frames have to be the same
    let object = discs(4);
    let turned = |phase: f64| {
        Plane::from_fn(24, 24, |row, column| object.values()[row * 24 + column] * Complex::from_polar(1.0, phase))
    };
    let noise = NoiseConfig::default();
    let [one, other] = [0.3, 2.0].map(|phase| adaptive(&turned(phase), 12, &noise, 0));
    assert_eq!(one.centres, other.centres);
    // what is looked at grows, a few exposures at a time
    let mut asked: Vec<usize> = Vec::new();
    let telescope = telescope(4.0);
    let config = SamplingConfig { samples: Some(12), ..SamplingConfig::default() };
    let measure = |centres: &[[f64; 2]]| {
        asked.push(centres.len());
        observe(&object, &telescope, centres, &noise, 0)
    };
    let candidates = config.candidates(N, 4.0).unwrap();
    let seen = sampling::scan(measure, telescope.aperture(), &candidates, 12, 0, &Device::flex()).unwrap();
    assert_eq!(seen.centres.len(), 12);
    assert!(asked.first() == Some(&1) && asked.is_sorted() && asked.last() == Some(&12), "{asked:?}");
}
