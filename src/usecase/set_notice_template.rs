//! A unit's own words for a kind of notice. What does not render is refused, and what was there before stays.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::content_version::must_be_seen;
use super::once::once;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::ids::UnitId;
use crate::domain::notice::{Language, NoticeKind};
use crate::letter::{self, Template, builtin};
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::{Once, Store};

/// Whose template for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplatePlace {
    pub unit_code: String,
    pub kind: NoticeKind,
    pub language: Language,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetNoticeTemplate {
    pub place: TemplatePlace,
    /// `None`: what counts above the unit.
    pub template: Option<Template>,
    /// The version of what counted, if the caller says it.
    pub seen: Option<i64>,
}

/// The template that counts for a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoticeTemplateView {
    #[schema(example = "B0101")]
    pub unit_code: String,
    /// The kind of notice.
    #[schema(example = "due_soon")]
    pub kind: String,
    /// `zh-CN` or `en`.
    #[schema(example = "zh-CN")]
    pub language: String,
    /// One line, in the language of Jinja.
    #[schema(example = "您有{{ count }}册图书即将到期")]
    pub subject: String,
    /// Plain text, in the language of Jinja.
    #[schema(example = "{{ reader.name }}，您好")]
    pub text: String,
    /// HTML, in the language of Jinja; what is put in is escaped.
    #[schema(example = "<p>{{ reader.name }}，您好</p>")]
    pub html: String,
    /// The unit whose own it is; absent: it is the program's.
    #[schema(example = "M1")]
    pub said_by_unit_code: Option<String>,
}

impl Outcome for NoticeTemplateView {}

/// What an example becomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LetterView {
    /// Of the mail; one line.
    #[schema(example = "您有3册图书即将到期")]
    pub subject: String,
    /// Plain text.
    #[schema(example = "李明，您好：…")]
    pub text: String,
    /// HTML.
    #[schema(example = "<p>李明，您好：…</p>")]
    pub html: String,
}

/// The template that counts for a unit.
///
/// # Errors
/// `NotFound`; `Forbidden`; a failure of the store.
pub async fn get_notice_template(
    store: &Arc<Store>,
    caller: &Caller,
    place: TemplatePlace,
) -> Result<NoticeTemplateView> {
    caller.require_somewhere(Right::ManageUnits)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let unit = unit_of(tx, &caller, &place)?;
            view(tx, unit, &place)
        })
        .await
}

/// What an example letter becomes of a template, which is not saved; without one, of the template that counts.
///
/// # Errors
/// `Invalid` for one that does not render; else as [`get_notice_template`].
pub async fn preview_notice_template(
    store: &Arc<Store>,
    caller: &Caller,
    place: TemplatePlace,
    template: Option<Template>,
) -> Result<LetterView> {
    let kind = place.kind;
    let counts = get_notice_template(store, caller, place).await?;
    let template = template.unwrap_or(Template {
        subject: counts.subject,
        text: counts.text,
        html: counts.html,
    });
    let letter = rendered(&template, kind)?;
    Ok(LetterView {
        subject: letter.subject,
        text: letter.text,
        html: letter.html,
    })
}

/// Gives a unit, and what is below it, a template of its own, or takes it back.
///
/// # Errors
/// `NotFound`; `Forbidden` outside the caller's subtree; `Invalid` for one that does not render; `Stale`; a failure of the store.
pub async fn set_notice_template(
    store: &Arc<Store>,
    caller: &Caller,
    command: SetNoticeTemplate,
    key: Option<IdempotencyKey>,
) -> Result<Once<NoticeTemplateView>> {
    // Whoever may not is told so before anything is rendered.
    get_notice_template(store, caller, command.place.clone()).await?;
    if let Some(template) = &command.template {
        rendered(template, command.place.kind)?;
    }
    once(store, caller, key, 1, command, apply).await
}

fn apply(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    command: &SetNoticeTemplate,
    mut ids: IdRun,
) -> Result<NoticeTemplateView> {
    let place = &command.place;
    tx.lock_network()?;
    let unit = unit_of(tx, caller, place)?;
    let before = view(tx, unit, place)?;
    must_be_seen(&before, command.seen)?;
    tx.set_notice_template(unit, place.kind, place.language, command.template.as_ref())?;
    let detail = json!({"changed": "notice_template", "kind": place.kind.code(), "language": place.language.code(),
        "own": command.template.is_some()});
    let event = Event::new(EventKind::UnitChanged, tx.now(), unit, caller.own_channel())
        .by(caller.staff(), caller.device())
        .detail(detail);
    tx.append_event(ids.next(), &event)?;
    view(tx, unit, place)
}

fn unit_of(tx: &mut ReadTx<'_>, caller: &Caller, place: &TemplatePlace) -> Result<UnitId> {
    let network = tx.network()?;
    let unit = network.units().by_code(&place.unit_code);
    let unit = unit.map(|unit| unit.id).ok_or(UseCaseError::NotFound("unit"))?;
    caller.require(Right::ManageUnits, unit, &network)?;
    Ok(unit)
}

fn view(tx: &mut ReadTx<'_>, unit: UnitId, place: &TemplatePlace) -> Result<NoticeTemplateView> {
    let network = tx.network()?;
    let line = network.units().ancestors(unit).to_vec();
    let own = tx.nearest_template(&line, place.kind, place.language)?;
    let (said_by, template) = match own {
        Some((unit, template)) => (network.unit(unit).map(|unit| unit.code.clone()), template),
        None => (None, builtin(place.kind, place.language).clone()),
    };
    Ok(NoticeTemplateView {
        unit_code: place.unit_code.clone(),
        kind: place.kind.code().to_owned(),
        language: place.language.code().to_owned(),
        subject: template.subject,
        text: template.text,
        html: template.html,
        said_by_unit_code: said_by,
    })
}

fn rendered(template: &Template, kind: NoticeKind) -> Result<letter::Letter> {
    letter::check(template, kind).map_err(|fault| UseCaseError::field(fault.part.code(), fault.told()))
}
