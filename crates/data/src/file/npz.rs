//! NPZ, NumPy's archive of named arrays: a ZIP file whose members are NPY files.

use crate::{
    array::Array,
    error::{Error, Place, Result},
    file::{
        dataset::{Class, Variable},
        limits::Limits,
        npy::{self, Dtype},
        origin::Origin,
        zip::{self, Member},
    },
};
use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

/// What the name of every array ends in.
const SUFFIX: &str = ".npy";

/// The members of an archive, in the order of its variables.
#[derive(Debug)]
pub(crate) struct Archive(Vec<Member>);

/// Reads the directory and the header of every array.
pub(crate) fn read_directory(
    file: &mut File,
    len: u64,
    limits: &Limits,
    origin: &Origin,
) -> Result<(Archive, Vec<Variable>)> {
    let members = zip::read_directory(file, len, limits, origin)?;
    if !members.is_empty() && !members.iter().any(|member| member.name.ends_with(SUFFIX)) {
        return Err(Error::Unrecognised {
            path: origin.path.clone(),
            found: format!("a ZIP archive of {} members without an array (.npy)", members.len()),
        });
    }
    let mut variables: Vec<Variable> = Vec::with_capacity(members.len());
    for member in &members {
        // Of other members too: a damaged name must not make an array disappear.
        let mut reader = zip::open_member(file, member, origin)?;
        let variable = match member.name.strip_suffix(SUFFIX) {
            Some(name) => {
                let place = Place::Variable(name.into());
                let header = npy::read_header(&mut reader, origin, &place)?;
                header.check_length(member.size, origin, &place)?;
                if let Dtype::Refused(_) = header.dtype {
                    // It will not be read; that its type is not just damaged is found out now.
                    io::copy(&mut reader, &mut io::sink()).and_then(|_| reader.finish()).map_err(origin.read(place))?;
                }
                Variable::new(name, header.shape.clone(), header.dtype.into())
            }
            None => Variable::new(&member.name, Vec::new(), Class::Other("not an array".into())),
        };
        variables.push(variable);
    }
    // `a` and `a.npy` are two members with one variable name.
    let mut names: Vec<&str> = variables.iter().map(Variable::name).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        let place = Place::Variable(pair[0].into());
        return Err(origin.fault(place, "two members have this name"));
    }
    Ok((Archive(members), variables))
}

impl Archive {
    /// Reads the array at `position` and checks its checksum.
    pub(crate) fn read(&self, file: &mut File, position: usize, origin: &Origin) -> Result<Array> {
        let member = &self.0[position];
        let place = Place::Variable(member.name.trim_end_matches(SUFFIX).into());
        let mut reader = zip::open_member(file, member, origin)?;
        let header = npy::read_header(&mut reader, origin, &place)?;
        header.check_length(member.size, origin, &place)?;
        let array = npy::read_values_of(&header, &mut reader, origin, &place)?;
        reader.finish().map_err(origin.read(place))?;
        Ok(array)
    }
}

impl From<Dtype> for Class {
    fn from(dtype: Dtype) -> Self {
        match dtype {
            Dtype::Number(element, _) => Self::Number(element),
            Dtype::Refused(what) => Self::Other(what),
        }
    }
}

/// Writes a deflated archive.
pub(crate) fn write(output: &mut dyn Write, arrays: &[(&str, &Array)], path: &Path) -> Result<()> {
    let mut writer = zip::Writer::new(output, path);
    for (name, array) in arrays {
        writer.add(&format!("{name}{SUFFIX}"), |member| npy::write(member, array, path))?;
    }
    writer.finish()
}
