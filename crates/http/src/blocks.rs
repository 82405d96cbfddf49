//! Bytes looked at in sixteens: one vector tells what would take sixteen looks.

use wide::u8x16;

/// How many bytes are looked at at once.
const BLOCK: usize = 16;

/// Bytes of which each is all ones or all zeros, as something holds of it or not.
pub(crate) type Marks = u8x16;

/// Marks bytes that are this one.
#[inline]
pub(crate) fn equal(bytes: u8x16, byte: u8) -> Marks {
    bytes.cmp_eq(u8x16::splat(byte))
}

/// Marks bytes that are neither below `first` nor beyond `last`.
#[inline]
pub(crate) fn between(bytes: u8x16, first: u8, last: u8) -> Marks {
    // What is below wraps around to beyond.
    let from_first = bytes - u8x16::splat(first);
    from_first.min(u8x16::splat(last - first)).cmp_eq(from_first)
}

/// Where from `start` on the first byte is that is marked; the end where there is none.
#[inline]
pub(crate) fn find(bytes: &[u8], start: usize, marks: impl Fn(u8x16) -> Marks) -> usize {
    let marked = |block: &[u8; BLOCK]| marks(u8x16::new(*block)).move_mask().cast_unsigned();
    let mut at = start;
    while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let found = marked(block);
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        at += BLOCK;
    }
    // Fewer than sixteen are left: they are looked at together with what stands before them.
    let rest = bytes.get(at..).unwrap_or_default();
    let found = if let Some(block) = bytes.last_chunk() {
        marked(block) >> (BLOCK - rest.len())
    } else {
        let mut block = [0; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        marked(&block)
    };
    bytes.len() - rest.len() + (found | 1 << rest.len()).trailing_zeros() as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_found_is_what_is_found_byte_by_byte(bytes in prop::collection::vec(0_u8..4, 0..70), start in 0_usize..70) {
            let start = start.min(bytes.len());
            for byte in 0..4 {
                let plain = bytes[start..].iter().position(|other| *other == byte);
                let plain = plain.map_or(bytes.len(), |at| start + at);
                prop_assert_eq!(find(&bytes, start, |block| equal(block, byte)), plain);
            }
        }
    }

    #[test]
    fn every_byte_is_in_a_range_or_not() {
        for byte in 0..=255_u8 {
            for (first, last) in [(b'a', b'z'), (0, 31), (b'!', 255), (0, 255), (7, 7)] {
                let expected = if (first..=last).contains(&byte) { 255 } else { 0 };
                assert_eq!(
                    between(u8x16::splat(byte), first, last),
                    u8x16::splat(expected),
                    "{byte} {first}-{last}"
                );
            }
        }
    }
}
