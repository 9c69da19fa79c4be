//! Convolutions on flex.

use super::{ConvGradients, ConvOps, Geometry, cpu};
use crate::{
    activation::Activation,
    flex::{tensor, with_values, zeros},
    vectorized::vectorized,
};
use burn::backend::{Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor};
use rayon::prelude::*;

impl ConvOps for Flex {
    fn convolution(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        g: Geometry,
        then: Activation,
    ) -> FloatTensor<Self> {
        let mut y = zeros(g.batch * g.out_channels * g.output_len());
        with_three([&x, &w, &bias], |[x, w, bias]| cpu::forward(&g, x, w, (bias, then), &mut y));
        tensor(y, shape(g.batch, g.out_channels, &g.output, x.rank()))
    }

    fn transposed_convolution(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        g: Geometry,
        then: Activation,
    ) -> FloatTensor<Self> {
        let mut y = zeros(g.batch * g.in_channels * g.input_len());
        with_three([&x, &w, &bias], |[x, w, bias]| cpu::input_gradient(&g, w, x, (bias, then), &mut y));
        tensor(y, shape(g.batch, g.in_channels, &g.input, x.rank()))
    }
}

/// Calls `f` with the values of all three.
fn with_three(tensors: [&FlexTensor; 3], f: impl FnOnce([&[f32]; 3])) {
    let [x, w, bias] = tensors;
    with_values(x, |x| with_values(w, |w| with_values(bias, |bias| f([x, w, bias]))));
}

impl ConvGradients for Flex {
    fn weight_gradient(x: FloatTensor<Self>, dy: FloatTensor<Self>, g: Geometry) -> FloatTensor<Self> {
        let mut dw = vec![0.0; g.out_channels * (g.in_channels / g.groups) * g.kernel_len()];
        if g.batch > 0 {
            with_values(&x, |x: &[f32]| with_values(&dy, |dy: &[f32]| cpu::weight_gradient(&g, x, dy, &mut dw)));
        }
        tensor(dw, shape(g.out_channels, g.in_channels / g.groups, &g.kernel, x.rank()))
    }

    fn bias_gradient(dy: FloatTensor<Self>) -> FloatTensor<Self> {
        let dims = dy.shape();
        let sums = with_values(&dy, |dy: &[f32]| channel_sums(dy, dims[1], dims[2..].iter().product()));
        tensor(sums, [dims[1]])
    }
}

/// The shape of a tensor of `rank` whose last axes are those of `extents`.
fn shape(first: usize, second: usize, extents: &[usize; 3], rank: usize) -> Vec<usize> {
    let mut shape = vec![first, second];
    shape.extend_from_slice(&extents[5 - rank..]);
    shape
}

/// The sum of each channel over samples and places, in `f64` and in one order for any number of threads.
fn channel_sums(dy: &[f32], channels: usize, len: usize) -> Vec<f32> {
    const LANES: usize = 16;
    let planes: Vec<f64> = dy
        .par_chunks(len.max(1))
        .map(|plane| {
            vectorized(
                #[inline(always)]
                || {
                    let mut sums = [0.0; LANES];
                    let (chunks, rest) = plane.as_chunks::<LANES>();
                    for chunk in chunks {
                        for lane in 0..LANES {
                            sums[lane] += f64::from(chunk[lane]);
                        }
                    }
                    sums.iter().sum::<f64>() + rest.iter().map(|&value| f64::from(value)).sum::<f64>()
                },
            )
        })
        .collect();
    (0..channels).map(|channel| planes.iter().skip(channel).step_by(channels).sum::<f64>() as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::channel_sums;

    #[test]
    fn channels_are_summed_over_samples_and_places() {
        let dy: Vec<f32> = (0..2 * 3 * 37).map(|value| value as f32).collect();
        let sums = channel_sums(&dy, 3, 37);
        for (channel, sum) in sums.into_iter().enumerate() {
            let exact: usize = (0..2).flat_map(|n| (0..37).map(move |i| (n * 3 + channel) * 37 + i)).sum();
            assert_eq!(sum, exact as f32);
        }
    }
}
