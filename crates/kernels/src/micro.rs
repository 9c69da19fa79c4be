//! The loops that everything else is there to feed. This is the only module of the crate with unchecked indices: each kernel
//! checks its extents once, on entry, and the inner loops trust them.
#![allow(unsafe_code)]

mod along;
mod cells;
mod gemm;
mod lines;
mod product;
mod transform;

pub(crate) use along::{BLOCK, CollectRows, DisperseRows, Dots, Finish, GRAIN, Mix, SIDE, SpreadRows, sources};
pub(crate) use gemm::{Gather, Outer, PANEL};
pub(crate) use lines::Lines;
pub(crate) use transform::{Collect, Disperse, POINTS, Spread};
