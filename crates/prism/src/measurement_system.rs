//! [`MeasurementSystem`]: measurements of an object as they are asked for, each computed once.
//!
//! A measurement is what it was computed from: a version of an image, an instrument, a centre, an exposure. These are its key; they are compared
//! in full, and no pixel is read for it. An image gets a new version when it is changed ([`Image`]), an instrument of other settings has
//! other keys. Noise belongs to (seed, centre, exposure), so what is forgotten and measured again is the same.
//!
//! Beside its measurements, images as small as the aperture's band allows, the system keeps the spectrum of the image it saw last: a
//! measurement from it costs one short transform.

mod image;

use std::sync::Arc;

use burn::tensor::{DType, Device, Tensor, TensorData};
use cupel_data::Stream;
use num_complex::Complex;
use rayon::prelude::*;

use crate::{
    Error, Exposures, InMemory, Knowledge, NoiseConfig, Plane, Propagator, Result, Telescope,
    cache::{Cache, CacheStats},
    fourier, sampling, simulate,
};

pub use image::Image;

/// Bytes of measurements that are kept unless told otherwise.
pub const CACHE_BYTES: usize = 500 << 20;

/// All that a measurement depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    /// Number and version of the image.
    image: [u64; 2],
    /// Number of the instrument's settings within the system.
    instrument: u64,
    /// Bits of row and column.
    centre: [u64; 2],
    /// Seed and number of the exposure.
    noise: [u64; 2],
}

/// A telescope before objects of one size, with what it measured.
#[derive(Debug)]
pub struct MeasurementSystem {
    telescope: Arc<Telescope>,
    /// Number of the telescope's settings among all that this system had.
    instrument: u64,
    instruments: Vec<Arc<Telescope>>,
    object_size: usize,
    seed: u64,
    exposure: u64,
    /// What the apertures so far have seen, frequency nought at place `N / 2`.
    seen: Vec<bool>,
    centres: Vec<[f64; 2]>,
    cache: Cache<Key>,
    spectrum: Option<Spectrum>,
}

/// The light of an image at the apertures.
#[derive(Debug)]
struct Spectrum {
    image: [u64; 2],
    instrument: u64,
    values: Plane,
}

/// What was measured at some centres, and by what: all that a loss needs to know.
#[derive(Clone, Debug)]
pub struct Measurement {
    telescope: Arc<Telescope>,
    centres: Vec<[f64; 2]>,
    frames: Vec<Arc<[f32]>>,
    previous: Option<Arc<[f32]>>,
    seen: Vec<[f64; 2]>,
    noise: crate::Noise,
    object_size: usize,
}

impl MeasurementSystem {
    /// A system for objects of at most `object_size` rows and columns.
    ///
    /// # Errors
    /// [`Error::Optics`] for objects larger than the telescope's field, or of no size.
    pub fn new(telescope: Telescope, object_size: usize) -> Result<Self> {
        check_size(&telescope, object_size)?;
        let n = telescope.config().n_pixels;
        let telescope = Arc::new(telescope);
        Ok(Self {
            instruments: vec![telescope.clone()],
            telescope,
            instrument: 0,
            object_size,
            seed: 0,
            exposure: 0,
            seen: vec![false; n * n],
            centres: Vec::new(),
            cache: Cache::new(CACHE_BYTES),
            spectrum: None,
        })
    }

    /// The same with draws of noise by this seed.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The same with at most so many bytes of measurements; with nought none is kept.
    #[must_use]
    pub fn with_cache_bytes(mut self, bytes: usize) -> Self {
        self.cache = Cache::new(bytes);
        self
    }

    /// The telescope.
    pub fn telescope(&self) -> &Telescope {
        &self.telescope
    }

    /// Rows, and columns, of the largest object.
    pub fn object_size(&self) -> usize {
        self.object_size
    }

