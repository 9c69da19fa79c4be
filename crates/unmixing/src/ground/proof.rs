//! [`Proof`]: what came of a proving, as words, tables and a page.

use std::{fmt, path::Path};

use cupel_report::{Cell, Report, Table};
use serde::Serialize;

use super::{Counted, Family, Half, Judged, LEVELS, Numbers, Standing};
use crate::Result;

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Proof {
    /// Every family and all together, in both halves, for each method.
    pub standings: Vec<Standing>,
    /// How often the number of endmembers is right.
    pub numbers: Vec<Numbers>,
    /// Each fit.
    pub fits: Vec<Judged>,
    /// Each number.
    pub counted: Vec<Counted>,
    /// Names of the measured materials that scenes were made of.
    pub materials: Vec<String>,
    /// Where everything was written.
    pub run_dir: Option<String>,
}

fn called(family: Option<Family>) -> &'static str {
    family.map_or("all", Family::name)
}

impl Proof {
    pub(super) fn save(&self, dir: &Path) -> Result<()> {
        let mut report = Report::new(dir, "Methods on the proving ground");
        report.summary(
            "Every scene is made from a fixed seed and its truth is known. Half of each family is for choosing methods and constants, the \
             other half only for reporting.",
        );
        if !self.materials.is_empty() {
            report.summary(format!("Measured materials: {}.", self.materials.join(", ")));
        }
        for half in [Half::Reporting, Half::Choosing] {
            if self.standings.iter().any(|standing| standing.half == half) {
                let caption = format!(
                    "Scenes for {half}: mean angle and abundance error, the angle relative to the best single extractor of the family, to the \
                     best of each scene and to auto; coverage and width of intervals."
                );
                report.table(half.name(), caption, self.table(half)?);
            }
        }
        if !self.numbers.is_empty() {
            report.table(
                "numbers",
                "How often the number of endmembers is found, of scenes of at most six.",
                self.number_table()?,
            );
        }
        report.numbers(self)?;
        report.save()?;
        Ok(())
    }

    fn table(&self, half: Half) -> Result<Table> {
        let mut table = Table::new()
            .text_column("family")
            .text_column("method")
            .number_column("fits", "", 0)
            .number_column("mean SAD", "rad", 4)
            .number_column("RMSE", "", 4)
            .number_column("SAD to extractor", "", 3)
            .number_column("SAD to best", "", 3)
            .number_column("SAD to auto", "", 3)
            .number_column("RMSE to auto", "", 3);
        for level in LEVELS {
            table = table.number_column(format!("held of {:.0} %", 100.0 * level), "%", 1);
        }
        table = table.number_column("width of 90 %", "", 3).number_column("time", "s", 2);
        for standing in self.standings.iter().filter(|standing| standing.half == half) {
            let number = |value: Option<f64>| value.map_or(Cell::Missing, Cell::from);
            let of = |level: usize| number(standing.coverage.map(|coverage| 100.0 * coverage[level]));
            table.push([
                called(standing.family).into(),
                standing.method.name().into(),
                (standing.fits as f64).into(),
                standing.sad_rad.into(),
                standing.abundance_rmse.into(),
                number(standing.sad_to_extractor),
                number(standing.sad_to_best),
                number(standing.sad_to_auto),
                number(standing.rmse_to_auto),
                of(0),
                of(1),
                of(2),
                of(3),
                number(standing.width.map(|width| width[2])),
                standing.seconds.into(),
            ])?;
        }
        Ok(table)
    }

    fn number_table(&self) -> Result<Table> {
        let table = Table::new().text_column("family").text_column("half").number_column("scenes", "", 0);
        let mut table = table.number_column("right", "%", 0).number_column("within one", "%", 0);
        for numbers in &self.numbers {
            let Numbers { family, half, scenes, right, within_one } = numbers;
            table.push([
                called(*family).into(),
                half.name().into(),
                (*scenes as f64).into(),
                (100.0 * right).into(),
                (100.0 * within_one).into(),
            ])?;
        }
        Ok(table)
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short =
            |value: Option<f64>, digits: usize| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.digits$}"));
        for half in [Half::Choosing, Half::Reporting] {
            let own: Vec<&Standing> = self.standings.iter().filter(|standing| standing.half == half).collect();
            if own.is_empty() {
                continue;
            }
            writeln!(
                f,
                "{:<17} {:<11} {:>4} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7}  {:>5} {:>5} {:>7}",
                half, "method", "fits", "SAD", "RMSE", "/single", "/best", "/auto", "RMSE/a", "90 %", "width", "s"
            )?;
            for s in own {
                writeln!(
                    f,
                    "{:<17} {:<11} {:>4} {:>7.4} {:>7.4} {:>7} {:>7} {:>7} {:>7}  {:>5} {:>5} {:>7.2}",
                    called(s.family),
                    s.method,
                    s.fits,
                    s.sad_rad,
                    s.abundance_rmse,
                    short(s.sad_to_extractor, 3),
                    short(s.sad_to_best, 3),
                    short(s.sad_to_auto, 3),
                    short(s.rmse_to_auto, 3),
                    short(s.coverage.map(|c| 100.0 * c[2]), 1),
                    short(s.width.map(|w| w[2]), 3),
                    s.seconds
                )?;
            }
        }
        for Numbers { family, half, scenes, right, within_one } in self.numbers.iter().filter(|n| n.family.is_none()) {
            let of = called(*family);
            writeln!(
                f,
                "number of endmembers, {of} {scenes} scenes for {half}: right in {:.0} %, within one in {:.0} %",
                100.0 * right,
                100.0 * within_one
            )?;
        }
        self.run_dir
            .iter()
            .try_for_each(|dir| writeln!(f, "report    {}", Path::new(dir).join("report.html").display()))
    }
}
