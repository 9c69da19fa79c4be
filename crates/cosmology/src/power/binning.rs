//! [`Bins`] and [`Binning`]: which modes are taken together, and the sums over them.

use rayon::prelude::*;

use super::{Volume, fourier::multiplicity};
use crate::{Error, Result};

/// Part by which edges are moved so that a mode that lies on one by definition is not lost to rounding.
const ROUNDING: f64 = 1e-12;
/// Largest number of bins along one wave number.
const MOST: usize = 1 << 20;
/// Blocks of columns that are summed in parallel; their number is fixed, so that sums do not depend on threads.
const BLOCKS: usize = 16;

/// Edges of bins in one wave number; a bin has its lower edge, the last one both.
#[derive(Clone, Debug, PartialEq)]
pub enum Bins {
    /// So many of equal ratio, from the smallest wave number of the box to the largest.
    Logarithmic(usize),
    /// So many of equal width over the same range.
    Linear(usize),
    /// One fundamental mode wide, with the multiples of the fundamental mode in the middle: one for each `k_par` there is.
    Fundamental,
    /// These, ascending.
    Edges(Vec<f64>),
}

/// What is binned.
#[derive(Clone, Debug, PartialEq)]
pub enum Binning {
    /// Shells of `|k|`.
    Spherical(Bins),
    /// Planes of `|k_par|`, without zero unless edges hold it.
    Parallel(Bins),
    /// Rings of `k_perp` without zero, times planes of `|k_par|` with zero where they are one fundamental mode wide; bins in the order
    /// [ring, plane].
    Cylindrical {
        /// Across the line of sight.
        perpendicular: Bins,
        /// Along it.
        parallel: Bins,
    },
}

/// Edges with room for rounding.
#[derive(Clone, Debug)]
pub(crate) struct Edges(Vec<f64>);

/// A [`Binning`] of one volume.
#[derive(Clone, Debug)]
pub(crate) enum Layout {
    Spherical(Edges),
    Parallel(Edges),
    Cylindrical(Edges, Edges),
}

/// Sums over the modes of one bin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sums<const N: usize> {
    pub(crate) modes: f64,
    pub(crate) k: f64,
    pub(crate) k_perp: f64,
    pub(crate) k_par: f64,
    pub(crate) values: [f64; N],
}

impl Bins {
    /// The edges of bins from the fundamental mode `first` to `last`.
    pub(crate) fn edges(&self, first: f64, last: f64) -> Result<Vec<f64>> {
        let steps = |count: usize, at: &dyn Fn(f64) -> f64| match count {
            1..=MOST if last > first => {
                let inner = (1..count).map(|i| at(i as f64 / count as f64));
                Ok(std::iter::once(first).chain(inner).chain([last]).collect())
            }
            // all modes have one wave number
            1..=MOST => Ok(vec![first * (1.0 - 1e-6), last * (1.0 + 1e-6)]),
            _ => Err(Error::Spectrum { expected: "between 1 and 1048576 bins", got: count.to_string() }),
        };
        match self {
            Self::Logarithmic(count) => steps(*count, &|share| first * (last / first).powf(share)),
            Self::Linear(count) => steps(*count, &|share| first + share * (last - first)),
            Self::Fundamental => {
                let count = (last / first).round().min(MOST as f64) as usize;
                Ok((0..=count.max(1)).map(|i| (i as f64 + 0.5) * first).collect())
            }
            Self::Edges(edges) => {
                let ascending = edges.windows(2).all(|pair| pair[0] < pair[1]);
                if edges.len() < 2 || !ascending || !edges.iter().all(|edge| edge.is_finite() && *edge >= 0.0) {
                    let expected = "edges of bins that are finite, not below zero and ascending, two at least";
                    return Err(Error::Spectrum { expected, got: format!("{edges:?}") });
                }
                Ok(edges.clone())
            }
        }
    }
}

impl Edges {
    pub(crate) fn new(mut edges: Vec<f64>) -> Self {
        let last = edges.len() - 1;
        edges[..last].iter_mut().for_each(|edge| *edge *= 1.0 - ROUNDING);
        edges[last] *= 1.0 + ROUNDING;
        Self(edges)
    }

    pub(crate) fn bins(&self) -> usize {
        self.0.len() - 1
    }

