//! What a run leaves behind: arrays, maps, spectra, tables and the story for its report.

use std::path::{Path, PathBuf};

use cupel_data::{Array, AxisKind, Values, write_mat, write_npy};
use cupel_report::{Cell, ColorMap, HeatMap, LineChart, MapPanel, Story, Table, write_report};
use cupel_statistics::Spread;
use rayon::prelude::*;

use crate::{
    Abundances, Convention, Evidence, Method, Posterior, Regime, Result, Row, Scene, Suggestion, Summary, Truth,
    Unmixed, scene::numbered,
};

/// Candidates that the table of evidence shows.
const CANDIDATES_SHOWN: usize = 12;

/// Writes everything about one result into `dir`.
///
/// Endmembers come in the order of the truth and with its names where there is one. Arrays: `endmembers.npy`
/// (endmembers x bands, in the units of the file), `abundances.npy` (rows x columns x endmembers), `brightness.npy` and
/// `reconstruction_error.npy` (rows x columns), and all of them in `result.mat`.
///
/// # Errors
/// What cannot be written.
pub fn save(
    dir: &Path,
    unmixed: &Unmixed,
    scene: &Scene,
    summaries: &[Summary],
    suggestion: Option<&Suggestion>,
) -> Result<()> {
    let page = Page { dir, unmixed, scene, names: names(scene, unmixed.endmembers.count()) };
    let (arrays, figures) = rayon::join(|| page.arrays(), || page.figures());
    arrays.and(figures)?;
    page.tables(summaries, suggestion)?;
    page.story(summaries, suggestion)?.save(dir)?;
    write_report(dir)?;
    Ok(())
}

/// Writes the table of a comparison and its report into `dir`.
///
/// # Errors
/// What cannot be written.
pub fn save_comparison(dir: &Path, scene: &Scene, rows: &[Row]) -> Result<()> {
    let mut table = Table::new()
        .text_column("method")
        .number_column("runs", "", 0)
        .number_column("mean SAD", "rad", 4)
        .number_column("RMSE fcls", "", 4)
        .number_column("RMSE unit-max", "", 4)
        .number_column("RMSE rescaled", "", 4)
        .number_column("reconstruction", "", 5)
        .number_column("time", "s", 2);
    let cell = |spread: Option<&Spread>| spread.map_or(Cell::Missing, |s| Cell::spread(s.mean, s.sd));
    for row in rows {
        table.push([
            Cell::from(row.method.as_str()),
            Cell::from(row.runs as f64),
            cell(row.mean_sad_rad.as_ref()),
            cell(row.abundance_rmse.get("fcls")),
            cell(row.abundance_rmse.get("unit_max")),
            cell(row.abundance_rmse.get("rescaled")),
            cell(row.reconstruction_rmse.as_ref()),
            cell(row.seconds.as_ref()),
        ])?;
    }
    table.save(dir.join("tables/comparison"))?;
    let best =
        rows.iter().filter_map(|r| Some((r.mean_sad_rad?.mean, r.method.as_str()))).min_by(|a, b| a.0.total_cmp(&b.0));
    let mut story = Story::new(format!("Methods compared on {}", scene.name))
        .summary(describe_scene(scene)?)
        .table("tables/comparison.csv", "Mean and standard deviation over the runs of each method.");
    if let Some((sad, method)) = best {
        story = story.finding(format!("The lowest mean spectral angle distance is {sad:.4} rad, by {method}."));
    }
    cite(story).save(dir)?;
    write_report(dir)?;
    Ok(())
}

struct Page<'a> {
    dir: &'a Path,
    unmixed: &'a Unmixed,
    scene: &'a Scene,
    names: Vec<String>,
}

