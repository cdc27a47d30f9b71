//! A change that is decided on the present configuration and guarded by its digest.

use super::{Container, ContainerConfig, PendingSetting, UpdateContainer};
use crate::error::{Delivery, Error, ErrorKind};

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Changed {
    /// Nothing was to be changed.
    Nothing,
    /// All of it is in force.
    Applied,
    /// These settings wait for a restart; the others are in force.
    Pending(Vec<PendingSetting>),
}

impl Container {
    /// Changes the configuration to what `decide` makes of the present one.
    ///
    /// The change carries the digest of what was decided upon. If the configuration is another
    /// one by then, or if nobody knows whether the change arrived, it is read and decided upon
    /// anew, at most `attempts` times in all. An interface that is written without its hardware
    /// address gets a new one; see
    /// [`Net::with_hwaddr_of`](crate::property::Net::with_hwaddr_of).
    ///
    /// ```
    /// # use proxmox_api::{Client, Tls, api::{CreateContainer, UpdateContainer, Changed}, wire::Mib};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let play = testkit::node::Node::start_memory().await?;
    /// # let pve = Client::builder(play.url()).token(play.root_token().parse()?)
    /// #     .tls(Tls::Pinned(play.fingerprint().parse()?)).build()?;
    /// # let node = pve.node(play.name().parse()?);
    /// # let template = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst".parse()?;
    /// # node.create_container(&CreateContainer::new(105.try_into()?, template).memory(Mib(256)))
    /// #     .await?.wait(std::time::Duration::from_secs(60)).await?;
    /// let container = node.container(105.try_into()?);
    /// let at_least = |present: &proxmox_api::api::ContainerConfig| match present.memory {
    ///     Some(memory) if memory >= Mib(512) => UpdateContainer::new(),
    ///     _ => UpdateContainer::new().memory(Mib(512)),
    /// };
    /// assert_eq!(container.change(3, at_least).await?, Changed::Applied);
    /// assert_eq!(container.change(3, at_least).await?, Changed::Nothing);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of [`Container::config`] and [`Container::update`].
    pub async fn change(
        &self,
        attempts: u32,
        decide: impl Fn(&ContainerConfig) -> UpdateContainer + Send + Sync,
    ) -> Result<Changed, Error> {
        let mut sent: Option<UpdateContainer> = None;
        for left in (0..attempts.max(1)).rev() {
            let config = self.config().await?;
            let decided = decide(&config);
            if decided.is_empty() {
                // Empty after a change that perhaps arrived: it did.
                return match sent {
                    Some(sent) => self.outcome(&sent).await,
                    None => Ok(Changed::Nothing),
                };
            }
            let update = match config.digest {
                Some(digest) => decided.digest(digest),
                None => decided,
            };
            match self.update(&update).await {
                Ok(()) => return self.outcome(&update).await,
                Err(error) if left > 0 && error.kind() == ErrorKind::Modified => {}
                Err(error) if left > 0 && error.delivery() == Delivery::Unknown => {
                    sent = Some(update);
                }
                Err(error) => return Err(error),
            }
        }
        // The last attempt above returns either way; without attempts nothing was to be done.
        Ok(Changed::Nothing)
    }

    /// Which of the changed settings wait.
    async fn outcome(&self, update: &UpdateContainer) -> Result<Changed, Error> {
        let changed = |setting: &PendingSetting| {
            setting.is_pending() && update.keys().any(|key| key == setting.key)
        };
        let waiting: Vec<_> = self.pending().await?.into_iter().filter(changed).collect();
        Ok(if waiting.is_empty() {
            Changed::Applied
        } else {
            Changed::Pending(waiting)
        })
    }
}
