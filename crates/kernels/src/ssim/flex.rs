//! The similarity on flex.

use super::{
    Similarity, SsimGradients, SsimOps, WINDOW_SIZE,
    bands::{self, Answer, Request, Upstream},
};
use crate::flex::{tensor, with_values};
use burn::backend::{Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor};
use rayon::prelude::*;

/// Values that one task scales.
const SCALED: usize = 1 << 15;

impl SsimOps for Flex {
    fn ssim_map(x: FloatTensor<Self>, y: FloatTensor<Self>, similarity: Similarity) -> FloatTensor<Self> {
        let [batch, channels, rows, columns] = x.shape().dims();
        let request = Request { map: true, gradients: [false; 2], upstream: Upstream::Mean };
        let map = pass(&[x, y], similarity, request).map;
        tensor(map, [batch, channels, rows + 1 - WINDOW_SIZE, columns + 1 - WINDOW_SIZE])
    }

    fn ssim_mean(x: FloatTensor<Self>, y: FloatTensor<Self>, similarity: Similarity) -> FloatTensor<Self> {
        Self::ssim_mean_and_gradients([x, y], similarity, [false; 2]).0
    }
}

impl SsimGradients for Flex {
    fn ssim_map_gradients(
        images: [FloatTensor<Self>; 2],
        gradient: FloatTensor<Self>,
        similarity: Similarity,
        wanted: [bool; 2],
    ) -> [Option<FloatTensor<Self>>; 2] {
        let answer = with_values(&gradient, |gradient| {
            pass(&images, similarity, Request { map: false, gradients: wanted, upstream: Upstream::Map(gradient) })
        });
        gradients(&images, answer, wanted)
    }

    fn ssim_mean_and_gradients(
        images: [FloatTensor<Self>; 2],
        similarity: Similarity,
        wanted: [bool; 2],
    ) -> (FloatTensor<Self>, [Option<FloatTensor<Self>>; 2]) {
        let [batch, channels, ..] = images[0].shape().dims::<4>();
        let request = Request { map: false, gradients: wanted, upstream: Upstream::Mean };
        let mut answer = pass(&images, similarity, request);
        let means = tensor(std::mem::take(&mut answer.means), [batch, channels]);
        (means, gradients(&images, answer, wanted))
    }

    fn ssim_scaled(of_mean: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        let shape = of_mean.shape();
        let plane = shape[2] * shape[3];
        let scale = |values: &mut [f32]| {
            with_values(&gradient, |factors: &[f32]| {
                values.par_chunks_mut(plane).zip(factors).for_each(|(values, factor)| {
                    values.par_chunks_mut(SCALED).for_each(|values| values.iter_mut().for_each(|v| *v *= factor));
                });
            });
        };
        // nobody else holds it after one backward pass: no copy
        let mut scaled = of_mean;
        if let Some(values) = scaled.try_storage_mut() {
            scale(values);
            return scaled;
        }
        let mut values = with_values(&scaled, <[f32]>::to_vec);
        scale(&mut values);
        tensor(values, shape)
    }
}

fn pass([x, y]: &[FlexTensor; 2], similarity: Similarity, request: Request<'_>) -> Answer {
    let [_, _, rows, columns] = x.shape().dims();
    with_values(x, |x| with_values(y, |y| bands::pass(x, y, [rows, columns], &similarity, request)))
}

fn gradients(images: &[FlexTensor; 2], answer: Answer, wanted: [bool; 2]) -> [Option<FlexTensor>; 2] {
    let [x, y] = answer.gradients;
    let [of_x, of_y] = images;
    [wanted[0].then(|| tensor(x, of_x.shape())), wanted[1].then(|| tensor(y, of_y.shape()))]
}
