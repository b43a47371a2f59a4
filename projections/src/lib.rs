//! Read models folded from the log, the search language and paging. Pure: no I/O.

pub mod audit;
pub mod inventory;
pub mod search;
pub mod visible;

#[cfg(test)]
mod fixture;
