//! [`Directions`]: which pixels lie furthest along random directions.
//!
//! A survey spends most of its time on the products of spectra and directions. They are taken for some spectra and one panel of directions
//! at a time, whose sums stay in registers while the bands go by. Each sum runs over the bands in order, so that it does not
//! depend on the spectra beside it.

use cupel_data::Stream;
use pulp::{Arch, Simd, WithSimd};

/// Random directions.
const COUNT: usize = 48;
/// Directions next to each other in memory: as many vectors as that is, on any instruction set.
const PANEL: usize = 16;
/// Along a direction and against it, of spectra as they are and at unit norm.
const WAYS: usize = 4;

/// What one spectrum has along each direction.
type Products = [f32; COUNT];

/// A pixel that lies further in one way than any before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Further {
    /// The way, of [`Directions::ways`].
    pub(super) way: usize,
    pub(super) score: f32,
    /// Its place among the spectra.
    pub(super) place: usize,
}

/// Random directions in the space of spectra.
#[derive(Debug)]
pub(super) struct Directions {
    /// `[panel][band][direction of the panel]`.
    panels: Vec<f32>,
    bands: usize,
}

impl Directions {
    pub(super) fn new(stream: Stream, bands: usize) -> Self {
        let mut directions = vec![0.0; COUNT * bands];
        stream.fill_normal(&mut directions);
        let value = |panel: usize, band: usize, lane: usize| directions[(panel * PANEL + lane) * bands + band];
        let of_panel = |panel| (0..bands).flat_map(move |band| (0..PANEL).map(move |lane| (panel, band, lane)));
        let places = (0..COUNT / PANEL).flat_map(of_panel);
        Self { panels: places.map(|(panel, band, lane)| value(panel, band, lane)).collect(), bands }
    }

    /// In how many ways a pixel can lie furthest.
    pub(super) fn ways() -> usize {
        WAYS * COUNT
    }

    /// For each way in which one of these `spectra` has a higher score than the `known` one, the first of those with the highest.
    pub(super) fn further(&self, spectra: &[f32], known: &[f32]) -> Vec<Further> {
        let factors: Vec<[f32; WAYS]> = spectra.chunks_exact(self.bands).map(factors).collect();
        let mut products = vec![[0.0; COUNT]; factors.len()];
        let mut highest = [[f32::NEG_INFINITY; COUNT]; WAYS];
        Arch::new().dispatch(Scores {
            directions: self,
            spectra,
            factors: &factors,
            products: &mut products,
            highest: &mut highest,
        });
        let ways = (0..COUNT).flat_map(|direction| (0..WAYS).map(move |way| (direction, way)));
        let further = ways.zip(known).filter_map(|((direction, way), &known)| {
            let score = highest[way][direction];
            let has = |(products, factors): (&Products, &[f32; WAYS])| products[direction] * factors[way] == score;
            let place = (score > known).then(|| products.iter().zip(&factors).position(has))??;
            Some(Further { way: direction * WAYS + way, score, place })
        });
        further.collect()
    }
}

/// What the products of a spectrum are multiplied by to be its scores.
fn factors(spectrum: &[f32]) -> [f32; WAYS] {
    const LANES: usize = 16;
    let mut partial = [0.0f32; LANES];
    let (chunks, rest) = spectrum.as_chunks::<LANES>();
    for chunk in chunks {
        for (sum, v) in partial.iter_mut().zip(chunk) {
            *sum += v * v;
        }
    }
    let square = partial.iter().sum::<f32>() + rest.iter().map(|v| v * v).sum::<f32>();
    let norm = square.sqrt();
    let unit = if norm > 0.0 { 1.0 / norm } else { 0.0 };
    [1.0, -1.0, unit, -unit]
}

/// The products of spectra with all directions, and the highest score in each way.
struct Scores<'a> {
    directions: &'a Directions,
    spectra: &'a [f32],
    factors: &'a [[f32; WAYS]],
    products: &'a mut [Products],
    highest: &'a mut [Products; WAYS],
}

