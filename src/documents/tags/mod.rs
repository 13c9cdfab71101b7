//! Where a document holds and what it is about, each with where that is known from.

use serde::{Deserialize, Serialize};

use super::{Metadata, crops};
use crate::types::Place;

/// Where a tag is known from, most certain first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Somebody set it right.
    Corrected,
    /// The file says so of itself: front matter, meta elements, keywords.
    FrontMatter,
    /// The folder's `tags.toml` says so.
    FolderRule,
    /// The title or a heading names it.
    Heading,
    /// The running text names it often enough.
    Text,
}

/// One tag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tag<T> {
    /// What it says.
    pub value: T,
    /// Where that is known from.
    pub from: Origin,
}

/// The tags of a document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tags {
    /// Where it holds; `None` where nothing says so: it is then taken to hold everywhere.
    pub place: Option<Tag<Place>>,
    /// Canonical names of the crops that it is about (see [`crops::canonical`]).
    pub crops: Vec<Tag<String>>,
    /// Topics.
    pub topics: Vec<Tag<String>>,
}

impl Tags {
    /// The place; general where none is known.
    pub fn place(&self) -> Place {
        let place = self.place.as_ref();
        place.map_or_else(Place::default, |tag| tag.value.clone())
    }

    /// The crops, without where they are known from.
    pub fn crops(&self) -> Vec<String> {
        values(&self.crops)
    }

    /// The topics, without where they are known from.
    pub fn topics(&self) -> Vec<String> {
        values(&self.topics)
    }

    /// What the file says of itself.
    pub(super) fn of_metadata(metadata: &Metadata) -> Tags {
        let from = Origin::FrontMatter;
        Tags {
            place: (!metadata.place.is_general()).then(|| Tag {
                value: metadata.place.clone(),
                from,
            }),
            crops: tagged(
                metadata.crops.iter().map(|crop| crops::canonical(crop)),
                from,
            ),
            topics: tagged(metadata.topics.iter().cloned(), from),
        }
    }
}

fn values(tags: &[Tag<String>]) -> Vec<String> {
    tags.iter().map(|tag| tag.value.clone()).collect()
}

/// Each value once, in order.
fn tagged(values: impl IntoIterator<Item = String>, from: Origin) -> Vec<Tag<String>> {
    let mut tags: Vec<Tag<String>> = Vec::new();
    for value in values {
        if !tags.iter().any(|tag| tag.value == value) {
            tags.push(Tag { value, from });
        }
    }
    tags
}
