//! A directory of users and groups behind LDAP. A password is verified by binding with it; nothing is kept but what the log holds of
//! users who were added or have logged in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use evirt_domain::access::{Account, User};
use evirt_domain::ids::{GroupId, UserId};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, Scope, SearchEntry, SearchOptions, ldap_escape};
use ring::digest;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::search::{Fields, GROUP_FIELDS, LOGIN, USER_FIELDS, Wanted, read};
use super::{LdapOptions, Refused, domain_id, passwords};

/// Connections to one server at once; further questions wait, no longer than the timeout.
pub const MAX_LDAP_CONNECTIONS: usize = 8;

/// Entries that one search of a directory gives.
pub const MAX_LDAP_ENTRIES: i32 = 1000;

/// How many times groups are asked for the groups that they belong to themselves.
pub const MAX_LDAP_NESTING: usize = 8;

/// How long a directory may take to answer, in seconds, unless the settings say otherwise.
pub const DEFAULT_LDAP_TIMEOUT_SECONDS: u32 = 10;

/// How often a directory is asked for the users that are known of it, in seconds, unless the settings say otherwise.
pub const DEFAULT_LDAP_REFRESH_SECONDS: u32 = 3_600;

/// Result codes of a bind that say the password is not good enough: wrong, expired, locked.
const REFUSED_BINDS: [u32; 6] = [19, 32, 48, 49, 50, 53];
const SIZE_LIMIT_EXCEEDED: u32 = 4;

/// A group of a directory.
#[derive(Clone, Debug, PartialEq)]
pub struct DirectoryGroup {
    /// The same for the same entry, always.
    pub id: GroupId,
    /// The domain and the way to the entry, as in `example.org/groups/staff`.
    pub name: String,
}

/// Why a directory did not answer a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The server cannot be reached, or refused the question.
    Unavailable(String),
    /// The search makes no sense.
    Search(String),
}

/// One directory.
pub struct LdapDirectory {
    /// Its name, as in `joe@example.org`.
    pub domain: String,
    /// Its identifier in the API.
    pub id: Uuid,
    options: LdapOptions,
    password: String,
    tls: Option<Arc<ClientConfig>>,
    connections: Semaphore,
}

impl std::fmt::Debug for LdapDirectory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LdapDirectory").field("domain", &self.domain).finish_non_exhaustive()
    }
}

impl LdapDirectory {
    /// A directory by its settings, which are checked; no connection is made yet.
    ///
    /// # Errors
    ///
    /// A setting is missing or contradicts another, by name; a file that is named cannot be read.
    pub fn new(options: LdapOptions) -> Result<Self> {
        let of = || format!("directory {:?}", options.domain);
        let name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if options.domain.is_empty() || !options.domain.chars().all(name) || options.domain == super::INTERNAL {
            bail!("{}: the domain has to be a name like example.org", of());
        }
        let (scheme, host) = options.url.split_once("://").unwrap_or_default();
        let host = host.trim_end_matches('/');
        if !matches!(scheme, "ldap" | "ldaps") || host.is_empty() || host.contains(['/', '@', '?', ' ']) {
            bail!("{}: the url has to be ldap://HOST[:PORT] or ldaps://HOST[:PORT]", of());
        }
        let loopback =
            ["127.0.0.1", "localhost", "[::1]"].iter().any(|own| host.split_once(own).is_some_and(|(b, _)| b.is_empty()));
        if scheme == "ldap" && !options.start_tls && !loopback && !options.plain_anywhere {
            bail!("{}: {} would send passwords in clear: use ldaps or start-tls, or say plain-anywhere", of(), options.url);
        }
        let password = match &options.bind_password_file {
            Some(path) => passwords::read(path)?,
            None => String::new(),
        };
        if options.bind_dn.is_empty() != password.is_empty() {
            bail!("{}: bind-dn and bind-password-file belong together", of());
        }
        if options.base.is_empty() {
            bail!("{}: the base is missing, as in dc=example,dc=org", of());
        }
        for filter in [&options.user_filter, &options.group_filter, &options.membership_filter] {
            if ldap3::parse_filter(filter.replace("{dn}", "x").replace("{name}", "x")).is_err() {
                bail!("{}: {filter:?} is no LDAP filter", of());
            }
        }
        let tls = options.ca_file.as_deref().map(trusting).transpose().with_context(of)?;
        Ok(Self {
            id: domain_id(&options.domain),
            domain: options.domain.clone(),
            options,
            password,
            tls,
            connections: Semaphore::new(MAX_LDAP_CONNECTIONS),
        })
    }

