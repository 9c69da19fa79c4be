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
    Published {
        name: "Samson",
        rows: 95,
        columns: 95,
        bands: 156,
        range_nm: [401.0, 889.0],
        sensor_bands: 156,
        removed: &[],
    },
    Published {
        name: "Jasper Ridge",
        rows: 100,
        columns: 100,
        bands: 198,
        range_nm: [380.0, 2500.0],
        sensor_bands: 224,
        removed: &[[1, 3], [108, 112], [154, 166], [220, 224]],
    },
    Published {
        name: "Urban",
        rows: 307,
        columns: 307,
        bands: 162,
        range_nm: [400.0, 2500.0],
        sensor_bands: 210,
        removed: &[[1, 4], [76, 76], [87, 87], [101, 111], [136, 153], [198, 210]],
    },
    Published {
        name: "Apex",
        rows: 110,
        columns: 110,
        bands: 285,
        range_nm: [413.0, 2421.0],
        sensor_bands: 285,
        removed: &[],
    },
    Published {
        name: "Cuprite",
        rows: 250,
        columns: 190,
        bands: 188,
        range_nm: [370.0, 2480.0],
        sensor_bands: 224,
        removed: &[[1, 2], [104, 113], [148, 167], [221, 224]],
    },
    Published {
        name: "Cuprite",
        rows: 250,
        columns: 191,
        bands: 188,
        range_nm: [370.0, 2480.0],
        sensor_bands: 224,
        removed: &[[1, 2], [104, 113], [148, 167], [221, 224]],
    },
];

impl Published {
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
