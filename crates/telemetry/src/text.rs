//! Numbers, times and addresses as text, without the formatting machinery: each request writes a dozen of them.

use std::cell::RefCell;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Writes a few bytes: a call to copy two bytes costs more than they do.
#[inline]
pub fn short(out: &mut Vec<u8>, bytes: &[u8]) {
    match *bytes {
        [] => {}
        [a] => out.push(a),
        [a, b] => out.extend_from_slice(&[a, b]),
        [a, b, c] => out.extend_from_slice(&[a, b, c]),
        [a, b, c, d] => out.extend_from_slice(&[a, b, c, d]),
        _ => out.extend_from_slice(bytes),
    }
}

/// A few bytes with room behind them: all of it is written at once, and what is too much taken back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Piece {
    bytes: [u8; 8],
    len: u8,
}

impl Piece {
    /// Keeps up to eight bytes; `None` of more.
    pub fn new(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; 8];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self { bytes, len: u8::try_from(text.len()).ok()? })
    }

    /// Writes them behind what `out` holds.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>) {
        let end = out.len() + usize::from(self.len);
        out.extend_from_slice(&self.bytes);
        out.truncate(end);
    }
}

/// The digits of a number below a thousand, from the left.
#[derive(Clone, Copy)]
struct Digits {
    own: [u8; 3],
    /// How many those are.
    count: u8,
    /// With zeros before them.
    three: [u8; 3],
}

static BELOW_1000: [Digits; 1000] = {
    let mut table = [Digits { own: [b'0'; 3], count: 0, three: [b'0'; 3] }; 1000];
    let mut number = 0;
    while number < 1000 {
        let digits = [number / 100, number / 10 % 10, number % 10];
        let (first, count) = if number >= 100 {
            (0, 3)
        } else if number >= 10 {
            (1, 2)
        } else {
            (2, 1)
        };
        let mut at = 0;
        while at < 3 {
            table[number].three[at] = b"0123456789"[digits[at]];
            if at >= first {
                table[number].own[at - first] = table[number].three[at];
            }
            at += 1;
        }
        table[number].count = count;
        number += 1;
    }
    table
};

/// Writes a number in decimal.
#[inline]
pub fn decimal(out: &mut Vec<u8>, number: u64) {
    match BELOW_1000.get(usize::try_from(number).unwrap_or(usize::MAX)) {
        Some(Digits { own, count, .. }) => {
            let end = out.len() + usize::from(*count);
            out.extend_from_slice(own);
            out.truncate(end);
        }
        None => large(out, number),
    }
}

fn large(out: &mut Vec<u8>, number: u64) {
    decimal(out, number / 1000);
    out.extend_from_slice(&BELOW_1000[(number % 1000) as usize].three);
}

/// Writes a time in seconds with three decimals, as nginx's `$request_time`: `0.012`.
pub fn seconds(out: &mut Vec<u8>, time: Duration) {
    decimal(out, time.as_secs());
    let [a, b, c] = BELOW_1000[time.subsec_millis() as usize % 1000].three;
    out.extend_from_slice(&[b'.', a, b, c]);
}

thread_local! {
    /// The address that was written last: most are written again and again.
    static LAST: RefCell<Option<(SocketAddr, Vec<u8>)>> = const { RefCell::new(None) };
}

/// Writes an address with its port: `127.0.0.1:80`, `[::1]:80`.
pub fn address(out: &mut Vec<u8>, address: SocketAddr) {
    LAST.with_borrow_mut(|last| {
        if let Some((_, text)) = last.as_ref().filter(|(last, _)| *last == address) {
            out.extend_from_slice(text);
            return;
        }
        let start = out.len();
        write_address(out, address);
        *last = Some((address, out[start..].to_vec()));
    });
}

fn write_address(out: &mut Vec<u8>, address: SocketAddr) {
    let IpAddr::V4(ip) = address.ip() else {
        // Writing to memory cannot fail.
        let _ = write!(out, "{address}");
        return;
    };
    for (at, byte) in ip.octets().into_iter().enumerate() {
        if at > 0 {
            out.push(b'.');
        }
        decimal(out, u64::from(byte));
    }
    out.push(b':');
    decimal(out, u64::from(address.port()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for number in [0, 7, 10, 99, 100, 999, 1000, 1001, 4096, 10_010_010, u64::MAX] {
            assert_eq!(written(|out| decimal(out, number)), number.to_string());
        }
    }

    #[test]
    fn a_piece_is_written_as_it_is() {
        for text in ["", "a", "] \"", "12345678"] {
            assert_eq!(written(|out| Piece::new(text.as_bytes()).unwrap().write(out)), text);
        }
        assert!(Piece::new(b"123456789").is_none());
    }

    #[test]
    fn times_have_three_decimals() {
        assert_eq!(written(|out| seconds(out, Duration::from_micros(12_999))), "0.012");
        assert_eq!(written(|out| seconds(out, Duration::from_millis(61_230))), "61.230");
    }

    #[test]
    fn addresses_have_their_port() {
        for text in ["127.0.0.1:80", "10.255.0.9:65535", "10.255.0.9:65535", "[::1]:8080"] {
            assert_eq!(written(|out| address(out, text.parse().unwrap())), text);
        }
    }
}
