//! The client: cheap to clone, shared by all handles.

mod builder;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::{Access, Cluster, Node};
use crate::auth::{Login, LoginRequest, Proof, Session};
use crate::error::Error;
use crate::ids::{NodeName, Upid};
use crate::request::{Method, Request};
use crate::response::{self, Answer};
use crate::retry::{self, Failed, Next, RetryPolicy};
use crate::task::Task;
use crate::transport::{Content, Transport};
use crate::wire::Params;

pub use builder::ClientBuilder;

/// A client of one cluster.
#[derive(Debug, Clone)]
pub struct Client(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    transport: Transport,
    session: Session,
    retry: RetryPolicy,
}

/// In whose name a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    Nobody,
    Session,
}

impl Client {
    /// Begins to describe a client of the server at that address, e.g. `https://pve1:8006`.
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(url.into())
    }

    pub(crate) fn from_parts(transport: Transport, session: Session, retry: RetryPolicy) -> Self {
        Self(Arc::new(Shared {
            transport,
            session,
            retry,
        }))
    }

    /// A node of the cluster; nothing is asked yet.
    #[must_use]
    pub fn node(&self, name: NodeName) -> Node {
        Node::new(self.clone(), name)
    }

    /// What concerns the whole cluster.
    #[must_use]
    pub fn cluster(&self) -> Cluster {
        Cluster::new(self.clone())
    }

    /// Users, tokens and what they may do.
    #[must_use]
    pub fn access(&self) -> Access {
        Access::new(self.clone())
    }

    /// A task that was started earlier, perhaps by somebody else; nothing is asked yet.
    #[must_use]
    pub fn task(&self, upid: Upid) -> Task {
        Task::new(self.clone(), upid)
    }

    /// Calls anything below `/api2/json`, with the same authentication, retries and decoding as
    /// every other method of this crate.
    ///
    /// `path` begins with `/` and is percent-encoded; `params` is any structure or map of scalars
    /// and lists of scalars, or `&()` for none. Booleans are sent as 0 and 1, `None` is left out.
    ///
    /// ```
    /// # use proxmox_api::{Client, Tls};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let play = testkit::node::Node::start_memory().await?;
    /// # let pve = Client::builder(play.url()).token(play.root_token().parse()?)
    /// #     .tls(Tls::Pinned(play.fingerprint().parse()?)).build()?;
    /// # let node = pve.node(play.name().parse()?);
    /// use proxmox_api::Method;
    /// use serde_json::{Value, json};
    ///
    /// let zones: Vec<Value> = pve.call(Method::Get, "/nodes", &json!({})).await?;
    /// assert_eq!(zones[0]["status"], "online");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Of any kind. A POST, PUT or DELETE is repeated only if it was certainly not carried out.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        params: &(impl Serialize + Sync),
    ) -> Result<T, Error> {
        let params = Params::from_serialize(params)
            .map_err(|reason| Error::unusable(&format!("calling {method} {path}"), reason))?;
        self.get(&Request::raw(method, path, params)?).await
    }

    /// Sends the request, as often as is safe and sensible, and reads the answer.
    pub(crate) async fn get<T: DeserializeOwned>(&self, request: &Request) -> Result<T, Error> {
        let answer = self.attempts(request, Asker::Session).await?;
        response::decode(request, &answer)
    }

    /// Sends a file once, and reads the answer.
    pub(crate) async fn upload<T: DeserializeOwned>(
        &self,
        request: &Request,
        content: Content,
    ) -> Result<T, Error> {
        let proof = self.proof(Asker::Session).await?;
        let answer = self.0.transport.upload(request, &proof, content).await?;
        response::decode(request, &answer)
    }

    /// One step of a login, which is itself a request, by nobody yet.
    pub(crate) fn log_in(&self, login: LoginRequest) -> BoxFuture<'_, Result<Login, Error>> {
        // Boxed because the future of a request would contain its own kind.
        Box::pin(async move {
            let answer = self.attempts(&login.request, Asker::Nobody).await?;
            login.read(response::decode(&login.request, &answer)?)
        })
    }

    async fn proof(&self, asker: Asker) -> Result<Proof, Error> {
        match asker {
            Asker::Nobody => Ok(Proof::Nothing),
            Asker::Session => self.0.session.proof(self).await,
        }
    }

    /// Tries until there is an answer, or `retry::next` says that there will be none.
    async fn attempts(&self, request: &Request, asker: Asker) -> Result<Answer, Error> {
        let mut renewable = asker == Asker::Session && self.0.session.is_renewable();
        let mut failures = 0;
        loop {
            let proof = self.proof(asker).await?;
            let error = match self.attempt(request, &proof).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            failures += 1;
            let failed = Failed {
                error: &error,
                repeat: request.repeat,
                failures,
                renewable,
            };
            match retry::next(&self.0.retry, failed, rand::random()) {
                Next::GiveUp => return Err(error),
                Next::Renew => {
                    renewable = false;
                    failures -= 1;
                    self.0.session.forget(&proof).await;
                }
                Next::Again(time) => crate::wait::pause(time).await,
                Next::Elsewhere(time) => {
                    self.0.transport.move_on();
                    crate::wait::pause(time).await;
                }
            }
        }
    }

    async fn attempt(&self, request: &Request, proof: &Proof) -> Result<Answer, Error> {
        let answer = self.0.transport.send(request, proof).await?;
        response::check(request, &answer)?;
        Ok(answer)
    }
}
