//! What the colours of a map mean: the range of values and the bar beside the map.

use crate::{
    color_map::{ColorMap, MISSING},
    error::{Error, Result},
    figure::{Anchor, BLACK, Element, Figure, Frame, Shape, Stroke, TEXT_SIZE, TICK_SIZE, Text},
    font::{self, CAP_HEIGHT, Weight},
    picture::Picture,
    scale::Scale,
};

/// Part of the values that `Range::Robust` leaves out at each end.
const ROBUST_TAIL: f64 = 0.02;

const BAR_WIDTH: f64 = 13.0;
const TICK_LENGTH: f64 = 4.0;
/// Height of the triangle at an end beyond which values lie.
const EXTENSION: f64 = 9.0;
/// Room below the bar for the sign of missing values.
const MISSING_ROOM: f64 = 24.0;

/// Which values the two ends of a colour map stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Range {
    /// From the 2nd to the 98th percentile of the finite values, so that single outliers do not darken the rest.
    #[default]
    Robust,
    /// From the smallest to the largest finite value.
    Full,
    /// From minus to plus the 98th percentile of the magnitudes; for signed quantities.
    Symmetric,
    /// Given ends, the same for every map that is to be compared.
    Fixed {
        /// Value of the lowest colour.
        low: f64,
        /// Value of the highest colour.
        high: f64,
    },
}

impl Range {
    /// The two ends for these values; equal ends are moved apart, and 0 to 1 stands for no finite value at all.
    pub(crate) fn ends<'a>(self, title: &str, values: impl Iterator<Item = &'a f32>) -> Result<(f64, f64)> {
        if let Self::Fixed { low, high } = self {
            return if low.is_finite() && high.is_finite() && low < high {
                Ok((low, high))
            } else {
                Err(Error::Range { title: title.to_owned(), low, high })
            };
        }
        let mut finite: Vec<f32> = values.copied().filter(|value| value.is_finite()).collect();
        if finite.is_empty() {
            return Ok((0.0, 1.0));
        }
        let (low, high) = match self {
            Self::Symmetric => {
                finite.iter_mut().for_each(|value| *value = value.abs());
                let high = quantile(&mut finite, 1.0 - ROBUST_TAIL);
                (-high, high)
            }
            Self::Full => (quantile(&mut finite, 0.0), quantile(&mut finite, 1.0)),
            _ => (quantile(&mut finite, ROBUST_TAIL), quantile(&mut finite, 1.0 - ROBUST_TAIL)),
        };
        if low < high {
            return Ok((low, high));
        }
        let half = if low == 0.0 { 0.5 } else { 0.1 * low.abs() };
        Ok((low - half, high + half))
    }
}

/// The value below which a part of the values lies; the nearest one that is there.
fn quantile(finite: &mut [f32], part: f64) -> f64 {
    let index = (part * (finite.len() - 1) as f64).round() as usize;
    let (_, value, _) = finite.select_nth_unstable_by(index, f32::total_cmp);
    f64::from(*value)
}

/// The bar beside a map: colours, ticks, a label with the unit, and signs for values beyond the range and for missing ones.
pub(crate) struct ColorBar {
    color_map: ColorMap,
    ends: (f64, f64),
    scale: Scale,
    label: String,
    below: bool,
    above: bool,
    missing: bool,
}

