//! The posterior of one pixel's abundances, exact but for the corners of the simplex.
//!
//! A pixel holds some of the materials and none of the others: its abundances lie on a *face* of the simplex. The prior
//! gives every face `f` of `k` materials a probability `pi_f` and is even within it, Dirichlet(1), with density `(k-1)!`.
//! For a point `x ~ N(W C, v I)` the posterior within a face is a normal distribution cut off at the face's borders,
//! ```text
//! w = last + G^-1 D (x - c_last),  D_i = c_i - c_last,  G = D D^T,  cov = v G^-1
//! ```
//! and its evidence is `pi_f (k-1)! (2 pi v)^((k-1)/2) |G|^(-1/2) exp(-d^2/2v) P(w >= 0)` with the distance `d` from the face.
//! Exact zeros have a probability of their own, so that there is nothing to regularise: a simplex that is too large puts
//! its pixels on none of its faces, and one of twice the volume halves the density within.
//!
//! `P(w >= 0)` is taken as the product over its coordinates, which is exact wherever only one border is near. The mean is that of every
//! coordinate cut off alone, brought back to the sum of one: it is exact far from the borders, and within .005 near one.

use super::normal::{hazard, ln_cdf};

/// Most faces that are looked at; for many materials it limits how many of them one pixel may hold.
const MOST_FACES: usize = 600;
/// Faces whose evidence is less than the best one's by this factor (as a logarithm) cannot be seen in the sum.
const NEGLIGIBLE: f64 = 40.0;
/// Added to `G`, against its trace: endmembers that coincide leave abundances that are not determined, not numbers that are not.
const RIDGE: f64 = 1e-10;
/// More members than any face within the limit has.
const MOST_MEMBERS: usize = 16;

/// The faces of a simplex at certain positions.
pub(crate) struct Faces {
    faces: Vec<Face>,
    count: usize,
    rank: usize,
}

struct Face {
    members: Vec<usize>,
    last: Vec<f64>,
    /// `D`, `(k-1) x rank`.
    edges: Vec<f64>,
    /// `G^-1`.
    inverse: Vec<f64>,
    /// Variance of each member's abundance for `v = 1`.
    unit_variances: Vec<f64>,
    /// `ln (k-1)! - 1/2 ln |G|`.
    constant: f64,
}

/// What the posterior of some pixels says about endmembers and prior.
#[derive(Clone, Debug)]
pub(crate) struct Sums {
    /// `sum E[W W^T] / v`, `count x count`.
    pub(crate) weights: Vec<f64>,
    /// `sum E[W] x^T / v`, `count x rank`.
    pub(crate) weighted: Vec<f64>,
    /// `sum |x|^2 / v`.
    pub(crate) squares: f64,
    /// Sum of the probabilities of each face.
    pub(crate) faces: Vec<f64>,
    /// Sum of the logarithm of the evidence.
    pub(crate) ln_evidence: f64,
}

impl Sums {
    pub(crate) fn new(count: usize, rank: usize, faces: usize) -> Self {
        Self {
            weights: vec![0.0; count * count],
            weighted: vec![0.0; count * rank],
            squares: 0.0,
            faces: vec![0.0; faces],
            ln_evidence: 0.0,
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let add = |to: &mut [f64], from: &[f64]| to.iter_mut().zip(from).for_each(|(a, b)| *a += b);
        add(&mut self.weights, &other.weights);
        add(&mut self.weighted, &other.weighted);
        add(&mut self.faces, &other.faces);
        self.squares += other.squares;
        self.ln_evidence += other.ln_evidence;
    }
}

impl Sums {
    /// Mean square of what these endmembers leave of a coordinate, in units of its variance.
    pub(crate) fn misfit(&self, positions: &[f64], points: usize) -> f64 {
        let cross: f64 = self.weighted.iter().zip(positions).map(|(w, p)| w * p).sum();
        let size = self.weights.len().isqrt();
        let rank = positions.len() / size;
        let row = |k: usize| &positions[k * rank..(k + 1) * rank];
        let quadratic: f64 = (0..size * size)
            .map(|at| self.weights[at] * row(at / size).iter().zip(row(at % size)).map(|(a, b)| a * b).sum::<f64>())
            .sum();
        ((self.squares - 2.0 * cross + quadratic) / (points * rank) as f64).max(0.0)
    }
}

/// Working memory of one thread.
#[derive(Default)]
pub(crate) struct Work {
    offset: Vec<f64>,
    along: Vec<f64>,
    found: Vec<Found>,
    shares: Vec<f64>,
    mean: Vec<f64>,
    second: Vec<f64>,
}

struct Found {
    face: usize,
    ln_evidence: f64,
    /// Where the shares of its members begin.
    at: usize,
}

/// How many faces a simplex of `count` vertices has that are looked at.
pub(crate) fn number_of_faces(count: usize) -> usize {
    members(count).len()
}

/// All faces of up to as many members as keep their number within the limit.
fn members(count: usize) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = (0..count).map(|k| vec![k]).collect();
    let mut largest = all.clone();
    while !largest.is_empty() {
        let next: Vec<Vec<usize>> = largest
            .iter()
            .flat_map(|face| {
                let first = face.last().map_or(0, |last| last + 1);
                (first..count).map(move |k| face.iter().copied().chain([k]).collect())
            })
            .collect();
        // pairs are always there: without them nothing mixes
        if all.len() + next.len() > MOST_FACES && largest[0].len() > 1 {
            break;
        }
        all.extend(next.iter().cloned());
        largest = next;
    }
    all
}

