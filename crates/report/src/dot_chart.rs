//! Means with their spreads, a line for each thing that is compared: methods against an error.

use crate::{
    color_map::color_of_number,
    error::{Error, Result},
    figure::{Anchor, Figure, Frame, GRID, Stroke, TEXT_SIZE, TICK_SIZE, TITLE_SIZE, Text},
    font::{self, CAP_HEIGHT, Weight},
    scale::Scale,
};

const PLOT_WIDTH: f64 = 420.0;
const MARGIN: f64 = 10.0;
/// Height of one dot with its room.
const DOT_STEP: f64 = 13.0;
/// Room between two lines.
const GAP: f64 = 10.0;
const RADIUS: f64 = 4.0;
const LABEL_WIDTH: f64 = 170.0;
const TICK_LENGTH: f64 = 4.0;

/// A chart of dots from left to right, with the standard deviation as a bar through each.
///
/// ```
/// # fn main() -> Result<(), cupel_report::Error> {
/// let names = ["vca", "edaa"].map(String::from);
/// let chart = cupel_report::DotChart::new("Spectral angle", "mean SAD [rad]", &names)
///     .series("", &[Some((0.10, 0.04)), Some((0.03, f64::NAN))]);
/// assert!(chart.figure()?.to_svg()?.contains("edaa"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DotChart<'a> {
    title: String,
    label: String,
    names: &'a [String],
    series: Vec<Series>,
}

/// A name, and for each line a mean with its standard deviation.
type Series = (String, Vec<Option<(f64, f64)>>);

impl<'a> DotChart<'a> {
    /// A chart with a line for each name, from the top down, and the label of its axis with the unit.
    #[must_use]
    pub fn new(title: impl Into<String>, label: impl Into<String>, names: &'a [String]) -> Self {
        Self { title: title.into(), label: label.into(), names, series: Vec::new() }
    }

    /// Adds a dot to each line: a mean and its standard deviation, not a number where a single value has none; an empty name has no entry in
    /// the legend.
    #[must_use]
    pub fn series(mut self, name: impl Into<String>, values: &[Option<(f64, f64)>]) -> Self {
        self.series.push((name.into(), values.to_vec()));
        self
    }

