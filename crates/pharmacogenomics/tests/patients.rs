//! Patients, from a VCF file to the guidelines' word.
//!
//! Definitions, phenotypes and rules are looked for in the folder `CUPEL_DATA`, or in `../shared/data` beside the workspace, and files with known
//! answers in the folder `cases` beside it; tests that need them say so and pass where they are not there.

#[path = "patients/cases.rs"]
mod cases;
#[path = "patients/contradicted_lines.rs"]
mod contradicted_lines;
#[path = "patients/generated.rs"]
mod generated;
#[path = "patients/given.rs"]
mod given;
#[path = "patients/rules.rs"]
mod rules;
#[path = "patients/strange_files.rs"]
mod strange_files;
#[path = "patients/tables.rs"]
mod tables;
#[path = "patients/unsafe_inputs.rs"]
mod unsafe_inputs;
