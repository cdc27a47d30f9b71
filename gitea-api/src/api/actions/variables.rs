//! Variables of workflows.
//!
//! # Quirks
//! - A request says `value` where an answer says `data`.
//! - Names are kept in capitals, and found in any case.
//! - A write without a description clears it: [`Actions::ensure_variable`] keeps it.

use serde::Serialize;

use crate::api::actions::Actions;
use crate::ensure::Ensured;
use crate::error::Result;
use crate::page::List;
use crate::request::{Operation, operations};
use crate::wire::{model, params};

operations! {
    LIST = Operation::get("/actions/variables", "list variables").scoped("rou");
    GET = Operation::get("/actions/variables/{variablename}", "get variable").scoped("rou");
    CREATE = Operation::post("/actions/variables/{variablename}", "create variable").scoped("rou");
    UPDATE = Operation::put("/actions/variables/{variablename}", "update variable").scoped("rou");
    DELETE = Operation::delete("/actions/variables/{variablename}", "delete variable").scoped("rou");
}

model! {
    /// A variable.
    pub struct Variable {
        /// The owner, where it is not of a repository.
        pub owner_id: i64,
        /// The repository, where it is of one.
        pub repo_id: i64,
        /// The name, in capitals.
        pub name: String,
        /// The value.
        pub data: String,
        /// About it.
        pub description: String,
    }
}

params! {
    /// A new value of a variable.
    pub struct UpdateVariable {
        required {
            /// The value; never empty.
            value: String,
        }
        optional {
            /// Another name.
            name: String,
            /// About it; cleared unless told.
            description: String,
        }
    }
}

impl Actions {
    /// All variables.
    ///
    /// Upstream: `GET …/actions/variables`
    pub fn variables(&self) -> List<Variable> {
        List::paged(&self.client, self.request(&LIST))
    }

    /// A variable, if it is there.
    ///
    /// Upstream: `GET …/actions/variables/{variablename}`
    ///
    /// # Errors
    /// Any kind but `NotFound`.
    pub async fn find_variable(&self, name: &str) -> Result<Option<Variable>> {
        self.client
            .find(self.request(&GET).with("variablename", name))
            .await
    }

    /// Makes a variable.
    ///
    /// Upstream: `POST …/actions/variables/{variablename}`
    ///
    /// # Errors
    /// `AlreadyExists`; `Validation` for the name or an empty value.
    pub async fn create_variable(&self, name: &str, value: &str, description: &str) -> Result<()> {
        #[derive(Serialize)]
        struct CreateVariable<'a> {
            value: &'a str,
            #[serde(skip_serializing_if = "str::is_empty")]
            description: &'a str,
        }
        let body = CreateVariable { value, description };
        self.client
            .send_empty(self.request(&CREATE).with("variablename", name).json(&body))
            .await
    }

    /// Changes a variable.
    ///
    /// Upstream: `PUT …/actions/variables/{variablename}`
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists` for a new name, `Validation`.
    pub async fn update_variable(&self, name: &str, update: &UpdateVariable) -> Result<()> {
        self.client
            .send_empty(
                self.request(&UPDATE)
                    .with("variablename", name)
                    .json(update),
            )
            .await
    }

    /// Makes sure that a variable has this value.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = testkit::forge::Forge::start().await?;
    /// # let token = gitea_api::Auth::token(&*server.ready().root_token);
    /// # let client = gitea_api::Client::builder(server.url()).auth(token).build()?;
    /// use gitea_api::api::orgs::CreateOrg;
    ///
    /// client.create_org(&CreateOrg::new("infra")).await?;
    /// let actions = client.org("infra").actions();
    /// assert!(actions.ensure_variable("REGION", "eu-1").await?.is_change());
    /// assert!(!actions.ensure_variable("REGION", "eu-1").await?.is_change());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`create_variable`](Self::create_variable).
    pub async fn ensure_variable(&self, name: &str, value: &str) -> Result<Ensured<()>> {
        let Some(present) = self.find_variable(name).await? else {
            self.create_variable(name, value, "").await?;
            return Ok(Ensured::Created(()));
        };
        if present.data == value.replace("\r\n", "\n") {
            return Ok(Ensured::Unchanged(()));
        }
        let update = UpdateVariable::new(value).description(present.description);
        self.update_variable(name, &update).await?;
        Ok(Ensured::Updated(()))
    }

    /// Removes a variable.
    ///
    /// Upstream: `DELETE …/actions/variables/{variablename}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn delete_variable(&self, name: &str) -> Result<()> {
        self.client
            .send_empty(self.request(&DELETE).with("variablename", name))
            .await
    }
}
