//! Whether what a file declares fits into the memory that is free.

use crate::{
    error::{Error, Result},
    file::{
        dataset::{Class, Format, Variable},
        limits::deflate_capacity,
        origin::Origin,
    },
};

/// Arrays of fewer bytes are read without asking the system.
const ASKED_FROM: u64 = 64 << 20;

/// The bytes of memory that are free for a program, as far as the operating system says: today Linux does.
pub fn available_memory() -> Option<u64> {
    let said = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kibibytes: u64 = said
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:")?.trim().strip_suffix("kB")?.trim().parse().ok())?;
    Some(kibibytes.saturating_mul(1024))
}

/// The bytes that an array takes once it is read; nothing for what is no array or says only then how large it is.
fn needed(variable: &Variable) -> Option<u64> {
    let Class::Number(element) = variable.class() else { return None };
    let sizes = variable.shape().iter().map(|&len| len as u64);
    sizes.chain([element.size_bytes() as u64]).try_fold(1_u64, u64::checked_mul).or(Some(u64::MAX))
}

/// What the system has for an array in `bytes` of a file, where it is large enough to ask. What so many bytes cannot hold is damaged, as its
/// reader says, and no question of memory.
pub(crate) fn free_for(variable: &Variable, bytes: u64) -> Option<u64> {
    let asked = ASKED_FROM..=deflate_capacity(bytes);
    needed(variable).filter(|needed| asked.contains(needed)).and_then(|_| available_memory())
}

/// Refuses to read an array whole that takes more than is `free`.
pub(crate) fn check(variable: &Variable, free: Option<u64>, format: Format, origin: &Origin) -> Result<()> {
    match (needed(variable), free) {
        (Some(needed), Some(free)) if needed > free => Err(Error::Memory {
            path: origin.path.clone(),
            variable: variable.to_string(),
            needed,
            free,
            fix: instead(format),
        }),
        _ => Ok(()),
    }
}

/// How an array of this format is read without so much memory.
fn instead(format: Format) -> &'static str {
    match format {
        Format::Envi => "images are unmixed in pieces, and `cupel data crop` takes a part out of one",
        Format::Npy | Format::Hdf5 | Format::Matlab73 | Format::Fits => {
            "`cupel data crop` takes a part out of it and `cupel data convert` makes an ENVI image of it, which is unmixed in pieces: both \
             read it in pieces"
        }
        Format::Npz => {
            "unpack the archive: of an .npy file `cupel data convert` makes an ENVI image, which is unmixed in pieces, piece by piece"
        }
        Format::Matlab => {
            "save it with `-v7.3`: of that `cupel data convert` makes an ENVI image, which is unmixed in pieces, piece by piece"
        }
        Format::Tiff => "make an ENVI image of it, which is unmixed in pieces, as with `gdal_translate -of ENVI`",
        Format::Delimited | Format::Png | Format::Jpeg => "read it on a machine with more memory",
    }
}

#[cfg(test)]
mod tests {
    use crate::{Array, Image, Values, open, write_csv, write_mat, write_npy, write_npz};

    /// One file of each format that can be written, and what it says where there is no memory for it.
    #[test]
    fn what_does_not_fit_is_refused_with_both_sizes_and_a_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let array = Array::new(vec![4, 5, 6], Values::F32(vec![0.5; 120])).unwrap();
        let table = Array::new(vec![4, 5], Values::F64(vec![0.5; 20])).unwrap();
        write_npy(&at("a.npy"), &array).unwrap();
        write_npz(&at("a.npz"), &[("Y", &array)]).unwrap();
        write_mat(&at("a.mat"), &[("Y", &array)]).unwrap();
        write_csv(&at("a.csv"), &[], &table).unwrap();
        for ending in ["tif", "img", "fits"] {
            crate::convert(&at("a.npy"), &at(&format!("a.{ending}")), None, false).unwrap();
        }
        for (name, needed, fix) in [
            ("a.npy", 480, "`cupel data convert`"),
            ("a.npz", 480, "unpack"),
            ("a.mat", 480, "-v7.3"),
            ("a.tif", 480, "gdal_translate"),
            ("a.img", 480, "`cupel data crop`"),
            ("a.fits", 480, "`cupel data crop`"),
            ("a.csv", 160, "more memory"),
        ] {
            let dataset = open(at(name)).unwrap();
            let variable = &dataset.variables()[0];
            let refused = dataset.read_within(0, Some(needed - 1)).unwrap_err().to_string();
            let shape = format!("{:?}", variable.shape());
            for part in [name, &shape, &format!("{needed} bytes"), &format!("{} bytes", needed - 1), fix] {
                assert!(refused.contains(part), "{name}: {part:?} is not in {refused}");
            }
            assert!(dataset.read_within(0, Some(needed)).is_ok() && dataset.read_within(0, None).is_ok(), "{name}");
        }
        // Pieces need no more than they hold.
        assert_eq!(
            Image::open(&open(at("a.npy")).unwrap(), None, None).unwrap().rows(1..2).unwrap().shape(),
            [1, 5, 6]
        );
    }

    /// A file that says that it has more than any machine, in which the system keeps nothing but holes.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_larger_than_memory_is_refused_before_any_of_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("huge.npy");
        write_npy(&path, &Array::new(vec![1, 1], Values::U8(vec![1])).unwrap()).unwrap();
        let header = std::fs::read(&path).unwrap();
        let shape = "'shape': (1048576, 4194304), }";
        let start = header.windows(8).position(|word| word == b"'shape':").unwrap();
        let mut header = header[..128].to_vec();
        header[start..start + shape.len()].copy_from_slice(shape.as_bytes());
        std::fs::write(&path, &header).unwrap();
        if std::fs::File::options().write(true).open(&path).unwrap().set_len(128 + (1 << 42)).is_err() {
            eprintln!("SKIPPED: the file system has no holes of 4 TiB");
            return;
        }
        let refused = open(&path).unwrap().cube::<f32>(None).unwrap_err().to_string();
        assert!(refused.contains("4096.0 GiB") && refused.contains("`cupel data convert`"), "{refused}");
    }
}
