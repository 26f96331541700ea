//! A MARC record in memory, the same shape for MARC21 and CNMARC and for every container.
//!
//! For reading values by tag and subfield and for building records in tests and demo data. Knows nothing of what
//! a tag means: that is `cnmarc.rs` and `marc21.rs`.

use thiserror::Error;

/// A field's three-character tag: ASCII letters and digits, as `200`, `AVA` or `OWN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag([u8; 3]);

impl Tag {
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_bytes(text.as_bytes())
    }

    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let tag = <[u8; 3]>::try_from(bytes).ok()?;
        tag.iter().all(u8::is_ascii_alphanumeric).then_some(Self(tag))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ASCII letters and digits get in, so the fallback is never seen.
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 3] {
        &self.0
    }

    /// 001 to 009: a value without indicators and subfields.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.0.starts_with(b"00")
    }
}

impl PartialEq<str> for Tag {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

/// One coded part of a data field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subfield {
    pub code: char,
    pub value: String,
}

/// A field with two indicators and subfields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataField {
    pub tag: Tag,
    pub indicators: [char; 2],
    pub subfields: Vec<Subfield>,
}

impl DataField {
    /// The values of every subfield with this code, in order.
    pub fn all(&self, code: char) -> impl Iterator<Item = &str> {
        self.subfields
            .iter()
            .filter(move |s| s.code == code)
            .map(|s| s.value.as_str())
    }

    /// The value of the first subfield with this code.
    #[must_use]
    pub fn first(&self, code: char) -> Option<&str> {
        self.all(code).next()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    Control { tag: Tag, value: String },
    Data(DataField),
}

/// A leader and fields in the order of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarcRecord {
    leader: String,
    fields: Vec<Field>,
}

/// What a builder was given that no MARC record can hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BuildError {
    #[error("a leader is 24 printable ASCII characters, not {0:?}")]
    Leader(String),
    #[error("a tag is three ASCII letters or digits, not {0:?}")]
    Tag(String),
    #[error("field {0} needs two indicator characters")]
    Indicators(String),
}

impl MarcRecord {
    /// Starts a record; `leader` is 24 characters whose length and base address the writer fills in.
    ///
    /// ```text
    /// MarcRecord::builder("00000nam0 2200000   450 ").control("001", "1").data("200", "1 ", &[('a', "史记")]).build()?
    /// ```
    pub fn builder(leader: &str) -> MarcBuilder {
        let good = leader.len() == 24 && leader.bytes().all(|b| (b' '..=b'~').contains(&b));
        let failed = (!good).then(|| BuildError::Leader(leader.to_owned()));
        MarcBuilder {
            record: Self::with_leader(leader.to_owned()),
            failed,
        }
    }

    pub(super) fn with_leader(leader: String) -> Self {
        Self {
            leader,
            fields: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, field: Field) {
        self.fields.push(field);
    }

    #[must_use]
    pub fn leader(&self) -> &str {
        &self.leader
    }

    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The value of the first control field with this tag.
    #[must_use]
    pub fn control(&self, wanted: &str) -> Option<&str> {
        self.fields.iter().find_map(|field| match field {
            Field::Control { tag, value } if tag == wanted => Some(value.as_str()),
            _ => None,
        })
    }

    /// Every data field, in order.
    pub fn data_fields(&self) -> impl Iterator<Item = &DataField> {
        self.fields.iter().filter_map(|field| match field {
            Field::Data(data) => Some(data),
            Field::Control { .. } => None,
        })
    }

    /// Every data field with this tag, in order.
    pub fn data(&self, wanted: &str) -> impl Iterator<Item = &DataField> {
        self.data_fields().filter(move |data| &data.tag == wanted)
    }

    /// The values of every subfield `code` in every field `tag`.
    pub fn subfields(&self, tag: &str, code: char) -> impl Iterator<Item = &str> {
        self.data(tag).flat_map(move |data| data.all(code))
    }

    /// The first value of subfield `code` in a field `tag`.
    #[must_use]
    pub fn first(&self, tag: &str, code: char) -> Option<&str> {
        self.subfields(tag, code).next()
    }
}

/// Collects fields and remembers the first that cannot be; see [`MarcRecord::builder`].
#[derive(Debug)]
#[must_use]
pub struct MarcBuilder {
    record: MarcRecord,
    failed: Option<BuildError>,
}

impl MarcBuilder {
    pub fn control(mut self, tag: &str, value: &str) -> Self {
        if let Some(tag) = self.tag(tag) {
            self.record.push(Field::Control {
                tag,
                value: value.to_owned(),
            });
        }
        self
    }

    /// Adds a data field; `indicators` is two characters, for example `"1 "`.
    pub fn data(mut self, tag: &str, indicators: &str, subfields: &[(char, &str)]) -> Self {
        let mut chars = indicators.chars();
        let (Some(first), Some(second), None) = (chars.next(), chars.next(), chars.next()) else {
            self.failed.get_or_insert(BuildError::Indicators(tag.to_owned()));
            return self;
        };
        if let Some(tag) = self.tag(tag) {
            let subfields = subfields
                .iter()
                .map(|&(code, value)| Subfield {
                    code,
                    value: value.to_owned(),
                })
                .collect();
            self.record.push(Field::Data(DataField {
                tag,
                indicators: [first, second],
                subfields,
            }));
        }
        self
    }

    pub fn build(self) -> Result<MarcRecord, BuildError> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.record),
        }
    }

    fn tag(&mut self, text: &str) -> Option<Tag> {
        let tag = Tag::parse(text);
        if tag.is_none() {
            self.failed.get_or_insert(BuildError::Tag(text.to_owned()));
        }
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_tag_and_code_in_order() {
        let record = MarcRecord::builder("00000nam0 2200000   450 ")
            .control("001", "42")
            .data("200", "1 ", &[('a', "一"), ('e', "二")])
            .data("690", "  ", &[('a', "F124")])
            .data("690", "  ", &[('a', "D668")])
            .build()
            .expect("a good record");
        assert_eq!(record.control("001"), Some("42"));
        assert_eq!(record.control("200"), None);
        assert_eq!(record.first("200", 'e'), Some("二"));
        assert_eq!(record.subfields("690", 'a').collect::<Vec<_>>(), ["F124", "D668"]);
        assert_eq!(record.fields().len(), 4);
    }

    #[test]
    fn the_first_impossible_part_is_reported() {
        assert_eq!(
            MarcRecord::builder("short").build(),
            Err(BuildError::Leader("short".into()))
        );
        let leader = "00000nam0 2200000   450 ";
        let built = MarcRecord::builder(leader)
            .control("0 1", "x")
            .data("200", "1", &[])
            .build();
        assert_eq!(built, Err(BuildError::Tag("0 1".into())));
        let built = MarcRecord::builder(leader).data("200", "1", &[]).build();
        assert_eq!(built, Err(BuildError::Indicators("200".into())));
    }
}
