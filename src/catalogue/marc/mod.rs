//! Reading MARC records from files: MARC21 and CNMARC, ISO 2709 and MARCXML, UTF-8, GB18030 and MARC-8.
//!
//! For streams of any length: [`read`] answers record by record, in constant memory, and a bad record is an answer
//! like any other. Not for storing: nothing here knows the database, the network's units or its items.
//!
//! ```text
//! bytes ─ iso_split / xml_split ─> one raw record ─ iso2709 / marcxml, format, encoding ─> MarcRecord
//!       ─ cnmarc / marc21, holding ─> BibSummary, holdings, price
//! ```

mod cnmarc;
mod content;
mod encoding;
mod fixed;
mod format;
mod holding;
mod iso2709;
mod iso_split;
mod json;
mod latin;
mod marc21;
mod marc8;
mod marcxml;
mod record;
mod reject;
mod search_text;
mod summary;
mod table;
mod table_cnmarc;
mod table_fixed;
mod table_marc21;
mod validate;
mod write;
mod xml_split;

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, Chain, Cursor, Read};

pub use encoding::{Encoding, EncodingChoice, UnknownEncoding};
pub use format::{Format, FormatChoice};
pub use holding::{Holding, price_fen};
pub use json::{from_json, to_json};
pub use record::{BuildError, DataField, Field, MarcBuilder, MarcRecord, Subfield, Tag};
pub use reject::{ReadError, RejectReason, Rejection};
pub use search_text::normalise_search;
pub use summary::BibSummary;
pub use validate::{Fault, Validation, validate};
pub use write::{WriteError, to_iso2709};

use iso_split::IsoSplitter;
use xml_split::XmlSplitter;

const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// How records are wrapped in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Container {
    Iso2709,
    MarcXml,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Container::Iso2709 => "iso2709",
            Container::MarcXml => "marcxml",
        })
    }
}

/// What the caller knows about a file; the default is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadOptions {
    /// `None`: a file whose first character is `<` is MARCXML.
    pub container: Option<Container>,
    pub format: FormatChoice,
    pub encoding: EncodingChoice,
}

/// One record and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedRecord {
    /// Its place in the file, from 1, bad records counted.
    pub number: u64,
    /// Its bytes as they stood in the file: from leader to record terminator, or from `<record` to `</record>`.
    pub raw: Vec<u8>,
    pub container: Container,
    pub encoding: Encoding,
    pub format: Format,
    pub record: MarcRecord,
    pub summary: BibSummary,
    pub holdings: Vec<Holding>,
    /// What one copy costs, if the record says it in yuan.
    pub price_fen: Option<i64>,
}

/// Reads records one by one. Nothing is read before the first is asked for.
pub fn read<R: BufRead>(reader: R, options: ReadOptions) -> Records<R> {
    Records {
        state: State::Unopened(Some(reader)),
        options,
        number: 0,
    }
}

/// The records of a stream; see [`read`].
pub struct Records<R> {
    state: State<R>,
    options: ReadOptions,
    number: u64,
}

/// A reader with the bytes put back that were looked at to tell the container.
type Rewound<R> = Chain<Cursor<Vec<u8>>, R>;

enum State<R> {
    /// Empty only while it is being opened.
    Unopened(Option<R>),
    Iso(IsoSplitter<Rewound<R>>),
    Xml(XmlSplitter<Rewound<R>>),
    Done,
}

impl<R: BufRead> Iterator for Records<R> {
    type Item = Result<ParsedRecord, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.step() {
            Ok(Some(answer)) => Some(answer.map_err(|reason| {
                Rejection {
                    number: self.number,
                    reason,
                }
                .into()
            })),
            Ok(None) => {
                self.state = State::Done;
                None
            }
            Err(source) => {
                self.state = State::Done;
                Some(Err(ReadError::Io {
                    after: self.number,
                    source,
                }))
            }
        }
    }
}

