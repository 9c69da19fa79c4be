//! [`Sky`] and [`Visibilities`]: cubes with their unit, weights, frequencies and place, checked once when they are made.

use std::path::Path;

use cupel_data::{Array, Axis, AxisKind, Celestial, Cube, Finite, FitsBeam, FitsCards, Values, write_fits, write_npy};

use crate::{Background, Conversion, Error, Result, Unit, beam_solid_angle_sr, redshift};

/// How a flat-sky cube `[frequency, row, column]` lies in the universe.
#[derive(Clone, Debug, PartialEq)]
pub struct Geometry {
    /// Sides of the patch, along rows and columns, in degrees.
    pub side_deg: [f64; 2],
    /// Centres of the channels in MHz.
    pub frequencies_mhz: Vec<f64>,
}

impl Geometry {
    /// Comoving lengths of the cube in Mpc/h, `[frequency, row, column]`: across, `chi(z_c) theta` with `z_c` of the middle frequency;
    /// along the line of sight `|chi(nu_1) - chi(nu_n)| n / (n - 1)`, since n channels reach half a channel beyond the outer centres.
    ///
    /// Infinite along the line of sight, or NaN, with fewer than 2 channels.
    pub fn lengths_mpc_h(&self, background: &Background) -> [f64; 3] {
        let distance = |frequency_mhz: f64| background.comoving_distance_mpc_h(redshift(frequency_mhz));
        let channels = self.frequencies_mhz.len();
        let (first, last) = match self.frequencies_mhz[..] {
            [first, .., last] => (first, last),
            _ => return [f64::NAN; 3],
        };
        let depth = (distance(first) - distance(last)).abs() * channels as f64 / (channels as f64 - 1.0);
        let middle = distance((first + last) / 2.0);
        [depth, middle * self.side_deg[0].to_radians(), middle * self.side_deg[1].to_radians()]
    }
}

/// A sky as a cube of channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Sky {
    cube: Cube<f32>,
    unit: Unit,
    weights: Option<Cube<f32>>,
    side_deg: Option<[f64; 2]>,
    celestial: Option<Celestial>,
    beams: Vec<FitsBeam>,
}

impl Sky {
    /// A sky of `cube`, whose axes are frequency with coordinates in MHz, row or declination, and column or right ascension, in any
    /// order; with a weight for each value where some are left out (0) or better known than others.
    ///
    /// The cube is kept as `[frequency, row, column]`. Where the weight is 0, values that are not finite become 0, so that no sum meets
    /// them; no other value changes.
    ///
    /// # Errors
    /// Other axes, frequencies that are not there; [`Error::NotFlagged`], [`Error::Weight`], [`Error::WeightShape`] and
    /// [`Error::AllFlagged`] for values and weights that cannot be.
    pub fn new(cube: Cube<f32>, unit: Unit, weights: Option<Cube<f32>>) -> Result<Self> {
        let (cube, weights) = checked(cube, weights)?;
        let order = sky_order(&cube)?;
        cube.axis(AxisKind::Frequency)?.coordinates_in("MHz")?;
        let weights = weights.map(|weights| weights.permuted(&order)).transpose()?;
        let cube = cube.permuted(&order)?;
        Ok(Self { cube, unit, weights, side_deg: None, celestial: None, beams: Vec::new() })
    }

    /// The same, with the sides of the patch along rows and columns in degrees.
    ///
    /// # Errors
    /// [`Error::Settings`] for sides that are not above 0.
    pub fn with_sides(mut self, side_deg: [f64; 2]) -> Result<Self> {
        for side in side_deg {
            if !(side > 0.0 && side.is_finite()) {
                return Err(cupel_settings::Problem::value("side-deg", side, "an angle above 0").into());
            }
        }
        self.side_deg = Some(side_deg);
        Ok(self)
    }

    /// The same, in this place of the sky; the sides follow from it.
    #[must_use]
    pub fn with_celestial(mut self, celestial: Celestial) -> Self {
        let pixel = celestial.pixel_deg();
        let shape = self.cube.shape();
        self.side_deg = Some([pixel[0] * shape[1] as f64, pixel[1] * shape[2] as f64]);
        self.celestial = Some(celestial);
        self
    }