    /// Another telescope from now on; measurements by the old one stay its own, and the mask begins anew.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn set_telescope(&mut self, telescope: Telescope) -> Result<()> {
        check_size(&telescope, self.object_size)?;
        let n = telescope.config().n_pixels;
        let known = self.instruments.iter().position(|own| **own == telescope);
        let number = known.unwrap_or_else(|| {
            self.instruments.push(Arc::new(telescope));
            self.instruments.len() - 1
        });
        (self.telescope, self.instrument) = (self.instruments[number].clone(), number as u64);
        (self.seen, self.centres) = (vec![false; n * n], Vec::new());
        Ok(())
    }

    /// Which repetition of every exposure is measured from now on, counted from nought: each has noise of its own.
    pub fn set_exposure(&mut self, number: u64) {
        self.exposure = number;
    }

    /// Measures an image through the aperture at each centre.
    ///
    /// With a reconstruction, the measurement also holds its amplitude through all apertures so far
    /// ([`add_mask`](Self::add_mask)), what the original's rule holds on to: [`Measurement::previous`].
    ///
    /// # Errors
    /// [`Error::Optics`] for an image larger than the object size, [`Error::Measurement`] for one that is not finite and for centres beyond
    /// the field.
    pub fn measure(
        &mut self,
        image: &Image,
        reconstruction: Option<&Image>,
        centres: &[[f64; 2]],
    ) -> Result<Measurement> {
        simulate::check_centres(&self.telescope, centres)?;
        self.check_image(image)?;
        // The negative nought is nought.
        let key = |centre: &[f64; 2]| Key {
            image: image.version(),
            instrument: self.instrument,
            centre: centre.map(|c| (c + 0.0).to_bits()),
            noise: [self.seed, self.exposure],
        };
        let keys: Vec<Key> = centres.iter().map(key).collect();
        let mut frames: Vec<Option<Arc<[f32]>>> = keys.iter().map(|key| self.cache.get(key)).collect();
        let missing: Vec<usize> = (0..centres.len()).filter(|place| frames[*place].is_none()).collect();
        if !missing.is_empty() {
            let wanted: Vec<[f64; 2]> = missing.iter().map(|place| centres[*place]).collect();
            for (place, frame) in missing.into_iter().zip(self.expose(image, &wanted)?) {
                self.cache.insert(keys[place], frame.clone());
                frames[place] = Some(frame);
            }
        }
        let previous = reconstruction.map(|reconstruction| self.through_mask(reconstruction)).transpose()?.flatten();
        Ok(Measurement {
            telescope: self.telescope.clone(),
            centres: centres.to_vec(),
            frames: frames.into_iter().flatten().collect(),
            previous,
            seen: self.centres.clone(),
            noise: self.noise(),
            object_size: self.object_size,
        })
    }

    /// The apertures at these centres are among those that were measured.
    ///
    /// # Errors
    /// [`Error::Measurement`] for centres beyond the field.
    pub fn add_mask(&mut self, centres: &[[f64; 2]]) -> Result<()> {
        simulate::check_centres(&self.telescope, centres)?;
        let n = self.telescope.config().n_pixels;
        sampling::mark(&mut self.seen, centres, self.telescope.aperture(), n, false);
        self.centres.extend_from_slice(centres);
        Ok(())
    }

    /// What the apertures so far have seen, `N x N`, frequency nought at place `N / 2`.
    pub fn mask(&self) -> &[bool] {
        &self.seen
    }

    /// How often a measurement was known, and what is kept.
    pub fn cache_stats(&self) -> CacheStats {
        self.cache.stats()
    }

    /// [`cache_stats`](Self::cache_stats) by the original's name.
    pub fn get_cache_stats(&self) -> CacheStats {
        self.cache_stats()
    }

    /// Forgets all measurements and how often they were known.
    pub fn clear_cache(&mut self) {
        self.cache.clear();
        self.spectrum = None;
    }

    fn check_image(&self, image: &Image) -> Result<()> {
        let (plane, most) = (image.plane(), self.object_size);
        if plane.rows() > most || plane.columns() > most {
            return Err(Error::Optics {
                what: "image that is measured",
                got: format!("{} x {}", plane.rows(), plane.columns()),
                expected: format!("at most the object's {most} x {most}"),
            });
        }
        Ok(())
    }

    fn noise(&self) -> crate::Noise {
        self.telescope
            .config()
            .snr
            .map_or(crate::Noise::None, |snr| crate::Noise::Counts { photons: 10.0_f64.powf(snr / 10.0), read: 0.0 })
    }

    fn expose(&mut self, image: &Image, centres: &[[f64; 2]]) -> Result<Vec<Arc<[f32]>>> {
        let telescope = self.telescope.clone();
        let fields: Vec<Vec<f64>> = match telescope.propagator(self.object_size)? {
            Propagator::AngularSpectrum { .. } => near(&telescope, image.plane(), self.object_size, centres)?,
            _ => {
                let (object_size, instrument) = (self.object_size, self.instrument);
                let spectrum = match self.spectrum.take() {
                    Some(known) if known.image == image.version() && known.instrument == instrument => known,
                    _ => {
                        simulate::check_object(image.plane())?;
                        let object = image.plane().padded(object_size, object_size)?;
                        let values = fourier::spectrum(&telescope.effective_object(&object)?);
                        Spectrum { image: image.version(), instrument, values }
                    }
                };
                let fields =
                    telescope.images(&spectrum.values, centres).map(|field| simulate::intensities(&field)).collect();
                self.spectrum = Some(spectrum);
                fields
            }
        };
        let noise = NoiseConfig::default();
        let stream = Stream::new(self.seed, "measurement").child(self.exposure);
        let photons = match self.noise() {
            crate::Noise::Counts { photons, .. } => Some(photons),
            _ => None,
        };
        let frame = |(means, centre): (&Vec<f64>, &[f64; 2])| -> Arc<[f32]> {
            match photons {
                Some(photons) => {
                    let [row, column] = centre.map(|c| (c + 0.0).to_bits());
                    noise.expose(means, photons, stream.child(row).child(column)).into()
                }
                None => means.iter().map(|mean| *mean as f32).collect(),
            }
        };
        Ok(fields.par_iter().zip(centres).map(frame).collect())
    }

    /// The amplitude of an image through all apertures so far at once, as no detector could see it; none before the first.
    fn through_mask(&self, image: &Image) -> Result<Option<Arc<[f32]>>> {
        if self.centres.is_empty() {
            return Ok(None);
        }
        simulate::check_object(image.plane())?;
        let n = self.telescope.config().n_pixels;
        let mut spectrum = fourier::spectrum(&image.plane().padded(n, n)?);
        spectrum.values_mut().iter_mut().zip(&self.seen).filter(|(_, seen)| !**seen).for_each(|(value, _)| {
            *value = Complex::default();
        });
        Ok(Some(fourier::object(&spectrum).values().iter().map(|value| value.norm() as f32).collect()))
    }
}

