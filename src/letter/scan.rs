//! What a template may contain: expressions without `*` and `~`, loops and conditions. All else is refused before it is run.

/// The tags that are known.
const TAGS: [&str; 6] = ["for", "endfor", "if", "elif", "else", "endif"];

/// Looks through a source.
///
/// # Errors
/// The line and what is wrong with it.
pub(super) fn scan(source: &str) -> Result<(), (usize, String)> {
    let mut rest = source;
    while let Some(at) = rest.find('{') {
        let (opening, after) = rest.split_at(at);
        let _ = opening;
        let line = || source[..source.len() - after.len()].matches('\n').count() + 1;
        rest = if let Some(inside) = after.strip_prefix("{#") {
            inside.split_once("#}").map_or("", |(_, rest)| rest)
        } else if let Some(inside) = after.strip_prefix("{%") {
            let name: String = inside
                .trim_start_matches(['-', '+'])
                .trim_start()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            if !TAGS.contains(&name.as_str()) {
                return Err((
                    line(),
                    format!("'{name}' is no tag of a letter: there are {}", TAGS.join(", ")),
                ));
            }
            expression(inside, "%}").map_err(|reason| (line(), reason))?
        } else if let Some(inside) = after.strip_prefix("{{") {
            expression(inside, "}}").map_err(|reason| (line(), reason))?
        } else {
            &after[1..]
        };
    }
    Ok(())
}

/// Passes by an expression; answers what comes after it. One that does not end is left to the parser.
fn expression<'a>(inside: &'a str, end: &str) -> Result<&'a str, String> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c == '*' || c == '~' => {
                return Err(format!(
                    "'{c}' is no operator of a letter: put texts side by side instead"
                ));
            }
            None if inside[at..].starts_with(end) => return Ok(&inside[at + end.len()..]),
            None => {}
        }
    }
    Ok("")
}

#[cfg(test)]
mod tests {
    use super::scan;

    #[test]
    fn loops_conditions_and_plain_text_pass() {
        for source in [
            "",
            "** {note} ~ **",
            "{{ reader.name }} * 2",
            "{%- for line in lines -%}{{ line.title }}{% else %}-{%+ endfor %}",
            "{# {% set a = 1 %} * #}x",
            "{{ '*~' }}",
            "{{ \"a\\\"*\" }}",
        ] {
            assert_eq!(scan(source), Ok(()), "{source}");
        }
    }

    #[test]
    fn the_line_of_what_is_refused_is_told() {
        assert_eq!(scan("a\nb {% set x = 1 %}").expect_err("a tag").0, 2);
        assert_eq!(scan("a\nb\n{{ 2 * 2 }}").expect_err("an operator").0, 3);
        assert_eq!(scan("{{ '}}' * 3 }}").expect_err("an operator").0, 1);
        assert_eq!(scan("{%\nset x = 1 %}").expect_err("a tag").0, 1);
    }
}
