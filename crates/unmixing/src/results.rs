//! [`Results`]: what unmixing a scene gives, whether it is in memory or larger than that.

use std::{fmt, path::Path};

use cupel_train::{Policy, Run};
use serde::Serialize;

use crate::{
    Agreement, Endmembers, Image, Result, Scene, Smoothed, Source, Suggestion, Summary, Truth, Unmixed, Unmixing,
    UnmixingConfig, arrays, assign,
    driver::Driver,
    page::{Page, Picture},
    plan::check_count,
    scene::numbered,
    spectral_angle,
    unmixing::most_abundant_first,
};

/// What unmixing a scene gives.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// Means over the runs.
    #[serde(flatten)]
    pub summary: Summary,
    /// Each run, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Summary>,
    /// Names of the endmembers: those of the truth, where there is one.
    #[serde(skip)]
    pub names: Vec<String>,
    /// What the endmembers are by a library, where one was given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<Match>,
    /// Endmembers of the first run in the units of the file, as the convention of the abundances has them.
    #[serde(skip)]
    pub endmembers: Endmembers,
    /// How the number of endmembers was found, where it was searched for.
    #[serde(skip)]
    pub suggestion: Option<Suggestion>,
    /// The first run as it is, of a scene in memory; that of a larger one is in the files of its run.
    #[serde(skip)]
    pub unmixed: Option<Unmixed>,
    /// Pixels that could be unmixed.
    pub pixels: usize,
    /// Pixels that were left out, for want of data or as asked.
    pub pixels_left_out: usize,
    /// Values below zero among those of these pixels.
    pub values_below_zero: usize,
    /// What was done with values below zero, and what was left out of a scene in tiles as it was read, a line each; what is known before is
    /// in [`Source::notes`].
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// An endmember and the spectrum of a library that it is most likely.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Match {
    /// Name of the endmember.
    pub endmember: String,
    /// Name of the spectrum in the library.
    pub spectrum: String,
    /// Angle between the two in radians.
    pub sad_rad: f64,
}

impl Unmixing {
    /// Each endmember with a spectrum of the library: one of its own for each at the least sum of angles, the nearest where the library has
    /// fewer.
    pub(crate) fn matches(&self, endmembers: &Endmembers, names: &[String]) -> Vec<Match> {
        let Some(library) = &self.named else { return Vec::new() };
        let count = library.spectra.count();
        let angles: Vec<f64> =
            endmembers.spectra().flat_map(|e| library.spectra.spectra().map(|l| spectral_angle(e, l))).collect();
        let nearest = |row: &[f64]| (0..count).min_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0);
        let chosen = if endmembers.count() <= count {
            assign(&angles, endmembers.count(), count)
        } else {
            angles.chunks_exact(count).map(nearest).collect()
        };
        let of = |((name, row), place): ((&String, &[f64]), usize)| Match {
            endmember: name.clone(),
            spectrum: library.names[place].clone(),
            sad_rad: row[place],
        };
        names.iter().zip(angles.chunks_exact(count)).zip(chosen).map(of).collect()
    }

    /// Unmixes a scene as often as the settings say, with the seeds that follow, and matches what is found to the truth. The folder of
    /// `run` gets arrays, figures, tables, `metrics.json` and the page; one in memory gets none, and cannot take a scene in tiles.
    ///
    /// # Errors
    /// As [`Unmixing::plan`]; a stop by a signal; files that cannot be written.
    pub fn run(&self, source: &Source, run: &mut Run) -> Result<Results> {
        self.plan(source)?;
        match source {
            Source::Whole(scene) => self.run_whole(source, scene, run),
            Source::Tiled(scene) => self.run_tiled(source, scene, run),
        }
    }

    fn run_whole(&self, source: &Source, scene: &Scene, run: &mut Run) -> Result<Results> {
        let negative = self.config.negative;
        let ((image, below), truth) = (Image::of_scene(scene)?.treated(negative)?, scene.truth.as_ref());
        let (count, suggestion) = self.count_for(&image, truth, run)?;
        let mut first: Option<Unmixed> = None;
        let mut runs = Vec::new();
        for seed in seeds(&self.config) {
            let (unmixed, summary) = self.seeded(seed).fit_matched(&image, count, truth, run)?;
            first.get_or_insert(unmixed);
            runs.push(summary);
        }
        let (Some(first), Some(summary)) = (first, Summary::mean(&runs)) else { unreachable!("runs are at least one") };
        let truth = truth.map(|truth| truth.nearest(&first.endmembers)).transpose()?;
        let truth = truth.as_ref();
        let results = Results {
            summary,
            runs: if runs.len() > 1 { runs } else { Vec::new() },
            names: names(truth, count),
            matches: self.matches(&first.endmembers, &names(truth, count)),
            endmembers: first.endmembers.scaled(&vec![scene.scale; count]),
            suggestion,
            pixels: image.pixels().count(),
            pixels_left_out: scene.usable.left_out(),
            values_below_zero: below.count,
            notes: below.told(negative, 1.0).into_iter().chain(first.smoothed.as_ref().map(Smoothed::told)).collect(),
            unmixed: None,
        };
        if let Some(dir) = run.dir().map(Path::to_path_buf) {
            run.monitor().phase("figures and tables", || {
                let picture = Picture::of(&first, scene);
                let page = Page::new(source, (&self.config, truth), &results, picture, Some(&first))?;
                let (arrays, page) =
                    rayon::join(|| arrays::save(&dir, &first, &results.names, scene), || page.save(&dir));
                arrays.and(page)
            })?;
        }
        Ok(Results { unmixed: Some(first), ..results })
    }

    /// The number of endmembers for all runs of a scene in memory.
    pub(crate) fn count_for(
        &self,
        image: &Image,
        truth: Option<&Truth>,
        run: &mut Run,
    ) -> Result<(usize, Option<Suggestion>)> {
        let known = truth.map(|truth| truth.endmembers.count());
        let policy = Policy::default();
        let (count, suggestion) = self.count((image.pixels(), Some(image)), known, &mut Driver::new(run, &policy))?;
        check_count(count, image.pixels().count(), image.pixels().bands())?;
        Ok((count, suggestion))
    }

    /// One fit in the order of the truth, measured.
    pub(crate) fn fit_matched(
        &self,
        image: &Image,
        count: usize,
        truth: Option<&Truth>,
        run: &mut Run,
    ) -> Result<(Unmixed, Summary)> {
        let policy = Policy::default();
        let unmixed = self.fit_within(image, count, Driver::new(run, &policy))?;
        let nearest = truth.map(|truth| truth.nearest(&unmixed.endmembers)).transpose()?;
        let truth = nearest.as_ref();
        let unmixed = match truth {
            Some(truth) => {
                let order = order(&unmixed.endmembers, &truth.endmembers)?;
                unmixed.reordered(&order)
            }
            None => unmixed,
        };
        let run_dir = run.dir().map(|dir| dir.display().to_string());
        let summary = Summary { run_dir, ..Summary::of(&unmixed, truth)? };
        Ok((unmixed, summary))
    }

    pub(crate) fn seeded(&self, seed: u64) -> Self {
        self.with_config(UnmixingConfig { seed, ..self.config })
    }
}

