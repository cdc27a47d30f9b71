//! The client: cheap to clone, with credentials, trust, bounds and what is known of the server.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;
use url::Url;

use crate::auth::Auth;
use crate::error::{Delivery, Error, ErrorKind, Result};
use crate::request::{Prepared, Request, Safety, Verb};
use crate::response::{self, Answer, Subject};
use crate::server::Server;
use crate::transport::retry::RetryPolicy;
use crate::transport::tls::{self, Trust};
use crate::transport::{Bounds, Failure, Transport};
use crate::wait::pause;

/// How many redirects a read follows, all of them on the server's own origin.
const REDIRECTS_MAX: u32 = 5;

/// A Gitea or Forgejo server and who asks it. Clones share connections and what is known of the
/// server.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
    auth: Auth,
    sudo: Option<String>,
}

#[derive(Debug)]
struct Shared {
    base: Url,
    transport: Transport,
    retry: RetryPolicy,
    server: OnceCell<Server>,
}

/// How a client is made.
#[derive(Debug, Clone)]
#[must_use]
pub struct ClientBuilder {
    base: String,
    auth: Auth,
    trust: Trust,
    retry: RetryPolicy,
    agent: String,
    connect_timeout: Duration,
    timeout: Duration,
    server: Option<Server>,
}

impl ClientBuilder {
    /// Who asks; nobody unless told.
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// Whom to trust; the system's roots unless told.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// How often requests are repeated.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// The `User-Agent`.
    pub fn user_agent(mut self, agent: impl Into<String>) -> Self {
        self.agent = agent.into();
        self
    }

    /// The bound of making a connection; 10 seconds unless told.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The bound of one whole exchange; 60 seconds unless told.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Takes the server for what it is told to be, instead of asking it once.
    pub fn assume(mut self, server: Server) -> Self {
        self.server = Some(server);
        self
    }

    /// Makes the client; nothing is sent yet.
    ///
    /// # Errors
    /// `InvalidRequest` when the address is no HTTP address or the trust policy cannot be used.
    pub fn build(self) -> Result<Client> {
        let refuse = || Error::new(ErrorKind::InvalidRequest, "build client", Delivery::NotSent);
        let base = Url::parse(&self.base).map_err(|error| refuse().because(error))?;
        if !matches!(base.scheme(), "http" | "https") || base.query().is_some() {
            return Err(refuse().saying("the address must begin with `http://` or `https://`"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(refuse().saying("credentials belong into `auth`, not into the address"));
        }
        let tls = tls::configure(&self.trust).map_err(|error| refuse().because(error))?;
        let bounds = Bounds {
            connect: self.connect_timeout,
            whole: self.timeout,
        };
        let transport =
            Transport::new(tls, bounds, &self.agent).map_err(|error| refuse().because(error))?;
        let server = self
            .server
            .map_or_else(OnceCell::new, |server| OnceCell::new_with(Some(server)));
        let shared = Shared {
            base,
            transport,
            retry: self.retry,
            server,
        };
        Ok(Client {
            shared: Arc::new(shared),
            auth: self.auth,
            sudo: None,
        })
    }
}

impl Client {
    /// Begins a client of the server at this address, for instance `https://forge.internal/git`.
    pub fn builder(base: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            base: base.into(),
            auth: Auth::Anonymous,
            trust: Trust::SystemRoots,
            retry: RetryPolicy::default(),
            agent: concat!("gitea-api/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(60),
            server: None,
        }
    }

    /// The same server with other credentials.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = testkit::forge::Forge::start().await?;
    /// # let token = gitea_api::Auth::token(&*server.ready().root_token);
    /// # let client = gitea_api::Client::builder(server.url()).auth(token).build()?;
    /// use gitea_api::Auth;
    ///
    /// let nobody = client.with_auth(Auth::Anonymous);
    /// let error = nobody.me().get().await.unwrap_err();
    /// assert!(error.is_unauthorized());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_auth(&self, auth: Auth) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            auth,
            sudo: None,
        }
    }

    /// The same client acting for another user; only site administrators may.
    #[must_use]
    pub fn sudo(&self, user: impl Into<String>) -> Self {
        Self {
            sudo: Some(user.into()),
            ..self.clone()
        }
    }

    /// The address of the server.
    #[must_use]
    pub fn base(&self) -> &Url {
        &self.shared.base
    }

    /// What the server is. It is asked once; clones share the answer.
    ///
    /// Upstream: `GET /version`
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = testkit::forge::Forge::start().await?;
    /// # let token = gitea_api::Auth::token(&*server.ready().root_token);
    /// # let client = gitea_api::Client::builder(server.url()).auth(token).build()?;
    /// use gitea_api::server::{Capability, Flavor};
    ///
    /// let forge = client.probe().await?;
    /// assert_eq!(forge.flavor(), Flavor::Gitea);
    /// assert!(forge.supports(Capability::DispatchDetails));
    /// assert!(!forge.supports(Capability::CancelRun));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotGitea` when what answers is something else or is not installed yet; `Unauthorized` where
    /// the server shows nothing to strangers.
    pub async fn probe(&self) -> Result<&Server> {
        self.shared
            .server
            .get_or_try_init(|| Box::pin(self.ask_version()))
            .await
    }

    async fn ask_version(&self) -> Result<Server> {
        let version = self.version().await?;
        Server::parse(&version).ok_or_else(|| {
            Error::new(ErrorKind::NotGitea, "get version", Delivery::Answered)
                .saying(format!("`{version}` is no version"))
        })
    }

