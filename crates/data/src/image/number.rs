//! Stored numbers of any type, and the ones among them that mark missing values.

use crate::element::{Convert, ElementType};
use half::f16;
use num_complex::Complex;

/// A stored number.
pub(super) trait Number: Copy + PartialEq {
    /// The number of this value, if the type has it.
    fn of(value: f64) -> Option<Self>;
}

macro_rules! number {
    ($($number:ty),*) => {$(
        impl Number for $number {
            fn of(value: f64) -> Option<Self> {
                <$number>::from_f64(value)
            }
        }
    )*};
}
number!(u8, i8, u16, i16, u32, i32, u64, i64, f32, f64, Complex<f32>, Complex<f64>);

impl Number for f16 {
    fn of(value: f64) -> Option<Self> {
        let rounded = Self::from_f64(value);
        (rounded.is_finite() || !value.is_finite()).then_some(rounded)
    }
}

/// Neither of the two stands for a missing value.
impl Number for bool {
    fn of(_: f64) -> Option<Self> {
        None
    }
}

/// Whether a type has this number.
pub(super) fn fits(element: ElementType, value: f64) -> bool {
    match element {
        ElementType::U8 => u8::of(value).is_some(),
        ElementType::I8 => i8::of(value).is_some(),
        ElementType::U16 => u16::of(value).is_some(),
        ElementType::I16 => i16::of(value).is_some(),
        ElementType::U32 => u32::of(value).is_some(),
        ElementType::I32 => i32::of(value).is_some(),
        ElementType::U64 => u64::of(value).is_some(),
        ElementType::I64 => i64::of(value).is_some(),
        ElementType::Bool => false,
        ElementType::F16 => f16::of(value).is_some(),
        ElementType::F32 => f32::of(value).is_some(),
        _ => true,
    }
}
