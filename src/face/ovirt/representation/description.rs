//! The vocabulary in which the types of the API are described: tables of fields, as constants.

/// A type of document, or of a part of one.
///
/// Types refer to each other by address, so that a host may hold a cluster that may hold a data center, as deep as a
/// document cares to go.
#[derive(Debug)]
pub struct TypeDef {
    /// The root element, such as `vm`; a part that is never a document carries its usual name.
    pub element: &'static str,
    /// The root element of a collection, such as `vms`; empty where there are no collections.
    pub plural: &'static str,
    /// The name that faults request it by, such as `VM`.
    pub class: &'static str,
    /// The fields in the order in which they are written.
    pub fields: &'static [FieldDef],
}

/// One member of a type.
#[derive(Debug)]
pub struct FieldDef {
    /// The element's, attribute's and JSON member's name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// A union of the constants of [`flags`].
    pub flags: u8,
    /// What requests may say of it: paths below it, separated by spaces, and `.` for itself. One that begins with `+` is for creations alone,
    /// and one with `~` for changes.
    pub takes: &'static str,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Any text.
    Text,
    /// A link, which is text that knows where it leads.
    Link,
    /// An integer between two bounds, both included.
    Int(i64, i64),
    /// A truth value.
    Bool,
    /// A decimal fraction.
    Decimal,
    /// A date and time as text, in the form of `xsd:dateTime`.
    Date,
    /// One of a set of names.
    Enum(&'static EnumDef),
    /// A nested object.
    Group(&'static TypeDef),
    /// A repeated element of text, without a wrapper.
    Texts,
    /// A repeated object, without a wrapper.
    Groups(&'static TypeDef),
}

/// A set of names that a field may take.
#[derive(Debug, PartialEq, Eq)]
pub struct EnumDef {
    /// The name that faults request it by, such as `DiskFormat`.
    pub class: &'static str,
    /// The names, in lower case.
    pub members: &'static [&'static str],
}

/// What is special about a field; a bit each.
pub mod flags {
    /// XML carries it as an attribute.
    pub const ATTRIBUTE: u8 = 1;
    /// XML carries it as the text between the tags, and JSON under the field's name.
    pub const CONTENT: u8 = 2;
    /// An update must not change it.
    pub const IMMUTABLE: u8 = 4;
    /// It is text that may be as long as the whole document.
    pub const LONG: u8 = 8;
    /// Its value may stand for the whole object in a request.
    pub const ALONE: u8 = 16;
    /// It is taken and never told: answers that repeat what was sent leave it out.
    pub const SECRET: u8 = 32;
}

/// Names that the guide and upstream's list of arguments print for those of the schema: the class, the name in print, the schema's.
///
/// A client that follows them sends what would otherwise be unknown, and dropped.
pub const MISPRINTS: &[(&str, &str, &str)] = &[
    ("OperatingSystem", "initRd", "initrd"),
    ("User", "username", "user_name"),
    ("NIC", "onboot", "on_boot"),
    ("CloudInit", "payload_files", "files"),
    ("Files", "payload_file", "file"),
    ("StorageConnection", "iqn", "target"),
    ("CPU", "cpu_mode", "mode"),
];

/// No table has more fields than this: the writer keeps its bookkeeping of one object in a fixed array.
pub const MAX_FIELDS: usize = 96;

impl TypeDef {
    /// The position of the field of this name, looked for from `hint` on and then from the start: whoever asks in the
    /// order of the table gets each answer at once.
    pub fn position(&self, name: &str, hint: usize) -> Option<usize> {
        let (before, after) = self.fields.split_at(hint.min(self.fields.len()));
        let found = after.iter().position(|field| field.name == name);
        found.map(|at| at + before.len()).or_else(|| before.iter().position(|field| field.name == name))
    }

    /// The field that a request means by this name: its own, or one that it goes by in print.
    pub fn meant(&self, name: &str) -> Option<&'static FieldDef> {
        let printed = || MISPRINTS.iter().find(|(class, printed, _)| *class == self.class && *printed == name);
        self.field(name).or_else(|| self.field(printed()?.2))
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&'static FieldDef> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl FieldDef {
    /// Whether all bits of `flags` are set.
    pub const fn is(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, flags: 0, takes: "" }
    }

    /// The same field, which creations and changes may set.
    pub const fn taken(self) -> Self {
        self.takes(".")
    }

    /// The same field with what requests may say of it; see [`FieldDef::takes`](Self#structfield.takes).
    pub const fn takes(self, takes: &'static str) -> Self {
        Self { takes, ..self }
    }

    /// The same field with these flags as well.
    pub const fn with(self, flags: u8) -> Self {
        Self { flags: self.flags | flags, ..self }
    }
}

/// A field of text.
pub const fn text(name: &'static str) -> FieldDef {
    FieldDef::new(name, Kind::Text)
}

/// A link.
pub const fn link(name: &'static str) -> FieldDef {
    FieldDef::new(name, Kind::Link)
}

/// A 32-bit integer.
pub const fn int(name: &'static str) -> FieldDef {
    FieldDef::new(name, Kind::Int(i32::MIN as i64, i32::MAX as i64))
}

/// A 64-bit integer.
pub const fn long(name: &'static str) -> FieldDef {
    FieldDef::new(name, Kind::Int(i64::MIN, i64::MAX))
}

/// An unsigned 16-bit integer, such as a port.
pub const fn unsigned_short(name: &'static str) -> FieldDef {
    FieldDef::new(name, Kind::Int(0, u16::MAX as i64))
}

/// An unsigned 32-bit integer.
pub const fn unsigned_int(name: &'static str) -> FieldDef {
    FieldDef::new(name, Kind::Int(0, u32::MAX as i64))
}

/// A truth value.
pub const fn boolean(name: &'static str) -> FieldDef {
    FieldDef::new(name, Kind::Bool)
}

/// A decimal fraction.
pub const fn decimal(name: &'static str) -> FieldDef {
    FieldDef::new(name, Kind::Decimal)
}

/// A date and time.
pub const fn date(name: &'static str) -> FieldDef {
    FieldDef::new(name, Kind::Date)
}

/// One of a set of names.
pub const fn member(name: &'static str, of: &'static EnumDef) -> FieldDef {
    FieldDef::new(name, Kind::Enum(of))
}

/// A nested object.
pub const fn group(name: &'static str, of: &'static TypeDef) -> FieldDef {
    FieldDef::new(name, Kind::Group(of))
}

/// A repeated element of text.
pub const fn texts(name: &'static str) -> FieldDef {
    FieldDef::new(name, Kind::Texts)
}

/// A repeated object.
pub const fn groups(name: &'static str, of: &'static TypeDef) -> FieldDef {
    FieldDef::new(name, Kind::Groups(of))
}

/// A field of text that may be as long as the whole document, such as what a file holds.
pub const fn long_text(name: &'static str) -> FieldDef {
    text(name).with(flags::LONG)
}

/// A field of text that is taken and never told.
pub const fn secret(name: &'static str) -> FieldDef {
    text(name).with(flags::SECRET)
}

/// Marks a field as an XML attribute.
pub const fn attribute(field: FieldDef) -> FieldDef {
    field.with(flags::ATTRIBUTE)
}
