//! Finds one MARCXML record after another in a stream, whatever wraps them.
//!
//! For cutting out the innermost `record` elements, with any prefix, of a collection, an SRU answer or an OAI-PMH
//! answer, as the bytes of the file. The cutter looks at tag names only and cannot be derailed by what is
//! malformed inside a record: an XML parser that met it would have to give up the rest of the file. Reading the
//! cut record is `marcxml.rs`. Document types are skipped here, so no entity they declare ever exists.

use std::io::{self, BufRead};

use super::iso_split::{Framed, fill, is_blank};
use super::reject::RejectReason;

/// Much more than 99,999 bytes of ISO 2709 can become in XML.
pub(super) const MAX_XML_BYTES: usize = 2_000_000;

/// The longest opening that tells one kind of markup from another.
const CDATA: &[u8] = b"<![CDATA[";

pub(super) struct XmlSplitter<R> {
    reader: R,
    /// The markup being read: a tag, comment, CDATA section, declaration.
    markup: Vec<u8>,
    /// The record being collected, from its start tag.
    record: Vec<u8>,
    inside: bool,
    has_fields: bool,
    too_long: bool,
    saw_tag: bool,
    saw_text: bool,
    declares_gb: bool,
}

/// What a piece of markup means for the cutting.
#[derive(Debug, PartialEq, Eq)]
enum Markup {
    RecordStart,
    RecordEmpty,
    RecordEnd,
    /// A leader, control field or data field starts.
    FieldStart,
    Other,
    /// The file ends inside the markup.
    Cut,
}

