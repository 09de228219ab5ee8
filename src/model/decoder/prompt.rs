//! What a decoder is asked, in the words of its own chat template: a Jinja template that is rendered once, around two marks that stand for
//! the text and the claim. What lies between the marks is tokenised with the template's control tokens; text and claim are tokenised
//! apart, without any, so that no text can say where it ends.

use std::collections::BTreeMap;

use minijinja::{Environment, ErrorKind, Value as Shown, context};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// What is asked where a manifest asks nothing else.
pub const QUESTION: &str = include_str!("question.txt").trim_ascii_end();

/// The answers to it, in the order of [`Stance::ALL`](crate::Stance::ALL).
pub const ANSWERS: [&str; 4] = ["Yes", "No", "Maybe", "Unrelated"];

/// Words that stand for the text and the claim while the template is rendered: no template changes them, and none has them.
const TEXT: &str = "TidingsText7c1f2e";
const CLAIM: &str = "TidingsClaim7c1f2e";

/// Steps that a template may take.
const FUEL: u64 = 1_000_000;

/// A chat template, with the names that it uses.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    source: String,
    /// `bos_token` and its like.
    marks: BTreeMap<String, String>,
}

/// A prompt around text and claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Before the first of the two.
    pub open: String,
    /// Between them.
    pub between: String,
    /// After the second, where the answer begins.
    pub close: String,
    /// Whether the text is the first.
    pub text_first: bool,
}

impl Template {
    /// A template, and what it may call by name.
    pub fn new(source: String, marks: BTreeMap<String, String>) -> Self {
        Self { source, marks }
    }

    /// That of a `tokenizer_config.json`, or the one in a file of its own (`chat_template.jinja`), which stands before it.
    ///
    /// # Errors
    /// [`Error::Model`] when there is none, and what to do.
    pub fn of_tokenizer_config(json: Option<&[u8]>, own: Option<&[u8]>) -> Result<Self> {
        let fail = |what: &str| Err(Error::Model(format!("tokenizer_config.json: {what}")));
        let config: Map<String, Value> = match json.map(serde_json::from_slice) {
            None => Map::new(),
            Some(Ok(config)) => config,
            Some(Err(e)) => return fail(&e.to_string()),
        };
        let marks = config.iter().filter(|(key, _)| key.ends_with("_token"));
        let marks = marks.filter_map(|(key, value)| {
            // As a text, or described.
            let text = value
                .as_str()
                .or(value.get("content").and_then(Value::as_str));
            Some((key.clone(), text?.to_owned()))
        });
        let named = |templates: &Value| {
            let templates = templates.as_array()?;
            let default = templates.iter().find(|t| t["name"] == "default")?;
            Some(default["template"].as_str()?.to_owned())
        };
        let source = match own {
            Some(own) => Some(String::from_utf8_lossy(own).into_owned()),
            None => match config.get("chat_template") {
                Some(Value::String(source)) => Some(source.clone()),
                Some(other) => named(other),
                None => None,
            },
        };
        match source {
            Some(source) => Ok(Self::new(source, marks.collect())),
            None => fail(
                "there is no chat_template, in it or in chat_template.jinja: a model that was not trained to answer cannot be asked. Take its instruct version",
            ),
        }
    }

    /// The prompt that asks `question`, which names `{text}` and `{claim}` once each.
    ///
    /// # Errors
    /// [`Error::Model`] when the template fails, or changes what it is given.
    pub fn frame(&self, question: &str) -> Result<Frame> {
        let content = question.replace("{text}", TEXT).replace("{claim}", CLAIM);
        let rendered = self
            .render(&content)
            .map_err(|e| fail(format!("it fails: {e:#}")))?;
        let once = |mark: &str| match rendered.matches(mark).count() {
            1 => rendered.find(mark),
            _ => None,
        };
        let (Some(text), Some(claim)) = (once(TEXT), once(CLAIM)) else {
            return Err(fail(
                "it does not give text and claim once each as they are".to_owned(),
            ));
        };
        let text_first = text < claim;
        let [(first, first_mark), (second, second_mark)] = match text_first {
            true => [(text, TEXT), (claim, CLAIM)],
            false => [(claim, CLAIM), (text, TEXT)],
        };
        Ok(Frame {
            open: rendered[..first].to_owned(),
            between: rendered[first + first_mark.len()..second].to_owned(),
            close: rendered[second + second_mark.len()..].to_owned(),
            text_first,
        })
    }

    /// What stands before and after the text in the prompt of `message`, which names `{text}` once.
    ///
    /// # Errors
    /// As [`Template::frame`].
    pub fn around(&self, message: &str) -> Result<(String, String)> {
        let rendered = self
            .render(&message.replace("{text}", TEXT))
            .map_err(|e| fail(format!("it fails: {e:#}")))?;
        match rendered.split(TEXT).collect::<Vec<_>>()[..] {
            [open, close] => Ok((open.to_owned(), close.to_owned())),
            _ => Err(fail("it does not give the text once as it is".to_owned())),
        }
    }

    /// One message of the user's, and the beginning of the answer, as transformers' `apply_chat_template` renders it.
    fn render(&self, content: &str) -> std::result::Result<String, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_fuel(Some(FUEL));
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", refuse);
        environment.add_function("strftime_now", day);
        let messages = [context! { role => "user", content => content }];
        let mut names: BTreeMap<&str, Shown> = BTreeMap::new();
        for (name, mark) in &self.marks {
            names.insert(name, Shown::from(mark.as_str()));
        }
        names.insert("messages", Shown::from_serialize(messages));
        names.insert("add_generation_prompt", Shown::from(true));
        // The answer is the first word, not one after a long thought.
        names.insert("enable_thinking", Shown::from(false));
        names.insert("tools", Shown::from(()));
        names.insert("documents", Shown::from(()));
        environment.render_str(&plain(&self.source), Shown::from_serialize(names))
    }
}

