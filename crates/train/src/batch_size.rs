//! The largest batch that fits into the memory of a device.

use crate::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Share of the largest batch that fits which is recommended: memory is fragmented later on.
const MARGIN: f64 = 0.9;

/// Finds how large a batch may be, by doubling until a step runs out of memory and then halving the interval.
///
/// `step` makes a whole training step with a batch of the given size (forward, backward, optimiser, and a read of the loss),
/// as the peak lies in the backward pass. Running out of memory is recognised in errors and panics alike; at most `most` is
/// tried. The result is nine tenths of the largest that fits.
///
/// # Errors
/// [`Error::Device`] where not even one sample fits, and any error of `step` that is not about memory.
pub fn estimate_batch_size(most: usize, mut step: impl FnMut(usize) -> Result<()>) -> Result<usize> {
    let mut fits = |size: usize| match catch_unwind(AssertUnwindSafe(|| step(size))) {
        Ok(Ok(())) => Ok(true),
        Ok(Err(error)) if is_out_of_memory(&error.to_string()) => Ok(false),
        Ok(Err(error)) => Err(error),
        Err(panic) => {
            let text =
                panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            let text = text.unwrap_or("it failed without a message");
            if is_out_of_memory(text) {
                Ok(false)
            } else {
                Err(Error::Device { action: "make a step", problem: text.to_string() })
            }
        }
    };
    if !fits(1)? {
        let problem = "not even one sample fits into its memory; use a smaller model or input".to_string();
        return Err(Error::Device { action: "make a step", problem });
    }
    let (mut good, mut bad) = (1, most + 1);
    while good < most {
        let next = (2 * good).min(most);
        if !fits(next)? {
            bad = next;
            break;
        }
        good = next;
    }
    while bad - good > 1.max(good / 16) {
        let middle = good + (bad - good) / 2;
        if fits(middle)? { good = middle } else { bad = middle }
    }
    Ok(if bad > most { good } else { ((good as f64 * MARGIN) as usize).max(1) })
}

fn is_out_of_memory(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["out of memory", "outofmemory", "out_of_memory", "memory allocation", "buffer too big", "buffertoobig"]
        .iter()
        .any(|sign| text.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(most: usize, limit: usize, panics: bool) -> (usize, Vec<usize>) {
        let mut tried = Vec::new();
        let size = estimate_batch_size(most, |size| {
            tried.push(size);
            if size <= limit {
                return Ok(());
            }
            assert!(!panics, "CUDA_ERROR_OUT_OF_MEMORY");
            Err(Error::Device { action: "make a step", problem: "out of memory".into() })
        });
        (size.unwrap(), tried)
    }

    #[test]
    fn the_largest_batch_that_fits_is_found_with_a_margin() {
        for limit in [1, 2, 3, 37, 100, 1000] {
            for panics in [false, true] {
                let (size, tried) = estimate(1 << 20, limit, panics);
                assert!(size <= limit && size as f64 >= 0.8 * limit as f64 - 1.0, "{size} of {limit}");
                assert!(tried.len() < 32, "{tried:?}");
            }
        }
    }

    #[test]
    fn everything_fits_where_nothing_fails() {
        assert_eq!(estimate(48, 1000, false), (48, vec![1, 2, 4, 8, 16, 32, 48]));
    }

    #[test]
    fn other_failures_are_not_taken_for_lack_of_memory() {
        let error = estimate_batch_size(8, |_| Err(Error::work("the file is gone"))).unwrap_err();
        assert_eq!(error.to_string(), "the file is gone");
        assert!(estimate_batch_size(8, |_| panic!("index out of bounds")).is_err());
        let none = estimate_batch_size(8, |_| Err(Error::work("out of memory"))).unwrap_err().to_string();
        assert!(none.contains("not even one sample"), "{none}");
    }
}
