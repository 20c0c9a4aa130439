//! A random generator whose numbers never change, so that files made from a seed never change either.
//!
//! It is SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014). It is good enough
//! to vary tests, and good for nothing that must be secret.

/// SplitMix64.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Self {
        Rng(seed)
    }

    /// A generator for this run, whose seed is printed: `COUNTERFOIL_SEED`, or else the clock's.
    pub fn of_this_run() -> Self {
        let clock = || u64::try_from(counterfoil_ledger::now()).unwrap();
        let seed = std::env::var("COUNTERFOIL_SEED").map_or_else(|_| clock(), |seed| seed.parse().unwrap());
        println!("COUNTERFOIL_SEED={seed}");
        Self::new(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound
    }

    /// A place in something of this length, which must not be 0.
    pub fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.number().to_le_bytes()[..chunk.len()]);
        }
        bytes
    }
}
