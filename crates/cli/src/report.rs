//! `cupel report`: the page of one run, or several runs side by side.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use clap::Args;
use cupel::report::{compare_runs, write_report};
use serde::Serialize;

use crate::{
    Command, Session,
    shared::{Out, Output, Shared},
};

/// Where the comparison of several runs goes unless --out says otherwise.
const COMPARISON: &str = "comparison.html";

/// Write the report.html of a run again, or compare several runs on one page
#[derive(Args)]
pub struct Arguments {
    /// Folders of runs
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    #[command(flatten)]
    out: Out,

    #[command(flatten)]
    output: Output,
}

impl Command for Arguments {
    type Plan = Page;
    type Outcome = Page;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).out(&self.out)
    }

    fn plan(&self, session: &Session) -> Result<Page> {
        if let Some(missing) = self.runs.iter().find(|run| !run.is_dir()) {
            bail!("{}: this is not the folder of a run", missing.display());
        }
        let page = match (self.runs.as_slice(), session.out()) {
            ([run], None) => run.join("report.html"), // made from the run, so it may be made again
            ([_], Some(out)) => bail!(
                "--out {}: the report of one run goes into its folder; --out is for the comparison of several",
                out.display()
            ),
            (_, out) => {
                let page = out.unwrap_or(Path::new(COMPARISON)).to_path_buf();
                session.may_write(&page)?;
                page
            }
        };
        Ok(Page { done: false, report: page.display().to_string() })
    }

    fn work(self, plan: Page, _: &mut Session) -> Result<Page> {
        let page = match self.runs.as_slice() {
            [run] => write_report(run)?,
            runs => compare_runs(runs, plan.report)?,
        };
        Ok(Page { done: true, report: page.display().to_string() })
    }
}

/// The page that is written, or would be.
#[derive(Serialize)]
pub struct Page {
    #[serde(skip)]
    done: bool,
    report: String,
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.done { "" } else { "would write " }, self.report)
    }
}
