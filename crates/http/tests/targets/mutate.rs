//! Inputs by chance: pieces of a list put together, and then broken here and there.

/// Makes the same inputs each time.
pub(crate) struct Mutations(u64);

impl Mutations {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap_or_default() % bound.max(1)
    }

    /// Up to `most` pieces one behind the other, half of the time with a few bytes that are others.
    pub(crate) fn input(&mut self, pieces: &[impl AsRef<[u8]>], most: usize) -> Vec<u8> {
        let mut input = Vec::new();
        for _ in 0..=self.below(most) {
            input.extend_from_slice(pieces[self.below(pieces.len())].as_ref());
        }
        if self.below(2) == 0 {
            for _ in 0..=self.below(4) {
                self.break_one(&mut input, pieces);
            }
        }
        input
    }

    fn break_one(&mut self, input: &mut Vec<u8>, pieces: &[impl AsRef<[u8]>]) {
        let at = self.below(input.len() + 1);
        let odd = self.below(256).to_le_bytes()[0];
        match self.below(6) {
            0 => input.insert(at, odd),
            1 => input.truncate(at),
            2 => {
                let other = pieces[self.below(pieces.len())].as_ref();
                input.splice(at..at, other.iter().copied());
            }
            3 if at < input.len() => drop(input.remove(at)),
            4 if at < input.len() => input[at] ^= 1 << self.below(8),
            _ if at < input.len() => input[at] = odd,
            _ => input.push(odd),
        }
    }
}
