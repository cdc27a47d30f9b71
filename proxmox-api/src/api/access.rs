//! Users, API tokens, access control, and what one may do.

mod entries;
mod parameters;

use crate::api;
use crate::auth::{ApiToken, Login, LoginRequest, SecondFactor, Secret, TfaChallenge, Ticket};
use crate::client::Client;
use crate::error::{Cause, Error};
use crate::ids::{TokenId, UserId};
use crate::request::Request;
use crate::response::Nothing;
use crate::wire::Params;

pub use entries::{AclEntry, NewToken, Permissions, TokenInfo, User};
pub use parameters::{CreateToken, CreateUser, SetAcl};

/// Users, tokens and what they may do.
#[derive(Debug, Clone)]
pub struct Access {
    client: Client,
}

impl Access {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Logs in, apart from the client's own credentials.
    ///
    /// Upstream: `POST /access/ticket`.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthorized`](crate::ErrorKind::Unauthorized), after three seconds;
    /// [`ErrorKind::SecondFactor`](crate::ErrorKind::SecondFactor) with a
    /// [challenge](Error::challenge) for [`Access::answer_challenge`].
    pub async fn log_in(&self, user: &UserId, password: &Secret) -> Result<Ticket, Error> {
        self.step(LoginRequest::with_password(user, password)).await
    }

    /// Completes a login with a second factor.
    ///
    /// Upstream: `POST /access/ticket` with `tfa-challenge`.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthorized`](crate::ErrorKind::Unauthorized).
    pub async fn answer_challenge(
        &self,
        challenge: &TfaChallenge,
        factor: &SecondFactor,
    ) -> Result<Ticket, Error> {
        self.step(LoginRequest::with_factor(challenge, factor))
            .await
    }

    async fn step(&self, login: LoginRequest) -> Result<Ticket, Error> {
        let request = login.request.clone();
        match self.client.log_in(login).await? {
            Login::Ticket(ticket) => Ok(ticket),
            Login::Challenge(challenge) => Err(request.error(Cause::SecondFactor(challenge))),
        }
    }

    /// What the asker may do, by path.
    ///
    /// Upstream: `GET /access/permissions`.
    ///
    /// # Errors
    /// None of its own.
    pub async fn permissions(&self) -> Result<Permissions, Error> {
        self.client
            .get(&Request::to(&api::GET_PERMISSIONS, &[], Params::default()))
            .await
    }

    /// What the asker may do on one path, e.g. `/vms/105`.
    ///
    /// ```
    /// # use proxmox_api::{Client, Tls};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let play = testkit::node::Node::start_memory().await?;
    /// # let pve = Client::builder(play.url()).token(play.root_token().parse()?)
    /// #     .tls(Tls::Pinned(play.fingerprint().parse()?)).build()?;
    /// # let node = pve.node(play.name().parse()?);
    /// let may = pve.access().permissions_on("/vms/105").await?;
    /// assert!(may.has("/vms/105", "VM.Allocate"));
    /// # Ok(()) }
    /// ```
    ///
    /// Upstream: `GET /access/permissions?path=`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`](crate::ErrorKind::InvalidParameter) for a path that there
    /// cannot be.
    pub async fn permissions_on(&self, path: &str) -> Result<Permissions, Error> {
        let mut params = Params::default();
        params.set("path", path);
        self.client
            .get(&Request::to(&api::GET_PERMISSIONS, &[], params))
            .await
    }

    /// The users; those that the asker may not see are left out.
    ///
    /// Upstream: `GET /access/users`.
    ///
    /// # Errors
    /// None of its own.
    pub async fn list_users(&self) -> Result<Vec<User>, Error> {
        self.client
            .get(&Request::to(&api::LIST_USERS, &[], Params::default()))
            .await
    }

    /// Creates a user.
    ///
    /// Upstream: `POST /access/users`. Privilege: `Realm.AllocateUser` on the realm.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`](crate::ErrorKind::AlreadyExists).
    pub async fn create_user(&self, create: &CreateUser) -> Result<(), Error> {
        self.done(&Request::to(&api::CREATE_USER, &[], create.params()))
            .await
    }

    /// One user, or nothing if there is none of that name.
    ///
    /// Upstream: `GET /access/users/{userid}`. Privilege: `User.Modify` or `Sys.Audit` on a group.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`](crate::ErrorKind::Denied).
    pub async fn find_user(&self, user: &UserId) -> Result<Option<User>, Error> {
        let request = Request::to(&api::GET_USER, &[user], Params::default());
        let found = self.client.get::<User>(&request).await;
        Ok(super::lxc::absent_is_none(found)?.map(|found| found.named(user)))
    }

