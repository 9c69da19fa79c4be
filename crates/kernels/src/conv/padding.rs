//! What is read beyond the edge of an axis.

/// How an axis goes on beyond its edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Pad {
    /// Zeros.
    #[default]
    Zero,
    /// The axis is a circle: behind the last value comes the first.
    Circular,
    /// The values mirrored at the edge, which is not repeated: `c b | a b c | b a`.
    Reflect,
    /// The value at the edge again and again: `a a | a b c | c c`.
    Replicate,
}

impl Pad {
    /// Where the value at `position` of an axis of `extent` values stands, with `None` for a zero. The position may lie
    /// beyond either edge by at most [`Pad::limit`].
    pub fn source(self, position: isize, extent: usize) -> Option<usize> {
        let size = extent.cast_signed();
        if (0..size).contains(&position) {
            return Some(position.cast_unsigned());
        }
        match self {
            Self::Zero => None,
            Self::Circular => Some(position.rem_euclid(size).cast_unsigned()),
            Self::Reflect => {
                let mirrored = if position < 0 { -position } else { 2 * (size - 1) - position };
                Some(mirrored.cast_unsigned())
            }
            Self::Replicate => Some(position.clamp(0, size - 1).cast_unsigned()),
        }
    }

    /// The largest padding of one edge of an axis of `extent` values: one turn of a circle, a mirror image without the
    /// edge, and no limit for zeros and for copies of the edge.
    pub fn limit(self, extent: usize) -> usize {
        match self {
            Self::Zero | Self::Replicate => usize::MAX,
            Self::Circular => extent,
            Self::Reflect => extent.saturating_sub(1),
        }
    }

    /// The name in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::Circular => "circular",
            Self::Reflect => "reflect",
            Self::Replicate => "replicate",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pad;

    #[test]
    fn an_axis_goes_on_as_its_mode_says() {
        let read = |pad: Pad| (-2..5).map(|position| pad.source(position, 3)).collect::<Vec<_>>();
        assert_eq!(read(Pad::Zero), [None, None, Some(0), Some(1), Some(2), None, None]);
        assert_eq!(read(Pad::Circular), [1, 2, 0, 1, 2, 0, 1].map(Some));
        assert_eq!(read(Pad::Reflect), [2, 1, 0, 1, 2, 1, 0].map(Some));
        assert_eq!(read(Pad::Replicate), [0, 0, 0, 1, 2, 2, 2].map(Some));
    }
}