    /// Whether a password is right, and whose it is.
    ///
    /// # Errors
    ///
    /// `Credentials` where the name or the password is wrong; `Unavailable` where the directory does not answer.
    pub async fn verify(&self, name: &str, password: &str) -> Result<Account, Refused> {
        // A bind with an empty password is no bind as somebody: it succeeds whoever is named.
        if name.is_empty() || password.is_empty() {
            return Err(Refused::Credentials);
        }
        let verified = self.ask(async |ldap| {
            let Some((dn, account)) = self.one_user(ldap, &self.login_is(name)).await? else { return Ok(None) };
            let bound = ldap.simple_bind(&dn, password).await?;
            if bound.rc == 0 {
                return Ok(Some(account));
            }
            if REFUSED_BINDS.contains(&bound.rc) { Ok(None) } else { Err(ldap3::LdapError::from(bound)) }
        });
        match verified.await {
            Ok(account) => account.ok_or(Refused::Credentials),
            Err(why) => Err(Refused::Unavailable(why)),
        }
    }

    /// The user of a login name.
    ///
    /// # Errors
    ///
    /// The directory does not answer.
    pub async fn user_named(&self, name: &str) -> Result<Option<Account>, Failed> {
        let found = self.ask(async |ldap| self.one_user(ldap, &self.login_is(name)).await).await;
        found.map(|found| found.map(|(_, account)| account)).map_err(Failed::Unavailable)
    }

    /// The user of an identifier.
    ///
    /// # Errors
    ///
    /// The directory does not answer.
    pub async fn user(&self, id: UserId) -> Result<Option<Account>, Failed> {
        let found = self.ask(async |ldap| self.one_user(ldap, &self.id_is(id.0)).await).await;
        found.map(|found| found.map(|(_, account)| account)).map_err(Failed::Unavailable)
    }

    /// How often it is asked for the users that are known of it; none for never.
    pub fn refresh(&self) -> Option<Duration> {
        (self.options.refresh_seconds > 0).then(|| Duration::from_secs(self.options.refresh_seconds.into()))
    }

    /// What it tells now of a user whom it told of before; none where it says that it has nobody of that identifier any more. An entry that
    /// was removed and made anew is somebody else.
    ///
    /// # Errors
    ///
    /// The directory does not answer.
    pub async fn still_knows(&self, user: &User) -> Result<Option<Account>, Failed> {
        // Where entries have no identifier of their own, one is found by its name alone.
        let filter = format!("(&{}(|{}{}))", self.options.user_filter, self.id_is(user.id.0), self.login_is(&user.name));
        let found = self.ask(async |ldap| {
            let entries = self.search(ldap, &filter, MAX_LDAP_ENTRIES).await?;
            let Some(entry) = entries.iter().find(|entry| self.entry_id(entry) == user.id.0) else {
                return Ok((entries.len(), None));
            };
            let Some(mut account) = self.account(entry) else { return Ok((entries.len(), None)) };
            account.groups = self.groups_with(ldap, &entry.dn, &account.name).await?;
            Ok((entries.len(), Some(account)))
        });
        match found.await.map_err(Failed::Unavailable)? {
            (cut, None) if cut >= MAX_LDAP_ENTRIES as usize => {
                Err(Failed::Unavailable(format!("The directory {} has too many users of one name.", self.domain)))
            }
            (_, account) => Ok(account),
        }
    }

