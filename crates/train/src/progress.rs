//! One line that says how far the work is: redrawn in place on a terminal, printed now and then elsewhere.
//!
//! It goes to standard error, in plain text without colours or control sequences other than the carriage return. A
//! closed standard error silences it; nothing here can fail.

use crate::Metrics;
use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

const REDRAW_EVERY: Duration = Duration::from_millis(100);
const PRINT_EVERY: Duration = Duration::from_secs(10);
/// Width of a terminal that does not tell.
const COLUMNS: usize = 80;
/// Metrics on the line; the others are in the log.
const SHOWN_METRICS: usize = 3;

/// Shows the advances of one piece of work.
pub(crate) struct ProgressLine<W: Write> {
    /// `None` once writing failed, or when nothing is to be shown.
    out: Option<W>,
    terminal: bool,
    columns: usize,
    name: String,
    total: Option<u64>,
    /// Advances that were made before `started`.
    first: u64,
    started: Instant,
    shown: Option<Instant>,
    /// Characters on the line at present.
    drawn: usize,
    update: u64,
    metrics: Metrics,
}

impl ProgressLine<std::io::Stderr> {
    /// A line on standard error for work that stands at `first` after so many seconds.
    pub(crate) fn on_standard_error(quiet: bool, name: &str, (first, seconds): (u64, f64), total: Option<u64>) -> Self {
        let out = std::io::stderr();
        let terminal = out.is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        let mut line = Self::new((!quiet).then_some(out), terminal, columns, name, first, total);
        // the pace is that of the whole work, where its time is known
        if let Some(started) = Instant::now().checked_sub(Duration::try_from_secs_f64(seconds).unwrap_or_default())
            && seconds > 0.0
        {
            (line.first, line.started) = (0, started);
        }
        line
    }
}

impl<W: Write> ProgressLine<W> {
    fn new(out: Option<W>, terminal: bool, columns: Option<usize>, name: &str, first: u64, total: Option<u64>) -> Self {
        let columns = columns.filter(|columns| *columns > 0).unwrap_or(COLUMNS);
        Self {
            out,
            terminal,
            columns,
            name: name.to_string(),
            total,
            first,
            started: Instant::now(),
            shown: None,
            drawn: 0,
            update: first,
            metrics: Metrics::new(),
        }
    }

    /// Takes note that `update` advances are made, and shows the first and every one that is due.
    pub(crate) fn show(&mut self, update: u64, metrics: Metrics) {
        self.show_at(Instant::now(), update, metrics);
    }

    /// Shows the last state and how it ended, and leaves the line.
    pub(crate) fn end(&mut self, how: &str) {
        let line = format!("{}  {how}", self.line(Instant::now()));
        self.draw(&line);
        if self.terminal {
            self.write("\n");
        }
        self.drawn = 0;
    }

    fn show_at(&mut self, now: Instant, update: u64, metrics: Metrics) {
        self.update = update;
        if !metrics.is_empty() {
            self.metrics = metrics;
        }
        let every = if self.terminal { REDRAW_EVERY } else { PRINT_EVERY };
        if self.out.is_none() || self.shown.is_some_and(|shown| now - shown < every) {
            return;
        }
        self.shown = Some(now);
        let line = self.line(now);
        self.draw(&line);
    }

    fn line(&self, now: Instant) -> String {
        let Self { update, metrics, .. } = self;
        let mut line = format!("{}  {update}", self.name);
        let total = self.total.filter(|total| *total > 0);
        if let Some(total) = total {
            line += &format!("/{total}  {:.0}%", 100.0 * *update as f64 / total as f64);
        }
        let made = update.saturating_sub(self.first) as f64;
        let seconds = now.saturating_duration_since(self.started).as_secs_f64();
        if made > 0.0 && seconds > 0.0 {
            let rate = made / seconds;
            line += &if rate >= 1.0 {
                format!("  {:.1} ms each", 1e3 / rate)
            } else {
                format!("  {:.1} s each", 1.0 / rate)
            };
            if let Some(left) = total.map(|total| total.saturating_sub(*update)).filter(|left| *left > 0) {
                line += &format!("  {} left", duration(left as f64 / rate));
            }
        }
        for (name, value) in metrics.iter().take(SHOWN_METRICS) {
            line += &format!("  {name} {}", short(value));
        }
        line
    }

