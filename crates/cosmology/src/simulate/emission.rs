//! What a sky emits, family by family.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{
    COMPONENTS, Family, GALACTIC_SYNCHROTRON, InstrumentConfig, POINT_SOURCES, Simulation, add, deviation,
    global_sky_model, point_sources, polarisation, spectral_index,
};
use crate::{Patch, Result};

/// What the sky emits, in mK on [channel, row, column].
pub(super) struct Emission {
    pub(super) foreground: Vec<f64>,
    pub(super) leaked: Option<Vec<f64>>,
    pub(super) signal: Vec<f64>,
    pub(super) rms: BTreeMap<String, f64>,
    pub(super) patch: Option<Patch>,
}

impl Emission {
    /// All of it.
    pub(super) fn total(&self) -> Vec<f64> {
        let mut total = self.foreground.clone();
        add(&mut total, &self.signal);
        if let Some(leaked) = &self.leaked {
            add(&mut total, leaked);
        }
        total
    }
}

impl Simulation {
    /// What sky number `index` emits.
    pub(super) fn emission(&self, index: u64) -> Result<Emission> {
        let (Self { config, planes, .. }, frequencies) = (self, self.frequencies_mhz());
        let mut emission = Emission {
            foreground: vec![0.0; frequencies.len() * planes.pixels()],
            leaked: None,
            signal: self.signal.signal_mk(planes, self.stream(index, "signal")),
            rms: BTreeMap::new(),
            patch: None,
        };
        let parts = |emission: &mut Emission, name: &str, part: &[f64]| {
            emission.rms.insert(name.to_owned(), deviation(part));
            add(&mut emission.foreground, part);
        };
        for component in COMPONENTS {
            let stream = self.stream(index, component.name);
            let part = match config.family {
                Family::SpectralIndex if component == GALACTIC_SYNCHROTRON => {
                    let smoothing = config.index_smoothing_deg.to_radians();
                    spectral_index::planes_mk(planes, frequencies, config.index_scatter, smoothing, stream)
                }
                Family::PointSources if component == POINT_SOURCES => {
                    let range_jy = [config.source_min_jy, config.source_max_jy];
                    point_sources::planes_mk(planes, frequencies, range_jy, config.source_curvature, stream)?
                }
                _ => component.planes_mk(planes, frequencies, stream)?,
            };
            parts(&mut emission, component.name, &part);
        }
        if config.family == Family::SckGsm {
            let stream = self.stream(index, "global sky model");
            let part = match &self.sky_model {
                Some(model) => {
                    let away = config.gsm_latitude_deg;
                    let patch = global_sky_model::random_patch(config.side_deg, config.nx, away, stream);
                    model.planes_mk(frequencies, emission.patch.insert(patch))?
                }
                None => global_sky_model::stand_in_mk(planes, frequencies, stream),
            };
            parts(&mut emission, "global_sky_model", &part);
        }
        if config.mean_sky {
            emission.foreground.par_chunks_mut(planes.pixels()).zip(frequencies).for_each(|(plane, frequency)| {
                let mean = spectral_index::mean_sky_mk(*frequency);
                plane.iter_mut().for_each(|v| *v += mean);
            });
        }
        let InstrumentConfig { leakage, faraday_depth, .. } = config.instrument;
        if leakage > 0.0 {
            let stream = self.stream(index, "polarisation");
            let leaked = polarisation::leaked_mk(planes, frequencies, leakage, faraday_depth, stream)?;
            emission.rms.insert("leakage".into(), deviation(&leaked));
            emission.leaked = Some(leaked);
        }
        Ok(emission)
    }
}
