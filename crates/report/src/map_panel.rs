//! Several maps of the same size side by side, with one colour bar for all of them.

use std::path::Path;

use crate::{
    color_bar::{ColorBar, Range},
    color_map::ColorMap,
    coordinate::Coordinate,
    error::{Error, Result},
    figure::{Anchor, BLACK, Figure, Frame, Stroke, TEXT_SIZE, TICK_SIZE, TITLE_SIZE, Text},
    font::CAP_HEIGHT,
    picture::Picture,
};

/// Width of the maps of a figure together, without colour bar and margins.
const MAPS_WIDTH: f64 = 640.0;
/// Largest width and height of one map.
const MAP_SIDE: f64 = 340.0;
/// Most maps in a row.
const MAPS_IN_ROW: usize = 4;
/// A map is drawn with square samples unless it is more than this many times longer than wide, or the other way round.
const LONGEST_ASPECT: f64 = 4.0;
/// Lowest height that leaves room for the ticks of a colour bar.
const LOWEST_BAR: f64 = 120.0;

const MARGIN: f64 = 10.0;
const GAP: f64 = 14.0;

/// Maps side by side under one colour bar; all have the same rows and columns.
///
/// ```
/// # fn main() -> Result<(), cupel_report::Error> {
/// let tree = [0.0, 0.2, 0.8, 1.0, 0.5, 0.1];
/// let water = [1.0, 0.8, 0.2, 0.0, 0.5, 0.9];
/// let figure = cupel_report::MapPanel::new("Abundances", 2, 3)
///     .map("tree", &tree)
///     .map("water", &water)
///     .range(0.0, 1.0)
///     .label("abundance")
///     .figure()?;
/// assert!(figure.to_svg()?.contains("water"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct MapPanel<'a> {
    title: String,
    rows: usize,
    columns: usize,
    maps: Vec<(String, &'a [f32])>,
    range: Range,
    color_map: ColorMap,
    label: String,
    horizontal: Option<Coordinate>,
    vertical: Option<Coordinate>,
    curves: Vec<Vec<[f64; 2]>>,
}

impl<'a> MapPanel<'a> {
    /// A panel without maps; an empty title takes no room.
    #[must_use]
    pub fn new(title: impl Into<String>, rows: usize, columns: usize) -> Self {
        Self {
            title: title.into(),
            rows,
            columns,
            maps: Vec::new(),
            range: Range::default(),
            color_map: ColorMap::default(),
            label: String::new(),
            horizontal: None,
            vertical: None,
            curves: Vec::new(),
        }
    }

    /// Adds a map of rows x columns values in row-major order; values that are not finite are drawn grey.
    #[must_use]
    pub fn map(mut self, title: impl Into<String>, values: &'a [f32]) -> Self {
        self.maps.push((title.into(), values));
        self
    }

    /// Values of the lowest and the highest colour.
    #[must_use]
    pub fn range(self, low: f64, high: f64) -> Self {
        self.range_of(Range::Fixed { low, high })
    }

    /// How the values of the lowest and the highest colour are found.
    #[must_use]
    pub fn range_of(mut self, range: Range) -> Self {
        self.range = range;
        self
    }

    /// The colour map.
    #[must_use]
    pub fn color_map(mut self, color_map: ColorMap) -> Self {
        self.color_map = color_map;
        self
    }

    /// Label of the colour bar, with the unit: `brightness temperature [mK]`.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Ticks along the columns: a label with the unit, and the coordinates of the first and the last column.
    #[must_use]
    pub fn horizontal(mut self, label: impl Into<String>, first: f64, last: f64) -> Self {
        self.horizontal = Some(Coordinate { label: label.into(), first, last });
        self
    }

    /// Ticks along the rows, the first row on top: a label with the unit, and the coordinates of the first and the last row.
    #[must_use]
    pub fn vertical(mut self, label: impl Into<String>, first: f64, last: f64) -> Self {
        self.vertical = Some(Coordinate { label: label.into(), first, last });
        self
    }

    /// Draws a curve over every map, through points as [column, row] with whole numbers in the middle of samples; what lies outside is left out.
    #[must_use]
    pub fn curve(mut self, points: Vec<[f64; 2]>) -> Self {
        self.curves.push(points);
        self
    }

