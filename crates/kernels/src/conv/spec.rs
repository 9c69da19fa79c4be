//! Stride, padding and groups of a convolution, and the extents that follow from them.
//!
//! Along one axis of `n` values, with padding `[a, b]`, a kernel of `k` and stride `s`, the output has
//! `(n + a + b - k) / s + 1` values, rounded down. The transposed convolution goes the other way: from `m` values it makes
//! `(m - 1) s + k - a - b + o`, where the output padding `o < s` chooses among the extents that the rounding maps to `m`.

use super::Pad;

/// How a convolution moves over its input. The axes are those of the tensor behind batch and channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvSpec<const N: usize> {
    /// Steps between neighbouring outputs, per axis.
    pub stride: [usize; N],
    /// Values added before and behind, per axis.
    pub padding: [[usize; 2]; N],
    /// What the added values are, per axis.
    pub mode: [Pad; N],
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

impl<const N: usize> Default for ConvSpec<N> {
    /// Stride 1, no padding, one group.
    fn default() -> Self {
        Self { stride: [1; N], padding: [[0; 2]; N], mode: [Pad::Zero; N], groups: 1 }
    }
}

impl<const N: usize> ConvSpec<N> {
    /// Padding that keeps the extents at stride 1; the larger half of an even kernel's padding comes first.
    pub fn same(kernel: [usize; N], mode: [Pad; N]) -> Self {
        let padding = kernel.map(|extent| [extent / 2, extent.saturating_sub(1) / 2]);
        Self { padding, mode, ..Self::default() }
    }
}

/// How a transposed convolution moves over its output: the adjoint of the convolution with the same stride, padding,
/// modes and groups. With [`Pad::Zero`] this is PyTorch's `conv_transpose`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvTransposeSpec<const N: usize> {
    /// Steps between the places in the output that neighbouring inputs write to, per axis.
    pub stride: [usize; N],
    /// Values cut off (zero) or folded back (other modes) before and behind, per axis.
    pub padding: [[usize; 2]; N],
    /// What becomes of values beyond the edge, per axis.
    pub mode: [Pad; N],
    /// Values by which the output is longer, per axis; below the stride.
    pub output_padding: [usize; N],
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

impl<const N: usize> Default for ConvTransposeSpec<N> {
    /// Stride 1, no padding, one group.
    fn default() -> Self {
        Self { stride: [1; N], padding: [[0; 2]; N], mode: [Pad::Zero; N], output_padding: [0; N], groups: 1 }
    }
}

impl<const N: usize> ConvTransposeSpec<N> {
    /// The convolution whose adjoint this is.
    pub fn adjoint(&self) -> ConvSpec<N> {
        ConvSpec { stride: self.stride, padding: self.padding, mode: self.mode, groups: self.groups }
    }
}

/// All extents of one convolution, checked. In two dimensions the first extent is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Samples.
    pub batch: usize,
    /// Groups of channels.
    pub groups: usize,
    /// Input channels of all groups.
    pub in_channels: usize,
    /// Output channels of all groups.
    pub out_channels: usize,
    /// Extents of the input.
    pub input: [usize; 3],
    /// Extents of the kernel.
    pub kernel: [usize; 3],
    /// Steps between neighbouring outputs.
    pub stride: [usize; 3],
    /// Values added before and behind.
    pub padding: [[usize; 2]; 3],
    /// What the added values are.
    pub mode: [Pad; 3],
    /// Extents of the output.
    pub output: [usize; 3],
}

impl Geometry {
    /// The geometry of `name`, a convolution of `input` `[batch, channels, ..]` with `weight`
    /// `[out channels, in channels / groups, ..]`.
    ///
    /// # Panics
    /// With `name` and what does not fit.
    pub(crate) fn of<const N: usize>(name: &str, input: &[usize], weight: &[usize], spec: &ConvSpec<N>) -> Self {
        check_groups(name, weight[0], spec);
        assert!(
            input[1] == weight[1] * spec.groups,
            "{name}: the input has {} channels, the weight takes {} groups of {}",
            input[1],
            spec.groups,
            weight[1]
        );
        let geometry = Self::lifted(input[0], [weight[1] * spec.groups, weight[0]], &input[2..], &weight[2..], spec);
        geometry.check_padding::<N>(name);
        geometry
    }

