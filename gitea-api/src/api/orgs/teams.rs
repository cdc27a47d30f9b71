//! Teams of an organisation.
//!
//! # Quirks
//! - Below administrators a team's `permission` reads `none`: its rights stand in `units_map`.
//! - Giving a team its repository or member again changes nothing, by the team's own address.

use std::collections::BTreeMap;

use crate::api::orgs::{Org, Organization};
use crate::api::repos::Repository;
use crate::api::users::User;
use crate::client::Client;
use crate::error::Result;
use crate::ids::{RepoPath, TeamId};
use crate::page::List;
use crate::request::{Operation, Request, operations};
use crate::wire::{model, params, words};

operations! {
    LIST_TEAMS = Operation::get("/orgs/{org}/teams", "list teams");
    CREATE_TEAM = Operation::post("/orgs/{org}/teams", "create team");
    SEARCH_TEAMS = Operation::get("/orgs/{org}/teams/search", "search teams");
    GET_TEAM = Operation::get("/teams/{id}", "get team");
    EDIT_TEAM = Operation::patch("/teams/{id}", "edit team");
    DELETE_TEAM = Operation::delete("/teams/{id}", "delete team");
    TEAM_MEMBERS = Operation::get("/teams/{id}/members", "list members of team");
    GET_TEAM_MEMBER = Operation::get("/teams/{id}/members/{username}", "get member of team");
    ADD_TEAM_MEMBER = Operation::put("/teams/{id}/members/{username}", "add member to team");
    REMOVE_TEAM_MEMBER = Operation::delete("/teams/{id}/members/{username}", "remove member of team");
    TEAM_REPOS = Operation::get("/teams/{id}/repos", "list repositories of team");
    GET_TEAM_REPO = Operation::get("/teams/{id}/repos/{org}/{repo}", "get repository of team");
    ADD_TEAM_REPO = Operation::put("/teams/{id}/repos/{org}/{repo}", "add repository to team");
    REMOVE_TEAM_REPO = Operation::delete("/teams/{id}/repos/{org}/{repo}", "remove repository of team");
}

words! {
    /// How much somebody may do.
    pub enum Access {
        /// Nothing, or what other fields tell.
        Unset = "none",
        /// Read.
        Read = "read",
        /// Read and write.
        Write = "write",
        /// Administer.
        Admin = "admin",
        /// Everything.
        Owner = "owner",
    }
}

model! {
    /// A team.
    pub struct TeamInfo {
        /// The number.
        pub id: TeamId,
        /// The name.
        pub name: String,
        /// About it.
        pub description: String,
        /// Whose team it is; absent in lists.
        pub organization: Option<Organization>,
        /// Whether it has all repositories.
        pub includes_all_repositories: bool,
        /// `Admin` or `Owner`; for others see `units_map`.
        pub permission: Access,
        /// The units it has rights on, in random order.
        pub units: Vec<String>,
        /// The rights by unit, for instance `repo.code`.
        pub units_map: BTreeMap<String, Access>,
        /// Whether its members may make repositories.
        pub can_create_org_repo: bool,
    }
}

params! {
    /// A team to make.
    pub struct CreateTeam {
        required {
            /// The name.
            name: String,
        }
        optional {
            /// About it.
            description: String,
            /// The right on all units, where no `units_map` is given.
            permission: Access,
            /// The rights by unit, for instance `repo.code`.
            units_map: BTreeMap<String, Access>,
            /// Whether it has all repositories.
            includes_all_repositories: bool,
            /// Whether its members may make repositories.
            can_create_org_repo: bool,
        }
        lists {
            /// The units it has rights on.
            units: String,
        }
    }
}

params! {
    /// Changes of a team.
    pub struct EditTeam {
        required {
            /// The name; give the present one to keep it.
            name: String,
        }
        optional {
            /// The right on all units, where no `units_map` is given.
            permission: Access,
            /// The rights by unit.
            units_map: BTreeMap<String, Access>,
            /// Whether it has all repositories.
            includes_all_repositories: bool,
            /// Whether its members may make repositories.
            can_create_org_repo: bool,
        }
        lists {
            /// The units it has rights on.
            units: String,
        }
        patch {
            /// About it.
            description: String,
        }
    }
}

/// A team by number.
#[derive(Debug, Clone)]
pub struct Team {
    client: Client,
    id: TeamId,
}

impl Client {
    /// A team by number.
    #[must_use]
    pub fn team(&self, id: TeamId) -> Team {
        Team {
            client: self.clone(),
            id,
        }
    }
}

