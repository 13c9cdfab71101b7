use super::super::Block;
use super::*;

fn section(heading: &str, text: &str) -> Section {
    Section {
        headings: (!heading.is_empty())
            .then(|| heading.to_owned())
            .into_iter()
            .collect(),
        level: u8::from(!heading.is_empty()),
        blocks: vec![Block::from(Body::Paragraph(text.to_owned()))],
    }
}

fn find(title: &str, sections: &[Section]) -> Tags {
    Tags::find(&Metadata::default(), Tags::default(), title, sections)
}

fn place(tags: &Tags) -> Option<(String, Origin)> {
    let tag = tags.place.as_ref()?;
    Some((tag.value.to_string(), tag.from))
}

#[test]
fn a_file_that_is_about_no_crop_in_particular_gets_none_from_its_folder_or_headings() {
    let metadata = Metadata {
        every_crop: true,
        ..Metadata::default()
    };
    let folder = Tags {
        crops: tagged(["rice".to_owned()], Origin::FolderRule),
        ..Tags::default()
    };
    let sections = [section("Millet as a cover crop", "Millet leaves straw.")];
    let tags = Tags::find(&metadata, folder, "Soil health", &sections);
    assert_eq!(tags.crops(), Vec::<String>::new());
    let unsaid = find("Soil health", &sections);
    assert_eq!(unsaid.crops(), ["millet"]);
}

#[test]
fn what_the_file_says_wins_over_its_folder_and_that_over_its_title() {
    let metadata = Metadata {
        place: Place::new("US", "Iowa"),
        crops: vec!["corn".into()],
        topics: vec!["planting".into()],
        ..Metadata::default()
    };
    let folder = Tags {
        place: tag(Some(Place::new("IN", "Punjab")), Origin::FolderRule),
        crops: tagged(["rice".to_owned()], Origin::FolderRule),
        topics: Vec::new(),
    };
    let title = "Wheat rust in Brazil";
    let tags = Tags::find(&metadata, folder.clone(), title, &[]);
    assert_eq!(place(&tags), Some(("Iowa, US".into(), Origin::FrontMatter)));
    assert_eq!(tags.crops(), ["maize"]);
    assert_eq!(tags.topics(), ["planting", "disease"]);
    assert_eq!(tags.topics[1].from, Origin::Heading);
    let tags = Tags::find(&Metadata::default(), folder, title, &[]);
    assert_eq!(
        place(&tags),
        Some(("Punjab, IN".into(), Origin::FolderRule))
    );
    assert_eq!(tags.crops(), ["rice"]);
    let tags = find(title, &[]);
    assert_eq!(place(&tags), Some(("BR".into(), Origin::Heading)));
    assert_eq!(tags.crops(), ["wheat"]);
}

#[test]
fn a_general_document_that_mentions_a_place_stays_general() {
    let sections = [
        section("Seed", "Most seed comes from Iowa. Corn is sown first."),
        section("Yields in Iowa", "Corn yields well."),
    ];
    let tags = find("Growing a crop", &sections);
    assert_eq!(place(&tags), None);
    assert!(tags.crops.is_empty());
}

#[test]
fn headings_that_agree_and_text_that_insists_give_a_place() {
    let sections = [
        section("Sowing in Punjab", "x"),
        section("Harvest in Punjab", "y"),
    ];
    assert_eq!(
        place(&find("A guide", &sections)),
        Some(("Punjab, IN".into(), Origin::Heading))
    );
    let others = [section("In Iowa", "x"), section("In Brazil", "y")];
    assert_eq!(place(&find("A guide", &others)), None);
    let text = "Farms in Nebraska irrigate corn. Nebraska has wells. In Nebraska corn needs water; corn pays.";
    let tags = find("A guide", &[section("", text)]);
    assert_eq!(place(&tags), Some(("Nebraska, US".into(), Origin::Text)));
    assert_eq!(
        (tags.crops(), tags.crops[0].from),
        (vec!["maize".to_owned()], Origin::Text)
    );
}

#[test]
fn a_correction_replaces_what_was_found_and_can_say_everywhere() {
    let found = find("Maize in Iowa", &[]);
    let correction = Correction {
        place: Some(Place::default()),
        crops: Some(vec!["Corn".into(), "soya".into()]),
        topics: None,
    };
    let tags = found.corrected(&correction);
    assert!(tags.place().is_general());
    assert_eq!(place(&tags), Some(("anywhere".into(), Origin::Corrected)));
    assert_eq!(tags.crops(), ["maize", "soybean"]);
    assert_eq!(found.corrected(&Correction::default()), found);
}
