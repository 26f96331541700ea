//! Routes and documents of what the network is made of: calendars, settings, rules, accounts, jobs, templates, webhooks.

use actix_web::web::{ServiceConfig, delete, get, patch, post, put, resource};
use utoipa::OpenApi;

use super::{
    accounts, calendars, closings, jobs, my_sessions, notice_templates, openings, rule_drafts, rule_previews,
    rule_sets, rules, sessions, settings, staff, unit_changes, units, webhooks,
};

/// Routes below `/api/v1`.
pub fn routes(config: &mut ServiceConfig) {
    config
        .configure(calendar_routes)
        .configure(setting_routes)
        .configure(rules_routes)
        .configure(notice_routes);
}

fn calendar_routes(config: &mut ServiceConfig) {
    let closed_days = resource("/units/{code}/closed-days")
        .route(post().to(calendars::add_closed_days))
        .route(delete().to(calendars::remove_closed_days));
    let openings = resource("/units/{code}/openings")
        .route(post().to(openings::add_openings))
        .route(delete().to(openings::remove_openings));
    let amnesties = resource("/units/{code}/amnesties")
        .route(get().to(openings::list_amnesties))
        .route(post().to(openings::add_amnesty))
        .route(delete().to(openings::remove_amnesty));
    let closings = resource("/closings")
        .route(get().to(closings::list_closings))
        .route(post().to(closings::close_units));
    config
        .service(resource("/units/{code}/hours").route(put().to(calendars::set_unit_hours)))
        .service(closed_days)
        .service(resource("/units/{code}/calendar-imports").route(post().to(calendars::import_calendar)))
        .service(resource("/units/{code}/calendar").route(get().to(calendars::explain_calendar)))
        .service(openings)
        .service(amnesties)
        .service(closings)
        .service(resource("/closings/{id}/undo").route(post().to(closings::undo_closing)));
}

fn setting_routes(config: &mut ServiceConfig) {
    config
        .service(resource("/units/{code}/moves").route(post().to(unit_changes::move_unit)))
        .service(resource("/units/{code}/collections").route(get().to(settings::list_collections)))
        .service(resource("/units/{code}/collections/{collection}").route(put().to(settings::set_collection)))
        .service(resource("/item-types").route(get().to(settings::list_item_types)))
        .service(resource("/item-types/{code}").route(put().to(settings::set_item_type)))
        .service(resource("/reader-categories").route(get().to(settings::list_reader_categories)))
        .service(resource("/reader-categories/{code}").route(put().to(settings::set_reader_category)))
        .service(resource("/jobs").route(get().to(jobs::list_jobs)))
        .service(resource("/staff/{id}").route(patch().to(accounts::update_staff)))
        .service(resource("/staff/{id}/password").route(put().to(accounts::set_staff_password)))
        .service(resource("/staff/{id}/contact").route(put().to(accounts::set_staff_contact)))
        .service(resource("/readers/{id}/pin").route(put().to(accounts::set_pin)));
}

fn rules_routes(config: &mut ServiceConfig) {
    let set = resource("/rule-sets/{version}")
        .route(get().to(rule_sets::get_rule_set))
        .route(delete().to(rule_sets::withdraw_rule_set));
    let drafts = resource("/rule-drafts")
        .route(get().to(rule_drafts::list_rule_drafts))
        .route(post().to(rule_drafts::create_rule_draft));
    let draft = resource("/rule-drafts/{id}")
        .route(get().to(rule_drafts::get_rule_draft))
        .route(put().to(rule_drafts::update_rule_draft))
        .route(delete().to(rule_drafts::discard_rule_draft));
    config
        .service(resource("/rules/explain").route(get().to(rules::explain_rule)))
        .service(resource("/rule-sets").route(get().to(rule_sets::list_rule_sets)))
        .service(set)
        .service(resource("/rule-sets/{version}/toml").route(get().to(rule_sets::export_rule_set)))
        .service(resource("/rule-sets/{version}/roll-back").route(post().to(rule_sets::roll_back_rules)))
        .service(drafts)
        .service(draft)
        .service(resource("/rule-drafts/{id}/validation").route(get().to(rule_drafts::validate_rule_draft)))
        .service(resource("/rule-drafts/{id}/publication").route(post().to(rule_drafts::publish_rule_set)))
        .service(resource("/rule-drafts/{id}/loan-preview").route(get().to(rule_previews::preview_rule_draft)))
        .service(resource("/rule-drafts/{id}/matrix").route(get().to(rule_previews::preview_rule_matrix)));
}

fn notice_routes(config: &mut ServiceConfig) {
    let template = resource("/units/{code}/notice-templates/{kind}/{language}")
        .route(get().to(notice_templates::get_notice_template))
        .route(put().to(notice_templates::set_notice_template))
        .route(delete().to(notice_templates::reset_notice_template));
    let preview = resource("/units/{code}/notice-templates/{kind}/{language}/preview");
    let all = resource("/webhooks")
        .route(get().to(webhooks::list_webhooks))
        .route(post().to(webhooks::create_webhook));
    let one = resource("/webhooks/{id}")
        .route(patch().to(webhooks::update_webhook))
        .route(delete().to(webhooks::remove_webhook));
    let told = resource("/webhooks/{id}/deliveries/{delivery}/replay");
    config
        .service(template)
        .service(preview.route(post().to(notice_templates::preview_notice_template)))
        .service(all)
        .service(one)
        .service(resource("/webhooks/{id}/secret").route(post().to(webhooks::rotate_webhook_secret)))
        .service(resource("/webhooks/{id}/deliveries").route(get().to(webhooks::list_webhook_deliveries)))
        .service(resource("/webhooks/{id}/deliveries/replay").route(post().to(webhooks::replay_webhook_deliveries)))
        .service(told.route(post().to(webhooks::replay_webhook_delivery)));
}

/// What each resource says of itself.
pub fn documents() -> Vec<utoipa::openapi::OpenApi> {
    vec![
        sessions::Document::openapi(),
        my_sessions::Document::openapi(),
        units::Document::openapi(),
        staff::Document::openapi(),
        rules::Document::openapi(),
        rule_sets::Document::openapi(),
        rule_drafts::Document::openapi(),
        rule_previews::Document::openapi(),
        unit_changes::Document::openapi(),
        calendars::Document::openapi(),
        openings::Document::openapi(),
        closings::Document::openapi(),
        settings::Document::openapi(),
        accounts::Document::openapi(),
        jobs::Document::openapi(),
        notice_templates::Document::openapi(),
        webhooks::Document::openapi(),
    ]
}
