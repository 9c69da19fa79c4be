//! Offsets of places of an array, whatever the order in which its axes are walked.

/// Row-major strides.
pub(crate) fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis] * dims[axis];
    }
    strides
}

/// Axes, as length and stride, that are walked row-major.
pub(crate) struct Walk(pub(crate) Vec<(usize, usize)>);

impl Walk {
    pub(crate) fn count(&self) -> usize {
        self.0.iter().map(|(length, _)| length).product()
    }

    /// Offsets of `count` places from the `first` on.
    pub(crate) fn offsets(&self, first: usize, count: usize) -> Vec<usize> {
        let mut index = vec![0; self.0.len()];
        let (mut rest, mut offset) = (first, 0);
        for ((length, stride), index) in self.0.iter().zip(&mut index).rev() {
            *index = rest % length;
            rest /= length;
            offset += *index * stride;
        }
        let mut offsets = Vec::with_capacity(count);
        for _ in 0..count {
            offsets.push(offset);
            for ((length, stride), index) in self.0.iter().zip(&mut index).rev() {
                *index += 1;
                offset += stride;
                if *index < *length {
                    break;
                }
                offset -= *index * stride;
                *index = 0;
            }
        }
        offsets
    }
}
