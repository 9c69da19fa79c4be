//! [`Page`]: the figures, tables and words of a run, of a scene in memory or in tiles.

use std::path::Path;

use cupel_report::{
    Cell, ClassMap, ColorImage, ColorMap, HeatMap, LineChart, MapPanel, Range, Report, Table, file_name,
};
use cupel_statistics::Spread;

use crate::{
    Abundances, Convention, Evidence, Match, Posterior, Regime, Result, Results, Row, Scene, Source, Summary, Truth,
    Unmixed, UnmixingConfig, Usable,
    citations::cite,
    comparison::with_measures,
    flagged::{Flagged, purest},
    preview::Preview,
    results::distinct,
    summary::spread,
};

/// Letters of an endmember's name that the name of its map has.
const LONGEST_NAME: usize = 100;
/// Candidates that the table of evidence shows.
const CANDIDATES_SHOWN: usize = 12;

/// Maps as they are drawn: all pixels of a scene in memory, some of a larger one.
pub(crate) struct Picture {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Distance of its pixels in the scene.
    pub(crate) step: usize,
    pub(crate) abundances: Vec<Vec<f32>>,
    pub(crate) brightness: Vec<f32>,
    pub(crate) errors: Vec<f32>,
    /// The bands of the preview.
    pub(crate) colors: [Vec<f32>; 3],
}

impl Picture {
    pub(crate) fn of(unmixed: &Unmixed, scene: &Scene) -> Self {
        let usable = &scene.usable;
        let single = |values: &[f64]| {
            let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
            usable.scattered(&values, 1, f32::NAN)
        };
        let abundances = maps(unmixed.own_abundances(), Some(usable));
        let (brightness, errors) = (single(&unmixed.brightness), single(&unmixed.errors));
        let bands = scene.bands();
        let channel = |band: usize| scene.cube.values().iter().skip(band).step_by(bands.kept.len()).copied().collect();
        let colors = Preview::of(&bands.axis, &bands.kept).bands.map(channel);
        Self { rows: usable.rows(), columns: usable.columns(), step: 1, abundances, brightness, errors, colors }
    }

    /// The endmember of the largest share in each pixel.
    fn dominant(&self) -> Vec<Option<usize>> {
        let share = |k: usize, place: usize| self.abundances[k][place];
        let largest = |place: usize| {
            let known = (0..self.abundances.len()).filter(|&k| share(k, place).is_finite());
            known.reduce(|best, k| if share(k, place) > share(best, place) { k } else { best })
        };
        (0..self.rows * self.columns).map(largest).collect()
    }
}

/// What a run has to show.
pub(crate) struct Page<'a> {
    config: &'a UnmixingConfig,
    results: &'a Results,
    source: &'a Source,
    truth: Option<&'a Truth>,
    picture: Picture,
    /// Positions of the bands, with the label of their axis.
    bands: (Vec<f64>, &'static str),
    evidence: &'a [Evidence],
    posterior: Option<&'a Posterior>,
    preview: Preview,
    dominant: Vec<Option<usize>>,
    /// Of a scene in memory what only it and its results tell.
    whole: Option<(&'a Scene, &'a Unmixed)>,
    flagged: Flagged,
}

impl<'a> Page<'a> {
    /// `truth` is what the results can be compared with. Of results that are in memory too, `unmixed` has what only they tell.
    pub(crate) fn new(
        source: &'a Source,
        (config, truth): (&'a UnmixingConfig, Option<&'a Truth>),
        results: &'a Results,
        picture: Picture,
        unmixed: Option<&'a Unmixed>,
    ) -> Result<Self> {
        let axis = source.band_axis()?;
        let bands = match (axis.coordinates(), source.nominal_wavelengths()) {
            (Some(centres), true) => (centres.to_vec(), "nominal wavelength (nm)"),
            (Some(centres), false) => (centres.to_vec(), "wavelength (nm)"),
            (None, _) => ((1..=axis.len()).map(|b| b as f64).collect(), "band"),
        };
        let whole = match source {
            Source::Whole(scene) => unmixed.map(|unmixed| (scene.as_ref(), unmixed)),
            Source::Tiled(_) => None,
        };
        Ok(Self {
            config,
            results,
            source,
            truth,
            preview: source.preview(),
            dominant: picture.dominant(),
            flagged: whole.map(|(scene, unmixed)| Flagged::of(scene, unmixed)).unwrap_or_default(),
            whole,
            picture,
            bands,
            evidence: unmixed.map_or(&[], |unmixed| &unmixed.evidence),
            posterior: unmixed.and_then(|unmixed| unmixed.posterior.as_ref()),
        })
    }

