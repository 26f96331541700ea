//! Rows as the town's builder writes them: what matters is set by the builder, the rest is the same for all.

use chrono::{NaiveDate, NaiveTime, Weekday};
use tongjie::domain::calendar::OpenSpan;
use tongjie::domain::ids::{BibId, UnitId};
use tongjie::domain::stops::Stop;
use tongjie::store::bibs::NewBib;
use tongjie::store::items::NewItem;
use tongjie::store::readers::{NewCard, NewReader};

pub fn new_bib(id: BibId) -> NewBib {
    NewBib {
        id: id.get(),
        control_number: None,
        format: "cnmarc".into(),
        container: "iso2709".into(),
        encoding: "utf-8".into(),
        marc: vec![0x1d],
        title: "红楼梦".into(),
        authors: "曹雪芹".into(),
        publisher: None,
        publish_year: None,
        isbn: None,
        clc_class: Some("I242.4".into()),
        language: Some("chi".into()),
        search_text: "红楼梦".into(),
        open_holds: 0,
        created_at: 0,
        updated_at: 0,
    }
}

pub fn new_item(id: i64, bib: BibId, item_type: i64, number: usize) -> NewItem {
    NewItem {
        id,
        bib_id: bib.get(),
        barcode: format!("I{number}"),
        rfid_tag: None,
        owner_unit_id: 0,
        home_unit_id: 0,
        current_unit_id: 0,
        collection_id: None,
        shelf_location: None,
        call_number: None,
        item_type_id: item_type,
        price_fen: None,
        status: "on_shelf".into(),
        not_for_loan: false,
        min_age_years: None,
        for_children: false,
        alert_note: None,
        parts: 1,
        last_event_at: 0,
        created_at: 0,
        volume: None,
    }
}

pub fn new_reader(id: i64, home: UnitId, category: i64) -> NewReader {
    NewReader {
        id,
        name: "模拟读者".into(),
        category_id: category,
        home_unit_id: home.get(),
        status: "active".into(),
        barred: false,
        birth_date: None,
        credit_band: "b".into(),
        debt_fen: 0,
        note: None,
        pin_hash: None,
        open_holds: 0,
        created_at: 0,
    }
}

pub fn new_card(id: i64, reader: i64, number: usize, expires_on: Option<String>) -> NewCard {
    NewCard {
        id,
        number: format!("R{number}"),
        reader_id: reader,
        kind: "physical".into(),
        status: "active".into(),
        expires_on,
        issued_at: None,
    }
}

pub fn span(opens: u32, closes: u32) -> OpenSpan {
    let time = |hour| NaiveTime::from_hms_opt(hour, 0, 0).expect("an hour");
    OpenSpan {
        opens: time(opens),
        closes: time(closes),
    }
}

/// Where the vehicle stands, every week.
pub fn stop(weekday: Weekday, first: NaiveDate) -> Stop {
    Stop {
        place: "广场".to_owned(),
        latitude: None,
        longitude: None,
        weekday: Some(weekday),
        first,
        last: None,
        opens: span(9, 12).opens,
        closes: span(9, 12).closes,
        cancelled: Vec::new(),
    }
}
