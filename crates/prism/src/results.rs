//! [`Results`]: the numbers of a reconstruction, and the files of its run.

use std::{fmt, path::Path};

use burn::tensor::{DType, Device, Tensor, TensorData};
use cupel_data::{Array, Values, write_csv, write_npy, write_tiff};
use serde::Serialize;

use crate::{
    CacheStats, Exposures, LeftOut, Plane, Reconstruction, Result, Solver, Tiers,
    certificate::DOUBTFUL,
    metrics::{Similarity, Threshold, psnr, rmse, ssim},
};

/// The numbers of a reconstruction: those of the certificate, and where the truth is known how near it is.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// The solver that was taken.
    pub solver: Solver,
    /// Structural similarity (Wang, valid windows) of the amplitude with the truth, of range 1.
    pub ssim: Option<f64>,
    /// `10 log10(1 / mean squared error)` of the amplitude.
    pub psnr_db: Option<f64>,
    /// Root of the mean squared error of the amplitude.
    pub rmse: Option<f64>,
    /// Seconds taken.
    pub seconds: f64,
    /// R-factor of exposures that the fit never saw.
    pub held_out_r: Option<f64>,
    /// The same of exposures that were put aside: nothing was chosen by them either.
    pub test_r: Option<f64>,
    /// Squared errors of all pixels in units of their variance, per degree of freedom.
    pub chi2_per_dof: Option<f64>,
    /// Period of the finest detail that two halves of the exposures agree on, in pixels of the object.
    pub frc_px: Option<f64>,
    /// Share of the plane that lies in a window.
    pub coverage: f64,
    /// Weight of the total variation.
    pub prior_weight: Option<f64>,
    /// What of the instrument was looked for, and how each tier foretold the exposures held out.
    pub calibration: Option<Tiers>,
    /// Share of the true amplitudes within their interval of 90 %.
    pub interval_holds: Option<f64>,
    /// How often frames were known when they were asked for, and what is kept of them.
    pub cache: CacheStats,
    /// Number of exposures.
    pub exposures: usize,
    /// What of their frames does not count.
    pub left_out: LeftOut,
    /// Why the object should not be believed, where the frames say so.
    pub doubt: Option<String>,
}

impl Results {
    /// Of a reconstruction; the truth is the object, in the middle of the field.
    ///
    /// # Errors
    /// A truth that is larger than the field; a device that fails; frames that cannot be read.
    pub fn of(found: &Reconstruction, exposures: &Exposures, truth: Option<&Plane>, device: &Device) -> Result<Self> {
        let certificate = &found.certificate;
        let mut results = Self {
            solver: found.solver,
            ssim: None,
            psnr_db: None,
            rmse: None,
            seconds: found.seconds,
            held_out_r: certificate.held_out_r,
            test_r: None,
            chi2_per_dof: certificate.chi2_per_dof,
            frc_px: certificate.correlation.as_ref().map(|frc| frc.resolution_px(Threshold::Seventh)),
            coverage: certificate.coverage,
            prior_weight: found.prior_weight,
            calibration: found.calibration.clone(),
            interval_holds: None,
            cache: found.cache,
            exposures: exposures.centres.len(),
            left_out: LeftOut::of(exposures)?,
            doubt: certificate.chi2_per_dof.filter(|chi2| *chi2 > DOUBTFUL).map(|chi2| {
                format!(
                    "squared errors are {chi2:.2} times what the noise explains: the object is wrong, or noise, positions or pupil are not as \
                     stated; try another seed or solver, and compare these numbers"
                )
            }),
        };
        if let Some(truth) = truth {
            let (rows, columns) = (truth.rows(), truth.columns());
            let image = found.model.object.middle(rows, columns)?;
            let tensor = |plane: &Plane| -> Tensor<2> {
                let values = plane.amplitude().into_iter().map(|value| value as f32).collect();
                Tensor::from_data(TensorData::new::<f32, _>(values, [rows, columns]), (device, DType::F32))
            };
            let (truth_amplitude, amplitude) = (tensor(truth), tensor(&image));
            // an image smaller than the window has no structure to speak of
            results.ssim = ssim(truth_amplitude.clone(), amplitude.clone(), 1.0, Similarity::Wang).ok();
            results.psnr_db = Some(psnr(truth_amplitude.clone(), amplitude.clone(), 1.0)?);
            results.rmse = Some(rmse(truth_amplitude, amplitude)?);
            if let Some(interval) = certificate.interval.as_ref().map(|half| inside(half, exposures, truth)) {
                let errors = truth.amplitude().into_iter().zip(image.amplitude());
                let held = errors.zip(&interval).filter(|((truth, found), half)| (truth - found).abs() <= **half);
                results.interval_holds = Some(held.count() as f64 / (rows * columns).max(1) as f64);
            }
        }
        Ok(results)
    }
}

