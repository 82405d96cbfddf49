//! Fields marked secret are sealed at rest, the way APISIX seals them.

use std::fmt;
use std::path::{Path, PathBuf};

use aws_lc_rs::cipher::{
    AES_128, AES_256, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::secret_file;

/// The bytes of a key that is made here.
const KEY_LENGTH: usize = 16;

/// A key, as it is written: 16 bytes are one of AES-128, 32 one of AES-256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SealingKey {
    /// Of AES-128.
    Aes128([u8; 16]),
    /// Of AES-256.
    Aes256([u8; 32]),
}

impl SealingKey {
    /// `None` of any other length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let short = bytes.try_into().map(Self::Aes128);
        short.or_else(|_| bytes.try_into().map(Self::Aes256)).ok()
    }
}

impl From<[u8; 16]> for SealingKey {
    fn from(bytes: [u8; 16]) -> Self {
        Self::Aes128(bytes)
    }
}

impl From<[u8; 32]> for SealingKey {
    fn from(bytes: [u8; 32]) -> Self {
        Self::Aes256(bytes)
    }
}

/// Keys that seal and open secret fields: AES in CBC mode with PKCS #7 padding, the first 16 bytes of the key as the
/// initialization vector, in base64. This is what APISIX writes, so that both can read one store.
pub struct Keyring {
    keys: Vec<Key>,
}

/// Why there is no keyring.
#[derive(Debug, thiserror::Error)]
#[error("the encryption key {} cannot be used: {reason}", path.display())]
pub struct KeyringError {
    path: PathBuf,
    reason: String,
}

struct Key {
    vector: [u8; 16],
    seal: PaddedBlockEncryptingKey,
    open: PaddedBlockDecryptingKey,
}

impl Keyring {
    /// A keyring: the first key seals, every key opens. One without keys seals nothing: texts stay as they are.
    pub fn new<K: Copy + Into<SealingKey>>(keys: &[K]) -> Self {
        Self { keys: keys.iter().map(|key| Key::new((*key).into())).collect() }
    }

    /// The keyring of `encryption.key` in the data directory: 32 hexadecimal digits. Where there is no such
    /// file, a random key is made and kept there with mode 0600.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, KeyringError> {
        let path = data_dir.join("encryption.key");
        let refuse = |reason: String| KeyringError { path: path.clone(), reason };
        let text = secret_file::load_or_create(&path, secret_file::random_hex::<KEY_LENGTH>)
            .map_err(|error| refuse(error.to_string()))?;
        let key = from_hex(&text).ok_or_else(|| refuse("it has to be 32 hexadecimal digits".to_owned()))?;
        Ok(Self::new(&[key]))
    }

    /// Whether it has a key to seal with.
    pub fn is_sealing(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Whether there are keys beside the one that it seals with.
    pub fn has_older(&self) -> bool {
        self.keys.len() > 1
    }

    /// Seals a text. It does not ask whether the text is sealed already.
    pub fn seal(&self, text: &str) -> String {
        self.keys.first().map_or_else(|| text.to_owned(), |key| key.seal(text))
    }

    /// Opens a sealed text; `None` if no key opens it.
    pub fn open(&self, sealed: &str) -> Option<String> {
        let bytes = STANDARD.decode(sealed).ok()?;
        self.keys.iter().find_map(|key| key.open(&bytes))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring of {} keys", self.keys.len())
    }
}

impl Key {
    fn new(key: SealingKey) -> Self {
        let (cipher, bytes) = match &key {
            SealingKey::Aes128(bytes) => (&AES_128, &bytes[..]),
            SealingKey::Aes256(bytes) => (&AES_256, &bytes[..]),
        };
        let unbound = || UnboundCipherKey::new(cipher, bytes).expect("the key has the cipher's length");
        Self {
            vector: *bytes.first_chunk().expect("a key has 16 bytes or more"),
            seal: PaddedBlockEncryptingKey::cbc_pkcs7(unbound()).expect("the key fits the cipher"),
            open: PaddedBlockDecryptingKey::cbc_pkcs7(unbound()).expect("the key fits the cipher"),
        }
    }

    fn seal(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        let context = EncryptionContext::Iv128(FixedLength::from(self.vector));
        self.seal.less_safe_encrypt(&mut bytes, context).expect("padding makes every text whole blocks");
        STANDARD.encode(bytes)
    }

