//! Sobol points: every block of 2^k of them, aligned, is spread evenly over the unit cube.
//!
//! Sobol' 1967, doi:10.1016/0041-5553(67)90144-9, in the order of Gray codes (Antonov and Saleev 1979,
//! doi:10.1016/0041-5553(79)90085-5), with the direction numbers of Joe and Kuo 2008, doi:10.1137/070709359. Scrambled
//! by a random lower triangular matrix for each dimension (Matoušek 1998, doi:10.1006/jcom.1998.0489) and a digital
//! shift, which keeps the evenness and takes away the regular pattern and the point at the origin.

mod directions;

use cupel_data::Stream;
use directions::DIRECTIONS;

/// Dimensions of the table, with the first one, which needs no numbers.
pub(crate) const DIMENSIONS: usize = DIRECTIONS.len() + 1;
/// Digits of a coordinate. The points repeat after 2^32.
const BITS: usize = 32;

/// A coordinate of a scrambled point, in (0, 1).
pub(crate) fn scrambled(index: u64, dimension: usize, stream: Stream) -> f64 {
    let stream = stream.child(dimension as u64);
    // Row i of the matrix: a one on the diagonal and random digits before it.
    let row = |i: usize| {
        let before = !(u32::MAX >> i);
        (stream.u64(i as u64) as u32 & before) | (1 << (BITS - 1 - i))
    };
    let rows: [u32; BITS] = std::array::from_fn(row);
    let plain = digits(index, dimension);
    let turned = (0..BITS).fold(0, |sum, i| sum << 1 | (rows[i] & plain).count_ones() & 1);
    let shifted = turned ^ stream.u64(BITS as u64) as u32;
    (f64::from(shifted) + 0.5) / 2_f64.powi(BITS as i32)
}

/// The binary digits of a coordinate of a point.
fn digits(index: u64, dimension: usize) -> u32 {
    let code = index ^ index >> 1;
    let directions = directions(dimension);
    (0..BITS).filter(|bit| code >> bit & 1 == 1).fold(0, |sum, bit| sum ^ directions[bit])
}

/// The direction numbers of a dimension as binary fractions.
fn directions(dimension: usize) -> [u32; BITS] {
    let mut v = [0; BITS];
    let Some((coefficients, first)) = dimension.checked_sub(1).and_then(|row| DIRECTIONS.get(row)) else {
        return std::array::from_fn(|i| 1 << (BITS - 1 - i));
    };
    let degree = first.len();
    for i in 0..BITS {
        v[i] = match first.get(i) {
            Some(m) => m << (BITS - 1 - i),
            None => {
                let mut next = v[i - degree] ^ v[i - degree] >> degree;
                for k in 1..degree {
                    if coefficients >> (degree - 1 - k) & 1 == 1 {
                        next ^= v[i - k];
                    }
                }
                next
            }
        };
    }
    v
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.qmc.Sobol(64, scramble=False).random(1024)` of SciPy 1.17.1: points 1 to 4 and 1023 in the
    /// dimensions 1, 2, 3, 5, 21 and 64.
    #[test]
    fn first_points_of_scipy() {
        let golden = [
            (1, [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]),
            (2, [0.75, 0.25, 0.25, 0.75, 0.25, 0.75]),
            (3, [0.25, 0.75, 0.75, 0.25, 0.75, 0.25]),
            (4, [0.375, 0.375, 0.625, 0.375, 0.125, 0.125]),
            (1023, [0.0009765625, 0.7529296875, 0.6123046875, 0.1865234375, 0.8662109375, 0.0400390625]),
        ];
        for (index, point) in golden {
            for (dimension, expected) in [0, 1, 2, 4, 20, 63].into_iter().zip(point) {
                let got = f64::from(digits(index, dimension)) / 2_f64.powi(32);
                assert_eq!(got, expected, "point {index}, dimension {}", dimension + 1);
            }
        }
    }

    #[test]
    fn scrambled_points_are_even_in_each_dimension_and_in_pairs_of_the_first() {
        let stream = Stream::new(5, "sobol");
        for dimension in 0..DIMENSIONS {
            // Exactly one of 256 points in each interval of 1/256.
            let mut seen = [false; 256];
            (0..256).for_each(|i| seen[(scrambled(i, dimension, stream) * 256.0) as usize] = true);
            assert!(seen.iter().all(|&seen| seen), "{dimension}");
        }
        // The first two dimensions are a (0, k, 2)-net: one of 256 points in each of 16 x 16 squares.
        let mut seen = [false; 256];
        for i in 0..256 {
            let [x, y] = [0, 1].map(|dimension| (scrambled(i, dimension, stream) * 16.0) as usize);
            seen[16 * x + y] = true;
        }
        assert!(seen.iter().all(|&seen| seen));
        assert_ne!(scrambled(7, 3, stream), scrambled(7, 3, Stream::new(6, "sobol")));
    }

    /// The centred L2 discrepancy (Hickernell 1998) of 128 points in 6 dimensions is far below that of random points.
    #[test]
    fn discrepancy_is_below_that_of_random_points() {
        fn discrepancy(points: &[Vec<f64>]) -> f64 {
            let n = points.len() as f64;
            let (mut once, mut twice) = (0.0, 0.0);
            for a in points {
                once += a.iter().map(|x| 1.0 + 0.5 * (x - 0.5).abs() - 0.5 * (x - 0.5).powi(2)).product::<f64>();
                for b in points {
                    let factor = |(x, y): (&f64, &f64)| {
                        1.0 + 0.5 * (x - 0.5).abs() + 0.5 * (y - 0.5).abs() - 0.5 * (x - y).abs()
                    };
                    twice += a.iter().zip(b).map(factor).product::<f64>();
                }
            }
            (13_f64 / 12.0).powi(points[0].len() as i32) - 2.0 / n * once + twice / (n * n)
        }
        let sobol: Vec<Vec<f64>> =
            (0..128).map(|i| (0..6).map(|d| scrambled(i, d, Stream::new(1, "sobol"))).collect()).collect();
        let random = Stream::new(1, "random");
        let random: Vec<Vec<f64>> = (0..128)
            .map(|i| (0..6).map(|d| (random.u64(i * 6 + d) >> 11) as f64 / (1_u64 << 53) as f64).collect())
            .collect();
        assert!(discrepancy(&sobol) < 0.2 * discrepancy(&random), "{} {}", discrepancy(&sobol), discrepancy(&random));
    }
}
