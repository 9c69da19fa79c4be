//! A picture of samples: one palette index for each, so that a map of a million samples stays a million bytes, or one colour.

use crate::{
    color_map::{ColorMap, MISSING, Rgb},
    error::{Error, Result},
};

/// Palette index of a missing value; those below it hold the colour map.
const MISSING_INDEX: u8 = 255;
/// Number of colours of a map.
const COLORS: u8 = 255;

/// Samples in row-major order.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    samples: Samples,
}

#[derive(Clone, Debug)]
enum Samples {
    /// Indices into a palette.
    Indexed { indices: Vec<u8>, palette: Vec<Rgb> },
    /// Red, green, blue and opacity of each.
    Colors(Vec<[u8; 4]>),
}

impl Picture {
    /// Colours values between `low` and `high`; those outside take the end colours, those that are not finite are grey.
    ///
    /// The caller has checked that there are rows x columns values.
    pub(crate) fn new(
        values: &[f32],
        rows: usize,
        columns: usize,
        (low, high): (f64, f64),
        color_map: ColorMap,
    ) -> Self {
        let scale = f64::from(COLORS - 1) / (high - low);
        let indices = values
            .iter()
            .map(|&value| {
                if value.is_finite() {
                    ((f64::from(value) - low) * scale).round().clamp(0.0, f64::from(COLORS - 1)) as u8
                } else {
                    MISSING_INDEX
                }
            })
            .collect();
        Self { rows, columns, samples: Samples::Indexed { indices, palette: palette(color_map) } }
    }

    /// Classes as colours of a palette of at most 255, `None` as missing.
    pub(crate) fn of_classes(classes: &[Option<u8>], rows: usize, columns: usize, mut colors: Vec<Rgb>) -> Self {
        colors.resize(usize::from(MISSING_INDEX), MISSING);
        colors.push(MISSING);
        let indices = classes.iter().map(|class| class.unwrap_or(MISSING_INDEX)).collect();
        Self { rows, columns, samples: Samples::Indexed { indices, palette: colors } }
    }

    /// Colours with their opacity.
    pub(crate) fn of_colors(colors: Vec<[u8; 4]>, rows: usize, columns: usize) -> Self {
        Self { rows, columns, samples: Samples::Colors(colors) }
    }

    /// The whole colour map, lowest colour at the bottom.
    pub(crate) fn ramp(color_map: ColorMap) -> Self {
        let samples = Samples::Indexed { indices: (0..COLORS).rev().collect(), palette: palette(color_map) };
        Self { rows: usize::from(COLORS), columns: 1, samples }
    }

    /// The colour of a sample and its opacity.
    pub(crate) fn color(&self, row: usize, column: usize) -> [u8; 4] {
        let place = row * self.columns + column;
        match &self.samples {
            Samples::Indexed { indices, palette } => {
                let [red, green, blue] = palette[usize::from(indices[place])];
                [red, green, blue, 255]
            }
            Samples::Colors(colors) => colors[place],
        }
    }

    /// A PNG file with one pixel for each sample.
    pub(crate) fn to_png(&self, title: &str) -> Result<Vec<u8>> {
        let too_large = || Error::TooLarge {
            title: title.to_owned(),
            width: self.columns as u64,
            height: self.rows as u64,
            limit: u64::from(u32::MAX),
        };
        let width = u32::try_from(self.columns).map_err(|_| too_large())?;
        let height = u32::try_from(self.rows).map_err(|_| too_large())?;
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_depth(png::BitDepth::Eight);
        let data = match &self.samples {
            Samples::Indexed { indices, palette } => {
                encoder.set_color(png::ColorType::Indexed);
                encoder.set_palette(palette.concat());
                indices.as_slice()
            }
            Samples::Colors(colors) => {
                encoder.set_color(png::ColorType::Rgba);
                colors.as_flattened()
            }
        };
        encoder
            .write_header()
            .and_then(|mut writer| {
                writer.write_image_data(data)?;
                writer.finish()
            })
            .map_err(|source| Error::Png { title: title.to_owned(), source })?;
        Ok(bytes)
    }
}

fn palette(color_map: ColorMap) -> Vec<Rgb> {
    (0..COLORS).map(|index| color_map.color(f64::from(index) / f64::from(COLORS - 1))).chain([MISSING]).collect()
}
