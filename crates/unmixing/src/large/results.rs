//! What unmixing a large scene gives, and the files it leaves.

use std::{path::Path, time::Instant};

use cupel_data::{Array, Values, write_npy};
use cupel_report::{Cell, ColorMap, HeatMap, LineChart, MapPanel, Story, Table, write_report};
use cupel_train::{Policy, Run};

use super::{AbundancePass, LargeScene, Survey};
use crate::{
    Abundances, Agreement, Convention, Endmembers, Extraction, ExtractionConfig, Result, Suggestion, Summary,
    UnmixingConfig, scene::numbered, suggest,
};

/// A large scene unmixed.
#[derive(Clone, Debug)]
pub struct Streamed {
    /// The settings, with the number of endmembers that was found where none was given.
    pub config: UnmixingConfig,
    /// Spectra in the units of the file.
    pub endmembers: Endmembers,
    /// The numbers of the run.
    pub summary: Summary,
    /// How the number of endmembers was found, where none was given.
    pub suggestion: Option<Suggestion>,
    /// Pixels that could be unmixed.
    pub pixels: usize,
}

impl LargeScene {
    /// Unmixes the scene within `run` and writes abundances, brightness and errors into `dir` as ENVI images, and spectra,
    /// figures and a report beside them. Without a number of endmembers one is suggested, of at most `most`.
    ///
    /// # Errors
    /// A scene without usable pixels, settings that it does not allow, files that cannot be written.
    #[allow(clippy::too_many_arguments)] // each is one thing that the caller has
    pub fn unmix(
        &self,
        config: UnmixingConfig,
        endmembers: Option<usize>,
        most: usize,
        truth: Option<&Endmembers>,
        run: &mut Run,
        policy: &Policy,
        dir: &Path,
    ) -> Result<Streamed> {
        let started = Instant::now();
        let mut survey = Survey::new(self, config.seed);
        run.drive(&mut survey, policy)?;
        let (sample, scale, usable) = (survey.pixels()?, survey.scale(), survey.usable());
        drop(survey);
        let suggestion = match endmembers {
            Some(_) => None,
            None => Some(suggest(&sample, most, config.seed)?),
        };
        let count = endmembers.or(suggestion.as_ref().map(|s| s.endmembers)).unwrap_or(config.endmembers);
        let config = UnmixingConfig { endmembers: count, ..config };
        let UnmixingConfig { method, restarts, seed, .. } = config;
        let mut extraction = Extraction::new(&sample, ExtractionConfig { method, endmembers: count, restarts, seed })?;
        run.drive(&mut extraction, policy)?;
        let steps = extraction.made();
        let extracted = extraction.choose()?;
        drop(extraction);
        let order = self.order(&extracted.endmembers, truth, &sample)?;
        let endmembers = extracted.endmembers.reordered(&order);

        let mut pass = AbundancePass::new(self, scale, &endmembers, config.abundance, &sample, dir)?;
        run.drive(&mut pass, policy)?;
        let agreement = truth.map(|truth| Agreement::of(&endmembers, truth)).transpose()?;
        let summary = Summary {
            method: method.name().into(),
            endmembers: count,
            seed,
            seconds: started.elapsed().as_secs_f64(),
            steps,
            reconstruction_rmse: (pass.done.squared_error / pass.done.pixels.max(1) as f64).sqrt(),
            mean_sad_rad: agreement.as_ref().map(|a| a.mean_sad_rad),
            sad_rad: agreement.map(|a| a.sad_rad),
            abundance_rmse: None,
            coverage_90: None,
            run_dir: Some(dir.display().to_string()),
        };
        let all = vec![scale; count];
        let streamed = Streamed { config, endmembers: endmembers.scaled(&all), summary, suggestion, pixels: usable };
        pass.write_headers()?;
        self.write_report(&streamed, &endmembers, &pass, dir)?;
        Ok(streamed)
    }

    /// The order of the truth where there is one, else the most abundant first.
    fn order(&self, endmembers: &Endmembers, truth: Option<&Endmembers>, sample: &crate::Pixels) -> Result<Vec<usize>> {
        if let Some(truth) = truth {
            let mut order = Agreement::of(endmembers, truth)?.order;
            let others: Vec<usize> = (0..endmembers.count()).filter(|k| !order.contains(k)).collect();
            order.extend(others);
            return Ok(order);
        }
        let shares = Abundances::solve(sample, endmembers, Convention::UnitMax)?;
        let mut order: Vec<usize> = (0..endmembers.count()).collect();
        let total = |k: usize| shares.rows().map(|row| row[k]).sum::<f64>();
        order.sort_by(|&a, &b| total(b).total_cmp(&total(a)));
        Ok(order)
    }

