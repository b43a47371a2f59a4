//! Payloads: which a VM may have, for good and for a run.

use evirt_domain::vm_run::{RunOverrides, StartVm};

use super::*;

fn file(name: &str, bytes: usize) -> PayloadFile {
    PayloadFile { name: name.into(), content: "x".repeat(bytes) }
}

fn payload(kind: PayloadType, files: Vec<PayloadFile>) -> Payload {
    Payload { kind, volume: String::new(), files }
}

#[test]
fn payloads_have_their_limits() {
    let (story, mut estate) = (Story::installed(), estate());
    let (cd, floppy) = (PayloadType::CdRom, PayloadType::Floppy);
    let many = |count: usize| (0..count).map(|n| file(&format!("f{n}"), 1)).collect();
    let table: Vec<(Vec<Payload>, Option<Key>)> = vec![
        (vec![], None),
        (vec![payload(cd, vec![file("a", MAX_PAYLOAD_BYTES)]), payload(floppy, vec![file("a", 0)])], None),
        (vec![payload(cd, vec![file("a", 1)]), payload(cd, vec![file("b", 1)])], Some(PayloadTwice)),
        (vec![payload(cd, vec![file("a", MAX_PAYLOAD_BYTES + 1)])], Some(PayloadTooLarge)),
        (vec![payload(cd, vec![file("", 1)])], Some(PayloadFileName)),
        (vec![payload(cd, vec![file("a", 1), file("a", 1)])], Some(PayloadFileName)),
        (vec![payload(cd, vec![file("bell\u{7}", 1)])], Some(TextInvalid)),
        (vec![payload(cd, vec![file(&"x".repeat(MAX_PAYLOAD_NAME + 1), 1)])], Some(TextTooLong)),
        (vec![payload(cd, vec![])], Some(OutOfRange)),
        (vec![payload(cd, many(MAX_PAYLOAD_FILES))], None),
        (vec![payload(cd, many(MAX_PAYLOAD_FILES + 1))], Some(OutOfRange)),
    ];
    for (payloads, expected) in table {
        let changes = VmPatch { payloads: Some(payloads.clone()), ..named("vm") };
        assert_eq!(story.when(create(changes)).key(), expected, "{payloads:.100?}");
        let vm = estate.vm;
        let overrides = RunOverrides { payloads: Some(payloads.clone()), ..RunOverrides::default() };
        let start = StartVm { vm, overrides, once: true, host: None };
        assert_eq!(estate.when(start).key(), expected, "{payloads:.100?}");
    }
    let vm = estate.vm;
    let host = estate.host;
    let iso = estate.active_domain(host, "iso", DomainClass::Iso);
    estate.does(ReportDomainFiles { domain: iso, files: vec![DomainFile { name: "drivers.vfd".into(), size: 1 }] });
    let floppies = |name: &str, payloads| {
        let overrides = RunOverrides { floppy: Some(name.into()), payloads, ..RunOverrides::default() };
        StartVm { vm, overrides, once: true, host: None }
    };
    estate.when(floppies("other.vfd", None)).refused(IsoNotFound);
    estate.when(floppies("drivers.vfd", Some(vec![payload(floppy, vec![file("a", 1)])]))).refused(PayloadFloppyExceeded);
    estate.when(floppies("drivers.vfd", Some(vec![payload(cd, vec![file("a", 1)])]))).accepted();
}
