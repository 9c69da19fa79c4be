//! Colour maps: from a number between 0 and 1 to a colour.
//!
//! All of them change their lightness evenly, so that equal steps of the value look equal and a grey print keeps the order.
//!
//! * Viridis: N. Smith and S. van der Walt, 2015, released into the public domain (CC0).
//! * Cividis: J. R. Nuñez, C. R. Anderton, R. S. Renslow, PLOS ONE 13(7), e0199239, 2018, doi:10.1371/journal.pone.0199239;
//!   made for readers with a colour vision deficiency.
//! * Diverging: K. Moreland, Diverging Color Maps for Scientific Visualization, ISVC 2009, doi:10.1007/978-3-642-10520-3_9;
//!   blue below, red above, light grey in the middle.
//! * Cyclic: a circle of equal lightness and chroma in Oklab (B. Ottosson, A perceptual color space for image processing, 2020).
//!
//! Each table holds 33 equally spaced colours; between two of them the channels are interpolated.

/// A colour: red, green, blue.
pub(crate) type Rgb = [u8; 3];

/// Colour of a value that is not there (NaN or infinite).
pub(crate) const MISSING: Rgb = [0xbd, 0xbd, 0xbd];

/// A colour map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColorMap {
    /// Dark violet to yellow; the default for quantities that start at zero.
    #[default]
    Viridis,
    /// Dark blue to yellow, the same for readers with and without colour vision deficiency.
    Cividis,
    /// Black to white.
    Gray,
    /// Blue to red around a neutral middle; for signed quantities.
    Diverging,
    /// All hues at one lightness, the last the first again; for phases and directions.
    Cyclic,
}

impl ColorMap {
    /// Colour of `position` between 0 (lowest) and 1 (highest); values outside are clamped, NaN is grey.
    #[must_use]
    pub fn color(self, position: f64) -> [u8; 3] {
        if position.is_nan() {
            return MISSING;
        }
        let position = position.clamp(0.0, 1.0);
        let table = match self {
            Self::Viridis => &VIRIDIS,
            Self::Cividis => &CIVIDIS,
            Self::Diverging => &DIVERGING,
            Self::Gray => return [(255.0 * position).round() as u8; 3],
            Self::Cyclic => return of_hue(std::f64::consts::TAU * position),
        };
        let place = position * (table.len() - 1) as f64;
        let below = (place as usize).min(table.len() - 2);
        let part = place - below as f64;
        std::array::from_fn(|channel| {
            let shift = 16 - 8 * channel;
            let low = f64::from((table[below] >> shift) & 0xff);
            let high = f64::from((table[below + 1] >> shift) & 0xff);
            (low + part * (high - low)).round() as u8
        })
    }
}

/// The colour of a hue, in radians, at the lightness and chroma that all hues have within sRGB.
fn of_hue(hue: f64) -> [u8; 3] {
    const LIGHTNESS: f64 = 0.72;
    const CHROMA: f64 = 0.115;
    let (sin, cos) = hue.sin_cos();
    let (a, b) = (CHROMA * cos, CHROMA * sin);
    // cone responses, the cubes undone, then linear red, green and blue
    let [long, medium, short] = [
        LIGHTNESS + 0.396_337_777_4 * a + 0.215_803_757_3 * b,
        LIGHTNESS - 0.105_561_345_8 * a - 0.063_854_172_8 * b,
        LIGHTNESS - 0.089_484_177_5 * a - 1.291_485_548 * b,
    ]
    .map(|root| root * root * root);
    let linear = [
        4.076_741_662_1 * long - 3.307_711_591_3 * medium + 0.230_969_929_2 * short,
        -1.268_438_004_6 * long + 2.609_757_401_1 * medium - 0.341_319_396_5 * short,
        -0.004_196_086_3 * long - 0.703_418_614_7 * medium + 1.707_614_701 * short,
    ];
    linear.map(|value| {
        let value = value.clamp(0.0, 1.0);
        let encoded = if value <= 0.003_130_8 { 12.92 * value } else { 1.055 * value.powf(1.0 / 2.4) - 0.055 };
        (255.0 * encoded).round() as u8
    })
}

const VIRIDIS: [u32; 33] = [
    0x440154, 0x470d60, 0x48186a, 0x482374, 0x472d7b, 0x453781, 0x424086, 0x3e4989, //
    0x3b528b, 0x375b8d, 0x33638d, 0x2f6b8e, 0x2c728e, 0x297a8e, 0x26828e, 0x23898e, //
    0x21918c, 0x1f978b, 0x1f9f88, 0x21a685, 0x27ad81, 0x31b57b, 0x3dbc74, 0x4cc26c, //
    0x5cc863, 0x6ece58, 0x81d34d, 0x95d840, 0xaadc32, 0xc0df25, 0xd5e21a, 0xeae51a, //
    0xfde725,
];

const CIVIDIS: [u32; 33] = [
    0x00224e, 0x00285b, 0x002e6a, 0x053371, 0x1a386f, 0x273e6e, 0x32436d, 0x3b496c, //
    0x434e6c, 0x4b546c, 0x535a6d, 0x5a5f6e, 0x61656f, 0x686a71, 0x6f7073, 0x767676, //
    0x7d7c78, 0x838179, 0x8b8778, 0x928d78, 0x9a9376, 0xa29975, 0xaaa073, 0xb3a670, //
    0xbbad6d, 0xc3b369, 0xccba64, 0xd4c15f, 0xddc858, 0xe6d051, 0xefd748, 0xf8df3c, //
    0xfee838,
];

