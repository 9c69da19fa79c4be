use cupel_data::Stream;
use cupel_prism::{
    Aperture, NoiseConfig, Pattern, SamplingConfig, observe, plan,
    sampling::{
        Adaptive, Line, Sort, coverage, disc_overlap, fermat, from_file, half_plane, led_spiral, next_centre, overlap,
        random, rounded, sorted, star, union,
    },
};

use super::samples::{object, telescope, vectors};

#[test]
fn fermats_spiral_is_the_golden_one() {
    let Some(golden) = vectors() else { return };
    let rows = golden["spiral"]["exact_n16_rmax40_r=R*sqrt(k/n)_yx"].as_array().unwrap();
    // The golden points divide by n: the last of 17 is left out.
    let own = fermat(17, 40.0);
    for (own, row) in own.iter().zip(rows) {
        for axis in 0..2 {
            assert!((own[axis] - row[axis].as_f64().unwrap()).abs() < 1e-12, "{own:?} {row}");
        }
    }
    assert!((own[16][0].hypot(own[16][1]) - 40.0).abs() < 1e-12, "the last lies on the edge");
    assert_eq!(fermat(1, 40.0), [[0.0; 2]]);
}

#[test]
fn patterns_stay_in_their_region_and_are_what_they_say() {
    assert_eq!(
        led_spiral(10, 2.0),
        [
            [0.0, 0.0],
            [0.0, 2.0],
            [2.0, 2.0],
            [2.0, 0.0],
            [2.0, -2.0],
            [0.0, -2.0],
            [-2.0, -2.0],
            [-2.0, 0.0],
            [-2.0, 2.0],
            [-2.0, 4.0],
        ]
    );
    let lights = led_spiral(225, 1.0);
    let mut places: Vec<[i64; 2]> = lights.iter().map(|c| c.map(|c| c as i64)).collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), 225, "a square of 15 x 15");
    assert!(lights.iter().flatten().all(|c| c.abs() <= 7.0));
    let lines = star(13, 30.0, 4);
    assert!((lines[12][0] + 30.0).abs() < 1e-12 && lines[0] == [0.0; 2] && (lines[1][1] - 10.0).abs() < 1e-12);
    let stream = Stream::new(3, "t");
    let scattered = random(2000, 30.0, stream);
    assert_eq!(scattered[0], [0.0; 2]);
    assert_eq!(scattered[..50], random(50, 30.0, stream)[..], "each draw is its own");
    let inner = scattered.iter().filter(|c| c[0].hypot(c[1]) < 15.0).count();
    assert!((450..550).contains(&inner), "a quarter of the disc: {inner}");
    for pattern in [Pattern::Fermat, Pattern::Star, Pattern::Random, Pattern::Led] {
        for samples in [1, 2, 48, 97] {
            let config = SamplingConfig { pattern, samples: Some(samples), ..SamplingConfig::default() };
            let centres = config.centres(128, 10.0, 7).unwrap();
            assert_eq!(centres.len(), samples);
            assert!(centres.iter().all(|c| c[0].hypot(c[1]) <= 54.0 && c[0] == c[0].round()), "{pattern} {samples}");
            assert!(observe(&object(64, 1), &telescope(128, 10.0), &centres, &Default::default(), 0).is_ok());
            assert_eq!(centres, config.centres(128, 10.0, 7).unwrap());
        }
    }
}

#[test]
fn the_regimes_of_the_peer_are_ours() {
    let centres = SamplingConfig::default().centres(128, 10.0, 0).unwrap();
    assert_eq!((centres.len(), centres[0]), (48, [0.0, 0.0]));
    let seen = coverage(&centres, &Aperture::Circle { radius: 10.0 }, 128, false);
    assert!((seen - 0.77).abs() < 0.01, "77 % of the disc in regime A: {seen}");
    let few = SamplingConfig { samples: Some(14), roi_radius: Some(26.0), ..SamplingConfig::default() };
    let seen = coverage(&few.centres(128, 10.0, 0).unwrap(), &Aperture::Circle { radius: 10.0 }, 128, false);
    assert!((seen - 0.22).abs() < 0.01, "22 % in regime B: {seen}");
}

#[test]
fn half_of_the_plane_is_enough_for_a_real_object() {
    // Defect 12 of the original: opposite centres show the same.
    let centres = rounded(&fermat(48, 53.0));
    let half = half_plane(&centres);
    assert!(half.iter().all(|c| c[0] > 0.0 || c[0] == 0.0 && c[1] >= 0.0));
    let aperture = Aperture::Circle { radius: 10.0 };
    let both = coverage(&half, &aperture, 128, true);
    assert!((both - coverage(&centres, &aperture, 128, true)).abs() < 1e-12, "what a real object shows is the same");
    assert!(coverage(&half, &aperture, 128, false) < 0.6 * both);
    let opposite: Vec<[f64; 2]> = half.iter().map(|c| [-c[0], -c[1]]).collect();
    let of =
        |centres: &[[f64; 2]]| observe(&object(64, 2), &telescope(128, 10.0), centres, &Default::default(), 0).unwrap();
    let (one, other) = (of(&half), of(&opposite));
    for index in 0..half.len() {
        let (one, other) = (one.frames.frame(index).unwrap(), other.frames.frame(index).unwrap());
        assert!(one.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1e-6 * (1.0 + a)));
    }
}

