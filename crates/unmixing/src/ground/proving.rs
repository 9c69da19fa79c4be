//! [`Proving`]: methods on all scenes of the proving ground, one after the other.

use std::{collections::BTreeMap, fmt, path::Path};

use cupel_report::{Cell, Report, Table};
use cupel_settings::{Range, settings};
use cupel_train::{Advance, Computing, Metrics, Policy, Position, Progress, Run, SetReader, SetWriter, fingerprint};
use serde::{Deserialize, Serialize};

use super::{Family, GroundScene, Half, Judged, LEVELS, Material, Recipe, suite};
use crate::{
    Convention, EndmemberCount, Method, Result, Unmixing, UnmixingConfig, config::MOST_SEARCHED, driver::Driver,
    suggest,
};

settings! {
    /// What is proved, and on which scenes.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct ProvingConfig in "proving" {
        /// Methods, separated by commas
        pub methods: Vec<Method> = [Method::EXTRACTORS.as_slice(), &[Method::Pmm]].concat(), "METHODS";
        /// Families of scenes, separated by commas
        pub families: Vec<Family> = Family::ALL.to_vec(), "FAMILIES";
        /// Scenes for choosing or for reporting alone; both unless given
        pub half: Option<Half> = None;
        /// Seeds of the methods on every scene
        pub seeds: u64 = 1, in Range::at_least(1.0).at_most(1e3), "N";
        /// Updates of networks, rounded up to whole epochs; chosen by the method unless given
        pub steps: Option<u64> = None, in Range::at_least(1.0).at_most(1e9), "N";
        /// Convention of the abundances that are measured
        pub abundance: Convention = Convention::Rescaled;
        /// Whether the number of endmembers is searched for, too; methods are given the true one
        pub number: bool = true;
    }
    needs {
        ["steps"] |own| own.methods.iter().any(|method| method.is_network()) => "only networks make steps";
    }
}

/// A number of endmembers that was searched for on one scene.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    /// The scene.
    pub scene: String,
    /// Its family.
    pub family: Family,
    /// What it is for.
    pub half: Half,
    /// The true number.
    pub endmembers: usize,
    /// What the search suggests.
    pub found: usize,
}

/// How a method stands in a family, or over all of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// The family; `None` over all.
    pub family: Option<Family>,
    /// The half.
    pub half: Half,
    /// The method.
    pub method: Method,
    /// Scenes and seeds.
    pub fits: usize,
    /// Mean spectral angle distance in radians.
    pub sad_rad: f64,
    /// Mean root mean square error of the abundances.
    pub abundance_rmse: f64,
    /// The mean angle, relative to that of the extractor with the least one among those that were run.
    pub sad_to_extractor: Option<f64>,
    /// The mean angle, relative to the mean over scenes of the least one of any extractor.
    pub sad_to_best: Option<f64>,
    /// The mean angle, relative to that of `auto`, at which the mixture model begins.
    pub sad_to_auto: Option<f64>,
    /// The mean abundance error, relative to that of `auto`.
    pub rmse_to_auto: Option<f64>,
    /// Share of true abundances in intervals of 50, 80, 90 and 95 %.
    pub coverage: Option<[f64; 4]>,
    /// Mean width of these intervals.
    pub width: Option<[f64; 4]>,
    /// Mean time.
    pub seconds: f64,
}

