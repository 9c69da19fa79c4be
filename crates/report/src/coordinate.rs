//! Ticks along the sides of a map, which stand at samples and not between them.

use crate::{
    figure::{Anchor, Figure, Frame, Stroke, TEXT_SIZE, TICK_SIZE, Text},
    font::{self, CAP_HEIGHT, Weight},
    scale::Scale,
};

/// What the columns or rows of a map stand for.
#[derive(Clone, Debug)]
pub(crate) struct Coordinate {
    pub(crate) label: String,
    pub(crate) first: f64,
    pub(crate) last: f64,
}

impl Coordinate {
    /// The axis from the outer edge of the first sample to that of the last, and whether it falls.
    fn scale(&self, samples: usize) -> (Scale, bool) {
        let half = if samples > 1 { (self.last - self.first) / (samples - 1) as f64 / 2.0 } else { 0.5 };
        let (start, end) = (self.first - half, self.last + half);
        (Scale::linear(start.min(end), start.max(end), 5), end < start)
    }

    pub(crate) fn tick_width(&self, samples: usize) -> f64 {
        let (scale, _) = self.scale(samples);
        let widths = scale.ticks().iter().map(|tick| font::width(&tick.label, TICK_SIZE, Weight::Regular));
        widths.fold(0.0, f64::max)
    }

    pub(crate) fn draw_below(&self, figure: &mut Figure, frame: Frame, columns: usize) {
        let (scale, falls) = self.scale(columns);
        for tick in scale.ticks() {
            let position = if falls { 1.0 - tick.position } else { tick.position };
            let x = frame.x + position * frame.width;
            figure.line(vec![[x, frame.bottom()], [x, frame.bottom() + 4.0]], Stroke::thin());
            figure.text(
                Text::new(&tick.label, x, frame.bottom() + 6.0 + TICK_SIZE * 0.8, TICK_SIZE).anchor(Anchor::Middle),
            );
        }
        let baseline = frame.bottom() + 8.0 + TICK_SIZE + TEXT_SIZE * 0.9;
        figure.text(
            Text::new(&scale.titled(&self.label), frame.x + frame.width / 2.0, baseline, TEXT_SIZE)
                .anchor(Anchor::Middle)
                .within(frame.width),
        );
    }

    pub(crate) fn draw_left(&self, figure: &mut Figure, frame: Frame, rows: usize, tick_width: f64) {
        let (scale, falls) = self.scale(rows);
        for tick in scale.ticks() {
            let position = if falls { 1.0 - tick.position } else { tick.position };
            let y = frame.y + position * frame.height;
            figure.line(vec![[frame.x - 4.0, y], [frame.x, y]], Stroke::thin());
            figure.text(
                Text::new(&tick.label, frame.x - 6.0, y + TICK_SIZE * CAP_HEIGHT / 2.0, TICK_SIZE).anchor(Anchor::End),
            );
        }
        let x = frame.x - tick_width - 12.0;
        figure.text(
            Text::new(&scale.titled(&self.label), x, frame.y + frame.height / 2.0, TEXT_SIZE)
                .anchor(Anchor::Middle)
                .upwards()
                .within(frame.height),
        );
    }
}
