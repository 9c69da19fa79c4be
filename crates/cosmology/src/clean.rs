//! [`clean`]: takes the foregrounds out of a sky or of visibilities.

use cupel_data::{AxisKind, Complex, Cube};
use cupel_pca::{
    Components, Covariance, GroupedCovariance, Grouping, Modes, Number, Pca, Projector, SpectralFilter, group_count,
};
use cupel_settings::choices;

use crate::{Result, Sky, Unit, Visibilities};

choices! {
    /// How foregrounds are taken out.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum CleanMethod {
        /// Principal components along frequency: foregrounds are smooth in it, and much brighter than the signal
        Pca = "pca",
        /// Of every principal component the share that is foreground, by how far it stands above the bulk; of visibilities in groups of
        /// baselines of like length. It takes no number of modes
        Soft = "soft",
    }
}

/// A [`Sky`] or [`Visibilities`].
pub trait Channels: Sized {
    /// Its values.
    type Value: Number;

    /// The values with their axes, frequency among them.
    fn channels(&self) -> &Cube<Self::Value>;

    /// Their weights.
    fn channel_weights(&self) -> Option<&Cube<f32>>;

    /// What they are measured in.
    fn channel_unit(&self) -> Unit;

    /// An axis whose positions have foregrounds of their own, with a size by which they are alike.
    fn sizes(&self) -> Option<(AxisKind, Vec<f64>)> {
        None
    }

    /// The same with other values and weights.
    ///
    /// # Errors
    /// Those of [`Sky::new`].
    fn with_channels(&self, values: Cube<Self::Value>, weights: Option<Cube<f32>>) -> Result<Self>;
}

impl Channels for Sky {
    type Value = f32;

    fn channels(&self) -> &Cube<f32> {
        self.cube()
    }

    fn channel_weights(&self) -> Option<&Cube<f32>> {
        self.weights()
    }

    fn channel_unit(&self) -> Unit {
        self.unit()
    }

    fn with_channels(&self, values: Cube<f32>, weights: Option<Cube<f32>>) -> Result<Self> {
        self.with_cube(values, weights)
    }
}

impl Channels for Visibilities {
    type Value = Complex<f32>;

    fn channels(&self) -> &Cube<Complex<f32>> {
        self.values()
    }

    fn channel_weights(&self) -> Option<&Cube<f32>> {
        self.weights()
    }

    fn channel_unit(&self) -> Unit {
        self.unit()
    }

    /// The lengths of the baselines in metres, where they are known.
    fn sizes(&self) -> Option<(AxisKind, Vec<f64>)> {
        let length = |own: &[f64; 3]| own.iter().map(|v| v * v).sum::<f64>().sqrt();
        let lengths: Vec<f64> = self.baselines_m().iter().map(length).collect();
        (!lengths.is_empty()).then_some((AxisKind::Baseline, lengths))
    }

    fn with_channels(&self, values: Cube<Complex<f32>>, weights: Option<Cube<f32>>) -> Result<Self> {
        self.with_values(values, weights)
    }
}

/// What is left of a sky without its foregrounds.
#[derive(Clone, Debug)]
pub struct CleanedSky<S> {
    /// The sky, in the unit and the place of the original; its mean spectrum is not restored. Lines of sight of which too little was seen
    /// to know their foregrounds have weight 0.
    pub sky: S,
    /// What was taken out; of groups of baselines the components of all together, which show what there is and not what was taken.
    pub components: Components,
    /// How many modes were taken, and by which rule.
    pub rule: String,
    /// Lines of sight of which too little was seen.
    pub undetermined: usize,
    /// What f32 costs, in a sentence, where it costs much.
    pub warning: Option<String>,
}

