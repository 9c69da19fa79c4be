//! A decoder as a prior: what was measured stays, what was not is the decoder's.

use num_complex::Complex;

use crate::{Error, Exposures, Geometry, Plane, Result, fourier::Plans};

/// The spectrum of `measured` where a window lets light pass, that of `prior` elsewhere, as an object.
///
/// Of a real object both `k` and `-k` count as measured where one is. What it gives has the support of the exposures, and the bounds of a
/// real object; where both cut, the spectrum is no longer that of `measured` to the last digit.
///
/// # Errors
/// Windows of the object instead of its spectrum; planes of another size than the field.
pub fn filled(measured: &Plane, prior: &Plane, exposures: &Exposures) -> Result<Plane> {
    exposures.check()?;
    let [rows, columns] = exposures.optics.size;
    if exposures.optics.geometry == Geometry::Object {
        return Err(Error::Optics {
            what: "a prior for what was not measured",
            got: "windows of the object".into(),
            expected: "windows of its spectrum".into(),
        });
    }
    for plane in [measured, prior] {
        if [plane.rows(), plane.columns()] != [rows, columns] {
            return Err(Error::Optics {
                what: "size of an object",
                got: format!("{} x {}", plane.rows(), plane.columns()),
                expected: format!("that of the field, {rows} x {columns}"),
            });
        }
    }
    let union = union(exposures);
    let forward = Plans::new(rows, columns, false);
    let [mut object, mut other] = [measured.clone(), prior.clone()];
    [&mut object, &mut other].into_iter().for_each(|plane| forward.apply(plane.values_mut()));
    for ((value, other), inside) in object.values_mut().iter_mut().zip(other.values()).zip(&union) {
        if !inside {
            *value = *other;
        }
    }
    Plans::new(rows, columns, true).apply(object.values_mut());
    let known = exposures.known;
    if known.real {
        let [low, high] = known.bounds.unwrap_or([f64::NEG_INFINITY, f64::INFINITY]);
        object.values_mut().iter_mut().for_each(|value| *value = Complex::new(value.re.clamp(low, high), 0.0));
    }
    match known.support {
        Some([height, width]) => object.middle(height, width)?.padded(rows, columns),
        None => Ok(object),
    }
}

/// Which places of an unshifted spectrum some window lets light pass at.
fn union(exposures: &Exposures) -> Vec<bool> {
    let [rows, columns] = exposures.optics.size;
    let mut union = vec![false; rows * columns];
    for centre in &exposures.centres {
        for pupil in &exposures.optics.pupils {
            for (at, _) in pupil.values().iter().enumerate().filter(|(_, value)| value.norm_sqr() > 0.0) {
                let place = |index: usize, window: usize, centre: f64, size: usize, sign: isize| {
                    (sign * (centre.round() as isize + index as isize - (window / 2) as isize))
                        .rem_euclid(size as isize) as usize
                };
                for sign in if exposures.known.real { &[1, -1][..] } else { &[1][..] } {
                    let row = place(at / pupil.columns(), pupil.rows(), centre[0], rows, *sign);
                    let column = place(at % pupil.columns(), pupil.columns(), centre[1], columns, *sign);
                    union[row * columns + column] = true;
                }
            }
        }
    }
    union
}
