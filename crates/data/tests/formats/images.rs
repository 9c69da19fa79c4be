//! Images as files describe them: cubes of observatories, flags and masks beside them, what ENVI and TIFF keep for each other.

use super::samples::{assert_contains, fixture, message};
use cupel_data::{
    Array, AxisKind, EnviHeader, Georeference, Image, Values, convert, open, read_mask, write_envi_array,
};
use std::path::PathBuf;

#[test]
fn cubes_of_observatories_have_their_axes_bands_and_scale() {
    let dataset = open(fixture("observatory.h5")).unwrap();
    let name = "HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/VNIR_Cube";
    let cube = dataset.cube::<f64>(Some(name)).unwrap();
    assert_eq!(cube.axes().kinds(), [AxisKind::Row, AxisKind::Wavelength, AxisKind::Column]);
    assert_eq!(cube.axis(AxisKind::Wavelength).unwrap().coordinates_in("nm").unwrap(), [800.0, 700.0, 600.0, 500.0]);
    let wanted = |n: usize| 0.25 + n as f64 / 64.0;
    assert!((cube.values()[1] - wanted(4)).abs() < 1e-6, "column 2 of band 1: {:?}", cube.values());
    let image = Image::open(&dataset, Some(name), None).unwrap();
    let info = image.info();
    assert_eq!(info.shape(), [2, 3, 4]);
    assert_eq!(
        (info.widths_nm.as_slice(), info.good_bands.as_slice()),
        (&[13.0, 12.0, 11.0, 10.0][..], &[false, true, true, true][..])
    );
    assert_eq!(image.rows(0..1).unwrap().values(), &Values::U16((0..12).collect()));
    let flags = dataset.pixel_flags(name, 2, 3).unwrap();
    assert_eq!(flags.len(), 1, "{flags:?}");
    assert!(flags[0].name.ends_with("Cloud_Mask"));
}

#[test]
fn flags_are_found_by_what_they_declare() {
    let path = fixture("flags.h5");
    let dataset = open(&path).unwrap();
    let image = Image::open(&dataset, None, None).unwrap();
    assert_eq!((image.info().variable.as_str(), image.info().wavelengths_nm[3]), ("reflectance", 800.0));
    let names: Vec<String> =
        dataset.pixel_flags("reflectance", 2, 3).unwrap().into_iter().map(|flags| flags.name).collect();
    assert_eq!(names, ["kinds_flag", "quality", "state"]);
    let of = |name: &str| PathBuf::from(format!("{}:{name}", path.display()));
    let clear = read_mask(&of("state"), &[], 2, 3).unwrap();
    assert_eq!(clear, [false, true, false, true, true, false], "clear is good, whatever its number");
    let bits = read_mask(&of("quality"), &[], 2, 3).unwrap();
    assert_eq!(bits, [true, false, true, false, false, true], "the bit of good data spoils nothing");
    let refused = message(read_mask(&of("kinds_flag"), &[], 2, 3));
    assert_contains(&refused, &["0 tree, 1 soil, 2 water", "good"]);
    assert_eq!(read_mask(&of("kinds_flag"), &[0.0, 2.0], 2, 3).unwrap(), [true, false, true, false, false, true]);
    assert_contains(&message(read_mask(&of("state"), &[], 3, 2)), &["[3, 2]", "[2, 3]"]);
    assert_contains(&message(read_mask(&of("stat"), &[], 2, 3)), &["state"]);
}

#[test]
fn masks_of_a_tiff_file_lie_beside_its_image() {
    for name in ["masked.tif", "masked_deflate.tif", "masked_packbits.tif"] {
        let path = fixture(name);
        let dataset = open(&path).unwrap();
        assert_eq!(dataset.array(None).unwrap().shape(), [2, 3, 4], "{name}");
        let image = Image::open(&dataset, None, None).unwrap();
        let flags = dataset.pixel_flags(&image.info().variable, 2, 3).unwrap();
        assert_eq!(flags[0].name, "mask");
        let keep = read_mask(&PathBuf::from(format!("{}:mask", path.display())), &[], 2, 3).unwrap();
        assert_eq!(keep, [true, false, true, true, true, false], "{name}");
    }
}