impl Page<'_> {
    fn arrays(&self) -> Result<()> {
        let (rows, columns) = self.scene.image_size()?;
        let (endmembers, count) = (&self.unmixed.endmembers, self.unmixed.endmembers.count());
        let bands = endmembers.bands();
        let units: Vec<f64> = endmembers.values().iter().map(|v| v * self.scene.scale).collect();
        let own = self.unmixed.own_abundances();
        let spectra = Array::new(vec![count, bands], Values::F64(units))?;
        let maps = Array::new(vec![rows, columns, count], Values::F64(own.values().to_vec()))?;
        let image = |values: &[f64]| Array::new(vec![rows, columns], Values::F64(values.to_vec()));
        let (brightness, errors) = (image(&self.unmixed.brightness)?, image(&self.unmixed.errors)?);
        write_npy(&self.dir.join("endmembers.npy"), &spectra)?;
        write_npy(&self.dir.join("abundances.npy"), &maps)?;
        write_npy(&self.dir.join("brightness.npy"), &brightness)?;
        write_npy(&self.dir.join("reconstruction_error.npy"), &errors)?;
        let named = [
            ("endmembers", &spectra),
            ("abundances", &maps),
            ("brightness", &brightness),
            ("reconstruction_error", &errors),
        ];
        let mut named = named.to_vec();
        let known = match &self.unmixed.posterior {
            Some(posterior) => self.posterior_arrays(posterior)?,
            None => Vec::new(),
        };
        for (name, array) in &known {
            write_npy(&self.dir.join(format!("{name}.npy")), array)?;
            named.push((*name, array));
        }
        write_mat(&self.dir.join("result.mat"), &named)?;
        Ok(())
    }

    /// Intervals and errors, in the units of `endmembers.npy` and `abundances.npy`.
    fn posterior_arrays(&self, posterior: &Posterior) -> Result<Vec<(&'static str, Array)>> {
        let (rows, columns) = self.scene.image_size()?;
        let (count, bands) = (self.unmixed.endmembers.count(), self.unmixed.endmembers.bands());
        let maps = |values: &[f64]| Array::new(vec![rows, columns, count], Values::F64(values.to_vec()));
        let errors = posterior.endmember_errors.iter().map(|e| e * self.scene.scale).collect();
        let samples = self.unmixed.samples.as_ref().map(|samples| {
            let draws = samples.len() / (rows * columns * count);
            Ok::<_, crate::Error>((
                "abundance_samples",
                Array::new(vec![draws, rows, columns, count], Values::F32(samples.clone()))?,
            ))
        });
        let mut known = vec![
            ("posterior_mean", maps(posterior.abundances.values())?),
            ("posterior_deviation", maps(&posterior.deviations)?),
            ("interval_lower", maps(&posterior.lower)?),
            ("interval_upper", maps(&posterior.upper)?),
            ("endmember_errors", Array::new(vec![count, bands], Values::F64(errors))?),
        ];
        known.extend(samples.transpose()?);
        Ok(known)
    }

    /// Drawing takes as long as a fast extraction, so that every figure is drawn on a thread of its own.
    fn figures(&self) -> Result<()> {
        let figures: [fn(&Self) -> Result<()>; 7] = [
            Self::interval_panel,
            Self::abundance_panel,
            Self::true_abundance_panel,
            Self::abundance_pixels,
            Self::brightness_map,
            Self::error_map,
            |page| Ok(page.spectra_chart()?.save(page.figure("endmembers"))?),
        ];
        figures.par_iter().try_for_each(|figure| figure(self))
    }

    fn figure(&self, name: &str) -> PathBuf {
        self.dir.join("figures").join(name)
    }

    fn abundance_panel(&self) -> Result<()> {
        let convention = self.unmixed.config.abundance;
        let title = format!("Abundances ({})", convention.name());
        let bounded = convention != Convention::Nnls;
        self.panel(title, self.unmixed.own_abundances(), bounded, "abundances")
    }

    /// How wide the interval of each abundance is.
    fn interval_panel(&self) -> Result<()> {
        let Some(posterior) = &self.unmixed.posterior else { return Ok(()) };
        let widths = posterior.upper.iter().zip(&posterior.lower).map(|(upper, lower)| upper - lower).collect();
        let widths = Abundances::new(widths, self.unmixed.endmembers.count())?;
        self.panel("Width of the 90 % intervals".into(), &widths, false, "intervals")
    }

    fn true_abundance_panel(&self) -> Result<()> {
        match self.truth_abundances() {
            Some(truth) => self.panel("True abundances".into(), truth, true, "true_abundances"),
            None => Ok(()),
        }
    }

    fn panel(&self, title: String, abundances: &Abundances, bounded: bool, name: &str) -> Result<()> {
        let (rows, columns) = self.scene.image_size()?;
        let maps: Vec<Vec<f32>> = (0..abundances.endmembers()).map(|k| single(&abundances.map(k))).collect();
        let mut panel = MapPanel::new(title, rows, columns).label("abundance");
        if bounded {
            panel = panel.range(0.0, 1.0);
        }
        for (name, map) in self.names.iter().zip(&maps) {
            panel = panel.map(name.as_str(), map);
        }
        Ok(panel.save(self.figure(name))?)
    }

    /// One pixel of the picture for each of the scene.
    fn abundance_pixels(&self) -> Result<()> {
        let (rows, columns) = self.scene.image_size()?;
        let own = self.unmixed.own_abundances();
        for (k, name) in self.names.iter().enumerate().take(own.endmembers()) {
            HeatMap::new(name.as_str(), &single(&own.map(k)), rows, columns)
                .range(0.0, 1.0)
                .save_pixels(self.figure(&format!("abundance_{}.png", file_name(name))))?;
        }
        Ok(())
    }

    fn brightness_map(&self) -> Result<()> {
        let (rows, columns) = self.scene.image_size()?;
        HeatMap::new("Brightness", &single(&self.unmixed.brightness), rows, columns)
            .color_map(ColorMap::Gray)
            .label("relative brightness")
            .save(self.figure("brightness"))?;
        Ok(())
    }

    fn error_map(&self) -> Result<()> {
        let (rows, columns) = self.scene.image_size()?;
        HeatMap::new("Reconstruction error", &single(&self.unmixed.errors), rows, columns)
            .label("root mean square over bands")
            .save(self.figure("reconstruction_error"))?;
        Ok(())
    }

    fn spectra_chart(&self) -> Result<LineChart> {
        let (x, label) = self.bands()?;
        let unit = self.unmixed.endmembers.unit_maximum();
        let mut chart =
            LineChart::new("Endmembers", label, "reflectance relative to the maximum").include_y(0.0).break_gaps();
        for (name, spectrum) in self.names.iter().zip(unit.spectra()) {
            chart = chart.line(name.as_str(), &x, spectrum);
        }
        if let Some(truth) = self.truth() {
            for (name, spectrum) in self.names.iter().zip(truth.endmembers.unit_maximum().spectra()) {
                chart = chart.reference(name.as_str(), &x, spectrum);
            }
            chart = chart.reference_name("truth");
        }
        Ok(chart)
    }

    /// Band positions with the label of their axis.
    fn bands(&self) -> Result<(Vec<f64>, &'static str)> {
        let axis = self.scene.cube.axis(AxisKind::Wavelength)?;
        Ok(match (axis.coordinates(), self.scene.nominal_wavelengths) {
            (Some(centres), true) => (centres.to_vec(), "nominal wavelength (nm)"),
            (Some(centres), false) => (centres.to_vec(), "wavelength (nm)"),
            (None, _) => ((1..=axis.len()).map(|b| b as f64).collect(), "band"),
        })
    }

    fn tables(&self, summaries: &[Summary], suggestion: Option<&Suggestion>) -> Result<()> {
        let tables = self.dir.join("tables");
        let (x, label) = self.bands()?;
        let mut spectra = Table::new().number_column(label, "", 2);
        for name in &self.names {
            spectra = spectra.number_column(name.as_str(), "", 6);
        }
        for (band, position) in x.iter().enumerate() {
            let values = self.unmixed.endmembers.spectra().map(|s| Cell::from(s[band] * self.scene.scale));
            spectra.push(std::iter::once(Cell::from(*position)).chain(values))?;
        }
        spectra.save(tables.join("endmembers"))?;
        self.measures(summaries)?.save(tables.join("measures"))?;
        runs_table(summaries)?.save(tables.join("runs"))?;
        if !self.unmixed.evidence.is_empty() {
            evidence_table(&self.unmixed.evidence)?.save(tables.join("candidates"))?;
        }
        if let Some(suggestion) = suggestion {
            let mut table = Table::new()
                .number_column("endmembers", "", 0)
                .number_column("held-out error", "", 6)
                .number_column("instability", "rad", 4);
            for tried in &suggestion.candidates {
                let row = [tried.endmembers as f64, tried.held_out_rmse, tried.instability_rad];
                table.push(row.map(Cell::from))?;
            }
            table.save(tables.join("number_of_endmembers"))?;
        }
        Ok(())
    }

    /// Spectral angle and abundance errors of each endmember, mean and standard deviation over the runs.
    fn measures(&self, summaries: &[Summary]) -> Result<Table> {
        let mut table = Table::new().text_column("measure").number_column("value", "", 4);
        let cell = |values: Vec<f64>| match Spread::of(&values) {
            Some(spread) if values.len() > 1 => Cell::spread(spread.mean, spread.sd),
            Some(spread) => Cell::from(spread.mean),
            None => Cell::Missing,
        };
        let of = |pick: &dyn Fn(&Summary) -> Option<f64>| cell(summaries.iter().filter_map(pick).collect());
        let mut push = |name: String, value: Cell| table.push([Cell::from(name), value]);
        push("mean SAD (rad)".into(), of(&|s| s.mean_sad_rad))?;
        for (k, name) in self.names.iter().enumerate() {
            push(format!("SAD {name} (rad)"), of(&|s| s.sad_rad.as_ref().and_then(|v| v.get(k).copied())))?;
        }
        push("abundance RMSE, fcls".into(), of(&|s| s.abundance_rmse.map(|e| e.fcls)))?;
        push("abundance RMSE, unit-max".into(), of(&|s| s.abundance_rmse.map(|e| e.unit_max)))?;
        push("abundance RMSE, rescaled".into(), of(&|s| s.abundance_rmse.map(|e| e.rescaled)))?;
        push("reconstruction RMSE".into(), of(&|s| Some(s.reconstruction_rmse)))?;
        push("time (s)".into(), of(&|s| Some(s.seconds)))?;
        Ok(table)
    }

    fn story(&self, summaries: &[Summary], suggestion: Option<&Suggestion>) -> Result<Story> {
        let config = self.unmixed.config;
        let mut story = Story::new(format!("Unmixing of {}", self.scene.name))
            .summary(describe_scene(self.scene)?)
            .summary(format!(
                "{} endmembers were found by {} in {} {}; abundances are {}.",
                self.unmixed.endmembers.count(),
                config.method.name(),
                self.unmixed.steps,
                if self.unmixed.evidence.is_empty() { "steps" } else { "candidates" },
                meaning(config.abundance),
            ));
        if let Some(suggestion) = suggestion {
            story = story.finding(suggestion.reason.clone());
        }
        if let Some(best) = self.unmixed.evidence.first() {
            story = story.finding(format!(
                "The endmembers come from {} on {} pixels. They lie a median of {:.3} rad from those of the other candidates, \
                 and their largest correlation is {:.3}.",
                best.proposal.method.name(),
                best.proposal.space.name(),
                best.instability_rad,
                best.collinearity,
            ));
        }
        if let Some(summary) = summaries.first() {
            story = story.finding(finding(summary));
        }
        story = story
            .figure("figures/abundances.png", "Share of each endmember in every pixel.")
            .figure("figures/endmembers.svg", "Spectra of the endmembers, each relative to its maximum.");
        if self.truth_abundances().is_some() {
            story = story.figure("figures/true_abundances.png", "True share of each endmember.");
        }
        if let Some(posterior) = &self.unmixed.posterior {
            story = story
                .finding(known(posterior, summaries))
                .figure("figures/intervals.png", "Width of the interval that holds each abundance in 90 of 100 cases.");
        }
        story = story
            .figure("figures/brightness.png", "Brightness of each pixel relative to pure ones: light and shade.")
            .figure("figures/reconstruction_error.png", "What the endmembers cannot explain.")
            .table("tables/measures.csv", "Agreement with the truth, under every convention of abundances.")
            .table("tables/runs.csv", "All runs.");
        if !self.unmixed.evidence.is_empty() {
            story = story.table("tables/candidates.csv", "Candidates without the truth, best first.");
        }
        if suggestion.is_some_and(|s| !s.candidates.is_empty()) {
            story = story.table("tables/number_of_endmembers.csv", "Evidence for the number of endmembers.");
        }
        Ok(cite(match source(config.method) {
            Some((text, link)) => story.citation(text, link),
            None => story,
        }))
    }

    /// The truth where it counts as many endmembers as were found.
    fn truth(&self) -> Option<&Truth> {
        self.scene.truth.as_ref().filter(|t| t.endmembers.count() == self.names.len())
    }

    fn truth_abundances(&self) -> Option<&crate::Abundances> {
        self.truth().and_then(|t| t.abundances.as_ref())
    }
}

