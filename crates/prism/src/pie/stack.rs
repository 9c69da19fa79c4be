//! [`Stack`]: the exposures that a sweep goes through, as tensors.

use std::ops::Range;

use burn::tensor::{DType, Device, Tensor, TensorData};
use cupel_kernels::{Direction, SubApertures};
use cupel_train::fingerprint;

use crate::{
    Error, Exposures, Geometry, Plane, Result,
    frame_reader::{Block, FrameReader},
};

/// Some exposures on a device.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    pub(crate) exposures: Exposures,
    /// Which of them, in their order.
    pub(crate) which: Vec<usize>,
    /// Rows, and columns, of a frame as it is used.
    pub(crate) detector: usize,
    pub(crate) device: Device,
    /// Whole places of the centres of the windows.
    places: Vec<[isize; 2]>,
    /// What is left of the centres: so far the pupil is moved. None where all centres are whole.
    rests: Option<Vec<[f64; 2]>>,
    reader: FrameReader,
    /// All of them, where there is memory for all.
    kept: Option<Block>,
    flux: Vec<f64>,
    background: Vec<f64>,
}

impl Stack {
    pub(crate) fn new(exposures: &Exposures, which: &[usize], device: &Device) -> Result<Self> {
        let window = exposures.optics.window().into_iter().max().unwrap_or(1);
        let reader = FrameReader::new(exposures, which.to_vec(), window, 1.0, (device, DType::F32))?;
        let centres: Vec<[f64; 2]> = which.iter().map(|index| exposures.centres[*index]).collect();
        let rests: Vec<[f64; 2]> = centres.iter().map(|centre| centre.map(|c| c - c.round())).collect();
        let mut stack = Self {
            exposures: exposures.clone(),
            which: which.to_vec(),
            detector: reader.detector,
            device: device.clone(),
            places: centres.iter().map(|centre| centre.map(|c| c.round() as isize)).collect(),
            rests: rests.iter().flatten().any(|rest| *rest != 0.0).then_some(rests),
            reader,
            kept: None,
            flux: which.iter().map(|index| exposures.brightness(*index)[0]).collect(),
            background: which.iter().map(|index| exposures.brightness(*index)[1]).collect(),
        };
        if stack.reader.fits() {
            stack.kept = Some(stack.reader.read(0..which.len())?);
        }
        Ok(stack)
    }

    /// Gives each exposure of the whole stack its brightness and what is added to it.
    pub(crate) fn lit(mut self, flux: &[f64], background: &[f64]) -> Result<Self> {
        for (what, values) in [("flux of exposures", flux), ("background of exposures", background)] {
            if values.len() != self.exposures.centres.len() {
                return Err(Error::Shape { what, got: values.len(), wanted: self.exposures.centres.len() });
            }
        }
        self.flux = self.which.iter().map(|index| flux[*index]).collect();
        self.background = self.which.iter().map(|index| background[*index]).collect();
        Ok(self)
    }

    /// Whether all frames are in memory.
    pub(crate) fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// Hash of all that a result depends on.
    pub(crate) fn identity(&self) -> Result<[u8; 32]> {
        let hash = self.exposures.identity(&self.which)?;
        let Exposures { optics, centres, noise, good, known, .. } = &self.exposures;
        let how = format!("{optics:?} {noise:?} {good:?} {known:?}");
        Ok(fingerprint(&(how, centres, &self.which, &self.flux, &self.background, hash))?)
    }

    /// Parts of an order that are swept at once: their data are in memory together.
    pub(crate) fn chunks(&self) -> usize {
        if self.kept.is_some() { self.which.len() } else { self.reader.at_once() }
    }

    /// Frames of some exposures, by their places in `which`: of all where they are kept, in their own order.
    pub(crate) fn data(&self, some: &[usize]) -> Result<Block> {
        match &self.kept {
            Some(kept) => Ok(kept.clone()),
            None => self.reader.read(some.iter().copied()),
        }
    }