impl Faces {
    /// `positions` are `count x rank`.
    pub(crate) fn new(positions: &[f64], count: usize) -> Self {
        let rank = positions.len() / count;
        let faces = members(count).into_iter().map(|members| Face::new(members, positions, rank)).collect();
        Self { faces, count, rank }
    }

    /// The posterior of the point `x` with noise of variance `variance`: mean abundances into `mean`, what it says about
    /// everything else onto `sums`. `ln_prior` has the logarithm of the probability of each face.
    pub(crate) fn posterior(
        &self,
        x: &[f64],
        variance: f64,
        ln_prior: &[f64],
        work: &mut Work,
        sums: &mut Sums,
        mean: &mut [f64],
    ) {
        work.found.clear();
        work.shares.clear();
        let mut best = f64::NEG_INFINITY;
        for (index, face) in self.faces.iter().enumerate() {
            let at = work.shares.len();
            let most = ln_prior[index] + face.place(x, variance, work);
            if most < best - NEGLIGIBLE {
                work.shares.truncate(at);
                continue;
            }
            let inside: f64 = work.shares[at..]
                .iter()
                .zip(&face.unit_variances)
                .map(|(share, unit)| if *unit > 0.0 { ln_cdf(share / (unit * variance).sqrt()) } else { 0.0 })
                .sum();
            let ln_evidence = most + inside;
            best = best.max(ln_evidence);
            work.found.push(Found { face: index, ln_evidence, at });
        }
        let total: f64 = work.found.iter().map(|f| (f.ln_evidence - best).exp()).sum();
        let density = -0.5 * self.rank as f64 * (std::f64::consts::TAU * variance).ln();
        sums.ln_evidence += best + total.ln() + density;
        sums.squares += x.iter().map(|x| x * x).sum::<f64>() / variance;
        mean.fill(0.0);
        let Work { found, shares, mean: within, second, .. } = work;
        for Found { face: index, ln_evidence, at } in found.iter() {
            let probability = (ln_evidence - best).exp() / total;
            let face = &self.faces[*index];
            sums.faces[*index] += probability;
            face.moments(&shares[*at..*at + face.members.len()], variance, within, second);
            let size = face.members.len();
            for (i, &k) in face.members.iter().enumerate() {
                mean[k] += probability * within[i];
                for (j, &l) in face.members.iter().enumerate() {
                    sums.weights[k * self.count + l] += probability * second[i * size + j] / variance;
                }
            }
        }
        for (mean, row) in mean.iter().zip(sums.weighted.chunks_exact_mut(self.rank)) {
            row.iter_mut().zip(x).for_each(|(sum, x)| *sum += mean * x / variance);
        }
    }
}

impl Face {
    fn new(members: Vec<usize>, positions: &[f64], rank: usize) -> Self {
        let position = |k: usize| &positions[k * rank..(k + 1) * rank];
        let (size, last) = (members.len(), position(members[members.len() - 1]).to_vec());
        let edges: Vec<f64> =
            members[..size - 1].iter().flat_map(|&k| position(k).iter().zip(&last).map(|(p, l)| p - l)).collect();
        let map = Affine::new(&edges, size - 1, rank);
        let mut unit_variances: Vec<f64> = (0..size - 1).map(|i| map.inverse[i * (size - 1) + i]).collect();
        unit_variances.push(map.inverse.iter().sum());
        let factorial: f64 = (1..size).map(|i| (i as f64).ln()).sum();
        Self {
            members,
            last,
            edges,
            unit_variances,
            constant: factorial - 0.5 * map.ln_determinant,
            inverse: map.inverse,
        }
    }

