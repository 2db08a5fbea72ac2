//! The least of many numbers that change one by one.
//!
//! It is a tournament, in which each node knows the place of the least number below it:
//!
//! ```text
//!   node 1               2           the least of all: place 2
//!                     ┌──┴──┐
//!   nodes 2, 3        0     2
//!                    ┌┴┐   ┌┴┐
//!   numbers          4 7   1 ∞       at the places 0 to 3
//! ```
//!
//! *Problem:* every request looks for the connection with the shortest expected wait, and a pool may
//! have hundreds. *Decision:* the nodes above a number are brought up to date when it changes, so the
//! least is known. *Cost:* a change takes as many steps as the logarithm of how many numbers there are.

/// Numbers by place.
#[derive(Debug)]
pub(crate) struct Ranks {
    /// The numbers by their places, infinite where there is none. Their count is a power of two.
    numbers: Vec<f64>,
    /// The place of the least number below each node. The root is node 1; the children of node n are
    /// 2n and 2n + 1, where numbers past the last node mean places.
    winners: Vec<usize>,
}

impl Ranks {
    pub(crate) fn new() -> Self {
        Self {
            numbers: vec![f64::INFINITY; 2],
            winners: vec![0; 2],
        }
    }

    /// The place of the least number, the first one of equals, unless all are infinite.
    pub(crate) fn least(&self) -> Option<usize> {
        let place = self.winners[1];
        (self.numbers[place] < f64::INFINITY).then_some(place)
    }

    /// Puts a number in its place.
    pub(crate) fn set(&mut self, place: usize, number: f64) {
        if place >= self.numbers.len() {
            self.grow(place + 1);
        }
        if std::mem::replace(&mut self.numbers[place], number) == number {
            return;
        }
        let mut node = (self.numbers.len() + place) / 2;
        while node > 0 {
            let winner = self.play(node);
            // Above a node that another one has won already, nothing changes.
            if self.winners[node] == winner && winner != place {
                return;
            }
            self.winners[node] = winner;
            node /= 2;
        }
    }

    fn play(&self, node: usize) -> usize {
        let (left, right) = (self.winner(2 * node), self.winner(2 * node + 1));
        if self.numbers[right] < self.numbers[left] {
            right
        } else {
            left
        }
    }

    fn winner(&self, node: usize) -> usize {
        match node.checked_sub(self.numbers.len()) {
            Some(place) => place,
            None => self.winners[node],
        }
    }

    fn grow(&mut self, places: usize) {
        let places = places.next_power_of_two();
        self.numbers.resize(places, f64::INFINITY);
        self.winners = vec![0; places];
        for node in (1..places).rev() {
            self.winners[node] = self.play(node);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_of_the_least_wins(
            changes in prop::collection::vec((0_usize..70, prop::option::of(0_u8..6)), 1..200),
        ) {
            let mut ranks = Ranks::new();
            let mut model = [f64::INFINITY; 70];
            prop_assert_eq!(ranks.least(), None);
            for (place, number) in changes {
                let number = number.map_or(f64::INFINITY, f64::from);
                ranks.set(place, number);
                model[place] = number;
                let least = model.iter().copied().fold(f64::INFINITY, f64::min);
                let first = model.iter().position(|n| *n == least);
                prop_assert_eq!(ranks.least(), first.filter(|_| least < f64::INFINITY));
            }
        }
    }
}
