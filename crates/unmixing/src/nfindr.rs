//! N-FINDR: the pixels that span the largest simplex.
//!
//! M. E. Winter, "N-FINDR: an algorithm for fast autonomous spectral end-member determination in hyperspectral
//! data", Proc. SPIE 3753, 266 (1999). Vertices are exchanged one at a time as long as the volume grows; the
//! volume after exchanging vertex `k` is linear in the new pixel, so one cofactor row scores all pixels.

use cupel_data::Stream;
use faer::{Mat, linalg::solvers::DenseSolveCore};

use crate::{Pixels, Result, Subspace, subspace::Moments, vca::check_count};

/// Sweeps over all vertices; growth ends far earlier.
const MAX_SWEEPS: usize = 50;
/// Volume must grow by this factor for an exchange.
const GROWTH: f64 = 1.0 + 1e-9;

/// Extracts the pixels of `count` endmembers from the best of `restarts` random starts.
///
/// # Errors
/// [`crate::Error::EndmemberCount`] for a count of zero or more than bands or pixels.
pub fn nfindr(pixels: &Pixels, count: usize, restarts: usize, stream: Stream) -> Result<Vec<usize>> {
    check_count(pixels, count)?;
    let moments = Moments::of(pixels)?;
    let coordinates = Subspace::about_mean(&moments, count - 1).project(pixels);
    Ok(largest_simplex(&coordinates, pixels.count(), count, restarts, stream))
}

/// The same on coordinates (`points x (count - 1)`).
pub(crate) fn largest_simplex(
    coordinates: &[f64],
    points: usize,
    count: usize,
    restarts: usize,
    stream: Stream,
) -> Vec<usize> {
    let rank = count - 1;
    let lifted = |n: usize| std::iter::once(1.0).chain(coordinates[n * rank..(n + 1) * rank].iter().copied());
    let mut best = (f64::NEG_INFINITY, (0..count).collect());
    for restart in 0..restarts.max(1) {
        let mut chosen = stream.child(restart as u64).sample(points, count);
        let mut volume = determinant(&matrix(&chosen, count, lifted));
        for _ in 0..MAX_SWEEPS {
            let before = volume;
            for vertex in 0..count {
                let Some(cofactors) = cofactors(&matrix(&chosen, count, lifted), vertex) else {
                    // a flat simplex: any other pixel will do to leave it
                    chosen[vertex] = (chosen[vertex] + 1) % points;
                    volume = determinant(&matrix(&chosen, count, lifted));
                    continue;
                };
                let score = |n: usize| cofactors.iter().zip(lifted(n)).map(|(c, v)| c * v).sum::<f64>().abs();
                let (furthest, largest) = (0..points)
                    .map(|n| (n, score(n)))
                    .max_by(|a, b| a.1.total_cmp(&b.1))
                    .unwrap_or((chosen[vertex], 0.0));
                if largest > volume * GROWTH {
                    chosen[vertex] = furthest;
                    volume = determinant(&matrix(&chosen, count, lifted));
                }
            }
            if volume <= before * GROWTH {
                break;
            }
        }
        if volume > best.0 {
            best = (volume, chosen);
        }
    }
    best.1
}

/// One vertex a column.
fn matrix<I: Iterator<Item = f64>>(chosen: &[usize], count: usize, lifted: impl Fn(usize) -> I) -> Mat<f64> {
    let columns: Vec<Vec<f64>> = chosen.iter().map(|&n| lifted(n).collect()).collect();
    Mat::from_fn(count, count, |i, j| columns[j][i])
}

fn determinant(matrix: &Mat<f64>) -> f64 {
    matrix.determinant().abs()
}

/// Row `vertex` of the adjugate: its product with a pixel is the volume with that pixel as the vertex.
fn cofactors(matrix: &Mat<f64>, vertex: usize) -> Option<Vec<f64>> {
    let volume = determinant(matrix);
    let inverse = matrix.partial_piv_lu().inverse();
    let row: Vec<f64> = (0..matrix.ncols()).map(|j| inverse[(vertex, j)] * volume).collect();
    (volume > 0.0 && row.iter().all(|v| v.is_finite())).then_some(row)
}
