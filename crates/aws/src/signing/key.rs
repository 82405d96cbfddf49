//! Signing keys, derived once for each secret, day, region and service, and kept by the thread that uses them.

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use super::date::Stamp;
use crate::credentials::Credentials;

/// How many keys a thread keeps; deriving one again costs about two microseconds.
const CAPACITY: usize = 128;

/// A bounded set of signing keys. They are wiped when they leave it.
#[derive(Default)]
pub(super) struct KeyCache {
    entries: Vec<Entry>,
    uses: u64,
}

struct Entry {
    fingerprint: [u8; 32],
    scope: Box<str>,
    day: u64,
    last_use: u64,
    key: hmac::Key,
}

impl KeyCache {
    /// The key for a scope (`20150830/us-east-1/lambda/aws4_request`) on the day of a moment.
    pub(super) fn key(&mut self, credentials: &Credentials, scope: &str, stamp: Stamp) -> &hmac::Key {
        self.uses += 1;
        let found = self.entries.iter().position(|entry| {
            entry.fingerprint == *credentials.fingerprint()
                && *entry.scope == *scope
                && entry.day == stamp.day()
        });
        let index = found.unwrap_or_else(|| self.derive(credentials, scope, stamp.day()));
        let entry = &mut self.entries[index];
        entry.last_use = self.uses;
        &entry.key
    }

    /// Adds a key in the place of those that will not be asked for again.
    fn derive(&mut self, credentials: &Credentials, scope: &str, day: u64) -> usize {
        // Yesterday's keys stay for whoever signs by a clock that is a little behind.
        self.entries.retain(|entry| entry.day + 1 >= day);
        if self.entries.len() >= CAPACITY {
            let oldest = (0..self.entries.len()).min_by_key(|index| self.entries[*index].last_use);
            self.entries.swap_remove(oldest.unwrap_or(0));
        }
        self.entries.push(Entry {
            fingerprint: *credentials.fingerprint(),
            scope: scope.into(),
            day,
            last_use: self.uses,
            key: derive(credentials.seed(), scope),
        });
        self.entries.len() - 1
    }
}

/// Each part of the scope is signed with the key that the part before gave.
fn derive(seed: &[u8], scope: &str) -> hmac::Key {
    let mut tag = Zeroizing::new([0; 32]);
    scope.split('/').fold(hmac::Key::new(hmac::HMAC_SHA256, seed), |key, part| {
        hmac::sign_to_buffer(&key, part.as_bytes(), &mut *tag).expect("the buffer holds a tag of 32 bytes");
        hmac::Key::new(hmac::HMAC_SHA256, &*tag)
    })
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;

    use super::{CAPACITY, KeyCache, derive};
    use crate::credentials::Credentials;
    use crate::signing::date::Stamp;

    const NOON: u64 = 1_440_936_000;
    const DAY: u64 = 86_400;

    fn credentials(secret: &str) -> Credentials {
        Credentials::new("AKID", secret, None).unwrap()
    }

    fn ask(keys: &mut KeyCache, secret: &str, region: &str, seconds: u64) -> Vec<u8> {
        let stamp = Stamp::at(seconds).unwrap();
        let scope = format!("{}/{region}/lambda/aws4_request", stamp.date());
        hmac::sign(keys.key(&credentials(secret), &scope, stamp), b"text").as_ref().to_vec()
    }

    #[test]
    fn a_key_is_derived_once_for_each_secret_day_and_scope() {
        let mut keys = KeyCache::default();
        let first = ask(&mut keys, "one", "us-east-1", NOON);
        assert_eq!(first, ask(&mut keys, "one", "us-east-1", NOON + 3600));
        assert_eq!(keys.entries.len(), 1);
        for other in [
            ask(&mut keys, "two", "us-east-1", NOON),
            ask(&mut keys, "one", "eu-west-1", NOON),
            ask(&mut keys, "one", "us-east-1", NOON + DAY),
        ] {
            assert_ne!(first, other);
        }
        assert_eq!(keys.entries.len(), 4);
    }

    #[test]
    fn the_key_changes_at_midnight_utc_and_not_a_second_before() {
        let mut keys = KeyCache::default();
        let midnight = NOON / DAY * DAY + DAY;
        let before = ask(&mut keys, "one", "us-east-1", midnight - 1);
        assert_eq!(before, ask(&mut keys, "one", "us-east-1", NOON));
        let after = ask(&mut keys, "one", "us-east-1", midnight);
        assert_ne!(before, after);
        let fresh = derive(b"AWS4one", "20150831/us-east-1/lambda/aws4_request");
        assert_eq!(after, hmac::sign(&fresh, b"text").as_ref());
    }

    #[test]
    fn keys_of_days_gone_by_leave() {
        let mut keys = KeyCache::default();
        ask(&mut keys, "one", "us-east-1", NOON);
        ask(&mut keys, "one", "us-east-1", NOON + DAY);
        ask(&mut keys, "one", "us-east-1", NOON + 2 * DAY);
        assert_eq!(keys.entries.len(), 2);
    }

    #[test]
    fn there_are_never_more_keys_than_the_bound_and_those_in_use_stay() {
        let mut keys = KeyCache::default();
        for number in 0..3 * CAPACITY {
            ask(&mut keys, &format!("secret {number}"), "us-east-1", NOON);
            ask(&mut keys, "busy", "us-east-1", NOON);
            assert!(keys.entries.len() <= CAPACITY);
        }
        let busy = credentials("busy");
        assert!(keys.entries.iter().any(|entry| entry.fingerprint == *busy.fingerprint()));
    }
}
