//! [`SmoothPupil`]: a pupil that is a smooth function, found by least squares from all exposures of a sweep.
//!
//! Light that the object does not scatter passes the pupil at one place for each light, and is so bright that it alone tells the pupil there.
//! A pupil that is free at every place follows it at these places only, explains exactly the exposures it is fitted to, and no others.
//! Lenses are smooth: the logarithm of the pupil is
//! ```text
//! ln P(u) = sum_j a_j |u|^2j + i sum_k f_k Z_k(u)
//! ```
//! with few powers of the radius for what is absorbed and Zernike polynomials for the phase. The changes `d_i` that the exposures of a sweep want
//! of the field behind the pupil, `P S_i`, give the coefficients by one step of Gauss and Newton,
//! ```text
//! min sum_i |P S_i (sum a_j |u|^2j + i sum f_k Z_k) - d_i|^2,
//! ```
//! in which absorption and phase do not meet, as one asks for real and the other for imaginary parts.

use num_complex::Complex;

use crate::{Plane, zernike};

/// Share of the mean diagonal that is added to it: what light does not tell stays.
const RIDGE: f64 = 1e-3;

/// Sums over the exposures of a sweep.
#[derive(Clone, Debug)]
pub(crate) struct SmoothPupil {
    /// Places that light passes.
    open: Vec<usize>,
    absorption: Vec<Vec<f64>>,
    phase: Vec<Vec<f64>>,
    /// `sum conj(S_i) d_i` and `sum |S_i|^2` at each of them.
    wanted: Vec<Complex<f64>>,
    light: Vec<f64>,
}

impl SmoothPupil {
    /// For the places that light passes, with phases by Zernike polynomials up to this order, and so many powers of the squared radius.
    pub(crate) fn new(pupil: &Plane, order: usize, powers: usize) -> Self {
        let columns = pupil.columns();
        let open: Vec<usize> =
            pupil.values().iter().enumerate().filter(|(_, value)| value.norm_sqr() > 0.0).map(|(at, _)| at).collect();
        let from_middle = |at: &usize| {
            [(at / columns) as f64 - (pupil.rows() / 2) as f64, (at % columns) as f64 - (columns / 2) as f64]
        };
        let radius = open.iter().map(from_middle).map(|[y, x]| y.hypot(x)).fold(1.0, f64::max);
        let over = |of: &dyn Fn(f64, f64) -> f64| -> Vec<f64> {
            open.iter().map(from_middle).map(|[y, x]| of(y / radius, x / radius)).collect()
        };
        let absorption = (0..=powers).map(|j| over(&|y, x| (y * y + x * x).powi(j as i32))).collect();
        let phase = (1..=(order + 1) * (order + 2) / 2).map(|j| over(&|y, x| zernike(j, y, x))).collect();
        let count = open.len();
        Self { open, absorption, phase, wanted: vec![Complex::new(0.0, 0.0); count], light: vec![0.0; count] }
    }

    /// Adds what one exposure wants: the window of the spectrum, and the change of the field behind the pupil.
    pub(crate) fn add(&mut self, cut: &[Complex<f32>], change: &[Complex<f32>]) {
        for ((at, wanted), light) in self.open.iter().zip(&mut self.wanted).zip(&mut self.light) {
            let wants = cut[*at].conj() * change[*at];
            *wanted += Complex::new(f64::from(wants.re), f64::from(wants.im));
            *light += f64::from(cut[*at].norm_sqr());
        }
    }

    /// Corrects the pupil by this share of what was wanted, and forgets it.
    pub(crate) fn correct(&mut self, pupil: &mut [Complex<f32>], share: f64) {
        let wide = |value: Complex<f32>| Complex::new(f64::from(value.re), f64::from(value.im));
        let own: Vec<Complex<f64>> = self.open.iter().map(|at| wide(pupil[*at])).collect();
        let light: Vec<f64> = own.iter().zip(&self.light).map(|(own, light)| own.norm_sqr() * light).collect();
        let wanted: Vec<Complex<f64>> = own.iter().zip(&self.wanted).map(|(own, wants)| own.conj() * wants).collect();
        let real: Vec<f64> = wanted.iter().map(|wants| wants.re).collect();
        let imaginary: Vec<f64> = wanted.iter().map(|wants| wants.im).collect();
        let absorbed = fitted(&self.absorption, &light, &real);
        let turned = fitted(&self.phase, &light, &imaginary);
        for (((at, own), absorbed), turned) in self.open.iter().zip(&own).zip(&absorbed).zip(&turned) {
            let value = own * (Complex::new(*absorbed, *turned) * share).exp();
            pupil[*at] = Complex::new(value.re as f32, value.im as f32);
        }
        self.wanted.fill(Complex::new(0.0, 0.0));
        self.light.fill(0.0);
    }
}

/// The sum of functions `g` that makes `sum light g^2 - 2 wanted g` least.
fn fitted(functions: &[Vec<f64>], light: &[f64], wanted: &[f64]) -> Vec<f64> {
    let n = functions.len();
    let mut normal = vec![0.0; n * n];
    let mut right = vec![0.0; n];
    for (a, of_a) in functions.iter().enumerate() {
        let weighted: Vec<f64> = of_a.iter().zip(light).map(|(value, light)| value * light).collect();
        for (b, of_b) in functions.iter().enumerate().take(a + 1) {
            let sum = weighted.iter().zip(of_b).map(|(x, y)| x * y).sum();
            normal[a * n + b] = sum;
            normal[b * n + a] = sum;
        }
        right[a] = of_a.iter().zip(wanted).map(|(x, y)| x * y).sum();
    }
    let trace: f64 = (0..n).map(|a| normal[a * n + a]).sum();
    let mut sum = vec![0.0; light.len()];
    if trace <= 0.0 {
        return sum;
    }
    (0..n).for_each(|a| normal[a * n + a] += RIDGE * trace / n as f64);
    for (coefficient, function) in solved(normal, right).iter().zip(functions) {
        sum.iter_mut().zip(function).for_each(|(sum, value)| *sum += coefficient * value);
    }
    sum
}

/// Solves a positive definite system by elimination.
pub(crate) fn solved(mut matrix: Vec<f64>, mut right: Vec<f64>) -> Vec<f64> {
    let n = right.len();
    for pivot in 0..n {
        for row in pivot + 1..n {
            let factor = matrix[row * n + pivot] / matrix[pivot * n + pivot];
            for column in pivot..n {
                matrix[row * n + column] -= factor * matrix[pivot * n + column];
            }
            right[row] -= factor * right[pivot];
        }
    }
    for pivot in (0..n).rev() {
        for column in pivot + 1..n {
            right[pivot] -= matrix[pivot * n + column] * right[column];
        }
        right[pivot] /= matrix[pivot * n + pivot];
    }
    right
}
