//! The columns a file of each kind may have: their names, what else they are called, and whether a file needs them.

use super::Kind;

/// One column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub name: &'static str,
    /// As Chinese systems head it.
    pub also: &'static [&'static str],
    pub needed: bool,
}

const fn needed(name: &'static str, also: &'static [&'static str]) -> Column {
    Column {
        name,
        also,
        needed: true,
    }
}

const fn optional(name: &'static str, also: &'static [&'static str]) -> Column {
    Column {
        name,
        also,
        needed: false,
    }
}

/// The columns of a kind.
pub(super) const fn of(kind: Kind) -> &'static [Column] {
    match kind {
        Kind::Readers => READERS,
        Kind::Cards => CARDS,
        Kind::Items => ITEMS,
        Kind::Loans => LOANS,
        Kind::Deposits => DEPOSITS,
    }
}

const READERS: &[Column] = &[
    needed("card_number", &["读者证号", "证号"]),
    needed("name", &["姓名"]),
    needed("category", &["读者类型"]),
    optional("old_id", &["读者记录号"]),
    optional("home_unit", &["办证馆"]),
    optional("card_kind", &["证件类型"]),
    optional("card_expires_on", &["有效期", "截止日期"]),
    optional("birth_date", &["出生日期"]),
    optional("status", &["读者状态"]),
    optional("note", &["备注"]),
];

const CARDS: &[Column] = &[
    needed("card_number", &["读者证号", "证号"]),
    optional("reader_card", &["原证号"]),
    optional("reader_old_id", &["读者记录号"]),
    optional("card_kind", &["证件类型"]),
    optional("card_expires_on", &["有效期", "截止日期"]),
    optional("status", &["证状态"]),
];

const ITEMS: &[Column] = &[
    needed("barcode", &["条码", "条码号", "条形码"]),
    needed("item_type", &["文献类型"]),
    optional("bib_id", &[]),
    optional("isbn", &[]),
    optional("control_number", &["控制号"]),
    optional("owner", &["所属馆"]),
    optional("home_unit", &["所在馆", "馆藏地"]),
    optional("collection", &["馆藏"]),
    optional("shelf_location", &["架位"]),
    optional("call_number", &["索书号"]),
    optional("volume", &["卷册", "卷期"]),
    optional("rfid_tag", &[]),
    optional("price_yuan", &["价格", "单价"]),
    optional("price_fen", &[]),
    optional("status", &["馆藏状态"]),
    optional("not_for_loan", &["不外借"]),
    optional("for_children", &["少儿"]),
    optional("min_age_years", &[]),
    optional("parts", &["附件数"]),
    optional("alert_note", &["备注"]),
];

const LOANS: &[Column] = &[
    needed("barcode", &["条码", "条码号", "条形码"]),
    needed("card_number", &["读者证号", "证号"]),
    needed("loaned_at", &["借出时间", "借书日期"]),
    needed("due_at", &["应还时间", "应还日期"]),
    optional("owner", &["所属馆"]),
    optional("unit", &["借出馆"]),
    optional("renewals", &["续借次数"]),
];

const DEPOSITS: &[Column] = &[
    optional("card_number", &["读者证号", "证号"]),
    optional("reader_old_id", &["读者记录号"]),
    optional("amount_yuan", &["押金"]),
    optional("amount_fen", &[]),
    optional("paid_on", &["缴纳日期"]),
    optional("receipt", &["收据号"]),
];
