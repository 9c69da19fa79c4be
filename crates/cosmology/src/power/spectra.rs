//! [`Power`]: every spectrum of a sky, as `cosmology power` prints and draws them.

use std::fmt;

use cupel_data::Cube;
use cupel_report::{LineChart, MapPanel, Report, Table};
use cupel_settings::{Range, choices, settings};
use serde::Serialize;

use super::{Angular, Band, Binning, Bins, Estimator, Horizon, Volume, Window, binning::Layout};
use crate::{Background, Error, Result, Sky};

choices! {
    /// How the edges of bins in k lie.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Spacing {
        /// At equal ratios
        Logarithmic = "logarithmic" | "log",
        /// At equal steps
        Linear = "linear",
        /// One fundamental mode apart, as many as there are
        Fundamental = "fundamental",
    }
}

settings! {
    /// How power spectra are made.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub struct PowerConfig in "power" {
        /// Bins in k, and in the multipole
        pub bins: usize = 12, in Range::at_least(1.0).at_most(100_000.0), "N";
        /// How the edges of the bins lie
        pub spacing: Spacing = Spacing::Logarithmic;
        /// Taper along frequency
        pub window: Window = Window::None;
        /// Zenith angle of the sources that end the wedge, in degrees; 90 is the horizon
        pub zenith_angle: f64 = 90.0, in Range::at_least(0.0).at_most(90.0), "DEG";
        /// How far beyond that the wedge still reaches, in h/Mpc
        pub wedge_buffer: f64 = 0.0, in Range::at_least(0.0), "K";
    }
    needs {
        ["bins"] |config| config.spacing != Spacing::Fundamental => "there are as many bins as fundamental modes";
    }
}

impl PowerConfig {
    /// The bins in k.
    pub fn bins(&self) -> Bins {
        match self.spacing {
            Spacing::Logarithmic => Bins::Logarithmic(self.bins),
            Spacing::Linear => Bins::Linear(self.bins),
            Spacing::Fundamental => Bins::Fundamental,
        }
    }

    /// Spectra in this volume, under these weights.
    ///
    /// # Errors
    /// As [`Estimator::with_weights`].
    pub fn estimator(&self, volume: Volume, weights: Option<&Cube<f32>>) -> Result<Estimator> {
        let estimator = Estimator::new(volume).with_window(self.window);
        weights.map_or(Ok(estimator.clone()), |weights| estimator.with_weights(weights))
    }
}

/// The spectra of one sky. Modes that lost their power with the mean of each channel are left out.
#[derive(Clone, Debug, Serialize)]
pub struct Power {
    /// Unit of the sky.
    pub unit: String,
    /// Unit of wave numbers; `rad/cell` where nothing says how large the sky is.
    pub k_unit: &'static str,
    /// Unit of the power.
    pub power_unit: String,
    /// Taper along frequency.
    pub window: &'static str,
    /// What must be said of the numbers.
    pub note: Option<&'static str>,
    /// Variance of the sky without the mean of each channel: the power of all modes over the volume.
    pub variance: f64,
    /// In shells of `|k|`.
    pub k: Vec<Band>,
    /// In planes of `k_par`.
    pub k_par: Vec<Band>,
    /// In rings of `k_perp` times planes of `k_par`.
    pub cylindrical: Cylindrical,
    /// Of the lines of sight, at each `k_par`; in the unit of the sky squared times length.
    pub radial: Vec<Band>,
    /// Of the channels, in multipoles, and their mean; where the size of the patch is known.
    pub angular: Option<AngularSummary>,
}

/// Power in rings of `k_perp` times planes of `k_par`.
#[derive(Clone, Debug, Serialize)]
pub struct Cylindrical {
    /// Number of rings.
    pub rings: usize,
    /// Number of planes, the first of which is `k_par = 0`.
    pub planes: usize,
    /// In the order [ring, plane].
    pub bands: Vec<Band>,
    /// The line below which smooth foregrounds lie; where frequencies are known.
    pub horizon: Option<Horizon>,
    /// Whether each is in the wedge below that line.
    pub wedge: Option<Vec<bool>>,
}

/// Angular power of all channels.
#[derive(Clone, Debug, Serialize)]
pub struct AngularSummary {
    /// Mean over channels; `k` is the multipole.
    pub mean: Vec<Band>,
    /// Of each channel.
    pub channels: Vec<Vec<Band>>,
}

