//! Read models folded from the log, the search language and paging. Pure: no I/O.

pub mod audit;
pub mod search;

#[cfg(test)]
mod fixture;
