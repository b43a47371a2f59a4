//! Documents of the oVirt API: field descriptions, and reading and writing them as XML and JSON.
