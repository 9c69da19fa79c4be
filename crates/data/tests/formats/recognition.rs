//! What `open` says about things that are no files, or files of no format it reads.

use super::samples::{assert_contains, fixture, message, message_of};
use cupel_data::{Format, open};
use std::{fs, path::Path, process::Command};

#[test]
fn content_counts_and_names_do_not() {
    let folder = tempfile::tempdir().unwrap();
    for (name, format) in [
        ("f8.npy", Format::Npy),
        ("stored.npz", Format::Npz),
        ("plain.mat", Format::Matlab),
        ("version_7_3.mat", Format::Matlab73),
        ("plain.h5", Format::Hdf5),
        ("grey_8.png", Format::Png),
        ("plain.fits", Format::Fits),
        ("f4.tif", Format::Tiff),
        ("grey.jpg", Format::Jpeg),
    ] {
        let path = folder.path().join("wrong.csv");
        fs::copy(fixture(name), &path).unwrap();
        assert_eq!(open(&path).unwrap().format(), format);
    }
    let path = folder.path().join("wrong.npy");
    fs::write(&path, "1,2\n3,4\n").unwrap();
    assert_eq!(open(&path).unwrap().format(), Format::Delimited);
}

#[test]
fn paths_that_are_no_files_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    assert_contains(&message(open(at("missing"))), &["could not open", "missing", "no such file or folder"]);
    assert_contains(&message(open(folder.path())), &["it is a folder, a file is needed"]);
    fs::write(at("empty"), "").unwrap();
    assert_contains(&message(open(at("empty"))), &["it is empty", "the formats read are NPY, NPZ, MATLAB"]);
    fs::write(at("byte"), "x").unwrap();
    assert_contains(&message(open(at("byte"))), &["it is a single byte, 0x78"]);
}

#[cfg(unix)]
#[test]
fn pipes_devices_sockets_and_loops_are_refused_without_waiting() {
    use std::os::unix::{fs::symlink, net::UnixListener};
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    if Command::new("mkfifo").arg(at("pipe")).status().is_ok_and(|status| status.success()) {
        assert_contains(&message(open(at("pipe"))), &["is a named pipe; a regular file is needed"]);
    } else {
        eprintln!("SKIPPED: no mkfifo, named pipes are not tried");
    }
    let _socket = UnixListener::bind(at("socket")).unwrap();
    assert_contains(&message(open(at("socket"))), &["is a socket"]);
    if Path::new("/dev/zero").exists() {
        assert_contains(&message(open("/dev/zero")), &["is a device"]);
    }
    symlink(at("loop"), at("loop")).unwrap();
    assert_contains(&message(open(at("loop"))), &["could not open", "loop", "symbolic links"]);
    symlink(fixture("f8.npy"), at("link")).unwrap();
    assert_eq!(open(at("link")).unwrap().format(), Format::Npy);
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read_says_so() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret.npy");
    fs::copy(fixture("f8.npy"), &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&path).is_ok() {
        eprintln!("SKIPPED: this user may read everything");
        return;
    }
    assert_contains(&message(open(&path)), &["permission denied"]);
}

#[test]
fn known_formats_that_are_not_read_are_named() {
    for (content, name, fix) in [
        (&b"GIF89a\x01\0\x01\0"[..], "a GIF image", "PNG"),
        (b"CDF\x01\0\0\0\0", "a NetCDF 3 file", "nccopy -k nc4"),
        (b"CDF\x02\0\0\0\0", "a NetCDF 3 file", "engine=\"h5netcdf\""),
        (b"CDF\x05\0\0\0\0\0\0\0\0", "a NetCDF 3 file", "nccopy -k nc4"),
        (b"\x0e\x03\x13\x01\0\0", "an HDF4 file", "gdal_translate"),
        (b"PAR1\x15\0\x15\0", "a Parquet file", "export it"),
        (b"\x1f\x8b\x08\0", "a gzip file", "unpack"),
        (b"\xff\xfea\0,\0b\0", "UTF-16 text", "UTF-8"),
    ] {
        assert_contains(&message_of(content), &[&format!("is {name}, which this version does not read"), fix]);
    }
}

#[test]
fn anything_else_says_what_it_begins_with_and_what_is_read() {
    let formats = "the formats read are NPY, NPZ, MATLAB 4 to 7.3, HDF5, ENVI, FITS, TIFF, PNG, JPEG and CSV/TSV";
    assert_contains(&message_of(b"\x01\x02\x03\x04\xfe"), &["begins with the bytes 01 02 03 04 fe", formats]);
    assert_contains(&message_of(b"{\"a\": 1}"), &["it looks like JSON", formats]);
    assert_contains(&message_of(b"<html></html>"), &["XML or HTML"]);
    assert_contains(&message_of(b"  \n\n"), &["nothing but white space"]);
    let prose = b"These are some words.\nMore of them stand here, in lines of unequal length.\nThe end.\n";
    assert_contains(&message_of(prose), &["no delimiter cuts its lines", formats]);
}