    /// The users that a search finds, without their groups.
    ///
    /// # Errors
    ///
    /// The directory does not answer, or makes no sense of the search.
    pub async fn users(&self, search: &str) -> Result<Vec<Account>, Failed> {
        let filter = self.filter(search, USER_FIELDS, &self.options.user_filter)?;
        let found = self.ask(async |ldap| self.search(ldap, &filter, MAX_LDAP_ENTRIES).await).await;
        Ok(found.map_err(Failed::Unavailable)?.iter().filter_map(|entry| self.account(entry)).collect())
    }

    /// The groups that a search finds.
    ///
    /// # Errors
    ///
    /// The directory does not answer, or makes no sense of the search.
    pub async fn groups(&self, search: &str) -> Result<Vec<DirectoryGroup>, Failed> {
        let filter = self.filter(search, GROUP_FIELDS, &self.options.group_filter)?;
        let found = self.ask(async |ldap| self.search(ldap, &filter, MAX_LDAP_ENTRIES).await).await;
        Ok(found.map_err(Failed::Unavailable)?.iter().map(|entry| self.group_of(entry)).collect())
    }

    /// The group of an identifier.
    ///
    /// # Errors
    ///
    /// The directory does not answer.
    pub async fn group(&self, id: GroupId) -> Result<Option<DirectoryGroup>, Failed> {
        let filter = format!("(&{}{})", self.options.group_filter, self.id_is(id.0));
        let found = self.ask(async |ldap| self.search(ldap, &filter, 2).await).await;
        Ok(found.map_err(Failed::Unavailable)?.iter().map(|entry| self.group_of(entry)).find(|group| group.id == id))
    }

    /// The group of a name, with or without the domain and the way before it, where there is exactly one.
    ///
    /// # Errors
    ///
    /// The directory does not answer.
    pub async fn group_named(&self, name: &str) -> Result<Option<DirectoryGroup>, Failed> {
        let last = name.rsplit('/').next().unwrap_or_default();
        let filter = format!("(&{}(cn={}))", self.options.group_filter, ldap_escape(last));
        let found =
            self.ask(async |ldap| self.search(ldap, &filter, MAX_LDAP_ENTRIES).await).await.map_err(Failed::Unavailable)?;
        let fits = |group: &DirectoryGroup| !name.contains('/') || group.name.eq_ignore_ascii_case(name);
        let mut fitting = found.iter().map(|entry| self.group_of(entry)).filter(fits);
        Ok(fitting.next().filter(|_| fitting.next().is_none()))
    }

    fn login_is(&self, name: &str) -> String {
        format!("({}={})", self.options.name_attribute, ldap_escape(name))
    }

    /// The filter for an identifier: as text, and as the bytes that Active Directory keeps.
    fn id_is(&self, id: Uuid) -> String {
        let bytes: String = id.to_bytes_le().iter().map(|byte| format!("\\{byte:02x}")).collect();
        let attribute = &self.options.id_attribute;
        match attribute.eq_ignore_ascii_case("objectGUID") {
            true => format!("({attribute}={bytes})"),
            false => format!("({attribute}={id})"),
        }
    }

    /// The filter of a search among entries of a kind.
    fn filter(&self, search: &str, fields: Fields, kind: &str) -> Result<String, Failed> {
        let wanted = read(&self.domain, search, fields).map_err(Failed::Search)?;
        Ok(match wanted {
            Wanted::All(none) if none.is_empty() => format!("(&{kind})"),
            wanted => format!("(&{kind}{})", self.terms(&wanted)),
        })
    }

