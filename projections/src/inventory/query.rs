//! What is listed: which rows, in which order, and which page of them.

use uuid::Uuid;

use crate::search::{Entity, Filter, Order, Plan};

/// How many rows a page has where nothing is said.
pub const DEFAULT_PAGE_SIZE: usize = 100;
/// The most rows of a page, whatever is asked for; the rest is on the pages behind it.
pub const MAX_PAGE_SIZE: usize = 10_000;

/// Where a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Behind so many rows.
    Offset(usize),
    /// Behind the row of this identifier. It need not match any more: what counts is where it would stand now.
    After(Uuid),
}

/// A page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where it begins.
    pub start: Start,
    /// The most rows; beyond [`MAX_PAGE_SIZE`] none are listed.
    pub max: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self::first(DEFAULT_PAGE_SIZE)
    }
}

impl Page {
    /// The first page of this size.
    pub fn first(max: usize) -> Self {
        Self { start: Start::Offset(0), max }
    }

    /// The page behind the row of an identifier.
    pub fn after(marker: impl Into<Uuid>, max: usize) -> Self {
        Self { start: Start::After(marker.into()), max }
    }

    /// The first page of the size that a client asked for: none is the default, and a negative one as much as there may be.
    pub fn of(max: Option<i64>) -> Self {
        Self::first(match max {
            None => DEFAULT_PAGE_SIZE,
            Some(max) => usize::try_from(max).unwrap_or(MAX_PAGE_SIZE).min(MAX_PAGE_SIZE),
        })
    }
}

/// What is listed.
#[derive(Clone, Debug)]
pub struct Query {
    /// Which rows.
    pub filter: Filter,
    /// In which order.
    pub order: Order,
    /// Which of these.
    pub page: Page,
}

impl Query {
    /// The first page of all rows of an entity, in their usual order.
    pub fn everything(entity: Entity) -> Self {
        Self { filter: Filter::everything(entity), order: Order::usual(entity), page: Page::default() }
    }

    /// What a search asks for, in pages of the size that was asked for beside it.
    pub fn searched(plan: Plan, page: Page) -> Self {
        let max = page.max.min(MAX_PAGE_SIZE);
        let start = Start::Offset(plan.range(max).start);
        Self { filter: plan.filter, order: plan.order, page: Page { start, max } }
    }
}

/// The marker that a page should begin behind is of nothing that is there to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is nothing of the identifier {0} to go on from")]
pub struct UnknownMarker(pub Uuid);
