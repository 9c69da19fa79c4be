//! [`Incoherent`]: a scene that shines by itself, seen by its images or by its visibilities.
//!
//! An image is the scene's intensity blurred by the squared point spread, in frequencies a product with the optical transfer function,
//! the pupil's autocorrelation. It does not depend on where the aperture is: moving it measures nothing new. What does is the coherence
//! of the light at two places, the scene's transform at their distance over the wavelength (van Cittert 1934; Zernike 1938,
//! doi:10.1016/S0031-8914(38)80203-2; J. W. Goodman, "Statistical Optics", section 5.7).

use num_complex::Complex;

use crate::{Error, Plane, Result, Telescope, fourier, simulate};

/// A telescope before a scene that shines by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoherent {
    telescope: Telescope,
}

impl Incoherent {
    /// # Errors
    /// [`Error::Optics`] where the transfer function, twice as wide as the aperture, does not fit into the spectrum.
    pub fn new(telescope: Telescope) -> Result<Self> {
        let (n, radius) = (telescope.config().n_pixels, telescope.aperture().radius());
        if 2 * telescope.aperture().window() - 1 > n {
            return Err(Error::Optics {
                what: "aperture-radius",
                got: radius.to_string(),
                expected: format!("less than {}: the incoherent transfer function is twice as wide", n / 4),
            });
        }
        Ok(Self { telescope })
    }

    /// The optical transfer function, frequency nought at place `N / 2` and one there.
    ///
    /// # Errors
    /// None after [`new`](Self::new).
    pub fn transfer_function(&self) -> Result<Plane> {
        let n = self.telescope.config().n_pixels;
        let field = fourier::object(&self.telescope.pupil([0.0; 2]).padded(n, n)?);
        let spread = Plane::from_fn(n, n, |row, column| field.values()[row * n + column].norm_sqr().into());
        let mut transfer = fourier::spectrum(&spread);
        let nought = transfer.values()[n / 2 * n + n / 2];
        transfer.values_mut().iter_mut().for_each(|value| *value /= nought);
        Ok(transfer)
    }

    /// The image of a scene of intensities (real, at least nought), `N x N` pixels.
    ///
    /// # Errors
    /// [`Error::Measurement`] where a value is no intensity and where an aperture is moved, which changes nothing; [`Error::Optics`] for a scene
    /// larger than the field.
    pub fn image(&self, scene: &Plane, centres: &[[f64; 2]]) -> Result<Vec<f64>> {
        if let Some(index) = centres.iter().position(|centre| *centre != [0.0; 2]) {
            return Err(Error::Measurement {
                what: format!("aperture {index} before a scene that shines by itself"),
                got: format!("moved to {:?}", centres[index]),
                expected: "it in the middle: its image is the same everywhere. Light the scene coherently, or measure visibilities".into(),
            });
        }
        let n = self.telescope.config().n_pixels;
        let mut spectrum = fourier::spectrum(&self.intensities(scene)?);
        let transfer = self.transfer_function()?;
        spectrum.values_mut().iter_mut().zip(transfer.values()).for_each(|(value, passes)| *value *= passes);
        let image = fourier::object(&spectrum);
        debug_assert_eq!(image.rows(), n);
        Ok(image.values().iter().map(|value| value.re).collect())
    }

    /// Complex visibilities of a scene at baselines in places of the spectrum, rows and columns, between places too: its transform over its
    /// total, the phase as seen from the middle of the field.
    ///
    /// # Errors
    /// As [`image`](Self::image) for the scene; [`Error::Measurement`] for a baseline beyond the field and for a dark scene.
    pub fn visibilities(&self, scene: &Plane, baselines: &[[f64; 2]]) -> Result<Vec<Complex<f64>>> {
        let n = self.telescope.config().n_pixels;
        let half = (n / 2) as f64;
        if let Some(index) =
            baselines.iter().position(|baseline| baseline.iter().any(|b| !(0.0..=half).contains(&b.abs())))
        {
            return Err(Error::Measurement {
                what: format!("baseline {index}"),
                got: format!("{:?}", baselines[index]),
                expected: format!("at most {half} places of the spectrum"),
            });
        }
        let scene = self.intensities(scene)?;
        let total: f64 = scene.values().iter().map(|value| value.re).sum();
        if total <= 0.0 {
            return Err(Error::Measurement {
                what: "scene".into(),
                got: "no light".into(),
                expected: "intensities whose sum is above 0".into(),
            });
        }
        // exp(-2 pi i k x / N) apart along each axis: rows first, then the sum of columns.
        let waves = |k: f64| -> Vec<Complex<f64>> {
            (0..n).map(|x| Complex::cis(-std::f64::consts::TAU * k * (x as f64 - half.floor()) / n as f64)).collect()
        };
        let visibility = |[row, column]: &[f64; 2]| {
            let (down, along) = (waves(*row), waves(*column));
            let rows = scene.values().chunks_exact(n).zip(&down);
            let sum: Complex<f64> = rows
                .map(|(values, wave)| {
                    wave * values.iter().zip(&along).map(|(value, wave)| wave * value.re).sum::<Complex<f64>>()
                })
                .sum();
            sum / total
        };
        Ok(baselines.iter().map(visibility).collect())
    }

    fn intensities(&self, scene: &Plane) -> Result<Plane> {
        simulate::check_object(scene)?;
        let wrong = scene.values().iter().position(|value| value.im != 0.0 || value.re < 0.0);
        if let Some(place) = wrong {
            return Err(Error::Measurement {
                what: format!("scene at row {}, column {}", place / scene.columns(), place % scene.columns()),
                got: scene.values()[place].to_string(),
                expected: "an intensity: a real number of at least 0; amplitudes are for coherent light".into(),
            });
        }
        let n = self.telescope.config().n_pixels;
        scene.padded(n, n)
    }
}
