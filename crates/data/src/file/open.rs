//! [`open`]: one front door that recognises a file by its content, never by its name.

use crate::{
    error::{Error, Place, Result},
    file::{
        dataset::{Class, Content, Dataset, Variable},
        delimited, envi, fits,
        guard::guarded,
        hdf5, jpeg,
        limits::Limits,
        mat, mat4,
        npy::{self, Dtype},
        npz,
        origin::Origin,
        png, tiff, zip,
    },
};
use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// Bytes looked at to recognise a file; text tables choose their delimiter by the lines in them.
pub(crate) const HEAD_BYTES: u64 = 64 << 10;

/// Opens a file of any known format and lists what is in it.
///
/// # Errors
/// [`Error::Io`] when there is no such file, it is a folder or may not be read; [`Error::NotAFile`] for pipes and
/// devices; [`Error::Unrecognised`] and [`Error::Unsupported`] when the content is not one of the formats read;
/// [`Error::Format`] and [`Error::FileLimit`] when it is one but does not hold what it promises.
///
/// # Example
/// ```
/// use cupel_data::{Array, Values, open, write_npz};
/// # fn main() -> cupel_data::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("scene.npz");
/// let pixels = Array::new(vec![2, 3], Values::U16(vec![1, 2, 3, 4, 5, 6]))?;
/// write_npz(&path, &[("Y", &pixels)])?;
/// let scene = open(&path)?;
/// assert_eq!(scene.variable("Y")?.shape(), [2, 3]);
/// assert_eq!(scene.cube::<f32>(None)?.values()[5], 6.0);
/// # Ok(())
/// # }
/// ```
pub fn open(path: impl AsRef<Path>) -> Result<Dataset> {
    open_with(path, Limits::default())
}

/// [`open`] with other limits.
///
/// # Errors
/// As [`open`].
pub fn open_with(path: impl AsRef<Path>, limits: Limits) -> Result<Dataset> {
    let path = path.as_ref();
    // Before opening: opening a pipe that nobody writes to would wait for ever.
    check_regular(path, &fs::metadata(path).map_err(Error::io("open", path))?)?;
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let metadata = file.metadata().map_err(Error::io("open", path))?;
    check_regular(path, &metadata)?;
    let len = metadata.len();
    let mut head = Vec::new();
    (&mut file).take(HEAD_BYTES).read_to_end(&mut head).map_err(Error::io("read", path))?;

    let origin = |format| Origin::new(path, format);
    let rewind = |file: &mut File| file.seek(SeekFrom::Start(0)).map_err(Error::io("read", path));
    let (origin, content, variables) = match recognise(path, &head, &mut file, len)? {
        Recognised::Npy => {
            let origin = origin("NPY");
            rewind(&mut file)?;
            let header = npy::read_header(&mut file, &origin, &Place::File)?;
            if let Dtype::Refused(_) = header.dtype {
                // Nothing else is in the file, so it is of no use.
                return Err(npy::refusal(&header, &origin, &Place::File));
            }
            header.check_length(len, &origin, &Place::File)?;
            let variable = Variable::new(&origin.stem(), header.shape.clone(), header.dtype.clone().into());
            (origin, Content::Npy(header), vec![variable])
        }
        Recognised::Npz => {
            let origin = origin("NPZ");
            let (archive, variables) = npz::read_directory(&mut file, len, &limits, &origin)?;
            (origin, Content::Npz(archive), variables)
        }
        Recognised::Matlab => {
            let origin = origin("MATLAB");
            let (directory, variables) = mat::read_directory(&mut file, len, &limits, &origin)?;
            (origin, Content::Matlab(directory), variables)
        }
        Recognised::Matlab4 => {
            let origin = origin("MATLAB 4");
            let (directory, variables) = mat4::read_directory(&mut file, len, &limits, &origin)?;
            (origin, Content::Matlab4(directory), variables)
        }
        Recognised::Hdf5 { matlab } => {
            let origin = origin(if matlab { "MATLAB 7.3" } else { "HDF5" });
            let (directory, variables) =
                guarded(&origin, || hdf5::read_directory(&file, len, matlab, &limits, &origin))?;
            (origin, Content::Hdf5(directory), variables)
        }
        Recognised::Png => {
            let origin = origin("PNG");
            let (shape, element) = png::read_header(&mut file, &limits, &origin)?;
            let variable = Variable::new(&origin.stem(), shape, Class::Number(element));
            (origin, Content::Png, vec![variable])
        }
        Recognised::Fits => {
            let origin = origin("FITS");
            let (fits, variables) = fits::read_directory(&mut file, len, &limits, &origin)?;
            (origin, Content::Fits(fits), variables)
        }
        Recognised::Tiff => {
            let origin = origin("TIFF");
            let (pages, variables) = guarded(&origin, || tiff::read_directory(&mut file, len, &limits, &origin))?;
            (origin, Content::Tiff(pages), variables)
        }
        Recognised::Jpeg => {
            let origin = origin("JPEG");
            let (shape, element) = guarded(&origin, || jpeg::read_header(&mut file, &limits, &origin))?;
            let variable = Variable::new(&origin.stem(), shape, Class::Number(element));
            (origin, Content::Jpeg, vec![variable])
        }
        Recognised::Envi { header, data } => {
            let origin = origin("ENVI");
            let data = match data {
                Some(data) => data,
                None => envi::data_beside(&header, &origin)?,
            };
            let (envi, variables) = envi::open(&header, &data, &origin)?;
            (origin, Content::Envi(Box::new(envi)), variables)
        }
        Recognised::Delimited(delimiter) => {
            let origin = origin("CSV/TSV");
            let layout = delimited::scan(&mut file, delimiter, &origin)?;
            let variable = Variable::new(&origin.stem(), layout.shape(), layout.class());
            (origin, Content::Delimited(layout), vec![variable])
        }
    };
    let dataset = Dataset::new(origin, file, limits, content, variables);
    dataset.warnings().iter().for_each(|warning| log::warn!("{warning}"));
    Ok(dataset)
}