    /// The bin of a wave number that is not below the one before; `passed` counts the edges that are.
    fn next(&self, passed: &mut usize, k: f64) -> Option<usize> {
        while self.0.get(*passed).is_some_and(|edge| k >= *edge) {
            *passed += 1;
        }
        (1..self.0.len()).contains(passed).then(|| *passed - 1)
    }

    pub(crate) fn bin(&self, k: f64) -> Option<usize> {
        self.next(&mut 0, k)
    }
}

impl Layout {
    pub(crate) fn new(volume: &Volume, binning: &Binning) -> Result<Self> {
        let shape = volume.shape();
        let largest = |axis: usize| volume.fundamental(axis) * (shape[axis] / 2) as f64;
        let smallest = |axes: &[usize]| {
            let longer = axes.iter().filter(|axis| shape[**axis] > 1);
            longer.map(|axis| volume.fundamental(*axis)).reduce(f64::min).ok_or_else(|| Error::Spectrum {
                expected: "more than one cell along an axis that is transformed",
                got: format!("{shape:?}"),
            })
        };
        let across = largest(1).hypot(largest(2));
        let perpendicular = |bins: &Bins| smallest(&[1, 2]).and_then(|first| bins.edges(first, across));
        let parallel = |bins: &Bins| smallest(&[0]).and_then(|first| bins.edges(first, largest(0)));
        Ok(match binning {
            Binning::Spherical(bins) => {
                let first = smallest(&[0, 1, 2])?;
                Self::Spherical(Edges::new(bins.edges(first, across.hypot(largest(0)))?))
            }
            Binning::Parallel(bins) => Self::Parallel(Edges::new(parallel(bins)?)),
            Binning::Cylindrical { perpendicular: rings, parallel: planes } => {
                let mut along = parallel(planes)?;
                if *planes == Bins::Fundamental {
                    along.insert(0, 0.0);
                }
                Self::Cylindrical(Edges::new(perpendicular(rings)?), Edges::new(along))
            }
        })
    }

    pub(crate) fn bins(&self) -> usize {
        match self {
            Self::Spherical(edges) | Self::Parallel(edges) => edges.bins(),
            Self::Cylindrical(rings, planes) => rings.bins() * planes.bins(),
        }
    }

    /// The bins along (k_perp, k_par): (1, bins) of what has one wave number.
    pub(crate) fn shape(&self) -> [usize; 2] {
        match self {
            Self::Spherical(edges) | Self::Parallel(edges) => [1, edges.bins()],
            Self::Cylindrical(rings, planes) => [rings.bins(), planes.bins()],
        }
    }
}

/// Sums of what `of` says of each mode, by its place in the half transform, over the modes of each bin; without `k = 0` and, where
/// `emptied` are left out, without those of `k_perp = 0`.
pub(crate) fn accumulate<const N: usize>(
    volume: &Volume,
    layout: &Layout,
    emptied: bool,
    of: impl Fn(usize) -> [f64; N] + Sync,
) -> Vec<Sums<N>> {
    let [channels, rows, columns] = volume.shape();
    let [along, down, across] = [0, 1, 2].map(|axis| volume.wave_numbers(axis));
    let planes: Vec<Option<usize>> = match layout {
        Layout::Cylindrical(_, planes) => along.iter().map(|k_par| planes.bin(*k_par)).collect(),
        _ => Vec::new(),
    };
    let nothing = Sums { modes: 0.0, k: 0.0, k_perp: 0.0, k_par: 0.0, values: [0.0; N] };
    let half = columns / 2 + 1;
    let width = half.div_ceil(BLOCKS);
    let of_block = |block: usize| {
        let mut bins = vec![nothing; layout.bins()];
        for (column, row) in (block * width..half.min((block + 1) * width)).flat_map(|c| (0..rows).map(move |r| (c, r)))
        {
            let mean = column == 0 && row == 0;
            if mean && !emptied {
                continue;
            }
            let (count, line) = (multiplicity(column, columns), (column * rows + row) * channels);
            let k_perp = across[column].hypot(down[row]);
            let ring = match layout {
                Layout::Cylindrical(rings, _) => match rings.bin(k_perp) {
                    Some(ring) => ring,
                    None => continue,
                },
                _ => 0,
            };
            let mut passed = 0;
            for channel in usize::from(mean)..=channels / 2 {
                let k_par = along[channel];
                let (k, bin) = match layout {
                    Layout::Spherical(edges) => {
                        let k = k_perp.hypot(k_par);
                        (k, edges.next(&mut passed, k))
                    }
                    Layout::Parallel(edges) => (k_par, edges.next(&mut passed, k_par)),
                    Layout::Cylindrical(_, along) => {
                        (k_perp.hypot(k_par), planes[channel].map(|plane| ring * along.bins() + plane))
                    }
                };
                let Some(bin) = bin else { continue };
                let twin = channels - channel;
                for place in [channel, twin].into_iter().take(if channel == 0 || twin == channel { 1 } else { 2 }) {
                    let sums = &mut bins[bin];
                    sums.modes += count;
                    sums.k += count * k;
                    sums.k_perp += count * k_perp;
                    sums.k_par += count * k_par;
                    sums.values.iter_mut().zip(of(line + place)).for_each(|(sum, value)| *sum += count * value);
                }
            }
        }
        bins
    };
    let blocks: Vec<Vec<Sums<N>>> = (0..BLOCKS).into_par_iter().map(of_block).collect();
    blocks.into_iter().fold(vec![nothing; layout.bins()], |mut all, block| {
        all.iter_mut().zip(block).for_each(|(sum, part)| sum.add(&part));
        all
    })
}

