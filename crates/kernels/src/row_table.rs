//! [`RowTable`]: a large table of embeddings of which a step reads, differentiates and updates only the rows it needs.

mod deliver;
mod file;

use burn::{
    backend::Dispatch,
    tensor::{DType, Device, Tensor, TensorData},
};
use deliver::{DeliverOps, Slot};
pub use file::RowTableError;
use rayon::prelude::*;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Settings of the optimiser of a [`RowTable`]; the defaults are those of Burn's AdamW.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowTableConfig {
    /// Share of the first moment that stays.
    pub beta_1: f32,
    /// Share of the second moment that stays.
    pub beta_2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Share of the weights that an update takes away, times the learning rate.
    pub weight_decay: f32,
}

impl Default for RowTableConfig {
    fn default() -> Self {
        Self { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-5, weight_decay: 1e-4 }
    }
}

/// Rows of f32 with moments of their own.
/// The gradient of an ordinary embedding has the size of the table, and AdamW then visits every row of it and of two moments: 768 MB a step
/// for a million rows of 64. Here the table and its moments stay in the memory of the host, a lookup brings the rows of a batch
/// to the device, their gradient comes back as rows, and an update visits these rows only.
///
/// The update is AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) with the operations and defaults of Burn's:
/// m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2, row <- (1 - rate decay) row - rate (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + e),
/// where t counts the updates of the table. A row that k updates have left out catches up when it is next touched: its moments decay k
/// times more and its weights by the decay of those updates, as if its gradients had been 0; a [`lookup`](Self::lookup) shows
/// the decayed weights at once. What is left out is the movement that AdamW gives to rows without a gradient by the momentum they still
/// have. Where every row is touched by every update the table is trained as a dense one.
///
/// All methods take `&self`, because a `train::Fit` lends itself so: `loss` calls [`lookup`](Self::lookup) and `constrain` calls
/// [`update`](Self::update).
///
/// # Example
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::Device;
/// use cupel_kernels::{RowTable, RowTableConfig};
/// let table = RowTable::new(vec![1.0; 6], 2, RowTableConfig { weight_decay: 0.0, ..Default::default() });
/// let device = Device::flex().autodiff();
/// let loss = table.lookup(&[2, 0, 2], &device).powi_scalar(2).sum();
/// loss.backward();
/// assert_eq!(table.update(0.5, 1.0), 2);
/// // The first update moves against the sign of the gradient, by the learning rate.
/// let rows = table.values();
/// assert!(rows[..2].iter().all(|x| (x - 0.5).abs() < 1e-4) && rows[2..4] == [1.0, 1.0]);
/// # }
/// ```
#[derive(Debug)]
pub struct RowTable {
    width: usize,
    config: RowTableConfig,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Per row its values, first moments and second moments, so that an update finds them in one place.
    records: Vec<f32>,
    ages: Vec<Age>,
    updates: u32,
    /// Sum over all updates of the logarithm of the share of the weights that stays.
    log_decay: f64,
    /// What was looked up to be differentiated since the last update.
    pending: Vec<(Vec<u32>, Slot)>,
}

/// When a row was last touched.
#[derive(Clone, Copy, Debug, Default)]
struct Age {
    update: u32,
    log_decay: f64,
}

impl RowTable {
    /// A table of the rows of `values`, each `width` long.
    ///
    /// # Panics
    /// When the values are not whole rows: "RowTable: 7 values are not rows of 2"; when there are more rows than a u32 counts.
    pub fn new(values: Vec<f32>, width: usize, config: RowTableConfig) -> Self {
        assert!(
            width > 0 && values.len().is_multiple_of(width),
            "RowTable: {} values are not rows of {width}",
            values.len()
        );
        let count = values.len() / width;
        assert!(u32::try_from(count).is_ok(), "RowTable: {count} rows are more than {}", u32::MAX);
        let mut records = vec![0.0; 3 * values.len()];
        records.chunks_exact_mut(3 * width).zip(values.chunks_exact(width)).for_each(|(record, row)| {
            record[..width].copy_from_slice(row);
        });
        let ages = vec![Age::default(); count];
        let state = Mutex::new(State { records, ages, updates: 0, log_decay: 0.0, pending: Vec::new() });
        Self { width, config, state }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.state().ages.len()
    }

