//! Lines against a coordinate: spectra against wavelength, losses against steps, estimates with the truth beside them.

use std::path::Path;

use crate::{
    axes::Axes,
    color_map::{Rgb, color_of_number},
    error::{Error, Result},
    figure::{Anchor, Figure, Frame, GRID, Stroke, TEXT_SIZE, TICK_SIZE, TITLE_SIZE, Text},
    font::{self, CAP_HEIGHT, Weight},
    scale::Scale,
};

const PLOT_WIDTH: f64 = 500.0;
const PLOT_HEIGHT: f64 = 290.0;
const MARGIN: f64 = 10.0;
const LEGEND_WIDTH: f64 = 150.0;
const LEGEND_STEP: f64 = 18.0;
const SAMPLE_LENGTH: f64 = 24.0;
const TICK_LENGTH: f64 = 4.0;
const LINE_WIDTH: f64 = 1.6;
const BAND_OPACITY: f64 = 0.2;
/// Part of the value range left free above and below the lines.
const PADDING: f64 = 0.04;

/// A chart of lines.
///
/// Lines with the same label share a colour and one entry of the legend. Values that are not finite leave a gap, as do values that
/// are not above zero on a logarithmic axis.
///
/// ```
/// # fn main() -> Result<(), cupel_report::Error> {
/// let wavelength_nm = [400.0, 500.0, 600.0, 700.0];
/// let figure = cupel_report::LineChart::new("Endmembers", "wavelength [nm]", "reflectance")
///     .line("tree", &wavelength_nm, &[0.03, 0.08, 0.05, 0.4])
///     .reference("tree", &wavelength_nm, &[0.03, 0.09, 0.05, 0.41])
///     .reference_name("truth")
///     .figure()?;
/// assert!(figure.to_svg()?.contains("stroke-dasharray"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct LineChart {
    title: String,
    x_label: String,
    y_label: String,
    lines: Vec<Line>,
    bands: Vec<Band>,
    reference_name: String,
    break_gaps: bool,
    log_x: bool,
    log_y: bool,
    include_y: Option<f64>,
}

#[derive(Clone, Debug)]
struct Line {
    label: String,
    x: Vec<f64>,
    y: Vec<f64>,
    reference: bool,
}

#[derive(Clone, Debug)]
struct Band {
    label: String,
    x: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
}

