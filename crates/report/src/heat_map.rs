//! One map of values in rows and columns, with a colour bar; also as a plain picture with one pixel for each sample.

use crate::map_panel::MapPanel;

/// A map of rows x columns values in row-major order: a panel of one.
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
#[derive(Clone, Copy, Debug)]
pub struct HeatMap;

impl HeatMap {
    /// A map in Viridis with a robust range; values that are not finite are drawn grey.
    #[must_use]
    #[expect(clippy::new_ret_no_self, reason = "one map is drawn as a panel of one")]
    pub fn new(title: impl Into<String>, values: &[f32], rows: usize, columns: usize) -> MapPanel<'_> {
        MapPanel::new("", rows, columns).map(title, values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ColorMap, Error,
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
        let mut values = ramp(5, 7);
        values[8] = f32::NAN;
        let pixels = decode(&HeatMap::new("tree", &values, 5, 7).range(0.0, 1.0).pixels().unwrap());
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
