//! `cupel unmix compare`: several methods on one scene, mean and standard deviation over seeds.

use std::fmt;

use anyhow::{Context, Result};
use clap::Args;
use cupel::{
    statistics::Spread,
    unmixing::{Row, Summary, save_comparison},
};
use serde::Serialize;

use super::{
    run::{Extractor, Settings, fit, matched, seeds, select_device},
    scene::SceneArguments,
};
use crate::{
    Ending,
    folder::{Opened, close_run, open_run, run_dir, write_json},
    options::Options,
    output::Output,
};

/// Compare methods on one scene
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    scene: SceneArguments,

    /// Methods, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["auto", "edaa", "vca", "nfindr", "spa"])]
    methods: Vec<Extractor>,

    /// Runs of each method, with the seeds that follow --seed
    #[arg(long, value_name = "R", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,

    #[command(flatten)]
    options: Options,
}

/// What `compare` prints.
#[derive(Serialize)]
struct Printed {
    rows: Vec<Row>,
    run_dir: String,
}

impl Arguments {
    /// Compares.
    ///
    /// # Errors
    /// As `run`.
    pub fn run(self) -> Result<Ending> {
        self.options.apply()?;
        let output = Output::new(&self.options);
        let task = self.scene.task(self.options.seed, output)?;
        let settings = Settings {
            command: "unmix compare",
            scene: self.scene,
            methods: self.methods,
            runs: self.runs,
            profile: false,
            options: self.options,
        };
        let options = &settings.options;
        let (device, casting) = select_device(&settings, task.scene.cube.values().len(), output)?;
        let dir = run_dir(options, &settings.scene.file, "compare")?;
        if options.dry_run {
            let names: Vec<&str> = settings.methods.iter().map(|m| cupel::unmixing::Method::from(*m).name()).collect();
            output.note(format_args!(
                "{}: {} would be compared with {} endmembers over {} runs; results would go to {}",
                task.scene.name,
                names.join(", "),
                task.endmembers,
                settings.runs,
                dir.display()
            ));
            return Ok(Ending::Done);
        }
        let mut run = match open_run(&dir, &settings, (options, settings.profile), (&device, &casting), output)? {
            Opened::Earlier(earlier) => {
                output.result(&earlier)?;
                return Ok(Ending::Done);
            }
            Opened::Run(run) => run,
        };
        let mut rows = Vec::new();
        for &method in &settings.methods {
            let mut summaries: Vec<Summary> = Vec::new();
            for seed in seeds(options.seed, settings.runs) {
                let unmixed = fit(&settings, &task, method, seed, (&device.device, &casting), &mut run)?;
                summaries.push(matched(unmixed, &task, &dir)?.1);
            }
            let name = &summaries.first().context("no run was made")?.method;
            rows.push(Row::of(name, &summaries));
        }
        let printed = Printed { rows, run_dir: dir.display().to_string() };
        write_json(&dir.join("metrics.json"), &printed)?;
        save_comparison(&dir, &task.scene, &printed.rows)?;
        close_run(&mut run, settings.profile, &printed, output)?;
        output.result(&printed)?;
        Ok(Ending::Done)
    }
}

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cell = |spread: Option<&Spread>| {
            spread.map_or_else(|| "-".to_owned(), |s| format!("{:.4} +- {:.4}", s.mean, s.sd))
        };
        writeln!(
            f,
            "{:<8} {:>4}  {:>18} {:>18} {:>18} {:>18}  {:>8}",
            "method", "runs", "mean SAD (rad)", "fcls", "unit-max", "rescaled", "time (s)"
        )?;
        for row in &self.rows {
            writeln!(
                f,
                "{:<8} {:>4}  {:>18} {:>18} {:>18} {:>18}  {:>8.2}",
                row.method,
                row.runs,
                cell(row.mean_sad_rad.as_ref()),
                cell(row.abundance_rmse.get("fcls")),
                cell(row.abundance_rmse.get("unit_max")),
                cell(row.abundance_rmse.get("rescaled")),
                row.seconds.map_or(0.0, |s| s.mean)
            )?;
        }
        writeln!(f, "report   {}/report.html", self.run_dir)
    }
}
