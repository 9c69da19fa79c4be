//! Our operations and models against PyTorch's, on the same shapes and threads, in turn.
//!
//! `cargo run --release --example compare -- --python path/to/python` prints a table; `--only conv --rounds 5 --json` only the rows
//! whose name contains "conv", as JSON and nothing else. Python needs PyTorch; without it there is nothing to compare with, and the
//! program says so and ends.
//!
//! Each workload has a process of ours and one of the peer, so that the peak of the memory is its own. They take turns: while one measures,
//! the other waits for its input. A round is as many calls as fill a fifth of a second, at least one, and yields its fastest and its median
//! call. Minimum is compared with minimum and median with median. The peer uses the fastest of its settings (see peers.py).

mod networks;
mod workloads;

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio},
    time::Instant,
};

use clap::Parser;
use serde_json::{Value, json};
use workloads::{WORKLOADS, Work};

/// Tensors come and go in large blocks, which are used again.
#[global_allocator]
static MEMORY: cupel::kernels::Recycling = cupel::kernels::Recycling::new();

/// Above this load other programs take part in the measurement.
const IDLE_LOAD: f64 = 0.3;
/// How long one round measures, unless one call is longer.
const ROUND_SECONDS: f64 = 0.2;
const PEER: &str = include_str!("peers.py");

