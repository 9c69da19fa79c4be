//! How delay spectra are printed and drawn.

use std::fmt;

use cupel_report::{LineChart, MapPanel, Report, Table};

use super::{DelaySpectrum, PowerConfig};
use crate::{Background, Result};

/// Baselines that are printed.
const PRINTED: usize = 12;

impl DelaySpectrum {
    /// Adds figures, tables and words to a report.
    ///
    /// # Errors
    /// Never, for spectra that [`DelayEstimator`](super::DelayEstimator) made.
    pub fn show<'a>(&'a self, config: &PowerConfig, report: &mut Report<'a>) -> Result<()> {
        report.summary(format!(
            "Delay spectra of {} baselines in the middle of the band at {:.3} MHz, with the taper {} along frequency.",
            self.lines.len(),
            self.frequency_mhz,
            config.window
        ));
        let power = move |line: usize, delay: usize| self.lines[line].power.get(delay).copied().unwrap_or(f64::NAN);
        let (rows, columns) = (self.delays_us.len(), self.lines.len());
        report.figure("delay", "Power of each baseline at each delay, in logarithms of ten.", move || {
            // delays upwards
            let values: Vec<f32> = (0..rows * columns)
                .map(|i| power(i % columns, rows - 1 - i / columns))
                .map(|power| if power > 0.0 { power.log10() as f32 } else { f32::NAN })
                .collect();
            let ends = [self.delays_us.last(), self.delays_us.first()].map(|delay| delay.copied().unwrap_or(0.0));
            MapPanel::new("", rows, columns)
                .map("Delay spectra", &values)
                .label("log10 power")
                .horizontal("baseline", 0.0, columns.saturating_sub(1) as f64)
                .vertical("delay [us]", ends[0], ends[1])
                .figure()
        });
        report.figure("delay_mean", "Mean power over baselines at each delay.", move || {
            let mean = |delay: usize| {
                let known: Vec<f64> =
                    (0..columns).map(|line| power(line, delay)).filter(|power| power.is_finite()).collect();
                if known.is_empty() { f64::NAN } else { known.iter().sum::<f64>() / known.len() as f64 }
            };
            let mean: Vec<f64> = (0..rows).map(mean).collect();
            LineChart::new("Mean delay spectrum", "delay [us]", "power")
                .log_y()
                .line("", &self.delays_us, &mean)
                .figure()
        });
        let mut table = Table::new()
            .number_column("baseline", "m", 3)
            .number_column("k_perp", "h/Mpc", 5)
            .number_column("horizon", "us", 4)
            .number_column("power inside", "", 6)
            .number_column("power outside", "", 6);
        let wedge = self.wedge(config.zenith_angle, config.wedge_buffer / self.k_par_per_us());
        for (line, inside) in self.lines.iter().zip(&wedge) {
            let [within, beyond] = [true, false].map(|side| mean_where(&line.power, inside, side));
            table.push([line.length_m, line.k_perp, line.horizon_us, within, beyond].map(Into::into))?;
        }
        report.table("delay", "Mean power inside and outside of the wedge of each baseline.", table);
        Ok(())
    }

    /// `k_par` in h/Mpc of a delay of one us.
    fn k_par_per_us(&self) -> f64 {
        super::k_par_of_delay(&Background::default(), self.frequency_mhz, 1.0)
    }
}

fn mean_where(power: &[f64], inside: &[bool], side: bool) -> f64 {
    let own: Vec<f64> =
        power.iter().zip(inside).filter(|(p, i)| **i == side && p.is_finite()).map(|(p, _)| *p).collect();
    if own.is_empty() { f64::NAN } else { own.iter().sum::<f64>() / own.len() as f64 }
}

impl fmt::Display for DelaySpectrum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.delays_us.windows(2).next().map_or(0.0, |pair| pair[1] - pair[0]);
        let (baselines, delays) = (self.lines.len(), self.delays_us.len());
        writeln!(
            f,
            "{baselines} baselines, {delays} delays of {step:.4} us, band around {:.3} MHz",
            self.frequency_mhz
        )?;
        writeln!(
            f,
            "{:>12} {:>14} {:>12} {:>16} {:>16}",
            "baseline [m]", "k_perp [h/Mpc]", "horizon [us]", "inside", "outside"
        )?;
        let wedge = self.wedge(90.0, 0.0);
        for (line, inside) in self.lines.iter().zip(&wedge).take(PRINTED) {
            let [within, beyond] = [true, false].map(|side| mean_where(&line.power, inside, side));
            writeln!(
                f,
                "{:>12.3} {:>14.5} {:>12.4} {within:>16.6e} {beyond:>16.6e}",
                line.length_m, line.k_perp, line.horizon_us
            )?;
        }
        match baselines.saturating_sub(PRINTED) {
            0 => Ok(()),
            more => writeln!(f, "and {more} more; --json has all"),
        }
    }
}
