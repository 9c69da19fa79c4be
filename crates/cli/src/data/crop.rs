//! `cupel data crop`: a part of an image.

use anyhow::{Result, bail};
use clap::Args;
use cupel::{data::Image, unmixing::Roi};

use super::tool::{Source, Written, target, write};
use crate::{
    Command, Session,
    shared::{Out, Output, Shared},
};

/// Write a part of an image; its place on the map moves with it
#[derive(Args)]
pub struct Crop {
    #[command(flatten)]
    source: Source,

    /// The part, as in 10-50,20-80: rows and columns counted from 1, both ends among them
    #[arg(long, value_name = "ROWS,COLUMNS")]
    roi: Roi,

    #[command(flatten)]
    out: Out,
    #[command(flatten)]
    output: Output,
}

impl Crop {
    fn image<'a>(&self, image: Image<'a>) -> Result<Image<'a>> {
        let Roi { rows: [row, last_row], columns: [column, last_column] } = self.roi;
        let info = image.info();
        if last_row > info.rows || last_column > info.columns {
            bail!(
                "--roi goes up to row {last_row} and column {last_column}, and {} has {} rows and {} columns",
                info.path.display(),
                info.rows,
                info.columns
            );
        }
        Ok(image.crop(row - 1..last_row, column - 1..last_column)?)
    }
}

impl Command for Crop {
    type Plan = Written;
    type Outcome = Written;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).out(&self.out)
    }

    fn plan(&self, session: &Session) -> Result<Written> {
        let out = target(session)?;
        let dataset = self.source.open()?;
        let whole = self.source.image(&dataset)?;
        let told = whole.info().told.clone();
        let image = self.image(whole)?;
        let Roi { rows, columns } = self.roi;
        let done = format!("rows {} to {} and columns {} to {}", rows[0], rows[1], columns[0], columns[1]);
        Ok(Written::of(&out, &told, image.info(), vec![done]))
    }

    fn work(self, plan: Written, session: &mut Session) -> Result<Written> {
        let dataset = self.source.open()?;
        write(&self.image(self.source.image(&dataset)?)?, plan, session)
    }
}
