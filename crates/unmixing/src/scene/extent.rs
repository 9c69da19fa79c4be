//! [`Extent`]: how far the values of a spectrum go, and whether it has them all.

/// What is asked of every spectrum of a scene, found in one pass over its values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Extent {
    /// The lowest and the highest finite value; the highest is below the lowest where there is none.
    pub(crate) lowest: f32,
    pub(crate) highest: f32,
    /// Whether all values are finite.
    pub(crate) is_whole: bool,
}

impl Extent {
    pub(crate) fn of(spectrum: &[f32]) -> Self {
        /// Comparisons that the compiler keeps in registers.
        const LANES: usize = 16;
        let (mut low, mut high, mut odd) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES], [0.0f32; LANES]);
        let mut see = |lane: usize, v: f32| {
            low[lane] = if v < low[lane] { v } else { low[lane] };
            high[lane] = if v > high[lane] { v } else { high[lane] };
            // Nought times a number is nought, times what is none it is none.
            odd[lane] += v * 0.0;
        };
        let (chunks, rest) = spectrum.as_chunks::<LANES>();
        for chunk in chunks {
            for (lane, &v) in chunk.iter().enumerate() {
                see(lane, v);
            }
        }
        rest.iter().for_each(|&v| see(0, v));
        if odd.iter().all(|&v| v == 0.0) {
            let (lowest, highest) = (low.into_iter().fold(low[0], f32::min), high.into_iter().fold(high[0], f32::max));
            return Self { lowest, highest, is_whole: true };
        }
        let finite = || spectrum.iter().copied().filter(|v| v.is_finite());
        let (lowest, highest) = (finite().fold(f32::INFINITY, f32::min), finite().fold(f32::NEG_INFINITY, f32::max));
        Self { lowest, highest, is_whole: false }
    }

    /// Whether all values are there and some are not nought.
    pub(crate) fn has_data(&self) -> bool {
        self.is_whole && self.lowest <= self.highest && (self.lowest != 0.0 || self.highest != 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_a_spectrum_is_looked_at() {
        // Shorter than the lanes, as long, and with a rest.
        for len in [1, 5, 16, 17, 40, 200] {
            for place in 0..len {
                let with = |v: f32| {
                    let mut spectrum = vec![0.5; len];
                    spectrum[place] = v;
                    Extent::of(&spectrum)
                };
                let low = with(-3.0);
                assert!(low.lowest == -3.0 && low.is_whole && low.has_data(), "{len} {place}");
                assert_eq!(with(7.0).highest, 7.0);
                for none in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    let got = with(none);
                    assert!(!got.is_whole && !got.has_data(), "{len} {place} {none}");
                    let others = if len > 1 { [0.5, 0.5] } else { [f32::INFINITY, f32::NEG_INFINITY] };
                    assert_eq!([got.lowest, got.highest], others, "{len} {place} {none}");
                }
            }
            assert!(!Extent::of(&vec![0.0; len]).has_data() && !Extent::of(&vec![-0.0; len]).has_data());
        }
        assert!(!Extent::of(&[]).has_data());
    }
}
