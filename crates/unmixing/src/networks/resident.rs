//! Spectra that stay on the device.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::Pixels;

/// Spectra, `[pixels, bands]`, sent to the device once and cut there; no part of any gradient.
#[derive(Clone, Debug)]
pub(super) struct Resident {
    pixels: Pixels,
    on_device: Option<Tensor<2>>,
}

impl Resident {
    pub(super) fn new(pixels: &Pixels) -> Self {
        Self { pixels: pixels.clone(), on_device: None }
    }

    /// All spectra as constants for a computation on `device`.
    pub(super) fn all(&mut self, device: &Device) -> Tensor<2> {
        like(self.plain(device), device)
    }

    /// The spectra of these pixels.
    pub(super) fn select(&mut self, chosen: &[usize], device: &Device) -> Tensor<2> {
        let indices: Vec<i64> = chosen.iter().map(|&n| n as i64).collect();
        let plain = self.plain(device);
        let indices: Tensor<1, Int> = Tensor::from_data(TensorData::from(indices.as_slice()), &plain.device());
        like(plain.select(0, indices), device)
    }

    fn plain(&mut self, device: &Device) -> Tensor<2> {
        let plain = device.clone().inner();
        if let Some(there) = self.on_device.as_ref().filter(|t| t.device() == plain) {
            return there.clone();
        }
        let made = spectra(&self.pixels, 0..self.pixels.count(), &plain);
        self.on_device = Some(made.clone());
        made
    }
}

/// Spectra of a range of pixels, `[pixels, bands]`.
pub(super) fn spectra(pixels: &Pixels, range: std::ops::Range<usize>, device: &Device) -> Tensor<2> {
    let (count, bands) = (range.len(), pixels.bands());
    let values = pixels.values()[range.start * bands..range.end * bands].to_vec();
    Tensor::from_data(TensorData::new(values, [count, bands]), device)
}

/// A plain tensor as a constant for a computation on `device`.
pub(super) fn like<const D: usize>(tensor: Tensor<D>, device: &Device) -> Tensor<D> {
    if device.is_autodiff() { Tensor::from_inner(tensor) } else { tensor }
}
