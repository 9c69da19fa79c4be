//! ENVI images of Spectral Python, and our own.

use super::samples::{assert_contains, fixture, message, sample};
use cupel_data::{
    Array, AxisKind, ElementType, EnviHeader, Format, Interleave, Values, convert, open, write_envi, write_envi_array,
};
use std::fs;

const FILES: [(&str, ElementType, Interleave); 3] = [
    ("envi_bsq", ElementType::U16, Interleave::Bsq),
    ("envi_bil", ElementType::I16, Interleave::Bil),
    ("envi_bip", ElementType::F32, Interleave::Bip),
];

#[test]
fn every_interleave_is_shown_as_rows_columns_and_bands() {
    for (name, element, interleave) in FILES {
        for ending in ["hdr", "img"] {
            let file = open(fixture(&format!("{name}.{ending}"))).unwrap();
            assert_eq!(file.format(), Format::Envi);
            assert_eq!(file.array(None).unwrap(), sample(element, &[3, 5, 4]), "{name}.{ending}");
            let header = file.envi_header().unwrap();
            assert_eq!((header.interleave, header.description.as_str()), (interleave, "made by Spectral Python"));
            assert_eq!(header.good_bands, [true, true, false, true]);
            assert_eq!(header.band_names, ["blue", "green", "red", "infrared"]);
            assert_eq!(file.text("band_names").unwrap(), header.band_names);
            assert_eq!(file.cube::<f64>(Some("fwhm")).unwrap().values(), [10.0; 4]);
        }
    }
}

#[test]
fn cubes_have_wavelengths_and_gaps() {
    for (name, _, _) in FILES {
        let file = open(fixture(&format!("{name}.hdr"))).unwrap();
        let cube = file.cube::<f32>(None).unwrap();
        assert_eq!(cube.axes().kinds(), [AxisKind::Row, AxisKind::Column, AxisKind::Wavelength]);
        let centres = cube.axis(AxisKind::Wavelength).unwrap().coordinates_in("nm").unwrap().to_vec();
        assert_eq!(centres, [400.0, 550.0, 700.0, 2400.0]);
        // The value 3 is the one that stands for nothing.
        let Values::F32(numbers) = sample(ElementType::F32, &[60]).into_values() else { panic!("the type") };
        let first = if name == "envi_bsq" { 0.0 } else { -2.0 };
        for (n, (got, number)) in cube.values().iter().zip(numbers).enumerate() {
            let expected = number + 2.0 + first;
            assert!(if expected == 3.0 { got.is_nan() } else { *got == expected }, "{name} {n}: {got}");
        }
        if name != "envi_bsq" {
            assert_eq!(file.cube::<i32>(None).unwrap().values()[5], 3);
        }
    }
}

#[test]
fn tiles_along_every_axis_are_parts_of_the_whole() {
    for (name, _, _) in FILES {
        let file = open(fixture(&format!("{name}.hdr"))).unwrap();
        let whole = file.cube::<i32>(None).unwrap();
        for axis in [AxisKind::Row, AxisKind::Column, AxisKind::Wavelength] {
            for len in [1, 2, 100] {
                let tiles = file.tiles::<i32>(None, axis, len).unwrap();
                assert_eq!(tiles.len(), whole.axis(axis).unwrap().len().div_ceil(len));
                let mut start = 0;
                for tile in tiles {
                    let tile = tile.unwrap();
                    let end = start + tile.axis(axis).unwrap().len();
                    assert_eq!(tile, whole.select(axis, &(start..end).collect::<Vec<_>>()).unwrap(), "{name} {axis}");
                    start = end;
                }
            }
            let mut tiles = file.tiles::<i32>(None, axis, 2).unwrap();
            tiles.seek(1);
            assert_eq!(
                tiles.next().unwrap().unwrap(),
                file.tiles::<i32>(None, axis, 2).unwrap().nth(1).unwrap().unwrap()
            );
        }
        assert_contains(&message(file.tiles::<f32>(None, AxisKind::Sample, 1)), &["no sample axis"]);
        assert_contains(&message(file.tiles::<f32>(None, AxisKind::Row, 0)), &["len = 0 is not possible"]);
    }
    let file = open(fixture("envi_bip.hdr")).unwrap();
    // -2 is no u8: the place is that in the whole image.
    let mut tiles = open(fixture("fortran.npy")).unwrap().tiles::<u8>(None, AxisKind::Dimension(0), 1).unwrap();
    assert_contains(&message(tiles.next().unwrap()), &["the value -2.0 at [0, 0, 0]"]);
    assert!(file.tiles::<u8>(None, AxisKind::Row, 1).unwrap().skip(1).all(|tile| tile.is_ok()));
}