    /// Draws the panel.
    ///
    /// # Errors
    /// When there is no map, a map has another number of values than rows x columns, or the range is not one.
    pub fn figure(&self) -> Result<Figure> {
        self.check()?;
        let all = || self.maps.iter().flat_map(|(_, values)| values.iter());
        let ends = self.range.ends(&self.name(), all())?;
        let bar = ColorBar::new(self.color_map, ends, &self.label, all());
        let layout = Layout::new(self, &bar);
        let mut figure = Figure::new(&self.name(), layout.width, layout.height);
        if !self.title.is_empty() {
            figure.text(
                Text::new(&self.title, MARGIN, MARGIN + TITLE_SIZE * CAP_HEIGHT, TITLE_SIZE)
                    .bold()
                    .within(layout.width - 2.0 * MARGIN),
            );
        }
        for (index, (title, values)) in self.maps.iter().enumerate() {
            let frame = layout.frame(index);
            let picture = Picture::new(values, self.rows, self.columns, bar.ends(), self.color_map);
            figure.picture(picture, frame);
            self.draw_curves(&mut figure, frame);
            figure.border(frame);
            figure.text(
                Text::new(title, frame.x + frame.width / 2.0, frame.y - 6.0, TEXT_SIZE)
                    .anchor(Anchor::Middle)
                    .within(frame.width + GAP / 2.0),
            );
            let lowest = index + layout.in_row >= self.maps.len();
            if let (Some(coordinate), true) = (&self.horizontal, lowest) {
                coordinate.draw_below(&mut figure, frame, self.columns);
            }
            if let (Some(coordinate), 0) = (&self.vertical, index % layout.in_row) {
                coordinate.draw_left(&mut figure, frame, self.rows, layout.tick_width);
            }
        }
        bar.draw(&mut figure, layout.bar.x, layout.bar.y, layout.bar.height);
        Ok(figure)
    }

    /// Writes `stem.svg` and `stem.png`.
    ///
    /// # Errors
    /// As [`MapPanel::figure`], and when a file cannot be written.
    pub fn save(&self, stem: impl AsRef<Path>) -> Result<()> {
        self.figure()?.save(stem)
    }

    /// The bytes of a PNG of the first map without frame, title or bar: one pixel is exactly one sample.
    ///
    /// # Errors
    /// As [`MapPanel::figure`].
    pub fn pixels(&self) -> Result<Vec<u8>> {
        self.check()?;
        let ends = self.range.ends(&self.name(), self.maps.iter().flat_map(|(_, values)| values.iter()))?;
        let (title, values) = &self.maps[0];
        Picture::new(values, self.rows, self.columns, ends, self.color_map).to_png(title)
    }

    fn draw_curves(&self, figure: &mut Figure, frame: Frame) {
        let place = |point: &[f64; 2]| {
            let [x, y] = [(point[0] + 0.5) / self.columns as f64, (point[1] + 0.5) / self.rows as f64];
            let inside = (0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y);
            inside.then_some([frame.x + x * frame.width, frame.y + y * frame.height])
        };
        for curve in &self.curves {
            let places: Vec<Option<[f64; 2]>> = curve.iter().map(place).collect();
            for run in places.split(Option::is_none) {
                let run: Vec<[f64; 2]> = run.iter().flatten().copied().collect();
                if run.len() > 1 {
                    // dark on a light rim, it stands out from every colour of a map
                    figure.line(run.clone(), Stroke { color: [0xff; 3], width: 3.0, dashed: false });
                    figure.line(run, Stroke { color: BLACK, width: 1.4, dashed: false });
                }
            }
        }
    }

    fn check(&self) -> Result<()> {
        if self.maps.is_empty() {
            return Err(Error::Nothing { title: self.title.clone(), why: "no map was added" });
        }
        for (title, values) in &self.maps {
            if values.is_empty() || self.rows.checked_mul(self.columns) != Some(values.len()) {
                return Err(Error::MapShape {
                    title: title.clone(),
                    rows: self.rows,
                    columns: self.columns,
                    got: values.len(),
                });
            }
        }
        Ok(())
    }

