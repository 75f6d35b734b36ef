//! Text to values, with the words that say what was expected. Pure.

use std::ops::RangeInclusive;

/// A size in bytes: a whole number, or one with KiB, MiB, GiB or TiB.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u32); 5] = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40), ("", 0)];
    let wrong =
        || format!("`{text}` is not a size; write bytes, or a number with KiB, MiB or GiB such as 512MiB");
    let (number, shift) = UNITS
        .iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?.trim_end(), shift)))
        .ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    match number.checked_mul(1 << shift) {
        Some(0) => Err("must be more than 0".into()),
        Some(bytes) if usize::try_from(bytes).is_ok() => Ok(bytes),
        _ => Err(format!("`{text}` is more than this machine can address")),
    }
}

/// A whole number within a range.
pub(super) fn number(text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|value| range.contains(value))
        .ok_or_else(|| format!("`{text}` is not a whole number from {} to {}", range.start(), range.end()))
}

/// [`number`], as a count of things in memory.
pub(super) fn count(text: &str, range: RangeInclusive<u64>) -> Result<usize, String> {
    let value = number(text, range)?;
    usize::try_from(value).map_err(|_| format!("`{text}` is more than this machine can address"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        assert_eq!(bytes("1"), Ok(1));
        assert_eq!(bytes("512MiB"), Ok(512 << 20));
        assert_eq!(bytes("2 GiB"), Ok(2 << 30));
        for wrong in ["", "MiB", "-1", "1.5GiB", "1MB", "0", "1e9", "99999999999TiB"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_size_survives_any_unit(number in 1u64..1 << 20, unit in 0usize..4) {
            let text = format!("{number}{}", ["", "KiB", "MiB", "GiB"][unit]);
            prop_assert_eq!(bytes(&text), Ok(number << (10 * unit)));
        }

        #[test]
        fn no_text_is_a_panic(text in ".*") {
            _ = bytes(&text);
            _ = number(&text, 1..=9);
        }
    }
}
