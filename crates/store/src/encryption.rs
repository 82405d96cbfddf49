//! Fields marked secret are sealed at rest, the way APISIX seals them.

use std::fmt;
use std::path::{Path, PathBuf};

use aws_lc_rs::cipher::{
    AES_128, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::secret_file;

/// The bytes of a key.
const KEY_LENGTH: usize = 16;

/// Keys that seal and open secret fields: AES-128 in CBC mode with PKCS #7 padding, the key itself as the
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
    bytes: [u8; KEY_LENGTH],
    seal: PaddedBlockEncryptingKey,
    open: PaddedBlockDecryptingKey,
}

impl Keyring {
    /// A keyring: the first key seals, every key opens. One without keys seals nothing: texts stay as they are.
    pub fn new(keys: &[[u8; KEY_LENGTH]]) -> Self {
        Self { keys: keys.iter().copied().map(Key::new).collect() }
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
    fn new(bytes: [u8; KEY_LENGTH]) -> Self {
        let unbound = || UnboundCipherKey::new(&AES_128, &bytes).expect("AES-128 takes any 16 bytes");
        Self {
            bytes,
            seal: PaddedBlockEncryptingKey::cbc_pkcs7(unbound()).expect("the key fits the cipher"),
            open: PaddedBlockDecryptingKey::cbc_pkcs7(unbound()).expect("the key fits the cipher"),
        }
    }

    fn seal(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        let context = EncryptionContext::Iv128(FixedLength::from(self.bytes));
        self.seal.less_safe_encrypt(&mut bytes, context).expect("padding makes every text whole blocks");
        STANDARD.encode(bytes)
    }

    fn open(&self, sealed: &[u8]) -> Option<String> {
        let mut bytes = sealed.to_vec();
        let context = DecryptionContext::Iv128(FixedLength::from(self.bytes));
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
    use super::Keyring;

    const DEFAULT: [u8; 16] = *b"qeddd145sfvddff3";
    const OTHER: [u8; 16] = *b"edd1c9f0985e76a2";

    #[test]
    fn it_seals_as_apisix_does() {
        let keyring = Keyring::new(&[DEFAULT]);
        assert_eq!(keyring.seal("MYKEY"), "zFiwEGkjgNpxScnnijHmyQ==");
        assert_eq!(keyring.open("zFiwEGkjgNpxScnnijHmyQ==").as_deref(), Some("MYKEY"));
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
        let keyring = Keyring::new(&[]);
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
