//! Removing: the container, the images that were made for it, the key on this machine.

use std::{fs, io, time::Duration};

use super::{BASE, CONTAINER, Error, STEP, Settings, folder, image::IMPORTED, labels, lock};
use crate::{
    event::Events,
    guest::docker::{self, Engine, Labels},
    wait::Patience,
};

/// How long a build may take to end after it was cut off.
const BUILD_ENDS: Duration = Duration::from_secs(15);
/// First pause while it ends, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));
/// How many images may stand one on the other.
const STEPS_MAX: usize = 200;

/// What was removed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Removed {
    /// Containers, by the name of this fleet.
    pub containers: Vec<String>,
    /// Images, by name.
    pub images: Vec<String>,
}

/// Removes everything that was made for a container. That nothing is there is fine.
///
/// What other containers use stays: an imported template, an image that was fetched.
///
/// # Errors
///
/// When the daemon refuses, or the key's folder cannot be removed.
pub async fn remove(
    engine: &Engine,
    settings: &Settings,
    events: &Events,
) -> Result<Removed, Error> {
    let lock = lock(settings, events).await?;
    let mut removed = Removed {
        containers: Vec::new(),
        images: Vec::new(),
    };
    let ours = labels(settings);
    while let Some(found) = engine.find(&ours).await? {
        engine.remove(&found.id).await?;
        removed.containers.push(settings.container.name.to_string());
    }
    abandoned(engine, settings).await?;
    let mut bases = Vec::new();
    for image in engine.images(&ours).await? {
        let labels = engine.image(&image).await?.unwrap_or_default();
        bases.extend(labels.get(BASE).cloned());
    }
    // Podman's steps bear the labels of the image that they become.
    removed.images = one_by_one(engine, async || engine.images(&ours).await).await?;
    let steps = steps(settings);
    let left = one_by_one(engine, async || engine.nameless(&steps).await).await?;
    removed.images.extend(left);
    // Of a run that came no further than its template, too.
    bases.extend(engine.called(IMPORTED).await?);
    bases.sort();
    bases.dedup();
    for base in bases {
        let needed = Labels::from([(BASE.to_owned(), base.clone())]);
        if engine.images(&needed).await?.is_empty() && engine.remove_image(&base).await? {
            removed.images.push(base);
        }
    }
    let folder = folder(settings);
    forget(&folder)?;
    drop(lock);
    Ok(removed)
}

/// Waits until a build that was cut off has ended: the daemon does that by itself, soon after.
async fn abandoned(engine: &Engine, settings: &Settings) -> Result<(), Error> {
    let steps = steps(settings);
    let mut patience = Patience::new(BUILD_ENDS, PAUSES.0, PAUSES.1);
    while engine.builds(&steps, CONTAINER).await? && patience.again().await {}
    Ok(())
}

/// Removes images that stand one on the other, those that nothing stands on first; what others are
/// made from stays.
async fn one_by_one(
    engine: &Engine,
    listed: impl AsyncFn() -> Result<Vec<String>, docker::Error>,
) -> Result<Vec<String>, Error> {
    let mut removed = Vec::new();
    for _ in 0..STEPS_MAX {
        let before = removed.len();
        for image in listed().await? {
            if engine.remove_image(&image).await? {
                removed.push(image);
            }
        }
        if removed.len() == before {
            break;
        }
    }
    Ok(removed)
}

/// What every step of a build of this fleet bears.
fn steps(settings: &Settings) -> Labels {
    Labels::from([(STEP.to_owned(), settings.fleet.to_string())])
}

fn forget(folder: &std::path::Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file(folder)(error)),
        _ => {
            // Both are others' too; only empty ones go.
            let above = folder.ancestors().skip(1).take(2);
            for empty in above {
                if fs::remove_dir(empty).is_err() {
                    break;
                }
            }
            Ok(())
        }
    }
}
