//! Planes as tensors, and what is known of an object.

use burn::tensor::{Device, Tensor, TensorData};
use cupel_kernels::{fft2, ifft2};
use num_complex::Complex;
use rustfft::FftPlanner;

use super::stack::middle;
use crate::{Error, Geometry, Knowledge, Plane, Result};

/// Real and imaginary part.
pub(crate) type Parts = (Tensor<2>, Tensor<2>);

/// The field of an object, and the plane that windows are cut from.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    geometry: Geometry,
    size: [usize; 2],
    known: Knowledge,
    /// One in the support.
    inside: Option<Tensor<2>>,
}

impl Field {
    pub(crate) fn new(geometry: Geometry, size: [usize; 2], known: Knowledge, device: &Device) -> Self {
        let inside = known.support.map(|support| {
            let [rows, columns] = middle(size, Some(support));
            let value = |place: usize| {
                f32::from(u8::from(rows.contains(&(place / size[1])) && columns.contains(&(place % size[1]))))
            };
            let values: Vec<f32> = (0..size[0] * size[1]).map(value).collect();
            Tensor::from_data(TensorData::new(values, size), device)
        });
        Self { geometry, size, known, inside }
    }

    /// The plane of an object.
    pub(crate) fn plane(&self, (re, im): Parts) -> Parts {
        if self.geometry == Geometry::Object {
            return (re, im);
        }
        let [rows, columns] = self.size.map(|side| (side / 2) as i64);
        let unit = 1.0 / ((self.size[0] * self.size[1]) as f64).sqrt();
        let (re, im) = fft2(re, im);
        let centred = |part: Tensor<2>| part.roll_dim(rows, 0).roll_dim(columns, 1) * unit;
        (centred(re), centred(im))
    }

    /// The object of a plane.
    pub(crate) fn object(&self, (re, im): Parts) -> Parts {
        if self.geometry == Geometry::Object {
            return (re, im);
        }
        let [rows, columns] = self.size.map(|side| -((side / 2) as i64));
        let first = |part: Tensor<2>| part.roll_dim(rows, 0).roll_dim(columns, 1);
        let (re, im) = ifft2(first(re), first(im));
        let unit = ((self.size[0] * self.size[1]) as f64).sqrt();
        (re * unit, im * unit)
    }

    /// The plane of the nearest object that is as it is known to be.
    pub(crate) fn constrain(&self, plane: Parts) -> Parts {
        let Knowledge { real, bounds, .. } = self.known;
        if self.inside.is_none() && !real {
            return plane;
        }
        let (mut re, mut im) = self.object(plane);
        if real {
            im = im.zeros_like();
            if let Some([low, high]) = bounds {
                re = re.clamp(low, high);
            }
        }
        if let Some(inside) = &self.inside {
            (re, im) = (re * inside.clone(), im * inside.clone());
        }
        self.plane((re, im))
    }
}

/// Parts of a plane in f32.
pub(crate) fn parts(plane: &Plane, device: &Device) -> Parts {
    let shape = [plane.rows(), plane.columns()];
    let part = |of: fn(&Complex<f64>) -> f64| {
        let values: Vec<f32> = plane.values().iter().map(|value| of(value) as f32).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    };
    (part(|z| z.re), part(|z| z.im))
}

/// The same of several planes of one shape.
pub(crate) fn stacked(planes: &[Plane], device: &Device) -> (Tensor<3>, Tensor<3>) {
    let (re, im): (Vec<_>, Vec<_>) = planes.iter().map(|plane| parts(plane, device)).unzip();
    (Tensor::stack(re, 0), Tensor::stack(im, 0))
}

/// The values of a tensor.
pub(crate) fn values<const D: usize>(x: Tensor<D>) -> Result<Vec<f32>> {
    x.into_data().try_to_vec::<f32>().map_err(|error| {
        Error::Train(cupel_train::Error::Device { action: "read a plane", problem: format!("{error:?}") })
    })
}

/// Planes of parts, one after the other, each of `[rows, columns]`.
pub(crate) fn planes<const D: usize>(parts: (Tensor<D>, Tensor<D>), [rows, columns]: [usize; 2]) -> Result<Vec<Plane>> {
    let (re, im) = (values(parts.0)?, values(parts.1)?);
    let both: Vec<Complex<f64>> =
        re.iter().zip(&im).map(|(re, im)| Complex::new(f64::from(*re), f64::from(*im))).collect();
    both.chunks(rows * columns).map(|values| Plane::new(rows, columns, values.to_vec())).collect()
}

/// `plane` moved by rows and columns between its places, periodically: its transform times a ramp.
pub(crate) fn moved(plane: &Plane, [by_rows, by_columns]: [f64; 2]) -> Plane {
    let (rows, columns) = (plane.rows(), plane.columns());
    let mut planner = FftPlanner::<f64>::new();
    let mut values = plane.values().to_vec();
    let phase = |index: usize, count: usize, by: f64| {
        let signed = if index <= (count - 1) / 2 { index as f64 } else { index as f64 - count as f64 };
        Complex::from_polar(1.0 / count as f64, -std::f64::consts::TAU * signed * by / count as f64)
    };
    for row in values.chunks_exact_mut(columns) {
        planner.plan_fft_forward(columns).process(row);
        row.iter_mut().enumerate().for_each(|(index, value)| *value *= phase(index, columns, by_columns));
        planner.plan_fft_inverse(columns).process(row);
    }
    let mut column = vec![Complex::new(0.0, 0.0); rows];
    for c in 0..columns {
        column.iter_mut().zip(values[c..].iter().step_by(columns)).for_each(|(to, from)| *to = *from);
        planner.plan_fft_forward(rows).process(&mut column);
        column.iter_mut().enumerate().for_each(|(index, value)| *value *= phase(index, rows, by_rows));
        planner.plan_fft_inverse(rows).process(&mut column);
        values[c..].iter_mut().step_by(columns).zip(&column).for_each(|(to, from)| *to = *from);
    }
    Plane::from_fn(rows, columns, |row, column| values[row * columns + column])
}
