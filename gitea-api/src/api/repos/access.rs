//! Who may do what in a repository: collaborators and teams.

use crate::api::orgs::{Access, TeamInfo};
use crate::api::repos::Repo;
use crate::api::users::User;
use crate::error::Result;
use crate::page::List;
use crate::request::{Operation, operations};
use crate::wire::model;

operations! {
    LIST = Operation::get("/repos/{owner}/{repo}/collaborators", "list collaborators");
    IS = Operation::get("/repos/{owner}/{repo}/collaborators/{collaborator}", "check collaborator");
    ADD = Operation::put("/repos/{owner}/{repo}/collaborators/{collaborator}", "add collaborator");
    REMOVE =
        Operation::delete("/repos/{owner}/{repo}/collaborators/{collaborator}", "remove collaborator");
    PERMISSION = Operation::get(
        "/repos/{owner}/{repo}/collaborators/{collaborator}/permission",
        "get permission of collaborator",
    );
    LIST_TEAMS = Operation::get("/repos/{owner}/{repo}/teams", "list teams of repository");
    GET_TEAM = Operation::get("/repos/{owner}/{repo}/teams/{team}", "get team of repository");
    ADD_TEAM = Operation::put("/repos/{owner}/{repo}/teams/{team}", "add team of repository");
    REMOVE_TEAM = Operation::delete("/repos/{owner}/{repo}/teams/{team}", "remove team of repository");
}

model! {
    /// What somebody may do in a repository.
    pub struct CollaboratorPermission {
        /// How much.
        pub permission: Access,
        /// The same as a role.
        pub role_name: String,
        /// Who.
        pub user: User,
    }
}

impl Repo {
    /// Users who were given access themselves.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/collaborators`
    pub fn collaborators(&self) -> List<User> {
        List::paged(&self.client, self.request(&LIST))
    }

    /// Whether a user was given access.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/collaborators/{collaborator}`
    ///
    /// # Errors
    /// Any kind but `NotFound`.
    pub async fn is_collaborator(&self, user: &str) -> Result<bool> {
        self.client
            .ask(self.request(&IS).with("collaborator", user))
            .await
    }

    /// Gives a user access, or another one. `Read`, `Write` and `Admin` are taken.
    ///
    /// Upstream: `PUT /repos/{owner}/{repo}/collaborators/{collaborator}`
    ///
    /// # Errors
    /// `Validation` for an unknown user, `Forbidden`.
    pub async fn add_collaborator(&self, user: &str, access: &Access) -> Result<()> {
        let body = serde_json::json!({ "permission": access });
        self.client
            .send_empty(self.request(&ADD).with("collaborator", user).json(&body))
            .await
    }

    /// Takes a user's access; nothing happens where there was none.
    ///
    /// Upstream: `DELETE /repos/{owner}/{repo}/collaborators/{collaborator}`
    ///
    /// # Errors
    /// `Validation` for an unknown user, `Forbidden`.
    pub async fn remove_collaborator(&self, user: &str) -> Result<()> {
        self.client
            .send_empty(self.request(&REMOVE).with("collaborator", user))
            .await
    }

    /// What a user may do. Rights by unit of a team are not shown.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/collaborators/{collaborator}/permission`
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn permission_of(&self, user: &str) -> Result<CollaboratorPermission> {
        self.client
            .send(self.request(&PERMISSION).with("collaborator", user))
            .await
    }

    /// Teams that have it.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/teams`
    pub fn teams(&self) -> List<TeamInfo> {
        List::whole(&self.client, self.request(&LIST_TEAMS))
    }

    /// A team by name, if it has this repository.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/teams/{team}`
    ///
    /// # Errors
    /// Any kind but `NotFound`.
    pub async fn find_team(&self, team: &str) -> Result<Option<TeamInfo>> {
        self.client
            .find(self.request(&GET_TEAM).with("team", team))
            .await
    }

    /// Gives a team this repository.
    ///
    /// Upstream: `PUT /repos/{owner}/{repo}/teams/{team}`
    ///
    /// # Errors
    /// `AlreadyExists` where it has it.
    pub async fn add_team(&self, team: &str) -> Result<()> {
        self.client
            .send_empty(self.request(&ADD_TEAM).with("team", team))
            .await
    }

    /// Takes this repository from a team.
    ///
    /// Upstream: `DELETE /repos/{owner}/{repo}/teams/{team}`
    ///
    /// # Errors
    /// `Validation` where it has it not.
    pub async fn remove_team(&self, team: &str) -> Result<()> {
        self.client
            .send_empty(self.request(&REMOVE_TEAM).with("team", team))
            .await
    }
}
