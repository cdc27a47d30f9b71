//! Guests that are nothing but state, for tests and for places without root.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{
    Applied, Config, Failure, GuestSpec, GuestStatus, Guests, HostNetwork, Interface, Shutdown,
    TaskLog,
};

/// Guests without a container behind them: they start and stop at once and use nothing.
#[derive(Debug, Default)]
pub struct MemoryGuests {
    /// Whether each guest runs.
    running: Mutex<BTreeMap<u32, bool>>,
}

impl MemoryGuests {
    /// No guests yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, bool>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets whether a guest runs, when it is there and now does the opposite.
    fn switch(&self, vmid: u32, on: bool) -> Result<(), Failure> {
        match self.lock().get_mut(&vmid) {
            None => Err(Failure::new(format!("CT {vmid} does not exist"))),
            Some(now) if *now == on => {
                let state = if on { "already running" } else { "not running" };
                Err(Failure::new(format!("CT {vmid} {state}")))
            }
            Some(now) => {
                *now = on;
                Ok(())
            }
        }
    }
}

#[async_trait]
impl Guests for MemoryGuests {
    async fn prepare(&self) -> Result<HostNetwork, Failure> {
        Ok(HostNetwork {
            bridge: "vmbr0".to_owned(),
            gateway: Ipv4Addr::new(10, 83, 0, 1),
            subnet: "10.83.0.0/24".to_owned(),
            prefix: 24,
        })
    }

    async fn undo(&self) -> Result<(), Failure> {
        self.lock().clear();
        Ok(())
    }

    async fn create(&self, spec: &GuestSpec, _log: &TaskLog) -> Result<(), Failure> {
        let mut guests = self.lock();
        if guests.contains_key(&spec.vmid) {
            return Err(Failure::new(format!("CT {} already exists", spec.vmid)));
        }
        guests.insert(spec.vmid, false);
        Ok(())
    }

    async fn start(&self, spec: &GuestSpec, _log: &TaskLog) -> Result<(), Failure> {
        self.switch(spec.vmid, true)
    }

    async fn shutdown(&self, vmid: u32, _how: Shutdown, _log: &TaskLog) -> Result<(), Failure> {
        self.switch(vmid, false)
    }

    async fn stop(&self, vmid: u32, _log: &TaskLog) -> Result<(), Failure> {
        self.switch(vmid, false)
    }

    async fn reboot(
        &self,
        spec: &GuestSpec,
        _how: Shutdown,
        _log: &TaskLog,
    ) -> Result<(), Failure> {
        self.switch(spec.vmid, false)?;
        self.switch(spec.vmid, true)
    }

    async fn destroy(&self, vmid: u32, _log: &TaskLog) -> Result<(), Failure> {
        self.lock().remove(&vmid);
        Ok(())
    }

    async fn apply(&self, _vmid: u32, before: &Config, after: &Config) -> Result<Applied, Failure> {
        let changed = |key: &&String| before.get(*key) != after.get(*key);
        let mut live: Vec<String> = before
            .keys()
            .chain(after.keys())
            .filter(changed)
            .cloned()
            .collect();
        live.sort();
        live.dedup();
        Ok(Applied {
            live,
            ..Applied::default()
        })
    }

    async fn status(&self, vmid: u32) -> Result<GuestStatus, Failure> {
        let running = self.lock().get(&vmid).copied().unwrap_or(false);
        Ok(GuestStatus {
            running,
            ..GuestStatus::default()
        })
    }

    async fn list(&self) -> Result<Vec<u32>, Failure> {
        Ok(self.lock().keys().copied().collect())
    }

    async fn interfaces(&self, _vmid: u32) -> Result<Option<Vec<Interface>>, Failure> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(vmid: u32) -> GuestSpec {
        GuestSpec {
            vmid,
            ..GuestSpec::default()
        }
    }

    #[tokio::test]
    async fn a_guest_is_stopped_until_it_is_started() {
        let guests = MemoryGuests::new();
        let log = TaskLog::discard();
        guests.create(&spec(100), &log).await.unwrap();
        assert!(!guests.status(100).await.unwrap().running);
        guests.start(&spec(100), &log).await.unwrap();
        assert!(guests.status(100).await.unwrap().running);
        let again = guests.start(&spec(100), &log).await.unwrap_err();
        assert_eq!(again.to_string(), "CT 100 already running");
    }

    #[tokio::test]
    async fn a_second_create_of_one_id_is_refused() {
        let guests = MemoryGuests::new();
        guests.create(&spec(7), &TaskLog::discard()).await.unwrap();
        let again = guests
            .create(&spec(7), &TaskLog::discard())
            .await
            .unwrap_err();
        assert_eq!(again.to_string(), "CT 7 already exists");
        assert_eq!(guests.list().await.unwrap(), [7]);
    }

    #[tokio::test]
    async fn a_change_names_the_keys_that_differ() {
        let one = |key: &str, value: &str| Config::from([(key.to_owned(), value.to_owned())]);
        let applied = MemoryGuests::new()
            .apply(7, &one("memory", "512"), &one("memory", "1024"))
            .await
            .unwrap();
        assert_eq!(applied.live, ["memory"]);
    }
}
