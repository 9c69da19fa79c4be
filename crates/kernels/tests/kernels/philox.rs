//! Random tensors: the numbers of the streams of `data`, wherever they are made.

use crate::checks::{devices, values};
use cupel_data::Stream;
use cupel_kernels::{philox_normal, philox_uniform};

#[test]
fn tensors_have_the_numbers_of_the_stream() {
    for (i, (name, device)) in devices().into_iter().enumerate() {
        let stream = Stream::new(5, "tensor").at(1, i as u64);
        let (key, counter) = stream.philox();
        for shape in [[1, 1], [3, 7], [70, 1001]] {
            let mut expected = vec![0.0f32; shape[0] * shape[1]];
            stream.fill_uniform(&mut expected);
            let uniform = philox_uniform(shape, key, counter, &device);
            assert_eq!(uniform.into_data().try_to_vec::<f32>().unwrap(), expected, "uniform on {name}");
            stream.fill_normal(&mut expected);
            let normal = philox_normal(shape, key, counter, &device);
            assert_eq!(normal.into_data().try_to_vec::<f32>().unwrap(), expected, "normal on {name}");
        }
        assert_eq!(philox_normal([0, 3], key, counter, &device).dims(), [0, 3]);
    }
}

/// Mean, variance and the fourth moment of a million normal values, each within five standard errors.
#[test]
fn normal_values_have_the_moments_of_the_distribution() {
    let (_, device) = devices().swap_remove(0);
    let x = values(&philox_normal([1_000_000], [3, 4], [5, 6], &device));
    let moment = |power: i32| x.iter().map(|x| x.powi(power)).sum::<f64>() / x.len() as f64;
    assert!(moment(1).abs() < 5e-3, "mean {}", moment(1));
    assert!((moment(2) - 1.0).abs() < 5.0 * 2f64.sqrt() * 1e-3, "variance {}", moment(2));
    assert!((moment(4) - 3.0).abs() < 5.0 * 96f64.sqrt() * 1e-3, "fourth moment {}", moment(4));
}