    /// Puts the shares of the members, not cut off, behind those in `work`; returns the evidence but for the borders.
    fn place(&self, x: &[f64], variance: f64, work: &mut Work) -> f64 {
        let free = self.members.len() - 1;
        work.offset.clear();
        work.offset.extend(x.iter().zip(&self.last).map(|(x, l)| x - l));
        work.along.clear();
        let offset = &work.offset;
        work.along.extend(
            self.edges
                .chunks_exact(offset.len().max(1))
                .take(free)
                .map(|edge| edge.iter().zip(offset).map(|(e, o)| e * o).sum::<f64>()),
        );
        let mut square: f64 = work.offset.iter().map(|o| o * o).sum();
        let mut rest = 1.0;
        for i in 0..free {
            let row = &self.inverse[i * free..(i + 1) * free];
            let share: f64 = row.iter().zip(&work.along).map(|(g, a)| g * a).sum();
            square -= share * work.along[i];
            rest -= share;
            work.shares.push(share);
        }
        work.shares.push(rest);
        self.constant + 0.5 * free as f64 * (std::f64::consts::TAU * variance).ln() - 0.5 * square.max(0.0) / variance
    }

    /// Mean and second moment of the shares cut off at nought.
    fn moments(&self, shares: &[f64], variance: f64, mean: &mut Vec<f64>, second: &mut Vec<f64>) {
        let (size, free) = (shares.len(), shares.len() - 1);
        mean.clear();
        second.clear();
        if free == 0 {
            mean.push(1.0);
            second.push(1.0);
            return;
        }
        // how much of the spread of each share is left when it is cut off
        let mut left = [1.0f64; MOST_MEMBERS];
        for (i, (share, unit)) in shares.iter().zip(&self.unit_variances).enumerate() {
            let sd = (unit * variance).sqrt();
            if sd > 0.0 {
                let at = share / sd;
                let hazard = hazard(at);
                mean.push((share + sd * hazard).max(0.0));
                left[i] = (1.0 - at * hazard - hazard * hazard).max(0.0).sqrt();
            } else {
                mean.push(share.max(0.0));
            }
        }
        let sum: f64 = mean.iter().sum();
        if sum > 0.0 {
            mean.iter_mut().for_each(|m| *m /= sum);
        } else {
            mean.fill(1.0 / size as f64);
        }
        let unit = |i: usize, j: usize| match (i < free, j < free) {
            (true, true) => self.inverse[i * free + j],
            (true, false) => -(0..free).map(|m| self.inverse[i * free + m]).sum::<f64>(),
            (false, true) => -(0..free).map(|m| self.inverse[m * free + j]).sum::<f64>(),
            (false, false) => self.inverse.iter().sum(),
        };
        for i in 0..size {
            for j in 0..size {
                second.push(mean[i] * mean[j] + left[i] * left[j] * variance * unit(i, j));
            }
        }
    }
}

/// `G^-1` of the rows of a matrix, and `ln |G|`.
pub(crate) struct Affine {
    pub(crate) inverse: Vec<f64>,
    pub(crate) ln_determinant: f64,
}

impl Affine {
    pub(crate) fn new(rows: &[f64], size: usize, rank: usize) -> Self {
        let row = |i: usize| &rows[i * rank..(i + 1) * rank];
        let mut gram: Vec<f64> =
            (0..size * size).map(|at| row(at / size).iter().zip(row(at % size)).map(|(a, b)| a * b).sum()).collect();
        let trace: f64 = (0..size).map(|i| gram[i * size + i]).sum();
        (0..size).for_each(|i| gram[i * size + i] += (RIDGE * trace).max(f64::MIN_POSITIVE));
        let (inverse, ln_determinant) = inverse(&gram, size);
        Self { inverse, ln_determinant }
    }
}

