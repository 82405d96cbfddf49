//! The time as logs and the `Date` field write it: one set of texts a thread, made anew once a second.

use std::cell::{Cell, RefCell};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::time::Instant;

thread_local! {
    static TEXTS: RefCell<Texts> = const { RefCell::new(Texts::EMPTY) };
}

thread_local! {
    static LAST: Cell<Option<Moment>> = const { Cell::new(None) };
}

/// A time, in nanoseconds since the program first asked for it: one number, so that times compare and subtract as
/// numbers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// The time that has passed since an earlier moment; none since a later one.
    pub const fn duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The time that has passed since, by a look at the clock.
    pub fn elapsed(self) -> Duration {
        now().duration_since(self)
    }

    /// Nanoseconds since [`epoch`].
    pub const fn nanos(self) -> u64 {
        self.0
    }
}

/// The moment 0.
pub fn epoch() -> Instant {
    started().0
}

/// The moment 0, and where the clock that is read stood then.
fn started() -> &'static (Instant, u64) {
    static STARTED: OnceLock<(Instant, u64)> = OnceLock::new();
    STARTED.get_or_init(|| (Instant::now(), nanos()))
}

/// The time of now; [`recent`] gives it again.
pub fn now() -> Moment {
    let started = started().1;
    let now = Moment(nanos().saturating_sub(started));
    LAST.set(Some(now));
    now
}

fn nanos() -> u64 {
    if cfg!(feature = "stoppable") { stoppable() } else { monotonic() }
}

/// The monotonic clock, at the cost of reading it: a difference of two `Instant`s takes as long again.
fn monotonic() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // It begins at 0, and five centuries fit.
    time.tv_sec.cast_unsigned().wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec.cast_unsigned())
}

/// The clock that tests may stop.
fn stoppable() -> u64 {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let since = Instant::now().saturating_duration_since(*FIRST.get_or_init(Instant::now));
    since.as_secs().saturating_mul(1_000_000_000) + u64::from(since.subsec_nanos())
}

/// The time that was last read in this thread: good where it was read for the same event, and free.
pub fn recent() -> Moment {
    LAST.get().unwrap_or_else(now)
}

/// The texts of the present second.
#[derive(Debug)]
pub struct Texts {
    /// When the wall clock was read last, and what it said.
    read: Option<(Moment, Duration)>,
    /// The time that is meant.
    at: Option<Moment>,
    /// From when on the texts are out of date.
    until: Option<Moment>,
    second: Option<u64>,
    local: String,
    iso8601: String,
    http_date: String,
}

/// Calls `read` with the texts of the time that was last read in this thread. They must not be asked for again
/// from within.
pub fn with<R>(read: impl FnOnce(&Texts) -> R) -> R {
    let at = recent();
    TEXTS.with_borrow_mut(|texts| {
        texts.move_to(at);
        read(texts)
    })
}

/// Calls `read` with the text of the `Date` field for now.
pub fn http_date<R>(read: impl FnOnce(&str) -> R) -> R {
    with(|now| read(now.http_date()))
}

impl Texts {
    const EMPTY: Self = Self {
        read: None,
        at: None,
        until: None,
        second: None,
        local: String::new(),
        iso8601: String::new(),
        http_date: String::new(),
    };

    /// Whole seconds since 1970.
    pub fn unix_seconds(&self) -> u64 {
        self.now().as_secs()
    }

    /// Seconds since 1970, with their fraction.
    pub fn seconds(&self) -> f64 {
        self.now().as_secs_f64()
    }

    /// The time since 1970.
    fn now(&self) -> Duration {
        match (self.read, self.at) {
            (Some((then, wall)), Some(at)) => wall + at.duration_since(then),
            _ => Duration::ZERO,
        }
    }

    /// As nginx's `$time_local`: `22/Nov/2026:14:44:23 +0000`.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// As nginx's `$time_iso8601`: `2026-11-22T14:44:23+00:00`.
    pub fn iso8601(&self) -> &str {
        &self.iso8601
    }

    /// As the `Date` field (RFC 9110 §5.6.7): `Sun, 22 Nov 2026 14:44:23 GMT`.
    pub fn http_date(&self) -> &str {
        &self.http_date
    }

    /// The wall clock is read once a second; in between the time passes with the other clock.
    fn move_to(&mut self, at: Moment) {
        self.at = Some(at);
        let is_current =
            |(then, _): (Moment, Duration)| at >= then && self.until.is_some_and(|until| at < until);
        if self.read.is_some_and(is_current) {
            return;
        }
        // A clock before 1970 reads as 1970.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.read = Some((at, wall));
        self.until = Some(Moment(at.0.saturating_add(u64::from(1_000_000_000 - wall.subsec_nanos()))));
        if self.second != Some(wall.as_secs()) {
            self.write(wall.as_secs(), &TimeZone::system());
        }
    }

    fn write(&mut self, second: u64, zone: &TimeZone) {
        self.second = Some(second);
        // A time past the year 9999 stays 1970.
        let time = i64::try_from(second).ok().and_then(|second| Timestamp::from_second(second).ok());
        let time = time.unwrap_or_default();
        let zoned = time.to_zoned(zone.clone());
        self.local = zoned.strftime("%d/%b/%Y:%H:%M:%S %z").to_string();
        self.iso8601 = zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        self.http_date = time.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::{TimeZone, offset};

    use super::*;

    #[test]
    fn one_second_has_three_texts() {
        let mut texts = Texts::EMPTY;
        texts.write(1_795_358_663, &TimeZone::fixed(offset(-3)));
        assert_eq!(texts.local(), "22/Nov/2026:11:44:23 -0300");
        assert_eq!(texts.iso8601(), "2026-11-22T11:44:23-03:00");
        assert_eq!(texts.http_date(), "Sun, 22 Nov 2026 14:44:23 GMT");
    }

    #[test]
    fn a_time_that_no_calendar_has_does_not_panic() {
        let mut texts = Texts::EMPTY;
        texts.write(u64::MAX, &TimeZone::UTC);
        assert_eq!(texts.http_date(), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn the_clock_that_programs_read_goes_as_instants_do() {
        let outer = std::time::Instant::now();
        let first = monotonic();
        let inner = std::time::Instant::now();
        while inner.elapsed() < Duration::from_millis(1) {}
        let least = inner.elapsed();
        let between = Duration::from_nanos(monotonic() - first);
        assert!(least <= between && between <= outer.elapsed(), "{least:?} {between:?}");
    }

    #[test]
    fn now_is_now() {
        with(|now| assert!(now.seconds() > 1.7e9 && now.http_date().ends_with("GMT")));
    }
}
