//! [`Library`]: named spectra from a file, brought to the bands of a scene.

use std::path::Path;

use cupel_data::{Axis, BandCentres, Cube, Dataset, Format, Image, Resampling, Response};

use super::{
    names::{MATERIALS, Names, TRUE_ENDMEMBERS, Unnamed, unnamed},
    numbered, transposed,
};
use crate::{Endmembers, Result};

/// How far the centres of two bands may lie apart to be the same, in nanometres.
const SAME_NM: f64 = 0.05;

/// The bands of a scene that spectra have to fit.
#[derive(Clone, Debug)]
pub(crate) struct Bands {
    /// The bands that are used, with their centres where these are known.
    pub(crate) axis: Axis,
    /// Their full widths at half maximum in nanometres, where these are known.
    pub(crate) widths_nm: Option<Vec<f64>>,
    /// Which bands of the file they are.
    pub(crate) kept: Vec<usize>,
    /// How many bands the file has.
    pub(crate) all: usize,
}

impl Bands {
    /// All bands of a scene.
    pub(crate) fn all(axis: &Axis) -> Self {
        Self { axis: axis.clone(), widths_nm: None, kept: (0..axis.len()).collect(), all: axis.len() }
    }

    fn centres(&self) -> Option<&[f64]> {
        self.axis.coordinates_in("nm").ok()
    }
}

/// Spectra (`spectra x bands`) with what their file says of them.
#[derive(Clone, Debug)]
pub(crate) struct Library {
    pub(crate) spectra: Endmembers,
    pub(crate) names: Vec<String>,
    centres: Option<Vec<f64>>,
    widths_nm: Option<Vec<f64>>,
    /// The variable that holds them, where the file has several.
    pub(super) variable: Option<String>,
}

/// Why there are no spectra for a scene.
pub(crate) enum Misfit {
    /// There is no matrix of spectra.
    None,
    /// There is one that does not fit.
    Problem(String),
}

