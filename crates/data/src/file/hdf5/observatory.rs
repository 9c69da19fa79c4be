//! Cubes of observatories that say of themselves in attributes of the file what others say beside each array.
//!
//! ASI, "PRISMA Products Specification Document": a cube is `[rows, bands, columns]`; the root has the centres and widths of its bands, 0
//! for bands that are not there, and the ends of the scale of its 16-bit numbers (level 2), or their scale and offset (level 1).

use super::{Directory, Item};
use crate::{
    axes::{Axes, Axis, AxisKind},
    element::Values,
    error::Result,
    file::{
        Attribute,
        dataset::{Class, Variable},
        meaning::Meaning,
        origin::Origin,
    },
};
use std::collections::BTreeMap;

/// A cube, by the name of its data set and those of the attributes of the file.
struct Cube {
    name: &'static str,
    centres: &'static str,
    widths: &'static str,
    /// What the smallest and the largest number of its type stand for.
    ends: [&'static str; 2],
    /// What numbers were multiplied by, and what was added before.
    scale: [&'static str; 2],
    axes: [AxisKind; 3],
}

const CUBES: [Cube; 2] = [
    Cube {
        name: "VNIR_Cube",
        centres: "List_Cw_Vnir",
        widths: "List_Fwhm_Vnir",
        ends: ["L2ScaleVnirMin", "L2ScaleVnirMax"],
        scale: ["ScaleFactor_Vnir", "Offset_Vnir"],
        axes: [AxisKind::Row, AxisKind::Wavelength, AxisKind::Column],
    },
    Cube {
        name: "SWIR_Cube",
        centres: "List_Cw_Swir",
        widths: "List_Fwhm_Swir",
        ends: ["L2ScaleSwirMin", "L2ScaleSwirMax"],
        scale: ["ScaleFactor_Swir", "Offset_Swir"],
        axes: [AxisKind::Row, AxisKind::Wavelength, AxisKind::Column],
    },
];

/// The largest of the 16-bit numbers that the ends of a scale belong to.
const FULL: f64 = 65_535.0;

/// What is said of a variable elsewhere in its file.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    /// Its place in the list of variables.
    pub(super) position: usize,
    pub(crate) axes: Axes,
    pub(crate) meaning: Meaning,
}

impl Directory {
    /// What is said of the variable at `position` elsewhere in its file.
    pub(crate) fn described(&self, position: usize) -> Option<&Described> {
        self.described.iter().find(|described| described.position == position)
    }

    /// Finds the cubes of observatories, and lists their bands as variables `cube.wavelength`, `cube.fwhm` and `cube.bbl`.
    pub(super) fn describe(&mut self, variables: &mut Vec<Variable>, origin: &Origin) -> Result<()> {
        let base = |name: &str| name.rsplit('/').next().map(str::to_owned).unwrap_or_default();
        let of = |variable: &Variable| {
            let is_cube = matches!(variable.class(), Class::Number(_)) && variable.shape().len() == 3;
            CUBES.iter().find(|cube| is_cube && base(variable.name()) == cube.name)
        };
        if !variables.iter().any(|variable| of(variable).is_some()) {
            return Ok(());
        }
        let said = self.attributes("", origin)?.unwrap_or_default();
        let found: Vec<(usize, String, Vec<usize>, &Cube)> = variables
            .iter()
            .enumerate()
            .filter_map(|(n, variable)| Some((n, variable.name().to_owned(), variable.shape().to_vec(), of(variable)?)))
            .collect();
        for (position, name, shape, cube) in found {
            let axis = cube.axes.iter().position(|kind| *kind == AxisKind::Wavelength).unwrap_or(1);
            let bands = shape[axis];
            let list = |name: &str| numbers(&said, name).filter(|values| values.len() == bands);
            let Some((centres, is_there)) = list(cube.centres).and_then(|centres| filled(&centres)) else { continue };
            let band = Axis::new(AxisKind::Wavelength, bands);
            let band = band.clone().with_coordinates(centres.clone(), "nm").unwrap_or(band);
            let axes =
                cube.axes.iter().zip(&shape).map(|(&kind, &len)| {
                    if kind == AxisKind::Wavelength { band.clone() } else { Axis::new(kind, len) }
                });
            let axes = Axes::new(axes.collect())?;
            self.described.push(Described { position, axes, meaning: cube.meaning(&said) });
            let mut lists = vec![("wavelength", Values::F64(centres)), ("bbl", Values::Bool(is_there))];
            if let Some((widths, _)) = list(cube.widths).and_then(|widths| filled(&widths)) {
                lists.push(("fwhm", Values::F64(widths)));
            }
            for (list, values) in lists {
                let class = Class::Number(values.element_type());
                variables.push(Variable::new(&format!("{name}.{list}"), vec![bands], class));
                self.items.push(Item::List(values));
            }
        }
        Ok(())
    }
}

impl Cube {
    fn meaning(&self, said: &BTreeMap<String, Attribute>) -> Meaning {
        let one = |name: &str| numbers(said, name).and_then(|values| values.first().copied());
        if let (Some(low), Some(high)) = (one(self.ends[0]), one(self.ends[1]))
            && low < high
        {
            return Meaning { gains: vec![(high - low) / FULL], offsets: vec![low], ..Meaning::default() };
        }
        match one(self.scale[0]).filter(|scale| *scale > 0.0) {
            Some(scale) => Meaning {
                gains: vec![scale.recip()],
                offsets: vec![-one(self.scale[1]).unwrap_or(0.0)],
                ..Meaning::default()
            },
            None => Meaning::default(),
        }
    }
}

fn numbers(said: &BTreeMap<String, Attribute>, name: &str) -> Option<Vec<f64>> {
    said.get(name)?.numbers()
}

/// A list of which 0 stands for bands that are not there, with values for them from the line through their neighbours, and which bands are
/// there.
fn filled(values: &[f64]) -> Option<(Vec<f64>, Vec<bool>)> {
    let there: Vec<bool> = values.iter().map(|&value| value != 0.0).collect();
    let known: Vec<usize> = (0..values.len()).filter(|&band| there[band]).collect();
    if known.len() < 2 {
        return None;
    }
    let at = |band: usize| {
        let right = known.partition_point(|&other| other < band).clamp(1, known.len() - 1);
        let (left, right) = (known[right - 1], known[right]);
        let slope = (values[right] - values[left]) / (right - left) as f64;
        if there[band] { values[band] } else { values[left] + slope * (band as f64 - left as f64) }
    };
    let filled: Vec<f64> = (0..values.len()).map(at).collect();
    filled.iter().all(|value| value.is_finite() && *value > 0.0).then_some((filled, there))
}