impl<R: BufRead> XmlSplitter<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            markup: Vec::new(),
            record: Vec::new(),
            inside: false,
            has_fields: false,
            too_long: false,
            saw_tag: false,
            saw_text: false,
            declares_gb: false,
        }
    }

    /// True once the XML declaration named GB18030 or one of its subsets.
    pub(super) fn declares_gb18030(&self) -> bool {
        self.declares_gb
    }

    /// The next record element; `None` at the end of the file.
    pub(super) fn next(&mut self) -> io::Result<Option<Framed>> {
        loop {
            if !self.read_text()? {
                return Ok(self.at_end());
            }
            match self.read_markup()? {
                Markup::RecordStart => {
                    // A record inside a record without fields is the real one inside its wrapper.
                    let unclosed = self.inside && self.has_fields;
                    self.start_record();
                    if unclosed {
                        return Ok(Some(Err(RejectReason::UnclosedXml)));
                    }
                }
                Markup::RecordEmpty if !self.inside => return Ok(Some(Err(RejectReason::NoFields))),
                Markup::RecordEnd if self.inside => {
                    self.keep_markup();
                    return Ok(Some(self.end_record()));
                }
                Markup::Cut => {
                    self.keep_markup();
                    self.inside = false;
                    return Ok(Some(Err(RejectReason::UnclosedXml)));
                }
                kind => {
                    self.has_fields |= kind == Markup::FieldStart;
                    self.keep_markup();
                }
            }
        }
    }

    fn start_record(&mut self) {
        self.record.clear();
        self.inside = true;
        self.has_fields = false;
        self.too_long = false;
        self.keep_markup();
    }

    fn end_record(&mut self) -> Framed {
        self.inside = false;
        if self.too_long {
            return Err(RejectReason::TooLong { limit: MAX_XML_BYTES });
        }
        if !self.has_fields {
            return Err(RejectReason::NoFields);
        }
        Ok(std::mem::take(&mut self.record))
    }

    fn at_end(&mut self) -> Option<Framed> {
        if std::mem::take(&mut self.inside) {
            return Some(Err(RejectReason::UnclosedXml));
        }
        let foreign = std::mem::take(&mut self.saw_text) && !self.saw_tag;
        foreign.then_some(Err(RejectReason::NotXml))
    }

    fn keep_markup(&mut self) {
        if self.inside {
            keep(&mut self.record, &self.markup, &mut self.too_long);
        }
    }

    /// Reads up to the next `<`; false at the end of the file.
    fn read_text(&mut self) -> io::Result<bool> {
        loop {
            let chunk = fill(&mut self.reader)?;
            if chunk.is_empty() {
                return Ok(false);
            }
            let end = chunk.iter().position(|&b| b == b'<');
            let text = &chunk[..end.unwrap_or(chunk.len())];
            if self.inside {
                keep(&mut self.record, text, &mut self.too_long);
            } else if !self.saw_text {
                self.saw_text = text.iter().any(|&b| !is_blank(b));
            }
            let used = text.len();
            self.reader.consume(used);
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    /// Reads one piece of markup, from `<` to its end. A tag also ends before another `<`, which no tag may
    /// contain: so a tag that was never closed does not swallow what follows.
    fn read_markup(&mut self) -> io::Result<Markup> {
        self.markup.clear();
        let mut quote = None;
        loop {
            let chunk = fill(&mut self.reader)?;
            if chunk.is_empty() {
                return Ok(Markup::Cut);
            }
            if self.markup.is_empty()
                && let Some(tag) = plain_tag(chunk)
            {
                self.markup.extend_from_slice(tag);
                let used = tag.len();
                self.reader.consume(used);
                return Ok(self.meaning());
            }
            let mut used = 0;
            let mut ended = false;
            for &byte in chunk {
                let special = matches!(self.markup.get(1), Some(b'!' | b'?'));
                if byte == b'<' && !special && !self.markup.is_empty() {
                    ended = true;
                    break;
                }
                push_bounded(&mut self.markup, byte, &mut self.too_long);
                used += 1;
                if special {
                    ended = byte == b'>' && special_ends(&self.markup);
                } else {
                    ended = byte == b'>' && quote.is_none();
                    quote = next_quote(quote, byte);
                }
                if ended {
                    break;
                }
            }
            self.reader.consume(used);
            if ended {
                return Ok(self.meaning());
            }
        }
    }

    fn meaning(&mut self) -> Markup {
        let Some(name) = self.markup.strip_prefix(b"<").and_then(|rest| rest.strip_suffix(b">")) else {
            return Markup::Other;
        };
        if name.starts_with(b"?xml ") {
            self.declares_gb = declares_gb(name);
            return Markup::Other;
        }
        if name.starts_with(b"!") || name.starts_with(b"?") {
            return Markup::Other;
        }
        self.saw_tag = true;
        let (closing, name) = name.strip_prefix(b"/").map_or((false, name), |rest| (true, rest));
        let empty = name.ends_with(b"/");
        let end = name
            .iter()
            .position(|b| b.is_ascii_whitespace() || *b == b'/')
            .unwrap_or(name.len());
        let local = name[..end].rsplit(|&b| b == b':').next().unwrap_or_default();
        match (local, closing, empty) {
            (b"record", true, _) => Markup::RecordEnd,
            (b"record", false, true) => Markup::RecordEmpty,
            (b"record", false, false) => Markup::RecordStart,
            (b"leader" | b"controlfield" | b"datafield", false, _) => Markup::FieldStart,
            _ => Markup::Other,
        }
    }
}

/// The tag at the start of `chunk`, if it lies there whole and its quotes are in pairs: nearly all do.
fn plain_tag(chunk: &[u8]) -> Option<&[u8]> {
    let end = chunk.iter().position(|&b| b == b'>')?;
    let (mut double, mut single) = (0, 0);
    for &byte in chunk.get(1..end)? {
        match byte {
            b'<' | b'!' | b'?' => return None,
            b'"' => double += 1,
            b'\'' => single += 1,
            _ => {}
        }
    }
    (double % 2 == 0 && single % 2 == 0).then(|| &chunk[..=end])
}

/// Appends unless the record has become too long; then the rest is only looked through for its end.
fn keep(record: &mut Vec<u8>, bytes: &[u8], too_long: &mut bool) {
    *too_long |= record.len() + bytes.len() > MAX_XML_BYTES;
    if !*too_long {
        record.extend_from_slice(bytes);
    }
}

/// Appends, but of endless markup keeps only the opening and what an ending is recognised by.
fn push_bounded(markup: &mut Vec<u8>, byte: u8, too_long: &mut bool) {
    if markup.len() >= MAX_XML_BYTES {
        markup.drain(CDATA.len()..markup.len() - 2);
        *too_long = true;
    }
    markup.push(byte);
}

/// Whether the `>` just read ends a comment, CDATA section, instruction or document type.
fn special_ends(markup: &[u8]) -> bool {
    if markup.starts_with(b"<!--") {
        return markup.len() >= 7 && markup.ends_with(b"-->");
    }
    if markup.starts_with(CDATA) {
        return markup.ends_with(b"]]>");
    }
    if markup.starts_with(b"<?") {
        return markup.ends_with(b"?>");
    }
    // A document type with declarations of its own ends behind their closing bracket.
    let body = markup[..markup.len() - 1].trim_ascii_end();
    !body.contains(&b'[') || body.ends_with(b"]")
}

fn next_quote(quote: Option<u8>, byte: u8) -> Option<u8> {
    match (quote, byte) {
        (None, b'"' | b'\'') => Some(byte),
        (Some(open), _) if open == byte => None,
        _ => quote,
    }
}

fn declares_gb(declaration: &[u8]) -> bool {
    let text = String::from_utf8_lossy(declaration).to_ascii_lowercase();
    let encoding = text.split("encoding").nth(1).unwrap_or_default();
    let name = encoding.trim_start_matches([' ', '=', '"', '\'']);
    ["gb18030", "gbk", "gb2312"].iter().any(|gb| name.starts_with(gb))
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use proptest::prelude::*;

    use super::*;

    fn split(text: &[u8]) -> Vec<Result<String, RejectReason>> {
        let mut splitter = XmlSplitter::new(BufReader::with_capacity(5, Cursor::new(text)));
        std::iter::from_fn(|| splitter.next().expect("memory does not fail"))
            .map(|framed| framed.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
            .collect()
    }

    fn good(text: &str) -> Result<String, RejectReason> {
        Ok(text.to_owned())
    }

    const A: &str = "<record><leader>a</leader></record>";
    const B: &str = "<m:record x='>'><m:datafield tag=\"200\"/></m:record >";

    #[test]
    fn records_are_cut_out_of_any_wrapping() {
        let file = format!("\u{feff}<?xml version='1.0'?><c>{A}\n<!-- <record> -->{B}</c>");
        assert_eq!(split(file.as_bytes()), [good(A), good(B)]);
        let sru = format!("<r><s:records><s:record><s:recordData>{A}</s:recordData></s:record></s:records></r>");
        assert_eq!(split(sru.as_bytes()), [good(A)]);
    }

    #[test]
    fn markup_inside_a_record_does_not_end_it() {
        let record = "<record><leader>a</leader><!-- </record> --><x><![CDATA[</record>]]></x><?p </record>?></record>";
        assert_eq!(split(record.as_bytes()), [good(record)]);
    }

    #[test]
    fn one_malformed_record_costs_only_itself() {
        let unclosed = "<record><leader>x</leader><datafield tag=\"200\" ";
        assert_eq!(
            split(format!("{unclosed}{A}").as_bytes()),
            [Err(RejectReason::UnclosedXml), good(A)]
        );
        assert_eq!(
            split(format!("<record/>{A}").as_bytes()),
            [Err(RejectReason::NoFields), good(A)]
        );
        assert_eq!(
            split(format!("<record><x/></record>{A}").as_bytes()),
            [Err(RejectReason::NoFields), good(A)]
        );
        assert_eq!(
            split(format!("{A}{unclosed}").as_bytes()),
            [good(A), Err(RejectReason::UnclosedXml)]
        );
        assert_eq!(
            split(format!("{A}<!-- x").as_bytes()),
            [good(A), Err(RejectReason::UnclosedXml)]
        );
    }

    #[test]
    fn a_document_type_is_skipped_whole() {
        let file = format!("<!DOCTYPE r [<!ENTITY a \"<record>\"><!ENTITY b SYSTEM 'file:///etc/passwd'> ]>{A}");
        assert_eq!(split(file.as_bytes()), [good(A)]);
    }

    #[test]
    fn what_is_not_xml_is_said_once() {
        assert_eq!(split(b"hello"), [Err(RejectReason::NotXml)]);
        assert_eq!(split(b"<c></c>"), []);
        assert_eq!(split(b""), []);
    }

    #[test]
    fn an_endless_record_is_not_collected() {
        let long = "x".repeat(MAX_XML_BYTES);
        let file = format!("<record><leader>{long}</leader></record>{A}<record><leader/><!--{long}--></record>{A}");
        let limit = RejectReason::TooLong { limit: MAX_XML_BYTES };
        let mut splitter = XmlSplitter::new(Cursor::new(file.as_bytes()));
        let answers: Vec<Framed> = std::iter::from_fn(|| splitter.next().expect("memory does not fail")).collect();
        let a: Framed = Ok(A.as_bytes().to_vec());
        assert_eq!(answers, [Err(limit.clone()), a.clone(), Err(limit), a]);
    }

    proptest! {
        #[test]
        fn any_tags_give_a_bounded_number_of_answers(
            text in "(<record>|</record>|<leader>|<x|<!--|-->|<!\\[CDATA\\[|\\]\\]>|\"|>|<|a| ){0,60}"
        ) {
            let tags = text.matches('<').count();
            prop_assert!(split(text.as_bytes()).len() <= tags + 1);
        }
    }
}
