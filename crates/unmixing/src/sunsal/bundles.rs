//! A library made of the scene itself: near-pure spectra of random parts of it, gathered by material.

use cupel_data::Stream;
use rayon::prelude::*;

use crate::{Endmembers, Error, Pixels, Result, method::Space, prepared::Prepared, spectral_angle};

/// Random parts of the scene that VCA looks at.
const PARTS: u64 = 20;
/// Share of the pixels in a part, and the least number of pixels in it for each endmember.
const PART: f64 = 0.1;
const LEAST_A_MATERIAL: usize = 50;
/// Rounds of assignment and mean; bundles settle far earlier.
const ROUNDS: usize = 50;

/// Spectra of unit norm, each with the number of its bundle.
///
/// VCA works on denoised pixels of unit norm, so that neither shade nor noise makes a spectrum extreme.
pub(super) fn of_scene(pixels: &Pixels, endmembers: usize, stream: Stream) -> Result<(Endmembers, Vec<usize>)> {
    let size = ((PART * pixels.count() as f64) as usize).max(LEAST_A_MATERIAL * endmembers).min(pixels.count());
    let found: Vec<Endmembers> = (0..PARTS)
        .into_par_iter()
        .map(|part| {
            let stream = stream.child(part);
            let some = pixels.sample(size, stream.child(0));
            let prepared = Prepared::new(some, endmembers, &[Space::DenoisedNormalised])?;
            let Some(view) = prepared.view(Space::DenoisedNormalised) else { unreachable!("the space was asked for") };
            Ok(view.vca.choose(stream.child(1)).unit_norm())
        })
        .collect::<Result<_>>()?;
    let bands = pixels.bands();
    let some: Vec<f64> = found
        .iter()
        .flat_map(Endmembers::spectra)
        .filter(|spectrum| spectrum.iter().any(|v| *v > 0.0))
        .flatten()
        .copied()
        .collect();
    if some.len() < endmembers * bands {
        return Err(Error::TooFewMaterials { asked: endmembers, found: some.len() / bands });
    }
    let library = Endmembers::new(some, bands)?;
    // the set whose nearest two spectra are furthest apart begins
    let separation = |set: &Endmembers| {
        let pairs = (0..set.count()).flat_map(|a| (0..a).map(move |b| (a, b)));
        pairs.map(|(a, b)| spectral_angle(set.spectrum(a), set.spectrum(b))).fold(f64::INFINITY, f64::min)
    };
    let first = found.iter().max_by(|a, b| separation(a).total_cmp(&separation(b)));
    let centres = first.cloned().unwrap_or_else(|| library.clone());
    Ok(gathered(library, centres))
}

/// Spherical k-means from these centres; a centre that no spectrum is near joins the library as a bundle of its own.
fn gathered(library: Endmembers, mut centres: Endmembers) -> (Endmembers, Vec<usize>) {
    let (bands, count) = (library.bands(), centres.count());
    let nearest = |centres: &Endmembers, spectrum: &[f64]| {
        let angle = |k: usize| spectral_angle(centres.spectrum(k), spectrum);
        (0..count).min_by(|&a, &b| angle(a).total_cmp(&angle(b))).unwrap_or(0)
    };
    let mut groups: Vec<usize> = Vec::new();
    for _ in 0..ROUNDS {
        let now: Vec<usize> = library.spectra().map(|spectrum| nearest(&centres, spectrum)).collect();
        if now == groups {
            break;
        }
        groups = now;
        let mut sums = vec![0.0; count * bands];
        for (spectrum, group) in library.spectra().zip(&groups) {
            sums[group * bands..][..bands].iter_mut().zip(spectrum).for_each(|(sum, s)| *sum += s);
        }
        for (group, sum) in sums.chunks_exact_mut(bands).enumerate() {
            if !groups.contains(&group) {
                sum.copy_from_slice(centres.spectrum(group));
            }
        }
        // sums of finite spectra are finite
        if let Ok(means) = Endmembers::new(sums, bands) {
            centres = means.unit_norm();
        }
    }
    let alone: Vec<usize> = (0..count).filter(|group| !groups.contains(group)).collect();
    if alone.is_empty() {
        return (library, groups);
    }
    let all: Vec<f64> =
        library.values().iter().chain(alone.iter().flat_map(|&group| centres.spectrum(group))).copied().collect();
    groups.extend(alone);
    match Endmembers::new(all, bands) {
        Ok(library) => (library, groups),
        Err(_) => unreachable!("finite spectra"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spectra_are_gathered_by_material_and_no_bundle_is_empty() {
        let spectra = vec![1.0, 0.0, 0.98, 0.1, 0.0, 1.0, 0.1, 0.99, 1.0, 0.05];
        let library = Endmembers::new(spectra, 2).unwrap().unit_norm();
        let centres = Endmembers::new(vec![1.0, 0.0, 0.0, 1.0], 2).unwrap();
        assert_eq!(gathered(library.clone(), centres).1, [0, 0, 1, 1, 0]);
        let centres = Endmembers::new(vec![1.0, 0.0, 0.0, 1.0, 0.1, 1.0, -1.0, 0.0], 2).unwrap();
        let (all, groups) = gathered(library, centres);
        assert_eq!(all.count(), groups.len());
        assert!((0..4).all(|group| groups.contains(&group)), "{groups:?}");
    }
}
