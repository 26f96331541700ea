//! What is held on a reader as a page to read and print: no script, nothing from elsewhere.

use serde_json::Value;

use crate::usecase::export_my_data::{MyData, MyDataPart};

const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"zh-CN\"><head><meta charset=\"utf-8\">\
    <title>我的个人数据 · My data</title></head>\n<body>\n";

/// Draws the page.
pub fn draw(data: &MyData) -> String {
    let mut page = String::from(HEAD);
    let at = data.made_at.format("%Y-%m-%d %H:%M UTC");
    page.push_str(&format!("<h1>我的个人数据 · My data</h1>\n<p>{at}</p>\n"));
    for part in &data.parts {
        draw_part(&mut page, part);
    }
    page.push_str("</body></html>\n");
    page
}

fn draw_part(page: &mut String, part: &MyDataPart) {
    let (zh, en) = (escaped(&part.title_zh), escaped(&part.title_en));
    page.push_str(&format!("<h2>{zh} · {en}</h2>\n"));
    if let (Some(zh), Some(en)) = (&part.not_shown_zh, &part.not_shown_en) {
        page.push_str(&format!("<p>{} · {}</p>\n", escaped(zh), escaped(en)));
        return;
    }
    if part.rows.is_empty() {
        page.push_str("<p>无 · None</p>\n");
        return;
    }
    page.push_str("<table border=\"1\">\n<tr>");
    for (name, zh) in &part.columns {
        page.push_str(&format!("<th>{}<br>{}</th>", escaped(zh), escaped(name)));
    }
    page.push_str("</tr>\n");
    for row in &part.rows {
        page.push_str("<tr>");
        for (name, _) in &part.columns {
            let text = row.get(*name).map(text_of).unwrap_or_default();
            page.push_str(&format!("<td>{}</td>", escaped(&text)));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table>\n");
    if part.cut {
        page.push_str("<p>此处未列全 · There is more</p>\n");
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "是 yes".to_owned(),
        Value::Bool(false) => "否 no".to_owned(),
        other => other.to_string(),
    }
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
