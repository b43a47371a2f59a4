//! What the body of an operation has to say and what it may: read where a request is checked and where the operation is described.
//!
//! Which fields of a resource a creation and a change take stands with the fields ([`FieldDef::takes`]); a row of an operation names its
//! type and what differs. Paths have a bar between alternatives, as in `cluster.id|name`.

use std::borrow::Cow;

use super::description::{FieldDef, Kind, TypeDef};
use super::doc::{Doc, Value};
use super::fault::Fault;
use super::types::ACTION;

/// The body of an operation.
#[derive(Clone, Copy, Debug)]
pub struct Body {
    /// Its type.
    pub of: &'static TypeDef,
    fields: Fields,
    /// What it takes beside these fields, separated by spaces.
    more: &'static str,
    /// Members whose fields it does not take.
    but: &'static str,
    /// What it has to say, step by step: of a step all that is missing is told at once.
    needs: &'static [Need],
    /// The ways in which it can be complete, where that depends on what it says: the first that fits counts.
    ways: &'static [Way],
    /// What it may say and is not done yet.
    not_yet: &'static [NotYet],
    /// Whether it is only known where it is carried out whether it has to be complete.
    depends: bool,
}

/// Whose fields a body takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fields {
    /// Those that a creation takes.
    Added,
    /// Those that a change takes.
    Changed,
    /// None but those that its row names.
    Named,
}

/// Something that is described and not done yet: a body that says it is refused by its name, rather than carried out without it.
#[derive(Clone, Copy, Debug)]
pub struct NotYet {
    path: &'static str,
    /// What may be said of it, since that is how it is anyway.
    but: &'static str,
}

/// Something that is not done yet.
pub const fn not_yet(path: &'static str) -> NotYet {
    NotYet { path, but: "" }
}

impl NotYet {
    /// But for this text, which says how it is anyway.
    pub const fn but(self, text: &'static str) -> Self {
        Self { but: text, ..self }
    }

    /// Whether a document says anything at a path, or within any item of a list on the way, but what is so anyway.
    fn is_said(&self, doc: &Doc, path: &str) -> bool {
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        match (doc.get(first), rest) {
            (None, _) => false,
            (Some(Value::Doc(held)), Some(rest)) => self.is_said(held, rest),
            (Some(Value::List(items)), Some(rest)) => items.iter().filter_map(Value::as_doc).any(|item| self.is_said(item, rest)),
            (Some(_), Some(_)) => false,
            (Some(Value::Bool(truth)), None) => self.but != if *truth { "true" } else { "false" },
            (Some(value), None) => value.as_text() != Some(self.but),
        }
    }

    fn check(&self, of: &'static TypeDef, sent: &Doc) -> Result<(), Fault> {
        if !self.is_said(sent, self.path) {
            return Ok(());
        }
        Err(Fault::failed(format!("{} with [{}] is not supported by this version", of.class, self.path)))
    }
}

/// One of the ways in which a body can be complete.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// Which bodies go this way.
    pub when: When,
    /// What they have to say.
    pub needs: &'static [Need],
}

