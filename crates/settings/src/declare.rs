//! The macros [`settings!`](crate::settings) and [`choices!`](crate::choices).

/// Declares a structure of settings: each with its help (the comment), name, type, default, and where it needs them a name of its own
/// (`as "name"`), a range (`in Range::above(0.0)`) and a word for its value in help texts.
///
/// `parts` are structures of settings within it, whose settings are its own; `beside` are fields that are no settings; `needs` says which settings
/// have an effect only where a condition on the whole holds, and why. The structure gets [`Default`] and [`Settings`](crate::Settings);
/// see the [crate](crate) for an example.
#[macro_export]
macro_rules! settings {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident in $section:literal {
            $(
                $(#[doc = $doc:literal])*
                $field_vis:vis $field:ident : $type:ty $(as $flag:literal)? = $default:expr $(, in $range:expr)? $(, $value_name:literal)? ;
            )*
        }
        $(parts { $( $(#[doc = $part_doc:literal])* $part_vis:vis $part:ident : $part_type:ty $(= $part_default:expr)? ; )* })?
        $(beside { $( $(#[$beside_meta:meta])* $beside_vis:vis $beside:ident : $beside_type:ty = $beside_default:expr ; )* })?
        $(needs { $( [$($needing:literal),+ $(,)?] $condition:expr => $why:expr ; )* })?
    ) => {
        $(#[$meta])*
        $vis struct $name {
            $( $(#[doc = $doc])* $field_vis $field: $type, )*
            $($( $(#[doc = $part_doc])* $part_vis $part: $part_type, )*)?
            $($( $(#[$beside_meta])* $beside_vis $beside: $beside_type, )*)?
        }

        impl ::std::default::Default for $name {
            fn default() -> Self {
                Self {
                    $( $field: $default, )*
                    $($( $part: $crate::settings!(@default $($part_default)?), )*)?
                    $($( $beside: $beside_default, )*)?
                }
            }
        }

        impl $crate::Settings for $name {
            fn list(&self) -> ::std::vec::Vec<$crate::Setting> {
                let default = Self::default();
                #[allow(unused_mut)]
                let mut list = ::std::vec![$(
                    $crate::Setting {
                        name: $crate::settings!(@name $field $($flag)?),
                        section: $section,
                        help: concat!($($doc),*).trim().to_owned(),
                        value_name: $crate::settings!(@value $($value_name)?),
                        kind: <$type as $crate::Value>::kind(),
                        range: $crate::settings!(@range $($range)?),
                        default: $crate::Value::show(&default.$field),
                        value: $crate::Value::show(&self.$field),
                    },
                )*];
                $($(
                    let defaults = $crate::Settings::list(&default.$part);
                    list.extend($crate::Settings::list(&self.$part).into_iter().zip(defaults).map(|(own, default)| {
                        $crate::Setting { default: default.value, ..own }
                    }));
                )*)?
                list
            }

            fn set(&mut self, name: &str, text: &str) -> ::std::result::Result<(), $crate::Problem> {
                let wanted = name.replace('_', "-");
                $(
                    if wanted == $crate::settings!(@name $field $($flag)?) {
                        let range = $crate::settings!(@range $($range)?);
                        let value = match <$type as $crate::Value>::parse(text) {
                            Ok(value) if $crate::Value::within(&value, &range) => value,
                            // what is no kind of number knows best what it takes
                            Err(expected) if <$type as $crate::Value>::kind() == $crate::Kind::Text => {
                                return Err($crate::Problem::value(wanted, text, expected));
                            }
                            _ => {
                                let expected = $crate::Settings::list(self).into_iter().find(|own| own.name == wanted);
                                let expected = expected.map_or_else(::std::string::String::new, |own| own.expected());
                                return Err($crate::Problem::value(wanted, text, expected));
                            }
                        };
                        self.$field = value;
                        return Ok(());
                    }
                )*
                $($(
                    match $crate::Settings::set(&mut self.$part, &wanted, text) {
                        Err($crate::Problem::Unknown { .. }) => {}
                        done => return done,
                    }
                )*)?
                Err($crate::Problem::unknown(name, $crate::Settings::list(self).into_iter().map(|own| own.name)))
            }

            fn unused(&self) -> ::std::vec::Vec<(::std::string::String, ::std::string::String)> {
                #[allow(unused_mut)]
                let mut unused: ::std::vec::Vec<(::std::string::String, ::std::string::String)> = ::std::vec::Vec::new();
                $($(
                    let condition: fn(&Self) -> bool = $condition;
                    if !condition(self) {
                        unused.extend([$($needing),+].map(|name| (name.to_owned(), ::std::string::ToString::to_string(&$why))));
                    }
                )*)?
                $($( unused.extend($crate::Settings::unused(&self.$part)); )*)?
                unused
            }
        }
    };
    (@name $field:ident) => { stringify!($field).replace('_', "-") };
    (@name $field:ident $flag:literal) => { ::std::string::String::from($flag) };
    (@value) => { "" };
    (@value $value_name:literal) => { $value_name };
    (@range) => { $crate::Range::ANY };
    (@range $range:expr) => { $range };
    (@default) => { ::std::default::Default::default() };
    (@default $default:expr) => { $default };
}

/// Declares an enumeration whose values have names, other names (`"own" | "posterior"`) and a help text (the comment); the first is the default.
///
/// It gets `ALL`, `name`, [`Default`], [`FromStr`](std::str::FromStr), [`Display`](std::fmt::Display), serde by name and
/// [`Value`](crate::Value); see the [crate](crate) for an example.
#[macro_export]
macro_rules! choices {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $(#[doc = $first_doc:literal])* $first:ident = $first_text:literal $(| $first_alias:literal)*
            $(, $(#[doc = $doc:literal])* $variant:ident = $text:literal $(| $alias:literal)* )* $(,)?
        }
    ) => {
        $(#[$meta])*
        $vis enum $name {
            $(#[doc = $first_doc])* $first,
            $( $(#[doc = $doc])* $variant, )*
        }

        impl $name {
            /// All of them, the default first.
            pub const ALL: &'static [Self] = &[Self::$first $(, Self::$variant)*];

            const CHOICES: &'static [$crate::Choice] = &[
                $crate::Choice { name: $first_text, aliases: &[$($first_alias),*], help: concat!($($first_doc),*) }
                $(, $crate::Choice { name: $text, aliases: &[$($alias),*], help: concat!($($doc),*) })*
            ];

            /// What it means, in the words of a help text.
            pub fn help(self) -> &'static str {
                Self::CHOICES[self as usize].help.trim()
            }

            /// Its name in settings and reports.
            pub const fn name(self) -> &'static str {
                match self {
                    Self::$first => $first_text,
                    $( Self::$variant => $text, )*
                }
            }
        }

        impl ::std::default::Default for $name {
            fn default() -> Self {
                Self::$first
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::Problem;

            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                let named = |choice: &$crate::Choice| {
                    [choice.name].iter().chain(choice.aliases).any(|name| name.eq_ignore_ascii_case(text))
                };
                let found = Self::ALL.iter().zip(Self::CHOICES).find(|(_, choice)| named(choice));
                found.map(|(own, _)| *own).ok_or_else(|| {
                    $crate::Problem::value(
                        stringify!($name).to_lowercase(),
                        text,
                        $crate::Problem::one_of(Self::CHOICES),
                    )
                })
            }
        }

        impl $crate::Value for $name {
            fn kind() -> $crate::Kind {
                $crate::Kind::Choice(Self::CHOICES)
            }

            fn parse(text: &str) -> ::std::result::Result<Self, ::std::string::String> {
                text.trim().parse().map_err(|_| $crate::Problem::one_of(Self::CHOICES))
            }

            fn show(&self) -> ::std::option::Option<::std::string::String> {
                Some(self.name().to_owned())
            }
        }

        impl $crate::serde::Serialize for $name {
            fn serialize<S: $crate::serde::Serializer>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> $crate::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::serde::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<Self, D::Error> {
                let text = <::std::string::String as $crate::serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err($crate::serde::de::Error::custom)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use crate::{Kind, Problem, Range, Settings};
    use serde::{Deserialize, Serialize};

    choices! {
        /// A metal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Metal {
            /// The wanted one
            Silver = "silver" | "Ag",
            /// What hides it
            Lead = "lead",
        }
    }

    settings! {
        /// How hot.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct Fire in "fire" {
            /// Temperature,
            /// of the coals
            pub kelvin: f64 = 1233.0, in Range::above(0.0), "K";
            /// Bellows at work
            pub bellows: bool = false;
        }
        needs { ["bellows"] |fire| fire.kelvin > 1000.0 => "only a fire above 1000 K is blown"; }
    }

    settings! {
        /// How to part.
        #[derive(Clone, Debug, PartialEq)]
        struct Cupellation in "cupellation" {
            /// What is wanted
            metal: Metal = Metal::Silver;
            /// How often
            turns: Option<usize> as "rounds" = None, in Range::at_least(1.0).at_most(9.0), "N";
        }
        parts { fire: Fire = Fire { kelvin: 1300.0, ..Fire::default() }; }
        beside { ash: Vec<u8> = vec![1]; }
    }

    #[test]
    fn a_declaration_says_all_there_is_to_know() {
        let list = Cupellation::default().list();
        let names: Vec<&str> = list.iter().map(|setting| setting.name.as_str()).collect();
        assert_eq!(names, ["metal", "rounds", "kelvin", "bellows"]);
        assert_eq!((list[2].help.as_str(), list[2].section), ("Temperature, of the coals", "fire"));
        assert_eq!((list[2].default.as_deref(), list[1].default.as_deref()), (Some("1300"), None));
        assert_eq!(list[1].expected(), "a whole number of at least 1, at most 9");
        assert!(matches!(list[0].kind, Kind::Choice(choices) if choices[0].aliases == ["Ag"]));
        assert_eq!(Cupellation::default().ash, [1]);
    }

    #[test]
    fn settings_are_set_by_name_and_refused_by_range() {
        let mut own = Cupellation::default();
        for (name, text) in [("metal", "ag"), ("rounds", "3"), ("kelvin", "1e3"), ("bellows", "true")] {
            own.set(name, text).unwrap();
        }
        assert_eq!((own.metal, own.turns, own.fire.kelvin), (Metal::Silver, Some(3), 1000.0));
        for (name, text, words) in [
            ("metal", "gold", "metal = gold: expected one of silver, lead"),
            ("rounds", "10", "rounds = 10: expected a whole number of at least 1, at most 9"),
            ("rounds", "-1", "rounds = -1"),
            ("kelvin", "inf", "kelvin = inf: expected a number above 0"),
            ("kelvin", "NaN", "kelvin = NaN"),
            ("belows", "true", "did you mean `bellows`?"),
        ] {
            assert!(own.set(name, text).unwrap_err().to_string().contains(words), "{name} {text}");
        }
        assert_eq!(own.turns, Some(3), "what is refused changes nothing");
    }

    #[test]
    fn what_has_no_effect_or_is_out_of_range_is_found_by_a_check() {
        let mut own = Cupellation::default();
        own.check().unwrap();
        own.fire = Fire { kelvin: 900.0, bellows: true };
        assert_eq!(own.unused()[0].0, "bellows");
        assert!(matches!(own.check(), Err(Problem::Unused { name, .. }) if name == "bellows"));
        own.fire = Fire { kelvin: f64::NAN, bellows: false };
        assert!(matches!(own.check(), Err(Problem::Value { name, .. }) if name == "kelvin"));
    }

    #[test]
    fn choices_are_read_and_written_by_name() {
        assert_eq!(Metal::Lead.help(), "What hides it");
        assert_eq!(serde_json::to_string(Metal::ALL).unwrap(), r#"["silver","lead"]"#);
        assert_eq!(serde_json::from_str::<Metal>("\"ag\"").unwrap(), Metal::Silver);
        assert!(serde_json::from_str::<Metal>("\"tin\"").unwrap_err().to_string().contains("one of silver, lead"));
    }
}
