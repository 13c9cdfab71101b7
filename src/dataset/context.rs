//! What a section is about, as the paper's supporting context: locations, crops, cattle, diseases.

use serde::{Deserialize, Serialize};

use crate::documents::{Tags, crops, named_places, topic_words};

/// Most names of one kind: a section that names more is about none of them.
const MOST_NAMES: usize = 12;

/// One kind of tag: whether the section has any, and which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The yes or no of the paper's first four questions.
    pub has: bool,
    /// The names of its second four; may be empty.
    pub list: Vec<String>,
}

/// The supporting context of a section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextTags {
    /// Places that it names, or that its document holds for.
    pub location: Named,
    /// Crops that it names, or that its document is about.
    pub crop: Named,
    /// Livestock that it names.
    pub cattle: Named,
    /// Diseases that it names.
    pub disease: Named,
}

impl ContextTags {
    /// The context of the section `text` of a document tagged `tags`.
    pub fn of(text: &str, tags: &Tags) -> Self {
        let mut places: Vec<String> = named_places(text).iter().map(ToString::to_string).collect();
        let own = tags.place();
        if !own.is_general() {
            places.insert(0, own.to_string());
        }
        let mut crops: Vec<String> = crops::named_in_prose(text)
            .into_iter()
            .map(str::to_owned)
            .collect();
        if crops.is_empty() {
            crops = tags.crops();
        }
        // The gazetteer of crops has animals too, since documents are filed under them.
        let livestock = topic_words(text, "livestock");
        crops.retain(|crop| !matches!(crop.as_str(), "cattle" | "buffalo"));
        ContextTags {
            location: named(places),
            crop: named(crops),
            cattle: named(livestock),
            disease: named(topic_words(text, "disease")),
        }
    }
}

fn named(names: Vec<String>) -> Named {
    let mut list: Vec<String> = Vec::new();
    for name in names {
        if !list.contains(&name) && list.len() < MOST_NAMES {
            list.push(name);
        }
    }
    Named {
        has: !list.is_empty(),
        list,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::testing::document;

    #[test]
    fn the_four_kinds_are_named_or_said_to_be_absent() {
        let document = document(
            "a.md",
            "---\nplace: {country: US, region: Iowa}\n---\nText.",
        );
        let tags = ContextTags::of(
            "Corn in Ohio may get blight. Keep the cows out.",
            &document.tags,
        );
        assert_eq!(tags.location.list[0], "Iowa, US");
        assert!(
            tags.location
                .list
                .iter()
                .any(|place| place.contains("Ohio")),
            "{tags:?}"
        );
        assert_eq!(tags.crop.list, ["maize"]);
        assert_eq!(tags.cattle.list, ["cow"]);
        assert_eq!(tags.disease.list, ["blight"]);
        let none = ContextTags::of("The shed is locked.", &Tags::default());
        assert_eq!(none, ContextTags::default());
    }
}
