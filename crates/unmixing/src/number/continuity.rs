//! How the spectra of a scene continue from pixel to pixel, and how far its directions stick out.
//!
//! Noise, and deviations of a material that every pixel has for itself, differ between neighbours; abundances do so only at borders. Of the
//! directions beyond noise those are therefore sought that continue best: maximum autocorrelation factors (P. Switzer, A. A. Green, Stanford
//! University Technical Report 6, 1984), by half the mean square difference between neighbours as the noise, which may then have any
//! correlation between bands. Where they end at once, as many materials are mixed as there are before the end, or a few less, where light
//! that meets several materials adds directions of its own. Where they fade slowly, materials vary from place to place, and nothing
//! follows from their number.

use cupel_pca::{Eigen, symmetric_eigen};

use crate::{Image, Moments, Noise, Pixels, Result, Subspace, spa, virtual_dimension::whitened_eigen};

/// Strongest directions beyond noise that are looked at.
const LOOKED_AT: usize = 25;
/// Fewer pairs of neighbours along rows or columns say nothing.
const FEWEST_PAIRS: usize = 200;
/// A direction continues if neighbours are correlated by this much, along rows and columns.
const CONTINUES: f64 = 0.2;
/// A correlation between these is neither that of noise nor clearly another; more directions than so many of them fade slowly.
const BETWEEN: (f64, f64) = (0.12, 0.5);
const MOST_BETWEEN: usize = 3;
/// Along columns so much more correlated than along rows, or the other way round, is a stripe of the instrument.
const STRIPE: f64 = 0.3;
/// Logarithm of the odds that a direction is a material: one, that of `c / (1 - c)` of its correlation `c`, and the decimal one of how far it
/// sticks out of the others. Fitted to scenes like those of the proving ground for choosing (`docs/results.md`).
const ODDS: [f64; 3] = [2.757, 1.22, 2.268];
/// Correlations are this far from nought and one for the odds, and lengths this long at least.
const SURE: f64 = 0.03;
const SHORTEST: f64 = 0.01;

/// What neighbours and lengths say of the number of directions.
#[derive(Clone, Debug)]
pub(crate) struct Continuity {
    /// The most continuous first.
    correlations: Vec<f64>,
    /// How far each of those that continue sticks out of the ones before, relative to unit length.
    lengths: Vec<f64>,
    /// Directions that stripes add.
    pub(crate) stripes: usize,
}

impl Continuity {
    /// Of an image; none where too few pixels have neighbours.
    pub(crate) fn of(image: &Image, moments: &Moments, noise: &Noise) -> Result<Option<Self>> {
        let beyond = Beyond::noise(moments, noise)?;
        let rank = beyond.rank().min(LOOKED_AT);
        let coordinates = beyond.coordinates(image.pixels(), rank);
        let [rows, columns] = differences(image, &coordinates, rank);
        let (Some(rows), Some(columns)) = (rows, columns) else { return Ok(None) };
        let between: Vec<f64> = rows.iter().zip(&columns).map(|(a, b)| 0.5 * (a + b)).collect();
        let factors = Factors::of(&beyond.eigen.values[..rank], &between, rank)?;
        let along = |differences: &[f64]| -> Vec<f64> {
            let power = |v: &Vec<f64>| {
                let rows = differences.chunks_exact(rank).zip(v);
                rows.map(|(row, vi)| vi * row.iter().zip(v).map(|(d, vj)| d * vj).sum::<f64>()).sum::<f64>()
            };
            factors.directions.iter().zip(&factors.powers).map(|(v, all)| 1.0 - power(v) / all).collect()
        };
        let pairs: Vec<(f64, f64)> = along(&rows).into_iter().zip(along(&columns)).collect();
        let mut order: Vec<usize> = (0..rank).filter(|&i| (pairs[i].0 - pairs[i].1).abs() <= STRIPE).collect();
        let stripes = rank - order.len();
        let least = |i: usize| pairs[i].0.min(pairs[i].1);
        order.sort_by(|&a, &b| least(b).total_cmp(&least(a)));
        let correlations: Vec<f64> = order.iter().map(|&i| least(i)).collect();
        let continuing = correlations.iter().take_while(|c| **c > CONTINUES).count();
        let kept: Vec<Vec<f64>> = order[..continuing].iter().map(|&i| factors.shape(i, &beyond.eigen.values)).collect();
        let lengths = lengths(&beyond, image.pixels(), &kept);
        Ok(Some(Self { correlations, lengths, stripes }))
    }

