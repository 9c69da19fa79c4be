//! The attributes of the objects of a file.

use super::{
    Directory, beyond,
    data_set::{Heap, numbers},
    datatype::{Kind, value},
    fault,
};
use crate::{
    array::{Array, value_count},
    error::{Place, Result},
    file::{Attribute, origin::Origin},
};
use hdf5_reader::{
    Attribute as Stored, RawAttribute,
    error::{Error as Hdf5Error, Result as Hdf5Result},
    group::Group,
};
use std::collections::BTreeMap;

/// Attributes as they are stored. Decoding those of texts of any length would follow references that may share their bytes.
pub(super) fn stored(raw: Hdf5Result<Vec<RawAttribute>>) -> Hdf5Result<Vec<Stored>> {
    Ok(raw?.into_iter().map(|attribute| Stored::from_message(attribute.into_parts().0)).collect())
}

impl Directory {
    /// The attributes of the data set or group at `path`, of the file where that is empty; nothing where there is none.
    pub(crate) fn attributes(&self, path: &str, origin: &Origin) -> Result<Option<BTreeMap<String, Attribute>>> {
        let raw = match find(&self.root, path, if self.matlab { '.' } else { '/' }) {
            Ok(raw) => raw,
            Err(Hdf5Error::GroupNotFound(_) | Hdf5Error::DatasetNotFound(_)) => return Ok(None),
            Err(error) => return Err(fault(origin, Place::Variable(path.into()), error)),
        };
        let resolve = |reference: &[u8]| self.root.resolve_vlen_reference_bytes(reference, 1);
        let size = 8 + usize::from(self.root.offset_size());
        // One for all of them, so that together they claim no more bytes than the file has.
        let mut heap = Heap { size, resolve: &resolve, claimed: 0, len: self.len };
        let read = raw.into_iter().map(|raw| {
            let name = raw.name().to_string();
            let place = Place::Variable(format!("{path}@{name}"));
            Ok((name, attribute(raw, &mut heap, origin, &place)?))
        });
        read.collect::<Result<_>>().map(Some)
    }
}

fn attribute(raw: RawAttribute, heap: &mut Heap<'_>, origin: &Origin, place: &Place) -> Result<Attribute> {
    let failed = |error| fault(origin, place.clone(), error);
    let (message, description) = raw.into_parts();
    let Stored { datatype, shape, raw_data, .. } = Stored::from_message(message);
    let value = value(&datatype, &description).map_err(failed)?;
    let too_many = || beyond(origin, place.clone(), &shape);
    let lengths = shape.iter().map(|&len| usize::try_from(len).ok()).collect::<Option<Vec<_>>>();
    let lengths = [lengths.ok_or_else(too_many)?, value.shape].concat();
    // 16 bytes are the largest number.
    let count = value_count(&lengths).filter(|count| count.checked_mul(16).is_some()).ok_or_else(too_many)?;
    Ok(match value.kind {
        Kind::Number { .. } => {
            Attribute::Numbers(Array::new(lengths, numbers(&value.kind, &raw_data, count, origin, place)?)?)
        }
        Kind::Text(texts) => Attribute::Texts(texts.read(&raw_data, heap).map_err(failed)?),
        Kind::Record(_) => Attribute::Other("records".into()),
        Kind::Reference => Attribute::Other("references".into()),
        Kind::Other(what) => Attribute::Other(what),
    })
}

/// The attributes of what lies at `path` from `root`.
fn find(root: &Group, path: &str, separator: char) -> Hdf5Result<Vec<RawAttribute>> {
    let mut names = path.split(separator).filter(|name| !name.is_empty());
    let Some(last) = names.next_back() else { return root.raw_attributes() };
    let group = names.try_fold(root.clone(), |group, name| group.group(name))?;
    match group.dataset(last) {
        Err(Hdf5Error::DatasetNotFound(_)) => group.group(last)?.raw_attributes(),
        data => data?.raw_attributes(),
    }
}
