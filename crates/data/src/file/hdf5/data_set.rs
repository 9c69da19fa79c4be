//! [`DataSet`]: the numbers or texts of a data set, or of one field of its records.

use super::{
    Bounds, beyond,
    datatype::{Field, Kind, Texts, value},
    fault, matlab,
};
use crate::{
    array::{Array, value_count},
    element::{Element, ElementType, Values},
    error::{Place, Result},
    file::{limits::deflate_capacity, numbers::read_values, origin::Origin},
};
use hdf5_reader::{
    StringPadding,
    error::{Error as Hdf5Error, Result as Hdf5Result},
};
use num_complex::Complex;
use std::{ops::Range, sync::Arc};

/// A data set with what was found out about it.
#[derive(Clone)]
pub(super) struct DataSet {
    pub(super) inner: Arc<hdf5_reader::Dataset>,
    pub(super) kind: Kind,
    /// The shape that is shown.
    pub(super) shape: Vec<usize>,
    /// Whether the axes in the file are the shown ones in reverse.
    pub(super) reversed: bool,
    pub(super) path: String,
    /// Of a field: its bytes in those of each record.
    pub(super) field: Option<Range<usize>>,
}

impl DataSet {
    pub(super) fn new(inner: hdf5_reader::Dataset, reversed: bool, path: String, origin: &Origin) -> Result<Self> {
        let place = || Place::Variable(path.clone());
        let count = inner.num_elements().map_err(|error| fault(origin, place(), error))?;
        let lengths = inner.shape().iter().map(|&len| usize::try_from(len)).collect::<std::result::Result<Vec<_>, _>>();
        let mut shape = lengths.map_err(|_| beyond(origin, place(), inner.shape()))?;
        if shape.is_empty() && count == 0 {
            // A data set that was declared to have no shape.
            shape.push(0);
        }
        if reversed {
            shape.reverse();
        }
        let described = inner.raw_datatype().and_then(|message| value(inner.dtype(), &message));
        let value = described.map_err(|error| fault(origin, place(), error))?;
        shape.extend(value.shape);
        Self { inner: Arc::new(inner), kind: value.kind, shape, reversed, path, field: None }.checked(origin)
    }

    /// A field of its records.
    pub(super) fn field(&self, field: &Field, origin: &Origin) -> Result<Self> {
        let start = self.field.as_ref().map_or(0, |range| range.start);
        let data = Self {
            kind: field.value.kind.clone(),
            shape: [&self.shape[..], &field.value.shape].concat(),
            path: format!("{}.{}", self.path, field.name),
            field: Some(start + field.range.start..start + field.range.end),
            ..self.clone()
        };
        data.checked(origin)
    }

    /// Itself, where its numbers can be counted.
    fn checked(self, origin: &Origin) -> Result<Self> {
        // 16 bytes are the largest number.
        match value_count(&self.shape).and_then(|count| count.checked_mul(16)) {
            Some(_) => Ok(self),
            None => Err(beyond(origin, self.place(), self.inner.shape())),
        }
    }

    pub(super) fn place(&self) -> Place {
        Place::Variable(self.path.clone())
    }

    /// The decoded bytes, in the order of the file.
    pub(super) fn bytes(&self, bounds: &Bounds<'_>) -> Result<Vec<u8>> {
        let Bounds { len, limits, origin } = *bounds;
        let failed = |error| fault(origin, self.place(), error);
        let count = self.inner.raw_byte_len().map_err(failed)?;
        // Texts of no letters have a size, too.
        let texts = if let Kind::Text(_) = self.kind { value_count(&self.shape).unwrap_or(0) } else { 0 };
        let bytes = (count as u64).max((texts as u64).saturating_mul(size_of::<String>() as u64));
        origin.within(self.place(), "the decoded size in bytes", bytes, limits.of_decoded(len))?;
        if bytes > deflate_capacity(len) {
            // What was never written costs no bytes in the file, like the zeros of a sparse matrix.
            let what = "the size in bytes, most of them never written";
            origin.within(self.place(), what, bytes, limits.of_dense())?;
        }
        let memory = || origin.fault(self.place(), "there is not enough memory for it");
        if Vec::<u8>::new().try_reserve_exact(count).is_err() {
            return Err(memory());
        }
        let mut bytes = vec![0; count];
        self.inner.read_raw_bytes_into(&mut bytes).map_err(failed)?;
        let Some(field) = &self.field else { return Ok(bytes) };
        let record = self.inner.raw_element_size().map_err(failed)?.max(1);
        let mut cut = Vec::new();
        cut.try_reserve_exact(count / record * field.len()).map_err(|_| memory())?;
        for record in bytes.chunks_exact(record) {
            cut.extend_from_slice(record.get(field.clone()).unwrap_or_default());
        }
        Ok(cut)
    }

