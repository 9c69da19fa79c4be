//! How long the operations on windows take: `windows [rounds]`.
//!
//! The least of some rounds, in milliseconds: the likelihood of 48 windows of 21 x 21 there and back, the amplitudes there and
//! back, a sweep of ePIE, and those of 225 windows of 89 x 89.

use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use cupel_data::Stream;
use cupel_kernels::{
    Direction, Likelihood, Measured, PieSweep, Recycling, SubApertures, pie_sweep, sub_aperture_amplitudes,
    sub_aperture_likelihood,
};

#[global_allocator]
static MEMORY: Recycling = Recycling::new();

fn normal<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let mut values = vec![0.0f32; shape.iter().product()];
    Stream::new(0, "windows").fill_normal(&mut values);
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn least(rounds: usize, what: &str, mut work: impl FnMut()) {
    work();
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let began = Instant::now();
            work();
            1e3 * began.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_unstable_by(f64::total_cmp);
    println!("{what:60} least {:8.3} ms, median {:8.3} ms", times[0], times[rounds / 2]);
}

fn main() {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(50_usize);
    println!("{} threads", rayon::current_num_threads());
    let plain = Device::flex();
    let device = plain.clone().autodiff();
    for (count, n, window, d) in [(48, 128, 21, 128), (48, 128, 21, 64), (225, 512, 89, 128)] {
        let rounds = if count > 100 { rounds.div_ceil(5) } else { rounds };
        let plane = || normal([n, n], &device).require_grad();
        let (plane, pupils) = ((plane(), plane()), normal([1, window, window], &device));
        let pupils = (pupils.clone(), pupils * 0.1);
        let reach = (n - window) as isize;
        let centres = (0..count).map(|i| [i * 7919 % reach - reach / 2, i * 104_729 % reach - reach / 2]).collect();
        let scale = (d * d) as f64 / n as f64;
        let apertures = SubApertures { centres, detector: d, scale, transform: Direction::Inverse };
        let measured = Measured { data: normal([count as usize, d, d], &plain).square(), weight: None, modes: 1 };
        let (flux, background) = (Tensor::ones([count as usize], &device), Tensor::zeros([count as usize], &device));
        let name = format!("{count} x {window}^2 of {n}^2 on {d}^2");
        for (which, likelihood) in
            [("amplitude", Likelihood::Amplitude { epsilon: 1e-8 }), ("poisson", Likelihood::Poisson { variance: 1.0 })]
        {
            least(rounds, &format!("likelihood, {which}, {name}"), || {
                let value = sub_aperture_likelihood(
                    plane.clone(),
                    pupils.clone(),
                    &measured,
                    flux.clone(),
                    background.clone(),
                    &apertures,
                    likelihood,
                );
                std::hint::black_box(plane.0.grad(&value.sum().backward()));
            });
        }
        least(rounds, &format!("amplitudes, {name}"), || {
            let value = sub_aperture_amplitudes(plane.clone(), pupils.clone(), &apertures, 1e-8);
            std::hint::black_box(plane.0.grad(&value.sum().backward()));
        });
        let sweep = |pupil_step| PieSweep {
            order: (0..count as usize).collect(),
            plane_step: 1.0,
            pupil_step,
            regularisation: [1.0; 2],
        };
        let inner = |part: &Tensor<2>| part.clone().inner();
        let of_pupils = (pupils.0.clone().inner(), pupils.1.clone().inner());
        let brightness = (flux.clone().inner(), background.clone().inner());
        for (which, step) in [("", None), (" with its pupil", Some(0.5))] {
            least(rounds, &format!("ePIE sweep{which}, {name}"), || {
                let plane = (inner(&plane.0), inner(&plane.1));
                let (of_pupils, brightness) = (of_pupils.clone(), brightness.clone());
                std::hint::black_box(pie_sweep(plane, of_pupils, &measured, brightness, &apertures, &sweep(step)));
            });
        }
    }
}
