//! Just enough of Rust's grammar to tell code from comments, strings and tests.

/// Whether `c` can stand in a name.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The text with comments removed and strings emptied; lines stay lines.
pub fn without_comments_and_strings(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = string_length(rest).filter(|_| !code.ends_with(is_word)) {
            length
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        code.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
        rest = &rest[skipped..];
    }
    code
}

/// Length of the string or character that `text` starts with, raw and byte ones too.
fn string_length(text: &str) -> Option<usize> {
    let start = text.trim_start_matches('b');
    let prefix = text.len() - start.len();
    let hashes = start
        .strip_prefix('r')
        .map(|raw| raw.len() - raw.trim_start_matches('#').len());
    if let Some(hashes) = hashes.filter(|hashes| start[1 + hashes..].starts_with('"')) {
        let open = prefix + 1 + hashes + 1;
        let close = format!("\"{}", "#".repeat(hashes));
        return Some(
            text[open..]
                .find(&close)
                .map_or(text.len(), |end| open + end + close.len()),
        );
    }
    let quote = start.chars().next().filter(|c| *c == '"' || *c == '\'')?;
    let mut escaped = false;
    for (at, c) in start.char_indices().skip(1) {
        if c == quote && !escaped {
            return Some(prefix + at + 1);
        }
        // A lifetime: a character's quote closes after one (perhaps escaped) character.
        if quote == '\'' && at > 1 && !start[1..].starts_with('\\') {
            return None;
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

/// The code with each `#[cfg(test)]` item in braces removed.
pub fn without_tests(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        kept.push_str(&rest[..at]);
        let item = &rest[at..];
        let open = item.find('{').unwrap_or(item.len());
        let end = match item.find(';').filter(|end| *end < open) {
            Some(end) => end + 1,
            None => block_end(item, open),
        };
        rest = &item[end..];
    }
    kept.push_str(rest);
    kept
}

fn block_end(item: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, c) in item.char_indices().skip_while(|(at, _)| *at < open) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    item.len()
}
