//! Laws of components and their moments, and their numbers by other software.
//!
//! The simulated and observed skies are looked for in the folder `CUPEL_DATA`, or in `../shared/data` beside the workspace;
//! tests that need them say so and pass without them.

mod laws {
    mod complex;
    mod covariance;
    mod golden;
    mod groups;
    mod references;
    mod samples;
    mod store;
    mod streamed;
    mod weights;
}