    /// The geometry of the convolution whose adjoint `name`, a transposed convolution of `input` `[batch, channels, ..]` with
    /// `weight` `[channels, out channels / groups, ..]`, is: its output has the extents of `input`.
    ///
    /// # Panics
    /// With `name` and what does not fit.
    pub(crate) fn of_transposed<const N: usize>(
        name: &str,
        input: &[usize],
        weight: &[usize],
        spec: &ConvTransposeSpec<N>,
    ) -> Self {
        check_groups(name, weight[0], &spec.adjoint());
        assert!(input[1] == weight[0], "{name}: the input has {} channels, the weight takes {}", input[1], weight[0]);
        let mut extents = [0; N];
        for axis in 0..N {
            let (steps, kernel) = (input[axis + 2], weight[axis + 2]);
            let [before, behind] = spec.padding[axis];
            let longer = spec.output_padding[axis];
            assert!(
                longer < spec.stride[axis],
                "{name}: axis {axis}: the output padding {longer} is not below the stride {}",
                spec.stride[axis]
            );
            assert!(steps > 0 && kernel > 0, "{name}: axis {axis} is empty");
            let padded = (steps - 1) * spec.stride[axis] + kernel + longer;
            assert!(
                padded > before + behind,
                "{name}: axis {axis}: nothing is left of {padded} values after a padding of {before} and {behind}"
            );
            extents[axis] = padded - before - behind;
        }
        let channels = [weight[1] * spec.groups, weight[0]];
        let geometry = Self::lifted(input[0], channels, &extents, &weight[2..], &spec.adjoint());
        geometry.check_padding::<N>(name);
        geometry
    }

    fn lifted<const N: usize>(
        batch: usize,
        [in_channels, out_channels]: [usize; 2],
        extents: &[usize],
        kernel: &[usize],
        spec: &ConvSpec<N>,
    ) -> Self {
        let mut geometry = Self {
            batch,
            groups: spec.groups,
            in_channels,
            out_channels,
            input: [1; 3],
            kernel: [1; 3],
            stride: [1; 3],
            padding: [[0; 2]; 3],
            mode: [Pad::Zero; 3],
            output: [1; 3],
        };
        for axis in 0..N {
            let place = axis + 3 - N;
            geometry.input[place] = extents[axis];
            geometry.kernel[place] = kernel[axis];
            geometry.stride[place] = spec.stride[axis];
            geometry.padding[place] = spec.padding[axis];
            geometry.mode[place] = spec.mode[axis];
            let padded = extents[axis] + spec.padding[axis][0] + spec.padding[axis][1];
            geometry.output[place] = padded.checked_sub(kernel[axis]).map_or(0, |room| room / spec.stride[axis] + 1);
        }
        geometry
    }

    fn check_padding<const N: usize>(&self, name: &str) {
        for place in 3 - N..3 {
            let (axis, extent, kernel) = (place + N - 3, self.input[place], self.kernel[place]);
            let [before, behind] = self.padding[place];
            assert!(extent > 0 && kernel > 0, "{name}: axis {axis} is empty");
            assert!(
                before.max(behind) <= self.mode[place].limit(extent),
                "{name}: axis {axis}: {} padding of {before} and {behind} is too much for {extent} values",
                self.mode[place].name()
            );
            assert!(
                self.output[place] > 0,
                "{name}: axis {axis}: a kernel of {kernel} does not fit {extent} values padded by {before} and {behind}"
            );
        }
    }

    /// Values of one channel of the input.
    #[cfg(feature = "flex")]
    pub(crate) fn input_len(&self) -> usize {
        self.input.iter().product()
    }

    /// Values of one channel of the output.
    #[cfg(feature = "flex")]
    pub(crate) fn output_len(&self) -> usize {
        self.output.iter().product()
    }

    /// Values of the kernel of one pair of channels.
    #[cfg(feature = "flex")]
    pub(crate) fn kernel_len(&self) -> usize {
        self.kernel.iter().product()
    }
}

fn check_groups<const N: usize>(name: &str, channels: usize, spec: &ConvSpec<N>) {
    assert!(
        spec.groups > 0 && channels.is_multiple_of(spec.groups),
        "{name}: {} groups do not divide {channels} channels",
        spec.groups
    );
    assert!(spec.stride.iter().all(|&stride| stride > 0), "{name}: the stride {:?} has a zero", spec.stride);
}