#[derive(Parser)]
struct Arguments {
    /// Only workloads whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Turns of each side.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Numbers of threads.
    #[arg(long, value_delimiter = ',', default_value = "2", value_parser = clap::value_parser!(u32).range(1..))]
    threads: Vec<u32>,
    /// A Python with PyTorch.
    #[arg(long, default_value = "python3")]
    python: String,
    /// Print the rows as JSON.
    #[arg(long)]
    json: bool,
    /// Run every selected workload once and without a peer, as a test of this program.
    #[arg(long, conflicts_with = "json")]
    smoke: bool,
    /// Measure this workload whenever a line arrives (what this program starts itself with).
    #[arg(long, hide = true)]
    measure: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(name) = &arguments.measure {
        return serve(name);
    }
    let chosen: Vec<_> = WORKLOADS.iter().filter(|workload| workload.name.contains(&arguments.only)).collect();
    if chosen.is_empty() {
        eprintln!("no workload's name contains {:?}; there are:", arguments.only);
        WORKLOADS.iter().for_each(|workload| eprintln!("  {}", workload.name));
        return ExitCode::FAILURE;
    }
    if arguments.smoke {
        for workload in chosen.iter().filter(|workload| !workload.large) {
            (workload.prepare)()();
            println!("{}: ran", workload.name);
        }
        return ExitCode::SUCCESS;
    }
    if !has_torch(&arguments.python) {
        eprintln!("skipped: {} cannot import torch; name a Python with PyTorch by --python", arguments.python);
        if arguments.json {
            println!("{}", json!({ "rows": [] }));
        }
        return ExitCode::SUCCESS;
    }
    warn_of_load();
    let mut rows = Vec::new();
    for &threads in &arguments.threads {
        for workload in &chosen {
            match row(workload.name, threads, &arguments) {
                Ok(row) => {
                    eprintln!("{}", line(&row));
                    rows.push(row);
                }
                Err(error) => {
                    eprintln!("{}: {error}", workload.name);
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    if arguments.json {
        println!("{}", json!({ "rows": rows.iter().map(Row::json).collect::<Vec<_>>() }));
    } else {
        println!(
            "| workload | threads | ours, ms: min / median | PyTorch | ratio of minima / medians | peak MB: ours / PyTorch |"
        );
        println!("|---|---|---|---|---|---|");
        rows.iter().for_each(|row| println!("{}", line(row)));
    }
    ExitCode::SUCCESS
}

fn has_torch(python: &str) -> bool {
    let run = Command::new(python).args(["-c", "import torch"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

fn warn_of_load() {
    let Ok(text) = std::fs::read_to_string("/proc/loadavg") else { return };
    if let Some(load) = text.split(' ').next().and_then(|load| load.parse::<f64>().ok())
        && load > IDLE_LOAD
    {
        eprintln!("warning: the load average is {load}, above {IDLE_LOAD}: other programs will be in these times");
    }
}

/// Times of one side.
struct Side {
    minimum: f64,
    median: f64,
    peak_mb: f64,
}

struct Row {
    workload: &'static str,
    threads: u32,
    ours: Side,
    peer: Side,
}

impl Row {
    fn json(&self) -> Value {
        json!({
            "workload": self.workload, "dtype": "f32", "device": "cpu", "threads": self.threads,
            "ours_ms": self.ours.minimum, "peer_ms": self.peer.minimum, "ratio": self.ours.minimum / self.peer.minimum,
            "ours_peak_mb": self.ours.peak_mb, "peer_peak_mb": self.peer.peak_mb,
        })
    }
}

fn line(Row { workload, threads, ours, peer }: &Row) -> String {
    format!(
        "| {workload} | {threads} | {:.2} / {:.2} | {:.2} / {:.2} | {:.2} / {:.2} | {:.0} / {:.0} |",
        ours.minimum,
        ours.median,
        peer.minimum,
        peer.median,
        ours.minimum / peer.minimum,
        ours.median / peer.median,
        ours.peak_mb,
        peer.peak_mb
    )
}

/// Measures one workload, ours and the peer's in turn.
fn row(name: &'static str, threads: u32, arguments: &Arguments) -> Result<Row, String> {
    let own = std::env::current_exe().map_err(|error| format!("finding this program: {error}"))?;
    let mut ours = Command::new(own);
    ours.args(["--measure", name]).env("RAYON_NUM_THREADS", threads.to_string());
    let mut peer = Command::new(&arguments.python);
    peer.args(["-c", PEER, name, &threads.to_string()])
        .env("OMP_NUM_THREADS", threads.to_string())
        .env("OMP_WAIT_POLICY", "PASSIVE");
    // Each prepares and warms up while the other is not there, or waits.
    let (mut ours, mut peer) = (Server::start(ours, "ours")?, Server::start(peer, "the peer")?);
    let mut rounds = [Vec::new(), Vec::new()];
    for _ in 0..arguments.rounds {
        rounds[0].push(ours.round()?);
        rounds[1].push(peer.round()?);
    }
    let [ours, peer] = rounds.map(side);
    Ok(Row { workload: name, threads, ours, peer })
}

fn side(rounds: Vec<Side>) -> Side {
    let minimum = rounds.iter().map(|round| round.minimum).fold(f64::INFINITY, f64::min);
    let peak_mb = rounds.iter().map(|round| round.peak_mb).fold(0.0, f64::max);
    Side { minimum, median: median(rounds.into_iter().map(|round| round.median).collect()), peak_mb }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A process that measures a round for every line it gets.
struct Server {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    who: &'static str,
}

impl Server {
    fn start(mut command: Command, who: &'static str) -> Result<Self, String> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(|error| format!("starting {who}: {error}"))?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(format!("starting {who}: no pipes"));
        };
        let mut server = Self { process, input, output: BufReader::new(output), who };
        server.answer()?; // it is ready
        Ok(server)
    }

    fn answer(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(0) => Err(format!("{} ended early; what it said stands above", self.who)),
            Ok(_) => serde_json::from_str(&line).map_err(|error| format!("{} answered {line:?}: {error}", self.who)),
            Err(error) => Err(format!("reading from {}: {error}", self.who)),
        }
    }

    fn round(&mut self) -> Result<Side, String> {
        self.input.write_all(b"\n").map_err(|error| format!("writing to {}: {error}", self.who))?;
        let answer = self.answer()?;
        let number =
            |key: &str| answer[key].as_f64().ok_or_else(|| format!("{} answered {answer} without {key}", self.who));
        Ok(Side { minimum: number("min_ms")?, median: number("median_ms")?, peak_mb: number("peak_mb")? })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The other side of [`Server`]: prepares the workload, and measures a round for every line.
fn serve(name: &str) -> ExitCode {
    let Some(workload) = WORKLOADS.iter().find(|workload| workload.name == name) else {
        eprintln!("no workload {name:?}");
        return ExitCode::FAILURE;
    };
    let mut work: Work = (workload.prepare)();
    let mut time = || {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    time(); // the first call also starts threads and fills caches
    let calls = (ROUND_SECONDS / time()).ceil().clamp(1.0, 1e4) as usize;
    println!("{}", json!({ "ready": true }));
    for _ in std::io::stdin().lines() {
        let times: Vec<f64> = (0..calls).map(|_| time() * 1e3).collect();
        let minimum = times.iter().copied().fold(f64::INFINITY, f64::min);
        println!("{}", json!({ "min_ms": minimum, "median_ms": median(times), "peak_mb": peak_mb() }));
    }
    ExitCode::SUCCESS
}

/// The peak of this process's resident memory, or 0 where the system does not say.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    kilobytes.unwrap_or(0.0) / 1024.0
}
