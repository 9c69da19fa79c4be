//! One map of values in rows and columns, with a colour bar; also as a plain picture with one pixel for each sample.

use std::path::Path;

use crate::{color_bar::Range, color_map::ColorMap, error::Result, figure::Figure, map_panel::MapPanel};

/// A map of rows x columns values in row-major order.
///
/// ```
/// # fn main() -> Result<(), cupel_report::Error> {
/// let values = [0.0, 0.2, 0.8, 1.0, f32::NAN, 0.1];
/// let figure = cupel_report::HeatMap::new("tree", &values, 2, 3)
///     .range(0.0, 1.0)
///     .label("abundance")
///     .figure()?;
/// assert!(figure.to_svg()?.contains("no data"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct HeatMap<'a> {
    panel: MapPanel<'a>,
}

impl<'a> HeatMap<'a> {
    /// A map in Viridis with a robust range; values that are not finite are drawn grey.
    #[must_use]
    pub fn new(title: impl Into<String>, values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self { panel: MapPanel::new("", rows, columns).map(title, values) }
    }

    /// Values of the lowest and the highest colour.
    #[must_use]
    pub fn range(self, low: f64, high: f64) -> Self {
        self.with(|panel| panel.range(low, high))
    }

    /// How the values of the lowest and the highest colour are found.
    #[must_use]
    pub fn range_of(self, range: Range) -> Self {
        self.with(|panel| panel.range_of(range))
    }

    /// The colour map.
    #[must_use]
    pub fn color_map(self, color_map: ColorMap) -> Self {
        self.with(|panel| panel.color_map(color_map))
    }

    /// Label of the colour bar, with the unit: `brightness temperature [mK]`.
    #[must_use]
    pub fn label(self, label: impl Into<String>) -> Self {
        self.with(|panel| panel.label(label))
    }

    /// Ticks along the columns: a label with the unit, and the coordinates of the first and the last column.
    #[must_use]
    pub fn horizontal(self, label: impl Into<String>, first: f64, last: f64) -> Self {
        self.with(|panel| panel.horizontal(label, first, last))
    }

    /// Ticks along the rows, the first row on top: a label with the unit, and the coordinates of the first and the last row.
    #[must_use]
    pub fn vertical(self, label: impl Into<String>, first: f64, last: f64) -> Self {
        self.with(|panel| panel.vertical(label, first, last))
    }

    /// Draws the map.
    ///
    /// # Errors
    /// When the number of values is not rows x columns, or the range is not one.
    pub fn figure(&self) -> Result<Figure> {
        self.panel.figure()
    }

    /// Writes `stem.svg` and `stem.png`.
    ///
    /// # Errors
    /// As [`HeatMap::figure`], and when a file cannot be written.
    pub fn save(&self, stem: impl AsRef<Path>) -> Result<()> {
        self.panel.save(stem)
    }

    /// The bytes of a PNG without frame, title or bar: one pixel is exactly one sample.
    ///
    /// # Errors
    /// As [`HeatMap::figure`].
    pub fn pixels(&self) -> Result<Vec<u8>> {
        self.panel.picture(0)?.to_png(self.panel.map_title(0))
    }

    /// Writes [`HeatMap::pixels`] to a file.
    ///
    /// # Errors
    /// As [`HeatMap::figure`], and when the file cannot be written.
    pub fn save_pixels(&self, path: impl AsRef<Path>) -> Result<()> {
        crate::write(path.as_ref(), &self.pixels()?)
    }