fn names(scene: &Scene, count: usize) -> Vec<String> {
    let given = scene.truth.as_ref().map(|t| t.names.clone());
    given.filter(|names| names.len() == count).unwrap_or_else(|| numbered(count))
}

fn describe_scene(scene: &Scene) -> Result<String> {
    let (rows, columns) = scene.image_size()?;
    let bands = scene.cube.axis(AxisKind::Wavelength)?.len();
    Ok(format!("{} has {rows} x {columns} pixels and {bands} bands.", scene.name))
}

fn meaning(convention: Convention) -> &'static str {
    match convention {
        Convention::Fcls => "fully constrained (fcls): non-negative, summing to one at fixed brightness",
        Convention::Nnls => "non-negative least squares (nnls), which include brightness",
        Convention::UnitMax => "non-negative on endmembers of unit maximum, divided by their sum (unit-max)",
        Convention::Rescaled => "fully constrained at the brightness of near-pure pixels (rescaled)",
        Convention::Own => "those that the method itself gives (own)",
    }
}

fn finding(summary: &Summary) -> String {
    let mut sentence = format!(
        "A non-negative mixture explains the scene to {:.4} of its largest value.",
        summary.reconstruction_rmse
    );
    if let Some(sad) = summary.mean_sad_rad {
        sentence += &format!(" The mean spectral angle to the true endmembers is {sad:.4} rad.");
    }
    if let Some(errors) = summary.abundance_rmse {
        sentence += &format!(
            " Abundances differ from the true ones by {:.4} (fcls), {:.4} (unit-max) and {:.4} (rescaled).",
            errors.fcls, errors.unit_max, errors.rescaled
        );
    }
    sentence
}

