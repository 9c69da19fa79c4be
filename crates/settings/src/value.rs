//! [`Value`]: what a setting can be, as text and back.

use crate::{Kind, Range};

/// A type of settings.
pub trait Value: Sized + Clone + PartialEq {
    /// What kind it is.
    fn kind() -> Kind;

    /// The value that a text stands for.
    ///
    /// # Errors
    /// What would be right instead.
    fn parse(text: &str) -> Result<Self, String>;

    /// The text that stands for it; `None` where it is left to the library.
    fn show(&self) -> Option<String>;

    /// Whether it is in the range; what is no number is in any.
    fn within(&self, _: &Range) -> bool {
        true
    }
}

macro_rules! numbers {
    ($kind:expr, $expected:literal: $($type:ty)*) => {$(
        impl Value for $type {
            fn kind() -> Kind {
                $kind
            }

            fn parse(text: &str) -> Result<Self, String> {
                text.trim().parse().map_err(|_| $expected.to_owned())
            }

            fn show(&self) -> Option<String> {
                Some(self.to_string())
            }

            fn within(&self, range: &Range) -> bool {
                range.holds(*self as f64)
            }
        }
    )*};
}

numbers!(Kind::Integer, "a whole number": u32 u64 usize);
numbers!(Kind::Number, "a number": f64);

impl Value for bool {
    fn kind() -> Kind {
        Kind::Switch
    }

    fn parse(text: &str) -> Result<Self, String> {
        text.trim().parse().map_err(|_| "true or false".to_owned())
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Value for String {
    fn kind() -> Kind {
        Kind::Text
    }

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn show(&self) -> Option<String> {
        Some(self.clone())
    }
}

impl<V: Value> Value for Option<V> {
    fn kind() -> Kind {
        V::kind()
    }

    fn parse(text: &str) -> Result<Self, String> {
        V::parse(text).map(Some)
    }

    fn show(&self) -> Option<String> {
        self.as_ref()?.show()
    }

    fn within(&self, range: &Range) -> bool {
        self.as_ref().is_none_or(|value| value.within(range))
    }
}

impl<V: Value> Value for Vec<V> {
    fn kind() -> Kind {
        Kind::List(Box::new(V::kind()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        text.split(',').filter(|part| !part.trim().is_empty()).map(|part| V::parse(part.trim())).collect()
    }

    fn show(&self) -> Option<String> {
        Some(self.iter().filter_map(V::show).collect::<Vec<_>>().join(","))
    }

    fn within(&self, range: &Range) -> bool {
        self.iter().all(|value| value.within(range))
    }
}
