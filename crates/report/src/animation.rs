//! [`Animation`]: grey pictures one after the other, as a GIF.

use gif::{Encoder, Frame, Repeat};

use crate::error::{Error, Result};

/// Hundredths of a second that a picture stays, and the last one.
const EACH: u16 = 25;
const LAST: u16 = 200;

/// Grey pictures of one size, one after the other, again and again; the last one stays longer.
#[derive(Clone, Debug)]
pub struct Animation<'a> {
    rows: usize,
    columns: usize,
    pictures: Vec<&'a [u8]>,
}

impl<'a> Animation<'a> {
    /// No picture yet, of this size.
    pub fn new(rows: usize, columns: usize) -> Self {
        Self { rows, columns, pictures: Vec::new() }
    }

    /// Adds a picture, row by row, 0 for black to 255 for white.
    #[must_use]
    pub fn picture(mut self, grey: &'a [u8]) -> Self {
        self.pictures.push(grey);
        self
    }

    /// The bytes of a GIF file (CompuServe, GIF89a).
    ///
    /// # Errors
    /// [`Error::Animation`] for pictures of another size, and for one that no GIF has.
    pub fn gif(&self) -> Result<Vec<u8>> {
        let unfit = |problem: String| Error::Animation { rows: self.rows, columns: self.columns, problem };
        let size = [self.columns, self.rows].map(u16::try_from);
        let [Ok(width @ 1..), Ok(height @ 1..)] = size else {
            return Err(unfit("a GIF has 1 to 65535 of them along each side".into()));
        };
        if self.pictures.is_empty() {
            return Err(unfit("there are no pictures".into()));
        }
        if let Some(other) = self.pictures.iter().find(|grey| grey.len() != self.rows * self.columns) {
            return Err(unfit(format!("one picture has {} values", other.len())));
        }
        let palette: Vec<u8> = (0..=u8::MAX).flat_map(|level| [level; 3]).collect();
        let mut bytes = Vec::new();
        let mut write = || -> std::result::Result<(), gif::EncodingError> {
            let mut encoder = Encoder::new(&mut bytes, width, height, &palette)?;
            encoder.set_repeat(Repeat::Infinite)?;
            for (index, grey) in self.pictures.iter().enumerate() {
                let delay = if index + 1 == self.pictures.len() { LAST } else { EACH };
                let frame = Frame { width, height, delay, buffer: (*grey).into(), ..Frame::default() };
                encoder.write_frame(&frame)?;
            }
            Ok(())
        };
        write().map_err(|error| unfit(error.to_string()))?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_come_back_from_the_file() {
        let pictures: Vec<Vec<u8>> =
            (0..3).map(|k| (0..35).map(|place| (place * 7 + k * 11) as u8).collect()).collect();
        let animation = pictures.iter().fold(Animation::new(5, 7), |animation, grey| animation.picture(grey));
        let bytes = animation.gif().unwrap();
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::RGBA);
        let mut decoder = options.read_info(bytes.as_slice()).unwrap();
        assert_eq!((decoder.width(), decoder.height()), (7, 5));
        let mut delays = Vec::new();
        for grey in &pictures {
            let frame = decoder.read_next_frame().unwrap().unwrap();
            let wanted: Vec<u8> = grey.iter().flat_map(|level| [*level, *level, *level, 255]).collect();
            assert_eq!(frame.buffer.as_ref(), wanted);
            delays.push(frame.delay);
        }
        assert!(decoder.read_next_frame().unwrap().is_none());
        assert_eq!(delays, [EACH, EACH, LAST]);
    }

    #[test]
    fn what_is_no_animation_is_refused() {
        let grey = [0; 4];
        for (animation, words) in [
            (Animation::new(2, 2), "no pictures"),
            (Animation::new(2, 3).picture(&grey), "4 values"),
            (Animation::new(0, 2).picture(&grey), "1 to 65535"),
            (Animation::new(1, 70_000).picture(&grey), "1 to 65535"),
        ] {
            let refused = animation.gif().unwrap_err().to_string();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
