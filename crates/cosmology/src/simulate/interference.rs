//! Radio-frequency interference and gaps, on the plane of channels and times, with the flags that mark them.
//!
//! Three kinds, in turn until the wanted share of samples is taken: a transmitter that never stops (one channel), a
//! passing one (a box of a few channels and times), a broadband burst (one time, all channels). A gap is a run of times
//! without data. A map is scanned row by row, so that a row of it is a time.

use cupel_data::{Stream, StreamRng};
use rand::RngExt;
use rand_distr::{Distribution, Exp1};

/// Largest box in channels, and in times, as shares of all.
const BOX: [f64; 2] = [0.1, 0.25];
/// Longest gap as a share of all times.
const GAP: f64 = 0.125;

/// What became of the samples of [channel, time].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Interference {
    channels: usize,
    times: usize,
    /// Strength of the interference relative to its mean, 0 where there is none.
    pub(crate) strength: Vec<f64>,
    /// Times without data.
    pub(crate) missing: Vec<bool>,
}

impl Interference {
    /// Interference in `share` of the samples, to one sample, and gaps in `gaps` of the times, to one time.
    pub(crate) fn new(channels: usize, times: usize, share: f64, gaps: f64, stream: Stream) -> Self {
        let none = Self { channels, times, strength: vec![0.0; channels * times], missing: vec![false; times] };
        none.with_interference((share * (channels * times) as f64).round() as usize, stream.child(0).rng())
            .with_gaps((gaps * times as f64).round() as usize, stream.child(1).rng())
    }

    /// Whether a sample is of no use.
    pub(crate) fn flagged(&self, channel: usize, time: usize) -> bool {
        self.missing[time] || self.strength[channel * self.times + time] > 0.0
    }

    fn with_interference(mut self, wanted: usize, mut rng: StreamRng) -> Self {
        let (channels, times) = (self.channels, self.times);
        let largest = |share: f64, all: usize| (share * all as f64).ceil() as usize;
        let mut taken = 0;
        for kind in 0_usize.. {
            if taken >= wanted {
                break;
            }
            let (channel, time) = (rng.random_range(0..channels), rng.random_range(0..times));
            let (wide, long) = match kind % 3 {
                0 => (1, times),
                1 => (rng.random_range(1..=largest(BOX[0], channels)), rng.random_range(1..=largest(BOX[1], times))),
                _ => (channels, 1),
            };
            let (first_channel, first_time) =
                (if wide == channels { 0 } else { channel }, if long == times { 0 } else { time });
            for c in first_channel..(first_channel + wide).min(channels) {
                for t in first_time..(first_time + long).min(times) {
                    let sample = &mut self.strength[c * times + t];
                    if *sample == 0.0 && taken < wanted {
                        // never so weak that it would be none
                        let strength: f64 = Exp1.sample(&mut rng);
                        *sample = strength.max(1e-3);
                        taken += 1;
                    }
                }
            }
        }
        self
    }

    fn with_gaps(mut self, wanted: usize, mut rng: StreamRng) -> Self {
        let longest = (GAP * self.times as f64).ceil() as usize;
        let mut taken = 0;
        while taken < wanted {
            let (first, long) = (rng.random_range(0..self.times), rng.random_range(1..=longest));
            for missing in self.missing.iter_mut().skip(first).take(long).filter(|missing| !**missing) {
                if taken < wanted {
                    *missing = true;
                    taken += 1;
                }
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_wanted_share_is_flagged_in_all_three_kinds() {
        for (channels, times, share) in [(64, 64, 0.05), (128, 1024, 0.2), (16, 8, 0.5), (16, 8, 0.0), (8, 8, 1.0)] {
            let interference = Interference::new(channels, times, share, 0.0, Stream::new(3, "rfi"));
            let samples = || (0..channels).flat_map(|c| (0..times).map(move |t| (c, t)));
            let flagged = samples().filter(|(c, t)| interference.flagged(*c, *t)).count();
            assert_eq!(flagged, (share * (channels * times) as f64).round() as usize);
            assert!(samples().all(|(c, t)| interference.flagged(c, t) == (interference.strength[c * times + t] > 0.0)));
        }
        let interference = Interference::new(64, 64, 0.1, 0.0, Stream::new(3, "rfi"));
        let whole_channels = (0..64).filter(|c| (0..64).all(|t| interference.flagged(*c, t))).count();
        let whole_times = (0..64).filter(|t| (0..64).all(|c| interference.flagged(c, *t))).count();
        assert!(whole_channels > 0 && whole_times > 0, "{whole_channels} {whole_times}");
        let strengths: Vec<f64> = interference.strength.iter().copied().filter(|v| *v > 0.0).collect();
        let mean = strengths.iter().sum::<f64>() / strengths.len() as f64;
        assert!((mean - 1.0).abs() < 0.2, "{mean}");
    }

    #[test]
    fn gaps_are_runs_of_times_in_every_channel() {
        let interference = Interference::new(4, 200, 0.0, 0.2, Stream::new(8, "gaps"));
        assert_eq!(interference.missing.iter().filter(|missing| **missing).count(), 40);
        let runs = interference.missing.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        assert!(runs < 15, "{runs} runs of 40 times");
        assert!((0..4).all(|c| (0..200).all(|t| interference.flagged(c, t) == interference.missing[t])));
    }
}