impl Library {
    /// The spectra in a file, under one of the names of true endmembers or alone.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn read(dataset: &Dataset, bands: &Bands) -> Result<std::result::Result<Self, Misfit>> {
        if dataset.format() == Format::Delimited
            && let Some(headings) = dataset.column_names()
        {
            return Self::of_table(dataset, headings, bands);
        }
        let names = Names::of(dataset);
        let variable = names.find(&TRUE_ENDMEMBERS);
        let named = variable.is_some();
        let lists = dataset.band_centres(variable.map_or("", |variable| variable.name()))?;
        let lengths: Vec<usize> = lists.iter().map(|list| list.nanometres.len()).collect();
        let is_bands = |len: usize| len == bands.kept.len() || len == bands.all || lengths.contains(&len);
        let fits = |shape: &[usize]| shape.len() == 2 && shape.iter().any(|&len| len > 1 && is_bands(len));
        let name = match variable.map_or_else(|| unnamed(dataset, fits), |v| Unnamed::One(Some(v.name()))) {
            Unnamed::One(name) => name,
            Unnamed::None => return Ok(Err(Misfit::None)),
            Unnamed::Several(names) => {
                let problem = format!("{} could be the spectra: call the right one E", names.join(" and "));
                return Ok(Err(Misfit::Problem(problem)));
            }
        };
        let cube = dataset.cube::<f64>(name)?;
        let own = match cube.axes().axis(cupel_data::AxisKind::Wavelength) {
            Ok(axis) if axis.coordinates_in("nm").is_ok() => {
                let widths_nm = lists.into_iter().find(|list| list.nanometres.len() == axis.len());
                let nanometres = axis.coordinates_in("nm")?.to_vec();
                Some(BandCentres { nanometres, widths_nm: widths_nm.map_or(Vec::new(), |list| list.widths_nm) })
            }
            Ok(_) => None,
            Err(_) => lists.into_iter().find(|list| cube.shape().contains(&list.nanometres.len())),
        };
        let shape = cube.shape();
        // A list of whole numbers says which bands or classes there are, and is no spectrum.
        let is_list = shape.iter().filter(|&&len| len > 1).count() <= 1;
        if is_list && cube.values().iter().all(|v| v.fract() == 0.0) {
            return Ok(Err(Misfit::None));
        }
        let &[first, second] = shape.as_slice() else {
            // an array without a name may be the abundances of a second file
            let problem = format!("the spectra have shape {shape:?}, expected a matrix");
            return Ok(Err(if named { Misfit::Problem(problem) } else { Misfit::None }));
        };
        let wanted = [Some(bands.kept.len()), Some(bands.all), own.as_ref().map(|own| own.nanometres.len())];
        let is_bands = |len: usize| wanted.contains(&Some(len));
        // Spectra as rows, unless only the other side can be that of the bands.
        let spectra = match (is_bands(second), is_bands(first)) {
            (true, _) => cube,
            (false, true) => transposed(&cube)?,
            (false, false) if !named => return Ok(Err(Misfit::None)),
            (false, false) => {
                let problem = format!("the spectra have shape {shape:?}, {}", described(bands));
                return Ok(Err(Misfit::Problem(problem)));
            }
        };
        let count = spectra.shape()[0];
        let len = spectra.shape()[1];
        let texts = MATERIALS.iter().filter_map(|name| names.find(&[name])).find_map(|v| dataset.text(v.name()).ok());
        let own = own.filter(|own| own.nanometres.len() == len);
        let (centres, widths) = own.map(|own| (own.nanometres, own.widths_nm)).unzip();
        let library = Self::new(spectra, texts.filter(|texts| texts.len() == count), centres)?;
        let variable = name.filter(|_| dataset.variables().len() > 1).map(str::to_owned);
        let widths_nm = widths.filter(|widths| !widths.is_empty());
        Ok(library.map(|library| Self { widths_nm, variable, ..library }))
    }

    fn new(
        cube: Cube<f64>,
        names: Option<Vec<String>>,
        centres: Option<Vec<f64>>,
    ) -> Result<std::result::Result<Self, Misfit>> {
        let bands = cube.shape().last().copied().unwrap_or(0);
        Ok(match Endmembers::new(cube.into_values(), bands) {
            Ok(spectra) => {
                let names = names.unwrap_or_else(|| numbered(spectra.count()));
                Ok(Self { names, spectra, centres, widths_nm: None, variable: None })
            }
            Err(error) => Err(Misfit::Problem(error.to_string())),
        })
    }

    /// Of a text table with headings: spectra as columns beside a column of wavelengths, or as rows under wavelengths.
    fn of_table(dataset: &Dataset, headings: &[String], bands: &Bands) -> Result<std::result::Result<Self, Misfit>> {
        let image = Image::open(dataset, None, None)?;
        let info = image.info();
        if let Some(names) = &info.spectra_names {
            let spectra = image.rows(0..info.rows)?.reshaped(vec![info.rows, info.bands])?.into_cube::<f64>()?;
            let names = Some(names.clone()).filter(|names| names.len() == info.rows);
            let widths_nm = Some(info.widths_nm.clone()).filter(|widths| !widths.is_empty());
            let library = Self::new(spectra, names, Some(info.wavelengths_nm.clone()))?;
            return Ok(library.map(|library| Self { widths_nm, ..library }));
        }
        let cube = dataset.cube::<f64>(None)?;
        let (rows, wanted) = (cube.shape()[0], [bands.kept.len(), bands.all]);
        if wanted.contains(&rows) {
            return Self::new(transposed(&cube)?, Some(headings.to_vec()), None);
        }
        Self::new(cube, None, None)
    }

    /// The spectra at the bands of a scene: by wavelength where both have them, else by their number.
    ///
    /// The width of a band of the scene is that of its file, else the distance to the next; bands of a library of which no width is known are
    /// narrow (see [`Resampling`]).
    ///
    /// # Errors
    /// What does not fit, with counts and ranges of both.
    pub(crate) fn at(self, bands: &Bands) -> std::result::Result<Self, Misfit> {
        let len = self.spectra.bands();
        if let (Some(own), Some(wanted)) = (&self.centres, bands.centres()) {
            let same = own.len() == wanted.len() && own.iter().zip(wanted).all(|(a, b)| (a - b).abs() <= SAME_NM);
            if same {
                return Ok(self);
            }
            return self
                .resampled(own, wanted, bands.widths_nm.as_deref())
                .map_err(|problem| Misfit::Problem(format!("{problem}; {}", described(bands))));
        }
        if len == bands.kept.len() {
            return Ok(self);
        }
        if len == bands.all {
            let chosen = |spectrum: &[f64]| bands.kept.iter().map(|&band| spectrum[band]).collect::<Vec<_>>();
            let values = self.spectra.spectra().flat_map(chosen).collect();
            return match Endmembers::new(values, bands.kept.len()) {
                Ok(spectra) => Ok(Self { spectra, centres: None, widths_nm: None, ..self }),
                Err(error) => Err(Misfit::Problem(error.to_string())),
            };
        }
        let own = self.centres.as_ref().map_or_else(String::new, |own| format!(" from {}", range(own)));
        let hint = "give the wavelengths of both, or spectra of the same bands";
        Err(Misfit::Problem(format!("it has {len} bands{own}, {}; {hint}", described(bands))))
    }

    fn resampled(&self, own: &[f64], wanted: &[f64], widths: Option<&[f64]>) -> std::result::Result<Self, String> {
        let mut to = Response::new(wanted.to_vec());
        to.widths = widths.unwrap_or_default().to_vec();
        let resampling = Resampling::new(own, self.widths_nm.as_deref().unwrap_or_default(), &to)?;
        let values = self.spectra.spectra().flat_map(|spectrum| resampling.of(spectrum)).collect();
        let spectra = Endmembers::new(values, wanted.len()).map_err(|error| error.to_string())?;
        Ok(Self {
            spectra,
            names: self.names.clone(),
            centres: Some(wanted.to_vec()),
            widths_nm: widths.map(<[f64]>::to_vec),
            variable: self.variable.clone(),
        })
    }
}

