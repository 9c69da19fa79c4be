//! [`Cleaned`]: what a model says of a sky, as numbers, figures and files.

use std::path::Path;

use cupel_data::{Cube, Stream, write_atomic};
use cupel_report::{LineChart, MapPanel, Report, Table};
use serde::{Deserialize, Serialize};

use super::{Model, wrong};
use crate::{
    Background, Evaluation, Result, Sky, Uncertainty,
    estimators::{Detection, Estimate, Mismatch, PowerBand, SignalEstimator},
    evaluate,
    power::{Binning, Bins, Estimator, PowerConfig, Volume},
};

/// What is known of the power of the signal, as a file keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PosteriorPower {
    /// Unit of `k`.
    pub k_unit: String,
    /// Unit of the power: the unit of the sky squared times a volume.
    pub power_unit: String,
    /// Logarithmic bins of `k`.
    pub bins: usize,
    /// Bin by bin, those that hold modes.
    pub bands: Vec<PowerBand>,
}

/// A sky that a model took the foregrounds off.
#[derive(Clone, Debug)]
pub struct Cleaned {
    /// The signal with its error.
    pub estimate: Estimate,
    /// Whether the sky is one of those that the model was made for.
    pub mismatch: Mismatch,
    /// Whether there is a signal, where the model can say it.
    pub detection: Option<Detection>,
    /// The power of the signal.
    pub power: PosteriorPower,
}

impl Model {
    /// Takes the foregrounds off a sky; the power of the signal is that of `draws` skies that the estimate leaves possible.
    ///
    /// # Errors
    /// As [`SignalEstimator::estimate`].
    pub fn clean(&self, sky: &Sky, draws: usize, seed: u64) -> Result<Cleaned> {
        let estimator = self.estimator();
        let mismatch = estimator.mismatch(sky)?;
        let estimate = estimator.estimate(sky)?;
        let power = PosteriorPower::of(estimator, sky, draws, seed)?;
        // what cannot be tested for a signal is cleaned all the same
        let detection = estimator.detect(sky).ok();
        Ok(Cleaned { estimate, mismatch, detection, power })
    }
}

/// Spectra of a sky: without the modes that lost their power with the mean of each channel.
fn spectra(sky: &Sky) -> Result<Estimator> {
    let shape = sky.cube().shape();
    let volume = Volume::of(&sky.geometry()?, [shape[1], shape[2]], &Background::default())?;
    Ok(Estimator::new(volume).without_emptied_modes())
}

impl PosteriorPower {
    fn of(estimator: &dyn SignalEstimator, sky: &Sky, draws: usize, seed: u64) -> Result<Self> {
        let (spectra, bins) = (spectra(sky)?, PowerConfig::default().bins);
        let stream = Stream::new(seed, "power of a sky");
        let bands = estimator.power(sky, &spectra, &Binning::Spherical(Bins::Logarithmic(bins)), draws, stream)?;
        let bands = bands.into_iter().filter(|band| band.modes > 0).collect();
        let (k_unit, unit) = (spectra.volume().k_unit().to_owned(), sky.unit());
        Ok(Self { k_unit, power_unit: spectra.volume().power_unit(&unit.to_string()), bins, bands })
    }

    /// The power of the true signal of this sky in the same bins.
    ///
    /// # Errors
    /// For a truth of another shape.
    pub fn of_truth(&self, sky: &Sky, truth: &Cube<f32>) -> Result<Vec<f64>> {
        let spectra = spectra(sky)?;
        let bands = spectra.power(&spectra.modes(truth)?, &Binning::Spherical(Bins::Logarithmic(self.bins)))?;
        Ok(bands.iter().filter(|band| band.modes > 0).map(|band| band.power).collect())
    }

    /// Whether the errors of the power come true, bin by bin.
    ///
    /// # Errors
    /// As [`of_truth`](Self::of_truth); a truth with other bins.
    pub fn uncertainty(&self, sky: &Sky, truth: &Cube<f32>) -> Result<Uncertainty> {
        let of = |value: &dyn Fn(&PowerBand) -> f64| self.bands.iter().map(value).collect::<Vec<f64>>();
        Uncertainty::new(&self.of_truth(sky, truth)?, &of(&|band| band.power), &of(&|band| band.sigma), None)
    }

    /// Reads what [`Cleaned::write_power`] wrote.
    ///
    /// # Errors
    /// [`crate::Error::Stored`] for a file that holds something else; what reading reports.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(cupel_data::Error::io("read", path))?;
        serde_json::from_slice(&text).map_err(|error| wrong(path, format!("no power of a signal: {error}")))
    }
}

