//! How many endmembers a scene has.
//!
//! Eigenvalues answer this for scenes that are linear mixtures up to white noise, and only for those: in real scenes
//! materials vary, and the same test counts tens of directions (HySime says 43 on Samson, which has 3 materials).
//! There the question is which endmembers pay for themselves on pixels that they were not extracted from.

mod replicates;
mod search;

pub use search::Search;

use serde::{Deserialize, Serialize};

use crate::{
    Moments, Noise, Pixels, Result,
    virtual_dimension::{hfc, hysime},
};

/// Probability of the HFC test to count noise as a signal, the usual one.
const FALSE_ALARM: f64 = 1e-3;
/// What an endmember must take off the score: its misfit must fall by 14 % where the shares stay as clear as before.
///
/// On five seeds the fourth material of Jasper Ridge earns 0.20 to 0.21, a fifth 0.06 to 0.09; a fourth on Samson 0.08
/// to 0.12. These two scenes set the price.
const PRICE: f64 = 0.15;
/// Directions and endmembers that pay for themselves agree when they differ by no more than this. Then the directions
/// decide: counting them needs no search, which may miss a faint material or stop at a local optimum.
const AGREEMENT: usize = 1;

/// A number of endmembers, with the evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// The number suggested.
    pub endmembers: usize,
    /// Signal directions by HySime, which are materials only in linear mixtures.
    pub hysime: usize,
    /// Distinct signals by Harsanyi-Farrand-Chang at a false alarm rate of 1e-3.
    pub hfc: usize,
    /// Directions in which the spectra spread beyond white noise.
    pub directions: usize,
    /// Standard deviation of the noise in the units of the pixels, as a root mean square over bands.
    pub noise: f64,
    /// Every number that was tried, upwards from 1.
    pub candidates: Vec<HeldOut>,
    /// The evidence in words.
    pub reason: String,
}

/// How well one number of endmembers predicts pixels that they were not extracted from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// The number.
    pub endmembers: usize,
    /// Root mean square error over held-out pixels and all bands, in the units of the pixels.
    pub held_out_rmse: f64,
    /// Mean angle between the endmembers of one half of the pixels and those of the other.
    pub instability_rad: f64,
    /// Mean entropy of the shares of held-out pixels in nats.
    pub entropy: f64,
    /// Fraction of the held-out pixels that are nearly pure, for the endmember with the fewest of them.
    pub near_pure: f64,
    /// `ln(mean held-out distance) + 0.7 entropy`; an endmember must lower it by 0.15 to pay for itself.
    pub score: f64,
}

/// Suggests a number of endmembers from 1 to `most`.
///
/// Endmembers are extracted from each of two disjoint halves of the pixels and judged on the other half. The number
/// that minimises `score + 0.15 endmembers` is suggested; where it agrees to within one with the directions of spectra
/// beyond noise, the scene is a linear mixture and the directions are suggested.
///
/// # Errors
/// `most` of zero; moments or a subspace that cannot be had.
pub fn suggest(pixels: &Pixels, most: usize, seed: u64) -> Result<Suggestion> {
    let mut search = Search::new(pixels, most, seed)?;
    search.complete()?;
    search.finish()
}

/// What the numbers tried and the directions beyond noise say together.
fn conclude(
    moments: &Moments,
    noise: &Noise,
    directions: usize,
    pixels: usize,
    candidates: Vec<HeldOut>,
) -> Result<Suggestion> {
    let mut suggestion = Suggestion {
        endmembers: paying(&candidates),
        hysime: hysime(moments, noise)?,
        hfc: hfc(moments, noise, pixels, FALSE_ALARM)?,
        directions,
        noise: (noise.variances.iter().sum::<f64>() / noise.variances.len() as f64).sqrt(),
        candidates,
        reason: String::new(),
    };
    let tried = (1..=suggestion.candidates.len()).contains(&directions);
    let linear = tried && directions.abs_diff(suggestion.endmembers) <= AGREEMENT;
    if linear {
        suggestion.endmembers = directions;
    }
    suggestion.reason = suggestion.explain(linear);
    Ok(suggestion)
}

/// The number at which endmembers cease to pay for themselves.
fn paying(candidates: &[HeldOut]) -> usize {
    let cost = |c: &HeldOut| c.score + PRICE * c.endmembers as f64;
    candidates.iter().min_by(|a, b| cost(a).total_cmp(&cost(b))).map_or(1, |c| c.endmembers)
}

