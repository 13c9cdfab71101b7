//! `almanac library`

use super::Context;
use super::channel::Channel;
use crate::control::{LibraryOp, Request};
use crate::service::{DocumentLine, LibraryStats, PassageLine};

/// Arguments of `almanac library`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the documents
    List,
    /// Show one document's passages
    Show {
        /// The document's id, as `list` shows it
        document: String,
    },
    /// Take one document out
    Remove {
        /// The document's id, as `list` shows it
        document: String,
    },
    /// Count documents and passages
    Stats,
}

/// Looks into the library, or removes from it.
pub fn run(context: &Context, args: Args) -> anyhow::Result<()> {
    let mut channel = Channel::open(&context.config)?;
    let what = match &args.what {
        What::List => LibraryOp::List,
        What::Show { document } => LibraryOp::Show(document.clone()),
        What::Remove { document } => LibraryOp::Remove(document.clone()),
        What::Stats => LibraryOp::Stats,
    };
    let value = channel.call(&Request::Library { what }, &mut |_| {})?;
    let out = context.output;
    if out.is_json() {
        // One object a line, also where the result is a list.
        return match value.as_array() {
            Some(items) => Ok(items.iter().try_for_each(|item| out.json(item))?),
            None => Ok(out.json(&value)?),
        };
    }
    match args.what {
        What::List => {
            for line in serde_json::from_value::<Vec<DocumentLine>>(value)? {
                out.line(&line.to_string())?;
            }
        }
        What::Show { .. } => {
            for line in serde_json::from_value::<Vec<PassageLine>>(value)? {
                out.line(&line.to_string())?;
            }
        }
        What::Remove { document } => out.line(&format!("removed {document}"))?,
        What::Stats => out.line(&serde_json::from_value::<LibraryStats>(value)?.to_string())?,
    }
    Ok(())
}
