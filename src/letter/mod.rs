//! The words of notices: templates in the language of Jinja, rendered to subject, text and HTML.
//!
//! A template is somebody else's text that runs here. It has loops over the lines and conditions, and nothing else: it sets no
//! variables, multiplies and joins no texts, calls nothing, reads no file, and its work and its length are bounded.
//! Not here: what a notice is about (`domain::notice`), whose template counts (`usecase`), or sending.

pub mod builtin;
pub mod example;
mod scan;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::Value;

pub use builtin::builtin;

/// The longest source of one part, in bytes.
pub const SOURCE_BYTES: usize = 16 * 1024;
/// The longest text or HTML, in bytes.
const LETTER_BYTES: usize = 64 * 1024;
/// The longest subject, in characters.
const SUBJECT_CHARS: usize = 200;
/// Steps of one rendering: a hundred lines in the built-in templates take some thousand.
const FUEL: u64 = 100_000;
/// Lines in one letter; what is left is a number.
pub const MAX_LINES: usize = 100;

/// The three parts of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// A part of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Subject,
    Text,
    Html,
}

impl Part {
    /// As the API names it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Text => "text",
            Self::Html => "html",
        }
    }
}

/// Why a template does not render.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub part: Part,
    /// Where, if it is one place.
    pub line: Option<usize>,
    pub reason: String,
}

impl Fault {
    fn new(part: Part, reason: impl Into<String>) -> Self {
        Self {
            part,
            line: None,
            reason: reason.into(),
        }
    }

    /// In words, with the line.
    pub fn told(&self) -> String {
        match self.line {
            Some(line) => format!("line {line}: {}", self.reason),
            None => self.reason.clone(),
        }
    }
}

/// Renders a letter.
///
/// # Errors
/// The first part that does not render, or to what cannot be sent.
pub fn render(template: &Template, values: &Value) -> Result<Letter, Fault> {
    let subject = part(Part::Subject, &template.subject, values)?.trim().to_owned();
    if subject.is_empty() {
        return Err(Fault::new(Part::Subject, "renders to nothing"));
    }
    if subject.chars().any(char::is_control) {
        return Err(Fault::new(Part::Subject, "renders to more than one line"));
    }
    if subject.chars().count() > SUBJECT_CHARS {
        return Err(Fault::new(
            Part::Subject,
            format!("renders to more than {SUBJECT_CHARS} characters"),
        ));
    }
    let text = part(Part::Text, &template.text, values)?;
    if text.trim().is_empty() {
        return Err(Fault::new(Part::Text, "renders to nothing"));
    }
    let html = part(Part::Html, &template.html, values)?;
    if html.trim().is_empty() {
        return Err(Fault::new(Part::Html, "renders to nothing"));
    }
    Ok(Letter { subject, text, html })
}

/// Renders a template with every example of a kind of notice: what is refused here is never saved.
///
/// # Errors
/// As [`render`].
pub fn check(template: &Template, kind: crate::domain::notice::NoticeKind) -> Result<Letter, Fault> {
    for lines in [1, 3, MAX_LINES] {
        render(template, &example::values(kind, lines))?;
    }
    render(template, &example::values(kind, 3))
}

fn part(part: Part, source: &str, values: &Value) -> Result<String, Fault> {
    if source.len() > SOURCE_BYTES {
        return Err(Fault::new(part, format!("is longer than {SOURCE_BYTES} bytes")));
    }
    scan::scan(source).map_err(|(line, reason)| Fault {
        part,
        line: Some(line),
        reason,
    })?;
    let fault = |error: &minijinja::Error| Fault {
        part,
        line: error.line(),
        reason: error.detail().map_or_else(
            || error.kind().to_string(),
            |detail| format!("{}: {detail}", error.kind()),
        ),
    };
    let environment = environment(part);
    let template = environment.template_from_str(source).map_err(|error| fault(&error))?;
    let mut out = Bounded(Vec::new());
    let values = minijinja::Value::from(Serde(values));
    let rendered = template.render_captured_to(values, &mut out).map(drop);
    if out.0.len() > LETTER_BYTES {
        return Err(Fault::new(part, format!("renders to more than {LETTER_BYTES} bytes")));
    }
    rendered.map_err(|error| fault(&error))?;
    String::from_utf8(out.0).map_err(|_| Fault::new(part, "renders to what is not UTF-8"))
}

