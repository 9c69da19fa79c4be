//! [`Stack`]: the frames of a file as they stand there, one at a time.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use cupel_data::{AxisKind, Dataset, Format, Tiles};

use crate::{Error, Result, host_fft::to_middle};

/// Frames of a file.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) count: usize,
    pub(super) rows: usize,
    pub(crate) columns: usize,
    /// The numbers are whole ones.
    pub(super) whole: bool,
    /// The largest number that its type holds, where that is what a detector stops at.
    pub(super) ceiling: Option<f32>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// All in memory, frame by frame.
    Memory(Vec<f32>),
    /// One piece of a file each.
    Tiles(Mutex<Tiles<f32>>),
    /// One page of a file each.
    Pages(Box<Dataset>, Vec<String>),
    /// Several stacks, one after the other.
    Chain(Vec<Stack>),
}

impl Stack {
    /// The array of this name, `[frames, rows, columns]`.
    pub(crate) fn of(dataset: &Dataset, name: &str) -> Result<Self> {
        let variable = dataset.variable(name)?;
        let &[count, rows, columns] = variable.shape() else {
            return Err(Error::Exposures {
                path: dataset.path().into(),
                problem: format!("the frames `{name}` have the shape {:?}", variable.shape()),
                fix: "write them as [frames, rows, columns]".into(),
            });
        };
        let (whole, ceiling) = (is_whole(variable.class()), ceiling(variable.class()));
        let tiles = dataset.tiles::<f32>(Some(name), AxisKind::Dimension(0), 1)?;
        Ok(Self { count, rows, columns, whole, ceiling, source: Source::Tiles(Mutex::new(tiles)) })
    }

    /// The array of this name, `[rows, columns, frames]`, as MATLAB has it. Files of version 7.3 are read frame by frame; older ones, whose
    /// arrays are compressed as a whole, are held in memory.
    pub(super) fn of_last(dataset: &Dataset, name: &str) -> Result<Self> {
        let variable = dataset.variable(name)?;
        let &[rows, columns, count] = variable.shape() else {
            return Err(Error::Exposures {
                path: dataset.path().into(),
                problem: format!("the frames `{name}` have the shape {:?}", variable.shape()),
                fix: "write them as [rows, columns, frames]".into(),
            });
        };
        let (whole, ceiling) = (is_whole(variable.class()), ceiling(variable.class()));
        if dataset.format() == Format::Matlab73 {
            let tiles = dataset.tiles::<f32>(Some(name), AxisKind::Dimension(2), 1)?;
            return Ok(Self { count, rows, columns, whole, ceiling, source: Source::Tiles(Mutex::new(tiles)) });
        }
        let values = dataset.cube::<f32>(Some(name))?.into_values();
        let pixels = rows * columns;
        let mut frames = vec![0.0; values.len()];
        for (pixel, own) in values.chunks_exact(count.max(1)).enumerate() {
            for (frame, value) in own.iter().enumerate() {
                frames[frame * pixels + pixel] = *value;
            }
        }
        Ok(Self { count, rows, columns, whole, ceiling, source: Source::Memory(frames) })
    }

    /// Pages of one shape.
    pub(super) fn pages(dataset: Dataset) -> Result<Self> {
        let (mut names, mut shape, mut whole) = (Vec::new(), None, true);
        let ceiling = dataset.variables().first().and_then(|page| ceiling(page.class()));
        for variable in dataset.variables() {
            let own = match variable.shape() {
                &[rows, columns] => [rows, columns],
                other => {
                    return Err(Error::Exposures {
                        path: dataset.path().into(),
                        problem: format!("{} has the shape {other:?}", variable.name()),
                        fix: "write each frame as a page of one channel".into(),
                    });
                }
            };
            if *shape.get_or_insert(own) != own {
                return Err(Error::Exposures {
                    path: dataset.path().into(),
                    problem: format!("{} is {own:?} and the first page {:?}", variable.name(), shape.unwrap_or(own)),
                    fix: "all frames need one size".into(),
                });
            }
            whole &= is_whole(variable.class());
            names.push(variable.name().to_owned());
        }
        let [rows, columns] = shape.unwrap_or([0, 0]);
        Ok(Self { count: names.len(), rows, columns, whole, ceiling, source: Source::Pages(Box::new(dataset), names) })
    }

    /// One stack after the other.
    pub(super) fn chain(stacks: Vec<Self>, path: &std::path::Path) -> Result<Self> {
        let Some(first) = stacks.first() else {
            return Err(Error::Exposures {
                path: path.into(),
                problem: "there are no frames".into(),
                fix: "write at least one".into(),
            });
        };
        let (rows, columns) = (first.rows, first.columns);
        if let Some(other) = stacks.iter().find(|stack| (stack.rows, stack.columns) != (rows, columns)) {
            return Err(Error::Exposures {
                path: path.into(),
                problem: format!("frames of {rows} x {columns} and of {} x {}", other.rows, other.columns),
                fix: "all frames need one size".into(),
            });
        }
        let count = stacks.iter().map(|stack| stack.count).sum();
        let (whole, ceiling) = (stacks.iter().all(|stack| stack.whole), first.ceiling);
        Ok(Self { count, rows, columns, whole, ceiling, source: Source::Chain(stacks) })
    }

    /// Whether all of it is in memory, whatever is asked of it.
    pub(super) fn is_held(&self) -> bool {
        match &self.source {
            Source::Memory(_) => true,
            Source::Tiles(_) | Source::Pages(..) => false,
            Source::Chain(stacks) => stacks.iter().any(Self::is_held),
        }
    }

