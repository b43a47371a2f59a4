//! Users, groups, roles, permissions and login sessions, and who may do what: the guide's chapters 19 to 22.

mod groups;
mod permissions;
mod rights;
mod roles;
mod sessions;
mod users;

use uuid::Uuid;

use crate::ids::*;

pub use groups::*;
pub use permissions::*;
pub use rights::*;
pub use roles::*;
pub use sessions::*;
pub use users::*;

/// The group that everybody belongs to.
pub const EVERYONE: GroupId = GroupId(Uuid::from_u128(0xeee0_0000_0000_0000_0000_1234_5678_9eee));
/// admin@internal.
pub const ADMIN: UserId = UserId(Uuid::from_u128(0xfdfc_627c_d875_11e0_90f0_83df_133b_58cc));
/// The built-in role SuperUser.
pub const SUPER_USER: RoleId = RoleId(Uuid::from_u128(1));
/// The directory whose users are kept in the log.
pub const INTERNAL: &str = "internal";
/// The most minutes a session may be idle.
pub const MAX_SESSION_TTL_MINUTES: u32 = 7 * 24 * 60;
/// Sessions that may be open at once for one user; the oldest is closed for a further one.
pub const MAX_SESSIONS_PER_USER: usize = 256;
