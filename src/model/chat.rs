//! Renders a chat as the prompt that a model was trained on.

use std::path::Path;

use minijinja::{Environment, ErrorKind, context};

use super::folder::CHAT_TEMPLATE_FILE;
use super::{Message, ModelError};
use crate::durable::FileError;

/// A model's chat template: Jinja, as `transformers` runs it.
pub struct ChatTemplate {
    environment: Environment<'static>,
}

const NAME: &str = "chat";

impl ChatTemplate {
    /// Reads the template of the model in `folder`; blocking.
    ///
    /// # Errors
    /// The file is missing or is no template.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join(CHAT_TEMPLATE_FILE);
        let source = std::fs::read_to_string(&path).map_err(FileError::at("read", &path))?;
        ChatTemplate::new(source).map_err(|error| ModelError::file(&path, error.to_string()))
    }

    /// A template from its text.
    ///
    /// # Errors
    /// It is no template.
    pub fn new(source: String) -> Result<Self, ModelError> {
        let mut environment = Environment::new();
        // `transformers` sets both, and templates rely on it.
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.add_function("raise_exception", |text: String| {
            Err::<String, _>(minijinja::Error::new(ErrorKind::InvalidOperation, text))
        });
        environment
            .add_template_owned(NAME, source)
            .map_err(broken)?;
        Ok(ChatTemplate { environment })
    }

    /// The prompt of `messages`, ending where the assistant begins to speak.
    ///
    /// # Errors
    /// The template refuses these messages.
    pub fn render(&self, messages: &[Message]) -> Result<String, ModelError> {
        let messages: Vec<_> = messages
            .iter()
            .map(|message| context! { role => message.role.as_str(), content => message.content })
            .collect();
        self.environment
            .get_template(NAME)
            .and_then(|template| {
                template.render(context! {
                    messages => messages, add_generation_prompt => true, bos_token => "", eos_token => "",
                })
            })
            .map_err(broken)
    }
}

fn broken(error: minijinja::Error) -> ModelError {
    ModelError::Template(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Role;

    #[test]
    fn a_template_sees_roles_and_the_open_turn() {
        let source = "{% for m in messages %}[{{ m.role }}] {{ m['content'] }}\n{% endfor %}\
                      {% if add_generation_prompt %}[assistant]{% endif %}";
        let template = ChatTemplate::new(source.into()).expect("a template");
        let prompt = template
            .render(&[Message::new(Role::User, "How deep?")])
            .expect("renders");
        assert_eq!(prompt, "[user] How deep?\n[assistant]");
    }

    #[test]
    fn a_refusing_template_is_an_error() {
        let template =
            ChatTemplate::new("{{ raise_exception('no system') }}".into()).expect("a template");
        let error = template.render(&[]).expect_err("it refuses");
        assert!(error.to_string().contains("no system"), "{error}");
    }
}
