//! Files made to do harm, by name.

use super::{
    samples::{assert_contains, bytes, fixture, message, message_of, read_all},
    zip_archive::{Member, archive},
};
use cupel_data::{Array, Limits, convert, open, open_with};
use std::{fs, process::Command};

const COPIES: [&str; 24] = [
    "f8.npy",
    "stored.npz",
    "deflated.npz",
    "plain.mat",
    "compressed.mat",
    "big_endian_small.mat",
    "rgb_8.png",
    "interlaced.png",
    "scaled.fits",
    "sums.fits",
    "sky.fits",
    "table.fits",
    "healpix.fits",
    "f8.tif",
    "tiled.tif",
    "bigtiff.tif",
    "grey.jpg",
    "progressive.jpg",
    "plain.h5",
    "latest.h5",
    "chunked.h5",
    "checked.h5",
    "version_7_3.mat",
    "storage_7_3.mat",
];

fn npy_header(version: u8, header_bytes: u32, text: &str) -> Vec<u8> {
    let mut file = b"\x93NUMPY".to_vec();
    file.extend([version, 0]);
    if version == 1 {
        file.extend((header_bytes as u16).to_le_bytes());
    } else {
        file.extend(header_bytes.to_le_bytes());
    }
    file.extend(text.as_bytes());
    file
}

fn npy_of_shape(shape: &str) -> Vec<u8> {
    let text = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut file = npy_header(1, text.len() as u32, &text);
    file.extend([0; 32]);
    file
}

