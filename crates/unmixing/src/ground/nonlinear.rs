//! Mixtures that are not linear.

use crate::intimate::{albedo, reflectance};

/// Direct light with that scattered from one material to another, `y = sum a_k e_k + sum_{i<j} g_ij a_i a_j e_i e_j`: with all `g_ij`
/// one the model of Fan, Hu, Miller & Li (Int. J. Remote Sens. 30, 2951, 2009), with `g_ij` between nought and one that of Halimi, Altmann,
/// Dobigeon & Tourneret (IEEE TGRS 49, 4153, 2011, doi:10.1109/TGRS.2010.2098414).
pub(super) fn bilinear(spectra: &[Vec<f64>], shares: &[f64], mut interaction: impl FnMut() -> f64) -> Vec<f64> {
    let mut found = linear(spectra, shares);
    for i in 0..shares.len() {
        for j in i + 1..shares.len() {
            let weight = interaction() * shares[i] * shares[j];
            found.iter_mut().zip(spectra[i].iter().zip(&spectra[j])).for_each(|(f, (a, b))| *f += weight * a * b);
        }
    }
    found
}

/// `sum a_k e_k`.
pub(super) fn linear(spectra: &[Vec<f64>], shares: &[f64]) -> Vec<f64> {
    let mut found = vec![0.0; spectra.first().map_or(0, Vec::len)];
    for (spectrum, share) in spectra.iter().zip(shares) {
        found.iter_mut().zip(spectrum).for_each(|(f, s)| *f += share * s);
    }
    found
}

/// An intimate mixture of grains: albedos of single scattering mix linearly (Hapke, J. Geophys. Res. 86, 3039, 1981).
pub(super) fn hapke(spectra: &[Vec<f64>], shares: &[f64]) -> Vec<f64> {
    let albedos: Vec<Vec<f64>> = spectra.iter().map(|s| s.iter().map(|&r| albedo(r)).collect()).collect();
    linear(&albedos, shares).into_iter().map(reflectance).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pure_pixel_is_its_material_in_every_model() {
        let spectra = vec![vec![0.2, 0.5, 0.7], vec![0.6, 0.1, 0.3]];
        for found in
            [bilinear(&spectra, &[0.0, 1.0], || 1.0), hapke(&spectra, &[0.0, 1.0]), linear(&spectra, &[0.0, 1.0])]
        {
            found.iter().zip(&spectra[1]).for_each(|(f, s)| assert!((f - s).abs() < 1e-12));
        }
        // grains hide bright ones more than shares say
        let dark = hapke(&spectra, &[0.5, 0.5]);
        assert!(dark.iter().zip(linear(&spectra, &[0.5, 0.5])).all(|(h, l)| *h < l));
    }
}