    /// Writes everything into the folder.
    pub(crate) fn save(&self, dir: &Path) -> Result<()> {
        let mut report = Report::new(dir, format!("Unmixing of {}", self.source.name()));
        self.words(&mut report)?;
        self.figures(&mut report);
        self.tables(&mut report)?;
        cite(&mut report, Some(self.config.method), self.config.spatial);
        report.numbers(&self.results.summary)?;
        report.save()?;
        Ok(())
    }

    fn words(&self, report: &mut Report<'_>) -> Result<()> {
        let summary = &self.results.summary;
        report.summary(describe(self.source)?);
        self.source.notes().iter().chain(&self.results.notes).for_each(|note| report.summary(sentence(note)));
        let tiled = matches!(self.source, Source::Tiled(_));
        if tiled {
            report.summary(format!(
                "It was read in tiles of rows; {} pixels could be unmixed. Endmembers were looked for in an even sample of the scene and \
                 the pixels that lie furthest along random directions.",
                self.results.pixels
            ));
        }
        report.summary(format!(
            "{} endmembers were found by {} in {} {}; abundances are {}.",
            summary.endmembers,
            summary.method,
            summary.steps,
            if self.evidence.is_empty() && !tiled { "steps" } else { "candidates" },
            self.config.abundance.meaning(),
        ));
        if let Some(suggestion) = &self.results.suggestion {
            report.finding(suggestion.reason.clone());
        }
        if let Some(best) = self.evidence.first() {
            report.finding(format!(
                "The endmembers come from {} on {} pixels. They lie a median of {:.3} rad from those of the other candidates, \
                 and their largest correlation is {:.3}.",
                best.proposal.method,
                words(best.proposal.space.name()),
                best.instability_rad,
                best.collinearity,
            ));
        }
        report.finding(finding(self.runs().first().unwrap_or(summary)));
        self.flagged.words.iter().for_each(|words| report.finding(format!("{words}.")));
        if let Some(posterior) = self.posterior {
            report.finding(known(posterior, self.runs()));
        }
        Ok(())
    }

    fn figures<'b: 'a>(&'b self, report: &mut Report<'b>) {
        let Picture { rows, columns, step, .. } = self.picture;
        let reduced = if step > 1 { format!(", every {step}th pixel") } else { String::new() };
        let bounded = self.config.abundance != Convention::Nnls;
        report.figure("preview", format!("{}{reduced}", self.preview.caption), move || {
            let [red, green, blue] = &self.picture.colors;
            ColorImage::new(self.source.name(), [red, green, blue], rows, columns).figure()
        });
        report.figure("dominant", format!("The endmember of the largest share in every pixel{reduced}."), move || {
            ClassMap::new("Dominant endmember", self.names(), &self.dominant, rows, columns).figure()
        });
        report.figure("abundances", format!("Share of each endmember in every pixel{reduced}."), move || {
            let panel = self.panel(format!("Abundances ({})", self.config.abundance), &self.picture.abundances);
            if bounded { panel.range(0.0, 1.0).figure() } else { panel.figure() }
        });
        report.figure("endmembers", "Spectra of the endmembers, each relative to its maximum.", || {
            self.spectra().figure()
        });
        if let Some(truth) = self.truth.and_then(|truth| truth.abundances.as_ref()) {
            report.figure("true_abundances", "True share of each endmember.", || {
                let maps = maps(truth, self.source.usable());
                self.panel("True abundances".into(), &maps).range(0.0, 1.0).figure()
            });
            report.figure("abundance_errors", "True share of each endmember minus the one found.", || {
                let found = &self.picture.abundances;
                let minus =
                    |(truth, found): (Vec<f32>, &Vec<f32>)| truth.iter().zip(found).map(|(t, f)| t - f).collect();
                let differences: Vec<Vec<f32>> =
                    maps(truth, self.source.usable()).into_iter().zip(found).map(minus).collect();
                let panel = self.panel("True minus found abundances".into(), &differences);
                panel.color_map(ColorMap::Diverging).range_of(Range::Symmetric).label("difference").figure()
            });
        }
        if let Some(posterior) = self.posterior {
            let caption = "Width of the interval that is to hold each abundance in 90 of 100 cases.";
            report.figure("intervals", caption, || {
                let widths = posterior.upper.iter().zip(&posterior.lower).map(|(upper, lower)| upper - lower).collect();
                let maps = maps(&Abundances::new(widths, self.names().len())?, self.source.usable());
                Ok::<_, crate::Error>(self.panel("Width of the 90 % intervals".into(), &maps).figure()?)
            });
        }
        let caption = match self.config.abundance {
            Convention::Fcls | Convention::Nnls => {
                "Brightness of each pixel: one, by the convention of the abundances."
            }
            _ => "Brightness of each pixel, by which the mixture is multiplied: light and shade.",
        };
        report.figure("brightness", caption, move || {
            let map = HeatMap::new("Brightness", &self.picture.brightness, rows, columns);
            map.color_map(ColorMap::Gray).label("relative brightness").figure()
        });
        let caption = "What brightness, abundances and endmembers together do not explain.";
        report.figure("reconstruction_error", caption, move || {
            let map = HeatMap::new("Reconstruction error", &self.picture.errors, rows, columns);
            map.label("root mean square over bands").figure()
        });
        report.pixels("preview_pixels", move || {
            let [red, green, blue] = &self.picture.colors;
            ColorImage::new(self.source.name(), [red, green, blue], rows, columns).pixels()
        });
        let mut files: Vec<String> = Vec::new();
        for (name, map) in self.names().iter().zip(&self.picture.abundances).filter(|_| step == 1) {
            // Names of other alphabets become the same underscores.
            let file: String = file_name(name).chars().take(LONGEST_NAME).collect();
            files.push(distinct(format!("abundance_{file}"), "_", &files));
            report.pixels(files[files.len() - 1].clone(), move || {
                HeatMap::new(name.as_str(), map, rows, columns).range(0.0, 1.0).pixels()
            });
        }
    }

