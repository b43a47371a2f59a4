//! Entity tags: versions, and a hash of the representation.

use std::fmt::Write as _;

/// How long most tags are.
const TAG_LENGTH: usize = 32;

/// An entity tag.
#[derive(Debug, PartialEq)]
pub struct Tag {
    /// Whether it only tells the versions, of a representation that holds measured values.
    pub weak: bool,
    /// Versions, a hyphen, and the hash of the representation.
    pub text: String,
}

impl Tag {
    /// Of a representation of aggregates at these versions.
    pub fn new(versions: impl IntoIterator<Item = u64>, body: &[u8]) -> Self {
        let mut text = String::with_capacity(TAG_LENGTH);
        for version in versions {
            let dot = if text.is_empty() { "" } else { "." };
            let _ = write!(text, "{dot}{version}");
        }
        let _ = write!(text, "-{:016x}", hash(body));
        Self { weak: false, text }
    }

    /// A tag as it is written; none where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (weak, quoted) = match text.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, text),
        };
        let text = quoted.strip_prefix('"')?.strip_suffix('"')?;
        Some(Self { weak, text: text.to_owned() })
    }

    /// What the aggregates' versions are, which measured values do not change.
    pub fn versions(&self) -> &str {
        self.text.split('-').next().unwrap_or_default()
    }
}

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\"{}\"", if self.weak { "W/" } else { "" }, self.text)
    }
}

/// FNV-1a by words of 64 bits, mixed so that the high bits of a word count as much as the low ones: the same on every machine and in
/// every version.
fn hash(bytes: &[u8]) -> u64 {
    let mix = |hash: u64, word: u64| {
        let mixed = (hash ^ word).wrapping_mul(0x0100_0000_01b3);
        mixed ^ (mixed >> 29)
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words.iter().fold(0xcbf2_9ce4_8422_2325, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    rest.iter().fold(mix(hash, bytes.len() as u64), |hash, byte| mix(hash, u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_they_are_written() {
        for text in ["\"7-00000000000000ff\"", "W/\"7.2-00000000000000ff\""] {
            assert_eq!(Tag::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Tag::parse("W/\"7.2-ff\"").unwrap().versions(), "7.2");
        assert!(Tag::parse("7-ff").is_none());
    }

    #[test]
    fn a_hash_tells_what_differs_anywhere() {
        let text = "a representation of some length";
        let changed = (0..text.len()).map(|n| [&text[..n], "#", &text[n + 1..]].concat());
        let hashes: std::collections::BTreeSet<u64> =
            changed.chain([text.to_owned(), format!("{text}\0")]).map(|text| hash(text.as_bytes())).collect();
        assert_eq!(hashes.len(), text.len() + 2);
    }
}
