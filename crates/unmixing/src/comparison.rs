//! [`Comparison`]: several methods on one scene, mean and standard deviation over seeds.

use std::{collections::BTreeMap, fmt, path::Path};

use cupel_report::{Cell, DotChart, Report, Table};
use cupel_statistics::Spread;
use cupel_train::Run;
use serde::{Deserialize, Serialize};

use crate::{
    ComparisonConfig, Error, Image, Result, Source, Spatial, Suggestion, Summary, Unmixing,
    citations::cite,
    page::{describe, sentence},
    results::seeds,
    summary::spread,
};

/// One method over several runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Name of the method.
    pub method: String,
    /// Number of runs.
    pub runs: usize,
    /// Mean spectral angle distance in radians.
    pub mean_sad_rad: Option<Spread>,
    /// Abundance errors by convention.
    pub abundance_rmse: BTreeMap<String, Spread>,
    /// Reconstruction error with the abundances asked for.
    pub reconstruction_rmse: Option<Spread>,
    /// Share of true abundances within their 90 % intervals.
    pub coverage_90: Option<Spread>,
    /// Time of one run.
    pub seconds: Option<Spread>,
}

impl Row {
    /// Summarises the runs of one method.
    pub fn of(method: &str, runs: &[Summary]) -> Self {
        let names = ["native", "fcls", "unit_max", "rescaled"].into_iter().enumerate();
        let error = |at: usize| spread(runs, &|run| Some(run.abundance_rmse?.named()[at].1));
        Self {
            method: method.into(),
            runs: runs.len(),
            mean_sad_rad: spread(runs, &|run| run.mean_sad_rad),
            abundance_rmse: names.filter_map(|(at, name)| Some((name.to_owned(), error(at)?))).collect(),
            reconstruction_rmse: spread(runs, &|run| Some(run.reconstruction_rmse)),
            coverage_90: spread(runs, &|run| run.coverage_90),
            seconds: spread(runs, &|run| Some(run.seconds)),
        }
    }

    /// Angle, abundance errors (fcls, unit-max, rescaled), reconstruction error and time, each as a cell of a table.
    pub(crate) fn cells(&self, cell: fn(Spread) -> Cell) -> [Cell; 6] {
        let [fcls, unit_max, rescaled] =
            ["fcls", "unit_max", "rescaled"].map(|name| self.abundance_rmse.get(name).copied());
        [self.mean_sad_rad, fcls, unit_max, rescaled, self.reconstruction_rmse, self.seconds]
            .map(|spread| spread.map_or(Cell::Missing, cell))
    }
}

/// Methods side by side.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// One row a method, in the order asked for.
    pub rows: Vec<Row>,
    /// Every run, in the order they were made.
    #[serde(skip)]
    pub runs: Vec<Summary>,
    /// Where everything was written.
    pub run_dir: Option<String>,
    /// How the number of endmembers was found, where it was searched for.
    #[serde(skip)]
    pub suggestion: Option<Suggestion>,
    /// The prior that the abundances asked for have.
    pub spatial: Spatial,
    /// What was done with values below zero, where there are any.
    #[serde(skip)]
    pub notes: Vec<String>,
}

impl Unmixing {
    /// Unmixes a scene by several methods, as often as the settings say; the method of this value does not count. The folder of `run` gets
    /// the table, `metrics.json` and the page.
    ///
    /// # Errors
    /// As [`Unmixing::plan_comparison`]; a stop by a signal; files that cannot be written.
    pub fn compare(&self, config: &ComparisonConfig, source: &Source, run: &mut Run) -> Result<Comparison> {
        self.plan_comparison(config, source)?;
        let Source::Whole(scene) = source else {
            return Err(Error::setting("scene", source.name(), "one that memory can hold"));
        };
        let negative = config.unmixing.negative;
        let ((image, below), truth) = (Image::of_scene(scene)?.treated(negative)?, scene.truth.as_ref());
        let common = self.with_config(config.unmixing);
        let (count, suggestion) = common.count_for(&image, truth, run)?;
        let (mut rows, mut runs) = (Vec::new(), Vec::new());
        for config in config.each() {
            let unmixing = self.with_config(config);
            let fits = seeds(&config).map(|seed| Ok(unmixing.seeded(seed).fit_matched(&image, count, truth, run)?.1));
            let fits = fits.collect::<Result<Vec<_>>>()?;
            rows.push(Row::of(config.method.name(), &fits));
            runs.extend(fits);
        }
        let dir = run.dir().map(Path::to_path_buf);
        let run_dir = dir.as_ref().map(|dir| dir.display().to_string());
        let notes = below.told(negative, 1.0).into_iter().collect();
        let comparison = Comparison { rows, runs, run_dir, suggestion, spatial: config.unmixing.spatial, notes };
        if let Some(dir) = &dir {
            comparison.save(source, dir)?;
        }
        Ok(comparison)
    }
}