    /// Values in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The optimiser's settings.
    pub fn config(&self) -> RowTableConfig {
        self.config
    }

    /// All rows as they are, one after the other, with the decay of updates that left them out.
    pub fn values(&self) -> Vec<f32> {
        let state = self.state();
        let mut values = vec![0.0; state.ages.len() * self.width];
        for (id, row) in values.chunks_exact_mut(self.width).enumerate() {
            state.read(id, row);
        }
        values
    }

    /// The rows `ids` as `[ids, width]` f32 on `device`. With automatic differentiation their gradient comes back to the table, which
    /// keeps it for the next [`update`](Self::update).
    ///
    /// # Panics
    /// When there is no such row: "RowTable: row 9 of 4".
    pub fn lookup(&self, ids: &[u32], device: &Device) -> Tensor<2> {
        let mut state = self.state();
        let mut values = vec![0.0; ids.len() * self.width];
        for (&id, row) in ids.iter().zip(values.chunks_exact_mut(self.width)) {
            let count = state.ages.len();
            assert!((id as usize) < count, "RowTable: row {id} of {count}");
            state.read(id as usize, row);
        }
        let rows = Tensor::<2>::from_data(TensorData::new(values, [ids.len(), self.width]), (device, DType::F32));
        if !device.is_autodiff() || ids.is_empty() {
            return rows;
        }
        let slot = Slot::default();
        state.pending.push((ids.to_vec(), slot.clone()));
        drop(state);
        Tensor::from_dispatch(Dispatch::deliver(rows.require_grad().into_dispatch(), slot))
    }

    /// Updates the rows whose gradients have come back since the last update, divided by `divisor`, and returns how many they are.
    ///
    /// Gradients of one row are added in the order of the lookups and of the ids in them. Without any gradient nothing
    /// happens, and this is no update. `divisor` undoes a scaled loss and averages over the batches of an accumulation; otherwise it is 1.
    ///
    /// # Panics
    /// When the device cannot return a gradient, and when the learning rate times the weight decay is not below 1:
    /// "RowTable: a learning rate of 3 with a weight decay of 0.5 leaves nothing".
    pub fn update(&self, learning_rate: f64, divisor: f64) -> usize {
        let decay = learning_rate * f64::from(self.config.weight_decay);
        assert!(
            decay < 1.0,
            "RowTable: a learning rate of {learning_rate} with a weight decay of {} leaves nothing",
            self.config.weight_decay
        );
        let mut state = self.state();
        let (mut ids, mut gradients) = (Vec::new(), Vec::new());
        for (looked_up, slot) in std::mem::take(&mut state.pending) {
            if let Some(gradient) = slot.take() {
                let gradient = gradient.into_data().convert::<f32>();
                let gradient = gradient.try_into_vec::<f32>().unwrap_or_else(|error| panic!("RowTable: {error:?}"));
                ids.extend(looked_up);
                gradients.extend(gradient);
            }
        }
        state.update(
            self.width,
            &self.config,
            Gradients { ids, rows: gradients, divisor: divisor as f32 },
            learning_rate,
        )
    }