const DIVERGING: [u32; 33] = [
    0x3b4cc0, 0x445acc, 0x4d68d7, 0x5775e1, 0x6282ea, 0x6c8ef1, 0x779af7, 0x82a5fb, //
    0x8db0fe, 0x98b9ff, 0xa3c2ff, 0xaec9fd, 0xb8d0f9, 0xc2d5f4, 0xccd9ee, 0xd5dbe6, //
    0xdddddd, 0xe5d8d1, 0xecd3c5, 0xf1ccb9, 0xf5c4ad, 0xf7bba0, 0xf7b194, 0xf7a687, //
    0xf49a7b, 0xf18d6f, 0xec7f63, 0xe57058, 0xde604d, 0xd55042, 0xcb3e38, 0xc0282f, //
    0xb40426,
];

/// The colour of the line, class or material of this number; beyond the list hues that are far from those before.
pub(crate) fn color_of_number(number: usize) -> Rgb {
    const GOLDEN_ANGLE: f64 = 2.399_963_229_728_653;
    match LINE_COLORS.get(number) {
        Some(color) => *color,
        None => of_hue(GOLDEN_ANGLE * number as f64),
    }
}

/// Colours of lines that readers with a colour vision deficiency tell apart on white: M. Okabe and K. Ito, Color Universal
/// Design, 2008, without its yellow (too light for a line), then the darker colours of P. Tol, Colour Schemes, SRON/EPS/TN/09-002.
const LINE_COLORS: [Rgb; 12] = [
    [0x00, 0x72, 0xb2],
    [0xd5, 0x5e, 0x00],
    [0x00, 0x9e, 0x73],
    [0xcc, 0x79, 0xa7],
    [0xe6, 0x9f, 0x00],
    [0x56, 0xb4, 0xe9],
    [0x22, 0x22, 0x22],
    [0x88, 0x22, 0x55],
    [0x99, 0x99, 0x33],
    [0x33, 0x22, 0x88],
    [0x66, 0x33, 0x33],
    [0x77, 0x77, 0x77],
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Lightness L* of CIE 1976 (D65) from sRGB, IEC 61966-2-1.
    fn lightness(color: Rgb) -> f64 {
        let linear = color.map(|channel| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        let luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
        if luminance > 0.008_856 { 116.0 * luminance.cbrt() - 16.0 } else { 903.3 * luminance }
    }

    #[test]
    fn sequential_maps_rise_evenly_in_lightness() {
        for map in [ColorMap::Viridis, ColorMap::Cividis, ColorMap::Gray] {
            let steps: Vec<f64> = (0..=16).map(|i| lightness(map.color(f64::from(i) / 16.0))).collect();
            let mean = (steps[16] - steps[0]) / 16.0;
            for pair in steps.windows(2) {
                let step = pair[1] - pair[0];
                assert!(step > 0.4 * mean && step < 1.8 * mean, "{map:?}: {steps:?}");
            }
        }
    }

    #[test]
    fn the_diverging_map_is_lightest_in_the_middle_and_as_dark_at_both_ends() {
        let map = ColorMap::Diverging;
        for i in 0..16 {
            let inner = f64::from(i + 1) / 32.0;
            let outer = f64::from(i) / 32.0;
            assert!(lightness(map.color(inner)) > lightness(map.color(outer)));
            let difference = lightness(map.color(outer)) - lightness(map.color(1.0 - outer));
            assert!(difference.abs() < 3.0, "{i}: {difference}");
        }
    }

    #[test]
    fn the_cyclic_map_is_equally_light_all_around_and_closes() {
        let map = ColorMap::Cyclic;
        assert_eq!(map.color(0.0), map.color(1.0));
        let around: Vec<[u8; 3]> = (0..32).map(|i| map.color(f64::from(i) / 32.0)).collect();
        for (i, color) in around.iter().enumerate() {
            assert!((lightness(*color) - 70.0).abs() < 5.0, "{color:?}: {}", lightness(*color));
            // opposite phases look most unlike
            let opposite = around[(i + 16) % 32];
            let distance: i32 = (0..3).map(|c| (i32::from(color[c]) - i32::from(opposite[c])).abs()).sum();
            assert!(distance > 120, "{color:?} {opposite:?}");
        }
    }

    #[test]
    fn ends_and_missing_values_have_fixed_colours() {
        assert_eq!(ColorMap::Viridis.color(0.0), [0x44, 0x01, 0x54]);
        assert_eq!(ColorMap::Viridis.color(7.0), [0xfd, 0xe7, 0x25]);
        assert_eq!(ColorMap::Gray.color(0.5), [128; 3]);
        assert_eq!(ColorMap::Cividis.color(f64::NAN), MISSING);
    }

    #[test]
    fn line_colours_stand_out_from_white_and_from_each_other() {
        for (i, &a) in LINE_COLORS.iter().enumerate() {
            assert!(lightness(a) < 75.0, "{i} is too light");
            for &b in &LINE_COLORS[i + 1..] {
                let distance: i32 = (0..3).map(|c| (i32::from(a[c]) - i32::from(b[c])).abs()).sum();
                assert!(distance > 80, "{a:?} {b:?}");
            }
        }
    }
}
