//! Long work: the task list, its logs, and the queue of what is not done yet.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::World;
use super::clock::Moment;
use super::property::split_list;
use super::reply::Fail;
use super::route::{Answer, Call, Handler};
use super::work::{Action, Job, Work};

/// How many finished tasks are remembered.
const KEPT: usize = 20_000;

/// When a task of the world ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// A create runs until somebody has looked at it once, at most two seconds; everything else
    /// ends at once.
    #[default]
    Natural,
    /// At once.
    Instant,
    /// After that many milliseconds of the world's time.
    Millis(u64),
    /// The status says `running` until it was asked for this many times; the last says `stopped`.
    Polls(u32),
}

/// The task list.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Tasks {
    list: VecDeque<Task>,
    first: u64,
    active: Vec<u64>,
    places: HashMap<String, u64>,
    next_pid: u32,
}

/// One task.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) upid: String,
    node: String,
    pid: u32,
    pstart: u32,
    start: i64,
    kind: String,
    id: String,
    /// With the token's name, if any.
    user: String,
    lines: Vec<String>,
    end: Option<(i64, String)>,
    work: Option<Work>,
    due: Option<Moment>,
    polls: Option<u32>,
}

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    Some(match (method, path) {
        ("GET", "/nodes/{node}/tasks") => list,
        ("GET", "/nodes/{node}/tasks/{upid}/status") => status,
        ("GET", "/nodes/{node}/tasks/{upid}/log") => log,
        ("GET", "/nodes/{node}/tasks/{upid}") => index,
        ("DELETE", "/nodes/{node}/tasks/{upid}") => stop,
        ("GET", "/cluster/tasks") => cluster,
        _ => return None,
    })
}

impl Task {
    fn status_text(&self) -> &str {
        self.end
            .as_ref()
            .map_or("running", |(_, text)| text.as_str())
    }

    fn who(&self) -> (&str, Option<&str>) {
        match self.user.split_once('!') {
            Some((user, token)) => (user, Some(token)),
            None => (&self.user, None),
        }
    }

    /// A user sees the tasks of its tokens, a token only its own.
    fn belongs_to(&self, identity: &str) -> bool {
        self.user == identity || self.who().0 == identity
    }

    /// The row of the archive.
    fn row(&self) -> Map<String, Value> {
        let (user, token) = self.who();
        let mut row = Map::new();
        row.insert("upid".into(), json!(self.upid));
        row.insert("node".into(), json!(self.node));
        row.insert("pid".into(), json!(self.pid));
        row.insert("pstart".into(), json!(self.pstart));
        row.insert("starttime".into(), json!(self.start));
        row.insert("type".into(), json!(self.kind));
        row.insert("id".into(), json!(self.id));
        row.insert("user".into(), json!(user));
        if let Some(token) = token {
            row.insert("tokenid".into(), json!(token));
        }
        if let Some((end, text)) = &self.end {
            row.insert("endtime".into(), json!(end));
            row.insert("status".into(), json!(text));
        }
        row
    }

    /// The row of a task that still runs, which is written differently.
    fn active_row(&self) -> Map<String, Value> {
        let mut row = self.row();
        row.remove("tokenid");
        row.insert("user".into(), json!(self.user));
        row.insert("saved".into(), json!("0"));
        row.insert("status".into(), json!("RUNNING"));
        row
    }
}

impl World {
    /// Starts a task, and says its UPID. Work that fails at once has failed when this returns.
    pub(crate) fn spawn(&mut self, call: &Call<'_>, kind: &str, id: &str, work: Work) -> String {
        let user = call.identity.clone();
        self.spawn_as(&user, kind, id, work)
    }

    pub(crate) fn spawn_as(&mut self, user: &str, kind: &str, id: &str, work: Work) -> String {
        let upid = self.enlist(user, kind, id);
        let mut lines = Vec::new();
        let begun = self.begin(&work, &mut lines);
        let place = self.tasks.places[&upid];
        self.tasks.list[(place - self.tasks.first) as usize].lines = lines;
        match begun {
            Err(fail) => self.end(place, Err(fail.text().to_owned())),
            Ok(action) => self.queue(place, &upid, work, action),
        }
        upid
    }

