//! A push: commands and objects in, references moved, a report out.

use std::io::Read;

use super::fetch::{body_of, busy, uncached};
use super::packet::split;
use super::verdict::{Verdict, judge};
use super::{Guest, Service, flow, report};
use crate::gitea::access::Mode;
use crate::gitea::events::{Effects, PushedBy, is_zero};
use crate::gitea::git::{Git, Move, Quarantine, RefError};
use crate::gitea::reply::Reply;
use crate::gitea::world::World;
use crate::gitea::{Call, Gitea, Handled, permission, protection, pulls, pushes};

/// The most bytes that the commands of a push may take.
const COMMANDS_MAX: usize = 16 << 20;

/// A reference that shall move.
pub(super) type Command = Move;

/// What was asked for.
#[derive(Debug, Default)]
pub(super) struct Push {
    pub(super) commands: Vec<Command>,
    pub(super) capabilities: Vec<String>,
    pub(super) options: Vec<(String, String)>,
}

impl Push {
    pub(super) fn has(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|have| have == capability)
    }
}

/// One push.
pub(super) fn exchange(gitea: &Gitea, call: &Call, guest: &Guest) -> Result<Handled, Reply> {
    let mut body = body_of(call, Service::ReceivePack)?;
    let Some(push) = parse(&mut body)? else {
        return Ok(uncached(Reply::bytes(200, RESULT, "")).into());
    };
    if push.commands.is_empty() {
        return Ok(uncached(Reply::bytes(200, RESULT, "")).into());
    }
    let judged = gitea.read(|world, _| {
        world
            .repos
            .get(guest.repo)
            .map(|repo| judge(world, repo, guest, &push.commands))
    });
    let verdict = match judged {
        None => {
            return Err(Reply::bytes(
                404,
                "text/plain;charset=utf-8",
                "Repository not found",
            ));
        }
        Some(Verdict::None(text)) => return Ok(refused(&push, &text).into()),
        Some(Verdict::Some(verdict)) => verdict,
    };
    let _place = gitea.git().place().ok_or_else(busy)?;
    let quarantine = match take_in(gitea.git(), guest.repo, &push, body) {
        Ok(quarantine) => quarantine,
        Err(text) => return Ok(unpacked_badly(&push, &text).into()),
    };
    if let Some(quarantine) = quarantine {
        quarantine.accept().map_err(|_| Reply::error(500, ""))?;
    }
    if let Some(text) = gitea.read(|world, git| protected(world, git, guest, &push.commands)) {
        return Ok(refused(&push, &text).into());
    }
    let (answer, receipt) =
        gitea.write(|world, git, effects| land(world, git, guest, &push, verdict, effects));
    Ok(Handled {
        reply: uncached(Reply::bytes(200, RESULT, answer)),
        receipt,
    })
}

/// What the rules of branches have against a push whose objects are here.
fn protected(world: &World, git: &Git, guest: &Guest, commands: &[Command]) -> Option<String> {
    let user = guest.doer.as_ref().map_or(0, |doer| doer.id);
    commands.iter().find_map(|command| {
        let branch = command.name.strip_prefix("refs/heads/")?;
        let there = |id: &'_ str| (!is_zero(id)).then(|| id.to_owned());
        let (from, to) = (there(&command.from), there(&command.to));
        let wish = protection::Wish {
            branch,
            from: from.as_deref(),
            to: to.as_deref(),
        };
        protection::refusal(world, git, guest.repo, user, &wish)
    })
}

const RESULT: &str = "application/x-git-receive-pack-result";