/// How often the number of endmembers is right.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Numbers {
    /// The family; `None` over all.
    pub family: Option<Family>,
    /// The half.
    pub half: Half,
    /// Scenes of at most six materials.
    pub scenes: usize,
    /// Share of them where it is right.
    pub right: f64,
    /// Share of them where it is off by one at most.
    pub within_one: f64,
}

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

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Task {
    Number,
    Fit(Method, u64),
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Done {
    fits: Vec<Judged>,
    counted: Vec<Counted>,
}

/// The proving under way; an [`Advance`] that fits one method to one scene at a time.
pub struct Proving {
    unmixing: Unmixing,
    config: ProvingConfig,
    materials: Vec<Material>,
    tasks: Vec<(Recipe, Task)>,
    done: Done,
    /// The scene that was made last.
    scene: Option<(Recipe, GroundScene)>,
}

impl Proving {
    /// Methods by the settings of `unmixing`, but for method, number of endmembers, convention, updates and seed. Scenes of measured spectra are made of
    /// `materials` where these are enough, else of simulated ones.
    ///
    /// # Errors
    /// No method or no family.
    pub fn new(unmixing: Unmixing, config: ProvingConfig, materials: Vec<Material>) -> Result<Self> {
        if config.methods.is_empty() || config.families.is_empty() {
            return Err(crate::Error::setting("methods or families", "none", "at least one"));
        }
        let wanted = |recipe: &Recipe| {
            config.families.contains(&recipe.family) && config.half.is_none_or(|half| half == recipe.half())
        };
        let seeds = unmixing.config.seed..unmixing.config.seed + config.seeds;
        let mut tasks = Vec::new();
        for recipe in suite().into_iter().filter(wanted) {
            let fits = config
                .methods
                .iter()
                .flat_map(|&method| seeds.clone().map(move |seed| (recipe, Task::Fit(method, seed))));
            tasks.extend(config.number.then_some((recipe, Task::Number)).into_iter().chain(fits));
        }
        Ok(Self { unmixing, config, materials, tasks, done: Done::default(), scene: None })
    }

    /// Number of scenes.
    pub fn scenes(&self) -> usize {
        let mut names: Vec<String> = self.tasks.iter().map(|(recipe, _)| recipe.name()).collect();
        names.dedup();
        names.len()
    }

    /// Number of fits and searches.
    pub fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// Does all that is left within `run`, whose folder gets tables, `metrics.json` and the page.
    ///
    /// # Errors
    /// A method that fails on a scene, a stop by a signal, files that cannot be written.
    pub fn run(mut self, run: &mut Run) -> Result<Proof> {
        run.drive(&mut self, &Policy::default())?;
        let dir = run.dir().map(Path::to_path_buf);
        let proof = self.proof(dir.as_ref().map(|dir| dir.display().to_string()));
        if let Some(dir) = &dir {
            proof.save(dir)?;
        }
        Ok(proof)
    }

    fn place(&self) -> usize {
        self.done.fits.len() + self.done.counted.len()
    }

    fn next(&mut self) -> Result<f64> {
        let (recipe, task) = self.tasks[self.place()];
        if self.scene.as_ref().is_none_or(|(made, _)| *made != recipe) {
            self.scene = Some((recipe, recipe.scene(&self.materials)?));
        }
        let Some((_, scene)) = &self.scene else { return Ok(f64::NAN) };
        match task {
            Task::Number => {
                let found = suggest(scene.image.pixels(), MOST_SEARCHED, self.unmixing.config.seed)?.endmembers;
                let (scene, family, half) = (recipe.name(), recipe.family, recipe.half());
                self.done.counted.push(Counted { scene, family, half, endmembers: recipe.endmembers, found });
                Ok(f64::NAN)
            }
            Task::Fit(method, seed) => {
                let ProvingConfig { abundance, steps, .. } = self.config;
                let endmembers = Some(EndmemberCount::Fixed(recipe.endmembers));
                let config = UnmixingConfig { method, seed, endmembers, abundance, steps, ..self.unmixing.config };
                let unmixing = self.unmixing.with_config(config);
                let (mut run, policy) = (Run::in_memory(), Policy::default());
                let unmixed = unmixing.fit_within(&scene.image, recipe.endmembers, Driver::new(&mut run, &policy))?;
                let judged = Judged::of(&recipe, scene, &unmixed)?;
                let angle = judged.sad_rad;
                self.done.fits.push(judged);
                Ok(angle)
            }
        }
    }

    fn proof(self, run_dir: Option<String>) -> Proof {
        let Done { fits, counted } = self.done;
        let families = || self.config.families.iter().copied().map(Some).chain([None]);
        let halves = [Half::Choosing, Half::Reporting];
        let mut standings = Vec::new();
        for half in halves {
            for family in families() {
                let here = |fit: &&Judged| fit.half == half && family.is_none_or(|own| fit.family == own);
                let own: Vec<&Judged> = fits.iter().filter(here).collect();
                let of = |&method: &Method| Standing::of(family, half, method, &own);
                standings.extend(self.config.methods.iter().filter_map(of));
            }
        }
        let numbers = halves
            .iter()
            .flat_map(|&half| families().map(move |family| (half, family)))
            .filter_map(|(half, family)| Numbers::of(family, half, &counted))
            .collect();
        let materials = self.materials.into_iter().map(|material| material.name).collect();
        Proof { standings, numbers, fits, counted, materials, run_dir }
    }
}

impl Advance for Proving {
    fn advance(&mut self, _: Position) -> cupel_train::Result<Progress> {
        let angle = match self.next() {
            // the stop belongs to the whole: it saves what is there, and the fit begins anew
            Err(crate::Error::Train(cupel_train::Error::Stopped { .. })) => return Ok(Progress::default()),
            other => other.map_err(cupel_train::Error::work)?,
        };
        let metrics = if angle.is_nan() { Metrics::default() } else { Metrics::from([("sad_rad", angle)]) };
        Ok(Progress { metrics, done: (self.place() >= self.tasks.len()).then_some("all scenes are unmixed") })
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        set.json("done", &self.done)
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        self.done = set.json("done")?;
        Ok(())
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        let materials: Vec<_> = self.materials.iter().map(|m| (&m.name, &m.spectrum, &m.wavelengths_nm)).collect();
        fingerprint(&("proving ground", &self.config, &self.unmixing.config, materials))
    }

    fn computing(&self) -> Option<Computing> {
        let (device, casting) = self.unmixing.computing.as_ref()?;
        Some(Computing::of(device, casting, self.unmixing.config.seed))
    }

    fn name(&self) -> &str {
        "proving"
    }

    fn total(&self) -> Option<u64> {
        Some(self.tasks.len() as u64)
    }
}

fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    values.clone().sum::<f64>() / values.count() as f64
}