/// A header with everything that one can say.
fn full() -> EnviHeader {
    EnviHeader {
        wavelengths_nm: vec![450.0, 550.0, 650.5],
        widths_nm: vec![5.0, 6.0, 7.25],
        good_bands: vec![true, false, true],
        ignore_value: Some(-9999.0),
        gains: vec![0.5, 0.25, 2.0],
        offsets: vec![1.0, 0.0, -1.0],
        band_names: ["blue", "green & more", "red <1>"].map(str::to_owned).to_vec(),
        description: "a scene".into(),
        others: [
            ("map info", "{UTM, 1, 1, 500000, 4000000, 30, 30, 33, North, WGS-84, units=Meters}"),
            ("sensor type", "Unknown"),
            ("default bands", "{3, 2, 1}"),
            ("acquisition time", "2020-01-02T03:04:05Z"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec(),
        ..EnviHeader::new(2, 2, 3)
    }
}

#[test]
fn what_an_envi_header_says_comes_back_from_tiff_and_envi() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let image = Array::new(vec![2, 2, 3], Values::I16((0..12).collect())).unwrap();
    write_envi_array(&at("scene.img"), &full(), &image).unwrap();
    assert_eq!(convert(&at("scene.img"), &at("scene.tif"), None, false).unwrap(), None, "nothing is lost");
    assert_eq!(convert(&at("scene.tif"), &at("back.bsq"), None, false).unwrap(), None);
    assert_eq!(convert(&at("scene.img"), &at("same.bil"), None, false).unwrap(), None);
    for name in ["same.bil", "back.bsq"] {
        let dataset = open(at(name)).unwrap();
        let header = dataset.envi_header().unwrap();
        let own = full();
        assert_eq!(header.wavelengths_nm, own.wavelengths_nm, "{name}");
        assert_eq!(header.widths_nm, own.widths_nm, "{name}");
        assert_eq!((&header.good_bands, &header.band_names), (&own.good_bands, &own.band_names), "{name}");
        assert_eq!((header.ignore_value, &header.gains, &header.offsets), (own.ignore_value, &own.gains, &own.offsets));
        assert_eq!(header.description, own.description);
        for (key, value) in own.others.iter().filter(|(key, _)| key != "map info") {
            assert!(header.others.contains(&(key.clone(), value.clone())), "{name}: {key} of {:?}", header.others);
        }
        let place = dataset.georeference().unwrap();
        assert!(place.agrees(&Georeference::Envi(own.place())), "{name}: {place:?}");
        assert_eq!(dataset.array(None).unwrap(), image);
    }
    let lost = convert(&at("scene.img"), &at("scene.npy"), None, false).unwrap().unwrap();
    assert_contains(&lost, &["NPY does not keep", "missing values", "scale", "wavelengths", "place on the map"]);
}

#[test]
fn keys_without_a_field_survive_a_header() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let text = "ENVI\nsamples = 2\nlines = 1\nbands = 2\ndata type = 1\ninterleave = bsq\nfile type = ENVI Classification\nclasses = 2\nclass names = {tree, soil}\n\
                wavelength = {1000, 2000}\nwavelength units = Wavenumber\nfwhm = {1, 2}\nband names = {a, with, comma, b}\nsensor type = X\n";
    std::fs::write(at("scene.hdr"), text).unwrap();
    std::fs::write(at("scene.img"), [1, 2, 3, 4]).unwrap();
    convert(&at("scene.hdr"), &at("copy.img"), None, false).unwrap();
    let copy = std::fs::read_to_string(at("copy.hdr")).unwrap();
    for line in [
        "file type = ENVI Classification",
        "classes = 2",
        "class names = {tree, soil}",
        // Wavenumbers become wavelengths, for which all formats have a place.
        "wavelength = {10000, 5000}",
        "wavelength units = Nanometers",
        "fwhm = {10.0000025, 5.00000125}",
        "band names = {a, with, comma, b}",
        "sensor type = X",
    ] {
        assert!(copy.lines().any(|own| own == line), "{line:?} is not in {copy}");
    }
    assert_eq!(copy.matches("file type").count(), 1);
}
