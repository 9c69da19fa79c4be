//! The gradient of the similarity.

use super::{Similarity, SsimGradients, SsimOps};
use crate::gradient::{Gradient, record};
use burn::backend::{Autodiff, Backend, autodiff::checkpoint::strategy::CheckpointStrategy, tensor::FloatTensor};

#[derive(Clone, Debug)]
struct Map<B: Backend> {
    images: [FloatTensor<B>; 2],
    similarity: Similarity,
}

impl<B: SsimGradients> Gradient<B, 2, 1> for Map<B> {
    fn gradients(self, [map]: [Option<FloatTensor<B>>; 1], wanted: [bool; 2]) -> [Option<FloatTensor<B>>; 2] {
        match map {
            Some(map) => B::ssim_map_gradients(self.images, map, self.similarity, wanted),
            None => [None, None],
        }
    }
}

/// Keeps the gradients of the mean, which came with it.
#[derive(Clone, Debug)]
struct Mean<B: Backend>([Option<FloatTensor<B>>; 2]);

impl<B: SsimGradients> Gradient<B, 2, 1> for Mean<B> {
    fn gradients(self, [mean]: [Option<FloatTensor<B>>; 1], _: [bool; 2]) -> [Option<FloatTensor<B>>; 2] {
        let Some(mean) = mean else { return [None, None] };
        self.0.map(|of_mean| of_mean.map(|of_mean| B::ssim_scaled(of_mean, mean.clone())))
    }
}

impl<B: SsimOps + SsimGradients, C: CheckpointStrategy> SsimOps for Autodiff<B, C> {
    fn ssim_map(x: FloatTensor<Self>, y: FloatTensor<Self>, similarity: Similarity) -> FloatTensor<Self> {
        let ((x, of_x), (y, of_y)) = (x.into_parts(), y.into_parts());
        let map = B::ssim_map(x.clone(), y.clone(), similarity);
        let [map] = record::<B, C, _, 2, 1>([of_x, of_y], Map::<B> { images: [x, y], similarity }, [map]);
        map
    }

    fn ssim_mean(x: FloatTensor<Self>, y: FloatTensor<Self>, similarity: Similarity) -> FloatTensor<Self> {
        let wanted = [x.is_tracked(), y.is_tracked()];
        let ((x, of_x), (y, of_y)) = (x.into_parts(), y.into_parts());
        let (mean, gradients) = B::ssim_mean_and_gradients([x, y], similarity, wanted);
        let [mean] = record::<B, C, _, 2, 1>([of_x, of_y], Mean::<B>(gradients), [mean]);
        mean
    }
}