impl WithSimd for Scores<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { directions, spectra, factors, products, highest } = self;
        // Sums, a row of the panel and a value fit the registers: 16 of 4 and 8 lanes, 32 of 16 lanes.
        match S::F32_LANES {
            16 => multiply::<S, 12, 1>(simd, directions, spectra, products),
            8 => multiply::<S, 6, 2>(simd, directions, spectra, products),
            4 => multiply::<S, 3, 4>(simd, directions, spectra, products),
            _ => multiply::<S, 1, PANEL>(simd, directions, spectra, products),
        }
        for (products, factors) in products.iter().zip(factors) {
            for (highest, factor) in highest.iter_mut().zip(factors) {
                for (highest, product) in highest.iter_mut().zip(products) {
                    let score = product * factor;
                    *highest = if score > *highest { score } else { *highest };
                }
            }
        }
    }
}

/// The products of `ROWS` spectra with one panel after another; a panel has `VECTORS` vectors.
#[inline(always)]
fn multiply<S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    Directions { panels, bands }: &Directions,
    spectra: &[f32],
    products: &mut [Products],
) {
    for (panel, weights) in panels.chunks_exact(bands * PANEL).enumerate() {
        let (weights, _) = S::as_simd_f32s(weights).0.as_chunks::<VECTORS>();
        for (spectra, products) in spectra.chunks(ROWS * bands).zip(products.chunks_mut(ROWS)) {
            // A short last block repeats its last spectrum.
            let mut rows = [&spectra[..*bands]; ROWS];
            for (row, spectrum) in rows.iter_mut().enumerate() {
                let start = row.min(products.len() - 1) * bands;
                *spectrum = &spectra[start..start + bands];
            }
            let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
            for (band, weights) in weights.iter().enumerate().take(*bands) {
                for (sums, row) in sums.iter_mut().zip(rows) {
                    let value = simd.splat_f32s(row[band]);
                    for (sum, &weight) in sums.iter_mut().zip(weights) {
                        *sum = simd.mul_add_e_f32s(value, weight, *sum);
                    }
                }
            }
            for (products, sums) in products.iter_mut().zip(&sums) {
                let (of_panel, _) = S::as_mut_simd_f32s(&mut products[panel * PANEL..][..PANEL]);
                of_panel.copy_from_slice(sums);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_furthest_is_found_among_any_number_of_spectra() {
        for (bands, count) in [(1, 1), (7, 5), (30, 13), (200, 40)] {
            let stream = Stream::new(bands as u64, "directions test");
            let directions = Directions::new(stream.child(0), bands);
            let mut drawn = vec![0.0; COUNT * bands];
            stream.child(0).fill_normal(&mut drawn);
            let mut spectra = vec![0.0; count * bands];
            stream.child(1).fill_normal(&mut spectra);
            // The last one is the first again, another is nought.
            if count > 2 {
                spectra.copy_within(..bands, (count - 1) * bands);
                spectra[2 * bands..3 * bands].fill(0.0);
            }
            let none = vec![f32::NEG_INFINITY; Directions::ways()];
            let found = directions.further(&spectra, &none);
            assert_eq!(found.len(), Directions::ways());
            for Further { way, score, place } in &found {
                let direction = &drawn[way / WAYS * bands..(way / WAYS + 1) * bands];
                let score_of = |spectrum: &[f32]| {
                    let dot = |a: &[f32], b: &[f32]| -> f64 {
                        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
                    };
                    let norm = if way % WAYS < 2 { 1.0 } else { dot(spectrum, spectrum).sqrt() };
                    let sign = if way % 2 == 0 { 1.0 } else { -1.0 };
                    if norm > 0.0 { sign * dot(spectrum, direction) / norm } else { 0.0 }
                };
                let highest = spectra.chunks_exact(bands).map(score_of).fold(f64::NEG_INFINITY, f64::max);
                let own = score_of(&spectra[place * bands..(place + 1) * bands]);
                assert!(
                    (own - highest).abs() < 1e-4 && (f64::from(*score) - own).abs() < 1e-4,
                    "{bands} {count} {way}"
                );
                assert!(count < 3 || *place < count - 1, "of two that are alike the first counts");
            }
            // By itself or beside others a spectrum has the same score, to the bit, and what is known is not found again.
            for further in &found {
                let alone = &spectra[further.place * bands..(further.place + 1) * bands];
                let again = directions.further(alone, &none);
                assert_eq!(again[further.way], Further { place: 0, ..*further });
            }
            let known: Vec<f32> = found.iter().map(|further| further.score).collect();
            assert!(directions.further(&spectra, &known).is_empty());
        }
    }
}
