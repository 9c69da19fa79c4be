//! How many endmembers a scene has.
//!
//! Eigenvalues answer this for scenes that are linear mixtures up to white noise, and only for those: in real scenes
//! materials vary, and the same test counts tens of directions (HySime says 43 on Samson, which has 3 materials).
//! There the question is which endmembers pay for themselves on pixels that they were not extracted from. Neighbours know more: what every
//! pixel has for itself is no material, see [`continuity`].

mod continuity;
mod replicates;
mod search;

pub use search::Search;

use serde::{Deserialize, Serialize};

use self::continuity::Continuity;
use crate::{
    Image, Moments, Noise, Pixels, Result,
    virtual_dimension::{hfc, hysime},
};

/// Probability of the HFC test to count noise as a signal, the usual one.
const FALSE_ALARM: f64 = 1e-3;
/// What an endmember must take off the score: its misfit must fall by 14 % where the shares stay as clear as before.
///
/// On five seeds the fourth material of Jasper Ridge earns 0.20 to 0.21, a fifth 0.06 to 0.09; a fourth on Samson 0.08
/// to 0.12. These two scenes set the price.
const PRICE: f64 = 0.15;
/// Directions decide where the last of them stands out from the next by this factor, for a difference of none, one, two and more from the number
/// of endmembers that pay for themselves: counting directions needs no search, which may miss a faint material or stop at a local optimum, but
/// materials that vary add some that fade into the noise.
const FALLS: [f64; 4] = [0.0, 0.0, 1.6, 2.0];
/// A direction that sticks out of the others by less, relative to the length of a spectrum, is the curve of a mixture that is not linear.
const LEAST_LENGTH: f64 = 0.025;

/// A number of endmembers, with the evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// The number suggested.
    pub endmembers: usize,
    /// Signal directions by HySime, which are materials only in linear mixtures.
    pub hysime: usize,
    /// Distinct signals by Harsanyi-Farrand-Chang at a false alarm rate of 1e-3.
    pub hfc: usize,
    /// Directions in which the spectra spread beyond white noise, without those that stripes add.
    pub directions: usize,
    /// Directions that continue from pixel to pixel, where these end at once.
    pub continuing: Option<usize>,
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
/// beyond noise, or these end at once, the scene is a linear mixture and the directions are suggested. [`suggest_for`] asks neighbours
/// first.
///
/// # Errors
/// `most` of zero; moments or a subspace that cannot be had.
pub fn suggest(pixels: &Pixels, most: usize, seed: u64) -> Result<Suggestion> {
    let mut search = Search::new(pixels, most, seed)?;
    search.complete()?;
    search.finish()
}

/// Suggests a number of endmembers of an image from 1 to `most`: where directions that continue from pixel to pixel end at once, those of
/// them that are materials, else as [`suggest`] does.
///
/// # Errors
/// As [`suggest`].
pub fn suggest_for(image: &Image, most: usize, seed: u64) -> Result<Suggestion> {
    let mut search = Search::of_image(image, most, seed)?;
    search.complete()?;
    search.finish()
}

/// What was found beside the numbers tried.
struct Found {
    /// Directions in which the spectra spread beyond noise, without those of stripes.
    directions: usize,
    /// By which factor the last of them stands out from the next.
    fall: f64,
    /// How far these directions stick out.
    lengths: Vec<f64>,
    continuity: Option<Continuity>,
    samples: usize,
}

/// What the number suggested rests on.
#[derive(Clone, Copy)]
enum Ground {
    /// So many directions continue from pixel to pixel and end at once.
    Continuing(usize),
    /// The directions beyond noise.
    Linear,
    /// What endmembers pay for.
    Paying,
}

