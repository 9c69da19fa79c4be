//! [`Proving`]: methods on all scenes of the proving ground, one after the other.

use std::path::Path;

use cupel_settings::{Range, settings};
use cupel_train::{Advance, Computing, Metrics, Policy, Position, Progress, Run, SetReader, SetWriter, fingerprint};
use serde::{Deserialize, Serialize};

use super::{Family, GroundScene, Half, Judged, Material, Numbers, Proof, Recipe, Standing, suite};
use crate::{
    Convention, EndmemberCount, Method, Result, Spatial, Unmixing, UnmixingConfig,
    config::{MOST_SEARCHED, MOST_STEPS},
    driver::Driver,
    suggest_for,
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
        pub steps: Option<u64> = None, in Range::at_least(1.0).at_most(MOST_STEPS), "N";
        /// Convention of the abundances that are measured, of methods that find endmembers alone; others are measured by their own
        pub abundance: Convention = Convention::Rescaled;
        /// Spatial prior of these abundances
        pub spatial: Spatial = Spatial::None;
        /// Weight of this prior; chosen on bands that are held out unless given
        pub spatial_weight: Option<f64> = None, in Range::at_least(0.0).at_most(1e3), "W";
        /// Whether the number of endmembers is searched for, too; methods are given the true one
        pub number: bool = true;
    }
    needs {
        ["steps"] |own| own.methods.iter().any(|method| method.is_network()) => "only networks make steps";
        ["spatial"] |own| own.methods.iter().any(|method| !method.has_own_abundances())
            => "abundances of their own have no such prior";
        ["spatial-weight"] |own| own.spatial != Spatial::None => "without a prior it weighs nothing; set spatial = tv too";
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
                let found = suggest_for(&scene.image, MOST_SEARCHED, self.unmixing.config.seed)?.endmembers;
                let (scene, family, half) = (recipe.name(), recipe.family, recipe.half());
                self.done.counted.push(Counted { scene, family, half, endmembers: recipe.endmembers, found });
                Ok(f64::NAN)
            }
            Task::Fit(method, seed) => {
                let ProvingConfig { abundance, spatial, spatial_weight, steps, .. } = self.config;
                let endmembers = Some(EndmemberCount::Fixed(recipe.endmembers));
                let (abundance, spatial) = match method.has_own_abundances() {
                    true => (Convention::Own, Spatial::None),
                    false => (abundance, spatial),
                };
                let config = UnmixingConfig {
                    method,
                    seed,
                    endmembers,
                    abundance,
                    spatial,
                    spatial_weight,
                    steps,
                    ..self.unmixing.config
                };
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
