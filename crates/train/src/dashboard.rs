//! Burn's terminal dashboard as the face of a run, in builds with the feature `tui`.

use crate::Metrics;
use burn::train::{
    Interrupter,
    logger::TrainingProgressLogger,
    metric::{MetricDefinition, MetricEntry, MetricId, NumericAttributes, NumericEntry, SerializedEntry},
    renderer::{MetricState, MetricsRenderer, MetricsRendererTraining, tui::TuiMetricsRendererWrapper},
};
use std::{
    collections::HashSet,
    io::{IsTerminal, stdout},
    sync::Arc,
};

/// Charts of all numbers, and a menu that stops the run.
pub(crate) struct Dashboard {
    renderer: TuiMetricsRendererWrapper,
    interrupter: Interrupter,
    known: HashSet<String>,
}

impl Dashboard {
    /// Takes over the terminal for work that stands at `first`; `None` where standard output is none.
    pub(crate) fn open(name: &str, first: u64, total: Option<u64>) -> Option<Self> {
        if !stdout().is_terminal() {
            return None;
        }
        let interrupter = Interrupter::new();
        let mut renderer = TuiMetricsRendererWrapper::new(interrupter.clone(), None);
        let total = total.map_or(0, |total| total as usize);
        renderer.start(0, 0, Some(total), Some(name));
        renderer.start_split("train", total);
        renderer.update_split(first as usize);
        Some(Self { renderer, interrupter, known: HashSet::new() })
    }

    pub(crate) fn show(&mut self, update: u64, metrics: &Metrics) {
        for (name, value) in metrics.iter() {
            let metric_id = MetricId::new(Arc::new(name.to_string()));
            if self.known.insert(name.to_string()) {
                let attributes = NumericAttributes { unit: None, higher_is_better: false }.into();
                let name = Arc::new(name.to_string());
                let definition = MetricDefinition { metric_id: metric_id.clone(), name, description: None, attributes };
                self.renderer.register_metric(definition);
            }
            let text = SerializedEntry::new(format!("{value:.5}"), value.to_string());
            let state = MetricState::Numeric(MetricEntry::new(metric_id, text), Some(NumericEntry::Value(value)));
            if name.starts_with("validation") {
                self.renderer.update_valid(state);
            } else {
                self.renderer.update_train(state);
            }
        }
        self.renderer.update_split(update as usize);
    }

    /// Whether the user asked to stop in the menu.
    pub(crate) fn stop_requested(&self) -> bool {
        self.interrupter.should_stop()
    }
}
