//! The public key of a certificate as OpenSSH writes keys: what clients add to `authorized_keys` to let the engine in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

/// What the key is called at the end of its line.
const COMMENT: &str = "evirt";

/// The curves that OpenSSH knows: by the length of a point in bytes, their names.
const CURVES: &[(usize, &str)] = &[(65, "nistp256"), (97, "nistp384"), (133, "nistp521")];
/// The length of a key of Ed25519, in bytes.
const ED25519_BYTES: usize = 32;

/// The public key of a certificate in DER as a line of OpenSSH; none where OpenSSH has no keys of its kind.
pub fn public_key(certificate: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let (kind, blob) = match certificate.public_key().parsed().ok()? {
        PublicKey::RSA(key) => ("ssh-rsa".to_owned(), [number(key.exponent), number(key.modulus)].concat()),
        PublicKey::EC(point) => {
            let point = point.data();
            let (_, curve) = CURVES.iter().find(|(bytes, _)| *bytes == point.len())?;
            (format!("ecdsa-sha2-{curve}"), [string(curve.as_bytes()), string(point)].concat())
        }
        PublicKey::Unknown(key) if key.len() == ED25519_BYTES => ("ssh-ed25519".to_owned(), string(key)),
        _ => return None,
    };
    let blob = [string(kind.as_bytes()), blob].concat();
    Some(format!("{kind} {} {COMMENT}\n", STANDARD.encode(blob)))
}

/// Bytes behind their length, as the protocol of SSH has them.
fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or_default();
    [&length.to_be_bytes()[..], bytes].concat()
}

/// A positive number as the protocol has it: as short as can be, and never with the sign's bit set.
fn number(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let bare = &bytes[start..];
    match bare.first() {
        Some(first) if first & 0x80 != 0 => string(&[&[0], bare].concat()),
        _ => string(bare),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_as_openssh_reads_it() {
        for (algorithm, kind, bytes) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, "ecdsa-sha2-nistp256", 104),
            (&rcgen::PKCS_ECDSA_P384_SHA384, "ecdsa-sha2-nistp384", 136),
            (&rcgen::PKCS_ED25519, "ssh-ed25519", 51),
        ] {
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
            let line = public_key(certificate.der()).unwrap();
            let words: Vec<&str> = line.split_whitespace().collect();
            let blob = STANDARD.decode(words[1]).unwrap();
            assert_eq!((words[0], words[2], blob.len()), (kind, COMMENT, bytes));
            assert!(blob.windows(kind.len()).any(|part| part == kind.as_bytes()));
        }
        assert_eq!(public_key(b"none"), None);
    }

    #[test]
    fn numbers_keep_their_sign() {
        assert_eq!(number(&[0, 0, 1, 0, 1]), [0, 0, 0, 3, 1, 0, 1]);
        assert_eq!(number(&[0x80]), [0, 0, 0, 2, 0, 0x80]);
    }
}
