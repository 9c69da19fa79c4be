//! [`Dataset`]: an open file, what is in it, and its arrays on demand.

use crate::{
    array::Array,
    axes::{Axes, Axis, AxisKind},
    cube::Cube,
    element::{Element, ElementType},
    error::{Error, Result},
    file::{
        Attribute, delimited,
        envi::{self, EnviHeader},
        fits::{self, FitsHeader},
        georeference::Georeference,
        guard::guarded,
        hdf5, jpeg,
        limits::Limits,
        mat, mat4,
        meaning::Meaning,
        memory, npy, npz,
        origin::Origin,
        png,
        raw::Raw,
        tiff,
        tiles::{Dressing, Pieces, Tiles},
    },
    nearest::nearest_name,
    table::Table,
};
use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// One NumPy array.
    Npy,
    /// A ZIP archive of NumPy arrays.
    Npz,
    /// MATLAB 4 to 7, compressed or not.
    Matlab,
    /// MATLAB 7.3, which is HDF5 with conventions of its own.
    Matlab73,
    /// HDF5, and NetCDF 4, which is HDF5.
    Hdf5,
    /// Text with one record per line and a delimiter between fields: CSV, TSV and their kin.
    Delimited,
    /// Portable network graphics.
    Png,
    /// An ENVI image or spectral library: raw numbers beside a text header.
    Envi,
    /// A FITS file: images, and binary tables with a variable a column.
    Fits,
    /// A TIFF image of one page or several, whole numbers or floating-point ones.
    Tiff,
    /// A JPEG photograph.
    Jpeg,
}