impl Power {
    /// Of a sky, in comoving lengths where its patch is known to be so large, else in cells.
    ///
    /// # Errors
    /// For channels that are not evenly spaced, and as [`Estimator::modes`].
    pub fn of(sky: &Sky, config: &PowerConfig, background: &Background) -> Result<Self> {
        let geometry = match sky.geometry() {
            Err(Error::Missing { .. }) => {
                return Self::of_cube(sky.cube(), &sky.unit().to_string(), sky.weights(), config);
            }
            other => other?,
        };
        let shape = sky.cube().shape();
        let volume = Volume::of(&geometry, [shape[1], shape[2]], background)?;
        let mut power = Self::new(sky.cube(), sky.unit().to_string(), sky.weights(), volume, config)?;
        let channels = &geometry.frequencies_mhz;
        let middle_mhz = (channels[0] + channels[channels.len() - 1]) / 2.0;
        let horizon = Horizon::new(background, middle_mhz, config.zenith_angle, config.wedge_buffer);
        let bands = &power.cylindrical.bands;
        power.cylindrical.wedge = Some(bands.iter().map(|band| horizon.holds(band.k_perp, band.k_par)).collect());
        power.cylindrical.horizon = Some(horizon);
        let angular = Angular::new(sky.cube(), geometry.side_deg, sky.weights(), None, &config.bins())?;
        power.angular = Some(AngularSummary { mean: angular.mean(), channels: angular.channels });
        Ok(power)
    }

    /// Of an array of which nothing is known but its axes and its unit.
    ///
    /// # Errors
    /// As [`Estimator::modes`].
    pub fn of_cube(cube: &Cube<f32>, unit: &str, weights: Option<&Cube<f32>>, config: &PowerConfig) -> Result<Self> {
        let order = super::volume::sky_order(cube.axes())?;
        let mut shape = [0; 3];
        for (len, kind) in shape.iter_mut().zip(order) {
            *len = cube.axis(kind)?.len();
        }
        Self::new(cube, unit.to_owned(), weights, Volume::cells(shape)?, config)
    }

    fn new(
        cube: &Cube<f32>,
        unit: String,
        weights: Option<&Cube<f32>>,
        volume: Volume,
        config: &PowerConfig,
    ) -> Result<Self> {
        let counting = config.estimator(volume, weights)?;
        let estimator = counting.clone().without_emptied_modes();
        let modes = estimator.modes(cube)?;
        let cylindrical = Binning::Cylindrical { perpendicular: Bins::Fundamental, parallel: Bins::Fundamental };
        let [rings, planes] = Layout::new(&volume, &cylindrical)?.shape();
        let bands = estimator.power(&modes, &cylindrical)?;
        let sum: f64 = bands.iter().filter(|band| band.modes > 0).map(|band| band.modes as f64 * band.power).sum();
        Ok(Self {
            power_unit: volume.power_unit(&unit),
            unit,
            k_unit: volume.k_unit(),
            window: config.window.name(),
            note: estimator.note(),
            variance: sum / volume.size(),
            k: estimator.power(&modes, &Binning::Spherical(config.bins()))?,
            k_par: estimator.power(&modes, &Binning::Parallel(Bins::Fundamental))?,
            cylindrical: Cylindrical { rings, planes, bands, horizon: None, wedge: None },
            radial: counting.radial(&modes)?,
            angular: None,
        })
    }

