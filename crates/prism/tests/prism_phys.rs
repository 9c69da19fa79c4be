//! Instruments, what they measure, where they look, and metrics: laws, and numbers computed elsewhere.
//!
//! Golden numbers (`prism/vectors.json`) are looked for in the folder `CUPEL_DATA`, or in `../shared/data` beside the workspace; the pictures
//! of some of them, `camera.png`, `moon.png` and `coins.png` of scikit-image 0.26, in the folder `CUPEL_SKIMAGE`. Tests that need them say so and
//! pass without them.

mod prism_phys {
    mod measuring;
    mod metrics;
    mod optics;
    mod propagation;
    mod samples;
    mod sampling;
    mod simulating;
}