/// What a body says.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// Whatever it says.
    Always,
    /// Something at this path.
    Has(&'static str),
    /// One of these texts at this path.
    Is(&'static str, &'static [&'static str]),
    /// A text at this path that has this character.
    Contains(&'static str, char),
}

/// Names that have to be there together.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// The names, separated by spaces.
    names: &'static str,
    /// The member, or members with a bar between them, that they stand within, and what faults call that.
    within: Option<(&'static str, &'static str)>,
    /// What faults call the operation.
    method: &'static str,
    /// Bodies that do not need them.
    unless: Option<When>,
}

/// Names that a creation needs.
pub const fn need(names: &'static str) -> Need {
    Need { names, within: None, method: "add", unless: None }
}

impl Need {
    /// Names that stand within a member, or within each item of a list, which faults call otherwise.
    pub const fn within(self, member: &'static str, class: &'static str) -> Self {
        Self { within: Some((member, class)), ..self }
    }

    /// Of an operation that faults call otherwise.
    pub const fn of(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    /// Not of bodies that say this.
    pub const fn unless(self, when: When) -> Self {
        Self { unless: Some(when), ..self }
    }

    /// Demands the names of a body; a fault names those that are missing.
    pub fn check(&self, of: &'static TypeDef, sent: &Doc) -> Result<(), Fault> {
        if self.unless.is_some_and(|when| when.holds(sent)) {
            return Ok(());
        }
        let Some((members, class)) = self.within else { return self.demand(of, of.class, sent) };
        for member in members.split('|') {
            let of = type_at(of, member).unwrap_or(of);
            match sent.path(member) {
                Some(Value::Doc(doc)) => self.demand(of, class, doc)?,
                Some(Value::List(items)) => {
                    items.iter().filter_map(Value::as_doc).try_for_each(|item| self.demand(of, class, item))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn demand(&self, of: &'static TypeDef, class: &str, doc: &Doc) -> Result<(), Fault> {
        let mut missing = Vec::new();
        for name in self.names.split_whitespace() {
            missing.extend(std::iter::repeat_n(called(of, name), lacking(doc, name)));
        }
        match missing.is_empty() {
            true => Ok(()),
            false => Err(Fault::incomplete_parameters(class, missing, self.method)),
        }
    }

    /// Whether there are bodies that go the same way and do not need it.
    pub const fn is_conditional(&self) -> bool {
        self.unless.is_some()
    }

    /// The paths of its names, where it is needed whatever the body says beside.
    fn paths(&self) -> Vec<String> {
        let names = self.names.split_whitespace().filter(|_| !self.is_conditional());
        let within = self.within.map(|(members, _)| members.split('|').next().unwrap_or_default());
        names.map(|name| within.map_or_else(|| name.to_owned(), |within| format!("{within}.{name}"))).collect()
    }
}

impl When {
    fn holds(self, sent: &Doc) -> bool {
        match self {
            Self::Always => true,
            Self::Has(path) => sent.has(path),
            Self::Is(path, texts) => sent.text(path).is_some_and(|text| texts.contains(&text)),
            Self::Contains(path, character) => sent.text(path).is_some_and(|text| text.contains(character)),
        }
    }
}

impl Body {
    const fn new(of: &'static TypeDef, fields: Fields) -> Self {
        Self { of, fields, more: "", but: "", needs: &[], ways: &[], not_yet: &[], depends: false }
    }

    /// The body of a creation.
    pub const fn add(of: &'static TypeDef) -> Self {
        Self::new(of, Fields::Added)
    }

    /// The body of a change.
    pub const fn update(of: &'static TypeDef) -> Self {
        Self::new(of, Fields::Changed)
    }

    /// The body of an action, which takes what is named.
    pub const fn action(names: &'static str) -> Self {
        Self::only(&ACTION, names)
    }

    /// A body that takes what is named alone.
    pub const fn only(of: &'static TypeDef, names: &'static str) -> Self {
        Self { more: names, ..Self::new(of, Fields::Named) }
    }

    /// With what it takes beside the fields of its type.
    pub const fn and(self, names: &'static str) -> Self {
        Self { more: names, ..self }
    }

    /// Without the fields of some members.
    pub const fn without(self, members: &'static str) -> Self {
        Self { but: members, ..self }
    }

    /// With what it has to say.
    pub const fn needs(self, needs: &'static [Need]) -> Self {
        Self { needs, ..self }
    }

    /// With the ways in which it can be complete.
    pub const fn ways(self, ways: &'static [Way]) -> Self {
        Self { ways, ..self }
    }

    /// With what it may say and is not done yet.
    pub const fn not_yet(self, not_yet: &'static [NotYet]) -> Self {
        Self { not_yet, ..self }
    }

    /// Complete only where what it is carried out on demands that: its handler checks it.
    pub const fn depends(self) -> Self {
        Self { depends: true, ..self }
    }

    /// Whether its handler decides whether it has to be complete.
    pub const fn is_dependent(&self) -> bool {
        self.depends
    }

    /// The ways in which it can be complete; one, where it does not depend on what it says.
    fn each_way(&self) -> Cow<'static, [Way]> {
        match self.ways {
            [] => Cow::Owned(vec![Way { when: When::Always, needs: self.needs }]),
            ways => Cow::Borrowed(ways),
        }
    }

    /// Demands that a body says all that it has to, and nothing that is not done yet; a fault names what.
    pub fn check(&self, sent: &Doc) -> Result<(), Fault> {
        self.not_yet.iter().try_for_each(|not_yet| not_yet.check(self.of, sent))?;
        let ways = self.each_way();
        let way = ways.iter().find(|way| way.when.holds(sent));
        way.map_or(&[][..], |way| way.needs).iter().try_for_each(|need| need.check(self.of, sent))
    }

    /// Whether there is something that it has to say.
    pub fn is_needed(&self) -> bool {
        self.each_way().iter().flat_map(|way| way.needs).any(|need| !need.is_conditional())
    }

    /// The sets of what it may say: of each, what it has to and what it may beside.
    ///
    /// Alternatives that are other things than identifier and name make sets of their own.
    pub fn sets(&self) -> Vec<(Vec<String>, Vec<String>)> {
        let mut sets: Vec<(Vec<String>, Vec<String>)> = Vec::new();
        for (demanded, _) in self.demands() {
            let also = self.taken().into_iter().filter(|path| !demanded.contains(path)).collect();
            if sets.iter().all(|(known, _)| *known != demanded) {
                sets.push((demanded, also));
            }
        }
        sets
    }

    /// What it has to say in each of the ways in which it can be complete, with what is checked there.
    pub fn demands(&self) -> Vec<(Vec<String>, &'static [Need])> {
        let ways = self.each_way();
        let demanded = |way: &Way| {
            let paths: Vec<String> = way.needs.iter().flat_map(Need::paths).collect();
            // What something is demanded of is there with that.
            let is_above =
                |path: &String, other: &String| other.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('.'));
            let least: Vec<String> =
                paths.iter().filter(|path| !paths.iter().any(|other| is_above(path, other))).cloned().collect();
            chosen(&least)
        };
        ways.iter().flat_map(|way| demanded(way).into_iter().map(|demanded| (demanded, way.needs))).collect()
    }

    /// All that it takes, each once.
    fn taken(&self) -> Vec<String> {
        let but: Vec<&str> = self.but.split_whitespace().collect();
        let fields = self.of.fields.iter().filter(|field| !but.contains(&field.name));
        let (own, named): (Vec<String>, _) = match self.fields {
            Fields::Named => (Vec::new(), self.more),
            fields_of => (fields.flat_map(|field| taken_of(field, fields_of == Fields::Added)).collect(), self.more),
        };
        let mut taken: Vec<String> = Vec::new();
        let named = named.split_whitespace().map(str::to_owned);
        let ways = self.each_way();
        let conditional = ways.iter().flat_map(|way| way.needs).filter(|need| need.is_conditional());
        let conditional = conditional.flat_map(|need| Need { unless: None, ..*need }.paths());
        for path in own.into_iter().chain(named).chain(conditional).map(|path| ordered(&path)) {
            if !taken.contains(&path) {
                taken.push(path);
            }
        }
        taken
    }
}

/// The paths of a field that a creation takes, or a change.
fn taken_of(field: &'static FieldDef, creation: bool) -> impl Iterator<Item = String> {
    let words = field.takes.split_whitespace().filter_map(move |word| match (word.as_bytes().first(), creation) {
        (Some(b'+'), true) | (Some(b'~'), false) => Some(&word[1..]),
        (Some(b'+' | b'~'), _) => None,
        _ => Some(word),
    });
    words.map(|path| if path == "." { field.name.to_owned() } else { format!("{}.{path}", field.name) })
}

/// A path whose alternatives at the end are in order: `name|id` is `id|name`.
fn ordered(path: &str) -> String {
    let (above, last) = path.rsplit_once('.').map_or(("", path), |(above, last)| (above, last));
    let mut names: Vec<&str> = last.split('|').collect();
    names.sort_unstable();
    let dot = if above.is_empty() { "" } else { "." };
    format!("{above}{dot}{}", names.join("|"))
}

/// The paths with one of the alternatives of each, in all ways; identifier and name stay alternatives.
fn chosen(paths: &[String]) -> Vec<Vec<String>> {
    paths.iter().fold(vec![Vec::new()], |sets, path| {
        let choices = choices(path);
        sets.iter().flat_map(|set| choices.iter().map(move |choice| [&set[..], std::slice::from_ref(choice)].concat())).collect()
    })
}

fn choices(path: &str) -> Vec<String> {
    let path = ordered(path);
    let Some((n, step)) = path.split('.').enumerate().find(|(_, step)| step.contains('|') && *step != "id|name") else {
        return vec![path];
    };
    let choose = |name: &str| {
        let steps: Vec<&str> = path.split('.').enumerate().map(|(m, other)| if m == n { name } else { other }).collect();
        choices(&steps.join("."))
    };
    step.split('|').flat_map(choose).collect()
}

/// The type of the objects at a path in documents of a type.
fn type_at(of: &'static TypeDef, path: &str) -> Option<&'static TypeDef> {
    path.split('.').try_fold(of, |of, step| match of.field(step)?.kind {
        Kind::Group(inner) | Kind::Groups(inner) => Some(inner),
        _ => None,
    })
}

/// A path as faults print it: in camel case, and without the items of lists, which they see through.
fn called(of: &'static TypeDef, path: &str) -> String {
    let mut of = Some(of);
    let mut steps: Vec<String> = Vec::new();
    for step in path.split('.') {
        let field = of.and_then(|of| of.field(step.split('|').next().unwrap_or_default()));
        let is_item = matches!(field.map(|field| field.kind), Some(Kind::Groups(_)));
        of = field.and_then(|field| match field.kind {
            Kind::Group(inner) | Kind::Groups(inner) => Some(inner),
            _ => None,
        });
        if !is_item || steps.is_empty() {
            steps.push(camel(step));
        }
    }
    steps.join(".")
}

/// `storage_domain` is `storageDomain` in faults.
fn camel(name: &str) -> String {
    let mut after = false;
    let letters = name.chars().filter_map(|letter| {
        let upper = std::mem::replace(&mut after, letter == '_');
        (letter != '_').then(|| if upper { letter.to_ascii_uppercase() } else { letter })
    });
    letters.collect()
}

/// How many times the document lacks what the path demands.
fn lacking(doc: &Doc, path: &str) -> usize {
    let (first, rest) = match path.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    };
    // Of alternatives, the nearest to complete speaks for all.
    first.split('|').map(|name| lacking_one(doc.get(name), rest)).min().unwrap_or(0)
}

fn lacking_one(value: Option<&Value>, rest: Option<&str>) -> usize {
    match (value, rest) {
        (None, _) => 1,
        (Some(Value::List(items)), _) if items.is_empty() => 1,
        (Some(_), None) => 0,
        (Some(Value::Doc(doc)), Some(rest)) => lacking(doc, rest),
        (Some(Value::List(items)), Some(rest)) => items.iter().map(|item| lacking_one(Some(item), Some(rest))).sum(),
        (Some(_), Some(_)) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::ovirt::representation::types::{CLUSTER, ROLE, STORAGE_DOMAIN, VM};

    fn missing(doc: &Doc, needs: &'static [Need]) -> String {
        match Body::add(&VM).needs(needs).check(doc) {
            Ok(()) => String::new(),
            Err(fault) => fault.detail.unwrap_or_default(),
        }
    }

    #[test]
    fn what_is_there_is_not_missed() {
        const NEEDS: &[Need] = &[need("name cluster.name|id")];
        let doc = Doc::new().set("name", "a").set_path("cluster.id", "1");
        assert_eq!(missing(&doc, NEEDS), "");
    }

    #[test]
    fn what_is_not_there_is_listed_step_by_step() {
        const TOGETHER: &[Need] = &[need("name data_center.name|id")];
        const STEPS: &[Need] = &[need("name"), need("memory")];
        const UPDATE: &[Need] = &[need("cluster.id|name").of("update")];
        assert_eq!(missing(&Doc::new(), TOGETHER), "VM [name, dataCenter.name|id] required for add");
        assert_eq!(missing(&Doc::new(), STEPS), "VM [name] required for add");
        let hollow = Doc::new().set("cluster", Doc::new());
        assert_eq!(missing(&hollow, UPDATE), "VM [cluster.id|name] required for update");
    }

    #[test]
    fn alternatives_may_stand_at_every_step() {
        const NEEDS: &[Need] = &[need("data_center|cluster|vm.id user|group.id")];
        assert_eq!(missing(&Doc::new().set_path("cluster.id", "1").set_path("group.id", "2"), NEEDS), "");
        let unnamed = Doc::new().set_path("cluster.name", "c").set_path("group.id", "2");
        assert_eq!(missing(&unnamed, NEEDS), "VM [dataCenter|cluster|vm.id] required for add");
    }

    #[test]
    fn lists_are_looked_through() {
        const ROLES: Body = Body::add(&ROLE).needs(&[need("permits.permit.id")]);
        let told = |items: Vec<Doc>| {
            let doc = Doc::new().set("permits", Doc::new().set("permit", items));
            ROLES.check(&doc).err().and_then(|fault| fault.detail).unwrap_or_default()
        };
        let with = || Doc::new().set("id", "1");
        assert_eq!(told(vec![with(), with()]), "");
        assert_eq!(told(vec![]), "Role [permits.id] required for add");
        assert_eq!(told(vec![Doc::new(), with(), Doc::new()]), "Role [permits.id, permits.id] required for add");
    }

    #[test]
    fn what_is_needed_may_depend_on_what_is_said() {
        const WAYS: Body = Body::add(&STORAGE_DOMAIN).ways(&[
            Way { when: When::Is("type", &["iso"]), needs: &[need("host.id|name")] },
            Way {
                when: When::Always,
                needs: &[need("name").unless(When::Has("host")), need("path").within("storage", "Storage")],
            },
        ]);
        let told = |doc: &Doc| WAYS.check(doc).err().and_then(|fault| fault.detail).unwrap_or_default();
        assert_eq!(told(&Doc::new().set("type", "iso")), "StorageDomain [host.id|name] required for add");
        assert_eq!(told(&Doc::new().set("type", "data")), "StorageDomain [name] required for add");
        let stored = Doc::new().set("host", Doc::new()).set("storage", Doc::new());
        assert_eq!(told(&stored), "Storage [path] required for add");
        let sets = WAYS.sets();
        let demanded: Vec<&[String]> = sets.iter().map(|(demanded, _)| demanded.as_slice()).collect();
        assert_eq!(demanded, [["host.id|name"], ["storage.path"]]);
        assert!(sets.iter().all(|(_, also)| also.contains(&"name".to_owned())));
    }

    #[test]
    fn alternatives_are_sets_and_identifiers_and_names_are_not() {
        const BODY: Body = Body::only(&CLUSTER, "name").needs(&[need("data_center.name|id a|b.id c|d")]);
        let demanded: Vec<String> = BODY.sets().iter().map(|(demanded, _)| demanded.join(" ")).collect();
        let all = ["a.id c", "a.id d", "b.id c", "b.id d"].map(|rest| format!("data_center.id|name {rest}"));
        assert_eq!(demanded, all);
    }

    #[test]
    fn creations_and_changes_take_what_the_fields_say() {
        let taken = |body: Body| body.sets()[0].1.clone();
        let (added, changed) = (taken(Body::add(&VM)), taken(Body::update(&VM)));
        for path in ["name", "memory", "cpu.topology.cores", "os.boot.dev", "cluster.id|name"] {
            assert!(added.iter().any(|taken| taken == path) && changed.iter().any(|taken| taken == path), "{path}");
        }
        assert!(added.iter().any(|path| path == "template.id|name") && changed.iter().all(|path| path != "template.id|name"));
        assert!(added.iter().all(|path| !path.starts_with("status")));
        assert!(taken(Body::add(&VM).without("cpu os")).iter().all(|path| !path.starts_with("cpu.") && !path.starts_with("os.")));
    }
}
