//! MARCXML: reads one `record` element into a record.
//!
//! For the Library of Congress schema and its relatives (MarcXchange, the SRU answers of Chinese libraries): names
//! count, namespaces and prefixes do not. Only XML's five predefined entities and character references are
//! resolved. Finding the elements in a file is `xml_split.rs`.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use super::record::{DataField, Field, MarcRecord, Subfield, Tag};
use super::reject::RejectReason;

/// A leader for records that come without one: it claims nothing.
const BLANK_LEADER: &str = "                        ";
const LEADER_CHARS: usize = 24;

/// Reads one element from `<record>` to `</record>`.
pub(super) fn parse(text: &str) -> Result<MarcRecord, RejectReason> {
    let mut reader = Reader::from_str(text);
    let mut builder = Builder::default();
    loop {
        match reader.read_event().map_err(|error| malformed(&error))? {
            Event::Start(start) => builder.start(&start)?,
            Event::Empty(element) => {
                builder.start(&element)?;
                builder.end(element.local_name().as_ref());
            }
            Event::End(end) => builder.end(end.local_name().as_ref()),
            Event::Text(part) => builder.text(&part.xml10_content()),
            Event::CData(part) => builder.text(&part.xml10_content()),
            Event::GeneralRef(reference) => builder.reference(&reference)?,
            Event::DocType(_) => return Err(malformed(&"a document type inside a record")),
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
            Event::Eof => return builder.finish(),
        }
    }
}

fn malformed(detail: &impl ToString) -> RejectReason {
    // The detail may quote the record; a report line need not repeat a whole field.
    RejectReason::MalformedXml {
        detail: detail.to_string().chars().take(200).collect(),
    }
}

/// The element whose text is being read.
#[derive(Default)]
enum Leaf {
    #[default]
    None,
    Leader,
    Control(Tag),
    Subfield(char),
}

#[derive(Default)]
struct Builder {
    leader: Option<String>,
    fields: Vec<Field>,
    data: Option<DataField>,
    leaf: Leaf,
    text: String,
}

impl Builder {
    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), RejectReason> {
        let leaf = match start.local_name().as_ref() {
            "leader" => Leaf::Leader,
            "controlfield" => Leaf::Control(tag(start)?),
            "datafield" => {
                let indicators = [one_char(start, "ind1")?, one_char(start, "ind2")?].map(|c| c.unwrap_or(' '));
                self.data = Some(DataField {
                    tag: tag(start)?,
                    indicators,
                    subfields: Vec::with_capacity(4),
                });
                return Ok(());
            }
            "subfield" => {
                let code = one_char(start, "code")?.ok_or_else(|| malformed(&"a subfield has no code"))?;
                Leaf::Subfield(code)
            }
            _ => return Ok(()),
        };
        if !matches!(self.leaf, Leaf::None) {
            return Err(malformed(&"an element inside a leader, control field or subfield"));
        }
        self.leaf = leaf;
        self.text.clear();
        Ok(())
    }

    fn end(&mut self, name: &str) {
        match name {
            "datafield" => {
                if let Some(data) = self.data.take() {
                    self.fields.push(Field::Data(data));
                }
            }
            "leader" | "controlfield" | "subfield" => self.end_leaf(),
            _ => {}
        }
    }

    fn end_leaf(&mut self) {
        let text = std::mem::take(&mut self.text);
        match std::mem::take(&mut self.leaf) {
            Leaf::None => {}
            Leaf::Leader => self.leader = Some(text),
            Leaf::Control(tag) => self.fields.push(Field::Control { tag, value: text }),
            Leaf::Subfield(code) => {
                // A subfield outside any data field belongs to nothing and is left out.
                if let Some(data) = &mut self.data {
                    data.subfields.push(Subfield { code, value: text });
                }
            }
        }
    }

    fn text(&mut self, part: &str) {
        if !matches!(self.leaf, Leaf::None) {
            self.text.push_str(part);
        }
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), RejectReason> {
        let entity = || RejectReason::Entity {
            name: reference.chars().take(40).collect(),
        };
        let resolved = match reference.resolve_char_ref().map_err(|_| entity())? {
            Some(c) => Some(c).filter(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r')),
            None => quick_xml::escape::resolve_xml_entity(reference).and_then(|text| text.chars().next()),
        };
        let c = resolved.ok_or_else(entity)?;
        if !matches!(self.leaf, Leaf::None) {
            self.text.push(c);
        }
        Ok(())
    }

    fn finish(self) -> Result<MarcRecord, RejectReason> {
        if self.fields.is_empty() {
            return Err(RejectReason::NoFields);
        }
        let leader = match self.leader {
            Some(text) => padded_leader(&text)?,
            None => BLANK_LEADER.to_owned(),
        };
        let mut record = MarcRecord::with_leader(leader);
        for field in self.fields {
            record.push(field);
        }
        Ok(record)
    }
}