fn range(centres: &[f64]) -> String {
    let (low, high) = centres.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), &nm| (low.min(nm), high.max(nm)));
    format!("{low:.0} to {high:.0} nm")
}

fn described(bands: &Bands) -> String {
    let own = bands.centres().map_or_else(String::new, |centres| format!(" from {}", range(centres)));
    let dropped = if bands.all > bands.kept.len() { format!(" ({} in its file)", bands.all) } else { String::new() };
    format!("the scene has {} bands{dropped}{own}", bands.kept.len())
}

/// The spectra of a file for a scene of these bands.
pub(crate) fn open(path: &Path, bands: &Bands) -> Result<std::result::Result<Library, Misfit>> {
    let dataset = cupel_data::open(path)?;
    Ok(Library::read(&dataset, bands)?.and_then(|library| library.at(bands)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cupel_data::AxisKind;

    fn library(centres: Vec<f64>, of: impl Fn(f64) -> f64) -> Library {
        let spectra = Endmembers::new(centres.iter().map(|&nm| of(nm)).collect(), centres.len()).unwrap();
        Library { spectra, names: numbered(1), centres: Some(centres), widths_nm: None, variable: None }
    }

    fn bands(centres: Vec<f64>) -> Bands {
        Bands::all(&Axis::new(AxisKind::Wavelength, centres.len()).with_coordinates(centres, "nm").unwrap())
    }

    fn evenly(from: f64, step: f64, count: usize) -> Vec<f64> {
        (0..count).map(|i| from + step * i as f64).collect()
    }

    #[test]
    fn smooth_spectra_are_the_same_at_other_bands() {
        let smooth = |nm: f64| 0.3 + 0.2 * (nm / 300.0).sin();
        for step in [1.0, 3.0, 11.0, 70.0] {
            let fine = library(evenly(380.0, step, (2200.0 / step) as usize), smooth);
            let wanted = bands(evenly(400.0, 72.0, 30));
            let Ok(found) = fine.at(&wanted) else { panic!("step {step}") };
            for (value, &nm) in found.spectra.values().iter().zip(wanted.centres().unwrap()) {
                assert!((value - smooth(nm)).abs() < 3e-3, "step {step} at {nm}: {value} for {}", smooth(nm));
            }
        }
    }

    #[test]
    fn a_narrow_line_becomes_as_wide_as_the_bands() {
        let line = |nm: f64| if (nm - 500.0).abs() < 1.0 { 1.0 } else { 0.0 };
        let found = library(evenly(400.0, 1.0, 201), line).at(&bands(evenly(440.0, 20.0, 7))).ok().unwrap();
        let peak = found.spectra.values()[3];
        assert!(peak > 0.03 && peak < 0.06, "an area of 1 to 2 nm in a Gaussian of 20 nm: {peak}");
    }

    #[test]
    fn known_widths_decide_and_what_is_as_wide_already_stays() {
        // Lines of a Gaussian of 6 nm, as an instrument of that width sees them.
        let of_width = |width: f64| move |nm: f64| (-4.0 * 2.0_f64.ln() * ((nm - 500.0) / width).powi(2)).exp() / width;
        let at = |own: Option<f64>, wanted: f64| {
            let fine = library(evenly(400.0, 1.0, 201), of_width(6.0));
            let fine = Library { widths_nm: own.map(|own| vec![own; 201]), ..fine };
            let scene = Bands { widths_nm: Some(vec![wanted; 7]), ..bands(evenly(440.0, 20.0, 7)) };
            fine.at(&scene).ok().unwrap().spectra.values()[3]
        };
        for wanted in [8.0, 12.0, 20.0] {
            // Widths of Gaussians add in squares.
            let expected = of_width(wanted)(500.0);
            let found = at(Some(6.0), wanted);
            assert!((found / expected - 1.0).abs() < 0.02, "{wanted} nm: {found} for {expected}");
            let narrow = at(None, wanted);
            let wider = of_width((wanted * wanted + 36.0_f64).sqrt())(500.0);
            assert!((narrow / wider - 1.0).abs() < 0.02, "{wanted} nm: {narrow} for {wider}");
        }
        assert!((at(Some(6.0), 6.0) / of_width(6.0)(500.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_does_not_reach_is_refused_with_both_ranges() {
        let short = library(evenly(400.0, 20.0, 30), |_| 0.1);
        let Err(Misfit::Problem(problem)) = short.at(&bands(evenly(400.0, 72.0, 30))) else { panic!() };
        assert!(
            problem.contains("30 bands from 400 to 980 nm") && problem.contains("from 400 to 2488 nm"),
            "{problem}"
        );
        let unknown = Library { centres: None, ..library(evenly(400.0, 20.0, 29), |_| 0.1) };
        let Err(Misfit::Problem(problem)) = unknown.at(&bands(evenly(400.0, 72.0, 30))) else { panic!() };
        assert!(problem.contains("29 bands") && problem.contains("30 bands"), "{problem}");
    }
}
