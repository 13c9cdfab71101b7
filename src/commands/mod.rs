//! The command line: one file a subcommand, thin over `service` or one room.
//!
//! Results go to stdout, progress and errors to stderr. With `--json` every result is one JSON
//! object a line, the same whether a daemon runs or the command opened the state itself.

mod ask;
mod bench;
mod channel;
mod dataset;
mod edition;
mod exit;
mod ingest;
mod keeping;
mod library;
mod models;
mod output;
mod place;
mod progress;
mod search;
mod serve;
mod status;
mod study;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, ConfigError};
use crate::service::Again;
pub use output::Output;

/// Answers farm questions from a local library, with sources.
#[derive(Debug, Parser)]
#[command(name = "almanac", version, arg_required_else_help = true)]
struct Cli {
    /// Configuration file [default: /etc/almanac/almanac.toml where it is there]
    #[arg(long, global = true, env = "ALMANAC_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// State folder, instead of the configured one
    #[arg(long, global = true, env = "ALMANAC_STATE", value_name = "DIR")]
    state: Option<PathBuf>,
    /// Print one JSON object a line
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon: answer over MQTT and on the control socket
    Serve,
    /// Read documents into the library
    Ingest(ingest::Args),
    /// Rank passages for a question
    Search(search::Args),
    /// Ask a question
    Ask(ask::Args),
    /// Look into the library
    Library(library::Args),
    /// Fetch, import, list and verify models
    Models(models::Args),
    /// Show how the box is
    Status,
    /// Make, sign, check, install and roll back editions
    Edition(edition::Args),
    /// Measure answers on a set of questions whose key facts are known
    Study(Box<study::Args>),
    /// Make questions and answers from documents, for tuning a model
    Dataset(dataset::Args),
    /// Time a part of the machine
    Bench(bench::Args),
}

/// What every command gets.
pub struct Context {
    /// The configuration in force.
    pub config: Config,
    /// Where results go.
    pub output: Output,
    /// How a child process gets the same configuration.
    pub again: Again,
}

/// Runs the command that the process was started with, and gives its exit code.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let result = context(&cli)
        .map_err(anyhow::Error::new)
        .and_then(|context| dispatch(cli.command, &context));
    exit::code(result)
}

fn dispatch(command: Command, context: &Context) -> anyhow::Result<()> {
    match command {
        Command::Serve => serve::run(context),
        Command::Ingest(args) => ingest::run(context, args),
        Command::Search(args) => search::run(context, args),
        Command::Ask(args) => ask::run(context, args),
        Command::Library(args) => library::run(context, args),
        Command::Models(args) => models::run(args, &context.config.state, context.output.is_json()),
        Command::Status => status::run(context),
        Command::Edition(args) => edition::run(context, args),
        Command::Study(args) => study::run(context, *args),
        Command::Dataset(args) => dataset::run(context, args),
        Command::Bench(args) => bench::run(context, &args),
    }
}

fn context(cli: &Cli) -> Result<Context, ConfigError> {
    let standard = Path::new("/etc/almanac/almanac.toml");
    let state = cli.state.as_deref();
    let config = match &cli.config {
        Some(path) => Config::load(path, state)?,
        None if standard.is_file() => Config::load(standard, state)?,
        None => Config::defaults(state)?,
    };
    Ok(Context {
        config,
        output: Output::new(cli.json),
        again: again(cli),
    })
}

fn again(cli: &Cli) -> Again {
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let mut arguments = Vec::new();
    for (name, path) in [("--config", &cli.config), ("--state", &cli.state)] {
        if let Some(path) = path {
            arguments.extend([name.into(), absolute(path).into_os_string()]);
        }
    }
    Again {
        // Without /proc, what its name on the path leads to.
        program: std::env::current_exe().unwrap_or_else(|_| "almanac".into()),
        arguments,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_whole_command_line_is_well_formed() {
        // clap checks a subcommand only when it is used: here all are.
        Cli::command().debug_assert();
    }
}
