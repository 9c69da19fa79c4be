//! What the tools share: the image that they read, and the file that they write.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use cupel::{
    data::{AxisKind, Dataset, Image, ImageInfo, open},
    unmixing::AxisOrder,
};
use serde::Serialize;

use crate::{
    Command, Session,
    shared::{Out, Output, Shared},
};

/// What makes one image of another.
pub trait Tool: Args {
    /// What it reads and writes.
    fn files(&self) -> &Files;

    /// The image that is wanted, with what was done, a line each.
    ///
    /// # Errors
    /// What the image does not allow.
    fn image<'a>(&self, image: Image<'a>) -> Result<(Image<'a>, Vec<String>)>;
}

/// What a tool reads and writes.
#[derive(Args, Clone, Debug)]
pub struct Files {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    out: Out,
    #[command(flatten)]
    output: Output,
}

impl<T: Tool> Command for T {
    type Plan = Written;
    type Outcome = Written;

    fn shared(&self) -> Shared<'_> {
        let Files { out, output, .. } = self.files();
        Shared::new(output).out(out)
    }

    fn plan(&self, session: &Session) -> Result<Written> {
        let out = target(session)?;
        let source = &self.files().source;
        let dataset = source.open()?;
        let whole = source.image(&dataset)?;
        let told = whole.info().told.clone();
        let (image, done) = self.image(whole)?;
        Ok(Written::of(&out, &told, image.info(), done))
    }

    fn work(self, plan: Written, session: &mut Session) -> Result<Written> {
        let source = &self.files().source;
        let dataset = source.open()?;
        let (image, _) = self.image(source.image(&dataset)?)?;
        write(&image, plan, session)
    }
}

/// The image that is read.
#[derive(Args, Clone, Debug)]
pub struct Source {
    /// The image: ENVI, TIFF, HDF5, NetCDF, FITS, NPY, NPZ, MATLAB or CSV; its format is found by its content
    #[arg(value_name = "SCENE")]
    file: PathBuf,
    #[command(flatten)]
    reading: Reading,
}

/// How a file is read that does not say it itself.
#[derive(Args, Clone, Debug)]
pub struct Reading {
    /// The array to take where there are several
    #[arg(long, value_name = "NAME")]
    variable: Option<String>,

    /// Axes of a cube in the order of the file, as in bands,rows,columns, where the file does not tell
    #[arg(long, value_name = "ORDER")]
    axes: Option<AxisOrder>,
}

impl Source {
    /// The file, opened.
    pub fn open(&self) -> Result<Dataset> {
        Ok(open(&self.file)?)
    }

    /// The image in it.
    pub fn image<'a>(&self, dataset: &'a Dataset) -> Result<Image<'a>> {
        self.reading.image(dataset, self.reading.variable.as_deref())
    }
}

impl Reading {
    /// The image in a file: this variable, else the one that is meant.
    pub fn image<'a>(&self, dataset: &'a Dataset, variable: Option<&str>) -> Result<Image<'a>> {
        let axes: Option<[AxisKind; 3]> = self.axes.map(|order| order.kinds());
        Ok(Image::open(dataset, variable, axes.as_ref().map(<[AxisKind; 3]>::as_slice))?)
    }

    /// The variable that is named.
    pub fn variable(&self) -> Option<&str> {
        self.variable.as_deref()
    }
}

/// Where the result of a tool goes.
pub fn target(session: &Session) -> Result<PathBuf> {
    let out = session.out().context("--out is needed: the file to write")?;
    session.may_write(out)?;
    if !cupel::data::is_written(out) {
        bail!(
            "{}: its ending is none of those that are written; `cupel data convert --help` lists them",
            out.display()
        );
    }
    Ok(out.to_path_buf())
}

/// Writes an image, and tells what the format does not keep.
pub fn write(image: &Image<'_>, plan: Written, session: &Session) -> Result<Written> {
    let lost = image.write(Path::new(&plan.written), session.force())?;
    Ok(plan.done(session, lost))
}

/// What is written, or would be.
#[derive(Serialize)]
pub struct Written {
    #[serde(skip)]
    is_done: bool,
    pub written: String,
    /// How the file was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    read_as: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    columns: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bands: Option<usize>,
    /// What was done, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    done: Vec<String>,
    /// What the format does not keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<String>,
}

impl Written {
    /// A file that would be written.
    pub fn planned(path: &Path) -> Self {
        let written = path.display().to_string();
        Self {
            is_done: false,
            written,
            read_as: None,
            rows: None,
            columns: None,
            bands: None,
            done: Vec::new(),
            lost: None,
        }
    }

    /// The same for an image that was read as `read_as`, with what is done to it.
    pub fn of(path: &Path, read_as: &str, image: &ImageInfo, done: Vec<String>) -> Self {
        Self {
            read_as: Some(read_as.to_owned()),
            rows: Some(image.rows),
            columns: Some(image.columns),
            bands: Some(image.bands),
            done,
            ..Self::planned(path)
        }
    }

    /// It is written; what is lost is told.
    pub fn done(self, session: &Session, lost: Option<String>) -> Self {
        if let Some(lost) = &lost {
            session.note(format_args!("{lost}"));
        }
        Self { is_done: true, lost, ..self }
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(read_as) = &self.read_as {
            writeln!(f, "read as {read_as}")?;
        }
        self.done.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        write!(f, "{}{}", if self.is_done { "" } else { "would write " }, self.written)?;
        match (self.rows, self.columns, self.bands) {
            (Some(rows), Some(columns), Some(bands)) => {
                write!(f, ": {rows} rows, {columns} columns, {bands} band{}", if bands == 1 { "" } else { "s" })
            }
            _ => Ok(()),
        }
    }
}
