//! The OpenAPI document against the routes there are, the page, and health.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::app::{TestApp, run};
use crate::database::Engine;

const OPERATIONS: &[&str] = &[
    "acceptTransfer",
    "acknowledgeCommand",
    "addAmnesty",
    "addClosedDays",
    "addGuardian",
    "addItem",
    "addOpenings",
    "admitReader",
    "agreeMyAdmission",
    "announceReturn",
    "appealMyCreditEntry",
    "applyForCard",
    "approveApplication",
    "approveDevice",
    "askMyAdmission",
    "cancelCard",
    "cancelCommand",
    "cancelHold",
    "cancelMyHold",
    "cancelShipment",
    "checkGateExit",
    "checkIn",
    "checkOut",
    "closeShipment",
    "closeUnits",
    "configureDevice",
    "confirmApplication",
    "confirmLoan",
    "confirmMyContact",
    "confirmTotp",
    "createBib",
    "createDeposit",
    "createRuleDraft",
    "createShipment",
    "createStaff",
    "createUnit",
    "createWebhook",
    "decideCreditAppeal",
    "declareLost",
    "declineTransfer",
    "disableTotp",
    "discardRuleDraft",
    "dispatchParcel",
    "endGuardianship",
    "endLoadingRound",
    "endLockerSession",
    "endMyAdmission",
    "endSession",
    "enrolTotp",
    "eraseMe",
    "explainCalendar",
    "explainRule",
    "exportMyData",
    "exportRuleSet",
    "finishProcessing",
    "finishRepair",
    "freezeReader",
    "getBib",
    "getBibVersion",
    "getBins",
    "getConfigurationOfDevice",
    "getDeposit",
    "getDevice",
    "getDeviceConfiguration",
    "getDeviceJournal",
    "getHold",
    "getItem",
    "getJournalCursor",
    "getLoadingRound",
    "getMe",
    "getMyAdmission",
    "getMyApplication",
    "getMyCard",
    "getMyCredit",
    "getMyPreferences",
    "getNoticeTemplate",
    "getOfflinePack",
    "getParcel",
    "getReader",
    "getReaderAdmission",
    "getReaderCredit",
    "getRuleDraft",
    "getRuleSet",
    "getSelfRegistration",
    "getShipment",
    "getShipmentLabel",
    "getShipmentSlip",
    "getTransfer",
    "getUnit",
    "getUnitSending",
    "giveMyConsent",
    "giveUpParcel",
    "handOverShipments",
    "heartbeat",
    "importCalendar",
    "importCreditEvents",
    "issueCard",
    "itemBatch",
    "listAmnesties",
    "listApplications",
    "listBibHolds",
    "listBibItems",
    "listBibVersions",
    "listCardRevocations",
    "listClosings",
    "listCollections",
    "listCommands",
    "listCompartments",
    "listConflicts",
    "listCreditAppeals",
    "listDepositCopies",
    "listDeposits",
    "listDeviceAlarms",
    "listDeviceKeys",
    "listDevices",
    "listGateAlarms",
    "listHoldShelf",
    "listIncoming",
    "listItemTypes",
    "listJobs",
    "listMyAccesses",
    "listMyConsents",
    "listMyCreditEntries",
    "listMyGuardianActs",
    "listMyHolds",
    "listMyLoans",
    "listMyNotices",
    "listMyStops",
    "listMyWards",
    "listPackingList",
    "listParcels",
    "listPullList",
    "listQuarantine",
    "listReaderCategories",
    "listReaderContacts",
    "listReaderCreditEntries",
    "listReaderHolds",
    "listReaderLoans",
    "listRoutes",
    "listRuleDrafts",
    "listRuleSets",
    "listSessions",
    "listShelfClearings",
    "listShipments",
    "listStaff",
    "listStops",
    "listTransfers",
    "listTransits",
    "listTransportCosts",
    "listUnconfirmedLoans",
    "listUnits",
    "listWebhookDeliveries",
    "listWebhooks",
    "loadCompartment",
    "loadShipments",
    "lockerBorrow",
    "lockerPickUp",
    "lockerReturn",
    "logIn",
    "logOut",
    "logOutEverywhere",
    "mergeBibs",
    "mergeReaders",
    "moveHold",
    "moveItem",
    "moveUnit",
    "nextStops",
    "openCardSession",
    "openCompartment",
    "packItem",
    "packParcel",
    "placeHold",
    "placeMyHold",
    "postCreditEntry",
    "previewNoticeTemplate",
    "previewRuleMatrix",
    "previewRules",
    "proposeTransfer",
    "publishRules",
    "pullCommands",
    "recallDeposit",
    "recallItem",
    "receiveParcel",
    "receiveShipment",
    "receiveTransit",
    "recordIdNumber",
    "redeemReset",
    "refreshToken",
    "refuseApplication",
    "refusePull",
    "registerDevice",
    "registerReader",
    "reinstateItem",
    "rejectClaim",
    "removeAmnesty",
    "removeClosedDays",
    "removeOpenings",
    "removeWebhook",
    "renewCard",
    "renewDeviceSecret",
    "renewLoan",
    "renewMyLoan",
    "reorderHold",
    "replaceCard",
    "replayWebhookDeliveries",
    "replayWebhookDelivery",
    "reportAdmission",
    "reportBounce",
    "reportCardFound",
    "reportCardLost",
    "reportClaimedReturned",
    "reportCompartment",
    "reportDamaged",
    "reportFlows",
    "reportFlowsCsv",
    "reportGatePassages",
    "reportMissing",
    "reportParcel",
    "requestDelivery",
    "requestReset",
    "resetNoticeTemplate",
    "resolveConflict",
    "resumeDevice",
    "resumeHold",
    "retireDevice",
    "reverseCreditEntry",
    "revokeCardTokens",
    "revokeDeviceKey",
    "rollBackRules",
    "rotateDeviceSecret",
    "rotateWebhookSecret",
    "searchBibs",
    "sendCommand",
    "sendShipment",
    "setBins",
    "setCollection",
    "setCompartments",
    "setDeviceKey",
    "setItemType",
    "setNoticeTemplate",
    "setPacking",
    "setPin",
    "setReaderCategory",
    "setReaderContact",
    "setReturnPolicy",
    "setRoute",
    "setSelfRegistration",
    "setStaffContact",
    "setStaffPassword",
    "setStops",
    "setTransportCost",
    "setUnitHours",
    "setUnitSending",
    "settleCompartment",
    "settleDeviceAlarm",
    "settleGateAlarm",
    "settleQuarantine",
    "startLoadingRound",
    "startLockerSession",
    "startProcessing",
    "suspendDevice",
    "suspendHold",
    "thawReader",
    "undoClosing",
    "unloadCompartment",
    "unpackItem",
    "updateBib",
    "updateDeposit",
    "updateItem",
    "updateMyPreferences",
    "updateRuleDraft",
    "updateStaff",
    "updateUnit",
    "updateWebhook",
    "uploadDeviceJournal",
    "uploadJournal",
    "validateRuleDraft",
    "voidLoan",
    "withdrawItem",
    "withdrawMyConsent",
    "withdrawRuleSet",
    "withdrawTransfer",
];

