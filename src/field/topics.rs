//! The topics of one site, typed: what arrives is recognised here, and nothing is published outside the prefix.

/// First level of every topic.
pub(super) const PREFIX: &str = "almanac";
/// Longest response topic taken, bytes.
const MAX_TOPIC: usize = 256;

/// A site, box, client or device: `[A-Za-z0-9_-]{1,64}`, so that it is one topic level and no wildcard.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// `text` as a name; `None` where it is none.
    pub fn new(text: &str) -> Option<Name> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        ((1..=64).contains(&text.len()) && text.bytes().all(legal)).then(|| Name(text.to_owned()))
    }

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A topic that this box listens to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    /// `ask/<client>`
    Ask(Name),
    /// `sense/<device>`
    Sense(Name),
    /// `status/<box>` of this box.
    OwnStatus,
    /// `edition/offer/<box>` of this box.
    EditionOffer,
    /// `edition/chunk/<box>` of this box.
    EditionChunk,
}

/// The topics of one box at one site.
#[derive(Clone, Debug)]
pub struct Topics {
    site: Name,
    box_name: Name,
}

impl Topics {
    /// The topics of `box_name` at `site`.
    pub fn new(site: Name, box_name: Name) -> Self {
        Topics { site, box_name }
    }

    /// What all asks match; through the group `share_group` where several boxes share them.
    pub fn ask_filter(&self, share_group: Option<&str>) -> String {
        let filter = format!("{PREFIX}/{}/ask/+", self.site);
        match share_group {
            Some(group) => format!("$share/{group}/{filter}"),
            None => filter,
        }
    }

    /// What all readings match.
    pub fn sense_filter(&self) -> String {
        format!("{PREFIX}/{}/sense/+", self.site)
    }

    /// This box's status.
    pub fn status(&self) -> String {
        format!("{PREFIX}/{}/status/{}", self.site, self.box_name)
    }

    /// Where this box is offered editions.
    pub fn edition_offer(&self) -> String {
        self.edition("offer")
    }

    /// Where the contents of an edition come to this box.
    pub fn edition_chunk(&self) -> String {
        self.edition("chunk")
    }

    /// Where this box says what it wants of an edition.
    pub fn edition_want(&self) -> String {
        self.edition("want")
    }

    /// Where this box says how far an edition is.
    pub fn edition_state(&self) -> String {
        self.edition("state")
    }

    fn edition(&self, what: &str) -> String {
        format!("{PREFIX}/{}/edition/{what}/{}", self.site, self.box_name)
    }

    /// Where answers to `client` go, unless it names a topic below.
    pub fn answer(&self, client: &Name) -> String {
        format!("{PREFIX}/{}/answer/{client}", self.site)
    }

    /// This box's name at the broker: the same with every connection, so that its session goes on.
    pub fn client_id(&self) -> String {
        format!("{PREFIX}-{}-{}", self.site, self.box_name)
    }

    /// Whose topic `topic` is; `None` for one that this box has no use for.
    pub fn read(&self, topic: &[u8]) -> Option<Topic> {
        let topic = std::str::from_utf8(topic).ok()?;
        if topic == self.status() {
            return Some(Topic::OwnStatus);
        }
        let below = topic
            .strip_prefix(PREFIX)?
            .strip_prefix('/')?
            .strip_prefix(self.site.as_str())?
            .strip_prefix('/')?;
        let (verb, name) = below.split_once('/')?;
        if verb == "edition" {
            return match name.split_once('/')? {
                ("offer", name) if name == self.box_name.as_str() => Some(Topic::EditionOffer),
                ("chunk", name) if name == self.box_name.as_str() => Some(Topic::EditionChunk),
                _ => None,
            };
        }
        let name = Name::new(name)?;
        match verb {
            "ask" => Some(Topic::Ask(name)),
            "sense" => Some(Topic::Sense(name)),
            _ => None,
        }
    }

    /// Whether `topic` lies in the subtree of `client`'s answers: replies go nowhere else.
    pub fn is_answer_topic_of(&self, topic: &str, client: &Name) -> bool {
        let own = self.answer(client);
        topic.len() <= MAX_TOPIC
            && !topic.contains(['+', '#', '\0'])
            && topic
                .strip_prefix(own.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).expect("a legal name")
    }

    fn topics() -> Topics {
        Topics::new(name("farm"), name("b1"))
    }

    #[test]
    fn a_name_is_one_level_without_wildcards() {
        for bad in ["", "a/b", "+", "#", "a b", "é", "a\0", &"x".repeat(65)] {
            assert_eq!(Name::new(bad), None, "{bad:?}");
        }
        assert!(Name::new(&"x".repeat(64)).is_some());
    }

    #[test]
    fn only_topics_of_the_site_are_known() {
        let read = |topic: &str| topics().read(topic.as_bytes());
        assert_eq!(read("almanac/farm/ask/c1"), Some(Topic::Ask(name("c1"))));
        assert_eq!(read("almanac/farm/sense/p"), Some(Topic::Sense(name("p"))));
        assert_eq!(read("almanac/farm/status/b1"), Some(Topic::OwnStatus));
        let (offer, chunk) = (topics().edition_offer(), topics().edition_chunk());
        assert_eq!(read(&offer), Some(Topic::EditionOffer));
        assert_eq!(read(&chunk), Some(Topic::EditionChunk));
        for foreign in [
            "almanac/farm/edition/offer/b2",
            "almanac/farm/edition/chunk/b1/x",
            "almanac/farm/edition/state/b1",
            "almanac/farm/edition/b1",
            "almanac/farm/status/b2",
            "almanac/farmer/ask/c1",
            "almanac/farm/ask/c1/x",
            "almanac/farm/ask/",
            "almanac/farm/ask/c 1",
            "almanac",
        ] {
            assert_eq!(read(foreign), None, "{foreign}");
        }
        assert_eq!(topics().read(b"almanac/farm/ask/\xff"), None);
    }

    #[test]
    fn replies_stay_in_the_clients_own_subtree() {
        let allowed = |topic: &str| topics().is_answer_topic_of(topic, &name("c1"));
        assert!(allowed("almanac/farm/answer/c1"));
        assert!(allowed("almanac/farm/answer/c1/tab-2"));
        for foreign in [
            "almanac/farm/answer/c12",
            "almanac/farm/answer/c2",
            "almanac/farm/answer/c1/+",
            "almanac/farm/answer/c1/#",
            "almanac/farm/status/b1",
            "almanac/other/answer/c1",
            "",
        ] {
            assert!(!allowed(foreign), "{foreign}");
        }
        assert!(!allowed(&format!(
            "almanac/farm/answer/c1/{}",
            "x".repeat(300)
        )));
    }
}
