//! Where a search says enough to find its rows without looking at all: through identifiers, names and the World's indices.
//!
//! Each kind declares in [`Resource::INDEXES`] which of its fields, and which fields of what it refers to, an index answers. Of several
//! conditions that all have to hold, the index that yields least leads and the others thin it out; of several of which one suffices,
//! all have to have an index. What is found here may still not match, but nothing else does.

use std::collections::BTreeSet;

use evirt_domain::World;
use evirt_domain::world::NameKind;
use uuid::Uuid;

use super::Resource;
use crate::search::schema::same_spelling;
use crate::search::{Entity, Hint, Seek, Sought};

/// How many aggregates a condition may mean, on whose account others are found; a scan is no dearer then.
const MAX_MEANT: usize = 4096;
/// By how many terms a row is at most asked for whether an index holds it; beyond, the search looks at the row itself.
const MAX_ASKED: usize = 32;

/// What finds rows by one field.
pub struct Index<T: Resource> {
    /// Whose field; none for the searched entity's own.
    pub of: Option<Entity>,
    /// Which, or none for any field by which the other entity itself is found.
    pub field: Option<&'static str>,
    /// How.
    pub find: Find<T>,
}

/// How the values of a field lead to rows.
pub enum Find<T: Resource> {
    /// It is the identifier.
    Id,
    /// It is a name of the row itself.
    Name(NameKind),
    /// A name of the row itself begins with it, and this character follows.
    NameUpTo(NameKind, char),
    /// It is one of a few words: the terms of those that are asked for.
    Word(Words<T>),
    /// It is a name of something else, on whose account rows are found.
    Of(NameKind, Follow<T>),
    /// What another entity's own indices find, on whose account rows are found.
    Related(Follow<T>),
}

/// The terms of the words that are asked for.
pub type Words<T> = fn(asked: &dyn Fn(&str) -> bool) -> Vec<<T as Resource>::By>;

/// Adds the rows that are found on account of something else.
pub type Follow<T> = fn(&World, Uuid, &mut Found<T>);

/// The rows that a condition leads to: some by themselves, others by the terms that an index has them under, or by how their names begin.
pub struct Found<T: Resource> {
    /// By identifier.
    pub ids: BTreeSet<T::Id>,
    /// By term.
    pub terms: Vec<T::By>,
    /// By name.
    pub names: Vec<(NameKind, String)>,
}

impl<T: Resource> Found<T> {
    fn nothing() -> Self {
        Self { ids: BTreeSet::new(), terms: Vec::new(), names: Vec::new() }
    }

    fn walk<'w>(&'w self, world: &'w World) -> Box<dyn Iterator<Item = T::Id> + 'w> {
        let terms = self.terms.iter().flat_map(|term| T::found_by(world, *term));
        let names = self.names.iter().flat_map(|(kind, prefix)| world.names_from(*kind, prefix));
        Box::new(self.ids.iter().copied().chain(terms).chain(names.map(|key| T::Id::from(key.id))))
    }

    /// Whether it can say of a row at little cost whether it is among these.
    fn is_asked(&self) -> bool {
        self.names.is_empty() && self.terms.len() <= MAX_ASKED
    }

    fn contains(&self, world: &World, id: T::Id) -> bool {
        self.ids.contains(&id) || self.terms.iter().any(|term| T::is_found_by(world, *term, id))
    }
}

/// Identifiers that include all matches of a search; none where no index helps, or where what helps yields more than `many`.
pub(super) fn candidates<T: Resource>(world: &World, sought: &Sought, many: usize) -> Option<BTreeSet<T::Id>> {
    match sought {
        Sought::Hint(_) => all::<T>(world, std::slice::from_ref(sought), many),
        Sought::All(parts) => all::<T>(world, parts, many),
        Sought::Any(parts) => {
            let mut found = BTreeSet::new();
            for part in parts {
                found.extend(candidates::<T>(world, part, many)?);
                if found.len() > many {
                    return None;
                }
            }
            Some(found)
        }
    }
}

/// What is in all of the parts that an index answers.
fn all<T: Resource>(world: &World, parts: &[Sought], many: usize) -> Option<BTreeSet<T::Id>> {
    let hints = parts.iter().filter_map(|part| match part {
        Sought::Hint(hint) => found::<T>(world, hint),
        _ => None,
    });
    let hints: Vec<Found<T>> = hints.collect();
    let mut best = shortest(world, &hints, many);
    for part in parts.iter().filter(|part| !matches!(part, Sought::Hint(_))) {
        let most = best.as_ref().map_or(many, BTreeSet::len);
        if let Some(found) = candidates::<T>(world, part, most) {
            best = Some(match best {
                Some(best) => best.intersection(&found).copied().collect(),
                None => found,
            });
        }
    }
    let asked: Vec<&Found<T>> = hints.iter().filter(|found| found.is_asked()).collect();
    best.map(|best| best.into_iter().filter(|id| asked.iter().all(|found| found.contains(world, *id))).collect())
}

