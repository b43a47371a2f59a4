//! Where resources are: the table of the collections of objects that permissions stand on, and links that know which of them they lead to or
//! through.

use std::fmt::Display;
use std::sync::Arc;

use evirt_domain::access::EntityRef;
use evirt_domain::ids::*;
use uuid::Uuid;

/// A resource that has a place of its own below the entry point.
#[derive(Clone, Copy, Debug)]
pub struct Resource {
    collection: &'static str,
    id: Uuid,
    object: Option<EntityRef>,
}

/// A collection of objects that permissions stand on.
#[derive(Debug)]
pub struct Collection {
    /// Its name in paths.
    pub name: &'static str,
    /// The member of documents that refers to one of its objects.
    pub member: &'static str,
    /// What an identifier names there.
    pub object: fn(Uuid) -> EntityRef,
}

macro_rules! places {
    ($($object:ident $id:ident $collection:literal $member:literal;)*) => {
        /// The collections of objects that permissions stand on.
        pub const COLLECTIONS: &[Collection] = &[$(Collection {
            name: $collection,
            member: $member,
            object: |id| EntityRef::$object($id(id)),
        }),*];

        /// The collection and identifier of an object; the system has neither.
        fn object_place(object: EntityRef) -> Option<(&'static Collection, Uuid)> {
            let (name, id) = match object {
                EntityRef::System => return None,
                $(EntityRef::$object(id) => ($collection, id.0)),*
            };
            collection(name).map(|collection| (collection, id))
        }

        $(impl From<$id> for Resource {
            fn from(id: $id) -> Self {
                Self { collection: $collection, id: id.0, object: Some(EntityRef::$object(id)) }
            }
        })*
    };
}

places! {
    Cluster ClusterId "clusters" "cluster";
    DataCenter DataCenterId "datacenters" "data_center";
    Disk DiskId "disks" "disk";
    Host HostId "hosts" "host";
    Network NetworkId "networks" "network";
    StorageDomain StorageDomainId "storagedomains" "storage_domain";
    Template TemplateId "templates" "template";
    Vm VmId "vms" "vm";
    VnicProfile VnicProfileId "vnicprofiles" "vnic_profile";
}

/// Declares the collection of resources that no permission stands on.
macro_rules! stands_in {
    ($id:ident $collection:literal) => {
        impl From<$id> for $crate::face::ovirt::representation::place::Resource {
            fn from(id: $id) -> Self {
                Self::plain($collection, id.0)
            }
        }
    };
}
pub(in crate::face::ovirt) use stands_in;

impl Resource {
    /// A resource that nobody is kept from seeing.
    pub fn plain(collection: &'static str, id: Uuid) -> Self {
        Self { collection, id, object: None }
    }
}

/// The collection of this name, where permissions stand on what is in it.
pub fn collection(name: &str) -> Option<&'static Collection> {
    COLLECTIONS.iter().find(|collection| collection.name == name)
}

/// The collection of the objects that a member of a document refers to.
pub fn collection_of_member(member: &str) -> Option<&'static Collection> {
    COLLECTIONS.iter().find(|collection| collection.member == member)
}

/// The member of documents that refers to an object, and where that is; the system is nowhere.
pub fn reference_to(base: &str, object: EntityRef) -> Option<(&'static str, Place)> {
    let (collection, id) = object_place(object)?;
    Some((collection.member, Place::of(base, Resource { collection: collection.name, id, object: Some(object) })))
}

/// The objects that a path below the base goes through, each with the segment that names it.
pub fn objects<'p>(segments: impl Iterator<Item = &'p str> + Clone) -> impl Iterator<Item = (&'p str, EntityRef)> {
    let pairs = segments.clone().zip(segments.skip(1));
    pairs.filter_map(|(name, id)| {
        let collection = collection(name)?;
        Uuid::parse_str(id).ok().map(|parsed| (id, (collection.object)(parsed)))
    })
}

/// The objects that something is or lies within, the innermost first.
#[derive(Debug, PartialEq, Eq)]
pub struct Within {
    object: EntityRef,
    above: Option<Arc<Within>>,
}

/// A link, with the objects that it leads to or through.
#[derive(Clone, Debug)]
pub struct Link {
    text: Box<str>,
    within: Option<Arc<Within>>,
}

/// Two links are equal if they say the same.
impl PartialEq for Link {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Link {
    /// A link that leads to nothing which could be hidden.
    pub fn open(text: impl Into<Box<str>>) -> Self {
        let text = text.into();
        debug_assert!(leads_to_no_object(&text), "{text} has to say what it lies within");
        Self { text, within: None }
    }

