//! Sparse unmixing against a library of spectra (SUnSAL).
//!
//! J. M. Bioucas-Dias, M. A. T. Figueiredo, "Alternating direction algorithms for constrained sparse regression: Application to
//! hyperspectral unmixing", WHISPERS 2010, arXiv 1002.4527: every pixel `y` is explained by few of many spectra `A`,
//!
//! `min 1/2 |A x - y|^2 + lambda |x|_1` with `x >= 0` (the paper's problem CSR without its sum constraint),
//!
//! solved by [`sparse_regression`]. Spectra of the library are taken at unit norm, so that bright ones are not preferred, and lambda is
//! 1e-3 of the root mean square norm of the pixels, as in the HySUPP toolbox.
//!
//! **From a file**, the library is halved again and again until as many spectra are left as endmembers are wanted: those with the
//! least total weight go, which spreads to those that stay when the rest is solved anew.
//!
//! **Blind**, the library is made of the scene: VCA on twenty random parts of it gives near-pure spectra, which are gathered into as many
//! bundles as endmembers are wanted (B. Somers et al., "Automated Extraction of Image-Based Endmember Bundles for Improved Spectral
//! Unmixing", IEEE JSTARS 5, 396 (2012), doi 10.1109/JSTARS.2011.2181340). The weights of a bundle add up to the abundance of its
//! material, whose endmember is the mean of its spectra by total weight.

mod admm;
mod bundles;

pub use admm::{SparseConfig, sparse_regression};

use cupel_data::Stream;
use cupel_train::{Advance, Metrics, Position, Progress, SetReader, SetWriter, fingerprint};
use serde::{Deserialize, Serialize};

use crate::{Abundances, Endmembers, Error, Pixels, Result, abundances::at_scene_brightness, error::same};
use admm::Prepared;

/// Weight of the l1 norm against the root mean square norm of the pixels.
const LAMBDA: f64 = 1e-3;
/// Pixels that one advance solves.
const PIXELS_AT_ONCE: usize = 4096;
/// Pixels that the choice among the spectra of a library looks at.
const PIXELS_OF_CHOICE: usize = 10_000;

/// Sparse unmixing under way; an [`Advance`] that solves some pixels at a time.
pub struct Sunsal {
    pixels: Pixels,
    /// A part of the pixels, on which spectra of a library are chosen.
    sample: Pixels,
    /// Spectra at unit norm.
    library: Endmembers,
    endmembers: usize,
    /// The material of each spectrum, once there are no more materials than wanted.
    groups: Option<Vec<usize>>,
    lambda: f64,
    state: State,
    prepared: Option<Prepared>,
    name: String,
    data_hash: [u8; 32],
}

/// What a stopped run needs beside its input.
#[derive(Clone, Debug, Default)]
struct State {
    head: Head,
    /// Total weight of each active spectrum over the pixels solved in this round.
    totals: Vec<f64>,
    /// Abundances of the pixels solved, in the last round.
    abundances: Vec<f64>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    /// The spectra that are left.
    active: Vec<usize>,
    /// Where the next pixel of this round is.
    next: usize,
    /// Advances made.
    made: u64,
}

impl Sunsal {
    /// Prepares the unmixing into so many `endmembers`, against `library` or, without one, against near-pure spectra of the scene.
    ///
    /// # Errors
    /// A number of endmembers that the scene cannot have; [`Error::Setting`] for a library of fewer spectra or other bands.
    pub fn new(pixels: &Pixels, endmembers: usize, library: Option<&Endmembers>, seed: u64) -> Result<Self> {
        crate::vca::check_count(pixels, endmembers)?;
        let stream = Stream::new(seed, "sunsal");
        let (library, groups) = match library {
            None => {
                let (library, groups) = bundles::of_scene(pixels, endmembers, stream.child(0))?;
                (library, Some(groups))
            }
            Some(library) => (usable(library, pixels.bands(), endmembers)?, None),
        };
        let groups = groups.or_else(|| (library.count() == endmembers).then(|| (0..endmembers).collect()));
        let square = pixels.values().iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / pixels.count() as f64;
        let active: Vec<usize> = (0..library.count()).collect();
        let state =
            State { totals: vec![0.0; active.len()], head: Head { active, ..Head::default() }, abundances: Vec::new() };
        Ok(Self {
            sample: pixels.sample(PIXELS_OF_CHOICE, stream.child(1)),
            data_hash: pixels.hash(),
            pixels: pixels.clone(),
            lambda: LAMBDA * square.sqrt(),
            library,
            endmembers,
            groups,
            state,
            prepared: None,
            name: format!("sunsal-seed-{seed}"),
        })
    }

