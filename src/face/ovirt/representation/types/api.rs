//! The entry point and the description of the API.

use super::common::VERSION;
use super::host::HOSTS;
use super::identity::USERS;
use super::storage::STORAGE_DOMAINS;
use super::vm::VMS;
use super::{fields, resource};
use crate::face::ovirt::representation::description::{TypeDef, attribute, boolean, date, group, groups, text};

/// The entry point: `<api>`.
pub static API: TypeDef = TypeDef {
    element: "api",
    plural: "",
    class: "API",
    fields: resource![
        group("special_objects", &SPECIAL_OBJECTS),
        group("product_info", &PRODUCT_INFO),
        group("summary", &API_SUMMARY),
        date("time"),
    ],
};

/// The description of the API: `<rsdl>`.
pub static RSDL: TypeDef = TypeDef {
    element: "rsdl",
    plural: "",
    class: "RSDL",
    fields: fields![
        attribute(text("href")),
        attribute(text("rel")),
        text("description"),
        group("version", &VERSION),
        group("schema", &SCHEMA),
        group("general", &GENERAL_METADATA),
        group("links", &DETAILED_LINKS),
    ],
};

pub(super) static LINK_CAPABILITIES: TypeDef =
    TypeDef { element: "linkCapabilities", plural: "", class: "LinkCapabilities", fields: fields![boolean("searchable")] };

pub(super) static DETAILED_LINK: TypeDef = TypeDef {
    element: "detailedLink",
    plural: "",
    class: "DetailedLink",
    fields: fields![
        attribute(text("href")),
        attribute(text("rel")),
        text("description"),
        group("request", &REQUEST),
        group("response", &RESPONSE),
        group("linkCapabilities", &LINK_CAPABILITIES),
    ],
};

pub(super) static DETAILED_LINKS: TypeDef =
    TypeDef { element: "detailedLinks", plural: "", class: "DetailedLinks", fields: fields![groups("link", &DETAILED_LINK)] };

pub(super) static SPECIAL_OBJECTS: TypeDef =
    TypeDef { element: "special_objects", plural: "", class: "SpecialObjects", fields: resource![] };

pub(super) static API_SUMMARY: TypeDef = TypeDef {
    element: "summary",
    plural: "",
    class: "ApiSummary",
    fields: fields![
        group("vms", &VMS),
        group("hosts", &HOSTS),
        group("users", &USERS),
        group("storage_domains", &STORAGE_DOMAINS),
    ],
};

pub(super) static PRODUCT_INFO: TypeDef = TypeDef {
    element: "product_info",
    plural: "",
    class: "ProductInfo",
    fields: resource![text("vendor"), group("version", &VERSION), text("full_version"),],
};

pub(super) static URL: TypeDef =
    TypeDef { element: "url", plural: "", class: "Url", fields: fields![groups("parameters_set", &PARAMETERS_SET)] };

pub(super) static BODY: TypeDef = TypeDef {
    element: "body",
    plural: "",
    class: "Body",
    fields: fields![attribute(boolean("required")), text("type"), groups("parameters_set", &PARAMETERS_SET),],
};

pub(super) static REQUEST: TypeDef = TypeDef {
    element: "request",
    plural: "",
    class: "Request",
    fields: fields![text("http_method"), group("headers", &HEADERS), group("url", &URL), group("body", &BODY),],
};

pub(super) static RESPONSE: TypeDef =
    TypeDef { element: "response", plural: "", class: "Response", fields: fields![text("type")] };

pub(super) static PARAMETER: TypeDef = TypeDef {
    element: "parameter",
    plural: "",
    class: "Parameter",
    fields: resource![
        attribute(boolean("required")),
        attribute(text("type")),
        attribute(text("context")),
        text("value"),
        group("parameters_set", &PARAMETERS_SET),
        boolean("deprecated"),
    ],
};

pub(super) static HEADER: TypeDef = TypeDef {
    element: "header",
    plural: "",
    class: "Header",
    fields: resource![attribute(boolean("required")), text("value"), boolean("deprecated"),],
};

pub(super) static HEADERS: TypeDef =
    TypeDef { element: "headers", plural: "", class: "Headers", fields: fields![groups("header", &HEADER)] };

pub(super) static PARAMETERS_SET: TypeDef = TypeDef {
    element: "parameters_set",
    plural: "",
    class: "ParametersSet",
    fields: fields![boolean("deprecated"), text("description"), groups("parameter", &PARAMETER),],
};

pub(super) static SCHEMA: TypeDef = TypeDef {
    element: "schema",
    plural: "",
    class: "Schema",
    fields: fields![attribute(text("href")), attribute(text("rel")), text("name"), text("description"),],
};

pub(super) static GENERAL_METADATA: TypeDef = TypeDef {
    element: "general_metadata",
    plural: "",
    class: "GeneralMetadata",
    fields: fields![
        attribute(text("href")),
        attribute(text("rel")),
        text("description"),
        group("request", &REQUEST),
        group("response", &RESPONSE),
        group("linkCapabilities", &LINK_CAPABILITIES),
        text("name"),
    ],
};
