//! How many passwords are hashed at a time, how many wait, and who comes first.
//!
//! Strangers have their places, and known people as many of their own beside those: no number of
//! strangers keeps the owners of accounts out. Nor do they make them wait, for only one stranger at a
//! time stands where turns are handed out (F-17).

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use std::sync::Arc;

use super::outcome::{Fault, failed};

/// Whether somebody has shown that they are no stranger to the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Known {
    /// By the cookie of a device that has logged in before, by a session or by a mailed token.
    Yes,
    /// Not yet.
    #[default]
    No,
}

impl Known {
    /// Yes, if somebody is.
    #[must_use]
    pub const fn of(is_known: bool) -> Self {
        if is_known { Self::Yes } else { Self::No }
    }
}

/// A clone is the same queue.
#[derive(Clone)]
pub(super) struct Queue {
    /// For everybody: those at work and those waiting.
    places: Arc<Semaphore>,
    /// For known people, once the others are taken.
    reserved: Arc<Semaphore>,
    /// The stranger who is next.
    next: Arc<Semaphore>,
    /// Those at work.
    pub(super) turns: Arc<Semaphore>,
}

/// A place in the queue, which may serve for several hashes, one after the other.
pub(super) type Place = Arc<OwnedSemaphorePermit>;

/// The turn to work, and the place. Both are kept until the hash is done.
pub(super) struct Turn {
    _place: Place,
    _turn: OwnedSemaphorePermit,
}

impl Queue {
    /// For so many at work and so many waiting.
    pub(super) fn new(workers: usize, waiting: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(workers + waiting)),
            reserved: Arc::new(Semaphore::new(waiting)),
            next: Arc::new(Semaphore::new(1)),
            turns: Arc::new(Semaphore::new(workers)),
        }
    }

    /// A place, if there is one.
    pub(super) fn place(&self, known: Known) -> Result<Place, Fault> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = match known {
            Known::Yes => place.or_else(|_| Arc::clone(&self.reserved).try_acquire_owned()),
            Known::No => place,
        };
        place.map(Arc::new).map_err(|_| Fault::Busy)
    }

    /// Waits in a place for a turn.
    pub(super) async fn turn(&self, known: Known, place: Place) -> Result<Turn, Fault> {
        let next = match known {
            Known::Yes => None,
            Known::No => Some(self.next.acquire().await.map_err(failed)?),
        };
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(failed)?;
        drop(next);
        Ok(Turn { _place: place, _turn: turn })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    async fn all_wait(waiting: &mut [impl Future + Unpin]) -> bool {
        let mut all = true;
        for one in waiting {
            all &= poll!(one).is_pending();
        }
        all
    }

    #[tokio::test]
    async fn f_17_no_number_of_strangers_keeps_a_known_device_out_or_waiting() {
        let queue = Queue::new(1, 4);
        let turn = |known| queue.turn(known, queue.place(known).unwrap());
        let at_work = turn(Known::No).await.unwrap();
        let mut strangers: Vec<_> = (0..4).map(|_| Box::pin(turn(Known::No))).collect();
        assert!(all_wait(&mut strangers).await);
        assert!(matches!(queue.place(Known::No), Err(Fault::Busy)));

        let mut owners: Vec<_> = (0..4).map(|_| Box::pin(turn(Known::Yes))).collect();
        assert!(all_wait(&mut owners).await);
        assert!(matches!(queue.place(Known::Yes), Err(Fault::Busy)), "theirs are bounded too");

        drop(at_work);
        // The one stranger who was next, then every owner, then the other strangers.
        drop(strangers.remove(0).await.unwrap());
        for owner in owners {
            assert!(all_wait(&mut strangers).await);
            drop(owner.await.unwrap());
        }
        for stranger in strangers {
            drop(stranger.await.unwrap());
        }
    }
}
