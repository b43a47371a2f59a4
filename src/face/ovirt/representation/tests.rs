//! Every type there and back, and every kind of bad input.

use std::collections::HashSet;

use proptest::prelude::*;

use super::description::{FieldDef, MAX_FIELDS, flags};
use super::*;

/// A document with every field set, down to this many levels.
fn full(def: &'static TypeDef, levels: usize) -> Doc {
    let told = def.fields.iter().filter(|field| !field.is(flags::SECRET));
    told.fold(Doc::new(), |doc, field| doc.opt(field.name, example(field, levels)))
}

fn example(field: &FieldDef, levels: usize) -> Option<Value> {
    let value = match field.kind {
        Kind::Text => format!("{} <&>\"'\n\tü", field.name).into(),
        Kind::Link => Link::open(format!("/{}?<&>", field.name)).into(),
        Kind::Int(least, _) => Value::Int(least.max(7)),
        Kind::Bool => Value::Bool(true),
        Kind::Decimal => Value::Decimal(2.5),
        Kind::Date => Value::fixed("2013-10-23T12:00:00.000+02:00"),
        Kind::Enum(of) => Value::fixed(of.members[0]),
        Kind::Texts => vec!["one", "two"].into(),
        Kind::Group(_) | Kind::Groups(_) if levels == 0 => return None,
        Kind::Group(def) => full(def, levels - 1).into(),
        Kind::Groups(def) => vec![full(def, levels - 1), full(def, levels - 1)].into(),
    };
    Some(value)
}

fn read_xml(body: &str, def: &'static TypeDef) -> Result<Doc, ReadError> {
    parse(body.as_bytes(), Format::Xml, def)
}

fn read_json(body: &str, def: &'static TypeDef) -> Result<Doc, ReadError> {
    parse(body.as_bytes(), Format::Json, def)
}

fn message(result: Result<Doc, ReadError>) -> String {
    result.expect_err("this must not be read").to_string()
}

#[test]
fn every_type_comes_back_as_it_went() {
    for def in types::all() {
        let doc = full(def, 2);
        for format in [Format::Xml, Format::Json] {
            let body = render(def, &doc, format);
            let (read_as, read) = parse_any(&body, format, &[def]).expect(def.element);
            assert_eq!((read_as.element, &read), (def.element, &doc), "{}", String::from_utf8_lossy(&body));
        }
    }
}

#[test]
fn secrets_are_taken_and_never_told() {
    let body = "<action><root_password>geheim</root_password><iscsi><username>joe</username><password>geheim</password></iscsi></action>";
    let sent = read_xml(body, &types::ACTION).unwrap();
    assert_eq!((sent.text("root_password"), sent.doc("iscsi").unwrap().text("password")), (Some("geheim"), Some("geheim")));
    for format in [Format::Xml, Format::Json] {
        let told = String::from_utf8(render(&types::ACTION, &sent, format).to_vec()).unwrap();
        assert!(told.contains("joe") && !told.contains("geheim"), "{told}");
    }
}

#[test]
fn the_tables_are_sound() {
    fn walk(def: &'static TypeDef, seen: &mut HashSet<*const TypeDef>) {
        if !seen.insert(def) {
            return;
        }
        assert!(def.fields.len() <= MAX_FIELDS, "{} has more fields than the writer can order", def.class);
        let names: HashSet<_> = def.fields.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), def.fields.len(), "{} names a field twice", def.class);
        for field in def.fields {
            match field.kind {
                Kind::Group(inner) | Kind::Groups(inner) => {
                    assert!(!field.is(flags::ATTRIBUTE), "{}.{} cannot be an attribute", def.class, field.name);
                    walk(inner, seen);
                }
                _ => {}
            }
        }
    }
    let mut seen = HashSet::new();
    types::all().iter().for_each(|def| walk(def, &mut seen));
    let roots: HashSet<_> = types::all().iter().map(|def| def.element).collect();
    assert_eq!(roots.len(), types::all().len());
    assert_eq!(types::by_element("vm").map(|def| def.class), Some("VM"));
    assert!(types::by_element("nonsense").is_none());
}

