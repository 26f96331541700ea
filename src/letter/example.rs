//! Values to try templates with, and to preview them.

use serde_json::{Value, json};

use crate::domain::notice::{NoticeKind, Subject};

/// The values of an example letter with so many lines.
pub fn values(kind: NoticeKind, lines: usize) -> Value {
    let all: Vec<Value> = (1..=lines).map(|n| line(kind, n)).collect();
    json!({
        "unit": {"code": "B0101", "name": "江汉路图书馆"},
        "reader": {"name": "李明"},
        "language": "zh-CN",
        "portal_url": "https://library.example.org/me",
        "count": lines,
        "lines": all,
    })
}

fn line(kind: NoticeKind, n: usize) -> Value {
    let title = ["三体", "Pride & Prejudice", "红楼梦"][n % 3];
    match kind.subject() {
        Subject::Loan => json!({"title": title, "barcode": format!("0101{n:06}"), "due_on": "2026-03-20", "days": n}),
        Subject::Hold => {
            let device = ["", "地铁站图书柜"][(n + 1) % 2];
            json!({"title": title, "shelf_number": n, "device_name": device, "until": "2026-03-20"})
        }
        Subject::Parcel => json!({"parcel": n, "items": 2, "tracking_number": "SF1042"}),
        Subject::Entry => json!({"points": -5, "balance": 95, "reason": "逾期"}),
        Subject::Freeze => json!({"reason": "逾期", "until": "2026-04-20"}),
        Subject::Card => json!({"number_end": "0042", "until": "2026-03-20"}),
        Subject::Code => json!({"code": "204518", "minutes": 10}),
    }
}
