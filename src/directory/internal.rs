//! The internal directory: users whose passwords are kept, hashed, in the log.

use std::sync::Arc;

use evirt_domain::World;
use evirt_domain::access::{INTERNAL, User};
use evirt_domain::ids::UserId;
use evirt_domain::world::NameKind;

/// The user's name with the domain, from what a client sends: `user@domain` or `domain\user`. None where it names no domain.
pub fn principal(typed: &str) -> Option<String> {
    let (name, domain) = match typed.split_once('@') {
        Some((name, domain)) => (name, domain),
        None => {
            let (domain, name) = typed.split_once('\\')?;
            (name, domain)
        }
    };
    (!name.is_empty() && !domain.is_empty()).then(|| format!("{name}@{domain}"))
}

/// The user of a principal. Other directories do not tell upper from lower case, the internal one does.
pub fn user<'a>(world: &'a World, principal: &str) -> Option<&'a Arc<User>> {
    let exact = world.exactly_named(NameKind::User, principal);
    let elsewhere = || world.resolve(NameKind::User, principal);
    let user = world.users.get(&UserId(exact.or_else(elsewhere)?))?;
    (exact.is_some() || user.domain != INTERNAL).then_some(user)
}

/// The user of a principal, where there is one who has a password.
pub fn find<'a>(world: &'a World, principal: &str) -> Option<(&'a Arc<User>, &'a Arc<str>)> {
    let user = user(world, principal)?;
    Some((user, user.password.as_ref()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_names_a_domain_before_or_behind() {
        for (typed, expected) in [
            ("admin@internal", Some("admin@internal")),
            ("internal\\admin", Some("admin@internal")),
            ("a@b@c", Some("a@b@c")),
            ("admin", None),
            ("@internal", None),
            ("admin@", None),
            ("", None),
        ] {
            assert_eq!(principal(typed).as_deref(), expected, "{typed:?}");
        }
    }
}
