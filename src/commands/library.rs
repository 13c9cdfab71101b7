//! `almanac library`

use std::path::PathBuf;

use anyhow::{anyhow, bail};

use super::channel::Channel;
use super::place;
use super::{Context, keeping};
use crate::control::{LibraryOp, Request, TagChange, TagKind};
use crate::library::CheckReport;
use crate::service::{DocumentLine, LibraryStats, PassageLine, TagsLine};

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
    /// Show one document's passages; with --json, the whole document as it was read
    Show {
        /// The document's id, as `list` shows it
        document: String,
    },
    /// Take one document out
    Remove {
        /// The document's id, as `list` shows it
        document: String,
    },
    /// Show what documents are tagged with and where that is known from, or set it right
    Tags {
        /// The document's id, as `list` shows it; all documents when left out
        document: Option<String>,
        /// `place=US/Iowa`, `crop=maize` or `topic=planting`; several crops or topics: several times;
        /// `place=anywhere` and `crop=` say that there is none
        #[arg(long, value_name = "KIND=VALUE", requires = "document")]
        set: Vec<String>,
        /// Go back to what was found: `place`, `crop`, `topic` or `all`
        #[arg(long, value_name = "KIND", requires = "document")]
        clear: Vec<String>,
    },
    /// Count documents and passages
    Stats,
    /// Read every document again against its seal; fails when one is damaged or missing
    Check,
    /// Cut and embed all documents anew from what was read of them: after damage, or with another
    /// size of passages or another embedder; searches go on meanwhile
    Rebuild,
    /// Write all documents and corrected tags into one file
    Backup {
        /// The file, replaced when it is there
        file: PathBuf,
    },
    /// Put a backup in the place of the whole library, after every digest in it was found right
    Restore {
        /// The file that `backup` wrote
        file: PathBuf,
    },
}

/// Looks into the library, or removes from it.
pub fn run(context: &Context, args: Args) -> anyhow::Result<()> {
    let what = match &args.what {
        What::Backup { file } => return keeping::back_up(context, file),
        What::Restore { file } => return keeping::restore(context, file),
        What::Rebuild => return keeping::rebuild(context),
        What::List => LibraryOp::List,
        What::Show { document } if context.output.is_json() => LibraryOp::Tree(document.clone()),
        What::Show { document } => LibraryOp::Show(document.clone()),
        What::Tags {
            document,
            set,
            clear,
        } => LibraryOp::Tags {
            document: document.clone(),
            change: change(set, clear)?,
        },
        What::Remove { document } => LibraryOp::Remove(document.clone()),
        What::Stats => LibraryOp::Stats,
        What::Check => LibraryOp::Check,
    };
    let mut channel = Channel::open(&context.config)?;
    let value = channel.call(&Request::Library { what }, &mut |_| {})?;
    let out = context.output;
    if matches!(args.what, What::Check) {
        return checked(context, serde_json::from_value(value)?);
    }
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
        What::Tags { .. } => {
            for line in serde_json::from_value::<Vec<TagsLine>>(value)? {
                out.line(line.to_string().trim_end())?;
            }
        }
        What::Remove { document } => out.line(&format!("removed {document}"))?,
        What::Stats => out.line(&serde_json::from_value::<LibraryStats>(value)?.to_string())?,
        // Told above.
        What::Check | What::Rebuild | What::Backup { .. } | What::Restore { .. } => {}
    }
    Ok(())
}

/// Prints what a check found; fails unless it is clean.
fn checked(context: &Context, report: CheckReport) -> anyhow::Result<()> {
    let out = context.output;
    if out.is_json() {
        out.json(&report)?;
    } else {
        let CheckReport {
            documents,
            passages,
            ..
        } = report;
        out.line(&format!(
            "{documents} documents with {passages} passages are whole"
        ))?;
        for id in &report.damaged {
            out.line(&format!("damaged: {id}"))?;
        }
        for problem in &report.problems {
            out.line(&format!("wrong: {problem}"))?;
        }
    }
    match report.is_clean() {
        true => Ok(()),
        false => bail!("the library is damaged\nhint: ingest the named documents again"),
    }
}

/// The change that `--set` and `--clear` ask for; `None` when they ask for nothing.
fn change(set: &[String], clear: &[String]) -> anyhow::Result<Option<TagChange>> {
    let mut change = TagChange::default();
    for kind in clear {
        change.clear.extend(match kind.as_str() {
            "place" => vec![TagKind::Place],
            "crop" => vec![TagKind::Crop],
            "topic" => vec![TagKind::Topic],
            "all" => vec![TagKind::Place, TagKind::Crop, TagKind::Topic],
            other => bail!("--clear {other}: expected place, crop, topic or all"),
        });
    }
    for pair in set {
        let expected = "expected place=US/Iowa, crop=maize or topic=planting";
        let (kind, value) = pair
            .split_once('=')
            .ok_or_else(|| anyhow!("--set {pair}: {expected}"))?;
        let add = |list: &mut Option<Vec<String>>| {
            let list = list.get_or_insert_default();
            let value = value.trim();
            list.extend((!value.is_empty()).then(|| value.to_owned()));
        };
        match kind.trim() {
            "place" => {
                let place = place::parse(value).map_err(|reason| anyhow!("--set {pair}: {reason}"));
                change.place = Some(place?);
            }
            "crop" => add(&mut change.crops),
            "topic" => add(&mut change.topics),
            _ => bail!("--set {pair}: {expected}"),
        }
    }
    Ok((change != TagChange::default()).then_some(change))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Place;

    fn change_of(set: &[&str], clear: &[&str]) -> anyhow::Result<Option<TagChange>> {
        let owned = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        change(&owned(set), &owned(clear))
    }

    #[test]
    fn settings_add_up_by_kind_and_nonsense_is_refused() {
        let change = change_of(
            &["place=US/Iowa", "crop=maize", "crop=rice", "topic="],
            &["all"],
        );
        let change = change.expect("valid").expect("a change");
        assert_eq!(change.place, Some(Place::new("US", "Iowa")));
        assert_eq!(change.crops, Some(vec!["maize".into(), "rice".into()]));
        assert_eq!(change.topics, Some(Vec::new()));
        assert_eq!(change.clear.len(), 3);
        assert_eq!(change_of(&[], &[]).expect("valid"), None);
        for (set, clear) in [
            (&["place"][..], &[][..]),
            (&["soil=clay"], &[]),
            (&[], &["everything"]),
        ] {
            assert!(change_of(set, clear).is_err());
        }
    }
}
