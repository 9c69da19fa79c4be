//! The text of figures: an embedded font, so that a picture looks the same on a machine without any.
//!
//! Arimo has the widths of Arial and Helvetica, so a width measured here also holds for an SVG that is shown with one of them.
//! The two files are reduced to Latin, Greek, Cyrillic and mathematical signs; another character becomes U+FFFD in a PNG and
//! stays itself in an SVG. Licence: SIL Open Font License 1.1, in `assets/OFL.txt`.

use ttf_parser::{Face, OutlineBuilder};

/// Font families for an SVG: ours first, then those with the same widths.
pub(crate) const FAMILIES: &str = "Arimo, 'Liberation Sans', Arial, Helvetica, sans-serif";

/// Height of a capital letter as a part of the font size.
pub(crate) const CAP_HEIGHT: f64 = 0.716;

static REGULAR: &[u8] = include_bytes!("../assets/Arimo-Regular.ttf");
static BOLD: &[u8] = include_bytes!("../assets/Arimo-Bold.ttf");

/// Regular or bold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Weight {
    #[default]
    Regular,
    Bold,
}

/// Width of a text in the units of `size`.
pub(crate) fn width(text: &str, size: f64, weight: Weight) -> f64 {
    let Some(face) = face(weight) else {
        return 0.0;
    };
    let units: f64 = text.chars().map(|character| advance(&face, character)).sum();
    units * size / f64::from(face.units_per_em())
}

/// The text, shortened with an ellipsis until it is no wider than `most`.
pub(crate) fn shortened(text: &str, size: f64, weight: Weight, most: f64) -> String {
    if width(text, size, weight) <= most {
        return text.to_owned();
    }
    let room = most - width("…", size, weight);
    let mut kept = String::new();
    let mut used = 0.0;
    for character in text.chars() {
        used += width(character.encode_utf8(&mut [0; 4]), size, weight);
        if used > room {
            break;
        }
        kept.push(character);
    }
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    kept
}

/// Draws the outline of a text with its baseline starting at (0, 0), y downwards.
pub(crate) fn outline(text: &str, size: f64, weight: Weight) -> Option<tiny_skia::Path> {
    let face = face(weight)?;
    let mut pen =
        Pen { path: tiny_skia::PathBuilder::new(), scale: size as f32 / f32::from(face.units_per_em()), x: 0.0 };
    for character in text.chars() {
        if let Some(glyph) = glyph(&face, character) {
            face.outline_glyph(glyph, &mut pen);
        }
        pen.x += advance(&face, character) as f32 * pen.scale;
    }
    pen.path.finish()
}

fn face(weight: Weight) -> Option<Face<'static>> {
    let bytes = match weight {
        Weight::Regular => REGULAR,
        Weight::Bold => BOLD,
    };
    Face::parse(bytes, 0).ok()
}

fn glyph(face: &Face<'_>, character: char) -> Option<ttf_parser::GlyphId> {
    face.glyph_index(character).or_else(|| face.glyph_index(char::REPLACEMENT_CHARACTER))
}

fn advance(face: &Face<'_>, character: char) -> f64 {
    glyph(face, character).and_then(|glyph| face.glyph_hor_advance(glyph)).map_or(0.0, f64::from)
}

/// Puts font outlines (y upwards) into a path (y downwards) at the place of the next character.
struct Pen {
    path: tiny_skia::PathBuilder,
    scale: f32,
    x: f32,
}

impl Pen {
    fn place(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, -y * self.scale)
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.place(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.place(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let (x1, y1) = self.place(x1, y1);
        let (x, y) = self.place(x, y);
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let (x1, y1) = self.place(x1, y1);
        let (x2, y2) = self.place(x2, y2);
        let (x, y) = self.place(x, y);
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_weights_hold_the_characters_of_scientific_labels() {
        for weight in [Weight::Regular, Weight::Bold] {
            let face = face(weight).unwrap();
            for character in "AZaz09 µΩλσ²⁻⁹×±−–…°≤Å".chars() {
                assert!(face.glyph_index(character).is_some(), "{character} in {weight:?}");
            }
        }
    }

    #[test]
    fn widths_are_those_of_arial() {
        // Advance widths of Arial's digits and M: 1139 and 1706 of 2048 units.
        assert!((width("0123456789", 2048.0, Weight::Regular) - 11390.0).abs() < 1e-6);
        assert!((width("M", 2048.0, Weight::Regular) - 1706.0).abs() < 1e-6);
        assert!(width("tree", 12.0, Weight::Bold) > width("tree", 12.0, Weight::Regular));
    }

    #[test]
    fn a_long_text_is_shortened_to_the_room_it_has() {
        let long = "a name that goes on ".repeat(50);
        let short = shortened(&long, 12.0, Weight::Regular, 80.0);
        assert!(short.ends_with('…') && width(&short, 12.0, Weight::Regular) <= 80.0);
        assert_eq!(shortened("tree", 12.0, Weight::Regular, 80.0), "tree");
    }

    #[test]
    fn unknown_characters_take_room_and_do_not_fail() {
        assert!(width("漢\u{1F600}\0", 10.0, Weight::Regular) > 0.0);
        assert!(outline("漢", 10.0, Weight::Regular).is_some());
        assert!(outline("   ", 10.0, Weight::Regular).is_none());
    }
}
