//! Chat messages to one prompt text, by the base model's own chat template (Jinja, as transformers renders it).

use std::{collections::BTreeMap, fs, path::Path};

use minijinja::{Environment, Error, ErrorKind, Value as Jinja, context, syntax::SyntaxConfig};
use serde_json::Value;

use crate::{error::EngineError, request::ChatMessage, tokenizer::TextCodec};

const NAME: &str = "chat";
/// Instructions that one rendering may take.
const FUEL: u64 = 10_000_000;

/// A compiled chat template with the texts of the tokens that it may name.
pub(crate) struct ChatTemplate {
    environment: Environment<'static>,
    bos: String,
    eos: String,
}

impl ChatTemplate {
    /// Reads `chat_template.jinja`, else the template in `tokenizer_config.json`; `None` when the model has neither.
    ///
    /// # Errors
    /// [`EngineError::BaseModel`]: a file is damaged, or the template does not compile.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>, EngineError> {
        let path = dir.join("tokenizer_config.json");
        let refuse = |problem: String| EngineError::BaseModel { path: path.clone(), problem };
        let config: Value = match fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| refuse(format!("not valid JSON: {error}")))?
            }
            Err(_) => Value::Null,
        };
        let file = fs::read_to_string(dir.join("chat_template.jinja")).ok();
        let Some(source) = file.or_else(|| template_of(&config["chat_template"])) else { return Ok(None) };
        let token = |name: &str| token_text(&config[name]);
        Self::compile(source, token("bos_token"), token("eos_token"))
            .map(Some)
            .map_err(|error| refuse(format!("the chat template does not compile: {error:#}")))
    }

    fn compile(source: String, bos: String, eos: String) -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<String, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.add_template_owned(NAME, source)?;
        Ok(Self { environment, bos, eos })
    }

    /// Renders messages, up to where the assistant's answer begins.
    ///
    /// # Errors
    /// [`EngineError::Template`]: the template refuses these messages, in its own words.
    pub(crate) fn render(&self, messages: &[ChatMessage]) -> Result<String, EngineError> {
        let render = || {
            self.environment.get_template(NAME)?.render(context! {
                messages => messages.iter().map(turn).collect::<Vec<Jinja>>(),
                bos_token => self.bos.as_str(),
                eos_token => self.eos.as_str(),
                add_generation_prompt => true,
            })
        };
        render().map_err(|error: Error| {
            let words = error.detail().map_or_else(|| error.to_string(), str::to_owned);
            EngineError::Template(words)
        })
    }

    /// Renders and encodes messages. Whatever the messages spell, they become text: only the template writes special
    /// tokens.
    ///
    /// # Errors
    /// [`EngineError::Template`], or a tokenizer's fault.
    pub(crate) fn encode(
        &self,
        codec: &TextCodec,
        messages: &[ChatMessage],
    ) -> Result<Vec<u32>, EngineError> {
        let texts = messages
            .iter()
            .flat_map(|m| [m.role.as_str(), m.content.as_str(), m.name.as_deref().unwrap_or_default()]);
        let Some(mark) = codec.mark_for(texts) else {
            return codec.encode_rendered(&self.render(messages)?, None);
        };
        let guarded: Vec<ChatMessage> = messages
            .iter()
            .map(|message| ChatMessage {
                role: codec.guard(&message.role, mark),
                content: codec.guard(&message.content, mark),
                name: message.name.as_deref().map(|name| codec.guard(name, mark)),
            })
            .collect();
        codec.encode_rendered(&self.render(&guarded)?, Some(mark))
    }
}

/// A message as templates index it; `name` is there only when it was given.
fn turn(message: &ChatMessage) -> Jinja {
    let fields =
        [("role", Some(&message.role)), ("content", Some(&message.content)), ("name", message.name.as_ref())];
    let given = fields.into_iter().filter_map(|(key, text)| Some((key, Jinja::from(text?.as_str()))));
    given.collect::<BTreeMap<&'static str, Jinja>>().into()
}

/// One template, or of several named ones the default.
fn template_of(value: &Value) -> Option<String> {
    match value {
        Value::String(template) => Some(template.clone()),
        Value::Array(named) => {
            let default = named.iter().find(|entry| entry["name"] == "default")?;
            default["template"].as_str().map(str::to_owned)
        }
        _ => None,
    }
}

/// A token is written as its text, or as an object that holds it.
fn token_text(value: &Value) -> String {
    value.as_str().or_else(|| value["content"].as_str()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: &str, content: &str) -> ChatMessage {
        ChatMessage { role: role.into(), content: content.into(), name: None }
    }

    fn template(source: &str) -> ChatTemplate {
        ChatTemplate::compile(source.into(), "<s>".into(), "</s>".into()).unwrap()
    }

    #[test]
    fn blocks_are_trimmed_and_python_methods_work() {
        let template = template(
            "{{ bos_token }}\n{%- for m in messages %}\n  {% if m.content.startswith('a') %}\nA:{{ m['content'].strip() }}\n  {% endif %}\n{% endfor %}\n{% if add_generation_prompt %}>{% endif %}",
        );
        assert_eq!(template.render(&[message("user", "a b  ")]).unwrap(), "<s>A:a b\n>");
    }

    #[test]
    fn a_template_refuses_in_its_own_words() {
        let template = template("{{ raise_exception('roles must alternate') }}");
        let refused = template.render(&[message("user", "x")]).unwrap_err();
        assert!(matches!(refused, EngineError::Template(words) if words == "roles must alternate"));
    }

    #[test]
    fn an_endless_template_is_stopped() {
        let template =
            template("{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}");
        assert!(matches!(template.render(&[]), Err(EngineError::Template(_))));
    }
}
