//! The small languages of single values: nginx's times and sizes, addresses, names mapped to addresses.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

use super::read::{Place, Readable};

/// No time in the settings is longer: adding it to a clock's reading has to be possible.
const LONGEST: Duration = Duration::from_hours(24 * 365);

/// A number of bytes, or no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

/// A name and port that stand for an address, as `curl --resolve` has it: `HOST:PORT:ADDRESS[:PORT]`. An
/// IPv6 address stands in brackets where a port follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolve {
    /// The name, in lower case.
    pub(crate) host: String,
    /// The port it is asked for on.
    pub(crate) port: u16,
    /// Where it is.
    pub(crate) address: IpAddr,
    /// The port there; the one it is asked for on if none was given.
    pub(crate) to_port: u16,
}

impl Resolve {
    /// What is asked for, and where it is.
    pub(crate) fn pin(&self) -> ((String, u16), SocketAddr) {
        ((self.host.clone(), self.port), SocketAddr::new(self.address, self.to_port))
    }
}

impl FromStr for Resolve {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = || {
            let (host, rest) = text.split_once(':')?;
            let (port, target) = rest.split_once(':')?;
            let port = port.parse().ok()?;
            let (address, to_port) = target_of(target)?;
            let host = host.to_ascii_lowercase();
            (!host.is_empty()).then_some(Self { host, port, address, to_port: to_port.unwrap_or(port) })
        };
        parts().ok_or_else(|| format!("{text} is not HOST:PORT:ADDRESS or HOST:PORT:ADDRESS:PORT"))
    }
}

/// An address, perhaps with a port behind it.
fn target_of(text: &str) -> Option<(IpAddr, Option<u16>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        let port = match rest.strip_prefix(':') {
            Some(port) => Some(port.parse().ok()?),
            None if rest.is_empty() => None,
            None => return None,
        };
        return Some((IpAddr::V6(address.parse().ok()?), port));
    }
    if let Ok(address) = text.parse() {
        return Some((address, None));
    }
    let (address, port) = text.split_once(':')?;
    Some((address.parse().ok()?, Some(port.parse().ok()?)))
}

impl Readable for Resolve {
    fn read(place: &Place<'_>) -> Option<Self> {
        let resolve = place.text().and_then(|text| text.parse().ok());
        resolve.or_else(|| place.refuse("HOST:PORT:ADDRESS or HOST:PORT:ADDRESS:PORT"))
    }
}

impl Readable for IpAddr {
    fn read(place: &Place<'_>) -> Option<Self> {
        let address = place.text().and_then(|text| text.trim_matches(['[', ']']).parse().ok());
        address.or_else(|| place.refuse("an IP address"))
    }
}

impl Readable for IpNet {
    fn read(place: &Place<'_>) -> Option<Self> {
        let range = |text: &str| {
            text.parse().ok().or_else(|| text.parse().ok().map(|address: IpAddr| address.into()))
        };
        place.text().and_then(range).or_else(|| place.refuse("a range of addresses such as 10.0.0.0/8"))
    }
}

impl Readable for Duration {
    fn read(place: &Place<'_>) -> Option<Self> {
        let seconds = place.number().map(|seconds| Some(Duration::from_secs(seconds)));
        match seconds.unwrap_or_else(|| place.text().and_then(time)) {
            Some(time) if time > LONGEST => place.complain("is longer than a year"),
            Some(time) => Some(time),
            None => place.refuse("a time such as 60s"),
        }
    }
}

impl Readable for Size {
    fn read(place: &Place<'_>) -> Option<Self> {
        let size = place.number().or_else(|| place.text().and_then(size));
        size.map(Size).or_else(|| place.refuse("a size such as 16k"))
    }
}

/// nginx's times: `60s`, `500ms`, `1h 30m`; a number alone is of seconds.
fn time(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut sum = Duration::ZERO;
    while {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let count: u64 = rest[..digits].parse().ok()?;
        let after = &rest[digits..];
        let letters = after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let part = match &after[..letters] {
            "ms" => Duration::from_millis(count),
            unit => Duration::from_secs(count.checked_mul(seconds_in(unit)?)?),
        };
        sum = sum.checked_add(part)?;
        rest = after[letters..].trim_start();
        !rest.is_empty()
    } {}
    Some(sum)
}

fn seconds_in(unit: &str) -> Option<u64> {
    match unit {
        "" | "s" => Some(1),
        "m" => Some(60),
        "h" => Some(60 * 60),
        "d" => Some(24 * 60 * 60),
        "w" => Some(7 * 24 * 60 * 60),
        _ => None,
    }
}

/// nginx's sizes: bytes, or `16k`, `1m`, `2g`.
pub(super) fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match &text[digits.len()..] {
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Resolve, size, time};

    #[test]
    fn times_are_written_as_nginx_writes_them() {
        let millis = |text| time(text).map(|time: Duration| time.as_millis());
        assert_eq!(millis("60s"), Some(60_000));
        assert_eq!(millis("500ms"), Some(500));
        assert_eq!(millis("1m"), Some(60_000));
        assert_eq!(millis("1h 30m"), Some(5_400_000));
        assert_eq!(millis("1m30s"), Some(90_000));
        assert_eq!(millis("7"), Some(7_000));
        for wrong in ["", "s", "-1s", "1.5s", "1x", "1 s", "99999999999999999999s", "99999999999999999d", "é"]
        {
            assert_eq!(millis(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_are_written_as_nginx_writes_them() {
        assert_eq!(size("0"), Some(0));
        assert_eq!(size("16k"), Some(16_384));
        assert_eq!(size("1M"), Some(1_048_576));
        for wrong in ["", "k", "1.5m", "1kb", "-1", "99999999999999999999", "18446744073709551615k"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_are_mapped_as_curl_maps_them() {
        let resolve = |text: &str| {
            text.parse::<Resolve>().map(|to| format!("{}:{} {}:{}", to.host, to.port, to.address, to.to_port))
        };
        assert_eq!(resolve("A.example:443:127.0.0.1:8443").unwrap(), "a.example:443 127.0.0.1:8443");
        assert_eq!(resolve("a.example:443:127.0.0.1").unwrap(), "a.example:443 127.0.0.1:443");
        assert_eq!(resolve("a.example:443:[::1]:8443").unwrap(), "a.example:443 ::1:8443");
        assert_eq!(resolve("a.example:443:[::1]").unwrap(), "a.example:443 ::1:443");
        assert_eq!(resolve("a.example:443:::1").unwrap(), "a.example:443 ::1:443");
        for wrong in [
            "",
            "a",
            "a:1",
            "a:1:",
            ":1:127.0.0.1",
            "a:x:127.0.0.1",
            "a:1:b",
            "a:1:127.0.0.1:x",
            "a:1:[::1]8",
        ] {
            let error = resolve(wrong).unwrap_err();
            assert!(error.contains("HOST:PORT:ADDRESS"), "{error}");
        }
    }
}
