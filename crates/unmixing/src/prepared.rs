//! The pixels of a scene in the spaces that extractors work in.

use rayon::prelude::*;

use crate::{
    Moments, Noise, Pixels, Result, Subspace,
    edaa::Columns,
    method::Space,
    vca::{VcaProjection, check_count},
};

/// Dimensions kept for archetypal analysis; what lies outside them is below the noise of every scene tried.
const ARCHETYPE_RANK: usize = 20;

/// Pixels in one space with what several extractors share.
pub(crate) struct View {
    pub(crate) pixels: Pixels,
    pub(crate) columns: Columns,
    pub(crate) vca: VcaProjection,
    /// Coordinates from the mean, `pixels x (endmembers - 1)`.
    pub(crate) centred: Vec<f64>,
}

/// A scene with the views of it that are needed, with zeros in bands that hold nothing but noise: distances and lengths would count it.
pub(crate) struct Prepared {
    pub(crate) pixels: Pixels,
    pub(crate) moments: Moments,
    pub(crate) noise: Noise,
    views: Vec<(Space, View)>,
}

impl Prepared {
    pub(crate) fn new(mut pixels: Pixels, endmembers: usize, spaces: &[Space]) -> Result<Self> {
        check_count(&pixels, endmembers)?;
        let mut moments = Moments::of(&pixels)?;
        let mut noise = Noise::from_moments(&moments, pixels.count());
        let silent = noise.silent_bands(&moments);
        if !silent.is_empty() {
            pixels = pixels.without(&silent);
            moments = Moments::of(&pixels)?;
            noise = Noise::from_moments(&moments, pixels.count());
        }
        let mut prepared = Self { pixels, moments, noise, views: Vec::new() };
        prepared.views =
            spaces.par_iter().map(|&space| Ok((space, prepared.view_of(space, endmembers)?))).collect::<Result<_>>()?;
        Ok(prepared)
    }

    /// The view of one space; there is one for every space asked for at the start.
    pub(crate) fn view(&self, space: Space) -> Option<&View> {
        self.views.iter().find(|(s, _)| *s == space).map(|(_, view)| view)
    }

    fn view_of(&self, space: Space, endmembers: usize) -> Result<View> {
        let pixels = match space {
            Space::Raw => self.pixels.clone(),
            Space::Normalised => normalised(&self.pixels),
            Space::Denoised => self.denoised(endmembers),
            Space::DenoisedNormalised => normalised(&self.denoised(endmembers)),
        };
        let moments = if space == Space::Raw { self.moments.clone() } else { Moments::of(&pixels)? };
        let rank = match space {
            Space::Raw | Space::Normalised => ARCHETYPE_RANK.min(pixels.bands()),
            Space::Denoised | Space::DenoisedNormalised => endmembers,
        };
        let coordinates = Subspace::about_origin(&moments, rank).project(&pixels);
        let coordinates: Vec<f32> = coordinates.iter().map(|c| *c as f32).collect();
        Ok(View {
            columns: Columns::new(&coordinates, rank),
            vca: VcaProjection::new(&pixels, &moments, endmembers)?,
            centred: Subspace::about_mean(&moments, endmembers - 1).project(&pixels),
            pixels,
        })
    }

    /// Pixels projected on as many directions from the origin as there are endmembers.
    fn denoised(&self, endmembers: usize) -> Pixels {
        let subspace = Subspace::about_origin(&self.moments, endmembers);
        let (rank, bands) = (subspace.rank(), self.pixels.bands());
        let coordinates = subspace.project(&self.pixels);
        let mut values = vec![0.0f32; self.pixels.count() * bands];
        values.par_chunks_mut(bands).zip(coordinates.par_chunks(rank)).with_min_len(256).for_each(|(spectrum, c)| {
            spectrum.iter_mut().zip(subspace.lift(c)).for_each(|(s, v)| *s = v as f32);
        });
        Pixels::of_checked(values, bands)
    }
}

/// Every spectrum divided by its Euclidean norm.
fn normalised(pixels: &Pixels) -> Pixels {
    let mut values = pixels.values().to_vec();
    values.par_chunks_mut(pixels.bands()).with_min_len(256).for_each(|spectrum| {
        let norm = spectrum.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        if norm > 0.0 {
            spectrum.iter_mut().for_each(|v| *v = (f64::from(*v) / norm) as f32);
        }
    });
    Pixels::of_checked(values, pixels.bands())
}
