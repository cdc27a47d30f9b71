//! A tree: the files that make a service of the control plane, and the fingerprint of all of them.

use std::{
    collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration,
};

use lxc_layers::{
    resolve::{Fingerprint, Provisioner, Step},
    spec::Input,
};
use sha2::{Digest as _, Sha256};

use super::Error;

/// The script of a tree.
const SCRIPT: &str = "apply.sh";

/// One file of a tree. None holds a secret: those are made in the container or sent by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path in the tree.
    pub path: String,
    /// Its content.
    pub content: String,
}

/// The files of a service and the script that puts them to work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    id: &'static str,
    files: Vec<File>,
}

impl Tree {
    /// A tree of a script and nothing else; `id` is its name in the guest's notes.
    #[must_use]
    pub fn new(id: &'static str, script: impl Into<String>) -> Self {
        let tree = Self {
            id,
            files: Vec::new(),
        };
        tree.file(SCRIPT, script)
    }

    /// The same with one more file.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>, content: impl Into<String>) -> Self {
        self.files.push(File {
            path: path.into(),
            content: content.into(),
        });
        self
    }

    /// Its name in the guest's notes.
    #[must_use]
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// Its files.
    #[must_use]
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// What all of it comes to: equal wherever the same program renders the same settings.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hash = Sha256::new();
        for text in self
            .files
            .iter()
            .flat_map(|file| [&file.path, &file.content])
        {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        let digest = hash.finalize();
        Fingerprint::from(
            digest
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>(),
        )
    }

    /// Writes it below `root`, and gives the step that runs it from there.
    pub(super) fn write(&self, root: &Path, within: Duration) -> Result<Step, Error> {
        let folder = root.join(self.id);
        let mut inputs = BTreeMap::new();
        for file in &self.files {
            let path = folder.join(&file.path);
            let is_script = file.path == SCRIPT;
            let mode = fs::Permissions::from_mode(if is_script { 0o700 } else { 0o600 });
            fs::create_dir_all(path.parent().unwrap_or(&folder))
                .and_then(|()| fs::write(&path, &file.content))
                .and_then(|()| fs::set_permissions(&path, mode))
                .map_err(Error::local("writing", &path))?;
            inputs.insert(
                file.path.clone(),
                Input::of(file.content.as_bytes(), is_script),
            );
        }
        Ok(Step {
            id: self.id,
            provisioner: Provisioner::Script {
                script: SCRIPT.to_owned(),
            },
            folder: self.id.to_owned(),
            inputs,
            variables: BTreeMap::new(),
            fingerprint: self.fingerprint(),
            within,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_changes_the_fingerprint_and_its_order_counts() {
        let tree = Tree::new("a", "x").file("f", "1");
        assert_eq!(
            tree.fingerprint(),
            Tree::new("a", "x").file("f", "1").fingerprint()
        );
        let other = Tree::new("a", "x").file("f", "2");
        assert_ne!(tree.fingerprint(), other.fingerprint());
        let moved = Tree::new("a", "xf").file("", "1");
        assert_ne!(tree.fingerprint(), moved.fingerprint());
    }
}
