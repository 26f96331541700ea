//! docs/API.md, printed: `tongjie openapi --problems`. A test fails when the file and the code differ.

use std::fmt::Write;

use super::problem::Code;
use super::problem_help::help;
use crate::domain::refusal::{Code as Refusal, Lang};

const HEAD: &str = include_str!("reference_head.md");

/// The whole file.
pub fn reference() -> String {
    let mut text = HEAD.to_owned();
    let written = problems(&mut text).and_then(|()| refusals(&mut text));
    // Writing into a String does not fail; half a page would be worse than none.
    written.map_or_else(|_| String::new(), |()| text)
}

fn problems(text: &mut String) -> std::fmt::Result {
    writeln!(text, "\n## Problems\n")?;
    writeln!(
        text,
        "| status | `code` | title | meaning | what to do | `Retry-After` |\n|---|---|---|---|---|---|"
    )?;
    for code in Code::ALL {
        let (meaning, remedy) = help(*code);
        let title = format!("{}<br>{}", code.title(), code.title_zh());
        let after = code
            .retry_after()
            .map_or_else(|| "-".to_owned(), |seconds| format!("{seconds} s"));
        let (status, code) = (code.status(), code.code());
        writeln!(
            text,
            "| {status} | `{code}` | {title} | {meaning} | {remedy} | {after} |"
        )?;
    }
    Ok(())
}

fn refusals(text: &mut String) -> std::fmt::Result {
    writeln!(text, "\n## Refusals\n")?;
    writeln!(
        text,
        "What `refused` lists: the rows of `src/domain/refusal_table.rs`, which also says at which act a fact weighs \
         differently. `{{…}}` is filled with the parameter of that name. Outcomes: `blocked` stays; `override` may be \
         overridden by staff with the right and a reason; `confirm` may be confirmed by staff; `info` is told only.\n"
    )?;
    writeln!(
        text,
        "| `code` | usual outcome | message | what to do |\n|---|---|---|---|"
    )?;
    for code in Refusal::ALL {
        let (texts, outcome) = (code.texts(Lang::En), code.usual_outcome().code());
        writeln!(text, "| `{code}` | {outcome} | {} | {} |", texts.message, texts.remedy)?;
    }
    Ok(())
}
