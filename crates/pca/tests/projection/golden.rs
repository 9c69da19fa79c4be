//! Cleaned cubes of the reference implementation.

use burn::tensor::{Device, Tensor, TensorData};
use cupel_data::{AxisKind, Complex, Cube};
use cupel_kernels::{LowRank, Projection, project_low_rank};
use cupel_pca::{Modes, Pca, Projector};

use super::samples::{cosmology_data, difference, published, wide};

/// `cpca_clean` is a Hermitian analysis of 512 samples of 32 channels in complex128: four modes of foregrounds 10^6
/// times the signal. With a spectrum over 14 decades the weakest mode of an eigendecomposition in f64 is uncertain by
/// 10^-2 of what is left, the reference's as well as ours, so that the projection is compared with the modes of the
/// reference, and the whole to that.
#[test]
fn a_hermitian_projection_is_that_of_the_reference() {
    let Some(folder) = cosmology_data() else { return };
    let kinds = [AxisKind::Sample, AxisKind::Baseline, AxisKind::Frequency, AxisKind::RightAscension];
    let x = published::<Complex<f32>>(&folder, "golden/vis_x.npy", &kinds);
    let expected =
        published::<Complex<f64>>(&folder, "golden/cpca_clean.npy", &[AxisKind::Sample, AxisKind::Frequency]);
    let flat = |values: &[Complex<f64>]| values.iter().flat_map(|v| [v.re, v.im]).collect::<Vec<f64>>();
    // the reference has right ascension before baselines
    let order = [AxisKind::Sample, AxisKind::RightAscension, AxisKind::Baseline, AxisKind::Frequency];
    let x = x.permuted(&order).unwrap();

    let modes = published::<Complex<f64>>(&folder, "golden/cpca_V.npy", &[AxisKind::Frequency, AxisKind::Mode]);
    let modes = modes.permuted(&[AxisKind::Mode, AxisKind::Frequency]).unwrap();
    let rows: Vec<Vec<Complex<f64>>> = modes.values().chunks(32).map(<[_]>::to_vec).collect();
    let mean = published::<Complex<f64>>(&folder, "golden/cpca_mean.npy", &[AxisKind::Frequency]);
    let pairs: Vec<f32> = x.values().iter().flat_map(|v| [v.re, v.im]).collect();
    let lines = Tensor::<3>::from_data(TensorData::new(pairs, [512, 32, 2]), &Device::flex());
    let low_rank = LowRank::hermitian(&rows, mean.values());
    let got = project_low_rank(lines, &low_rank, Projection::along(1)).into_data().try_to_vec::<f32>().unwrap();
    let error = difference(&wide(&got), &flat(expected.values()));
    assert!(error < 1e-5, "with the modes of the reference: {error}");

    let exact: Cube<Complex<f64>> = x.map(|v| Complex::new(f64::from(v.re), f64::from(v.im)));
    let components = Pca::new(Modes::Count(rows.len())).hermitian().fit(&exact, AxisKind::Frequency).unwrap();
    let cleaned = Projector::new(&components).apply(&exact).unwrap();
    let error = difference(&flat(cleaned.values()), &flat(expected.values()));
    let left = components.eigenvalues()[rows.len()..].iter().sum::<f64>() / 32.0;
    let sure = f64::EPSILON * components.eigenvalues()[0] / left;
    assert!(error < sure, "fitted: {error}, f64 is sure to {sure}");
}
