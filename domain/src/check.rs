//! Rules about names and texts that all aggregates share.

use std::net::IpAddr;

use crate::rejection::{Key, Rejection};

/// The longest comment or other free text, in characters.
pub const MAX_TEXT: usize = 4000;
/// The longest description, in characters.
pub const MAX_DESCRIPTION: usize = 255;

/// What is being done to what: the variables `action` and `type` of refusals.
#[derive(Clone, Copy, Debug)]
pub struct Act(pub &'static str, pub &'static str);

impl Act {
    /// A refusal of this act.
    pub fn no(self, key: Key) -> Rejection {
        Rejection::new(key).with("action", self.0).with("type", self.1)
    }
}

/// A rule for names: the longest, and which characters.
#[derive(Clone, Copy, Debug)]
pub struct NameRule {
    /// In characters.
    pub max: usize,
    /// Which characters are allowed beside letters and digits.
    pub special: &'static str,
    /// Whether letters beyond ASCII are.
    pub international: bool,
}

/// Names of VMs, data centers, clusters and templates.
pub const I18N_NAME: &str = "._-";
/// A VM's.
pub const VM_NAME: NameRule = NameRule { max: 64, special: I18N_NAME, international: true };
/// A VM's that runs Windows.
pub const WINDOWS_VM_NAME: NameRule = NameRule { max: 15, special: I18N_NAME, international: true };
/// A data center's, a cluster's, a template's.
pub const SHORT_NAME: NameRule = NameRule { max: 40, special: I18N_NAME, international: true };
/// A host's.
pub const HOST_NAME: NameRule = NameRule { max: 255, special: "-_.", international: false };
/// A network's and a NIC's.
pub const NETWORK_NAME: NameRule = NameRule { max: 15, special: "_-", international: false };
/// A NIC's.
pub const NIC_NAME: NameRule = NameRule { max: 15, special: "_-.", international: false };
/// A vNIC profile's, a storage domain's, a tag's.
pub const MEDIUM_NAME: NameRule = NameRule { max: 50, special: "_-", international: false };
/// A role's.
pub const ROLE_NAME: NameRule = NameRule { max: 126, special: "._- ", international: true };
/// A group's of the internal directory.
pub const GROUP_NAME: NameRule = NameRule { max: 255, special: "._- ", international: true };
/// A disk's alias.
pub const ALIAS: NameRule = NameRule { max: 255, special: "._- ", international: true };

/// Checks a name. Refused where it is empty, too long, or has characters that the rule does not allow.
pub fn name(act: Act, name: &str, rule: NameRule) -> Result<(), Rejection> {
    if name.is_empty() {
        return Err(act.no(Key::NameEmpty));
    }
    if name.chars().count() > rule.max {
        return Err(act.no(Key::NameTooLong));
    }
    let allowed = |c: char| {
        c.is_ascii_alphanumeric() || rule.special.contains(c) || (rule.international && !c.is_ascii() && c.is_alphanumeric())
    };
    if name.chars().all(allowed) { Ok(()) } else { Err(act.no(Key::NameSpecialCharacters)) }
}

/// The longest address, in characters: that of a name in DNS.
pub const MAX_ADDRESS: usize = 255;
/// The longest part of a name in DNS, in characters.
const MAX_LABEL: usize = 63;

/// Whether a text can be an address: one of IPv4 or IPv6, or a host name. What looks like an address of IPv4 and is none, such as
/// `10.1.167`, is no name either: the last part of a name is never a number.
pub fn is_address(text: &str) -> bool {
    if text.parse::<IpAddr>().is_ok() {
        return true;
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    text.len() <= MAX_ADDRESS && name.split('.').all(label) && !last.bytes().all(|b| b.is_ascii_digit())
}

/// Checks free text. Refused where it is too long or holds control characters other than tabs and ends of lines.
pub fn text(act: Act, field: &'static str, text: &str, limit: usize) -> Result<(), Rejection> {
    if text.chars().count() > limit {
        return Err(act.no(Key::TextTooLong).with("field", field).with("limit", limit));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(act.no(Key::TextInvalid).with("field", field));
    }
    Ok(())
}

/// Checks a number's range. Refused where it is outside, with both ends named.
pub fn range(act: Act, field: &'static str, value: i64, min: i64, max: i64) -> Result<(), Rejection> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(act.no(Key::OutOfRange).with("field", field).with("min", min).with("max", max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_names_or_numbers_that_there_can_be() {
        for address in ["192.168.0.10", "::1", "fe80::1", "a", "nfs.example.org", "nfs.example.org.", "a_b-c.d2", "4ever"] {
            assert!(is_address(address), "{address}");
        }
        let long = "a".repeat(MAX_LABEL + 1);
        for none in ["", ".", "256.1.1.1", "10.1.167", "1.2.3.4.5", "12", "a b", " a", "a..b", "-a", "a-.b", "a/b", "a:1", &long]
        {
            assert!(!is_address(none), "{none}");
        }
    }
}
