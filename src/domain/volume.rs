//! Which volume of a work, or which issue of a periodical, a copy is: the designation on its spine.
//! Not for: ordering volumes or counting them; two designations are the same or they are not.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// Bytes a designation may have: some 20 Chinese characters.
pub const VOLUME_MAX_BYTES: usize = 63;

/// A designation (`第2卷`, `2024年第5期`, `v.3`): trimmed, runs of spaces made one.
///
/// ```
/// use tongjie::domain::volume::Volume;
/// let volume = Volume::parse("  第2卷\u{3000}上 ")?;
/// assert_eq!(volume.as_str(), "第2卷 上");
/// assert!(Volume::parse("   ").is_err());
/// # Ok::<(), tongjie::domain::volume::VolumeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Volume {
    bytes: [u8; VOLUME_MAX_BYTES],
    length: u8,
}

/// Why a text designates no volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum VolumeError {
    #[error("is empty")]
    Empty,
    #[error("has more than {VOLUME_MAX_BYTES} bytes (about 20 Chinese characters)")]
    TooLong,
    #[error("has a control character")]
    Control,
}

impl Volume {
    /// Reads a designation.
    ///
    /// # Errors
    /// It is empty, too long, or has a control character.
    pub fn parse(text: &str) -> Result<Self, VolumeError> {
        if text.chars().any(char::is_control) {
            return Err(VolumeError::Control);
        }
        let (mut bytes, mut length) = ([0; VOLUME_MAX_BYTES], 0);
        for word in text.split_whitespace() {
            let start = if length == 0 { 0 } else { length + 1 };
            let room = bytes.get_mut(start..start + word.len()).ok_or(VolumeError::TooLong)?;
            room.copy_from_slice(word.as_bytes());
            if start > 0 {
                bytes[length] = b' ';
            }
            length = start + word.len();
        }
        match u8::try_from(length) {
            Ok(0) => Err(VolumeError::Empty),
            Ok(length) => Ok(Self { bytes, length }),
            Err(_) => Err(VolumeError::TooLong),
        }
    }

    /// The designation.
    pub fn as_str(&self) -> &str {
        let used = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        // Whole words of a text were copied: it is a text.
        std::str::from_utf8(used).unwrap_or_default()
    }
}

impl fmt::Debug for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Volume({})", self.as_str())
    }
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Volume {
    type Err = VolumeError;

    fn from_str(text: &str) -> Result<Self, VolumeError> {
        Self::parse(text)
    }
}

impl Serialize for Volume {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Volume {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_designation_is_bounded_and_written_one_way() {
        let parsed = |text: &str| Volume::parse(text).map(|volume| volume.as_str().to_owned());
        for (text, volume) in [
            ("第2卷", Ok("第2卷")),
            (" v.3   no. 4 ", Ok("v.3 no. 4")),
            ("", Err(VolumeError::Empty)),
            ("\u{3000}", Err(VolumeError::Empty)),
            ("a\tb", Err(VolumeError::Control)),
        ] {
            assert_eq!(parsed(text), volume.map(str::to_owned), "{text:?}");
        }
        assert_eq!(parsed(&"卷".repeat(21)), Ok("卷".repeat(21)));
        assert_eq!(parsed(&"卷".repeat(22)), Err(VolumeError::TooLong));
        assert_eq!(parsed(&"x ".repeat(32)), Ok("x ".repeat(32).trim().to_owned()));
        assert_eq!(parsed(&"x ".repeat(33)), Err(VolumeError::TooLong));
    }

    #[test]
    fn equal_words_are_equal_volumes() {
        assert_eq!(Volume::parse("第 2 卷"), Volume::parse(" 第  2 卷 "));
        assert_ne!(Volume::parse("第2卷"), Volume::parse("第3卷"));
    }
}
