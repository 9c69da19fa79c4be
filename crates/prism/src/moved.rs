//! Pupils between two places: moved by a fraction of a place.

use burn::tensor::{DType, Device, Tensor, TensorData};
use cupel_kernels::{fft2, ifft2};
use num_complex::Complex;

use crate::Plane;

/// Real and imaginary parts, `[mode, row, column]`.
pub(crate) type Pupils = (Tensor<3>, Tensor<3>);

/// `pupils` moved by each of `shifts` (`[exposure, 2]`, rows and columns), `[exposure * mode, row, column]`, by the phase that a shift is of their
/// transform. What is moved over an edge comes back at the opposite one, so a margin belongs around a pupil that reaches there.
pub(crate) fn moved(pupils: Pupils, shifts: Tensor<2>) -> Pupils {
    let [modes, rows, columns] = pupils.0.dims();
    let [exposures, _] = shifts.dims();
    let (device, dtype) = (shifts.device(), shifts.dtype());
    let (re, im) = fft2(pupils.0, pupils.1);
    let ramp = |size: usize, axis: usize| {
        // the frequency at half the size has no direction: its phase stays
        let cycles = |place: usize| match 2 * place {
            twice if twice == size => 0.0,
            twice if twice < size => place as f64,
            _ => place as f64 - size as f64,
        };
        let values: Vec<f64> = (0..size).map(|place| -std::f64::consts::TAU * cycles(place) / size as f64).collect();
        let ramp = Tensor::<2>::from_data(TensorData::new(values, [1, size]), (&device, dtype));
        shifts.clone().narrow(1, axis, 1) * ramp // [exposure, place]
    };
    let angle = ramp(rows, 0).reshape([exposures, 1, rows, 1]) + ramp(columns, 1).reshape([exposures, 1, 1, columns]);
    let (cos, sin) = (angle.clone().cos(), angle.sin());
    let (re, im) = (re.reshape([1, modes, rows, columns]), im.reshape([1, modes, rows, columns]));
    let turned_re = re.clone() * cos.clone() - im.clone() * sin.clone(); // [exposure, mode, row, column]
    let turned_im = re * sin + im * cos;
    let shape = [exposures * modes, rows, columns];
    ifft2(turned_re.reshape(shape), turned_im.reshape(shape))
}

/// Both parts with `margin` places of nought around.
pub(crate) fn with_margin(pupils: Pupils, margin: usize) -> Pupils {
    if margin == 0 {
        return pupils;
    }
    let padded = |part: Tensor<3>| part.pad((margin, margin, margin, margin), 0.0);
    (padded(pupils.0), padded(pupils.1))
}

/// The radius of a pupil that is one inside a circle around its middle and nought outside, where it is one: the roundest number that gives this mask.
pub(crate) fn disc_radius(pupil: &Plane) -> Option<f64> {
    let [middle_row, middle_column] = [pupil.rows() / 2, pupil.columns() / 2];
    let (mut inside, mut outside) = (-1.0f64, f64::INFINITY);
    for (place, value) in pupil.values().iter().enumerate() {
        let (row, column) = (place / pupil.columns(), place % pupil.columns());
        let distance = (row.abs_diff(middle_row) as f64).hypot(column.abs_diff(middle_column) as f64);
        match *value {
            value if value == Complex::new(1.0, 0.0) => inside = inside.max(distance),
            value if value == Complex::new(0.0, 0.0) => outside = outside.min(distance),
            _ => return None,
        }
    }
    if inside < 0.0 || inside >= outside {
        return None;
    }
    // without a place outside the circle may just reach the edge
    let last = outside.min(inside + 0.5);
    [1.0, 2.0, 4.0, 10.0]
        .into_iter()
        .map(|part| (inside * part).ceil() / part)
        .find(|radius| *radius < last)
        .or(Some(inside))
}

/// The mask of a circle of `radius` around (`shift` from the middle), on a window with a margin of one place.
pub(crate) fn disc(rows: usize, columns: usize, radius: f64, shift: [f64; 2]) -> Plane {
    let (rows, columns) = (rows + 2, columns + 2);
    Plane::from_fn(rows, columns, |row, column| {
        let [y, x] = [row as f64 - (rows / 2) as f64 - shift[0], column as f64 - (columns / 2) as f64 - shift[1]];
        Complex::new(f64::from(u8::from(y * y + x * x <= radius * radius * (1.0 + 1e-12))), 0.0)
    })
}

/// Pupils as tensors.
pub(crate) fn pupils<'a>(planes: impl IntoIterator<Item = &'a Plane>, device: &Device, dtype: DType) -> Pupils {
    let (mut re, mut im, mut shape) = (Vec::new(), Vec::new(), [0, 0, 0]);
    for plane in planes {
        shape = [shape[0] + 1, plane.rows(), plane.columns()];
        re.extend(plane.values().iter().map(|value| value.re));
        im.extend(plane.values().iter().map(|value| value.im));
    }
    let tensor = |values| Tensor::from_data(TensorData::new(values, shape), (device, dtype));
    (tensor(re), tensor(im))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_known_by_its_mask() {
        for radius in [1.0, 2.5, 4.0, 10.0, 16.0] {
            let side = 2 * (radius as usize + 1) + 1;
            let mask = Plane::from_fn(side, side, |row, column| {
                let [y, x] = [row as f64 - (side / 2) as f64, column as f64 - (side / 2) as f64];
                Complex::new(f64::from(u8::from(y * y + x * x <= radius * radius)), 0.0)
            });
            let found = disc_radius(&mask).unwrap();
            let same = disc(side - 2, side - 2, found, [0.0; 2]);
            assert_eq!(same, mask, "{radius} {found}");
            assert!(radius.fract() != 0.0 || found == radius, "{radius} {found}");
        }
        let smooth = Plane::from_fn(5, 5, |row, _| Complex::new(row as f64, 0.0));
        assert_eq!(disc_radius(&smooth), None);
    }
}
