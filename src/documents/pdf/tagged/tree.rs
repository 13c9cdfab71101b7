//! The tree of tags to parts in reading order, and which marked content is whose.

use std::collections::HashMap;

use hayro_syntax::Pdf;
use hayro_syntax::object::{Array, Dict, Name, Object, ObjectIdentifier};

/// Deepest nesting that is followed.
const MAX_DEPTH: u32 = 100;

/// Most elements and pieces of content; a page has some 200.
const MAX_NODES: usize = 1_000_000;

/// Most columns or rows that a cell spans.
const MAX_SPAN: usize = 1_000;

/// What the texts are, in reading order; texts go by their numbers.
#[derive(Debug, PartialEq)]
pub(super) enum Part {
    /// With its level, from 1.
    Heading(u8, usize),
    Paragraph(usize),
    List(Vec<usize>),
    Caption(usize),
    Table {
        caption: Vec<usize>,
        rows: Vec<Row>,
    },
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct Row {
    pub cells: Vec<Cell>,
    pub in_head: bool,
}

#[derive(Debug, PartialEq)]
pub(super) struct Cell {
    pub text: usize,
    pub columns: usize,
    pub rows: usize,
    pub is_header: bool,
}

/// Where a piece of content belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Text(usize),
    /// Said elsewhere or no text: bullets, pictures.
    Silent,
}

/// The tags of a document.
#[derive(Debug, Default)]
pub(super) struct Tags {
    pub parts: Vec<Part>,
    /// By page, from 1, and number of the content on it.
    pub places: HashMap<(u32, u32), Place>,
    /// Of each text, whether it stands in a table.
    pub in_table: Vec<bool>,
}

impl Tags {
    /// Of the document `pdf`, where it says that it is tagged.
    pub fn of(pdf: &Pdf) -> Option<Tags> {
        let catalog = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id())?;
        let info = catalog.get::<Dict<'_>>("MarkInfo")?;
        let is = |key: &str| info.get::<bool>(key).unwrap_or_default();
        if !is("Marked") || is("Suspects") {
            return None;
        }
        let root = catalog.get::<Dict<'_>>("StructTreeRoot")?;
        let pages = pdf.pages().iter().enumerate();
        let mut walk = Walk {
            pages: pages
                .filter_map(|(index, page)| Some((page.raw().obj_id()?, index as u32 + 1)))
                .collect(),
            roles: root.get("RoleMap").unwrap_or_default(),
            tags: Tags::default(),
            open: None,
            items: None,
            table: None,
            left: MAX_NODES,
        };
        walk.kids(&root, None, 0);
        (walk.left > 0).then_some(walk.tags)
    }
}

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Heading(u8),
    Paragraph,
    List,
    Item,
    Label,
    Table,
    Head,
    Row,
    Cell {
        is_header: bool,
    },
    Caption,
    Picture,
    /// Stands in a line of text.
    Inline,
    /// Holds other elements.
    Part,
}

fn role(name: &str) -> Role {
    match name {
        "H1" | "H2" | "H3" | "H4" | "H5" | "H6" => Role::Heading(name.as_bytes()[1] - b'0'),
        "P" => Role::Paragraph,
        "L" => Role::List,
        "LI" => Role::Item,
        "Lbl" => Role::Label,
        "Table" => Role::Table,
        "THead" => Role::Head,
        "TR" => Role::Row,
        "TH" | "TD" => Role::Cell {
            is_header: name == "TH",
        },
        "Caption" => Role::Caption,
        "Figure" | "Formula" | "Form" | "Artifact" => Role::Picture,
        "Document" | "Part" | "Art" | "Sect" | "Div" | "BlockQuote" | "TOC" | "TOCI" | "Index"
        | "Note" | "Private" | "Aside" => Role::Part,
        _ => Role::Inline,
    }
}

/// A table that is open.
#[derive(Default)]
struct Open {
    caption: Vec<usize>,
    rows: Vec<Row>,
    in_head: bool,
    /// All of its texts, in order.
    texts: Vec<usize>,
    /// Holds headings or tables: it is there for the layout.
    is_layout: bool,
}