impl LineChart {
    /// An empty chart; labels carry the unit: `wavelength [nm]`.
    #[must_use]
    pub fn new(title: impl Into<String>, x_label: impl Into<String>, y_label: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            x_label: x_label.into(),
            y_label: y_label.into(),
            lines: Vec::new(),
            bands: Vec::new(),
            reference_name: String::from("reference"),
            break_gaps: false,
            log_x: false,
            log_y: false,
            include_y: None,
        }
    }

    /// Adds a solid line.
    #[must_use]
    pub fn line(self, label: impl Into<String>, x: &[f64], y: &[f64]) -> Self {
        self.add(label.into(), x, y, false)
    }

    /// Adds a dashed line, in the colour of the solid line with the same label: what that one should have been.
    #[must_use]
    pub fn reference(self, label: impl Into<String>, x: &[f64], y: &[f64]) -> Self {
        self.add(label.into(), x, y, true)
    }

    /// Adds a shaded band between two lines, in the colour of the line with the same label: its spread.
    #[must_use]
    pub fn band(mut self, label: impl Into<String>, x: &[f64], low: &[f64], high: &[f64]) -> Self {
        self.bands.push(Band { label: label.into(), x: x.to_vec(), low: low.to_vec(), high: high.to_vec() });
        self
    }

    /// What the legend calls dashed lines; `reference` unless said otherwise.
    #[must_use]
    pub fn reference_name(mut self, name: impl Into<String>) -> Self {
        self.reference_name = name.into();
        self
    }

    /// Breaks lines where samples were left out: where the coordinate steps by more than two and a half median steps.
    #[must_use]
    pub fn break_gaps(mut self) -> Self {
        self.break_gaps = true;
        self
    }

    /// Makes the horizontal axis logarithmic.
    #[must_use]
    pub fn log_x(mut self) -> Self {
        self.log_x = true;
        self
    }

    /// Makes the vertical axis logarithmic.
    #[must_use]
    pub fn log_y(mut self) -> Self {
        self.log_y = true;
        self
    }

    /// Extends the vertical axis to a value, as zero for quantities that start there.
    #[must_use]
    pub fn include_y(mut self, value: f64) -> Self {
        self.include_y = Some(value);
        self
    }

    /// Draws the chart.
    ///
    /// # Errors
    /// When a line has not one value for each coordinate, or no line has a value that can be drawn.
    pub fn figure(&self) -> Result<Figure> {
        self.check()?;
        let axes = self.axes()?;
        let mut figure = Figure::new(&self.title, axes.width, axes.height);
        self.draw_axes(&mut figure, &axes);
        let labels = self.labels();
        for band in &self.bands {
            let color = color_of(&labels, &band.label);
            for outline in axes.band(&band.x, &band.low, &band.high, self.break_gaps) {
                figure.area(outline, color, BAND_OPACITY);
            }
        }
        for line in &self.lines {
            let stroke = Stroke { color: color_of(&labels, &line.label), width: LINE_WIDTH, dashed: line.reference };
            for run in axes.runs(&line.x, &line.y, self.break_gaps) {
                match run.as_slice() {
                    [point] => figure.area(dot(*point), stroke.color, 1.0),
                    _ => figure.line(run, stroke),
                }
            }
        }
        self.draw_legend(&mut figure, &axes, &labels);
        Ok(figure)
    }

    /// Writes `stem.svg` and `stem.png`.
    ///
    /// # Errors
    /// As [`LineChart::figure`], and when a file cannot be written.
    pub fn save(&self, stem: impl AsRef<Path>) -> Result<()> {
        self.figure()?.save(stem)
    }

    fn add(mut self, label: String, x: &[f64], y: &[f64], reference: bool) -> Self {
        self.lines.push(Line { label, x: x.to_vec(), y: y.to_vec(), reference });
        self
    }

    fn check(&self) -> Result<()> {
        let lines = self.lines.iter().map(|line| (&line.label, line.x.len(), line.y.len()));
        let lows = self.bands.iter().map(|band| (&band.label, band.x.len(), band.low.len()));
        let highs = self.bands.iter().map(|band| (&band.label, band.x.len(), band.high.len()));
        for (label, coordinates, values) in lines.chain(lows).chain(highs) {
            if coordinates != values {
                return Err(Error::LineLength { title: self.title.clone(), line: label.clone(), coordinates, values });
            }
        }
        Ok(())
    }

    /// Labels in the order of their colours.
    fn labels(&self) -> Vec<&str> {
        let mut labels: Vec<&str> = Vec::new();
        let of_lines = self.lines.iter().map(|line| line.label.as_str());
        for label in of_lines.chain(self.bands.iter().map(|band| band.label.as_str())) {
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        labels
    }

    fn axes(&self) -> Result<Axes> {
        let usable =
            |x: f64, y: f64| x.is_finite() && y.is_finite() && (!self.log_x || x > 0.0) && (!self.log_y || y > 0.0);
        let nothing = Error::Nothing {
            title: self.title.clone(),
            why: "no line has a finite value (above zero on a logarithmic axis)",
        };
        let mut ends: Option<[f64; 4]> = None;
        let mut see = |x: f64, y: f64| {
            if usable(x, y) {
                let [left, right, low, high] = ends.unwrap_or([x, x, y, y]);
                ends = Some([left.min(x), right.max(x), low.min(y), high.max(y)]);
            }
        };
        for line in &self.lines {
            line.x.iter().zip(&line.y).for_each(|(&x, &y)| see(x, y));
        }
        for band in &self.bands {
            band.x.iter().zip(&band.low).for_each(|(&x, &y)| see(x, y));
            band.x.iter().zip(&band.high).for_each(|(&x, &y)| see(x, y));
        }
        let Some([left, right, mut low, mut high]) = ends else {
            return Err(nothing);
        };
        let y = if self.log_y {
            let ratio = (high / low).powf(PADDING).max(1.02);
            Scale::logarithmic(low / ratio, high * ratio, 6)
        } else {
            let padding = PADDING * (high - low);
            (low, high) = (low - padding, high + padding);
            if let Some(value) = self.include_y.filter(|value| value.is_finite()) {
                (low, high) = (low.min(value), high.max(value));
                // An axis that starts exactly at the value asked for reads better than one that starts a little below it.
                if low + padding >= value {
                    low = value;
                }
            }
            Scale::linear(low, high, 6)
        };
        let x = if self.log_x { Scale::logarithmic(left, right, 7) } else { Scale::linear(left, right, 7) };
        Ok(self.layout(x, y))
    }

    fn layout(&self, x: Scale, y: Scale) -> Axes {
        let tick_width =
            y.ticks().iter().map(|tick| font::width(&tick.label, TICK_SIZE, Weight::Regular)).fold(0.0, f64::max);
        let left = MARGIN + TEXT_SIZE + 8.0 + tick_width + TICK_LENGTH + 3.0;
        let top = MARGIN + if self.title.is_empty() { 4.0 } else { TITLE_SIZE + 10.0 };
        let entries = self.legend(&self.labels());
        let legend_height = LEGEND_STEP * entries.len() as f64;
        let plot = Frame { x: left, y: top, width: PLOT_WIDTH, height: PLOT_HEIGHT.max(legend_height) };
        let legend = entries
            .iter()
            .map(|entry| font::width(entry.text, TEXT_SIZE, Weight::Regular))
            .fold(0.0, f64::max)
            .min(LEGEND_WIDTH);
        let right = if entries.is_empty() {
            plot.right() + 2.0 * MARGIN
        } else {
            plot.right() + 14.0 + SAMPLE_LENGTH + 6.0 + legend + MARGIN
        };
        Axes {
            width: right.ceil(),
            height: (plot.bottom() + TICK_LENGTH + TICK_SIZE + TEXT_SIZE + 12.0 + MARGIN).ceil(),
            plot,
            x,
            y,
        }
    }

    fn draw_axes(&self, figure: &mut Figure, axes: &Axes) {
        let plot = axes.plot;
        if !self.title.is_empty() {
            figure.text(
                Text::new(&self.title, plot.x, MARGIN + TITLE_SIZE * CAP_HEIGHT + 2.0, TITLE_SIZE)
                    .bold()
                    .within(axes.width - plot.x - MARGIN),
            );
        }
        let grid = Stroke { color: GRID, ..Stroke::thin() };
        for tick in axes.y.ticks() {
            let y = plot.bottom() - tick.position * plot.height;
            figure.line(vec![[plot.x, y], [plot.right(), y]], grid);
            figure.line(vec![[plot.x - TICK_LENGTH, y], [plot.x, y]], Stroke::thin());
            let place = plot.x - TICK_LENGTH - 3.0;
            figure.text(Text::new(&tick.label, place, y + TICK_SIZE * CAP_HEIGHT / 2.0, TICK_SIZE).anchor(Anchor::End));
        }
        for tick in axes.x.ticks() {
            let x = plot.x + tick.position * plot.width;
            figure.line(vec![[x, plot.y], [x, plot.bottom()]], grid);
            figure.line(vec![[x, plot.bottom()], [x, plot.bottom() + TICK_LENGTH]], Stroke::thin());
            let baseline = plot.bottom() + TICK_LENGTH + 3.0 + TICK_SIZE * 0.8;
            figure.text(Text::new(&tick.label, x, baseline, TICK_SIZE).anchor(Anchor::Middle));
        }
        figure.line(vec![[plot.x, plot.y], [plot.x, plot.bottom()], [plot.right(), plot.bottom()]], Stroke::thin());
        let baseline = plot.bottom() + TICK_LENGTH + TICK_SIZE + 8.0 + TEXT_SIZE * 0.8;
        figure.text(
            Text::new(&axes.x.titled(&self.x_label), plot.x + plot.width / 2.0, baseline, TEXT_SIZE)
                .anchor(Anchor::Middle)
                .within(plot.width),
        );
        figure.text(
            Text::new(&axes.y.titled(&self.y_label), MARGIN + TEXT_SIZE * 0.8, plot.y + plot.height / 2.0, TEXT_SIZE)
                .anchor(Anchor::Middle)
                .upwards()
                .within(plot.height),
        );
    }

    fn legend<'a>(&'a self, labels: &[&'a str]) -> Vec<Entry<'a>> {
        let mut entries: Vec<Entry<'a>> = labels
            .iter()
            .enumerate()
            .filter(|(_, label)| !label.is_empty())
            .map(|(index, &text)| Entry {
                text,
                color: color_of_number(index),
                dashed: self.lines.iter().filter(|line| line.label == text).all(|line| line.reference)
                    && self.lines.iter().any(|line| line.label == text),
            })
            .collect();
        // A dashed line with the colour of a solid one needs one entry that says what dashes mean.
        let paired = |line: &Line| {
            line.reference && self.lines.iter().any(|other| !other.reference && other.label == line.label)
        };
        if self.lines.iter().any(paired) {
            entries.push(Entry { text: &self.reference_name, color: [0x55; 3], dashed: true });
        }
        entries
    }

    fn draw_legend(&self, figure: &mut Figure, axes: &Axes, labels: &[&str]) {
        let x = axes.plot.right() + 14.0;
        for (index, entry) in self.legend(labels).iter().enumerate() {
            let y = axes.plot.y + LEGEND_STEP * (index as f64 + 0.5);
            figure.line(
                vec![[x, y], [x + SAMPLE_LENGTH, y]],
                Stroke { color: entry.color, width: LINE_WIDTH * 1.25, dashed: entry.dashed },
            );
            figure.text(
                Text::new(entry.text, x + SAMPLE_LENGTH + 6.0, y + TEXT_SIZE * CAP_HEIGHT / 2.0, TEXT_SIZE)
                    .within(LEGEND_WIDTH),
            );
        }
    }
}

struct Entry<'a> {
    text: &'a str,
    color: Rgb,
    dashed: bool,
}

fn color_of(labels: &[&str], label: &str) -> Rgb {
    color_of_number(labels.iter().position(|&other| other == label).unwrap_or(0))
}

fn dot([x, y]: [f64; 2]) -> Vec<[f64; 2]> {
    let radius = 1.2 * LINE_WIDTH;
    (0..12)
        .map(|index| {
            let (sine, cosine) = (std::f64::consts::TAU * f64::from(index) / 12.0).sin_cos();
            [x + radius * cosine, y + radius * sine]
        })
        .collect()
}
