//! Vertex component analysis: the pixels that stick out furthest, one direction at a time.
//!
//! J. M. P. Nascimento, J. M. Bioucas-Dias, "Vertex Component Analysis: A Fast Algorithm to Unmix Hyperspectral
//! Data", IEEE Transactions on Geoscience and Remote Sensing 43(4), 898 (2005).

use cupel_data::Stream;
use rand_distr::{Distribution, StandardUniform};

use crate::{Endmembers, Error, Pixels, Result, Subspace, subspace::Moments};

/// Smallest component along the mean by which a pixel is divided, against the mean square of all pixels.
const SMALLEST_ALONG_MEAN: f64 = 1e-9;

/// Extracts `count` endmembers; they are the chosen pixels' spectra within the signal subspace.
///
/// # Errors
/// [`Error::EndmemberCount`] for a count of zero or more than bands or pixels.
pub fn vca(pixels: &Pixels, count: usize, stream: Stream) -> Result<Endmembers> {
    let moments = Moments::of(pixels)?;
    Ok(VcaProjection::new(pixels, &moments, count)?.choose(stream))
}

/// The projection shared by all random directions.
pub(crate) struct VcaProjection {
    subspace: Subspace,
    coordinates: Vec<f64>,
    /// Points whose extremes are vertices, `pixels x count`.
    points: Vec<f64>,
    count: usize,
    floors: Vec<f64>,
}

impl VcaProjection {
    pub(crate) fn new(pixels: &Pixels, moments: &Moments, count: usize) -> Result<Self> {
        check_count(pixels, count)?;
        let bands = pixels.bands();
        // equation (8) of the paper: power inside and outside the subspace tell the signal-to-noise ratio
        let power: f64 = (0..bands).map(|i| moments.second[i * bands + i]).sum();
        let inside: f64 =
            moments.about_mean.values.iter().take(count).sum::<f64>() + moments.mean.iter().map(|m| m * m).sum::<f64>();
        let ratio = (inside - count as f64 / bands as f64 * power) / (power - inside).max(f64::MIN_POSITIVE);
        let noisy = 10.0 * ratio.max(f64::MIN_POSITIVE).log10() < 15.0 + 10.0 * (count as f64).log10();
        let (subspace, coordinates, points);
        if noisy {
            // affine projection, with one constant coordinate as large as the furthest point
            subspace = Subspace::about_mean(moments, count - 1);
            coordinates = subspace.project(pixels);
            let rank = count - 1;
            let norm = |row: &[f64]| row.iter().map(|v| v * v).sum::<f64>().sqrt();
            let rows = || (0..pixels.count()).map(|n| &coordinates[n * rank..(n + 1) * rank]);
            let furthest = rows().map(norm).fold(f64::MIN_POSITIVE, f64::max);
            points = rows().flat_map(|row| row.iter().copied().chain([furthest])).collect();
        } else {
            // projective projection onto the hyperplane through the mean
            subspace = Subspace::about_origin(moments, count);
            coordinates = subspace.project(pixels);
            let mut mean = vec![0.0; count];
            for row in coordinates.chunks_exact(count) {
                mean.iter_mut().zip(row).for_each(|(m, v)| *m += v / pixels.count() as f64);
            }
            let square = coordinates.iter().map(|v| v * v).sum::<f64>() / pixels.count() as f64;
            let least = (SMALLEST_ALONG_MEAN * square).max(f64::MIN_POSITIVE);
            points = coordinates
                .chunks_exact(count)
                .flat_map(|row| {
                    let along: f64 = row.iter().zip(&mean).map(|(v, m)| v * m).sum();
                    let along = if along.abs() < least { least } else { along };
                    row.iter().map(move |v| v / along)
                })
                .collect();
        }
        Ok(Self { subspace, coordinates, points, count, floors: pixels.floors() })
    }

    /// Picks vertices along random directions orthogonal to those found.
    pub(crate) fn choose(&self, stream: Stream) -> Endmembers {
        let (count, mut rng) = (self.count, stream.rng());
        // the first direction leaves out the last coordinate, as in the paper
        let mut found: Vec<Vec<f64>> = vec![(0..count).map(|i| f64::from(u8::from(i == count - 1))).collect()];
        let mut pixels = Vec::with_capacity(count);
        for step in 0..count {
            let mut direction: Vec<f64> = (0..count).map(|_| StandardUniform.sample(&mut rng)).collect();
            if count > 1 {
                orthogonalise(&mut direction, &found);
            }
            let extreme = self
                .points
                .chunks_exact(count)
                .map(|p| p.iter().zip(&direction).map(|(p, d)| p * d).sum::<f64>().abs())
                .enumerate()
                .max_by(|a, b| a.1.total_cmp(&b.1))
                .map_or(0, |(n, _)| n);
            pixels.push(extreme);
            let mut vertex = self.points[extreme * count..(extreme + 1) * count].to_vec();
            if step == 0 {
                found.clear();
            }
            orthogonalise(&mut vertex, &found);
            found.push(vertex);
        }
        let rank = self.subspace.rank();
        let values = pixels
            .iter()
            .flat_map(|n| self.subspace.lift(&self.coordinates[n * rank..(n + 1) * rank]))
            .collect::<Vec<f64>>();
        let bands = self.subspace.lift(&[]).len();
        let values = values.iter().zip(self.floors.iter().cycle()).map(|(v, floor)| v.max(*floor)).collect();
        // spectra of checked pixels in a finite basis are finite
        Endmembers::new(values, bands).unwrap_or_else(|_| unreachable!("finite spectra"))
    }
}

/// Refuses a number of endmembers that the scene cannot have.
pub(crate) fn check_count(pixels: &Pixels, count: usize) -> Result<()> {
    if count == 0 || count > pixels.bands().min(pixels.count()) {
        return Err(Error::EndmemberCount { asked: count, bands: pixels.bands(), pixels: pixels.count() });
    }
    Ok(())
}

/// Takes the components along the unit vectors `basis` off and scales to unit length.
fn orthogonalise(vector: &mut [f64], basis: &[Vec<f64>]) {
    // twice is enough (Kahan): once leaves rounding of the size of the component taken off
    for _ in 0..2 {
        for b in basis {
            let along: f64 = vector.iter().zip(b).map(|(v, b)| v * b).sum();
            vector.iter_mut().zip(b).for_each(|(v, b)| *v -= along * b);
        }
    }
    let norm = vector.iter().map(|v| v * v).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    vector.iter_mut().for_each(|v| *v /= norm);
}