    /// A link that a client sent: who repeats it tells nothing.
    pub fn sent(text: &str) -> Self {
        Self { text: text.into(), within: None }
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The objects that it leads to or through, the innermost first.
    pub fn objects(&self) -> impl Iterator<Item = EntityRef> {
        std::iter::successors(self.within.as_deref(), |within| within.above.as_deref()).map(|within| within.object)
    }

    /// What is found below what it leads to.
    pub fn below(&self, path: impl Display) -> Self {
        let text = format!("{}/{path}", self.text).into_boxed_str();
        debug_assert!(leads_to_no_object(&text[self.text.len()..]), "{text} has to say that it lies within that");
        Self { text, within: self.within.clone() }
    }
}

/// Whether no object is named in a path: what is checked in tests of whoever makes a link without saying what it lies within.
fn leads_to_no_object(path: &str) -> bool {
    objects(path.split(['/', ';', '?'])).next().is_none()
}

/// Where a resource is: what links to it say, and its identifier.
#[derive(Clone, Debug)]
pub struct Place {
    link: Link,
    id: String,
}

impl Place {
    /// The entry point.
    pub fn entry(base: &str) -> Self {
        Self { link: Link::open(base), id: String::new() }
    }

    /// The place of a resource in the collection of its kind.
    pub fn of(base: &str, resource: impl Into<Resource>) -> Self {
        let Resource { collection, id, object } = resource.into();
        let id = id.to_string();
        let within = object.map(|object| Arc::new(Within { object, above: None }));
        Self { link: Link { text: format!("{base}/{collection}/{id}").into(), within }, id }
    }

    /// The place that a path below the base names.
    pub fn at(base: &str, path: &[String]) -> Self {
        let id = path.last().cloned().unwrap_or_default();
        let place = Self { link: Link { text: format!("{base}/{}", path.join("/")).into(), within: None }, id };
        objects(path.iter().map(String::as_str)).fold(place, |place, (_, object)| place.within(object))
    }

    /// The place of something in a collection below this one.
    pub fn below(&self, collection: &str, id: impl ToString) -> Self {
        let id = id.to_string();
        Self { link: self.link.below(format_args!("{collection}/{id}")), id }
    }

    /// The place of an object in the collection of its kind below this one.
    pub fn object_below(&self, resource: impl Into<Resource>) -> Self {
        let Resource { collection, id, object } = resource.into();
        let id = id.to_string();
        let text = format!("{}/{collection}/{id}", self.link.text).into();
        let below = Self { link: Link { text, within: self.link.within.clone() }, id };
        object.into_iter().fold(below, Self::within)
    }

    /// The same place, known to be that of an object or below it.
    fn within(mut self, object: EntityRef) -> Self {
        self.link.within = Some(Arc::new(Within { object, above: self.link.within.take() }));
        self
    }

    /// The link to it.
    pub fn link(&self) -> Link {
        self.link.clone()
    }

    /// The identifier of what is there.
    pub fn id(&self) -> &str {
        &self.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_says_what_it_lies_within() {
        let (center, domain, disk) =
            (DataCenterId(Uuid::from_u128(1)), StorageDomainId(Uuid::from_u128(2)), DiskId(Uuid::from_u128(3)));
        let place = Place::of("/api", center).object_below(domain).object_below(disk);
        let href = format!("/api/datacenters/{center}/storagedomains/{domain}/disks/{disk}");
        let objects = [EntityRef::Disk(disk), EntityRef::StorageDomain(domain), EntityRef::DataCenter(center)];
        assert_eq!((place.link().as_str(), place.id()), (href.as_str(), disk.to_string().as_str()));
        assert!(place.link().objects().eq(objects));
        assert!(place.link().below("statistics").objects().eq(objects));
        let path: Vec<String> = href.split('/').skip(2).map(str::to_owned).collect();
        let same = Place::at("/api", &path);
        assert_eq!(same.link(), place.link());
        assert!(same.link().objects().eq(objects));
    }

    #[test]
    fn what_no_permission_stands_on_hides_nothing() {
        assert_eq!(Place::of("/api", RoleId(Uuid::nil())).link().objects().count(), 0);
        assert_eq!(Place::entry("/api").below("events", 7).link().as_str(), "/api/events/7");
    }

    #[test]
    fn every_object_has_a_collection() {
        for Collection { name, member, object } in COLLECTIONS {
            let object = object(Uuid::from_u128(7));
            let (found, place) = reference_to("/api", object).unwrap();
            assert_eq!(found, *member);
            assert_eq!(place.link().as_str(), format!("/api/{name}/{}", place.id()));
            assert!(place.link().objects().eq([object]));
        }
        assert!(reference_to("/api", EntityRef::System).is_none());
    }
}