/// Takes the foregrounds out by principal components along frequency, fitted on the sky itself: on what has weight, where there are weights.
///
/// # Errors
/// Fewer lines of sight than modes or 2; a number of modes with [`CleanMethod::Soft`]; those of [`Pca::fit`] and [`Projector::apply`].
///
/// # Example
/// ```
/// use cupel_cosmology::{CleanMethod, Sky, Unit, clean, frequency_axis};
/// use cupel_data::{Axes, Axis, AxisKind, Cube};
/// use cupel_pca::Modes;
/// # fn main() -> cupel_cosmology::Result<()> {
/// // one smooth spectrum, brighter here than there
/// let channels = frequency_axis(vec![100.0, 101.0, 102.0])?;
/// let axes = Axes::new(vec![channels, Axis::new(AxisKind::Row, 2), Axis::new(AxisKind::Column, 2)])?;
/// let values = (0..12).map(|i| (1 + i % 4) as f32 * (3 - i / 4) as f32).collect();
/// let sky = Sky::new(Cube::new(values, axes)?, Unit::Kelvin, None)?;
/// let cleaned = clean(&sky, CleanMethod::Pca, Modes::Count(1))?;
/// assert!(cleaned.sky.cube().values().iter().all(|left| left.abs() < 1e-5));
/// # Ok(())
/// # }
/// ```
pub fn clean<S: Channels>(sky: &S, method: CleanMethod, modes: Modes) -> Result<CleanedSky<S>> {
    if method == CleanMethod::Soft {
        return soft(sky, modes);
    }
    let (cube, pca) = (sky.channels(), Pca::new(modes));
    let (components, projector);
    let (values, weights, undetermined) = match sky.channel_weights() {
        None => {
            components = pca.fit(cube, AxisKind::Frequency)?;
            projector = Projector::new(&components);
            (projector.apply(cube)?, None, 0)
        }
        Some(weights) => {
            components = pca.fit_weighted(cube, weights, AxisKind::Frequency)?;
            projector = Projector::new(&components);
            let cleaned = projector.apply_masked(cube, weights)?;
            (cleaned.values, Some(cleaned.weights), cleaned.undetermined)
        }
    };
    Ok(CleanedSky {
        sky: sky.with_channels(values, weights)?,
        rule: format!("{} modes by {}", components.count(), components.rule()),
        warning: projector.warning(),
        components: components.with_unit(Some(sky.channel_unit().to_string())),
        undetermined,
    })
}

/// Takes of every mode the share that is foreground, in groups of positions that are alike.
fn soft<S: Channels>(sky: &S, modes: Modes) -> Result<CleanedSky<S>> {
    if !matches!(modes, Modes::EigenGap | Modes::MarchenkoPastur) {
        let expected = "auto or marchenko-pastur with the method soft, which takes a share of every mode";
        return Err(cupel_settings::Problem::value("modes", modes, expected).into());
    }
    let (cube, weights) = (sky.channels(), sky.channel_weights());
    let axis = cube.axis(AxisKind::Frequency)?.clone();
    // real and imaginary parts are two rows
    let rows = if S::Value::COMPLEX { 2 * cube.len() } else { cube.len() } / axis.len();
    let (kind, sizes) = sky.sizes().unwrap_or_else(|| {
        let other = cube.axes().iter().find(|own| own.kind() != AxisKind::Frequency);
        (other.map_or(AxisKind::Row, cupel_data::Axis::kind), Vec::new())
    });
    let positions = cube.axis(kind)?.len();
    // where no sizes are known all are alike
    let groups = if sizes.is_empty() { 1 } else { group_count(positions, rows / positions.max(1), axis.len()) };
    let grouping = match sizes.is_empty() {
        true => Grouping::new(kind, vec![0; positions])?,
        false => Grouping::by_size(kind, &sizes, groups)?,
    };
    let mut covariance = GroupedCovariance::new(grouping, &Covariance::new(&axis))?;
    match weights {
        Some(weights) => covariance.update_weighted(cube, weights, 0)?,
        None => covariance.update(cube, 0)?,
    }
    let projector = Projector::grouped(&covariance.components(modes)?, SpectralFilter::Automatic)?;
    let components = covariance.all()?.components(modes)?;
    let (values, weights, undetermined) = match weights {
        Some(weights) => {
            let cleaned = projector.apply_masked(cube, weights)?;
            (cleaned.values, Some(cleaned.weights), cleaned.undetermined)
        }
        None => (projector.apply(cube)?, None, 0),
    };
    Ok(CleanedSky {
        sky: sky.with_channels(values, weights)?,
        rule: match groups {
            1 => "a share of every mode".to_owned(),
            groups => format!("a share of every mode of {groups} groups of baselines"),
        },
        warning: projector.warning(),
        components: components.with_unit(Some(sky.channel_unit().to_string())),
        undetermined,
    })
}

#[cfg(test)]
mod tests {
    use cupel_data::{Axes, Axis, Stream};

    use super::*;
    use crate::frequency_axis;

    const CHANNELS: usize = 24;
    const SIDE: usize = 12;

