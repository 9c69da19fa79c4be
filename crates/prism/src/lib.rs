//! Sharp images from a few small apertures.
//!
//! An instrument sees an object through a small window, again and again at other places: a telescope or an array of LEDs cuts windows of
//! the object's spectrum (Fourier ptychography), a probe cuts windows of the object itself (ptychography). Each exposure is the intensity
//! behind one window. [`Exposures`] are such measurements with the [`Optics`] that made them and what is known of the object.

mod aperture;
mod cache;
mod calibration;
mod certificate;
mod decoder;
mod error;
mod exposures;
mod fourier;
mod frame_cache;
mod frame_reader;
mod grid;
mod held_out;
mod host_fft;
mod incoherent;
mod instrument;
mod led_array;
mod left_out;
mod loss_agg;
mod measurement_system;
pub mod metrics;
mod microscope;
mod misfit;
mod moved;
mod named;
mod noise;
mod object;
mod optics;
pub mod page;
mod parameters;
mod pie;
mod plan;
mod plane;
mod prepared;
mod preview;
mod progressive;
pub mod propagation;
mod ptychography;
mod raar;
mod read;
mod reconstruct;
mod restarts;
mod results;
pub mod sampling;
mod saved;
mod search;
mod simulate;
mod simulate_lights;
mod smooth_pupil;
mod solvers;
mod spectrum_law;
mod start;
mod telescope;
mod tiers;
mod variation;
mod zernike;

pub use aperture::Aperture;
pub use cache::CacheStats;
pub use calibration::{
    Calibrated, LightsConfig, ScanFree, Sought, calibrate_lights, calibrate_scan, locate, predicted, r_factor,
    spectrum_of,
};
pub use certificate::Certificate;
pub use decoder::{
    Decoder, DecoderKind, DeepDecoder, DeepDecoderConfig, FrozenDecoder, OutputActivation, ProgressiveDecoder,
    ProgressiveDecoderConfig,
};
pub use error::{Error, Result};
pub use exposures::{Exposures, FRAME_BYTES, Frames, InMemory, Knowledge, Lights, Noise};
pub use grid::Grid;
pub use incoherent::Incoherent;
pub use instrument::{
    ArrayConfig, DataKind, DetectorConfig, Instrument, InstrumentKind, LightOrder, Objective, PositionUnit,
    ProbeConfig, ZeroPlace,
};
pub use led_array::{LedArray, Pose, PoseGradient, raster, spiral};
pub use left_out::LeftOut;
pub use loss_agg::{LossAgg, LossType, LossWeights, Target};
pub use measurement_system::{CACHE_BYTES, Image, Measurement, MeasurementSystem};
pub use microscope::{Microscope, MicroscopeConfig};
pub use misfit::Misfit;
pub use noise::NoiseConfig;
pub use object::{ObjectConfig, open_field, open_object};
pub use optics::{Geometry, Optics};
pub use parameters::{Free, Model, Units};
pub use pie::{Pie, PieConfig, PieRule};
pub use plan::{Plan, plan, plan_moving};
pub use plane::Plane;
pub use preview::Film;
pub use progressive::{Batch, CurvePoint, Decoded, DecoderConfig, Progressive, Rule, Seen, decode, filled, training};
pub use propagation::Propagator;
pub use ptychography::{
    PtychographyConfig, PtychographyScene, ScanPattern, focused_probe, propagated, simulate_ptychography,
};
pub use raar::{Raar, RaarConfig};
pub use read::{Recording, read_exposures};
pub use reconstruct::{Reconstruction, ReconstructionConfig, Solver, reconstruct};
pub use results::Results;
pub use sampling::{Pattern, SamplingConfig};
pub use saved::{holds_exposures, open_exposures, write_exposures};
pub use search::{Found, Search, Tried};
pub use simulate::{observe, observe_adaptively, observe_moving};
pub use simulate_lights::{LightsScene, LightsSceneConfig, simulate_lights};
pub use telescope::{ApertureType, Propagation, Telescope, TelescopeConfig};
pub use tiers::{Calibration, FoundLights, Tier, Tiers};
pub use zernike::{Aberration, HIGHEST_ZERNIKE, noll, zernike};
