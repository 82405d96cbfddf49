//! Times as signatures write them: `20150830T123600Z`, and its first eight digits for the scope.

use super::SigningError;

const SECONDS_A_DAY: u64 = 86_400;
/// 10000-01-01, the first moment that needs a fifth digit.
const END: u64 = 253_402_300_800;
const DAYS_BEFORE_MONTH: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// A moment, written out.
#[derive(Clone, Copy)]
pub(super) struct Stamp {
    text: [u8; 16],
    day: u64,
}

impl Stamp {
    /// The moment this many seconds after 1970 began.
    pub(super) fn at(unix_seconds: u64) -> Result<Self, SigningError> {
        if unix_seconds >= END {
            return Err(SigningError::Time(unix_seconds));
        }
        let (day, second) = (unix_seconds / SECONDS_A_DAY, unix_seconds % SECONDS_A_DAY);
        let (year, month, day_of_month) = civil(day);
        let mut text = *b"00000000T000000Z";
        write(&mut text[0..4], year);
        write(&mut text[4..6], month);
        write(&mut text[6..8], day_of_month);
        write(&mut text[9..11], second / 3600);
        write(&mut text[11..13], second / 60 % 60);
        write(&mut text[13..15], second % 60);
        Ok(Self { text, day })
    }

    /// `20150830T123600Z`
    pub(super) fn date_time(&self) -> &str {
        std::str::from_utf8(&self.text).expect("digits, a T and a Z")
    }

    /// `20150830`
    pub(super) fn date(&self) -> &str {
        &self.date_time()[..8]
    }

    /// Days since 1970-01-01.
    pub(super) fn day(&self) -> u64 {
        self.day
    }
}

fn write(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789"[(number % 10) as usize];
        number /= 10;
    }
}

/// Year, month and day of the month, the latter two from 1.
fn civil(day: u64) -> (u64, u64, u64) {
    // 400 years have 146,097 days. The guess is right or, around New Year, one off.
    let mut year = 1970 + day * 400 / 146_097;
    if days_before_year(year) > day {
        year -= 1;
    } else if days_before_year(year + 1) <= day {
        year += 1;
    }
    let day_of_year = day - days_before_year(year);
    let starts_at = |month: usize| DAYS_BEFORE_MONTH[month] + u64::from(month >= 2 && is_leap(year));
    let month = (0..12).rev().find(|month| starts_at(*month) <= day_of_year).unwrap_or(0);
    (year, month as u64 + 1, day_of_year - starts_at(month) + 1)
}

/// The moment a `Date` field names, in seconds since 1970: `Sun, 30 Aug 2015 12:36:00 GMT`, the one form that
/// servers may send (RFC 9110 §5.6.7).
pub(crate) fn read_http_date(text: &[u8]) -> Option<u64> {
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        digits.iter().try_fold(0, |number, digit| {
            digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0'))
        })
    };
    let stands = |at: usize, part: &[u8]| text.get(at..at + part.len()) == Some(part);
    let is_form = text.len() == 29
        && stands(3, b", ")
        && [7, 11, 16].iter().all(|at| stands(*at, b" "))
        && [19, 22].iter().all(|at| stands(*at, b":"))
        && stands(25, b" GMT");
    let month = MONTHS.chunks_exact(3).position(|month| text.get(8..11) == Some(month))?;
    let (year, day) = (number(12, 16)?, number(5, 7)?);
    let (hour, minute, second) = (number(17, 19)?, number(20, 22)?, number(23, 25)?);
    if !is_form || year < 1970 || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let leap_day = u64::from(month >= 2 && is_leap(year));
    let days = days_before_year(year) + DAYS_BEFORE_MONTH[month] + leap_day + day - 1;
    Some(days * SECONDS_A_DAY + hour * 3600 + minute * 60 + second)
}

fn days_before_year(year: u64) -> u64 {
    let leap_days = |last: u64| last / 4 - last / 100 + last / 400;
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::{END, SECONDS_A_DAY, Stamp, is_leap, read_http_date};
    use crate::signing::SigningError;

    #[test]
    fn known_moments_are_written_as_calendars_have_them() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_440_938_160, "20150830T123600Z"),
            (1_709_164_800, "20240229T000000Z"),
            (1_735_689_599, "20241231T235959Z"),
            (1_735_689_600, "20250101T000000Z"),
            (4_107_542_400, "21000301T000000Z"),
            (END - 1, "99991231T235959Z"),
        ] {
            let stamp = Stamp::at(seconds).unwrap();
            assert_eq!(stamp.date_time(), text);
            assert_eq!((stamp.date(), stamp.day()), (&text[..8], seconds / SECONDS_A_DAY));
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let lengths =
            |year| [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let mut seconds = 0;
        for year in 1970..2371 {
            for (month, length) in (1..).zip(lengths(year)) {
                for day in 1..=length {
                    let stamp = Stamp::at(seconds).unwrap();
                    let number: u64 = stamp.date().parse().unwrap();
                    assert_eq!(number, year * 10_000 + month * 100 + day);
                    seconds += SECONDS_A_DAY;
                }
            }
        }
    }

    #[test]
    fn a_date_field_is_read_as_calendars_have_it() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sun, 30 Aug 2015 12:36:00 GMT", 1_440_938_160),
            ("Thu, 29 Feb 2024 00:00:00 GMT", 1_709_164_800),
            ("Tue, 31 Dec 2024 23:59:59 GMT", 1_735_689_599),
        ] {
            assert_eq!(read_http_date(text.as_bytes()), Some(seconds), "{text}");
        }
        for text in [
            "",
            "Sun, 30 Aug 2015 12:36:00",
            "Sunday, 30-Aug-15 12:36:00 GMT",
            "Sun Aug 30 12:36:00 2015",
            "Sun, 30 Aug 1969 12:36:00 GMT",
            "Sun, 00 Aug 2015 12:36:00 GMT",
            "Sun, 30 Aux 2015 12:36:00 GMT",
            "Sun, 30 Aug 2015 24:36:00 GMT",
            "Sun, 3é Aug 2015 12:36:00 GMT",
            "Sun, 30 Aug 2015 12:36:00 UTC",
        ] {
            assert_eq!(read_http_date(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_year_of_five_digits_is_refused() {
        assert_eq!(Stamp::at(END).err(), Some(SigningError::Time(END)));
        assert_eq!(Stamp::at(u64::MAX).err(), Some(SigningError::Time(u64::MAX)));
    }
}