    /// Deletes a user with its tokens and its rights.
    ///
    /// Upstream: `DELETE /access/users/{userid}`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound).
    pub async fn delete_user(&self, user: &UserId) -> Result<(), Error> {
        self.done(&Request::to(&api::DELETE_USER, &[user], Params::default()))
            .await
    }

    /// The tokens of a user, without their secrets.
    ///
    /// Upstream: `GET /access/users/{userid}/token`.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`](crate::ErrorKind::Denied).
    pub async fn list_tokens(&self, user: &UserId) -> Result<Vec<TokenInfo>, Error> {
        self.client
            .get(&Request::to(&api::LIST_TOKENS, &[user], Params::default()))
            .await
    }

    /// Creates a token; its secret is told now and never again.
    ///
    /// ```
    /// # use proxmox_api::{Client, Tls};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let play = testkit::node::Node::start_memory().await?;
    /// # let pve = Client::builder(play.url()).token(play.root_token().parse()?)
    /// #     .tls(Tls::Pinned(play.fingerprint().parse()?)).build()?;
    /// # let node = pve.node(play.name().parse()?);
    /// use proxmox_api::api::{CreateToken, CreateUser, SetAcl};
    ///
    /// let access = pve.access();
    /// access.create_user(&CreateUser::new("ci@pve".parse()?)).await?;
    /// let id = "ci@pve!deploy".parse()?;
    /// let token = access.create_token(&id, &CreateToken::new()).await?;
    /// access.set_acl(&SetAcl::new("/vms", "PVEVMAdmin").user(&"ci@pve".parse()?).token(&id)).await?;
    /// let mine = Client::builder(play.url())
    ///     .token(token)
    ///     .tls(Tls::Pinned(play.fingerprint().parse()?))
    ///     .build()?;
    /// assert!(mine.access().permissions_on("/vms").await?.has("/vms", "VM.Allocate"));
    /// # Ok(()) }
    /// ```
    ///
    /// Upstream: `POST /access/users/{userid}/token/{tokenid}`.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`](crate::ErrorKind::AlreadyExists);
    /// [`ErrorKind::Denied`](crate::ErrorKind::Denied) also for a user that does not exist.
    pub async fn create_token(
        &self,
        token: &TokenId,
        create: &CreateToken,
    ) -> Result<ApiToken, Error> {
        let arguments: [&dyn std::fmt::Display; 2] = [&token.user(), &token.name()];
        let request = Request::to(&api::CREATE_TOKEN, &arguments, create.params());
        let made: NewToken = self.client.get(&request).await?;
        Ok(made.into_token())
    }

    /// One token without its secret, or nothing if there is none of that name.
    ///
    /// Upstream: `GET /access/users/{userid}/token/{tokenid}`.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`](crate::ErrorKind::Denied).
    pub async fn find_token(&self, token: &TokenId) -> Result<Option<TokenInfo>, Error> {
        let arguments: [&dyn std::fmt::Display; 2] = [&token.user(), &token.name()];
        let request = Request::to(&api::GET_TOKEN, &arguments, Params::default());
        let found = self.client.get::<TokenInfo>(&request).await;
        Ok(super::lxc::absent_is_none(found)?.map(|found| found.named(token.name())))
    }

    /// Deletes a token.
    ///
    /// Upstream: `DELETE /access/users/{userid}/token/{tokenid}`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound).
    pub async fn delete_token(&self, token: &TokenId) -> Result<(), Error> {
        let arguments: [&dyn std::fmt::Display; 2] = [&token.user(), &token.name()];
        self.done(&Request::to(
            &api::DELETE_TOKEN,
            &arguments,
            Params::default(),
        ))
        .await
    }

    /// Who has which role where.
    ///
    /// Upstream: `GET /access/acl`.
    ///
    /// # Errors
    /// None of its own.
    pub async fn list_acl(&self) -> Result<Vec<AclEntry>, Error> {
        self.client
            .get(&Request::to(&api::LIST_ACL, &[], Params::default()))
            .await
    }

    /// Gives roles, or takes them away.
    ///
    /// Upstream: `PUT /access/acl`. Privilege: `Permissions.Modify` on the path.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) for a missing user, group, token or role.
    pub async fn set_acl(&self, set: &SetAcl) -> Result<(), Error> {
        self.done(&Request::to(&api::SET_ACL, &[], set.params()))
            .await
    }

    async fn done(&self, request: &Request) -> Result<(), Error> {
        self.client.get::<Nothing>(request).await.map(|_| ())
    }
}