    fn enlist(&mut self, user: &str, kind: &str, id: &str) -> String {
        let now = self.now();
        self.tasks.next_pid =
            (self.tasks.next_pid + 1 + (self.chance.next() % 7) as u32) & 0x3f_ffff;
        let pid = 1000 + self.tasks.next_pid;
        let pstart = (self.uptime() * 100) as u32;
        let node = self.node_name().to_owned();
        let upid = format!(
            "UPID:{node}:{pid:08X}:{pstart:08X}:{:08X}:{kind}:{id}:{user}:",
            now.secs()
        );
        let place = self.tasks.first + self.tasks.list.len() as u64;
        self.tasks.places.insert(upid.clone(), place);
        self.tasks.list.push_back(Task {
            upid: upid.clone(),
            node,
            pid,
            pstart,
            start: now.secs(),
            kind: kind.to_owned(),
            id: id.to_owned(),
            user: user.to_owned(),
            lines: Vec::new(),
            end: None,
            work: None,
            due: None,
            polls: None,
        });
        self.tasks.active.push(place);
        self.log_event(user, &format!("starting task {upid}"));
        upid
    }

    fn queue(&mut self, place: u64, upid: &str, work: Work, action: Option<Action>) {
        let external = action.filter(|_| self.setup.real_guests);
        let now = self.now();
        let (due, polls) = match (&external, self.setup.timing) {
            (Some(_), _) => (None, None),
            (None, Timing::Natural) if work.is_create() => (Some(now.plus(2000)), Some(2)),
            (None, Timing::Natural | Timing::Instant) => (Some(now), None),
            (None, Timing::Millis(millis)) => (Some(now.plus(millis)), None),
            (None, Timing::Polls(polls)) => (None, Some(polls)),
        };
        if let Some(action) = external {
            let job = Job {
                upid: upid.to_owned(),
                action,
            };
            self.effects.push(super::Effect::Guest(job));
        }
        let immediately = due.is_some_and(|due| due <= now) && polls.is_none();
        if let Some(task) = self.task_mut(place) {
            (task.work, task.due, task.polls) = (Some(work), due, polls);
        }
        if immediately {
            self.run(place);
        }
    }

    /// Ends every task whose time has come.
    pub(crate) fn run_due(&mut self) {
        let now = self.now();
        let due: Vec<u64> = self
            .tasks
            .active
            .iter()
            .copied()
            .filter(|place| {
                self.task(*place)
                    .is_some_and(|task| task.due.is_some_and(|due| due <= now))
            })
            .collect();
        for place in due {
            self.run(place);
        }
    }

    /// Does the work of a task and ends it.
    fn run(&mut self, place: u64) {
        let Some(work) = self.task_mut(place).and_then(|task| task.work.take()) else {
            return;
        };
        let mut lines = Vec::new();
        let outcome = self
            .finish(&work, &mut lines)
            .map_err(|fail| fail.text().to_owned());
        if let Some(task) = self.task_mut(place) {
            task.lines.append(&mut lines);
        }
        self.end(place, outcome);
    }

    fn end(&mut self, place: u64, outcome: Result<u32, String>) {
        let (text, last) = match outcome {
            Ok(0) => ("OK".to_owned(), "TASK OK".to_owned()),
            Ok(warnings) => (
                format!("WARNINGS: {warnings}"),
                format!("TASK WARNINGS: {warnings}"),
            ),
            Err(text) => (text.clone(), format!("TASK ERROR: {text}")),
        };
        self.close(place, &text, Some(last));
    }

    fn close(&mut self, place: u64, text: &str, last: Option<String>) {
        let now = self.now().secs();
        let Some(task) = self.task_mut(place) else {
            return;
        };
        task.lines.extend(last);
        task.end = Some((now, text.to_owned()));
        task.work = None;
        let (upid, user) = (task.upid.clone(), task.user.clone());
        self.tasks.active.retain(|other| *other != place);
        self.log_event(&user, &format!("end task {upid} {text}"));
        while self.tasks.list.len() > KEPT && self.tasks.list[0].end.is_some() {
            if let Some(old) = self.tasks.list.pop_front() {
                self.tasks.places.remove(&old.upid);
                self.tasks.first += 1;
            }
        }
    }

    /// A line of the log of a task whose work is done outside of the world.
    pub fn task_line(&mut self, upid: &str, line: &str) {
        if let Some(task) = self
            .tasks
            .places
            .get(upid)
            .copied()
            .and_then(|place| self.task_mut(place))
        {
            task.lines.push(line.to_owned());
        }
    }

