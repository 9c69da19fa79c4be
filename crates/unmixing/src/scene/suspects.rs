//! [`Suspects`]: numbers that stand for missing values although nothing says so.

use cupel_data::Meaning;
use serde::{Deserialize, Serialize};

use super::Extent;

/// Numbers below zero that instruments and software write where there are no data, whether or not the file says so.
const MARKERS: [f32; 11] =
    [-9999.0, -99999.0, -999.0, -32768.0, -32767.0, -1e20, -1e30, -1e34, -1e38, -3.4e38, f32::MIN];
/// Numbers at which counters stop, and those that NetCDF and others write where there are no data.
const FULL: [f32; 8] = [65535.0, 32767.0, 4_294_967_295.0, 1e20, 1e30, 9.969_21e36, 3.4e38, f32::MAX];
/// No counter goes so far.
const NO_COUNT: f32 = 1e15;

/// How often a scene has such numbers, and how far its other ones go. It does not depend on the order in which values are seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Suspects {
    /// As they are stored, and what they mean.
    known: Vec<(f32, f32)>,
    counts: Vec<u64>,
    /// The lowest and the highest of all others.
    range: Option<[f32; 2]>,
}

impl Suspects {
    /// None seen yet.
    pub(crate) fn new(meaning: &Meaning) -> Self {
        let measured = |&stored: &f32| Some((stored, meaning.measured_value(f64::from(stored))? as f32));
        let known: Vec<(f32, f32)> = MARKERS.iter().chain(&FULL).filter_map(measured).collect();
        Self { counts: vec![0; known.len()], known, range: None }
    }

    /// Counts the finite ones of the values of a spectrum, which go as far as `extent` says.
    pub(crate) fn see(&mut self, spectrum: &[f32], extent: Extent) {
        let Extent { lowest, highest, .. } = extent;
        if lowest > highest {
            return;
        }
        // Most spectra hold none of them, as their ends tell.
        if !self.known.iter().any(|&(_, value)| (lowest..=highest).contains(&value)) {
            return self.extend([lowest, highest]);
        }
        for &v in spectrum.iter().filter(|v| v.is_finite()) {
            match self.known.iter().position(|&(_, value)| value == v) {
                Some(place) => self.counts[place] += 1,
                None => self.extend([v, v]),
            }
        }
    }

    fn extend(&mut self, [low, high]: [f32; 2]) {
        let [lowest, highest] = self.range.unwrap_or([low, high]);
        self.range = Some([lowest.min(low), highest.max(high)]);
    }

    /// Those that are far from every other number, as stored, with what they mean and their count.
    fn found(&self) -> impl Iterator<Item = (f32, f32, u64)> + '_ {
        let far = |value: f32| {
            self.range.is_some_and(|[low, high]| if value < 0.0 { low > 0.5 * value } else { high < 0.5 * value })
        };
        let counted = self.known.iter().zip(&self.counts).map(|(&(stored, value), &count)| (stored, value, count));
        counted.filter(move |&(_, value, count)| count > 0 && far(value))
    }

    /// The values that are taken for missing ones.
    pub(crate) fn values(&self) -> Vec<f32> {
        self.found().map(|(_, value, _)| value).collect()
    }

    /// A line for each of them.
    pub(crate) fn told(&self) -> impl Iterator<Item = String> + '_ {
        self.found().map(|(stored, _, count)| {
            let is_full = (0.0..=NO_COUNT).contains(&stored);
            let meaning = if is_full { "as saturated" } else { "as if there were no data" };
            format!(
                "{count} values are {stored}, far from all others, and are left out {meaning}; nothing in the file says so \
                 (--ignore-value {stored} does)"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_far_from_all_others_is_found_in_any_order() {
        let seen = |spectra: &[&[f32]]| {
            let mut suspects = Suspects::new(&Meaning::default());
            spectra.iter().for_each(|spectrum| suspects.see(spectrum, Extent::of(spectrum)));
            suspects
        };
        let [dark, data, full] = [&[-9999.0, -9999.0][..], &[100.0, f32::NAN, 900.0], &[65535.0, 3000.0]];
        let suspects = seen(&[dark, data, full]);
        assert_eq!(suspects, seen(&[full, data, dark]));
        assert_eq!(suspects.values(), [-9999.0, 65535.0]);
        let told: Vec<String> = suspects.told().collect();
        assert!(told[0].starts_with("2 values are -9999,") && told[1].starts_with("1 values are 65535,"), "{told:?}");
        // They are near to others, or alone.
        assert!(seen(&[dark, &[-6000.0]]).values().is_empty());
        assert!(seen(&[full, &[40_000.0]]).values().is_empty());
        assert!(seen(&[dark]).values().is_empty());
    }
}
