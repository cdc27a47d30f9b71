//! Waiting for a container to be in a state, and to have an address.

use super::{Container, ContainerState, ContainerStatus, GuestAddress};
use crate::error::{Cause, Error};
use crate::task::Wait;

impl Container {
    /// Waits until it is in that state, at most as long as `wait` says.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut), and those of [`Container::status`].
    pub async fn wait_until(
        &self,
        state: ContainerState,
        wait: impl Into<Wait> + Send,
    ) -> Result<ContainerStatus, Error> {
        let mut watch = wait.into().begin();
        loop {
            let status = self.status().await?;
            if status.status == state {
                return Ok(status);
            }
            if !watch.tick().await {
                let limit = watch.limit();
                let what = format!("it is {} and not {state} after {limit:?}", status.status);
                return Err(self.overdue(what));
            }
        }
    }

    /// Waits until it has an address that others can reach, and that `wanted` accepts.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut), and those of [`Container::interfaces`].
    pub async fn wait_for_address(
        &self,
        wanted: impl Fn(&GuestAddress) -> bool + Send + Sync,
        wait: impl Into<Wait> + Send,
    ) -> Result<GuestAddress, Error> {
        let mut watch = wait.into().begin();
        loop {
            let interfaces = self.interfaces().await?;
            let mut addresses = interfaces.iter().flat_map(|interface| &interface.addresses);
            let found = addresses.find(|address| address.is_reachable() && wanted(address));
            if let Some(found) = found {
                return Ok(*found);
            }
            if !watch.tick().await {
                return Err(self.overdue(format!("it has no address after {:?}", watch.limit())));
            }
        }
    }

    fn overdue(&self, what: String) -> Error {
        let about = format!(
            "waiting for container `{}` on node `{}`",
            self.vmid, self.node
        );
        Error::new(about, "", Cause::Overdue(what))
    }
}