/// A format that is read.
enum Recognised {
    Npy,
    Npz,
    Matlab,
    Matlab4,
    /// Also MATLAB 7.3.
    Hdf5 {
        matlab: bool,
    },
    Png,
    Fits,
    Tiff,
    Jpeg,
    /// The header, and the numbers where they are what was opened.
    Envi {
        header: PathBuf,
        data: Option<PathBuf>,
    },
    /// With its delimiter.
    Delimited(u8),
}

fn recognise(path: &Path, head: &[u8], file: &mut File, len: u64) -> Result<Recognised> {
    let unrecognised = |found: String| Err(Error::Unrecognised { path: path.into(), found });
    match head {
        [] => return unrecognised("it is empty".into()),
        [byte] => return unrecognised(format!("it is a single byte, {byte:#04x}")),
        _ => {}
    }
    // What the numbers of an ENVI image begin with means nothing.
    if let Some(header) = envi::exact_header_beside(path, len) {
        return Ok(Recognised::Envi { header, data: Some(path.into()) });
    }
    if head.starts_with(npy::MAGIC) {
        return Ok(Recognised::Npy);
    }
    if zip::MAGIC.iter().any(|magic| head.starts_with(magic)) {
        return Ok(Recognised::Npz);
    }
    if head.starts_with(png::MAGIC) {
        return Ok(Recognised::Png);
    }
    if head.starts_with(fits::MAGIC) {
        return Ok(Recognised::Fits);
    }
    if tiff::MAGIC.iter().any(|magic| head.starts_with(magic)) {
        return Ok(Recognised::Tiff);
    }
    if head.starts_with(jpeg::MAGIC) {
        return Ok(Recognised::Jpeg);
    }
    if envi::is_header(head) {
        return Ok(Recognised::Envi { header: path.into(), data: None });
    }
    let matlab = head.starts_with(hdf5::MATLAB_MAGIC) || mat::version(head) == Some(mat::VERSION_7_3);
    if is_hdf5(head, file, len).map_err(Error::io("read", path))? {
        return Ok(Recognised::Hdf5 { matlab });
    }
    if matlab {
        let problem = "the part in HDF5, which follows its header, is missing";
        let fix = "the file is truncated or damaged; copy it again";
        return Err(Origin::new(path, "MATLAB 7.3").fault_with(Place::Byte(512), problem, fix));
    }
    if mat::recognises(head) {
        return Ok(Recognised::Matlab);
    }
    if mat4::recognises(head) {
        return Ok(Recognised::Matlab4);
    }
    let delimiter = delimited::is_text(head).then(|| delimited::sniff(head, head.len() as u64 == len));
    if let Some(Ok(delimiter)) = delimiter {
        return Ok(Recognised::Delimited(delimiter));
    }
    // The numbers of an ENVI image begin with anything at all, so that the header beside them is what is recognised.
    if let Some(header) = envi::header_beside(path) {
        return Ok(Recognised::Envi { header, data: Some(path.into()) });
    }
    if let Some((format, fix)) = unread(head) {
        return Err(Error::Unsupported { path: path.into(), format, fix });
    }
    if let Some(Err(problem)) = delimiter {
        return unrecognised(format!("it is text, but {problem}"));
    }
    if let Some(header) = envi::other_header_beside(path) {
        return unrecognised(format!(
            "{} beside it does not begin with `ENVI`, so that it is no ENVI header; one of another kind can be turned into one with \
             `gdal_translate -of ENVI`",
            header.display()
        ));
    }
    let start: Vec<String> = head.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    unrecognised(format!("it begins with the bytes {}", start.join(" ")))
}