    fn with(self, change: impl FnOnce(MapPanel<'a>) -> MapPanel<'a>) -> Self {
        Self { panel: change(self.panel) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Error,
        color_map::MISSING,
        pixels::{Pixels, decode},
    };

    fn ramp(rows: usize, columns: usize) -> Vec<f32> {
        (0..rows * columns).map(|i| i as f32 / (rows * columns - 1) as f32).collect()
    }

    fn count(pixels: &Pixels, color: [u8; 3]) -> usize {
        pixels.colors.iter().filter(|&&other| other == color).count()
    }

    #[test]
    fn the_plain_picture_has_one_pixel_for_each_sample() {
        let folder = tempfile::tempdir().unwrap();
        let mut values = ramp(5, 7);
        values[8] = f32::NAN;
        let path = folder.path().join("tree.png");
        HeatMap::new("tree", &values, 5, 7).range(0.0, 1.0).save_pixels(&path).unwrap();
        let pixels = decode(&std::fs::read(path).unwrap());
        assert_eq!((pixels.width, pixels.height), (7, 5));
        assert_eq!(pixels.colors[0], ColorMap::Viridis.color(0.0));
        assert_eq!(pixels.colors[34], ColorMap::Viridis.color(1.0));
        assert_eq!(pixels.colors[8], MISSING);
        for (color, value) in pixels.colors.iter().zip(&values).filter(|(_, value)| value.is_finite()) {
            let wanted = ColorMap::Viridis.color(f64::from(*value));
            for channel in 0..3 {
                assert!(color[channel].abs_diff(wanted[channel]) <= 4, "{value}: {color:?} {wanted:?}");
            }
        }
    }

    #[test]
    fn the_figure_shows_the_colours_of_its_values() {
        let low = [0.0; 12];
        let high = [1.0; 12];
        let draw = |values: &[f32]| {
            let figure = HeatMap::new("map", values, 3, 4).range(0.0, 1.0).figure().unwrap();
            let pixels = decode(&figure.to_png().unwrap());
            assert_eq!(pixels.width, (figure.width * 300.0 / 96.0).ceil() as usize);
            assert_eq!(pixels.height, (figure.height * 300.0 / 96.0).ceil() as usize);
            assert_eq!(pixels.colors[0], [255; 3], "the page is white");
            pixels
        };
        let (dark, bright) = (draw(&low), draw(&high));
        let map_area = dark.colors.len() / 3;
        assert!(count(&dark, ColorMap::Viridis.color(0.0)) > map_area);
        assert!(count(&bright, ColorMap::Viridis.color(1.0)) > map_area);
    }

    #[test]
    fn missing_values_and_values_beyond_the_range_are_announced() {
        let plain = [0.1, 0.5, 0.9, 0.2];
        let svg = |values: &[f32]| HeatMap::new("m", values, 2, 2).range(0.0, 1.0).figure().unwrap().to_svg().unwrap();
        assert!(!svg(&plain).contains("no data"));
        assert!(svg(&[0.1, f32::NAN, 0.9, 0.2]).contains("no data"));
        let shapes = |text: &str| text.matches("<path").count();
        assert_eq!(shapes(&svg(&[0.1, 1.5, 0.9, 0.2])), shapes(&svg(&plain)) + 1);
        assert_eq!(shapes(&svg(&[0.1, 1.5, 0.9, -0.2])), shapes(&svg(&plain)) + 2);
    }

    #[test]
    fn a_million_samples_are_one_embedded_picture() {
        let values = ramp(1000, 1000);
        let svg = HeatMap::new("large", &values, 1000, 1000).figure().unwrap().to_svg().unwrap();
        assert!(svg.matches('<').count() < 100);
        assert_eq!(svg.matches("<image").count(), 2, "the map and its colour bar");
    }

    #[test]
    fn the_same_map_gives_the_same_bytes() {
        let values = ramp(20, 30);
        let draw = || {
            let figure = HeatMap::new("tree", &values, 20, 30).label("abundance").figure().unwrap();
            (figure.to_svg().unwrap(), figure.to_png().unwrap())
        };
        assert_eq!(draw(), draw());
    }

    #[test]
    fn a_wrong_number_of_values_is_refused() {
        for (rows, columns, values) in [(2, 3, 5), (0, 3, 0), (usize::MAX, 2, 4)] {
            let values = vec![0.0; values];
            let error = HeatMap::new("tree", &values, rows, columns).figure().unwrap_err();
            assert!(matches!(error, Error::MapShape { .. }), "{error}");
            assert!(error.to_string().starts_with("map \"tree\":"), "{error}");
        }
    }

    #[test]
    fn extreme_shapes_are_drawn() {
        for (rows, columns) in [(1, 1), (1, 5000), (5000, 1), (3, 4000)] {
            let values = ramp(rows, columns.max(2))[..rows * columns].to_vec();
            let figure = HeatMap::new("long", &values, rows, columns).figure().unwrap();
            assert!(decode(&figure.to_png().unwrap()).width > 100);
        }
    }
}
