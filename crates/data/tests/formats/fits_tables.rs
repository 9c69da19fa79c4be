//! Binary tables of FITS files of astropy, and maps on the sphere in them.

use super::samples::{assert_contains, bytes, fixture, message, message_of, replaced, sample, warnings_of};
use cupel_data::{Array, AxisKind, Class, ElementType, Limits, Values, open, open_with};

#[test]
fn every_type_of_column_is_read() {
    let file = open(fixture("table.fits")).unwrap();
    let array = |name: &str| file.array(Some(&format!("T.{name}"))).unwrap();
    for (name, element) in [
        ("u1", ElementType::U8),
        ("i2", ElementType::I16),
        ("i4", ElementType::I32),
        ("i8", ElementType::I64),
        ("f4", ElementType::F32),
        ("f8", ElementType::F64),
        ("c8", ElementType::Complex64),
        ("c16", ElementType::Complex128),
    ] {
        assert_eq!(array(name), sample(element, &[3]), "{name}");
        assert_eq!(array(&format!("{name}s")), sample(element, &[3, 2]), "{name}");
    }
    assert_eq!(array("flag").into_values(), Values::Bool(vec![true, false, true]));
    assert_eq!(array("unsigned"), sample(ElementType::U16, &[3]));
    assert_eq!(array("scaled").into_values(), Values::F32(vec![9.0, 9.5, 10.0]));
    let Values::F64(blank) = array("blank").into_values() else { panic!("the type") };
    assert!(blank[0] == -2.0 && blank[1].is_nan() && blank[2] == 0.0);
    assert_eq!(array("nothing").shape(), [3, 0]);
    assert_eq!(file.text("T.name").unwrap(), ["a", "it's b", ""]);
    for (name, what) in [("bits", "a column of bits"), ("varying", "of varying length"), ("wide", "of varying length")]
    {
        assert_contains(&message(file.array(Some(&format!("T.{name}")))), &[what]);
    }
    let header = |name| file.fits_header(Some(name)).unwrap().unwrap();
    assert_eq!((header("T.f4s").unit(), header("T.f4").unit()), (Some("K"), None));
    let tiles = file.tiles::<f32>(Some("T.f4s"), AxisKind::Dimension(0), 2).unwrap();
    let rows: Vec<f32> = tiles.flat_map(|tile| tile.unwrap().into_values()).collect();
    assert_eq!(rows, [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0]);
    let columns = file.tiles::<f32>(Some("T.f4s"), AxisKind::Dimension(1), 1).unwrap();
    assert_eq!(columns.last().unwrap().unwrap().values(), [-1.0, 1.0, 3.0]);
}

#[test]
fn maps_on_the_sphere_are_columns_with_their_header() {
    let file = open(fixture("healpix.fits")).unwrap();
    let map = file.array(None).unwrap();
    assert_eq!((file.variables()[0].name(), map.shape()), ("XTENSION.TEMPERATURE", &[3, 1024][..]));
    assert_eq!(map, sample(ElementType::F32, &[3, 1024]));
    let header = file.fits_header(None).unwrap().unwrap();
    assert_eq!(header.integer("NSIDE").unwrap(), Some(16));
    assert_eq!((header.text("ORDERING"), header.text("PIXTYPE")), (Some("RING"), Some("HEALPIX")));
    assert_eq!((header.unit(), header.text("INDXSCHM")), (Some("K_CMB"), Some("IMPLICIT")));

    let part = open(fixture("healpix_part.fits")).unwrap();
    // Without a name of its own, the table has that of the file.
    let array = |name| part.array(Some(name)).unwrap();
    assert_eq!(array("healpix_part.PIXEL"), Array::new(vec![3], Values::I32(vec![3, 7, 190])).unwrap());
    assert_eq!(array("healpix_part.SIGNAL"), sample(ElementType::F32, &[3]));
    assert_contains(&message(part.array(None)), &["holds 2 arrays"]);
}

#[test]
fn tables_that_lie_are_refused() {
    let file = bytes("table.fits");
    let with = |from: &str, to: &str| message_of(&replaced(&file, from, to));
    assert_contains(&with("TFORM4  = 'I       '", "TFORM4  = '-3I     '"), &["TFORM4 is \"-3I\", which is no format"]);
    assert_contains(&with("TFORM4  = 'I       '", "TFORM4  = 'Z       '"), &["TFORM4 is \"Z\""]);
    assert_contains(&with("TFORM4  = 'I       '", "TFORM4  =          3"), &["the header has no TFORM4"]);
    assert_contains(&with("TFORM4  = 'I       '", "TFORM4  = '9000I   '"), &["column 4", "does not fit into the"]);
    let long = "TFORM4  = '9223372036854775807K'";
    let from = format!("{:<32}", "TFORM4  = 'I       '");
    assert_contains(&with(&from, long), &["column 4", "does not fit into the"]);
    assert_contains(&with("TFORM4  = 'I       '", "TFORM4  = 'B       '"), &["bytes a row, NAXIS1 is"]);
    let fields = "TFIELDS =                   25";
    assert_contains(&with(fields, "TFIELDS =                   24"), &["bytes a row, NAXIS1 is"]);
    assert_contains(&with(fields, "TFIELDS =                   26"), &["the header has no TFORM26"]);
    assert_contains(&with(fields, "TFIELDS =                 1000"), &["TFIELDS is 1000, 0 to 999"]);
    assert_contains(&with(fields, "TFIELDS =                   -1"), &["TFIELDS is -1"]);
    assert_contains(&with(fields, "TFIELD  =                   25"), &["the header has no TFIELDS"]);
    assert_contains(
        &with("NAXIS2  =                    3", "NAXIS2  =                 3000"),
        &["are left in the file"],
    );
    assert_contains(
        &with("NAXIS2  =                    3", "NAXIS2  =  9223372036854775807"),
        &["this machine can address"],
    );
    assert_contains(
        &with("PCOUNT  =                   36", "PCOUNT  =               900036"),
        &["are left in the file"],
    );
    assert_contains(
        &with("TNULL20 =                   -1", "TNULL20 =                 -1.5"),
        &["expected a whole number"],
    );

    // The first byte of the first row, a logical value.
    let start = file.windows(80).rposition(|card| card.starts_with(b"END   ")).unwrap() / 2880 * 2880 + 2880;
    assert_eq!(file[start], b'T');
    let mut unknown = file.clone();
    unknown[start] = 0;
    assert_contains(&message_of(&unknown), &["a logical value is the byte 0x00, expected T or F"]);
    let limits = Limits { variables: 20, ..Limits::default() };
    assert_contains(&message(open_with(fixture("table.fits"), limits)), &["the number of images and columns is 25"]);
}

#[test]
fn damage_to_a_table_is_found_by_its_sums() {
    let good = bytes("table_sums.fits");
    let mut damaged = good.clone();
    let start = good.len() - 2880;
    damaged[start + 3] ^= 4;
    assert_contains(&message_of(&damaged), &["the data add up to", "DATASUM"]);
    assert_contains(&warnings_of(&replaced(&good, "'2I      '", "'1J      '")), &["does not agree with its checksum"]);
    assert_eq!(open(fixture("table_sums.fits")).unwrap().variables().len(), 9);
    assert_eq!(open(fixture("table_sums.fits")).unwrap().variables()[0].class(), &Class::Number(ElementType::Bool));
}
