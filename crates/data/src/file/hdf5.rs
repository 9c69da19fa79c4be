//! HDF5 (also NetCDF 4) and MATLAB 7.3, which is HDF5 with conventions of its own: reading only.
//!
//! The HDF Group, "HDF5 File Format Specification, version 3.0". The structure is decoded by the crate `hdf5-reader`; what is
//! decided here is what becomes a variable, and what a file may ask for. A data set is a variable named by its path,
//! `group/data set`, with the axes in the order of the file, as h5py shows them. Of records each field is a variable,
//! `data set.field`, whose last axes are those that the field has in each record. Pairs of numbers called `r` and `i` are complex
//! numbers, two names for 0 and 1 booleans. In a file of MATLAB the axes are reversed, structs are groups and cells are references:
//! see `hdf5/matlab.rs`.
//!
//! Links into other files and data in other files are never followed: a file that has them is refused, or the variable is. A
//! group that contains itself is an error of the file. Sums (of metadata in the newer versions of the format, and `fletcher32` of
//! chunks) are checked where the file has them.

mod attributes;
mod data_set;
mod datatype;
mod matlab;
mod observatory;
mod old_layout;
mod pieces;

pub(crate) use pieces::Pieces;

use self::{attributes::stored, data_set::DataSet, datatype::Kind, matlab::Marks, observatory::Described};
use crate::{
    array::Array,
    element::{ElementType, Values},
    error::{Error, Place, Result},
    file::{
        dataset::{Class, Variable},
        limits::{Limits, deflate_capacity},
        numbers::ByteOrder,
        origin::Origin,
    },
};
use hdf5_reader::{
    ExternalLinkResolver, FileStorage, Hdf5File, OpenOptions,
    error::{Error as Hdf5Error, Result as Hdf5Result},
    group::Group,
};
use std::{collections::HashSet, fmt, fs::File, sync::Arc};

/// The first bytes of the format, at the beginning or behind a block of the user's own.
pub(crate) const MAGIC: &[u8; 8] = b"\x89HDF\r\n\x1a\n";

/// What a block of the user's own begins with where MATLAB wrote it.
pub(crate) const MATLAB_MAGIC: &[u8] = b"MATLAB 7.3 MAT-file";

/// The most bytes of the header of one object: thousands of attributes.
const HEADER_BYTES: usize = 8 << 20;

/// The least that a chunk may have, however small the file is: an array that was never written has chunks of some size, too.
const CHUNK_BYTES: u64 = 1 << 20;

/// The most bytes of a name with its path: names that many variables share would make a small file as large as it likes.
const NAME_BYTES: usize = 4096;

/// An open file and its variables.
pub(crate) struct Directory {
    opened: Hdf5File,
    /// Its objects are found by their addresses where cells refer to them.
    root: Group,
    matlab: bool,
    /// The bytes of the file.
    len: u64,
    items: Vec<Item>,
    /// What is said of some of them elsewhere in the file.
    described: Vec<Described>,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("matlab", &self.matlab).field("items", &self.items.len()).finish()
    }
}

/// What a variable may ask for, and whom to blame.
#[derive(Clone, Copy)]
struct Bounds<'a> {
    /// The bytes of the file.
    len: u64,
    limits: &'a Limits,
    origin: &'a Origin,
}

/// What is kept of a variable to read it.
enum Item {
    Numbers(Box<DataSet>),
    /// Of MATLAB: an array without numbers, of which the file holds the shape.
    Empty(Vec<usize>, ElementType),
    /// Of MATLAB: a text or a cell array without any, in these words.
    Lines(Vec<String>),
    /// Of MATLAB: a matrix in compressed columns.
    Sparse(Box<matlab::Sparse>),
    Text(Box<DataSet>),
    /// Of MATLAB: a data set of references.
    Cell(Box<DataSet>),
    /// Bands of a cube, which attributes of the file describe.
    List(Values),
    /// Listed only.
    Other,
}

