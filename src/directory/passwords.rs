//! Passwords: made up, read from files, hashed and checked with argon2id: slow by design, so off the runtime's threads and only a few at a time.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use anyhow::Context;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Hashes that are computed at once. Each takes 19 MiB and a core for tens of milliseconds: more would starve the requests that are no login.
pub const MAX_CONCURRENT_HASHES: usize = 2;

/// Logins that wait for their turn. Beyond, a login is refused at once, so that a flood of wrong passwords cannot pile up.
pub const MAX_WAITING_HASHES: usize = 256;

/// A hash that no password has, for logins by names that do not exist: they must take as long as wrong passwords.
static NOBODY: LazyLock<Arc<str>> = LazyLock::new(|| {
    let unknowable: [u8; 32] = rand::random();
    hash_now(&unknowable).into()
});

/// Too many logins wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// Where passwords are hashed.
#[derive(Debug)]
pub struct Passwords {
    running: Semaphore,
    waiting: Semaphore,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { running: Semaphore::new(MAX_CONCURRENT_HASHES), waiting: Semaphore::new(MAX_WAITING_HASHES) }
    }
}

/// The right to compute one hash.
#[derive(Debug)]
pub struct Turn<'a> {
    _running: SemaphorePermit<'a>,
    _waiting: SemaphorePermit<'a>,
}

impl Passwords {
    /// Waits for the right to compute a hash.
    ///
    /// # Errors
    ///
    /// Too many wait already.
    pub async fn turn(&self) -> Result<Turn<'_>, Busy> {
        let waiting = self.waiting.try_acquire().map_err(|_| Busy)?;
        let running = self.running.acquire().await.map_err(|_| Busy)?;
        Ok(Turn { _running: running, _waiting: waiting })
    }
}

impl Turn<'_> {
    /// Whether a password fits a hash in PHC form. No hash stands for a user that does not exist: it takes as long, and never fits.
    pub async fn verify(self, password: &str, hash: Option<Arc<str>>) -> bool {
        let password = password.to_owned();
        tokio::task::spawn_blocking(move || {
            let known = hash.is_some();
            let fits = verify_now(password.as_bytes(), &hash.unwrap_or_else(|| NOBODY.clone()));
            known && fits
        })
        .await
        .unwrap_or(false)
    }
}

/// The argon2id hash of a password in PHC form, with a salt of its own.
pub async fn hash(password: &str) -> Arc<str> {
    let password = password.to_owned();
    match tokio::task::spawn_blocking(move || hash_now(password.as_bytes())).await {
        Ok(hash) => hash.into(),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn hash_now(password: &[u8]) -> String {
    Argon2::default().hash_password(password).expect("the default parameters and the system's randomness serve").to_string()
}

fn verify_now(password: &[u8], hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
}

/// A password for somebody who has none yet: 120 random bits in letters that cannot be mistaken for each other.
pub fn generate() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let random: [u8; 24] = rand::random();
    let letters: Vec<char> = random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    letters.chunks(6).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// The password in a file: its first line.
///
/// # Errors
///
/// The file cannot be read.
pub fn read(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let passwords = Passwords::default();
        let hash = hash("secret").await;
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.turn().await.unwrap().verify("secret", Some(hash.clone())).await);
        assert!(!passwords.turn().await.unwrap().verify("Secret", Some(hash)).await);
        assert!(!passwords.turn().await.unwrap().verify("secret", None).await);
        assert!(!passwords.turn().await.unwrap().verify("secret", Some("no hash".into())).await);
    }

    #[test]
    fn generated_passwords_differ() {
        let (one, other) = (generate(), generate());
        assert_ne!(one, other);
        assert_eq!(one.len(), 27);
    }
}
