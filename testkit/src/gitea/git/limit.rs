//! How many git programs may run for callers at a time.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::Git;

/// The most programs at a time.
const PLACES: usize = 16;
/// How long somebody waits for a place.
const PATIENCE: Duration = Duration::from_secs(60);

/// The places that are free.
#[derive(Debug)]
pub(super) struct Places {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            free: Mutex::new(PLACES),
            freed: Condvar::new(),
        }
    }
}

/// A place; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Places>);

impl Git {
    /// Waits for a place; `None` when none was free in time.
    pub(crate) fn place(&self) -> Option<Place> {
        let places = &self.shared.places;
        let free = places.free.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = places
            .freed
            .wait_timeout_while(free, PATIENCE, |free| *free == 0);
        let (mut free, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() && *free == 0 {
            return None;
        }
        *free -= 1;
        drop(free);
        Some(Place(Arc::clone(places)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}
