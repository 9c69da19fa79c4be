//! Figures as SVG documents.
//!
//! Text stays text (it can be searched, copied and edited), maps become embedded PNG pictures with one pixel for each sample.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    color_map::Rgb,
    error::Result,
    escape::xml,
    figure::{Anchor, BLACK, Element, Figure, Shape, Text},
    font::{self, Weight},
};

pub(crate) fn document(figure: &Figure) -> Result<String> {
    let mut out = String::new();
    let (width, height) = (Short(figure.width), Short(figure.height));
    put(
        &mut out,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"{}\" fill=\"{}\">\n<title>{}</title>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
            font::FAMILIES,
            hex(BLACK),
            xml(&figure.title)
        ),
    );
    for element in &figure.elements {
        match element {
            Element::Shape(shape) => write_shape(&mut out, shape),
            Element::Text(text) => write_text(&mut out, text),
            Element::Picture { picture, frame } => put(
                &mut out,
                format_args!(
                    "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" \
                     style=\"image-rendering:pixelated\" xlink:href=\"data:image/png;base64,{}\"/>\n",
                    Short(frame.x),
                    Short(frame.y),
                    Short(frame.width),
                    Short(frame.height),
                    STANDARD.encode(picture.to_png(&figure.title)?)
                ),
            ),
        }
    }
    out.push_str("</svg>\n");
    Ok(out)
}

fn write_shape(out: &mut String, shape: &Shape) {
    out.push_str("<path d=\"");
    for (index, [x, y]) in shape.points.iter().enumerate() {
        let command = if index == 0 { "M" } else { "L" };
        put(out, format_args!("{command}{} {}", Short(*x), Short(*y)));
    }
    if shape.closed {
        out.push('Z');
    }
    out.push('"');
    match shape.fill {
        Some((color, opacity)) => {
            put(out, format_args!(" fill=\"{}\"", hex(color)));
            if opacity < 1.0 {
                put(out, format_args!(" fill-opacity=\"{}\"", Short(opacity)));
            }
        }
        None => out.push_str(" fill=\"none\""),
    }
    if let Some(stroke) = shape.stroke {
        put(
            out,
            format_args!(
                " stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\"",
                hex(stroke.color),
                Short(stroke.width)
            ),
        );
        if let Some([on, off]) = stroke.dashes() {
            put(out, format_args!(" stroke-dasharray=\"{} {}\"", Short(on), Short(off)));
        }
    }
    out.push_str("/>\n");
}

fn write_text(out: &mut String, text: &Text) {
    let (x, y) = (Short(text.x), Short(text.y));
    put(out, format_args!("<text x=\"{x}\" y=\"{y}\" font-size=\"{}\"", Short(text.size)));
    match text.anchor {
        Anchor::Start => {}
        Anchor::Middle => out.push_str(" text-anchor=\"middle\""),
        Anchor::End => out.push_str(" text-anchor=\"end\""),
    }
    if text.weight == Weight::Bold {
        out.push_str(" font-weight=\"bold\"");
    }
    if text.upwards {
        put(out, format_args!(" transform=\"rotate(-90 {x} {y})\""));
    }
    out.push('>');
    if let Some(full) = &text.full {
        put(out, format_args!("<title>{}</title>", xml(full)));
    }
    put(out, format_args!("{}</text>\n", xml(&text.text)));
}

fn hex([red, green, blue]: Rgb) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Writing to a string cannot fail.
fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

/// A length with at most two decimals.
#[derive(Clone, Copy)]
struct Short(f64);

impl std::fmt::Display for Short {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{:.2}", self.0);
        let text = text.trim_end_matches('0').trim_end_matches('.');
        formatter.write_str(if text == "-0" { "0" } else { text })
    }
}
