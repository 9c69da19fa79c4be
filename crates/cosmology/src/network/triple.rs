//! [`Triple`]: one whole number per axis of a volume, as a setting.

use cupel_settings::{Kind, Value};
use serde::{Deserialize, Serialize};

/// One whole number of at least 1 per axis; as text `2x2x1`, or one number for all axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Triple(pub [usize; 3]);

impl Value for Triple {
    fn kind() -> Kind {
        Kind::Text
    }

    fn parse(text: &str) -> Result<Self, String> {
        let expected = || "whole numbers of at least 1 with x between them, such as 2x2x1".to_owned();
        let numbers: Result<Vec<usize>, _> = text.split(['x', 'X']).map(|part| part.trim().parse()).collect();
        let triple = match numbers.map_err(|_| expected())?[..] {
            [all] => [all; 3],
            [x, y, z] => [x, y, z],
            _ => return Err(expected()),
        };
        if triple.contains(&0) { Err(expected()) } else { Ok(Self(triple)) }
    }

    fn show(&self) -> Option<String> {
        let Self([x, y, z]) = self;
        Some(format!("{x}x{y}x{z}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triples_are_read_and_written() {
        assert_eq!(Triple::parse("3"), Ok(Triple([3; 3])));
        assert_eq!(Triple::parse(" 2x3 x 1"), Ok(Triple([2, 3, 1])));
        assert_eq!(Triple([2, 3, 1]).show().unwrap(), "2x3x1");
        for wrong in ["", "2x2", "0x1x1", "2x2x2x2", "a"] {
            assert!(Triple::parse(wrong).unwrap_err().contains("2x2x1"), "{wrong}");
        }
    }
}
