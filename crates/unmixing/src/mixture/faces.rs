//! The posterior of one pixel's abundances, exact but for the corners of wide noise.
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
//! `P(w >= 0)` and the moments of what is left are those of [`Truncated`]: exact wherever one border is near, and on every segment.

use super::truncated::Truncated;

/// Most faces that are looked at; for many materials it limits how many of them one pixel may hold.
const MOST_FACES: usize = 600;
/// Faces whose evidence is less than the best one's by this factor (as a logarithm) cannot be seen in the sum.
const NEGLIGIBLE: f64 = 12.0;
/// Added to `G`, against its trace: endmembers that coincide leave abundances that are not determined, not numbers that are not.
const RIDGE: f64 = 1e-10;

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
    /// Covariance of the members' abundances for `v = 1`, `k x k`.
    unit: Vec<f64>,
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
    truncated: Truncated,
    /// Mean, then second moment, of the shares of each face that was found.
    moments: Vec<f64>,
}

struct Found {
    face: usize,
    ln_evidence: f64,
    /// Where its moments begin.
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

/// Faces of as many members each, one after the other.
pub(crate) struct OneSize {
    pub(crate) size: usize,
    pub(crate) members: Vec<usize>,
    /// The last member of each, `rank` numbers.
    pub(crate) last: Vec<f64>,
    /// `D` and `G^-1 D` of each, `(size - 1) x rank`.
    pub(crate) edges: Vec<f64>,
    pub(crate) maps: Vec<f64>,
    /// Covariances of the shares for `v = 1`, `size x size`.
    pub(crate) units: Vec<f64>,
    pub(crate) constants: Vec<f64>,
}

impl Faces {
    /// All faces by their size, in their order.
    pub(crate) fn by_size(&self) -> Vec<OneSize> {
        self.faces
            .chunk_by(|a, b| a.members.len() == b.members.len())
            .map(|faces| {
                let all = |of: &dyn Fn(&Face) -> Vec<f64>| faces.iter().flat_map(of).collect();
                let (free, rank) = (faces[0].members.len() - 1, self.rank);
                let map = |face: &Face| -> Vec<f64> {
                    let entry = |i: usize, j: usize| -> f64 {
                        (0..free).map(|m| face.inverse[i * free + m] * face.edges[m * rank + j]).sum()
                    };
                    (0..free * rank).map(|at| entry(at / rank, at % rank)).collect()
                };
                OneSize {
                    size: free + 1,
                    members: faces.iter().flat_map(|face| face.members.iter().copied()).collect(),
                    last: all(&|face| face.last.clone()),
                    edges: all(&|face| face.edges.clone()),
                    maps: all(&map),
                    units: all(&|face| face.unit.clone()),
                    constants: faces.iter().map(|face| face.constant).collect(),
                }
            })
            .collect()
    }

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
        work.moments.clear();
        let mut best = f64::NEG_INFINITY;
        // the large ones first: most pixels are on one of them, and the small ones next to nothing
        for (index, face) in self.faces.iter().enumerate().rev() {
            let most = ln_prior[index] + face.place(x, variance, work);
            if most + face.ln_inside_at_most(&work.shares, variance) < best - NEGLIGIBLE {
                continue;
            }
            let at = work.moments.len();
            let ln_evidence = most + work.truncated.cut(&work.shares, &face.unit, variance);
            let Truncated { mean, covariance, .. } = &work.truncated;
            work.moments.extend_from_slice(mean);
            let size = mean.len();
            work.moments.extend(covariance.iter().enumerate().map(|(i, c)| c + mean[i / size] * mean[i % size]));
            best = best.max(ln_evidence);
            work.found.push(Found { face: index, ln_evidence, at });
        }
        let total: f64 = work.found.iter().map(|f| (f.ln_evidence - best).exp()).sum();
        let density = -0.5 * self.rank as f64 * (std::f64::consts::TAU * variance).ln();
        sums.ln_evidence += best + total.ln() + density;
        sums.squares += x.iter().map(|x| x * x).sum::<f64>() / variance;
        mean.fill(0.0);
        let Work { found, moments, .. } = work;
        for Found { face: index, ln_evidence, at } in found.iter() {
            let probability = (ln_evidence - best).exp() / total;
            let face = &self.faces[*index];
            sums.faces[*index] += probability;
            let size = face.members.len();
            let (within, second) = moments[*at..*at + size + size * size].split_at(size);
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
        let free = size - 1;
        let covariance = |i: usize, j: usize| match (i < free, j < free) {
            (true, true) => map.inverse[i * free + j],
            (true, false) => -(0..free).map(|m| map.inverse[i * free + m]).sum::<f64>(),
            (false, true) => -(0..free).map(|m| map.inverse[m * free + j]).sum::<f64>(),
            (false, false) => map.inverse.iter().sum(),
        };
        let unit = (0..size * size).map(|at| covariance(at / size, at % size)).collect();
        let factorial: f64 = (1..size).map(|i| (i as f64).ln()).sum();
        Self { members, last, edges, unit, constant: factorial - 0.5 * map.ln_determinant, inverse: map.inverse }
    }

