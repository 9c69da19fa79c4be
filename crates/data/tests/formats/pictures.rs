//! TIFF images of tifffile and Pillow, and JPEG images of Pillow.

use super::samples::{assert_contains, bytes, fixture, message, message_of, sample};
use cupel_data::{Array, Class, ElementType, Format, Values, open};

fn read(name: &str) -> Array {
    let file = open(fixture(name)).unwrap();
    assert_eq!(file.format(), if name.ends_with(".tif") { Format::Tiff } else { Format::Jpeg });
    let array = file.array(None).unwrap();
    assert_eq!(file.variables()[0].shape(), array.shape());
    assert_eq!(file.variables()[0].class(), &Class::Number(array.element_type()));
    array
}

#[test]
fn every_type_of_number_is_read() {
    for (name, element) in [
        ("u1.tif", ElementType::U8),
        ("i1.tif", ElementType::I8),
        ("u2.tif", ElementType::U16),
        ("i2.tif", ElementType::I16),
        ("u4.tif", ElementType::U32),
        ("i4.tif", ElementType::I32),
        ("f2.tif", ElementType::F16),
        ("f4.tif", ElementType::F32),
        ("f8.tif", ElementType::F64),
        ("big_endian.tif", ElementType::F32),
        ("bigtiff.tif", ElementType::F64),
        ("lzw.tif", ElementType::U8),
        ("packbits.tif", ElementType::U8),
    ] {
        assert_eq!(read(name), sample(element, &[5, 7]), "{name}");
    }
}

#[test]
fn bands_lie_together_or_apart_in_strips_or_tiles() {
    assert_eq!(read("bands.tif"), sample(ElementType::U16, &[5, 7, 6]));
    assert_eq!(read("planar.tif"), sample(ElementType::U16, &[5, 7, 6]));
    assert_eq!(read("rgb.tif"), sample(ElementType::U8, &[5, 7, 3]));
    assert_eq!(read("tiled.tif"), sample(ElementType::F32, &[40, 50]));
    assert_eq!(read("tiled_bands.tif"), sample(ElementType::I16, &[20, 35, 3]));
    assert_eq!(read("strips.tif"), sample(ElementType::U16, &[40, 7]));
}

#[test]
fn pages_are_variables_and_other_kinds_are_named() {
    let file = open(fixture("pages.tif")).unwrap();
    assert_eq!(file.variables().len(), 3);
    let Values::U8(third) = file.array(Some("page_3")).unwrap().into_values() else { panic!("the type") };
    assert_eq!(third, (70..105).collect::<Vec<u8>>());
    assert_contains(&message(file.array(None)), &["3 arrays", "page_1"]);
    assert_contains(&message(open(fixture("bits.tif")).unwrap().array(Some("bits"))), &["1 bits"]);
    assert_contains(&message(open(fixture("jpeg.tif")).unwrap().array(Some("jpeg"))), &["jpeg.tif"]);
}

#[test]
fn images_that_the_file_cannot_hold_are_refused() {
    let file = bytes("f8.tif");
    let tag = |number: u16| {
        let entry = [number.to_le_bytes(), [4, 0]].concat();
        let short = [number.to_le_bytes(), [3, 0]].concat();
        file.windows(4).position(|window| window == entry || window == short).unwrap() + 8
    };
    let with = |number: u16, value: u32| {
        let mut changed = file.clone();
        let at = tag(number);
        // As a number of 32 bits.
        changed[at - 6..at - 4].copy_from_slice(&4_u16.to_le_bytes());
        changed[at..at + 4].copy_from_slice(&value.to_le_bytes());
        message_of(&changed)
    };
    assert_contains(&with(257, 1 << 30), &["not a valid TIFF file"]);
    assert_contains(&with(256, u32::MAX), &["not a valid TIFF file"]);
    assert_contains(&with(279, u32::MAX), &["claim more bytes than"]);
}

#[test]
fn photographs_are_read_as_other_software_reads_them() {
    for name in ["grey.jpg", "color.jpg", "progressive.jpg", "subsampled.jpg"] {
        let expected = open(fixture(&name.replace(".jpg", "_jpg.npy"))).unwrap().cube::<f64>(None).unwrap();
        let got = read(name).into_cube::<f64>().unwrap();
        assert_eq!(got.shape(), expected.shape(), "{name}");
        let differences = got.values().iter().zip(expected.values()).map(|(a, b)| (a - b).abs());
        let largest = differences.fold(0.0, f64::max);
        // The standard leaves the rounding of the inverse transform open, and how colours between two samples are made.
        let allowed = if name == "subsampled.jpg" { 8.0 } else { 2.0 };
        assert!(largest <= allowed, "{name}: {largest}");
    }
}

#[test]
fn photographs_larger_than_their_file_are_refused() {
    let mut file = bytes("grey.jpg");
    let frame = file.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    file[frame + 5..frame + 9].fill(0xff);
    assert_contains(&message_of(&file), &["65535 x 65535 pixels cannot be in a file"]);
    let file = bytes("grey.jpg");
    assert_contains(&message_of(&file[..file.len() / 2]), &["not a valid JPEG file"]);
}
