//! A large scene unmixed: survey, extraction from its sample, and the pass over all pixels.

use std::path::Path;

use cupel_train::{Policy, Run};

use super::{AbundancePass, LargeScene, Survey};
use crate::{
    Agreement, Error, Result, Results, RunBands, Source, Summary, Unmixing, arrays,
    driver::Driver,
    page::Page,
    plan::check_count,
    results::{names, order_of},
};

impl Unmixing {
    /// The images of abundances, brightness and errors go into the folder of the run, as ENVI images.
    pub(crate) fn run_tiled(&self, source: &Source, scene: &LargeScene, run: &mut Run) -> Result<Results> {
        let Some(dir) = run.dir().map(Path::to_path_buf) else {
            return Err(Error::setting("run", "one in memory", "one with a folder, for a scene larger than memory"));
        };
        let policy = Policy::default();
        let mut driver = Driver::new(run, &policy);
        let mut survey = Survey::new(scene, self.config.seed)?.with_negative(self.config.negative);
        driver.drive(&mut survey)?;
        let surveyed = survey.finish()?;
        let (sample, scale, pixels) = (&surveyed.pixels, surveyed.scale, surveyed.usable);
        let truth = scene.truth();
        let known = truth.map(|truth| truth.endmembers.count());
        let (count, suggestion) = self.count((sample, None), known, &mut driver)?;
        check_count(count, sample.count(), sample.bands())?;
        let (extracted, steps) = self.extract(sample, count, &mut driver)?;
        let truth = truth.map(|truth| truth.nearest(&extracted.endmembers)).transpose()?;
        let truth = truth.as_ref();
        let endmembers = extracted.endmembers.reordered(&order_of(&extracted.endmembers, truth, sample)?);

        let mut pass = AbundancePass::new(scene, &surveyed, &endmembers, self.config.abundance, &dir)?;
        driver.drive(&mut pass)?;
        pass.write_headers()?;
        let agreement = truth.map(|truth| Agreement::of(&endmembers, &truth.endmembers)).transpose()?;
        let results = Results {
            summary: Summary {
                steps,
                reconstruction_rmse: (pass.done.squared_error / pass.done.pixels.max(1) as f64).sqrt(),
                mean_sad_rad: agreement.as_ref().map(|a| a.mean_sad_rad),
                sad_rad: agreement.map(|a| a.sad_rad),
                run_dir: Some(dir.display().to_string()),
                ..Summary::new(&self.config, count, driver.seconds())
            },
            runs: Vec::new(),
            names: names(truth, count),
            matches: self.matches(&endmembers, &names(truth, count)),
            endmembers: pass.endmembers().scaled(&vec![scale; count]),
            suggestion,
            unmixed: None,
            pixels,
            pixels_left_out: scene.rows * scene.columns - pixels,
            values_below_zero: surveyed.values_below_zero,
            notes: surveyed.notes.clone(),
        };
        arrays::save_endmembers(&dir, &results.endmembers)?;
        arrays::save_bands(&dir, &RunBands::of(&scene.bands_of_file()))?;
        driver.phase("figures and tables", || {
            Page::new(source, (&self.config, truth), &results, pass.picture(), None)?.save(&dir)
        })?;
        Ok(results)
    }
}
