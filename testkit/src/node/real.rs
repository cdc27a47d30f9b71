//! Real containers, where this build has them.

use std::sync::Arc;

use super::error::{Doing, Error};
use super::files::Files;
use crate::guests::Guests;
use crate::pve::Setup;

pub(super) fn guests(files: &Files, _setup: &Setup) -> Result<Arc<dyn Guests>, Error> {
    let Some(_data) = files.data() else {
        return Err(Error::new(
            Doing::Prepare,
            "real containers need a data folder (`--data`)",
        ));
    };
    Err(Error::new(
        Doing::Prepare,
        "real containers are not part of this build",
    ))
}
