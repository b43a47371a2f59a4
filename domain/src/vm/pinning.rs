//! Virtual CPUs that run on chosen CPUs of their host (the guide's table 15.1, `cpu_tune`).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::check::Act;
use crate::rejection::{Key, Rejection};

/// The longest set of CPUs, in characters.
pub const MAX_CPU_SET: usize = 255;
/// No host's CPU has a number as high as this.
pub const MAX_HOST_CPU: u32 = 4_096;

/// A virtual CPU, and the host's CPUs that it may run on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VcpuPin {
    /// The virtual CPU, from 0.
    pub vcpu: u32,
    /// The host's CPUs as they were written: `0`, `0,2`, `0-3`, `0-3,^2`.
    pub cpu_set: String,
}

/// The CPUs of a set as it is written: numbers and ranges, and with a `^` before it a number that is not in it. None where it is not written so.
fn cpus(set: &str) -> Option<BTreeSet<u32>> {
    let number = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse().ok()).flatten().filter(|number| *number < MAX_HOST_CPU)
    };
    let (mut within, mut without) = (BTreeSet::new(), BTreeSet::new());
    for part in set.split(',') {
        match (part.strip_prefix('^'), part.split_once('-')) {
            (Some(excluded), _) => drop(without.insert(number(excluded)?)),
            (None, Some((first, last))) => {
                let (first, last) = (number(first)?, number(last)?);
                if first > last {
                    return None;
                }
                within.extend(first..=last);
            }
            (None, None) => drop(within.insert(number(part)?)),
        }
    }
    Some(within.difference(&without).copied().collect())
}

/// The highest of the host's CPUs that pins name; none where there are no pins.
pub(crate) fn highest_cpu(pins: &[VcpuPin]) -> Option<u32> {
    pins.iter().filter_map(|pin| cpus(&pin.cpu_set)?.last().copied()).max()
}

/// Checks pins of a VM of so many virtual CPUs: sets that can be read and are not empty, for virtual CPUs that there are, each once; and where
/// the host is known that it belongs on, CPUs that this has.
pub(crate) fn check_pins(act: Act, pins: &[VcpuPin], vcpus: u32, host_cpus: Option<u32>) -> Result<(), Rejection> {
    let mut seen = BTreeSet::new();
    for pin in pins {
        let refuse = |key: Key| {
            Err(act.no(key).with("vcpu", pin.vcpu).with("set", pin.cpu_set.chars().take(MAX_CPU_SET).collect::<String>()))
        };
        if pin.vcpu >= vcpus {
            return refuse(Key::PinnedVcpuUnknown);
        }
        if !seen.insert(pin.vcpu) {
            return refuse(Key::PinnedTwice);
        }
        let Some(set) = cpus(&pin.cpu_set).filter(|_| pin.cpu_set.len() <= MAX_CPU_SET) else {
            return refuse(Key::PinFormatInvalid);
        };
        match set.last() {
            None => return refuse(Key::PinnedToNothing),
            Some(last) if host_cpus.is_some_and(|cpus| *last >= cpus) => return refuse(Key::PinnedCpuUnknown),
            Some(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_as_they_are_written() {
        let read = |set: &str| cpus(set).map(|set| set.into_iter().collect::<Vec<_>>());
        for (set, found) in
            [("0", vec![0]), ("0,2", vec![0, 2]), ("0-3", vec![0, 1, 2, 3]), ("1-4,^2", vec![1, 3, 4]), ("1,^1", vec![])]
        {
            assert_eq!(read(set), Some(found), "{set}");
        }
        for set in ["", "a", "1-", "-1", "3-1", "^", "1,,2", "+1", "99999999999", "4096", "0-4096", " 1"] {
            assert_eq!(read(set), None, "{set}");
        }
    }
}
