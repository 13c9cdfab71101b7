//! Ed25519 signatures in the form of the `minisign` tool: it checks what is signed here, and what it
//! signs is accepted here, prehashed (`ED`) and legacy (`Ed`). The trusted comment is verified with it.

use std::fmt;
use std::io::Cursor;

use ct_codecs::{Base64, Decoder as _};
use minisign::{ErrorKind, KeyPair, PError, PublicKeyBox, SecretKey, SecretKeyBox, SignatureBox};

use super::EditionError;

/// A signature is four short lines; a longer file is not read.
pub const MAX_SIGNATURE_BYTES: u64 = 4 * 1024;
/// 74 bytes: algorithm, key id, signature.
const SIGNATURE_CHARS: usize = 100;
/// 64 bytes. The crate takes slices of it unchecked, so its length is checked here.
const COMMENT_SIGNATURE_CHARS: usize = 88;

/// A public key; shown and parsed as the one line that `minisign` prints (`RW...`).
#[derive(Clone, PartialEq)]
pub struct PublicKey(minisign::PublicKey);

impl PublicKey {
    /// Reads a key: a whole `.pub` file, or its second line alone.
    ///
    /// # Errors
    /// It is no public key of minisign.
    pub fn parse(text: &str) -> Result<PublicKey, EditionError> {
        let wrong = |reason: String| EditionError::Key {
            reason: format!(
                "no minisign public key ({reason}); expected two lines, the second beginning with RW"
            ),
        };
        let text = text.trim();
        let key = if text.lines().count() > 1 {
            PublicKeyBox::from_string(text).and_then(PublicKeyBox::into_public_key)
        } else {
            minisign::PublicKey::from_base64(text)
        };
        key.map(PublicKey).map_err(|error| wrong(error.to_string()))
    }