    /// Ends a task whose work was done outside of the world.
    ///
    /// With an error the world takes back what the task had begun; the text becomes its exit status.
    pub fn complete(&mut self, upid: &str, outcome: Result<(), String>, now: Moment) {
        self.advance(now);
        let Some(place) = self.tasks.places.get(upid).copied() else {
            return;
        };
        match outcome {
            Ok(()) => self.run(place),
            Err(text) => {
                if let Some(work) = self.task_mut(place).and_then(|task| task.work.take()) {
                    let text = self.fail(&work, &text);
                    self.end(place, Err(text));
                }
            }
        }
    }

    fn task(&self, place: u64) -> Option<&Task> {
        self.tasks
            .list
            .get(place.checked_sub(self.tasks.first)? as usize)
    }

    fn task_mut(&mut self, place: u64) -> Option<&mut Task> {
        self.tasks
            .list
            .get_mut(place.checked_sub(self.tasks.first)? as usize)
    }

    /// The tasks that began last, newest first, in short.
    pub(super) fn last_tasks(&self, most: usize) -> Vec<Value> {
        let short = |task: &Task| {
            json!({
                "upid": task.upid,
                "kind": task.kind,
                "id": task.id,
                "user": task.user,
                "start": task.start,
                "end": task.end.as_ref().map(|(end, _)| end),
                "status": task.status_text(),
            })
        };
        self.tasks.list.iter().rev().take(most).map(short).collect()
    }

    /// The exit status of a task that has ended.
    pub(crate) fn exit_of(&self, upid: &str) -> Option<String> {
        let task = self.task(*self.tasks.places.get(upid)?)?;
        task.end.as_ref().map(|(_, text)| text.clone())
    }

    /// Whether a task works on the guest right now.
    pub(crate) fn is_busy(&self, vmid: u32) -> bool {
        let id = vmid.to_string();
        self.tasks
            .active
            .iter()
            .filter_map(|place| self.task(*place))
            .any(|task| task.id == id)
    }

    fn may_see(&self, task: &Task, identity: &str) -> bool {
        task.belongs_to(identity)
            || self
                .check(identity, &format!("/nodes/{}", task.node), &["Sys.Audit"])
                .is_ok()
    }
}

/// The task a UPID names, if the caller may do this with it.
fn place_of(world: &World, call: &Call<'_>, needed: &str) -> Result<Option<u64>, Fail> {
    let upid = call.text("upid");
    let parts: Vec<&str> = upid.split(':').collect();
    let hex = |text: &str| text.len() >= 8 && u64::from_str_radix(text, 16).is_ok();
    let valid = parts.len() == 9
        && parts[0] == "UPID"
        && parts[2..5].iter().all(|part| hex(part))
        && parts[8].is_empty();
    if !valid {
        return Err(Fail::param("upid", "unable to parse worker upid"));
    }
    let owner = parts[7];
    let mine = owner == call.identity || owner.split('!').next() == Some(call.identity.as_str());
    if !mine {
        world.check(&call.identity, &format!("/nodes/{}", parts[1]), &[needed])?;
    }
    Ok(world.tasks.places.get(&upid).copied())
}

fn index(world: &mut World, call: &mut Call<'_>) -> Answer {
    place_of(world, call, "Sys.Audit")?;
    Ok(json!([{"name": "log"}, {"name": "status"}]))
}

fn status(world: &mut World, call: &mut Call<'_>) -> Answer {
    let place =
        place_of(world, call, "Sys.Audit")?.ok_or_else(|| Fail::param("upid", "no such task"))?;
    let last = world
        .task_mut(place)
        .and_then(|task| task.polls.as_mut())
        .is_some_and(|polls| {
            *polls = polls.saturating_sub(1);
            *polls == 0
        });
    if last {
        world.run(place);
    }
    let task = world
        .task(place)
        .ok_or_else(|| Fail::param("upid", "no such task"))?;
    let mut row = task.row();
    row.remove("endtime");
    row.remove("status");
    let running = task.end.is_none();
    row.insert(
        "status".into(),
        json!(if running { "running" } else { "stopped" }),
    );
    if !running {
        row.insert("exitstatus".into(), json!(task.status_text()));
    }
    Ok(Value::Object(row))
}

fn log(world: &mut World, call: &mut Call<'_>) -> Answer {
    let Some(task) = place_of(world, call, "Sys.Audit")?.and_then(|place| world.task(place)) else {
        return Ok(json!({"n": 1, "t": "unable to open file - No such file or directory"}));
    };
    call.total = Some(task.lines.len() as u64);
    if call.flag("download") {
        call.download = Some(task.lines.iter().map(|line| format!("{line}\n")).collect());
        return Ok(Value::Null);
    }
    let start = call.number("start").unwrap_or(0) as usize;
    let limit = match call.number("limit") {
        None => 50,
        Some(0) => usize::MAX,
        Some(limit) => limit as usize,
    };
    if task.lines.is_empty() {
        call.total = Some(1);
        return Ok(json!([{"n": 1, "t": "no content"}]));
    }
    let lines = task.lines.iter().enumerate().skip(start).take(limit);
    Ok(lines
        .map(|(at, line)| json!({"n": at + 1, "t": line}))
        .collect())
}