    /// How many directions continue before they end at once; none where nothing continues but the mean, or they fade slowly.
    pub(crate) fn ends(&self) -> Option<usize> {
        let continuing = self.lengths.len();
        let between = self.correlations.iter().filter(|c| (BETWEEN.0..BETWEEN.1).contains(*c)).count();
        (continuing > 1 && continuing < self.correlations.len() && between <= MOST_BETWEEN).then_some(continuing)
    }

    /// The most probable number of materials: of all numbers that for which the directions before are materials and those behind are none.
    pub(crate) fn materials(&self) -> usize {
        let logit = |c: f64| (c / (1.0 - c)).ln();
        let directions = self.correlations.iter().zip(&self.lengths).skip(1);
        let odds = directions.map(|(c, length)| {
            ODDS[0] + ODDS[1] * logit(c.clamp(SURE, 1.0 - SURE)) + ODDS[2] * length.max(SHORTEST).log10()
        });
        // the logarithm of the probability, but for what all numbers have in common, is the sum of the odds before
        let (mut best, mut sum) = ((0.0, 1), 0.0);
        for (i, odds) in odds.enumerate() {
            sum += odds;
            if sum > best.0 {
                best = (sum, i + 2);
            }
        }
        best.1
    }
}

/// How far each of the `count` strongest directions beyond noise sticks out, where pixels have no neighbours.
pub(crate) fn lengths_of_strongest(
    pixels: &Pixels,
    moments: &Moments,
    noise: &Noise,
    count: usize,
) -> Result<Vec<f64>> {
    let beyond = Beyond::noise(moments, noise)?;
    let rank = beyond.rank().min(count);
    let unit = |i: usize| (0..rank).map(|j| f64::from(u8::from(i == j))).collect();
    Ok(lengths(&beyond, pixels, &(0..rank).map(unit).collect::<Vec<Vec<f64>>>()))
}

/// Directions in units of the noise of each band, the strongest first.
struct Beyond {
    eigen: Eigen,
    noise: Vec<f64>,
}

impl Beyond {
    fn noise(moments: &Moments, noise: &Noise) -> Result<Self> {
        let (eigen, noise) = whitened_eigen(moments, noise)?;
        Ok(Self { eigen, noise })
    }

    fn rank(&self) -> usize {
        self.eigen.vectors.len()
    }

    /// Coordinates of every pixel along the first `rank`.
    fn coordinates(&self, pixels: &Pixels, rank: usize) -> Vec<f64> {
        let scaled = |v: &Vec<f64>| v.iter().zip(&self.noise).map(|(v, noise)| v / noise).collect();
        let basis = self.eigen.vectors[..rank].iter().map(scaled).collect();
        Subspace::from_basis(basis, pixels.bands()).project(pixels)
    }

    /// The spectrum with these coordinates.
    fn spectrum(&self, coordinates: &[f64]) -> Vec<f64> {
        let value = |(band, noise): (usize, &f64)| {
            noise * coordinates.iter().zip(&self.eigen.vectors).map(|(c, v)| c * v[band]).sum::<f64>()
        };
        self.noise.iter().enumerate().map(value).collect()
    }
}

/// Directions that continue best: uncorrelated, with their powers.
struct Factors {
    directions: Vec<Vec<f64>>,
    powers: Vec<f64>,
}

