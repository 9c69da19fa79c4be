//! The figures, tables and words of a reconstruction.

use std::path::Path;

use cupel_report::{Animation, Cell, ColorMap, LineChart, MapPanel, Report, Table};

use crate::{Exposures, Geometry, LeftOut, Noise, Plane, Reconstruction, Result, Results, results};

/// Dynamic range of maps of spectra, in factors of ten.
const DECADES: f64 = 6.0;

/// Writes everything that a reconstruction has to show into the folder of its run: arrays, images, the report.
///
/// # Errors
/// What cannot be drawn or written.
pub fn save(
    found: &Reconstruction,
    results: &Results,
    exposures: &Exposures,
    truth: Option<&Plane>,
    name: &str,
    dir: &Path,
) -> Result<()> {
    results::write_arrays(found, exposures, dir)?;
    let object = results::object(found, exposures)?;
    let (rows, columns) = (object.rows(), object.columns());
    let single = |values: Vec<f64>| -> Vec<f32> { values.into_iter().map(|value| value as f32).collect() };
    let amplitude = single(object.amplitude());
    let phase = single(object.phase());
    let true_amplitude = truth.map(|truth| single(truth.amplitude()));
    let errors: Option<Vec<f32>> = true_amplitude
        .as_ref()
        .filter(|truth| truth.len() == amplitude.len())
        .map(|truth| amplitude.iter().zip(truth).map(|(found, truth)| found - truth).collect());
    let field = exposures.optics.size;
    let interval = found.certificate.interval.as_ref().map(|half| {
        let half = Plane::from_fn(field[0], field[1], |row, column| half[row * field[1] + column].into());
        half.middle(rows, columns).map(|half| single(half.amplitude()))
    });
    let interval = interval.transpose()?;
    let light = &found.certificate.measured;
    let brightest = light.iter().copied().fold(0.0, f64::max);
    // nought where only the prior speaks, which a logarithm would hide
    let light: Vec<f32> = light
        .iter()
        .map(|light| if *light > 0.0 { (light / brightest).log10().max(-DECADES) as f32 } else { f32::NAN })
        .collect();
    let pupil = found.model.pupils.first().map(|pupil| (pupil, single(pupil.amplitude()), single(pupil.phase())));

    let mut report = Report::new(dir, format!("Reconstruction of {name}"));
    words(&mut report, found, results, exposures);
    report.figure("amplitude", "Amplitude of the object, the root of its intensity.", || {
        MapPanel::new("Amplitude", rows, columns).map("found", &amplitude).color_map(ColorMap::Gray).figure()
    });
    report.pixels("amplitude_pixels", || {
        MapPanel::new("Amplitude", rows, columns).map("found", &amplitude).color_map(ColorMap::Gray).pixels()
    });
    if !exposures.known.real {
        let pi = std::f64::consts::PI;
        report.figure("phase", "Phase of the object.", {
            let phase = &phase;
            move || {
                let panel = MapPanel::new("Phase", rows, columns).map("found", phase).range(-pi, pi);
                panel.color_map(ColorMap::Cyclic).label("rad").figure()
            }
        });
        report.pixels("phase_pixels", {
            let phase = &phase;
            move || {
                let panel = MapPanel::new("Phase", rows, columns).map("found", phase).range(-pi, pi);
                panel.color_map(ColorMap::Cyclic).pixels()
            }
        });
    }
    if let (Some(truth), Some(errors)) = (&true_amplitude, &errors) {
        report.figure("truth", "The object as it is known.", move || {
            MapPanel::new("Truth", rows, columns).map("truth", truth).color_map(ColorMap::Gray).figure()
        });
        let largest = errors.iter().fold(0.0f32, |largest, error| largest.max(error.abs())).max(f32::MIN_POSITIVE);
        report.figure("errors", "What was found less the truth.", move || {
            let panel = MapPanel::new("Errors", rows, columns).map("errors", errors);
            panel.range(-f64::from(largest), f64::from(largest)).color_map(ColorMap::Diverging).figure()
        });
    }
    if let Some(interval) = &interval {
        report.figure("interval", "Half width of the interval that holds each amplitude with 90 %.", move || {
            MapPanel::new("Interval of 90 %", rows, columns).map("half width", interval).figure()
        });
    }
    let plane = if exposures.optics.geometry == Geometry::Spectrum { "frequencies" } else { "places" };
    report.figure(
        "coverage",
        format!("How much light of which {plane} was measured, as a power of ten of the most; grey where only the prior speaks."),
        || MapPanel::new("Measured", field[0], field[1]).map("light", &light).label("log10").figure(),
    );
    if let Some((pupil, amplitude, phase)) = &pupil {
        let size = (pupil.rows(), pupil.columns());
        report.figure("pupil", "Amplitude of the pupil or probe.", move || {
            MapPanel::new("Pupil", size.0, size.1).map("amplitude", amplitude).figure()
        });
        report.figure("pupil_phase", "Phase of the pupil or probe.", move || {
            let pi = std::f64::consts::PI;
            let panel = MapPanel::new("Pupil", size.0, size.1).map("phase", phase).range(-pi, pi);
            panel.color_map(ColorMap::Cyclic).label("rad").figure()
        });
    }
    if found.film.steps.len() > 1 {
        let film = &found.film;
        let steps: Vec<String> = film.steps.iter().map(u64::to_string).collect();
        report.animation(
            "progress",
            format!(
                "How the amplitude came to be, after steps {}; each picture from black to white.",
                steps.join(", ")
            ),
            || {
                let [rows, columns] = film.size;
                let pictures = film.grey.chunks_exact(rows * columns);
                pictures.fold(Animation::new(rows, columns), Animation::picture).gif()
            },
        );
    }
    if found.curve.len() > 1 {
        report.figure("curve", "Misfit after each step.", || {
            let steps: Vec<f64> = (1..=found.curve.len()).map(|step| step as f64).collect();
            LineChart::new("Misfit", "step", "misfit").line("misfit", &steps, &found.curve).log_y().figure()
        });
    }
    if let Some(correlation) = &found.certificate.correlation {
        let shown = correlation.rings.len().min(field[0].max(field[1]) / 2 + 1);
        let rings: Vec<f64> = (0..shown).map(|ring| ring as f64).collect();
        report.figure(
            "frc",
            "Agreement of two reconstructions, each from every other exposure, ring by ring.",
            move || {
                let chart = LineChart::new("Fourier ring correlation", "ring", "correlation");
                let threshold = vec![1.0 / 7.0; rings.len()];
                chart
                    .line("two halves", &rings, &correlation.rings[..shown])
                    .reference("1/7", &rings, &threshold)
                    .figure()
            },
        );
    }
    if !found.tried.is_empty() {
        let mut table = Table::new().number_column("weight", "", 8).number_column("misfit held out", "", 6);
        for tried in &found.tried {
            table.push([Cell::from(tried.weight), Cell::from(tried.held_out)])?;
        }
        report.table(
            "prior",
            "Weights of the total variation that were tried, with the misfit of the exposures held out.",
            table,
        );
    }
    cite(&mut report, exposures.optics.geometry);
    report.numbers(results)?;
    report.save()?;
    Ok(())
}

