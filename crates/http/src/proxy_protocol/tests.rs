//! What is a PROXY header and what is not.

use super::*;

fn v1(line: &str) -> Result<Option<Header>, HeaderError> {
    parse(line.as_bytes())
}

fn from(source: &str, destination: &str) -> Addresses {
    Addresses { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
}

/// A header of version 2 with the right length.
fn v2(kind: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [&v2::SIGNATURE[..], &[kind, family], &length, rest].concat()
}

const FOUR: [u8; 12] = [203, 0, 113, 7, 10, 0, 0, 1, 0xD9, 0x03, 0x01, 0xBB];

fn six() -> Vec<u8> {
    let address = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
    [&address("2001:db8::7")[..], &address("2001:db8::1"), &[0xD9, 0x03, 0x01, 0xBB]].concat()
}

#[test]
fn a_line_of_version_1_names_both_ends() {
    let header = v1("PROXY TCP4 203.0.113.7 10.0.0.1 55555 443\r\nGET /").unwrap().unwrap();
    assert_eq!(header, Header { len: 43, addresses: Some(from("203.0.113.7:55555", "10.0.0.1:443")) });
    let header = v1("PROXY TCP6 2001:db8::7 ::1 1 0\r\n").unwrap().unwrap();
    assert_eq!(header.addresses, Some(from("[2001:db8::7]:1", "[::1]:0")));
}

#[test]
fn an_unknown_line_of_version_1_names_nobody() {
    for line in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff:f...f:ffff 65535 65535\r\n", "PROXY UNKNOWN \r\n"] {
        assert_eq!(v1(line).unwrap().unwrap(), Header { len: line.len(), addresses: None });
    }
}

#[test]
fn a_line_of_version_1_is_that_and_nothing_like_it() {
    for line in [
        "PROXY TCP4 203.0.113.7 10.0.0.1 55555 443 \r\n",
        "PROXY TCP4  203.0.113.7 10.0.0.1 55555 443\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 55555\r\n",
        "PROXY TCP4 203.0.113.07 10.0.0.1 55555 443\r\n",
        "PROXY TCP4 203.0.113 10.0.0.1 55555 443\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 055 443\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 +55 443\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 65536 443\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1  443\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 127.0.0.1 127.0.0.1 1 2\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 1 2\n\r\n",
        "PROXY TCP5 203.0.113.7 10.0.0.1 1 2\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY \r\n",
        "PROXY TCP4 203.0.113.7\u{e9} 10.0.0.1 1 2\r\n",
        "proxy TCP4 203.0.113.7 10.0.0.1 1 2\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        " PROXY",
    ] {
        assert!(v1(line).is_err(), "{line:?}");
    }
}

#[test]
fn a_line_of_version_1_has_an_end() {
    let fits = format!("PROXY UNKNOWN {}\r\n", "x".repeat(MAX_V1 - 16));
    assert_eq!(v1(&fits).unwrap().unwrap().len, MAX_V1);
    let longer = format!("PROXY UNKNOWN {}\r\n", "x".repeat(MAX_V1 - 15));
    assert!(v1(&longer).is_err());
}

#[test]
fn version_2_names_both_ends() {
    for family in [0x11, 0x12] {
        let header = parse(&v2(0x21, family, &FOUR)).unwrap().unwrap();
        assert_eq!(header, Header { len: 28, addresses: Some(from("203.0.113.7:55555", "10.0.0.1:443")) });
    }
    let header = parse(&v2(0x21, 0x21, &six())).unwrap().unwrap();
    assert_eq!(header.addresses, Some(from("[2001:db8::7]:55555", "[2001:db8::1]:443")));
}

#[test]
fn the_balancers_own_connection_and_one_not_by_ip_name_nobody() {
    let unix = [7; 216];
    for (kind, family, rest) in
        [(0x20, 0x11, &FOUR[..]), (0x20, 0xFF, &[]), (0x21, 0, b"what"), (0x21, 0x31, &unix)]
    {
        let bytes = v2(kind, family, rest);
        assert_eq!(parse(&bytes).unwrap().unwrap(), Header { len: bytes.len(), addresses: None });
    }
}

#[test]
fn version_2_is_refused_where_it_does_not_add_up() {
    for (kind, family, rest) in [
        (0x11, 0x11, &FOUR[..]),
        (0x22, 0x11, &FOUR),
        (0x21, 0x13, &FOUR),
        (0x21, 0x41, &FOUR),
        (0x21, 0x11, &FOUR[..11]),
        (0x21, 0x21, &FOUR),
        (0x21, 0x31, &[0; 215]),
        (0x21, 0x11, &[&FOUR[..], &[4]].concat()),
        (0x21, 0x11, &[&FOUR[..], &[4, 0, 2, 0]].concat()),
    ] {
        assert!(parse(&v2(kind, family, rest)).is_err(), "{kind:#x} {family:#x} {rest:?}");
    }
    let long = v2(0x21, 0x11, &[0; MAX_HEADER - 15]);
    assert!(matches!(parse(&long[..16]), Err(HeaderError::TooLong)));
}

#[test]
fn fields_behind_the_addresses_are_passed_over() {
    let fields = [&FOUR[..], &[2, 0, 3], b"a.b", &[4, 0, 0], &[0xEA, 0, 1, 1]].concat();
    let bytes = v2(0x21, 0x11, &fields);
    let header = parse(&[&bytes[..], b"GET /"].concat()).unwrap().unwrap();
    assert_eq!(
        header,
        Header { len: bytes.len(), addresses: Some(from("203.0.113.7:55555", "10.0.0.1:443")) }
    );
}

#[test]
fn a_checksum_has_to_be_right() {
    let with = |sum: [u8; 4]| v2(0x21, 0x11, &[&FOUR[..], &[3, 0, 4], &sum, &[4, 0, 1, 0]].concat());
    // Reckoned with another implementation of CRC-32C.
    let right = with(0x89F8_90E1u32.to_be_bytes());
    assert!(parse(&right).is_ok());
    assert!(parse(&with([0; 4])).is_err());
    assert!(parse(&v2(0x21, 0x11, &[&FOUR[..], &[3, 0, 3, 0, 0, 0]].concat())).is_err());
    let mut turned = right;
    turned[17] ^= 1;
    assert!(parse(&turned).is_err());
}

#[test]
fn nothing_is_said_before_a_header_is_whole() {
    let line = b"PROXY TCP4 203.0.113.7 10.0.0.1 55555 443\r\n".to_vec();
    for bytes in [line, v2(0x21, 0x11, &FOUR), v2(0x20, 0, &[]), v2(0x21, 0x21, &six())] {
        for len in 0..bytes.len() {
            assert!(parse(&bytes[..len]).unwrap().is_none(), "{len} of {bytes:?}");
        }
        assert_eq!(parse(&bytes).unwrap().unwrap().len, bytes.len());
    }
}
