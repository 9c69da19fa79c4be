//! A command is a description; one runner runs it.
//!
//! What a command adds is its arguments, its plan and its work. The runner owns everything else: threads, device and precision with their
//! checks, dry run, the run folder that is opened, resumed and closed, progress, signals, what is printed and the exit code.

use std::{
    any::TypeId,
    fmt,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use clap::{Arg, ArgMatches, parser::ValueSource};
use cupel::train::{Description, Opened, Opening, Run, stop};
use serde::Serialize;

use crate::{
    config::{is_setting, key, section},
    output::Output,
    program::{stopped, usage},
    resolved,
    session::Session,
    shared::{RunFolder, Shared},
};

/// Settings that change no result.
const NEUTRAL: [&str; 10] = [
    "threads",
    "out",
    "checkpoint-every",
    "profile",
    "tui",
    "num-workers",
    "train-num-workers",
    "val-num-workers",
    "prefetch-factor",
    "cache-mb",
];
/// Where runs go whose folder is not named.
const RUNS: &str = "runs";

/// A command: its arguments are the type that implements this.
pub trait Command: clap::Args + Sized {
    /// What was read and checked, all of it owned. Its words, and its JSON form, say what would be done: `--dry-run` prints them.
    type Plan: fmt::Display + Serialize;
    /// The result, as words and as JSON.
    type Outcome: fmt::Display + Serialize;
    /// Settings of which a larger value goes on with a run that had a smaller one.
    const GROWING: &'static [&'static str] = &[];

    /// The groups of shared flags that it takes.
    fn shared(&self) -> Shared<'_>;

    /// Settings that have no effect beside the others, each with what it would need; giving one is an error.
    fn unused(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Names the run folder where the user does not.
    fn stem(&self) -> String {
        "run".to_owned()
    }

    /// The run folder of a command whose results may go to a place that is no folder, or that follows from its settings.
    fn folder(&self, out: Option<&Path>) -> Option<PathBuf> {
        out.map(Path::to_path_buf)
    }

    /// Reads and checks everything that can be wrong, and writes nothing.
    ///
    /// # Errors
    /// Bad input.
    fn plan(&self, session: &Session) -> Result<Self::Plan>;

    /// Does it.
    ///
    /// # Errors
    /// What fails; a stop by a signal is an error that `main` knows.
    fn work(self, plan: Self::Plan, session: &mut Session) -> Result<Self::Outcome>;

    /// Whether the result, once printed, is a failure all the same.
    ///
    /// # Errors
    /// Why it is.
    fn verdict(_: &Self::Outcome) -> Result<()> {
        Ok(())
    }
}

/// One call of the program: the command that was meant and what was said to it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// `unmix run`.
    pub name: &'a str,
    /// What it takes.
    pub command: &'a clap::Command,
    /// What it got.
    pub matches: &'a ArgMatches,
}

