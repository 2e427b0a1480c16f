//! SipHash-2-4 with 64 bits of output, as its authors specify it
//! (<https://www.aumasson.jp/siphash/siphash.pdf>). The one in the standard
//! library does not promise to stay the same.

/// The hash of the parts, one after the other.
pub(super) fn siphash(key: &[u8; 16], parts: &[&[u8]]) -> u64 {
    let [k0, k1] = halves(key);
    let mut v = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let (mut word, mut filled, mut len) = (0_u64, 0_u32, 0_u64);
    for byte in parts.iter().copied().flatten() {
        word |= u64::from(*byte) << (8 * filled);
        filled += 1;
        len += 1;
        if filled == 8 {
            compress(&mut v, word);
            (word, filled) = (0, 0);
        }
    }
    compress(&mut v, word | len << 56);
    v[2] ^= 0xff;
    (0..4).for_each(|_| round(&mut v));
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

fn halves(key: &[u8; 16]) -> [u64; 2] {
    let all = u128::from_le_bytes(*key);
    // The casts take the halves apart.
    [all as u64, (all >> 64) as u64]
}

fn compress(v: &mut [u64; 4], word: u64) {
    v[3] ^= word;
    round(v);
    round(v);
    v[0] ^= word;
}

fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the reference implementation's `vectors.h`: key 00 01 … 0f, input
    /// 00 01 … of this length.
    #[test]
    fn vectors_of_the_authors() {
        let key: [u8; 16] = std::array::from_fn(|n| n as u8);
        let input: Vec<u8> = (0..15).collect();
        for (len, hash) in [
            (0, 0x726f_db47_dd0e_0e31),
            (1, 0x74f8_39c5_93dc_67fd),
            (7, 0xab02_00f5_8b01_d137),
            (8, 0x93f5_f579_9a93_2462),
            (15, 0xa129_ca61_49be_45e5),
        ] {
            assert_eq!(siphash(&key, &[&input[..len]]), hash, "{len}");
            let (a, b) = input[..len].split_at(len / 2);
            assert_eq!(siphash(&key, &[a, b]), hash, "{len} in two parts");
        }
    }
}