/// An uncompressed matrix of class double that claims a shape and a number of bytes.
fn mat_of_shape(shape: [i32; 2], claimed_bytes: u32) -> Vec<u8> {
    let mut body = [6_u32, 8, 6, 0, 5, 8].map(u32::to_le_bytes).concat();
    body.extend(shape.map(i32::to_le_bytes).concat());
    body.extend([1, 0, 1, 0, b'Y', 0, 0, 0]);
    body.extend([9, claimed_bytes].map(u32::to_le_bytes).concat());
    body.extend([0; 32]);
    let mut file = bytes("plain.mat")[..128].to_vec();
    file.extend([14, body.len() as u32].map(u32::to_le_bytes).concat());
    file.extend(body);
    file
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn compressed_mat(packed: &[u8]) -> Vec<u8> {
    let mut file = bytes("plain.mat")[..128].to_vec();
    file.extend([15, packed.len() as u32].map(u32::to_le_bytes).concat());
    file.extend(packed);
    file
}

fn png_of_size(width: u32, height: u32) -> Vec<u8> {
    let mut file = bytes("rgb_8.png");
    file[16..20].copy_from_slice(&width.to_be_bytes());
    file[20..24].copy_from_slice(&height.to_be_bytes());
    let checksum = crc32fast::hash(&file[12..29]);
    file[29..33].copy_from_slice(&checksum.to_be_bytes());
    file
}

fn replaced(name: &str, from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut file = bytes(name);
    let at = file.windows(from.len()).position(|window| window == from).unwrap();
    file[at..at + to.len()].copy_from_slice(to);
    file
}

/// Two axes of 10^6 become these.
fn hdf5_of_shape(rows: u64, columns: u64) -> Vec<u8> {
    let mut file = bytes("huge.h5");
    let axis = 1_000_000_u64.to_le_bytes();
    let places: Vec<usize> = (0..file.len() - 8).filter(|&at| file[at..at + 8] == axis).collect();
    assert!(places.len().is_multiple_of(2) && !places.is_empty());
    for pair in places.chunks_exact(2) {
        file[pair[0]..pair[0] + 8].copy_from_slice(&rows.to_le_bytes());
        file[pair[1]..pair[1] + 8].copy_from_slice(&columns.to_le_bytes());
    }
    file
}

fn large_photograph() -> Vec<u8> {
    replaced("grey.jpg", &[0xff, 0xc0, 0, 11, 8, 0, 20, 0, 30], &[0xff, 0xc0, 0, 11, 8, 0xff, 0xff, 0xff, 0xff])
}

/// 2^31 x 2^31 pixels in one strip.
fn large_page() -> Vec<u8> {
    let mut file = bytes("f8.tif");
    for tag in [256_u16, 257, 278] {
        let entry = file.windows(2).position(|window| window == tag.to_le_bytes()).unwrap();
        file[entry + 2..entry + 4].copy_from_slice(&4_u16.to_le_bytes());
        file[entry + 8..entry + 12].copy_from_slice(&(1_u32 << 31).to_le_bytes());
    }
    file
}

/// Everything that claims far more than it has.
fn claims() -> Vec<(&'static str, Vec<u8>, Vec<&'static str>)> {
    let bomb = |size| Member { size, ..Member::deflated("a.npy", &npy_of_shape("(4,)")) };
    vec![
        ("10^12 numbers", npy_of_shape("(1000000000000,)"), vec!["needs 8000000000", "bytes, there are"]),
        ("2^64 numbers", npy_of_shape("(4294967296, 4294967296)"), vec!["more than this machine can address"]),
        ("2^64 numbers beside none", npy_of_shape("(0, 4294967296, 4294967296)"), vec!["more than this machine"]),
        ("2^70 axis", npy_of_shape("(1180591620717411303424,)"), vec!["a number beyond 64 bits"]),
        ("65 axes", npy_of_shape(&format!("({})", "1,".repeat(65))), vec!["65 axes, at most 64"]),
        ("4 GiB header", npy_header(2, u32::MAX, "{"), vec!["header claims 4294967295 bytes, at most 10000"]),
        ("open brackets", npy_header(1, 9000, &"[".repeat(9000)), vec!["brackets nested too deep"]),
        ("stored bomb", archive(&[Member { method: 0, ..bomb(10_000_000_000) }]), vec!["claims 10000000000 bytes"]),
        ("10 GB of 10 kB", archive(&[bomb(10_000_000_000)]), vec!["cannot inflate to the 10000000000 bytes"]),
        ("huge matrix", mat_of_shape([1 << 30, 1 << 30], 32), vec!["more than this machine can address"]),
        ("large matrix", mat_of_shape([1_000_000, 1_000_000], 32), vec!["\"Y\"", "expected 1000000000000 numbers"]),
        ("large data", mat_of_shape([2, 2], 1 << 31), vec!["claims 2147483648 bytes, the matrix has 32 more"]),
        ("negative axis", mat_of_shape([-2, -2], 32), vec!["an axis of length -2"]),
        (
            "large stream",
            compressed_mat(&zlib(&[14, u32::MAX].map(u32::to_le_bytes).concat())),
            vec!["cannot inflate to the 4294967295 bytes"],
        ),
        ("large image", png_of_size(1 << 30, 1 << 30), vec!["1073741824 x 1073741824 pixels cannot be in a file"]),
        (
            "10^12 pixels",
            replaced("scaled.fits", b"NAXIS1  =                    3", b"NAXIS1  =        1000000000000"),
            vec!["the data of this part need 4000000000320 bytes"],
        ),
        (
            "10^12 numbers in no chunks",
            bytes("huge.h5"),
            vec!["\"Y\"", "the decoded size in bytes is 8000000000000", "Limits::decoded_bytes"],
        ),
        (
            "4 * 10^8 numbers never written",
            bytes("unwritten.h5"),
            vec!["\"Y\"", "most of them never written is 3200000000", "Limits::dense_bytes"],
        ),
        ("10^18 numbers", hdf5_of_shape(1 << 30, 1 << 30), vec!["\"Y\"", "more than this machine can address"]),
        ("10^9 numbers in one chunk", hdf5_of_shape(1 << 29, 1), vec!["\"Y\""]),
        ("large photograph", large_photograph(), vec!["65535 x 65535 pixels cannot be in a file"]),
        ("large page", large_page(), vec!["not a valid TIFF file"]),
        ("long row", png_of_size(i32::MAX as u32, 1), vec!["2147483647 x 1 pixels cannot be in a file"]),
    ]
}

#[test]
fn claims_beyond_the_bytes_present_are_refused() {
    for (name, file, parts) in claims() {
        eprintln!("{name}");
        assert_contains(&message_of(&file), &parts);
    }
}

/// Runs the test below alone in a process, because memory is counted per process.
#[cfg(target_os = "linux")]
#[test]
fn claims_beyond_the_bytes_present_cost_no_memory() {
    let test = "formats::hostile::peak_memory_of_claims";
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "run by claims_beyond_the_bytes_present_cost_no_memory in a process of its own"]
fn peak_memory_of_claims() {
    for (_, file, _) in claims() {
        message_of(&file);
    }
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak_kib < 64 << 10, "{peak_kib} KiB");
}

