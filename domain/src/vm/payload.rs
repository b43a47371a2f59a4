//! Payloads: files that a VM finds on a CD or a floppy of its own when it boots (the guide's table 15.1).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::named;
use crate::check::{self, Act};
use crate::rejection::{Key, Rejection};

/// The longest content of a file of a payload, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 8_192;
/// The most files of a payload.
pub const MAX_PAYLOAD_FILES: usize = 32;
/// The longest name of a file of a payload, and of its volume, in characters.
pub const MAX_PAYLOAD_NAME: usize = 255;

named! {
    /// The device that a payload is on.
    PayloadType { CdRom "cdrom", Floppy "floppy" }
}

/// A device with files that the VM finds when it boots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// The device.
    pub kind: PayloadType,
    /// The name of its volume; empty for the usual.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub volume: String,
    /// Its files.
    pub files: Vec<PayloadFile>,
}

/// A file of a payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadFile {
    /// Its name, a path for some.
    pub name: String,
    /// What it holds.
    pub content: String,
}

/// Checks payloads: a device each, none twice, since a machine has one drive of a kind for them; files that have names, no more and no larger
/// than such a device takes.
pub(crate) fn check_payloads(act: Act, payloads: &[Payload]) -> Result<(), Rejection> {
    for (n, payload) in payloads.iter().enumerate() {
        if payloads[..n].iter().any(|other| other.kind == payload.kind) {
            return Err(act.no(Key::PayloadTwice).with("kind", payload.kind.name()));
        }
        check::text(act, "payload.volume_id", &payload.volume, MAX_PAYLOAD_NAME)?;
        check::range(act, "payload.files", payload.files.len() as i64, 1, MAX_PAYLOAD_FILES as i64)?;
        let mut names = BTreeSet::new();
        for file in &payload.files {
            check::text(act, "payload.files.file.name", &file.name, MAX_PAYLOAD_NAME)?;
            if file.name.is_empty() || !names.insert(file.name.as_str()) {
                return Err(act.no(Key::PayloadFileName).with("name", &file.name));
            }
            if file.content.len() > MAX_PAYLOAD_BYTES {
                return Err(act.no(Key::PayloadTooLarge).with("name", &file.name).with("size", MAX_PAYLOAD_BYTES));
            }
        }
    }
    Ok(())
}
