//! An image of three channels as red, green and blue, as a camera would show a scene.

use crate::{
    color_bar::Range,
    error::{Error, Result},
    figure::{Figure, Frame, TITLE_SIZE, Text},
    font::CAP_HEIGHT,
    map_panel::size,
    picture::Picture,
};

const MARGIN: f64 = 10.0;
const ROOM: f64 = 640.0;

/// An image of three channels, each stretched from its 2nd to its 98th percentile. Where a channel is not finite the image is transparent.
///
/// ```
/// # fn main() -> Result<(), cupel_report::Error> {
/// let (red, green, blue) = ([0.1, 0.5, f32::NAN], [0.0, 0.2, 0.3], [0.9, 0.1, 0.4]);
/// let image = cupel_report::ColorImage::new("Preview", [&red, &green, &blue], 1, 3);
/// assert!(image.figure()?.to_svg()?.contains("<image"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ColorImage<'a> {
    title: String,
    channels: [&'a [f32]; 3],
    rows: usize,
    columns: usize,
}

impl<'a> ColorImage<'a> {
    /// An image of rows x columns values a channel, in row-major order: red, green, blue.
    #[must_use]
    pub fn new(title: impl Into<String>, channels: [&'a [f32]; 3], rows: usize, columns: usize) -> Self {
        Self { title: title.into(), channels, rows, columns }
    }

    /// Draws the image under its title.
    ///
    /// # Errors
    /// When a channel has another number of values than rows x columns.
    pub fn figure(&self) -> Result<Figure> {
        let picture = self.picture()?;
        let [width, height] = size(self.rows, self.columns, ROOM);
        let top = 2.0 * MARGIN + TITLE_SIZE;
        let total = (width + 2.0 * MARGIN).ceil();
        let mut figure = Figure::new(&self.title, total, (top + height + MARGIN).ceil());
        let title = Text::new(&self.title, MARGIN, MARGIN + TITLE_SIZE * CAP_HEIGHT, TITLE_SIZE);
        figure.text(title.bold().within(width));
        let frame = Frame { x: MARGIN, y: top, width, height };
        figure.picture(picture, frame);
        figure.border(frame);
        Ok(figure)
    }

    /// The bytes of a PNG of which one pixel is exactly one sample.
    ///
    /// # Errors
    /// As [`ColorImage::figure`].
    pub fn pixels(&self) -> Result<Vec<u8>> {
        self.picture()?.to_png(&self.title)
    }

    fn picture(&self) -> Result<Picture> {
        let ends = self.channels.map(|values| {
            if values.is_empty() || self.rows.checked_mul(self.columns) != Some(values.len()) {
                let (title, rows, columns) = (self.title.clone(), self.rows, self.columns);
                return Err(Error::MapShape { title, rows, columns, got: values.len() });
            }
            Range::Robust.ends(&self.title, values.iter())
        });
        let [red, green, blue] = ends;
        let ends = [red?, green?, blue?];
        let colors = (0..self.rows * self.columns).map(|place| {
            let mut color = [0, 0, 0, 255];
            for ((to, values), (low, high)) in color.iter_mut().zip(self.channels).zip(ends) {
                let value = f64::from(values[place]);
                if !value.is_finite() {
                    return [0; 4];
                }
                *to = (255.0 * ((value - low) / (high - low)).clamp(0.0, 1.0)).round() as u8;
            }
            color
        });
        Ok(Picture::of_colors(colors.collect(), self.rows, self.columns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_stretched_and_what_is_missing_is_transparent() {
        let red: Vec<f32> = (0..100).map(|i| if i == 7 { f32::NAN } else { i as f32 }).collect();
        let flat = [0.5; 100];
        let image = ColorImage::new("scene", [&red, &flat, &red], 10, 10);
        let bytes = image.pixels().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let mut colors = vec![0; reader.output_buffer_size().unwrap()];
        assert_eq!(reader.next_frame(&mut colors).unwrap().color_type, png::ColorType::Rgba);
        let at = |place: usize| &colors[4 * place..4 * place + 4];
        assert_eq!((at(7), at(0)[0], at(99)[0], at(99)[3]), (&[0; 4][..], 0, 255, 255));
        assert!(at(50)[0] > 110 && at(50)[0] < 145 && at(50)[1].abs_diff(128) <= 1);
        let drawn = crate::pixels::decode(&image.figure().unwrap().to_png().unwrap());
        assert_eq!(drawn.colors[0], [255; 3]);
        assert!(ColorImage::new("scene", [&red, &flat[..3], &red], 10, 10).figure().is_err());
    }
}