impl Call<'_> {
    /// Runs `command`, which was made of the arguments of this call.
    ///
    /// # Errors
    /// As [`Command::plan`] and [`Command::work`]; settings without an effect; a folder that may not be used.
    pub fn run<C: Command>(self, command: C) -> Result<()> {
        let unused = command.unused();
        for (name, because) in &unused {
            if self.given(name) {
                return Err(usage(self.command, &format!("--{name}: {because}; leave it out")));
            }
        }
        let unused: Vec<String> = unused.into_iter().map(|(name, _)| name).collect();
        let shared = command.shared();
        if shared.output.print_config {
            return write!(std::io::stdout(), "{}", resolved::text(self.name, self.command, self.matches, &unused))
                .map_err(Into::into);
        }
        let output = Output::new(shared.output);
        let mut session = Session::start(&shared)?;
        let dir = shared.run.map(|run| self.dir(run, &command)).transpose()?;
        session.set_out(dir.clone());
        let dry = shared.writing.is_some_and(|writing| writing.dry_run);
        let Some((run, dir)) = shared.run.cloned().zip(dir) else {
            let plan = command.plan(&session)?;
            if dry {
                return output.result(&plan);
            }
            let outcome = command.work(plan, &mut session)?;
            output.result(&outcome)?;
            return C::verdict(&outcome);
        };
        let mut is = Description::new(self.name)
            .settings(&resolved::table(self.name, self.command, self.matches, &unused))?
            .neutral(&NEUTRAL)
            .growing(C::GROWING);
        for (setting, path) in self.files() {
            is = is.file(&setting, &path)?;
        }
        let plan = command.plan(&session)?;
        if dry {
            return output.result(&Planned { plan, out: dir });
        }
        let how = match (run.resume, run.out.writing.force) {
            (true, _) => Opening::Resume { strict: run.strict },
            (false, true) => Opening::Replace,
            (false, false) => Opening::Create,
        };
        stop::check()?;
        match Run::open(&dir, &is, how)? {
            Opened::Finished(summary) => output.result(&Earlier { summary, dir }),
            Opened::Run(opened) => {
                session.open(*opened, &run)?;
                let outcome = match command.work(plan, &mut session) {
                    Err(error) if stopped(&error).is_none() => {
                        session.abandon();
                        return Err(error);
                    }
                    other => other?,
                };
                session.finish(&outcome)?;
                output.result(&outcome)?;
                C::verdict(&outcome)
            }
        }
    }

    /// Whether the user, or his settings file, gave a value to the argument of this name.
    fn given(self, name: &str) -> bool {
        let id = self.command.get_arguments().find(|argument| key(argument) == name).map(Arg::get_id);
        id.is_some_and(|id| self.matches.value_source(id.as_str()) == Some(ValueSource::CommandLine))
    }

    /// The folder asked for, or the first unused one under `runs`.
    fn dir<C: Command>(self, run: &RunFolder, command: &C) -> Result<PathBuf> {
        if let Some(dir) = command.folder(run.out.out.as_deref()) {
            return Ok(dir);
        }
        if run.resume {
            return Err(usage(self.command, "--resume needs --out with the folder of the stopped run"));
        }
        let science = self.name.split(' ').next().unwrap_or(self.name);
        let stem = command.stem();
        let first = Path::new(RUNS).join(format!("{science}-{stem}"));
        let numbered = (2u32..).map(|n| Path::new(RUNS).join(format!("{science}-{stem}-{n}")));
        std::iter::once(first).chain(numbered).find(|dir| !dir.exists()).context("no folder is left under runs")
    }

    /// The settings that name files, with those files that are there.
    fn files(self) -> Vec<(String, PathBuf)> {
        let is_path =
            |argument: &&Arg| is_setting(argument) && argument.get_value_parser().type_id() == TypeId::of::<PathBuf>();
        let mut files = Vec::new();
        for argument in self.command.get_arguments().filter(is_path).filter(|argument| key(argument) != "out") {
            let paths = self.matches.get_many::<PathBuf>(argument.get_id().as_str()).into_iter().flatten();
            let name = section(argument).map_or_else(|| key(argument), |own| format!("{own}.{}", key(argument)));
            files.extend(paths.filter(|path| path.exists()).map(|path| (name.clone(), path.clone())));
        }
        files
    }
}

/// What a run would do, and where.
#[derive(Serialize)]
struct Planned<P> {
    #[serde(flatten)]
    plan: P,
    out: PathBuf,
}

impl<P: fmt::Display> fmt::Display for Planned<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.plan.to_string().trim_end())?;
        write!(f, "results would go to {}", self.out.display())
    }
}

/// The summary of a run that was finished before.
#[derive(Serialize)]
struct Earlier {
    #[serde(flatten)]
    summary: serde_json::Value,
    #[serde(skip)]
    dir: PathBuf,
}

impl fmt::Display for Earlier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dir = self.dir.display();
        write!(f, "the run in {dir} was already finished, and nothing was done; its report: {dir}/report.html")
    }
}
