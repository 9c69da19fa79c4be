//! A map of classes: a colour for each, and a legend with their names.

use crate::{
    color_map::{MISSING, Rgb, color_of_number},
    error::{Error, Result},
    figure::{Figure, Frame, TEXT_SIZE, TITLE_SIZE, Text},
    font::{self, CAP_HEIGHT, Weight},
    map_panel::size,
    picture::Picture,
};

const MARGIN: f64 = 10.0;
const ROOM: f64 = 440.0;
const SWATCH: f64 = 12.0;
const STEP: f64 = 20.0;
const LEGEND_WIDTH: f64 = 190.0;
/// Most classes that get a colour of their own.
const MOST: usize = 254;

/// A map of classes, numbered from 0 in the order of their names; lines of a chart with the same names in the same order have the same colours.
///
/// ```
/// # fn main() -> Result<(), cupel_report::Error> {
/// let names = ["tree", "water"].map(String::from);
/// let map = cupel_report::ClassMap::new("Dominant material", &names, &[Some(0), Some(1), None], 1, 3);
/// assert!(map.figure()?.to_svg()?.contains("no data"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ClassMap<'a> {
    title: String,
    names: &'a [String],
    classes: &'a [Option<usize>],
    rows: usize,
    columns: usize,
}

impl<'a> ClassMap<'a> {
    /// A map of rows x columns classes in row-major order; `None` is drawn grey, as no data.
    #[must_use]
    pub fn new(
        title: impl Into<String>,
        names: &'a [String],
        classes: &'a [Option<usize>],
        rows: usize,
        columns: usize,
    ) -> Self {
        Self { title: title.into(), names, classes, rows, columns }
    }

    /// Draws the map with its legend.
    ///
    /// # Errors
    /// When there are not rows x columns classes, a class has no name, or there are more than 254.
    pub fn figure(&self) -> Result<Figure> {
        let (title, rows, columns) = (self.title.clone(), self.rows, self.columns);
        if self.classes.is_empty() || rows.checked_mul(columns) != Some(self.classes.len()) {
            return Err(Error::MapShape { title, rows, columns, got: self.classes.len() });
        }
        if self.names.len() > MOST || self.classes.iter().flatten().any(|&class| class >= self.names.len()) {
            return Err(Error::Nothing { title, why: "a class has no name, or there are more than 254" });
        }
        let mut entries: Vec<(&str, Rgb)> =
            self.names.iter().zip(0..).map(|(n, k)| (&**n, color_of_number(k))).collect();
        let colors = entries.iter().map(|(_, color)| *color).collect();
        if self.classes.iter().any(Option::is_none) {
            entries.push(("no data", MISSING));
        }
        let classes: Vec<Option<u8>> = self.classes.iter().map(|class| class.map(|class| class as u8)).collect();
        let [width, height] = size(rows, columns, ROOM);
        let top = 2.0 * MARGIN + TITLE_SIZE;
        let wide = |text: &str| font::width(text, TEXT_SIZE, Weight::Regular);
        let legend = entries.iter().map(|(name, _)| wide(name)).fold(0.0, f64::max).min(LEGEND_WIDTH);
        let x = MARGIN + width + 14.0;
        let total = (x + SWATCH + 6.0 + legend + MARGIN).ceil();
        let tall = height.max(STEP * entries.len() as f64);
        let mut figure = Figure::new(&title, total, (top + tall + MARGIN).ceil());
        let heading = Text::new(&title, MARGIN, MARGIN + TITLE_SIZE * CAP_HEIGHT, TITLE_SIZE);
        figure.text(heading.bold().within(total - 2.0 * MARGIN));
        let frame = Frame { x: MARGIN, y: top, width, height };
        figure.picture(Picture::of_classes(&classes, rows, columns, colors), frame);
        figure.border(frame);
        for (number, (name, color)) in entries.into_iter().enumerate() {
            let swatch = Frame { x, y: top + STEP * number as f64, width: SWATCH, height: SWATCH };
            figure.area(swatch.corners().to_vec(), color, 1.0);
            let text = Text::new(name, swatch.right() + 6.0, swatch.bottom() - 1.5, TEXT_SIZE);
            figure.text(text.within(LEGEND_WIDTH));
        }
        Ok(figure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::decode;

    #[test]
    fn every_class_has_its_colour_and_its_name() {
        let names: Vec<String> = (1..=20).map(|k| format!("material {k}")).collect();
        let classes: Vec<Option<usize>> = (0..20).map(Some).chain([None]).collect();
        let figure = ClassMap::new("Dominant", &names, &classes, 3, 7).figure().unwrap();
        let svg = figure.to_svg().unwrap();
        assert!(names.iter().all(|name| svg.contains(name.as_str())) && svg.contains("no data"));
        let drawn = decode(&figure.to_png().unwrap());
        for color in (0..20).map(color_of_number).chain([MISSING]) {
            assert!(drawn.colors.iter().filter(|&&other| other == color).count() > 500, "{color:?}");
        }
        let full = ClassMap::new("Dominant", &names, &classes[..20], 4, 5).figure().unwrap().to_svg().unwrap();
        assert!(!full.contains("no data"));
        assert!(ClassMap::new("Dominant", &names[..3], &classes, 3, 7).figure().is_err());
        assert!(ClassMap::new("Dominant", &names, &classes, 3, 8).figure().is_err());
    }
}
