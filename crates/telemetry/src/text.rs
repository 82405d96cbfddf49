//! Numbers, times and addresses as text, without the formatting machinery: each request writes a dozen of them.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Writes a few bytes one by one: a call to copy two bytes costs more than they do.
pub fn short(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        out.push(*byte);
    }
}

/// Writes a number in decimal.
pub fn decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10).to_le_bytes()[0];
        number /= 10;
        if number == 0 {
            break;
        }
    }
    short(out, &digits[at..]);
}

/// Writes a time in seconds with three decimals, as nginx's `$request_time`: `0.012`.
pub fn seconds(out: &mut Vec<u8>, time: Duration) {
    let milliseconds = time.subsec_millis();
    decimal(out, time.as_secs());
    let digit = |number: u32| b'0' + (number % 10).to_le_bytes()[0];
    out.extend_from_slice(&[b'.', digit(milliseconds / 100), digit(milliseconds / 10), digit(milliseconds)]);
}

/// Writes an address with its port: `127.0.0.1:80`, `[::1]:80`.
pub fn address(out: &mut Vec<u8>, address: SocketAddr) {
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
        for number in [0, 7, 10, 4096, u64::MAX] {
            assert_eq!(written(|out| decimal(out, number)), number.to_string());
        }
    }

    #[test]
    fn times_have_three_decimals() {
        assert_eq!(written(|out| seconds(out, Duration::from_micros(12_999))), "0.012");
        assert_eq!(written(|out| seconds(out, Duration::from_millis(61_230))), "61.230");
    }

    #[test]
    fn addresses_have_their_port() {
        for text in ["127.0.0.1:80", "10.255.0.9:65535", "[::1]:8080"] {
            assert_eq!(written(|out| address(out, text.parse().unwrap())), text);
        }
    }
}
