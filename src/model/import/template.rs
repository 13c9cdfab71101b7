//! The chat template that an import writes.

use std::path::Path;

use crate::durable;
use crate::model::ModelError;
use crate::model::chat::ChatTemplate;
use crate::model::folder::CHAT_TEMPLATE_FILE;

/// Longest template, bytes; real ones have up to some 10,000.
const MAX_BYTES: usize = 256 * 1024;

/// `text` with the tokens that it names written into it: the box gives it none, for most write theirs out.
///
/// # Errors
/// It is no template, or is too long.
pub fn with_tokens(
    source: &Path,
    text: &str,
    bos: Option<String>,
    eos: Option<String>,
) -> Result<String, ModelError> {
    let wrong = |reason: String| ModelError::file(source, format!("its chat template {reason}"));
    if text.len() > MAX_BYTES {
        return Err(wrong(format!(
            "has {} bytes, at most {MAX_BYTES} are read",
            text.len()
        )));
    }
    let mut whole = String::new();
    for (name, token) in [("bos_token", bos), ("eos_token", eos)] {
        if let Some(token) = token.filter(|_| text.contains(name)) {
            let quoted = serde_json::Value::from(token);
            whole.push_str(&format!("{{%- set {name} = {quoted} %}}"));
        }
    }
    whole.push_str(text);
    ChatTemplate::new(whole.clone()).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    Ok(whole)
}

/// Writes the template into the model's folder; durable when it returns.
///
/// # Errors
/// It cannot be written.
pub fn write(out: &Path, text: &str) -> Result<(), ModelError> {
    Ok(durable::replace(
        &out.join(CHAT_TEMPLATE_FILE),
        text.as_bytes(),
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Message, Role};

    #[test]
    fn tokens_that_a_template_names_are_in_the_prompt_and_others_change_nothing() {
        let path = Path::new("x.gguf");
        let bos = || Some("<|begin \"of\" text|>".to_owned());
        let text = "{{- bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}";
        let whole = with_tokens(path, text, bos(), None).expect("a template");
        let template = ChatTemplate::new(whole).expect("a template");
        let prompt = template.render(&[Message::new(Role::User, "Hi")]);
        assert_eq!(prompt.expect("renders"), "<|begin \"of\" text|>Hi");
        let plain = "{% for m in messages %}{{ m.content }}{% endfor %}";
        assert_eq!(
            with_tokens(path, plain, bos(), bos()).expect("a template"),
            plain
        );
    }

    #[test]
    fn what_is_no_template_is_refused_at_the_import() {
        let path = Path::new("x.gguf");
        let error = with_tokens(path, "{% for %}", None, None).expect_err("broken");
        assert!(error.to_string().contains("cannot be read"), "{error}");
        let long = "x".repeat(MAX_BYTES + 1);
        assert!(with_tokens(path, &long, None, None).is_err());
    }
}