fn words(report: &mut Report<'_>, found: &Reconstruction, results: &Results, exposures: &Exposures) {
    let optics = &exposures.optics;
    let (windows, frames) = match optics.geometry {
        Geometry::Spectrum => ("the object's spectrum", "images"),
        Geometry::Object => ("the object", "diffraction patterns"),
    };
    let [height, width] = optics.window();
    report.summary(format!(
        "{} exposures, {frames} of {} x {} pixels, show windows of {height} x {width} places of {windows}, whose field has {} x {}.",
        exposures.centres.len(),
        optics.detector,
        optics.detector,
        optics.size[0],
        optics.size[1],
    ));
    report.summary(match exposures.noise {
        Noise::None => "The frames have no noise.".to_owned(),
        Noise::Unknown => "The noise is not known; errors of amplitudes were taken to be alike.".to_owned(),
        Noise::Counts { photons, read } => {
            format!("One unit of intensity is {photons:.4e} photons, the read-out has {read} electrons.")
        }
    });
    report.finding(format!(
        "{:.1} % of the plane lies in a window; what lies outside is the prior's, not the data's.",
        100.0 * results.coverage
    ));
    if let Some(tiers) = &results.calibration {
        report.finding(format!("Calibration: {}.", tiers.words()));
    }
    if let Some(r) = results.held_out_r {
        report.finding(format!(
            "Exposures that the fit never saw are foretold with an R-factor of {r:.4}; those that it saw with {:.4}.",
            found.certificate.r
        ));
    }
    if let Some(r) = results.test_r {
        report.finding(format!(
            "Exposures that were put aside, and chose nothing, are foretold with an R-factor of {r:.4}."
        ));
    }
    if let Some(chi2) = results.chi2_per_dof {
        let judged = if (0.9..=1.1).contains(&chi2) {
            "as it should be where noise and instrument are as stated"
        } else if chi2 > 1.0 {
            "more than the noise allows: noise or instrument are not as stated, or something moved"
        } else {
            "less than the noise allows: the noise was stated too large, or the fit took up some of it"
        };
        report.finding(format!("Squared errors are {chi2:.3} of their variance per degree of freedom, {judged}."));
    }
    if let Some(doubt) = &results.doubt {
        report.finding(format!("Do not believe this object yet: {doubt}."));
    }
    if results.left_out != LeftOut::default() {
        report.finding(format!("Of the frames was {}.", results.left_out));
    }
    if let Some(resolution) = results.frc_px {
        report.finding(format!("Two halves of the exposures agree down to details of {resolution:.2} pixels."));
    }
    if let (Some(ssim), Some(psnr)) = (results.ssim, results.psnr_db) {
        report.finding(format!("Against the truth the amplitude has an SSIM of {ssim:.4} and a PSNR of {psnr:.1} dB."));
    }
    if let Some(holds) = results.interval_holds {
        report.finding(format!("The intervals of 90 % hold {:.1} % of the true amplitudes.", 100.0 * holds));
    }
}

fn cite(report: &mut Report<'_>, geometry: Geometry) {
    match geometry {
        Geometry::Spectrum => report.cite(
            "G. Zheng, R. Horstmeyer, C. Yang, Nature Photonics 7, 739 (2013): Fourier ptychography",
            "doi:10.1038/nphoton.2013.187",
        ),
        Geometry::Object => report.cite(
            "J. M. Rodenburg, H. M. L. Faulkner, Applied Physics Letters 85, 4795 (2004): ptychography",
            "doi:10.1063/1.1823034",
        ),
    }
    report.cite(
        "R. H. Byrd, P. Lu, J. Nocedal, C. Zhu, SIAM J. Sci. Comput. 16, 1190 (1995): L-BFGS with bounds",
        "doi:10.1137/0916069",
    );
    report.cite(
        "L. I. Rudin, S. Osher, E. Fatemi, Physica D 60, 259 (1992): total variation",
        "doi:10.1016/0167-2789(92)90242-F",
    );
    report.cite(
        "W. O. Saxton, W. Baumeister, J. Microscopy 127, 127 (1982): correlation of two halves",
        "doi:10.1111/j.1365-2818.1982.tb00405.x",
    );
}
