//! The transforms on flex.

use super::{
    Complex, FftOps, Real,
    passes::{self, Extent},
    plans::Planned,
};
use crate::flex::{Value, tensor, with_values};
use burn::{
    backend::{Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor},
    tensor::{DType, Shape},
};

impl FftOps for Flex {
    fn fft_complex(
        re: FloatTensor<Self>,
        im: FloatTensor<Self>,
        transform: Complex,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        match re.dtype() {
            DType::F64 => complex::<f64>(&re, &im, transform),
            _ => complex::<f32>(&re, &im, transform),
        }
    }

    fn fft_of_real(x: FloatTensor<Self>, transform: Real) -> (FloatTensor<Self>, FloatTensor<Self>) {
        match x.dtype() {
            DType::F64 => of_real::<f64>(&x, transform),
            _ => of_real::<f32>(&x, transform),
        }
    }

    fn fft_to_real(re: FloatTensor<Self>, im: FloatTensor<Self>, transform: Real) -> FloatTensor<Self> {
        match re.dtype() {
            DType::F64 => to_real::<f64>(&re, &im, transform),
            _ => to_real::<f32>(&re, &im, transform),
        }
    }
}

fn complex<T: Value + Planned>(re: &FlexTensor, im: &FlexTensor, transform: Complex) -> (FlexTensor, FlexTensor) {
    let extent = extent(re.shape(), transform.columns);
    let [x, y] = with_values(re, |re| with_values(im, |im| passes::complex::<T>(re, im, extent, transform)));
    (tensor(x, re.shape()), tensor(y, re.shape()))
}

fn of_real<T: Value + Planned>(x: &FlexTensor, transform: Real) -> (FlexTensor, FlexTensor) {
    let extent = extent(x.shape(), transform.columns);
    let [re, im] = with_values(x, |x| passes::of_real::<T>(x, extent, transform));
    let shape = with_last(x.shape(), transform.length / 2 + 1);
    (tensor(re, shape.clone()), tensor(im, shape))
}

fn to_real<T: Value + Planned>(re: &FlexTensor, im: &FlexTensor, transform: Real) -> FlexTensor {
    let extent = extent(re.shape(), transform.columns);
    let x = with_values(re, |re| with_values(im, |im| passes::to_real::<T>(re, im, extent, transform)));
    tensor(x, with_last(re.shape(), transform.length))
}

/// A tensor as a batch of matrices, or as one if only its rows count.
fn extent(shape: Shape, columns: bool) -> Extent {
    let (rank, cols) = (shape.num_dims(), shape[shape.num_dims() - 1]);
    let rows = if columns { shape[rank - 2] } else { shape[..rank - 1].iter().product() };
    let batch = if columns { shape[..rank - 2].iter().product() } else { 1 };
    Extent { batch, rows, cols }
}

fn with_last(mut shape: Shape, length: usize) -> Shape {
    let last = shape.num_dims() - 1;
    shape[last] = length;
    shape
}