impl Factors {
    /// Of coordinates that are uncorrelated with these `powers`, by half the mean square `between` neighbours (`rank x rank`).
    fn of(powers: &[f64], between: &[f64], rank: usize) -> Result<Self> {
        let noise = symmetric_eigen(between, rank)?;
        let least = 1e-12 * noise.values.first().copied().unwrap_or(1.0).max(f64::MIN_POSITIVE);
        let scale: Vec<f64> = noise.values.iter().map(|v| 1.0 / v.max(least).sqrt()).collect();
        // in units of the noise between neighbours
        let mut signal = vec![0.0; rank * rank];
        for (at, s) in signal.iter_mut().enumerate() {
            let (i, j) = (at / rank, at % rank);
            let product: f64 = (0..rank).map(|k| noise.vectors[i][k] * powers[k] * noise.vectors[j][k]).sum();
            *s = scale[i] * product * scale[j];
        }
        let found = symmetric_eigen(&signal, rank)?;
        let back = |v: &Vec<f64>| -> Vec<f64> {
            (0..rank).map(|k| (0..rank).map(|i| noise.vectors[i][k] * scale[i] * v[i]).sum()).collect()
        };
        let powers = found.values.iter().map(|v| v.max(f64::MIN_POSITIVE)).collect();
        Ok(Self { directions: found.vectors.iter().map(back).collect(), powers })
    }

    /// What a pixel has of direction `i` for each unit along it, as coordinates.
    fn shape(&self, i: usize, powers: &[f64]) -> Vec<f64> {
        self.directions[i].iter().zip(powers).map(|(v, power)| v * power / self.powers[i]).collect()
    }
}

/// Half the mean square differences (`rank x rank`) between neighbours in a row, and between those in a column; none where these are few.
fn differences(image: &Image, coordinates: &[f64], rank: usize) -> [Option<Vec<f64>>; 2] {
    let (usable, columns) = (image.usable(), image.columns());
    let mut number = vec![usize::MAX; image.rows() * columns];
    usable.places().enumerate().for_each(|(n, place)| number[place] = n);
    [(1, columns > 1), (columns, image.rows() > 1)].map(|(step, has_any)| {
        let (mut sum, mut pairs, mut left) = (vec![0.0; rank * rank], 0_usize, vec![0.0; rank]);
        for (n, place) in usable.places().enumerate().filter(|_| has_any) {
            let next = place + step;
            if (step == 1 && next % columns == 0) || number.get(next).is_none_or(|&other| other == usize::MAX) {
                continue;
            }
            let own = &coordinates[n * rank..(n + 1) * rank];
            let other = &coordinates[number[next] * rank..][..rank];
            left.iter_mut().zip(own.iter().zip(other)).for_each(|(l, (a, b))| *l = a - b);
            for (row, a) in sum.chunks_exact_mut(rank).zip(&left) {
                row.iter_mut().zip(&left).for_each(|(s, b)| *s += a * b);
            }
            pairs += 1;
        }
        sum.iter_mut().for_each(|s| *s /= 2.0 * pairs.max(1) as f64);
        (pairs >= FEWEST_PAIRS).then_some(sum)
    })
}

/// How far the pixels, of unit length within the space of these directions, stick out of it one after the other: what
/// [successive projections](crate::spa) leave of the longest.
fn lengths(beyond: &Beyond, pixels: &Pixels, directions: &[Vec<f64>]) -> Vec<f64> {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    for direction in directions {
        let mut spectrum = beyond.spectrum(direction);
        // twice is enough (Kahan)
        for _ in 0..2 {
            for unit in &basis {
                let along: f64 = spectrum.iter().zip(unit).map(|(s, u)| s * u).sum();
                spectrum.iter_mut().zip(unit).for_each(|(s, u)| *s -= along * u);
            }
        }
        let length = norm(&spectrum).max(f64::MIN_POSITIVE);
        basis.push(spectrum.into_iter().map(|s| s / length).collect());
    }
    let rank = basis.len();
    if rank == 0 {
        return Vec::new();
    }
    let mut rows = Subspace::from_basis(basis, pixels.bands()).project(pixels);
    for row in rows.chunks_exact_mut(rank) {
        let length = norm(row).max(f64::MIN_POSITIVE);
        row.iter_mut().for_each(|v| *v /= length);
    }
    spa::remaining(&mut rows, rank, rank).into_iter().map(|(_, length)| length).collect()
}
