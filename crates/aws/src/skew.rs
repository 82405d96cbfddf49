//! How far the clock of an endpoint is from ours, learnt from the `Date` of an answer that refused a signature.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::signing::date::read_http_date;

/// How far apart two clocks may be, in seconds. AWS refuses signatures that are older or newer than five minutes.
const TOLERATED: u64 = 240;

/// For how long an endpoint's clock is not believed after a signature by it was refused as well, in seconds.
const DISTRUST: u64 = 60;

/// What has been learnt of one endpoint's clock.
///
/// It is kept for each endpoint: another one's may be right, and an answer may come from something in between
/// whose clock is wrong. So an offset is adopted only once a signature by it was not refused.
#[derive(Debug, Default)]
pub struct Skew {
    seconds: AtomicI64,
    distrusted_until: AtomicU64,
}

impl Skew {
    /// How many seconds the endpoint's clock is before ours; negative where it is behind.
    pub fn offset(&self) -> i64 {
        self.seconds.load(Ordering::Relaxed)
    }

    /// The offset by which a refused request is worth signing again: where the endpoint's clock, as it stands in
    /// the `Date` of the refusal, is more than four minutes from what was believed. `unix_seconds` is our time
    /// at the refusal. `None` as well for a minute after such an offset did not help.
    pub fn suspect(&self, date: &[u8], unix_seconds: u64) -> Option<i64> {
        if unix_seconds < self.distrusted_until.load(Ordering::Relaxed) {
            return None;
        }
        let theirs = read_http_date(date)?;
        let offset = i64::try_from(theirs).ok()?.checked_sub(i64::try_from(unix_seconds).ok()?)?;
        (offset.abs_diff(self.offset()) > TOLERATED).then_some(offset)
    }

    /// Takes on an offset that a request was signed with, and that was not refused.
    pub fn adopt(&self, offset: i64) {
        self.seconds.store(offset, Ordering::Relaxed);
    }

    /// Says that an offset did not help.
    pub fn distrust(&self, unix_seconds: u64) {
        self.distrusted_until.store(unix_seconds.saturating_add(DISTRUST), Ordering::Relaxed);
    }
}

/// A time moved by an offset.
pub fn shift(unix_seconds: u64, offset: i64) -> u64 {
    unix_seconds.saturating_add_signed(offset)
}

#[cfg(test)]
mod tests {
    use super::{DISTRUST, Skew, shift};

    const NOON: u64 = 1_440_938_160;
    const DATE: &[u8] = b"Sun, 30 Aug 2015 12:36:00 GMT";

    #[test]
    fn a_clock_within_four_minutes_is_right() {
        let skew = Skew::default();
        for seconds in [0, 60, 240] {
            assert_eq!(skew.suspect(DATE, NOON + seconds), None);
            assert_eq!(skew.suspect(DATE, NOON - seconds), None);
        }
        assert_eq!(skew.suspect(DATE, NOON + 241), Some(-241));
        assert_eq!(skew.suspect(DATE, NOON - 241), Some(241));
    }

    #[test]
    fn what_was_learnt_is_right_until_a_clock_is_set() {
        let skew = Skew::default();
        let ours = NOON - 3600;
        let offset = skew.suspect(DATE, ours).unwrap();
        assert_eq!(shift(ours, offset), NOON);
        skew.adopt(offset);
        assert_eq!((skew.offset(), skew.suspect(DATE, ours)), (3600, None));
        assert_eq!(skew.suspect(DATE, NOON), Some(0), "somebody has set our clock");
    }

    #[test]
    fn a_clock_that_did_not_help_is_not_asked_for_a_minute() {
        let skew = Skew::default();
        let ours = NOON - 3600;
        skew.distrust(ours);
        assert_eq!((skew.offset(), skew.suspect(DATE, ours + DISTRUST - 1)), (0, None));
        assert!(skew.suspect(DATE, ours + DISTRUST).is_some());
    }

    #[test]
    fn a_date_that_cannot_be_read_teaches_nothing() {
        assert_eq!(Skew::default().suspect(b"yesterday", NOON), None);
        assert_eq!(shift(5, -10), 0);
        assert_eq!(shift(u64::MAX, 10), u64::MAX);
    }
}
