//! What a projection obeys, how exact it is, and what it does to published data.
//!
//! The data are looked for in the folder `CUPEL_DATA`, or in `../shared/data` beside the workspace; tests that need
//! them say so and pass without them.

mod projection {
    mod filter;
    mod golden;
    mod laws;
    mod layer;
    mod masked;
    mod precision;
    mod samples;
}