/// The formats that are known and not read, with what to do about them.
fn unread(head: &[u8]) -> Option<(&'static str, &'static str)> {
    const EXPORT: &str = "export it as NPY, NPZ, MATLAB 7 or CSV";
    const CLASSIC: &str = "rewrite it as NetCDF 4, with `nccopy -k nc4 FILE NEW` or in Python with \
                           `xarray.open_dataset(FILE).to_netcdf(NEW, engine=\"h5netcdf\")`";
    let known: [(&[u8], &str, &str); 9] = [
        (b"GIF8", "a GIF image", "convert it to PNG"),
        (b"CDF\x01", "a NetCDF 3 file", CLASSIC),
        (b"CDF\x02", "a NetCDF 3 file", CLASSIC),
        (b"CDF\x05", "a NetCDF 3 file", CLASSIC),
        (
            b"\x0e\x03\x13\x01",
            "an HDF4 file",
            "rewrite it as HDF5, as with `h4toh5convert`, or as GeoTIFF with `gdal_translate`",
        ),
        (b"PAR1", "a Parquet file", EXPORT),
        (b"\x1f\x8b", "a gzip file", "unpack it first"),
        (b"\xff\xfe", "UTF-16 text", "save it as UTF-8"),
        (b"\xfe\xff", "UTF-16 text", "save it as UTF-8"),
    ];
    known.into_iter().find(|(magic, ..)| head.starts_with(magic)).map(|(_, format, fix)| (format, fix))
}

/// HDF5 may begin after a block of the user's own, at 512 bytes or any doubling of that.
fn is_hdf5(head: &[u8], file: &mut File, len: u64) -> io::Result<bool> {
    if head.starts_with(hdf5::MAGIC) {
        return Ok(true);
    }
    let mut offset = 512;
    while offset < len.saturating_sub(8) {
        let mut magic = [0; 8];
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(&mut magic)?;
        if &magic == hdf5::MAGIC {
            return Ok(true);
        }
        offset *= 2;
    }
    Ok(false)
}

fn check_regular(path: &Path, metadata: &fs::Metadata) -> Result<()> {
    if metadata.is_dir() {
        return Err(Error::io("open", path)(io::ErrorKind::IsADirectory.into()));
    }
    if metadata.is_file() {
        return Ok(());
    }
    Err(Error::NotAFile { path: path.into(), what: kind(metadata) })
}

#[cfg(unix)]
fn kind(metadata: &fs::Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = metadata.file_type();
    if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn kind(_: &fs::Metadata) -> &'static str {
    "a device"
}
