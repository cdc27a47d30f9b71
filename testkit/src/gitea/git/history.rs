//! Questions about history: which commits there are, what each changed, who touched a path last.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Error, Git, program};

/// How many answers of one kind are kept.
const KEPT: usize = 1024;
/// How many whole histories are kept, and how long one may be for that.
const HISTORIES: (usize, usize) = (8, 20_000);
/// After so many commits git itself looks for the last change of a path.
const STEPS_MAX: usize = 256;

/// What one commit changed against its first parent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Path and `added`, `modified`, `removed` or `renamed`.
    pub files: Vec<(String, &'static str)>,
    /// Lines that are new.
    pub additions: usize,
    /// Lines that are gone.
    pub deletions: usize,
}

/// Answers that never change, within a bound.
#[derive(Debug)]
struct Memo<K, V>(Mutex<HashMap<K, V>>, usize);

impl<K: Eq + Hash, V: Clone> Memo<K, V> {
    fn new(most: usize) -> Self {
        Self(Mutex::new(HashMap::new()), most)
    }

    fn get(&self, key: &K) -> Option<V> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned()
    }

    fn put(&self, key: K, value: V) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= self.1 {
            known.clear();
        }
        known.insert(key, value);
    }
}

/// What was found out before.
#[derive(Debug)]
pub(super) struct Known {
    changes: Memo<(i64, String), Arc<Changes>>,
    histories: Memo<(i64, String), Arc<Vec<String>>>,
    lasts: Memo<(i64, String, String), String>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            changes: Memo::new(KEPT),
            histories: Memo::new(HISTORIES.0),
            lasts: Memo::new(KEPT),
        }
    }
}

impl Git {
    /// All commits that lead to one, newest first.
    ///
    /// # Errors
    /// When git cannot tell.
    pub fn history(&self, repo: i64, head: &str) -> Result<Arc<Vec<String>>, Error> {
        let key = (repo, head.to_owned());
        if let Some(known) = self.shared.known.histories.get(&key) {
            return Ok(known);
        }
        let listed = self.output(repo, &["rev-list", "--end-of-options", head])?;
        let history: Arc<Vec<String>> = Arc::new(
            String::from_utf8_lossy(&listed)
                .lines()
                .map(str::to_owned)
                .collect(),
        );
        if history.len() <= HISTORIES.1 {
            self.shared.known.histories.put(key, Arc::clone(&history));
        }
        Ok(history)
    }

    /// What a commit changed.
    ///
    /// # Errors
    /// When git cannot tell.
    pub fn changes(&self, repo: i64, ids: &[String]) -> Result<Vec<Arc<Changes>>, Error> {
        let known = &self.shared.known.changes;
        let missing: Vec<&String> = ids
            .iter()
            .filter(|id| known.get(&(repo, (*id).clone())).is_none())
            .collect();
        let mut fresh = HashMap::new();
        if !missing.is_empty() {
            fresh = self.ask_changes(repo, &missing)?;
            for (id, changes) in &fresh {
                known.put((repo, id.clone()), Arc::clone(changes));
            }
        }
        let one = |id: &String| {
            fresh
                .get(id)
                .cloned()
                .or_else(|| known.get(&(repo, id.clone())))
                .unwrap_or_default()
        };
        Ok(ids.iter().map(one).collect())
    }

    fn ask_changes(
        &self,
        repo: i64,
        ids: &[&String],
    ) -> Result<HashMap<String, Arc<Changes>>, Error> {
        let list: String = ids.iter().map(|id| format!("{id}\n")).collect();
        let arguments = [
            "-c",
            "core.quotepath=false",
            "diff-tree",
            "--stdin",
            "-r",
            "--root",
            "--raw",
            "--numstat",
            "-M",
        ];
        let broken = |source| Error::Program {
            command: "diff-tree".into(),
            source,
        };
        let output =
            program::filter(&self.folder(repo), &arguments, list.as_bytes()).map_err(broken)?;
        let text = String::from_utf8_lossy(&output);
        let (mut found, mut current) = (HashMap::new(), String::new());
        for line in text.lines() {
            if super::is_id(line) {
                line.clone_into(&mut current);
                found.insert(current.clone(), Changes::default());
            } else if let Some(changes) = found.get_mut(&current) {
                changes.take(line);
            }
        }
        for id in ids {
            found.entry((*id).clone()).or_default();
        }
        Ok(found
            .into_iter()
            .map(|(id, changes)| (id, Arc::new(changes)))
            .collect())
    }

    /// The last commit before (or at) `head` that changed a path.
    ///
    /// # Errors
    /// When history cannot be read.
    pub fn last_change(&self, repo: i64, head: &str, path: &str) -> Result<String, Error> {
        let key = (repo, head.to_owned(), path.to_owned());
        if let Some(known) = self.shared.known.lasts.get(&key) {
            return Ok(known);
        }
        let found = self.find_last_change(repo, head, path)?;
        self.shared.known.lasts.put(key, found.clone());
        Ok(found)
    }

    fn find_last_change(&self, repo: i64, head: &str, path: &str) -> Result<String, Error> {
        let mut commit = self.commit(repo, head)?;
        let wanted = self
            .entry(repo, &commit.tree, path)?
            .map(|entry| (entry.id, entry.mode));
        for _ in 0..STEPS_MAX {
            let mut older = None;
            for parent in &commit.parents {
                let parent = self.commit(repo, parent)?;
                if self
                    .entry(repo, &parent.tree, path)?
                    .map(|entry| (entry.id, entry.mode))
                    == wanted
                {
                    older = Some(parent);
                    break;
                }
            }
            match older {
                Some(parent) => commit = parent,
                None => return Ok(commit.id),
            }
        }
        let listed = self.output(
            repo,
            &[
                "log",
                "-1",
                "--format=%H",
                "--end-of-options",
                &commit.id,
                "--",
                path,
            ],
        )?;
        let id = String::from_utf8_lossy(&listed).trim().to_owned();
        Ok(if id.is_empty() { commit.id } else { id })
    }

    /// The commit that a full or short id or any other name means to git.
    #[must_use]
    pub fn resolve(&self, repo: i64, name: &str) -> Option<String> {
        if super::is_id(name) {
            return self.commit(repo, name).ok().map(|commit| commit.id);
        }
        let is_short =
            (4..40).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_short {
            return None;
        }
        let wanted = format!("{name}^{{commit}}");
        let found = self
            .output(
                repo,
                &[
                    "rev-parse",
                    "--verify",
                    "--quiet",
                    "--end-of-options",
                    &wanted,
                ],
            )
            .ok()?;
        let id = String::from_utf8_lossy(&found)
            .trim()
            .lines()
            .last()
            .unwrap_or_default()
            .to_owned();
        super::is_id(&id).then_some(id)
    }
}

impl Changes {
    fn take(&mut self, line: &str) {
        if let Some(raw) = line.strip_prefix(':') {
            let mut parts = raw.split('\t');
            let word = parts
                .next()
                .and_then(|head| head.split(' ').nth(4))
                .and_then(|word| word.chars().next());
            let status = match word {
                Some('A') => "added",
                Some('D') => "removed",
                Some('R') => "renamed",
                _ => "modified",
            };
            if let Some(path) = parts.next_back() {
                self.files.push((path.to_owned(), status));
            }
            return;
        }
        let mut parts = line
            .split('\t')
            .map(|part| part.parse::<usize>().unwrap_or_default());
        self.additions += parts.next().unwrap_or_default();
        self.deletions += parts.next().unwrap_or_default();
    }
}