    /// Its numbers as they lie in the file.
    pub(super) fn values(&self, bounds: &Bounds<'_>) -> Result<Values> {
        let bytes = self.bytes(bounds)?;
        numbers(&self.kind, &bytes, value_count(&self.shape).unwrap_or(0), bounds.origin, &self.place())
    }

    pub(super) fn array(&self, bounds: &Bounds<'_>) -> Result<Array> {
        self.shaped(self.shape.clone(), self.values(bounds)?)
    }

    /// The same from its bytes in the order of the file.
    pub(super) fn array_of(&self, bytes: &[u8], bounds: &Bounds<'_>) -> Result<Array> {
        let count = value_count(&self.shape).unwrap_or(0);
        self.shaped(self.shape.clone(), numbers(&self.kind, bytes, count, bounds.origin, &self.place())?)
    }

    /// How many bytes all its numbers have; nothing for a field of records and for texts.
    pub(super) fn byte_len(&self) -> Option<usize> {
        let Kind::Number { element, .. } = &self.kind else { return None };
        if self.field.is_some() { None } else { value_count(&self.shape)?.checked_mul(element.size_bytes()) }
    }

    /// Numbers as they lie in the file, in the order that is shown.
    pub(super) fn shaped(&self, shape: Vec<usize>, values: Values) -> Result<Array> {
        if self.reversed { Array::from_column_major(shape, values) } else { Array::new(shape, values) }
    }

    /// Its strings, or the lines of a text of MATLAB.
    pub(super) fn text(&self, bounds: &Bounds<'_>) -> Result<Vec<String>> {
        let Kind::Text(texts) = self.kind else { return matlab::lines(self, bounds) };
        let bytes = self.bytes(bounds)?;
        let resolve = |reference: &[u8]| self.inner.resolve_vlen_reference_bytes(reference, 1);
        let size = self.inner.vlen_reference_size();
        let heap = &mut Heap { size, resolve: &resolve, claimed: 0, len: bounds.len };
        texts.read(&bytes, heap).map_err(|error| fault(bounds.origin, self.place(), error))
    }
}

/// `count` numbers of `kind`.
pub(super) fn numbers(kind: &Kind, bytes: &[u8], count: usize, origin: &Origin, place: &Place) -> Result<Values> {
    let &Kind::Number { element, parts, order } = kind else {
        return Err(origin.fault(place.clone(), "there are no numbers in it"));
    };
    let (stored, each) = parts.map_or((element, 1), |part| (part, 2));
    if bytes.len() != count * each * stored.size_bytes() {
        let problem = format!("there are {} bytes, {count} numbers of type {element} are expected", bytes.len());
        return Err(origin.fault(place.clone(), problem));
    }
    let values = read_values(&mut &*bytes, stored, count * each, order).map_err(origin.read(place.clone()))?;
    if parts.is_none() {
        return Ok(values);
    }
    let paired = match element {
        ElementType::Complex64 => pairs(values).map(Values::Complex64),
        _ => pairs(values).map(Values::Complex128),
    };
    paired.ok_or_else(|| origin.fault(place.clone(), "the parts of its complex numbers do not fit them"))
}

/// Complex numbers from parts that lie in turn.
fn pairs<T: Element>(parts: Values) -> Option<Vec<Complex<T>>> {
    let parts = parts.convert::<T>().ok()?;
    Some(parts.as_chunks().0.iter().map(|&[re, im]| Complex::new(re, im)).collect())
}

/// Where texts lie that are as long as they are.
pub(super) struct Heap<'a> {
    /// The bytes of a reference.
    pub(super) size: usize,
    pub(super) resolve: &'a dyn Fn(&[u8]) -> Hdf5Result<Vec<u8>>,
    /// The bytes of all texts so far.
    pub(super) claimed: u64,
    /// The bytes of the file.
    pub(super) len: u64,
}

impl Texts {
    /// All texts in `bytes`.
    pub(super) fn read(self, bytes: &[u8], heap: &mut Heap<'_>) -> Hdf5Result<Vec<String>> {
        match self {
            Self::Fixed(size, padding) => Ok(bytes.chunks_exact(size).map(|bytes| text(bytes, padding)).collect()),
            Self::Variable(padding) => bytes
                .chunks_exact(heap.size)
                .map(|reference| {
                    let count = reference.first_chunk().map_or(0, |count| u32::from_le_bytes(*count));
                    if count == 0 {
                        return Ok(String::new());
                    }
                    // Texts that share their bytes would make a small file as large as it likes.
                    heap.claimed = heap.claimed.saturating_add(count.into());
                    if heap.claimed > heap.len {
                        let problem = format!("its texts claim more bytes than the {} of the file", heap.len);
                        return Err(Hdf5Error::Other(problem));
                    }
                    Ok(text(&(heap.resolve)(reference)?, padding))
                })
                .collect(),
        }
    }
}

fn text(bytes: &[u8], padding: StringPadding) -> String {
    let end = match padding {
        StringPadding::SpacePad => bytes.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last + 1),
        _ => bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len()),
    };
    // Names of other encodings are better half read than not at all.
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
