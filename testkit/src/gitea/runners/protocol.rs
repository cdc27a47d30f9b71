//! The door of the runner protocol, `/api/actions/…`: who calls, and which call it is.

use super::{Runner, fetch, log, report};
use crate::gitea::actions::Scope;
use crate::gitea::call::Call;
use crate::gitea::connect;
use crate::gitea::connect::{
    ACCEPT_POST, ConnectError, DeclareRequest, DeclareResponse, Envelope, FetchTaskRequest,
    FromProtoJson, Method, PingRequest, PingResponse, Refusal, RegisterRequest, RegisterResponse,
    ToProtoJson, UpdateLogRequest, UpdateTaskRequest, decode, encode, open, seal,
};
use crate::gitea::password::{same, token_digest};
use crate::gitea::reply::Reply;
use crate::gitea::world::World;
use crate::gitea::{Gitea, Handled, Receipt};

/// What a call comes to: a message that may be sent once its receipt says so.
pub(super) struct Done<M> {
    pub(super) message: M,
    pub(super) receipt: Receipt,
}

impl<M> From<M> for Done<M> {
    fn from(message: M) -> Self {
        Self {
            message,
            receipt: Receipt::default(),
        }
    }
}

pub(super) type Outcome<M> = Result<Done<M>, ConnectError>;

/// Answers a call of the runner protocol; `None` for other paths.
pub(crate) fn door(gitea: &Gitea, call: &Call) -> Option<Handled> {
    let path = call.path.strip_prefix("/api/actions/")?;
    let Some(method) = Method::from_path(path) else {
        return Some(Reply::text(404, "404 page not found\n").into());
    };
    if call.method != "POST" {
        return Some(Reply::empty(405).with_header("allow", "POST").into());
    }
    Some(match open(|name| call.header(name), &call.body) {
        Ok(envelope) => dispatch(gitea, call, method, &envelope),
        Err(Refusal::UnsupportedMediaType) => Reply::empty(415)
            .with_header("accept-post", ACCEPT_POST)
            .into(),
        Err(Refusal::Connect(error)) => refused(&error).into(),
    })
}

fn dispatch(gitea: &Gitea, call: &Call, method: Method, envelope: &Envelope) -> Handled {
    match method {
        Method::Ping => carry(method, envelope, |request: PingRequest| {
            Ok(PingResponse {
                data: format!("Hello, {}!", request.data),
            }
            .into())
        }),
        Method::Register => carry(method, envelope, |request| register(gitea, request)),
        Method::Declare => carry(method, envelope, |request: DeclareRequest| {
            declare(gitea, caller(gitea, call, Work::Other)?, request)
        }),
        Method::FetchTask => carry(method, envelope, |request: FetchTaskRequest| {
            let runner = caller(gitea, call, Work::Other)?;
            fetch::fetch(gitea, &runner, &request, &fetch::Asker::of(call))
        }),
        Method::UpdateTask => carry(method, envelope, |request: UpdateTaskRequest| {
            report::update_task(gitea, &caller(gitea, call, Work::OnTask)?, request)
        }),
        Method::UpdateLog => carry(method, envelope, |request: UpdateLogRequest| {
            log::update_log(gitea, &caller(gitea, call, Work::OnTask)?, &request)
        }),
    }
}

/// Reads a request, has it answered, and writes the answer.
fn carry<Q, A>(method: Method, envelope: &Envelope, answer: impl FnOnce(Q) -> Outcome<A>) -> Handled
where
    Q: prost::Message + FromProtoJson,
    A: prost::Message + ToProtoJson,
{
    let request = match decode(envelope.codec, &envelope.message) {
        Ok(request) => request,
        Err(error) => {
            let kind = method.request_type();
            let told = format!("unmarshal message: unmarshal into {kind}: proto: {error}");
            return refused(&ConnectError::invalid_argument(told)).into();
        }
    };
    match answer(request) {
        Err(error) => refused(&error).into(),
        Ok(done) => {
            let body = seal(envelope, encode(envelope.codec, &done.message));
            let mut reply = Reply::bytes(200, "application/json", body.bytes)
                .with_header("content-type", envelope.content_type.clone());
            if body.gzip {
                reply = reply.with_header("content-encoding", "gzip");
            }
            Handled {
                reply,
                receipt: done.receipt,
            }
        }
    }
}

/// Errors are JSON in both codecs.
fn refused(error: &ConnectError) -> Reply {
    Reply::bytes(error.status().as_u16(), "application/json", error.body())
}

/// Whether a call is about a task: that is what makes a runner busy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    OnTask,
    Other,
}

/// The runner that calls.
pub(super) fn caller(gitea: &Gitea, call: &Call, work: Work) -> Result<Runner, ConnectError> {
    let uuid = call.header("x-runner-uuid").unwrap_or_default();
    let token = call.header("x-runner-token").unwrap_or_default();
    let digest = token_digest(token);
    gitea.read(|world, _| {
        let runner = world.actions.runners.runners.find(uuid);
        let known = |runner: &&Runner| same(runner.token_sha256.as_bytes(), digest.as_bytes());
        let runner = runner
            .filter(known)
            .ok_or_else(ConnectError::unregistered)?;
        world
            .actions
            .runners
            .presence
            .note(runner.id, world.now(), work == Work::OnTask);
        Ok(runner.clone())
    })
}

fn register(gitea: &Gitea, request: RegisterRequest) -> Outcome<RegisterResponse> {
    if request.token.is_empty() || request.name.is_empty() {
        return Err(ConnectError::unknown("missing runner token, name"));
    }
    let scope = gitea.read(|world, _| scope_of_token(world, &request.token));
    let scope =
        scope.ok_or_else(|| ConnectError::unknown("runner registration token not found"))?;
    let (runner, receipt) = gitea.write(|world, _, _| add(world, scope, request));
    Ok(Done {
        message: RegisterResponse {
            runner: Some(runner),
        },
        receipt,
    })
}

fn scope_of_token(world: &World, token: &str) -> Option<Scope> {
    let known = world.actions.runners.tokens.iter().map(|(_, known)| known);
    let mut fitting = known.filter(|known| same(known.token.as_bytes(), token.as_bytes()));
    fitting.next().map(|known| known.scope)
}

fn add(world: &mut World, scope: Scope, request: RegisterRequest) -> connect::Runner {
    let (uuid, token) = (world.random.uuid(), world.random.hex(40));
    let labels = if request.labels.is_empty() {
        request.agent_labels
    } else {
        request.labels
    };
    let id = world.actions.runners.runners.insert(|id| Runner {
        id,
        uuid: uuid.clone(),
        token_sha256: token_digest(&token),
        name: request.name.clone(),
        version: request.version.clone(),
        labels: labels.clone(),
        ephemeral: request.ephemeral,
        disabled: false,
        scope,
    });
    connect::Runner {
        id,
        uuid,
        token,
        name: request.name,
        version: request.version,
        labels,
        ephemeral: request.ephemeral,
    }
}

fn declare(gitea: &Gitea, runner: Runner, request: DeclareRequest) -> Outcome<DeclareResponse> {
    let ((), receipt) = gitea.write(|world, _, _| {
        world.actions.runners.runners.update(runner.id, |row| {
            row.version.clone_from(&request.version);
            row.labels.clone_from(&request.labels);
        });
    });
    let declared = connect::Runner {
        id: runner.id,
        uuid: runner.uuid,
        name: runner.name,
        version: request.version,
        labels: request.labels,
        ..connect::Runner::default()
    };
    Ok(Done {
        message: DeclareResponse {
            runner: Some(declared),
        },
        receipt,
    })
}
