//! [`Plan`]: what would be done to a scene, after all that can be wrong beforehand has been checked.

use std::fmt;

use cupel_settings::{Problem, Settings};
use serde::Serialize;

use crate::{
    ComparisonConfig, Convention, EndmemberCount, Error, Image, Method, Result, Source, Spatial, Unmixing,
    UnmixingConfig,
};

/// What would be done to a scene.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    scene: String,
    rows: usize,
    columns: usize,
    bands: usize,
    /// In how many tiles it is read; `None` for one that is in memory.
    tiles: Option<usize>,
    /// Names in the truth, where there is one.
    materials: Option<Vec<String>>,
    /// `None` where their number is searched for first.
    endmembers: Option<usize>,
    methods: Vec<Method>,
    runs: u64,
    abundance: Convention,
}

impl Unmixing {
    /// Checks everything that can be wrong before the work, and says what would be done; starts no search.
    ///
    /// # Errors
    /// Settings that cannot be or that have no effect, spectra that are not finite or zero, what the scene does not allow.
    pub fn plan(&self, source: &Source) -> Result<Plan> {
        self.config.check()?;
        self.plan_of(&[self.config], source)
    }

    /// The same for a comparison.
    ///
    /// # Errors
    /// As [`Unmixing::plan`]; a scene larger than memory, no method.
    pub fn plan_comparison(&self, config: &ComparisonConfig, source: &Source) -> Result<Plan> {
        config.check()?;
        if self.named.is_some() {
            let (name, because) = ("match".to_owned(), "a comparison names no endmembers: run one method".to_owned());
            return Err(Problem::Unused { name, because }.into());
        }
        if config.methods().is_empty() {
            return Err(Error::setting("methods", "none", "at least one"));
        }
        if let Source::Tiled(scene) = source {
            let got = scene.path().display();
            return Err(
                Problem::value("scene", got, "one that memory can hold: methods are compared on the whole").into()
            );
        }
        self.plan_of(&config.each().collect::<Vec<_>>(), source)
    }

    fn plan_of(&self, each: &[UnmixingConfig], source: &Source) -> Result<Plan> {
        let (rows, columns) = source.image_size();
        let bands = source.band_axis()?.len();
        for &config in each {
            self.with_config(config).check_method(rows, columns)?;
        }
        let methods: Vec<Method> = each.iter().map(|config| config.method).collect();
        let config = each[0];
        let casting = self.computing.as_ref().map(|(_, casting)| casting.name());
        if let Some(name) = casting.filter(|name| *name != "f32" && !methods.iter().any(|method| method.is_network())) {
            return Err(Error::setting(
                "precision",
                name,
                "f32: these methods are classical, only networks have others",
            ));
        }
        if self.library.is_some() && !methods.contains(&Method::Sunsal) {
            let (name, because) = ("library".to_owned(), "only the method sunsal takes one".to_owned());
            return Err(Problem::Unused { name, because }.into());
        }
        let tiles = match source {
            Source::Whole(scene) => {
                Image::of_scene(scene)?.treated(config.negative)?; // its spectra are checked
                None
            }
            Source::Tiled(scene) => {
                if config.runs > 1 {
                    return Err(Error::setting("runs", config.runs, "1 for a scene larger than memory"));
                }
                if config.spatial != Spatial::None {
                    let expected = "none for a scene in tiles, whose pixels have no neighbours";
                    return Err(Error::setting("spatial", config.spatial, expected));
                }
                if !Method::EXTRACTORS.contains(&config.method) {
                    let expected = "auto, edaa, vca, nfindr or spa for a scene larger than memory";
                    return Err(Error::setting("method", config.method, expected));
                }
                Some(scene.tiles())
            }
        };
        let known = source.truth().map(|truth| truth.endmembers.count());
        let endmembers = match config.endmembers {
            Some(EndmemberCount::Fixed(count)) => Some(count),
            Some(EndmemberCount::Auto) => None,
            None => known,
        };
        if let Some(count) = endmembers {
            check_count(count, rows * columns, bands)?;
        }
        Ok(Plan {
            scene: source.name(),
            rows,
            columns,
            bands,
            tiles,
            materials: source.truth().map(|truth| truth.names.clone()),
            endmembers,
            methods,
            runs: config.runs,
            abundance: config.abundance,
        })
    }
}

/// Whether a scene of this size can have so many endmembers.
pub(crate) fn check_count(asked: usize, pixels: usize, bands: usize) -> Result<()> {
    if !(1..=pixels.min(bands)).contains(&asked) {
        return Err(Error::EndmemberCount { asked, bands, pixels });
    }
    Ok(())
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scene, rows, columns, bands, runs, .. } = self;
        write!(f, "{scene}: {rows} x {columns} pixels in {bands} bands")?;
        match self.tiles {
            Some(tiles) => writeln!(f, ", read in {tiles} tiles")?,
            None => writeln!(f)?,
        }
        if let Some(materials) = &self.materials {
            writeln!(f, "truth: {}", materials.join(", "))?;
        }
        let methods: Vec<&str> = self.methods.iter().map(|method| method.name()).collect();
        let runs = format!("{runs} run{}", if *runs == 1 { "" } else { "s" });
        match self.endmembers {
            Some(count) => writeln!(f, "{count} endmembers would be looked for by {} over {runs}", methods.join(", "))?,
            None => writeln!(
                f,
                "the number of endmembers would be searched for, then these by {} over {runs}",
                methods.join(", ")
            )?,
        }
        writeln!(f, "abundances would be {}", self.abundance.meaning())
    }
}
