//! Burn operations that are faster, or more exact, than the stock ones.

pub mod conv;
