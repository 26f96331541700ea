//! Query strings: parsed into a typed request, with the parameter named that cannot be read.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use serde::de::DeserializeOwned;

use super::json_fault::named_in;
use super::problem::Problem;

/// More parameters than any operation has.
pub(super) const MAX_PARAMETERS: usize = 20;

/// The parameters of a request.
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Parameters<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parse(request.query_string()).map(Self))
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    if pairs.len() > MAX_PARAMETERS {
        return Err(Problem::malformed(
            "query",
            format!("has more than {MAX_PARAMETERS} parameters"),
        ));
    }
    if let Some(pair) = pairs.iter().find(|pair| !is_utf8(pair)) {
        return Err(Problem::malformed(name_of(pair), "is not UTF-8"));
    }
    let read = |query: &str| web::Query::<T>::from_query(query).map(web::Query::into_inner);
    read(query).map_err(|error| {
        let reason = reason_of(&error);
        let named = named_in(&reason).map(str::to_owned);
        // serde does not say which one: it is the one without which the error is gone or another.
        let without = |pair: &&&str| {
            let rest: Vec<&str> = pairs.iter().filter(|one| *one != *pair).copied().collect();
            read(&rest.join("&")).map_or_else(|error| reason_of(&error) != reason, |_| true)
        };
        let field = named.or_else(|| pairs.iter().find(without).map(|pair| name_of(pair)));
        Problem::malformed(field.unwrap_or_else(|| "query".to_owned()), reason)
    })
}

fn reason_of(error: &actix_web::error::QueryPayloadError) -> String {
    let text = error.to_string();
    text.strip_prefix("Query deserialize error: ")
        .unwrap_or(&text)
        .to_owned()
}

fn name_of(pair: &str) -> String {
    pair.split('=').next().unwrap_or_default().chars().take(64).collect()
}

/// The decoder replaces what is not UTF-8; a search for something else than was asked would be an answer to nothing.
fn is_utf8(pair: &str) -> bool {
    let mut bytes = Vec::with_capacity(pair.len());
    let mut rest = pair.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escape = tail
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|hex| std::str::from_utf8(hex).ok());
        match escape.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    std::str::from_utf8(&bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::http::input::{Cursor, Limit, Text};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Search {
        q: Text<5>,
        cursor: Option<Cursor>,
        limit: Option<Limit>,
    }

    #[test]
    fn the_parameter_is_named() {
        let fine: Search = parse("q=%E4%B8%89%E5%9B%BD&limit=7").expect("fine");
        assert_eq!(
            (
                String::from(fine.q).as_str(),
                fine.cursor.is_none(),
                fine.limit.is_some()
            ),
            ("三国", true, true)
        );
        let cases = [
            ("", "q"),
            ("q=a&x=1", "x"),
            ("q=a&q=b", "q"),
            ("q=", "q"),
            ("q=123456", "q"),
            ("q=a&limit=0", "limit"),
            ("q=a&limit=201", "limit"),
            ("q=a&limit=-1", "limit"),
            ("q=a&cursor=x", "cursor"),
            ("limit=5&q=%B9%FA", "q"),
            ("q=a%00b", "q"),
        ];
        for (query, expected) in cases {
            let problem = parse::<Search>(query).expect_err(query);
            assert!(
                format!("{problem:?}").contains(&format!("field: {expected:?}")),
                "{query}: {problem:?}"
            );
        }
        let many = "q=a&".repeat(21);
        assert!(parse::<Search>(&many).is_err());
    }
}