    /// Endmembers at the brightness of the scene, and abundances that sum to one.
    ///
    /// # Errors
    /// Where no pixel has any weight.
    ///
    /// # Panics
    /// Before all pixels are solved: "pixels are left to solve".
    pub fn finish(&self) -> Result<(Endmembers, Abundances)> {
        let Some(groups) = self.groups.as_ref().filter(|_| self.state.head.next == self.pixels.count()) else {
            panic!("pixels are left to solve")
        };
        let (active, bands) = (&self.state.head.active, self.library.bands());
        let mut means = vec![0.0; self.endmembers * bands];
        for (place, &spectrum) in active.iter().enumerate() {
            // so little that it only counts in a bundle that no pixel has used
            let weight = self.state.totals[place] + f64::MIN_POSITIVE.sqrt();
            let mean = &mut means[groups[place] * bands..][..bands];
            mean.iter_mut().zip(self.library.spectrum(spectrum)).for_each(|(m, s)| *m += weight * s);
        }
        let endmembers = at_scene_brightness(&self.pixels, &Endmembers::new(means, bands)?.unit_norm())?;
        let abundances = Abundances::new(self.state.abundances.clone(), self.endmembers)?.closed();
        Ok((endmembers, abundances))
    }

    /// Advances made.
    pub fn made(&self) -> usize {
        self.state.head.made as usize
    }

    /// The pixels of this round: all of them in the last.
    fn of_round(&self) -> &Pixels {
        if self.groups.is_some() { &self.pixels } else { &self.sample }
    }

    fn step(&mut self) -> Result<Progress> {
        let library = &self.library;
        let prepared = match self.prepared.take() {
            Some(prepared) => prepared,
            None => Prepared::new(&library.reordered(&self.state.head.active), SparseConfig::new(self.lambda))?,
        };
        let (from, count) = (self.state.head.next, self.of_round().count());
        let to = (from + PIXELS_AT_ONCE).min(count);
        let solved = prepared.solve(self.of_round(), from..to);
        let spectra = self.state.head.active.len();
        for weights in solved.weights.chunks_exact(spectra) {
            self.state.totals.iter_mut().zip(weights).for_each(|(total, w)| *total += w);
            if let Some(groups) = &self.groups {
                let first = self.state.abundances.len();
                self.state.abundances.resize(first + self.endmembers, 0.0);
                groups.iter().zip(weights).for_each(|(group, w)| self.state.abundances[first + group] += w);
            }
        }
        self.prepared = Some(prepared);
        self.state.head.next = to;
        self.state.head.made += 1;
        let used = solved.weights.iter().filter(|w| **w > 0.0).count() as f64 / (to - from) as f64;
        let metrics = Metrics::from([
            ("spectra", spectra as f64),
            ("spectra_a_pixel", used),
            ("iterations", solved.iterations as f64),
        ]);
        let mut done = None;
        if to == count {
            match self.groups {
                Some(_) => done = Some("all pixels are solved"),
                None => self.halve(),
            }
        }
        Ok(Progress { metrics, done })
    }

    /// Lets the spectra with the least total weight go.
    fn halve(&mut self) {
        let State { head, totals, .. } = &self.state;
        let kept = head.active.len().div_ceil(2).max(self.endmembers);
        let mut places: Vec<usize> = (0..head.active.len()).collect();
        places.sort_by(|&a, &b| totals[b].total_cmp(&totals[a]));
        places.truncate(kept);
        places.sort_unstable();
        let active = places.iter().map(|place| head.active[*place]).collect();
        self.begin(active);
    }

    fn begin(&mut self, active: Vec<usize>) {
        if active.len() == self.endmembers {
            self.groups = Some((0..self.endmembers).collect());
        }
        self.prepared = None;
        self.state.totals = vec![0.0; active.len()];
        self.state.head = Head { active, next: 0, made: self.state.head.made };
    }
}

impl Advance for Sunsal {
    fn advance(&mut self, _: Position) -> cupel_train::Result<Progress> {
        self.step().map_err(cupel_train::Error::work)
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        set.json("head", &self.state.head)?;
        let numbers = self.state.totals.iter().chain(&self.state.abundances);
        set.bytes("numbers", &numbers.flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        let (head, bytes): (Head, _) = (set.json("head")?, set.bytes("numbers")?);
        let mut totals: Vec<f64> = bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
        let last = self.groups.is_some() || head.active.len() == self.endmembers;
        let abundances = if last { head.next.saturating_mul(self.endmembers) } else { 0 };
        let known = head.active.is_sorted() && head.active.iter().all(|spectrum| *spectrum < self.library.count());
        let expected = (true, 8 * head.active.len().saturating_add(abundances));
        same("saved weights", expected, (known, bytes.len())).map_err(cupel_train::Error::work)?;
        let abundances = totals.split_off(head.active.len());
        if head.active.len() < self.library.count() {
            self.begin(head.active.clone());
        }
        self.state = State { head, totals, abundances };
        Ok(())
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        fingerprint(&("sunsal", self.data_hash, self.library.values(), self.endmembers, self.lambda))
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// A library at unit norm, without spectra of zeros.
fn usable(library: &Endmembers, bands: usize, endmembers: usize) -> Result<Endmembers> {
    let wrong = |got: String, expected| Err(Error::setting("library", got, expected));
    if library.bands() != bands {
        return wrong(format!("spectra of {} bands", library.bands()), "spectra of the bands of the scene");
    }
    let norms = library.norms();
    let some: Vec<usize> = (0..library.count()).filter(|k| norms[*k] > 0.0).collect();
    if some.len() < endmembers {
        return wrong(format!("{} spectra", some.len()), "at least as many spectra as endmembers");
    }
    Ok(library.reordered(&some).unit_norm())
}
