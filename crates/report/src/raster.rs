//! Figures as PNG files: shapes and letters are filled with anti-aliasing, maps are averaged over the area of each pixel.

use tiny_skia::{FillRule, Paint, Path, PathBuilder, Pixmap, StrokeDash, Transform};

use crate::{
    color_map::Rgb,
    error::{Error, Result},
    figure::{Anchor, BLACK, Element, Figure, Frame, Shape, Text},
    font,
    picture::Picture,
};

/// Pixels for each CSS pixel (1/96 inch): 300 dots per inch.
const SCALE: f64 = 300.0 / 96.0;
/// The same in dots per metre, for the file's own record of its size.
const DOTS_PER_METRE: u32 = 11_811;
/// Longest side in pixels: 8192 x 8192 RGBA is 256 MiB, enough for any page.
const LONGEST_SIDE: u64 = 8192;

pub(crate) fn png(figure: &Figure) -> Result<Vec<u8>> {
    let (width, height) = ((figure.width * SCALE).ceil() as u64, (figure.height * SCALE).ceil() as u64);
    let too_large = || Error::TooLarge { title: figure.title.clone(), width, height, limit: LONGEST_SIDE };
    if width > LONGEST_SIDE || height > LONGEST_SIDE {
        return Err(too_large());
    }
    let mut canvas = Pixmap::new(width as u32, height as u32).ok_or_else(too_large)?;
    canvas.fill(tiny_skia::Color::WHITE);
    for element in &figure.elements {
        match element {
            Element::Shape(shape) => draw_shape(&mut canvas, shape),
            Element::Text(text) => draw_text(&mut canvas, text),
            Element::Picture { picture, frame } => draw_picture(&mut canvas, picture, *frame),
        }
    }
    encode(canvas).map_err(|source| Error::Png { title: figure.title.clone(), source })
}

fn draw_shape(canvas: &mut Pixmap, shape: &Shape) {
    let Some(path) = path(shape) else {
        return;
    };
    let transform = Transform::from_scale(SCALE as f32, SCALE as f32);
    if let Some((color, opacity)) = shape.fill {
        canvas.fill_path(&path, &paint(color, opacity), FillRule::Winding, transform, None);
    }
    if let Some(stroke) = shape.stroke {
        let style = tiny_skia::Stroke {
            width: stroke.width as f32,
            line_join: tiny_skia::LineJoin::Round,
            dash: stroke.dashes().and_then(|dashes| StrokeDash::new(dashes.map(|length| length as f32).to_vec(), 0.0)),
            ..tiny_skia::Stroke::default()
        };
        canvas.stroke_path(&path, &paint(stroke.color, 1.0), &style, transform, None);
    }
}

fn path(shape: &Shape) -> Option<Path> {
    let mut builder = PathBuilder::new();
    for (index, [x, y]) in shape.points.iter().enumerate() {
        if index == 0 {
            builder.move_to(*x as f32, *y as f32);
        } else {
            builder.line_to(*x as f32, *y as f32);
        }
    }
    if shape.closed {
        builder.close();
    }
    builder.finish()
}

fn draw_text(canvas: &mut Pixmap, text: &Text) {
    let Some(path) = font::outline(&text.text, text.size, text.weight) else {
        return;
    };
    let width = font::width(&text.text, text.size, text.weight);
    let before = match text.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => width / 2.0,
        Anchor::End => width,
    };
    let turn = if text.upwards { -90.0 } else { 0.0 };
    let transform = Transform::from_translate(-before as f32, 0.0)
        .post_concat(Transform::from_rotate(turn))
        .post_translate(text.x as f32, text.y as f32)
        .post_scale(SCALE as f32, SCALE as f32);
    canvas.fill_path(&path, &paint(BLACK, 1.0), FillRule::Winding, transform, None);
}

/// Every pixel is the mean of the samples it covers, by area, on white paper: crisp when a sample is many pixels, smooth when a pixel is many samples.
fn draw_picture(canvas: &mut Pixmap, picture: &Picture, frame: Frame) {
    let columns = shares(frame.x, frame.width, picture.columns, canvas.width());
    let rows = shares(frame.y, frame.height, picture.rows, canvas.height());
    let stride = canvas.width() as usize;
    let pixels = canvas.data_mut();
    for (y, row_shares) in &rows {
        for (x, column_shares) in &columns {
            let mut sum = [0.0f64; 3];
            for &(row, row_share) in row_shares {
                for &(column, column_share) in column_shares {
                    let color = picture.color(row, column);
                    let (share, opacity) = (row_share * column_share, f64::from(color[3]) / 255.0);
                    for channel in 0..3 {
                        let over_white = opacity * f64::from(color[channel]) + (1.0 - opacity) * 255.0;
                        sum[channel] += share * over_white;
                    }
                }
            }
            let start = 4 * (y * stride + x);
            for channel in 0..3 {
                pixels[start + channel] = sum[channel].round() as u8;
            }
            pixels[start + 3] = 255;
        }
    }
}

/// For each pixel along one side: which samples it covers and how much of it each takes.
fn shares(start: f64, length: f64, samples: usize, limit: u32) -> Vec<(usize, Vec<(usize, f64)>)> {
    let first = (start * SCALE).round().max(0.0) as usize;
    let end = (((start + length) * SCALE).round().max(0.0) as usize).max(first + 1).min(limit as usize);
    let ratio = samples as f64 / (end - first) as f64;
    (first..end)
        .map(|pixel| {
            let low = (pixel - first) as f64 * ratio;
            let high = low + ratio;
            let last = (high.ceil() as usize).min(samples);
            let covered = ((low as usize).min(samples - 1)..last)
                .map(|sample| {
                    let overlap = high.min(sample as f64 + 1.0) - low.max(sample as f64);
                    (sample, overlap.max(0.0) / ratio)
                })
                .collect();
            (pixel, covered)
        })
        .collect()
}

fn paint(color: Rgb, opacity: f64) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(color[0], color[1], color[2], (255.0 * opacity).round() as u8);
    paint.anti_alias = true;
    paint
}

fn encode(canvas: Pixmap) -> std::result::Result<Vec<u8>, png::EncodingError> {
    let (width, height) = (canvas.width(), canvas.height());
    // The canvas is opaque: it starts white and everything is drawn over it. Its colours move together in its own memory, the largest of a page.
    let mut colors = canvas.take();
    let pixels = colors.len() / 4;
    for pixel in 0..pixels {
        for channel in 0..3 {
            colors[3 * pixel + channel] = colors[4 * pixel + channel];
        }
    }
    colors.truncate(3 * pixels);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_pixel_dims(Some(png::PixelDimensions {
        xppu: DOTS_PER_METRE,
        yppu: DOTS_PER_METRE,
        unit: png::Unit::Meter,
    }));
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&colors)?;
    writer.finish()?;
    Ok(bytes)
}