    /// Puts the shares of the members, not cut off, into `work`; returns the evidence but for the borders.
    fn place(&self, x: &[f64], variance: f64, work: &mut Work) -> f64 {
        let free = self.members.len() - 1;
        work.shares.clear();
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

    /// More than the logarithm of `P(w >= 0)`: by the border that is furthest on the wrong side, `Phi(a) <= exp(-a^2/2)` for `a <= 0`.
    fn ln_inside_at_most(&self, shares: &[f64], variance: f64) -> f64 {
        let size = shares.len();
        let furthest = shares.iter().enumerate().filter(|(_, share)| **share < 0.0).map(|(i, share)| {
            let spread = self.unit[i * size + i] * variance;
            if spread > 0.0 { share * share / spread } else { 0.0 }
        });
        -0.5 * furthest.fold(0.0, f64::max)
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

    /// Evidence and mean abundance of a pixel between two materials, against numerical integration.
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
            let square: f64 = (0..CELLS).map(|i| at(i).powi(2) * density(at(i))).sum::<f64>() / CELLS as f64;
            let parts = [0.2 * density(0.0), 0.3 * density(1.0), 0.5 * mixed];
            let total: f64 = parts.iter().sum();
            let (mut sums, mut mean) = (Sums::new(2, 2, 3), vec![0.0; 2]);
            faces.posterior(&x, *variance, &ln_prior, &mut Work::default(), &mut sums, &mut mean);
            assert!((sums.ln_evidence - total.ln()).abs() < 1e-6, "{x:?}: {} {}", sums.ln_evidence, total.ln());
            let expected = (parts[1] + 0.5 * first) / total;
            assert!((mean[1] - expected).abs() < 1e-6, "{x:?}: {mean:?} {expected}");
            let expected = (parts[1] + 0.5 * square) / total;
            assert!((sums.weights[3] * variance - expected).abs() < 1e-6, "{x:?}: {:?} {expected}", sums.weights);
            assert!((mean[0] + mean[1] - 1.0).abs() < 1e-12);
            assert!((sums.faces.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    /// The same among three materials, where two borders may be near.
    #[test]
    fn three_materials_agree_with_numerical_integration() {
        let positions = [0.0, 0.1, 1.0, 0.0, 0.2, 0.9];
        let faces = Faces::new(&positions, 3);
        let shares = [0.1, 0.1, 0.1, 0.15, 0.15, 0.15, 0.25f64];
        let ln_prior = shares.map(f64::ln);
        let mut draws = vec![0.0f64; 80];
        Stream::new(3, "faces test").fill_normal_f64(&mut draws);
        const CELLS: usize = 300;
        let at = |i: usize| (i as f64 + 0.5) / CELLS as f64;
        for (variance, within) in [(0.1, 0.01), (0.01, 2e-3), (1e-3, 2e-4)] {
            let mut worst = [0.0f64; 2];
            for d in draws.chunks_exact(2) {
                let x = [0.4 + 0.5 * d[0], 0.35 + 0.5 * d[1]];
                let density = |w: [f64; 3]| {
                    let off = |j: usize| x[j] - (0..3).map(|k| w[k] * positions[k * 2 + j]).sum::<f64>();
                    (-(off(0).powi(2) + off(1).powi(2)) / (2.0 * variance)).exp() / (std::f64::consts::TAU * variance)
                };
                let mut sums = [0.0f64; 4];
                let mut add = |w: [f64; 3], mass: f64| {
                    let mass = mass * density(w);
                    sums.iter_mut().zip([1.0, w[0], w[1], w[2]]).for_each(|(sum, power)| *sum += mass * power);
                };
                for (face, members) in members(3).iter().enumerate() {
                    let corner = |k: usize| std::array::from_fn(|i| f64::from(u8::from(i == members[k])));
                    let blend = |u: f64, v: f64| -> [f64; 3] {
                        let [a, b]: [[f64; 3]; 2] = [corner(0), corner(members.len() - 1)];
                        let c: [f64; 3] = corner(members.len() / 2);
                        std::array::from_fn(|i| u * a[i] + v * c[i] + (1.0 - u - v) * b[i])
                    };
                    match members.len() {
                        1 => add(corner(0), shares[face]),
                        2 => (0..CELLS).for_each(|i| add(blend(at(i), 0.0), shares[face] / CELLS as f64)),
                        _ => (0..CELLS * CELLS).for_each(|cell| {
                            let u = at(cell / CELLS);
                            // Dirichlet(1) has the density 2 on a triangle of area 1/2
                            let mass = 2.0 * (1.0 - u) / (CELLS * CELLS) as f64;
                            add(blend(u, (1.0 - u) * at(cell % CELLS)), shares[face] * mass);
                        }),
                    }
                }
                let (mut found, mut mean) = (Sums::new(3, 2, 7), vec![0.0; 3]);
                faces.posterior(&x, variance, &ln_prior, &mut Work::default(), &mut found, &mut mean);
                worst[0] = worst[0].max((found.ln_evidence - sums[0].ln()).abs());
                for k in 0..3 {
                    worst[1] = worst[1].max((mean[k] - sums[k + 1] / sums[0]).abs());
                }
            }
            println!("variance {variance}: ln evidence within {:.5}, means within {:.5}", worst[0], worst[1]);
            assert!(worst[1] < within && worst[0] < 0.05, "{variance}: {worst:?}");
        }
    }
}
