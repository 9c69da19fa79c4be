//! [`Scaling`]: what the numbers in a FITS image or in a column of a table stand for.

use crate::element::{ElementType, Values};

/// `value = scale * number + zero`, with one number that stands for a missing value.
///
/// Zeros of half the range are how the format writes integers of the other signedness; those stay integers, exactly.
/// Everything else becomes a floating-point number: f32 from 8 and 16 bits and from f32, f64 from wider ones. The sum is
/// made in f64.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scaling {
    /// i8 written as u8, or u16, u32 and u64 written as signed numbers.
    OtherSign,
    /// The letters T and F of a column.
    Logical,
    Linear {
        scale: f64,
        zero: f64,
        /// The integer that stands for a missing value.
        blank: Option<i64>,
    },
}

impl Scaling {
    /// The scaling of a header, unless numbers stand for themselves.
    pub(super) fn of(element: ElementType, scale: f64, zero: f64, blank: Option<i64>) -> Option<Self> {
        let half = match element {
            ElementType::U8 => Some(-128.0),
            ElementType::I16 => Some(32_768.0),
            ElementType::I32 => Some(2_147_483_648.0),
            ElementType::I64 => Some(9_223_372_036_854_775_808.0),
            _ => None,
        };
        // Floating-point numbers are missing where they are NaN.
        let blank = blank.filter(|_| half.is_some());
        match (scale == 1.0, blank) {
            (true, None) if zero == 0.0 => None,
            (true, None) if Some(zero) == half => Some(Self::OtherSign),
            _ => Some(Self::Linear { scale, zero, blank }),
        }
    }

    /// The type of what numbers of a type stand for.
    pub(super) fn element(&self, stored: ElementType) -> ElementType {
        match (self, stored) {
            (Self::OtherSign, ElementType::U8) => ElementType::I8,
            (Self::OtherSign, ElementType::I16) => ElementType::U16,
            (Self::OtherSign, ElementType::I32) => ElementType::U32,
            (Self::OtherSign, _) => ElementType::U64,
            (Self::Logical, _) => ElementType::Bool,
            (Self::Linear { .. }, ElementType::U8 | ElementType::I16 | ElementType::F32) => ElementType::F32,
            (Self::Linear { .. }, _) => ElementType::F64,
        }
    }

    /// What the numbers stand for, or what is wrong with one of them.
    pub(crate) fn apply(&self, values: Values) -> Result<Values, String> {
        Ok(match (self, values) {
            (Self::Logical, Values::U8(letters)) => {
                let wrong = letters.iter().find(|&letter| !b"TF".contains(letter));
                if let Some(letter) = wrong {
                    return Err(format!("a logical value is the byte {letter:#04x}, expected T or F"));
                }
                Values::Bool(letters.into_iter().map(|letter| letter == b'T').collect())
            }
            (Self::OtherSign, Values::U8(values)) => Values::I8(values.into_iter().map(|v| (v ^ 0x80) as i8).collect()),
            (Self::OtherSign, Values::I16(values)) => {
                Values::U16(values.into_iter().map(|v| v as u16 ^ 0x8000).collect())
            }
            (Self::OtherSign, Values::I32(values)) => {
                Values::U32(values.into_iter().map(|v| v as u32 ^ 0x8000_0000).collect())
            }
            (Self::OtherSign, Values::I64(values)) => {
                Values::U64(values.into_iter().map(|v| v as u64 ^ 0x8000_0000_0000_0000).collect())
            }
            (&Self::Linear { scale, zero, blank }, values) => {
                let integer =
                    |number: i64, value: f64| if Some(number) == blank { f64::NAN } else { scale * value + zero };
                let real = |value: f64| scale * value + zero;
                match values {
                    Values::U8(v) => Values::F32(v.into_iter().map(|v| integer(v.into(), v.into()) as f32).collect()),
                    Values::I16(v) => Values::F32(v.into_iter().map(|v| integer(v.into(), v.into()) as f32).collect()),
                    Values::I32(v) => Values::F64(v.into_iter().map(|v| integer(v.into(), v.into())).collect()),
                    Values::I64(v) => Values::F64(v.into_iter().map(|v| integer(v, v as f64)).collect()),
                    Values::F32(v) => Values::F32(v.into_iter().map(|v| real(v.into()) as f32).collect()),
                    Values::F64(v) => Values::F64(v.into_iter().map(real).collect()),
                    other => other,
                }
            }
            (_, other) => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_range_changes_the_sign_exactly() {
        let of = |element, zero| Scaling::of(element, 1.0, zero, None).unwrap();
        let cases = [
            (Values::U8(vec![0, 128, 255]), -128.0, Values::I8(vec![-128, 0, 127])),
            (Values::I16(vec![i16::MIN, 0, i16::MAX]), 32_768.0, Values::U16(vec![0, 32_768, u16::MAX])),
            (Values::I32(vec![i32::MIN, i32::MAX]), 2_147_483_648.0, Values::U32(vec![0, u32::MAX])),
            (Values::I64(vec![i64::MIN, i64::MAX]), 9_223_372_036_854_775_808.0, Values::U64(vec![0, u64::MAX])),
        ];
        for (stored, zero, meant) in cases {
            let scaling = of(stored.element_type(), zero);
            assert_eq!(scaling.element(stored.element_type()), meant.element_type());
            assert_eq!(scaling.apply(stored), Ok(meant));
        }
        assert_eq!(Scaling::of(ElementType::F32, 1.0, 0.0, Some(3)), None);
    }

    #[test]
    fn blanks_become_nan_and_the_rest_is_linear() {
        let scaling = Scaling::of(ElementType::I16, 0.5, 10.0, Some(-1)).unwrap();
        assert_eq!(scaling.element(ElementType::I16), ElementType::F32);
        let Ok(Values::F32(values)) = scaling.apply(Values::I16(vec![4, -1])) else { panic!("the type") };
        assert!(values[0] == 12.0 && values[1].is_nan());
    }

    #[test]
    fn logical_letters_are_two() {
        let apply = |letters: &[u8]| Scaling::Logical.apply(Values::U8(letters.to_vec()));
        assert_eq!(apply(b"TFT"), Ok(Values::Bool(vec![true, false, true])));
        assert_eq!(apply(b"T\0").unwrap_err(), "a logical value is the byte 0x00, expected T or F");
    }
}