    /// The same, seen with one beam in all channels, or with one beam in each.
    ///
    /// # Errors
    /// [`cupel_data::Error::Count`] unless there are no beams, one, or one per channel.
    pub fn with_beams(mut self, beams: Vec<FitsBeam>) -> Result<Self> {
        let channels = self.cube.shape()[0];
        if beams.len() > 1 && beams.len() != channels {
            let (doing, what) = ("giving a sky its beams", "beams, one per channel");
            return Err(cupel_data::Error::Count { doing, what, expected: channels, got: beams.len() }.into());
        }
        self.beams = beams;
        Ok(self)
    }

    /// The values, `[frequency, row or declination, column or right ascension]`.
    pub fn cube(&self) -> &Cube<f32> {
        &self.cube
    }

    /// What they are measured in.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// A weight for each value, of the shape of the cube; 0 leaves it out. Nothing where all values count the same.
    pub fn weights(&self) -> Option<&Cube<f32>> {
        self.weights.as_ref()
    }

    /// Where the image lies on the sky.
    pub fn celestial(&self) -> Option<&Celestial> {
        self.celestial.as_ref()
    }

    /// The beam of a channel.
    pub fn beam(&self, channel: usize) -> Option<&FitsBeam> {
        if self.beams.len() == 1 { self.beams.first() } else { self.beams.get(channel) }
    }

    /// Centres of the channels in MHz, going up or going down.
    ///
    /// # Errors
    /// Never, for a sky that was made by [`Sky::new`].
    pub fn frequencies_mhz(&self) -> Result<&[f64]> {
        Ok(self.cube.axis(AxisKind::Frequency)?.coordinates_in("MHz")?)
    }

    /// How the cube lies in the universe.
    ///
    /// # Errors
    /// [`Error::Missing`] where the file did not say how large the patch is.
    pub fn geometry(&self) -> Result<Geometry> {
        let why = "the file does not say how large the patch is";
        let side_deg = self.side_deg.ok_or(Error::Missing { setting: "side-deg", why })?;
        Ok(Geometry { side_deg, frequencies_mhz: self.frequencies_mhz()?.to_vec() })
    }

    /// The same sky in another unit, channel by channel with its frequency and its beam.
    ///
    /// # Errors
    /// [`Error::Convert`] where what is needed is not known.
    pub fn in_unit(&self, unit: Unit) -> Result<Self> {
        if unit == self.unit {
            return Ok(self.clone());
        }
        let shape = self.cube.shape();
        let gathered_sr = self.side_deg.map(|side_deg| {
            let [row, column] = [side_deg[0] / shape[1] as f64, side_deg[1] / shape[2] as f64];
            row.to_radians() * column.to_radians()
        });
        let mut values = self.cube.values().to_vec();
        let plane = shape[1] * shape[2];
        for (channel, &frequency_mhz) in self.frequencies_mhz()?.iter().enumerate() {
            let beam_sr = self.beam(channel).map(|beam| beam_solid_angle_sr(beam.major_deg, beam.minor_deg));
            let known = Conversion { frequency_mhz: Some(frequency_mhz), beam_sr, gathered_sr };
            let factor = known.factor(self.unit, unit)?;
            scale(&mut values[channel * plane..(channel + 1) * plane], factor);
        }
        Ok(Self { cube: Cube::new(values, self.cube.axes().clone())?, unit, ..self.clone() })
    }

    /// The same sky with other values and weights, of the same axes.
    ///
    /// # Errors
    /// As [`Sky::new`].
    pub fn with_cube(&self, cube: Cube<f32>, weights: Option<Cube<f32>>) -> Result<Self> {
        if cube.axes() != self.cube.axes() {
            let (expected, got) = (self.cube.shape(), cube.shape());
            return Err(cupel_data::Error::Shape { doing: "giving a sky other values", expected, got }.into());
        }
        let (cube, weights) = checked(cube, weights)?;
        Ok(Self { cube, weights, ..self.clone() })
    }

    /// What a FITS header says of it beside the axes.
    pub fn cards(&self) -> FitsCards {
        let beam = if self.beams.len() == 1 { self.beams.first().copied() } else { None };
        FitsCards { unit: Some(self.unit.to_string()), celestial: self.celestial.clone(), beam }
    }