    fn panel<'m>(&self, title: String, maps: &'m [Vec<f32>]) -> MapPanel<'m> {
        let panel = MapPanel::new(title, self.picture.rows, self.picture.columns).label("abundance");
        self.names().iter().zip(maps).fold(panel, |panel, (name, map)| panel.map(name.as_str(), map))
    }

    fn spectra(&self) -> LineChart {
        let (x, label) = &self.bands;
        let mut chart =
            LineChart::new("Endmembers", *label, "reflectance relative to the maximum").include_y(0.0).break_gaps();
        for (name, spectrum) in self.names().iter().zip(self.results.endmembers.unit_maximum().spectra()) {
            chart = chart.line(name.as_str(), x, spectrum);
        }
        if let Some(truth) = self.truth {
            for (name, spectrum) in self.names().iter().zip(truth.endmembers.unit_maximum().spectra()) {
                chart = chart.reference(name.as_str(), x, spectrum);
            }
            chart = chart.reference_name("truth");
        }
        chart
    }

    fn tables(&self, report: &mut Report<'_>) -> Result<()> {
        report.table("measures", "Agreement with the truth, under every convention of abundances.", self.measures()?);
        report.table("runs", "All runs.", runs_table(self.runs())?);
        if !self.evidence.is_empty() {
            report.table("candidates", "Candidates without the truth, best first.", evidence_table(self.evidence)?);
        }
        if let Some(suggestion) = &self.results.suggestion {
            let mut table = Table::new()
                .number_column("endmembers", "", 0)
                .number_column("held-out error", "", 6)
                .number_column("instability", "rad", 4);
            for tried in &suggestion.candidates {
                table.push([tried.endmembers as f64, tried.held_out_rmse, tried.instability_rad].map(Cell::from))?;
            }
            report.table("number_of_endmembers", "Evidence for the number of endmembers.", table);
        }
        if let Some((scene, unmixed)) = self.whole {
            let caption = "The purest pixel of each endmember, by row and column counted from 1.";
            report.table("purest_pixels", caption, purest(scene, unmixed, self.names())?);
        }
        if let Some(table) = self.flagged.table()? {
            report.table("flagged_pixels", self.flagged.caption(), table);
        }
        if !self.results.matches.is_empty() {
            let mut table = Table::new()
                .text_column("endmember")
                .text_column("nearest in the library")
                .number_column("angle", "rad", 4);
            for Match { endmember, spectrum, sad_rad } in &self.results.matches {
                table.push([Cell::from(endmember.as_str()), Cell::from(spectrum.as_str()), Cell::from(*sad_rad)])?;
            }
            report.table("matches", "What the endmembers are by the library.", table);
        }
        let (x, label) = &self.bands;
        let spectra = Table::new().number_column(*label, "", 2);
        let mut spectra =
            self.names().iter().fold(spectra, |spectra, name| spectra.number_column(name.as_str(), "", 6));
        for (band, position) in x.iter().enumerate() {
            let values = self.results.endmembers.spectra().map(|spectrum| spectrum[band]);
            spectra.push(std::iter::once(*position).chain(values).map(Cell::from))?;
        }
        report.table("endmembers", "Spectra of the endmembers in the units of the file.", spectra);
        Ok(())
    }

    /// Spectral angle and abundance errors of each endmember, mean and standard deviation over the runs.
    fn measures(&self) -> Result<Table> {
        let runs = self.runs();
        let plain: fn(Spread) -> Cell = |spread| Cell::from(spread.mean);
        let cell = if runs.len() > 1 { |spread: Spread| Cell::spread(spread.mean, spread.sd) } else { plain };
        let [sad, fcls, unit_max, rescaled, reconstruction, time] = Row::of("", runs).cells(cell);
        let mut rows = vec![("mean SAD (rad)".to_owned(), sad)];
        for (k, name) in self.names().iter().enumerate() {
            let spread = spread(runs, &|run| run.sad_rad.as_ref()?.get(k).copied());
            rows.push((format!("SAD {name} (rad)"), spread.map_or(Cell::Missing, cell)));
        }
        rows.extend([
            ("abundance RMSE, fcls".into(), fcls),
            ("abundance RMSE, unit-max".into(), unit_max),
            ("abundance RMSE, rescaled".into(), rescaled),
            (format!("reconstruction RMSE ({})", self.config.abundance), reconstruction),
            ("time (s)".into(), time),
        ]);
        let mut table = Table::new().text_column("measure").number_column("value", "", 4);
        for (name, value) in rows {
            table.push([Cell::from(name), value])?;
        }
        Ok(table)
    }

    fn names(&self) -> &[String] {
        &self.results.names
    }

    fn runs(&self) -> &[Summary] {
        match self.results.runs.as_slice() {
            [] => std::slice::from_ref(&self.results.summary),
            runs => runs,
        }
    }
}

