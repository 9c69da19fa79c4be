//! FITS images of astropy; their world coordinates and tables are in `fits_axes` and `fits_tables`.

use super::samples::{assert_contains, bytes, fixture, message, message_of, replaced, sample, warnings_of};
use cupel_data::{Array, AxisKind, Class, ElementType, Format, Values, open};

#[test]
fn every_type_of_image_is_read() {
    for name in ["plain.fits", "sums.fits"] {
        let file = open(fixture(name)).unwrap();
        assert_eq!(file.format(), Format::Fits);
        let primary = name.trim_end_matches(".fits");
        assert_eq!(file.array(Some(primary)).unwrap(), sample(ElementType::I16, &[3, 5]));
        for (variable, element) in [
            ("XU1", ElementType::U8),
            ("XI1", ElementType::I8),
            ("XU2", ElementType::U16),
            ("XU4", ElementType::U32),
            ("XI4", ElementType::I32),
            ("XU8", ElementType::U64),
            ("XI8", ElementType::I64),
            ("XF4", ElementType::F32),
            ("XF8", ElementType::F64),
        ] {
            assert_eq!(file.variable(variable).unwrap().class(), &Class::Number(element));
            assert_eq!(file.array(Some(variable)).unwrap(), sample(element, &[2, 3]), "{variable}");
        }
        let cube = file.cube::<f32>(Some("CUBE")).unwrap();
        assert_eq!(cube.shape(), [2, 3, 4]);
        assert!(cube.values()[0].is_nan() && cube.values()[23] == 21.0);
        // A second image of the same name.
        assert_eq!(file.array(Some("CUBE.2")).unwrap(), sample(ElementType::F32, &[2, 2]));
        assert_eq!(file.array(Some("TABLE.a")).unwrap(), Array::new(vec![2], Values::F32(vec![1.0, 2.0])).unwrap());
        assert_contains(&message(file.array(Some("PACKED"))), &["a compressed image", "funpack"]);
    }
}

#[test]
fn scales_zeros_and_blanks_are_applied() {
    let file = open(fixture("scaled.fits")).unwrap();
    assert_eq!(file.variables()[0].class(), &Class::Number(ElementType::F32));
    let Values::F32(values) = file.array(None).unwrap().into_values() else { panic!("the type") };
    // The first number, -2, is the blank.
    assert!(values[0].is_nan());
    assert_eq!(values[1..], [9.5, 10.0, 10.5, 11.0, 11.5]);
    let tiles = file.tiles::<f64>(None, AxisKind::Dimension(0), 1).unwrap();
    let rows: Vec<f64> = tiles.flat_map(|tile| tile.unwrap().into_values()).collect();
    assert_eq!(rows[1..], [9.5, 10.0, 10.5, 11.0, 11.5]);
}

#[test]
fn damage_is_found_by_the_sums() {
    let good = bytes("sums.fits");
    let payload = 2880 + 7;
    let mut damaged = good.clone();
    damaged[payload] ^= 4;
    assert_contains(&message_of(&damaged), &["the data add up to", "DATASUM"]);
    let mut damaged = good.clone();
    let naxis = damaged.windows(8).position(|card| card == b"NAXIS1  ").unwrap();
    // Still whole, and a shape of the same size.
    damaged[naxis + 29] = b'3';
    damaged[naxis + 80 + 29] = b'4';
    assert_contains(&warnings_of(&damaged), &["does not agree with its checksum"]);
    assert_eq!(warnings_of(&good), "");
}

#[test]
fn headers_that_lie_are_refused() {
    let file = bytes("scaled.fits");
    let with = |from: &str, to: &str| message_of(&replaced(&file, from, to));
    let axis = "NAXIS1  =                    3";
    assert_contains(
        &with(axis, "NAXIS1  =        1000000000000"),
        &["the data of this part need", "are left in the file"],
    );
    assert_contains(&with(axis, "NAXIS1  =  9223372036854775807"), &["more than this machine can address"]);
    assert_contains(&with(axis, "NAXIS1  =                   -3"), &["NAXIS1 is -3"]);
    assert_contains(&with(axis, "NAXIS1  =                  'x'"), &["byte 240", "expected a whole number"]);
    assert_contains(&with("NAXIS   =                    2", "NAXIS   =                  999"), &["0 to 64"]);
    assert_contains(&with("BITPIX  =                   16", "BITPIX  =                   17"), &["BITPIX is 17"]);
    assert_contains(&with("BSCALE  =                 0.50", "BSCALE  =                  inf"), &["expected a number"]);
    assert_contains(&with("SIMPLE  =                    T", "SIMPLE  =                    F"), &["SIMPLE is not T"]);
    assert_contains(&message_of(&file[..file.len() - 1]), &["need 2880 bytes, 2879 are left"]);
    assert_contains(&message_of(&file[..2000]), &["the header ends before its END card"]);
    assert_contains(&message_of(&[&file[..], &[b' '; 2880]].concat()), &["byte 8640", "before its END card"]);
}
