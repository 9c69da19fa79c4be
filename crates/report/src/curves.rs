//! Learning curves: the losses of a run over its steps, from the log `metrics.csv`.
//!
//! A line of the log is `work,step,elapsed_seconds,metric,value`.

use std::{
    collections::HashMap,
    fmt::Write,
    io::{BufReader, Read},
};

use crate::{error::Result, escape::xml, facts::number, figure::Figure, line_chart::LineChart, sheet::Sheet};

/// Most works whose curve is shown.
const SHOWN_WORKS: usize = 6;
/// A loss that falls to this part of its range is shown on a logarithmic axis.
const LOGARITHMIC: f64 = 20.0;
/// Words that the name of the loss of a whole piece of work may have; another word makes it the loss of a part.
const LOSS_WORDS: [&str; 7] = ["loss", "train", "training", "val", "valid", "validation", "mean"];

/// The numbers of a run over its steps, in the order in which they first appear.
pub(crate) struct Log {
    works: Vec<Work>,
}

struct Work {
    name: String,
    metrics: Vec<Metric>,
}

/// A metric; the whole course is kept of losses only, because a log can be long.
struct Metric {
    name: String,
    last: f64,
    steps: Vec<f64>,
    values: Vec<f64>,
}

impl Log {
    /// Reads a log; a line that is torn or is not of the form is left out.
    pub(crate) fn read(log: impl Read) -> Self {
        let mut works: Vec<Work> = Vec::new();
        let mut places: HashMap<(String, String), (usize, usize)> = HashMap::new();
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(BufReader::new(log));
        for record in reader.records().filter_map(std::result::Result::ok) {
            let (Some(work), Some(metric)) = (record.get(0), record.get(3)) else { continue };
            let (Some(Ok(step)), Some(Ok(value))) =
                (record.get(1).map(str::parse::<f64>), record.get(4).map(str::parse::<f64>))
            else {
                continue;
            };
            let key = (work.to_owned(), metric.to_owned());
            let (work, metric) = *places.entry(key).or_insert_with_key(|(work, metric)| {
                let at = works.iter().position(|other| other.name == *work).unwrap_or_else(|| {
                    works.push(Work { name: work.clone(), metrics: Vec::new() });
                    works.len() - 1
                });
                let metrics = &mut works[at].metrics;
                metrics.push(Metric { name: metric.clone(), last: value, steps: Vec::new(), values: Vec::new() });
                (at, metrics.len() - 1)
            });
            let metric = &mut works[work].metrics[metric];
            metric.last = value;
            if metric.is_loss() {
                metric.steps.push(step);
                metric.values.push(value);
            }
        }
        Self { works }
    }

    /// The last value of every metric, for a run that left no final numbers.
    pub(crate) fn last(&self) -> Sheet {
        let row = |work: &Work, metric: &Metric| vec![work.name.clone(), metric.name.clone(), number(metric.last)];
        let rows = self.works.iter().flat_map(|work| work.metrics.iter().map(move |metric| row(work, metric)));
        Sheet::new(["work", "metric", "last value"].map(String::from).to_vec(), rows.collect())
    }

    /// The losses of the first works, each with its caption in HTML, and how many works are not shown.
    pub(crate) fn curves(&self) -> Result<(Vec<Curves>, usize)> {
        let with_curve: Vec<(&str, Vec<&Metric>)> = self
            .works
            .iter()
            .map(|work| (work.name.as_str(), work.metrics.iter().filter(|metric| metric.is_curve()).collect()))
            .filter(|(_, losses): &(_, Vec<_>)| !losses.is_empty())
            .collect();
        let shown = with_curve.iter().take(SHOWN_WORKS).map(|(work, losses)| {
            let charts = beside(losses).iter().map(|losses| chart(work, losses)).collect::<Result<_>>()?;
            Ok((charts, caption(work, losses)))
        });
        Ok((shown.collect::<Result<_>>()?, with_curve.len().saturating_sub(SHOWN_WORKS)))
    }
}

/// The charts of one work, and their caption in HTML.
pub(crate) type Curves = (Vec<Figure>, String);

impl Metric {
    fn is_loss(&self) -> bool {
        let mut words = self.name.split(|c: char| !c.is_alphanumeric());
        self.name.to_lowercase().contains("loss")
            && words.all(|word| LOSS_WORDS.contains(&word.to_lowercase().as_str()))
    }

    fn is_curve(&self) -> bool {
        self.finite().nth(1).is_some()
    }

    fn finite(&self) -> impl Iterator<Item = (f64, f64)> {
        self.steps.iter().copied().zip(self.values.iter().copied()).filter(|(_, value)| value.is_finite())
    }
}

/// The losses that go into one chart each: those whose values overlap, so that one on another scale flattens no other.
fn beside<'a>(losses: &[&'a Metric]) -> Vec<Vec<&'a Metric>> {
    let mut charts: Vec<Vec<&Metric>> = Vec::new();
    for &loss in losses {
        let [low, high] = ends(&[loss]);
        let overlaps = |chart: &Vec<&Metric>| {
            let [lowest, highest] = ends(chart);
            low <= highest && lowest <= high
        };
        match charts.iter().position(overlaps) {
            Some(at) => charts[at].push(loss),
            None => charts.push(vec![loss]),
        }
    }
    charts
}

fn ends(losses: &[&Metric]) -> [f64; 2] {
    let values = losses.iter().flat_map(|loss| loss.finite()).map(|(_, value)| value);
    values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], value| [low.min(value), high.max(value)])
}

fn chart(work: &str, losses: &[&Metric]) -> Result<Figure> {
    let [low, high] = ends(losses);
    let mut chart = LineChart::new(work, "step", "loss");
    if low > 0.0 && high > LOGARITHMIC * low {
        chart = chart.log_y();
    }
    for loss in losses {
        chart = chart.line(loss.name.as_str(), &loss.steps, &loss.values);
    }
    chart.figure()
}

fn caption(work: &str, losses: &[&Metric]) -> String {
    let mut out = format!("Learning curve of <code>{}</code>.", xml(work));
    for loss in losses {
        let lowest = loss.finite().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default();
        let _ = write!(
            out,
            " <code>{}</code>: {} at the end, lowest {} at step {}.",
            xml(&loss.name),
            number(loss.last),
            number(lowest.1),
            lowest.0
        );
    }
    out
}
