//! Which member of a JSON body an error is about. Only runs when a body was refused, so it may read it again.

use serde_json::error::Category;

use super::problem::Problem;

/// The problem of a body that could not be read.
pub fn problem(body: &[u8], error: &serde_json::Error) -> Problem {
    if let Err(bad) = std::str::from_utf8(body) {
        let at = bad.valid_up_to();
        let field = path_at(body, at).name(None);
        return Problem::malformed(field, "is not UTF-8").detail(format!("the body is not UTF-8 at byte {}", at + 1));
    }
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or_default().to_owned();
    let path = path_at(body, offset_of(body, error));
    match error.classify() {
        Category::Data => Problem::malformed(path.name(named_in(&reason)), reason),
        _ => Problem::malformed(path.name(None), reason).detail(format!("the body is not JSON: {text}")),
    }
}

/// `missing`, `unknown` and `duplicate field` say the name themselves; the path is then that of the object around it.
pub(super) fn named_in(reason: &str) -> Option<&str> {
    let rest = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|words| reason.strip_prefix(words));
    rest.and_then(|rest| rest.split('`').next())
}

fn offset_of(body: &[u8], error: &serde_json::Error) -> usize {
    let before = body
        .split_inclusive(|byte| *byte == b'\n')
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len);
    (before.sum::<usize>() + error.column()).min(body.len())
}

/// The members and elements around a place, the outermost first.
#[derive(Debug, Default, PartialEq, Eq)]
struct Path(Vec<Step>);

#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// An object and the member it is at; `None` before the first.
    Object(Option<String>),
    /// An array and the element it is at.
    Array(usize),
}

impl Path {
    /// `overrides.codes[1]`; `body` for the whole. With a name: the member of that name in the innermost object.
    fn name(mut self, member: Option<&str>) -> String {
        if let Some(member) = member {
            while matches!(self.0.last(), Some(Step::Array(_))) {
                self.0.pop();
            }
            if let Some(Step::Object(at)) = self.0.last_mut() {
                *at = Some(member.to_owned());
            } else {
                return member.to_owned();
            }
        }
        let mut name = String::new();
        for step in &self.0 {
            match step {
                Step::Object(Some(member)) if name.is_empty() => name.push_str(member),
                Step::Object(Some(member)) => name.extend([".", member.as_str()]),
                Step::Object(None) => {}
                Step::Array(at) => name.push_str(&format!("[{at}]")),
            }
        }
        if name.is_empty() { "body".to_owned() } else { name }
    }
}

/// Walks over the text up to `end`. It need not be valid: strings and brackets are all that is looked at.
fn path_at(body: &[u8], end: usize) -> Path {
    let mut path = Path::default();
    let mut at = 0;
    while at < end.min(body.len()) {
        match body[at] {
            b'{' => path.0.push(Step::Object(None)),
            b'[' => path.0.push(Step::Array(0)),
            // The closing bracket at the very end still belongs to what it closes: there a missing member is noticed.
            b'}' | b']' if at + 1 < end => {
                path.0.pop();
            }
            b',' => {
                if let Some(Step::Array(element)) = path.0.last_mut() {
                    *element += 1;
                }
            }
            b'"' => {
                let close = string_end(body, at);
                if is_key(body, close)
                    && let Some(Step::Object(member)) = path.0.last_mut()
                {
                    *member = Some(String::from_utf8_lossy(&body[at + 1..close.min(body.len())]).into_owned());
                }
                at = close;
            }
            _ => {}
        }
        at += 1;
    }
    path
}

/// The place of the closing quote.
fn string_end(body: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while at < body.len() && body[at] != b'"' {
        at += if body[at] == b'\\' { 2 } else { 1 };
    }
    at
}

fn is_key(body: &[u8], close: usize) -> bool {
    let after = body.get(close + 1..).unwrap_or_default();
    after.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::domain::barcode::Barcode;
    use crate::http::input::Text;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only parsed")]
        barcode: Barcode,
        #[expect(dead_code, reason = "only parsed")]
        inner: Option<Inner>,
        #[expect(dead_code, reason = "only parsed")]
        flag: Option<bool>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only parsed")]
        codes: Vec<String>,
        #[expect(dead_code, reason = "only parsed")]
        reason: Text<10>,
    }

    fn field(body: &[u8]) -> String {
        let error = serde_json::from_slice::<Outer>(body).expect_err("refused");
        let shown = serde_json::to_value(format!("{:?}", problem(body, &error)))
            .expect("text")
            .to_string();
        let from = shown.find("field: \\\"").expect("names a field") + 9;
        shown[from..].split("\\\"").next().expect("closed").to_owned()
    }

    #[test]
    fn the_member_is_named() {
        let cases: [(&[u8], &str); 16] = [
            (b"", "body"),
            (b"5", "body"),
            (b"{", "body"),
            (b"{}", "barcode"),
            (b"{\"barcode\": 5}", "barcode"),
            (b"{\"barcode\": \"\"}", "barcode"),
            (b"{\"barcode\": \"a b\", \"flag\": true}", "barcode"),
            (b"{\"barcode\": \"a\", \"flag\": 1}", "flag"),
            (b"{\"barcode\": \"a\",\n \"flag\":\n 1}", "flag"),
            (b"{\"barcode\": \"a\", \"extra\": 1}", "extra"),
            (b"{\"barcode\": \"a\", \"barcode\": \"a\"}", "barcode"),
            (b"{\"barcode\": \"a\", \"inner\": {\"codes\": []}}", "inner.reason"),
            (
                b"{\"barcode\": \"a\", \"inner\": {\"codes\": [\"x\", 2], \"reason\": \"r\"}}",
                "inner.codes[1]",
            ),
            (
                b"{\"barcode\": \"a\", \"inner\": {\"codes\": [], \"reason\": \"12345678901\"}}",
                "inner.reason",
            ),
            (
                b"{\"barcode\": \"a\", \"inner\": {\"codes\": [], \"reason\": \"\xb9\xfa\"}}",
                "inner.reason",
            ),
            (b"{\"barcode\": \"\\ud800\"}", "barcode"),
        ];
        for (body, expected) in cases {
            assert_eq!(field(body), expected, "{}", String::from_utf8_lossy(body));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered(body in proptest::collection::vec(proptest::num::u8::ANY, 0..80), end in 0_usize..100) {
            path_at(&body, end).name(None);
            if let Err(error) = serde_json::from_slice::<Outer>(&body) {
                problem(&body, &error);
            }
        }
    }
}
