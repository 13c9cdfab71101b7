//! `almanac edition`

use super::Context;
use super::channel::Channel;
use crate::control::Request;
use crate::service::EditionReport;

/// Arguments of `almanac edition`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The edition that answers, with its files and golden questions
    Status,
    /// Every edition on this box
    List,
}

/// Prints editions.
pub fn run(context: &Context, args: Args) -> anyhow::Result<()> {
    let mut channel = Channel::open(&context.config)?;
    let report: EditionReport = channel.call_as(&Request::Edition, &mut |_| {})?;
    let out = context.output;
    match args.what {
        What::Status => match report.current() {
            Some(manifest) if out.is_json() => out.json(manifest)?,
            Some(manifest) => {
                out.line(&format!("edition {} ({})", manifest.serial, manifest.name))?;
                for file in &manifest.files {
                    let role = format!("{:?}", file.role).to_lowercase();
                    out.line(&format!("  {role:9} {}", file.path.display()))?;
                }
                for golden in &manifest.golden {
                    out.line(&format!("  golden    {}", golden.question))?;
                }
            }
            None => anyhow::bail!(
                "there is no edition yet; run `almanac models fetch` and `almanac ingest`"
            ),
        },
        What::List => {
            for manifest in &report.editions {
                let mark = if Some(manifest.serial) == report.current {
                    "*"
                } else {
                    " "
                };
                if out.is_json() {
                    out.json(manifest)?;
                } else {
                    out.line(&format!("{mark} {:>4}  {}", manifest.serial, manifest.name))?;
                }
            }
        }
    }
    Ok(())
}
