//! Signature Version 4a: one signature for many regions, by a key pair that is made from the secret key.

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Signature};
use zeroize::Zeroizing;

use super::SigningError;
use crate::credentials::Credentials;

pub(super) const ALGORITHM: &str = "AWS4-ECDSA-P256-SHA256";

/// The order of the curve P-256, less two (SP 800-186 §3.2.1.3): the largest candidate for a private key.
const LARGEST: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
    0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x4f,
];

/// How many pairs a thread keeps; making one again costs about a tenth of a millisecond.
const CAPACITY: usize = 32;

/// A bounded set of key pairs, for the credentials that were used last.
#[derive(Default)]
pub(super) struct PairCache {
    entries: Vec<Entry>,
    uses: u64,
}

struct Entry {
    fingerprint: [u8; 32],
    access_key: Box<str>,
    last_use: u64,
    pair: EcdsaKeyPair,
}

impl PairCache {
    /// Signs a text as the holder of the credentials.
    pub(super) fn sign(&mut self, credentials: &Credentials, text: &[u8]) -> Result<Signature, SigningError> {
        self.uses += 1;
        let found = self.entries.iter().position(|entry| {
            entry.fingerprint == *credentials.fingerprint() && *entry.access_key == *credentials.access_key()
        });
        let index = match found {
            Some(index) => index,
            None => self.add(credentials)?,
        };
        let entry = &mut self.entries[index];
        entry.last_use = self.uses;
        entry.pair.sign(&SystemRandom::new(), text).map_err(|_| SigningError::KeyPair)
    }

    fn add(&mut self, credentials: &Credentials) -> Result<usize, SigningError> {
        let pair = derive(credentials)?;
        if self.entries.len() >= CAPACITY {
            let oldest = (0..self.entries.len()).min_by_key(|index| self.entries[*index].last_use);
            self.entries.swap_remove(oldest.unwrap_or(0));
        }
        self.entries.push(Entry {
            fingerprint: *credentials.fingerprint(),
            access_key: credentials.access_key().into(),
            last_use: self.uses,
            pair,
        });
        Ok(self.entries.len() - 1)
    }
}

/// The key pair that AWS, too, makes from the secret (SP 800-108 in counter mode, over HMAC-SHA-256).
pub(super) fn derive(credentials: &Credentials) -> Result<EcdsaKeyPair, SigningError> {
    let secret = credentials.seed().strip_prefix(b"AWS4").unwrap_or_default();
    let seed = Zeroizing::new([b"AWS4A", secret].concat());
    let seed = hmac::Key::new(hmac::HMAC_SHA256, &seed);
    // A candidate is too large about once in four thousand million.
    let private = (1..=254).find_map(|counter| candidate(&seed, credentials.access_key(), counter));
    let private = private.ok_or(SigningError::KeyPair)?;
    let half = PrivateKey::from_private_key(&ECDH_P256, &*private).map_err(|_| SigningError::KeyPair)?;
    let public = half.compute_public_key().map_err(|_| SigningError::KeyPair)?;
    EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_ASN1_SIGNING, &*private, public.as_ref())
        .map_err(|_| SigningError::KeyPair)
}

fn candidate(seed: &hmac::Key, access_key: &str, counter: u8) -> Option<Zeroizing<[u8; 32]>> {
    let mut context = hmac::Context::with_key(seed);
    context.update(&1_u32.to_be_bytes());
    context.update(ALGORITHM.as_bytes());
    context.update(&[0]);
    context.update(access_key.as_bytes());
    context.update(&[counter]);
    context.update(&256_u32.to_be_bytes());
    let mut number = Zeroizing::new([0; 32]);
    number.copy_from_slice(context.sign().as_ref());
    (*number <= LARGEST).then(|| plus_one(number))
}

fn plus_one(mut number: Zeroizing<[u8; 32]>) -> Zeroizing<[u8; 32]> {
    for digit in number.iter_mut().rev() {
        let (sum, carries) = digit.overflowing_add(1);
        *digit = sum;
        if !carries {
            break;
        }
    }
    number
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::{CAPACITY, Credentials, LARGEST, PairCache, plus_one};

    #[test]
    fn a_pair_is_made_once_for_each_secret_and_access_key_and_there_is_a_bound() {
        let mut pairs = PairCache::default();
        let mut sign = |access_key: &str, secret: &str| {
            let credentials = Credentials::new(access_key, secret, None).unwrap();
            pairs.sign(&credentials, b"text").unwrap();
            pairs.entries.len()
        };
        assert_eq!([sign("A", "one"), sign("A", "one"), sign("B", "one"), sign("A", "two")], [1, 1, 2, 3]);
        for number in 0..2 * CAPACITY {
            assert!(sign("A", &format!("secret {number}")) <= CAPACITY);
            sign("A", "busy");
        }
        assert!(
            pairs.entries.iter().any(|entry| entry.last_use + 2 > pairs.uses && &*entry.access_key == "A")
        );
    }

    #[test]
    fn one_more_carries() {
        let mut number = [0; 32];
        number[30] = 0xff;
        number[31] = 0xff;
        let sum = plus_one(Zeroizing::new(number));
        assert_eq!(sum[29..], [1, 0, 0]);
        assert_eq!(plus_one(Zeroizing::new(LARGEST))[31], 0x50);
    }
}