impl Suggestion {
    fn explain(&self, linear: bool) -> String {
        let count = self.endmembers;
        let plural = if count == 1 { "" } else { "s" };
        let why = if linear {
            format!(
                "the spectra spread beyond the noise in {count} direction{plural}, as a linear mixture of as many does"
            )
        } else {
            "one more would not pay for itself on pixels it was not extracted from".to_string()
        };
        let mut reason = format!("{count} endmember{plural}: {why}");
        let at = |count: usize| self.candidates.iter().find(|c| c.endmembers == count);
        if let Some(here) = at(count) {
            let fewer = at(count.wrapping_sub(1)).map(|c| format!("{:.2e} with one fewer, ", c.held_out_rmse));
            let more = at(count + 1).map(|c| format!("{:.2e} with one more, ", c.held_out_rmse));
            reason += &format!(
                "; the error on held-out pixels is {:.2e} ({}{}noise {:.2e}); two halves of the scene agree on them to \
                 {:.1} degrees",
                here.held_out_rmse,
                fewer.unwrap_or_default(),
                more.unwrap_or_default(),
                self.noise,
                here.instability_rad.to_degrees()
            );
        }
        if !linear {
            reason += &format!("; HySime's {} and HFC's {} count how materials vary, too", self.hysime, self.hfc);
        }
        if count > 1 && count == self.candidates.len() {
            reason += "; no larger number was tried, so there may be more";
        }
        reason
    }
}

#[cfg(test)]
mod tests {
    use cupel_data::Stream;

    use super::*;
    use crate::simulate::{dirichlet, mix, patches, smooth_endmembers};

    fn scene(count: usize, snr_db: f64, stream: Stream) -> Pixels {
        let endmembers = smooth_endmembers(count, 40, stream.child(0)).unwrap();
        mix(&endmembers, &patches(30, 30, count, 0.04, stream.child(1)).unwrap(), snr_db, stream.child(2)).unwrap()
    }

    #[test]
    fn linear_mixtures_are_counted() {
        for count in 2..=5 {
            let pixels = scene(count, 35.0, Stream::new(count as u64, "number test"));
            let suggestion = suggest(&pixels, 7, 1).unwrap();
            assert_eq!(suggestion.endmembers, count, "{suggestion:?}");
            assert!(suggestion.reason.contains("linear mixture"), "{}", suggestion.reason);
            assert_eq!(suggestion.candidates.len(), 7);
        }
    }

    #[test]
    fn materials_are_counted_where_each_varies_in_many_ways() {
        const WAYS: usize = 12;
        let (count, bands, stream) = (3, 40, Stream::new(5, "number test"));
        let endmembers = smooth_endmembers(count, bands, stream.child(0)).unwrap();
        let abundances = patches(40, 40, count, 0.04, stream.child(1)).unwrap();
        let mut draws = vec![0.0f32; abundances.count() * count * WAYS];
        stream.child(2).fill_normal(&mut draws);
        let varied = |band: usize, k: usize, draws: &[f32]| {
            let x = band as f64 / bands as f64;
            let ways = draws[k * WAYS..(k + 1) * WAYS].iter().enumerate();
            let change: f64 = ways.map(|(w, d)| f64::from(*d) * (3.0 * (w + 1) as f64 * x).cos()).sum();
            endmembers.spectrum(k)[band] * (1.0 + 0.01 * change)
        };
        let mut values = Vec::new();
        for (shares, draws) in abundances.rows().zip(draws.chunks(count * WAYS)) {
            let mixed = |band| shares.iter().enumerate().map(|(k, share)| share * varied(band, k, draws)).sum::<f64>();
            values.extend((0..bands).map(|band| mixed(band) as f32));
        }
        let suggestion = suggest(&Pixels::new(values.into(), bands).unwrap(), 6, 1).unwrap();
        assert_eq!(suggestion.endmembers, count, "{suggestion:?}");
        assert!(suggestion.directions > 6, "{suggestion:?}");
    }

    #[test]
    fn noise_free_scenes_and_a_single_material_are_no_trouble() {
        for count in 1..=3 {
            let suggestion = suggest(&scene(count, f64::INFINITY, Stream::new(8, "number test")), 5, 1).unwrap();
            assert_eq!(suggestion.endmembers, count, "{suggestion:?}");
        }
    }

    #[test]
    fn small_scenes_get_an_answer_within_what_they_allow() {
        let stream = Stream::new(9, "number test");
        for (pixels, bands) in [(1, 1), (1, 5), (2, 2), (3, 1), (5, 2), (7, 30), (30, 2), (20, 60), (60, 3)] {
            let endmembers = smooth_endmembers(2, bands, stream.child(0)).unwrap();
            let abundances = dirichlet(pixels, 2, 0.7, stream.child(1)).unwrap();
            for snr_db in [20.0, f64::INFINITY] {
                let scene = mix(&endmembers, &abundances, snr_db, stream.child(2)).unwrap();
                let suggestion = suggest(&scene, 6, 1).unwrap();
                let allowed = bands.min((pixels / 2).max(1));
                assert!((1..=allowed).contains(&suggestion.endmembers), "{pixels} x {bands}: {suggestion:?}");
                assert!(suggestion.candidates.iter().all(|c| c.score.is_finite() && c.held_out_rmse.is_finite()));
            }
        }
        let same = Pixels::new(vec![0.5f32; 200].into(), 4).unwrap();
        assert_eq!(suggest(&same, 3, 1).unwrap().endmembers, 1);
        assert!(suggest(&same, 0, 1).is_err());
    }

    #[test]
    fn the_same_seed_gives_the_same_suggestion() {
        let pixels = scene(3, 25.0, Stream::new(10, "number test"));
        assert_eq!(suggest(&pixels, 4, 3).unwrap(), suggest(&pixels, 4, 3).unwrap());
    }
}
