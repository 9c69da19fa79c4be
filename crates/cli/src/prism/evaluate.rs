//! `cupel prism evaluate`: how near an image is to the truth, by every measure that goes by the name.

use std::{fmt, path::PathBuf};

use anyhow::Result;
use clap::Args;
use cupel::{
    burn::tensor::{DType, Tensor, TensorData},
    prism::{
        Plane,
        metrics::{
            Alignment, Frc, PhaseError, Similarity, Threshold, mae, ms_ssim, nrmse, psnr, rmse, rmse_percent, ssim,
        },
        open_field,
    },
};
use serde::Serialize;

use crate::{
    Command, Session,
    shared::{Device, Output, Shared},
};

/// Compare an image with the truth
#[derive(Args)]
pub struct Arguments {
    /// Amplitudes, or complex values, that were found: NPY, TIFF; or the folder of a run
    #[arg(value_name = "IMAGE|RUN")]
    image: PathBuf,

    /// The truth, in the same units, amplitudes or complex values
    #[arg(long, value_name = "IMAGE")]
    truth: PathBuf,

    #[command(flatten)]
    device: Device,
    #[command(flatten)]
    output: Output,
}

/// What is printed; of complex images amplitudes count but for the phase error.
#[derive(Serialize)]
pub struct Measured {
    ssim: Option<f64>,
    ssim_uniform: Option<f64>,
    ssim_reflected: Option<f64>,
    ms_ssim: Option<f64>,
    psnr_db: f64,
    rmse: f64,
    rmse_percent: f64,
    nrmse: f64,
    mae: f64,
    frc_px: Option<f64>,
    phase_error: f64,
}

impl Command for Arguments {
    type Plan = Measured;
    type Outcome = Measured;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).device(&self.device)
    }

    fn plan(&self, session: &Session) -> Result<Measured> {
        let path = if self.image.is_dir() { self.image.join("object.npy") } else { self.image.clone() };
        let [image, truth] = [&path, &self.truth].map(|path| open_field(path));
        let (image, truth) = (image?, truth?);
        anyhow::ensure!(
            (image.rows(), image.columns()) == (truth.rows(), truth.columns()),
            "{}: {} x {} pixels, the truth has {} x {}; crop one of them",
            path.display(),
            image.rows(),
            image.columns(),
            truth.rows(),
            truth.columns()
        );
        let device = &session.device()?.device;
        let tensor = |plane: &Plane| -> Tensor<2> {
            let values = plane.amplitude().into_iter().map(|value| value as f32).collect();
            Tensor::from_data(TensorData::new::<f32, _>(values, [plane.rows(), plane.columns()]), (device, DType::F32))
        };
        let (t, x) = (tensor(&truth), tensor(&image));
        let similar = |way| ssim(t.clone(), x.clone(), 1.0, way).ok();
        Ok(Measured {
            ssim: similar(Similarity::Wang),
            ssim_uniform: similar(Similarity::Uniform),
            ssim_reflected: similar(Similarity::Reflected),
            ms_ssim: ms_ssim(t.clone(), x.clone(), 1.0).ok(),
            psnr_db: psnr(t.clone(), x.clone(), 1.0)?,
            rmse: rmse(t.clone(), x.clone())?,
            rmse_percent: rmse_percent(t.clone(), x.clone())?,
            nrmse: nrmse(t.clone(), x.clone())?,
            mae: mae(t, x)?,
            frc_px: Frc::new(&truth, &image, true).map(|frc| frc.resolution_px(Threshold::Seventh)).ok(),
            phase_error: PhaseError::new(&truth, &image, Alignment::default())?.relative,
        })
    }

    fn work(self, measured: Measured, _: &mut Session) -> Result<Measured> {
        Ok(measured)
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: Option<f64>, what: &str| match value {
            Some(value) => writeln!(f, "{name:<16} {value:<10.5} {what}"),
            None => writeln!(f, "{name:<16} -          {what}"),
        };
        line("SSIM", self.ssim, "Gaussian window, valid region (Wang 2004), range 1")?;
        line("SSIM uniform", self.ssim_uniform, "7 x 7 window, sample covariance (scikit-image's default)")?;
        line("SSIM reflected", self.ssim_reflected, "Gaussian window, whole map, reflected edges (Kornia)")?;
        line("MS-SSIM", self.ms_ssim, "five scales; sides from 176 on")?;
        line("PSNR", Some(self.psnr_db), "dB, range 1")?;
        line("RMSE", Some(self.rmse), "")?;
        line("RMSE %", Some(self.rmse_percent), "of the truth's root mean square")?;
        line("NRMSE", Some(self.nrmse), "Euclidean")?;
        line("MAE", Some(self.mae), "")?;
        line("resolution", self.frc_px, "pixels, by Fourier ring correlation at 1/7")?;
        line("phase error", Some(self.phase_error), "of complex values, up to one complex factor")
    }
}
