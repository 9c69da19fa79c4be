//! Axis scales: where a value lies between two ends, and the round numbers at which ticks stand.

/// Ratio of span to magnitude below which a span is only rounding.
const SMALLEST_SPAN: f64 = 1e-9;

/// Linear or logarithmic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Linear,
    Logarithmic,
}

/// An axis between two ends with its ticks.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    kind: Kind,
    ticks: Vec<Tick>,
    exponent: i32,
}

/// A tick: its place between 0 and 1 and its label.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    pub(crate) position: f64,
    pub(crate) label: String,
}

impl Scale {
    /// A linear scale over `low..=high` with at most about `most` ticks; equal ends are moved apart.
    pub(crate) fn linear(low: f64, high: f64, most: usize) -> Self {
        let (low, high) = widened(low, high);
        let step = round_step((high - low) / most.max(2) as f64);
        let first = (low / step - 1e-6).ceil() as i64;
        let last = (high / step + 1e-6).floor() as i64;
        let largest = low.abs().max(high.abs());
        let exponent = if !(1e-3..=1e5).contains(&largest) { largest.log10().floor() as i32 } else { 0 };
        let unit = 10f64.powi(exponent);
        let decimals = decimals_of(step / unit);
        let mut scale = Self { low, high, kind: Kind::Linear, ticks: Vec::new(), exponent };
        for index in first..=last {
            let value = index as f64 * step;
            scale
                .ticks
                .push(Tick { position: scale.position(value).clamp(0.0, 1.0), label: fixed(value / unit, decimals) });
        }
        scale
    }

    /// A logarithmic scale over `low..=high`, both above zero, with at most about `most` ticks.
    ///
    /// Within one decade the ticks are those of a linear scale, at their logarithmic places.
    pub(crate) fn logarithmic(low: f64, high: f64, most: usize) -> Self {
        let (low, high) = if high / low < 1.0 + 1e-6 { (low / 2.0, high * 2.0) } else { (low, high) };
        let mut scale = Self { low, high, kind: Kind::Logarithmic, ticks: Vec::new(), exponent: 0 };
        let first = (low.log10() - 1e-9).ceil() as i32;
        let last = (high.log10() + 1e-9).floor() as i32;
        let decades = last - first + 1;
        if decades >= 2 {
            let every = (decades as usize).div_ceil(most.max(2)) as i32;
            for power in (first..=last).filter(|power| power.rem_euclid(every) == 0) {
                scale.ticks.push(Tick {
                    position: scale.position(10f64.powi(power)).clamp(0.0, 1.0),
                    label: power_of_ten(power),
                });
            }
        } else {
            let linear = Self::linear(low, high, most);
            scale.exponent = linear.exponent;
            for tick in linear.ticks {
                let value = low + tick.position * (high - low);
                scale.ticks.push(Tick { position: scale.position(value), ..tick });
            }
        }
        scale
    }

    /// Place of a value: 0 at the low end, 1 at the high end, not clamped.
    pub(crate) fn position(&self, value: f64) -> f64 {
        match self.kind {
            Kind::Linear => (value - self.low) / (self.high - self.low),
            Kind::Logarithmic => (value / self.low).ln() / (self.high / self.low).ln(),
        }
    }

    pub(crate) fn ticks(&self) -> &[Tick] {
        &self.ticks
    }

    /// The axis title with the power of ten that was taken out of the tick labels.
    pub(crate) fn titled(&self, title: &str) -> String {
        match (self.exponent, title.is_empty()) {
            (0, _) => title.to_owned(),
            (power, true) => format!("×{}", superscript_power(power)),
            (power, false) => format!("{title} (×{})", superscript_power(power)),
        }
    }
}

fn widened(low: f64, high: f64) -> (f64, f64) {
    let magnitude = low.abs().max(high.abs());
    if high - low > SMALLEST_SPAN * magnitude {
        return (low, high);
    }
    let half = if magnitude > 0.0 { 0.1 * magnitude } else { 0.5 };
    (low - half, high + half)
}

/// The smallest of 1, 2, 2.5, 5 times a power of ten that is not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    for factor in [1.0, 2.0, 2.5, 5.0] {
        if factor * power >= step * (1.0 - 1e-9) {
            return factor * power;
        }
    }
    10.0 * power
}

fn decimals_of(step: f64) -> usize {
    (0..12)
        .find(|&decimals| {
            let scaled = step * 10f64.powi(decimals);
            scaled >= 0.999 && (scaled - scaled.round()).abs() < 1e-6 * scaled
        })
        .unwrap_or(12) as usize
}

/// A number with fixed decimals, a true minus sign and no negative zero.
fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().all(|c| c == '0' || c == '.') => digits.to_owned(),
        Some(digits) => format!("\u{2212}{digits}"),
        None => text,
    }
}

fn power_of_ten(power: i32) -> String {
    match power {
        0..=3 => 10u32.pow(power as u32).to_string(),
        -2..=-1 => format!("{:.*}", (-power) as usize, 10f64.powi(power)),
        _ => superscript_power(power),
    }
}

pub(crate) fn superscript_power(power: impl std::fmt::Display) -> String {
    let mut text = String::from("10");
    for character in power.to_string().chars() {
        text.push(match character {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            '4' => '⁴',
            '5' => '⁵',
            '6' => '⁶',
            '7' => '⁷',
            '8' => '⁸',
            '9' => '⁹',
            _ => '⁰',
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: &Scale) -> Vec<&str> {
        scale.ticks().iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn linear_ticks_are_round_and_inside() {
        assert_eq!(labels(&Scale::linear(0.0, 1.0, 5)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&Scale::linear(-1.3, 1.3, 6)), ["\u{2212}1.0", "\u{2212}0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(labels(&Scale::linear(401.0, 889.0, 6)), ["500", "600", "700", "800"]);
        for (low, high) in [(0.0, 1.0), (-3e-7, 8e-9), (1e12, 1.5e12), (5.0, 5.0), (0.0, 0.0), (-1e-300, 1e300)] {
            let scale = Scale::linear(low, high, 6);
            assert!(!scale.ticks().is_empty() && scale.ticks().len() <= 8, "{low} {high}");
            for tick in scale.ticks() {
                assert!((0.0..=1.0).contains(&tick.position), "{low} {high} {tick:?}");
            }
        }
    }

    #[test]
    fn a_power_of_ten_leaves_the_labels_of_small_and_large_numbers() {
        let scale = Scale::linear(0.0, 4e-5, 4);
        assert_eq!(labels(&scale), ["0", "1", "2", "3", "4"]);
        assert_eq!(scale.titled("error"), "error (×10⁻⁵)");
        assert_eq!(Scale::linear(0.0, 2.0, 4).titled("error"), "error");
    }

    #[test]
    fn logarithmic_ticks_are_decades() {
        let scale = Scale::logarithmic(1e-4, 1e2, 7);
        assert_eq!(labels(&scale), ["10⁻⁴", "10⁻³", "0.01", "0.1", "1", "10", "100"]);
        assert!((scale.position(1e-1) - 0.5).abs() < 1e-12);
        let narrow = Scale::logarithmic(2.0, 6.0, 5);
        assert!(narrow.ticks().len() >= 3, "{narrow:?}");
        assert!(Scale::logarithmic(1e-30, 1e30, 6).ticks().len() <= 7);
    }
}
