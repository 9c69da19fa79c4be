//! The similarity on flex.

use super::{
    Similarity, SsimGradients, SsimOps, WINDOW_SIZE,
    bands::{self, Answer, Request, Upstream},
};
use crate::flex::{tensor, with_values};
use burn::backend::{Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor};

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
