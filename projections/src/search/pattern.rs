//! Text patterns in which `*` stands for any run of characters.

use std::borrow::Cow;

/// A prepared pattern. Without `*` it matches only the very text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// What stands between the stars: one piece if there is none.
    pieces: Vec<String>,
    fold_case: bool,
}

impl Pattern {
    /// The pattern that `text` writes.
    pub fn new(text: &str, case_sensitive: bool) -> Self {
        let text = if case_sensitive { Cow::Borrowed(text) } else { fold(text) };
        Self { pieces: text.split('*').map(str::to_owned).collect(), fold_case: !case_sensitive }
    }

    /// The pattern that nothing but a text matches, in its case; stars stand for themselves.
    pub fn exactly(text: &str) -> Self {
        Self { pieces: vec![text.to_owned()], fold_case: false }
    }

    /// The pattern of a free text, which may stand anywhere in a value.
    pub fn anywhere(text: &str, case_sensitive: bool) -> Self {
        Self::new(&format!("*{text}*"), case_sensitive)
    }

    /// Whether case is ignored; what [`exact`](Self::exact) and [`prefix`](Self::prefix) return is then lower case.
    pub fn folds_case(&self) -> bool {
        self.fold_case
    }

    /// The only text that matches, if the pattern has no `*`.
    pub fn exact(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// What every match begins with.
    pub fn prefix(&self) -> &str {
        &self.pieces[0]
    }

    /// Whether `text` matches, in time linear in both for each piece.
    ///
    /// Taking the leftmost place of every middle piece is enough: it leaves the most room for those that follow, so
    /// nothing ever has to be tried twice.
    pub fn matches(&self, text: &str) -> bool {
        let folded = if self.fold_case { fold(text) } else { Cow::Borrowed(text) };
        let (first, rest) = self.pieces.split_first().expect("splitting yields at least one piece");
        let Some((last, middle)) = rest.split_last() else {
            return *folded == **first;
        };
        let Some(mut remaining) = folded.strip_prefix(first.as_str()).and_then(|tail| tail.strip_suffix(last.as_str())) else {
            return false;
        };
        for piece in middle {
            match remaining.find(piece.as_str()) {
                Some(place) => remaining = &remaining[place + piece.len()..],
                None => return false,
            }
        }
        true
    }
}

/// The text in lower case, borrowed when it is already.
fn fold(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}
