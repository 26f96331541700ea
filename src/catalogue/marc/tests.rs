//! Whole files through the entry point: what imports, what is turned away, and that the rest goes on.

use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::PathBuf;

use encoding_rs::GB18030;
use proptest::prelude::*;

use super::*;

fn cnmarc(title: &str) -> MarcRecord {
    MarcRecord::builder("00000nam0 2200000   450 ")
        .control("001", "1")
        .data("010", "  ", &[('a', "7-5037-1744-0"), ('d', "CNY68.00")])
        .data("100", "  ", &[('a', "20020204d1994    em y0chiy0120    ea")])
        .data("200", "1 ", &[('a', title), ('f', "国家统计局编")])
        .data("905", "  ", &[('a', "BNU"), ('d', "F124"), ('e', "26")])
        .build()
        .expect("a good record")
}

fn iso(title: &str) -> Vec<u8> {
    to_iso2709(&cnmarc(title)).expect("small enough")
}

/// A record in GB18030, put together by hand: the writer knows only UTF-8, and the offsets differ.
fn iso_gb(title: &str) -> Vec<u8> {
    let (gb, _, _) = GB18030.encode(title);
    let data = [b"1 \x1fa".as_slice(), &gb, b"\x1e"].concat();
    let length = 24 + 12 + 1 + data.len() + 1;
    let head = format!("{length:05}nam0 2200037   450 200{:04}00000\x1e", data.len());
    [head.as_bytes(), &data, b"\x1d"].concat()
}

fn xml(title: &str) -> String {
    format!(
        "<record><leader>00000nam0 2200000   450 </leader><datafield tag='200' ind1='1' ind2=' '>\
         <subfield code='a'>{title}</subfield></datafield></record>"
    )
}

fn read_all(bytes: &[u8], options: ReadOptions) -> Vec<Result<ParsedRecord, ReadError>> {
    read(BufReader::with_capacity(11, Cursor::new(bytes)), options).collect()
}

/// Titles of the good records and the sentences about the bad ones.
fn outcome(bytes: &[u8], options: ReadOptions) -> Vec<String> {
    read_all(bytes, options)
        .into_iter()
        .map(|answer| answer.map_or_else(|error| error.to_string(), |parsed| parsed.summary.title))
        .collect()
}

#[test]
fn an_iso_file_is_read_whatever_stands_before_it() {
    for start in [b"".as_slice(), b"\xef\xbb\xbf", b"\r\n", b"\xef\xbb\xbf\n"] {
        let file = [start, &iso("史记"), b"\n", &iso_gb("汉书")].concat();
        let answers: Vec<ParsedRecord> = read_all(&file, ReadOptions::default())
            .into_iter()
            .collect::<Result<_, _>>()
            .expect("all good");
        assert_eq!(answers.len(), 2);
        assert_eq!((answers[0].number, answers[0].encoding), (1, Encoding::Utf8));
        assert_eq!(answers[0].raw, iso("史记"));
        assert_eq!(answers[0].record.first("200", 'a'), Some("史记"));
        assert_eq!(answers[0].price_fen, Some(6800));
        assert_eq!(answers[0].holdings[0].call_number.as_deref(), Some("F124/26"));
        assert_eq!((answers[1].number, answers[1].encoding), (2, Encoding::Gb18030));
        assert_eq!(answers[1].summary.title, "汉书");
        assert_eq!(answers[1].raw, iso_gb("汉书"));
    }
}

#[test]
fn bad_records_are_numbered_and_the_rest_goes_on() {
    let file = [
        iso("一"),
        b"junk that is no record at all\x1d".to_vec(),
        iso("三"),
        iso(""),
        iso("五")[..60].to_vec(),
    ];
    assert_eq!(
        outcome(&file.concat(), ReadOptions::default()),
        [
            "一",
            "record 2: the leader does not start with the record's length in digits: \"junk \"",
            "三",
            "record 4: field 200 has no title",
            "record 5: the file ends inside this record, 60 bytes after its start",
        ]
    );
}

