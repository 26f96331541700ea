//! Reading the files on a thread of their own, and what a record becomes in the catalogue.

use tokio::sync::mpsc;

use super::{Rejected, Source};
use crate::catalogue::marc::{self, Container, ParsedRecord, ReadError, ReadOptions};
use crate::store::bibs::NewBib;
use crate::store::bulk::BibWithIsbns;

/// Records written at once: about 5 ms of the writer's time.
const RECORDS_PER_CHUNK: usize = 100;
/// Chunks read ahead; more would only fill the memory.
const CHUNKS_AHEAD: usize = 4;

/// A record ready to be matched and stored; its id and times are set when it is written.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub file: std::sync::Arc<str>,
    pub number: u64,
    pub row: BibWithIsbns,
}

/// Some records of one file.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub records: Vec<Prepared>,
    pub rejected: Vec<Rejected>,
    /// Set when the file cannot be read on.
    pub broken_file: Option<String>,
}

/// Starts reading. The channel closes at the end of the last file; reading stops when nobody takes chunks any more.
pub(super) fn start(sources: Vec<Source>, options: ReadOptions) -> mpsc::Receiver<Chunk> {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    tokio::task::spawn_blocking(move || {
        for source in sources {
            if read_file(source, options, &sender).is_err() {
                return;
            }
        }
    });
    receiver
}

fn read_file(
    source: Source,
    options: ReadOptions,
    sender: &mpsc::Sender<Chunk>,
) -> Result<(), mpsc::error::SendError<Chunk>> {
    let file: std::sync::Arc<str> = source.name.into();
    let mut chunk = Chunk::default();
    for answer in marc::read(source.reader, options) {
        match answer {
            Ok(record) => {
                let number = record.number;
                chunk.records.push(Prepared {
                    file: file.clone(),
                    number,
                    row: prepare(record),
                });
            }
            Err(ReadError::Rejected(rejection)) => chunk.rejected.push(Rejected {
                file: file.to_string(),
                record: rejection.number,
                reason: rejection.reason.to_string(),
            }),
            Err(error @ ReadError::Io { .. }) => chunk.broken_file = Some(format!("{file}: {error}")),
        }
        if chunk.records.len() + chunk.rejected.len() >= RECORDS_PER_CHUNK {
            sender.blocking_send(std::mem::take(&mut chunk))?;
        }
    }
    sender.blocking_send(chunk)
}

/// What the catalogue keeps of a record: the bytes whole, and the summary in columns.
pub(in super::super) fn prepare(record: ParsedRecord) -> BibWithIsbns {
    let summary = record.summary;
    let isbns: Vec<String> = summary.isbns.iter().map(|isbn| isbn.as_str().to_owned()).collect();
    let bib = NewBib {
        id: 0,
        control_number: summary.control_number.clone(),
        format: record.format.as_str().to_owned(),
        container: match record.container {
            Container::Iso2709 => "iso2709".to_owned(),
            Container::MarcXml => "marcxml".to_owned(),
        },
        encoding: record.encoding.to_string(),
        marc: record.raw,
        authors: summary.authors_line(),
        title: summary.title,
        publisher: summary.publisher,
        publish_year: summary.publish_year,
        isbn: isbns.first().cloned(),
        clc_class: summary.clc_class,
        language: summary.language,
        search_text: summary.search_text,
        open_holds: 0,
        created_at: 0,
        updated_at: 0,
    };
    BibWithIsbns { bib, isbns }
}
