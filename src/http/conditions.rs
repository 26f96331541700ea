//! docs/CIRCULATION.md, printed: `tongjie openapi --conditions`. A test fails when the file and the code differ.

use std::fmt::{Result, Write};

use crate::domain::conditions::{BEFORE_THE_RULES, BY_ITSELF, PENDING, found_at};
use crate::domain::item::ItemStatus;
use crate::domain::item_life::{self, ItemAct};
use crate::domain::loan_life::{self, LoanAct, LoanState};
use crate::domain::refusal::{Code, Lang, Texts, Verb};

const HEAD: &str = include_str!("conditions_head.md");

/// The whole file.
pub fn conditions() -> String {
    let mut text = HEAD.to_owned();
    let written = lives(&mut text)
        .and_then(|()| refusals(&mut text))
        .and_then(|()| others(&mut text));
    // Writing into a String does not fail; half a page would be worse than none.
    written.map_or_else(|_| String::new(), |()| text)
}

fn lives(text: &mut String) -> Result {
    writeln!(text, "\n## The life of an item\n")?;
    writeln!(
        text,
        "Rows: what it is; columns: what is done; cells: what it may be then.\n"
    )?;
    let acts: Vec<&str> = ItemAct::ALL.iter().map(|act| act.code()).collect();
    head(text, "", &acts)?;
    for from in ItemStatus::ALL {
        let cell = |act: &ItemAct| {
            let then = item_life::leads_to(from, *act).iter();
            then.map(|status| status.code()).collect::<Vec<_>>().join("<br>")
        };
        row(text, from.code(), ItemAct::ALL.iter().map(cell))?;
    }
    writeln!(text, "\n## The life of a loan\n")?;
    let acts: Vec<&str> = LoanAct::ALL.iter().map(|act| act.code()).collect();
    head(text, "", &acts)?;
    for from in LoanState::ALL {
        let cell = |act: &LoanAct| {
            let then = loan_life::leads_to(*from, *act).iter();
            then.map(|state| state.code()).collect::<Vec<_>>().join("<br>")
        };
        row(text, from.code(), LoanAct::ALL.iter().map(cell))?;
    }
    Ok(())
}

fn refusals(text: &mut String) -> Result {
    writeln!(text, "\n## Conditions\n")?;
    writeln!(
        text,
        "One column per decision: the letter at a desk, and after a stroke where nobody stands, if it differs there. \
         `{{…}}` is filled with the parameter of that name.\n"
    )?;
    let verbs = Verb::ALL.map(Verb::code);
    let columns = [&verbs[..], &["parameters", "中文", "English"]].concat();
    head(text, "`code`", &columns)?;
    for code in Code::ALL {
        let (zh, en) = (code.texts(Lang::Zh), code.texts(Lang::En));
        let cells = Verb::ALL.into_iter().map(|verb| outcome(*code, verb));
        let texts = [parameters(zh), shown(zh), shown(en)];
        row(text, &format!("`{code}`"), cells.chain(texts))?;
    }
    Ok(())
}

fn outcome(code: Code, verb: Verb) -> String {
    if !found_at(code).contains(&verb) {
        return String::new();
    }
    let (desk, alone) = (code.outcome(verb, true).letter(), code.outcome(verb, false).letter());
    if desk == alone {
        desk.to_string()
    } else {
        format!("{desk}/{alone}")
    }
}

fn parameters(texts: Texts) -> String {
    let both = [texts.message, texts.remedy].concat();
    let mut names: Vec<&str> = Vec::new();
    for part in both.split('{').skip(1) {
        let name = part.split('}').next().unwrap_or_default();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}

fn shown(texts: Texts) -> String {
    format!("{}<br>{}", texts.message, texts.remedy)
}

fn others(text: &mut String) -> Result {
    let verbs = |at: &[Verb]| at.iter().map(|verb| verb.code()).collect::<Vec<_>>().join(", ");
    writeln!(text, "\n## What happens by itself (S)\n")?;
    head(text, "", &["at", "中文", "English", "seen in"])?;
    for one in BY_ITSELF {
        let cells = [
            verbs(one.at),
            one.zh.to_owned(),
            one.en.to_owned(),
            one.seen_in.to_owned(),
        ];
        row(text, one.name, cells.into_iter())?;
    }
    writeln!(text, "\n## Answered before the rules are asked\n")?;
    head(text, "condition", &["answer"])?;
    for (condition, answer) in BEFORE_THE_RULES {
        row(text, condition, [(*answer).to_owned()].into_iter())?;
    }
    writeln!(text, "\n## Pending\n")?;
    writeln!(
        text,
        "Conditions that are decided once the part they wait for is there; no answer brings them yet.\n"
    )?;
    head(text, "`code`", &["waits for", "at", "outcome", "中文", "English"])?;
    for one in PENDING {
        let (zh, en) = (one.zh.join("<br>"), one.en.join("<br>"));
        let cells = [
            one.waits_for.to_owned(),
            verbs(one.at),
            one.outcome.letter().to_string(),
            zh,
            en,
        ];
        row(text, &format!("`{}`", one.code), cells.into_iter())?;
    }
    Ok(())
}

fn head(text: &mut String, first: &str, columns: &[&str]) -> Result {
    writeln!(text, "| {first} | {} |", columns.join(" | "))?;
    writeln!(text, "|---|{}", "---|".repeat(columns.len()))
}

fn row(text: &mut String, first: &str, cells: impl Iterator<Item = String>) -> Result {
    writeln!(text, "| {first} | {} |", cells.collect::<Vec<_>>().join(" | "))
}