#[test]
fn every_truncation_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut");
    for name in COPIES {
        let whole = bytes(name);
        for part in 1..64 {
            let len = whole.len() * part / 64;
            fs::write(&path, &whole[..len]).unwrap();
            let result = read_all(&path);
            // A MATLAB or FITS file is a list; cut between two variables it is a shorter one.
            let is_list = name.ends_with(".mat") && !name.ends_with("7_3.mat") || name.ends_with(".fits");
            if let (true, Ok(cut)) = (is_list, &result) {
                let all = read_all(&fixture(name)).unwrap();
                // As text, because NaN is not equal to itself; the name of the file is that of its first image.
                let text =
                    |arrays: &[(String, Array)]| format!("{:?}", arrays.iter().map(|(_, a)| a).collect::<Vec<_>>());
                assert!(cut.len() < all.len() && text(cut) == text(&all[..cut.len()]), "{name} {len}");
                continue;
            }
            assert!(result.is_err(), "{name} cut to {len} of {} bytes", whole.len());
        }
    }
    let npy = bytes("f8.npy");
    assert_contains(&message_of(&npy[..npy.len() - 3]), &["shape [2, 3] needs 176 bytes, there are 173", "truncated"]);
    assert_contains(&message_of(&[&npy[..], b"x"].concat()), &["needs 176 bytes, there are 177", "bytes follow"]);
    let npz = bytes("deflated.npz");
    assert_contains(&message_of(&npz[..npz.len() - 3]), &["the directory at its end is missing"]);
    let mat = bytes("compressed.mat");
    assert_contains(&message_of(&mat[..mat.len() - 3]), &["the element claims", "truncated"]);
    let png = bytes("rgb_8.png");
    assert_contains(&message_of(&png[..png.len() - 20]), &["not a valid PNG file"]);
}

#[test]
fn flipped_payload_bytes_are_found_by_the_checksums() {
    let good = Member::deflated("a.npy", &npy_of_shape("(4,)"));
    for position in 0..good.packed.len() {
        let mut damaged = good.clone();
        damaged.packed[position] ^= 1;
        assert!(read_bytes(&archive(&[damaged])).is_err(), "byte {position}");
    }
    // The header of the array is intact, so only the checksum can tell.
    let mut file = bytes("stored.npz");
    // After the local header with a name of 5 and an extra field of 20 bytes, and the header of 128 bytes.
    file[30 + 5 + 20 + 128 + 7] ^= 1;
    assert_contains(&message_of(&file), &["variable \"Y\"", "the checksum (CRC-32) is wrong"]);
    let mut packed = zlib(&mat_of_shape([2, 2], 32)[128..]);
    assert!(read_bytes(&compressed_mat(&packed)).is_ok());
    let last = packed.len() - 1;
    packed[last] ^= 1;
    assert_contains(&message_of(&compressed_mat(&packed)), &["the compressed data are damaged"]);
    packed.truncate(last - 3);
    assert_contains(&message_of(&compressed_mat(&packed)), &["the data end early"]);
}

#[test]
fn archives_with_bad_directories_are_refused() {
    let good = npy_of_shape("(4,)");
    let member = |name: &str| Member::deflated(name, &good);
    assert!(read_bytes(&archive(&[member("a.npy"), member("b/c.npy")])).is_ok());
    for name in ["../x.npy", "a/../../x.npy", "/etc/x.npy", "..\\x.npy", "a\nb.npy", "", &"a".repeat(2000)] {
        assert_contains(&message_of(&archive(&[member(name)])), &["member 1", "not a plain relative path"]);
    }
    let twice = archive(&[member("a.npy"), member("a.npy")]);
    assert_contains(&message_of(&twice), &["\"a.npy\"", "two members have this name"]);
    let nearly_twice = archive(&[member("a.npy"), member("a")]);
    assert_contains(&message_of(&nearly_twice), &["\"a\"", "two members have this name"]);
    let secret = Member { flags: 1, ..member("a.npy") };
    assert_contains(&message_of(&archive(&[secret])), &["encrypted"]);
    let method = Member { method: 12, ..member("a.npy") };
    assert_contains(&message_of(&archive(&[method])), &["compression method 12 is not read"]);
    let longer = Member::deflated("a.npy", &[&good[..], b"x"].concat());
    assert_contains(&message_of(&archive(&[longer])), &["there are"]);
    let short_claim = Member { size: good.len() as u64 - 8, ..member("a.npy") };
    assert_contains(&message_of(&archive(&[short_claim])), &["shape [4] needs"]);
    assert_contains(&message_of(&archive(&[member("readme.txt")])), &["ZIP archive of 1 members without an array"]);
}