    /// Writes the values, NaN where the weight is 0: FITS with unit and place where the name ends in `.fits`, `.fit` or `.fts`, else NPY.
    ///
    /// # Errors
    /// Those of [`write_fits`] and [`write_npy`].
    pub fn write(&self, path: &Path) -> Result<()> {
        let fits = path
            .extension()
            .is_some_and(|ending| ["fits", "fit", "fts"].iter().any(|fits| ending.eq_ignore_ascii_case(fits)));
        let cube = shown(&self.cube, self.weights.as_ref(), f32::NAN)?;
        if fits { Ok(write_fits(path, &cube, &self.cards())?) } else { Ok(write_npy(path, &Array::from(&cube))?) }
    }

    /// Writes the frequencies beside arrays that do not say them: `freqs_mhz.npy` in a folder.
    ///
    /// # Errors
    /// Those of [`write_npy`].
    pub fn write_frequencies(&self, folder: &Path) -> Result<()> {
        let frequencies = self.frequencies_mhz()?.to_vec();
        Ok(write_npy(&folder.join("freqs_mhz.npy"), &Array::new(vec![frequencies.len()], Values::F64(frequencies))?)?)
    }
}

/// The values as they are written: what has no weight is not to be taken for a value.
pub(crate) fn shown<T: Copy>(values: &Cube<T>, weights: Option<&Cube<f32>>, blank: T) -> Result<Cube<T>> {
    let Some(weights) = weights else { return Ok(values.clone()) };
    let pairs = values.values().iter().zip(weights.values());
    let shown = pairs.map(|(&value, &weight)| if weight == 0.0 { blank } else { value }).collect();
    Ok(Cube::new(shown, values.axes().clone())?)
}

/// Weights of flags, of which nonzero leaves a value out: 0 where a flag is set, else 1.
pub fn weights_of_flags(flags: &Cube<f32>) -> Cube<f32> {
    flags.map(|&flag| if flag == 0.0 { 1.0 } else { 0.0 })
}

/// Frequencies as an axis.
///
/// # Errors
/// Frequencies that are not finite, not above 0, or neither go up nor down.
pub fn frequency_axis(frequencies_mhz: Vec<f64>) -> Result<Axis> {
    if let Some(index) = frequencies_mhz.iter().position(|frequency| *frequency <= 0.0) {
        let (kind, value, unit) = (AxisKind::Frequency, frequencies_mhz[index], "MHz");
        return Err(cupel_data::Error::Coordinate { kind, index, value, unit, problem: "is not above 0" }.into());
    }
    Ok(Axis::new(AxisKind::Frequency, frequencies_mhz.len()).with_coordinates(frequencies_mhz, "MHz")?)
}

fn scale(values: &mut [f32], factor: f64) {
    values.iter_mut().for_each(|value| *value = (f64::from(*value) * factor) as f32);
}

/// The axes of a sky in the order in which it is kept.
fn sky_order(cube: &Cube<f32>) -> Result<[AxisKind; 3]> {
    let kinds = cube.axes().kinds();
    let either = |a: AxisKind, b: AxisKind| if kinds.contains(&a) { a } else { b };
    let order = [
        AxisKind::Frequency,
        either(AxisKind::Declination, AxisKind::Row),
        either(AxisKind::RightAscension, AxisKind::Column),
    ];
    for kind in order {
        cube.axis(kind)?;
    }
    if kinds.len() != order.len() {
        let (doing, what) = ("reading a sky", "axes (frequency, row, column)");
        return Err(cupel_data::Error::Count { doing, what, expected: order.len(), got: kinds.len() }.into());
    }
    Ok(order)
}

