//! [`Contents`]: what a file says, before the instrument is asked.

use std::sync::Arc;

use crate::{DataKind, InstrumentKind, Plane, PositionUnit, ZeroPlace, read::stack::Stack};

/// What a reader found in a file. Lengths are in metres.
#[derive(Debug)]
pub(super) struct Contents {
    /// What the file is, in words.
    pub(super) layout: &'static str,
    pub(super) kind: InstrumentKind,
    pub(super) data: DataKind,
    pub(super) stack: Arc<Stack>,
    pub(super) positions: Option<Positions>,
    /// Modes of the probe.
    pub(super) probe: Vec<Plane>,
    pub(super) wavelength: Option<f64>,
    /// From the object to the detector, or from the lights to the object.
    pub(super) distance: Option<f64>,
    /// Of the detector.
    pub(super) detector_pixel: Option<f64>,
    pub(super) magnification: Option<f64>,
    pub(super) na: Option<f64>,
    pub(super) defocus: Option<f64>,
    /// Of the first light, along x and y.
    pub(super) offset: Option<[f64; 2]>,
    /// Of the array of lights, in degrees.
    pub(super) rotation: Option<f64>,
    /// Pixels of the file that count.
    pub(super) good: Option<Vec<bool>>,
    /// Value without light.
    pub(super) dark: Option<Vec<f32>>,
    pub(super) zero: ZeroPlace,
    /// Metres across the probe.
    pub(super) diameter: Option<f64>,
}

/// Where the probe was, or the lights were.
#[derive(Clone, Debug)]
pub(super) struct Positions {
    /// Row and column; x and y for lights are the other way round.
    pub(super) places: Vec<[f64; 2]>,
    pub(super) unit: PositionUnit,
}

impl Contents {
    pub(super) fn new(layout: &'static str, kind: InstrumentKind, stack: Stack) -> Self {
        Self {
            layout,
            kind,
            data: DataKind::Found,
            stack: Arc::new(stack),
            positions: None,
            probe: Vec::new(),
            wavelength: None,
            distance: None,
            detector_pixel: None,
            magnification: None,
            na: None,
            defocus: None,
            offset: None,
            rotation: None,
            good: None,
            dark: None,
            zero: ZeroPlace::Found,
            diameter: None,
        }
    }
}
