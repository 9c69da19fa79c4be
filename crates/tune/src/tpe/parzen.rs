//! [`Parzen`]: a density as a mixture with one kernel for each observation and one for what was known before.
//!
//! A kernel is a product over the parameters. For a number it is a normal density cut off at the ends of the scale and
//! centred on the observation; its width is the greater distance to a neighbour (Bergstra et al. 2011, section 4.2),
//! which is not counted to the ends, and at least 1 / min(100, n + 2) of the scale for n observations ("magic clip",
//! Watanabe 2023, arXiv:2304.11127). On a grid the density is integrated over the bin of a value. For a
//! choice it is the observed one, blurred by 1 / (n + 1) for every choice. The kernel of what was known before is as
//! wide as the scale, or the same for all choices.

use crate::{Distribution, draws::Draws};
use std::f64::consts::{PI, SQRT_2};

/// Weight of what was known before, in observations.
const PRIOR: f64 = 1.0;
/// The scale is never divided finer than this by the least width.
const FINEST: f64 = 100.0;
/// Draws before one that is outside is put on the end. A kernel is centred inside and no wider than the scale, so that
/// at least a third of the draws are inside.
const ATTEMPTS: usize = 1000;

/// A density over some parameters.
#[derive(Debug)]
pub(super) struct Parzen {
    /// Of the kernels, the last one of what was known before; their sum is 1.
    weights: Vec<f64>,
    dimensions: Vec<Dimension>,
}

#[derive(Debug)]
enum Dimension {
    /// Probabilities of the choices, for each kernel.
    Choices(Vec<Vec<f64>>),
    Numbers {
        distribution: Distribution,
        ends: (f64, f64),
        kernels: Vec<Kernel>,
    },
}

/// A normal density on a scale.
#[derive(Debug)]
struct Kernel {
    center: f64,
    width: f64,
    /// Logarithm of its mass between the ends.
    log_mass: f64,
}

impl Parzen {
    /// The density of observations, a row for each with a value for each distribution.
    pub(super) fn new<'a>(
        distributions: impl Iterator<Item = &'a Distribution>,
        observations: &[Vec<f64>],
        weights: &[f64],
    ) -> Self {
        let sum: f64 = weights.iter().sum::<f64>() + PRIOR;
        let weights = weights.iter().chain([&PRIOR]).map(|weight| weight / sum).collect();
        let dimension = |(i, distribution): (usize, &Distribution)| {
            let values: Vec<f64> = observations.iter().map(|row| row[i]).collect();
            match distribution {
                Distribution::Categorical { choices } => Dimension::Choices(blurred(&values, choices.len())),
                _ => Dimension::numbers(distribution, &values),
            }
        };
        Self { weights, dimensions: distributions.enumerate().map(dimension).collect() }
    }

    /// A value for each parameter.
    pub(super) fn sample(&self, draws: &mut Draws) -> Vec<f64> {
        let kernel = draws.index(&self.weights);
        let value = |dimension: &Dimension| match dimension {
            Dimension::Choices(probabilities) => draws.index(&probabilities[kernel]) as f64,
            Dimension::Numbers { distribution, ends: (low, high), kernels } => {
                let Kernel { center, width, .. } = kernels[kernel];
                let mut scaled = center + width * draws.normal();
                for _ in 0..ATTEMPTS {
                    if (*low..=*high).contains(&scaled) {
                        break;
                    }
                    scaled = center + width * draws.normal();
                }
                distribution.of_scale(scaled.clamp(*low, *high))
            }
        };
        self.dimensions.iter().map(value).collect()
    }

    /// Logarithm of the density, on the scale of each number that has no grid.
    pub(super) fn log_density(&self, values: &[f64]) -> f64 {
        let mut terms: Vec<f64> = self.weights.iter().map(|weight| weight.ln()).collect();
        for (dimension, &value) in self.dimensions.iter().zip(values) {
            match dimension {
                Dimension::Choices(probabilities) => {
                    for (term, probabilities) in terms.iter_mut().zip(probabilities) {
                        *term += probabilities[value as usize].ln();
                    }
                }
                Dimension::Numbers { distribution, kernels, .. } => {
                    let (bin, scaled) = (distribution.bin(value), distribution.to_scale(value));
                    for (term, kernel) in terms.iter_mut().zip(kernels) {
                        *term += match bin {
                            Some(bin) => kernel.log_mass_of(bin),
                            None => kernel.log_density(scaled),
                        } - kernel.log_mass;
                    }
                }
            }
        }
        let greatest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if greatest == f64::NEG_INFINITY {
            return greatest;
        }
        greatest + terms.iter().map(|term| (term - greatest).exp()).sum::<f64>().ln()
    }
}

