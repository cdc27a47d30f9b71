//! What git says about two commits, and commits that bring them together.

use crate::gitea::committing::{self, Draft};
use crate::gitea::git::{Commit, Error, Git, Person};

/// The last commit that two have in common; the base itself where there is none.
pub(crate) fn merge_base(git: &Git, repo: i64, base: &str, head: &str) -> Result<String, Error> {
    let done = git.run(repo, &["merge-base", base, head])?;
    let found = String::from_utf8_lossy(&done.stdout).trim().to_owned();
    Ok(if found.is_empty() {
        base.to_owned()
    } else {
        found
    })
}

/// Whether a commit contains another.
pub(crate) fn contains(git: &Git, repo: i64, commit: &str, other: &str) -> Result<bool, Error> {
    let done = git.run(repo, &["merge-base", "--is-ancestor", other, commit])?;
    Ok(done.status == 0)
}

/// The tree of both together; `None` when they are in conflict.
pub(crate) fn merged_tree(
    git: &Git,
    repo: i64,
    ours: &str,
    theirs: &str,
) -> Result<Option<String>, Error> {
    let arguments = [
        "merge-tree",
        "--write-tree",
        "--allow-unrelated-histories",
        ours,
        theirs,
    ];
    let done = git.run(repo, &arguments)?;
    match done.status {
        0 => Ok(String::from_utf8_lossy(&done.stdout)
            .lines()
            .next()
            .map(str::to_owned)),
        1 => Ok(None),
        status => Err(Error::Failed {
            command: "merge-tree".into(),
            status,
            text: done.stderr.chars().take(300).collect(),
        }),
    }
}

/// Files changed, lines added and lines deleted between two commits.
pub(crate) fn counts(
    git: &Git,
    repo: i64,
    base: &str,
    head: &str,
) -> Result<(usize, usize, usize), Error> {
    let listed = git.output(repo, &["diff", "--numstat", "--no-renames", base, head])?;
    let text = String::from_utf8_lossy(&listed);
    let lines = text.lines().map(|line| {
        // Binary files have a dash for a number.
        let mut numbers = line.split('\t').map(|word| word.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    });
    Ok(lines.fold((0, 0, 0), |sum, line| {
        (sum.0 + 1, sum.1 + line.0, sum.2 + line.1)
    }))
}

/// The commits that a head has and a base has not, oldest first.
pub(crate) fn between(git: &Git, repo: i64, base: &str, head: &str) -> Result<Vec<String>, Error> {
    let listed = git.output(
        repo,
        &[
            "rev-list",
            "--reverse",
            "--topo-order",
            &format!("{base}..{head}"),
        ],
    )?;
    Ok(String::from_utf8_lossy(&listed)
        .lines()
        .map(str::to_owned)
        .collect())
}

/// How two branches are brought together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// A commit with both as parents.
    Merge,
    /// The head's commits again on top of the base.
    Rebase,
    /// The same, and a merge of them.
    RebaseMerge,
    /// One commit with everything.
    Squash,
    /// The base moves to the head.
    FastForward,
}

impl Style {
    /// The style of the word `Do`.
    pub(crate) fn of(word: &str) -> Option<Self> {
        match word {
            "merge" => Some(Self::Merge),
            "rebase" => Some(Self::Rebase),
            "rebase-merge" => Some(Self::RebaseMerge),
            "squash" => Some(Self::Squash),
            "fast-forward-only" => Some(Self::FastForward),
            _ => None,
        }
    }
}

/// The two ends of a merge, and who makes it.
pub(crate) struct Ends<'e> {
    /// The repository that has both.
    pub repo: i64,
    /// Where the base is.
    pub base: &'e str,
    /// Where the head is.
    pub head: &'e str,
    /// Who merges, now.
    pub person: &'e Person,
}

/// Makes what a style wants; `None` when there is a conflict, or no way to do it so.
pub(crate) fn bring(
    git: &Git,
    ends: &Ends<'_>,
    style: Style,
    message: &str,
) -> Result<Option<String>, Error> {
    match style {
        Style::Merge => commit_both(git, ends, ends.head, message),
        Style::Squash => {
            let tree = merged_tree(git, ends.repo, ends.base, ends.head)?;
            tree.map(|tree| commit(git, ends, tree, &[ends.base], message))
                .transpose()
        }
        Style::Rebase => rebased(git, ends),
        Style::RebaseMerge => match rebased(git, ends)? {
            Some(tip) => commit_both(git, ends, &tip, message),
            None => Ok(None),
        },
        Style::FastForward => {
            let forward = contains(git, ends.repo, ends.head, ends.base)?;
            Ok(forward.then(|| ends.head.to_owned()))
        }
    }
}

fn commit_both(
    git: &Git,
    ends: &Ends<'_>,
    head: &str,
    message: &str,
) -> Result<Option<String>, Error> {
    let tree = merged_tree(git, ends.repo, ends.base, head)?;
    tree.map(|tree| commit(git, ends, tree, &[ends.base, head], message))
        .transpose()
}

fn commit(
    git: &Git,
    ends: &Ends<'_>,
    tree: String,
    parents: &[&str],
    message: &str,
) -> Result<String, Error> {
    let draft = Draft {
        tree,
        parents: parents.iter().map(|id| (*id).to_owned()).collect(),
        author: ends.person.clone(),
        committer: ends.person.clone(),
        message: format!("{}\n", message.trim_end()),
    };
    committing::store(git, ends.repo, &draft)
}

/// The head's own commits, one after the other on top of the base.
fn rebased(git: &Git, ends: &Ends<'_>) -> Result<Option<String>, Error> {
    if contains(git, ends.repo, ends.head, ends.base)? {
        return Ok(Some(ends.head.to_owned()));
    }
    let mut tip = ends.base.to_owned();
    for id in between(git, ends.repo, ends.base, ends.head)? {
        let picked = git.commit(ends.repo, &id)?;
        if picked.parents.len() > 1 {
            continue;
        }
        match picked_tree(git, ends, &tip, &picked)? {
            Some(tree) => {
                let draft = Draft {
                    tree,
                    parents: vec![tip],
                    author: picked.author.clone(),
                    committer: ends.person.clone(),
                    message: picked.message.clone(),
                };
                tip = committing::store(git, ends.repo, &draft)?;
            }
            None => return Ok(None),
        }
    }
    Ok(Some(tip))
}

/// What a commit changed, applied to another: both become children of a commit like its parent.
fn picked_tree(
    git: &Git,
    ends: &Ends<'_>,
    onto: &str,
    picked: &Commit,
) -> Result<Option<String>, Error> {
    let Some(parent) = picked.parents.first() else {
        return merged_tree(git, ends.repo, onto, &picked.id);
    };
    let root = commit(git, ends, git.commit(ends.repo, parent)?.tree, &[], "base")?;
    let ours = commit(
        git,
        ends,
        git.commit(ends.repo, onto)?.tree,
        &[&root],
        "ours",
    )?;
    let theirs = commit(git, ends, picked.tree.clone(), &[&root], "theirs")?;
    merged_tree(git, ends.repo, &ours, &theirs)
}
