//! Tag soup to a tree: what a browser would see, as far as reading needs it.
//!
//! No page can make it deep, huge or slow: depth and number of nodes are bounded, and each tag looks at
//! no more open elements than the depth allows.

use std::collections::HashMap;

use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};

/// Deepest nesting kept; what is deeper belongs to the element at this depth.
const MAX_DEPTH: usize = 200;

/// Most nodes kept; what follows is left out.
const MAX_NODES: usize = 1_000_000;

/// Attributes that somebody reads here.
const ATTRIBUTES: &[&str] = &[
    "aria-hidden",
    "class",
    "colspan",
    "content",
    "datetime",
    "hidden",
    "href",
    "id",
    "lang",
    "name",
    "property",
    "rel",
    "role",
    "rowspan",
];

/// Longest attribute value kept, in bytes.
const MAX_VALUE_BYTES: usize = 4_096;

const VOID: &[&str] = &[
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
];

/// Beginnings that end an open paragraph.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "center",
    "details",
    "dir",
    "div",
    "dl",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "main",
    "menu",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "ul",
];

/// For an element: those that its beginning ends, and those beyond which it does not look.
const IMPLIED: &[(&[&str], &[&str], &[&str])] = &[
    (&["li"], &["li"], &["ul", "ol", "menu", "table"]),
    (&["dt", "dd"], &["dt", "dd"], &["dl", "table"]),
    (&["td", "th"], &["td", "th"], &["tr", "table"]),
    (&["tr"], &["tr"], &["table"]),
    (
        &["thead", "tbody", "tfoot"],
        &["thead", "tbody", "tfoot", "caption", "colgroup"],
        &["table"],
    ),
    (&["option"], &["option"], &["select"]),
    (
        &["h1", "h2", "h3", "h4", "h5", "h6"],
        &["h1", "h2", "h3", "h4", "h5", "h6"],
        &["div", "td", "th", "table"],
    ),
];

/// Elements whose end tag ends what is open within them; others do not reach over a table cell.
const TABLE_PARTS: &[&str] = &[
    "table", "thead", "tbody", "tfoot", "tr", "td", "th", "caption",
];

/// An element.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub name: String,
    attributes: HashMap<&'static str, String>,
    pub children: Vec<Child>,
}

impl Element {
    /// An attribute's value, without space around it.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(|value| value.trim())
    }

    /// Whether one of the words of the attribute is one of `values`.
    pub fn has(&self, name: &str, values: &[&str]) -> bool {
        let words = self.attribute(name).unwrap_or_default();
        words
            .split_whitespace()
            .any(|word| values.iter().any(|value| word.eq_ignore_ascii_case(value)))
    }
}

/// What stands in an element.
#[derive(Debug)]
pub(super) enum Child {
    Element(usize),
    Text(String),
}

/// The elements of a page; 0 is the root.
#[derive(Debug)]
pub(super) struct Tree {
    elements: Vec<Element>,
}

impl Tree {
    /// Reads `text`; any text gives a tree.
    pub fn read(text: &str) -> Tree {
        let mut emitter = DefaultEmitter::default();
        // So that the content of scripts and styles is not taken for tags.
        emitter.naively_switch_states(true);
        let mut builder = Builder {
            elements: vec![Element::default()],
            open: vec![0],
            too_deep: 0,
            nodes: 0,
        };
        for token in Tokenizer::new_with_emitter(text, emitter) {
            // Reading from memory cannot fail.
            let Ok(token) = token;
            builder.take(token);
            if builder.nodes > MAX_NODES {
                break;
            }
        }
        Tree {
            elements: builder.elements,
        }
    }

    /// The element `index`, as a child names it.
    pub fn element(&self, index: usize) -> &Element {
        &self.elements[index]
    }

    /// All elements, in the order in which they begin.
    pub fn elements(&self) -> impl Iterator<Item = (usize, &Element)> {
        self.elements.iter().enumerate()
    }

    /// The elements in `index`, itself left out, in the order in which they begin.
    pub fn below(&self, index: usize) -> Vec<usize> {
        let mut found = Vec::new();
        let mut pending = vec![index];
        while let Some(next) = pending.pop() {
            if next != index {
                found.push(next);
            }
            let children = self.element(next).children.iter().rev();
            pending.extend(children.filter_map(|child| match child {
                Child::Element(index) => Some(*index),
                Child::Text(_) => None,
            }));
        }
        found
    }
}

struct Builder {
    elements: Vec<Element>,
    /// Indexes of the open elements, outermost first; never empty.
    open: Vec<usize>,
    /// Open elements that were not kept.
    too_deep: usize,
    nodes: usize,
}

impl Builder {
    fn take(&mut self, token: Token) {
        match token {
            Token::StartTag(tag) => self.start(tag),
            Token::EndTag(tag) => self.end(&String::from_utf8_lossy(&tag.name)),
            Token::String(text) => {
                let text = String::from_utf8_lossy(&text).into_owned();
                self.add(Child::Text(text));
            }
            _ => {}
        }
    }

    fn start(&mut self, tag: StartTag<()>) {
        let name = String::from_utf8_lossy(&tag.name).into_owned();
        if BLOCKS.contains(&name.as_str()) {
            self.close_over(&["p"], &["td", "th", "table", "button"]);
        }
        for (names, closed, borders) in IMPLIED {
            if names.contains(&name.as_str()) {
                self.close_over(closed, borders);
            }
        }
        let is_void = VOID.contains(&name.as_str());
        if self.open.len() >= MAX_DEPTH && !is_void {
            self.too_deep += usize::from(!tag.self_closing);
            return;
        }
        let mut attributes = HashMap::new();
        for name in ATTRIBUTES {
            if let Some(value) = tag.attributes.get(name.as_bytes()) {
                let value: &[u8] = value;
                let value = &value[..value.len().min(MAX_VALUE_BYTES)];
                attributes.insert(*name, String::from_utf8_lossy(value).into_owned());
            }
        }
        let index = self.elements.len();
        self.add(Child::Element(index));
        self.elements.push(Element {
            name,
            attributes,
            children: Vec::new(),
        });
        // `<div/>` does not close itself in HTML, yet in XHTML it does, and there nothing else closes it.
        if !is_void && !tag.self_closing {
            self.open.push(index);
        }
    }

    fn end(&mut self, name: &str) {
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return;
        }
        let reaches_over = TABLE_PARTS.contains(&name);
        for (depth, index) in self.open.iter().enumerate().skip(1).rev() {
            let open = self.elements[*index].name.as_str();
            if open == name {
                self.open.truncate(depth);
                return;
            }
            if !reaches_over && matches!(open, "td" | "th" | "table") || open == "table" {
                return;
            }
        }
    }

    /// Ends the nearest open element of `names`, unless one of `borders` is nearer.
    fn close_over(&mut self, names: &[&str], borders: &[&str]) {
        for (depth, index) in self.open.iter().enumerate().skip(1).rev() {
            let open = self.elements[*index].name.as_str();
            if names.contains(&open) {
                self.open.truncate(depth);
                return;
            }
            if borders.contains(&open) {
                return;
            }
        }
    }

    fn add(&mut self, child: Child) {
        self.nodes += 1;
        // The root is never closed.
        let parent = self.open.last().copied().unwrap_or(0);
        self.elements[parent].children.push(child);
    }
}
