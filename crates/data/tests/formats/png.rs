//! PNG images of every kind.

use super::samples::{assert_contains, bytes, fixture, message_of, sample};
use cupel_data::{Array, ElementType, Format, Values, open};

fn read(name: &str) -> Array {
    let dataset = open(fixture(name)).unwrap();
    assert_eq!(dataset.format(), Format::Png);
    let array = dataset.array(None).unwrap();
    assert_eq!(dataset.variables()[0].shape(), array.shape());
    array
}

#[test]
fn grey_and_colour_are_read() {
    assert_eq!(read("grey_8.png"), sample(ElementType::U8, &[5, 7]));
    assert_eq!(read("rgb_8.png"), sample(ElementType::U8, &[5, 7, 3]));
    assert_eq!(read("rgba_8.png"), sample(ElementType::U8, &[5, 7, 4]));
    assert_eq!(read("interlaced.png"), sample(ElementType::U8, &[5, 7, 3]));
    let wide = Values::U16((0..35).map(|n| n * 1000).collect());
    assert_eq!(read("grey_16.png").values(), &wide);
}

#[test]
fn small_depths_are_scaled_and_palettes_become_colours() {
    let bits = Values::U8((0..35).map(|n| n % 2 * 255).collect());
    assert_eq!(read("grey_1.png").values(), &bits);
    let color = |n: u8| [n % 10 * 3, n % 10 * 3 + 1, n % 10 * 3 + 2];
    let colors = Values::U8((0..35).flat_map(color).collect());
    assert_eq!(read("palette.png").values(), &colors);
    let opacity = |n: u8| [0, 128].get(usize::from(n % 10)).copied().unwrap_or(255);
    let with_alpha = (0..35).flat_map(|n| color(n).into_iter().chain([opacity(n)]));
    assert_eq!(read("palette_alpha.png").values(), &Values::U8(with_alpha.collect()));
    assert_eq!(read("palette_alpha.png").shape(), [5, 7, 4]);
}

#[test]
fn damage_to_any_chunk_is_found_even_to_transparency() {
    let file = bytes("palette_alpha.png");
    let transparency = file.windows(4).position(|kind| kind == b"tRNS").unwrap() + 4;
    let payload = file.windows(4).position(|kind| kind == b"IDAT").unwrap() + 12;
    for position in [transparency, payload] {
        let mut damaged = file.clone();
        damaged[position] ^= 1;
        let message = message_of(&damaged);
        assert_contains(&message, &["not a valid PNG file", "damaged"]);
        // The one of the chunk or the one of the data in it.
        assert!(message.contains("CRC") || message.contains("WrongChecksum"), "{message}");
    }
}
