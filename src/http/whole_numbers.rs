//! `3.0` is a whole number to JSON Schema, and some clients write it so; serde reads only `3`. Runs when a body was refused.

/// The body with `3.0` written as `3`; `None` where there is no such number. Strings are left alone.
pub fn written_short(body: &[u8]) -> Option<Vec<u8>> {
    let mut short = Vec::with_capacity(body.len());
    let mut at = 0;
    while at < body.len() {
        let end = match body[at] {
            b'"' => string_end(body, at),
            b'-' | b'0'..=b'9' => number_end(body, at),
            _ => at + 1,
        };
        let token = &body[at..end];
        short.extend_from_slice(whole_part(token).unwrap_or(token));
        at = end;
    }
    (short.len() < body.len()).then_some(short)
}

/// Behind the closing quote.
fn string_end(body: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while at < body.len() && body[at] != b'"' {
        at += if body[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(body.len())
}

fn number_end(body: &[u8], start: usize) -> usize {
    let in_number = |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
    let length = body[start..].iter().take_while(|byte| in_number(byte)).count();
    start + length
}

/// `3` of `3.0`.
fn whole_part(token: &[u8]) -> Option<&[u8]> {
    let dot = token.iter().position(|byte| *byte == b'.')?;
    let (whole, fraction) = (&token[..dot], &token[dot + 1..]);
    let is_whole = token[0] != b'"' && !fraction.is_empty() && fraction.iter().all(|byte| *byte == b'0');
    // serde reads `-0` as a fraction too.
    is_whole.then_some(if whole == b"-0" { b"0" } else { whole })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_outside_strings_are_changed() {
        let cases = [
            ("{\"a\": 3.0}", Some("{\"a\": 3}")),
            ("[-12.000,-0.0]", Some("[-12,0]")),
            (
                "{\"a\": \"3.0 \\\" 4.0\", \"b\": 5.0}",
                Some("{\"a\": \"3.0 \\\" 4.0\", \"b\": 5}"),
            ),
            ("{\"a\": 3.5, \"b\": 3.0e2, \"c\": 3., \"d\": 7}", None),
            ("\"3.0", None),
            ("", None),
        ];
        for (body, expected) in cases {
            let short = written_short(body.as_bytes());
            assert_eq!(short.as_deref(), expected.map(str::as_bytes), "{body}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_to_their_end(body in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            written_short(&body);
        }
    }
}
