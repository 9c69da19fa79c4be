//! Tables of positions: a row for each frame, in metres or in pixels.

use std::path::Path;

use cupel_data::{Dataset, Format, TextRows, open};

use crate::{Error, PositionUnit, Result, read::contents::Positions};

/// Units that the name of a column may end in, with metres of one; nothing for pixels.
const UNITS: [(&str, Option<f64>); 9] = [
    ("px", None),
    ("pixel", None),
    ("pixels", None),
    ("m", Some(1.0)),
    ("metres", Some(1.0)),
    ("mm", Some(1e-3)),
    ("um", Some(1e-6)),
    ("µm", Some(1e-6)),
    ("nm", Some(1e-9)),
];

/// Reads a text table with columns `row, column` or `y, x`, their unit after the name (`x_m`, `row [px]`), or an NPY of two columns.
pub(super) fn read(path: &Path) -> Result<Positions> {
    let dataset = open(path)?;
    if dataset.format() != Format::Delimited {
        let name = dataset.variables().first().map(|variable| variable.name().to_owned()).unwrap_or_default();
        return of_array(&dataset, &name);
    }
    let names: Vec<String> = TextRows::open(path)?.names().to_vec();
    let array = dataset.array(None)?.into_cube::<f64>()?;
    let &[_, columns] = array.shape().as_slice() else { return Err(not_two(path, &array.shape())) };
    let headless = names.iter().all(|name| name.parse::<f64>().is_ok());
    let mut chosen = [None; 2];
    let mut units = [None; 2];
    if !headless {
        for (column, name) in names.iter().enumerate().take(columns) {
            let Some((axis, unit)) = axis_of(name) else { continue };
            if chosen[axis].is_none() {
                chosen[axis] = Some(column);
                units[axis] = unit;
            }
        }
    }
    let [row, column] = match (chosen, columns) {
        ([Some(row), Some(column)], _) => [row, column],
        ([None, None], 2) => [0, 1],
        _ => {
            return Err(Error::Exposures {
                path: path.into(),
                problem: format!("the columns are {}", names.join(", ")),
                fix: "name them `row, column` or `y, x`, with the unit, as in `y_m, x_m` or `row_px, column_px`".into(),
            });
        }
    };
    if units[0] != units[1] {
        return Err(Error::Exposures {
            path: path.into(),
            problem: format!("the columns {} and {} have different units", names[row], names[column]),
            fix: "give both in metres or both in pixels".into(),
        });
    }
    let (unit, scale) = match units[0] {
        Some(Some(metres)) => (PositionUnit::Metres, metres),
        Some(None) => (PositionUnit::Pixels, 1.0),
        None => (PositionUnit::Found, 1.0),
    };
    let places: Vec<[f64; 2]> =
        array.values().chunks_exact(columns).map(|cells| [cells[row] * scale, cells[column] * scale]).collect();
    finite(path, places, unit)
}

/// An array `[frames, 2]`.
pub(super) fn of_array(dataset: &Dataset, name: &str) -> Result<Positions> {
    let array = dataset.array(Some(name))?.into_cube::<f64>()?;
    match array.shape().as_slice() {
        &[_, 2] => {
            let places = array.values().chunks_exact(2).map(|place| [place[0], place[1]]).collect();
            finite(dataset.path(), places, PositionUnit::Found)
        }
        other => Err(not_two(dataset.path(), other)),
    }
}

fn finite(path: &Path, places: Vec<[f64; 2]>, unit: PositionUnit) -> Result<Positions> {
    match places.iter().position(|place| place.iter().any(|value| !value.is_finite())) {
        None => Ok(Positions { places, unit }),
        Some(index) => Err(Error::Exposures {
            path: path.into(),
            problem: format!("position {index} is {:?}", places[index]),
            fix: "give a number for each row and column".into(),
        }),
    }
}

fn not_two(path: &Path, shape: &[usize]) -> Error {
    Error::Exposures {
        path: path.into(),
        problem: format!("the positions have the shape {shape:?}"),
        fix: "a table of two columns is needed, row and column, with a row for each frame".into(),
    }
}

/// The axis that a column is of, and the unit in its name: nothing, pixels, or metres of one.
fn axis_of(name: &str) -> Option<(usize, Option<Option<f64>>)> {
    let lower = name.to_lowercase();
    let mut words = lower.split(|letter: char| !letter.is_alphabetic()).filter(|word| !word.is_empty());
    let axis = match words.next()? {
        "row" | "rows" | "y" => 0,
        "column" | "columns" | "col" | "x" => 1,
        _ => return None,
    };
    let unit =
        words.next_back().and_then(|last| UNITS.iter().find(|(unit, _)| *unit == last)).map(|(_, metres)| *metres);
    Some((axis, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_known_by_name_and_unit() {
        assert_eq!(axis_of("y_m"), Some((0, Some(Some(1.0)))));
        assert_eq!(axis_of("X [um]"), Some((1, Some(Some(1e-6)))));
        assert_eq!(axis_of("row (px)"), Some((0, Some(None))));
        assert_eq!(axis_of("column"), Some((1, None)));
        assert_eq!(axis_of("frame"), None);
    }
}
