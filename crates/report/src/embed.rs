//! A figure of a run as part of a page: checked, measured and written into the page itself.

use std::io::Cursor;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    error::{Error, Result},
    escape::xml,
    figure::Figure,
    folder::Folder,
};

/// A picture with one pixel for each sample is enlarged to about this width.
const SAMPLES_WIDTH: u32 = 360;
const METRES_PER_CSS_PIXEL: f64 = 0.0254 / 96.0;

/// Adds an `img` element that holds the file to the page; whether there is such a file.
pub(crate) fn image(out: &mut String, folder: &Folder, file: &str, description: &str) -> Result<bool> {
    let Some(bytes) = folder.bytes(file)? else {
        return Ok(false);
    };
    let (kind, size) = if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        let size = png_size(&bytes).map_err(|error| Error::Unfit {
            path: folder.path().join(file),
            problem: format!("it is not a complete PNG file: {error}"),
        })?;
        ("png", size)
    } else if let Some(width) = gif_width(&bytes) {
        ("gif", format!(" class=\"samples\" width=\"{width}\""))
    } else if is_svg(&bytes) {
        // Inside an `img` element an SVG runs no script and requests nothing.
        ("svg+xml", String::new())
    } else {
        return Err(Error::Unfit {
            path: folder.path().join(file),
            problem: String::from("a figure must be a PNG, a GIF or an SVG file"),
        });
    };
    element(out, kind, &size, description, &bytes);
    Ok(true)
}

/// Adds an `img` element that holds a drawn figure to the page.
pub(crate) fn drawn(out: &mut String, figure: &Figure) -> Result<()> {
    element(out, "svg+xml", "", &figure.title, figure.to_svg()?.as_bytes());
    Ok(())
}

/// Bytes become text in the page itself: they are most of what it is.
fn element(out: &mut String, kind: &str, size: &str, description: &str, bytes: &[u8]) {
    *out += &format!("<img{size} alt=\"{}\" src=\"data:image/{kind};base64,", xml(description));
    STANDARD.encode_string(bytes, out);
    out.push_str("\"/>");
}

/// The width attribute: as wide as on paper where the file says how large its pixels are, else enlarged pixels.
fn png_size(bytes: &[u8]) -> std::result::Result<String, png::DecodingError> {
    let reader = png::Decoder::new(Cursor::new(bytes)).read_info()?;
    let info = reader.info();
    Ok(match info.pixel_dims {
        Some(dims) if dims.unit == png::Unit::Meter && dims.xppu > 0 => {
            let width = f64::from(info.width) / f64::from(dims.xppu) / METRES_PER_CSS_PIXEL;
            format!(" width=\"{}\"", width.round().max(1.0))
        }
        _ => {
            let times = (SAMPLES_WIDTH / info.width.max(1)).max(1);
            format!(" class=\"samples\" width=\"{}\"", u64::from(info.width) * u64::from(times))
        }
    })
}

/// The width of a GIF file whose every pixel is a sample, enlarged.
fn gif_width(bytes: &[u8]) -> Option<u64> {
    let decoder = bytes.starts_with(b"GIF8").then(|| gif::Decoder::new(bytes).ok())??;
    let width = u32::from(decoder.width());
    Some(u64::from(width) * u64::from((SAMPLES_WIDTH / width.max(1)).max(1)))
}

fn is_svg(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    text.starts_with(b"<svg") || text.starts_with(b"<?xml")
}