    /// Draws the chart; its axis begins at nought or below.
    ///
    /// # Errors
    /// When a series has not one value for each name, or nothing is finite.
    pub fn figure(&self) -> Result<Figure> {
        for (line, values) in &self.series {
            if values.len() != self.names.len() {
                let (title, line) = (self.title.clone(), line.clone());
                return Err(Error::LineLength { title, line, coordinates: self.names.len(), values: values.len() });
            }
        }
        let ends = self.series.iter().flat_map(|(_, values)| values).flatten().flat_map(|&(mean, sd)| {
            let sd = if sd.is_finite() { sd } else { 0.0 };
            [mean - sd, mean + sd]
        });
        let (low, high) = ends
            .filter(|v| v.is_finite())
            .fold((0.0_f64, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        if high == f64::NEG_INFINITY {
            return Err(Error::Nothing { title: self.title.clone(), why: "no mean is finite" });
        }
        // The largest dot stays whole.
        let scale = Scale::linear(low, high.max(low + f64::MIN_POSITIVE) + 0.03 * (high - low), 6);
        let wide = |text: &str| font::width(text, TEXT_SIZE, Weight::Regular);
        let names = self.names.iter().map(|name| wide(name)).fold(0.0, f64::max).min(LABEL_WIDTH);
        let named = || self.series.iter().enumerate().filter(|(_, (name, _))| !name.is_empty());
        let legend = named().map(|(_, (name, _))| wide(name)).fold(0.0, f64::max).min(LABEL_WIDTH);
        let step = DOT_STEP * self.series.len() as f64 + GAP;
        let top = MARGIN + TITLE_SIZE + 10.0;
        let plot = Frame { x: MARGIN + names + 8.0, y: top, width: PLOT_WIDTH, height: step * self.names.len() as f64 };
        let right = plot.right() + 14.0 + if legend > 0.0 { 2.0 * RADIUS + 6.0 + legend } else { 0.0 } + MARGIN;
        let tall = plot.height.max(18.0 * named().count() as f64);
        let below = TICK_LENGTH + TICK_SIZE + TEXT_SIZE + 12.0 + MARGIN;
        let mut figure = Figure::new(&self.title, right.ceil(), (top + tall + below).ceil());
        let title = Text::new(&self.title, MARGIN, MARGIN + TITLE_SIZE * CAP_HEIGHT, TITLE_SIZE);
        figure.text(title.bold().within(right - 2.0 * MARGIN));
        let place = |value: f64| plot.x + scale.position(value) * plot.width;
        for tick in scale.ticks() {
            let x = plot.x + tick.position * plot.width;
            figure.line(vec![[x, plot.y], [x, plot.bottom()]], Stroke { color: GRID, ..Stroke::thin() });
            figure.line(vec![[x, plot.bottom()], [x, plot.bottom() + TICK_LENGTH]], Stroke::thin());
            let baseline = plot.bottom() + TICK_LENGTH + 3.0 + TICK_SIZE * 0.8;
            figure.text(Text::new(&tick.label, x, baseline, TICK_SIZE).anchor(Anchor::Middle));
        }
        figure.line(vec![[plot.x, plot.y], [plot.x, plot.bottom()], [plot.right(), plot.bottom()]], Stroke::thin());
        let baseline = plot.bottom() + TICK_LENGTH + TICK_SIZE + 8.0 + TEXT_SIZE * 0.8;
        let label = Text::new(&scale.titled(&self.label), plot.x + plot.width / 2.0, baseline, TEXT_SIZE);
        figure.text(label.anchor(Anchor::Middle).within(plot.width));
        for (row, name) in self.names.iter().enumerate() {
            let middle = plot.y + step * (row as f64 + 0.5);
            let text = Text::new(name, plot.x - 8.0, middle + TEXT_SIZE * CAP_HEIGHT / 2.0, TEXT_SIZE);
            figure.text(text.anchor(Anchor::End).within(LABEL_WIDTH));
            for (number, (_, values)) in self.series.iter().enumerate() {
                let Some((mean, sd)) = values[row].filter(|(mean, _)| mean.is_finite()) else { continue };
                let y = middle + DOT_STEP * (number as f64 - (self.series.len() - 1) as f64 / 2.0);
                let stroke = Stroke { color: color_of_number(number), width: 1.6, dashed: false };
                if sd.is_finite() && sd > 0.0 {
                    let [from, to] = [place(mean - sd), place(mean + sd)];
                    figure.line(vec![[from, y], [to, y]], stroke);
                    [from, to].iter().for_each(|&x| figure.line(vec![[x, y - 3.0], [x, y + 3.0]], stroke));
                }
                figure.area(circle(place(mean), y), stroke.color, 1.0);
            }
        }
        for (entry, (number, (name, _))) in named().enumerate() {
            let (x, y) = (plot.right() + 14.0 + RADIUS, plot.y + 18.0 * (entry as f64 + 0.5));
            figure.area(circle(x, y), color_of_number(number), 1.0);
            let text = Text::new(name, x + RADIUS + 6.0, y + TEXT_SIZE * CAP_HEIGHT / 2.0, TEXT_SIZE);
            figure.text(text.within(LABEL_WIDTH));
        }
        Ok(figure)
    }
}

fn circle(x: f64, y: f64) -> Vec<[f64; 2]> {
    let corner = |index: i32| {
        let (sine, cosine) = (std::f64::consts::TAU * f64::from(index) / 24.0).sin_cos();
        [x + RADIUS * cosine, y + RADIUS * sine]
    };
    (0..24).map(corner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_for_each_mean_and_a_bar_for_each_spread() {
        let names = ["vca", "edaa", "none"].map(String::from);
        let draw = |a: [Option<(f64, f64)>; 3]| {
            DotChart::new("Error", "RMSE", &names)
                .series("fcls", &a)
                .series("unit-max", &[Some((0.2, 0.01)); 3])
                .figure()
        };
        let shapes = |a| draw(a).unwrap().to_svg().unwrap().matches("<path").count();
        let none = shapes([None, None, None]);
        assert_eq!(shapes([Some((0.1, f64::NAN)), None, None]), none + 1);
        assert_eq!(shapes([Some((0.1, 0.05)), Some((0.1, 0.0)), None]), none + 5);
        let svg = draw([None; 3]).unwrap().to_svg().unwrap();
        assert!(["vca", "edaa", "fcls", "unit-max", "RMSE"].iter().all(|text| svg.contains(text)));
        assert!(DotChart::new("Error", "RMSE", &names).series("", &[None]).figure().is_err());
        assert!(DotChart::new("Error", "RMSE", &names).series("", &[None; 3]).figure().is_err());
        assert!(DotChart::new("Error", "RMSE", &names).series("", &[Some((0.0, 0.0)); 3]).figure().is_ok());
    }
}
