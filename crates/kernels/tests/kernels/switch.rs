//! The switch of the process.

use crate::checks::{own_kernels_stay, without_own_kernels};
use cupel_kernels::own_kernels;

#[test]
fn own_kernels_can_be_turned_off_and_on_again() {
    without_own_kernels(|| assert!(!own_kernels()));
    let _on = own_kernels_stay();
    assert!(own_kernels());
}