#[test]
fn the_schema_orders_what_the_view_did_not() {
    let doc = Doc::new()
        .set("memory", 1024)
        .reference_to("cluster", &Place::entry("").below("clusters", "c"))
        .set_path("os.boot", vec![Doc::new().set("dev", "hd"), Doc::new().set("dev", "network")])
        .set_path("cpu.topology.cores", 2)
        .set("name", "a & b")
        .set_path("status.state", "up")
        .link("disks", Link::open("/vms/1/disks"))
        .action("start", Link::open("/vms/1/start"))
        .set("id", "1");
    assert_eq!(
        String::from_utf8_lossy(&render(&types::VM, &doc, Format::Xml)),
        r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<vm id="1">
    <actions>
        <link href="/vms/1/start" rel="start"/>
    </actions>
    <name>a &amp; b</name>
    <link href="/vms/1/disks" rel="disks"/>
    <status>
        <state>up</state>
    </status>
    <memory>1024</memory>
    <cpu>
        <topology cores="2"/>
    </cpu>
    <os>
        <boot dev="hd"/>
        <boot dev="network"/>
    </os>
    <cluster href="/clusters/c" id="c"/>
</vm>
"#
    );
    assert_eq!(
        String::from_utf8_lossy(&render(&types::VM, &doc, Format::Json)),
        "{\"id\":\"1\",\"actions\":{\"link\":[{\"href\":\"/vms/1/start\",\"rel\":\"start\"}]},\"name\":\"a & b\",\
         \"link\":[{\"href\":\"/vms/1/disks\",\"rel\":\"disks\"}],\"status\":{\"state\":\"up\"},\"memory\":1024,\
         \"cpu\":{\"topology\":{\"cores\":2}},\"os\":{\"boot\":[{\"dev\":\"hd\"},{\"dev\":\"network\"}]},\
         \"cluster\":{\"href\":\"/clusters/c\",\"id\":\"c\"}}"
    );
}

#[test]
fn a_collection_is_put_together_from_rendered_items() {
    let page = |format, about: Doc, names: &[&str]| {
        let items = names.iter().map(|name| render_fragment(&types::TAG, &Doc::new().set("name", *name), format));
        String::from_utf8(render_collection(&types::TAG, &about, items, format)).expect("text")
    };
    let about = || Doc::new().set("total", 2);
    assert_eq!(
        page(Format::Xml, about(), &["a", "b"]),
        r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<tags>
    <total>2</total>
    <tag>
        <name>a</name>
    </tag>
    <tag>
        <name>b</name>
    </tag>
</tags>
"#
    );
    assert_eq!(page(Format::Json, about(), &["a", "b"]), "{\"total\":2,\"tag\":[{\"name\":\"a\"},{\"name\":\"b\"}]}");
    assert!(page(Format::Xml, Doc::new(), &[]).ends_with("\n<tags/>\n"));
    assert_eq!(page(Format::Json, Doc::new(), &[]), "{}");
}

