//! Code with changes of every kind, of which the self-test of `ci/mutants.sh` knows how each ends.

const LIMIT: u32 = 2 * 5;

/// The test looks on both sides of the bound, but not at it.
pub fn is_small(n: u32) -> bool {
    n < LIMIT
}

/// Nothing calls it.
pub fn unused(n: u32) -> u32 {
    n + 1
}

/// Counts down; a change of the step never ends.
pub fn steps(mut n: u8) -> u64 {
    let mut steps = 0;
    while n != 0 {
        n -= 1;
        steps += 1;
    }
    steps
}

/// An expression in another.
pub fn area(a: u32, b: u32, rim: u32) -> u32 {
    (a + rim) * (b - rim)
}

/// A guard, an arm that can be left out, and a sign.
pub fn sign(n: i32) -> &'static str {
    match n {
        0 => "none",
        n if n > 0 => "plus",
        _ if !is_small(-n as u32) => "very minus",
        _ => "minus",
    }
}

/// A value that no type but its own has.
pub fn letters(word: &str) -> impl Iterator<Item = char> {
    word.chars()
}

/// A type without a default.
pub enum Way {
    /// There.
    There,
    /// Back.
    Back,
}

/// It cannot be replaced with a default.
pub fn turn(way: Way) -> Way {
    match way {
        Way::There => Way::Back,
        Way::Back => Way::There,
    }
}

/// Fields that the rest of another value may stand in for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Size {
    /// Across.
    pub width: u32,
    /// Up.
    pub height: u32,
}

/// Both fields.
pub fn widened(size: Size) -> Size {
    Size {
        width: size.width + 1,
        ..size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_what_nothing_looks_at() {
        assert!(is_small(9) && !is_small(12));
        assert_eq!(steps(3), 3);
        assert_eq!(area(2, 5, 1), 12);
        assert_eq!(
            [0, 1, -1, -12].map(sign),
            ["none", "plus", "minus", "very minus"]
        );
        assert_eq!(letters("ab").collect::<String>(), "ab");
        assert!(matches!(turn(Way::There), Way::Back));
        let size = Size {
            width: 1,
            height: 5,
        };
        assert_eq!(
            widened(size),
            Size {
                width: 2,
                height: 5
            }
        );
    }
}
