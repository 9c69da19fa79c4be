//! The names of the original, and its quick start, which runs.

#[path = "../examples/quick_start.rs"]
mod quick_start;

use cupel_train::{checks, device};
use quick_start::Trained;

#[test]
fn the_quick_start_of_the_original_runs() {
    let _exclusive = checks::exclusive();
    let device = device::select("cpu").unwrap().device;
    let Trained { losses, images: [image, frozen], hit_rate } = quick_start::train(64, 3, 8, &device).unwrap();
    // each of three centres is measured once, and known seven times
    assert!((hit_rate - 21.0 / 24.0).abs() < 1e-12, "{hit_rate}");
    assert!(losses.iter().all(|loss| loss.is_finite()) && losses[1] < losses[0], "{losses:?}");
    assert_eq!(image.dims(), frozen.dims());
    let apart: f32 = (image - frozen).abs().max().into_scalar();
    assert!(apart < 1e-5, "{apart}");
}