    /// Its number, 16 hexadecimal digits, as `minisign` prints it.
    pub fn id(&self) -> String {
        id(self.0.keynum())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_base64())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The number is stored with its lowest byte first.
fn id(number: &[u8]) -> String {
    number
        .iter()
        .rev()
        .map(|byte| format!("{byte:02X}"))
        .collect()
}

/// A verified signature.
#[derive(Clone, Debug, PartialEq)]
pub struct Signed {
    /// The key that it is of.
    pub key: PublicKey,
    /// What the signer wrote beside it, under the signature.
    pub comment: String,
}

/// Checks `signature` (the text of a `.minisig` file) of `content` against `keys`.
///
/// # Errors
/// [`EditionError::Refused`]: it is no signature, of no key in `keys`, or not of this content.
pub fn verify(
    content: &[u8],
    signature: &[u8],
    keys: &[PublicKey],
) -> Result<Signed, EditionError> {
    let wrong = |reason: &str| EditionError::Refused(format!("the signature {reason}"));
    if signature.is_empty() {
        return Err(wrong(
            "is missing: an edition must be signed by a trusted key",
        ));
    }
    if signature.len() as u64 > MAX_SIGNATURE_BYTES {
        return Err(wrong(&format!(
            "has {} bytes, at most {MAX_SIGNATURE_BYTES} are read",
            signature.len()
        )));
    }
    let text = std::str::from_utf8(signature).map_err(|_| wrong("is no text"))?;
    let length_of = |line: usize| text.lines().nth(line).map_or(0, |line| line.trim().len());
    if length_of(1) != SIGNATURE_CHARS || length_of(3) != COMMENT_SIGNATURE_CHARS {
        return Err(wrong("is not in the four lines that minisign writes"));
    }
    let parsed = SignatureBox::from_string(text)
        .map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    // One spelling only: base64 has bits that decoders pass over.
    let written = parsed.to_string();
    let mut pairs = text.lines().zip(written.lines()).skip(1).take(3);
    if !pairs.all(|(given, canonical)| given.trim_end() == canonical) {
        return Err(wrong("is not written as minisign writes it"));
    }
    let number = id(parsed.keynum());
    let known = |key: &&PublicKey| key.0.keynum() == parsed.keynum();
    let mut reason = format!("is of the key {number}, which this box does not trust");
    for key in keys.iter().filter(known) {
        // Quiet, no copy of the data; the legacy form is as safe for a manifest of bounded length.
        match minisign::verify(&key.0, &parsed, Cursor::new(content), true, false, true) {
            Ok(()) => {
                let comment = parsed
                    .trusted_comment()
                    .map_err(|error| wrong(&format!("has a broken comment: {error}")))?;
                return Ok(Signed {
                    key: key.clone(),
                    comment,
                });
            }
            Err(error) => reason = format!("by {number} does not fit the manifest: {error}"),
        }
    }
    Err(wrong(&reason))
}

/// How the secret key is kept.
#[derive(Clone, Debug)]
pub enum Password {
    /// Asked for on the terminal.
    Ask,
    /// This one.
    Given(String),
    /// None: the file alone is the key.
    None,
}

/// A new key pair as the texts of the public and the secret key file.
///
/// # Errors
/// The system gives no random numbers, or no password could be asked for.
pub fn generate(password: Password) -> Result<(String, String), EditionError> {
    let pair = match password {
        Password::Ask => KeyPair::generate_encrypted_keypair(None),
        Password::Given(password) => KeyPair::generate_encrypted_keypair(Some(password)),
        Password::None => KeyPair::generate_unencrypted_keypair(),
    };
    let texts = pair.and_then(|pair| {
        let public = pair.pk.to_box()?.into_string();
        Ok((public, pair.sk.to_box(None)?.into_string()))
    });
    texts.map_err(|error| EditionError::Key {
        reason: format!("no key could be made: {error}"),
    })
}

/// Signs `content` with the text of a secret key file; the text of the `.minisig` file.
///
/// # Errors
/// The key cannot be read or its password is wrong.
pub fn sign(
    content: &[u8],
    secret: &str,
    password: Password,
    comment: &str,
) -> Result<String, EditionError> {
    let opened = SecretKeyBox::from_string(secret).and_then(|key| match password {
        Password::Ask => key.into_secret_key(None),
        Password::Given(password) => key.into_secret_key(Some(password)),
        Password::None => unencrypted(&key.into_string()),
    });
    let signed = opened.and_then(|key| {
        let note = "signature of an Almanac edition";
        // With the public half it is checked at once, so a damaged key signs nothing.
        let public = minisign::PublicKey::from_secret_key(&key)?;
        let content = Cursor::new(content);
        minisign::sign(Some(&public), &key, content, Some(comment), Some(note))
    });
    signed
        .map(SignatureBox::into_string)
        .map_err(|error| EditionError::Key {
            reason: format!("cannot sign with this secret key: {error}"),
        })
}

/// Opens a secret key without a password. The crate wants a checksum; the tool leaves it empty in such
/// keys, so only what the crate writes itself would be read by its own function.
fn unencrypted(text: &str) -> Result<SecretKey, PError> {
    let wrong = |reason: &str| PError::new(ErrorKind::Io, reason.to_owned());
    let line = text.lines().nth(1).unwrap_or_default().trim();
    let bytes = Base64::decode_to_vec(line, None)?;
    // Algorithm of the signature, then that of the encryption: two zero bytes stand for none.
    if bytes.get(2..4) != Some(&[0, 0]) {
        return Err(wrong("it is encrypted; leave --no-password out"));
    }
    SecretKey::from_bytes(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (PublicKey, String) {
        let (public, secret) = generate(Password::None).expect("random numbers");
        (PublicKey::parse(&public).expect("our own"), secret)
    }

    #[test]
    fn what_is_signed_is_verified_with_its_comment() {
        let (key, secret) = pair();
        let text = sign(b"abc", &secret, Password::None, "spring").expect("signed");
        let signed = verify(b"abc", text.as_bytes(), &[pair().0, key.clone()]).expect("right");
        assert_eq!(signed.comment, "spring");
        assert_eq!(signed.key, key);
        assert_eq!(PublicKey::parse(&key.to_string()).expect("one line"), key);
    }

    #[test]
    fn a_password_protects_the_key() {
        let (public, secret) = generate(Password::Given("hay".into())).expect("random numbers");
        let right = sign(b"abc", &secret, Password::Given("hay".into()), "x").expect("signed");
        let key = PublicKey::parse(&public).expect("our own");
        assert!(verify(b"abc", right.as_bytes(), &[key]).is_ok());
        assert!(sign(b"abc", &secret, Password::Given("straw".into()), "x").is_err());
    }

    #[test]
    fn every_flipped_bit_of_the_content_and_of_the_signature_is_found() {
        let (key, secret) = pair();
        let content = b"serial = 7".to_vec();
        let text = sign(&content, &secret, Password::None, "spring").expect("signed");
        let keys = [key];
        for at in 0..content.len() * 8 {
            let mut flipped = content.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            assert!(
                verify(&flipped, text.as_bytes(), &keys).is_err(),
                "bit {at}"
            );
        }
        // The first line is a note that nobody vouches for.
        let first = text.find('\n').expect("four lines") + 1;
        for at in first * 8..text.trim_end().len() * 8 {
            let mut flipped = text.clone().into_bytes();
            flipped[at / 8] ^= 1 << (at % 8);
            let verified = verify(&content, &flipped, &keys);
            assert!(verified.is_err(), "bit {at}: {verified:?}");
        }
    }

    #[test]
    fn no_cut_or_stuffed_signature_panics() {
        let (key, secret) = pair();
        let text = sign(b"abc", &secret, Password::None, "spring").expect("signed");
        for end in 0..text.trim_end().len() {
            assert!(verify(b"abc", &text.as_bytes()[..end], std::slice::from_ref(&key)).is_err());
        }
        let short = "untrusted comment: x\n".to_owned()
            + text.lines().nth(1).unwrap_or_default()
            + "\ntrusted comment: x\nAAAA\n";
        assert!(verify(b"abc", short.as_bytes(), std::slice::from_ref(&key)).is_err());
        assert!(verify(b"abc", &vec![b'a'; 1 << 20], &[key]).is_err());
        assert!(PublicKey::parse("RWnonsense").is_err());
        assert!(PublicKey::parse("").is_err());
    }
}