/// Lists everything in the file.
pub(crate) fn read_directory(
    file: &File,
    len: u64,
    matlab: bool,
    limits: &Limits,
    origin: &Origin,
) -> Result<(Directory, Vec<Variable>)> {
    let storage = FileStorage::from_file(file.try_clone().map_err(Error::io("read", &origin.path))?);
    // Nothing larger than what the bytes of the file can hold is ever decoded.
    let chunk_bytes = deflate_capacity(len).max(CHUNK_BYTES).min(limits.decoded_bytes_for(len));
    let options = OpenOptions::default()
        .with_chunk_cache_bytes(0)
        .with_max_chunk_bytes(usize::try_from(chunk_bytes).unwrap_or(usize::MAX))
        .with_max_read_bytes(usize::try_from(limits.decoded_bytes_for(len)).unwrap_or(usize::MAX))
        .with_max_object_header_bytes(HEADER_BYTES)
        .with_external_link_resolver(Arc::new(NoLinks));
    let opened = storage.and_then(|storage| Hdf5File::from_storage_with_options(Arc::new(storage), options));
    let opened = opened.map_err(|error| fault(origin, Place::File, error))?;
    let end = opened.superblock().eof_address;
    if end != u64::MAX && end > len {
        let problem = format!("expected {end} bytes, the file has {len}");
        return Err(origin.fault_with(Place::File, problem, "the file is truncated; copy it again"));
    }
    let root = opened.root_group().map_err(|error| fault(origin, Place::File, error))?;
    let mut walk = Walk {
        directory: Directory { root: root.clone(), opened, matlab, len, items: Vec::new(), described: Vec::new() },
        variables: Vec::new(),
        ancestors: Vec::new(),
        visited: HashSet::new(),
        bounds: Bounds { len, limits, origin },
        origin,
    };
    walk.group(&root, "")?;
    let Walk { mut directory, mut variables, .. } = walk;
    directory.describe(&mut variables, origin)?;
    let mut names = HashSet::new();
    if let Some(twice) = variables.iter().find(|variable| !names.insert(variable.name())) {
        return Err(origin.fault(Place::Variable(twice.name().into()), "two variables have this name"));
    }
    Ok((directory, variables))
}

impl Directory {
    pub(crate) fn is_matlab(&self) -> bool {
        self.matlab
    }

    /// The numbers of the variable at `position`.
    pub(crate) fn read_array(&self, position: usize, limits: &Limits, origin: &Origin) -> Result<Array> {
        let bounds = &Bounds { len: self.len, limits, origin };
        match &self.items[position] {
            Item::Numbers(data) => data.array(bounds).or_else(|error| {
                let bytes = data
                    .byte_len()
                    .and_then(|len| old_layout::contiguous_bytes(&self.opened, data.inner.address(), len));
                bytes.map_or(Err(error), |bytes| data.array_of(&bytes, bounds))
            }),
            Item::Empty(shape, element) => matlab::empty(shape, *element, origin),
            Item::Sparse(sparse) => sparse.array(bounds),
            Item::List(values) => Array::new(vec![values.len()], values.clone()),
            _ => Err(origin.fault(Place::File, "there are no numbers in it")),
        }
    }

    /// The numbers of the variable at `position`, in pieces, where some can be read without the others.
    pub(crate) fn pieces(&self, position: usize, origin: &Origin) -> Option<Pieces> {
        match &self.items[position] {
            Item::Numbers(data) => Pieces::of(data, origin),
            _ => None,
        }
    }

    /// The text of the variable at `position`; nothing for a cell array with other things in it.
    pub(crate) fn read_text(&self, position: usize, limits: &Limits, origin: &Origin) -> Result<Option<Vec<String>>> {
        let bounds = &Bounds { len: self.len, limits, origin };
        match &self.items[position] {
            Item::Text(data) => data.text(bounds).map(Some),
            Item::Lines(lines) => Ok(Some(lines.clone())),
            Item::Cell(data) => matlab::cell_text(&self.root, data, bounds),
            _ => Ok(None),
        }
    }
}

