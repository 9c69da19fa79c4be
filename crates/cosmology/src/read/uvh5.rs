//! UVH5: visibilities in HDF5 by records of one baseline and one time each.
//!
//! Lanman, Hazelton & Jacobs, "The UVH5 file format", pyuvdata memo (2018, revised 2023). `Header` says which antennas, when and at which
//! frequencies; `Data/visdata` `[record, frequency, polarisation]` holds the values (in older files with an axis of length 1 behind the
//! records), `Data/flags` and `Data/nsamples` what counts. Here they become a cube `[baseline, frequency, time, polarisation]`:
//!
//! * A baseline and its reverse are one, `V_ji = conj(V_ij)` with the feeds exchanged, and every one points into the half plane `u > 0`
//!   (or `u = 0, v > 0`; or `u = v = 0, w > 0`) at the first time it was seen.
//! * A baseline that misses some times has weight 0 there. The weight of the others is the number of samples, and 0 where a flag is set.

use std::collections::BTreeMap;

use cupel_data::{Axes, Axis, AxisKind, Complex, Cube, Dataset, Format};

use super::{Raw, ReadConfig, fault, frequencies, has, in_file};
use crate::{Error, Result, sky::frequency_axis};

const VALUES: &str = "Data/visdata";
/// Times in days that differ by less are the same one: a millisecond, as pyuvdata has it.
const SAME_TIME_D: f64 = 1e-3 / 86_400.0;
/// Baselines closer to the edge of the half plane in metres point along it: what the rounding of coordinates leaves.
const SAME_PLACE_M: f64 = 1e-3;
/// Most times as many cells of the cube as there are in the file: baselines averaged over one time and over 64 are both usual.
const MOST_EMPTY: usize = 64;

pub(super) fn recognises(file: &Dataset) -> bool {
    file.format() == Format::Hdf5 && has(file, VALUES) && has(file, "Header/ant_1_array")
}

pub(super) fn read(file: &Dataset, config: &ReadConfig) -> Result<Raw<Complex<f32>>> {
    if config.weights.is_some() || config.flags.is_some() {
        return Err(fault(file.path(), "it has flags and weights of its own", "leave --weights and --flags out"));
    }
    if !config.axes.is_empty() || config.variable.is_some() {
        return Err(fault(file.path(), "UVH5 says which array and which axes", "leave --axes and --variable out"));
    }
    let header = Header::read(file)?;
    let stored = header.array::<Complex<f32>>(file, VALUES)?;
    let plan = Plan::of(file, &header)?;
    let shape = [plan.baselines.len(), header.frequencies_mhz.len(), plan.times_d.len(), header.polarisations.len()];
    let count = shape.iter().try_fold(1_usize, |product, &len| product.checked_mul(len));
    let Some(count) = count.filter(|&count| count / MOST_EMPTY <= stored.len()) else {
        let problem = format!(
            "{} baselines at {} times would be {MOST_EMPTY} times as many values as are in the file",
            shape[0], shape[2]
        );
        return Err(fault(file.path(), problem, "write baselines with times of their own to files of their own"));
    };

    let mut values = vec![Complex::new(0.0, 0.0); count];
    plan.place(shape, stored.values(), &mut values, |value, reversed| if reversed { value.conj() } else { value });
    let mut counted = vec![0.0_f32; count];
    if has(file, "Data/nsamples") {
        plan.place(shape, header.array::<f32>(file, "Data/nsamples")?.values(), &mut counted, |samples, _| samples);
    } else {
        plan.place(shape, &vec![1.0; stored.len()], &mut counted, |weight, _| weight);
    }
    if has(file, "Data/flags") {
        let mut flags = vec![0.0_f32; count];
        plan.place(shape, header.array::<f32>(file, "Data/flags")?.values(), &mut flags, |flag, _| flag);
        counted.iter_mut().zip(&flags).filter(|(_, flag)| **flag != 0.0).for_each(|(weight, _)| *weight = 0.0);
    }

    let times = Axis::new(AxisKind::Time, shape[2]).with_coordinates(plan.times_d, "d")?;
    let polarisations = plan.polarisations.iter().map(|&from| f64::from(header.polarisations[from])).collect();
    let polarisations = Axis::new(AxisKind::Polarisation, shape[3]).with_coordinates(polarisations, "")?;
    let channels = match &config.frequencies {
        Some(_) => Axis::new(AxisKind::Frequency, shape[1]),
        None => in_file(file.path(), frequency_axis(header.frequencies_mhz.clone()))?,
    };
    let axes = Axes::new(vec![Axis::new(AxisKind::Baseline, shape[0]), channels, times, polarisations])?;
    let weights = Cube::new(counted, axes.clone())?;
    let mut raw = Raw::new(file.path(), Cube::new(values, axes)?);
    raw.baselines_m = plan.baselines;
    raw.written_unit = header.unit;
    raw.weights = if weights.values().iter().all(|&weight| weight == 1.0) { None } else { Some(weights) };
    in_file(file.path(), raw.cut(config))
}

