//! Version 2 of the PROXY protocol: binary, its length in front, with fields behind the addresses.

use std::net::{IpAddr, SocketAddr};

use super::{Addresses, Header, HeaderError, MAX_HEADER};

pub(super) const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and transport, length.
const FIXED: usize = 16;
/// What two paths of UNIX sockets take.
const UNIX: usize = 216;
/// The field with a checksum (CRC-32C) of the whole header.
const CHECKSUM: u8 = 3;

pub(super) fn parse(input: &[u8]) -> Result<Option<Header>, HeaderError> {
    let Some((fixed, rest)) = input.split_first_chunk::<FIXED>() else {
        return Ok(None);
    };
    let [.., kind, family, high, low] = *fixed;
    let is_local = match kind {
        0x20 => true,
        0x21 => false,
        _ => return Err(HeaderError::Malformed("its version or command is not known")),
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let len = FIXED + length;
    if len > MAX_HEADER {
        return Err(HeaderError::TooLong);
    }
    let Some(rest) = rest.get(..length) else {
        return Ok(None);
    };
    if is_local {
        return Ok(Some(Header { len, addresses: None }));
    }
    let (addresses, size) = match family {
        0x00 => (None, 0),
        0x11 | 0x12 => read::<4>(rest)?,
        0x21 | 0x22 => read::<16>(rest)?,
        0x31 | 0x32 => (None, UNIX),
        _ => return Err(HeaderError::Malformed("its family or transport is not known")),
    };
    // Of a family that is not said nobody knows how long its addresses are.
    if family != 0 {
        let fields = rest.get(size..).ok_or(HeaderError::Malformed("it is too short for its addresses"))?;
        check(&input[..len], fields)?;
    }
    Ok(Some(Header { len, addresses }))
}

/// Two addresses of `N` bytes each and their ports, and the room they take.
fn read<const N: usize>(bytes: &[u8]) -> Result<(Option<Addresses>, usize), HeaderError>
where
    IpAddr: From<[u8; N]>,
{
    let parts = bytes.split_first_chunk::<N>().and_then(|(source, rest)| {
        let (destination, rest) = rest.split_first_chunk::<N>()?;
        Some((source, destination, rest.first_chunk::<4>()?))
    });
    let Some((source, destination, [a, b, c, d])) = parts else {
        return Err(HeaderError::Malformed("it is too short for its addresses"));
    };
    let addresses = Addresses {
        source: SocketAddr::new(IpAddr::from(*source), u16::from_be_bytes([*a, *b])),
        destination: SocketAddr::new(IpAddr::from(*destination), u16::from_be_bytes([*c, *d])),
    };
    Ok((Some(addresses), 2 * N + 4))
}

/// Walks the fields behind the addresses: they have to fill the header, and a checksum has to be right.
fn check(header: &[u8], mut fields: &[u8]) -> Result<(), HeaderError> {
    while let Some((&kind, rest)) = fields.split_first() {
        let value = rest.split_first_chunk::<2>().and_then(|(len, rest)| {
            let len = usize::from(u16::from_be_bytes(*len));
            rest.split_at_checked(len)
        });
        let Some((value, rest)) = value else {
            return Err(HeaderError::Malformed("its fields do not end with it"));
        };
        if kind == CHECKSUM {
            let at = header.len() - rest.len() - value.len();
            let said = value.try_into().ok().map(u32::from_be_bytes);
            if said != Some(checksum(header, at)) {
                return Err(HeaderError::Malformed("its checksum is wrong"));
            }
        }
        fields = rest;
    }
    Ok(())
}

/// CRC-32C (RFC 3720 §12.1) of a header, its own four bytes counted as zeros.
fn checksum(header: &[u8], own: usize) -> u32 {
    let byte = |(at, byte): (usize, &u8)| if (own..own + 4).contains(&at) { 0 } else { *byte };
    let sum = header.iter().enumerate().map(byte).fold(u32::MAX, |sum, byte| {
        (0..8).fold(
            sum ^ u32::from(byte),
            |sum, _| {
                if sum & 1 == 1 { sum >> 1 ^ 0x82F6_3B78 } else { sum >> 1 }
            },
        )
    });
    !sum
}