/// One walk through all groups.
struct Walk<'a> {
    directory: Directory,
    variables: Vec<Variable>,
    /// The addresses of the groups that the current one is in.
    ancestors: Vec<u64>,
    /// Those of all that were visited: each is, by the first of its names, or links could multiply without end.
    visited: HashSet<u64>,
    bounds: Bounds<'a>,
    origin: &'a Origin,
}

impl Walk<'_> {
    /// Visits what is in `group`, whose name is `prefix`.
    fn group(&mut self, group: &Group, prefix: &str) -> Result<()> {
        let place = || if prefix.is_empty() { Place::File } else { Place::Variable(prefix.into()) };
        if self.ancestors.contains(&group.address()) {
            let fix = "remove the link that closes the circle";
            return Err(self.origin.fault_with(place(), "the group contains itself", fix));
        }
        self.origin.within(
            place(),
            "the depth of groups in groups",
            self.ancestors.len() as u64,
            self.bounds.limits.of_nesting(),
        )?;
        if !self.visited.insert(group.address()) {
            return Ok(());
        }
        self.ancestors.push(group.address());
        let (groups, data) = self.members(group, prefix)?;
        for data in data {
            let path = self.join(prefix, data.name());
            self.data_set(data, path)?;
        }
        for inner in &groups {
            // Cells and objects of MATLAB lie in groups of their own, to which the variables refer.
            if self.directory.matlab && prefix.is_empty() && inner.name().starts_with('#') {
                continue;
            }
            let path = self.join(prefix, inner.name());
            if self.directory.matlab { self.matlab_group(inner, &path)? } else { self.group(inner, &path)? }
        }
        self.ancestors.pop();
        Ok(())
    }

    /// The groups and the data sets in a group.
    fn members(&self, group: &Group, prefix: &str) -> Result<(Vec<Group>, Vec<hdf5_reader::Dataset>)> {
        let place = || if prefix.is_empty() { Place::File } else { Place::Variable(prefix.into()) };
        let (groups, data) = group.members().map_err(|error| fault(self.origin, place(), error))?;
        self.check_count(groups.len() + data.len())?;
        Ok((groups, data))
    }

    fn data_set(&mut self, inner: hdf5_reader::Dataset, path: String) -> Result<()> {
        let data = DataSet::new(inner, self.directory.matlab, path, self.origin)?;
        if self.directory.matlab {
            return self.matlab_data(data);
        }
        self.plain_data(data)
    }

    /// A data set, or a field of records.
    fn plain_data(&mut self, mut data: DataSet) -> Result<()> {
        let (path, shape) = (data.path.clone(), data.shape.clone());
        if let Kind::Record(fields) = &mut data.kind {
            let fields = std::mem::take(fields);
            self.push(&path, shape, Class::Struct, Item::Other)?;
            for field in &fields {
                self.plain_data(data.field(field, self.origin)?)?;
            }
            return Ok(());
        }
        let (class, item) = match &data.kind {
            Kind::Number { element, .. } => (Class::Number(*element), Item::Numbers(Box::new(data))),
            Kind::Text(_) => (Class::Text, Item::Text(Box::new(data))),
            Kind::Record(_) => (Class::Struct, Item::Other),
            Kind::Reference => (Class::Other("references".into()), Item::Other),
            Kind::Other(what) => (Class::Other(what.clone()), Item::Other),
        };
        self.push(&path, shape, class, item)
    }

    /// A data set under the conventions of MATLAB.
    fn matlab_data(&mut self, data: DataSet) -> Result<()> {
        let (path, shape) = (data.path.clone(), data.shape.clone());
        let marks = Marks::of(&data, self.origin)?;
        let (shape, class, item) = marks.variable(data, shape, &self.bounds)?;
        self.push(&path, shape, class, item)
    }

    /// A struct or a sparse matrix of MATLAB.
    fn matlab_group(&mut self, group: &Group, path: &str) -> Result<()> {
        if let Some(sparse) = matlab::Sparse::of(group, path, self.origin)? {
            let (shape, class) = (sparse.shape(), Class::Sparse(sparse.element()));
            return self.push(path, shape, class, Item::Sparse(Box::new(sparse)));
        }
        let (_, data) = self.members(group, path)?;
        // An array of structs has in each field a reference for each struct.
        let shape = match data.into_iter().next() {
            Some(first) => {
                let data = DataSet::new(first, true, path.to_string(), self.origin)?;
                let is_array = matches!(data.kind, Kind::Reference) && Marks::of(&data, self.origin)?.class.is_none();
                is_array.then_some(data.shape)
            }
            None => None,
        };
        match shape {
            Some(shape) => self.push(path, shape, Class::Struct, Item::Other),
            None => {
                self.push(path, vec![1, 1], Class::Struct, Item::Other)?;
                self.group(group, path)
            }
        }
    }

    fn push(&mut self, name: &str, shape: Vec<usize>, class: Class, item: Item) -> Result<()> {
        self.check_count(1)?;
        if name.len() > NAME_BYTES {
            let problem = format!("a name has {} bytes with its path, at most {NAME_BYTES} are taken", name.len());
            return Err(self.origin.fault(Place::File, problem));
        }
        self.variables.push(Variable::new(name, shape, class));
        self.directory.items.push(item);
        Ok(())
    }

    fn check_count(&self, more: usize) -> Result<()> {
        let size = (self.variables.len() + more) as u64;
        self.bounds.limits.allow("the number of variables", size, self.origin)
    }

    fn join(&self, prefix: &str, name: &str) -> String {
        match (prefix, self.directory.matlab) {
            ("", _) => name.to_string(),
            (_, true) => format!("{prefix}.{name}"),
            (_, false) => format!("{prefix}/{name}"),
        }
    }
}