    fn draw(&mut self, line: &str) {
        if !self.terminal {
            return self.write(&format!("{line}\n"));
        }
        // The last column stays free: some terminals wrap when it is filled.
        let line: String = line.chars().take(self.columns - 1).collect();
        let width = line.chars().count();
        let rest = " ".repeat(self.drawn.saturating_sub(width));
        self.drawn = width;
        self.write(&format!("\r{line}{rest}"));
    }

    fn write(&mut self, text: &str) {
        if let Some(out) = &mut self.out
            && out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err()
        {
            self.out = None;
        }
    }
}

/// Four significant digits.
fn short(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 || !value.is_finite() {
        value.to_string()
    } else if (1e-3..1e5).contains(&magnitude) {
        let decimals = (3 - magnitude.log10().floor() as i32).max(0) as usize;
        format!("{value:.decimals$}")
    } else {
        format!("{value:.3e}")
    }
}

fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64; // Saturates, also for what is not finite.
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {:02} s", seconds % 60),
        _ => format!("{hours} h {:02} min", minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn line(terminal: bool, columns: usize, total: Option<u64>) -> ProgressLine<Vec<u8>> {
        ProgressLine::new(Some(Vec::new()), terminal, Some(columns), "edaa", 0, total)
    }

    fn text(line: ProgressLine<Vec<u8>>) -> String {
        String::from_utf8(line.out.unwrap()).unwrap()
    }

    #[test]
    fn plain_lines_come_at_the_start_every_ten_seconds_and_at_the_end() {
        let mut line = line(false, 80, Some(100));
        for second in 0..=25 {
            let now = line.started + Duration::from_secs(second);
            line.show_at(now, second + 1, Metrics::from([("loss", 0.25)]));
        }
        line.end("stopped");
        let text = text(line);
        let updates: Vec<_> = text.lines().map(|line| line.split("  ").nth(1).unwrap()).collect();
        assert_eq!(updates, ["1/100", "11/100", "21/100", "26/100"]);
        assert!(text.contains("11%") && text.contains("loss 0.2500") && text.ends_with("stopped\n"));
        assert!(text.lines().nth(1).unwrap().contains("909.1 ms each  1 min 21 s left"), "{text}");
        assert!(!text.contains(['\r', '\u{1b}']));
    }

    #[test]
    fn a_terminal_has_one_line_that_never_wraps_and_leaves_no_rest() {
        let mut line = line(true, 20, None);
        line.show_at(line.started, 1, Metrics::from([("a long name of a metric", 1.0)]));
        line.show_at(line.started + Duration::from_millis(50), 2, Metrics::new());
        line.show_at(line.started + Duration::from_millis(150), 3, Metrics::new());
        line.end("");
        let text = text(line);
        let drawn: Vec<_> = text.trim_end_matches('\n').split('\r').skip(1).collect();
        assert_eq!(drawn.len(), 3, "{text:?}");
        assert!(drawn.iter().all(|line| line.chars().count() <= 19));
        assert_eq!(drawn[0].chars().count(), 19);
        assert_eq!(drawn[1].chars().count(), 19, "spaces cover the longer line before");
        assert!(text.ends_with('\n') && text.matches('\n').count() == 1);
    }

    #[test]
    fn widths_of_zero_and_one_and_numbers_that_are_not_finite_do_no_harm() {
        for columns in [0, 1] {
            let mut line = line(true, columns, Some(0));
            let metrics = Metrics::from([("loss", f64::NAN), ("norm", f64::INFINITY)]);
            line.show_at(line.started, u64::MAX, metrics);
            line.end("finished");
            assert!(text(line).ends_with('\n'));
        }
    }

    #[test]
    fn a_closed_output_silences_the_line() {
        struct Closed(usize);
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                self.0 += 1;
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut line = ProgressLine::new(Some(Closed(0)), false, None, "edaa", 0, None);
        line.show(1, Metrics::new());
        assert!(line.out.is_none());
        line.end("finished");
    }

    #[test]
    fn times_and_numbers_are_short() {
        assert_eq!(duration(59.4), "59 s");
        assert_eq!(duration(61.0), "1 min 01 s");
        assert_eq!(duration(3.0 * 3600.0 + 120.0), "3 h 02 min");
        assert!(!duration(f64::INFINITY).is_empty());
        assert_eq!([0.0, 0.019_27, 123.456, 12_345.6].map(short), ["0", "0.01927", "123.5", "12346"]);
        assert_eq!(short(-1.5e-7), "-1.500e-7");
    }
}