/// The template without transformers' own marks of what a model is trained on, which print nothing: what they hold is always shown.
fn plain(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((before, after)) = rest.split_once("{%") {
        let Some((tag, after)) = after.split_once("%}") else {
            break;
        };
        let tag = match tag.trim_matches(['-', '+']).trim() {
            "generation" => tag.replace("generation", "if true"),
            "endgeneration" => tag.replace("endgeneration", "endif"),
            _ => tag.to_owned(),
        };
        out.extend([before, "{%", &tag, "%}"]);
        rest = after;
    }
    out + rest
}

/// What a template calls to refuse.
fn refuse(why: String) -> std::result::Result<String, minijinja::Error> {
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, why))
}

/// The day that a template asks for: always the same one, the one that Llama's templates name where there is no clock, because no record
/// may depend on when it was made.
fn day(format: String) -> std::result::Result<String, minijinja::Error> {
    let mut out = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        out.push_str(match letters.next() {
            Some('d') => "26",
            Some('e') => "26",
            Some('j') => "208",
            Some('m') => "07",
            Some('b') => "Jul",
            Some('B') => "July",
            Some('y') => "24",
            Some('Y') => "2024",
            Some('a') => "Fri",
            Some('A') => "Friday",
            Some('H' | 'M' | 'S') => "00",
            Some('F') => "2024-07-26",
            Some('T') => "00:00:00",
            Some('%') => "%",
            other => {
                let what = format!("strftime_now knows no %{}", other.unwrap_or(' '));
                return Err(minijinja::Error::new(ErrorKind::InvalidOperation, what));
            }
        });
    }
    Ok(out)
}

fn fail(what: String) -> Error {
    Error::Model(format!("the chat template: {what}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn template(source: &str) -> Template {
        let marks = [("bos_token".to_owned(), "<s>".to_owned())];
        Template::new(source.to_owned(), marks.into())
    }

    #[test]
    fn a_prompt_is_what_stands_around_text_and_claim() {
        let source = "{{ bos_token }}{% for m in messages %}\n  {%- if m['role'] == 'user' %}\n  [{{ m.content.strip() }}]\n  {% endif %}\n{% endfor %}{% if add_generation_prompt %}Say: {% endif %}";
        let frame = template(source).frame(" T {text} C {claim} ? ").unwrap();
        assert_eq!(frame.open, "<s>  [T ");
        assert_eq!(frame.between, " C ");
        assert_eq!(frame.close, " ?]\nSay: ");
        assert!(frame.text_first);
        assert!(!template(source).frame("{claim} {text}").unwrap().text_first);
    }

    #[test]
    fn marks_of_what_is_trained_on_print_nothing() {
        let source = "{% generation %}\n{{ messages[0].content }}{%- endgeneration -%}  {% if enable_thinking %}<think>{% endif %}\n  {%+ generation -%}  !{% endgeneration %}";
        let frame = template(source).frame("{text} {claim}").unwrap();
        assert_eq!((&*frame.open, &*frame.close), ("", "  !"));
        assert!(template("{% generation").frame("{text} {claim}").is_err());
    }

    #[test]
    fn a_template_that_refuses_loops_or_leaves_out_is_an_error() {
        for (source, says) in [
            ("{{ raise_exception('Only two turns') }}", "Only two turns"),
            (
                "{% for i in range(1000000000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}",
                "fails",
            ),
            ("{{ messages[0].content", "fails"),
            ("{{ messages[0].content.nonsense() }}", "nonsense"),
            ("{{ messages[0].role }}", "once each"),
            ("{{ messages[0].content | upper }}", "once each"),
            (
                "{{ messages[0].content }}{{ messages[0].content }}",
                "once each",
            ),
            ("{{ strftime_now('%Q') }}", "%Q"),
        ] {
            let error = template(source)
                .frame("{text} {claim}")
                .unwrap_err()
                .to_string();
            assert!(error.contains(says), "{says}: {error}");
        }
    }

    #[test]
    fn the_day_does_not_change() {
        let source = "{{ strftime_now('%d %b %Y') }} {{ messages[0].content }}";
        let frame = template(source).frame("{text} {claim}").unwrap();
        assert_eq!(frame.open, "26 Jul 2024 ");
    }

    #[test]
    fn templates_are_where_transformers_keeps_them() {
        let read = |json: &str, own: Option<&[u8]>| {
            Template::of_tokenizer_config(Some(json.as_bytes()), own).map(|t| t.source)
        };
        assert_eq!(read(r#"{"chat_template":"a"}"#, None).unwrap(), "a");
        assert_eq!(read(r#"{"chat_template":"a"}"#, Some(b"b")).unwrap(), "b");
        let named = r#"{"chat_template":[{"name":"tools","template":"a"},{"name":"default","template":"b"}]}"#;
        assert_eq!(read(named, None).unwrap(), "b");
        assert!(
            read("{}", None)
                .unwrap_err()
                .to_string()
                .contains("instruct")
        );
        let json = br#"{"bos_token":{"content":"<s>"},"eos_token":"</s>","pad_token":null}"#;
        let found = Template::of_tokenizer_config(Some(json), Some(b"x")).unwrap();
        assert_eq!(found.marks.len(), 2);
        assert_eq!(found.marks["bos_token"], "<s>");
    }
}
