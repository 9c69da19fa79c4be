//! How many independent modes a bin has under a taper or weights.
//!
//! Of a white sky under weights `w` the modes have the covariance `<F(k) F*(k')> = P W(k - k')`, `W` the transform of `w^2` (Feldman, Kaiser &
//! Peacock 1994, ApJ 426, 23, equation 2.4.6), so that the mean of `|F|^2` over a bin of `n` modes that holds `-k` with each `k` has the variance
//! `2 P^2 / n^2 sum_kk' |W(k - k')|^2 / W(0)^2`. The double sum is one in real space: the transform of the bin's indicator, squared, times that of
//! `|W|^2`.

use num_complex::Complex;
use rayon::prelude::*;

use super::{
    Volume,
    binning::{Edges, Layout},
    fourier::{multiplicity, transform},
};

/// The correlation of modes under weights.
#[derive(Clone, Debug)]
pub(crate) struct Correlation {
    volume: Volume,
    /// The transform of `|W(k)|^2 / W(0)^2`, in the order of [`transform`].
    values: Vec<f64>,
}

impl Correlation {
    /// Under weights in the order [frequency, row, column].
    pub(crate) fn new(volume: &Volume, weights: &[f64]) -> Self {
        let shape = volume.shape();
        let squares: Vec<f64> = weights.par_iter().map(|weight| weight * weight).collect();
        let spectrum = transform(&squares, shape);
        let level = spectrum[0].norm_sqr();
        let [channels, rows, columns] = shape;
        let mut whole = vec![0.0; volume.len()];
        whole.par_chunks_mut(rows * columns).enumerate().for_each(|(channel, plane)| {
            for (row, line) in plane.chunks_exact_mut(columns).enumerate() {
                for (column, value) in line.iter_mut().enumerate() {
                    let [x, y, z] = if 2 * column <= columns {
                        [column, row, channel]
                    } else {
                        [columns - column, (rows - row) % rows, (channels - channel) % channels]
                    };
                    *value = spectrum[(x * rows + y) * channels + z].norm_sqr() / level;
                }
            }
        });
        Self { volume: *volume, values: transform(&whole, shape).into_iter().map(|value| value.re).collect() }
    }

    /// By how much fewer modes are independent in each bin than it has.
    pub(crate) fn shares(&self, layout: &Layout) -> Vec<f64> {
        match layout {
            Layout::Spherical(edges) => self.of_shells(edges),
            Layout::Parallel(planes) => self.of_rings(&vec![0; self.volume.len() / self.volume.shape()[0]], 1, planes),
            Layout::Cylindrical(rings, planes) => {
                let [_, rows, columns] = self.volume.shape();
                let (down, across) = (self.volume.wave_numbers(1), self.volume.wave_numbers(2));
                let ring =
                    |cell: usize| rings.bin(across[cell % columns].hypot(down[cell / columns])).unwrap_or(usize::MAX);
                let of_cells: Vec<usize> = (0..rows * columns).map(ring).collect();
                self.of_rings(&of_cells, rings.bins(), planes)
            }
        }
    }

    fn of_shells(&self, edges: &Edges) -> Vec<f64> {
        let [channels, rows, columns] = self.volume.shape();
        let [along, down, across] = [0, 1, 2].map(|axis| self.volume.wave_numbers(axis));
        let bins: Vec<usize> = (0..self.volume.len())
            .into_par_iter()
            .map(|cell| {
                let k_perp = across[cell % columns].hypot(down[cell / columns % rows]);
                let k = k_perp.hypot(along[cell / (columns * rows)]);
                edges.bin(k).filter(|_| k > 0.0).unwrap_or(usize::MAX)
            })
            .collect();
        let share = |bin: usize| {
            let (indicator, modes) = indicator(&bins, bin);
            let spectrum = transform(&indicator, self.volume.shape());
            let sum = (0..spectrum.len()).map(|place| {
                multiplicity(place / (rows * channels), columns) * spectrum[place].norm_sqr() * self.values[place]
            });
            modes * self.volume.len() as f64 / sum.sum::<f64>()
        };
        (0..edges.bins()).map(share).collect()
    }

    /// A bin of rings times planes is a product, and so is its transform.
    fn of_rings(&self, ring_of_cell: &[usize], rings: usize, planes: &Edges) -> Vec<f64> {
        let [channels, rows, columns] = self.volume.shape();
        let along = self.volume.wave_numbers(0);
        let plane_of_channel: Vec<usize> = along.iter().map(|k| planes.bin(*k).unwrap_or(usize::MAX)).collect();
        let of_planes: Vec<(Vec<Complex<f64>>, f64)> = (0..planes.bins())
            .map(|plane| {
                let (indicator, modes) = indicator(&plane_of_channel, plane);
                (whole_line(&indicator), modes)
            })
            .collect();
        let of_ring = |ring: usize| {
            let (indicator, modes) = indicator(ring_of_cell, ring);
            let spectrum = transform(&indicator, [1, rows, columns]);
            let mut line = vec![0.0; channels];
            for (cell, mode) in spectrum.iter().enumerate() {
                let weight = multiplicity(cell / rows, columns) * mode.norm_sqr();
                let values = &self.values[cell * channels..(cell + 1) * channels];
                line.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
            }
            of_planes.iter().map(move |(plane, along)| {
                let sum: f64 = plane.iter().zip(&line).map(|(mode, value)| mode.norm_sqr() * value).sum();
                modes * along * self.volume.len() as f64 / sum
            })
        };
        (0..rings).into_par_iter().map(|ring| of_ring(ring).collect::<Vec<_>>()).collect::<Vec<_>>().concat()
    }
}

/// One where the bin is, and how often it is.
fn indicator(bins: &[usize], wanted: usize) -> (Vec<f64>, f64) {
    let indicator: Vec<f64> = bins.iter().map(|bin| if *bin == wanted { 1.0 } else { 0.0 }).collect();
    let modes = indicator.iter().sum();
    (indicator, modes)
}

fn whole_line(values: &[f64]) -> Vec<Complex<f64>> {
    transform(values, [values.len(), 1, 1])
}