/// Reads commands and options; what is left of the body are the objects.
fn parse(body: &mut impl Read) -> Result<Option<Push>, Reply> {
    let mut push = Push::default();
    let mut budget = COMMANDS_MAX;
    let Some(lines) = section(body, &mut budget)? else {
        return Ok(None);
    };
    for mut text in lines {
        if text.starts_with("shallow ") || text.starts_with("push-cert") {
            continue;
        }
        // The first command bears them; a shallow clone says before it where its history ends.
        if push.commands.is_empty()
            && let Some((command, capabilities)) = text.clone().split_once('\0')
        {
            push.capabilities = capabilities.split_whitespace().map(str::to_owned).collect();
            text.truncate(command.len());
        }
        let mut parts = text.trim_end().splitn(3, ' ');
        let (Some(from), Some(to), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Reply::empty(400));
        };
        if !crate::gitea::git::is_id(from) || !crate::gitea::git::is_id(to) {
            return Err(Reply::empty(400));
        }
        push.commands.push(Command {
            name: name.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
        });
    }
    if push.has("push-options") {
        let lines = section(body, &mut budget)?.unwrap_or_default();
        push.options = lines
            .iter()
            .map(|line| {
                line.trim_end()
                    .split_once('=')
                    .unwrap_or((line.trim_end(), "true"))
            })
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
    }
    Ok(Some(push))
}

/// Lines up to the next flush; `None` when there is not a single one.
fn section(body: &mut impl Read, budget: &mut usize) -> Result<Option<Vec<String>>, Reply> {
    let mut lines = Vec::new();
    loop {
        let mut framed = vec![0; 4];
        if body.read_exact(&mut framed).is_err() {
            return Ok(if lines.is_empty() { None } else { Some(lines) });
        }
        let digits = String::from_utf8_lossy(&framed).into_owned();
        let length = usize::from_str_radix(&digits, 16).map_err(|_| Reply::empty(400))?;
        if length > 4 {
            *budget = budget
                .checked_sub(length)
                .ok_or_else(|| Reply::error(413, "too many commands"))?;
            framed.resize(length, 0);
            body.read_exact(&mut framed[4..])
                .map_err(|_| Reply::empty(400))?;
        }
        match split(&framed) {
            Some((None, _)) => return Ok(Some(lines)),
            Some((Some(text), _)) => lines.push(
                String::from_utf8_lossy(text)
                    .trim_end_matches('\n')
                    .to_owned(),
            ),
            None => return Err(Reply::empty(400)),
        }
    }
}

fn refused(push: &Push, text: &str) -> Reply {
    let outcome = push
        .commands
        .iter()
        .map(|_| Some("pre-receive hook declined".to_owned()))
        .collect();
    uncached(Reply::bytes(
        200,
        RESULT,
        report::written(push, "ok", &outcome, &report::refusal(text), ""),
    ))
}

fn unpacked_badly(push: &Push, text: &str) -> Reply {
    let outcome = push
        .commands
        .iter()
        .map(|_| Some("unpacker error".to_owned()))
        .collect();
    let line = text.lines().next().unwrap_or("unpack failed").to_owned();
    uncached(Reply::bytes(
        200,
        RESULT,
        report::written(push, &line, &outcome, "", ""),
    ))
}

/// Stores the objects of a push beside the repository and checks that nothing is missing.
fn take_in(
    git: &Git,
    repo: i64,
    push: &Push,
    body: Box<dyn Read + Send>,
) -> Result<Option<Quarantine>, String> {
    let wanted: Vec<&str> = push
        .commands
        .iter()
        .map(|command| command.to.as_str())
        .filter(|id| !is_zero(id))
        .collect();
    if wanted.is_empty() {
        return Ok(None);
    }
    let quarantine = git.quarantine(repo).map_err(|error| error.to_string())?;
    quarantine.unpack(body)?;
    quarantine.check_connected(&wanted)?;
    Ok(Some(quarantine))
}

