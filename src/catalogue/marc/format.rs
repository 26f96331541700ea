//! MARC21 or CNMARC: the same container, different meanings of the same tags.
//!
//! For deciding per record from the fields it has. Not about files or XML: that is the container's affair.

use std::fmt;

use super::record::{Field, MarcRecord, Tag};

/// What the caller knows about the records of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FormatChoice {
    /// Decide for every record.
    #[default]
    Auto,
    Marc21,
    Cnmarc,
}

/// The format a record turned out to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    Marc21,
    Cnmarc,
}

impl Format {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Marc21 => "marc21",
            Format::Cnmarc => "cnmarc",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a record's fields tell about its format, gathered one field at a time before anything is decoded.
#[derive(Debug, Default)]
pub(super) struct Clues {
    title_200: bool,
    title_245: bool,
    fixed_008: bool,
    processing_100: bool,
    cnmarc_only: bool,
}

impl Clues {
    /// Takes in one field; `first_a` gives its first `$a`, asked for only where it matters.
    pub(super) fn see<'a>(&mut self, tag: Tag, first_a: impl FnOnce() -> Option<&'a [u8]>) {
        match tag.as_bytes() {
            b"200" => self.title_200 |= first_a().is_some(),
            b"245" => self.title_245 = true,
            b"008" => self.fixed_008 = true,
            // CNMARC's 100 $a opens with the date entered on file; MARC21's 100 $a is a person's name.
            b"100" => {
                self.processing_100 |= first_a().is_some_and(|a| a.len() > 8 && a[..8].iter().all(u8::is_ascii_digit));
            }
            b"101" | b"102" | b"215" | b"225" | b"701" | b"702" | b"712" | b"801" => self.cnmarc_only = true,
            _ => {}
        }
    }

    pub(super) fn of(record: &MarcRecord) -> Self {
        let mut clues = Self::default();
        for field in record.fields() {
            match field {
                Field::Control { tag, .. } => clues.see(*tag, || None),
                Field::Data(data) => clues.see(data.tag, || data.first('a').map(str::as_bytes)),
            }
        }
        clues
    }

    /// The format; `leader` decides where the fields do not.
    pub(super) fn format(&self, choice: FormatChoice, leader: &str) -> Format {
        match choice {
            FormatChoice::Marc21 => return Format::Marc21,
            FormatChoice::Cnmarc => return Format::Cnmarc,
            FormatChoice::Auto => {}
        }
        match (self.title_200, self.title_245) {
            (true, false) => return Format::Cnmarc,
            (false, true) => return Format::Marc21,
            _ => {}
        }
        if self.processing_100 {
            return Format::Cnmarc;
        }
        if self.fixed_008 {
            return Format::Marc21;
        }
        // MARC21 fills the entry map's last place with 0, UNIMARC and CNMARC leave it blank.
        let blank_map = leader.as_bytes().get(23) == Some(&b' ');
        if self.cnmarc_only || blank_map {
            Format::Cnmarc
        } else {
            Format::Marc21
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(leader: &str, fields: &[(&str, &[(char, &str)])]) -> Format {
        let mut builder = MarcRecord::builder(leader);
        for (tag, subfields) in fields {
            builder = builder.data(tag, "  ", subfields);
        }
        let record = builder.build().expect("a good record");
        Clues::of(&record).format(FormatChoice::Auto, record.leader())
    }

    const MARC21: &str = "00000nam a2200000   4500";
    const CNMARC: &str = "00000nam0 2200000   450 ";

    #[test]
    fn the_title_field_decides_whatever_the_leader_says() {
        assert_eq!(format(MARC21, &[("200", &[('a', "史记")])]), Format::Cnmarc);
        assert_eq!(format(CNMARC, &[("245", &[('a', "Dune")])]), Format::Marc21);
    }

    #[test]
    fn without_a_title_the_other_fields_and_the_leader_decide() {
        assert_eq!(
            format(MARC21, &[("100", &[('a', "20020204d1994    em y0chiy0120    ea")])]),
            Format::Cnmarc
        );
        assert_eq!(format(MARC21, &[("100", &[('a', "Davis, Miles")])]), Format::Marc21);
        assert_eq!(format(MARC21, &[("701", &[('a', "李强")])]), Format::Cnmarc);
        assert_eq!(format(CNMARC, &[]), Format::Cnmarc);
        assert_eq!(format(MARC21, &[]), Format::Marc21);
    }

    #[test]
    fn the_callers_choice_overrides() {
        let record = MarcRecord::builder(MARC21)
            .data("245", "00", &[('a', "x")])
            .build()
            .expect("good");
        assert_eq!(Clues::of(&record).format(FormatChoice::Cnmarc, MARC21), Format::Cnmarc);
    }
}
