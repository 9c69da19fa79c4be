//! `cupel data convert`: the same arrays in another format.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use cupel::data::{convert, open};

use super::tool::Written;
use crate::{
    Command, Session,
    shared::{Output, Shared, Writing},
};

/// Write the arrays of a file in the format that the ending of the target names
#[derive(Args)]
pub struct Convert {
    /// The file to read; its format is found by its content
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The file to write: .npy, .npz, .mat, .png, .tif, .csv, .tsv, .fits, or ENVI by .img, .hdr, .bip, .bil or .bsq
    #[arg(value_name = "TARGET")]
    target: PathBuf,
    /// The array to take where there are several
    #[arg(long, value_name = "NAME")]
    variable: Option<String>,
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    output: Output,
}

impl Command for Convert {
    type Plan = Written;
    type Outcome = Written;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).writing(&self.writing)
    }

    fn plan(&self, session: &Session) -> Result<Written> {
        session.may_write(&self.target)?;
        let dataset = open(&self.file)?;
        if let Some(name) = &self.variable {
            dataset.variable(name)?;
        }
        Ok(Written::planned(&self.target))
    }

    fn work(self, plan: Written, session: &mut Session) -> Result<Written> {
        let lost = convert(&self.file, &self.target, self.variable.as_deref(), session.force())?;
        Ok(plan.done(session, lost))
    }
}
