//! [`Negative`]: what is done with values below zero.
//!
//! Reflectance has no sign, but a dark current that was overestimated and a correction of the atmosphere leave some values below zero. Least
//! squares do not mind; endmembers that are cut at zero there no longer fit the pixels that they come from.

use cupel_settings::choices;
use serde::{Deserialize, Serialize};

use crate::{Error, Pixels, Result};

choices! {
    /// What is done with values below zero.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Negative {
        /// They stay, and endmembers may be below zero in bands where the data are
        Allow = "allow",
        /// They become zero, and endmembers of the classical methods are nowhere below
        Clip = "clip",
        /// The scene is refused
        Refuse = "refuse",
    }
}

/// Values below zero of the pixels that are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct BelowZero {
    /// How many there are.
    pub(crate) count: usize,
    /// Of so many.
    pub(crate) values: usize,
    /// The lowest; zero where none is below.
    pub(crate) lowest: f32,
}

impl BelowZero {
    pub(crate) fn see(&mut self, values: &[f32]) {
        self.values += values.len();
        // In pieces of which the count fits into the lanes of the comparison.
        for piece in values.chunks(1 << 12) {
            let (mut count, mut lowest) = (0u32, 0.0f32);
            for &v in piece {
                count += u32::from(v < 0.0);
                lowest = if v < lowest { v } else { lowest };
            }
            self.count += count as usize;
            self.lowest = self.lowest.min(lowest);
        }
    }

    /// What was done with them in a line, where there are any: the largest value is `most`.
    pub(crate) fn told(&self, negative: Negative, most: f64) -> Option<String> {
        let Self { count, values, lowest } = *self;
        let done = match negative {
            Negative::Clip => "set to zero as asked",
            Negative::Allow | Negative::Refuse => {
                "they stay, and endmembers may be below zero in these bands (--negative clip sets them to zero)"
            }
        };
        (count > 0).then(|| {
            let (share, lowest) = (100.0 * count as f64 / values as f64, f64::from(lowest) / most);
            format!(
                "{count} of {values} values ({share:.2} %) are below zero, down to {lowest:.4} of the largest: {done}"
            )
        })
    }
}

impl Negative {
    /// Does it to values.
    pub(crate) fn clip(self, values: &mut [f32]) {
        if self == Self::Clip {
            values.iter_mut().for_each(|v| *v = v.max(0.0));
        }
    }

    /// Refuses a scene that has some, where that is asked for.
    pub(crate) fn check(self, below: &BelowZero) -> Result<()> {
        match self {
            Self::Refuse if below.count > 0 => Err(Error::BelowZero { count: below.count, values: below.values }),
            _ => Ok(()),
        }
    }

    /// Does it to pixels; gives how many values were below zero.
    ///
    /// # Errors
    /// Values below zero that are refused; pixels that are zero in every band without them.
    pub(crate) fn treat(self, pixels: &Pixels) -> Result<(Pixels, BelowZero)> {
        let mut below = BelowZero::default();
        below.see(pixels.values());
        self.check(&below)?;
        if self != Self::Clip || below.count == 0 {
            return Ok((pixels.clone(), below));
        }
        let mut values = pixels.values().to_vec();
        self.clip(&mut values);
        Ok((Pixels::new(values.into(), pixels.bands())?, below))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_below_zero_stay_or_go_or_are_refused_and_are_always_told() {
        let pixels = Pixels::new(vec![0.5, -0.25, 0.0, 1.0, 0.25, -0.125].into(), 3).unwrap();
        let (same, below) = Negative::Allow.treat(&pixels).unwrap();
        assert_eq!((same.values(), below), (pixels.values(), BelowZero { count: 2, values: 6, lowest: -0.25 }));
        let told = below.told(Negative::Allow, 1.0).unwrap();
        assert!(
            told.starts_with("2 of 6 values (33.33 %) are below zero, down to -0.2500 of the largest: they stay"),
            "{told}"
        );
        let (clipped, _) = Negative::Clip.treat(&pixels).unwrap();
        assert_eq!(clipped.values(), [0.5, 0.0, 0.0, 1.0, 0.25, 0.0]);
        assert!(below.told(Negative::Clip, 1.0).unwrap().contains("set to zero"));
        let refused = Negative::Refuse.treat(&pixels).unwrap_err().to_string();
        assert!(refused.contains("2 of 6 values are below zero") && refused.contains("--negative clip"), "{refused}");
        assert!(Negative::Refuse.treat(&clipped).is_ok());
        assert_eq!(Negative::Refuse.treat(&clipped).unwrap().1.told(Negative::Refuse, 1.0), None);
        // a pixel of which nothing is left has no abundances
        let dark = Pixels::new(vec![0.5, 1.0, -0.25, -1.0].into(), 2).unwrap();
        assert!(matches!(Negative::Clip.treat(&dark), Err(Error::ZeroPixels { first: 1, count: 1, .. })));
    }
}
