//! The types of number that files hold, and the rules for turning one into another.

use half::f16;
use num_complex::Complex;
use std::fmt;

/// The type of the values of an array in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum ElementType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    F32,
    F64,
    Bool,
    /// Complex numbers of f32.
    Complex64,
    /// Complex numbers of f64.
    Complex128,
}

impl ElementType {
    /// The name, as in `"f32"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::U16 => "u16",
            Self::I16 => "i16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F16 => "f16",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Bool => "bool",
            Self::Complex64 => "complex64",
            Self::Complex128 => "complex128",
        }
    }

    /// The size of one value in bytes.
    pub fn size_bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 | Self::F16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 | Self::Complex64 => 8,
            Self::Complex128 => 16,
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The values of an array.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Values {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F16(Vec<f16>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Bool(Vec<bool>),
    Complex64(Vec<Complex<f32>>),
    Complex128(Vec<Complex<f64>>),
}

/// Evaluates an expression that does not depend on the type of the values.
macro_rules! with_values {
    ($values:expr, $vector:ident => $body:expr) => {
        match $values {
            $crate::Values::U8($vector) => $body,
            $crate::Values::I8($vector) => $body,
            $crate::Values::U16($vector) => $body,
            $crate::Values::I16($vector) => $body,
            $crate::Values::U32($vector) => $body,
            $crate::Values::I32($vector) => $body,
            $crate::Values::U64($vector) => $body,
            $crate::Values::I64($vector) => $body,
            $crate::Values::F16($vector) => $body,
            $crate::Values::F32($vector) => $body,
            $crate::Values::F64($vector) => $body,
            $crate::Values::Bool($vector) => $body,
            $crate::Values::Complex64($vector) => $body,
            $crate::Values::Complex128($vector) => $body,
        }
    };
}

/// Applies an expression that keeps the type of the values.
macro_rules! map_values {
    ($values:expr, $vector:ident => $body:expr) => {
        match $values {
            $crate::Values::U8($vector) => $crate::Values::U8($body),
            $crate::Values::I8($vector) => $crate::Values::I8($body),
            $crate::Values::U16($vector) => $crate::Values::U16($body),
            $crate::Values::I16($vector) => $crate::Values::I16($body),
            $crate::Values::U32($vector) => $crate::Values::U32($body),
            $crate::Values::I32($vector) => $crate::Values::I32($body),
            $crate::Values::U64($vector) => $crate::Values::U64($body),
            $crate::Values::I64($vector) => $crate::Values::I64($body),
            $crate::Values::F16($vector) => $crate::Values::F16($body),
            $crate::Values::F32($vector) => $crate::Values::F32($body),
            $crate::Values::F64($vector) => $crate::Values::F64($body),
            $crate::Values::Bool($vector) => $crate::Values::Bool($body),
            $crate::Values::Complex64($vector) => $crate::Values::Complex64($body),
            $crate::Values::Complex128($vector) => $crate::Values::Complex128($body),
        }
    };
}
pub(crate) use {map_values, with_values};

impl Values {
    /// Adds values of the same type at the end; others are left away.
    pub(crate) fn append(&mut self, other: Self) {
        macro_rules! append {
            ($($variant:ident),*) => {
                match (self, other) {
                    $((Self::$variant(values), Self::$variant(other)) => values.extend(other),)*
                    _ => {}
                }
            };
        }
        append!(U8, I8, U16, I16, U32, I32, U64, I64, F16, F32, F64, Bool, Complex64, Complex128);
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        with_values!(self, values => values.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Their type.
    pub fn element_type(&self) -> ElementType {
        match self {
            Self::U8(_) => ElementType::U8,
            Self::I8(_) => ElementType::I8,
            Self::U16(_) => ElementType::U16,
            Self::I16(_) => ElementType::I16,
            Self::U32(_) => ElementType::U32,
            Self::I32(_) => ElementType::I32,
            Self::U64(_) => ElementType::U64,
            Self::I64(_) => ElementType::I64,
            Self::F16(_) => ElementType::F16,
            Self::F32(_) => ElementType::F32,
            Self::F64(_) => ElementType::F64,
            Self::Bool(_) => ElementType::Bool,
            Self::Complex64(_) => ElementType::Complex64,
            Self::Complex128(_) => ElementType::Complex128,
        }
    }

    /// The values as another type, or the first one that does not fit.
    pub(crate) fn convert<T: Element>(self) -> Result<Vec<T>, Misfit> {
        let values = match T::unwrap(self) {
            Ok(values) => return Ok(values),
            Err(values) => values,
        };
        match values {
            Self::U8(values) => each(values, |value| T::from_i64(value.into())),
            Self::I8(values) => each(values, |value| T::from_i64(value.into())),
            Self::U16(values) => each(values, |value| T::from_i64(value.into())),
            Self::I16(values) => each(values, |value| T::from_i64(value.into())),
            Self::U32(values) => each(values, |value| T::from_i64(value.into())),
            Self::I32(values) => each(values, |value| T::from_i64(value.into())),
            Self::U64(values) => each(values, T::from_u64),
            Self::I64(values) => each(values, T::from_i64),
            Self::F16(values) => each(values, |value| T::from_f64(value.into())),
            Self::F32(values) => each(values, |value| T::from_f64(value.into())),
            Self::F64(values) => each(values, T::from_f64),
            Self::Bool(values) => each(values, |value| T::from_i64(value.into())),
            Self::Complex64(values) => each(values, |Complex { re, im }| T::from_complex(re.into(), im.into())),
            Self::Complex128(values) => each(values, |Complex { re, im }| T::from_complex(re, im)),
        }
    }

    /// The real values in f64, so many at a time, as `change` leaves them, as another type; or the first one that does not fit.
    pub(crate) fn convert_by<T: Element>(self, piece: usize, change: impl FnMut(&mut [f64])) -> Result<Vec<T>, Misfit> {
        match self {
            Self::U8(values) => each_by(values, piece, f64::from, change),
            Self::I8(values) => each_by(values, piece, f64::from, change),
            Self::U16(values) => each_by(values, piece, f64::from, change),
            Self::I16(values) => each_by(values, piece, f64::from, change),
            Self::U32(values) => each_by(values, piece, f64::from, change),
            Self::I32(values) => each_by(values, piece, f64::from, change),
            Self::U64(values) => each_by(values, piece, |value| value as f64, change),
            Self::I64(values) => each_by(values, piece, |value| value as f64, change),
            Self::F16(values) => each_by(values, piece, f64::from, change),
            Self::F32(values) => each_by(values, piece, f64::from, change),
            Self::F64(values) => each_by(values, piece, |value| value, change),
            Self::Bool(values) => each_by(values, piece, |value| f64::from(u8::from(value)), change),
            complex => complex.convert(),
        }
    }
}

/// Values as f64, `piece` at a time, changed by `change` and converted.
fn each_by<S: Copy, T: Element>(
    values: Vec<S>,
    piece: usize,
    wide: impl Fn(S) -> f64,
    mut change: impl FnMut(&mut [f64]),
) -> Result<Vec<T>, Misfit> {
    let mut converted = Vec::with_capacity(values.len());
    let mut room = vec![0.0; piece.min(values.len())];
    for piece in values.chunks(piece) {
        let room = &mut room[..piece.len()];
        for (room, &value) in room.iter_mut().zip(piece) {
            *room = wide(value);
        }
        change(room);
        extend(&mut converted, room, T::from_f64)?;
    }
    Ok(converted)
}

/// The first value that does not fit.
#[derive(Debug)]
pub(crate) struct Misfit {
    pub(crate) index: usize,
    pub(crate) value: String,
}

/// Values that are converted before it is asked whether all of them fit.
const BLOCK: usize = 1 << 11;

fn each<S: Copy + fmt::Debug, T: Element>(values: Vec<S>, convert: impl Fn(S) -> Option<T>) -> Result<Vec<T>, Misfit> {
    let mut converted = Vec::with_capacity(values.len());
    for block in values.chunks(BLOCK) {
        extend(&mut converted, block, &convert)?;
    }
    Ok(converted)
}

/// Converts a block in two loops without branches, of which the second falls away for types that hold everything.
fn extend<S: Copy + fmt::Debug, T: Element>(
    converted: &mut Vec<T>,
    block: &[S],
    convert: impl Fn(S) -> Option<T>,
) -> Result<(), Misfit> {
    let first = converted.len();
    let Some(any) = T::from_i64(0) else { return Err(Misfit { index: first, value: "0".into() }) };
    converted.extend(block.iter().map(|&value| convert(value).unwrap_or(any)));
    match block.iter().position(|&value| convert(value).is_none()) {
        Some(place) => Err(Misfit { index: first + place, value: format!("{:?}", block[place]) }),
        None => Ok(()),
    }
}

/// A type that the numbers of a file can be read as: the integers of 8 to 64 bits, f32 and f64, and the complex numbers of
/// these two.
///
/// Integer types take only values that they hold exactly. f32 and f64 round to the nearest, but do not turn a finite
/// number into an infinite one. `false` and `true` are 0 and 1. Real numbers become complex ones with an imaginary part of 0;
/// complex ones are never turned into real ones, not even where the imaginary part is 0.
pub trait Element: Convert + Copy + Send + Sync + fmt::Debug + 'static {}

/// What [`Element`] needs; sealed, because [`Values`] lists its types.
pub trait Convert: Sized + PartialEq {
    #[doc(hidden)]
    const TYPE: ElementType;
    #[doc(hidden)]
    fn from_i64(value: i64) -> Option<Self>;
    #[doc(hidden)]
    fn from_u64(value: u64) -> Option<Self>;
    #[doc(hidden)]
    fn from_f64(value: f64) -> Option<Self>;
    /// Of real and imaginary part; nothing for real types.
    #[doc(hidden)]
    fn from_complex(_re: f64, _im: f64) -> Option<Self> {
        None
    }
    #[doc(hidden)]
    fn wrap(values: Vec<Self>) -> Values;
    #[doc(hidden)]
    fn unwrap(values: Values) -> Result<Vec<Self>, Values>;
}

macro_rules! wrapping {
    ($variant:ident) => {
        const TYPE: ElementType = ElementType::$variant;

        fn wrap(values: Vec<Self>) -> Values {
            Values::$variant(values)
        }

        fn unwrap(values: Values) -> Result<Vec<Self>, Values> {
            match values {
                Values::$variant(values) => Ok(values),
                other => Err(other),
            }
        }
    };
}

macro_rules! integer {
    ($($integer:ty: $variant:ident),*) => {$(
        impl Element for $integer {}

        impl Convert for $integer {
            wrapping!($variant);

            fn from_i64(value: i64) -> Option<Self> {
                value.try_into().ok()
            }

            fn from_u64(value: u64) -> Option<Self> {
                value.try_into().ok()
            }

            fn from_f64(value: f64) -> Option<Self> {
                // One more than the largest value; unlike that, it is exact in f64 for every width.
                const BEYOND: f64 = (<$integer>::MAX / 2 + 1) as f64 * 2.0;
                let fits = value.fract() == 0.0 && value >= <$integer>::MIN as f64 && value < BEYOND;
                fits.then_some(value as $integer)
            }
        }
    )*};
}
integer!(u8: U8, i8: I8, u16: U16, i16: I16, u32: U32, i32: I32, u64: U64, i64: I64);

macro_rules! float {
    ($($float:ty: $variant:ident),*) => {$(
        impl Element for $float {}

        impl Convert for $float {
            wrapping!($variant);

            fn from_i64(value: i64) -> Option<Self> {
                Some(value as $float)
            }

            fn from_u64(value: u64) -> Option<Self> {
                Some(value as $float)
            }

            fn from_f64(value: f64) -> Option<Self> {
                let rounded = value as $float;
                (rounded.is_finite() || !value.is_finite()).then_some(rounded)
            }
        }
    )*};
}
float!(f32: F32, f64: F64);

macro_rules! complex {
    ($($float:ty: $variant:ident),*) => {$(
        impl Element for Complex<$float> {}

        impl Convert for Complex<$float> {
            wrapping!($variant);

            fn from_i64(value: i64) -> Option<Self> {
                <$float>::from_i64(value).map(Self::from)
            }

            fn from_u64(value: u64) -> Option<Self> {
                <$float>::from_u64(value).map(Self::from)
            }

            fn from_f64(value: f64) -> Option<Self> {
                <$float>::from_f64(value).map(Self::from)
            }

            fn from_complex(re: f64, im: f64) -> Option<Self> {
                Some(Self::new(<$float>::from_f64(re)?, <$float>::from_f64(im)?))
            }
        }
    )*};
}
complex!(f32: Complex64, f64: Complex128);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_take_only_what_they_hold_exactly() {
        assert_eq!(u8::from_f64(255.0), Some(255));
        assert_eq!(u8::from_f64(255.5), None);
        assert_eq!(u8::from_f64(256.0), None);
        assert_eq!(u8::from_f64(-1.0), None);
        assert_eq!(u8::from_f64(f64::NAN), None);
        assert_eq!(i8::from_f64(-128.0), Some(-128));
        assert_eq!(i64::from_f64(9.223_372_036_854_776e18), None);
        assert_eq!(i64::from_f64(-9.223_372_036_854_776e18), Some(i64::MIN));
        assert_eq!(u64::from_f64(f64::INFINITY), None);
        assert_eq!(i64::from_u64(u64::MAX), None);
        assert_eq!(u16::from_i64(-1), None);
    }

    #[test]
    fn floats_round_but_do_not_overflow() {
        assert_eq!(f32::from_f64(0.1), Some(0.1_f32));
        assert_eq!(f32::from_f64(1e300), None);
        assert_eq!(f32::from_f64(f64::NEG_INFINITY), Some(f32::NEG_INFINITY));
        assert!(f32::from_f64(f64::NAN).is_some_and(f32::is_nan));
        assert_eq!(f64::from_u64(u64::MAX), Some(18_446_744_073_709_551_616.0));
    }

    #[test]
    fn the_first_misfit_is_named() {
        let misfit = Values::I16(vec![1, 2, 300, 400]).convert::<u8>().unwrap_err();
        assert_eq!((misfit.index, misfit.value.as_str()), (2, "300"));
        let misfit = Values::Complex64(vec![Complex::new(1.0, 0.0)]).convert::<f32>().unwrap_err();
        assert_eq!(misfit.value, "Complex { re: 1.0, im: 0.0 }");
        assert_eq!(Values::Bool(vec![true, false]).convert::<f64>().unwrap(), [1.0, 0.0]);
        assert_eq!(Values::Complex64(Vec::new()).convert::<f32>().unwrap(), [] as [f32; 0]);
    }

    #[test]
    fn real_numbers_become_complex_and_complex_ones_round_but_do_not_overflow() {
        let real = Values::I16(vec![-3]).convert::<Complex<f32>>().unwrap();
        assert_eq!(real, [Complex::new(-3.0, 0.0)]);
        let narrow = Values::Complex128(vec![Complex::new(0.1, -0.1)]).convert::<Complex<f32>>().unwrap();
        assert_eq!(narrow, [Complex::new(0.1_f32, -0.1)]);
        let wide = Values::Complex64(vec![Complex::new(0.5, f32::INFINITY)]).convert::<Complex<f64>>().unwrap();
        assert_eq!(wide, [Complex::new(0.5, f64::INFINITY)]);
        let values = vec![Complex::new(1.0, 2.0), Complex::new(0.0, 1e300)];
        assert_eq!(Values::Complex128(values).convert::<Complex<f32>>().unwrap_err().index, 1);
    }
}
