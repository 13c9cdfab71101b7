//! Where a document holds and what it is about, each with where that is known from.

mod folder;
mod gazetteer;
mod places;
mod topics;

pub use folder::FolderTags;
pub(crate) use folder::is_tags;
pub use places::named_in as named_places;
pub use topics::topic_words;

use serde::{Deserialize, Serialize};

use super::{Body, Metadata, Section, crops};
use crate::types::Place;

/// Most crops taken from headings: a document that names more is about farming at large.
const MAX_HEADING_CROPS: usize = 5;

/// Fewest times a crop must be named in running text, and once in so many words.
const MIN_CROP_MENTIONS: usize = 3;
const WORDS_PER_CROP_MENTION: usize = 150;

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

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Origin::Corrected => "corrected",
            Origin::FrontMatter => "front matter",
            Origin::FolderRule => "folder rule",
            Origin::Heading => "heading",
            Origin::Text => "text",
        })
    }
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

    /// The tags of a document: of each kind, what the surest origin says.
    ///
    /// What a file or its folder says of crops or place is taken as it is. Else a place is taken from the
    /// title, from headings where all that name one agree, and from running text only where it names it
    /// again and again: a general document must not be shut out of all places but one. Topics add up.
    pub(super) fn find(
        metadata: &Metadata,
        folder: Tags,
        title: &str,
        sections: &[Section],
    ) -> Tags {
        let from = Origin::FrontMatter;
        let own = Tags {
            place: tag(Some(metadata.place.clone()), from),
            crops: tagged(
                metadata.crops.iter().map(|crop| crops::canonical(crop)),
                from,
            ),
            topics: tagged(metadata.topics.iter().cloned(), from),
        };
        let text = LazyText::new(sections);
        let place = own.place.or(folder.place);
        let crops = first_of([own.crops, folder.crops]);
        let said = first_of([own.topics, folder.topics]);
        Tags {
            place: place.or_else(|| found_place(title, sections, &text)),
            crops: match crops.is_empty() {
                _ if metadata.every_crop => Vec::new(),
                true => found_crops(title, sections, &text),
                false => crops,
            },
            topics: with_found_topics(said, title, sections, &text),
        }
    }

    /// These tags, with what somebody set right in the place of what was found.
    pub fn corrected(&self, correction: &Correction) -> Tags {
        let from = Origin::Corrected;
        let place = match &correction.place {
            Some(place) => Some(Tag {
                value: place.clone(),
                from,
            }),
            None => self.place.clone(),
        };
        let crops = correction.crops.as_ref();
        let topics = correction.topics.as_ref();
        Tags {
            place,
            crops: crops.map_or_else(
                || self.crops.clone(),
                |crops| tagged(crops.iter().map(|crop| crops::canonical(crop)), from),
            ),
            topics: topics.map_or_else(
                || self.topics.clone(),
                |topics| tagged(topics.iter().cloned(), from),
            ),
        }
    }
}

/// What somebody set right; `None` leaves what was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correction {
    /// Where it holds; general for everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// All of its crops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crops: Option<Vec<String>>,
    /// All of its topics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topics: Option<Vec<String>>,
}

impl Correction {
    /// Whether it sets nothing.
    pub fn is_empty(&self) -> bool {
        *self == Correction::default()
    }
}

/// The running text of sections, put together when it is first asked for.
struct LazyText<'a>(std::cell::LazyCell<String, Box<dyn FnOnce() -> String + 'a>>);

impl<'a> LazyText<'a> {
    fn new(sections: &'a [Section]) -> Self {
        LazyText(std::cell::LazyCell::new(Box::new(move || {
            running_text(sections)
        })))
    }

    fn get(&self) -> &str {
        self.0.as_str()
    }
}