    /// Forgets the gradients that have come back since the last update: of a step that is not made.
    pub fn forget(&self) {
        self.state().pending.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gradients of rows, an id per row, possibly several times.
struct Gradients {
    ids: Vec<u32>,
    rows: Vec<f32>,
    divisor: f32,
}

/// Rows that one task updates.
const TASK: usize = 256;

impl State {
    /// Copies a row, decayed as it would be by now.
    fn read(&self, id: usize, row: &mut [f32]) {
        let width = row.len();
        row.copy_from_slice(&self.records[3 * width * id..3 * width * id + width]);
        let behind = self.log_decay - self.ages[id].log_decay;
        if behind != 0.0 {
            let share = behind.exp() as f32;
            row.iter_mut().for_each(|value| *value *= share);
        }
    }

    fn update(&mut self, width: usize, config: &RowTableConfig, gradients: Gradients, learning_rate: f64) -> usize {
        if gradients.ids.is_empty() {
            return 0;
        }
        self.updates += 1;
        let decay = learning_rate * f64::from(config.weight_decay);
        let step = Step {
            config: *config,
            update: self.updates,
            before: self.log_decay,
            after: self.log_decay + (-decay).ln_1p(),
            share: (1.0 - decay) as f32,
            rate: learning_rate as f32,
            corrections: [config.beta_1, config.beta_2].map(|beta| 1.0 - beta.powi(self.updates as i32)),
        };
        self.log_decay = step.after;

        // Equal ids together, in the order in which they came: a stable sort.
        let mut order: Vec<(u32, u32)> = gradients.ids.iter().copied().zip(0..).collect();
        order.sort_unstable();
        let touched: Vec<&[(u32, u32)]> = order.chunk_by(|a, b| a.0 == b.0).collect();

        // Each task gets the piece of the table that its rows lie in.
        let mut tasks = Vec::with_capacity(touched.len().div_ceil(TASK));
        let (mut records, mut ages, mut start) = (&mut self.records[..], &mut self.ages[..], 0);
        for touched in touched.chunks(TASK) {
            let end = touched[touched.len() - 1][0].0 as usize + 1;
            let (these, rest) = records.split_at_mut(3 * width * (end - start));
            let (aged, young) = ages.split_at_mut(end - start);
            tasks.push((start, these, aged, touched));
            (records, ages, start) = (rest, young, end);
        }
        tasks.into_par_iter().for_each(|(start, records, ages, touched)| {
            let mut gradient = vec![0.0; width];
            for same in touched {
                gradient.fill(0.0);
                for &(_, index) in *same {
                    let row = &gradients.rows[index as usize * width..][..width];
                    gradient.iter_mut().zip(row).for_each(|(sum, part)| *sum += part);
                }
                if gradients.divisor != 1.0 {
                    gradient.iter_mut().for_each(|sum| *sum /= gradients.divisor);
                }
                let at = same[0].0 as usize - start;
                step.apply(&mut records[3 * width * at..][..3 * width], &mut ages[at], &gradient);
            }
        });
        touched.len()
    }
}

/// One update of the table.
struct Step {
    config: RowTableConfig,
    update: u32,
    /// Logarithm of the share of the weights that has stayed, before this update and after.
    before: f64,
    after: f64,
    /// Share of the weights that this update leaves.
    share: f32,
    rate: f32,
    corrections: [f32; 2],
}

impl Step {
    fn apply(&self, record: &mut [f32], age: &mut Age, gradient: &[f32]) {
        let RowTableConfig { beta_1, beta_2, epsilon, .. } = self.config;
        let missed = (self.update - 1 - age.update) as i32;
        let (late_1, late_2) = (beta_1.powi(missed), beta_2.powi(missed));
        let late_share = if missed == 0 { 1.0 } else { (self.before - age.log_decay).exp() as f32 };
        let (factor_1, factor_2) = (1.0 - beta_1, 1.0 - beta_2);
        let (row, moments) = record.split_at_mut(gradient.len());
        let (first, second) = moments.split_at_mut(gradient.len());
        for (((x, m), v), &g) in row.iter_mut().zip(first).zip(second).zip(gradient) {
            *m = late_1 * *m * beta_1 + g * factor_1;
            *v = late_2 * *v * beta_2 + g * g * factor_2;
            let delta = *m / self.corrections[0] / ((*v / self.corrections[1]).sqrt() + epsilon);
            *x = late_share * *x * self.share - delta * self.rate;
        }
        *age = Age { update: self.update, log_decay: self.after };
    }
}
