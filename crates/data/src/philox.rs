//! Philox4x32-10: 128 random bits as a function of a counter and a key.
//!
//! Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, doi:10.1145/2063384.2063405,
//! section 3.3. It passes the BigCrush battery of tests, needs no state, and CUDA libraries and NumPy have it too.

/// Multipliers of the two halves (section 3.3 of the paper).
const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// What is added to the key after each round: the golden ratio and the square root of three minus one, times 2^32.
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

/// The block of random bits at `counter` under `key`; a bijection of the counter for each key.
pub(crate) fn philox4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let ([mut a, mut b, mut c, mut d], [mut left, mut right]) = (counter, key);
    for _ in 0..ROUNDS {
        let (first, second) = (product(MULTIPLIERS[0], a), product(MULTIPLIERS[1], c));
        (a, b, c, d) = (second.0 ^ b ^ left, second.1, first.0 ^ d ^ right, first.1);
        left = left.wrapping_add(WEYL[0]);
        right = right.wrapping_add(WEYL[1]);
    }
    [a, b, c, d]
}

/// High and low half of the 64-bit product.
fn product(a: u32, b: u32) -> (u32, u32) {
    let wide = u64::from(a) * u64::from(b);
    ((wide >> 32) as u32, wide as u32)
}

#[cfg(test)]
mod tests {
    use super::philox4x32_10;

    /// The three `philox4x32 10` lines of `tests/kat_vectors` in the authors' Random123 distribution:
    /// counter, key, expected.
    #[test]
    fn known_answers_of_random123() {
        let digits_of_pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        assert_eq!(philox4x32_10([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox4x32_10([!0; 4], [!0; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox4x32_10(digits_of_pi, [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }
}
