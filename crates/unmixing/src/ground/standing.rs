//! [`Standing`]: how a method stands in a family of the proving ground, and [`Numbers`]: how often the number of endmembers is found.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Counted, Family, Half, Judged};
use crate::Method;

/// Scenes of more materials do not count for their number.
const MOST_COUNTED: usize = 6;

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

fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    values.clone().sum::<f64>() / values.count() as f64
}

fn of_levels(fits: &[&Judged], pick: impl Fn(&Judged) -> Option<[f64; 4]>) -> Option<[f64; 4]> {
    let all: Vec<[f64; 4]> = fits.iter().filter_map(|fit| pick(fit)).collect();
    (!all.is_empty()).then(|| [0, 1, 2, 3].map(|level| mean(all.iter().map(|each| each[level]))))
}

impl Standing {
    pub(super) fn of(family: Option<Family>, half: Half, method: Method, all: &[&Judged]) -> Option<Self> {
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
    pub(super) fn of(family: Option<Family>, half: Half, counted: &[Counted]) -> Option<Self> {
        let own: Vec<&Counted> = counted
            .iter()
            .filter(|c| c.half == half && c.endmembers <= MOST_COUNTED && family.is_none_or(|own| c.family == own))
            .collect();
        let share =
            |off: usize| own.iter().filter(|c| c.found.abs_diff(c.endmembers) <= off).count() as f64 / own.len() as f64;
        (!own.is_empty()).then(|| Self { family, half, scenes: own.len(), right: share(0), within_one: share(1) })
    }
}