/// What a file that links to another one is told.
struct NoLinks;

impl ExternalLinkResolver for NoLinks {
    fn resolve_external_link(&self, filename: &str) -> Hdf5Result<Option<Hdf5File>> {
        Err(Hdf5Error::Other(format!("it has a link into the file {filename:?}, which is not followed")))
    }
}

fn beyond(origin: &Origin, place: Place, shape: &[u64]) -> Error {
    origin.fault(place, format!("shape {shape:?} is more than this machine can address"))
}

/// Whether the file may well be right, and is of a kind that the decoder does not know.
fn is_unsupported(error: &Hdf5Error) -> bool {
    matches!(
        error,
        Hdf5Error::UnsupportedDatatypeClass(_)
            | Hdf5Error::UnsupportedLayoutClass(_)
            | Hdf5Error::UnsupportedLayoutVersion(_)
            | Hdf5Error::UnsupportedEncoding(_)
            | Hdf5Error::UnsupportedChunkIndexType(_)
    )
}

fn fault(origin: &Origin, place: Place, error: Hdf5Error) -> Error {
    let error = match error {
        // A member of a kind that is not known: without its name nobody could remove it.
        Hdf5Error::Context { path, source } if is_unsupported(&source) => {
            let fix = "remove it from a copy of the file, or write its values into a plain data set";
            return origin.fault_with(place, format!("{path}: {source}"), fix);
        }
        Hdf5Error::Context { source, .. } => return fault(origin, place, *source),
        Hdf5Error::Io(error) => return origin.read(place)(error),
        error => error,
    };
    let fix = match &error {
        Hdf5Error::UnexpectedEof { .. } => "the file is truncated or damaged; copy it again",
        Hdf5Error::UnsupportedFilter(_) => "write it without filters, or with deflate, as with `h5repack -f GZIP=4`",
        Hdf5Error::Other(text) if text.contains("not followed") => {
            "open that file, or copy what it links to into this one"
        }
        Hdf5Error::Other(text) if text.contains("external raw data") => {
            "copy the data into the file, as with `h5repack`"
        }
        error if is_unsupported(error) => "rewrite it with `h5repack`",
        _ => "the file is damaged; copy it again",
    };
    origin.fault_with(place, error.to_string(), fix)
}

/// The order of bytes as it is named here.
fn order(order: hdf5_reader::ByteOrder) -> ByteOrder {
    match order {
        hdf5_reader::ByteOrder::LittleEndian => ByteOrder::Little,
        hdf5_reader::ByteOrder::BigEndian => ByteOrder::Big,
    }
}
