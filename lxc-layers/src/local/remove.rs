//! Removing: the container, the images that were made for it, the key on this machine.

use std::{fs, io};

use super::{BASE, Error, Settings, TEMPLATE, folder, image::IMPORTED, labels, lock};
use crate::{
    event::Events,
    guest::docker::{Engine, Labels},
};

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
    let mut bases = Vec::new();
    for image in engine.images(&ours).await? {
        let labels = engine.image(&image).await?.unwrap_or_default();
        bases.extend(labels.get(BASE).cloned());
        if engine.remove_image(&image).await? {
            removed.images.push(image);
        }
    }
    // Of a run that came no further than its template, too.
    let imported = Labels::from([(TEMPLATE.to_owned(), String::new())]);
    let imported = engine.images(&imported).await?.into_iter();
    bases.extend(imported.filter(|name| name.starts_with(IMPORTED)));
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