#[test]
fn a_library_has_spectra_and_names() {
    let file = open(fixture("envi_library.hdr")).unwrap();
    assert_eq!(file.array(None).unwrap(), sample(ElementType::F32, &[3, 4]));
    assert_eq!(file.text("names").unwrap(), ["tree", "water", "dirt"]);
    let cube = file.cube::<f32>(None).unwrap();
    assert_eq!(cube.axes().kinds(), [AxisKind::Sample, AxisKind::Wavelength]);
    assert_eq!(cube.axis(AxisKind::Wavelength).unwrap().coordinates_in("nm").unwrap()[3], 700.0);
}

#[test]
fn what_is_written_is_read_in_every_type_and_order() {
    use ElementType as E;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scene.img");
    for element in [E::U8, E::I16, E::U16, E::I32, E::U32, E::I64, E::U64, E::F32, E::F64, E::Complex64, E::Complex128]
    {
        for interleave in [Interleave::Bsq, Interleave::Bil, Interleave::Bip] {
            let image = sample(element, &[3, 5, 4]);
            let header = EnviHeader {
                interleave,
                wavelengths_nm: vec![400.0, 500.25, 1e3 / 1.5, 2500.0],
                ignore_value: Some(-9999.0),
                ..EnviHeader::new(1, 1, 1)
            };
            let written = write_envi_array(&path, &header, &image).unwrap();
            let file = open(&written).unwrap();
            assert_eq!(file.array(None).unwrap(), image, "{element} {interleave}");
            let size = EnviHeader { element, ..EnviHeader { rows: 3, columns: 5, bands: 4, ..header } };
            assert_eq!(file.envi_header().unwrap(), &size);
        }
    }
    for (narrow, wide) in [(E::I8, E::I16), (E::F16, E::F32), (E::Bool, E::U8)] {
        write_envi_array(&path, &EnviHeader::new(1, 1, 1), &sample(narrow, &[2, 3])).unwrap();
        let read = open(&path).unwrap().array(None).unwrap();
        assert_eq!((read.element_type(), read.shape()), (wide, &[2, 3, 1][..]));
        let (read, given) = (read.into_cube::<f64>().unwrap(), sample(narrow, &[2, 3]).into_cube::<f64>().unwrap());
        assert_eq!(read.values(), given.values());
    }
}

#[test]
fn rows_that_were_written_one_by_one_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scene.bil");
    let header = EnviHeader { interleave: Interleave::Bil, ..EnviHeader::new(4, 3, 2) };
    let fill = |row: usize, values: &mut [f32]| {
        values.iter_mut().enumerate().for_each(|(n, value)| *value = (10 * row + n) as f32);
        Ok(())
    };
    let written = write_envi(&path, &header, fill).unwrap();
    let cube = open(written).unwrap().cube::<f32>(None).unwrap();
    assert_eq!(cube.values()[6..12], [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]);
}

#[test]
fn converting_keeps_the_header_and_takes_the_interleave_of_the_ending() {
    let folder = tempfile::tempdir().unwrap();
    for ending in ["bsq", "bil", "bip", "img", "hdr"] {
        let target = folder.path().join(format!("{ending}_copy.{ending}"));
        convert(&fixture("envi_bil.hdr"), &target, None, false).unwrap();
        assert_contains(&message(convert(&fixture("envi_bil.hdr"), &target, None, false)), &["exists"]);
        let file = open(&target).unwrap();
        assert_eq!(file.array(None).unwrap(), sample(ElementType::I16, &[3, 5, 4]));
        let header = file.envi_header().unwrap();
        assert_eq!(header.wavelengths_nm, [400.0, 550.0, 700.0, 2400.0]);
        assert_eq!((header.ignore_value, header.good_bands.len()), (Some(3.0), 4));
        let expected = ending.parse().unwrap_or(Interleave::Bip);
        assert_eq!(header.interleave, expected);
    }
    // The numbers are there, the header is not: the set is refused all the same.
    let target = folder.path().join("other.hdr");
    fs::write(folder.path().join("other.img"), "precious").unwrap();
    assert_contains(&message(convert(&fixture("u2.npy"), &target, None, false)), &["other.img exists"]);
    let cube = folder.path().join("cube.npz");
    convert(&fixture("envi_bil.hdr"), &cube, None, false).unwrap();
    let back = folder.path().join("back.img");
    convert(&cube, &back, Some("envi_bil"), false).unwrap();
    assert_eq!(open(&back).unwrap().envi_header().unwrap().wavelengths_nm, [400.0, 550.0, 700.0, 2400.0]);
}

