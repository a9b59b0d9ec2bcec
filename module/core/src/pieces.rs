//! An array that grows in pieces, so that growing never moves more than a few kilobytes.

use crate::Relocate;

/// Elements in one piece. The table of pieces is small enough to stay in the fastest cache.
const PIECE: usize = 2048;

/// The array.
#[derive(Clone, Debug)]
pub(crate) struct Pieces<T> {
    /// Element `i` is `pieces[i / PIECE][i % PIECE]`; all pieces but the last are full.
    pieces: Vec<Vec<T>>,
}

impl<T> Pieces<T> {
    pub(crate) const fn new() -> Self {
        Self { pieces: Vec::new() }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.pieces.get(at / PIECE)?.get(at % PIECE)
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.pieces.get_mut(at / PIECE)?.get_mut(at % PIECE)
    }

    pub(crate) fn push(&mut self, element: T) {
        match self.pieces.last_mut() {
            Some(piece) if piece.len() < PIECE => piece.push(element),
            _ => {
                // Most arrays have one element for ever, so nothing is kept in store.
                self.pieces.reserve_exact(1);
                self.pieces.push(vec![element]);
            }
        }
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let element = self.pieces.last_mut()?.pop();
        if self.pieces.last().is_some_and(Vec::is_empty) {
            self.pieces.pop();
        }
        element
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pieces.iter().flatten()
    }

    /// Bytes allocated, where `usable` tells what the allocator really takes for a request.
    pub(crate) fn allocated(&self, usable: fn(usize) -> usize) -> usize {
        let pieces: usize = self.pieces.iter().map(|piece| usable(bytes_of(piece))).sum();
        pieces.saturating_add(usable(bytes_of(&self.pieces)))
    }

    /// Hands its allocations, but not those of its elements, to `relocate`.
    pub(crate) fn relocate(&mut self, relocate: &mut impl Relocate) {
        relocate.buffer(&mut self.pieces);
        self.pieces.iter_mut().for_each(|piece| relocate.buffer(piece));
    }
}

/// Bytes that a vector asked for.
pub(crate) fn bytes_of<T>(buffer: &Vec<T>) -> usize {
    buffer.capacity().saturating_mul(size_of::<T>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_vector_at_every_length() {
        let mut pieces = Pieces::new();
        for n in 0..3 * PIECE {
            assert_eq!(pieces.get(n), None);
            pieces.push(n);
            assert_eq!(pieces.get_mut(n), Some(&mut n.clone()));
        }
        assert!(pieces.iter().copied().eq(0..3 * PIECE));
        for n in (0..3 * PIECE).rev() {
            assert_eq!((pieces.pop(), pieces.get(n)), (Some(n), None));
        }
        assert!(pieces.is_empty());
        assert_eq!(pieces.pop(), None);
    }
}
