//! Convolutions by their definition in f64, one product after the other, with a padded copy: what everything else is checked against.

use cupel_kernels::Pad;

/// One convolution; in two dimensions the first extent is 1.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub batch: usize,
    pub groups: usize,
    /// Input and output channels, of all groups.
    pub channels: [usize; 2],
    pub input: [usize; 3],
    pub kernel: [usize; 3],
    pub stride: [usize; 3],
    pub padding: [[usize; 2]; 3],
    pub mode: [Pad; 3],
}

impl Case {
    pub fn output(&self) -> [usize; 3] {
        [0, 1, 2].map(|axis| {
            let [before, behind] = self.padding[axis];
            (self.input[axis] + before + behind - self.kernel[axis]) / self.stride[axis] + 1
        })
    }

    pub fn input_len(&self) -> usize {
        self.batch * self.channels[0] * self.input.iter().product::<usize>()
    }

    pub fn weight_len(&self) -> usize {
        self.channels[1] * self.channels[0] / self.groups * self.kernel.iter().product::<usize>()
    }

    pub fn output_len(&self) -> usize {
        self.batch * self.channels[1] * self.output().iter().product::<usize>()
    }

    /// For each position of the padded axis the one of the axis that is read, if any.
    fn sources(&self, axis: usize) -> Vec<Option<usize>> {
        let (len, [before, behind]) = (self.input[axis], self.padding[axis]);
        let inside = (0..len).map(Some);
        let (left, right): (Vec<Option<usize>>, Vec<Option<usize>>) = match self.mode[axis] {
            Pad::Zero => (vec![None; before], vec![None; behind]),
            Pad::Circular => ((len - before..len).map(Some).collect(), (0..behind).map(Some).collect()),
            Pad::Reflect => ((1..=before).rev().map(Some).collect(), (1..=behind).map(|i| Some(len - 1 - i)).collect()),
            Pad::Replicate => (vec![Some(0); before], vec![Some(len - 1); behind]),
        };
        left.into_iter().chain(inside).chain(right).collect()
    }

    /// Calls `visit(x, w, y)` with the flat indices of every product that is not with a padding zero.
    fn products(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let sources = [0, 1, 2].map(|axis| self.sources(axis));
        let (ci, co) = (self.channels[0] / self.groups, self.channels[1] / self.groups);
        let output = self.output();
        let flat = |n: usize, extents: [usize; 3], at: [usize; 3]| {
            ((n * extents[0] + at[0]) * extents[1] + at[1]) * extents[2] + at[2]
        };
        let places = |e: [usize; 3]| {
            (0..e[0] * e[1] * e[2]).map(move |i| [i / (e[1] * e[2]), i / e[2] % e[1], i % e[2]]).collect::<Vec<_>>()
        };
        let (outputs, kernels) = (places(output), places(self.kernel));
        for sample in 0..self.batch {
            for o in 0..self.channels[1] {
                for &p in &outputs {
                    let y = flat(sample * self.channels[1] + o, output, p);
                    for &q in &kernels {
                        let at = [0, 1, 2].map(|axis| sources[axis][p[axis] * self.stride[axis] + q[axis]]);
                        let [Some(d), Some(h), Some(w)] = at else { continue };
                        for i in 0..ci {
                            let x = flat(sample * self.channels[0] + o / co * ci + i, self.input, [d, h, w]);
                            visit(x, flat(o * ci + i, self.kernel, q), y);
                        }
                    }
                }
            }
        }
    }

    /// The convolution without a bias.
    pub fn forward(&self, x: &[f64], w: &[f64]) -> Vec<f64> {
        let mut y = vec![0.0; self.output_len()];
        self.products(|i, j, k| y[k] += x[i] * w[j]);
        y
    }

    /// The gradient for `x`: the transposed convolution of `dy`.
    pub fn input_gradient(&self, w: &[f64], dy: &[f64]) -> Vec<f64> {
        let mut dx = vec![0.0; self.input_len()];
        self.products(|i, j, k| dx[i] += w[j] * dy[k]);
        dx
    }

    /// The gradient for `w`.
    pub fn weight_gradient(&self, x: &[f64], dy: &[f64]) -> Vec<f64> {
        let mut dw = vec![0.0; self.weight_len()];
        self.products(|i, j, k| dw[j] += x[i] * dy[k]);
        dw
    }
}
