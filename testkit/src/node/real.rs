//! Real containers, in the node's data folder.

use std::sync::Arc;

use super::error::{Doing, Error};
use super::files::Files;
use crate::guests::{Guests, LxcGuests};
use crate::pve::Setup;

pub(super) fn guests(files: &Files, _setup: &Setup) -> Result<Arc<dyn Guests>, Error> {
    let Some(data) = files.data() else {
        return Err(Error::new(
            Doing::Prepare,
            "real containers need a data folder (`--data`)",
        ));
    };
    Ok(Arc::new(LxcGuests::new(data)))
}
