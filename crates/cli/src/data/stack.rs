//! `cupel data stack`: bands of several files as one image.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use cupel::data::{Dataset, Image, open};

use super::tool::{Reading, Written, target, write};
use crate::{
    Command, Session,
    shared::{Out, Output, Shared},
};

/// Write the bands of several images of the same pixels as one image
#[derive(Args)]
pub struct Stack {
    /// The images, at least two; FILE:VARIABLE for one of several arrays
    #[arg(value_name = "SCENE", num_args = 2.., required = true)]
    files: Vec<PathBuf>,

    #[command(flatten)]
    reading: Reading,

    #[command(flatten)]
    out: Out,
    #[command(flatten)]
    output: Output,
}

impl Stack {
    /// The files, opened, each with the variable that is named.
    fn open(&self) -> Result<Vec<(Dataset, Option<String>)>> {
        let one = |path: &PathBuf| -> Result<(Dataset, Option<String>)> {
            let (file, variable) = cupel::data::file_and_variable(path);
            Ok((open(file)?, variable.or_else(|| self.reading.variable().map(str::to_owned))))
        };
        self.files.iter().map(one).collect()
    }

    fn image<'a>(&self, files: &'a [(Dataset, Option<String>)]) -> Result<Image<'a>> {
        if files.len() < 2 {
            bail!("one file is no stack; name two or more");
        }
        let images = files.iter().map(|(dataset, variable)| self.reading.image(dataset, variable.as_deref()));
        Ok(Image::stack(images.collect::<Result<_>>()?)?)
    }
}

impl Command for Stack {
    type Plan = Written;
    type Outcome = Written;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).out(&self.out)
    }

    fn plan(&self, session: &Session) -> Result<Written> {
        let out = target(session)?;
        let files = self.open()?;
        let image = self.image(&files)?;
        Ok(Written::of(&out, &image.info().told, image.info(), Vec::new()))
    }

    fn work(self, plan: Written, session: &mut Session) -> Result<Written> {
        let files = self.open()?;
        write(&self.image(&files)?, plan, session)
    }
}