impl ColorBar {
    pub(crate) fn new<'a>(
        color_map: ColorMap,
        ends: (f64, f64),
        label: &str,
        values: impl Iterator<Item = &'a f32>,
    ) -> Self {
        let mut bar = Self {
            color_map,
            ends,
            scale: Scale::linear(ends.0, ends.1, 6),
            label: String::new(),
            below: false,
            above: false,
            missing: false,
        };
        // A value that rounding puts just past an end has the colour of that end.
        let slack = 1e-6 * (ends.1 - ends.0);
        for &value in values {
            let value = f64::from(value);
            bar.missing |= !value.is_finite();
            bar.below |= value < ends.0 - slack;
            bar.above |= value > ends.1 + slack;
        }
        bar.label = bar.scale.titled(label);
        bar
    }

    /// Width with ticks and label.
    pub(crate) fn width(&self) -> f64 {
        let ticks = self.tick_width();
        let label = if self.label.is_empty() { 0.0 } else { TEXT_SIZE + 8.0 };
        let missing =
            if self.missing { BAR_WIDTH + 6.0 + font::width("no data", TICK_SIZE, Weight::Regular) } else { 0.0 };
        (BAR_WIDTH + TICK_LENGTH + 3.0 + ticks + label).max(missing)
    }

    /// Draws the bar with its left edge and its vertical extent given by `x`, `top` and `height`.
    pub(crate) fn draw(&self, figure: &mut Figure, x: f64, top: f64, height: f64) {
        let bottom = top + height - if self.missing { MISSING_ROOM } else { 0.0 };
        let bar = Frame {
            x,
            y: top + if self.above { EXTENSION } else { 0.0 },
            width: BAR_WIDTH,
            height: (bottom - if self.below { EXTENSION } else { 0.0 })
                - (top + if self.above { EXTENSION } else { 0.0 }),
        };
        figure.picture(Picture::ramp(self.color_map), bar);
        if self.above {
            self.triangle(figure, bar, bar.y, -EXTENSION, self.color_map.color(1.0));
        }
        if self.below {
            self.triangle(figure, bar, bar.bottom(), EXTENSION, self.color_map.color(0.0));
        }
        figure.border(bar);
        for tick in self.scale.ticks() {
            let y = bar.bottom() - tick.position * bar.height;
            figure.line(vec![[bar.right(), y], [bar.right() + TICK_LENGTH, y]], Stroke::thin());
            figure.text(Text::new(
                &tick.label,
                bar.right() + TICK_LENGTH + 3.0,
                y + TICK_SIZE * CAP_HEIGHT / 2.0,
                TICK_SIZE,
            ));
        }
        if !self.label.is_empty() {
            let place = bar.right() + TICK_LENGTH + 3.0 + self.tick_width() + 6.0 + TEXT_SIZE * 0.8;
            figure.text(
                Text::new(&self.label, place, bar.y + bar.height / 2.0, TEXT_SIZE)
                    .anchor(Anchor::Middle)
                    .upwards()
                    .within(height),
            );
        }
        if self.missing {
            let swatch = Frame { x, y: top + height - BAR_WIDTH, width: BAR_WIDTH, height: BAR_WIDTH };
            figure.area(swatch.corners().to_vec(), MISSING, 1.0);
            figure.border(swatch);
            figure.text(Text::new(
                "no data",
                swatch.right() + 6.0,
                swatch.y + (BAR_WIDTH + TICK_SIZE * CAP_HEIGHT) / 2.0,
                TICK_SIZE,
            ));
        }
    }

    pub(crate) fn ends(&self) -> (f64, f64) {
        self.ends
    }

    fn tick_width(&self) -> f64 {
        self.scale.ticks().iter().map(|tick| font::width(&tick.label, TICK_SIZE, Weight::Regular)).fold(0.0, f64::max)
    }

    fn triangle(&self, figure: &mut Figure, bar: Frame, edge: f64, height: f64, color: [u8; 3]) {
        figure.elements.push(Element::Shape(Shape {
            points: vec![[bar.x, edge], [bar.x + bar.width / 2.0, edge + height], [bar.right(), edge]],
            closed: true,
            fill: Some((color, 1.0)),
            stroke: Some(Stroke { color: BLACK, ..Stroke::thin() }),
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(range: Range, values: &[f32]) -> (f64, f64) {
        range.ends("test", values.iter()).unwrap()
    }

    #[test]
    fn a_robust_range_ignores_outliers_and_what_is_not_finite() {
        let mut values: Vec<f32> = (0..1001).map(|i| i as f32 / 1000.0).collect();
        values.extend([f32::NAN, f32::INFINITY, 1e9]);
        let (low, high) = ends(Range::Robust, &values);
        assert!((low - 0.02).abs() < 2e-3 && (high - 0.98).abs() < 2e-3, "{low} {high}");
        assert_eq!(ends(Range::Full, &values), (0.0, 1e9));
    }

    #[test]
    fn ends_are_never_equal() {
        assert_eq!(ends(Range::Robust, &[0.0; 4]), (-0.5, 0.5));
        assert_eq!(ends(Range::Full, &[]), (0.0, 1.0));
        assert_eq!(ends(Range::Symmetric, &[f32::NAN]), (0.0, 1.0));
        let (low, high) = ends(Range::Full, &[-3.0; 2]);
        assert!(low < -3.0 && high > -3.0);
    }

    #[test]
    fn a_symmetric_range_has_zero_in_the_middle() {
        let (low, high) = ends(Range::Symmetric, &[-4.0, 1.0, 2.0]);
        assert_eq!((low, high), (-4.0, 4.0));
    }

    #[test]
    fn a_fixed_range_must_rise() {
        for (low, high) in [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
            let error = Range::Fixed { low, high }.ends("tree", [].iter()).unwrap_err();
            assert!(error.to_string().starts_with("figure \"tree\": the range"), "{error}");
        }
    }
}