/// Every key that NV5's description of the headers has for an image of two bands, in its words, and two that it does not have.
const ALL_KEYS: &str = "ENVI
description = { A scene, with
 all its keys }
samples = 3
lines = 2
bands = 2
header offset = 0
file type = ENVI Classification
data type = 4
interleave = bip
byte order = 0
acquisition time = 2026-11-29T10:00:00Z
band names = { blue, near infrared }
bbl = { 1, 0 }
class lookup = { 0, 0, 0, 255, 0, 0 }
class names = { unclassified, roof }
classes = 2
cloud cover = 12.5
complex function = Magnitude
coordinate system string = {PROJCS[\"WGS_1984_UTM_Zone_33N\",GEOGCS[\"GCS_WGS_1984\",DATUM[\"D_WGS_1984\",SPHEROID[\"WGS_1984\",6378137.0,298.257223563]],PRIMEM[\"Greenwich\",0.0],UNIT[\"Degree\",0.0174532925199433]],PROJECTION[\"Transverse_Mercator\"],UNIT[\"Meter\",1.0]]}
correction factors = { 1.0, 0.5 }
data ignore value = -9999
data reflectance gain values = { 0.01, 0.02 }
data reflectance offset values = { 0, 0.1 }
default bands = { 2, 1, 1 }
default stretch = 0.0 255.0 linear
dem band = 1
dem file = terrain.dem
fwhm = { 10, 12.5 }
geo points = { 1, 1, 50.5, 10.25, 3, 1, 50.5, 10.5 }
history = { step one, step two }
map info = {UTM, 1, 1, 500000, 4000000, 30, 30, 33, North, WGS-84, units=Meters}
pixel size = { 30, 30, units=Meters }
product type = L2A
projection info = { 3, 6378137.0, 6356752.3, 0, 15, 500000, 0, 0.9996, WGS-84, UTM, units=Meters }
read procedures = { envi_spatial, envi_spectral }
reflectance scale factor = 10000
rpc info = { 1, 2, 3 }
security tag = none
sensor type = HyMap
solar irradiance = { 1900, 1000 }
spectra names = { a, b }
sun azimuth = 151.5
sun elevation = 42
timestamp = Sun Nov 29 2026
wavelength = { 480, 865.5 }
wavelength units = Nanometers
x start = 5
y start = 7
z plot average = { 1, 1 }
z plot range = { 0, 1 }
z plot titles = { Wavelength, Reflectance }
My_Own Key = some text, with commas = and signs
smoothing_factors = { 1, 2, 3 }
";

/// The keys of a header in small letters, with their values without blanks.
fn keys(header: &str) -> std::collections::BTreeMap<String, String> {
    let joined = header.replace("with\n", "with");
    let lines = joined.lines().filter_map(|line| line.split_once('='));
    let plain = |value: &str| value.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    lines.map(|(key, value)| (key.trim().to_lowercase(), plain(value))).collect()
}

#[test]
fn no_key_of_a_header_is_lost_on_the_way_through_other_files() {
    let (folder, path) = pair(ALL_KEYS, 48);
    let at = |name: &str| folder.path().join(name);
    let given = keys(ALL_KEYS);
    assert_eq!(given.len(), ALL_KEYS.lines().count() - 2);
    convert(&path, &at("copy.bip"), None, false).unwrap();
    let header = |name: &str| keys(&fs::read_to_string(at(name)).unwrap());
    assert_eq!(header("copy.hdr"), given);
    // Through a GeoTIFF the scale is said band by band, and the place and the coordinates in its tags and back.
    let lost = convert(&path, &at("there.tif"), None, false).unwrap();
    assert!(lost.is_some_and(|lost| lost.contains("model of its camera")), "an rpc info of three numbers is none");
    convert(&at("there.tif"), &at("back.img"), None, false).unwrap();
    let back = header("back.hdr");
    let is_place = ["geo points", "pixel size", "projection info", "rpc info", "x start", "y start"];
    // Its items have underscores where keys have blanks.
    let has = |key: &str| back.keys().any(|own| own.replace('_', " ") == key.replace('_', " "));
    let missing: Vec<&String> = given.keys().filter(|key| !has(key) && !is_place.contains(&key.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let meaning = |name: &str| open(at(name)).unwrap().meaning(None).unwrap();
    let [own, through] = ["copy.bip", "back.img"].map(meaning);
    assert_eq!((own.gains, own.missing.clone()), (vec![1e-4], through.missing));
    assert_eq!(through.gains, [1e-4; 2]);
}

/// A header and numbers of as many bytes.
fn pair(header: &str, len: usize) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scene.hdr");
    fs::write(&path, header).unwrap();
    fs::write(folder.path().join("scene"), vec![1; len]).unwrap();
    (folder, path)
}

#[test]
fn headers_that_lie_are_refused() {
    let header = "ENVI\nsamples = 3\nlines = 2\nbands = 2\ndata type = 2\ninterleave = bip\nheader offset = 5\n";
    let open_pair = |header: &str, len: usize| {
        let (_folder, path) = pair(header, len);
        open(path).and_then(|file| file.array(None))
    };
    assert!(open_pair(header, 29).is_ok());
    // Less than a line is padding.
    assert!(open_pair(header, 29 + 11).is_ok());
    assert_contains(&message(open_pair(header, 29 + 12)), &["asks for 29 bytes and there are 41", "header offset"]);
    assert_contains(&message(open_pair(header, 28)), &["scene: not a valid ENVI file", "needs 29 bytes, there are 28"]);
    let many = header.replace("lines = 2", "lines = 1000000000000");
    assert_contains(&message(open_pair(&many, 29)), &["needs 12000000000005 bytes, there are 29"]);
    let all = header.replace("lines = 2", "lines = 4294967296").replace("samples = 3", "samples = 4294967296");
    assert_contains(&message(open_pair(&all, 29)), &["more than this machine can address"]);
    let offset = header.replace("offset = 5", "offset = 18446744073709551615");
    assert_contains(&message(open_pair(&offset, 29)), &["more than this machine can address"]);
    let (folder, path) = pair(header, 29);
    fs::remove_file(folder.path().join("scene")).unwrap();
    assert_contains(&message(open(&path)), &["there is no file scene beside it", "scene.img"]);
    fs::write(&path, [header.as_bytes(), &vec![b' '; 5 << 20]].concat()).unwrap();
    fs::write(folder.path().join("scene"), [0; 29]).unwrap();
    assert_contains(&message(open(&path)), &["the header has more than"]);
}

#[test]
fn a_table_beside_a_header_is_still_a_table() {
    let (folder, _) = pair("ENVI\nsamples = 3\nlines = 2\nbands = 1\ndata type = 1\n", 6);
    let table = folder.path().join("scene.csv");
    fs::write(&table, "1,2\n3,4\n").unwrap();
    assert_eq!(open(&table).unwrap().format(), Format::Delimited);
    assert_eq!(open(folder.path().join("scene")).unwrap().format(), Format::Envi);
}

#[test]
fn a_file_that_is_cut_after_it_was_opened_is_an_error() {
    let (folder, path) = pair("ENVI\nsamples = 300\nlines = 200\nbands = 2\ndata type = 2\n", 240_000);
    let file = open(path).unwrap();
    fs::File::options().write(true).open(folder.path().join("scene")).unwrap().set_len(100).unwrap();
    assert_contains(&message(file.array(None)), &["it has become shorter since it was opened"]);
}

/// 64 MB of numbers in tiles of 1 MB, in a process of its own: no more memory than some tiles.
#[cfg(target_os = "linux")]
#[test]
fn tiles_cost_the_memory_of_a_tile() {
    let test = "formats::envi::memory_of_tiles";
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "run by tiles_cost_the_memory_of_a_tile in a process of its own"]
fn memory_of_tiles() {
    let anonymous = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap().trim().to_string();
        line.trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.img");
    let header = EnviHeader::new(2000, 160, 100);
    write_envi(&path, &header, |row, values: &mut [u16]| {
        values.fill(row as u16);
        Ok(())
    })
    .unwrap();
    let before = anonymous();
    let mut most = 0;
    let mut sum = 0.0;
    for tile in open(&path).unwrap().tiles::<f32>(None, AxisKind::Row, 32).unwrap() {
        sum += tile.unwrap().values().iter().map(|&value| f64::from(value)).sum::<f64>();
        most = most.max(anonymous());
    }
    assert_eq!(sum, 16_000.0 * (1999.0 * 2000.0 / 2.0));
    assert!(most < before + (16 << 10), "{before} KiB, then {most} KiB");
}

#[test]
fn one_band_and_one_row_are_images_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("row.img");
    let row = Array::new(vec![4], Values::F32(vec![1.0, 2.0, 3.0, 4.0])).unwrap();
    write_envi_array(&path, &EnviHeader::new(1, 1, 1), &row).unwrap();
    assert_eq!(open(&path).unwrap().array(None).unwrap().shape(), [1, 4, 1]);
}