    /// The values of one frame, row by row.
    pub(crate) fn frame(&self, index: usize) -> Result<Vec<f32>> {
        let pixels = self.rows * self.columns;
        let frame = match &self.source {
            Source::Memory(values) => values.get(index * pixels..(index + 1) * pixels).map(<[f32]>::to_vec),
            Source::Tiles(tiles) => {
                // A reader that panicked left nothing but a position.
                let mut tiles = tiles.lock().unwrap_or_else(PoisonError::into_inner);
                tiles.seek(index);
                tiles.next().transpose()?.map(cupel_data::Cube::into_values)
            }
            Source::Pages(dataset, names) => match names.get(index) {
                Some(name) => Some(dataset.cube::<f32>(Some(name))?.into_values()),
                None => None,
            },
            Source::Chain(stacks) => {
                let mut index = index;
                for stack in stacks {
                    if index < stack.count {
                        return stack.frame(index);
                    }
                    index -= stack.count;
                }
                None
            }
        };
        frame.filter(|frame| frame.len() == pixels).ok_or_else(|| Error::Measurement {
            what: "frame".into(),
            got: index.to_string(),
            expected: format!("a number below {}", self.count),
        })
    }
}

fn is_whole(class: &cupel_data::Class) -> bool {
    use cupel_data::ElementType::{Bool, I8, I16, I32, I64, U8, U16, U32, U64};
    matches!(class, cupel_data::Class::Number(U8 | I8 | U16 | I16 | U32 | I32 | U64 | I64 | Bool))
}

/// Detectors count to the end of such a type.
fn ceiling(class: &cupel_data::Class) -> Option<f32> {
    use cupel_data::ElementType::{U8, U16};
    match class {
        cupel_data::Class::Number(U8) => Some(f32::from(u8::MAX)),
        cupel_data::Class::Number(U16) => Some(f32::from(u16::MAX)),
        _ => None,
    }
}

/// Frames of a file as intensities, square, without the dark.
#[derive(Debug)]
pub(super) struct FileFrames {
    pub(super) path: PathBuf,
    pub(super) stack: Arc<Stack>,
    /// Rows and columns that are used, in the middle of those there are.
    pub(super) side: usize,
    /// Value without light of each pixel of the file.
    pub(super) dark: Option<Vec<f32>>,
    pub(super) dark_level: f32,
    /// The file has roots of intensities.
    pub(super) amplitude: bool,
    /// Value of the file from which on a pixel is saturated: it does not count in that exposure.
    pub(super) saturation: Option<f32>,
    /// Exposures without any light, in their order: none of their pixels counts.
    pub(super) unlit: Vec<usize>,
    /// The file has the frequency nought in the first corner.
    pub(super) corner: bool,
}

impl FileFrames {
    /// What one frame has in the file, cut to the middle, without the dark; infinite where it is saturated.
    pub(super) fn values(&self, index: usize) -> Result<Vec<f32>> {
        let frame = self.stack.frame(index)?;
        self.check(index, &frame)?;
        let limit = self.saturation.unwrap_or(f32::INFINITY);
        let lit = |place: usize| match &self.dark {
            _ if frame[place] >= limit => f32::INFINITY,
            Some(dark) => (frame[place] - dark[place] - self.dark_level).max(0.0),
            None if self.dark_level > 0.0 => (frame[place] - self.dark_level).max(0.0),
            None => frame[place],
        };
        let lit: Vec<f32> = (0..frame.len()).map(lit).collect();
        Ok(self.cut(&lit))
    }

    /// The middle of a frame, its frequency nought in the middle.
    pub(super) fn cut<T: Copy>(&self, frame: &[T]) -> Vec<T> {
        let (rows, columns, side) = (self.stack.rows, self.stack.columns, self.side);
        if self.corner && rows == side && columns == side {
            return to_middle(frame, side);
        }
        if rows == side && columns == side {
            return frame.to_vec();
        }
        let (top, left) = (rows / 2 - side / 2, columns / 2 - side / 2);
        (0..side * side).map(|place| frame[(top + place / side) * columns + left + place % side]).collect()
    }

    fn check(&self, index: usize, frame: &[f32]) -> Result<()> {
        let Some(place) = frame.iter().position(|value| !(value.is_finite() && *value >= 0.0)) else { return Ok(()) };
        let (row, column) = (place / self.stack.columns, place % self.stack.columns);
        Err(Error::Exposures {
            path: self.path.clone(),
            problem: format!("frame {index} has {} at row {row}, column {column}", frame[place]),
            fix: "counts are numbers from 0 on; mark the pixel in `bad-pixels` and write 0, or take off less dark"
                .into(),
        })
    }
}

impl crate::Frames for FileFrames {
    fn count(&self) -> usize {
        self.stack.count
    }

    fn in_memory(&self) -> bool {
        self.stack.is_held()
    }

    fn frame(&self, index: usize) -> Result<Vec<f32>> {
        let mut values = self.values(index)?;
        if self.unlit.binary_search(&index).is_ok() {
            values.fill(f32::INFINITY);
        }
        if self.amplitude {
            values.iter_mut().for_each(|value| *value *= *value);
        }
        Ok(values)
    }
}

/// Frames that are intensities already.
impl crate::Frames for Stack {
    fn count(&self) -> usize {
        self.count
    }

    fn frame(&self, index: usize) -> Result<Vec<f32>> {
        self.frame(index)
    }
}
