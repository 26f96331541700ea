//! Reading a file: its encoding, its delimiter, its header, and its rows on a thread of their own.

use std::io::{BufRead, BufReader, SeekFrom};

use encoding_rs::{Encoding, GB18030, UTF_8};
use tokio::sync::mpsc;

use super::super::{Result, UseCaseError};
use super::columns::{self, Column};
use super::{CsvEncoding, CsvSource, Kind, Rejection, Rereadable};

/// Rows written at once: some milliseconds of the writer's time.
const ROWS_PER_CHUNK: usize = 200;
/// Chunks read ahead; more would only fill the memory.
const CHUNKS_AHEAD: usize = 4;
/// A row with a line break in a cell or two is one; over more lines than this runs only a quotation mark that nobody closed.
const LINES_PER_ROW: u64 = 100;
/// The byte order mark of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// One row, its values in the order of the kind's columns; empty cells are `None`.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub line: u64,
    pub columns: &'static [Column],
    pub values: Vec<Option<String>>,
}

/// Some rows of the file.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub rows: Vec<Row>,
    pub unreadable: Vec<Rejection>,
    /// Set when the file cannot be read on.
    pub broken: Option<String>,
}

/// A file whose header was understood.
pub(super) struct Opened {
    rows: csv::Reader<Box<dyn Rereadable>>,
    encoding: &'static Encoding,
    columns: &'static [Column],
    /// Where in the file each column stands.
    places: Vec<Option<usize>>,
    pub ignored: Vec<String>,
}

impl Opened {
    pub(super) fn encoding_name(&self) -> &'static str {
        if self.encoding == UTF_8 { "utf-8" } else { "gb18030" }
    }
}

/// Looks through the file, then reads its header.
///
/// # Errors
/// `Invalid` naming what the file or its header lacks.
pub(super) fn open(source: CsvSource, kind: Kind, choice: CsvEncoding) -> Result<Opened> {
    let CsvSource { name, mut file } = source;
    let unreadable = |error: std::io::Error| UseCaseError::field("file", format!("{name} cannot be read: {error}"));
    let (encoding, delimiter) = look_at(file.as_mut(), choice).map_err(unreadable)??;
    let mut rows = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(file);
    let mut header = csv::ByteRecord::new();
    let read = rows.read_byte_record(&mut header);
    if !read.map_err(|error| UseCaseError::field("file", format!("{name} cannot be read: {error}")))? {
        return Err(UseCaseError::field("file", "is empty: it has no header row"));
    }
    let names: Vec<String> = header
        .iter()
        .enumerate()
        .map(|(at, cell)| {
            heading(
                if at == 0 {
                    cell.strip_prefix(MARK).unwrap_or(cell)
                } else {
                    cell
                },
                encoding,
            )
        })
        .collect();
    let columns = columns::of(kind);
    let places = places(columns, &names)?;
    let unknown = |at: &usize| !places.contains(&Some(*at)) && !names[*at].is_empty();
    let ignored = (0..names.len()).filter(unknown).map(|at| names[at].clone()).collect();
    Ok(Opened {
        rows,
        encoding,
        columns,
        places,
        ignored,
    })
}

fn heading(cell: &[u8], encoding: &'static Encoding) -> String {
    let (text, _) = encoding.decode_without_bom_handling(cell);
    text.trim().to_lowercase().replace([' ', '-'], "_")
}

fn places(columns: &'static [Column], names: &[String]) -> Result<Vec<Option<usize>>> {
    let mut faults = Vec::new();
    let mut places = Vec::with_capacity(columns.len());
    for column in columns {
        let mut found =
            (0..names.len()).filter(|at| names[*at] == column.name || column.also.contains(&names[*at].as_str()));
        let place = found.next();
        if place.is_none() && column.needed {
            faults.push(super::super::FieldError::new(
                "header",
                format!("has no column {}", column.name),
            ));
        }
        if found.next().is_some() {
            faults.push(super::super::FieldError::new(
                "header",
                format!("has two columns {}", column.name),
            ));
        }
        places.push(place);
    }
    if faults.is_empty() {
        Ok(places)
    } else {
        Err(UseCaseError::Invalid(faults))
    }
}