impl Raw<Complex<f32>> {
    /// The first [`ReadConfig::ra_bins`] times.
    fn cut(mut self, config: &ReadConfig) -> Result<Self> {
        let Some(bins) = config.ra_bins else { return Ok(self) };
        let first: Vec<usize> = (0..bins).collect();
        self.values = self.values.select(AxisKind::Time, &first)?;
        self.weights = self.weights.map(|weights| weights.select(AxisKind::Time, &first)).transpose()?;
        Ok(self)
    }
}

/// What the header says.
struct Header {
    /// Antennas of each record.
    antennas: Vec<[i64; 2]>,
    /// Vector from the first to the second one, in metres.
    vectors_m: Vec<[f64; 3]>,
    /// When, as a Julian date.
    times_d: Vec<f64>,
    frequencies_mhz: Vec<f64>,
    /// By AIPS's numbers: 1 to 4 are I, Q, U, V; -1 to -4 RR, LL, RL, LR; -5 to -8 XX, YY, XY, YX.
    polarisations: Vec<i32>,
    unit: Option<String>,
}

impl Header {
    fn read(file: &Dataset) -> Result<Self> {
        let whole = |name: &str| -> Result<Vec<i64>> { Ok(file.cube::<i64>(Some(name))?.into_values()) };
        let first = whole("Header/ant_1_array")?;
        let second = whole("Header/ant_2_array")?;
        let times_d = file.cube::<f64>(Some("Header/time_array"))?.into_values();
        let vectors = file.cube::<f64>(Some("Header/uvw_array"))?;
        let frequencies_mhz = frequencies::read(file, Some("Header/freq_array"))?;
        let polarisations = file.cube::<i32>(Some("Header/polarization_array"))?.into_values();
        let records = first.len();
        let lengths = [("ant_2_array", second.len()), ("time_array", times_d.len())];
        for (name, len) in lengths {
            if len != records {
                let problem = format!("Header/{name} has {len} records, Header/ant_1_array {records}");
                return Err(fault(file.path(), problem, "the file is damaged; copy it again"));
            }
        }
        if vectors.shape() != [records, 3] {
            let problem = format!("Header/uvw_array has shape {:?}, expected [{records}, 3]", vectors.shape());
            return Err(fault(file.path(), problem, "the file is damaged; copy it again"));
        }
        for (values, name) in [(vectors.values(), "uvw_array"), (&times_d[..], "time_array")] {
            if let Some(wrong) = values.iter().find(|value| !value.is_finite()) {
                let problem = format!("Header/{name} holds {wrong}");
                return Err(fault(file.path(), problem, "the file is damaged; copy it again"));
            }
        }
        let unit = match file.text("Header/vis_units") {
            Ok(lines) => lines.into_iter().next(),
            Err(_) => None,
        };
        Ok(Self {
            antennas: first.into_iter().zip(second).map(|(first, second)| [first, second]).collect(),
            vectors_m: vectors.values().as_chunks::<3>().0.to_vec(),
            times_d,
            frequencies_mhz,
            polarisations,
            unit,
        })
    }

    fn records(&self) -> usize {
        self.antennas.len()
    }

    /// An array of the file, of the shape `[record, frequency, polarisation]` or with an axis of length 1 behind the records.
    fn array<T: cupel_data::Element>(&self, file: &Dataset, name: &str) -> Result<Cube<T>> {
        let [records, channels, feeds] = [self.records(), self.frequencies_mhz.len(), self.polarisations.len()];
        let shape = file.variable(name)?.shape();
        if shape == [records, channels, feeds] || shape == [records, 1, channels, feeds] {
            return Ok(file.cube::<T>(Some(name))?);
        }
        if name != VALUES {
            let what = if name.ends_with("flags") { "flags" } else { "nsamples" };
            let got = shape.to_vec();
            return in_file(
                file.path(),
                Err(Error::WeightShape { what, expected: vec![records, channels, feeds], got }),
            );
        }
        let problem = format!("{name} has shape {shape:?}, the header says [{records}, {channels}, {feeds}]");
        Err(fault(
            file.path(),
            problem,
            "the file is damaged, or of several spectral windows: write each to a file of its own",
        ))
    }
}

/// Where each record goes.
struct Plan {
    /// Baseline and time of each record, and whether it has to be reversed.
    records: Vec<(usize, usize, bool)>,
    baselines: Vec<[f64; 3]>,
    times_d: Vec<f64>,
    /// The polarisation in the file that each of the cube is.
    polarisations: Vec<usize>,
    /// The same for records that are reversed.
    exchanged: Vec<usize>,
}