/// Nothing but what is added here: no filter or function that makes long texts of short ones.
fn environment(part: Part) -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    // A tag on a line of its own leaves no line.
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    match syntax {
        Ok(syntax) => environment.set_syntax(syntax),
        Err(error) => tracing::error!(%error, "the syntax of letters"),
    }
    environment.set_auto_escape_callback(move |_| match part {
        Part::Html => AutoEscape::Html,
        Part::Subject | Part::Text => AutoEscape::None,
    });
    environment
}

/// Takes one byte more than is allowed, and then no more.
struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let room = (LETTER_BYTES + 1).saturating_sub(self.0.len());
        if bytes.len() > room {
            self.0.extend_from_slice(&bytes[..room]);
            return Err(std::io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notice::{Language, NoticeKind};

    fn template(subject: &str, text: &str, html: &str) -> Template {
        Template {
            subject: subject.into(),
            text: text.into(),
            html: html.into(),
        }
    }

    fn refused(text: &str) -> Fault {
        check(&template("s", text, "h"), NoticeKind::DueSoon).expect_err(text)
    }

    #[test]
    fn every_built_in_template_renders() {
        for kind in NoticeKind::ALL {
            for language in Language::ALL {
                let letter = check(builtin(*kind, *language), *kind);
                let letter = letter.unwrap_or_else(|fault| panic!("{kind:?} {language:?}: {fault:?}"));
                assert!(
                    letter.html.starts_with("<!doctype html>") && !letter.text.contains('<'),
                    "{letter:?}"
                );
            }
        }
    }

    #[test]
    fn html_is_escaped_and_text_is_not() {
        let values = serde_json::json!({"title": "<b>&"});
        let letter = render(&template("{{ title }}", "{{ title }}", "{{ title }}"), &values).expect("renders");
        assert_eq!((letter.subject.as_str(), letter.text.as_str()), ("<b>&", "<b>&"));
        assert_eq!(letter.html, "&lt;b&gt;&amp;");
    }

    #[test]
    fn a_template_that_does_not_render_is_refused_with_its_line() {
        assert_eq!(refused("a\n{{ lines").line, Some(2));
        assert_eq!(refused("a\n\n{{ nobody.name }}").line, Some(3));
        assert!(
            refused("{% for line in lines %}{{ line.colour }}{% endfor %}")
                .reason
                .contains("undefined")
        );
        assert_eq!(refused(" \n").reason, "renders to nothing");
        let two_lines = check(&template("a\nb", "t", "h"), NoticeKind::DueSoon).expect_err("two lines");
        assert_eq!(two_lines.part, Part::Subject);
    }

    #[test]
    fn a_template_can_neither_work_nor_grow_without_bounds() {
        for text in [
            "{% set a = 'a' %}{{ a }}",
            "{% macro m() %}x{% endmacro %}{{ m() }}",
            "{% include '/etc/passwd' %}",
            "{{ 'a' * 1000000000 }}",
            "{{ 'a' ~ 'b' }}",
            "{{ '}}' * 9 }}",
            "{{ range(1000000000) }}",
            "{{ reader.name|replace('a', 'aaaa') }}",
        ] {
            refused(text);
        }
        let loops = "{% for a in lines %}{% for b in lines %}{% for c in lines %}x{% endfor %}{% endfor %}{% endfor %}";
        refused(loops);
        assert!(refused(&"x".repeat(SOURCE_BYTES + 1)).reason.contains("longer"));
        let long = format!("{{% for line in lines %}}{}{{% endfor %}}", "x".repeat(1_000));
        assert!(
            refused(&long).reason.contains("more than"),
            "a hundred lines of it are too long"
        );
    }
}