    /// What a reader who cannot see the figure is told.
    fn name(&self) -> String {
        let maps: Vec<&str> = self.maps.iter().map(|(title, _)| title.as_str()).collect();
        match (self.title.as_str(), maps.join(", ")) {
            ("", maps) => maps,
            (title, maps) if maps.is_empty() => title.to_owned(),
            (title, maps) => format!("{title}: {maps}"),
        }
    }
}

/// Width and height of a map where there is so much room from left to right.
pub(crate) fn size(rows: usize, columns: usize, room: f64) -> [f64; 2] {
    let aspect = (rows as f64 / columns as f64).clamp(1.0 / LONGEST_ASPECT, LONGEST_ASPECT);
    let width = room.min(MAP_SIDE).min(MAP_SIDE / aspect);
    [width, width * aspect]
}

/// Where the maps and the bar lie.
struct Layout {
    width: f64,
    height: f64,
    in_row: usize,
    first: Frame,
    step: [f64; 2],
    tick_width: f64,
    bar: Frame,
}

impl Layout {
    fn new(panel: &MapPanel<'_>, bar: &ColorBar) -> Self {
        let count = panel.maps.len();
        let grid_rows = count.div_ceil(MAPS_IN_ROW);
        let in_row = count.div_ceil(grid_rows);
        let grid_rows = count.div_ceil(in_row);

        let room = (MAPS_WIDTH - GAP * (in_row - 1) as f64) / in_row as f64;
        let [width, height] = size(panel.rows, panel.columns, room);

        let tick_width = panel.vertical.as_ref().map_or(0.0, |coordinate| coordinate.tick_width(panel.rows));
        let left = MARGIN
            + panel.vertical.as_ref().map_or(0.0, |coordinate| {
                tick_width + 7.0 + if coordinate.label.is_empty() { 0.0 } else { TEXT_SIZE + 6.0 }
            });
        let below = panel.horizontal.as_ref().map_or(0.0, |coordinate| {
            TICK_SIZE + 8.0 + if coordinate.label.is_empty() { 0.0 } else { TEXT_SIZE + 4.0 }
        });
        let titled = panel.maps.iter().any(|(title, _)| !title.is_empty());
        let above = if titled { TEXT_SIZE + 6.0 } else { 2.0 };
        let top = MARGIN + above + if panel.title.is_empty() { 0.0 } else { TITLE_SIZE + 6.0 };

        let step = [width + GAP, height + above + GAP];
        let right = left + width + step[0] * (in_row - 1) as f64;
        let bottom = top + height + step[1] * (grid_rows - 1) as f64;
        let bar_frame = Frame { x: right + GAP, y: top, width: bar.width(), height: (bottom - top).max(LOWEST_BAR) };
        let total = bar_frame.right() + MARGIN;
        Self {
            width: total.ceil(),
            height: ((bottom + below).max(bar_frame.bottom()) + MARGIN).ceil(),
            in_row,
            first: Frame { x: left, y: top, width, height },
            step,
            tick_width,
            bar: bar_frame,
        }
    }

    fn frame(&self, index: usize) -> Frame {
        Frame {
            x: self.first.x + self.step[0] * (index % self.in_row) as f64,
            y: self.first.y + self.step[1] * (index / self.in_row) as f64,
            ..self.first
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_lies_over_each_map_and_ends_at_its_frame() {
        let values = [0.0, 0.2, 0.8, 1.0, 0.5, 0.1];
        let panel = || MapPanel::new("", 2, 3).map("a", &values).map("b", &values);
        let shapes = |panel: MapPanel<'_>| panel.figure().unwrap().to_svg().unwrap().matches("<path").count();
        let plain = shapes(panel());
        // a light rim and a dark line on each of two maps
        assert_eq!(shapes(panel().curve(vec![[0.0, 0.0], [2.0, 1.0]])), plain + 4);
        assert_eq!(shapes(panel().curve(vec![[5.0, 5.0], [9.0, 5.0]])), plain, "outside");
        let twice = vec![[0.0, 0.0], [1.0, 0.0], [7.0, 0.0], [1.0, 1.0], [2.0, 1.0]];
        assert_eq!(shapes(panel().curve(twice)), plain + 8, "what lies outside parts it");
    }
}
