//! The catalogue: search, one bib, its items.

use serde_json::json;

use crate::app::TestApp;
use crate::client::Answer;

on_both!(
    bibs_are_found_by_words_isbn_and_control_number,
    a_search_needs_exactly_one_thing,
    a_bib_lists_its_items
);

fn ids(answer: &Answer) -> Vec<i64> {
    answer.body["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|bib| bib["id"].as_i64().expect("an id"))
        .collect()
}

fn bibs_are_found_by_words_isbn_and_control_number(app: &TestApp) {
    let token = app.root_token();
    let first = app.bib("《红楼梦》研究", Some("9787503717444"));
    let second = app.bib("红楼梦", None);
    let third = app.bib("C++程序设计 100%", None);
    let find = |query: &str| ids(&app.get(&token, &format!("/api/v1/bibs?{query}")).expect(200));
    assert_eq!(find("q=%E7%BA%A2%E6%A5%BC%E6%A2%A6"), [first, second]);
    assert_eq!(find("q=%E7%A0%94%E7%A9%B6+%E7%BA%A2%E6%A5%BC"), [first]);
    assert_eq!(find("q=%EF%BC%A3%2B%2B"), [third]);
    assert_eq!(find("q=nothing"), [0; 0]);
    assert_eq!(find("isbn=7-5037-1744-0"), [first]);
    assert_eq!(find(&format!("control_number=cn{second}")), [second]);
    let page = app
        .get(&token, "/api/v1/bibs?q=%E7%BA%A2%E6%A5%BC%E6%A2%A6&limit=1")
        .expect(200);
    let next = page.body["next_cursor"].as_str().expect("another page");
    assert_eq!(
        find(&format!("q=%E7%BA%A2%E6%A5%BC%E6%A2%A6&limit=1&cursor={next}")),
        [second]
    );
    let bib = app.get(&token, &format!("/api/v1/bibs/{first}")).expect(200).body;
    assert_eq!(
        (&bib["title"], &bib["isbn"]),
        (&json!("《红楼梦》研究"), &json!("9787503717444"))
    );
    app.get(&token, "/api/v1/bibs/1").expect_problem(404, "not_found");
}

fn a_search_needs_exactly_one_thing(app: &TestApp) {
    let token = app.root_token();
    let get = |query: &str| app.get(&token, &format!("/api/v1/bibs{query}"));
    get("").expect_fields(422, &["q"]);
    get("?q=a&isbn=b").expect_fields(422, &["q"]);
    get("?q=%E3%80%8A%E3%80%8B").expect_fields(422, &["q"]);
    get("?q=a+b+c+d+e+f+g+h+i+j+k").expect_fields(422, &["q"]);
    get("?isbn=7503717441").expect_fields(422, &["isbn"]);
    get("?q=%BA%EC").expect_fields(400, &["q"]);
    get(&format!("?q={}", "a".repeat(201))).expect_fields(400, &["q"]);
    get("?title=a").expect_fields(400, &["title"]);
}

fn a_bib_lists_its_items(app: &TestApp) {
    app.small_network();
    let token = app.root_token();
    let bib = app.bib("三国演义", None);
    let (first, _) = app.item(bib, "B1", &json!({}));
    let (second, _) = app.item(bib, "B2", &json!({}));
    let path = format!("/api/v1/bibs/{bib}/items");
    assert_eq!(ids(&app.get(&token, &path).expect(200)), [first, second]);
    let page = app.get(&token, &format!("{path}?limit=1")).expect(200);
    let next = page.body["next_cursor"].as_str().expect("another page");
    assert_eq!(
        ids(&app.get(&token, &format!("{path}?limit=1&cursor={next}")).expect(200)),
        [second]
    );
    app.get(&token, "/api/v1/bibs/1/items").expect_problem(404, "not_found");
}
