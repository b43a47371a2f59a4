//! Custom properties of VMs: variables that are handed to the scripts which hosts run at events; the guide's section 7.19.

use std::collections::BTreeSet;

use crate::check::Act;
use crate::rejection::{Key, Rejection};

/// A property that VMs may have.
#[derive(Clone, Copy, Debug)]
pub struct CustomProperty {
    /// Its name.
    pub name: &'static str,
    /// What its values look like, as clients are told.
    pub regexp: &'static str,
    /// The same as a rule.
    allows: fn(&str) -> bool,
}

/// All that there are: those that upstream predefines.
pub const CUSTOM_PROPERTIES: &[CustomProperty] = &[
    CustomProperty { name: "sap_agent", regexp: "^(true|false)$", allows: is_truth },
    CustomProperty {
        name: "sndbuf",
        regexp: "^[0-9]+$",
        allows: |value| is_made_of(value, |c| c.is_ascii_digit()) && !value.is_empty(),
    },
    CustomProperty {
        name: "vhost",
        regexp: "^(([a-zA-Z0-9_]*):(true|false))(,(([a-zA-Z0-9_]*):(true|false)))*$",
        allows: |value| {
            let mut pairs = value.split(',').map(|pair| pair.split_once(':'));
            let is_name = |name: &str| is_made_of(name, |c| c.is_ascii_alphanumeric() || c == '_');
            pairs.all(|pair| pair.is_some_and(|(name, truth)| is_name(name) && is_truth(truth)))
        },
    },
    CustomProperty {
        name: "viodiskcache",
        regexp: "^(none|writeback|writethrough)$",
        allows: |value| ["none", "writeback", "writethrough"].contains(&value),
    },
];

/// The longest value, in bytes.
pub const MAX_CUSTOM_VALUE: usize = 1_000;

fn is_truth(value: &str) -> bool {
    ["true", "false"].contains(&value)
}

fn is_made_of(value: &str, of: impl Fn(char) -> bool) -> bool {
    value.chars().all(of)
}

/// Checks what a VM is to have: only properties that there are, each once, each with a value of its kind. Others are refused by their names.
pub fn check(act: Act, properties: &[(String, String)]) -> Result<(), Rejection> {
    let refuse = |key: Key, name: &str| Err(act.no(key).with("name", name).with("field", "custom_properties"));
    let mut seen = BTreeSet::new();
    for (name, value) in properties {
        let Some(property) = CUSTOM_PROPERTIES.iter().find(|known| known.name == name) else {
            return refuse(Key::UnknownCustomProperty, name);
        };
        if value.len() > MAX_CUSTOM_VALUE || !(property.allows)(value) {
            return refuse(Key::InvalidCustomProperty, name);
        }
        if !seen.insert(name) {
            return refuse(Key::DuplicateCustomProperty, name);
        }
    }
    Ok(())
}