fn document() -> Value {
    tongjie::http::document()
}

/// Method, path and operation.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let each = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().expect("methods");
        methods
            .iter()
            .map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation.clone()))
    });
    each.collect()
}

#[test]
fn the_document_lists_every_operation_with_its_failures() {
    let document = document();
    assert!(document["openapi"].as_str().expect("a version").starts_with("3.1"));
    let mut found = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().expect("an id").to_owned();
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{id}");
        if !path.starts_with("/api/v1") {
            continue;
        }
        let has = |status: &str| !operation["responses"][status].is_null();
        assert!(
            ["400", "401", "500", "503"].into_iter().all(has),
            "{id} lacks a failure"
        );
        assert!(["200", "201", "204"].into_iter().any(has), "{id} lacks its success");
        let secured = operation["security"].is_array();
        let open = [
            "logIn",
            "refreshToken",
            "requestReset",
            "redeemReset",
            "applyForCard",
            "confirmApplication",
            "getMyApplication",
        ];
        assert_eq!(secured, !open.contains(&id.as_str()), "{id}");
        let has_key = operation["parameters"].to_string().contains("Idempotency-Key");
        // A report of another system has a number of its own, and so has a mail that came back or a passage of a gate; a preview
        // changes nothing.
        let unkeyed = [
            "checkGateExit",
            // What a device says or asks again does no harm: the latest beat counts, the same orders go out under the same receipts, and
            // the secret that is used last is the one.
            "heartbeat",
            "renewDeviceSecret",
            "pullCommands",
            // An entry of a journal has a number.
            "uploadJournal",
            "uploadDeviceJournal",
            "reportParcel",
            "importCreditEvents",
            "reportAdmission",
            "reportBounce",
            "previewNoticeTemplate",
            // Whoever applies is nobody yet; the right code sent again answers the same.
            "applyForCard",
            "confirmApplication",
            "getMyApplication",
        ];
        let keyed = method != "GET" && !path.contains("/sessions") && !unkeyed.contains(&id.as_str());
        assert_eq!(has_key, keyed, "{id}");
        assert!(found.insert(id.clone()), "{id} is listed twice");
    }
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), OPERATIONS);
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let text = document.to_string();
    let mut at = 0;
    while let Some(found) = text[at..].find("\"#/") {
        let start = at + found + 2;
        let end = start + text[start..].find('"').expect("a closing quote");
        assert!(
            document.pointer(&text[start..end]).is_some(),
            "{} leads nowhere",
            &text[start..end]
        );
        at = end;
    }
}

