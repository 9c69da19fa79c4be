//! The posterior of pixels on the faces of a simplex, as [`Faces`] has it, by tensors: some pixels and all faces of one size at once.
//!
//! Tensors are of f32, so that nothing may be a small difference of large numbers. What is added up over pixels are residuals from the mixtures
//! of their mean shares, not spectra.

mod cut_off;

use burn::tensor::{Device, Tensor, TensorData};

use self::cut_off::{Rule, between, inside};
use super::{
    faces::{Faces, OneSize, Sums},
    plane::Plane,
};
use crate::{Result, networks::values};

/// Most pixels times faces of one size that are looked at together, each with the nodes of a [`Rule`].
const AT_ONCE: usize = 1 << 18;

/// What some points say together, and their mean shares, as [`pass`](super::posterior::pass) on the host.
///
/// # Errors
/// A device that cannot be read.
pub(crate) fn pass(
    device: &Device,
    plane: &Plane,
    (positions, count): (&[f64], usize),
    ln_faces: &[f64],
    chosen: Option<&[usize]>,
    inflation: f64,
) -> Result<(Sums, Vec<f64>)> {
    let rank = plane.rank();
    let faces = Faces::new(positions, count);
    let mut groups = Vec::new();
    let mut first = 0;
    for of in faces.by_size() {
        groups.push(Group::new(&of, &ln_faces[first..first + of.constants.len()], (count, rank), device));
        first += of.constants.len();
    }
    let widest = groups.iter().map(|group| group.faces).max().unwrap_or(1);
    let all: Vec<usize> = chosen.map_or_else(|| (0..plane.count()).collect(), <[usize]>::to_vec);
    let (rule, simplex) = (Rule::new(device), tensor(positions, [count, rank], device));
    let mut total = Sums::new(count, rank, ln_faces.len());
    let mut means = Vec::with_capacity(all.len() * count);
    for pixels in all.chunks((AT_ONCE / widest).max(1)) {
        let points: Vec<f64> = pixels.iter().flat_map(|&n| &plane.points[n * rank..(n + 1) * rank]).copied().collect();
        let variances: Vec<f64> = pixels.iter().map(|&n| inflation * plane.variances[n]).collect();
        let points = tensor(&points, [pixels.len(), rank], device);
        let ln_density: f64 = variances.iter().map(|v| -0.5 * rank as f64 * (std::f64::consts::TAU * v).ln()).sum();
        let variances = tensor(&variances, [pixels.len(), 1], device);
        let (sums, mean) = together(&groups, (&points, &variances), &simplex, &rule)?;
        total.add(&sums.about(positions, ln_density));
        means.extend(mean);
    }
    Ok((total, means))
}

/// Sums over pixels of posterior covariances and of products of mean shares and residuals, all divided by the variance of the noise.
struct Residuals {
    covariances: Vec<f64>,
    means: Vec<f64>,
    crosses: Vec<f64>,
    squares: f64,
    faces: Vec<f64>,
    ln_evidence: f64,
}

impl Residuals {
    /// The same in terms of points: `x = W C + e`.
    fn about(self, positions: &[f64], ln_density: f64) -> Sums {
        let count = self.means.len().isqrt();
        let rank = positions.len() / count;
        let along = |k: usize, j: usize| -> f64 {
            (0..count).map(|l| self.means[k * count + l] * positions[l * rank + j]).sum::<f64>()
        };
        let mixed: Vec<f64> = (0..count * rank).map(|at| along(at / rank, at % rank)).collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        Sums {
            weights: self.covariances.iter().zip(&self.means).map(|(c, m)| c + m).collect(),
            squares: self.squares + dot(&mixed, positions) + 2.0 * dot(&self.crosses, positions),
            weighted: mixed.iter().zip(&self.crosses).map(|(m, c)| m + c).collect(),
            faces: self.faces,
            ln_evidence: self.ln_evidence + ln_density,
        }
    }
}

/// All pixels of one part: `points` are `pixels x rank`, `variances` `pixels x 1`.
fn together(
    groups: &[Group],
    (points, variances): (&Tensor<2>, &Tensor<2>),
    simplex: &Tensor<2>,
    rule: &Rule,
) -> Result<(Residuals, Vec<f64>)> {
    let ([pixels, _], [count, _]) = (points.dims(), simplex.dims());
    let cuts: Vec<Cut> = groups.iter().map(|group| group.cut(points, variances, rule)).collect();
    // [face, pixel]
    let evidence = Tensor::cat(cuts.iter().map(|cut| cut.ln_evidence.clone()).collect(), 0);
    let best = evidence.clone().max_dim(0);
    let likelihoods = (evidence - best.clone()).exp();
    let all = likelihoods.clone().sum_dim(0);
    let probabilities = likelihoods / all.clone();
    let mut mean = Tensor::<2>::zeros([pixels, count], &points.device());
    let mut spread = Vec::with_capacity(groups.len());
    let mut first = 0;
    for (group, cut) in groups.iter().zip(cuts) {
        // [face, pixel, 1]
        let own = probabilities.clone().narrow(0, first, group.faces).unsqueeze_dim::<3>(2);
        let shares = cut.mean.matmul(group.members.clone()); // [face, pixel, material]
        mean = mean + (own.clone() * shares.clone()).sum_dim(0).reshape([pixels, count]);
        spread.push((own, shares, cut.covariance));
        first += group.faces;
    }
    let ln_evidence: f64 = values(best + all.log())?.iter().sum();
    let faces = values(probabilities.sum_dim(1))?;
    let mut covariances = vec![0.0; count * count];
    for (group, (own, shares, covariance)) in groups.iter().zip(spread) {
        let weight = own / variances.clone().unsqueeze::<3>();
        let apart = shares - mean.clone().unsqueeze::<3>();
        let between = (apart.clone() * weight.clone()).swap_dims(1, 2).matmul(apart); // [face, material, material]
        covariances.iter_mut().zip(values(between.sum_dim(0))?).for_each(|(sum, value)| *sum += value);
        let size = group.size;
        let within = covariance.reshape([group.faces, pixels, size * size]) * weight;
        for (at, value) in values(within.sum_dim(1))?.into_iter().enumerate() {
            let (face, i, j) = (at / (size * size), at / size % size, at % size);
            covariances[group.of[face * size + i] * count + group.of[face * size + j]] += value;
        }
    }
    let residual = points.clone() - mean.clone().matmul(simplex.clone());
    let weighted = (mean.clone() / variances.clone()).transpose();
    let residuals = Residuals {
        covariances,
        means: values(weighted.clone().matmul(mean.clone()))?,
        crosses: values(weighted.matmul(residual.clone()))?,
        squares: values((residual.clone() * residual / variances.clone()).sum())?.iter().sum(),
        faces,
        ln_evidence,
    };
    Ok((residuals, values(mean)?))
}

