//! `cupel report`: the page of one run, or several runs side by side.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use clap::Args;
use cupel::report::{compare_runs, write_report};
use serde::Serialize;

use crate::{Ending, options::Options, output::Output};

/// Where the comparison of several runs goes unless --out says otherwise.
const COMPARISON: &str = "comparison.html";

/// Write the report.html of a run again, or compare several runs on one page
#[derive(Args)]
pub struct Arguments {
    /// Folders of runs
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    #[command(flatten)]
    options: Options,
}

impl Arguments {
    /// Writes the page.
    pub fn run(self) -> Result<Ending> {
        self.options.apply()?;
        if let Some(missing) = self.runs.iter().find(|run| !run.is_dir()) {
            bail!("{}: this is not the folder of a run", missing.display());
        }
        let output = Output::new(&self.options);
        let page = self.page()?;
        if self.options.dry_run {
            output.note(format_args!("would write {}", page.display()));
            return Ok(Ending::Done);
        }
        let page = match self.runs.as_slice() {
            [run] => write_report(run)?,
            runs => compare_runs(runs, page)?,
        };
        output.result(&Page { report: page.display().to_string() })?;
        Ok(Ending::Done)
    }

    /// Where the page goes, if it may.
    fn page(&self) -> Result<PathBuf> {
        match (self.runs.as_slice(), &self.options.out) {
            ([run], None) => Ok(run.join("report.html")), // made from the run, so it may be made again
            ([_], Some(out)) => bail!(
                "--out {}: the report of one run goes into its folder; --out is for the comparison of several",
                out.display()
            ),
            (_, out) => {
                let page = out.as_deref().unwrap_or(Path::new(COMPARISON));
                if page.exists() && !self.options.force {
                    bail!("{} exists; replace it with --force or choose another --out", page.display());
                }
                Ok(page.to_path_buf())
            }
        }
    }
}

#[derive(Serialize)]
struct Page {
    report: String,
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report)
    }
}
