//! Laws of extraction, abundances, metrics and simulation, and their numbers on published scenes.
//!
//! The published scenes are looked for in the folder `CUPEL_DATA`, or in `../shared/data` beside the workspace; tests
//! that need them say so and pass without them.

mod numerics {
    mod abundances;
    mod axes;
    mod ensemble;
    mod extractors;
    mod families;
    mod hostile;
    mod large;
    mod masks;
    mod metrics;
    mod mixture;
    mod model;
    mod negative;
    mod networks;
    mod no_data;
    mod proving;
    mod published;
    mod samples;
    mod simulation;
    mod sparse;
    mod spatial;
    mod threads;
}
