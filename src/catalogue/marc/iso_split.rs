//! Finds one ISO 2709 record after another in a stream, whatever is broken between them.
//!
//! For framing only: each answer is the whole bytes of one record whose leader agrees about its length, or the
//! reason why not. Reading resumes behind the next record terminator, so one bad record costs only itself.

use std::io::{self, BufRead};

use super::iso2709::{FIELD_END, LEADER_BYTES, MAX_RECORD_BYTES, RECORD_END, number};
use super::reject::RejectReason;

/// One framed record or the reason against it.
pub(super) type Framed = Result<Vec<u8>, RejectReason>;

pub(super) struct IsoSplitter<R> {
    reader: R,
    /// A good record found glued behind a broken one.
    pending: Option<Vec<u8>>,
}

/// How the hunt for a terminator ended.
enum Hunt {
    Found,
    TooLong,
    EndOfFile,
}

impl<R: BufRead> IsoSplitter<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, pending: None }
    }

    /// The next record; `None` at the end of the file.
    pub(super) fn next(&mut self) -> io::Result<Option<Framed>> {
        if let Some(record) = self.pending.take() {
            return Ok(Some(Ok(record)));
        }
        self.skip_blank()?;
        let mut record = Vec::new();
        Ok(match self.hunt(&mut record)? {
            Hunt::EndOfFile if record.is_empty() => None,
            Hunt::EndOfFile => Some(Err(RejectReason::Unterminated { bytes: record.len() })),
            Hunt::TooLong => Some(Err(RejectReason::TooLong {
                limit: MAX_RECORD_BYTES,
            })),
            Hunt::Found => Some(self.frame(record)),
        })
    }

    fn frame(&mut self, record: Vec<u8>) -> Framed {
        let Err(reason) = check_length(&record) else {
            return Ok(record);
        };
        // A record cut off in transfer swallows the next one up to its terminator: save that one.
        self.pending = glued_record(&record).map(|at| record[at..].to_vec());
        Err(reason)
    }

    /// Skips what files carry between records: line ends, blanks, NUL padding, Ctrl-Z.
    fn skip_blank(&mut self) -> io::Result<()> {
        loop {
            let chunk = fill(&mut self.reader)?;
            let blank = chunk.iter().take_while(|b| is_blank(**b)).count();
            let done = blank < chunk.len() || chunk.is_empty();
            self.reader.consume(blank);
            if done {
                return Ok(());
            }
        }
    }

    /// Collects up to and including the next terminator, keeping no more than a record may have.
    fn hunt(&mut self, record: &mut Vec<u8>) -> io::Result<Hunt> {
        let mut too_long = false;
        loop {
            let chunk = fill(&mut self.reader)?;
            if chunk.is_empty() {
                return Ok(if too_long { Hunt::TooLong } else { Hunt::EndOfFile });
            }
            let end = chunk.iter().position(|&b| b == RECORD_END);
            let taken = end.map_or(chunk.len(), |at| at + 1);
            too_long |= record.len() + taken > MAX_RECORD_BYTES;
            if !too_long {
                record.extend_from_slice(&chunk[..taken]);
            }
            self.reader.consume(taken);
            if end.is_some() {
                return Ok(if too_long { Hunt::TooLong } else { Hunt::Found });
            }
        }
    }
}