#[test]
fn members_that_share_bytes_are_refused() {
    let good = npy_of_shape("(4,)");
    let mut file = archive(&[Member::stored("a.npy", &good), Member::stored("b.npy", &good)]);
    // The second entry of the directory points to the first member.
    let second = file.windows(4).rposition(|bytes| bytes == b"PK\x01\x02").unwrap();
    file[second + 42..second + 46].fill(0);
    assert_contains(&message_of(&file), &["overlaps what begins at byte 0"]);
}

#[test]
fn a_million_members_are_refused_before_they_are_read() {
    let empty_member = Member::stored("", b"");
    let entry = {
        let file = archive(&[empty_member]);
        let start = file.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
        file[start..start + 46].to_vec()
    };
    let million = 1_000_000_u64;
    let mut file = archive(&[Member::stored("", b"")])[..30].to_vec();
    let offset = file.len() as u64;
    (0..million).for_each(|_| file.extend(&entry));
    let end = file.len() as u64;
    file.extend(b"PK\x06\x06");
    file.extend(44_u64.to_le_bytes());
    file.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    file.extend([million, million, end - offset, offset].map(u64::to_le_bytes).concat());
    file.extend(b"PK\x06\x07\0\0\0\0");
    file.extend(end.to_le_bytes());
    file.extend([1, 0, 0, 0]);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend([0xff; 12]);
    file.extend([0, 0]);
    let parts = ["the number of members is 1000000, more than the limit of 65536 (Limits::variables)"];
    assert_contains(&message_of(&file), &parts);
}

#[test]
fn what_is_honest_but_too_large_meets_a_limit_that_can_be_raised() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zeros");
    let text = "{'descr': '|u1', 'fortran_order': False, 'shape': (1000000,), }\n";
    let mut array = npy_header(1, text.len() as u32, text);
    array.extend(vec![0; 1_000_000]);
    let limits = Limits { decoded_bytes: 100_000, ..Limits::default() };
    let check = |file: &[u8], what: &str| {
        fs::write(&path, file).unwrap();
        let error = message(open_with(&path, limits));
        assert_contains(&error, &[what, "more than the limit of 100000 (Limits::decoded_bytes)", "raise"]);
        assert!(open(&path).is_ok());
    };
    check(&archive(&[Member::deflated("a.npy", &array)]), "the inflated size in bytes is 100007");
    let mut matrix =
        [6_u32, 8, 9, 0, 5, 8, 1, 1_000_000, 1 | 1 << 16, u32::from(b'Y'), 2, 1_000_000].map(u32::to_le_bytes).concat();
    matrix.extend(vec![0; 1_000_000]);
    let mut element = [14, matrix.len() as u32].map(u32::to_le_bytes).concat();
    element.extend(matrix);
    check(&compressed_mat(&zlib(&element)), "the inflated size in bytes is 1000048");
}

#[test]
fn existing_output_is_kept_unless_forced_and_kept_whole_when_conversion_fails() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.npy");
    fs::write(&output, "precious").unwrap();
    let error = message(convert(&fixture("f8.npy"), &output, None, false));
    assert_contains(&error, &["out.npy exists", "force"]);
    assert_contains(&message(convert(&fixture("object.npy"), &output, None, true)), &["pickle"]);
    assert_contains(&message(convert(&fixture("stored.npz"), &output, None, true)), &["name the one to read"]);
    assert_eq!(fs::read(&output).unwrap(), b"precious");
    convert(&fixture("stored.npz"), &output, Some("Y"), true).unwrap();
    assert_eq!(open(&output).unwrap().variables()[0].shape(), [4, 6]);
    let unknown = message(convert(&fixture("f8.npy"), &folder.path().join("out.xyz"), None, false));
    assert_contains(&unknown, &["end the name in .npy, .npz, .mat"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

fn read_bytes(file: &[u8]) -> Result<usize, cupel_data::Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, file).unwrap();
    read_all(&path).map(|arrays| arrays.len())
}
