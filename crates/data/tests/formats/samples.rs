//! The committed files of other software, and the values that `fixtures/make.py` put in them.

use cupel_data::{Array, Complex, ElementType, Error, Values};
use half::f16;
use std::path::{Path, PathBuf};

/// A committed file.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The bytes of a committed file.
pub fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

/// The array that `make.py` makes of a type and a shape.
pub fn sample(element: ElementType, shape: &[usize]) -> Array {
    let count = shape.iter().product::<usize>();
    macro_rules! numbers {
        ($variant:ident, $number:ty, $first:literal) => {
            Values::$variant((0..count).map(|n| (n as f64 - $first) as $number).collect())
        };
    }
    let values = match element {
        ElementType::U8 => numbers!(U8, u8, 0.0),
        ElementType::I8 => numbers!(I8, i8, 2.0),
        ElementType::U16 => numbers!(U16, u16, 0.0),
        ElementType::I16 => numbers!(I16, i16, 2.0),
        ElementType::U32 => numbers!(U32, u32, 0.0),
        ElementType::I32 => numbers!(I32, i32, 2.0),
        ElementType::U64 => numbers!(U64, u64, 0.0),
        ElementType::I64 => numbers!(I64, i64, 2.0),
        ElementType::F16 => Values::F16((0..count).map(|n| f16::from_f64(n as f64 - 2.0)).collect()),
        ElementType::F32 => numbers!(F32, f32, 2.0),
        ElementType::F64 => numbers!(F64, f64, 2.0),
        ElementType::Bool => Values::Bool((0..count).map(|n| n % 3 == 0).collect()),
        ElementType::Complex64 => {
            Values::Complex64((0..count).map(|n| Complex::new(n as f32 - 2.0, n as f32 / 2.0)).collect())
        }
        ElementType::Complex128 => {
            Values::Complex128((0..count).map(|n| Complex::new(n as f64 - 2.0, n as f64 / 2.0)).collect())
        }
        other => panic!("no sample of {other}"),
    };
    Array::new(shape.to_vec(), values).unwrap()
}

/// The message of a failed operation.
#[track_caller]
pub fn message<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("it did not fail"),
        Err(error) => error.to_string(),
    }
}

/// The message of opening a file of these bytes, or of reading what is in it.
#[track_caller]
pub fn message_of(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, bytes).unwrap();
    message(read_all(&path))
}

/// What a file that is read warns of.
pub fn warnings_of(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, bytes).unwrap();
    read_all(&path).unwrap();
    cupel_data::open(&path).unwrap().warnings().join("\n")
}

/// All arrays of a file with their names.
pub fn read_all(path: &Path) -> Result<Vec<(String, Array)>, Error> {
    use cupel_data::Class;
    let dataset = cupel_data::open(path)?;
    let mut arrays = Vec::new();
    for variable in dataset.variables() {
        match variable.class() {
            Class::Number(_) | Class::Sparse(_) => {
                let name = variable.name().to_string();
                if let Some(header) = dataset.fits_header(Some(&name))? {
                    header.cards()?;
                    dataset.axes(Some(&name))?;
                }
                arrays.push((name, dataset.array(Some(variable.name()))?));
            }
            Class::Text | Class::Cell => drop(dataset.text(variable.name())),
            Class::Table => drop(dataset.table()?),
            _ => {}
        }
        dataset.attributes(variable.name())?;
    }
    dataset.attributes("")?;
    // What is no image is refused; what is one can be read, with what lies beside it.
    if let Ok(image) = cupel_data::Image::open(&dataset, None, None) {
        let info = image.info();
        image.rows(0..info.rows)?;
        dataset.pixel_flags(&info.variable, info.rows, info.columns)?;
    }
    dataset.georeference().map(|place| place.moved(1, 1));
    Ok(arrays)
}

#[track_caller]
pub fn assert_contains(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
}

/// The bytes with the first text `from` in them replaced by another of that length.
#[track_caller]
pub fn replaced(file: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = file.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    let mut changed = file.to_vec();
    changed[at..at + to.len()].copy_from_slice(to.as_bytes());
    changed
}
