//! [`Sparse`]: rows of which few columns are not nought.

/// Rows as compressed sparse rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sparse {
    pub(crate) starts: Vec<usize>,
    pub(crate) columns: Vec<u32>,
    pub(crate) values: Vec<f32>,
}

impl Sparse {
    pub(crate) fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// With the rows of another below.
    pub(crate) fn followed_by(mut self, other: &Self) -> Self {
        let end = self.columns.len();
        self.starts.extend(other.starts[1..].iter().map(|start| start + end));
        self.columns.extend_from_slice(&other.columns);
        self.values.extend_from_slice(&other.values);
        self
    }

    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = (usize, f64)> {
        let range = self.starts[row]..self.starts[row + 1];
        let values = self.values[range.clone()].iter().map(|value| f64::from(*value));
        self.columns[range].iter().map(|column| *column as usize).zip(values)
    }

    /// The same numbers column by column: for each column, rows and values.
    pub(crate) fn transposed(&self, columns: usize) -> Self {
        let mut starts = vec![0; columns + 1];
        self.columns.iter().for_each(|column| starts[*column as usize + 1] += 1);
        for column in 0..columns {
            starts[column + 1] += starts[column];
        }
        let mut next = starts.clone();
        let mut rows = vec![0; self.columns.len()];
        let mut values = vec![0.0; self.columns.len()];
        for row in 0..self.rows() {
            for at in self.starts[row]..self.starts[row + 1] {
                let place = &mut next[self.columns[at] as usize];
                rows[*place] = row as u32;
                values[*place] = self.values[at];
                *place += 1;
            }
        }
        Self { starts, columns: rows, values }
    }
}
