//! The settings of a directory, as the file of settings has them.

use std::path::PathBuf;

use serde::Deserialize;

use super::ldap::{DEFAULT_LDAP_REFRESH_SECONDS, DEFAULT_LDAP_TIMEOUT_SECONDS};

/// A directory behind LDAP: one `[[directory]]` of the file. The defaults are for OpenLDAP.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct LdapOptions {
    /// What its users have behind the `@`.
    pub domain: String,
    /// `ldap://HOST[:PORT]` or `ldaps://HOST[:PORT]`.
    pub url: String,
    /// Whether `ldap://` goes over to TLS before anything else is said.
    pub start_tls: bool,
    /// Certificates in PEM that the server's has to be issued by, instead of those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// Allows to send passwords in clear to a server that is not this machine.
    pub plain_anywhere: bool,
    /// As whom to search; without it nobody.
    pub bind_dn: String,
    /// File whose first line is the password of that.
    pub bind_password_file: Option<PathBuf>,
    /// Below what to search, as in `dc=example,dc=org`.
    pub base: String,
    /// Which entries are users.
    pub user_filter: String,
    /// Which entries are groups.
    pub group_filter: String,
    /// Which groups a user is in; `{dn}` and `{name}` stand for the user's.
    pub membership_filter: String,
    /// The attribute that is the login name.
    pub name_attribute: String,
    /// The attribute that never changes: `entryUUID`, or Active Directory's `objectGUID`.
    pub id_attribute: String,
    /// How long the server may take to answer.
    pub timeout_seconds: u32,
    /// How often it is asked for the users that are known of it; 0 for never.
    pub refresh_seconds: u32,
}

impl Default for LdapOptions {
    fn default() -> Self {
        Self {
            domain: String::new(),
            url: String::new(),
            start_tls: false,
            ca_file: None,
            plain_anywhere: false,
            bind_dn: String::new(),
            bind_password_file: None,
            base: String::new(),
            user_filter: "(|(objectClass=inetOrgPerson)(objectClass=posixAccount))".into(),
            group_filter: "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))".into(),
            membership_filter: "(|(member={dn})(uniqueMember={dn})(memberUid={name}))".into(),
            name_attribute: "uid".into(),
            id_attribute: "entryUUID".into(),
            timeout_seconds: DEFAULT_LDAP_TIMEOUT_SECONDS,
            refresh_seconds: DEFAULT_LDAP_REFRESH_SECONDS,
        }
    }
}
