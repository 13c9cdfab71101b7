//! What is checked before XML is parsed: a parser must not be made slow, deep or huge by its input.

/// Deepest nesting of elements; articles have about 20.
const MAX_DEPTH: usize = 200;

/// Most nodes of a tree; the largest articles have some 100,000.
pub(super) const MAX_NODES: u32 = 4_000_000;

/// Most attributes of an element: each is compared with all others of its element.
const MAX_ATTRIBUTES: usize = 256;

/// Most namespace prefixes: each element keeps a list of those that hold for it.
const MAX_PREFIXES: usize = 64;

/// Checks `text`; says what is wrong with it. One pass, no memory to speak of.
///
/// Declarations in a document type (entities above all) are refused: that is how a few bytes become
/// gigabytes, and how files of the box would be read into a document.
pub(super) fn check(text: &str) -> Result<(), String> {
    let mut depth = 0_usize;
    let mut prefixes: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        rest = &rest[start..];
        if let Some(after) = skipped(rest) {
            rest = after;
            continue;
        }
        let Some(tag) = tag(rest) else {
            return Err("a tag is not closed".into());
        };
        rest = &rest[tag.len()..];
        if tag.starts_with("<!") {
            if tag.contains('[') {
                return Err(
                    "its document type declares entities or elements of its own, which are not read; resolve them first, for example with `xmllint --noent --dropdtd`".into(),
                );
            }
            continue;
        }
        if tag.starts_with("</") {
            depth = depth.saturating_sub(1);
            continue;
        }
        attributes(tag, &mut prefixes)?;
        if !tag.ends_with("/>") {
            depth += 1;
        }
        if depth > MAX_DEPTH {
            return Err(format!("elements are nested deeper than {MAX_DEPTH}"));
        }
    }
    Ok(())
}

/// The text after a comment, a section of character data or an instruction that begins `text`.
fn skipped(text: &str) -> Option<&str> {
    for (begin, end) in [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")] {
        if let Some(inner) = text.strip_prefix(begin) {
            return Some(inner.split_once(end).map_or("", |(_, after)| after));
        }
    }
    None
}

/// The tag that begins `text`; quoted `>` do not end it, and `[` ends it early: it is refused anyway.
fn tag(text: &str) -> Option<&str> {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            (None, b'>' | b'[') => return Some(&text[..=at]),
            _ => {}
        }
    }
    None
}

fn attributes<'a>(tag: &'a str, prefixes: &mut Vec<&'a str>) -> Result<(), String> {
    // Counts those in values too: an article is still far below.
    let count = tag.bytes().filter(|byte| *byte == b'=').count();
    if count > MAX_ATTRIBUTES {
        return Err(format!(
            "an element has more than {MAX_ATTRIBUTES} attributes"
        ));
    }
    for (at, _) in tag.match_indices("xmlns:") {
        let name = &tag[at + "xmlns:".len()..];
        let end = name.find(|c: char| c == '=' || c.is_whitespace());
        let name = &name[..end.unwrap_or(name.len())];
        if !prefixes.contains(&name) {
            prefixes.push(name);
        }
    }
    match prefixes.len() > MAX_PREFIXES {
        true => Err(format!("it has more than {MAX_PREFIXES} namespaces")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_article_has_is_let_through() {
        for text in [
            "<!DOCTYPE article PUBLIC \"-//NLM//DTD\" \"a.dtd\"><?xml-x a>b?><article a='>'><!-- <b> --></article>",
            "<a><![CDATA[<!ENTITY x>]]></a>",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn bombs_are_refused() {
        let deep = "<a>".repeat(MAX_DEPTH + 1);
        let wide = format!("<a {}>", "b='1' ".repeat(MAX_ATTRIBUTES + 1));
        let prefixes: String = (0..=MAX_PREFIXES)
            .map(|n| format!("<a xmlns:n{n}='x'/>"))
            .collect();
        for text in [
            "<!DOCTYPE a [<!ENTITY b \"bb\">]><a>&b;</a>",
            "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>",
            "<a href=\"never closed",
            &deep,
            &wide,
            &prefixes,
        ] {
            assert!(check(text).is_err(), "{}", &text[..text.len().min(80)]);
        }
    }
}