#[test]
fn overlaps_are_areas() {
    assert_eq!((disc_overlap(0.0, 3.0), disc_overlap(6.0, 3.0), disc_overlap(7.0, 3.0)), (1.0, 0.0, 0.0));
    for distance in [5.0, 20.0, 33.0, 60.0] {
        let disc = Aperture::Circle { radius: 40.0 };
        let count =
            |centres: &[[f64; 2]]| union(centres, &disc, 256, false).iter().filter(|seen| **seen).count() as f64;
        let shared = 2.0 * count(&[[0.0, 0.0]]) - count(&[[0.0, 0.0], [0.0, distance]]);
        let wanted = disc_overlap(distance, 40.0);
        assert!((shared / count(&[[0.0, 0.0]]) - wanted).abs() < 0.01, "{distance}: {wanted}");
    }
    let row: Vec<[f64; 2]> = vec![[0.0, 0.0], [0.0, 4.0], [0.0, 10.0]];
    let own = overlap(&row, 5.0, false);
    assert!((own.min - disc_overlap(6.0, 5.0)).abs() < 1e-12);
    assert!((own.mean - (2.0 * disc_overlap(4.0, 5.0) + disc_overlap(6.0, 5.0)) / 3.0).abs() < 1e-12);
    let opposite = overlap(&[[0.0, 3.0]], 5.0, true);
    assert_eq!(opposite.min, 0.0, "its own opposite is no neighbour");
    assert_eq!(overlap(&[], 5.0, false).mean, 0.0);
    assert_eq!(overlap(&[[1.0, 1.0]], 5.0, false).min, 0.0);
}

#[test]
fn orders_keep_every_centre() {
    let centres = rounded(&random(60, 40.0, Stream::new(1, "t")));
    for order in Sort::ALL {
        let mut own = sorted(centres.clone(), *order, Stream::new(2, "t"));
        if *order == Sort::Centre {
            assert!(own.windows(2).all(|pair| pair[0][0].hypot(pair[0][1]) <= pair[1][0].hypot(pair[1][1]) + 1e-12));
        }
        let mut all = centres.clone();
        let by = |a: &[f64; 2], b: &[f64; 2]| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1]));
        own.sort_by(by);
        all.sort_by(by);
        assert_eq!(own, all);
    }
}

#[test]
fn pattern_files_are_read_or_refused_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| {
        let path = folder.path().join("pattern.csv");
        std::fs::write(&path, text).unwrap();
        path
    };
    for text in ["row,column\n1,2\n-3.5, 4e0\n", "\u{feff}# made by hand\n1;2\n\n-3.5\t4\n", "1 2\r\n-3.5 4\r\n"] {
        assert_eq!(from_file(&write(text)).unwrap(), [[1.0, 2.0], [-3.5, 4.0]], "{text:?}");
    }
    for (text, words) in [
        ("1,2\n3\n", "line 2"),
        ("1,2\nx,y\n", "line 2"),
        ("a,b\n1,NaN\n", "line 2"),
        ("1,2,3\n", "line 1"),
        ("", "no centre"),
        ("row,column\n", "no centre"),
        ("1,inf\n", "line 1"),
    ] {
        let refusal = from_file(&write(text)).unwrap_err().to_string();
        assert!(refusal.contains(words), "{text:?}: {refusal}");
    }
    assert!(from_file(&folder.path().join("none.csv")).unwrap_err().to_string().contains("none.csv"));
    let path = write("0,0\n1,2\n3,4\n").to_str().unwrap().to_owned();
    let config = SamplingConfig { pattern: Pattern::File, pattern_file: Some(path), ..SamplingConfig::default() };
    assert_eq!(config.centres(64, 5.0, 0).unwrap().len(), 3);
    let too_many = SamplingConfig { samples: Some(4), ..config };
    assert!(too_many.centres(64, 5.0, 0).unwrap_err().to_string().contains("at most 3"));
    let wide = SamplingConfig { roi_radius: Some(60.0), ..SamplingConfig::default() };
    assert!(wide.centres(128, 10.0, 0).unwrap_err().to_string().contains("at most 54"));
    let useless = SamplingConfig { led_step: Some(2.0), ..SamplingConfig::default() };
    assert!(useless.centres(128, 10.0, 0).unwrap_err().to_string().contains("array of LEDs"));
}