impl Plan {
    fn of(file: &Dataset, header: &Header) -> Result<Self> {
        if header.records() == 0 || header.frequencies_mhz.is_empty() || header.polarisations.is_empty() {
            return Err(fault(file.path(), "there are no records in it", "give a file with visibilities"));
        }
        let mut sorted = header.times_d.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted.dedup_by(|later, earlier| *later - *earlier <= SAME_TIME_D);
        let times_d = sorted;
        // the last one that is not later: each is the first of its millisecond
        let time = |at: f64| times_d.partition_point(|&own| own <= at).saturating_sub(1);

        let mut pairs: BTreeMap<[i64; 2], (usize, [f64; 3])> = BTreeMap::new();
        for record in 0..header.records() {
            let [first, second] = header.antennas[record];
            let vector = header.vectors_m[record];
            let (pair, vector) =
                if first <= second { ([first, second], vector) } else { ([second, first], vector.map(|part| -part)) };
            let at = time(header.times_d[record]);
            let earliest = pairs.entry(pair).or_insert((at, vector));
            if at < earliest.0 {
                *earliest = (at, vector);
            }
        }
        let mut baselines = Vec::with_capacity(pairs.len());
        let mut numbers = BTreeMap::new();
        for (number, (pair, (_, vector))) in pairs.into_iter().enumerate() {
            let reversed = !in_half_plane(vector);
            // 0 - x, so that no zero becomes negative
            baselines.push(if reversed { vector.map(|part| 0.0 - part) } else { vector });
            numbers.insert(pair, (number, reversed));
        }
        let mut records = Vec::with_capacity(header.records());
        let mut taken = std::collections::HashSet::new();
        for (record, &[first, second]) in header.antennas.iter().enumerate() {
            let pair = [first.min(second), first.max(second)];
            let (number, turned) = numbers.get(&pair).copied().unwrap_or_default();
            let at = time(header.times_d[record]);
            if !taken.insert((number, at)) {
                let problem = format!(
                    "the baseline of antennas {} and {} is there twice at {} d",
                    pair[0], pair[1], header.times_d[record]
                );
                return Err(fault(file.path(), problem, "remove one of the two records"));
            }
            records.push((number, at, (first > second) != turned));
        }

        let mut polarisations: Vec<usize> = (0..header.polarisations.len()).collect();
        polarisations.sort_by_key(|&feed| header.polarisations[feed].abs());
        let feeds = &header.polarisations;
        let mut exchanged = Vec::with_capacity(polarisations.len());
        let any_reversed = records.iter().any(|(.., reversed)| *reversed);
        for &feed in &polarisations {
            let wanted = exchange(feeds[feed]);
            match feeds.iter().position(|&own| own == wanted) {
                Some(own) => exchanged.push(own),
                None if !any_reversed => exchanged.push(feed),
                None => {
                    let problem = format!(
                        "the polarisation {} of a reversed baseline is {wanted} of the baseline, which is not in the file",
                        feeds[feed]
                    );
                    return Err(fault(file.path(), problem, "write both, or neither, to a file of its own"));
                }
            }
        }
        Ok(Self { records, baselines, times_d, polarisations, exchanged })
    }

    /// Puts values `[record, frequency, polarisation]` into a cube `[baseline, frequency, time, polarisation]` of this shape; `turn` is
    /// told whether the record is reversed.
    fn place<T: Copy>(&self, shape: [usize; 4], from: &[T], to: &mut [T], turn: impl Fn(T, bool) -> T) {
        let [_, channels, times, feeds] = shape;
        for (&(baseline, time, reversed), record) in self.records.iter().zip(from.chunks_exact(channels * feeds)) {
            let sources = if reversed { &self.exchanged } else { &self.polarisations };
            for (channel, own) in record.chunks_exact(feeds).enumerate() {
                let start = ((baseline * channels + channel) * times + time) * feeds;
                for (to, &source) in to[start..start + feeds].iter_mut().zip(sources) {
                    *to = turn(own[source], reversed);
                }
            }
        }
    }
}

/// Whether a baseline points into the half plane, or nowhere.
fn in_half_plane(vector: [f64; 3]) -> bool {
    vector.into_iter().find(|part| part.abs() > SAME_PLACE_M).is_none_or(|part| part > 0.0)
}

/// The polarisation that one becomes when the two antennas are exchanged.
fn exchange(polarisation: i32) -> i32 {
    match polarisation {
        -3 => -4,
        -4 => -3,
        -7 => -8,
        -8 => -7,
        // Stokes parameters of visibilities and equal feeds
        same => same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_baseline_and_its_reverse_one_is_in_the_half_plane() {
        for vector in [[1.0, -2.0, 0.0], [0.0, 2.0, -1.0], [1e-5, 2.0, 0.0], [-1e-5, 3.0, 0.0], [0.0, 0.0, 4.0]] {
            assert!(in_half_plane(vector) && !in_half_plane(vector.map(|part| -part)), "{vector:?}");
        }
        assert!(in_half_plane([0.0; 3]));
        for feed in (-8..=4).filter(|feed| *feed != 0) {
            assert_eq!(exchange(exchange(feed)), feed);
        }
    }
}