#[test]
fn a_text_between_tags_may_have_attributes_beside_it() {
    let manager = |doc: Doc| Doc::new().set("storage_manager", doc);
    let both = manager(Doc::new().set("priority", 5).set("value", true));
    let xml = "<host><storage_manager priority='5'>TRUE</storage_manager></host>";
    assert_eq!(read_xml(xml, &types::HOST), Ok(both.clone()));
    assert_eq!(read_json(r#"{"storage_manager":{"value":true,"priority":5}}"#, &types::HOST), Ok(both));
    assert_eq!(read_json(r#"{"storage_manager":true}"#, &types::HOST), Ok(manager(Doc::new().set("value", true))));
}

#[test]
fn xml_may_be_written_in_many_ways() {
    let expected = Doc::new().set("id", "1").set("name", "a<b>&c").set_path("host.id", "2");
    for body in [
        "<vm id='1'><name>a&lt;b&gt;&#38;c</name><host id=\"2\"/></vm>",
        "\u{feff}<?xml version='1.0' encoding='utf-8'?>\n<!-- hello --><vm><id>1</id>\
         <name><![CDATA[a<b>]]>&#x26;c</name><host><id>2</id></host></vm>\n",
        "<o:vm xmlns:o='urn:o' id='1' o:name='x' colour='red'><o:name>a&lt;b>&amp;c</o:name>\
         <unknown a='b'><name>x</name></unknown><memory/><o:host id='2'>text</o:host></o:vm>",
    ] {
        assert_eq!(read_xml(body, &types::VM).as_ref(), Ok(&expected), "{body}");
    }
}

#[test]
fn json_may_be_written_in_many_ways() {
    let boot = Doc::new().set("boot", vec![Doc::new().set("dev", "hd")]);
    let expected = Doc::new().set("name", "7").set("memory", 1024).set("stateless", true).set("os", boot);
    for body in [
        r#"{"name":"7","memory":1024,"stateless":true,"os":{"boot":[{"dev":"hd"}]}}"#,
        r#"{"vm":{"name":7,"memory":"1024","stateless":"True","os":{"boot":{"dev":"HD"}},"host":null,"more":[1]}}"#,
        r#" {"name":"7","memory":1024.0,"stateless":1,"os":{"boot":[{"dev":"hd"},null]}} "#,
    ] {
        assert_eq!(read_json(body, &types::VM).as_ref(), Ok(&expected), "{body}");
    }
}

#[test]
fn one_of_several_types_is_told_by_its_root() {
    let defs: &[&'static TypeDef] = &[&types::STORAGE_DOMAIN, &types::ACTION];
    let root = |body: &str, format| parse_any(body.as_bytes(), format, defs).map(|(def, _)| def.element);
    assert_eq!(root("<action/>", Format::Xml), Ok("action"));
    assert_eq!(root("<storage_domain/>", Format::Xml), Ok("storage_domain"));
    assert_eq!(root(r#"{"action":{"force":true}}"#, Format::Json), Ok("action"));
    assert_eq!(root("{}", Format::Json), Ok("storage_domain"));
    let wrong = root("<vm/>", Format::Xml).expect_err("a vm is neither");
    assert_eq!(wrong.to_string(), "the root element is 'vm' where 'storage_domain|action' is expected");
}

#[test]
fn malformed_xml_is_refused() {
    for body in [
        "",
        "   ",
        "vm",
        "<vm>",
        "<vm><name>a</name>",
        "<vm><name>a</vm></name>",
        "<vm",
        "<vm/><vm/>",
        "<vm/>trailing",
        "<vm/><![CDATA[x]]>",
        "<vm a='1' a='2'/>",
        "<vm a='<'/>",
        "<vm><name>&unknown;</name></vm>",
        "<vm><unknown>&unknown;</unknown></vm>",
        "<vm><name>&#0;</name></vm>",
        "<vm><name>&#x1;</name></vm>",
        "<vm><name>&#+65;</name></vm>",
        "<vm id='&#8;'/>",
        "<vm><name>a\u{1}</name></vm>",
        "<vm><name>a & b</name></vm>",
        "<?xml version='1.0' encoding='UTF-16'?><vm/>",
        "<!DOCTYPE vm><vm/>",
        "<!DOCTYPE vm [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><vm><name>&b;</name></vm>",
    ] {
        let error = read_xml(body, &types::VM);
        assert!(matches!(error, Err(ReadError::Malformed { .. })), "{body}: {error:?}");
    }
    assert!(matches!(parse(b"<vm>\xff</vm>", Format::Xml, &types::VM), Err(ReadError::Malformed { position: 4, .. })));
}

#[test]
fn malformed_json_is_refused() {
    for body in ["", "{", "{\"name\":}", "{} {}", "{}x", "{\"name\":\"a\u{1}\"}", "{'a':1}"] {
        let error = read_json(body, &types::VM);
        assert!(matches!(error, Err(ReadError::Malformed { .. })), "{body}: {error:?}");
    }
    assert!(matches!(read_json("[]", &types::VM), Err(ReadError::WrongRoot { .. })));
    let escaped = read_json(r#"{"cluster":{"name":"\u0001"}}"#, &types::VM);
    assert!(matches!(&escaped, Err(ReadError::WrongCharacter { field }) if field == "cluster.name"), "{escaped:?}");
    let at = read_json("{\n  \"name\": x}", &types::VM);
    assert!(matches!(at, Err(ReadError::Malformed { position: 12, .. })), "{at:?}");
}

#[test]
fn depth_and_size_are_bounded() {
    let nested = |levels: usize| format!("<vm>{}{}</vm>", "<a>".repeat(levels), "</a>".repeat(levels));
    assert_eq!(read_xml(&nested(MAX_DEPTH - 1), &types::VM), Ok(Doc::new()));
    assert_eq!(read_xml(&nested(MAX_DEPTH), &types::VM), Err(ReadError::TooDeep));
    assert!(read_json(&format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)), &types::VM).is_err());
    let tag = |levels: usize| format!("{}{{}}{}", r#"{"parent":{"tag":"#.repeat(levels), "}}".repeat(levels));
    assert!(read_json(&tag(31), &types::TAG).is_ok());
    assert_eq!(read_json(&tag(32), &types::TAG), Err(ReadError::TooDeep));
    let large = vec![b' '; MAX_BODY + 1];
    assert_eq!(parse(&large, Format::Json, &types::VM), Err(ReadError::TooLarge { size: MAX_BODY + 1 }));
}

#[test]
fn values_of_the_wrong_type_name_their_field() {
    for (xml, json, expected) in [
        (
            "<vm><memory>much</memory></vm>",
            r#"{"memory":"much"}"#,
            "'much' is not an integer from -9223372036854775808 to 9223372036854775807, as memory must be",
        ),
        (
            "<vm><cpu><topology cores='3000000000'/></cpu></vm>",
            r#"{"cpu":{"topology":{"cores":3000000000}}}"#,
            "'3000000000' is not an integer from -2147483648 to 2147483647, as cpu.topology.cores must be",
        ),
        (
            "<vm><memory>99999999999999999999</memory></vm>",
            r#"{"memory":"99999999999999999999"}"#,
            "'99999999999999999999' is not an integer from -9223372036854775808 to 9223372036854775807, as memory must be",
        ),
        (
            "<vm><stateless>maybe</stateless></vm>",
            r#"{"stateless":"maybe"}"#,
            "'maybe' is not true or false, as stateless must be",
        ),
        ("<vm><os><boot dev='tape'/></os></vm>", r#"{"os":{"boot":[{"dev":"tape"}]}}"#, "tape is not a member of BootDevice"),
        ("<vm><name>a</name><name>b</name></vm>", r#"{"name":"a","name":"b"}"#, "name is given more than once"),
        ("<vm><host id='1'><id>1</id></host></vm>", r#"{"host":{"id":"1","id":"1"}}"#, "host.id is given more than once"),
        ("<vm><cpu/><cpu/></vm>", r#"{"cpu":{},"cpu":{}}"#, "cpu is given more than once"),
    ] {
        assert_eq!(message(read_xml(xml, &types::VM)), expected);
        assert_eq!(message(read_json(json, &types::VM)), expected);
    }
    assert_eq!(message(read_json(r#"{"cpu":"fast"}"#, &types::VM)), "'text' is not an object of class CPU, as cpu must be");
    assert_eq!(message(read_json(r#"{"name":{"a":1}}"#, &types::VM)), "'object' is not text, as name must be");
}

#[test]
fn a_name_outside_its_set_makes_the_fault_that_clients_know() {
    let error = read_xml("<disk><format>Qcow9</format></disk>", &types::DISK).expect_err("no such format");
    assert_eq!(
        error.fault(),
        Fault::new("Invalid value", "Qcow9 is not a member of DiskFormat. Possible values for DiskFormat are: cow, raw")
    );
    let cow = read_xml("<disk><format>COW</format></disk>", &types::DISK);
    assert_eq!(cow, Ok(Doc::new().set("format", "cow")));
}

proptest! {
    #[test]
    fn no_bytes_upset_the_readers(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, Format::Xml, &types::VM);
        let _ = parse(&bytes, Format::Json, &types::VM);
    }

    #[test]
    fn no_markup_upsets_the_readers(
        pieces in proptest::collection::vec(
            proptest::sample::select(vec![
                "<vm>", "</vm>", "<vm ", "id='1'", "/>", ">", "<name>", "</name>", "<![CDATA[", "]]>", "&amp;", "&#x",
                ";", "&", "<!--", "-->", "<?xml ", "?>", "<!DOCTYPE ", "[", "]", "{", "}", "\"vm\"", ":", ",", "\"",
                "\\u00", "1e9", "null", "<memory>", "é", "\r\n", "<", "'",
            ]),
            0..30,
        ),
    ) {
        let body = pieces.concat();
        let _ = parse(body.as_bytes(), Format::Xml, &types::VM);
        let _ = parse(body.as_bytes(), Format::Json, &types::VM);
    }

    #[test]
    fn any_text_is_carried(text in any::<String>(), control in "[\\x00-\\x1f]{0,4}\u{fffe}?\u{ffff}?") {
        let text = text + &control;
        let doc = Doc::new().set("id", text.as_str()).set("name", text.as_str());
        let kept: String = text
            .chars()
            .map(|c| match c {
                '\t' | '\n' | '\r' => c,
                '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
                _ => c,
            })
            .collect();
        for format in [Format::Xml, Format::Json] {
            let read = parse(&render(&types::VM, &doc, format), format, &types::VM);
            prop_assert_eq!(read, Ok(Doc::new().set("id", kept.as_str()).set("name", kept.as_str())));
        }
    }
}