impl Dimension {
    fn numbers(distribution: &Distribution, values: &[f64]) -> Self {
        let ends = distribution.scale();
        let (low, high) = ends;
        let centers: Vec<f64> = values.iter().map(|&value| distribution.to_scale(value)).collect();
        let mut kernels: Vec<Kernel> = centers
            .iter()
            .zip(widths(&centers, low, high))
            .map(|(&center, width)| Kernel { center, width, log_mass: 0.0 })
            .collect();
        kernels.push(Kernel { center: 0.5 * (low + high), width: high - low, log_mass: 0.0 });
        for kernel in &mut kernels {
            kernel.log_mass = kernel.log_mass_of(ends);
        }
        Self::Numbers { distribution: distribution.clone(), ends, kernels }
    }
}

impl Kernel {
    fn log_density(&self, x: f64) -> f64 {
        let z = (x - self.center) / self.width;
        -0.5 * z * z - (self.width * (2.0 * PI).sqrt()).ln()
    }

    fn log_mass_of(&self, (low, high): (f64, f64)) -> f64 {
        let (a, b) = ((low - self.center) / self.width, (high - self.center) / self.width);
        // On the side where the tail is not a difference of numbers near 1.
        let (a, b) = if a > 0.0 { (-b, -a) } else { (a, b) };
        (0.5 * (libm::erfc(-b / SQRT_2) - libm::erfc(-a / SQRT_2))).ln()
    }
}

/// Widths of the kernels in the order of their centres.
fn widths(centers: &[f64], low: f64, high: f64) -> Vec<f64> {
    let n = centers.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| centers[a].total_cmp(&centers[b]));
    let least = (high - low) / FINEST.min(n as f64 + 2.0);
    let mut widths = vec![0.0; n];
    for (place, &i) in order.iter().enumerate() {
        let before = place.checked_sub(1).map(|place| centers[i] - centers[order[place]]);
        let after = order.get(place + 1).map(|&next| centers[next] - centers[i]);
        let width = match (before, after) {
            (None, None) => (centers[i] - low).max(high - centers[i]),
            (before, after) => before.unwrap_or(0.0).max(after.unwrap_or(0.0)),
        };
        widths[i] = width.clamp(least, high - low);
    }
    widths
}

