//! Brightness and background of one exposure, and how much of it a field leaves.
//!
//! Of the intensities `|z|^2` behind a window a detector sees `f |z|^2 + b`. Both numbers follow by least squares from the counts, each pixel
//! weighed by the inverse of what it should have, as counts vary.

use super::forward::Value;

/// Share of the mean of an exposure that is added to what weights are the inverse of: dim pixels do not decide alone.
const DIM: f64 = 1e-2;
/// Lights differ by factors, not by powers of ten: beyond that the field is wrong and not the light.
const FACTORS: [f64; 2] = [0.1, 10.0];

/// The amplitude that a field should have without the brightness and the background of its exposure.
pub(super) fn plain(wanted: f32, [flux, background]: [f64; 2]) -> f32 {
    if flux == 1.0 && background == 0.0 {
        return wanted; // to the bit
    }
    ((f64::from(wanted).powi(2) - background).max(0.0) / flux).sqrt() as f32
}

/// Differences of amplitudes, and amplitudes, summed over the pixels that count.
pub(super) fn misfit(
    field: &[Value],
    wanted: &[f32],
    [flux, background]: [f64; 2],
    counts: impl Fn(usize) -> bool,
) -> (f64, f64) {
    let (mut left, mut all) = (0.0, 0.0);
    for (pixel, (value, wanted)) in field.iter().zip(wanted).enumerate() {
        if *wanted >= 0.0 && counts(pixel) {
            let said = if flux == 1.0 && background == 0.0 {
                value.norm()
            } else {
                (flux * f64::from(value.norm_sqr()) + background).sqrt() as f32
            };
            left += f64::from((said - wanted).abs());
            all += f64::from(*wanted);
        }
    }
    (left, all)
}

/// Brightness and background by the pixels that count; one and nought where they do not tell.
pub(super) fn fitted(field: &[Value], wanted: &[f32], counts: impl Fn(usize) -> bool) -> [f64; 2] {
    let used = || {
        let pixels = field.iter().zip(wanted).enumerate();
        pixels
            .filter(|(pixel, (_, wanted))| **wanted >= 0.0 && counts(*pixel))
            .map(|(_, (value, wanted))| (f64::from(value.norm_sqr()), f64::from(*wanted).powi(2)))
    };
    let (count, light) = used().fold((0.0, 0.0), |(count, light), (_, y)| (count + 1.0, light + y));
    if light <= 0.0 {
        return [1.0, 0.0];
    }
    let dim = DIM * light / count;
    let mut sums = [0.0; 5];
    for (said, y) in used() {
        let weight = 1.0 / (said + dim);
        let own = [weight * said * said, weight * said, weight, weight * said * y, weight * y];
        sums.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
    }
    let [squares, firsts, ones, of_said, of_one] = sums;
    let within = |flux: f64| flux.clamp(FACTORS[0], FACTORS[1]);
    let determinant = squares * ones - firsts * firsts;
    if determinant > 1e-9 * squares * ones {
        let background = (squares * of_one - firsts * of_said) / determinant;
        if background > 0.0 {
            return [within((ones * of_said - firsts * of_one) / determinant), background];
        }
    }
    [if squares > 0.0 { within(of_said / squares) } else { 1.0 }, 0.0]
}

/// [`misfit`] of an exposure whose brightness is not known: found by half of its pixels, like the white squares of a chessboard, and judged on
/// the others, both ways.
pub(super) fn misfit_across(field: &[Value], wanted: &[f32], detector: usize) -> (f64, f64) {
    let (mut left, mut all) = (0.0, 0.0);
    for half in 0..2 {
        let own = |pixel: usize| (pixel / detector + pixel % detector) % 2 == half;
        let brightness = fitted(field, wanted, own);
        let (part, sum) = misfit(field, wanted, brightness, |pixel| !own(pixel));
        left += part;
        all += sum;
    }
    (left, all)
}

#[cfg(test)]
mod tests {
    use num_complex::Complex;

    use super::*;

    #[test]
    fn brightness_and_background_are_found_and_judged_on_other_pixels() {
        let detector = 16;
        let field: Vec<Value> =
            (0..detector * detector).map(|k| Complex::new((k % 7) as f32, (k % 11) as f32 / 3.0)).collect();
        let seen = |flux: f64, background: f64| -> Vec<f32> {
            field.iter().map(|z| (flux * f64::from(z.norm_sqr()) + background).sqrt() as f32).collect()
        };
        for (flux, background) in [(1.0, 0.0), (0.7, 0.0), (1.4, 3.0)] {
            let mut wanted = seen(flux, background);
            wanted[5] = -1.0; // a pixel that does not count
            let [f, b] = fitted(&field, &wanted, |_| true);
            assert!((f / flux - 1.0).abs() < 1e-4 && (b - background).abs() < 1e-3, "{f} {b}");
            let (left, all) = misfit_across(&field, &wanted, detector);
            assert!(left < 1e-4 * all);
        }
        assert_eq!(fitted(&field, &vec![0.0; field.len()], |_| true), [1.0, 0.0]);
    }
}