#[test]
fn an_xml_file_is_known_by_its_first_character() {
    let file = format!(
        "\u{feff}\n<?xml version=\"1.0\"?><c>{}{}{}</c>",
        xml("一"),
        xml("<b"),
        xml("三")
    );
    let found = outcome(file.as_bytes(), ReadOptions::default());
    assert_eq!((found[0].as_str(), found[2].as_str(), found.len()), ("一", "三", 3));
    assert!(
        found[1].starts_with("record 2: the XML of this record is malformed"),
        "{}",
        found[1]
    );
}

#[test]
fn an_xml_record_can_be_read_again_from_its_raw_bytes() {
    let file = format!("<c>{}</c>", xml("一 &amp; 二"));
    let first = read_all(file.as_bytes(), ReadOptions::default())
        .remove(0)
        .expect("good");
    let again = read_all(&first.raw, ReadOptions::default()).remove(0).expect("good");
    assert_eq!(first, again);
    assert_eq!(first.summary.title, "一 & 二");
}

#[test]
fn xml_in_gb18030_is_read_if_it_is_declared_or_chinese() {
    let text = format!("<?xml version=\"1.0\" encoding=\"GBK\"?><c>{}</c>", xml("史记"));
    let (bytes, _, _) = GB18030.encode(&text);
    assert_eq!(outcome(&bytes, ReadOptions::default()), ["史记"]);
    let (bytes, _, _) = GB18030.encode(&text["<?xml version=\"1.0\" encoding=\"GBK\"?>".len()..]);
    assert_eq!(outcome(&bytes, ReadOptions::default()), ["史记"]);
    let forced = ReadOptions {
        encoding: EncodingChoice::Utf8,
        ..ReadOptions::default()
    };
    assert_eq!(outcome(&bytes, forced), ["record 1: the text is not valid UTF-8"]);
}

#[test]
fn the_callers_choice_wins_over_detection() {
    let forced = ReadOptions {
        encoding: EncodingChoice::Gb18030,
        ..ReadOptions::default()
    };
    assert_eq!(outcome(&iso_gb("汉书"), forced), ["汉书"]);
    let forced = ReadOptions {
        format: FormatChoice::Marc21,
        ..ReadOptions::default()
    };
    assert_eq!(outcome(&iso("史记"), forced), ["record 1: field 245 has no title"]);
    let forced = ReadOptions {
        container: Some(Container::MarcXml),
        ..ReadOptions::default()
    };
    assert_eq!(
        outcome(&iso("史记"), forced),
        ["record 1: the input holds no XML elements"]
    );
}

#[test]
fn an_empty_file_has_no_records() {
    assert!(read_all(b"", ReadOptions::default()).is_empty());
    assert!(read_all(b" \r\n\x1a", ReadOptions::default()).is_empty());
}

/// Gives some bytes, then fails.
struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.len().min(out.len());
        out[..n].copy_from_slice(&self.0[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Failing<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.0.is_empty() {
            Err(io::Error::other("the disk is gone"))
        } else {
            Ok(self.0)
        }
    }

    fn consume(&mut self, n: usize) {
        self.0 = &self.0[n..];
    }
}

#[test]
fn a_failing_reader_is_the_last_answer() {
    let file = iso("一");
    let mut records = read(Failing(&file), ReadOptions::default());
    assert!(matches!(records.next(), Some(Ok(_))));
    assert!(matches!(records.next(), Some(Err(ReadError::Io { after: 1, .. }))));
    assert!(records.next().is_none());
}