/// Pretty-printers break leaders over lines and trim their blanks; positions matter only from the left.
fn padded_leader(text: &str) -> Result<String, RejectReason> {
    let text = text.trim_matches(['\r', '\n', '\t']);
    if !text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return Err(RejectReason::BadLeader);
    }
    let kept = &text[..text.len().min(LEADER_CHARS)];
    Ok(format!("{kept:<LEADER_CHARS$}"))
}

fn tag(start: &BytesStart<'_>) -> Result<Tag, RejectReason> {
    let text = attribute(start, "tag")?.ok_or_else(|| malformed(&"a field has no tag"))?;
    Tag::parse(&text).ok_or_else(|| malformed(&format!("{text:?} is not a tag")))
}

/// The attribute's single ASCII character; `None` when it is absent or empty.
fn one_char(start: &BytesStart<'_>, name: &str) -> Result<Option<char>, RejectReason> {
    let Some(text) = attribute(start, name)? else {
        return Ok(None);
    };
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (None, _) => Ok(None),
        (Some(c), None) if (' '..='~').contains(&c) => Ok(Some(c)),
        _ => Err(malformed(&format!("{name} is {text:?}, not one ASCII character"))),
    }
}

fn attribute<'a>(start: &'a BytesStart<'_>, name: &str) -> Result<Option<Cow<'a, str>>, RejectReason> {
    // Repeated attributes are not looked for: the first one counts.
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| malformed(&error))?;
        if attribute.key.as_ref() == name {
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| malformed(&error))?;
            return Ok(Some(value));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(text: &str) -> String {
        parse(text).expect_err("malformed").to_string()
    }

    #[test]
    fn a_record_is_read_with_any_prefix() {
        let record = parse(concat!(
            "<m:record xmlns:m='http://www.loc.gov/MARC21/slim'><m:leader>01576nam0-2200409---4500</m:leader>",
            "<m:controlfield tag='001'>42</m:controlfield>\n",
            "<m:datafield tag='200' ind1='1' ind2=' '><m:subfield code='a'>Q &amp; &#x41;<![CDATA[<b>]]> 史记</m:subfield>",
            "<m:subfield code='e'/></m:datafield><extra>x</extra></m:record>"
        ))
        .expect("well-formed");
        assert_eq!(record.leader(), "01576nam0-2200409---4500");
        assert_eq!(record.control("001"), Some("42"));
        assert_eq!(record.first("200", 'a'), Some("Q & A<b> 史记"));
        assert_eq!(record.first("200", 'e'), Some(""));
        assert_eq!(record.data("200").next().map(|f| f.indicators), Some(['1', ' ']));
    }

    #[test]
    fn leaders_are_padded_and_may_be_absent() {
        let record = parse("<record><leader>\n01576nam\n</leader><controlfield tag='001'>1</controlfield></record>");
        assert_eq!(
            record.map(|r| r.leader().to_owned()),
            Ok("01576nam                ".into())
        );
        let record = parse("<record><controlfield tag='001'>1</controlfield></record>");
        assert_eq!(record.map(|r| r.leader().len()), Ok(24));
    }

    #[test]
    fn entities_of_a_document_type_are_not_expanded() {
        let text = "<record><controlfield tag='001'>&secret;</controlfield></record>";
        assert_eq!(parse(text), Err(RejectReason::Entity { name: "secret".into() }));
        let text = "<record><controlfield tag='001'>&#x1F;</controlfield></record>";
        assert_eq!(parse(text), Err(RejectReason::Entity { name: "#x1F".into() }));
        assert!(detail("<record><controlfield tag='&x;'>1</controlfield></record>").contains("malformed"));
    }

    #[test]
    fn what_is_malformed_is_said() {
        assert!(detail("<record><controlfield tag='001'>1</leader></record>").contains("controlfield"));
        assert!(detail("<record><controlfield>1</controlfield></record>").contains("no tag"));
        assert!(detail("<record><controlfield tag='1'>1</controlfield></record>").contains("\"1\" is not a tag"));
        assert!(detail("<record><datafield tag='200'><subfield>x</subfield></datafield></record>").contains("no code"));
        assert!(detail("<record><leader><leader>x</leader></leader></record>").contains("inside"));
        assert_eq!(
            parse("<record><leader>x</leader></record>"),
            Err(RejectReason::NoFields)
        );
    }
}