/// Values and weights that may stand together; see [`Sky::new`].
pub(crate) fn checked<T: Finite + Copy + Default>(
    values: Cube<T>,
    weights: Option<Cube<f32>>,
) -> Result<(Cube<T>, Option<Cube<f32>>)> {
    let len = values.len();
    let Some(weights) = weights else {
        return match values.check_finite() {
            Ok(()) => Ok((values, None)),
            Err(cupel_data::Error::NonFinite { first, count, len }) => Err(Error::NotFlagged { first, count, len }),
            Err(other) => Err(other.into()),
        };
    };
    if weights.shape() != values.shape() {
        let (expected, got) = (values.shape(), weights.shape());
        return Err(Error::WeightShape { what: "weights", expected, got });
    }
    let weights = Cube::new(weights.into_values(), values.axes().clone())?;
    let place = |mut offset: usize| -> Vec<(AxisKind, usize)> {
        let mut place = Vec::new();
        for axis in values.axes().iter().collect::<Vec<_>>().into_iter().rev() {
            place.push((axis.kind(), offset % axis.len()));
            offset /= axis.len();
        }
        place.reverse();
        place
    };
    if let Some(at) = weights.values().iter().position(|weight| !(weight.is_finite() && *weight >= 0.0)) {
        return Err(Error::Weight { at: place(at), value: weights.values()[at] });
    }
    if weights.values().iter().all(|weight| *weight == 0.0) {
        return Err(Error::AllFlagged { len });
    }
    let lost = |(value, weight): (&T, &f32)| *weight > 0.0 && !value.finite();
    if let Some(first) = values.values().iter().zip(weights.values()).position(lost) {
        let count = values.values().iter().zip(weights.values()).filter(|pair| lost(*pair)).count();
        return Err(Error::NotFlagged { first: place(first), count, len });
    }
    if values.values().iter().all(Finite::finite) {
        return Ok((values, Some(weights)));
    }
    let axes = values.axes().clone();
    let mut plain = values.into_values();
    plain.iter_mut().filter(|value| !value.finite()).for_each(|value| *value = T::default());
    Ok((Cube::new(plain, axes)?, Some(weights)))
}

#[cfg(test)]
pub(crate) mod tests {
    use cupel_data::Axes;

    use super::*;

    fn axes(kinds: &[AxisKind], shape: &[usize]) -> Axes {
        let axis = |(&kind, &len): (&AxisKind, &usize)| match kind {
            AxisKind::Frequency => frequency_axis((0..len).map(|i| 100.0 + i as f64).collect()).unwrap(),
            kind => Axis::new(kind, len),
        };
        Axes::new(kinds.iter().zip(shape).map(axis).collect()).unwrap()
    }

    pub(crate) fn cube(kinds: &[AxisKind], shape: &[usize]) -> Cube<f32> {
        Cube::new((0..shape.iter().product::<usize>()).map(|i| i as f32).collect(), axes(kinds, shape)).unwrap()
    }

    const SKY: [AxisKind; 3] = [AxisKind::Frequency, AxisKind::Row, AxisKind::Column];

    #[test]
    fn lengths_are_those_of_the_simulation_of_the_peer() {
        let frequencies_mhz: Vec<f64> = (0..32).map(|i| 350.0 + (f64::from(i) + 0.5) * 129.0 / 32.0).collect();
        let geometry = Geometry { side_deg: [20.0, 20.0], frequencies_mhz };
        let lengths = geometry.lengths_mpc_h(&Background::default());
        for (got, expected) in lengths.into_iter().zip([877.013050353731, 1383.9143898946215, 1383.9143898946215]) {
            assert!((got / expected - 1.0).abs() < 1e-4, "{got} {expected}");
        }
    }

    #[test]
    fn axes_are_kept_in_one_order_whatever_order_they_came_in() {
        let turned = cube(&[AxisKind::Column, AxisKind::Row, AxisKind::Frequency], &[4, 3, 2]);
        let sky = Sky::new(turned.clone(), Unit::Kelvin, Some(turned.map(|_| 1.0))).unwrap();
        assert_eq!((sky.cube().axes().kinds(), sky.cube().shape()), (SKY.to_vec(), vec![2, 3, 4]));
        assert_eq!(sky.cube(), &turned.permuted(&SKY).unwrap());
        assert_eq!(sky.weights().unwrap().shape(), [2, 3, 4]);
        assert!(Sky::new(cube(&[AxisKind::Frequency, AxisKind::Row], &[2, 3]), Unit::Kelvin, None).is_err());
        let bare = cube(&SKY, &[2, 3, 4]).with_axis(Axis::new(AxisKind::Frequency, 2)).unwrap();
        assert!(Sky::new(bare, Unit::Kelvin, None).is_err());
    }