fn of_levels(fits: &[&Judged], pick: impl Fn(&Judged) -> Option<[f64; 4]>) -> Option<[f64; 4]> {
    let all: Vec<[f64; 4]> = fits.iter().filter_map(|fit| pick(fit)).collect();
    (!all.is_empty()).then(|| [0, 1, 2, 3].map(|level| mean(all.iter().map(|each| each[level]))))
}

impl Standing {
    fn of(family: Option<Family>, half: Half, method: Method, all: &[&Judged]) -> Option<Self> {
        let of = |method: Method| -> Vec<&Judged> { all.iter().filter(|f| f.method == method).copied().collect() };
        let fits = of(method);
        if fits.is_empty() {
            return None;
        }
        let angle = |fits: &[&Judged]| mean(fits.iter().map(|f| f.sad_rad));
        let error = |fits: &[&Judged]| mean(fits.iter().map(|f| f.abundance_rmse));
        let singles = || Method::EXTRACTORS.into_iter().filter(|single| *single != Method::Auto);
        let least = singles().map(of).filter(|fits| !fits.is_empty()).map(|fits| angle(&fits)).reduce(f64::min);
        let mut of_scene: BTreeMap<(&str, u64), f64> = BTreeMap::new();
        for fit in all.iter().filter(|fit| singles().any(|single| single == fit.method)) {
            let best = of_scene.entry((&fit.scene, fit.seed)).or_insert(f64::INFINITY);
            *best = best.min(fit.sad_rad);
        }
        let best = (!of_scene.is_empty()).then(|| mean(of_scene.values().copied()));
        let auto = of(Method::Auto);
        let auto = (!auto.is_empty()).then_some(auto);
        let (sad_rad, abundance_rmse) = (angle(&fits), error(&fits));
        Some(Self {
            family,
            half,
            method,
            fits: fits.len(),
            sad_rad,
            abundance_rmse,
            sad_to_extractor: least.map(|least| sad_rad / least),
            sad_to_best: best.map(|best| sad_rad / best),
            sad_to_auto: auto.as_ref().map(|auto| sad_rad / angle(auto)),
            rmse_to_auto: auto.as_ref().map(|auto| abundance_rmse / error(auto)),
            coverage: of_levels(&fits, |fit| fit.coverage),
            width: of_levels(&fits, |fit| fit.width),
            seconds: mean(fits.iter().map(|f| f.seconds)),
        })
    }
}

impl Numbers {
    fn of(family: Option<Family>, half: Half, counted: &[Counted]) -> Option<Self> {
        const MOST: usize = 6;
        let own: Vec<&Counted> = counted
            .iter()
            .filter(|c| c.half == half && c.endmembers <= MOST && family.is_none_or(|own| c.family == own))
            .collect();
        let share =
            |off: usize| own.iter().filter(|c| c.found.abs_diff(c.endmembers) <= off).count() as f64 / own.len() as f64;
        (!own.is_empty()).then(|| Self { family, half, scenes: own.len(), right: share(0), within_one: share(1) })
    }
}

fn called(family: Option<Family>) -> &'static str {
    family.map_or("all", Family::name)
}

impl Proof {
    fn save(&self, dir: &Path) -> Result<()> {
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