impl Measurement {
    /// By which telescope.
    pub fn telescope(&self) -> &Telescope {
        &self.telescope
    }

    /// Where the aperture was.
    pub fn centres(&self) -> &[[f64; 2]] {
        &self.centres
    }

    /// Measured intensities at centre `index`, `detector x detector`, row by row. Shared with the cache.
    ///
    /// # Panics
    /// When there is no such centre.
    pub fn intensity(&self, index: usize) -> &Arc<[f32]> {
        &self.frames[index]
    }

    /// Measured amplitudes, `[centre, row, column]`; intensities that read-out brought below nought are dark.
    pub fn amplitudes(&self, device: &Device) -> Tensor<3> {
        let side = self.side();
        let values = self.frames.iter().flat_map(|frame| frame.iter().map(|value| value.max(0.0).sqrt())).collect();
        Tensor::from_data(TensorData::new::<f32, _>(values, [self.centres.len(), side, side]), (device, DType::F32))
    }

    /// Amplitude of the reconstruction through all apertures before this measurement, `[row, column]` in the whole field; none without one and
    /// before the first aperture. This is the original's "old" target: a previous output, not a datum.
    pub fn previous(&self, device: &Device) -> Option<Tensor<2>> {
        let n = self.telescope.config().n_pixels;
        self.previous
            .as_ref()
            .map(|values| Tensor::from_data(TensorData::new::<f32, _>(values.to_vec(), [n, n]), (device, DType::F32)))
    }

    /// Centres of all apertures before this measurement, whose union [`previous`](Self::previous) was seen through.
    pub fn seen(&self) -> &[[f64; 2]] {
        &self.seen
    }

    /// The measurement as exposures, for solvers and losses.
    ///
    /// # Errors
    /// [`Error::Optics`] where the object is so near that no window of a spectrum is seen.
    pub fn exposures(&self) -> Result<Exposures> {
        // What is no window of a spectrum has no optics; the effective object of nothing tells.
        self.telescope.effective_object(
            &Plane::new(1, 1, vec![Complex::default()])?.padded(self.object_size, self.object_size)?,
        )?;
        let real = self.telescope.propagator(self.object_size)? == Propagator::Fraunhofer;
        let pixels = self.side() * self.side();
        Ok(Exposures {
            optics: self.telescope.optics(),
            centres: self.centres.clone(),
            frames: Arc::new(InMemory { pixels, values: self.frames.concat() }),
            noise: self.noise,
            good: None,
            known: Knowledge { support: Some([self.object_size; 2]), real, bounds: None },
            lights: None,
        })
    }

    fn side(&self) -> usize {
        self.frames.first().map_or(0, |frame| frame.len().isqrt())
    }
}

/// Intensities near the object: the field in the plane of the aperture, what the aperture passes, and the image of that, on the whole grid.
fn near(telescope: &Telescope, image: &Plane, object_size: usize, centres: &[[f64; 2]]) -> Result<Vec<Vec<f64>>> {
    simulate::check_object(image)?;
    let n = telescope.config().n_pixels;
    let propagator = telescope.propagator(object_size)?;
    let field = propagator.propagate(&image.padded(n, n)?)?;
    let behind = |centre: &[f64; 2]| {
        let half = (n / 2) as f64;
        let passed = Plane::from_fn(n, n, |row, column| {
            let at = [row as f64 - half - centre[0], column as f64 - half - centre[1]];
            let passes = telescope.aperture().passes(at);
            if passes { field.values()[row * n + column] } else { Complex::default() }
        });
        Ok(simulate::intensities(propagator.back(&passed)?.values()))
    };
    centres.iter().map(behind).collect()
}

fn check_size(telescope: &Telescope, object_size: usize) -> Result<()> {
    let n = telescope.config().n_pixels;
    if (1..=n).contains(&object_size) {
        return Ok(());
    }
    Err(Error::Optics {
        what: "size of the object",
        got: object_size.to_string(),
        expected: format!("1 to {n} pixels, those of the telescope's field"),
    })
}