/// All faces of one size, as tensors.
struct Group {
    faces: usize,
    size: usize,
    /// Materials of each face.
    of: Vec<usize>,
    /// One at the material of each member, `[face, size, material]`.
    members: Tensor<3>,
    /// The last member, `[face, 1, rank]`.
    last: Tensor<3>,
    /// What the others are beside it, `[face, size - 1, rank]`, and the map from points to their shares, `[face, rank, size - 1]`.
    edges: Option<(Tensor<3>, Tensor<3>)>,
    /// Covariance of the shares in noise of unit variance, `[face, 1, size * size]`.
    unit: Tensor<3>,
    /// Logarithm of the prior, with what the volume has to do with the evidence, `[face, 1]`.
    constant: Tensor<2>,
}

/// What is left of the pixels on each face.
struct Cut {
    /// `[face, pixel]`.
    ln_evidence: Tensor<2>,
    /// `[face, pixel, size]`.
    mean: Tensor<3>,
    /// `[face * pixel, size, size]`.
    covariance: Tensor<3>,
}

impl Group {
    fn new(of: &OneSize, ln_prior: &[f64], (count, rank): (usize, usize), device: &Device) -> Self {
        let (faces, size) = (of.constants.len(), of.size);
        let mut members = vec![0.0; faces * size * count];
        of.members.iter().enumerate().for_each(|(at, k)| members[at * count + k] = 1.0);
        let constant: Vec<f64> = of.constants.iter().zip(ln_prior).map(|(c, p)| c + p).collect();
        let edges = (size > 1).then(|| {
            let shape = [faces, size - 1, rank];
            (tensor(&of.edges, shape, device), tensor(&of.maps, shape, device).swap_dims(1, 2))
        });
        Self {
            faces,
            size,
            of: of.members.clone(),
            members: tensor(&members, [faces, size, count], device),
            last: tensor(&of.last, [faces, 1, rank], device),
            edges,
            unit: tensor(&of.units, [faces, 1, size * size], device),
            constant: tensor(&constant, [faces, 1], device),
        }
    }

    fn cut(&self, points: &Tensor<2>, variances: &Tensor<2>, rule: &Rule) -> Cut {
        let ([pixels, _], &Self { faces, size, .. }) = (points.dims(), self);
        let (flat, device) = (faces * pixels, points.device());
        let offset = points.clone().unsqueeze::<3>() - self.last.clone(); // [face, pixel, rank]
        let (shares, residual) = match &self.edges {
            None => (Tensor::ones([faces, pixels, 1], &device), offset),
            Some((edges, map)) => {
                let first = offset.clone().matmul(map.clone());
                let residual = offset - first.clone().matmul(edges.clone());
                let rest = first.clone().sum_dim(2).neg() + 1.0;
                (Tensor::cat(vec![first, rest], 2), residual)
            }
        };
        let square = (residual.clone() * residual).sum_dim(2).reshape([faces, pixels]);
        let variance = variances.clone().transpose(); // [1, pixel]
        let free = 0.5 * (size - 1) as f64;
        let widths = (variance.clone() * std::f64::consts::TAU).log() * free;
        let most = self.constant.clone() + widths - square * 0.5 / variance;
        let covariance = self.unit.clone() * variances.clone().unsqueeze::<3>(); // [face, pixel, size * size]
        let shares = shares.reshape([flat, size, 1]);
        let covariance = covariance.reshape([flat, size, size]);
        let (ln_inside, mean, covariance) = match size {
            1 => (Tensor::zeros([flat, 1, 1], &device), shares, covariance.zeros_like()),
            2 => between(shares, covariance, rule),
            _ => inside(shares, covariance, rule),
        };
        Cut {
            ln_evidence: most + ln_inside.reshape([faces, pixels]),
            mean: mean.reshape([faces, pixels, size]),
            covariance,
        }
    }
}

fn tensor<const D: usize>(values: &[f64], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.iter().map(|v| *v as f32).collect::<Vec<_>>(), shape), device)
}