impl Format {
    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Npy => "NPY",
            Self::Npz => "NPZ",
            Self::Matlab => "MATLAB",
            Self::Matlab73 => "MATLAB 7.3",
            Self::Hdf5 => "HDF5",
            Self::Delimited => "CSV/TSV",
            Self::Png => "PNG",
            Self::Envi => "ENVI",
            Self::Fits => "FITS",
            Self::Tiff => "TIFF",
            Self::Jpeg => "JPEG",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a variable is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Class {
    /// An array of numbers.
    Number(ElementType),
    /// A sparse matrix, read with its zeros.
    Sparse(ElementType),
    /// Text; [`Dataset::text`] reads it.
    Text,
    /// A table with text in it; [`Dataset::table`] reads it.
    Table,
    /// A struct of MATLAB or records of HDF5; the fields of a single struct and of records are listed as variables `name.field`.
    Struct,
    /// A cell array; [`Dataset::text`] reads one that holds only text.
    Cell,
    /// Something that is not read, with what it is.
    Other(String),
}

impl Class {
    fn is_array(&self) -> bool {
        matches!(self, Self::Number(_) | Self::Sparse(_))
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(element) => write!(f, "{element}"),
            Self::Sparse(element) => write!(f, "sparse {element}"),
            Self::Text => f.write_str("text"),
            Self::Table => f.write_str("table"),
            Self::Struct => f.write_str("struct"),
            Self::Cell => f.write_str("cell"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// A named thing in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    name: String,
    shape: Vec<usize>,
    class: Class,
}

impl Variable {
    pub(crate) fn new(name: &str, shape: Vec<usize>, class: Class) -> Self {
        Self { name: name.to_string(), shape, class }
    }

    /// The name; the name of the file without its ending where the format does not name its one array.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The shape that the software which wrote the file shows.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// What it is.
    pub fn class(&self) -> &Class {
        &self.class
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {}", self.name, self.shape, self.class)
    }
}

/// An open file; made by [`open`](crate::open).
///
/// Opening reads what is needed to list the variables; a variable is decoded, and its checksum checked where the format
/// has one, when it is asked for. The numbers of ENVI images, and those of which [`Dataset::tiles`] are taken where the format
/// has them plain, are mapped: such a file must not be cut short while it is read.
#[derive(Debug)]
pub struct Dataset {
    origin: Origin,
    file: Mutex<File>,
    format: Format,
    limits: Limits,
    variables: Vec<Variable>,
    content: Content,
    /// Numbers that stand for missing values although the file does not say so.
    missing: Vec<f64>,
}

/// What the formats keep to find their variables again.
#[derive(Debug)]
pub(crate) enum Content {
    Npy(npy::Header),
    Npz(npz::Archive),
    Matlab(mat::Directory),
    Matlab4(mat4::Directory),
    Hdf5(hdf5::Directory),
    Delimited(delimited::Layout),
    Png,
    Envi(Box<envi::Envi>),
    Fits(fits::Fits),
    Tiff(Vec<tiff::Listed>),
    Jpeg,
}

impl Dataset {
    pub(crate) fn new(origin: Origin, file: File, limits: Limits, content: Content, variables: Vec<Variable>) -> Self {
        let format = match &content {
            Content::Npy(_) => Format::Npy,
            Content::Npz(_) => Format::Npz,
            Content::Matlab(_) | Content::Matlab4(_) => Format::Matlab,
            Content::Hdf5(directory) if directory.is_matlab() => Format::Matlab73,
            Content::Hdf5(_) => Format::Hdf5,
            Content::Delimited(_) => Format::Delimited,
            Content::Png => Format::Png,
            Content::Envi(_) => Format::Envi,
            Content::Fits(_) => Format::Fits,
            Content::Tiff(_) => Format::Tiff,
            Content::Jpeg => Format::Jpeg,
        };
        Self { origin, file: Mutex::new(file), format, limits, variables, content, missing: Vec::new() }
    }

    /// The same file, of which these stored numbers stand for missing values, too.
    #[must_use]
    pub fn with_missing(self, missing: &[f64]) -> Self {
        Self { missing: [&self.missing, missing].concat(), ..self }
    }

    /// Numbers that stand for missing values although the file does not say so.
    pub(crate) fn missing(&self) -> &[f64] {
        &self.missing
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.origin.path
    }

    /// Its format, found by its content.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Everything that is in the file, in its order.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// The variable of this name.
    ///
    /// # Errors
    /// [`Error::MissingVariable`] with the name that was probably meant and the list of those there are.
    pub fn variable(&self, name: &str) -> Result<&Variable> {
        self.position(name).map(|position| &self.variables[position])
    }

    /// The array of this name, or the only one, row-major and with the type it has in the file.
    ///
    /// Where a FITS file has one image, that is the only array, whatever tables there are beside it.
    ///
    /// A text table is an array of f64 with empty cells, `NA` and `NaN` as NaN and `inf` as infinity. An image is
    /// `[rows, columns]` or `[rows, columns, channels]`.
    ///
    /// # Errors
    /// [`Error::MissingVariable`]; [`Error::SeveralVariables`] when there are several and none is named;
    /// [`Error::NoArray`] when there is none; [`Error::VariableClass`] for text, structs and cells; [`Error::Format`] when its
    /// bytes are damaged; [`Error::FileLimit`] when it is larger than [`Limits`] allow.
    pub fn array(&self, name: Option<&str>) -> Result<Array> {
        self.array_position(name).and_then(|position| self.read(position))
    }

    /// Where the array of this name, or the only one, is in the list.
    fn array_position(&self, name: Option<&str>) -> Result<usize> {
        let position = match name {
            Some(name) => self.position(name)?,
            None => self.only_array()?,
        };
        let variable = &self.variables[position];
        let fix = match &variable.class {
            Class::Number(_) | Class::Sparse(_) => return Ok(position),
            Class::Table => match &self.content {
                Content::Delimited(layout) => return Err(layout.first_text(&self.origin)),
                _ => String::new(),
            },
            Class::Text => "read it as text".into(),
            Class::Struct => {
                let prefix = format!("{}.", variable.name);
                let fields: Vec<String> = self
                    .variables
                    .iter()
                    .filter(|field| field.name.starts_with(&prefix))
                    .map(Variable::to_string)
                    .collect();
                if fields.is_empty() {
                    "only the fields of single structs are read".into()
                } else {
                    format!("name one of its fields: {}", fields.join(", "))
                }
            }
            Class::Cell => {
                let prefix = format!("{}{{", variable.name);
                let cells = self.variables.iter().filter(|cell| cell.name.starts_with(&prefix));
                let cells: Vec<String> = cells.map(Variable::to_string).collect();
                if cells.is_empty() {
                    "write its cells as variables of their own".into()
                } else {
                    format!("name one of its cells: {}", cells.join(", "))
                }
            }
            Class::Other(_) => "save it as a plain array of numbers".into(),
        };
        Err(self.wrong_class(variable, "an array of numbers", fix))
    }

    /// The array of this name, or the only one, with numbers of type `T` and [`Dataset::axes`].
    ///
    /// The numbers are measured values by what the file says of them, its [`Meaning`]: missing ones are NaN if `T` has NaN, the others
    /// are scaled.
    ///
    /// # Errors
    /// Those of [`Dataset::array`], and [`Error::Inexact`] when a number does not fit into `T` by the rules of [`Element`].
    pub fn cube<T: Element>(&self, name: Option<&str>) -> Result<Cube<T>> {
        let position = self.array_position(name)?;
        self.dressing(position)?.dress(self.read(position)?)
    }

    /// [`Dataset::cube`] with the numbers as they are stored; missing ones are NaN all the same.
    ///
    /// # Errors
    /// As [`Dataset::cube`].
    pub fn stored<T: Element>(&self, name: Option<&str>) -> Result<Cube<T>> {
        let position = self.array_position(name)?;
        let Dressing { axes, meaning } = self.dressing(position)?;
        Dressing { axes, meaning: meaning.stored() }.dress(self.read(position)?)
    }

    /// What the numbers of the array of this name, or of the only one, stand for: by the header of an ENVI image, by the attributes of
    /// HDF5, by GDAL's tags of a TIFF image. What the format itself scales, as FITS does, is scaled wherever it is read.
    ///
    /// # Errors
    /// Those of [`Dataset::array`] that do not come from reading it; [`Error::Format`] for damaged attributes.
    pub fn meaning(&self, name: Option<&str>) -> Result<Meaning> {
        Ok(self.dressing(self.array_position(name)?)?.meaning)
    }

    /// The axes of the array of this name, or of the only one.
    ///
    /// An ENVI image has rows, columns and wavelengths, in nanometres where the header gives them. A FITS image has the axes of
    /// its [`WcsAxis`](crate::WcsAxis), frequencies in MHz among them. Everything else has [`AxisKind::Dimension`] 0, 1, ...
    ///
    /// # Errors
    /// Those of [`Dataset::array`] that do not come from reading it; [`Error::Format`] for world coordinates that cannot be.
    pub fn axes(&self, name: Option<&str>) -> Result<Axes> {
        Ok(self.dressing(self.array_position(name)?)?.axes)
    }

    /// The array of this name, or the only one, in pieces of `len` positions along one of its [`axes`](Dataset::axes); the
    /// last piece may be shorter.
    ///
    /// ENVI images, NPY and FITS are mapped, and of HDF5 (and MATLAB 7.3) only the chunks with the piece in them are decoded: of
    /// these no more than one piece is in memory, however large the file. Other formats are read whole first.
    ///
    /// # Errors
    /// Those of [`Dataset::array`]; [`Error::MissingAxis`] when there is no such axis; [`Error::Setting`] when `len` is 0. The
    /// pieces come with the errors of [`Dataset::cube`].
    ///
    /// # Example
    /// ```
    /// use cupel_data::{Array, AxisKind, EnviHeader, Values, open, write_envi_array};
    /// # fn main() -> cupel_data::Result<()> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("scene.img");
    /// let image = Array::new(vec![5, 1, 2], Values::U16((0..10).collect()))?;
    /// write_envi_array(&path, &EnviHeader::new(5, 1, 2), &image)?;
    /// let mut sum = 0.0;
    /// for rows in open(&path)?.tiles::<f32>(None, AxisKind::Row, 2)? {
    ///     sum += rows?.values().iter().sum::<f32>();
    /// }
    /// assert_eq!(sum, 45.0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn tiles<T: Element>(&self, name: Option<&str>, along: AxisKind, len: usize) -> Result<Tiles<T>> {
        let position = self.array_position(name)?;
        self.tiles_under(position, self.dressing(position)?, along, len)
    }

    /// [`Dataset::tiles`] with the numbers as they are stored; missing ones are NaN all the same.
    ///
    /// # Errors
    /// As [`Dataset::tiles`].
    pub fn stored_tiles<T: Element>(&self, name: Option<&str>, along: AxisKind, len: usize) -> Result<Tiles<T>> {
        let position = self.array_position(name)?;
        let Dressing { axes, meaning } = self.dressing(position)?;
        self.tiles_under(position, Dressing { axes, meaning: meaning.stored() }, along, len)
    }

    fn tiles_under<T: Element>(
        &self,
        position: usize,
        dressing: Dressing,
        along: AxisKind,
        len: usize,
    ) -> Result<Tiles<T>> {
        Tiles::new(self.pieces_at(position)?, dressing, along, len)
    }

    /// The array of this name, with where it is in the list, in pieces.
    pub(crate) fn pieces(&self, name: &str) -> Result<(usize, Pieces)> {
        let position = self.array_position(Some(name))?;
        Ok((position, self.pieces_at(position)?))
    }

    /// The name of the only array.
    ///
    /// # Errors
    /// None, or several.
    pub fn only_array_name(&self) -> Result<String> {
        self.array_position(None).map(|position| self.variables[position].name.clone())
    }

    fn pieces_at(&self, position: usize) -> Result<Pieces> {
        Ok(match &self.content {
            Content::Envi(envi) if position == 0 => Pieces::Raw(envi.raw.clone()),
            Content::Npy(header) => {
                let layout = header.layout(&self.origin)?;
                let file = self.file().try_clone().map_err(Error::io("read", self.path()))?;
                Pieces::Raw(Arc::new(Raw::new(file, layout, &self.origin)?))
            }
            Content::Fits(fits) => Pieces::Raw(Arc::new(fits.raw(&self.file(), position, &self.origin)?)),
            Content::Hdf5(directory) => match directory.pieces(position, &self.origin) {
                Some(pieces) => Pieces::Hdf5(Box::new(pieces)),
                None => Pieces::Whole(self.read(position)?),
            },
            _ => Pieces::Whole(self.read(position)?),
        })
    }

    /// Where on the Earth the pixels of the image lie, as far as an ENVI header or the tags of a TIFF file say.
    pub fn georeference(&self) -> Option<Georeference> {
        match &self.content {
            Content::Envi(envi) => {
                Some(Georeference::Envi(envi.header.place())).filter(|_| !envi.header.place().is_empty())
            }
            Content::Tiff(pages) => {
                let first = pages.first().filter(|page| !page.place.is_empty())?;
                Some(Georeference::GeoTiff(first.place.clone()))
            }
            _ => None,
        }
    }

    /// The same of the variable at `position`.
    pub(crate) fn georeference_of(&self, position: usize) -> Option<Georeference> {
        match &self.content {
            Content::Tiff(pages) => {
                let page = pages.get(position).filter(|page| !page.place.is_empty())?;
                Some(Georeference::GeoTiff(page.place.clone()))
            }
            _ => self.georeference().filter(|_| position == 0),
        }
    }

    /// What a TIFF file says of the bands of the variable at `position`; nothing for other formats.
    pub(crate) fn tiff_bands(&self, position: usize) -> Option<&tiff::BandItems> {
        match &self.content {
            Content::Tiff(pages) => pages.get(position).map(|page| &page.bands),
            _ => None,
        }
    }

    /// What the header of an ENVI image says; nothing for other formats.
    pub fn envi_header(&self) -> Option<&EnviHeader> {
        match &self.content {
            Content::Envi(envi) => Some(&envi.header),
            _ => None,
        }
    }

    /// What the header of a FITS file says of the variable of this name, or of the only array; nothing for other formats.
    ///
    /// # Errors
    /// [`Error::MissingVariable`]; [`Error::SeveralVariables`] and [`Error::NoArray`] when none is named.
    pub fn fits_header(&self, name: Option<&str>) -> Result<Option<&FitsHeader>> {
        let position = match name {
            Some(name) => self.position(name)?,
            None => self.only_array()?,
        };
        match &self.content {
            Content::Fits(fits) => Ok(Some(fits.header(position))),
            _ => Ok(None),
        }
    }

    /// What makes a cube of the array at `position`.
    fn dressing(&self, position: usize) -> Result<Dressing> {
        let mut dressing = self.own_dressing(position)?;
        dressing.meaning.missing.extend(&self.missing);
        Ok(dressing)
    }

    /// The same by what the file says.
    fn own_dressing(&self, position: usize) -> Result<Dressing> {
        match &self.content {
            Content::Envi(envi) if position == 0 => Ok(Dressing { axes: envi.axes()?, meaning: envi.meaning() }),
            content => {
                if let Content::Fits(fits) = content
                    && let Some(axes) = fits.axes(position)?
                {
                    return Ok(Dressing { axes, meaning: Meaning::default() });
                }
                let variable = &self.variables[position];
                if let Content::Hdf5(directory) = content
                    && let Some(described) = directory.described(position)
                {
                    return Ok(Dressing { axes: described.axes.clone(), meaning: described.meaning.clone() });
                }
                let meaning = match content {
                    Content::Tiff(pages) => pages[position].meaning.clone(),
                    Content::Hdf5(_) => Meaning::of_attributes(&self.attributes(variable.name())?),
                    _ => Meaning::default(),
                };
                let shape = variable.shape();
                if let Content::Tiff(pages) = content
                    && let Some(axes) = pages[position].axes(shape)?
                {
                    return Ok(Dressing { axes, meaning });
                }
                let axes = shape.iter().zip(0..=u8::MAX);
                let axes = axes.map(|(&len, number)| Axis::new(AxisKind::Dimension(number), len)).collect();
                Ok(Dressing { axes: Axes::new(axes)?, meaning })
            }
        }
    }

    /// The lines of a text, or the texts of a cell array.
    ///
    /// # Errors
    /// [`Error::MissingVariable`], [`Error::VariableClass`] for anything else, [`Error::Format`] for damaged bytes.
    pub fn text(&self, name: &str) -> Result<Vec<String>> {
        let position = self.position(name)?;
        let variable = &self.variables[position];
        match (&self.content, &variable.class) {
            (Content::Matlab(directory), Class::Text | Class::Cell) => {
                match directory.read_text(&mut self.file(), position, &self.limits, &self.origin)? {
                    Some(text) => Ok(text),
                    None => Err(self.wrong_class(variable, "text", "not all its cells are text".into())),
                }
            }
            (Content::Matlab4(directory), Class::Text) => directory.read_text(&mut self.file(), position, &self.origin),
            (Content::Hdf5(directory), Class::Text | Class::Cell) => {
                let origin = &self.origin;
                match guarded(origin, || directory.read_text(position, &self.limits, origin))? {
                    Some(text) => Ok(text),
                    None => Err(self.wrong_class(variable, "text", "not all its cells are text".into())),
                }
            }
            (Content::Fits(fits), Class::Text) => fits.text(&mut self.file(), position, &self.origin),
            (Content::Envi(envi), Class::Text) => Ok(envi.text(position).unwrap_or_default()),
            _ => Err(self.wrong_class(variable, "text", "read it as an array".into())),
        }
    }

    /// The attributes of a variable or a group by its path, or of the file for `""` and `"/"`: what HDF5 keeps beside the data,
    /// such as units and names of axes. Fields of records have none of their own, and other formats none at all.
    ///
    /// # Errors
    /// [`Error::MissingVariable`] when nothing has this name; [`Error::Format`] when its bytes are damaged.
    ///
    /// # Example
    /// ```no_run
    /// let file = cupel_data::open("visibilities.h5")?;
    /// let unit = file.attributes("vis")?.get("units").and_then(|unit| unit.text().map(String::from));
    /// # Ok::<(), cupel_data::Error>(())
    /// ```
    pub fn attributes(&self, name: &str) -> Result<BTreeMap<String, Attribute>> {
        let path = name.trim_matches('/');
        if let Content::Hdf5(directory) = &self.content
            && let Some(attributes) = guarded(&self.origin, || directory.attributes(path, &self.origin))?
        {
            return Ok(attributes);
        }
        if !path.is_empty() {
            self.position(name)?;
        }
        Ok(BTreeMap::new())
    }

    /// The typed columns of a text table with a header row.
    ///
    /// # Errors
    /// [`Error::Format`] with line and field when there is no header row; [`Error::VariableClass`] for other formats.
    pub fn table(&self) -> Result<Table> {
        match (&self.content, self.variables.first()) {
            (Content::Delimited(layout), _) => layout.read_table(&mut self.file(), &self.origin),
            (_, Some(variable)) => Err(self.wrong_class(variable, "a table", "write the table as CSV".into())),
            (_, None) => Err(Error::NoArray { path: self.path().into(), have: Vec::new() }),
        }
    }

    /// What is odd about the file and does not stand in the way of reading it, such as a header that does not agree with its checksum.
    /// Opening logs it, too.
    pub fn warnings(&self) -> &[String] {
        match &self.content {
            Content::Fits(fits) => &fits.warnings,
            _ => &[],
        }
    }

    /// The names in the header row of a text table; nothing without one, and for other formats.
    pub fn column_names(&self) -> Option<&[String]> {
        match &self.content {
            Content::Delimited(layout) => layout.header(),
            _ => None,
        }
    }

    /// Where the arrays are.
    pub(crate) fn array_positions(&self) -> Vec<usize> {
        (0..self.variables.len()).filter(|&position| self.variables[position].class.is_array()).collect()
    }

    fn read(&self, position: usize) -> Result<Array> {
        let bytes = match &self.content {
            // What was opened may be the header; the numbers beside it were measured then.
            Content::Envi(_) => u64::MAX,
            _ => self.file().metadata().map_err(Error::io("read", self.path()))?.len(),
        };
        self.read_within(position, memory::free_for(&self.variables[position], bytes))
    }

    /// Reads an array whole, if no more than `free` bytes of memory are known to be there and it takes less.
    pub(crate) fn read_within(&self, position: usize, free: Option<u64>) -> Result<Array> {
        memory::check(&self.variables[position], free, self.format(), &self.origin)?;
        let (mut file, origin) = (self.file(), &self.origin);
        match &self.content {
            Content::Npy(header) => npy::read_array(&mut file, header, origin),
            Content::Npz(archive) => archive.read(&mut file, position, origin),
            Content::Matlab(directory) => directory.read_array(&mut file, position, &self.limits, origin),
            Content::Matlab4(directory) => directory.read_array(&mut file, position, origin),
            Content::Hdf5(directory) => guarded(origin, || directory.read_array(position, &self.limits, origin)),
            Content::Delimited(layout) => layout.read_array(&mut file, origin),
            Content::Png => png::read_array(&mut file, &self.limits, origin),
            Content::Envi(envi) => envi.array(position),
            Content::Fits(fits) => fits.array(&mut file, position, origin),
            Content::Tiff(pages) => {
                guarded(origin, || tiff::read_array(&mut file, &pages[position], &self.limits, origin))
            }
            Content::Jpeg => guarded(origin, || jpeg::read_array(&mut file, &self.limits, origin)),
        }
    }

    /// The file for one reader at a time: its position is shared. A reader that panicked left nothing but a position.
    fn file(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn position(&self, name: &str) -> Result<usize> {
        let position = self.variables.iter().position(|variable| variable.name == name);
        position.ok_or_else(|| Error::MissingVariable {
            path: self.path().into(),
            wanted: name.into(),
            suggestion: nearest_name(name, self.variables.iter().map(Variable::name)).map(str::to_string),
            have: self.variables.iter().map(Variable::to_string).collect(),
        })
    }

    fn only_array(&self) -> Result<usize> {
        let describe = |positions: &[usize]| {
            let variables = positions.iter().map(|&position| self.variables[position].to_string());
            variables.collect::<Vec<_>>()
        };
        let mut arrays = self.array_positions();
        if let Content::Fits(fits) = &self.content
            && arrays.iter().any(|&position| fits.is_image(position))
        {
            // Tables beside an image say something about it: its beams, its bands.
            arrays.retain(|&position| fits.is_image(position));
        }
        if let Content::Tiff(pages) = &self.content {
            // A mask says something about the image beside it.
            arrays.retain(|&position| pages[position].mask.is_none());
        }
        match (&self.content, arrays.as_slice()) {
            // A table with text in it says itself which cell is not a number; an image has its wavelengths with it.
            (Content::Delimited(_) | Content::Envi(_), _) => Ok(0),
            (_, &[position]) => Ok(position),
            (_, []) => Err(Error::NoArray {
                path: self.path().into(),
                have: describe(&(0..self.variables.len()).collect::<Vec<_>>()),
            }),
            (_, several) => Err(Error::SeveralVariables { path: self.path().into(), have: describe(several) }),
        }
    }

    fn wrong_class(&self, variable: &Variable, expected: &'static str, fix: String) -> Error {
        Error::VariableClass {
            path: self.path().into(),
            name: variable.name.clone(),
            class: match &variable.class {
                Class::Number(_) | Class::Sparse(_) => "an array of numbers".into(),
                Class::Text => "text".into(),
                Class::Table => "a table".into(),
                Class::Struct => "a struct".into(),
                Class::Cell => "a cell array".into(),
                Class::Other(what) => what.clone(),
            },
            expected,
            fix,
        }
    }
}