    fn terms(&self, wanted: &Wanted) -> String {
        let all = |parts: &[Wanted]| parts.iter().map(|part| self.terms(part)).collect::<String>();
        match wanted {
            Wanted::All(parts) => format!("(&{})", all(parts)),
            Wanted::Any(parts) => format!("(|{})", all(parts)),
            Wanted::Not(part) => format!("(!{})", self.terms(part)),
            Wanted::Like(attributes, value) => {
                let pattern = value.split('*').map(ldap_escape).collect::<Vec<_>>().join("*");
                let one = |attribute: &&str| {
                    let attribute = if *attribute == LOGIN { &self.options.name_attribute } else { *attribute };
                    format!("({attribute}={pattern})")
                };
                format!("(|{})", attributes.iter().map(one).collect::<String>())
            }
        }
    }

    /// Asks the server something, as the user of the settings, within the timeout.
    async fn ask<T>(&self, question: impl AsyncFnOnce(&mut Ldap) -> Result<T, ldap3::LdapError>) -> Result<T, String> {
        let timeout = Duration::from_secs(self.options.timeout_seconds.into());
        let answered = tokio::time::timeout(timeout, async {
            let _turn = self.connections.acquire().await;
            let mut settings = LdapConnSettings::new().set_conn_timeout(timeout).set_starttls(self.options.start_tls);
            if let Some(tls) = &self.tls {
                settings = settings.set_config(tls.clone());
            }
            let (connection, mut ldap) = LdapConnAsync::with_settings(settings, &self.options.url).await?;
            let driver = tokio::spawn(async move { connection.drive().await });
            let answer = async {
                ldap.simple_bind(&self.options.bind_dn, &self.password).await?.success()?;
                question(&mut ldap).await
            };
            let answer = answer.await;
            let _ = ldap.unbind().await;
            driver.abort();
            answer
        });
        let why = match answered.await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", self.options.timeout_seconds),
        };
        tracing::warn!(domain = self.domain, error = why, "a directory cannot be asked");
        Err(format!("The directory {} cannot be asked just now. Please try again later.", self.domain))
    }

    async fn search(&self, ldap: &mut Ldap, filter: &str, most: i32) -> Result<Vec<SearchEntry>, ldap3::LdapError> {
        let named = [self.options.name_attribute.as_str(), self.options.id_attribute.as_str()];
        let known = ["cn", "givenName", "displayName", "sn", "mail", "departmentNumber", "department", "title"];
        let attributes: Vec<&str> = named.into_iter().chain(known).collect();
        ldap.with_search_options(SearchOptions::new().sizelimit(most));
        let found = ldap.search(&self.options.base, Scope::Subtree, filter, attributes).await?;
        if found.1.rc != SIZE_LIMIT_EXCEEDED {
            found.1.success()?;
        }
        Ok(found.0.into_iter().filter(|entry| !entry.is_ref() && !entry.is_intermediate()).map(SearchEntry::construct).collect())
    }

    /// The one user who fits a filter, with the groups that the directory has the user in.
    async fn one_user(&self, ldap: &mut Ldap, filter: &str) -> Result<Option<(String, Account)>, ldap3::LdapError> {
        let found = self.search(ldap, &format!("(&{}{filter})", self.options.user_filter), 2).await?;
        let [entry] = found.as_slice() else { return Ok(None) };
        let Some(mut account) = self.account(entry) else { return Ok(None) };
        account.groups = self.groups_with(ldap, &entry.dn, &account.name).await?;
        Ok(Some((entry.dn.clone(), account)))
    }

    /// The groups that an entry belongs to, by itself or by a group that belongs to another.
    async fn groups_with(&self, ldap: &mut Ldap, dn: &str, name: &str) -> Result<Vec<GroupId>, ldap3::LdapError> {
        let mut found: BTreeMap<String, GroupId> = BTreeMap::new();
        let mut members = vec![(dn.to_owned(), name.to_owned())];
        for _ in 0..MAX_LDAP_NESTING {
            let of = |(dn, name): &(String, String)| {
                let filter = self.options.membership_filter.replace("{dn}", &ldap_escape(dn.as_str()));
                filter.replace("{name}", &ldap_escape(name.as_str()))
            };
            let membership: String = members.iter().map(of).collect();
            let groups = self.search(ldap, &format!("(&{}(|{membership}))", self.options.group_filter), MAX_LDAP_ENTRIES).await?;
            let new = groups.iter().filter(|group| found.insert(group.dn.clone(), self.group_of(group).id).is_none());
            members = new.map(|group| (group.dn.clone(), attribute(group, "cn").unwrap_or_default().to_owned())).collect();
            if members.is_empty() || found.len() >= MAX_LDAP_ENTRIES as usize {
                break;
            }
        }
        Ok(found.into_values().collect())
    }

    fn account(&self, entry: &SearchEntry) -> Option<Account> {
        let text = |names: &[&str]| names.iter().find_map(|name| attribute(entry, name)).unwrap_or_default().to_owned();
        Some(Account {
            id: UserId(self.entry_id(entry)),
            name: attribute(entry, &self.options.name_attribute)?.to_owned(),
            domain: self.domain.clone(),
            first_name: text(&["givenName", "displayName", "cn"]),
            last_name: text(&["sn"]),
            department: text(&["departmentNumber", "department"]),
            title: text(&["title"]),
            email: text(&["mail"]),
            groups: Vec::new(),
        })
    }

    fn group_of(&self, entry: &SearchEntry) -> DirectoryGroup {
        DirectoryGroup { id: GroupId(self.entry_id(entry)), name: self.path(&entry.dn) }
    }

    /// The identifier of an entry: the directory's own, or where it has none, one made of the entry's name.
    fn entry_id(&self, entry: &SearchEntry) -> Uuid {
        let name = &self.options.id_attribute;
        let text = attribute(entry, name).and_then(|text| Uuid::parse_str(text).ok());
        let binary =
            entry.bin_attrs.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).and_then(|(_, values)| values.first());
        text.or_else(|| Uuid::from_slice_le(binary?).ok()).unwrap_or_else(|| {
            let hash = digest::digest(&digest::SHA256, format!("{}\0{}", self.domain, entry.dn.to_lowercase()).as_bytes());
            let bytes = hash.as_ref().first_chunk::<16>().expect("a SHA-256 hash is longer");
            uuid::Builder::from_custom_bytes(*bytes).into_uuid()
        })
    }

    /// The domain and the way to an entry, the base left out: `cn=staff,ou=groups,dc=example,dc=org` is `example.org/groups/staff`.
    fn path(&self, dn: &str) -> String {
        let (base, mut names) = (rdns(&self.options.base), rdns(dn));
        let below = names.len().saturating_sub(base.len());
        if names[below..].iter().zip(&base).all(|(one, other)| one.eq_ignore_ascii_case(other)) {
            names.truncate(below);
        }
        let values = names.iter().rev().map(|rdn| rdn.split_once('=').map_or(rdn.as_str(), |(_, value)| value));
        std::iter::once(self.domain.as_str()).chain(values).collect::<Vec<_>>().join("/")
    }
}