/// The seeds of all runs.
pub(crate) fn seeds(config: &UnmixingConfig) -> impl Iterator<Item = u64> + use<> {
    let UnmixingConfig { seed, runs, .. } = *config;
    (0..runs).map(move |i| seed.wrapping_add(i))
}

/// The places of the endmembers in the order of the truth, those that it has not behind.
fn order(endmembers: &Endmembers, truth: &Endmembers) -> Result<Vec<usize>> {
    let mut order = Agreement::of(endmembers, truth)?.order;
    let others: Vec<usize> = (0..endmembers.count()).filter(|k| !order.contains(k)).collect();
    order.extend(others);
    Ok(order)
}

/// The order of the truth where there is one, else the most abundant first.
pub(crate) fn order_of(endmembers: &Endmembers, truth: Option<&Truth>, sample: &crate::Pixels) -> Result<Vec<usize>> {
    match truth {
        Some(truth) => order(endmembers, &truth.endmembers),
        None => most_abundant_first(sample, endmembers),
    }
}

/// Names of the endmembers in the order of the truth; those that it has not are numbered, and so are those that stand twice.
pub(crate) fn names(truth: Option<&Truth>, count: usize) -> Vec<String> {
    let given = truth.map_or(&[][..], |truth| &truth.names);
    let mut names: Vec<String> = Vec::new();
    for name in given.iter().cloned().chain(numbered(count).into_iter().skip(given.len())).take(count) {
        names.push(distinct(name, " ", &names));
    }
    names
}

/// A name that is not among `others`: with the lowest number behind it that makes it so.
pub(crate) fn distinct(name: String, gap: &str, others: &[String]) -> String {
    if !others.contains(&name) {
        return name;
    }
    let numbered = (2_usize..).map(|number| format!("{name}{gap}{number}"));
    numbered.into_iter().find(|numbered| !others.contains(numbered)).unwrap_or(name)
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = &self.summary;
        writeln!(f, "{} endmembers by {} in {:.2} s", s.endmembers, s.method, s.seconds)?;
        if self.pixels_left_out > 0 {
            writeln!(
                f,
                "left out              {} of {} pixels",
                self.pixels_left_out,
                self.pixels + self.pixels_left_out
            )?;
        }
        writeln!(f, "reconstruction RMSE   {:.5} ({})", s.reconstruction_rmse, s.abundance)?;
        if let (Some(mean), Some(each)) = (s.mean_sad_rad, &s.sad_rad) {
            writeln!(f, "mean SAD              {mean:.4} rad")?;
            for (name, sad) in self.names.iter().zip(each) {
                writeln!(f, "  {name:<20}{sad:.4} rad")?;
            }
        }
        for Match { endmember, spectrum, sad_rad } in &self.matches {
            writeln!(f, "  {endmember:<20}is nearest to {spectrum} ({sad_rad:.4} rad)")?;
        }
        if let Some(e) = s.abundance_rmse {
            let (fcls, unit_max, rescaled) = (e.fcls, e.unit_max, e.rescaled);
            writeln!(f, "abundance RMSE        fcls {fcls:.4}  unit-max {unit_max:.4}  rescaled {rescaled:.4}")?;
        }
        if let Some(coverage) = s.coverage_90 {
            writeln!(f, "90 % intervals hold   {:.1} % of the true abundances", 100.0 * coverage)?;
        }
        if let Some(dir) = &s.run_dir {
            writeln!(f, "report                {}", Path::new(dir).join("report.html").display())?;
        }
        Ok(())
    }
}