    /// A foreground of three spectra, 1e4 times as bright as the signal, and the signal alone.
    fn skies() -> (Sky, Vec<f32>) {
        let lines = SIDE * SIDE;
        let mut draws = vec![0.0_f64; 3 * lines];
        Stream::new(1, "clean test").fill_normal_f64(&mut draws);
        let mut signal = vec![0.0_f32; CHANNELS * lines];
        Stream::new(2, "clean test").fill_normal(&mut signal);
        let mut values = Vec::with_capacity(CHANNELS * lines);
        for channel in 0..CHANNELS {
            let x = (channel as f64 + 1.0) / CHANNELS as f64;
            for line in 0..lines {
                let smooth = 1e4 * (draws[line] / x + draws[lines + line] * x + draws[2 * lines + line] * x * x);
                values.push((smooth + f64::from(signal[channel * lines + line])) as f32);
            }
        }
        let channels = frequency_axis((0..CHANNELS).map(|i| 400.0 + i as f64).collect()).unwrap();
        let axes = Axes::new(vec![channels, Axis::new(AxisKind::Row, SIDE), Axis::new(AxisKind::Column, SIDE)]);
        let sky = Sky::new(Cube::new(values, axes.unwrap()).unwrap(), Unit::Millikelvin, None).unwrap();
        (sky.with_sides([10.0, 10.0]).unwrap(), signal)
    }