/// The first value of an attribute, whatever case its name comes back in.
fn attribute<'e>(entry: &'e SearchEntry, name: &str) -> Option<&'e str> {
    let (_, values) = entry.attrs.iter().find(|(own, _)| own.eq_ignore_ascii_case(name))?;
    values.first().map(String::as_str)
}

/// The parts of a distinguished name, escapes taken off.
fn rdns(dn: &str) -> Vec<String> {
    let (mut parts, mut rest) = (vec![Vec::new()], dn.as_bytes());
    while let [byte, tail @ ..] = rest {
        rest = tail;
        let last = parts.last_mut().expect("there is always one");
        match byte {
            b'\\' => {
                let hex = rest.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
                match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                    Some(escaped) => {
                        last.push(escaped);
                        rest = &rest[2..];
                    }
                    None => {
                        last.extend(rest.first());
                        rest = rest.get(1..).unwrap_or_default();
                    }
                }
            }
            b',' => parts.push(Vec::new()),
            b' ' if last.is_empty() => {}
            byte => last.push(*byte),
        }
    }
    parts.into_iter().map(|part| String::from_utf8_lossy(&part).into_owned()).collect()
}

/// TLS that trusts the authorities of a file, and no others.
fn trusting(path: &std::path::Path) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).with_context(|| format!("reading {}", path.display()))?;
    for certificate in certificates {
        roots.add(certificate.with_context(|| format!("reading {}", path.display()))?)?;
    }
    if roots.is_empty() {
        bail!("{} holds no certificate", path.display());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use super::super::search::MAX_DIRECTORY_SEARCH;
    use super::*;

    fn directory() -> LdapDirectory {
        let options = LdapOptions {
            domain: "example.org".into(),
            url: "ldap://127.0.0.1:1".into(),
            base: "dc=example,dc=org".into(),
            ..LdapOptions::default()
        };
        LdapDirectory::new(options).unwrap()
    }

    #[test]
    fn what_is_searched_for_cannot_leave_its_place_in_the_filter() {
        let directory = directory();
        assert_eq!(directory.login_is("*)(uid=*"), r"(uid=\2a\29\28uid=\2a)");
        let users = |search| directory.filter(search, USER_FIELDS, "(k=1)");
        assert_eq!(users("").unwrap(), "(&(k=1))");
        assert_eq!(users("usrname = jo*@example.org and lastname=a)(b").unwrap(), r"(&(k=1)(&(|(uid=jo*))(|(sn=a\29\28b))))");
        assert_eq!(users("lastname=\"van Dyk\"").unwrap(), "(&(k=1)(|(sn=van Dyk)))");
        let either = "(&(k=1)(&(!(|(title=Engineer)))(|(|(sn=Doe))(|(sn=Smith)))))";
        assert_eq!(users("title != Engineer and (lastname = Doe or lastname = Smith)").unwrap(), either);
        assert!(users("jo\\").unwrap().contains(r"(cn=jo\5c)"));
        for bad in [
            "password=x",
            "name=",
            "name>a",
            "vms.name=a",
            "name=a sortby name",
            "(name=a",
            &"x".repeat(MAX_DIRECTORY_SEARCH + 1),
        ] {
            assert!(matches!(users(bad), Err(Failed::Search(_))), "{bad}");
        }
    }

    #[test]
    fn a_group_is_called_by_the_way_to_it() {
        let directory = directory();
        assert_eq!(directory.path("cn=staff,ou=groups,DC=example,dc=org"), "example.org/groups/staff");
        assert_eq!(directory.path(r"cn=a\2cb\, c, ou=x ,dc=example,dc=org"), "example.org/x /a,b, c");
        assert_eq!(directory.path("cn=staff,dc=other"), "example.org/other/staff");
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let refused = |change: fn(&mut LdapOptions)| {
            let mut options = directory().options;
            change(&mut options);
            LdapDirectory::new(options).is_err()
        };
        assert!(refused(|o| o.domain = "internal".into()));
        assert!(refused(|o| o.url = "ldap://".into()));
        assert!(refused(|o| o.url = "http://x".into()));
        assert!(refused(|o| o.url = "ldap://example.org".into()));
        assert!(!refused(|o| o.url = "ldaps://example.org".into()));
        assert!(refused(|o| o.user_filter = "(uid=*".into()));
        assert!(refused(|o| o.base = String::new()));
        assert!(refused(|o| o.bind_dn = "cn=reader".into()));
        assert!(refused(|o| o.ca_file = Some("/dev/null".into())));
    }

    #[tokio::test]
    async fn an_empty_password_is_refused_before_anybody_is_asked() {
        assert!(matches!(directory().verify("joe", "").await, Err(Refused::Credentials)));
        assert!(matches!(directory().verify("joe", "x").await, Err(Refused::Unavailable(why)) if why.contains("example.org")));
    }
}