impl Org {
    /// Its teams, the owners among them.
    ///
    /// Upstream: `GET /orgs/{org}/teams`
    pub fn teams(&self) -> List<TeamInfo> {
        List::paged(&self.client, self.request(&LIST_TEAMS))
    }

    /// Its teams whose names contain a text.
    ///
    /// Upstream: `GET /orgs/{org}/teams/search`
    pub fn search_teams(&self, text: &str) -> List<TeamInfo> {
        List::paged(&self.client, self.request(&SEARCH_TEAMS).query("q", text)).member("data")
    }

    /// Makes a team. Without units the server refuses, with a 500.
    ///
    /// Upstream: `POST /orgs/{org}/teams`
    ///
    /// # Errors
    /// `AlreadyExists`, `Validation`, `Forbidden`.
    pub async fn create_team(&self, team: &CreateTeam) -> Result<TeamInfo> {
        self.client
            .send(self.request(&CREATE_TEAM).json(team))
            .await
    }
}

impl Team {
    fn request(&self, operation: &Operation) -> Request {
        Request::to(operation).with("id", self.id)
    }

    fn repo_request(&self, operation: &Operation, repo: &RepoPath) -> Request {
        self.request(operation)
            .with("org", repo.owner())
            .with("repo", repo.name())
    }

    /// What is known of it.
    ///
    /// Upstream: `GET /teams/{id}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self) -> Result<TeamInfo> {
        self.client.send(self.request(&GET_TEAM)).await
    }

    /// Changes it.
    ///
    /// Upstream: `PATCH /teams/{id}`
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists`, `Validation`.
    pub async fn edit(&self, changes: &EditTeam) -> Result<TeamInfo> {
        self.client
            .send(self.request(&EDIT_TEAM).json(changes))
            .await
    }

    /// Removes it. The server also removes the owners' team, and leaves nobody.
    ///
    /// Upstream: `DELETE /teams/{id}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn delete(&self) -> Result<()> {
        self.client.send_empty(self.request(&DELETE_TEAM)).await
    }

    /// Its members.
    ///
    /// Upstream: `GET /teams/{id}/members`
    pub fn members(&self) -> List<User> {
        List::paged(&self.client, self.request(&TEAM_MEMBERS))
    }

    /// A member, if that user is one.
    ///
    /// Upstream: `GET /teams/{id}/members/{username}`
    ///
    /// # Errors
    /// Any kind but `NotFound`.
    pub async fn find_member(&self, user: &str) -> Result<Option<User>> {
        self.client
            .find(self.request(&GET_TEAM_MEMBER).with("username", user))
            .await
    }

    /// Adds a member; nothing changes where they are one.
    ///
    /// Upstream: `PUT /teams/{id}/members/{username}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn add_member(&self, user: &str) -> Result<()> {
        self.client
            .send_empty(self.request(&ADD_TEAM_MEMBER).with("username", user))
            .await
    }

    /// Removes a member.
    ///
    /// Upstream: `DELETE /teams/{id}/members/{username}`
    ///
    /// # Errors
    /// `NotFound`; `Conflict` for the last owner.
    pub async fn remove_member(&self, user: &str) -> Result<()> {
        self.client
            .send_empty(self.request(&REMOVE_TEAM_MEMBER).with("username", user))
            .await
    }

    /// Its repositories.
    ///
    /// Upstream: `GET /teams/{id}/repos`
    pub fn repos(&self) -> List<Repository> {
        List::paged(&self.client, self.request(&TEAM_REPOS))
    }

    /// A repository, if the team has it.
    ///
    /// Upstream: `GET /teams/{id}/repos/{org}/{repo}`
    ///
    /// # Errors
    /// Any kind but `NotFound`.
    pub async fn find_repo(&self, repo: &RepoPath) -> Result<Option<Repository>> {
        self.client
            .find(self.repo_request(&GET_TEAM_REPO, repo))
            .await
    }

    /// Gives it a repository; nothing changes where it has it.
    ///
    /// Upstream: `PUT /teams/{id}/repos/{org}/{repo}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn add_repo(&self, repo: &RepoPath) -> Result<()> {
        self.client
            .send_empty(self.repo_request(&ADD_TEAM_REPO, repo))
            .await
    }

    /// Takes a repository from it.
    ///
    /// Upstream: `DELETE /teams/{id}/repos/{org}/{repo}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn remove_repo(&self, repo: &RepoPath) -> Result<()> {
        self.client
            .send_empty(self.repo_request(&REMOVE_TEAM_REPO, repo))
            .await
    }
}