/// What the posterior says in a sentence.
fn known(posterior: &Posterior, summaries: &[Summary]) -> String {
    let regime = match posterior.regime {
        Regime::Even => "Noise limits the fit, under light that is the same everywhere",
        Regime::Lit => "Noise limits the fit, under light that varies",
        Regime::Varied => "Materials that vary limit the fit, so that each endmember is a typical spectrum",
    };
    let mut sentence = format!("{regime}. The 90 % intervals are {:.4} wide on average.", posterior.mean_width());
    if let Some(coverage) = summaries.first().and_then(|s| s.coverage_90) {
        sentence += &format!(" They hold {:.1} % of the true abundances.", 100.0 * coverage);
    }
    sentence
}

fn runs_table(summaries: &[Summary]) -> Result<Table> {
    let mut table = Table::new()
        .number_column("seed", "", 0)
        .number_column("mean SAD", "rad", 4)
        .number_column("RMSE fcls", "", 4)
        .number_column("RMSE unit-max", "", 4)
        .number_column("RMSE rescaled", "", 4)
        .number_column("reconstruction", "", 5)
        .number_column("time", "s", 2);
    for run in summaries {
        table.push([
            Cell::from(run.seed as f64),
            Cell::from(run.mean_sad_rad),
            Cell::from(run.abundance_rmse.map(|e| e.fcls)),
            Cell::from(run.abundance_rmse.map(|e| e.unit_max)),
            Cell::from(run.abundance_rmse.map(|e| e.rescaled)),
            Cell::from(run.reconstruction_rmse),
            Cell::from(run.seconds),
        ])?;
    }
    Ok(table)
}