    /// Sends a request and reads the JSON value that it answers. The way to endpoints that have no
    /// method here; credentials, retries and errors are the same.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = testkit::forge::Forge::start().await?;
    /// # let token = gitea_api::Auth::token(&*server.ready().root_token);
    /// # let client = gitea_api::Client::builder(server.url()).auth(token).build()?;
    /// use gitea_api::request::{Request, Verb};
    ///
    /// // An endpoint without a method: the same credentials, retries and errors.
    /// let request = Request::new(Verb::Get, "/users/{username}/repos").with("username", "root1");
    /// let repos: Vec<serde_json::Value> = client.send(request).await?;
    /// assert!(repos.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Any kind.
    pub async fn send<T: DeserializeOwned>(&self, request: Request) -> Result<T> {
        let (subject, answer) = self.exchange(&request).await?;
        response::decode(&subject, &answer)
    }

    /// Sends a request whose answer has nothing to read.
    ///
    /// # Errors
    /// Any kind.
    pub async fn send_empty(&self, request: Request) -> Result<()> {
        self.exchange(&request).await.map(drop)
    }

    /// Sends a request and gives the body as it came.
    ///
    /// # Errors
    /// Any kind.
    pub async fn send_bytes(&self, request: Request) -> Result<Bytes> {
        Ok(self.exchange(&request).await?.1.body)
    }

    /// Sends a request and gives status, headers and body of a success.
    ///
    /// # Errors
    /// Any kind.
    pub async fn send_raw(&self, request: Request) -> Result<Answer> {
        Ok(self.exchange(&request).await?.1)
    }

    /// Sends a request; `None` stands for "not found".
    pub(crate) async fn find<T: DeserializeOwned>(&self, request: Request) -> Result<Option<T>> {
        found(self.send(request).await)
    }

    /// Sends a question whose answer is a status: 204 means yes, "not found" means no.
    pub(crate) async fn ask(&self, request: Request) -> Result<bool> {
        Ok(found(self.send_empty(request).await)?.is_some())
    }

    /// Checks, sends, repeats and follows, until there is an answer that is no refusal.
    pub(crate) async fn exchange(&self, request: &Request) -> Result<(Subject, Answer)> {
        self.check(request).await?;
        let mut prepared = request.prepare(self.base())?;
        let mut subject = Subject {
            title: request.title().to_owned(),
            verb: prepared.verb,
            address: prepared.address(),
        };
        for _ in 0..=REDIRECTS_MAX {
            let answer = self.persist(&subject, &prepared, request.twice()).await;
            match answer {
                Err(error) => match self.follow(&prepared, &error) {
                    Some(url) => prepared.url = url,
                    None => return Err(error),
                },
                Ok(answer) => return Ok((subject, answer)),
            }
            subject.address = prepared.address();
        }
        Err(
            Error::new(ErrorKind::LimitReached, subject.title, Delivery::Answered)
                .at(subject.address)
                .saying("too many redirects"),
        )
    }

    /// Refuses what the server is known not to do, before anything is sent.
    async fn check(&self, request: &Request) -> Result<()> {
        let Some(capability) = request.needed() else {
            return Ok(());
        };
        let server = self.probe().await?;
        if server.supports(capability) {
            return Ok(());
        }
        let kind = ErrorKind::Unsupported {
            needs: capability.needs(),
            have: server.to_string(),
        };
        Err(Error::new(kind, request.title(), Delivery::NotSent))
    }

    /// Where a read goes on. Writes never do, and nothing leaves the origin: the credentials would.
    fn follow(&self, prepared: &Prepared, error: &Error) -> Option<Url> {
        let location = error
            .redirect()
            .filter(|_| matches!(error.kind(), ErrorKind::Moved { .. }))?;
        let url = prepared.url.join(location).ok()?;
        let stays = url.origin() == self.base().origin();
        (prepared.verb == Verb::Get && stays).then_some(url)
    }

    async fn persist(
        &self,
        subject: &Subject,
        prepared: &Prepared,
        safety: Safety,
    ) -> Result<Answer> {
        let credentials = self.credentials(prepared);
        let mut attempt = 1;
        let mut uncertain = false;
        loop {
            let error = match self.once(subject, prepared, &credentials).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            // An earlier attempt may have removed it: then its absence is the success.
            if safety == Safety::Removal && uncertain && error.is_not_found() {
                return Ok(Answer {
                    status: 204,
                    headers: http::HeaderMap::new(),
                    body: Bytes::new(),
                });
            }
            let Some(wait) = self.shared.retry.next(safety, &error, attempt) else {
                return Err(error);
            };
            uncertain |= error.delivery() != Delivery::NotSent && error.status() != Some(429);
            attempt += 1;
            pause(wait).await;
        }
    }

    /// Who asks: the client, or what the request itself brings.
    fn credentials(&self, prepared: &Prepared) -> Vec<(&'static str, String)> {
        if let Some(own) = &prepared.credentials {
            return own.clone();
        }
        let mut credentials = self.auth.headers();
        credentials.extend(self.sudo.iter().map(|user| ("sudo", user.clone())));
        credentials
    }

    async fn once(
        &self,
        subject: &Subject,
        prepared: &Prepared,
        credentials: &[(&'static str, String)],
    ) -> Result<Answer> {
        match self.shared.transport.execute(prepared, credentials).await {
            Ok(answer) => response::accept(subject, answer),
            Err(Failure {
                kind,
                delivery,
                cause,
            }) => Err(Error::new(kind, &*subject.title, delivery)
                .at(&*subject.address)
                .because(cause)),
        }
    }
}

/// Turns "not found" into `None`.
pub(crate) fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