    /// The exposures whose frames [`data`](Self::data) gives for `some`.
    pub(crate) fn those(&self, some: &[usize]) -> Vec<usize> {
        if self.kept.is_some() { (0..self.which.len()).collect() } else { some.to_vec() }
    }

    /// All frames, in their order.
    pub(crate) fn every(&self) -> Result<Block> {
        self.data(&(0..self.which.len()).collect::<Vec<_>>())
    }

    /// The windows of some exposures.
    pub(crate) fn apertures(&self, some: &[usize]) -> SubApertures {
        let optics = &self.exposures.optics;
        let (d, [rows, columns]) = (self.detector as f64, optics.size);
        let (scale, transform) = match optics.geometry {
            // D / N of an orthonormal transform, 1 / D of which the kernel's factor has D^2 below
            Geometry::Spectrum => (d * d / ((rows * columns) as f64).sqrt(), Direction::Inverse),
            Geometry::Object => (1.0 / d, Direction::Forward),
        };
        let centres = some.iter().map(|index| self.places[*index]).collect();
        SubApertures { centres, detector: self.detector, scale, transform }
    }

    /// Flux and background of some exposures.
    pub(crate) fn brightness(&self, some: &[usize]) -> (Tensor<1>, Tensor<1>) {
        let of = |values: &[f64]| {
            let values: Vec<f32> = some.iter().map(|index| values[*index] as f32).collect();
            let count = values.len();
            Tensor::<1>::from_data(TensorData::new(values, [count]), &self.device)
        };
        (of(&self.flux), of(&self.background))
    }

    /// How far the pupil of an exposure is moved; none where no pupil is.
    pub(crate) fn rest(&self, index: usize) -> Option<[f64; 2]> {
        self.rests.as_ref().map(|rests| rests[index])
    }

    /// The object that a search begins with: the same everywhere, as bright as the exposure nearest to the middle.
    pub(crate) fn start(&self) -> Result<Plane> {
        let optics = &self.exposures.optics;
        let [rows, columns] = optics.size;
        let value = match optics.geometry {
            Geometry::Object => 1.0,
            Geometry::Spectrum => {
                let distance = |index: &usize| {
                    let [y, x] = self.exposures.centres[*index];
                    y * y + x * x
                };
                let nearest = self.which.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
                let frame = self.exposures.frames.frame(nearest.copied().unwrap_or(0))?;
                let good = |place: usize| self.exposures.good.as_ref().is_none_or(|good| good[place]);
                let light: Vec<f64> = frame
                    .iter()
                    .enumerate()
                    .filter(|(place, value)| good(*place) && value.is_finite())
                    .map(|(_, y)| f64::from(y.max(0.0)))
                    .collect();
                let mean = light.iter().sum::<f64>() / light.len().max(1) as f64;
                let area = self.exposures.known.support.map_or(rows * columns, |[rows, columns]| rows * columns);
                // modes share the light of a place
                let of_place =
                    |place: usize| optics.pupils.iter().map(|mode| mode.values()[place].norm_sqr()).sum::<f64>();
                let [height, width] = optics.window();
                let open = (0..height * width).map(of_place).fold(0.0, f64::max).sqrt();
                (mean * (rows * columns) as f64 / area as f64).sqrt() / open
            }
        };
        let within = middle(optics.size, self.exposures.known.support);
        let value = |row: usize, column: usize| {
            let inside = within[0].contains(&row) && within[1].contains(&column);
            num_complex::Complex::new(if inside { value } else { 0.0 }, 0.0)
        };
        Ok(Plane::from_fn(rows, columns, value))
    }
}

/// Rows and columns in the middle of a field, or all.
pub(crate) fn middle(size: [usize; 2], support: Option<[usize; 2]>) -> [Range<usize>; 2] {
    [0, 1].map(|axis| {
        let side = support.map_or(size[axis], |support| support[axis].min(size[axis]));
        let first = size[axis] / 2 - side / 2;
        first..first + side
    })
}
