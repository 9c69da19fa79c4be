//! A finished figure: shapes, text and pictures on a page, written as SVG or as PNG.
//!
//! Lengths are CSS pixels (1/96 inch), so a figure 640 wide is 17 cm wide on paper. The PNG has 300 dots per inch.

use std::path::Path;

use crate::{
    color_map::Rgb,
    error::Result,
    font::{self, Weight},
    picture::Picture,
    raster, svg,
};

pub(crate) const BLACK: Rgb = [0x1a, 0x1a, 0x1a];
pub(crate) const GRID: Rgb = [0xe4, 0xe4, 0xe4];

/// Font size of axis titles, legends and map titles.
pub(crate) const TEXT_SIZE: f64 = 12.0;
/// Font size of tick labels.
pub(crate) const TICK_SIZE: f64 = 11.0;
/// Font size of a figure's title.
pub(crate) const TITLE_SIZE: f64 = 14.0;

/// A drawn figure. `HeatMap`, `MapPanel` and `LineChart` make it.
#[derive(Clone, Debug)]
pub struct Figure {
    pub(crate) title: String,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) elements: Vec<Element>,
}

/// One thing drawn; later ones lie above earlier ones.
#[derive(Clone, Debug)]
pub(crate) enum Element {
    Shape(Shape),
    Text(Text),
    Picture { picture: Picture, frame: Frame },
}

/// A rectangle: left, top, width, height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// Straight lines through points, closed or open, filled or stroked.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) points: Vec<[f64; 2]>,
    pub(crate) closed: bool,
    pub(crate) fill: Option<(Rgb, f64)>,
    pub(crate) stroke: Option<Stroke>,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stroke {
    pub(crate) color: Rgb,
    pub(crate) width: f64,
    pub(crate) dashed: bool,
}

/// Which point of a text its place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A line of text with its baseline at `y`.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) text: String,
    /// The whole text, where `text` had to be shortened.
    pub(crate) full: Option<String>,
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) size: f64,
    pub(crate) weight: Weight,
    pub(crate) anchor: Anchor,
    /// Reads upwards instead of to the right.
    pub(crate) upwards: bool,
}

impl Figure {
    pub(crate) fn new(title: &str, width: f64, height: f64) -> Self {
        Self { title: title.to_owned(), width, height, elements: Vec::new() }
    }

    /// The figure as an SVG document; large maps are embedded as pictures.
    ///
    /// # Errors
    /// When an embedded picture cannot be encoded.
    pub fn to_svg(&self) -> Result<String> {
        svg::document(self)
    }

    /// The figure as the bytes of a PNG file with 300 dots per inch.
    ///
    /// # Errors
    /// When the figure is larger than a picture may be.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        raster::png(self)
    }

    /// Writes `stem.svg` and `stem.png`, making the folder if need be.
    ///
    /// # Errors
    /// When the figure cannot be drawn or a file cannot be written.
    pub fn save(&self, stem: impl AsRef<Path>) -> Result<()> {
        let stem = stem.as_ref();
        crate::write(&crate::with_ending(stem, "svg"), self.to_svg()?.as_bytes())?;
        crate::write(&crate::with_ending(stem, "png"), &self.to_png()?)
    }

    pub(crate) fn has_picture(&self) -> bool {
        self.elements.iter().any(|element| matches!(element, Element::Picture { .. }))
    }

    pub(crate) fn line(&mut self, points: Vec<[f64; 2]>, stroke: Stroke) {
        self.elements.push(Element::Shape(Shape { points, closed: false, fill: None, stroke: Some(stroke) }));
    }

    pub(crate) fn area(&mut self, points: Vec<[f64; 2]>, color: Rgb, opacity: f64) {
        self.elements.push(Element::Shape(Shape { points, closed: true, fill: Some((color, opacity)), stroke: None }));
    }

    pub(crate) fn border(&mut self, frame: Frame) {
        self.elements.push(Element::Shape(Shape {
            points: frame.corners().to_vec(),
            closed: true,
            fill: None,
            stroke: Some(Stroke::thin()),
        }));
    }

    pub(crate) fn picture(&mut self, picture: Picture, frame: Frame) {
        self.elements.push(Element::Picture { picture, frame });
    }

    pub(crate) fn text(&mut self, text: Text) {
        if !text.text.is_empty() {
            self.elements.push(Element::Text(text));
        }
    }
}

impl Frame {
    pub(crate) fn right(&self) -> f64 {
        self.x + self.width
    }

    pub(crate) fn bottom(&self) -> f64 {
        self.y + self.height
    }

    pub(crate) fn corners(&self) -> [[f64; 2]; 4] {
        [[self.x, self.y], [self.right(), self.y], [self.right(), self.bottom()], [self.x, self.bottom()]]
    }
}

impl Stroke {
    /// Frames, ticks and axes.
    pub(crate) fn thin() -> Self {
        Self { color: BLACK, width: 0.8, dashed: false }
    }

    /// Lengths of a dash and of the gap after it.
    pub(crate) fn dashes(&self) -> Option<[f64; 2]> {
        self.dashed.then_some([3.2 * self.width, 1.8 * self.width])
    }
}

impl Text {
    pub(crate) fn new(text: &str, x: f64, y: f64, size: f64) -> Self {
        Self {
            text: text.to_owned(),
            full: None,
            x,
            y,
            size,
            weight: Weight::Regular,
            anchor: Anchor::Start,
            upwards: false,
        }
    }

    pub(crate) fn bold(mut self) -> Self {
        self.weight = Weight::Bold;
        self
    }

    pub(crate) fn anchor(mut self, anchor: Anchor) -> Self {
        self.anchor = anchor;
        self
    }

    pub(crate) fn upwards(mut self) -> Self {
        self.upwards = true;
        self
    }

    /// Shortens the text to a width; an SVG shows the whole of it under the pointer.
    pub(crate) fn within(mut self, most: f64) -> Self {
        let short = font::shortened(&self.text, self.size, self.weight, most);
        if short != self.text {
            self.full = Some(std::mem::replace(&mut self.text, short));
        }
        self
    }
}