#[test]
fn a_moving_aperture_averages_intensities() {
    let (object, telescope) = (object(32, 3), telescope(64, 6.0));
    let line = Line { from: [2.0, -4.0], to: [2.0, 5.0] };
    assert_eq!((line.samples(), line.places(10)[9]), (10, [2.0, 5.0]));
    let own = line.expose(&object, &telescope).unwrap();
    let still = observe(&object, &telescope, &line.places(10), &Default::default(), 0).unwrap();
    let mut mean = vec![0.0; own.len()];
    for index in 0..10 {
        let weight = if index == 0 || index == 9 { 0.5 } else { 1.0 };
        for (mean, value) in mean.iter_mut().zip(still.frames.frame(index).unwrap()) {
            *mean += weight * f64::from(value) / 9.0;
        }
    }
    assert!(own.iter().zip(&mean).all(|(a, b)| (a - b).abs() < 1e-6 * (1.0 + b)));
    let point = Line { from: [2.0, 1.0], to: [2.0, 1.0] };
    let (a, b) = (
        point.expose(&object, &telescope).unwrap(),
        observe(&object, &telescope, &[[2.0, 1.0]], &Default::default(), 0),
    );
    assert!(a.iter().zip(b.unwrap().frames.frame(0).unwrap()).all(|(a, b)| (a - f64::from(b)).abs() < 1e-6));
    assert!(Line { from: [0.0; 2], to: [40.0, 0.0] }.expose(&object, &telescope).is_err());
}

#[test]
fn the_next_centre_is_bright_unknown_and_overlaps() {
    let n = 128;
    let field = object(64, 4).padded(n, n).unwrap();
    let aperture = Aperture::Circle { radius: 10.0 };
    let candidates = rounded(&fermat(120, 53.0));
    let how = Adaptive::default();
    let mut measured = vec![[0.0, 0.0]];
    for _ in 0..20 {
        let (next, gain) = next_centre(&field, &measured, &candidates, &aperture, &how).unwrap();
        assert!(gain > 0.0);
        let far = measured.iter().map(|m| (m[0] - candidates[next][0]).hypot(m[1] - candidates[next][1]));
        assert!(
            far.clone().fold(f64::INFINITY, f64::min) > 3.0,
            "nothing is measured twice while there is more to learn"
        );
        measured.push(candidates[next]);
    }
    // Opposite centres are one: twenty learn more than the first twenty of the spiral.
    let own = coverage(&measured, &aperture, n, true);
    let spiral = coverage(&candidates[..21], &aperture, n, true);
    assert!(own > 1.3 * spiral, "{own} {spiral}");
    let far = [[50.0, 0.0]];
    let refusal = next_centre(&field, &[[0.0, 0.0]], &far, &aperture, &how).unwrap_err().to_string();
    assert!(refusal.contains("1 candidates"), "{refusal}");
}

#[test]
fn a_plan_says_what_is_seen_twice_and_how_finely() {
    let telescope = telescope(128, 10.0);
    let centres = SamplingConfig::default().centres(128, 10.0, 0).unwrap();
    let of = |centres: &[[f64; 2]], photons: Option<f64>, read_noise: f64, real| {
        plan(&telescope, centres, 64, &NoiseConfig { photons, read_noise, ..NoiseConfig::default() }, real).unwrap()
    };
    let clean = of(&centres, None, 0.0, true);
    let known = overlap(&centres, 10.0, true);
    assert_eq!((clean.exposures, clean.overlap_min, clean.overlap_mean), (48, known.min, known.mean));
    assert_eq!(clean.coverage, coverage(&centres, telescope.aperture(), 128, true));
    // Without noise the pattern's edge is the limit: centres up to 53, apertures of 10.
    assert!((2.0..2.2).contains(&clean.resolution_px), "{clean:?}");
    let few = of(&centres[..9], None, 0.0, true);
    assert!(few.resolution_px > 1.5 * clean.resolution_px && few.coverage < 0.5 * clean.coverage);
    // More light shows more, read-out and a phase less, and nothing more than the pattern does.
    let light = [1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e9].map(|photons| of(&centres, Some(photons), 1.0, true).resolution_px);
    assert!(light.windows(2).all(|pair| pair[0] >= pair[1]) && light[0] > 4.0 * light[6], "{light:?}");
    assert!((light[6] / clean.resolution_px - 1.0).abs() < 1e-6, "{light:?} {clean:?}");
    assert!(of(&centres, Some(1e3), 20.0, true).resolution_px > of(&centres, Some(1e3), 1.0, true).resolution_px);
    assert!(of(&centres, Some(1e3), 1.0, false).resolution_px > of(&centres, Some(1e3), 1.0, true).resolution_px);
    assert_eq!(of(&centres, Some(1e-9), 1.0, true).resolution_px, f64::INFINITY);
    let keys = serde_json::to_value(clean).unwrap();
    for key in ["exposures", "overlap_min", "overlap_mean", "coverage", "resolution_px"] {
        assert!(keys[key].is_number(), "{key}");
    }
    let plain = NoiseConfig::default();
    assert!(plan(&telescope, &[[60.0, 0.0]], 64, &plain, true).unwrap_err().to_string().contains("centre 0"));
    assert!(plan(&telescope, &centres, 200, &plain, true).is_err() && plan(&telescope, &[], 64, &plain, true).is_err());
}
