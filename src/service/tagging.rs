//! `almanac library tags`: what documents are tagged with, and setting it right.

use super::error::ServiceError;
use super::reports::TagsLine;
use crate::control::{TagChange, TagKind};
use crate::documents::Correction;
use crate::library::{DocumentEntry, Library};

/// The tags of all documents, or of `document`, which gets `change` first.
pub(super) fn tags(
    library: &Library,
    document: Option<&str>,
    change: Option<&TagChange>,
) -> Result<Vec<TagsLine>, ServiceError> {
    let Some(id) = document else {
        if change.is_some() {
            let text = "a change of tags needs the id of a document";
            return Err(ServiceError::Invalid(text.into()));
        }
        return Ok(library.documents().into_iter().map(line).collect());
    };
    if let Some(change) = change {
        library.correct(id, changed(library.correction(id), change))?;
    }
    match library.document(id) {
        Some(entry) => Ok(vec![line(entry)]),
        None => Err(ServiceError::Missing(format!(
            "no document {id:?} in the library; `almanac library list` shows their ids"
        ))),
    }
}

/// `correction` with `change`: first what is cleared goes, then what is set holds.
fn changed(mut correction: Correction, change: &TagChange) -> Correction {
    for kind in &change.clear {
        match kind {
            TagKind::Place => correction.place = None,
            TagKind::Crop => correction.crops = None,
            TagKind::Topic => correction.topics = None,
        }
    }
    Correction {
        place: change.place.clone().or(correction.place),
        crops: change.crops.clone().or(correction.crops),
        topics: change.topics.clone().or(correction.topics),
    }
}

fn line(entry: DocumentEntry) -> TagsLine {
    TagsLine {
        document: entry.id,
        title: entry.title,
        tags: entry.tags,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Place;

    #[test]
    fn a_change_clears_first_and_sets_then() {
        let before = Correction {
            place: Some(Place::new("US", "Iowa")),
            crops: Some(vec!["maize".into()]),
            topics: None,
        };
        let change = TagChange {
            topics: Some(vec!["pests".into()]),
            clear: vec![TagKind::Place],
            ..TagChange::default()
        };
        let after = changed(before, &change);
        assert_eq!(after.place, None);
        assert_eq!(after.crops, Some(vec!["maize".into()]));
        assert_eq!(after.topics, Some(vec!["pests".into()]));
    }
}