fn evidence_table(evidence: &[Evidence]) -> Result<Table> {
    let mut table = Table::new()
        .text_column("extractor")
        .text_column("pixels")
        .number_column("draw", "", 0)
        .number_column("held-out distance", "", 5)
        .number_column("entropy", "nat", 4)
        .number_column("collinearity", "", 4)
        .number_column("instability", "rad", 4)
        .number_column("score", "", 4);
    for candidate in evidence.iter().take(CANDIDATES_SHOWN) {
        table.push([
            Cell::from(candidate.proposal.method.name()),
            Cell::from(candidate.proposal.space.name()),
            Cell::from(f64::from(candidate.proposal.draw)),
            Cell::from(candidate.held_out_distance),
            Cell::from(candidate.entropy),
            Cell::from(candidate.collinearity),
            Cell::from(candidate.instability_rad),
            Cell::from(candidate.score),
        ])?;
    }
    Ok(table)
}

pub(crate) fn cite(story: Story) -> Story {
    story
        .citation("A. Zouaoui et al., Entropic descent archetypal analysis for blind hyperspectral unmixing, IEEE TIP 32, 2023", "arXiv:2209.11002")
        .citation("J. M. P. Nascimento, J. M. Bioucas-Dias, Vertex component analysis, IEEE TGRS 43(4), 2005", "doi:10.1109/TGRS.2005.844293")
        .citation("M. E. Winter, N-FINDR, Proc. SPIE 3753, 1999", "doi:10.1117/12.366289")
        .citation("N. Gillis, S. A. Vavasis, Fast and robust recursive algorithms for separable nonnegative matrix factorization, IEEE TPAMI 36(4), 2014", "arXiv:1208.1237")
        .citation("D. C. Heinz, C.-I Chang, Fully constrained least squares linear spectral mixture analysis, IEEE TGRS 39(3), 2001", "doi:10.1109/36.911111")
}