impl<const N: usize> Sums<N> {
    fn add(&mut self, other: &Self) {
        self.modes += other.modes;
        self.k += other.k;
        self.k_perp += other.k_perp;
        self.k_par += other.k_par;
        self.values.iter_mut().zip(other.values).for_each(|(sum, value)| *sum += value);
    }

    /// The mean over the modes; NaN where there are none.
    pub(crate) fn mean(&self, sum: f64) -> f64 {
        if self.modes > 0.0 { sum / self.modes } else { f64::NAN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn counts(volume: &Volume, binning: &Binning, emptied: bool) -> Vec<f64> {
        let layout = Layout::new(volume, binning).unwrap();
        accumulate(volume, &layout, emptied, |_| []).iter().map(|sums| sums.modes).collect()
    }

    #[test]
    fn every_mode_is_in_one_bin() {
        for shape in [[8, 6, 7], [5, 4, 8], [32, 16, 16]] {
            let volume = Volume::comoving(shape, [70.0, 100.0, 120.0]).unwrap();
            let all = volume.len() as f64;
            for bins in [Bins::Logarithmic(7), Bins::Linear(5), Bins::Fundamental] {
                let total = |binning: &Binning, emptied| counts(&volume, binning, emptied).iter().sum::<f64>();
                let depth = shape[0] as f64;
                assert_eq!(total(&Binning::Spherical(bins.clone()), true), all - 1.0, "{shape:?} {bins:?}");
                assert_eq!(total(&Binning::Spherical(bins.clone()), false), all - depth, "{shape:?} {bins:?}");
                let cylindrical = Binning::Cylindrical { perpendicular: bins.clone(), parallel: Bins::Fundamental };
                assert_eq!(total(&cylindrical, true), all - depth, "{shape:?} {bins:?}");
                assert_eq!(total(&Binning::Parallel(bins.clone()), true), all - all / depth, "{shape:?} {bins:?}");
            }
        }
    }

    #[test]
    fn bins_are_what_they_are_asked_to_be() {
        let volume = Volume::comoving([4, 4, 4], [TAU; 3]).unwrap();
        assert_eq!(counts(&volume, &Binning::Parallel(Bins::Fundamental), true), [32.0, 16.0]);
        assert_eq!(counts(&volume, &Binning::Spherical(Bins::Edges(vec![0.9, 1.0, 1.1])), true), [0.0, 6.0]);
        let cube = counts(&volume, &Binning::Spherical(Bins::Fundamental), true);
        assert_eq!(cube, [18.0, 35.0, 10.0], "|k| of 1, 1.41; 1.73, 2, 2.24, 2.45; 2.83, 3, 3.46 around 1, 2 and 3");
        for wrong in [vec![1.0], vec![2.0, 1.0], vec![f64::NAN, 1.0], vec![-1.0, 1.0]] {
            assert!(Layout::new(&volume, &Binning::Spherical(Bins::Edges(wrong))).is_err());
        }
        assert!(Layout::new(&volume, &Binning::Spherical(Bins::Linear(0))).is_err());
        let flat = Volume::comoving([1, 4, 4], [1.0; 3]).unwrap();
        assert!(Layout::new(&flat, &Binning::Parallel(Bins::Fundamental)).is_err());
    }
}