/// Inverse and logarithm of the determinant of a positive definite matrix, by its Cholesky factor.
pub(crate) fn inverse(matrix: &[f64], size: usize) -> (Vec<f64>, f64) {
    let mut factor = vec![0.0; size * size];
    let mut ln_determinant = 0.0;
    for i in 0..size {
        for j in 0..=i {
            let done: f64 = (0..j).map(|m| factor[i * size + m] * factor[j * size + m]).sum();
            let rest = matrix[i * size + j] - done;
            factor[i * size + j] = if i == j {
                // rounding may leave a pivot of nought where rows depend on each other
                let pivot = rest.max(f64::EPSILON * matrix[i * size + i]).max(f64::MIN_POSITIVE).sqrt();
                ln_determinant += 2.0 * pivot.ln();
                pivot
            } else {
                rest / factor[j * size + j]
            };
        }
    }
    let mut inverse = vec![0.0; size * size];
    let mut column = vec![0.0; size];
    for c in 0..size {
        column.fill(0.0);
        column[c] = 1.0;
        for i in 0..size {
            let done: f64 = (0..i).map(|m| factor[i * size + m] * column[m]).sum();
            column[i] = (column[i] - done) / factor[i * size + i];
        }
        for i in (0..size).rev() {
            let done: f64 = (i + 1..size).map(|m| factor[m * size + i] * column[m]).sum();
            column[i] = (column[i] - done) / factor[i * size + i];
        }
        (0..size).for_each(|i| inverse[i * size + c] = column[i]);
    }
    (inverse, ln_determinant)
}

#[cfg(test)]
mod tests {
    use cupel_data::Stream;

    use super::*;

    #[test]
    fn faces_are_all_subsets_while_there_are_few() {
        for count in 1..=9 {
            assert_eq!(number_of_faces(count), (1 << count) - 1);
        }
        for count in 10..=60 {
            let faces = members(count);
            assert!(faces.iter().any(|face| face.len() == 2), "{count}");
            assert!(faces.len() <= MOST_FACES.max(count + count * (count - 1) / 2), "{count}: {}", faces.len());
        }
    }

    #[test]
    fn the_inverse_is_one() {
        let matrix = [4.0, 1.0, 0.5, 1.0, 3.0, -0.2, 0.5, -0.2, 2.0];
        let (inverse, ln_determinant) = inverse(&matrix, 3);
        for i in 0..3 {
            for j in 0..3 {
                let product: f64 = (0..3).map(|m| matrix[i * 3 + m] * inverse[m * 3 + j]).sum();
                assert!((product - f64::from(u8::from(i == j))).abs() < 1e-14);
            }
        }
        let by_hand = 4.0 * (6.0 - 0.04) - (2.0 + 0.1) + 0.5 * (-0.2 - 1.5);
        assert!((ln_determinant - f64::ln(by_hand)).abs() < 1e-13);
    }

    /// Evidence on a segment, where one border is exact, and the mean abundance, which is not quite, against numerical integration.
    #[test]
    fn two_materials_agree_with_numerical_integration() {
        let positions = [0.0, 0.0, 1.0, 0.5];
        let faces = Faces::new(&positions, 2);
        let ln_prior = [0.2f64.ln(), 0.3f64.ln(), 0.5f64.ln()];
        let mut draws = vec![0.0f64; 40];
        Stream::new(1, "faces test").fill_normal_f64(&mut draws);
        for (x, variance) in
            draws.chunks_exact(2).map(|d| [0.5 + 0.6 * d[0], 0.25 + 0.3 * d[1]]).zip([0.3, 0.02].iter().cycle())
        {
            let density = |w: f64| {
                // the first endmember is at the origin: w is the share of the second
                let (a, b) = (x[0] - w, x[1] - 0.5 * w);
                (-(a * a + b * b) / (2.0 * variance)).exp() / (std::f64::consts::TAU * variance)
            };
            const CELLS: usize = 20_000;
            let at = |i: usize| (i as f64 + 0.5) / CELLS as f64;
            let mixed: f64 = (0..CELLS).map(|i| density(at(i))).sum::<f64>() / CELLS as f64;
            let first: f64 = (0..CELLS).map(|i| at(i) * density(at(i))).sum::<f64>() / CELLS as f64;
            let parts = [0.2 * density(0.0), 0.3 * density(1.0), 0.5 * mixed];
            let total: f64 = parts.iter().sum();
            let (mut sums, mut mean) = (Sums::new(2, 2, 3), vec![0.0; 2]);
            faces.posterior(&x, *variance, &ln_prior, &mut Work::default(), &mut sums, &mut mean);
            // both borders are near where the noise is wide: there the product is an approximation
            let tolerance = if *variance > 0.1 { 0.15 } else { 1e-3 };
            assert!((sums.ln_evidence - total.ln()).abs() < tolerance, "{x:?}: {} {}", sums.ln_evidence, total.ln());
            let expected = (parts[1] + 0.5 * first) / total;
            assert!((mean[1] - expected).abs() < tolerance.max(5e-3), "{x:?}: {mean:?} {expected}");
            assert!((mean[0] + mean[1] - 1.0).abs() < 1e-12);
            assert!((sums.faces.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }
}
