//! The dialects that clients speak; each turns requests into commands and read models into answers.

pub mod http;
pub mod ovirt;