    fn write_report(
        &self,
        streamed: &Streamed,
        endmembers: &Endmembers,
        pass: &AbundancePass<'_>,
        dir: &Path,
    ) -> Result<()> {
        let (count, bands) = (endmembers.count(), endmembers.bands());
        let spectra = Array::new(vec![count, bands], Values::F64(streamed.endmembers.values().to_vec()))?;
        write_npy(&dir.join("endmembers.npy"), &spectra)?;
        let names = numbered(count);
        let (x, label): (Vec<f64>, &str) = match self.band_axis().coordinates() {
            Some(centres) => (centres.to_vec(), "wavelength (nm)"),
            None => ((1..=bands).map(|band| band as f64).collect(), "band"),
        };
        let mut table = Table::new().number_column(label, "", 2);
        let mut chart =
            LineChart::new("Endmembers", label, "reflectance relative to the maximum").include_y(0.0).break_gaps();
        let unit = endmembers.unit_maximum();
        for (name, spectrum) in names.iter().zip(unit.spectra()) {
            table = table.number_column(name.as_str(), "", 6);
            chart = chart.line(name.as_str(), &x, spectrum);
        }
        for (band, position) in x.iter().enumerate() {
            let values = streamed.endmembers.spectra().map(|spectrum| Cell::from(spectrum[band]));
            table.push(std::iter::once(Cell::from(*position)).chain(values))?;
        }
        table.save(dir.join("tables/endmembers"))?;
        let figures = dir.join("figures");
        chart.save(figures.join("endmembers"))?;

        let (rows, columns) = pass.picture_size();
        let map = |k: usize| -> Vec<f32> { pass.done.picture.chunks_exact(pass.width()).map(|p| p[k]).collect() };
        let maps: Vec<Vec<f32>> = (0..count).map(map).collect();
        let title = format!("Abundances ({})", streamed.config.abundance.name());
        let mut panel = MapPanel::new(title, rows, columns).label("abundance");
        if streamed.config.abundance != Convention::Nnls {
            panel = panel.range(0.0, 1.0);
        }
        for (name, map) in names.iter().zip(&maps) {
            panel = panel.map(name.as_str(), map);
        }
        panel.save(figures.join("abundances"))?;
        HeatMap::new("Brightness", &map(count), rows, columns)
            .color_map(ColorMap::Gray)
            .label("relative brightness")
            .save(figures.join("brightness"))?;
        HeatMap::new("Reconstruction error", &map(count + 1), rows, columns)
            .label("root mean square over bands")
            .save(figures.join("reconstruction_error"))?;

        let (image_rows, image_columns) = self.image_size();
        let stem = self.path().file_stem().map_or_else(|| "scene".into(), |stem| stem.to_string_lossy());
        let summary = &streamed.summary;
        let mut story = Story::new(format!("Unmixing of {stem}"))
            .summary(format!(
                "{image_rows} x {image_columns} pixels in {bands} bands, read in tiles of rows; {} pixels could be unmixed.",
                streamed.pixels
            ))
            .summary(format!(
                "{count} endmembers were extracted by {} from {} candidates, on an even sample of the scene and the pixels \
                 that lie furthest along random directions.",
                summary.method, summary.steps
            ));
        if let Some(suggestion) = &streamed.suggestion {
            story = story.finding(suggestion.reason.clone());
        }
        story = story.finding(format!(
            "A non-negative mixture explains the scene to {:.4} of its largest value.",
            summary.reconstruction_rmse
        ));
        if let Some(sad) = summary.mean_sad_rad {
            story = story.finding(format!("The mean spectral angle to the true endmembers is {sad:.4} rad."));
        }
        let reduced = if pass.step > 1 { format!(", every {}th pixel", pass.step) } else { String::new() };
        crate::outputs::cite(story)
            .figure("figures/abundances.png", format!("Share of each endmember{reduced}."))
            .figure("figures/endmembers.svg", "Spectra of the endmembers, each relative to its maximum.")
            .figure("figures/brightness.png", "Brightness relative to pure pixels: light and shade.")
            .figure("figures/reconstruction_error.png", "What the endmembers cannot explain.")
            .save(dir)?;
        write_report(dir)?;
        Ok(())
    }
}
