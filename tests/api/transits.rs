//! Journeys between units: who sees which.

use serde_json::json;

use crate::app::TestApp;

on_both!(staff_see_the_journeys_of_their_units);

fn staff_see_the_journeys_of_their_units(app: &TestApp) {
    app.small_network();
    let joined = json!({"lend_away": true, "return_away": true, "readers_away": true});
    app.unit("B8", "branch", "M1", &json!({"membership": [joined]}));
    app.unit("B9", "branch", "M2", &json!({"membership": [joined]}));
    let (_, barcode) = app.item(app.bib("三国演义", None), "B8", &json!({}));
    let back = app
        .post(
            &app.staff("librarian", "B9"),
            "/api/v1/check-ins",
            &json!({"item_barcode": barcode}),
        )
        .expect(200);
    assert_eq!(
        (&back.body["next_step"]["kind"], &back.body["next_step"]["to_unit_code"]),
        (&json!("crate"), &json!("B8"))
    );
    let count = |token: &str, query: &str| {
        app.get(token, &format!("/api/v1/transits{query}")).expect(200).body["items"]
            .as_array()
            .expect("items")
            .len()
    };
    let (home, away) = (app.staff("courier", "B8"), app.staff("courier", "M2"));
    assert_eq!(
        (
            count(&home, ""),
            count(&home, "?to_unit_code=B8"),
            count(&home, "?from_unit_code=B8&to_unit_code=B9")
        ),
        (1, 1, 0)
    );
    assert_eq!((count(&away, ""), count(&away, "?from_unit_code=B9")), (0, 1));
    assert_eq!(count(&app.root_token(), ""), 1);
    app.get(&away, "/api/v1/transits?to_unit_code=B8")
        .expect_problem(403, "forbidden");
    app.get(&away, "/api/v1/transits?to_unit_code=x")
        .expect_fields(422, &["to_unit_code"]);
    let id = app.get(&home, "/api/v1/transits").expect(200).body["items"][0]["id"]
        .as_i64()
        .expect("an id");
    let path = format!("/api/v1/transits/{id}/receive");
    let received = app.request("POST", &path).bearer(&home).send().expect(200);
    assert_eq!(received.body["next_step"]["kind"], "shelf_here");
    assert_eq!(count(&home, ""), 0);
}