/// `fill_buf` that tries again when a signal interrupted it.
pub(super) fn fill<R: BufRead>(reader: &mut R) -> io::Result<&[u8]> {
    loop {
        match reader.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    // Asked again because the borrow checker cannot let a borrow leave the loop; the buffer is already full.
    reader.fill_buf()
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n' | b'\t' | b' ' | 0 | 0x1a)
}

fn check_length(record: &[u8]) -> Result<(), RejectReason> {
    if record.len() < LEADER_BYTES + 2 {
        return Err(RejectReason::TooShort { bytes: record.len() });
    }
    let Some(declared) = number(&record[..5]) else {
        let found = String::from_utf8_lossy(&record[..5]).into_owned();
        return Err(RejectReason::NoLength { found });
    };
    if declared == record.len() {
        Ok(())
    } else {
        Err(RejectReason::LengthDiffers {
            declared,
            actual: record.len(),
        })
    }
}

/// Where inside `bytes` a record starts that ends exactly with them and whose base address fits.
fn glued_record(bytes: &[u8]) -> Option<usize> {
    let last = bytes.len().checked_sub(LEADER_BYTES + 2)?;
    (1..=last).find(|&at| {
        let candidate = &bytes[at..];
        number(&candidate[..5]) == Some(candidate.len())
            && &candidate[10..12] == b"22"
            && number(&candidate[12..17])
                .is_some_and(|base| base > LEADER_BYTES && candidate.get(base - 1) == Some(&FIELD_END))
    })
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use proptest::prelude::*;

    use super::*;

    fn record(title: &str) -> Vec<u8> {
        let data = format!("1 \x1fa{title}\x1e");
        let length = 24 + 12 + 1 + data.len() + 1;
        format!("{length:05}nam0 2200037   450 200{:04}00000\x1e{data}\x1d", data.len()).into_bytes()
    }

    /// Reads with a tiny buffer, so that every boundary falls inside a record.
    fn split(bytes: &[u8]) -> Vec<Framed> {
        let mut splitter = IsoSplitter::new(BufReader::with_capacity(7, Cursor::new(bytes)));
        std::iter::from_fn(|| splitter.next().expect("memory does not fail")).collect()
    }

    #[test]
    fn records_are_separated_whatever_lies_between() {
        let mut file = b"\r\n".to_vec();
        file.extend(record("一"));
        file.extend(b"\r\n\0\n");
        file.extend(record("二"));
        file.extend(b"\n\x1a");
        assert_eq!(split(&file), [Ok(record("一")), Ok(record("二"))]);
    }

    #[test]
    fn one_bad_record_costs_only_itself() {
        let mut long = record("length lies");
        long[..5].copy_from_slice(b"00999");
        let bad = [b"garbage\x1d".to_vec(), vec![b'x'; 60], b"\x1d".to_vec(), long].concat();
        let file = [record("一"), bad, record("二")].concat();
        let answers = split(&file);
        assert_eq!(answers.len(), 5);
        assert_eq!(answers[0], Ok(record("一")));
        assert_eq!(answers[1], Err(RejectReason::TooShort { bytes: 8 }));
        assert_eq!(answers[2], Err(RejectReason::NoLength { found: "xxxxx".into() }));
        assert!(matches!(
            answers[3],
            Err(RejectReason::LengthDiffers { declared: 999, .. })
        ));
        assert_eq!(answers[4], Ok(record("二")));
    }

    #[test]
    fn a_record_behind_a_truncated_one_is_saved() {
        let cut = &record("cut off")[..40];
        let file = [cut, &record("saved"), &record("next")].concat();
        let answers = split(&file);
        assert!(matches!(answers[0], Err(RejectReason::LengthDiffers { .. })));
        assert_eq!(answers[1..], [Ok(record("saved")), Ok(record("next"))]);
    }

    #[test]
    fn a_file_that_ends_inside_a_record_says_so() {
        let cut = &record("cut off")[..40];
        assert_eq!(split(cut), [Err(RejectReason::Unterminated { bytes: 40 })]);
    }

    #[test]
    fn endless_garbage_is_not_collected() {
        let mut file = vec![b'x'; 3 * MAX_RECORD_BYTES];
        file.push(RECORD_END);
        file.extend(record("after"));
        let answers = split(&file);
        assert_eq!(
            answers,
            [
                Err(RejectReason::TooLong {
                    limit: MAX_RECORD_BYTES
                }),
                Ok(record("after"))
            ]
        );
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_bounded_number_of_answers(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let ends = bytes.iter().filter(|&&b| b == RECORD_END).count();
            // At most one answer per terminator, one saved record each, and one for the rest.
            prop_assert!(split(&bytes).len() <= 2 * ends + 1);
        }
    }
}
