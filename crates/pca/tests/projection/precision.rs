//! How exact a cleaned cube is against f64 on the same f32 input: foregrounds 10^4 times the signal, 4096 lines of 64
//! channels.

use burn::tensor::{Device, Tensor, TensorData};
use cupel_data::AxisKind;
use cupel_kernels::{Projection, project_out};
use cupel_pca::{Components, Modes, Pca, PcaLayer, Projector};
use faer::{Mat, Side};

use super::samples::{difference, rms, sky, wide};

const SAMPLES: usize = 4096;
const CHANNELS: usize = 64;
const MODES: usize = 4;

/// In f64 by the definition.
fn definition(values: &[f32], components: &Components) -> Vec<f64> {
    let vectors = components.vectors().unwrap();
    values
        .chunks(CHANNELS)
        .flat_map(|row| {
            let centred: Vec<f64> = row.iter().zip(components.mean()).map(|(&v, m)| f64::from(v) - m).collect();
            let mut left = centred.clone();
            for mode in vectors {
                let along: f64 = centred.iter().zip(mode).map(|(v, m)| v * m).sum();
                left.iter_mut().zip(mode).for_each(|(v, m)| *v -= along * m);
            }
            left
        })
        .collect()
}

/// Mean, covariance, eigenvectors and both products in f32, as the pipeline does it that this one replaces.
fn naive(values: &[f32]) -> Vec<f64> {
    let rows = Mat::<f32>::from_fn(SAMPLES, CHANNELS, |r, c| values[r * CHANNELS + c]);
    let means: Vec<f32> = (0..CHANNELS).map(|c| rows.col(c).iter().sum::<f32>() / SAMPLES as f32).collect();
    let centred = Mat::<f32>::from_fn(SAMPLES, CHANNELS, |r, c| rows[(r, c)] - means[c]);
    let covariance = centred.transpose() * &centred * faer::Scale(1.0 / (SAMPLES - 1) as f32);
    let eigen = covariance.self_adjoint_eigen(Side::Lower).unwrap();
    let modes = eigen.U().subcols(CHANNELS - MODES, MODES).to_owned();
    let left = &centred - (&centred * &modes) * modes.transpose();
    (0..SAMPLES * CHANNELS).map(|i| f64::from(left[(i / CHANNELS, i % CHANNELS)])).collect()
}

#[test]
fn low_rank_is_exact_dense_is_good_and_f32_throughout_fails() {
    let sky = sky(SAMPLES, CHANNELS, 21);
    let components = Pca::new(Modes::Count(MODES)).fit(&sky, AxisKind::Frequency).unwrap();
    let expected = definition(sky.values(), &components);
    let ratio = rms(wide(sky.values())) / rms(expected.iter().copied());
    assert!((0.8e4..4e4).contains(&ratio), "{ratio}");

    let host = difference(&wide(Projector::new(&components).apply(&sky).unwrap().values()), &expected);
    let device = Device::flex();
    let x = Tensor::<2>::from_data(TensorData::new(sky.values().to_vec(), [SAMPLES, CHANNELS]), &device);
    let cleaned = |y: Tensor<2>| difference(&wide(&y.into_data().try_to_vec::<f32>().unwrap()), &expected);
    let layer = PcaLayer::new(&Projector::new(&components), &device).unwrap();
    let low_rank = cleaned(layer.forward(x.clone(), 1).unwrap());

    let vectors = components.vectors().unwrap();
    let entry = |i: usize| {
        let (row, column) = (i / CHANNELS, i % CHANNELS);
        let taken: f64 = vectors.iter().map(|mode| mode[row] * mode[column]).sum();
        (f64::from(u8::from(row == column)) - taken) as f32
    };
    let complement = TensorData::new((0..CHANNELS * CHANNELS).map(entry).collect(), [CHANNELS, CHANNELS]);
    let mean: Vec<f32> = components.mean().iter().map(|&m| m as f32).collect();
    let offset = Tensor::<1>::from_data(TensorData::new(mean, [CHANNELS]), &device);
    let complement = Tensor::<2>::from_data(complement, &device);
    let dense = cleaned(project_out(x, complement, offset, Projection::along(1)));
    let naive = difference(&naive(sky.values()), &expected);
    eprintln!(
        "foregrounds {ratio:.0} times what is left: host {host:.1e}, low rank {low_rank:.1e}, dense {dense:.1e}, f32 {naive:.2}"
    );
    assert!(host <= 1e-6 && low_rank <= 1e-6, "host {host}, low rank {low_rank}");
    assert!(dense <= 1.2e-3 * (ratio / 1e4), "dense {dense}");
    assert!(naive > 0.1, "f32 throughout is expected to fail, and has {naive}");
}

/// Many modes go through one dense product in f32, and are still right.
#[test]
fn many_modes_are_taken_in_f32() {
    let sky = sky(1000, CHANNELS, 22);
    let components = Pca::new(Modes::Count(40)).fit(&sky, AxisKind::Frequency).unwrap();
    let expected = definition(sky.values(), &components);
    let x = Tensor::<2>::from_data(TensorData::new(sky.values().to_vec(), [1000, CHANNELS]), &Device::flex());
    let layer = PcaLayer::new(&Projector::new(&components), &Device::flex()).unwrap();
    let got = wide(&layer.forward(x, 1).unwrap().into_data().try_to_vec::<f32>().unwrap());
    assert!(difference(&got, &expected) < 5e-3, "{}", difference(&got, &expected));
}
