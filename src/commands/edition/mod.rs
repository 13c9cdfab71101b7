//! `almanac edition`: made, signed and pushed on the operator's machine, installed and rolled back on a box.

mod board;
mod offline;
mod on_box;
mod push;
mod pusher;

use std::path::PathBuf;

use super::Context;

/// Arguments of `almanac edition`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The edition that answers, with its files and golden questions, and how the last update went
    Status,
    /// Every edition on this box
    List,
    /// Take an edition from a folder, a stick for example: checked, tried, made current or given up
    Install {
        /// The edition's folder, or its edition.toml
        path: PathBuf,
        /// Take it though a newer one was current before
        #[arg(long)]
        allow_downgrade: bool,
    },
    /// Go back to the edition before
    Rollback {
        /// The reason, for the record
        #[arg(long, default_value = "the operator wanted it")]
        why: String,
    },
    /// Remove what no edition needs any more
    Gc,
    /// Ask an edition its golden questions; for `install`
    #[command(hide = true)]
    Probe {
        /// Its serial
        serial: u64,
    },
    /// Make a key pair: NAME.key to sign with, NAME.pub for the boxes
    Keygen {
        /// Path and name without extension
        name: PathBuf,
        /// Keep the secret key unencrypted
        #[arg(long)]
        no_password: bool,
    },
    /// Make an edition from a plan
    Build {
        /// The plan, a TOML file
        plan: PathBuf,
        /// Folder of editions and their contents
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Sign an edition
    Sign {
        /// The edition's folder
        folder: PathBuf,
        /// The secret key, of `keygen` or of `minisign -G`
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Signed with it and shown by `verify`
        #[arg(long)]
        comment: Option<String>,
        /// The secret key is unencrypted
        #[arg(long)]
        no_password: bool,
    },
    /// Show what an edition is made of; checks nothing
    Inspect {
        /// The edition's folder
        folder: PathBuf,
    },
    /// Check signature, manifest and every content
    Verify {
        /// The edition's folder
        folder: PathBuf,
        /// Public keys to trust [default: those of the configuration]
        #[arg(long, value_name = "FILE")]
        key: Vec<PathBuf>,
    },
    /// Offer an edition to boxes over MQTT, and serve its contents until each box has come to an end
    Push(Box<push::Args>),
    /// Tell what a box on one edition fetches for another
    Diff {
        /// Folder of the edition that the box is on
        from: PathBuf,
        /// Folder of the one that it is to get
        to: PathBuf,
    },
}

/// Does what is asked of editions.
pub fn run(context: &Context, args: Args) -> anyhow::Result<()> {
    match args.what {
        What::Status => on_box::status(context),
        What::List => on_box::list(context),
        What::Install {
            path,
            allow_downgrade,
        } => on_box::install(context, &path, allow_downgrade),
        What::Rollback { why } => on_box::roll_back(context, &why),
        What::Gc => on_box::collect_garbage(context),
        What::Probe { serial } => on_box::probe(context, serial),
        What::Keygen { name, no_password } => offline::keygen(context, &name, no_password),
        What::Build { plan, out } => offline::build(context, &plan, &out),
        What::Sign {
            folder,
            key,
            comment,
            no_password,
        } => offline::sign(&folder, &key, comment, no_password),
        What::Inspect { folder } => offline::inspect(context, &folder),
        What::Verify { folder, key } => offline::verify(context, &folder, &key),
        What::Push(args) => push::run(context, &args),
        What::Diff { from, to } => offline::diff(context, &from, &to),
    }
}