impl Cleaned {
    /// Writes the power as JSON.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write_power(&self, path: &Path) -> Result<()> {
        let io = |error| cupel_data::Error::io("write", path)(error);
        let text = serde_json::to_vec_pretty(&self.power).map_err(|error| io(error.into()))?;
        Ok(write_atomic(path, |file| file.write_all(&text).map_err(io))?)
    }

    /// Beside the true signal.
    ///
    /// # Errors
    /// As [`evaluate`].
    pub fn evaluate(&self, truth: &Cube<f32>) -> Result<Evaluation> {
        let (config, signal) = (PowerConfig::default(), &self.estimate.signal);
        let shape = truth.shape();
        let volume = Volume::of(&signal.geometry()?, [shape[1], shape[2]], &Background::default())?;
        evaluate(truth, signal.cube(), Some(&self.estimate.sigma), &Estimator::new(volume), &config)
    }

    /// Adds maps, spectra and what is known of the sky to a report; with the truth, where that is known.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    pub fn show<'a>(&'a self, sky: &'a Sky, truth: Option<&'a Cube<f32>>, report: &mut Report<'a>) -> Result<()> {
        let (shape, unit) = (sky.cube().shape(), sky.unit());
        let (rows, columns, middle) = (shape[1], shape[2], shape[0] / 2);
        let mhz = sky.frequencies_mhz()?[middle];
        let plane = move |cube: &'a Cube<f32>| &cube.values()[middle * rows * columns..(middle + 1) * rows * columns];
        report.figure("before", format!("The sky as it is observed, at {mhz:.2} MHz."), move || {
            MapPanel::new("", rows, columns).map("observed", plane(sky.cube())).label(unit.to_string()).figure()
        });
        report.figure("after", format!("The signal, and its standard deviation, at {mhz:.2} MHz."), move || {
            let mut panel = MapPanel::new("", rows, columns);
            if let Some(truth) = truth {
                panel = panel.map("truth", plane(truth));
            }
            panel.map("estimate", plane(self.estimate.signal.cube())).label(unit.to_string()).figure()
        });
        let power = match truth {
            Some(truth) => self.power.of_truth(&self.estimate.signal, truth)?,
            None => Vec::new(),
        };
        report.figure("posterior_power", "Power of the signal with its error.", move || {
            let of = |value: &dyn Fn(&PowerBand) -> f64| self.power.bands.iter().map(value).collect::<Vec<f64>>();
            let k = of(&|band| band.k);
            let low = of(&|band| (band.power - band.sigma).max(band.power * 1e-3));
            let mut chart = LineChart::new(
                "Power of the signal",
                format!("k [{}]", self.power.k_unit),
                format!("P [{}]", self.power.power_unit),
            )
            .log_x()
            .log_y()
            .band("one standard deviation", &k, &low, &of(&|band| band.power + band.sigma))
            .line("estimate", &k, &of(&|band| band.power));
            if !power.is_empty() {
                chart = chart.reference("truth", &k, &power);
            }
            chart.figure()
        });
        let mut table = Table::new()
            .number_column("k", &self.power.k_unit, 4)
            .number_column("modes", "", 0)
            .number_column("power", &self.power.power_unit, 6)
            .number_column("sigma", &self.power.power_unit, 6);
        for band in &self.power.bands {
            table.push([band.k.into(), (band.modes as f64).into(), band.power.into(), band.sigma.into()])?;
        }
        report.table("posterior_power", "Power of the signal, bin by bin.", table);
        if let Some(truth) = truth {
            self.show_scales(self.evaluate(truth)?, report);
        }
        report.finding(format!(
            "The sky differs from those of the training by {:.2} of what is let pass.",
            self.mismatch.score
        ));
        if let Some(detection) = self.detection {
            report.finding(format!("The sky is {detection}."));
        }
        Ok(())
    }

    /// T(k), r(k) and what is left, beside the truth.
    fn show_scales<'a>(&'a self, found: Evaluation, report: &mut Report<'a>) {
        report.finding(format!(
            "Of a sky that no fit has seen: correlation {:.4}, NMSE {:.4}.",
            found.map.r, found.map.nmse
        ));
        if let Some(uncertainty) = &found.uncertainty {
            report.finding(format!("Its {uncertainty}."));
        }
        let k_unit = found.k_unit;
        report.figure(
            "scales",
            "Transfer T, correlation r and residual power over true power of that sky, scale by scale.",
            move || {
                let bins: Vec<_> = found.k.iter().filter(|bin| bin.modes > 0).collect();
                let k: Vec<f64> = bins.iter().map(|bin| bin.k).collect();
                LineChart::new("Scale by scale", format!("k [{k_unit}]"), "")
                    .log_x()
                    .line("T", &k, &bins.iter().map(|bin| bin.t).collect::<Vec<_>>())
                    .line("r", &k, &bins.iter().map(|bin| bin.r).collect::<Vec<_>>())
                    .line("residual / truth", &k, &bins.iter().map(|bin| bin.residual_ratio).collect::<Vec<_>>())
                    .figure()
            },
        );
    }
}