fn samples() -> Option<PathBuf> {
    Some(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data")).filter(|folder| folder.is_dir())
}

/// Every record of a sample file; `None` where the samples are absent.
fn sample(name: &str) -> Option<Vec<ParsedRecord>> {
    let file = std::fs::File::open(samples()?.join(name)).ok()?;
    let answers = read(BufReader::new(file), ReadOptions::default());
    Some(answers.collect::<Result<_, _>>().expect("every sample record is good"))
}

#[test]
fn all_sample_records_import() {
    for (name, count, format) in [
        ("marc21_jazz_1k.mrc", 1_000, Format::Marc21),
        ("marc21_uva_200.mrc", 200, Format::Marc21),
        ("cnmarc_sample_utf8.iso", 10, Format::Cnmarc),
        ("cnmarc_sample_gb18030.iso", 10, Format::Cnmarc),
        ("cnmarc_sample.xml", 10, Format::Cnmarc),
    ] {
        let Some(records) = sample(name) else { return };
        assert_eq!(records.len(), count, "{name}");
        assert!(
            records
                .iter()
                .all(|r| r.format == format && !r.summary.title.is_empty()),
            "{name}"
        );
        assert!(records.iter().zip(1..).all(|(r, number)| r.number == number), "{name}");
    }
}

#[test]
fn the_three_forms_of_the_chinese_sample_say_the_same() {
    let names = [
        "cnmarc_sample.xml",
        "cnmarc_sample_utf8.iso",
        "cnmarc_sample_gb18030.iso",
    ];
    let [Some(xml), Some(utf8), Some(gb)] = names.map(sample) else {
        return;
    };
    for ((xml, utf8), gb) in xml.iter().zip(&utf8).zip(&gb) {
        assert_eq!(utf8.record.fields(), gb.record.fields());
        assert_eq!(utf8.record.fields(), xml.record.fields());
        assert_eq!(utf8.summary, gb.summary);
        assert_eq!(utf8.summary, xml.summary);
        assert_eq!((&utf8.holdings, utf8.price_fen), (&xml.holdings, xml.price_fen));
    }
    assert_eq!(gb[0].encoding, Encoding::Gb18030);
}

#[test]
fn sample_records_survive_being_written_and_read() {
    for name in ["marc21_jazz_1k.mrc", "marc21_uva_200.mrc", "cnmarc_sample.xml"] {
        let Some(records) = sample(name) else { return };
        for parsed in records {
            let bytes = to_iso2709(&parsed.record).expect("small enough");
            let again = read_all(&bytes, ReadOptions::default()).remove(0).expect("good");
            assert_eq!(
                again.record.fields(),
                parsed.record.fields(),
                "{name} {}",
                parsed.number
            );
            assert_eq!(again.summary, parsed.summary, "{name} {}", parsed.number);
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(read_all(&bytes, ReadOptions::default()).len() <= bytes.len() + 1);
    }

    #[test]
    fn a_damaged_file_never_panics_and_never_multiplies(
        damage in proptest::collection::vec((0_usize..600, any::<u8>()), 1..20),
        as_xml in any::<bool>(),
    ) {
        let mut file = if as_xml {
            format!("<c>{}{}</c>", xml("一"), xml("二")).into_bytes()
        } else {
            [iso("一"), iso_gb("二"), iso("三")].concat()
        };
        for (at, byte) in damage {
            let length = file.len();
            file[at % length] = byte;
        }
        prop_assert!(read_all(&file, ReadOptions::default()).len() <= 40);
    }

    #[test]
    fn any_chinese_title_is_read_from_both_encodings(title in "[一-龥㐀-䶵a-zA-Z0-9，。《》]{1,60}") {
        let file = [iso_gb(&title), iso(&title)].concat();
        for answer in read_all(&file, ReadOptions { format: FormatChoice::Cnmarc, ..ReadOptions::default() }) {
            // A very short GB18030 text can happen to be valid UTF-8; then nobody can tell.
            let parsed = answer.expect("good");
            prop_assert!(parsed.summary.title == title || parsed.raw == iso_gb(&title) && parsed.encoding == Encoding::Utf8);
        }
    }
}