impl Comparison {
    fn save(&self, source: &Source, dir: &Path) -> Result<()> {
        let names: Vec<String> = self.rows.iter().map(|row| row.method.clone()).collect();
        let mut report = Report::new(dir, format!("Methods compared on {}", source.name()));
        report.summary(describe(source)?);
        if let Some(suggestion) = &self.suggestion {
            report.finding(suggestion.reason.clone());
        }
        let angles = self.rows.iter().filter_map(|row| Some((row.mean_sad_rad?.mean, &row.method)));
        if let Some((sad, method)) = angles.min_by(|a, b| a.0.total_cmp(&b.0)) {
            report.finding(format!("The lowest mean spectral angle distance is {sad:.4} rad, by {method}."));
        }
        source.notes().iter().chain(&self.notes).for_each(|note| report.summary(sentence(note)));
        self.figures(&names, &mut report);
        let caption = "Mean and standard deviation over the runs of each method.";
        report.table("comparison", caption, self.table()?);
        report.table("runs", "All runs.", self.runs_table()?);
        cite(&mut report, None, self.spatial);
        report.numbers(self)?;
        report.save()?;
        Ok(())
    }

    /// Means with their spreads, for each measure that there is.
    fn figures<'a>(&self, names: &'a [String], report: &mut Report<'a>) {
        let of = |pick: &dyn Fn(&Row) -> Option<Spread>| -> Vec<Option<(f64, f64)>> {
            self.rows.iter().map(|row| pick(row).map(|spread| (spread.mean, spread.sd))).collect()
        };
        let bar = "The bar is the standard deviation over the runs.";
        let angles = of(&|row| row.mean_sad_rad);
        if angles.iter().any(Option::is_some) {
            let caption = format!("Mean spectral angle of each method to the true endmembers. {bar}");
            let chart = DotChart::new("Spectral angle", "mean SAD [rad]", names).series("", &angles);
            report.figure("angles", caption, move || chart.figure());
        }
        let errors = [("fcls", "fcls"), ("unit-max", "unit_max"), ("rescaled", "rescaled")]
            .map(|(name, key)| (name, of(&|row| row.abundance_rmse.get(key).copied())));
        if errors.iter().any(|(_, errors)| errors.iter().any(Option::is_some)) {
            let chart = DotChart::new("Abundances", "RMSE to the true abundances", names);
            let chart = errors.iter().fold(chart, |chart, (name, errors)| chart.series(*name, errors));
            let caption = format!("Error of the abundances of each method under three conventions. {bar}");
            report.figure("abundance_errors", caption, move || chart.figure());
        }
        let chart = DotChart::new("Reconstruction", "RMSE, with the largest value of the scene as one", names)
            .series("", &of(&|row| row.reconstruction_rmse));
        let caption = match self.runs.first() {
            Some(run) => {
                format!("What each method cannot explain with abundances as asked for ({}). {bar}", run.abundance)
            }
            None => format!("What each method cannot explain. {bar}"),
        };
        report.figure("reconstruction", caption, move || chart.figure());
    }

    fn runs_table(&self) -> Result<Table> {
        let mut table = with_measures(Table::new().text_column("method").number_column("seed", "", 0));
        for run in &self.runs {
            let first = [Cell::from(run.method.as_str()), Cell::from(run.seed as f64)];
            let measures = Row::of("", std::slice::from_ref(run)).cells(|spread| Cell::from(spread.mean));
            table.push(first.into_iter().chain(measures))?;
        }
        Ok(table)
    }

    fn table(&self) -> Result<Table> {
        let mut table = with_measures(Table::new().text_column("method").number_column("runs", "", 0));
        for row in &self.rows {
            let first = [Cell::from(row.method.as_str()), Cell::from(row.runs as f64)];
            table.push(first.into_iter().chain(row.cells(|s| Cell::spread(s.mean, s.sd))))?;
        }
        Ok(table)
    }
}

/// A table with columns for [`Row::cells`] behind its own.
pub(crate) fn with_measures(table: Table) -> Table {
    table
        .number_column("mean SAD", "rad", 4)
        .number_column("RMSE fcls", "", 4)
        .number_column("RMSE unit-max", "", 4)
        .number_column("RMSE rescaled", "", 4)
        .number_column("reconstruction", "", 5)
        .number_column("time", "s", 2)
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cell = |spread: Option<&Spread>| {
            spread.map_or_else(|| "-".to_owned(), |s| format!("{:.4} +- {:.4}", s.mean, s.sd))
        };
        let names = ("method", "runs", "mean SAD (rad)", "fcls", "unit-max", "rescaled", "time (s)");
        let (method, runs, sad, fcls, unit_max, rescaled, time) = names;
        writeln!(f, "{method:<9} {runs:>4}  {sad:>18} {fcls:>18} {unit_max:>18} {rescaled:>18}  {time:>8}")?;
        for row in &self.rows {
            let [fcls, unit_max, rescaled] =
                ["fcls", "unit_max", "rescaled"].map(|name| cell(row.abundance_rmse.get(name)));
            let (method, runs, sad) = (&row.method, row.runs, cell(row.mean_sad_rad.as_ref()));
            let time = row.seconds.map_or(0.0, |s| s.mean);
            writeln!(f, "{method:<9} {runs:>4}  {sad:>18} {fcls:>18} {unit_max:>18} {rescaled:>18}  {time:>8.2}")?;
        }
        self.run_dir
            .iter()
            .try_for_each(|dir| writeln!(f, "report    {}", Path::new(dir).join("report.html").display()))
    }
}
