//! Scenes that the literature uses, so that a file of one of them needs no options.
//!
//! Band positions are nominal: evenly spaced over the sensor's range, with the usual water-vapour and noise bands
//! left out.

/// What is known of a published scene.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Published {
    /// Its usual name.
    pub name: &'static str,
    /// Image rows.
    pub rows: usize,
    /// Image columns.
    pub columns: usize,
    /// Bands kept.
    pub bands: usize,
    /// First and last wavelength of the sensor in nanometres.
    range_nm: [f64; 2],
    /// Bands of the sensor.
    sensor_bands: usize,
    /// Bands left out, as inclusive ranges counted from one.
    removed: &'static [[usize; 2]],
}

/// Samson, Jasper Ridge, Urban, Apex and Cuprite as they circulate.
///
/// Sizes and band lists after F. Zhu, "Hyperspectral Unmixing: Ground Truth Labeling, Datasets, Benchmark
/// Performances and Survey", arXiv 1708.05125 (2017); Apex crop after Ghosh et al., IEEE TGRS 60 (2022).
pub const PUBLISHED: [Published; 6] = [
    Published::new("Samson", [95, 95, 156], [401.0, 889.0], 156, &[]),
    Published::new(
        "Jasper Ridge",
        [100, 100, 198],
        [380.0, 2500.0],
        224,
        &[[1, 3], [108, 112], [154, 166], [220, 224]],
    ),
    Published::new(
        "Urban",
        [307, 307, 162],
        [400.0, 2500.0],
        210,
        &[[1, 4], [76, 76], [87, 87], [101, 111], [136, 153], [198, 210]],
    ),
    Published::new("Apex", [110, 110, 285], [413.0, 2421.0], 285, &[]),
    Published::new("Cuprite", [250, 190, 188], [370.0, 2480.0], 224, CUPRITE),
    Published::new("Cuprite", [250, 191, 188], [370.0, 2480.0], 224, CUPRITE),
];
const CUPRITE: &[[usize; 2]] = &[[1, 2], [104, 113], [148, 167], [221, 224]];

impl Published {
    const fn new(
        name: &'static str,
        [rows, columns, bands]: [usize; 3],
        range_nm: [f64; 2],
        sensor_bands: usize,
        removed: &'static [[usize; 2]],
    ) -> Self {
        Self { name, rows, columns, bands, range_nm, sensor_bands, removed }
    }

    /// The scene with this many bands and pixels.
    pub fn find(bands: usize, pixels: usize) -> Option<Self> {
        PUBLISHED.into_iter().find(|p| p.bands == bands && p.rows * p.columns == pixels)
    }

    /// Nominal centre of each band kept, in nanometres.
    pub fn wavelengths_nm(&self) -> Vec<f64> {
        let [first, last] = self.range_nm;
        let step = (last - first) / (self.sensor_bands - 1) as f64;
        (1..=self.sensor_bands)
            .filter(|band| !self.removed.iter().any(|[from, to]| (from..=to).contains(&band)))
            .map(|band| first + step * (band - 1) as f64)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_bands_leave_as_many_as_the_scene_has() {
        for scene in PUBLISHED {
            assert_eq!(scene.wavelengths_nm().len(), scene.bands, "{}", scene.name);
        }
        assert_eq!(Published::find(156, 9025).map(|p| p.name), Some("Samson"));
        assert_eq!(Published::find(156, 9026), None);
    }
}
