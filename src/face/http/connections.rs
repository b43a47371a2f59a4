//! How many connections are served at a time. Each takes a file descriptor, of which the log needs some as well: were they used up, nobody
//! could connect until a silent client's time is over, and no snapshot could be written.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use metrics::Counter;

/// How many connections a listener has open at the most; whoever comes on top is hung up on.
pub const MAX_OPEN_CONNECTIONS: usize = 1024 + DEFAULT_RESERVED_CONNECTIONS;

/// How many connections of a listener are kept from an address that has all the others, unless the settings say otherwise.
pub const DEFAULT_RESERVED_CONNECTIONS: usize = 128;

/// How many listeners share what file descriptors there are: http and https.
const LISTENERS: u64 = 2;

/// How many file descriptors are kept for everything else: the stores, drivers, directories, the runtime.
const RESERVED_DESCRIPTORS: u64 = 256;

/// How many connections a listener has to be able to serve: with fewer, a browser or two would keep everybody else out.
pub const MIN_OPEN_CONNECTIONS: usize = 32;

/// The system lets this process open too few files to serve anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this process may open {allowed} files at once, and needs {needed} to serve: raise the hard limit (ulimit -Hn, LimitNOFILE=)"
)]
pub struct TooFewDescriptors {
    allowed: u64,
    needed: u64,
}

/// How many connections each listener may have, by what the system lets this process open, which is raised as far as that is allowed.
pub fn connection_limit() -> Result<usize, TooFewDescriptors> {
    let wanted = LISTENERS * MAX_OPEN_CONNECTIONS as u64 + RESERVED_DESCRIPTORS;
    let descriptors = rlimit::increase_nofile_limit(wanted).unwrap_or(RESERVED_DESCRIPTORS * 2);
    let each = connections_by(descriptors)?;
    if each < MAX_OPEN_CONNECTIONS {
        tracing::warn!(
            files = descriptors,
            connections = each,
            "few files may be open at once, so each listener serves fewer connections"
        );
    }
    Ok(each)
}

/// How many connections each listener may have where so many file descriptors are allowed.
fn connections_by(descriptors: u64) -> Result<usize, TooFewDescriptors> {
    let needed = LISTENERS * MIN_OPEN_CONNECTIONS as u64 + RESERVED_DESCRIPTORS;
    if descriptors < needed {
        return Err(TooFewDescriptors { allowed: descriptors, needed });
    }
    let each = (descriptors - RESERVED_DESCRIPTORS) / LISTENERS;
    Ok(usize::try_from(each).unwrap_or(MAX_OPEN_CONNECTIONS).min(MAX_OPEN_CONNECTIONS))
}

/// The places of a listener's connections. No single address can take all of them.
#[derive(Clone, Debug)]
pub struct Places(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// How many there are.
    all: usize,
    /// How many of them one address can have.
    each: usize,
    taken: Mutex<Taken>,
    refused: Counter,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A connection's place, which is free again when this goes.
#[derive(Debug)]
pub struct Place {
    of: Places,
    address: IpAddr,
}

impl Places {
    /// So many, of which some are kept from an address that has all the others. Half of them are for any address at least.
    pub fn new(all: usize, reserved: usize) -> Self {
        let each = all - reserved.min(all / 2);
        let refused = metrics::counter!("evirt_connections_refused_total");
        Self(Arc::new(Shared { all, each, taken: Mutex::default(), refused }))
    }

    /// A place for a connection from an address, where there is one for it.
    pub fn take(&self, address: IpAddr) -> Option<Place> {
        let address = network(address);
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.by_address.get(&address).copied().unwrap_or_default();
        if taken.all >= self.0.all || own >= self.0.each {
            self.0.refused.increment(1);
            return None;
        }
        taken.all += 1;
        taken.by_address.insert(address, own + 1);
        Some(Place { of: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.of.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Entry::Occupied(mut own) = taken.by_address.entry(self.address) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

/// What counts as one address: with IPv6 a network of 64 bits, as one customer or machine gets it.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_as_many_as_files_allow_and_too_few_are_an_error() {
        let needed = 256 + 2 * 32;
        for (descriptors, connections) in [
            (needed, Some(MIN_OPEN_CONNECTIONS)),
            (needed + 1, Some(MIN_OPEN_CONNECTIONS)),
            (1_024, Some(384)),
            (256 + 2 * 1_152, Some(MAX_OPEN_CONNECTIONS)),
            (1 << 20, Some(MAX_OPEN_CONNECTIONS)),
            (u64::MAX, Some(MAX_OPEN_CONNECTIONS)),
            (needed - 1, None),
            (256, None),
            (0, None),
        ] {
            let expected = connections.ok_or(TooFewDescriptors { allowed: descriptors, needed });
            assert_eq!(connections_by(descriptors), expected, "{descriptors}");
        }
        let said = connections_by(256).unwrap_err().to_string();
        assert!(said.contains("256 files") && said.contains(&needed.to_string()), "{said}");
    }

    #[test]
    fn who_comes_when_there_are_too_many_finds_no_place_until_one_leaves() {
        let places = Places::new(3, 0);
        let mut taken: Vec<Place> = (0..3).filter_map(|_| places.take([192, 0, 2, 1].into())).collect();
        assert_eq!(taken.len(), 3);
        assert!(places.take([192, 0, 2, 2].into()).is_none());
        taken.pop();
        let other = places.take([192, 0, 2, 2].into());
        assert!(other.is_some() && places.take([192, 0, 2, 2].into()).is_none());
        drop((taken, other));
        let left = places.0.taken.lock().unwrap();
        assert!(left.all == 0 && left.by_address.is_empty(), "nothing is remembered of addresses that left");
    }

    #[test]
    fn a_reserve_is_kept_from_an_address_that_has_all_the_others() {
        for (all, reserved, each) in [(10, 3, 7), (10, 0, 10), (10, 9, 5), (MIN_OPEN_CONNECTIONS, 128, MIN_OPEN_CONNECTIONS / 2)]
        {
            let places = Places::new(all, reserved);
            let greedy: Vec<_> = (0..all).map_while(|_| places.take([192, 0, 2, 1].into())).collect();
            assert_eq!(greedy.len(), each, "{all} {reserved}");
            let others: Vec<_> = (0..=255).map_while(|n| places.take([198, 51, 100, n].into())).collect();
            assert_eq!(others.len(), all - each);
        }
    }

    #[test]
    fn an_address_is_what_a_client_can_have_many_of() {
        let places = Places::new(4, 2);
        let addresses = ["::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1", "2001:db8::1", "2001:db8::1:0:0:2", "2001:db8::3"];
        let taken: Vec<_> = addresses.map(|address| places.take(address.parse().unwrap()).is_some().then_some(())).into();
        assert!(taken.iter().all(Option::is_some), "those that left again are not counted");
        let taken: Vec<_> = addresses.map(|address| places.take(address.parse().unwrap())).into();
        assert_eq!(taken.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false, true, true, false]);
    }
}