/// Moves the references; the answer says how each one fared.
fn land(
    world: &mut World,
    git: &Git,
    guest: &Guest,
    push: &Push,
    verdict: Vec<Option<String>>,
    effects: &mut Effects,
) -> Vec<u8> {
    let mut outcome = verdict;
    let before: String = push
        .commands
        .iter()
        .zip(&outcome)
        .filter(|(_, reason)| reason.as_deref() == Some("hook declined"))
        .map(|(command, _)| format!("error: hook declined to update {}\n", command.name))
        .collect();
    let was_empty = world.repos.get(guest.repo).is_none_or(|repo| repo.empty);
    let flows = flow::carry_out(world, git, guest, push, &mut outcome, effects);
    if push.has("atomic") && !all_can_move(world, guest.repo, push, &outcome) {
        outcome = outcome
            .into_iter()
            .map(|reason| reason.or_else(|| Some("atomic push failure".into())))
            .collect();
    }
    let pusher = guest.doer.as_ref().map_or(0, |doer| doer.id);
    for (command, result) in push.commands.iter().zip(&mut outcome) {
        if result.is_none() && !flow::is_for(&command.name) {
            let moved = pushes::move_reference(
                world,
                git,
                guest.repo,
                command,
                pusher,
                PushedBy::Git,
                effects,
            );
            *result = moved.err().map(|error| told(&error));
        }
    }
    let size = git.size_kib(guest.repo);
    world.repos.update(guest.repo, |repo| repo.size = size);
    let after = words(world, guest, push, (&outcome, &flows), was_empty);
    report::written_with(push, "ok", (&outcome, &flows), &before, &after)
}

fn all_can_move(world: &World, repo: i64, push: &Push, outcome: &[Option<String>]) -> bool {
    let known = world.references.get(repo);
    let stands = |command: &Command| {
        let have = known
            .and_then(|known| known.ids.get(&command.name))
            .map_or(crate::gitea::events::ZERO_ID, String::as_str);
        have == command.from
    };
    push.commands
        .iter()
        .zip(outcome)
        .all(|(command, reason)| reason.is_none() && stands(command))
}

fn told(error: &RefError) -> String {
    match error {
        RefError::Stale(_) => "failed to update ref".into(),
        RefError::Clash { other, .. } => format!("refname conflicts with {other}"),
        RefError::Write(_) => "failed to write".into(),
    }
}

/// What the post-receive hook prints; options that change the repository are carried out here.
fn words(
    world: &mut World,
    guest: &Guest,
    push: &Push,
    (outcome, flows): (&[Option<String>], &[flow::Landed]),
    was_empty: bool,
) -> String {
    let moved: Vec<&Command> = push
        .commands
        .iter()
        .zip(outcome)
        .filter(|(_, reason)| reason.is_none())
        .map(|(command, _)| command)
        .collect();
    if moved.is_empty() {
        return String::new();
    }
    let mut text: String = flows
        .iter()
        .map(|landed| report::reminder(&guest.address, landed.index))
        .collect();
    let ordered = push
        .options
        .iter()
        .any(|(name, _)| name == "repo.private" || name == "repo.template");
    let obeyed = !ordered || obey(world, guest, push);
    if let Some(repo) = world.repos.get(guest.repo).filter(|_| obeyed && !was_empty) {
        for command in &moved {
            let branch = command
                .name
                .strip_prefix("refs/heads/")
                .filter(|branch| !is_zero(&command.to) && *branch != repo.default_branch);
            if let Some(branch) = branch {
                text.push_str(&match pulls::open_of_branch(world, guest.repo, branch) {
                    Some(number) => report::reminder(&guest.address, number),
                    None => report::invitation(&guest.address, branch),
                });
            }
        }
    }
    text + &report::count(moved.len())
}

/// Carries out `repo.private` and `repo.template`, for owners alone.
fn obey(world: &mut World, guest: &Guest, push: &Push) -> bool {
    let Some(repo) = world.repos.get(guest.repo) else {
        return false;
    };
    if permission::access(world, guest.doer.as_ref(), repo).mode < Mode::Owner {
        return false;
    }
    let value = |name: &str| {
        push.options
            .iter()
            .rfind(|(have, _)| have == name)
            .map(|(_, value)| value == "true")
    };
    world.repos.update(guest.repo, |repo| {
        repo.private = value("repo.private").unwrap_or(repo.private);
        repo.template = value("repo.template").unwrap_or(repo.template);
    });
    true
}