/// The map of each endmember over all pixels, with NaN where one was left out.
fn maps(abundances: &Abundances, usable: Option<&Usable>) -> Vec<Vec<f32>> {
    let map = |k| -> Vec<f32> {
        let values: Vec<f32> = abundances.map(k).into_iter().map(|v| v as f32).collect();
        usable.map_or_else(|| values.clone(), |usable| usable.scattered(&values, 1, f32::NAN))
    };
    (0..abundances.endmembers()).map(map).collect()
}

/// A note as a sentence.
pub(crate) fn sentence(note: &str) -> String {
    let mut letters = note.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// A name of a setting as words.
fn words(name: &str) -> String {
    name.replace('-', " ")
}

pub(crate) fn describe(source: &Source) -> Result<String> {
    let (rows, columns) = source.image_size();
    let bands = source.band_axis()?.len();
    Ok(format!("{} has {rows} x {columns} pixels and {bands} bands.", source.name()))
}

fn finding(summary: &Summary) -> String {
    let mut sentence = format!(
        "Brightness, abundances ({}) and endmembers explain the scene to {:.4} of its largest value.",
        summary.abundance, summary.reconstruction_rmse
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
        Regime::Intimate => {
            "Grains are mixed intimately, so that albedos of single scattering mix and reflectances do not: abundances are shares of albedos"
        }
    };
    let mut sentence = format!("{regime}. The 90 % intervals are {:.4} wide on average.", posterior.mean_width());
    if let Some(coverage) = summaries.first().and_then(|s| s.coverage_90) {
        sentence += &format!(" They hold {:.1} % of the true abundances.", 100.0 * coverage);
    }
    sentence
}

fn runs_table(runs: &[Summary]) -> Result<Table> {
    let mut table = with_measures(Table::new().number_column("seed", "", 0));
    for run in runs {
        let cells = Row::of("", std::slice::from_ref(run)).cells(|spread| Cell::from(spread.mean));
        table.push(std::iter::once(Cell::from(run.seed as f64)).chain(cells))?;
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
            Cell::from(words(candidate.proposal.space.name())),
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
