//! The reader's electronic card, as an image to show or as the token in it.

use actix_web::http::header::{self, Accept};
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::http::answer::{self, Answer};
use crate::http::extract::Readers;
use crate::http::input::{CodeText, text};
use crate::http::openapi::CardFailures;
use crate::http::problem::{Code, Problem};
use crate::http::qr_code;
use crate::http::query::Parameters;
use crate::usecase::get_my_card::{self, MyCard};

#[derive(utoipa::OpenApi)]
#[openapi(paths(get_my_card))]
pub struct Document;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CardQuery {
    /// Where the reader stands: the token counts there and below only. Everywhere by default.
    #[param(value_type = Option<String>, max_length = 32)]
    unit_code: Option<CodeText>,
}

/// How the card is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Svg,
    Png,
}

/// The first form that the client likes best; JSON for one that does not say. `None`: it wants something else.
fn form(accept: &Accept) -> Option<Form> {
    let ranked = accept.ranked();
    if ranked.is_empty() {
        return Some(Form::Json);
    }
    ranked.iter().find_map(|kind| match kind.essence_str() {
        "application/json" | "application/*" | "*/*" => Some(Form::Json),
        "image/svg+xml" | "image/*" => Some(Form::Svg),
        "image/png" => Some(Form::Png),
        _ => None,
    })
}

/// The reader's electronic card: a token that is good for a minute, as a QR code to show or as JSON. Ask again for the next one.
#[utoipa::path(get, path = "/api/v1/me/card", operation_id = "getMyCard", tag = "cards", params(CardQuery),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The card, in the form that `Accept` asks for", content(
            (MyCard = "application/json"), (String = "image/svg+xml"), (Vec<u8> = "image/png"))),
        CardFailures))]
pub async fn get_my_card(
    app: web::Data<App>,
    who: Readers,
    accept: Option<web::Header<Accept>>,
    asked: Parameters<CardQuery>,
) -> Answer {
    let form = accept.map_or(Some(Form::Json), |accept| form(&accept.0));
    let form = form.ok_or_else(|| Problem::of(Code::NotAcceptable))?;
    let unit_code = text(asked.0.unit_code);
    let card = get_my_card::get_my_card(&app.store, &app.cards, &who.caller, unit_code).await?;
    match form {
        Form::Json => answer::ok(&card),
        Form::Svg => Ok(image("image/svg+xml").body(qr_code::svg(&card.token)?)),
        Form::Png => Ok(image("image/png").body(qr_code::png(&card.token)?)),
    }
}

fn image(kind: &'static str) -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response
        .content_type(kind)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::VARY, "Accept"));
    response
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::Header;
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_form_is_the_one_that_is_liked_best() {
        let chosen = |value: &str| {
            let request = TestRequest::default()
                .insert_header(("Accept", value))
                .to_http_request();
            form(&Accept::parse(&request).expect("readable"))
        };
        assert_eq!(chosen("image/png"), Some(Form::Png));
        assert_eq!(chosen("image/svg+xml, image/png;q=0.9"), Some(Form::Svg));
        assert_eq!(chosen("image/png;q=0.5, application/json"), Some(Form::Json));
        assert_eq!(
            chosen("image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"),
            Some(Form::Png)
        );
        assert_eq!(chosen("*/*"), Some(Form::Json));
        assert_eq!(chosen("image/*"), Some(Form::Svg));
        assert_eq!(chosen("text/html, image/gif"), None);
    }
}
