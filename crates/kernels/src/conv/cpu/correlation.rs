//! What a convolution, its input gradient and a transposed convolution have in common.
//!
//! All three are sums `y[n, o, p] = sum over taps and c of x[n, c, step q + offset(tap)] w[o, c, tap]` over a grid of positions
//! `q`. The input gradient of a convolution of stride `s` falls into one such sum for each remainder of `p` modulo `s`
//! (its *phases*), each with the taps that reach that remainder (Dumoulin & Visin, 2016, arXiv:1603.07285, section 4).

use super::super::{Geometry, Pad};

/// A tap of one axis: where it reads, relative to the position, and which element of the kernel it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tap {
    pub offset: isize,
    pub index: usize,
}

/// One axis of a phase.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// Positions `q`.
    pub count: usize,
    /// Position 0 in the target.
    pub first: usize,
    /// By ascending offset; may be empty.
    pub taps: Vec<Tap>,
}

impl Axis {
    fn new(count: usize, first: usize, mut taps: Vec<Tap>) -> Self {
        taps.sort_by_key(|tap| tap.offset);
        Axis { count, first, taps }
    }

    /// The smallest offset.
    pub fn lowest(&self) -> isize {
        self.taps.first().map_or(0, |tap| tap.offset)
    }

    /// How far the offsets reach from the smallest on.
    pub fn span(&self) -> usize {
        self.taps.last().map_or(1, |tap| (tap.offset - self.lowest()) as usize + 1)
    }

    /// Whether the taps are `n` neighbours.
    pub fn is_run_of(&self, n: usize) -> bool {
        self.taps.len() == n && self.span() == n
    }
}

/// The three sums, brought to one form.
#[derive(Clone, Debug)]
pub(super) struct Correlation {
    pub batch: usize,
    pub groups: usize,
    /// Of the source, in one group.
    pub channels: usize,
    /// Of the target, in one group.
    pub filters: usize,
    pub source: [usize; 3],
    pub mode: [Pad; 3],
    /// Distance in the source between neighbouring positions.
    pub step: [usize; 3],
    pub target: [usize; 3],
    /// Distance in the target between neighbouring positions.
    pub target_step: [usize; 3],
    pub phases: Vec<[Axis; 3]>,
    /// Distance between filters, and between channels, in the weights.
    pub filter_stride: usize,
    pub channel_stride: usize,
    /// Extents of the kernel in the weights.
    pub kernel: [usize; 3],
}

impl Correlation {
    /// `y` from `x`.
    pub fn forward(g: &Geometry) -> Self {
        let channels = g.in_channels / g.groups;
        let taps = g.kernel.iter().product::<usize>();
        let axis = |a: usize| {
            let taps = (0..g.kernel[a]).map(|k| Tap { offset: k as isize - g.padding[a][0] as isize, index: k });
            Axis::new(g.output[a], 0, taps.collect())
        };
        Correlation {
            batch: g.batch,
            groups: g.groups,
            channels,
            filters: g.out_channels / g.groups,
            source: g.input,
            mode: g.mode,
            step: g.stride,
            target: g.output,
            target_step: [1; 3],
            phases: vec![std::array::from_fn(axis)],
            filter_stride: channels * taps,
            channel_stride: taps,
            kernel: g.kernel,
        }
    }

    /// The gradient of `x` from that of `y`, where no position of `x` stands for another one: see [`Correlation::folds`].
    pub fn input_gradient(g: &Geometry) -> Self {
        let channels = g.in_channels / g.groups;
        let taps = g.kernel.iter().product::<usize>();
        let axis = |a: usize, remainder: usize| {
            let (stride, padding) = (g.stride[a], g.padding[a][0]);
            let taps =
                (0..g.kernel[a]).filter(|k| (remainder + padding + stride * g.kernel[a] - k).is_multiple_of(stride));
            let taps = taps.map(|k| Tap {
                offset: (remainder as isize + padding as isize - k as isize).div_euclid(stride as isize),
                index: k,
            });
            Axis::new(g.input[a].saturating_sub(remainder).div_ceil(stride), remainder, taps.collect())
        };
        let mut phases = Vec::new();
        for d in 0..g.stride[0] {
            for h in 0..g.stride[1] {
                for w in 0..g.stride[2] {
                    phases.push([axis(0, d), axis(1, h), axis(2, w)]);
                }
            }
        }
        Correlation {
            batch: g.batch,
            groups: g.groups,
            channels: g.out_channels / g.groups,
            filters: channels,
            source: g.output,
            // A circle stays one; else nothing lies beyond the gradient.
            mode: std::array::from_fn(|a| if g.padding[a] == [0; 2] { Pad::Zero } else { g.mode[a] }),
            step: [1; 3],
            target: g.input,
            target_step: g.stride,
            phases,
            filter_stride: taps,
            channel_stride: channels * taps,
            kernel: g.kernel,
        }
    }

    /// Whether the gradient along an axis is more than one correlation, because padding repeats positions of `x`.
    ///
    /// A circular axis of as many steps as there are outputs is not: its gradient is circular as well.
    pub fn folds(g: &Geometry, axis: usize) -> bool {
        match g.mode[axis] {
            Pad::Zero => false,
            Pad::Circular => g.padding[axis] != [0; 2] && g.input[axis] != g.stride[axis] * g.output[axis],
            Pad::Reflect | Pad::Replicate => g.padding[axis] != [0; 2],
        }
    }

    /// Positions along each axis, of the phase that has most.
    pub fn counts(&self) -> [usize; 3] {
        std::array::from_fn(|axis| self.target[axis].div_ceil(self.target_step[axis]))
    }

    /// The weights of one group.
    pub fn group_weights<'a>(&self, weights: &'a [f32], group: usize) -> &'a [f32] {
        let len = self.filters * self.channels * self.kernel.iter().product::<usize>();
        &weights[group * len..][..len]
    }

    /// Where in the weights of a group the tap stands.
    pub fn weight_index(&self, filter: usize, channel: usize, taps: [Tap; 3]) -> usize {
        let [d, h, w] = taps.map(|tap| tap.index);
        filter * self.filter_stride + channel * self.channel_stride + (d * self.kernel[1] + h) * self.kernel[2] + w
    }
}
