//! What a member or a parameter means wherever it appears, with an example: one word, one thing. The OpenAPI document
//! takes it for whatever says nothing of itself; a doc comment beside the declaration wins.
//! Not for: members that mean something of their own. Those say it where they are declared.

/// One word of the API.
pub struct Term {
    /// As requests and answers spell it.
    pub name: &'static str,
    /// What it is, with its unit.
    pub means: &'static str,
    /// JSON.
    pub example: &'static str,
}

/// The word, if the glossary has it.
pub fn term(name: &str) -> Option<&'static Term> {
    TERMS.iter().find(|term| term.name == name)
}

const fn term_of(name: &'static str, means: &'static str, example: &'static str) -> Term {
    Term { name, means, example }
}

/// In the order of the alphabet.
pub static TERMS: &[Term] = &[
    term_of(
        "access_token",
        "A signed token of some minutes' life",
        r#""eyJhbGciOiJIUzI1NiJ9.e30.c2ln""#,
    ),
    term_of("active", "In use; false for what was closed or retired", "true"),
    term_of("added", "What was added", "[]"),
    term_of(
        "alert_note",
        "Staff must read this before handing the item over or taking it back",
        r#""附光盘一张""#,
    ),
    term_of(
        "answer_by",
        "The last day on which the unit may answer, in the network's zone",
        r#""2026-03-05""#,
    ),
    term_of(
        "answer_days",
        "Open days after the day of asking in which the unit answers",
        "1",
    ),
    term_of("asked_at", "When the unit was asked (UTC)", r#""2026-03-04T04:00:00Z""#),
    term_of(
        "audience",
        "Who the session is for: `staff`, `reader` or `device`",
        r#""staff""#,
    ),
    term_of("authors", "Names separated by `; `", r#""曹雪芹; 高鹗""#),
    term_of(
        "auto_renew",
        "Loans are renewed without being asked, as far as the rules allow",
        "false",
    ),
    term_of(
        "barcode",
        "The item's barcode: visible ASCII, unique per owner",
        r#""0100001234567""#,
    ),
    term_of("bib_id", "Number of the bib", "1042"),
    term_of("bibs", "How many bibs", "20000"),
    term_of("birth_date", "Day of birth, in the network's zone", r#""1990-05-17""#),
    term_of("block_reason", "Why staff blocked the reader", r#""丢失图书未赔付""#),
    term_of(
        "block_until",
        "When the block ends by itself (UTC)",
        r#""2026-04-01T16:00:00Z""#,
    ),
    term_of(
        "bound_into_item_id",
        "The item this one is bound into: only that one is lent",
        "null",
    ),
    term_of("call_number", "What the spine label says", r#""I242.4/12""#),
    term_of("cancelled_transit_id", "Number of the journey that ended", "null"),
    term_of(
        "card_expires_on",
        "The last day the card is good for, in the network's zone",
        r#""2031-03-04""#,
    ),
    term_of(
        "card_id",
        "Number of a card in the database; not the one printed on it",
        "1052",
    ),
    term_of("card_kind", "`physical` or `e_card`", r#""physical""#),
    term_of(
        "card_number",
        "Number of a reader's card: visible ASCII",
        r#""JC00012345""#,
    ),
    term_of("cards", "The reader's cards, past ones included", "[]"),
    term_of("category", "Code of a reader category", r#""adult""#),
    term_of(
        "channel",
        "`desk`, `kiosk`, `locker`, `drop`, `portal` or `mobile`",
        r#""desk""#,
    ),
    term_of(
        "claimed_returned_at",
        "When the reader says that it was given back (UTC)",
        "null",
    ),
    term_of("clc_class", "Chinese Library Classification", r#""I242.4""#),
    term_of("closed_at", "When it was closed (UTC); absent while it is open", "null"),
    term_of(
        "closed_days",
        "Days on which the unit and everything below it is closed",
        "[]",
    ),
    term_of("closes", "Local time at which this stretch ends", r#""20:30:00""#),
    term_of("code", "Stable code", r#""B01""#),
    term_of("codes", "Codes of refusals", r#"["item_not_for_loan"]"#),
    term_of(
        "collection_code",
        "Code of a collection of the home unit",
        r#""general""#,
    ),
    term_of("collections", "Named parts of the unit's stock", "[]"),
    term_of(
        "column",
        "`unit`, `category`, `item_type`, `owner`, `channel` or `band`",
        r#""unit""#,
    ),
    term_of("confirm", "Codes of refusals that staff confirm", r#"["item_alert"]"#),
    term_of(
        "consent_expires_at",
        "Until when the consent token is good (UTC)",
        r#""2026-03-04T04:05:00Z""#,
    ),
    term_of(
        "consent_token",
        "Binds what staff say to the refusals they were told of; opaque",
        r#""MTc3MjU5NzEwMDAwMCBpdGVtX2FsZXJ0.9jX4k0V5""#,
    ),
    term_of(
        "control_number",
        "The record's own number, where it came from (MARC 001)",
        r#""012009000456""#,
    ),
    term_of(
        "cost",
        "Cost of transport, without unit; ten is one step of the unit tree",
        "15",
    ),
    term_of("count", "What stands now", "3"),
    term_of(
        "count_in",
        "Where it is counted: `network`, `owner`, `unit`, `channel` or `session` (one at a machine)",
        r#""network""#,
    ),
    term_of("created_at", "When it was made (UTC)", r#""2026-03-04T04:00:00Z""#),
    term_of(
        "credit_band",
        "Band of the reader's credit: `a`, `b`, `c` or `frozen`",
        r#""b""#,
    ),
    term_of(
        "current_unit_code",
        "所在馆: where the item is now, or was last seen",
        r#""B01""#,
    ),
    term_of("cursor", "`next_cursor` of the page before; opaque", r#""AAAAAAAABBI""#),
    term_of("daily_cap", "Copies the unit may be asked for on one day", "30"),
    term_of("day", "A day in the network's zone", r#""2026-03-04""#),
    term_of("debt_fen", "What the reader owes, in fen", "150"),
    term_of(
        "decided_by",
        "Code of the unit whose own row decides; absent for the network's",
        r#""M01""#,
    ),
    term_of(
        "detail",
        "What is particular to this case, in English",
        r#""there is no such item""#,
    ),
    term_of("device_code", "Code of a registered device", r#""jc-kiosk-1""#),
    term_of("distance_m", "Metres as the crow flies", "850"),
    term_of(
        "due_at",
        "The last moment it is not overdue (UTC)",
        r#""2026-04-03T15:59:59Z""#,
    ),
    term_of(
        "effective_cost",
        "What transport between just these two units costs now, without unit",
        "15",
    ),
    term_of(
        "ended_at",
        "When it ended (UTC); absent until then",
        r#""2026-06-05T03:00:00Z""#,
    ),
    term_of("except_item_types", "Never items of these types", r#"["av_audio"]"#),
    term_of("exception", "Code of what staff must look at", r#""missing_parts""#),
    term_of("expires_in", "Life of the access token in seconds", "900"),
    term_of(
        "expires_on",
        "The last day it is good for, in the network's zone",
        r#""2031-03-04""#,
    ),
    term_of("failed", "How many were not done", "2"),
    term_of("fate", "What became of the row", r#""won""#),
    term_of(
        "field",
        "The member, header or parameter, as the request names it",
        r#""card_number""#,
    ),
    term_of(
        "filter",
        "Copies that stand on the shelf of their home and are in no deposit",
        "null",
    ),
    term_of(
        "first",
        "The first day, included; in the network's zone",
        r#""2026-02-16""#,
    ),
    term_of("float_cap", "How many items may float at one unit", "3"),
    term_of("format", "Format of the record: `marc21` or `cnmarc`", r#""cnmarc""#),
    term_of("from_unit_code", "Code of the unit it leaves", r#""B01""#),
    term_of("high_demand_days", "Calendar days of a loan while demand is high", "14"),
    term_of(
        "high_demand_holds",
        "Waiting holds from which on demand is high; 0 is never",
        "5",
    ),
    term_of("hold", "The hold", "null"),
    term_of("hold_id", "Number of the hold", "1077"),
    term_of("hold_locker_days", "Open days a captured item waits in a locker", "2"),
    term_of("hold_shelf_days", "Open days a captured item waits at a desk", "5"),
    term_of("holdable", "A hold may be placed", "true"),
    term_of(
        "home_unit_code",
        "Code of the home unit: of an item where it is shelved (典藏地), of a reader where it is registered",
        r#""B01""#,
    ),
    term_of("id", "Its number: never changes, is never given again", "1042"),
    term_of(
        "isbn",
        "ISBN with 10 or 13 digits, hyphens or not",
        r#""9787503717444""#,
    ),
    term_of("item", "The item", "null"),
    term_of(
        "item_barcode",
        "Barcode of the item: visible ASCII, unique per owner",
        r#""0100001234567""#,
    ),
    term_of("item_id", "Number of the item", "1043"),
    term_of("item_type", "Code of an item type", r#""book""#),
    term_of("item_types", "Codes of item types", r#"["periodical", "av"]"#),
    term_of("items", "The rows of this page", "[]"),
    term_of("kind", "Which kind it is", r#""branch""#),
    term_of("language", "Three letters of the MARC language list", r#""chi""#),
    term_of(
        "last",
        "The last day, included; in the network's zone",
        r#""2026-02-22""#,
    ),
    term_of(
        "last_event_at",
        "When something last happened to it (UTC)",
        r#""2026-03-04T04:00:00Z""#,
    ),
    term_of("latitude", "Degrees north, WGS 84", "30.58"),
    term_of(
        "lend_away",
        "Its items may be lent at other units, and others' items here",
        "true",
    ),
    term_of("lending", "`normal`, `reading_room` or `restricted`", r#""normal""#),
    term_of("limit", "Rows of a page; 50 by default", "50"),
    term_of("loan", "The loan", "null"),
    term_of("loan_days", "Calendar days of a loan", "30"),
    term_of("loan_id", "Number of the loan", "1088"),
    term_of("loaned_at", "When it was lent (UTC)", r#""2026-03-04T04:00:00Z""#),
    term_of("longitude", "Degrees east, WGS 84; both or none", "114.29"),
    term_of("lost_loan_id", "Number of the loan that ended as lost", "null"),
    term_of("made_at", "When it was made (UTC)", r#""2026-03-04T04:00:00Z""#),
    term_of("max", "The highest count that is still allowed", "10"),
    term_of("membership", "What the unit has joined, for each item type", "[]"),
    term_of(
        "message_en",
        "What is wrong, in English",
        r#""This item is not for loan.""#,
    ),
    term_of("message_zh", "What is wrong, in Chinese", r#""该文献不外借。""#),
    term_of("min_age_years", "Lowest age in whole years that may borrow it", "12"),
    term_of("mobile", "A vehicle: a point that lends at its stops", "false"),
    term_of("name", "Its name, as people say it", r#""江汉路街道分馆""#),
    term_of("name_en", "Its name in English", r#""Book""#),
    term_of("name_zh", "Its name in Chinese", r#""图书""#),
    term_of(
        "next_cursor",
        "Goes into `cursor` for the next page",
        r#""AAAAAAAABBI""#,
    ),
    term_of("next_step", "The one thing to do with the item", "null"),
    term_of("no_match", "The column that keeps it from applying", "null"),
    term_of(
        "not_before",
        "It sleeps until this day of the network's zone",
        r#""2026-03-10""#,
    ),
    term_of("note", "Staff's note", r#""证件已核对""#),
    term_of(
        "notices",
        "What staff should know; nothing was refused because of it",
        "[]",
    ),
    term_of("now", "At this moment", "true"),
    term_of("number", "The number on the card", r#""JC00012345""#),
    term_of(
        "of_unit",
        "Code of the unit whose own rules these are; absent for the network's",
        r#""M01""#,
    ),
    term_of("open_holds", "How many holds wait or are set aside", "1"),
    term_of("open_loans", "How many items are out", "2"),
    term_of("opened_at", "When it began (UTC)", r#""2026-03-04T04:00:00Z""#),
    term_of("opens", "Local time at which this stretch begins", r#""09:00:00""#),
    term_of("outcome", "`blocked`, `override`, `confirm` or `info`", r#""override""#),
    term_of("overdue_days", "Open days of the lending unit after the due date", "0"),
    term_of(
        "overridden",
        "Codes of refusals that staff overrode",
        r#"["item_not_for_loan"]"#,
    ),
    term_of("override_reason", "Why staff override", r#""馆长批准""#),
    term_of("overrides", "The refusals that staff override, and why", "null"),
    term_of("own_fields", "Fields that a unit decides itself", r#"["loan_days"]"#),
    term_of(
        "owner_unit_code",
        "产权馆: code of the unit that owns the item",
        r#""B01""#,
    ),
    term_of(
        "owner_unit_name",
        "Name of the unit that owns the item",
        r#""江汉路街道分馆""#,
    ),
    term_of("params", "The parameters of the message, as text", r#"{"count": "3"}"#),
    term_of("parent", "Code of the unit above", r#""M01""#),
    term_of("parent_code", "Code of the unit above", r#""M01""#),
    term_of("parts", "Loose parts to count (discs, maps); 1 is the item alone", "1"),
    term_of(
        "password",
        "A password of staff: at least 10 characters",
        r#""correct horse battery""#,
    ),
    term_of(
        "pickup_unit_code",
        "Code of the unit where the reader collects it",
        r#""B01""#,
    ),
    term_of("pin", "A reader's PIN: at least 6 characters", r#""240117""#),
    term_of(
        "place",
        "Place in the queue, from 1; of a vehicle, where it stands, in words",
        "1",
    ),
    term_of("placed_at", "When it was placed (UTC)", r#""2026-03-04T04:00:00Z""#),
    term_of("position", "Place in the queue, from 1", "1"),
    term_of("price_fen", "Price in fen", "4500"),
    term_of("publish_year", "Year of publication", "1994"),
    term_of(
        "published_at",
        "When it was published (UTC)",
        r#""2026-03-04T04:00:00Z""#,
    ),
    term_of("publisher", "Who published it", r#""人民文学出版社""#),
    term_of("q", "Words to look for", r#""红楼梦""#),
    term_of("reader_id", "Number of the reader", "1051"),
    term_of("readers_away", "Its readers may borrow items of other owners", "true"),
    term_of("reason", "Why", r#""春节""#),
    term_of(
        "recalled_at",
        "When it was called back, or since when somebody wants it back before its time (UTC)",
        r#""2026-06-01T01:00:00Z""#,
    ),
    term_of("refresh_expires_in", "Life of the refresh token in seconds", "2592000"),
    term_of("refresh_token", "Good for one refresh", r#""c29tZSByYW5kb20gYnl0ZXM""#),
    term_of(
        "registered_at",
        "When the reader was registered (UTC)",
        r#""2026-03-04T04:00:00Z""#,
    ),
    term_of("released_hold_id", "Number of the hold that waits again", "1047"),
    term_of(
        "remedy_en",
        "What can be done about it, in English",
        r#""Staff may override it with a reason.""#,
    ),
    term_of(
        "remedy_zh",
        "What can be done about it, in Chinese",
        r#""工作人员可说明理由后放行。""#,
    ),
    term_of(
        "renew_window_days",
        "A renewal is possible in the last so many days; 0 is any time",
        "0",
    ),
    term_of("renewable", "The loan can be renewed", "true"),
    term_of("renewal_days", "Calendar days a renewal adds", "30"),
    term_of("renewals", "How many renewals", "1"),
    term_of(
        "request_id",
        "Names the failure in the server's log",
        r#""01890a5d-ac96-774b-bcce-b302099a8057""#,
    ),
    term_of(
        "return_away",
        "Its items may be returned at other units, and others' items here",
        "true",
    ),
    term_of(
        "return_policy",
        "What happens to a copy that comes back elsewhere",
        r#""home""#,
    ),
    term_of("returned_at", "When it came back (UTC)", r#""2026-03-04T04:00:00Z""#),
    term_of(
        "rfid_tag",
        "Number of the RFID tag in the item",
        r#""E004015012345678""#,
    ),
    term_of(
        "role",
        "`system`, `unit_manager`, `librarian`, `cataloguer`, `courier`, `cashier`, `auditor` or `read_only`",
        r#""librarian""#,
    ),
    term_of("roles", "Roles, each valid at a unit and everything below it", "[]"),
    term_of("row", "Place in what was sent, from 0", "0"),
    term_of("rule_id", "Number of the row of the rules, within `rules_version`", "7"),
    term_of(
        "rules_note",
        "Why, in the words of whoever changed the rules",
        r#""期刊借期改为 21 天""#,
    ),
    term_of("rules_version", "Version of the rules that decided", "1"),
    term_of("said_by_unit_code", "Code of the unit that says so", r#""M01""#),
    term_of("secret", "A device's secret", r#""kiosk secret of 1042""#),
    term_of(
        "sends",
        "It fetches copies from its shelves for readers elsewhere",
        "true",
    ),
    term_of(
        "shelf_location",
        "Where in the unit the item stands",
        r#""二楼东区 12 架""#,
    ),
    term_of("shelf_number", "The numbered place on the hold shelf", "12"),
    term_of(
        "shelf_until",
        "The last day it waits on the hold shelf, in the network's zone",
        r#""2026-03-11""#,
    ),
    term_of("since", "Since when (UTC)", r#""2026-03-04T04:00:00Z""#),
    term_of("slip", "Lines of a slip to print and put into the item", r#"["→ B01"]"#),
    term_of("status", "State of the thing", r#""open""#),
    term_of("stops", "Where a vehicle stands when", "[]"),
    term_of("subject_id", "Number of the member of staff, reader or device", "1005"),
    term_of("suspended", "It sleeps until it is resumed", "false"),
    term_of("terms", "The terms of the row that wins", "null"),
    term_of("title", "Title of the bib", r#""红楼梦""#),
    term_of("title_zh", "The kind of problem, in Chinese", r#""按规则不能办理""#),
    term_of("to_unit_code", "Code of the unit it travels to", r#""JC""#),
    term_of("token_type", "Always `Bearer`", r#""Bearer""#),
    term_of("transit_id", "Number of the transit", "1099"),
    term_of("transit_to_unit_code", "Where its journey leads", r#""M1""#),
    term_of(
        "type",
        "Address that explains the kind of problem",
        r#""/problems/refused""#,
    ),
    term_of("unit_code", "Code of the unit", r#""B01""#),
    term_of("unit_name", "Name of the unit", r#""江汉路街道分馆""#),
    term_of("until", "Until this day of the network's zone", r#""2026-03-20""#),
    term_of(
        "updated_at",
        "When it was last changed (UTC)",
        r#""2026-03-04T04:00:00Z""#,
    ),
    term_of("username", "Name to log in with", r#""b01.desk""#),
    term_of("version", "Version of a record, from 1", "2"),
    term_of("volume", "Which volume or issue, as the spine says", r#""第2卷""#),
    term_of(
        "wanted_until",
        "The last day it is wanted, in the network's zone",
        r#""2026-06-30""#,
    ),
    term_of("whereabouts", "Where a copy of a deposit is, in one word", r#""there""#),
    term_of("winner", "Number of the row that wins", "7"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_term_is_there_once_in_order_and_with_a_readable_example() {
        let names: Vec<&str> = TERMS.iter().map(|term| term.name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
        for term in TERMS {
            assert!(!term.means.is_empty() && !term.means.ends_with('.'), "{}", term.name);
            assert!(
                serde_json::from_str::<serde_json::Value>(term.example).is_ok(),
                "{}",
                term.name
            );
        }
    }
}