    fn correlation(a: &[f32], b: &[f32], count: &[bool]) -> f64 {
        let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
            a.iter()
                .zip(b)
                .zip(count)
                .filter(|(_, count)| **count)
                .map(|((a, b), _)| f(f64::from(*a), f64::from(*b)))
                .sum()
        };
        sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt()
    }

    #[test]
    fn the_signal_is_left_and_the_number_of_modes_is_found() {
        let (sky, signal) = skies();
        for modes in [Modes::Count(3), Modes::MarchenkoPastur, Modes::EigenGap] {
            let cleaned = clean(&sky, CleanMethod::Pca, modes).unwrap();
            assert_eq!(cleaned.components.count(), 3, "{modes:?}");
            assert!(cleaned.rule.starts_with("3 modes by "), "{}", cleaned.rule);
            assert_eq!(cleaned.components.unit(), Some("mK"));
            assert_eq!((cleaned.sky.unit(), cleaned.sky.geometry().unwrap()), (sky.unit(), sky.geometry().unwrap()));
            let r = correlation(cleaned.sky.cube().values(), &signal, &vec![true; signal.len()]);
            // 3 of 24 modes take an eighth of the power of a white signal: r = sqrt(7 / 8) = .935
            assert!((r - 0.935).abs() < 0.02, "{r}");
        }
    }

    #[test]
    fn what_lies_under_flags_changes_nothing() {
        let (sky, signal) = skies();
        let flagged: Vec<bool> = (0..signal.len()).map(|i| i % 17 == 3 || i % (SIDE * SIDE) == 5).collect();
        let masked = |under: f32| {
            let pairs = sky.cube().values().iter().zip(&flagged);
            let values = pairs.map(|(value, flagged)| if *flagged { under } else { *value }).collect();
            let weights = flagged.iter().map(|flagged| if *flagged { 0.0 } else { 1.0 }).collect();
            let axes = sky.cube().axes();
            let sky = Sky::new(
                Cube::new(values, axes.clone()).unwrap(),
                Unit::Millikelvin,
                Some(Cube::new(weights, axes.clone()).unwrap()),
            );
            clean(&sky.unwrap(), CleanMethod::Pca, Modes::Count(3)).unwrap()
        };
        let cleaned = masked(0.0);
        for under in [1e9, f32::NAN, -3.0] {
            assert_eq!(masked(under).sky, cleaned.sky);
        }
        // one line of sight was never seen
        assert_eq!(cleaned.undetermined, 1);
        let seen: Vec<bool> = cleaned.sky.weights().unwrap().values().iter().map(|weight| *weight > 0.0).collect();
        assert!(seen.iter().zip(&flagged).all(|(seen, flagged)| *seen != *flagged));
        let r = correlation(cleaned.sky.cube().values(), &signal, &seen);
        assert!(r > 0.9, "{r}");
    }

    #[test]
    fn visibilities_are_cleaned_in_both_parts() {
        let (sky, signal) = skies();
        let axes = Axes::new(vec![
            sky.cube().axis(AxisKind::Frequency).unwrap().clone(),
            Axis::new(AxisKind::Baseline, SIDE),
            Axis::new(AxisKind::Time, SIDE),
        ]);
        let values = sky.cube().values().iter().map(|value| Complex::new(*value, -2.0 * value)).collect();
        let visibilities =
            Visibilities::new(Cube::new(values, axes.unwrap()).unwrap(), Unit::Jansky, None, Vec::new()).unwrap();
        let cleaned = clean(&visibilities, CleanMethod::Pca, Modes::Count(3)).unwrap();
        let order = [AxisKind::Frequency, AxisKind::Baseline, AxisKind::Time];
        let left = cleaned.sky.values().permuted(&order).unwrap();
        let all = vec![true; signal.len()];
        let real: Vec<f32> = left.values().iter().map(|value| value.re).collect();
        let imaginary: Vec<f32> = left.values().iter().map(|value| -value.im).collect();
        assert!(correlation(&real, &signal, &all) > 0.9 && correlation(&imaginary, &signal, &all) > 0.9);
    }

    #[test]
    fn shares_of_modes_need_no_number_and_take_none() {
        let (sky, signal) = skies();
        let cleaned = clean(&sky, CleanMethod::Soft, Modes::EigenGap).unwrap();
        assert_eq!(cleaned.rule, "a share of every mode");
        let r = correlation(cleaned.sky.cube().values(), &signal, &vec![true; signal.len()]);
        assert!(r > 0.91, "{r}");
        let error = clean(&sky, CleanMethod::Soft, Modes::Count(3)).unwrap_err().to_string();
        assert!(error.contains("takes a share of every mode"), "{error}");
    }

    /// Foregrounds that the HERA collaboration simulated, 96 baselines of 14.6 to 81 m, 60 channels and 40 times, with a white signal.
    #[test]
    fn a_signal_of_1e_4_comes_back_from_simulated_visibilities_without_a_number_of_modes() {
        let files = ["hera_sim4_vis_bl96_freq60_time40.npy", "hera_sim4_uvw_m.npy", "hera_sim4_freqs_hz.npy"];
        let Some([foregrounds, vectors, frequencies]) = files
            .map(crate::simulate::shared_data)
            .into_iter()
            .collect::<Option<Vec<_>>>()
            .and_then(|paths| <[_; 3]>::try_from(paths).ok())
        else {
            return;
        };
        let numbers = |path| cupel_data::open(path).unwrap().cube::<f64>(None).unwrap().into_values();
        let baselines_m: Vec<[f64; 3]> = numbers(vectors).chunks(3).map(|own| [own[0], own[1], own[2]]).collect();
        let channels = frequency_axis(numbers(frequencies).iter().map(|hz| hz / 1e6).collect()).unwrap();
        let axes = Axes::new(vec![Axis::new(AxisKind::Baseline, 96), channels, Axis::new(AxisKind::Time, 40)]).unwrap();
        let values = cupel_data::open(foregrounds).unwrap().cube::<Complex<f32>>(None).unwrap().into_values();
        let power: f64 = values.iter().map(|v| f64::from(v.re).powi(2) + f64::from(v.im).powi(2)).sum();
        let sigma = 1e-4 * (power / (2.0 * values.len() as f64)).sqrt();
        for seed in [11, 12, 13] {
            let mut draws = vec![0.0_f32; 2 * values.len()];
            Stream::new(seed, "white signal").fill_normal(&mut draws);
            let signal: Vec<f32> = draws.iter().map(|draw| draw * sigma as f32).collect();
            let added = values.iter().enumerate().map(|(i, v)| v + Complex::new(signal[2 * i], signal[2 * i + 1]));
            let cube = Cube::new(added.collect(), axes.clone()).unwrap();
            let visibilities = Visibilities::new(cube, Unit::Jansky, None, baselines_m.clone()).unwrap();
            let cleaned = clean(&visibilities, CleanMethod::Soft, Modes::EigenGap).unwrap();
            assert_eq!(cleaned.rule, "a share of every mode of 8 groups of baselines");
            let left: Vec<f32> = cleaned.sky.values().values().iter().flat_map(|v| [v.re, v.im]).collect();
            let r = correlation(&left, &signal, &vec![true; signal.len()]);
            eprintln!("r = {r:.4}");
            assert!(r > 0.88, "{r}");
        }
    }

    #[test]
    fn more_modes_than_lines_of_sight_are_refused() {
        let axes = Axes::new(vec![
            frequency_axis(vec![1.0, 2.0, 3.0, 4.0]).unwrap(),
            Axis::new(AxisKind::Row, 2),
            Axis::new(AxisKind::Column, 1),
        ]);
        let values = (0..8).map(|i| (i * i) as f32).collect();
        let sky = Sky::new(Cube::new(values, axes.unwrap()).unwrap(), Unit::Kelvin, None).unwrap();
        let error = clean(&sky, CleanMethod::Pca, Modes::Count(3)).unwrap_err().to_string();
        assert!(error.contains("3 samples are needed, 2 were seen"), "{error}");
    }
}
