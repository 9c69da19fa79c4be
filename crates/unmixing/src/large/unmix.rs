//! A large scene unmixed: survey, extraction from its sample, and the pass over all pixels.

use std::path::Path;

use super::{AbundancePass, LargeScene, Survey};
use crate::{
    Endmembers, Result, Suggestion, Unmixing, driver::Driver, page::Picture, plan::check_count, results::order_of,
};

/// What was found beside the endmembers.
pub(crate) struct Found {
    pub(crate) suggestion: Option<Suggestion>,
    pub(crate) steps: usize,
    pub(crate) reconstruction_rmse: f64,
    /// Pixels that could be unmixed.
    pub(crate) pixels: usize,
    pub(crate) picture: Picture,
}

impl LargeScene {
    /// Endmembers relative to the scale that follows them; abundances, brightness and errors are in `dir` then, as ENVI images.
    pub(crate) fn unmix(
        &self,
        unmixing: &Unmixing,
        dir: &Path,
        driver: &mut Driver<'_>,
    ) -> Result<(Endmembers, f64, Found)> {
        let mut survey = Survey::new(self, unmixing.config.seed);
        driver.drive(&mut survey)?;
        let (sample, scale, pixels) = (survey.pixels()?, survey.scale(), survey.usable());
        drop(survey);
        let known = self.truth().map(|truth| truth.endmembers.count());
        let (count, suggestion) = unmixing.count(&sample, known, driver)?;
        check_count(count, sample.count(), sample.bands(), known)?;
        let (extracted, steps) = unmixing.extract(&sample, count, driver)?;
        let order = order_of(&extracted.endmembers, self.truth(), &sample)?;
        let endmembers = extracted.endmembers.reordered(&order);

        let mut pass = AbundancePass::new(self, scale, &endmembers, unmixing.config.abundance, &sample, dir)?;
        driver.drive(&mut pass)?;
        pass.write_headers()?;
        let reconstruction_rmse = (pass.done.squared_error / pass.done.pixels.max(1) as f64).sqrt();
        let picture = pass.picture();
        Ok((endmembers, scale, Found { suggestion, steps, reconstruction_rmse, pixels, picture }))
    }
}
