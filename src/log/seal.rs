//! Secrets in events: sealed with a key that lies beside the log and never in it. A copy of the log alone reveals none of them.
//!
//! The file holds one key after the other, the newest first: that one seals, and each opens what it has sealed. So a key is rotated without
//! touching what was sealed before, and is forgotten when nothing that is sealed needs it any more.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

/// The file's name below the data directory.
pub const FILE_NAME: &str = "secret.key";

/// How long a key is.
const KEY_BYTES: usize = 32;

/// How many keys a file holds at the most.
const MAX_KEYS: usize = 16;

/// What a sealed secret begins with. Another way to seal gets another number.
const PREFIX: &str = "sealed:v1:";

/// Seals and opens secrets.
pub struct Sealer {
    /// The newest first; never none.
    keys: Vec<LessSafeKey>,
    random: SystemRandom,
}

/// Why there is no sealer, or a secret cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key file cannot be read or made.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        error: io::Error,
    },
    /// The key file holds something else.
    #[error("{0} holds no keys: it must have 32 bytes for each")]
    NoKey(PathBuf),
    /// There are as many keys as there may be.
    #[error("{0} holds {MAX_KEYS} keys already: `evirt secrets prune` forgets those that are not needed")]
    TooMany(PathBuf),
    /// The key file can be read by others.
    #[error("{0} can be read by others than its owner: chmod 600 it, and consider the secrets known")]
    Exposed(PathBuf),
    /// The text is no sealed secret of a known version.
    #[error("this is no sealed secret")]
    NotSealed,
    /// Sealed with another key, or changed since.
    #[error("the secret was sealed with another key or has been changed")]
    WrongKey,
    /// The system gives no random numbers.
    #[error("no random numbers")]
    NoRandom,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// Reads the key below a data directory, and makes it where there is none.
    ///
    /// # Errors
    ///
    /// The key file cannot be read or made, holds something else, or can be read by others; the system gives no random numbers.
    pub fn open(data: &Path) -> Result<Self, SealError> {
        let path = data.join(FILE_NAME);
        let random = SystemRandom::new();
        let keys = match read_keys(&path)? {
            Some(keys) => keys,
            None => {
                let keys = vec![new_key(&random)?];
                write_keys(data, &path, &keys)?;
                keys
            }
        };
        Self::with(&path, &keys, random)
    }

    fn with(path: &Path, keys: &[[u8; KEY_BYTES]], random: SystemRandom) -> Result<Self, SealError> {
        let key = |bytes: &[u8; KEY_BYTES]| UnboundKey::new(&CHACHA20_POLY1305, bytes).map(LessSafeKey::new);
        let keys = keys.iter().map(key).collect::<Result<Vec<_>, _>>().map_err(|_| SealError::NoKey(path.to_owned()))?;
        Ok(Self { keys, random })
    }

    /// Puts a new key before those that there are. How many there are then.
    ///
    /// # Errors
    ///
    /// `TooMany`; else those of `open`.
    pub fn rotate(data: &Path) -> Result<usize, SealError> {
        let path = data.join(FILE_NAME);
        let mut keys = read_keys(&path)?.unwrap_or_default();
        if keys.len() >= MAX_KEYS {
            return Err(SealError::TooMany(path));
        }
        keys.insert(0, new_key(&SystemRandom::new())?);
        write_keys(data, &path, &keys)?;
        Ok(keys.len())
    }

    /// Forgets all keys but the newest and those that open one of these secrets. How many were forgotten.
    ///
    /// # Errors
    ///
    /// Those of `open`.
    pub fn prune(data: &Path, secrets: &[&str]) -> Result<usize, SealError> {
        let path = data.join(FILE_NAME);
        let keys = read_keys(&path)?.unwrap_or_default();
        let mut kept = Vec::new();
        for (n, key) in keys.iter().enumerate() {
            let alone = Self::with(&path, &[*key], SystemRandom::new())?;
            if n == 0 || secrets.iter().any(|secret| alone.unseal(secret).is_ok()) {
                kept.push(*key);
            }
        }
        if kept.len() < keys.len() {
            write_keys(data, &path, &kept)?;
        }
        Ok(keys.len() - kept.len())
    }

    /// Seals a secret: `sealed:v1:` and the base64 of the nonce and the ciphertext. The nonce is random, so that equal secrets look unlike.
    ///
    /// # Errors
    ///
    /// `NoRandom`; `NotSealed` where the cipher takes no text so long.
    pub fn seal(&self, plain: &str) -> Result<String, SealError> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| SealError::NoRandom)?;
        let mut sealed = plain.as_bytes().to_vec();
        let aad = Aad::from(PREFIX.as_bytes());
        // It fails only for a plaintext of many gigabytes.
        self.keys[0]
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .map_err(|_| SealError::NotSealed)?;
        Ok(format!("{PREFIX}{}", STANDARD_NO_PAD.encode([nonce.as_slice(), &sealed].concat())))
    }

    /// The secret that was sealed.
    ///
    /// # Errors
    ///
    /// `NotSealed` where the text is no sealed secret; `WrongKey` where another key sealed it, or it has been changed.
    pub fn unseal(&self, text: &str) -> Result<String, SealError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(SealError::NotSealed)?;
        let bytes = STANDARD_NO_PAD.decode(encoded).map_err(|_| SealError::NotSealed)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN).ok_or(SealError::NotSealed)?;
        for key in &self.keys {
            // What a key that does not fit leaves of the text is of no use to the next.
            let mut tried = sealed.to_vec();
            let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::NotSealed)?;
            if let Ok(plain) = key.open_in_place(nonce, Aad::from(PREFIX.as_bytes()), &mut tried) {
                return String::from_utf8(plain.to_vec()).map_err(|_| SealError::WrongKey);
            }
        }
        Err(SealError::WrongKey)
    }

    /// Whether a text is a sealed secret.
    pub fn is_sealed(text: &str) -> bool {
        text.starts_with(PREFIX)
    }
}