    fn open(&self, sealed: &[u8]) -> Option<String> {
        let mut bytes = sealed.to_vec();
        let context = DecryptionContext::Iv128(FixedLength::from(self.vector));
        let opened = self.open.decrypt(&mut bytes, context).ok()?;
        String::from_utf8(opened.to_vec()).ok()
    }
}

fn from_hex(text: &str) -> Option<[u8; KEY_LENGTH]> {
    let digits: Vec<u32> = text.chars().map(|digit| digit.to_digit(16)).collect::<Option<_>>()?;
    let bytes = digits.chunks_exact(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]));
    bytes.collect::<Result<Vec<u8>, _>>().ok()?.try_into().ok().filter(|_| digits.len() == 2 * KEY_LENGTH)
}

#[cfg(test)]
mod tests {
    use super::{Keyring, SealingKey};

    const DEFAULT: [u8; 16] = *b"qeddd145sfvddff3";
    const OTHER: [u8; 16] = *b"edd1c9f0985e76a2";

    #[test]
    fn it_seals_as_apisix_does() {
        let keyring = Keyring::new(&[DEFAULT]);
        assert_eq!(keyring.seal("MYKEY"), "zFiwEGkjgNpxScnnijHmyQ==");
        assert_eq!(keyring.open("zFiwEGkjgNpxScnnijHmyQ==").as_deref(), Some("MYKEY"));
    }

    /// As `openssl enc -aes-256-cbc` does with the key and the first half of it.
    #[test]
    fn a_key_of_32_bytes_is_one_of_aes_256() {
        let long = *b"edd1c9f0985e76a2qeddd145sfvddff3";
        let keyring = Keyring::new(&[long]);
        assert_eq!(keyring.seal("text-to-seal"), "P9DraJ5EAjyE1LnFJE0LYg==");
        let both = Keyring::new(&[SealingKey::from(long), DEFAULT.into()]);
        assert_eq!(both.open("zFiwEGkjgNpxScnnijHmyQ==").as_deref(), Some("MYKEY"));
        assert!(SealingKey::from_bytes(b"too short").is_none());
    }

    #[test]
    fn every_length_comes_back() {
        let keyring = Keyring::new(&[DEFAULT]);
        for length in 0..70 {
            let text = "é".repeat(length);
            assert_eq!(keyring.open(&keyring.seal(&text)), Some(text));
        }
    }

    #[test]
    fn the_first_key_seals_and_every_key_opens() {
        let old = Keyring::new(&[DEFAULT]).seal("MYKEY");
        let both = Keyring::new(&[OTHER, DEFAULT]);
        assert_eq!(both.open(&old).as_deref(), Some("MYKEY"));
        assert_eq!(both.seal("MYKEY"), Keyring::new(&[OTHER]).seal("MYKEY"));
        assert_eq!(Keyring::new(&[OTHER]).open(&old), None);
    }

    #[test]
    fn what_was_never_sealed_does_not_open() {
        let keyring = Keyring::new(&[DEFAULT]);
        for text in ["", "MYKEY", "AAAA", "not base64!", "AAAAAAAAAAAAAAAAAAAAAA==", "zFiwEGkjgNpxScnnijHmyQ"]
        {
            assert_eq!(keyring.open(text), None, "{text:?}");
        }
    }

    #[test]
    fn without_keys_texts_stay_as_they_are() {
        let keyring = Keyring::new::<SealingKey>(&[]);
        assert!(!keyring.is_sealing());
        assert_eq!(keyring.seal("MYKEY"), "MYKEY");
        assert_eq!(keyring.open("zFiwEGkjgNpxScnnijHmyQ=="), None);
    }

    #[test]
    fn the_key_of_a_data_directory_stays() {
        let folder = tempfile::tempdir().unwrap();
        let sealed = Keyring::load_or_create(folder.path()).unwrap().seal("MYKEY");
        assert_eq!(Keyring::load_or_create(folder.path()).unwrap().open(&sealed).as_deref(), Some("MYKEY"));
    }

    #[test]
    fn a_spoilt_key_file_is_named_but_never_quoted() {
        let folder = tempfile::tempdir().unwrap();
        for spoilt in ["0123", "0123456789abcdef0123456789abcdeg", "0123456789abcdef0123456789abcdef0"] {
            std::fs::write(folder.path().join("encryption.key"), spoilt).unwrap();
            let error = Keyring::load_or_create(folder.path()).unwrap_err().to_string();
            assert!(error.contains("encryption.key") && error.contains("32 hexadecimal digits"), "{error}");
            assert!(!error.contains(spoilt), "{error}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", Keyring::new(&[DEFAULT])), "Keyring of 1 keys");
    }
}