#[test]
fn every_operation_is_served_and_asks_who_calls() {
    run(Engine::Sqlite, |app| {
        for (method, path, operation) in operations(&document()) {
            let address = path
                .replace("{id}", "1")
                .replace("{code}", "x")
                .replace("{collection}", "x")
                .replace("{consent}", "x")
                .replace("{version}", "1");
            let answer = app.request(&method, &address).send();
            if operation["security"].is_array() {
                answer.expect_problem(401, "unauthenticated");
            } else if path.starts_with("/health") || path.starts_with("/.well-known") {
                answer.expect(200);
            } else {
                // One member of several is needed, which the schema cannot say.
                let (status, code) = match answer.status {
                    422 => (422, "invalid_fields"),
                    _ => (400, "malformed_request"),
                };
                answer.expect_problem(status, code);
            }
        }
    });
}

#[test]
fn the_document_and_its_page_come_from_the_binary() {
    run(Engine::Sqlite, |app| {
        let served = app.request("GET", "/api/v1/openapi.json").send().expect(200);
        assert_eq!(served.body, document());
        let moved = app.request("GET", "/docs").send().expect(308);
        assert_eq!(moved.header("location"), Some("/docs/"));
        let page = String::from_utf8(app.request("GET", "/docs/").send().expect(200).bytes).expect("UTF-8");
        assert!(page.contains("swagger-ui"));
        let script = String::from_utf8(
            app.request("GET", "/docs/swagger-initializer.js")
                .send()
                .expect(200)
                .bytes,
        )
        .expect("UTF-8");
        assert!(
            script.contains("/api/v1/openapi.json") && script.contains("\"validatorUrl\": \"none\""),
            "{script}"
        );
        assert!(
            app.request("GET", "/docs/swagger-ui-bundle.js")
                .send()
                .expect(200)
                .bytes
                .len()
                > 100_000
        );
    });
}

on_both!(health_says_whether_it_can_work);

fn health_says_whether_it_can_work(app: &TestApp) {
    assert_eq!(
        app.request("GET", "/health/live").send().expect(200).body,
        json!({"status": "live"})
    );
    assert_eq!(
        app.request("GET", "/health/ready").send().expect(200).body["status"],
        "ready"
    );
    app.app.begin_stop();
    app.request("GET", "/health/live").send().expect(200);
    let answer = app
        .request("GET", "/health/ready")
        .send()
        .expect_problem(503, "unavailable");
    assert_eq!(
        (&answer.body["detail"], answer.header("retry-after")),
        (&json!("stopping"), Some("2"))
    );
}