/// Probabilities of the choices, for each observed one and for what was known before.
fn blurred(values: &[f64], choices: usize) -> Vec<Vec<f64>> {
    let blur = PRIOR / (values.len() as f64 + 1.0);
    let sum = 1.0 + blur * choices as f64;
    let observed = values
        .iter()
        .map(|&value| (0..choices).map(|choice| (blur + f64::from(u8::from(choice as f64 == value))) / sum).collect());
    observed.chain([vec![1.0 / choices as f64; choices]]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cupel_data::Stream;

    fn float(low: f64, high: f64, step: Option<f64>, log: bool) -> Distribution {
        Distribution::Float { low, high, step, log }.checked("x").unwrap()
    }

    /// The density over all values of a distribution, or at the middles of 20 000 intervals of its scale.
    fn total(parzen: &Parzen, distribution: &Distribution) -> f64 {
        let (low, high, step) = distribution.range();
        if step > 0.0 {
            let n = ((high - low) / step).round() as usize + 1;
            return (0..n).map(|i| parzen.log_density(&[low + step * i as f64]).exp()).sum();
        }
        let (low, high) = distribution.scale();
        let n = 20_000;
        let width = (high - low) / n as f64;
        let value = |i: usize| distribution.of_scale(low + width * (i as f64 + 0.5));
        (0..n).map(|i| parzen.log_density(&[value(i)]).exp() * width).sum()
    }

    #[test]
    fn densities_integrate_to_one_and_samples_follow_them() {
        let choices = Distribution::Categorical { choices: vec!["a".into(), "b".into(), "c".into()] };
        let cases = [
            (float(-2.0, 3.0, None, false), vec![-2.0, 0.1, 0.11, 3.0, 1.0]),
            (float(1e-5, 1e-1, None, true), vec![1e-5, 3e-3, 1e-1]),
            (float(0.0, 1.0, Some(0.25), false), vec![0.0, 0.0, 0.75]),
            (Distribution::Int { low: 1, high: 30, step: 1, log: true }, vec![1.0, 30.0, 4.0]),
            (Distribution::Int { low: 0, high: 40, step: 5, log: false }, vec![35.0]),
            (choices, vec![2.0, 2.0, 0.0]),
            (float(0.0, 1.0, None, false), vec![]),
        ];
        for (distribution, values) in cases {
            let rows: Vec<Vec<f64>> = values.iter().map(|&value| vec![value]).collect();
            let weights: Vec<f64> = (1..=values.len()).map(|i| i as f64).collect();
            let parzen = Parzen::new([&distribution].into_iter(), &rows, &weights);
            let sum = total(&parzen, &distribution);
            assert!((sum - 1.0).abs() < 1e-6, "{distribution:?} {sum}");

            let mut draws = Draws::new(Stream::new(3, "parzen"));
            let n = 40_000;
            let samples: Vec<f64> = (0..n).map(|_| parzen.sample(&mut draws)[0]).collect();
            assert!(samples.iter().all(|&value| distribution.contains(value)));
            // The share below the middle: exactly, and of the draws to 5 standard deviations.
            let (low, high, step) = distribution.range();
            let middle = distribution.at(0.5);
            let below = if step > 0.0 {
                let steps = ((middle - low) / step).round() as usize;
                (0..steps).map(|i| parzen.log_density(&[low + step * i as f64]).exp()).sum()
            } else {
                let Dimension::Numbers { kernels, .. } = &parzen.dimensions[0] else { unreachable!() };
                let part = (distribution.to_scale(low), distribution.to_scale(middle));
                let shares = kernels.iter().map(|kernel| (kernel.log_mass_of(part) - kernel.log_mass).exp());
                parzen.weights.iter().zip(shares).map(|(weight, share)| weight * share).sum::<f64>()
            };
            let got = samples.iter().filter(|&&value| value < middle - step / 2.0).count() as f64 / f64::from(n);
            let allowed = 5.0 * (below * (1.0 - below) / f64::from(n)).sqrt();
            assert!((got - below).abs() <= allowed, "{distribution:?} {got} {below} {high}");
        }
    }

    #[test]
    fn widths_are_distances_to_neighbours() {
        // Magic clip: at least 10 / (3 + 2).
        assert_eq!(widths(&[5.0, 1.0, 9.5], 0.0, 10.0), [4.5, 4.0, 4.5]);
        assert_eq!(widths(&[5.0, 4.9, 5.1], 0.0, 10.0), [2.0, 2.0, 2.0]);
        assert_eq!(widths(&[3.0], 0.0, 10.0), [7.0]);
        assert_eq!(widths(&[], 0.0, 10.0), Vec::<f64>::new());
    }

    #[test]
    fn the_joint_density_knows_which_values_go_together() {
        let unit = float(0.0, 1.0, None, false);
        let rows = [vec![0.1, 0.9], vec![0.12, 0.88], vec![0.9, 0.1], vec![0.88, 0.12]];
        let parzen = Parzen::new([&unit, &unit].into_iter(), &rows, &[1.0; 4]);
        assert!(parzen.log_density(&[0.1, 0.9]) > parzen.log_density(&[0.1, 0.1]) + 0.3);
    }
}