/// Paragraphs and items, one a line; tables and captions say little of what a whole document is about.
fn running_text(sections: &[Section]) -> String {
    let mut text = String::new();
    for block in sections.iter().flat_map(|section| &section.blocks) {
        match &block.body {
            Body::Paragraph(paragraph) => text.push_str(paragraph),
            Body::List(items) => items
                .iter()
                .for_each(|item| text.extend([item.as_str(), "\n"])),
            Body::Table(_) | Body::Caption(_) => {}
        }
        text.push('\n');
    }
    text
}

/// Each section's own heading, once.
fn headings(sections: &[Section]) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for section in sections {
        let own = section.heading();
        if found.last() != Some(&own) && !own.is_empty() {
            found.push(own);
        }
    }
    found
}

fn found_place(title: &str, sections: &[Section], text: &LazyText<'_>) -> Option<Tag<Place>> {
    let in_title = places::named_in(title);
    if !in_title.is_empty() {
        return tag(places::common(&in_title), Origin::Heading);
    }
    let in_headings: Vec<Place> = headings(sections)
        .into_iter()
        .flat_map(places::named_in)
        .collect();
    match in_headings.len() {
        0 => {
            let place = places::dominant(text.get())?;
            let is_throughout = is_named_throughout(&place, sections);
            tag(is_throughout.then_some(place), Origin::Text)
        }
        // One heading is about one section.
        1 => None,
        _ => tag(places::common(&in_headings), Origin::Heading),
    }
}

/// Whether half of the sections name `place`: a trial's site stands in its methods, its lesson holds wider.
fn is_named_throughout(place: &Place, sections: &[Section]) -> bool {
    let names = |section: &&Section| {
        let text = running_text(std::slice::from_ref(section));
        places::named_in(&text)
            .iter()
            .any(|named| place.covers(named))
    };
    sections.iter().filter(names).count() * 2 >= sections.len()
}

fn found_crops(title: &str, sections: &[Section], text: &LazyText<'_>) -> Vec<Tag<String>> {
    let own = |names: Vec<&'static str>| names.into_iter().map(str::to_owned);
    let in_title = crops::named_in_prose(title);
    if !in_title.is_empty() {
        return tagged(own(in_title), Origin::Heading);
    }
    let in_headings = crops::named_in_prose(&headings(sections).join("\n"));
    if (1..=MAX_HEADING_CROPS).contains(&in_headings.len()) {
        return tagged(own(in_headings), Origin::Heading);
    }
    let (counts, words) = crops::counted_in_prose(text.get());
    let all: usize = counts.iter().map(|(_, count)| count).sum();
    let least = MIN_CROP_MENTIONS.max(words / WORDS_PER_CROP_MENTION);
    let leads = |(_, count): &(&'static str, usize)| *count >= least && count * 2 >= all;
    let leading = counts.into_iter().filter(leads).map(|(crop, _)| crop);
    tagged(own(leading.collect()), Origin::Text)
}

fn with_found_topics(
    mut tags: Vec<Tag<String>>,
    title: &str,
    sections: &[Section],
    text: &LazyText<'_>,
) -> Vec<Tag<String>> {
    let mut add = |names: Vec<&'static str>, from| {
        for name in names {
            if !tags.iter().any(|tag| tag.value.eq_ignore_ascii_case(name)) {
                let value = name.to_owned();
                tags.push(Tag { value, from });
            }
        }
    };
    add(topics::named_in(title), Origin::Heading);
    add(
        topics::named_in(&headings(sections).join("\n")),
        Origin::Heading,
    );
    add(topics::dominant(text.get()), Origin::Text);
    tags
}

/// The first list with something in it.
fn first_of<const N: usize>(lists: [Vec<Tag<String>>; N]) -> Vec<Tag<String>> {
    let mut lists = lists.into_iter();
    lists.find(|list| !list.is_empty()).unwrap_or_default()
}

/// A place that says something.
fn tag(place: Option<Place>, from: Origin) -> Option<Tag<Place>> {
    let value = place.filter(|place| !place.is_general())?;
    Some(Tag { value, from })
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

#[cfg(test)]
#[path = "../tags_tests.rs"]
mod tests;
