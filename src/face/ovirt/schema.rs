//! The XML schema of the documents, generated from the tables that they are read and written by.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use axum::http::{HeaderName, header};

use super::answer::{Answer, Handled};
use super::representation::description::{FieldDef, Kind, TypeDef, flags};
use super::representation::types;

/// What the schema is called.
pub const FILE_NAME: &str = "ovirt-engine-api-schema.xsd";

/// Sends the schema as a file.
pub fn send() -> Handled {
    let disposition = format!("attachment; filename={FILE_NAME}");
    let mut answer = Answer::empty(200);
    answer.body = schema().into();
    let answer = answer.with(header::CONTENT_TYPE, "application/octet-stream");
    Ok(answer.with(HeaderName::from_static("content-disposition"), &disposition))
}

/// The schema: an element for each document and for each collection, and a type for each table.
fn schema() -> String {
    let mut seen = BTreeMap::new();
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n\
         <xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" version=\"1.0\">\n",
    );
    let mut elements = BTreeSet::new();
    for def in types::all() {
        gather(def, &mut seen);
        if elements.insert(def.element) {
            line(&mut out, 1, format_args!("<xs:element name=\"{}\" type=\"{}\"/>", def.element, def.class));
        }
    }
    for def in types::all().iter().filter(|def| !def.plural.is_empty()) {
        if elements.insert(def.plural) {
            collection(&mut out, def);
        }
    }
    for def in seen.values() {
        complex_type(&mut out, def);
    }
    out.push_str("</xs:schema>\n");
    out
}

/// The types that a type is made of, by their names, itself among them.
fn gather(def: &'static TypeDef, seen: &mut BTreeMap<&'static str, &'static TypeDef>) {
    if seen.insert(def.class, def).is_some() {
        return;
    }
    for field in def.fields {
        if let Kind::Group(inner) | Kind::Groups(inner) = field.kind {
            gather(inner, seen);
        }
    }
}

fn collection(out: &mut String, def: &TypeDef) {
    line(out, 1, format_args!("<xs:element name=\"{}\">", def.plural));
    line(out, 2, format_args!("<xs:complexType>"));
    line(out, 3, format_args!("<xs:sequence>"));
    for counter in ["total", "active"] {
        line(out, 4, format_args!("<xs:element name=\"{counter}\" type=\"xs:unsignedInt\" minOccurs=\"0\"/>"));
    }
    let (element, class) = (def.element, def.class);
    line(out, 4, format_args!("<xs:element name=\"{element}\" type=\"{class}\" minOccurs=\"0\" maxOccurs=\"unbounded\"/>"));
    line(out, 3, format_args!("</xs:sequence>"));
    line(out, 2, format_args!("</xs:complexType>"));
    line(out, 1, format_args!("</xs:element>"));
}

fn complex_type(out: &mut String, def: &TypeDef) {
    line(out, 1, format_args!("<xs:complexType name=\"{}\">", def.class));
    if let Some(content) = def.fields.iter().find(|field| field.is(flags::CONTENT)) {
        line(out, 2, format_args!("<xs:simpleContent>"));
        line(out, 3, format_args!("<xs:extension base=\"{}\">", kind(content)));
        attributes(out, 4, def);
        line(out, 3, format_args!("</xs:extension>"));
        line(out, 2, format_args!("</xs:simpleContent>"));
    } else {
        line(out, 2, format_args!("<xs:sequence>"));
        for field in def.fields.iter().filter(|field| !field.is(flags::ATTRIBUTE)) {
            let many = if matches!(field.kind, Kind::Texts | Kind::Groups(_)) { " maxOccurs=\"unbounded\"" } else { "" };
            line(out, 3, format_args!("<xs:element name=\"{}\" type=\"{}\" minOccurs=\"0\"{many}/>", field.name, kind(field)));
        }
        line(out, 2, format_args!("</xs:sequence>"));
        attributes(out, 2, def);
    }
    line(out, 1, format_args!("</xs:complexType>"));
}

fn attributes(out: &mut String, depth: usize, def: &TypeDef) {
    for field in def.fields.iter().filter(|field| field.is(flags::ATTRIBUTE)) {
        line(out, depth, format_args!("<xs:attribute name=\"{}\" type=\"{}\"/>", field.name, kind(field)));
    }
}

fn line(out: &mut String, depth: usize, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{:1$}{text}", "", depth * 2);
}

/// The schema's name of what a field holds. Enumerations are texts, as upstream's schema has them.
pub fn kind(field: &FieldDef) -> &'static str {
    match field.kind {
        Kind::Text | Kind::Link | Kind::Enum(_) | Kind::Texts => "xs:string",
        Kind::Bool => "xs:boolean",
        Kind::Decimal => "xs:decimal",
        Kind::Date => "xs:dateTime",
        Kind::Int(0, most) if most == i64::from(u16::MAX) => "xs:unsignedShort",
        Kind::Int(0, _) => "xs:unsignedInt",
        Kind::Int(_, i64::MAX) => "xs:long",
        Kind::Int(..) => "xs:int",
        Kind::Group(of) | Kind::Groups(of) => of.class,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_that_is_referred_to_is_defined_once() {
        let schema = schema();
        let names =
            |prefix: &str| -> Vec<&str> { schema.split(prefix).skip(1).filter_map(|rest| rest.split('"').next()).collect() };
        let defined = names("<xs:complexType name=\"");
        let unique: BTreeSet<&str> = defined.iter().copied().collect();
        assert_eq!(unique.len(), defined.len());
        for used in names(" type=\"") {
            assert!(used.starts_with("xs:") || unique.contains(used), "{used}");
        }
        assert!(schema.contains("<xs:element name=\"vm\" type=\"VM\"/>"));
        assert!(schema.contains("<xs:element name=\"memory\" type=\"xs:long\" minOccurs=\"0\"/>"));
    }

    /// Two tables of one name would hide each other.
    #[test]
    fn a_class_is_one_table() {
        fn walk(def: &'static TypeDef, seen: &mut BTreeMap<&'static str, &'static TypeDef>) {
            match seen.insert(def.class, def) {
                Some(other) => assert!(std::ptr::eq(other, def), "{} is two tables", def.class),
                None => def.fields.iter().for_each(|field| {
                    if let Kind::Group(inner) | Kind::Groups(inner) = field.kind {
                        walk(inner, seen);
                    }
                }),
            }
        }
        let mut seen = BTreeMap::new();
        types::all().iter().for_each(|def| walk(def, &mut seen));
    }
}