/// Reads the file once: which encoding most of its lines beyond ASCII have, and what parts the header's cells.
fn look_at(file: &mut dyn Rereadable, choice: CsvEncoding) -> std::io::Result<Result<(&'static Encoding, u8)>> {
    let mut lines = BufReader::with_capacity(1 << 18, &mut *file);
    let mut line = Vec::new();
    let (mut utf8, mut other, mut delimiter) = (0_u64, 0_u64, None);
    while lines.read_until(b'\n', &mut line)? > 0 {
        if delimiter.is_none() {
            if line.starts_with(&[0xff, 0xfe]) || line.starts_with(&[0xfe, 0xff]) {
                return Ok(Err(UseCaseError::field(
                    "file",
                    "is UTF-16: save it as UTF-8 or GB18030",
                )));
            }
            delimiter = Some(delimiter_of(&line));
        }
        if !line.is_ascii() {
            let counter = if std::str::from_utf8(&line).is_ok() {
                &mut utf8
            } else {
                &mut other
            };
            *counter += 1;
        }
        line.clear();
    }
    file.seek(SeekFrom::Start(0))?;
    let encoding = match choice {
        CsvEncoding::Utf8 => UTF_8,
        CsvEncoding::Gb18030 => GB18030,
        CsvEncoding::Auto if utf8 >= other => UTF_8,
        CsvEncoding::Auto => GB18030,
    };
    Ok(Ok((encoding, delimiter.unwrap_or(b','))))
}

/// The commonest of comma, semicolon and tab.
fn delimiter_of(header: &[u8]) -> u8 {
    let count = |byte: u8| header.iter().filter(|one| **one == byte).count();
    let commonest = [b'\t', b';', b','].into_iter().max_by_key(|byte| count(*byte));
    commonest.unwrap_or(b',')
}

/// Starts reading. The channel closes at the end of the file; reading stops when nobody takes chunks any more.
pub(super) fn start(opened: Opened) -> mpsc::Receiver<Chunk> {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    tokio::task::spawn_blocking(move || {
        // Nobody waits for the rest of a run that failed.
        drop(read_rows(opened, &sender));
    });
    receiver
}

fn read_rows(
    mut opened: Opened,
    sender: &mpsc::Sender<Chunk>,
) -> std::result::Result<(), mpsc::error::SendError<Chunk>> {
    let mut chunk = Chunk::default();
    let mut record = csv::ByteRecord::new();
    loop {
        match opened.rows.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return sender.blocking_send(chunk),
            Err(error) => {
                chunk.broken = Some(error.to_string());
                return sender.blocking_send(chunk);
            }
        }
        let line = record.position().map_or(0, csv::Position::line);
        let lines = opened.rows.position().line().saturating_sub(line);
        let read = if lines > LINES_PER_ROW {
            Err(unclosed(line, lines))
        } else {
            row(&opened, &record, line)
        };
        match read {
            Ok(Some(row)) => chunk.rows.push(row),
            Ok(None) => {}
            Err(rejection) => chunk.unreadable.push(rejection),
        }
        if chunk.rows.len() + chunk.unreadable.len() >= ROWS_PER_CHUNK {
            sender.blocking_send(std::mem::take(&mut chunk))?;
        }
    }
}

fn unclosed(line: u64, lines: u64) -> Rejection {
    Rejection {
        row: line,
        column: None,
        reason: format!(
            "runs over {lines} lines: a quotation mark at the beginning of a cell is not closed; none of these lines was read"
        ),
        duplicate: false,
    }
}

/// The cells of a row; `None` for one that is empty throughout, as spreadsheets leave them at the end.
fn row(opened: &Opened, record: &csv::ByteRecord, line: u64) -> std::result::Result<Option<Row>, Rejection> {
    let mut values = Vec::with_capacity(opened.columns.len());
    for (column, place) in opened.columns.iter().zip(&opened.places) {
        let cell = place.and_then(|at| record.get(at)).unwrap_or_default();
        let Some(text) = opened
            .encoding
            .decode_without_bom_handling_and_without_replacement(cell)
        else {
            return Err(Rejection {
                row: line,
                column: Some(column.name),
                reason: format!("is not {}", opened.encoding_name()),
                duplicate: false,
            });
        };
        let text = text.trim();
        values.push((!text.is_empty()).then(|| text.to_owned()));
    }
    let row = Row {
        line,
        columns: opened.columns,
        values,
    };
    Ok(row.values.iter().any(Option::is_some).then_some(row))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn looked(bytes: &[u8]) -> (&'static Encoding, u8) {
        look_at(&mut Cursor::new(bytes.to_vec()), CsvEncoding::Auto)
            .expect("read")
            .expect("understood")
    }

    #[test]
    fn the_encoding_is_that_of_most_lines_and_one_bad_line_does_not_sway_it() {
        let (gb, _, _) = GB18030.encode("姓名,证号\n王五,1\n");
        assert_eq!(looked(&gb).0, GB18030);
        let mut mostly = "姓名,证号\n王五,1\n李四,2\n".as_bytes().to_vec();
        mostly.extend_from_slice(&GB18030.encode("赵六,3\n").0);
        assert_eq!(looked(&mostly).0, UTF_8);
        assert_eq!(looked(b"a;b;c,d\n"), (UTF_8, b';'));
        assert_eq!(looked(b"a\tb\n").1, b'\t');
        assert_eq!(looked(b"").1, b',');
    }
}