    /// Adds figures, tables and words to a report.
    ///
    /// # Errors
    /// Never, for spectra that this made.
    pub fn show<'a>(&'a self, report: &mut Report<'a>) -> Result<()> {
        report.finding(format!(
            "The sky varies by {:.4} {} rms around the mean of each channel; that is the sum of its power over all modes.",
            self.variance.sqrt(),
            self.unit
        ));
        report.summary(format!("Spectra were made with the taper {} along frequency.", self.window));
        if let Some(note) = self.note {
            report.summary(note);
        }
        let k_label = |name: &str| format!("{name} [{}]", self.k_unit);
        let y_label = format!("P [{}]", self.power_unit);
        let label = y_label.clone();
        report.figure("power", "Power in shells of |k|, with its error.", move || {
            chart("Power spectrum", &k_label("k"), &label, &self.k).figure()
        });
        let (k_label, label) = (format!("k_par [{}]", self.k_unit), y_label.clone());
        report.figure("power_k_par", "Power in planes of k_par, with its error.", move || {
            chart("Power along the line of sight", &k_label, &label, &self.k_par).figure()
        });
        let caption = match self.cylindrical.horizon {
            Some(_) => "Power across and along the line of sight; below the line lies the wedge of smooth foregrounds.",
            None => "Power across and along the line of sight.",
        };
        report.figure("power_cylindrical", caption, move || self.panel());
        report.table("power", "Power in shells of |k|.", self.table(&self.k)?);
        report.table("power_k_par", "Power in planes of k_par.", self.table(&self.k_par)?);
        if let Some(angular) = &self.angular {
            let label = format!("C [{}^2 sr]", self.unit);
            report.figure("angular_power", "Angular power, the mean over channels.", move || {
                chart("Angular power spectrum", "multipole l", &label, &angular.mean).figure()
            });
        }
        Ok(())
    }

    /// The panel of rings and planes: the logarithm of the power, `k_par` upwards.
    fn panel(&self) -> cupel_report::Result<cupel_report::Figure> {
        let Cylindrical { rings, planes, bands, horizon, .. } = &self.cylindrical;
        let mut values = vec![f32::NAN; rings * planes];
        for (index, band) in bands.iter().enumerate().filter(|(_, band)| band.power > 0.0) {
            values[(planes - 1 - index % planes) * rings + index / planes] = band.power.log10() as f32;
        }
        let [step_perp, step_par] = self.steps();
        let mut panel = MapPanel::new("", *planes, *rings)
            .map("Power across and along the line of sight", &values)
            .label(format!("log10 P [{}]", self.power_unit))
            .horizontal(format!("k_perp [{}]", self.k_unit), step_perp, *rings as f64 * step_perp)
            .vertical(format!("k_par [{}]", self.k_unit), (planes - 1) as f64 * step_par, 0.0);
        if let Some(horizon) = horizon {
            let place = |step: usize| {
                let column = step as f64 / 16.0 - 0.5;
                [column, (planes - 1) as f64 - horizon.k_par((column + 1.0) * step_perp) / step_par]
            };
            panel = panel.curve((0..=16 * rings).map(place).collect());
        }
        panel.figure()
    }

    /// The fundamental modes across and along.
    fn steps(&self) -> [f64; 2] {
        let Cylindrical { rings, planes, bands, .. } = &self.cylindrical;
        // Planes are exact multiples of the fundamental mode; of rings the mean lies near one.
        let along = bands.iter().enumerate().filter(|(index, band)| index % planes > 0 && band.modes > 0);
        let along = along.map(|(index, band)| band.k_par / (index % planes) as f64).next().unwrap_or(1.0);
        let across = bands.iter().enumerate().filter(|(index, band)| index / planes + 1 < *rings && band.modes > 0);
        let across = across.map(|(index, band)| band.k_perp / (index / planes + 1) as f64).next().unwrap_or(1.0);
        [across, along]
    }

    fn table(&self, bands: &[Band]) -> Result<Table> {
        let mut table = Table::new()
            .number_column("k", self.k_unit, 5)
            .number_column("modes", "", 0)
            .number_column("P", &self.power_unit, 6)
            .number_column("sigma", &self.power_unit, 6)
            .number_column("Delta^2", &format!("{}^2", self.unit), 6);
        for band in bands {
            let row = [band.k, band.modes as f64, band.power, band.sigma, band.dimensionless()];
            table.push(row.map(Into::into))?;
        }
        Ok(table)
    }
}

/// A line with its error band on logarithmic axes; empty bins leave gaps.
fn chart(title: &str, x: &str, y: &str, bands: &[Band]) -> LineChart {
    let of = |value: &dyn Fn(&Band) -> f64| bands.iter().map(value).collect::<Vec<f64>>();
    let (k, power) = (of(&|band| band.k), of(&|band| band.power));
    // on a logarithmic axis an error that reaches zero would leave a hole
    let low = of(&|band| (band.power - band.sigma).max(band.power * 1e-2));
    let high = of(&|band| band.power + band.sigma);
    LineChart::new(title, x, y).log_x().log_y().band("", &k, &low, &high).line("", &k, &power)
}

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let k = format!("k [{}]", self.k_unit);
        writeln!(f, "{k:>16} {:>10} {:>14} {:>14}   P in {}", "modes", "P", "sigma", self.power_unit)?;
        for band in self.k.iter().filter(|band| band.modes > 0) {
            writeln!(f, "{:>16.5} {:>10} {:>14.6e} {:>14.6e}", band.k, band.modes, band.power, band.sigma)?;
        }
        if self.k_unit == "rad/cell" {
            writeln!(f, "Nothing says how large the sky is: wave numbers are in radians per cell, not in h/Mpc.")?;
        }
        match self.note {
            Some(note) => writeln!(f, "{note}"),
            None => Ok(()),
        }
    }
}
