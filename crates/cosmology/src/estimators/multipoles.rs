//! [`Multipoles`]: the rings of multipoles that have one matrix each.

use crate::{Error, Result};

/// Rings of multipoles, `l = 2 pi / angle in radians`: what k_perp is on the sky, whatever the distance.
///
/// Patches of another size or another number of pixels have modes at other multipoles, which fall into the same rings.
#[derive(Clone, Debug, PartialEq)]
pub struct Multipoles {
    edges: Vec<f64>,
}

impl Multipoles {
    /// Rings between these edges.
    ///
    /// # Errors
    /// [`Error::Spectrum`] unless there are two edges at least, finite, above 0 and ascending.
    pub fn new(edges: Vec<f64>) -> Result<Self> {
        let ascending = edges.windows(2).all(|pair| pair[0] < pair[1]);
        if edges.len() < 2 || !ascending || !edges.iter().all(|edge| edge.is_finite() && *edge > 0.0) {
            let expected = "edges of multipoles that are finite, above zero and ascending, two at least";
            return Err(Error::Spectrum { expected, got: format!("{edges:?}") });
        }
        Ok(Self { edges })
    }

    /// The rings of a patch of these sides in degrees: one for each `|n|^2` of wave vectors of a square patch up to 3 fundamental modes, half of a
    /// mode wide up to 10, then one mode. Where the beam makes the signal steep, wider ones would mix what differs.
    ///
    /// # Errors
    /// As [`new`](Self::new), for sides that are not above 0.
    pub fn of_patch(pixels: [usize; 2], side_deg: [f64; 2]) -> Result<Self> {
        /// Wave numbers between the shells `|n|^2` = 1, 2, 4, 5, 8, 9, 10, 13, 16, 17, 18.
        const SHELLS: [f64; 12] = [0.5, 1.2, 1.7, 2.12, 2.5, 2.9, 3.08, 3.35, 3.8, 4.06, 4.18, 4.35];
        let [rows, columns] = side_deg.map(|side| std::f64::consts::TAU / side.to_radians());
        let fundamental = rows.min(columns);
        let last = (rows * (pixels[0] / 2) as f64).hypot(columns * (pixels[1] / 2) as f64) / fundamental;
        let mut edges = SHELLS.to_vec();
        while edges[edges.len() - 1] <= last {
            let edge = edges[edges.len() - 1];
            edges.push(match edge {
                edge if edge < 4.5 => 4.75,
                edge if edge < 10.0 => edge + 0.5,
                edge => edge + 1.0,
            });
        }
        let beyond = edges.iter().position(|edge| *edge > last).unwrap_or(edges.len() - 1);
        edges.truncate(beyond + 1);
        Self::new(edges.into_iter().map(|edge| edge * fundamental).collect())
    }

    /// The edges.
    pub fn edges(&self) -> &[f64] {
        &self.edges
    }

    /// The number of rings.
    pub fn len(&self) -> usize {
        self.edges.len() - 1
    }

    /// Whether there are none, which is never so.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The middle of a ring.
    pub fn middle(&self, ring: usize) -> f64 {
        (self.edges[ring] + self.edges[ring + 1]) / 2.0
    }

    /// The ring of a multipole; nothing outside of all.
    pub fn ring(&self, multipole: f64) -> Option<usize> {
        let passed = self.edges.partition_point(|edge| *edge <= multipole);
        (1..self.edges.len()).contains(&passed).then(|| passed - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_of_a_patch_lies_in_a_ring_and_shells_have_their_own() {
        let multipoles = Multipoles::of_patch([64, 64], [20.0, 20.0]).unwrap();
        let fundamental = 18.0;
        let mut shells = Vec::new();
        for (row, column) in (0..=32_u32).flat_map(|r| (0..=32_u32).map(move |c| (r, c))).filter(|at| *at != (0, 0)) {
            let square = row * row + column * column;
            let ring = multipoles.ring(f64::from(square).sqrt() * fundamental).unwrap();
            if square <= 18 {
                shells.push((square, ring));
            }
        }
        shells.sort_unstable();
        shells.dedup();
        let rings: Vec<usize> = shells.iter().map(|(_, ring)| *ring).collect();
        assert_eq!(rings, (0..shells.len()).collect::<Vec<_>>(), "{shells:?}");
        assert!(multipoles.ring(8.9).is_none() && multipoles.ring(50.0 * fundamental).is_none());
        // shells up to 18, then three times half a mode up to 4 sqrt 2
        assert_eq!(Multipoles::of_patch([8, 8], [20.0, 20.0]).unwrap().len(), 14);
        for wrong in [vec![1.0], vec![0.0, 1.0], vec![2.0, 1.0], vec![1.0, f64::NAN]] {
            assert!(Multipoles::new(wrong).is_err());
        }
    }
}