/// Whether there is a key below a data directory.
pub fn exists(data: &Path) -> bool {
    data.join(FILE_NAME).exists()
}

fn read_keys(path: &Path) -> Result<Option<Vec<[u8; KEY_BYTES]>>, SealError> {
    let failed = |error| SealError::Io { path: path.to_owned(), error };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
            return Err(SealError::Exposed(path.to_owned()));
        }
    }
    let mut bytes = Vec::new();
    file.take((KEY_BYTES * MAX_KEYS) as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.as_chunks::<KEY_BYTES>() {
        (keys, []) if !keys.is_empty() => Ok(Some(keys.to_vec())),
        _ => Err(SealError::NoKey(path.to_owned())),
    }
}

fn new_key(random: &SystemRandom) -> Result<[u8; KEY_BYTES], SealError> {
    let mut key = [0; KEY_BYTES];
    random.fill(&mut key).map_err(|_| SealError::NoRandom)?;
    Ok(key)
}

/// Writes keys under another name first: a half-written one would lock up all secrets that it sealed.
fn write_keys(data: &Path, path: &Path, keys: &[[u8; KEY_BYTES]]) -> Result<(), SealError> {
    let failed = |error| SealError::Io { path: path.to_owned(), error };
    let unfinished = path.with_extension("key.new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished).map_err(failed)?;
    file.write_all(keys.as_flattened()).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&unfinished, path).and_then(|()| File::open(data)?.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_opened_after_a_restart() {
        let data = tempfile::tempdir().unwrap();
        let sealer = Sealer::open(data.path()).unwrap();
        let sealed = sealer.seal("geheim").unwrap();
        assert!(Sealer::is_sealed(&sealed) && !sealed.contains("geheim"));
        assert_ne!(sealed, sealer.seal("geheim").unwrap());
        assert_eq!(Sealer::open(data.path()).unwrap().unseal(&sealed).unwrap(), "geheim");
        assert_eq!(sealer.unseal(&sealer.seal("").unwrap()).unwrap(), "");
    }

    #[test]
    fn another_key_or_another_text_opens_nothing() {
        let (data, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sealer = Sealer::open(data.path()).unwrap();
        let sealed = sealer.seal("geheim").unwrap();
        assert!(matches!(Sealer::open(elsewhere.path()).unwrap().unseal(&sealed), Err(SealError::WrongKey)));
        for text in ["", "geheim", "sealed:v1:", "sealed:v1:AAAA", "sealed:v2:AAAA", "sealed:v1:!"] {
            assert!(matches!(sealer.unseal(text), Err(SealError::NotSealed)), "{text}");
        }
        let at = PREFIX.len() + 20;
        let other = if &sealed[at..=at] == "A" { "B" } else { "A" };
        let changed = format!("{}{other}{}", &sealed[..at], &sealed[at + 1..]);
        assert!(matches!(sealer.unseal(&changed), Err(SealError::WrongKey)));
    }

    #[test]
    fn a_rotated_key_opens_what_it_sealed_until_nothing_needs_it() {
        let data = tempfile::tempdir().unwrap();
        let old = Sealer::open(data.path()).unwrap().seal("alt").unwrap();
        assert_eq!(Sealer::rotate(data.path()).unwrap(), 2);
        let new = Sealer::open(data.path()).unwrap().seal("neu").unwrap();
        assert_eq!(Sealer::prune(data.path(), &[&old, &new]).unwrap(), 0);
        let sealer = Sealer::open(data.path()).unwrap();
        assert_eq!((sealer.unseal(&old).unwrap(), sealer.unseal(&new).unwrap()), ("alt".into(), "neu".into()));
        assert_eq!(Sealer::prune(data.path(), &[&new]).unwrap(), 1);
        let sealer = Sealer::open(data.path()).unwrap();
        assert!(sealer.unseal(&old).is_err() && sealer.unseal(&new).is_ok());
        for _ in 1..MAX_KEYS {
            Sealer::rotate(data.path()).unwrap();
        }
        assert!(matches!(Sealer::rotate(data.path()), Err(SealError::TooMany(_))));
        Sealer::open(data.path()).unwrap();
    }

    #[test]
    fn a_damaged_key_is_never_replaced() {
        let data = tempfile::tempdir().unwrap();
        Sealer::open(data.path()).unwrap();
        let path = data.path().join(FILE_NAME);
        std::fs::write(&path, b"short").unwrap();
        assert!(matches!(Sealer::open(data.path()), Err(SealError::NoKey(_))));
        assert_eq!(std::fs::read(&path).unwrap(), b"short");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_the_key() {
        use std::os::unix::fs::PermissionsExt;
        let data = tempfile::tempdir().unwrap();
        Sealer::open(data.path()).unwrap();
        let path = data.path().join(FILE_NAME);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Sealer::open(data.path()), Err(SealError::Exposed(_))));
    }
}
