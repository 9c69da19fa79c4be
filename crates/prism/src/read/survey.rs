//! One look at all frames: pixels that do not count, frames without light, where the light is.

use std::path::Path;

use cupel_data::open;

use crate::{
    Error, Result,
    read::stack::{FileFrames, Stack},
};

/// Frames looked at for the place of the light.
const FEW_FRAMES: usize = 8;
/// A pixel is dead where its neighbours saw so many times its light, and hot where it saw so many times theirs, in all frames together.
const STRANGE: f64 = 1000.0;
/// The share of all values that may be saturated: what is left then still holds the image.
const MOST_SATURATED: f64 = 0.1;

/// What the frames of a file are like.
pub(super) struct Survey {
    /// Pixels that count; all where there is none.
    pub(super) good: Option<Vec<bool>>,
    /// Mean of each pixel over the frames, of those in which it counts.
    pub(super) mean: Vec<f64>,
    /// Exposures without any light, in their order.
    pub(super) unlit: Vec<usize>,
}

/// Looks at all frames once.
pub(super) fn survey(frames: &FileFrames, said_good: Option<Vec<bool>>, found: &mut Vec<String>) -> Result<Survey> {
    let (side, count) = (frames.side, frames.stack.count);
    let mut sums = vec![0.0; side * side];
    let mut times = vec![0_u32; side * side];
    let mut good = said_good.unwrap_or_else(|| vec![true; side * side]);
    let masked = good.iter().filter(|good| !**good).count();
    let (mut unlit, mut saturated, mut affected) = (Vec::new(), 0_usize, 0_usize);
    for index in 0..count {
        let values = frames.values(index)?;
        let (mut total, mut bright) = (0.0, 0);
        for (place, value) in values.iter().enumerate() {
            if *value == f32::INFINITY {
                bright += usize::from(good[place]);
                continue;
            }
            sums[place] += f64::from(*value);
            times[place] += 1;
            total += if good[place] { f64::from(*value) } else { 0.0 };
        }
        saturated += bright;
        affected += usize::from(bright > 0);
        if total == 0.0 && bright == 0 {
            unlit.push(index);
        }
    }
    if unlit.len() == count {
        return Err(Error::Exposures {
            path: frames.path.clone(),
            problem: format!("all {count} frames are dark"),
            fix: "no light was recorded, or the dark that is taken off is too bright".into(),
        });
    }
    if saturated as f64 > MOST_SATURATED * (count * side * side) as f64 {
        return Err(Error::Exposures {
            path: frames.path.clone(),
            problem: format!("{saturated} of {} values are saturated", count * side * side),
            fix: "expose for a shorter time, or correct `saturation`".into(),
        });
    }
    let means: Vec<f64> = sums.iter().zip(&times).map(|(sum, times)| sum / f64::from((*times).max(1))).collect();
    // of what is saturated in every exposure nothing is known
    let seen: Vec<bool> = good.iter().zip(&times).map(|(good, times)| *good && *times > 0).collect();
    let strange = strange_pixels(&means, &seen, side);
    for &(pixel, _) in &strange {
        good[pixel] = false;
    }
    let dead = strange.iter().filter(|(_, dead)| *dead).count();
    let hot = strange.len() - dead;
    let said = [
        (saturated, format!("{saturated} saturated values in {affected} of {count} exposures")),
        (unlit.len(), format!("{} exposures without light", unlit.len())),
        (dead, format!("{dead} dead pixels")),
        (hot, format!("{hot} hot pixels")),
        (masked, format!("{masked} pixels masked by the file or the instrument")),
    ];
    let said: Vec<String> = said.into_iter().filter(|(number, _)| *number > 0).map(|(_, words)| words).collect();
    if !said.is_empty() {
        found.push(format!("left out: {}", said.join(", ")));
    }
    let good = good.iter().any(|good| !good).then_some(good);
    Ok(Survey { good, mean: means, unlit })
}

/// Pixels that saw next to nothing where their neighbours saw light (`true`), or light that none of their neighbours saw.
fn strange_pixels(sums: &[f64], good: &[bool], side: usize) -> Vec<(usize, bool)> {
    let mut ordered: Vec<f64> = sums.to_vec();
    ordered.sort_by(f64::total_cmp);
    let typical = ordered[ordered.len() / 2];
    let mut strange = Vec::new();
    for row in 1..side.saturating_sub(1) {
        for column in 1..side - 1 {
            let pixel = row * side + column;
            if !good[pixel] {
                continue;
            }
            let mut around = Vec::with_capacity(8);
            for step in 0..9 {
                let other = (row + step / 3 - 1) * side + column + step % 3 - 1;
                if other != pixel && good[other] {
                    around.push(sums[other]);
                }
            }
            around.sort_by(f64::total_cmp);
            let Some(&median) = around.get(around.len() / 2) else { continue };
            let (least, most) = (around[0], around[around.len() - 1]);
            if median > typical * 0.1 && least > 0.0 && sums[pixel] * STRANGE < least {
                strange.push((pixel, true));
            } else if typical > 0.0 && most > 0.0 && sums[pixel] > STRANGE * most {
                strange.push((pixel, false));
            }
        }
    }
    strange
}

/// Whether diffraction patterns have most of their light around the corners and not in the middle.
pub(super) fn light_is_in_the_corner(stack: &Stack) -> Result<bool> {
    let (rows, columns) = (stack.rows, stack.columns);
    let step = stack.count.div_ceil(FEW_FRAMES).max(1);
    let (mut corner, mut middle) = (0.0, 0.0);
    for index in (0..stack.count).step_by(step) {
        for (place, value) in stack.frame(index)?.iter().enumerate() {
            let (row, column) = (place / columns, place % columns);
            let far = |at: usize, len: usize| at < len / 4 || at >= len - len / 4;
            match (far(row, rows), far(column, columns)) {
                (true, true) => corner += f64::from(*value),
                (false, false) => middle += f64::from(*value),
                _ => {}
            }
        }
    }
    Ok(corner > middle)
}

/// One plane of numbers of a file, of the size of a frame.
pub(super) fn plane(path: &Path, rows: usize, columns: usize, what: &str) -> Result<Vec<f32>> {
    let dataset = open(path)?;
    let array = dataset.cube::<f32>(None)?;
    let shape = array.shape();
    if shape != [rows, columns] {
        return Err(Error::Exposures {
            path: path.into(),
            problem: format!("the {what} has the shape {shape:?}"),
            fix: format!("it needs that of a frame, {rows} x {columns}"),
        });
    }
    let values = array.into_values();
    if values.iter().any(|value| !value.is_finite()) {
        return Err(Error::Exposures {
            path: path.into(),
            problem: format!("the {what} has values that are no numbers"),
            fix: "write numbers".into(),
        });
    }
    Ok(values)
}