    #[test]
    fn values_and_weights_that_cannot_be_are_refused_with_their_place() {
        let good = cube(&SKY, &[2, 2, 2]);
        let with = |values: [f32; 8]| Cube::new(values.to_vec(), good.axes().clone()).unwrap();
        let refused = |values, weights| Sky::new(values, Unit::Kelvin, weights).unwrap_err().to_string();
        let broken = with([0.0, 1.0, f32::NAN, 3.0, 4.0, f32::INFINITY, 6.0, 7.0]);
        assert_eq!(
            refused(broken.clone(), None),
            "2 of 8 values are not finite and not flagged, the first at [frequency 0, row 1, column 0]; \
             give a file of weights or flags (--weights) that leaves them out"
        );
        let one = with([1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        assert!(
            refused(broken.clone(), Some(one))
                .starts_with("1 of 8 values are not finite and not flagged, the first at [frequency 1")
        );
        let both = with([1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.5, 1.0]);
        let sky = Sky::new(broken, Unit::Kelvin, Some(both)).unwrap();
        assert_eq!(sky.cube().values(), [0.0, 1.0, 0.0, 3.0, 4.0, 0.0, 6.0, 7.0]);
        assert_eq!(
            refused(good.clone(), Some(with([1.0, 1.0, 1.0, -1.0, 1.0, 1.0, 1.0, 1.0]))),
            "the weight -1 at [frequency 0, row 1, column 1] is no weight; weights are finite and 0 or more, and 0 leaves a value out"
        );
        assert!(refused(good.clone(), Some(with([f32::NAN; 8]))).contains("the weight NaN at [frequency 0"));
        assert!(refused(good.clone(), Some(with([0.0; 8]))).starts_with("all 8 values are flagged"));
        assert_eq!(
            refused(good.clone(), Some(cube(&SKY, &[2, 2, 1]))),
            "the weights have shape [2, 2, 1], the values [2, 2, 2]; give one weight per value"
        );
        assert_eq!(
            weights_of_flags(&with([0.0, 1.0, 2.0, 0.0, f32::NAN, -1.0, 0.0, 0.0])).values(),
            [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0]
        );
    }

    #[test]
    fn units_change_channel_by_channel_and_back() {
        let beams = vec![
            FitsBeam { major_deg: 0.5, minor_deg: 0.4, angle_deg: 0.0 },
            FitsBeam { major_deg: 0.4, minor_deg: 0.3, angle_deg: 0.0 },
        ];
        let sky = Sky::new(cube(&SKY, &[2, 2, 2]).map(|value| value + 1.0), Unit::JanskyPerBeam, None).unwrap();
        assert!(matches!(sky.in_unit(Unit::Millikelvin), Err(Error::Convert { .. })));
        let sky = sky.with_beams(beams).unwrap().with_sides([1.0, 2.0]).unwrap();
        let temperature = sky.in_unit(Unit::Millikelvin).unwrap();
        for (channel, (beam, frequency_mhz)) in sky.beams.iter().zip([100.0, 101.0]).enumerate() {
            let beam_sr = Some(beam_solid_angle_sr(beam.major_deg, beam.minor_deg));
            let known = Conversion { frequency_mhz: Some(frequency_mhz), beam_sr, gathered_sr: None };
            let factor = known.factor(Unit::JanskyPerBeam, Unit::Millikelvin).unwrap();
            let expected = f64::from(sky.cube().values()[4 * channel]) * factor;
            assert!((f64::from(temperature.cube().values()[4 * channel]) / expected - 1.0).abs() < 1e-6);
        }
        for unit in [Unit::Kelvin, Unit::Jansky, Unit::MegajanskyPerSteradian] {
            let back = sky.in_unit(unit).unwrap().in_unit(Unit::JanskyPerBeam).unwrap();
            let off = |(a, b): (&f32, &f32)| ((a - b) / b).abs();
            assert!(back.cube().values().iter().zip(sky.cube().values()).map(off).all(|off| off < 1e-6), "{unit}");
        }
        assert!(sky.with_beams(vec![FitsBeam { major_deg: 1.0, minor_deg: 1.0, angle_deg: 0.0 }; 3]).is_err());
    }

    #[test]
    fn frequencies_are_sorted_and_above_0() {
        assert!(frequency_axis(vec![3.0, 2.0, 1.0]).is_ok());
        for wrong in [vec![1.0, 3.0, 2.0], vec![1.0, 1.0], vec![0.0, 1.0], vec![f64::NAN, 1.0]] {
            assert!(frequency_axis(wrong.clone()).is_err(), "{wrong:?}");
        }
        let turned = frequency_axis(vec![100.0, 102.0, 101.0]).unwrap_err().to_string();
        assert!(turned.contains("coordinate 2 of the frequency axis, 101 MHz, turns back; sort the axis"), "{turned}");
    }
}
