//! Settings that are declared once: name, type, default, range and help of each, for everything that reads or shows them.
//!
//! [`settings!`] declares a structure whose numbers a user may set, [`choices!`] an enumeration of which he picks one. Both are plain types
//! for whoever uses the library. A command line builds its flags and its help from [`Settings::list`], a settings file and a search of
//! settings go through [`Settings::set`], and all of them are checked by [`Settings::check`].
//!
//! ```
//! use cupel_settings::{Range, Settings, choices, settings};
//!
//! choices! {
//!     /// How a scene is smoothed.
//!     #[derive(Clone, Copy, Debug, PartialEq, Eq)]
//!     pub enum Filter {
//!         /// Not at all
//!         None = "none",
//!         /// By a Gaussian
//!         Gaussian = "gaussian" | "normal",
//!     }
//! }
//! settings! {
//!     /// How to smooth.
//!     #[derive(Clone, Debug, PartialEq)]
//!     pub struct Smoothing in "smoothing" {
//!         /// The filter
//!         pub filter: Filter = Filter::None;
//!         /// Its width in pixels
//!         pub width: f64 = 1.5, in Range::above(0.0), "PIXELS";
//!     }
//!     needs {
//!         ["width"] |own| own.filter == Filter::Gaussian => "only the Gaussian filter has a width";
//!     }
//! }
//!
//! let mut smoothing = Smoothing::default();
//! smoothing.set("filter", "normal")?;
//! assert_eq!(smoothing.filter, Filter::Gaussian);
//! let problem = smoothing.set("width", "-1").unwrap_err();
//! assert_eq!(problem.to_string(), "width = -1: expected a number above 0");
//! assert!(smoothing.set("widht", "2").unwrap_err().to_string().contains("did you mean `width`?"));
//! # Ok::<(), cupel_settings::Problem>(())
//! ```

mod declare;
mod problem;
mod range;
mod setting;
mod value;

pub use problem::Problem;
pub use range::Range;
pub use setting::{Choice, Kind, Setting, Settings};
pub use value::Value;

#[doc(hidden)]
pub use serde;