impl Found {
    /// What all of it says together.
    fn conclude(self, moments: &Moments, noise: &Noise, candidates: Vec<HeldOut>) -> Result<Suggestion> {
        let (paying, most) = (paying(&candidates), candidates.len());
        let tried = |count: &usize| (1..=most).contains(count);
        let ends = self.continuity.as_ref().and_then(|continuity| Some((continuity, continuity.ends().filter(tried)?)));
        let linear = self.fall > FALLS[self.directions.abs_diff(paying).min(FALLS.len() - 1)];
        let (endmembers, ground) = match ends {
            Some((continuity, ends)) => (continuity.materials(), Ground::Continuing(ends)),
            None if linear && tried(&self.directions) => {
                (self.lengths.iter().filter(|length| **length > LEAST_LENGTH).count().max(1), Ground::Linear)
            }
            None => (paying, Ground::Paying),
        };
        let mut suggestion = Suggestion {
            endmembers,
            hysime: hysime(moments, noise)?,
            hfc: hfc(moments, noise, self.samples, FALSE_ALARM)?,
            directions: self.directions,
            continuing: ends.map(|(_, ends)| ends),
            noise: (noise.variances.iter().sum::<f64>() / noise.variances.len() as f64).sqrt(),
            candidates,
            reason: String::new(),
        };
        suggestion.reason = suggestion.explain(ground);
        Ok(suggestion)
    }
}

/// The number at which endmembers cease to pay for themselves.
fn paying(candidates: &[HeldOut]) -> usize {
    let cost = |c: &HeldOut| c.score + PRICE * c.endmembers as f64;
    candidates.iter().min_by(|a, b| cost(a).total_cmp(&cost(b))).map_or(1, |c| c.endmembers)
}

impl Suggestion {
    fn explain(&self, ground: Ground) -> String {
        let count = self.endmembers;
        let plural = if count == 1 { "" } else { "s" };
        let why = match ground {
            Ground::Continuing(ends) if ends == count => {
                format!("{count} direction{plural} of the spectra continue from pixel to pixel, and no other does")
            }
            Ground::Continuing(ends) => format!(
                "{ends} directions of the spectra continue from pixel to pixel, of which {count} are strong enough for a material"
            ),
            Ground::Linear => format!(
                "the spectra spread beyond the noise in {} direction{}, as a linear mixture of {count} does",
                self.directions,
                if self.directions == 1 { "" } else { "s" }
            ),
            Ground::Paying => "one more would not pay for itself on pixels it was not extracted from".to_string(),
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
        if matches!(ground, Ground::Paying) {
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
    fn neighbours_tell_materials_from_what_each_pixel_has_for_itself() {
        // noise that is alike in neighbouring bands, in which eigenvalues have no edge
        for count in 2..=5 {
            let stream = Stream::new(count as u64, "neighbours test");
            let (rows, columns, bands) = (30, 28, 40);
            let endmembers = smooth_endmembers(count, bands, stream.child(0)).unwrap();
            let abundances = patches(rows, columns, count, 0.04, stream.child(1)).unwrap();
            let clean = mix(&endmembers, &abundances, f64::INFINITY, stream).unwrap();
            let mut noise = vec![0.0f32; clean.values().len()];
            stream.child(2).fill_normal(&mut noise);
            for row in noise.chunks_exact_mut(bands) {
                (1..bands).for_each(|band| row[band] = 0.85 * row[band - 1] + 0.53 * row[band]);
            }
            let values: Vec<f32> = clean.values().iter().zip(&noise).map(|(v, n)| v + 0.01 * n).collect();
            let pixels = Pixels::new(values.into(), bands).unwrap();
            let image = Image::new(pixels, rows, columns).unwrap();
            let suggestion = suggest_for(&image, 7, 1).unwrap();
            assert!(suggestion.directions > 7, "{suggestion:?}");
            assert_eq!((suggestion.endmembers, suggestion.continuing), (count, Some(count)), "{suggestion:?}");
            assert!(suggestion.reason.contains("continue from pixel to pixel"), "{}", suggestion.reason);
            // the same pixels without their places, and as a single row, have no neighbours that count
            let shuffled = image.pixels().select(&stream.permutation(rows * columns));
            let alone = suggest_for(&Image::new(shuffled, rows, columns).unwrap(), 7, 1).unwrap();
            assert_eq!(alone.continuing, None, "{alone:?}");
            assert_eq!(suggest_for(&Image::row(image.pixels()), 7, 1).unwrap().continuing, None);
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