impl<R: BufRead> Records<R> {
    fn step(&mut self) -> io::Result<Option<Result<ParsedRecord, RejectReason>>> {
        if let State::Unopened(unopened) = &mut self.state
            && let Some(reader) = unopened.take()
        {
            self.state = open(reader, self.options.container)?;
        }
        let (framed, container, declares_gb) = match &mut self.state {
            State::Iso(splitter) => (splitter.next()?, Container::Iso2709, false),
            State::Xml(splitter) => (splitter.next()?, Container::MarcXml, splitter.declares_gb18030()),
            State::Unopened(_) | State::Done => (None, Container::Iso2709, false),
        };
        let Some(framed) = framed else { return Ok(None) };
        self.number += 1;
        Ok(Some(framed.and_then(|raw| match container {
            Container::Iso2709 => from_iso(self.number, raw, self.options),
            Container::MarcXml => from_xml(self.number, raw, self.options, declares_gb),
        })))
    }
}

/// Skips blanks and a byte order mark, and tells the container by the first character.
fn open<R: BufRead>(mut reader: R, container: Option<Container>) -> io::Result<State<R>> {
    let mut looked_at = Vec::new();
    let first = loop {
        let Some(&byte) = iso_split::fill(&mut reader)?.first() else {
            break None;
        };
        if looked_at.is_empty() && iso_split::is_blank(byte) {
            reader.consume(1);
        } else if BYTE_ORDER_MARK.get(looked_at.len()) == Some(&byte) {
            looked_at.push(byte);
            reader.consume(1);
            if looked_at == BYTE_ORDER_MARK {
                looked_at.clear();
            }
        } else {
            break Some(byte);
        }
    };
    let xml = looked_at.is_empty() && first == Some(b'<');
    let detected = if xml { Container::MarcXml } else { Container::Iso2709 };
    let rewound = Cursor::new(looked_at).chain(reader);
    Ok(match container.unwrap_or(detected) {
        Container::Iso2709 => State::Iso(IsoSplitter::new(rewound)),
        Container::MarcXml => State::Xml(XmlSplitter::new(rewound)),
    })
}

fn from_iso(number: u64, raw: Vec<u8>, options: ReadOptions) -> Result<ParsedRecord, RejectReason> {
    let parsed = iso2709::parse(&raw)?;
    let format = parsed.clues().format(options.format, parsed.leader);
    let encoding = encoding::choose(options.encoding, &raw, format, parsed.leader.as_bytes()[9])?;
    let record = parsed.decode(encoding)?;
    finish(number, raw, Container::Iso2709, encoding, format, record)
}

fn from_xml(number: u64, raw: Vec<u8>, options: ReadOptions, declares_gb: bool) -> Result<ParsedRecord, RejectReason> {
    // Markup is ASCII in GB18030 too, so the record could be cut out before its encoding was known.
    let (encoding, text) = match (options.encoding, std::str::from_utf8(&raw)) {
        (EncodingChoice::Auto | EncodingChoice::Utf8, Ok(text)) => (Encoding::Utf8, Cow::Borrowed(text)),
        (EncodingChoice::Utf8, Err(_)) => return Err(RejectReason::NotUtf8),
        (EncodingChoice::Marc8, _) => (Encoding::Marc8, encoding::decode(Encoding::Marc8, &raw)?.into()),
        (EncodingChoice::Auto | EncodingChoice::Gb18030, _) => {
            (Encoding::Gb18030, encoding::decode(Encoding::Gb18030, &raw)?.into())
        }
    };
    let record = marcxml::parse(&text)?;
    let format = format::Clues::of(&record).format(options.format, record.leader());
    // Almost any bytes are valid GB18030: without a declaration only a Chinese record is believed.
    let guessed = options.encoding == EncodingChoice::Auto && encoding == Encoding::Gb18030 && !declares_gb;
    if guessed && format == Format::Marc21 {
        return Err(RejectReason::NotUtf8);
    }
    drop(text);
    finish(number, raw, Container::MarcXml, encoding, format, record)
}

fn finish(
    number: u64,
    raw: Vec<u8>,
    container: Container,
    encoding: Encoding,
    format: Format,
    record: MarcRecord,
) -> Result<ParsedRecord, RejectReason> {
    let summary = summary::summarise(&record, format)?;
    let holdings = holding::holdings(&record, format);
    let price_fen = holding::record_price(&record, format);
    Ok(ParsedRecord {
        number,
        raw,
        container,
        encoding,
        format,
        record,
        summary,
        holdings,
        price_fen,
    })
}

#[cfg(test)]
mod tests;