struct Walk<'a> {
    pages: HashMap<ObjectIdentifier, u32>,
    roles: Dict<'a>,
    tags: Tags,
    /// Where the next content belongs.
    open: Option<Place>,
    /// Of the outermost list.
    items: Option<Vec<usize>>,
    /// The outermost table.
    table: Option<Open>,
    left: usize,
}

impl<'a> Walk<'a> {
    /// Walks what `element` holds; `page` is where its content stands unless it says otherwise.
    fn kids(&mut self, element: &Dict<'a>, page: Option<u32>, depth: u32) {
        match element.get::<Object<'a>>("K") {
            Some(Object::Array(kids)) => {
                for kid in kids.iter::<Object<'a>>() {
                    self.kid(&kid, page, depth);
                }
            }
            Some(kid) => self.kid(&kid, page, depth),
            None => {}
        }
    }

    fn kid(&mut self, kid: &Object<'a>, page: Option<u32>, depth: u32) {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 || depth > MAX_DEPTH {
            self.left = 0;
            return;
        }
        match kid {
            Object::Number(number) => self.content(page, number.as_i64()),
            Object::Dict(dict) => {
                let own = dict.get_ref("Pg").map(ObjectIdentifier::from);
                let page = own.and_then(|id| self.pages.get(&id).copied()).or(page);
                match dict.get::<Name<'_>>("S") {
                    Some(name) => self.element(dict, &name, page, depth + 1),
                    // Content of a form, which has numbers of its own, is left without a tag.
                    None if dict.contains_key("Stm") => {}
                    None => {
                        if let Some(number) = dict.get::<i32>("MCID") {
                            self.content(page, i64::from(number));
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn content(&mut self, page: Option<u32>, number: i64) {
        let (Some(page), Ok(number)) = (page, u32::try_from(number)) else {
            return;
        };
        let place = match self.open {
            Some(place) => place,
            None if self.table.is_some() || self.items.is_some() => Place::Silent,
            None => {
                let text = self.text();
                self.tags.parts.push(Part::Paragraph(text));
                Place::Text(text)
            }
        };
        self.open.get_or_insert(place);
        self.tags.places.insert((page, number), place);
    }

    /// The number of a new text.
    fn text(&mut self) -> usize {
        let text = self.tags.in_table.len();
        self.tags.in_table.push(self.table.is_some());
        if let Some(table) = &mut self.table {
            table.texts.push(text);
        }
        text
    }

    fn element(&mut self, dict: &Dict<'a>, name: &Name<'_>, page: Option<u32>, depth: u32) {
        let role = self.role(name);
        let outer = self.open;
        let is_inner = self.items.is_some() || matches!(outer, Some(Place::Text(_)));
        match role {
            Role::Table if self.table.is_none() => return self.table(dict, page, depth),
            Role::List if self.items.is_none() && self.table.is_none() => {
                return self.list(dict, page, depth);
            }
            Role::Head | Role::Row | Role::Cell { .. } | Role::Caption if self.table.is_some() => {
                self.table_part(dict, role);
            }
            Role::Picture => self.open = Some(Place::Silent),
            Role::Label if self.items.is_some() => self.open = Some(Place::Silent),
            Role::Item if self.items.is_some() => {
                let text = self.text();
                self.items.get_or_insert_default().push(text);
                self.open = Some(Place::Text(text));
            }
            Role::Caption => self.begin(Part::Caption),
            Role::Heading(level) if self.table.is_none() && self.items.is_none() => {
                self.begin(|text| Part::Heading(level, text));
            }
            Role::Paragraph if self.table.is_none() && !is_inner => self.begin(Part::Paragraph),
            Role::Heading(_) | Role::Table => {
                if let Some(table) = &mut self.table {
                    table.is_layout = true;
                }
            }
            Role::Part if self.table.is_none() && self.items.is_none() => self.open = None,
            _ => {}
        }
        self.kids(dict, page, depth);
        if role == Role::Head
            && let Some(table) = &mut self.table
        {
            table.in_head = false;
        }
        // What stands loose in a line or part goes on after an inline element, else it is new.
        let goes_on = matches!(role, Role::Inline | Role::Label | Role::Picture) || outer.is_some();
        self.open = match (goes_on, outer) {
            (true, None) if role == Role::Inline => self.open,
            (true, outer) => outer,
            (false, _) => None,
        };
    }

    fn begin(&mut self, part: impl FnOnce(usize) -> Part) {
        let text = self.text();
        self.tags.parts.push(part(text));
        self.open = Some(Place::Text(text));
    }

    /// The standard role of an element; names of the file's own are mapped.
    fn role(&self, name: &Name<'_>) -> Role {
        let mut name = name.as_str().to_owned();
        for _ in 0..8 {
            match self.roles.get::<Name<'_>>(name.as_bytes()) {
                Some(mapped) if mapped.as_str() != name => name = mapped.as_str().to_owned(),
                _ => break,
            }
        }
        role(&name)
    }

    fn list(&mut self, dict: &Dict<'a>, page: Option<u32>, depth: u32) {
        self.open = None;
        self.items = Some(Vec::new());
        self.kids(dict, page, depth);
        let items = self.items.take().unwrap_or_default();
        self.tags.parts.push(Part::List(items));
        self.open = None;
    }

    fn table(&mut self, dict: &Dict<'a>, page: Option<u32>, depth: u32) {
        let (outer, items) = (self.open.take(), self.items.take());
        self.table = Some(Open::default());
        self.kids(dict, page, depth);
        let table = self.table.take().unwrap_or_default();
        let cells: usize = table.rows.iter().map(|row| row.cells.len()).sum();
        if table.is_layout || cells <= table.rows.len() {
            let texts = table.texts.into_iter();
            self.tags.parts.extend(texts.map(Part::Paragraph));
        } else {
            let (caption, rows) = (table.caption, table.rows);
            self.tags.parts.push(Part::Table { caption, rows });
        }
        self.items = items;
        self.open = outer.filter(|_| self.items.is_some());
    }

    /// Begins a row, a cell, a head or the caption of the open table.
    fn table_part(&mut self, dict: &Dict<'a>, role: Role) {
        if role == Role::Caption || matches!(role, Role::Cell { .. }) {
            let text = self.text();
            self.open = Some(Place::Text(text));
        }
        let (open, Some(table)) = (self.open, &mut self.table) else {
            return;
        };
        match (role, open) {
            (Role::Head, _) => table.in_head = true,
            (Role::Row, _) => table.rows.push(Row {
                cells: Vec::new(),
                in_head: table.in_head,
            }),
            (Role::Caption, Some(Place::Text(text))) => table.caption.push(text),
            (Role::Cell { is_header }, Some(Place::Text(text))) => {
                let cell = Cell {
                    text,
                    columns: span(dict, "ColSpan"),
                    rows: span(dict, "RowSpan"),
                    is_header,
                };
                match table.rows.last_mut() {
                    Some(row) => row.cells.push(cell),
                    None => table.is_layout = true,
                }
            }
            _ => {}
        }
    }
}

/// How many columns or rows the cell `dict` spans.
fn span(dict: &Dict<'_>, key: &str) -> usize {
    let of = |dict: &Dict<'_>| dict.get::<usize>(key);
    let told = match dict.get::<Object<'_>>("A") {
        Some(Object::Dict(one)) => of(&one),
        Some(Object::Array(all)) => attributes(&all).iter().find_map(of),
        _ => None,
    };
    told.unwrap_or(1).clamp(1, MAX_SPAN)
}

fn attributes<'a>(all: &Array<'a>) -> Vec<Dict<'a>> {
    let all = all.iter::<Object<'a>>();
    all.filter_map(Object::into_dict).collect()
}