/// Where a comparison method comes from.
fn source(method: Method) -> Option<(&'static str, &'static str)> {
    match method {
        Method::Pmm => Some((
            "O. Hoidn, A. A. Mishra, A. Mehta, Probabilistic mixture model-based spectral unmixing, Applied Sciences 14, 4836, 2024",
            "doi:10.3390/app14114836",
        )),
        Method::LinearAe => Some((
            "B. Palsson et al., Hyperspectral unmixing using a neural network autoencoder, IEEE Access 6, 2018",
            "doi:10.1109/ACCESS.2018.2818280",
        )),
        Method::Cnnaeu => Some((
            "B. Palsson et al., Convolutional autoencoder for spectral-spatial hyperspectral unmixing, IEEE TGRS 59(1), 2021",
            "doi:10.1109/TGRS.2020.2992743",
        )),
        Method::Misicnet => Some((
            "B. Rasti et al., MiSiCNet: minimum simplex convolutional network for deep hyperspectral unmixing, IEEE TGRS 60, 2022",
            "doi:10.1109/TGRS.2022.3146904",
        )),
        Method::Deeptrans => Some((
            "P. Ghosh et al., Hyperspectral unmixing using transformer network, IEEE TGRS 60, 2022",
            "arXiv:2203.17076",
        )),
        Method::Sunsal => Some((
            "J. M. Bioucas-Dias, M. A. T. Figueiredo, Alternating direction algorithms for constrained sparse regression, WHISPERS 2010",
            "arXiv:1002.4527",
        )),
        _ => None,
    }
}

/// A name as part of a file name.
fn file_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}