/// The part of a map over the field that lies over the object.
fn inside(map: &[f64], exposures: &Exposures, truth: &Plane) -> Vec<f64> {
    let [rows, columns] = exposures.optics.size;
    let (top, left) = (rows / 2 - truth.rows() / 2, columns / 2 - truth.columns() / 2);
    (0..truth.rows() * truth.columns())
        .map(|place| map[(top + place / truth.columns()) * columns + left + place % truth.columns()])
        .collect()
}

/// Writes what was found as arrays and images: amplitude and phase of the object within its support (NPY and TIFF), the pupil, positions, the
/// interval, and how well each frequency or place was measured.
pub(crate) fn write_arrays(found: &Reconstruction, exposures: &Exposures, dir: &Path) -> Result<()> {
    let object = object(found, exposures)?;
    let shape = vec![object.rows(), object.columns()];
    let single = |values: Vec<f64>| Values::F32(values.into_iter().map(|value| value as f32).collect());
    for (name, values) in [("amplitude", object.amplitude()), ("phase", object.phase())] {
        let array = Array::new(shape.clone(), single(values))?;
        write_npy(&dir.join(format!("{name}.npy")), &array)?;
        write_tiff(&dir.join(format!("{name}.tif")), &array)?;
    }
    write_npy(&dir.join("object.npy"), &Array::new(shape, Values::Complex128(object.values().to_vec()))?)?;
    let pupils = &found.model.pupils;
    let [height, width] = exposures.optics.window();
    let values = pupils.iter().flat_map(|pupil| pupil.values().iter().copied()).collect();
    write_npy(&dir.join("pupil.npy"), &Array::new(vec![pupils.len(), height, width], Values::Complex128(values))?)?;
    let positions = exposures.centres.iter().zip(&found.model.shifts);
    let positions = positions.flat_map(|(centre, shift)| [centre[0] + shift[0], centre[1] + shift[1]]).collect();
    let positions = Array::new(vec![exposures.centres.len(), 2], Values::F64(positions))?;
    write_csv(&dir.join("positions.csv"), &["row", "column"], &positions)?;
    let field = exposures.optics.size.to_vec();
    write_npy(&dir.join("coverage.npy"), &Array::new(field.clone(), single(found.certificate.measured.clone()))?)?;
    if let Some(interval) = &found.certificate.interval {
        write_npy(&dir.join("interval.npy"), &Array::new(field, single(interval.clone()))?)?;
    }
    let curve = found.curve.iter().enumerate().flat_map(|(step, misfit)| [(step + 1) as f64, *misfit]).collect();
    let curve = Array::new(vec![found.curve.len(), 2], Values::F64(curve))?;
    Ok(write_csv(&dir.join("curve.csv"), &["step", "misfit"], &curve)?)
}

/// The object within its support.
pub(crate) fn object(found: &Reconstruction, exposures: &Exposures) -> Result<Plane> {
    let [rows, columns] = exposures.known.support.unwrap_or(exposures.optics.size);
    found.model.object.middle(rows, columns)
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let solver = serde_json::to_value(self.solver).ok();
        let solver = solver.as_ref().and_then(|name| name.as_str()).unwrap_or("a solver");
        writeln!(f, "{} exposures, {solver}, {:.1} s", self.exposures, self.seconds)?;
        if let Some(tiers) = &self.calibration {
            writeln!(f, "calibration    {}", tiers.words())?;
        }
        let mut line = |name: &str, value: Option<f64>, what: &str| match value {
            Some(value) if value.abs() < 1e-3 => writeln!(f, "{name:<14} {value:<10.3e} {what}"),
            Some(value) => writeln!(f, "{name:<14} {value:<10.4} {what}"),
            None => Ok(()),
        };
        line("SSIM", self.ssim, "of the amplitude with the truth (Wang, range 1)")?;
        line("PSNR", self.psnr_db, "dB")?;
        line("RMSE", self.rmse, "")?;
        line("held-out R", self.held_out_r, "of exposures that the fit never saw")?;
        line("test R", self.test_r, "of exposures that were put aside, and chose nothing")?;
        line("chi2 / dof", self.chi2_per_dof, "one where the noise is as stated and the model right")?;
        line("resolution", self.frc_px, "pixels, where two halves of the exposures agree")?;
        line("coverage", Some(self.coverage), "of the plane was measured; the rest is prior")?;
        line("prior weight", self.prior_weight, "of the total variation")?;
        line("interval 90 %", self.interval_holds, "of the true amplitudes lie within it")?;
        if self.left_out == LeftOut::default() { Ok(()) } else { writeln!(f, "{}", self.left_out) }
    }
}