/// What the shortest of several walks yields, found by going all of them at the same pace.
fn shortest<T: Resource>(world: &World, found: &[Found<T>], many: usize) -> Option<BTreeSet<T::Id>> {
    let mut walks: Vec<_> = found.iter().map(|found| (found.walk(world), Vec::new())).collect();
    while !walks.is_empty() {
        for (walk, passed) in &mut walks {
            match walk.next() {
                Some(id) => passed.push(id),
                None => return Some(passed.iter().copied().collect()),
            }
        }
        walks.retain(|(_, passed)| passed.len() <= many);
    }
    None
}

/// The rows that a condition leads to, where an index answers it.
fn found<T: Resource>(world: &World, hint: &Hint) -> Option<Found<T>> {
    let fits = |index: &&Index<T>| index.of == hint.reference && index.field.is_none_or(|field| field == hint.field);
    let mut found = Found::nothing();
    match T::INDEXES.iter().find(fits)?.find {
        Find::Id => match hint.seek {
            Seek::Uuid(id) => drop(found.ids.insert(T::Id::from(id))),
            _ => return None,
        },
        Find::Name(kind) => match &hint.seek {
            Seek::Texts(names) => {
                found.ids.extend(names.iter().flat_map(|name| world.named(kind, name)).map(|key| T::Id::from(key.id)))
            }
            Seek::Prefix(prefix) if prefix.is_ascii() => found.names.push((kind, prefix.clone())),
            _ => return None,
        },
        Find::NameUpTo(kind, end) => match &hint.seek {
            Seek::Texts(texts) if texts.iter().all(|text| text.is_ascii()) => {
                found.names.extend(texts.iter().map(|text| (kind, format!("{text}{end}"))));
            }
            Seek::Prefix(prefix) if prefix.is_ascii() => found.names.push((kind, prefix.clone())),
            _ => return None,
        },
        Find::Word(terms) => match &hint.seek {
            Seek::Texts(texts) => found.terms = terms(&|word| texts.iter().any(|text| same_spelling(text, word))),
            _ => return None,
        },
        Find::Of(kind, follow) => {
            for (n, id) in named(world, kind, &hint.seek)?.enumerate() {
                if n == MAX_MEANT {
                    return None;
                }
                follow(world, id, &mut found);
            }
        }
        Find::Related(follow) => {
            let own = Sought::Hint(Hint { reference: None, ..hint.clone() });
            for id in of_entity(world, hint.reference?, &own, MAX_MEANT)? {
                follow(world, id, &mut found);
            }
        }
    }
    Some(found)
}

/// Whose names satisfy a condition, no matter in which case.
fn named<'w>(world: &'w World, kind: NameKind, seek: &Seek) -> Option<Box<dyn Iterator<Item = Uuid> + 'w>> {
    match seek {
        Seek::Texts(names) => {
            let keys: Vec<Uuid> = names.iter().flat_map(|name| world.named(kind, name)).map(|key| key.id).collect();
            Some(Box::new(keys.into_iter()))
        }
        // Of letters that are not ASCII the lower case may depend on what follows.
        Seek::Prefix(prefix) if prefix.is_ascii() => Some(Box::new(world.names_from(kind, prefix).map(|key| key.id))),
        _ => None,
    }
}

/// What the names of all matches begin with.
pub(super) fn prefix<'s>(sought: &'s Sought, field: &str) -> Option<&'s str> {
    match sought {
        Sought::Hint(Hint { reference: None, field: own, seek: Seek::Prefix(prefix), .. }) => {
            (*own == field && prefix.is_ascii()).then_some(prefix)
        }
        Sought::All(parts) => parts.iter().find_map(|part| self::prefix(part, field)),
        _ => None,
    }
}

/// Identifiers of an entity that include all that a search finds.
pub(super) fn of_entity(world: &World, entity: Entity, own: &Sought, many: usize) -> Option<Vec<Uuid>> {
    fn ids<T: Resource>(world: &World, own: &Sought, many: usize) -> Option<Vec<Uuid>> {
        candidates::<T>(world, own, many).map(|ids| ids.into_iter().map(Into::into).collect())
    }
    match entity {
        Entity::Vm => ids::<evirt_domain::vm::Vm>(world, own, many),
        Entity::Host => ids::<evirt_domain::host::Host>(world, own, many),
        Entity::Cluster => ids::<evirt_domain::cluster::Cluster>(world, own, many),
        Entity::DataCenter => ids::<evirt_domain::data_center::DataCenter>(world, own, many),
        Entity::StorageDomain => ids::<evirt_domain::storage::StorageDomain>(world, own, many),
        Entity::Network => ids::<evirt_domain::network::Network>(world, own, many),
        Entity::Template => ids::<evirt_domain::template::Template>(world, own, many),
        Entity::User => ids::<evirt_domain::access::User>(world, own, many),
        _ => None,
    }
}