fn stop(world: &mut World, call: &mut Call<'_>) -> Answer {
    let place = place_of(world, call, "Sys.Modify")?;
    if let Some(place) =
        place.filter(|place| world.task(*place).is_some_and(|task| task.end.is_none()))
    {
        if let Some(work) = world.task_mut(place).and_then(|task| task.work.take()) {
            world.abort(&work);
        }
        world.close(place, "unexpected status", None);
    }
    Ok(Value::Null)
}

fn list(world: &mut World, call: &mut Call<'_>) -> Answer {
    let source = call
        .optional("source")
        .unwrap_or_else(|| "archive".to_owned());
    let (start, limit) = (
        call.number("start").unwrap_or(0),
        call.number("limit").unwrap_or(50),
    );
    let keeps = filter(world, call);
    let mut rows: Vec<Value> = Vec::new();
    let mut count = 0u64;
    let mut add = |row: &dyn Fn() -> Map<String, Value>| {
        if count >= start && (rows.len() as u64) < limit {
            rows.push(Value::Object(row()));
        }
        count += 1;
    };
    if source != "archive" {
        let active = world
            .tasks
            .active
            .iter()
            .rev()
            .filter_map(|place| world.task(*place));
        active
            .filter(|task| keeps(task))
            .for_each(|task| add(&|| task.active_row()));
    }
    if source != "active" {
        let finished = world
            .tasks
            .list
            .iter()
            .rev()
            .filter(|task| task.end.is_some());
        finished
            .filter(|task| keeps(task))
            .for_each(|task| add(&|| task.row()));
    }
    drop(keeps);
    call.total = Some(count);
    Ok(Value::Array(rows))
}

/// Which tasks a list shows: the caller's filters, and what the caller may see.
fn filter<'a>(world: &'a World, call: &Call<'_>) -> Box<dyn Fn(&Task) -> bool + 'a> {
    let (vmid, kind) = (call.optional("vmid"), call.optional("typefilter"));
    let (since, until) = (call.integer("since"), call.integer("until"));
    let user = call.optional("userfilter").map(|user| user.to_lowercase());
    let errors = call.flag("errors");
    let states: Vec<String> = call
        .optional("statusfilter")
        .map(|text| split_list(&text).map(str::to_owned).collect())
        .unwrap_or_default();
    let identity = call.identity.clone();
    Box::new(move |task| {
        vmid.as_ref().is_none_or(|vmid| *vmid == task.id)
            && kind.as_ref().is_none_or(|kind| *kind == task.kind)
            && since.is_none_or(|since| task.start >= since)
            && until.is_none_or(|until| task.start <= until)
            && user
                .as_ref()
                .is_none_or(|user| task.user.to_lowercase().contains(user.as_str()))
            && !(errors && task.status_text() == "OK")
            && (states.is_empty() || states.iter().any(|state| state == state_of(task)))
            && world.may_see(task, &identity)
    })
}

fn state_of(task: &Task) -> &'static str {
    match task.end.as_ref().map(|(_, text)| text.as_str()) {
        Some("OK") => "ok",
        Some(text) if text.starts_with("WARNINGS: ") => "warning",
        Some("unexpected status") | None => "unknown",
        Some(_) => "error",
    }
}

fn cluster(world: &mut World, call: &mut Call<'_>) -> Answer {
    let running = world
        .tasks
        .active
        .iter()
        .rev()
        .filter_map(|place| world.task(*place))
        .map(|task| (task, true));
    let finished = world
        .tasks
        .list
        .iter()
        .rev()
        .filter(|task| task.end.is_some())
        .map(|task| (task, false));
    let rows = running
        .chain(finished)
        .filter(|(task, _)| world.may_see(task, &call.identity))
        .take(25);
    Ok(rows
        .map(|(task, active)| {
            let mut row = if active {
                task.active_row()
            } else {
                task.row()
            };
            row.remove("pid");
            row.remove("pstart");
            row.insert("saved".into(), json!(if active { "0" } else { "1" }));
            Value::Object(row)
        })
        .collect())
}
